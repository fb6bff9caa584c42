//! Whose turn it is: requests take turns on the judge's threads.
//!
//! What waits stands in one lane for each request, and the lanes rotate. A lane is worked on for a slice of time
//! while others wait: a thread leaves a group between two completions, and stays in the middle of one, before its
//! next run of a program, until its lane's turn comes again. Another thread stands in for it meanwhile; as many
//! threads work at a time as were asked for, whoever they are.
//!
//! A thread that waits for another server is away: it does not count as one that works, and others take its place, so
//! that many questions are under way at a time. How many of one request are is bounded, and all requests share what
//! there is.
//!
//! It never looks at what the work is.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};

use graders::Resources;

use super::group::Group;
use super::polite::Turn;
use super::{Control, guarded, lock};

/// Stack of a thread, in bytes. Parsers bound their depth well below it.
const STACK_BYTES: usize = 16 << 20;
/// The most threads that stay in the middle of their work, beyond those at work: about as many as a server has
/// requests inside. Each costs a stack, of which it has touched a few pages.
const MAX_STAND_INS: usize = 256;
/// The most threads that wait for other servers; beyond them each request may still have one.
const MAX_AWAY: usize = 256;

/// What waits for a thread.
pub(super) enum Work {
    /// A group; once it is prepared any number of threads may judge its completions.
    Group(Arc<Group>),
    /// Something for one thread.
    Single(Box<dyn FnOnce(&Resources) + Send>),
}

enum Entry {
    Work(Work),
    /// A thread in the middle of its work.
    Paused(Arc<Seat>),
}

/// Where a thread waits for its lane's next turn.
struct Seat {
    thread: Thread,
    called: AtomicBool,
}

/// The work of one request.
struct Lane {
    control: Arc<Control>,
    entries: VecDeque<Entry>,
}

/// The lanes and the threads that work on them.
pub(super) struct Turns {
    state: Mutex<State>,
    /// Threads without work wait here.
    work_came: Condvar,
    /// The number of lanes, to be looked at without the lock.
    n_lanes: AtomicUsize,
    n_threads: usize,
    resources: Resources,
}

#[derive(Default)]
struct State {
    /// By the address of the request's control, which each lane keeps alive. None is empty.
    lanes: HashMap<usize, Lane>,
    /// The keys of the lanes, the next one first.
    order: VecDeque<usize>,
    n_working: usize,
    /// Threads that wait for work, and those of them, or of the new ones, that were called and have not come yet.
    n_idle: usize,
    n_called: usize,
    n_started: usize,
    /// Threads that wait for other servers: all, and by the request they work for.
    n_away: usize,
    away: HashMap<usize, usize>,
    closed: bool,
}

impl Turns {
    /// Starts `n_threads` threads.
    pub(super) fn start(n_threads: usize, resources: Resources) -> std::io::Result<Arc<Self>> {
        let turns = Arc::new(Self {
            state: Mutex::default(),
            work_came: Condvar::new(),
            n_lanes: AtomicUsize::new(0),
            n_threads,
            resources,
        });
        for _ in 0..n_threads {
            if let Err(error) = turns.start_thread(&mut lock(&turns.state)) {
                turns.close();
                return Err(error);
            }
        }
        Ok(turns)
    }

    fn start_thread(self: &Arc<Self>, state: &mut State) -> std::io::Result<()> {
        let turns = Arc::clone(self);
        let name = format!("judge-{}", state.n_started);
        thread::Builder::new().name(name).stack_size(STACK_BYTES).spawn(move || turns.work())?;
        state.n_started += 1;
        state.n_called += 1;
        Ok(())
    }

    /// How many threads work at a time.
    pub(super) const fn n_threads(&self) -> usize {
        self.n_threads
    }

    /// Adds work of the request that has `control`.
    pub(super) fn add(self: &Arc<Self>, control: &Arc<Control>, work: Work) {
        let mut state = lock(&self.state);
        state.lane(control).push_back(Entry::Work(work));
        self.call(&mut state, 1);
    }

