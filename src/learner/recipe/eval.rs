//! `[eval]`: how progress is measured.

use serde::{Deserialize, Serialize};

use super::fault::Checks;
use super::sampling::SamplingRecipe;

/// How progress is measured: on held-out tasks, before the first step and every so many.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvalRecipe {
    /// Steps between two evaluations; 0 measures before and after only.
    pub every: u64,
    /// Held-out tasks, always the same.
    pub n_tasks: usize,
    /// Completions of each task; accuracy is the mean over all.
    pub samples: usize,
    /// Divides the logits; 0 takes the likeliest token.
    pub temperature: f64,
    /// Only the likeliest tokens that together have this probability; 1 is all.
    pub top_p: f64,
    /// The most tokens of a completion; as in `[sampling]` where none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<usize>,
    /// Samples shown before and after.
    pub shown: usize,
}

impl Default for EvalRecipe {
    fn default() -> Self {
        Self { every: 20, n_tasks: 200, samples: 1, temperature: 0.0, top_p: 1.0, max_tokens: None, shown: 3 }
    }
}

impl EvalRecipe {
    pub(super) fn resolve(&mut self, sampling: &SamplingRecipe) {
        self.max_tokens.get_or_insert(sampling.max_tokens);
    }

    /// Whether the policy is measured after this step, of `steps`; step 0 is before the first.
    pub fn is_due(&self, step: u64, steps: u64) -> bool {
        self.n_tasks > 0
            && (step == 0 || step == steps || (self.every > 0 && step.is_multiple_of(self.every)))
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        checks.count("samples", self.samples);
        checks.not_negative("temperature", self.temperature);
        checks.must(self.top_p > 0.0 && self.top_p <= 1.0, "top_p", self.top_p, "above 0 and at most 1");
        checks.count("max_tokens", self.max_tokens.unwrap_or(1));
        if self.temperature == 0.0 && self.samples > 1 {
            checks.fault(
                "samples",
                format!("is {}, but at temperature 0 they would all be the same", self.samples),
            );
        }
    }
}
