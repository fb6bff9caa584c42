//! Places for runs: as many as the pool holds, given out in the order of asking.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A counted set of places.
pub(crate) struct Slots {
    n_slots: usize,
    line: Mutex<Line>,
    moved: Condvar,
}

#[derive(Default)]
struct Line {
    /// The number that the next one in line draws.
    next: u64,
    /// The lowest number that has not been let in.
    called: u64,
    inside: usize,
}

/// A place, until it is dropped.
pub(crate) struct Slot<'s>(&'s Slots);

impl Slots {
    pub(super) fn new(n_slots: usize) -> Self {
        Self { n_slots, line: Mutex::default(), moved: Condvar::new() }
    }

    /// Waits in line for a place.
    pub(super) fn take(&self) -> Slot<'_> {
        let mut line = self.line();
        let mine = line.next;
        line.next += 1;
        while line.called != mine || line.inside == self.n_slots {
            line = self.moved.wait(line).unwrap_or_else(PoisonError::into_inner);
        }
        line.called += 1;
        line.inside += 1;
        self.moved.notify_all();
        Slot(self)
    }

    /// How many there are.
    pub(crate) const fn n_slots(&self) -> usize {
        self.n_slots
    }

    /// How many are inside, and how many wait.
    pub(crate) fn occupancy(&self) -> (usize, usize) {
        let line = self.line();
        (line.inside, (line.next - line.called) as usize)
    }

    /// The line is whole at any moment, so a panic elsewhere does not spoil it.
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.line().inside -= 1;
        self.0.moved.notify_all();
    }
}