    /// Lets the threads end when there is nothing left to do.
    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
        self.work_came.notify_all();
    }

    /// Whether a request other than that of `control` waits for a turn.
    pub(super) fn others_wait(&self, control: &Arc<Control>) -> bool {
        self.n_lanes.load(Ordering::Relaxed) > 0 && lock(&self.state).others_wait(key(control))
    }

    /// Called by a thread in the middle of its work for `control`: stays until it is that request's turn again,
    /// or returns at once when nobody else waits or there is no thread to stand in.
    pub(super) fn pause(self: &Arc<Self>, control: &Arc<Control>) {
        if self.n_lanes.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut state = lock(&self.state);
        if !state.others_wait(key(control)) {
            return;
        }
        if !state.next_is_paused() && state.n_idle <= state.n_called {
            // Where nobody can stand in the thread keeps its turn.
            if !self.may_start(&state) || self.start_thread(&mut state).is_err() {
                return;
            }
        }
        state.n_working -= 1;
        self.wait_for_turn(state, control);
    }

    /// Called by a thread in the middle of its work for `control` that has to wait for another server: it does so in
    /// `wait`, others work in its place, and it goes on when it is that request's turn again.
    pub(super) fn away<T>(self: &Arc<Self>, control: &Arc<Control>, wait: impl FnOnce() -> T) -> T {
        let mut state = lock(&self.state);
        state.n_away += 1;
        *state.away.entry(key(control)).or_default() += 1;
        state.n_working -= 1;
        self.call(&mut state, 1);
        drop(state);
        let waited = catch_unwind(AssertUnwindSafe(wait));
        let mut state = lock(&self.state);
        state.comes_back(key(control));
        if state.n_working + state.n_called < self.n_threads {
            state.n_working += 1;
            // Its request may have one more away now.
            self.call(&mut state, 1);
            drop(state);
        } else {
            self.wait_for_turn(state, control);
        }
        waited.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Lets others work until it is the turn of the request that has `control`.
    fn wait_for_turn(self: &Arc<Self>, mut state: MutexGuard<'_, State>, control: &Arc<Control>) {
        let seat = Arc::new(Seat { thread: thread::current(), called: AtomicBool::new(false) });
        state.lane(control).push_front(Entry::Paused(Arc::clone(&seat)));
        self.call(&mut state, 1);
        drop(state);
        while !seat.called.load(Ordering::Acquire) {
            thread::park();
        }
    }

    /// Whether one more thread may be started to stand in for others.
    fn may_start(&self, state: &State) -> bool {
        // A request beyond the bound may still have one thread away.
        let n_away = MAX_AWAY + state.away.len();
        state.n_started < self.n_threads + MAX_STAND_INS + n_away
    }

    /// What a thread does all its life.
    fn work(self: &Arc<Self>) {
        let mut state = lock(&self.state);
        state.n_called = state.n_called.saturating_sub(1);
        while let Some((control, work)) = self.next(state) {
            Turn::new(self, &control).take(|is_over| {
                let _ = guarded(|| match work {
                    Work::Single(single) => single(&self.resources),
                    Work::Group(group) => self.judge(&control, &group, is_over),
                });
            });
            state = lock(&self.state);
            state.n_working -= 1;
        }
    }

    fn judge(self: &Arc<Self>, control: &Arc<Control>, group: &Arc<Group>, is_over: &dyn Fn() -> bool) {
        if !group.is_prepared() {
            group.prepare(&self.resources);
            let n_helpers = group.n_untaken().saturating_sub(1);
            if group.is_prepared() && n_helpers > 0 {
                // In front: a group that was begun is finished before its request's next one is begun.
                let mut state = lock(&self.state);
                state.lane(control).push_front(Entry::Work(Work::Group(Arc::clone(group))));
                self.call(&mut state, n_helpers);
            }
        }
        group.judge_completions(is_over);
    }

    /// Waits for work; `None` when there will be none.
    fn next<'s>(self: &'s Arc<Self>, mut state: MutexGuard<'s, State>) -> Option<(Arc<Control>, Work)> {
        loop {
            while state.n_working < self.n_threads
                && let Some((control, entry)) = state.take()
            {
                state.n_working += 1;
                match entry {
                    Entry::Paused(seat) => seat.call(),
                    Entry::Work(work) => {
                        self.call(&mut state, 1);
                        return Some((control, work));
                    }
                }
            }
            self.n_lanes.store(state.order.len(), Ordering::Relaxed);
            if state.closed && state.order.is_empty() {
                self.work_came.notify_all();
                return None;
            }
            state.n_idle += 1;
            state = self.work_came.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.n_idle -= 1;
            state.n_called = state.n_called.saturating_sub(1);
        }
    }

    /// Calls up to `n` threads to the work that waits, as many as may work and are there. In the place of those that
    /// are away new ones may be started.
    fn call(self: &Arc<Self>, state: &mut State, n: usize) {
        for _ in 0..n {
            if state.n_working + state.n_called >= self.n_threads || state.next_up().is_none() {
                break;
            }
            if state.next_is_paused() {
                if let Some((_, Entry::Paused(seat))) = state.take() {
                    state.n_working += 1;
                    seat.call();
                }
            } else if state.n_called < state.n_idle {
                state.n_called += 1;
                self.work_came.notify_one();
            } else if state.n_away > 0 && self.may_start(state) {
                // Where the system gives no more threads the work waits for one that comes back.
                let _ = self.start_thread(state);
            }
        }
        self.n_lanes.store(state.order.len(), Ordering::Relaxed);
    }
}

