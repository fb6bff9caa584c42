//! The engine inside the learner: it samples with the very tensors that are trained, so there is nothing to export,
//! nothing to reload and nothing that could drift.

use policy::Policy;
use policy::decode::{self, EngineLimits};

use super::assembly::Assembly;
use super::{Decode, Group, RolloutEngine, RolloutError, SampleRequest, Sampled};

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
    ) -> Result<Sampled, RolloutError> {
        if request.prompts.is_empty() {
            return Ok(Sampled::default());
        }
        let text = |tokens: &[u32]| (self.decode)(tokens);
        let stops = (!request.sampling.stop_strings.is_empty()).then_some(&text as decode::Decode<'_>);
        let mut assembly = Assembly::new(request, self.version, &self.decode, on_group);
        let (config, weights) = (&self.policy.config, &self.policy.weights);
        let positions = assembly.positions();
        let statistics = decode::open(config, weights, positions, &self.limits, stops, &mut assembly)?;
        assembly.finish(&statistics)
    }

    fn sync(&mut self, policy: &Policy, version: u64) -> Result<(), RolloutError> {
        // The same tensors, unless the caller replaced them.
        self.policy = policy.clone();
        self.version = version;
        Ok(())
    }
}
