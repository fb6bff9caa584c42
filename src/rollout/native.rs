//! The engine inside the learner: it samples with the very tensors that are trained, so there is nothing to export,
//! nothing to reload and nothing that could drift.

use std::sync::Arc;

use graders::Completion;
use policy::Policy;
use policy::decode::{self, EngineLimits, Finish, Generated};

use super::{Group, Rollout, RolloutEngine, RolloutError, SampleCost, SampleRequest, seed};

/// Turns tokens into text, as the tokenizer of the policy does.
pub type Decode = Arc<dyn Fn(&[u32]) -> String + Send + Sync>;

/// Samples from a policy in this process.
pub struct NativeEngine {
    /// Shares its tensors with the learner's: a step changes both.
    policy: Policy,
    decode: Decode,
    limits: EngineLimits,
    version: u64,
}

impl NativeEngine {
    /// An engine that samples from `policy`, at most as many sequences at a time as the limits say.
    pub fn new(policy: &Policy, decode: Decode, limits: EngineLimits) -> Self {
        Self { policy: policy.clone(), decode, limits, version: 0 }
    }

    fn rollout(&self, generated: Generated) -> Rollout {
        let text = match generated.stop_string {
            // What comes with the stop string or after it is not the completion's.
            Some(at) => {
                let mut text = (self.decode)(&generated.tokens);
                text.truncate(at.at);
                text
            }
            None => (self.decode)(&generated.tokens),
        };
        let finish_reason = match generated.finish {
            Finish::Stop => "stop",
            Finish::Length => "length",
            Finish::Repetition => "repetition",
            Finish::DeadEnd => "dead_end",
            Finish::Cancelled => "cancelled",
        };
        let n_sampled = generated.sampled.iter().filter(|sampled| **sampled).count();
        let policy_versions = vec![self.version; generated.tokens.len()];
        Rollout {
            completion: Completion {
                id: None,
                text,
                n_tokens: u32::try_from(n_sampled).ok(),
                finish_reason: Some(finish_reason.to_owned()),
            },
            tokens: generated.tokens,
            logprobs: generated.logprobs,
            sampled: generated.sampled,
            policy_versions,
        }
    }
}

impl std::fmt::Debug for NativeEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NativeEngine")
            .field("limits", &self.limits)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl RolloutEngine for NativeEngine {
    fn sample(
        &mut self,
        request: &SampleRequest<'_>,
        on_group: &mut dyn FnMut(Group),
    ) -> Result<SampleCost, RolloutError> {
        let seeds: Vec<Vec<u64>> = (0..request.prompts.len() as u64)
            .map(|p| (0..request.group_size as u64).map(|i| seed(request.seed, 0, p, i)).collect())
            .collect();
        let prompts: Vec<decode::Prompt<'_>> = request
            .prompts
            .iter()
            .zip(&seeds)
            .map(|(prompt, seeds)| decode::Prompt { tokens: &prompt.tokens, seeds })
            .collect();
        let mut waiting: Vec<Vec<Option<Rollout>>> =
            prompts.iter().map(|_| (0..request.group_size).map(|_| None).collect()).collect();
        let mut n_left = vec![request.group_size; prompts.len()];
        let text = |tokens: &[u32]| (self.decode)(tokens);
        let stops = (!request.sampling.stop_strings.is_empty()).then_some(&text as decode::Decode<'_>);
        let statistics = decode::generate(
            &self.policy.config,
            &self.policy.weights,
            &prompts,
            request.sampling,
            &self.limits,
            stops,
            &mut |generated| {
                let index = generated.prompt;
                let place = generated.index;
                waiting[index][place] = Some(self.rollout(generated));
                n_left[index] -= 1;
                if n_left[index] == 0 {
                    let rollouts = std::mem::take(&mut waiting[index]).into_iter().flatten().collect();
                    on_group(Group { index, prompt: request.prompts[index].clone(), rollouts });
                }
            },
        )?;
        Ok(SampleCost {
            n_prompt_tokens: statistics.prefill_tokens,
            n_tokens: statistics.tokens,
            n_steps: statistics.steps,
            n_failed: 0,
        })
    }

    fn sync(&mut self, policy: &Policy, version: u64) -> Result<(), RolloutError> {
        // The same tensors, unless the caller replaced them.
        self.policy = policy.clone();
        self.version = version;
        Ok(())
    }
}
