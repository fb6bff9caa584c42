//! `[pipeline]`: rollouts that are drawn while the learner works.

use serde::{Deserialize, Serialize};

use super::fault::Checks;

/// How far sampling may run ahead of learning. Without this section every step waits for its rollouts, all of them
/// the newest policy's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PipelineRecipe {
    /// Steps that the policy of a token may be behind the one that learns from it; older tokens are left out of the
    /// loss. 0 draws nothing ahead.
    pub max_staleness: u64,
    /// Whether completions go on with new weights as soon as there are some; else they end with those they were
    /// begun with.
    pub in_flight: bool,
    /// Groups that are begun beyond those a step needs, as a share of them; when it has enough, the others go on in
    /// the next step.
    pub carry_over: f64,
}

/// More than this is another algorithm.
const MAX_STALENESS: u64 = 64;

impl Default for PipelineRecipe {
    fn default() -> Self {
        Self { max_staleness: 1, in_flight: false, carry_over: 0.0 }
    }
}

impl PipelineRecipe {
    pub(super) fn check(&self, checks: &mut Checks) {
        checks.must(
            self.max_staleness <= MAX_STALENESS,
            "max_staleness",
            self.max_staleness,
            "at most 64: what is older teaches little",
        );
        checks.must(
            (0.0..=4.0).contains(&self.carry_over),
            "carry_over",
            self.carry_over,
            "from 0 to 4 times the groups of a step",
        );
        if self.in_flight && self.max_staleness == 0 {
            checks
                .fault("in_flight", "needs pipeline.max_staleness of at least 1: else nothing is in flight");
        }
    }
}
