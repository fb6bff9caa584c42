//! The engine of a run, which the sampler and the learner's evaluations use one after the other.

use std::sync::{Mutex, PoisonError};

use crate::rollout::RolloutEngine;

/// An engine that is lent to one at a time.
pub(super) struct SharedEngine(Mutex<Box<dyn RolloutEngine>>);

impl SharedEngine {
    pub(super) fn new(engine: Box<dyn RolloutEngine>) -> Self {
        Self(Mutex::new(engine))
    }

    /// Waits until nobody else has it.
    pub(super) fn lend<T>(&self, use_it: impl FnOnce(&mut dyn RolloutEngine) -> T) -> T {
        // A panic in an engine is the end of the run; what others see of the engine until then does not matter.
        let mut engine = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        use_it(engine.as_mut())
    }
}
