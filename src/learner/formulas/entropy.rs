//! The policy's entropy in the loss.

use serde::{Deserialize, Serialize};

use super::batch::Batch;
use super::invalid::{Invalid, Result, positive, within};

/// What moves the coefficient of the bonus (Skywork-OR1, arXiv:2505.22312; TRL's `use_adaptive_entropy`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdaptiveEntropy {
    /// The entropy below which the bonus is given, in nats per token.
    pub target: f64,
    /// How much the coefficient moves in a step.
    pub delta: f64,
    /// The smallest coefficient.
    pub min: f64,
    /// The largest coefficient.
    pub max: f64,
}

impl Default for AdaptiveEntropy {
    fn default() -> Self {
        Self { target: 0.2, delta: 0.005, min: 0.0, max: 1.0 }
    }
}

/// The bonus for entropy, and the choice of tokens by it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Entropy {
    /// The bonus: the loss loses this times the entropy of each token, weighed as the policy loss is. With
    /// `adaptive` the first value.
    pub coefficient: f64,
    /// Moves the coefficient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adaptive: Option<AdaptiveEntropy>,
    /// The policy loss acts on this part of all tokens, those of the highest entropy; 1 is all, 0.2 the paper's
    /// (arXiv:2506.01939).
    pub top_fraction: f64,
}

impl Default for Entropy {
    fn default() -> Self {
        Self { coefficient: 0.0, adaptive: None, top_fraction: 1.0 }
    }
}

impl Entropy {
    /// Whether the policy's entropies are needed.
    pub fn needs_entropies(&self) -> bool {
        self.coefficient > 0.0 || self.adaptive.is_some() || self.top_fraction < 1.0
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// Names the field.
    pub fn check(&self) -> Result<()> {
        within("coefficient", self.coefficient, 0.0, f64::MAX)?;
        positive("top_fraction", self.top_fraction)?;
        within("top_fraction", self.top_fraction, 0.0, 1.0)?;
        if let Some(adaptive) = self.adaptive {
            positive("adaptive.delta", adaptive.delta)?;
            within("adaptive.target", adaptive.target, 0.0, f64::MAX)?;
            within("adaptive.min", adaptive.min, 0.0, f64::MAX)?;
            within("adaptive.max", adaptive.max, adaptive.min, f64::MAX)?;
        }
        Ok(())
    }

    /// The entropies, where they are needed.
    ///
    /// # Errors
    /// When there are none.
    pub(crate) fn entropies<'a>(batch: &Batch<'a>) -> Result<&'a [f32]> {
        batch.entropies.ok_or_else(|| {
            Invalid::shape("entropies", "the objective's `entropy` needs the policy's entropy at each token")
        })
    }
}

/// The entropy from which on tokens are among the `fraction` with the highest: the quantile at `1 - fraction` of the
/// given tokens, with linear interpolation. Negative infinity of none.
pub fn threshold(entropies: impl IntoIterator<Item = f32>, fraction: f64) -> f64 {
    let mut sorted: Vec<f64> = entropies.into_iter().map(f64::from).collect();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NEG_INFINITY };
    let place = (1.0 - fraction).clamp(0.0, 1.0) * last as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}
