//! The batch that is asked for all at once.

use std::sync::Arc;

use super::generation::{Generated, Prompt, Statistics};
use super::request::Request;
use super::sampling::Sampling;
use super::source::{Load, Next, Queue, Source};
use crate::error::{PolicyError, Result};

/// A batch whose prompts are known before it begins.
pub(crate) struct Closed<'a> {
    requests: Vec<Request>,
    on_finished: &'a mut dyn FnMut(Generated),
    refused: Option<PolicyError>,
}

impl<'a> Closed<'a> {
    pub(crate) fn new(
        prompts: &[Prompt<'_>],
        sampling: &Sampling,
        on_finished: &'a mut dyn FnMut(Generated),
    ) -> Self {
        let sampling = Arc::new(sampling.clone());
        let request = |(id, prompt): (usize, &Prompt<'_>)| {
            Request::new(id, prompt.tokens.into(), prompt.seeds.to_vec(), Arc::clone(&sampling))
        };
        Self { requests: prompts.iter().enumerate().map(request).collect(), on_finished, refused: None }
    }

    /// Runs the batch. A prompt that was refused is an error of the whole.
    pub(crate) fn run(
        mut self,
        batch: impl FnOnce(&mut dyn Source) -> Result<Statistics>,
    ) -> Result<Statistics> {
        let result = batch(&mut self);
        self.refused.map_or(result, Err)
    }
}

impl Source for Closed<'_> {
    fn before_step(&mut self, _: Load, queue: &mut Queue) -> Next {
        self.requests.drain(..).for_each(|request| queue.add(request));
        Next::Finish
    }

    fn on_finished(&mut self, generated: Generated) {
        (self.on_finished)(generated);
    }

    fn on_refused(&mut self, _: usize, error: PolicyError) {
        self.refused.get_or_insert(error);
    }
}
