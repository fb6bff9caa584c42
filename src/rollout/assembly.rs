//! Groups that are put together from the sequences of a batch, as they end.

use std::sync::Arc;

use graders::Completion;
use policy::PolicyError;
use policy::decode::{Begun, Finish, Generated, Load, Next, Queue, Request, Sampling, Source, Statistics};

use super::{Decode, Group, Rollout, RolloutError, SampleCost, SampleRequest, Sampled, seed};

/// Feeds a batch with what a request asks for and hands over the groups that are whole.
pub(super) struct Assembly<'a, 'r> {
    request: &'a SampleRequest<'r>,
    sampling: Arc<Sampling>,
    version: u64,
    decode: &'a Decode,
    /// `[P][G]`: what there is of each rollout.
    rollouts: Vec<Vec<Rollout>>,
    /// `[P]`: rollouts that are not finished.
    left: Vec<usize>,
    /// By the number of a request to the batch: the prompt, and the rollout of each seed.
    asked: Vec<(usize, Vec<usize>)>,
    on_group: &'a mut dyn FnMut(Group),
    has_begun: bool,
    refused: Option<PolicyError>,
    /// Tokens that were there before.
    n_known: usize,
}

impl<'a, 'r> Assembly<'a, 'r> {
    /// For an engine whose policy has taken `version` steps.
    pub(super) fn new(
        request: &'a SampleRequest<'r>,
        version: u64,
        decode: &'a Decode,
        on_group: &'a mut dyn FnMut(Group),
    ) -> Self {
        let new = |prompt: usize, place: usize| {
            let seed = seed(request.seed, 0, prompt as u64, place as u64);
            Rollout { seed, ..Rollout::default() }
        };
        let mut rollouts: Vec<Vec<Rollout>> = (0..request.prompts.len())
            .map(|prompt| (0..request.group_size).map(|place| new(prompt, place)).collect())
            .collect();
        for group in request.begun {
            if let Some(rollouts) = rollouts.get_mut(group.index) {
                rollouts.clone_from(&group.rollouts);
            }
        }
        let left = rollouts.iter().map(|group| group.iter().filter(|rollout| !rollout.is_finished()).count());
        Self {
            left: left.collect(),
            n_known: rollouts
                .iter()
                .flatten()
                .filter(|rollout| !rollout.is_finished())
                .map(|rollout| rollout.tokens.len())
                .sum(),
            request,
            sampling: Arc::new(request.sampling.clone()),
            version,
            decode,
            rollouts,
            asked: Vec::new(),
            on_group,
            has_begun: false,
            refused: None,
        }
    }

    /// The most tokens of a prompt and what follows it.
    pub(super) fn positions(&self) -> usize {
        let longest = self.request.prompts.iter().map(|prompt| prompt.tokens.len()).max().unwrap_or(0);
        longest + self.sampling.max_tokens
    }

    /// What came of it.
    ///
    /// # Errors
    /// When a prompt was refused.
    pub(super) fn finish(self, statistics: &Statistics) -> Result<Sampled, RolloutError> {
        if let Some(error) = self.refused {
            return Err(error.into());
        }
        let unfinished = self.rollouts.into_iter().zip(self.left).enumerate();
        let unfinished = unfinished.filter(|(_, (_, left))| *left > 0).map(|(index, (rollouts, _))| Group {
            index,
            prompt: self.request.prompts[index].clone(),
            rollouts,
        });
        Ok(Sampled {
            unfinished: unfinished.collect(),
            cost: SampleCost {
                n_prompt_tokens: statistics.prefill_tokens,
                n_tokens: statistics.tokens.saturating_sub(self.n_known),
                n_steps: statistics.steps,
                n_failed: 0,
            },
        })
    }

    /// One request for all rollouts of a prompt that are new, one for each that was begun.
    fn ask(&mut self, queue: &mut Queue) {
        for (index, prompt) in self.request.prompts.iter().enumerate() {
            let mut new = Vec::new();
            for (place, rollout) in self.rollouts[index].iter().enumerate() {
                if rollout.is_finished() {
                    continue;
                }
                if rollout.tokens.is_empty() {
                    new.push(place);
                    continue;
                }
                let begun = Begun {
                    tokens: rollout.tokens.clone(),
                    logprobs: rollout.logprobs.clone(),
                    sampled: rollout.sampled.clone(),
                };
                let (tokens, sampling) = (Arc::clone(&prompt.tokens), Arc::clone(&self.sampling));
                let request = Request::new(self.asked.len(), tokens, vec![rollout.seed], sampling);
                queue.add(Request { begun: Some(begun), ..request });
                self.asked.push((index, vec![place]));
            }
            if !new.is_empty() {
                let seeds = new.iter().map(|place| self.rollouts[index][*place].seed).collect();
                let (tokens, sampling) = (Arc::clone(&prompt.tokens), Arc::clone(&self.sampling));
                queue.add(Request::new(self.asked.len(), tokens, seeds, sampling));
                self.asked.push((index, new));
            }
        }
    }
}

impl Source for Assembly<'_, '_> {
    fn before_step(&mut self, _: Load, queue: &mut Queue) -> Next {
        if !self.has_begun {
            self.has_begun = true;
            self.ask(queue);
        } else if self.refused.is_some() || self.request.interrupt.is_some_and(|interrupt| interrupt()) {
            queue.cancel_all();
        }
        Next::Finish
    }

    fn on_finished(&mut self, generated: Generated) {
        let (index, places) = &self.asked[generated.prompt];
        let (index, place) = (*index, places[generated.index]);
        let rollout = &mut self.rollouts[index][place];
        let finish_reason = match generated.finish {
            Finish::Stop => Some("stop"),
            Finish::Length => Some("length"),
            Finish::Repetition => Some("repetition"),
            Finish::DeadEnd => Some("dead_end"),
            Finish::Cancelled => None,
        };
        if finish_reason.is_some() {
            let mut text = (self.decode)(&generated.tokens);
            if let Some(stop) = generated.stop_string {
                // What comes with the stop string or after it is not the completion's.
                text.truncate(stop.at);
            }
            let n_sampled = generated.sampled.iter().filter(|sampled| **sampled).count();
            rollout.completion = Completion {
                id: None,
                text,
                n_tokens: u32::try_from(n_sampled).ok(),
                finish_reason: finish_reason.map(str::to_owned),
            };
        }
        // Tokens that were there keep the version that sampled them.
        rollout.policy_versions.resize(generated.tokens.len(), self.version);
        (rollout.tokens, rollout.logprobs, rollout.sampled) =
            (generated.tokens, generated.logprobs, generated.sampled);
        if finish_reason.is_none() {
            return;
        }
        self.left[index] -= 1;
        if self.left[index] == 0 {
            let rollouts = std::mem::take(&mut self.rollouts[index]);
            let prompt = self.request.prompts[index].clone();
            (self.on_group)(Group { index, prompt, rollouts });
        }
    }

    fn on_refused(&mut self, _: usize, error: PolicyError) {
        self.refused.get_or_insert(error);
    }
}
