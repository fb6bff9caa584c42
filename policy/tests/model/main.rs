//! Whole models: against published numbers, against finite differences, against `transformers`, on files and on
//! broken files.

use policy::error::Result;
use policy::{Gradients, Packed, Policy, TokenGradients, TokenScores, graph};

mod files;
mod gguf;
mod gguf_tokens;
mod gradients;
mod python;
mod tiny_models;
mod tokens;

/// A way to compute: each must give the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Tensor operations and candle's differentiation.
    Graph,
    /// What the policy takes on this device.
    Own,
}

impl Way {
    pub(crate) const ALL: [Self; 2] = [Self::Graph, Self::Own];

    pub(crate) fn scores(self, policy: &Policy, packed: &Packed, temperature: f32) -> Result<TokenScores> {
        let Policy { config, weights, options, .. } = policy;
        match self {
            Self::Graph => graph::scores(config, weights, packed, temperature, options),
            Self::Own => policy.scores(packed, temperature),
        }
    }

    pub(crate) fn accumulate(
        self,
        policy: &Policy,
        packed: &Packed,
        temperature: f32,
        gradients: &mut Gradients,
        objective: impl FnOnce(&TokenScores) -> Result<TokenGradients>,
    ) -> Result<TokenScores> {
        let Policy { config, weights, options, .. } = policy;
        match self {
            Self::Graph => {
                graph::accumulate(config, weights, packed, temperature, options, gradients, objective)
            }
            Self::Own => policy.accumulate(packed, temperature, gradients, objective),
        }
    }

    pub(crate) fn hidden(self, policy: &Policy, packed: &Packed) -> Result<Vec<f32>> {
        match self {
            Self::Graph => graph::hidden(&policy.config, &policy.weights, packed, &policy.options),
            Self::Own => policy.hidden(packed),
        }
    }

    pub(crate) fn accumulate_hidden(
        self,
        policy: &Policy,
        packed: &Packed,
        gradients: &mut Gradients,
        objective: impl FnOnce(&[f32]) -> Result<Vec<f32>>,
    ) -> Result<()> {
        let Policy { config, weights, options, .. } = policy;
        match self {
            Self::Graph => graph::accumulate_hidden(config, weights, packed, options, gradients, objective),
            Self::Own => policy.accumulate_hidden(packed, gradients, objective),
        }
    }
}
