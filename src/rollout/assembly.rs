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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use candle_core::Device;
    use graders::Task;
    use policy::decode::EngineLimits;
    use policy::{ModelConfig, Policy, Sizes};

    use super::*;
    use crate::rollout::{NativeEngine, Prompt, RolloutEngine};

    fn policy() -> Policy {
        let sizes = Sizes {
            hidden_size: 16,
            intermediate_size: 24,
            n_layers: 2,
            n_heads: 2,
            n_kv_heads: 1,
            max_position_embeddings: 64,
            initializer_range: 0.3,
            ..Sizes::default()
        };
        let config = ModelConfig::from_sizes(&sizes, 20).expect("the sizes fit");
        Policy::random(config, 3, &Device::Cpu).expect("it is small")
    }

    fn engine(policy: &Policy) -> NativeEngine {
        let decode: Decode = Arc::new(|tokens: &[u32]| {
            tokens.iter().flat_map(|token| [token.to_string(), " ".to_owned()]).collect()
        });
        NativeEngine::new(policy, decode, EngineLimits { max_batch: 7, ..EngineLimits::default() })
    }

    fn prompts() -> Vec<Prompt> {
        let prompt = |n: u32| Prompt { task: Arc::new(Task::default()), tokens: (1..n).collect() };
        [4, 9, 3].map(prompt).to_vec()
    }

    fn sampling() -> Sampling {
        let thinking =
            policy::decode::ThinkingBudget { max_tokens: 12, inserted: vec![5, 6], end_marker: vec![6] };
        Sampling {
            max_tokens: 30,
            stop_tokens: vec![2],
            stop_strings: vec!["7 7 ".to_owned()],
            thinking: Some(thinking),
            ..Sampling::default()
        }
    }

    #[test]
    fn rollouts_that_were_interrupted_end_as_if_they_had_not_been() {
        let (policy, prompts, sampling) = (policy(), prompts(), sampling());
        let mut straight = Vec::new();
        let request = SampleRequest::new(&prompts, 4, &sampling, 11);
        let sampled =
            engine(&policy).sample(&request, &mut |group| straight.push(group)).expect("it samples");
        assert!(sampled.unfinished.is_empty());
        straight.sort_by_key(|group| group.index);
        let n_tokens: usize =
            straight.iter().flat_map(|group| &group.rollouts).map(|rollout| rollout.tokens.len()).sum();
        assert_eq!(sampled.cost.n_tokens, n_tokens);

        for every in [1, 2, 5] {
            let mut engine = engine(&policy);
            let (mut parted, mut begun) = (Vec::<Group>::new(), Vec::new());
            let (mut version, mut cost) = (0, 0);
            let mut places: Vec<usize> = (0..prompts.len()).collect();
            while !places.is_empty() {
                let asked: Vec<Prompt> = places.iter().map(|place| prompts[*place].clone()).collect();
                let n_steps = AtomicUsize::new(0);
                let interrupt = || n_steps.fetch_add(1, Ordering::Relaxed) == every;
                let request = SampleRequest {
                    begun: &begun,
                    interrupt: Some(&interrupt),
                    ..SampleRequest::new(&asked, 4, &sampling, 11)
                };
                engine.sync(&policy, version).expect("it takes them");
                let sampled = engine
                    .sample(&request, &mut |mut group| {
                        group.index = places[group.index];
                        parted.push(group);
                    })
                    .expect("it samples");
                cost += sampled.cost.n_tokens;
                begun = sampled.unfinished;
                places = begun.iter().map(|group| places[group.index]).collect();
                begun.iter_mut().enumerate().for_each(|(index, group)| group.index = index);
                version += 1;
            }
            parted.sort_by_key(|group| group.index);
            assert_eq!(cost, n_tokens, "no token is counted twice");
            assert!(version > 2, "it was interrupted");
            for (found, expected) in parted.iter().zip(&straight) {
                assert_eq!(found.rollouts.len(), 4);
                for (found, expected) in found.rollouts.iter().zip(&expected.rollouts) {
                    assert_eq!(found.tokens, expected.tokens);
                    assert_eq!(
                        (&found.sampled, &found.completion),
                        (&expected.sampled, &expected.completion)
                    );
                    for (a, b) in found.logprobs.iter().zip(&expected.logprobs) {
                        assert!((a - b).abs() < 1e-4, "{a} and {b}");
                    }
                    assert_eq!(found.policy_versions.len(), found.tokens.len());
                    assert!(found.policy_versions.is_sorted(), "later tokens are of later policies");
                }
            }
        }
    }
}