impl Seat {
    fn call(&self) {
        self.called.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

fn key(control: &Arc<Control>) -> usize {
    Arc::as_ptr(control).addr()
}

impl State {
    /// The lane of a request; a new one is the last in order.
    fn lane(&mut self, control: &Arc<Control>) -> &mut VecDeque<Entry> {
        let key = key(control);
        let order = &mut self.order;
        let lane = self.lanes.entry(key).or_insert_with(|| {
            order.push_back(key);
            Lane { control: Arc::clone(control), entries: VecDeque::new() }
        });
        &mut lane.entries
    }

    fn others_wait(&self, key: usize) -> bool {
        self.order.iter().any(|other| *other != key && self.ready(*other).is_some())
    }

    /// Takes a thread that was away for the request with this key off the count.
    fn comes_back(&mut self, key: usize) {
        self.n_away -= 1;
        if let Some(n) = self.away.get_mut(&key) {
            *n -= 1;
            if *n == 0 {
                self.away.remove(&key);
            }
        }
    }

    /// Whether the request with this key has as many threads away as it may: its share, and at least one.
    fn is_held(&self, key: usize) -> bool {
        let own = self.away.get(&key).copied().unwrap_or(0);
        own > 0 && (self.n_away >= MAX_AWAY || own >= (MAX_AWAY / (self.away.len() + 1)).max(1))
    }

    /// The place of the entry of a lane that is next; none when all of them would begin work of a request that is
    /// held.
    fn ready(&self, key: usize) -> Option<usize> {
        let entries = &self.lanes.get(&key)?.entries;
        let paused = |entry: &Entry| matches!(entry, Entry::Paused(_));
        if self.is_held(key) { entries.iter().position(paused) } else { (!entries.is_empty()).then_some(0) }
    }

    /// The place in `order` of the lane that is next.
    fn next_up(&self) -> Option<usize> {
        self.order.iter().position(|key| self.ready(*key).is_some())
    }

    fn next_is_paused(&self) -> bool {
        let Some(key) = self.next_up().and_then(|at| self.order.get(at)) else { return false };
        let entry = self.ready(*key).and_then(|at| self.lanes.get(key)?.entries.get(at));
        matches!(entry, Some(Entry::Paused(_)))
    }

    /// Takes what is next, and its lane then is the last. A group with completions left stays in its lane too, for
    /// others to join in.
    fn take(&mut self) -> Option<(Arc<Control>, Entry)> {
        while let Some(at) = self.next_up() {
            let key = self.order.remove(at)?;
            let place = self.ready(key)?;
            let lane = self.lanes.get_mut(&key)?;
            let control = Arc::clone(&lane.control);
            let joined = match lane.entries.get(place) {
                Some(Entry::Work(Work::Group(group))) if group.is_prepared() && group.n_untaken() > 1 => {
                    Some(Entry::Work(Work::Group(Arc::clone(group))))
                }
                _ => None,
            };
            let taken = joined.or_else(|| lane.entries.remove(place));
            if lane.entries.is_empty() {
                self.lanes.remove(&key);
            } else {
                self.order.push_back(key);
            }
            match taken {
                // Others were faster.
                Some(Entry::Work(Work::Group(group))) if group.is_prepared() && group.n_untaken() == 0 => {}
                Some(entry) => return Some((control, entry)),
                None => {}
            }
        }
        None
    }
}

impl fmt::Debug for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turns").field("n_threads", &self.n_threads).finish_non_exhaustive()
    }
}
