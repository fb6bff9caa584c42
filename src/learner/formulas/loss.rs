//! Which policy loss, and its parameters.

use serde::{Deserialize, Serialize};

use super::batch::Batch;
use super::clip;
use super::covariance;
use super::divergence::{self, Divergence};
use super::invalid::{Invalid, Result, positive, within};
use super::likelihood;
use super::sequence::{self, Gamma, Gspo};
use super::terms::Terms;

/// A policy loss. Ratios are of a token's probability now to that at the start of the step (or, with a bypass, to
/// the one that the engine reported).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Loss {
    /// PPO's clipped surrogate, the loss of GRPO and DAPO: [`clip::ppo`].
    Clip {
        /// The ratio may fall to 1 minus this.
        #[serde(default = "default_clip_low")]
        clip_low: f64,
        /// The ratio may rise to 1 plus this.
        #[serde(default = "default_clip_high")]
        clip_high: f64,
        /// The largest weight of a negative advantage (`clip_ratio_c` in verl, `delta` in TRL); none by default.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dual_clip: Option<f64>,
    },
    /// GSPO: [`sequence::gspo`].
    Gspo {
        /// The sequence's ratio may fall to 1 minus this.
        #[serde(default = "default_gspo_low")]
        clip_low: f64,
        /// The sequence's ratio may rise to 1 plus this.
        #[serde(default = "default_gspo_high")]
        clip_high: f64,
        /// One loss per token, for advantages that differ between the tokens of a sequence (GSPO-token).
        #[serde(default)]
        by_token: bool,
    },
    /// LUSPO: GSPO times the sequence's length.
    Luspo {
        /// The sequence's ratio may fall to 1 minus this.
        #[serde(default = "default_luspo_low")]
        clip_low: f64,
        /// The sequence's ratio may rise to 1 plus this.
        #[serde(default = "default_luspo_high")]
        clip_high: f64,
    },
    /// CISPO: [`clip::cispo`]. The bounds are those of the ratio itself.
    Cispo {
        /// The largest weight, at least 1.
        #[serde(default = "default_ratio_upper")]
        ratio_upper: f64,
        /// The smallest weight; none by default.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ratio_lower: Option<f64>,
    },
    /// SAPO: [`clip::sapo`].
    Sapo {
        /// How sharp the bound is for positive advantages.
        #[serde(default = "one")]
        tau_positive: f64,
        /// How sharp it is for others.
        #[serde(default = "default_tau_negative")]
        tau_negative: f64,
    },
    /// GMPO: [`sequence::gmpo`].
    Gmpo {
        /// The logarithm of a ratio may fall to minus this where the advantage is negative.
        #[serde(default = "default_log_clip")]
        log_clip_low: f64,
        /// It may rise to this where the advantage is positive.
        #[serde(default = "default_log_clip")]
        log_clip_high: f64,
    },
    /// VESPO: [`sequence::vespo`].
    Vespo {
        /// The exponent for advantages from 0.
        #[serde(default = "two")]
        k_positive: f64,
        /// The rate for advantages from 0.
        #[serde(default = "three")]
        lambda_positive: f64,
        /// The exponent for negative advantages.
        #[serde(default = "three")]
        k_negative: f64,
        /// The rate for negative advantages.
        #[serde(default = "two")]
        lambda_negative: f64,
    },
    /// REINFORCE, also GPG's loss: [`likelihood::reinforce`].
    #[serde(alias = "gpg")]
    Reinforce {},
    /// DRO: [`likelihood::dro`].
    Dro {
        /// The strength of the square.
        #[serde(default = "default_beta")]
        beta: f64,
    },
    /// DPPO with total variation: [`divergence::dppo`].
    DppoTv {
        /// How far a probability may fall.
        #[serde(default = "default_tv")]
        low: f64,
        /// How far it may rise.
        #[serde(default = "default_tv")]
        high: f64,
        /// The largest ratio.
        #[serde(default = "default_ratio_cap")]
        ratio_cap: f64,
    },
    /// DPPO with the two-outcome Kullback-Leibler divergence: [`divergence::dppo`].
    DppoKl {
        /// How far a probability may fall.
        #[serde(default = "default_binary_kl")]
        low: f64,
        /// How far it may rise.
        #[serde(default = "default_binary_kl")]
        high: f64,
        /// The largest ratio.
        #[serde(default = "default_ratio_cap")]
        ratio_cap: f64,
    },
    /// prime-rl's default: [`divergence::prime_rl`].
    PrimeRl {
        /// How far a probability may fall.
        #[serde(default = "default_tv")]
        low: f64,
        /// How far it may rise.
        #[serde(default = "default_tv")]
        high: f64,
        /// Multiplies the advantage (`adv_tau`).
        #[serde(default = "one")]
        advantage_scale: f64,
        /// Multiplies the square of the logarithm of the ratio (`kl_tau`).
        #[serde(default = "default_kl_tau")]
        kl: f64,
    },
    /// Clip-Cov: [`covariance::clip_cov`].
    ClipCov {
        /// The ratio may fall to 1 minus this.
        #[serde(default = "default_clip_low")]
        clip_low: f64,
        /// The ratio may rise to 1 plus this.
        #[serde(default = "default_clip_low")]
        clip_high: f64,
        /// The largest part of all tokens that is left out.
        #[serde(default = "default_fraction")]
        fraction: f64,
        /// A token is left out above this covariance.
        #[serde(default = "one")]
        lower: f64,
        /// And below this one.
        #[serde(default = "five")]
        upper: f64,
    },
    /// KL-Cov: [`covariance::kl_cov`].
    KlCov {
        /// The part of all tokens that is held.
        #[serde(default = "default_fraction")]
        fraction: f64,
        /// How strongly.
        #[serde(default = "one")]
        coefficient: f64,
    },
    /// Kimi k1.5: [`sequence::kimi`]; with the estimator `kimi`.
    Kimi {
        /// The strength of the regularisation. The paper does not publish its value.
        #[serde(default = "default_beta")]
        tau: f64,
    },
}

