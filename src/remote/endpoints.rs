//! Several servers that do the same: who is asked next, and who is left alone.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reqwest::Url;
use tokio::sync::Notify;

use super::breaker::{Admission, Breaker};
use super::settings::BreakerSettings;

/// The servers of a client.
#[derive(Debug)]
pub(super) struct Endpoints {
    places: Vec<Place>,
    states: Mutex<Vec<State>>,
    concurrency: usize,
    /// Where the search for the next server begins, so that equals take turns.
    next: AtomicUsize,
    /// Somebody may go on: a request ended, or a server came back.
    changed: Notify,
}

/// A server: where it is, and who speaks to it.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) base: Url,
    pub(super) http: reqwest::Client,
}

#[derive(Debug)]
struct State {
    breaker: Breaker,
    in_flight: usize,
    /// It asked to be left alone until then.
    busy_until: Option<Instant>,
    /// Whether it may be asked at all.
    serving: bool,
    /// What it failed with last.
    last_failure: String,
}

/// How a request ended, as far as its server is concerned.
#[derive(Debug)]
pub(super) enum Ending {
    /// It did what was asked, or refused what was wrong.
    Well,
    /// It has too much to do, and asks to be left alone so long.
    Busy(Duration),
    /// It failed.
    Badly(String),
}

/// Why there is no server for a request.
#[derive(Debug)]
pub(super) enum Unavailable {
    /// All are left alone for their faults, the first one until `until`; `failures` says which.
    Resting { until: Option<Instant>, failures: String },
    /// None may be asked.
    NoneServing,
}

/// A place in a server's queue, until it is dropped.
#[derive(Debug)]
pub(super) struct Lease {
    endpoints: Arc<Endpoints>,
    pub(super) index: usize,
    ended: bool,
}

enum Pick {
    Taken(usize),
    /// Somebody's end, or this moment, will change something.
    Wait(Option<Instant>),
    None(Unavailable),
}

impl Endpoints {
    pub(super) fn new(places: Vec<Place>, concurrency: usize, breaker: BreakerSettings) -> Self {
        let state = |_: &Place| State {
            breaker: Breaker::new(breaker),
            in_flight: 0,
            busy_until: None,
            serving: true,
            last_failure: String::new(),
        };
        Self {
            states: Mutex::new(places.iter().map(state).collect()),
            places,
            concurrency: concurrency.max(1),
            next: AtomicUsize::new(0),
            changed: Notify::new(),
        }
    }

    pub(super) fn places(&self) -> &[Place] {
        &self.places
    }

    /// Requests that may be under way at once.
    pub(super) fn capacity(&self) -> usize {
        self.lock().iter().filter(|state| state.serving).count() * self.concurrency
    }

    /// Lets a server be asked, or not.
    pub(super) fn set_serving(&self, index: usize, serving: bool) {
        if let Some(state) = self.lock().get_mut(index) {
            state.serving = serving;
        }
        self.changed.notify_waiters();
    }

    /// A place at the server with the least to do, one that was not `tried` before if there is one; waits for it while
    /// the servers are busy.
    pub(super) async fn lease(self: &Arc<Self>, tried: &[usize]) -> Result<Lease, Unavailable> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            match self.pick(Instant::now(), tried) {
                Pick::Taken(index) => {
                    return Ok(Lease { endpoints: Arc::clone(self), index, ended: false });
                }
                Pick::Wait(None) => changed.await,
                Pick::Wait(Some(until)) => {
                    let _ = tokio::time::timeout_at(until.into(), changed).await;
                }
                Pick::None(why) => return Err(why),
            }
        }
    }

    fn pick(&self, now: Instant, tried: &[usize]) -> Pick {
        let mut states = self.lock();
        let n = states.len();
        let first = self.next.fetch_add(1, Ordering::Relaxed) % n.max(1);
        let mut best: Option<(bool, usize, usize)> = None;
        let mut wakes: Option<Instant> = None;
        let (mut some_wait, mut some_serve, mut rests) = (false, false, None::<Instant>);
        let sooner = |a: &mut Option<Instant>, b: Instant| *a = Some(a.map_or(b, |a| a.min(b)));
        for place in 0..n {
            let index = (first + place) % n;
            let state = &states[index];
            if !state.serving {
                continue;
            }
            some_serve = true;
            match state.breaker.admission(now) {
                Admission::Go => {}
                Admission::NotBefore(until) => {
                    sooner(&mut rests, until);
                    continue;
                }
                Admission::Probing => continue,
            }
            if let Some(until) = state.busy_until.filter(|until| *until > now) {
                some_wait = true;
                sooner(&mut wakes, until);
                continue;
            }
            if state.in_flight >= self.concurrency {
                some_wait = true;
                continue;
            }
            let key = (tried.contains(&index), state.in_flight, index);
            if best.is_none_or(|(tried, in_flight, _)| (key.0, key.1) < (tried, in_flight)) {
                best = Some(key);
            }
        }
        if let Some((_, _, index)) = best {
            let state = &mut states[index];
            state.breaker.begin();
            state.in_flight += 1;
            return Pick::Taken(index);
        }
        if some_wait {
            // A server that comes back from its rest is worth a look too.
            if let Some(until) = rests {
                sooner(&mut wakes, until);
            }
            return Pick::Wait(wakes);
        }
        if !some_serve {
            return Pick::None(Unavailable::NoneServing);
        }
        let failures: Vec<String> = self
            .places
            .iter()
            .zip(states.iter())
            .filter(|(_, state)| state.serving && !state.last_failure.is_empty())
            .map(|(place, state)| format!("{}: {}", place.base, state.last_failure))
            .collect();
        Pick::None(Unavailable::Resting { until: rests, failures: failures.join("; ") })
    }

    /// Waits for `until`, or for a server to come back before.
    pub(super) async fn rested(&self, until: Option<Instant>) {
        let changed = self.changed.notified();
        match until {
            Some(until) => {
                let _ = tokio::time::timeout_at(until.into(), changed).await;
            }
            None => changed.await,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    pub(super) fn place(&self) -> &Place {
        &self.endpoints.places[self.index]
    }

    /// Tells how the request ended. Says whether its server is left alone from now on for its faults.
    pub(super) fn end(mut self, ending: Ending) -> bool {
        self.ended = true;
        let now = Instant::now();
        let mut states = self.endpoints.lock();
        let state = &mut states[self.index];
        match ending {
            Ending::Well => {
                state.breaker.succeeded();
                false
            }
            Ending::Busy(wait) => {
                state.breaker.abandoned(now);
                let until = now + wait;
                state.busy_until = Some(state.busy_until.map_or(until, |before| before.max(until)));
                false
            }
            Ending::Badly(message) => {
                state.last_failure = message;
                state.breaker.failed(now)
            }
        }
        // The place is given back when this is dropped.
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut states = self.endpoints.lock();
        let state = &mut states[self.index];
        state.in_flight -= 1;
        if !self.ended {
            state.breaker.abandoned(Instant::now());
        }
        drop(states);
        self.endpoints.changed.notify_waiters();
    }
}
