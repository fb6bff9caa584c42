//! Whether one server is asked or left alone.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::settings::BreakerSettings;

/// A circuit breaker: closed while calls succeed, open after too many failures, and after a rest one call decides
/// whether it closes again.
#[derive(Debug)]
pub(super) struct Breaker {
    settings: BreakerSettings,
    /// The last calls: whether they failed.
    failed: VecDeque<bool>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open { until: Instant, rest: Duration },
    Probing { rest: Duration },
}

/// What a breaker says to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Go.
    Go,
    /// Not before then.
    NotBefore(Instant),
    /// Another call is finding out.
    Probing,
}

impl Breaker {
    pub(super) const fn new(settings: BreakerSettings) -> Self {
        Self { settings, failed: VecDeque::new(), state: State::Closed }
    }

    pub(super) fn admission(&self, now: Instant) -> Admission {
        match self.state {
            State::Closed => Admission::Go,
            State::Open { until, .. } if until <= now => Admission::Go,
            State::Open { until, .. } => Admission::NotBefore(until),
            State::Probing { .. } => Admission::Probing,
        }
    }

    /// A call begins that was admitted.
    pub(super) fn begin(&mut self) {
        if let State::Open { rest, .. } = self.state {
            self.state = State::Probing { rest };
        }
    }

    pub(super) fn succeeded(&mut self) {
        match self.state {
            // A call that began before it opened says nothing about now.
            State::Open { .. } => {}
            State::Probing { .. } => {
                self.state = State::Closed;
                self.failed.clear();
            }
            State::Closed => self.remember(false),
        }
    }

    /// Whether it opened by this.
    pub(super) fn failed(&mut self, now: Instant) -> bool {
        match self.state {
            State::Open { .. } => false,
            State::Probing { rest } => {
                let rest = (rest * 2).min(self.settings.rest_max);
                self.state = State::Open { until: now + rest, rest };
                true
            }
            State::Closed => {
                self.remember(true);
                let n = self.failed.iter().filter(|failed| **failed).count();
                let share = n as f64 / self.failed.len() as f64;
                let opens = n >= self.settings.min_failures.max(1) && share >= self.settings.share;
                if opens {
                    let rest = self.settings.rest;
                    self.state = State::Open { until: now + rest, rest };
                }
                opens
            }
        }
    }

    /// A call ended without an answer to what the server is like: it was given up, or the server is only busy.
    pub(super) fn abandoned(&mut self, now: Instant) {
        if let State::Probing { rest } = self.state {
            self.state = State::Open { until: now, rest };
        }
    }

    fn remember(&mut self, failed: bool) {
        self.failed.push_back(failed);
        while self.failed.len() > self.settings.window.max(1) {
            self.failed.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> Breaker {
        Breaker::new(BreakerSettings { window: 4, min_failures: 2, share: 0.5, ..BreakerSettings::default() })
    }

    #[test]
    fn it_opens_probes_and_closes() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut breaker = breaker();
        assert!(!breaker.failed(start));
        breaker.succeeded();
        breaker.succeeded();
        assert!(breaker.failed(start), "two of four");
        assert_eq!(breaker.admission(start), Admission::NotBefore(start + second));
        // A straggler changes nothing.
        breaker.succeeded();
        assert!(!breaker.failed(start));
        assert_eq!(breaker.admission(start), Admission::NotBefore(start + second));
        let later = start + second;
        assert_eq!(breaker.admission(later), Admission::Go);
        breaker.begin();
        assert_eq!(breaker.admission(later), Admission::Probing);
        assert!(breaker.failed(later));
        assert_eq!(breaker.admission(later), Admission::NotBefore(later + 2 * second));
        let later = later + 2 * second;
        breaker.begin();
        breaker.abandoned(later);
        assert_eq!(breaker.admission(later), Admission::Go);
        breaker.begin();
        breaker.succeeded();
        assert_eq!(breaker.admission(later), Admission::Go);
        assert!(!breaker.failed(later), "what was before is forgotten");
    }

    #[test]
    fn rests_have_a_bound() {
        let mut now = Instant::now();
        let mut breaker = breaker();
        breaker.failed(now);
        breaker.failed(now);
        for _ in 0..20 {
            let Admission::NotBefore(until) = breaker.admission(now) else { panic!("it is open") };
            assert!(until <= now + BreakerSettings::default().rest_max);
            now = until;
            breaker.begin();
            breaker.failed(now);
        }
    }
}
