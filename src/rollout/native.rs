//! The engine inside the learner: it samples with the very tensors that are trained, so there is nothing to export,
//! nothing to reload and nothing that could drift.

use policy::Policy;
use policy::decode::{self, EngineLimits};

use super::completed::{Decode, Groups, rollout};
use super::{Group, RolloutEngine, RolloutError, SampleCost, SampleRequest, seed};

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
        let mut groups = Groups::new(request.prompts, request.group_size);
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
                let (index, place) = (generated.prompt, generated.index);
                let rollout = rollout(generated, &self.decode, self.version);
                if let Some(group) = groups.put(index, place, rollout) {
                    on_group(group);
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