const fn one() -> f64 {
    1.0
}
const fn two() -> f64 {
    2.0
}
const fn three() -> f64 {
    3.0
}
const fn five() -> f64 {
    5.0
}
const fn default_clip_low() -> f64 {
    0.2
}
const fn default_clip_high() -> f64 {
    0.28
}
const fn default_gspo_low() -> f64 {
    3e-4
}
const fn default_gspo_high() -> f64 {
    4e-4
}
const fn default_luspo_low() -> f64 {
    2e-3
}
const fn default_luspo_high() -> f64 {
    2.5e-3
}
const fn default_ratio_upper() -> f64 {
    5.0
}
const fn default_tau_negative() -> f64 {
    1.05
}
const fn default_log_clip() -> f64 {
    0.4
}
const fn default_beta() -> f64 {
    0.1
}
const fn default_tv() -> f64 {
    0.2
}
const fn default_binary_kl() -> f64 {
    0.05
}
const fn default_ratio_cap() -> f64 {
    20.0
}
const fn default_kl_tau() -> f64 {
    1e-3
}
const fn default_fraction() -> f64 {
    2e-4
}

impl Default for Loss {
    fn default() -> Self {
        Self::Clip { clip_low: default_clip_low(), clip_high: default_clip_high(), dual_clip: None }
    }
}

