//! The newest weights on their way from the learner to a sampler that is at work.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};

use policy::Policy;

/// A place for one policy: what was not taken before the next one comes is never taken.
#[derive(Debug, Default)]
pub(super) struct Newest {
    policy: Mutex<Option<(Policy, u64)>>,
    is_there: AtomicBool,
    is_closed: AtomicBool,
}

impl Newest {
    /// Puts weights there, which nobody changes any more, with how many steps they have taken.
    pub(super) fn put(&self, policy: Policy, version: u64) {
        *self.policy.lock().unwrap_or_else(PoisonError::into_inner) = Some((policy, version));
        self.is_there.store(true, Ordering::Release);
    }

    /// Takes what is there.
    pub(super) fn take(&self) -> Option<(Policy, u64)> {
        self.is_there.store(false, Ordering::Release);
        self.policy.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether there is something.
    pub(super) fn is_there(&self) -> bool {
        self.is_there.load(Ordering::Acquire)
    }

    /// Nobody waits for samples any more.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
    }

    /// Whether nobody does.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }
}
