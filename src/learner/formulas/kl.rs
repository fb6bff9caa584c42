//! Distance from a reference policy, estimated from the sampled tokens.
//!
//! With `d = log p - log p_ref`. In expectation under the policy, the gradient of `k1` in a loss is zero and that of
//! `k2` is the divergence's; `k3` is unbiased and never negative as a value, its gradient is not the divergence's
//! (J. Schulman, "Approximating KL divergence", 2020).

use serde::{Deserialize, Serialize};

use super::batch::Batch;
use super::covariance::sign;
use super::invalid::{Invalid, Result, aligned, positive, within};
use super::terms::{Term, held, log_ratio};

/// verl holds an estimate within ± this when asked to.
const VALUE_LIMIT: f64 = 10.0;

/// An estimator of the divergence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KlForm {
    /// `d`.
    K1,
    /// `|d|`.
    Abs,
    /// `d^2 / 2`.
    K2,
    /// `exp(-d) + d - 1` (GRPO).
    #[default]
    K3,
    /// `r k3` with the ratio `r` to the start of the step, through which the gradient flows too: unbiased, also
    /// off policy (DeepSeek-V3.2; TRL's `use_bias_correction_kl`).
    K3Unbiased,
}

/// Where the divergence is held against the policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Added to the loss.
    #[default]
    Loss,
    /// Taken off the reward before advantages are computed: [`Kl::reward_penalties`].
    Reward,
}

/// What moves the coefficient: it grows while the divergence is above `target` (arXiv:1909.08593).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdaptiveKl {
    /// The divergence to be held, in nats per token.
    pub target: f64,
    /// Over about how many samples the coefficient follows.
    pub horizon: f64,
}

impl Default for AdaptiveKl {
    fn default() -> Self {
        Self { target: 0.1, horizon: 10_000.0 }
    }
}

/// When the reference policy moves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Refresh {
    /// Every so many steps; 0 is never. R1 takes 400, TRL 512.
    pub every: u64,
    /// `reference = alpha policy + (1 - alpha) reference`; 1 replaces it (R1), TRL takes 0.6.
    pub alpha: f64,
}

impl Default for Refresh {
    fn default() -> Self {
        Self { every: 0, alpha: 1.0 }
    }
}

/// The penalty for leaving the reference policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Kl {
    /// Its weight; 0 turns it off, and no reference policy is needed. With `adaptive` the first value.
    pub coefficient: f64,
    /// The estimator.
    pub form: KlForm,
    /// The value of `form` with the gradient of `k2` (verl writes a `+` behind the name).
    pub straight_through: bool,
    /// Holds each token's estimate within ±10, as verl does.
    pub clamp: bool,
    /// In the loss or in the reward.
    pub place: Place,
    /// In the reward: a token never earns anything by being less likely than under the reference.
    pub at_least_zero: bool,
    /// Moves the coefficient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adaptive: Option<AdaptiveKl>,
    /// Moves the reference.
    pub refresh: Refresh,
}

impl Kl {
    /// Whether a reference policy is needed.
    pub fn needs_reference(&self) -> bool {
        self.coefficient > 0.0
    }

    /// One token's estimate and its derivative by the log-probability now. `old` matters to `k3_unbiased` alone.
    /// What stands in an exponential is held within ±[`LOG_RATIO_LIMIT`](super::terms::LOG_RATIO_LIMIT).
    pub fn term(&self, now: f32, reference: f32, old: f32) -> Term {
        let difference = f64::from(now) - f64::from(reference);
        let (bounded, inside) = held(difference);
        let k3 = (-bounded).exp() + bounded - 1.0;
        let (mut loss, mut slope) = match self.form {
            KlForm::K1 => (difference, 1.0),
            KlForm::Abs => (difference.abs(), sign(difference)),
            KlForm::K2 => (difference * difference / 2.0, difference),
            KlForm::K3 => (k3, (1.0 - (-bounded).exp()) * inside),
            KlForm::K3Unbiased => {
                let (log, moving) = log_ratio(now, old);
                let ratio = log.exp();
                (ratio * k3, ratio * (k3 * moving + (1.0 - (-bounded).exp()) * inside))
            }
        };
        if self.clamp && loss.abs() > VALUE_LIMIT {
            (loss, slope) = (loss.clamp(-VALUE_LIMIT, VALUE_LIMIT), 0.0);
        }
        if self.straight_through {
            slope = difference;
        }
        Term { loss, slope, ..Term::default() }
    }

    /// What each token's reward loses, `[M]`: `coefficient * k1` of the policy that sampled; 0 where the mask is
    /// false. PPO, RLOO and REINFORCE++ take it off the reward.
    ///
    /// # Errors
    /// When the arrays differ in length.
    pub fn reward_penalties(
        &self,
        coefficient: f64,
        mask: &[bool],
        logprobs: &[f32],
        reference: &[f32],
    ) -> Result<Vec<f64>> {
        aligned("logprobs", logprobs.len(), mask.len())?;
        aligned("reference", reference.len(), mask.len())?;
        let floor = if self.at_least_zero { 0.0 } else { f64::NEG_INFINITY };
        Ok((0..mask.len())
            .map(|t| {
                if !mask[t] {
                    return 0.0;
                }
                let k1 = (f64::from(logprobs[t]) - f64::from(reference[t])).max(floor);
                coefficient * if self.clamp { k1.clamp(-VALUE_LIMIT, VALUE_LIMIT) } else { k1 }
            })
            .collect())
    }

    /// The array of the reference, where it is needed.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn reference<'a>(batch: &Batch<'a>) -> Result<&'a [f32]> {
        batch.reference.ok_or_else(|| {
            Invalid::shape("reference", "the penalty `kl` needs what the reference policy says of each token")
        })
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// Names the field.
    pub fn check(&self) -> Result<()> {
        within("coefficient", self.coefficient, 0.0, f64::MAX)?;
        within("refresh.alpha", self.refresh.alpha, 0.0, 1.0)?;
        if let Some(adaptive) = self.adaptive {
            positive("adaptive.target", adaptive.target)?;
            positive("adaptive.horizon", adaptive.horizon)?;
            positive("coefficient", self.coefficient)?;
        }
        if self.place == Place::Reward && (self.form != KlForm::K1 || self.straight_through) {
            return Err(Invalid::setting(
                "form",
                "expected \"k1\" where the penalty is taken off the reward",
            ));
        }
        if self.at_least_zero && self.place == Place::Loss {
            return Err(Invalid::setting("at_least_zero", "it belongs to a penalty in the reward"));
        }
        Ok(())
    }
}