impl Loss {
    /// Whether losses are of whole sequences.
    pub const fn of_sequences(&self) -> bool {
        matches!(
            self,
            Self::Gspo { by_token: false, .. } | Self::Luspo { .. } | Self::Gmpo { .. } | Self::Kimi { .. }
        )
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// Names the field, below the loss.
    pub fn check(&self) -> Result<()> {
        let at_least_0 = |field, value| within(field, value, 0.0, f64::MAX);
        match *self {
            Self::Clip { clip_low, clip_high, dual_clip } => {
                at_least_0("clip_low", clip_low)?;
                at_least_0("clip_high", clip_high)?;
                match dual_clip {
                    // At or below the upper bound it would take the place of the clip.
                    Some(dual) if dual <= 1.0 + clip_high || !dual.is_finite() => Err(Invalid::setting(
                        "dual_clip",
                        format!("expected a number above 1 + clip_high = {}, got {dual}", 1.0 + clip_high),
                    )),
                    _ => Ok(()),
                }
            }
            Self::Gspo { clip_low, clip_high, .. } | Self::Luspo { clip_low, clip_high } => {
                at_least_0("clip_low", clip_low)?;
                at_least_0("clip_high", clip_high)
            }
            Self::Cispo { ratio_upper, ratio_lower } => {
                if !(ratio_upper >= 1.0 && ratio_upper.is_finite()) {
                    let message = format!(
                        "expected a bound on the ratio itself, at least 1, got {ratio_upper}; a distance of 0.28 \
                         from 1 is written 1.28"
                    );
                    return Err(Invalid::setting("ratio_upper", message));
                }
                ratio_lower.map_or(Ok(()), |lower| within("ratio_lower", lower, 0.0, 1.0))
            }
            Self::Sapo { tau_positive, tau_negative } => {
                positive("tau_positive", tau_positive)?;
                positive("tau_negative", tau_negative)
            }
            Self::Gmpo { log_clip_low, log_clip_high } => {
                at_least_0("log_clip_low", log_clip_low)?;
                at_least_0("log_clip_high", log_clip_high)
            }
            Self::Vespo { k_positive, lambda_positive, k_negative, lambda_negative } => {
                at_least_0("k_positive", k_positive)?;
                positive("lambda_positive", lambda_positive)?;
                at_least_0("k_negative", k_negative)?;
                positive("lambda_negative", lambda_negative)
            }
            Self::Reinforce {} => Ok(()),
            Self::Dro { beta } => at_least_0("beta", beta),
            Self::DppoTv { low, high, ratio_cap } | Self::DppoKl { low, high, ratio_cap } => {
                at_least_0("low", low)?;
                at_least_0("high", high)?;
                within("ratio_cap", ratio_cap, 1.0, f64::MAX)
            }
            Self::PrimeRl { low, high, advantage_scale, kl } => {
                at_least_0("low", low)?;
                at_least_0("high", high)?;
                positive("advantage_scale", advantage_scale)?;
                at_least_0("kl", kl)
            }
            Self::ClipCov { clip_low, clip_high, fraction, lower, upper } => {
                at_least_0("clip_low", clip_low)?;
                at_least_0("clip_high", clip_high)?;
                within("fraction", fraction, 0.0, 1.0)?;
                at_least_0("lower", lower)?;
                within("upper", upper, lower, f64::MAX)
            }
            Self::KlCov { fraction, coefficient } => {
                within("fraction", fraction, 0.0, 1.0)?;
                at_least_0("coefficient", coefficient)
            }
            Self::Kimi { tau } => positive("tau", tau),
        }
    }

    /// The loss of each token and its slope, with `old` as what the policy was. The batch is one that was checked.
    pub fn terms(&self, batch: &Batch, old: &[f32]) -> Terms {
        match *self {
            Self::Gspo { clip_low, clip_high, by_token } => {
                let form = if by_token { Gspo::Token } else { Gspo::Sequence };
                return sequence::gspo(batch, old, clip_low, clip_high, form);
            }
            Self::Luspo { clip_low, clip_high } => {
                return sequence::gspo(batch, old, clip_low, clip_high, Gspo::SequenceTimesLength);
            }
            Self::Gmpo { log_clip_low, log_clip_high } => {
                return sequence::gmpo(batch, old, log_clip_low, log_clip_high);
            }
            Self::Vespo { k_positive, lambda_positive, k_negative, lambda_negative } => {
                let above = Gamma { k: k_positive, lambda: lambda_positive };
                return sequence::vespo(batch, old, above, Gamma { k: k_negative, lambda: lambda_negative });
            }
            Self::Kimi { tau } => return sequence::kimi(batch, old, tau),
            Self::ClipCov { clip_low, clip_high, fraction, lower, upper } => {
                return covariance::clip_cov(batch, old, (clip_low, clip_high), fraction, (lower, upper));
            }
            Self::KlCov { fraction, coefficient } => {
                return covariance::kl_cov(batch, old, fraction, coefficient);
            }
            _ => {}
        }
        let mut terms = Terms::zeros(batch.n_tokens(), false);
        for t in batch.all_counted() {
            let (now, old, advantage) = (batch.logprobs[t], old[t], f64::from(batch.advantages[t]));
            let term = match *self {
                Self::Clip { clip_low, clip_high, dual_clip } => {
                    clip::ppo(now, old, advantage, clip_low, clip_high, dual_clip)
                }
                Self::Cispo { ratio_upper, ratio_lower } => {
                    clip::cispo(now, old, advantage, ratio_upper, ratio_lower)
                }
                Self::Sapo { tau_positive, tau_negative } => {
                    clip::sapo(now, old, advantage, tau_positive, tau_negative)
                }
                Self::Dro { beta } => likelihood::dro(now, old, advantage, beta),
                Self::DppoTv { low, high, ratio_cap } => {
                    divergence::dppo(now, old, advantage, (low, high), ratio_cap, Divergence::Tv)
                }
                Self::DppoKl { low, high, ratio_cap } => {
                    divergence::dppo(now, old, advantage, (low, high), ratio_cap, Divergence::Kl)
                }
                Self::PrimeRl { low, high, advantage_scale, kl } => {
                    divergence::prime_rl(now, old, advantage_scale * advantage, low, high, kl)
                }
                _ => likelihood::reinforce(now, advantage),
            };
            terms.set(t, term);
        }
        terms
    }
}
