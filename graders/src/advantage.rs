//! Advantages that need rewards alone.
//!
//! Each estimator compares a completion with the others of its group. A completion without a reward is left
//! out of every statistic and has no advantage; a group whose rewards are all equal has the advantage 0.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config;
use crate::error::ConfigError;
use crate::statistics::{mean, standard_deviation, standard_scores};

/// An advantage estimator with its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Estimator {
    /// `(R - mean) / (std + eps)` (GRPO, arXiv:2402.03300, section 4.1).
    Grpo {
        /// Whose standard deviation divides: the group's, the batch's (arXiv:2508.08221) or none.
        #[serde(default)]
        scale: Scale,
        /// Degrees of freedom taken off in the standard deviation.
        #[serde(default = "default_ddof")]
        ddof: usize,
        /// Added to the standard deviation.
        #[serde(default = "default_eps")]
        eps: f64,
    },
    /// `R - mean` (Dr. GRPO, arXiv:2503.20783).
    DrGrpo {},
    /// `R` minus the mean of the others (RLOO, arXiv:2402.14740).
    Rloo {},
    /// `R` minus the mean weighted by length (OPO, arXiv:2505.23585); needs `n_tokens`.
    Opo {},
    /// `alpha (R - mean) / f_norm` with `alpha` the batch size over its count of nonzero rewards (GPG, as in
    /// verl).
    Gpg {
        /// Divides the advantage.
        #[serde(default = "one")]
        f_norm: f64,
    },
    /// Only the best of a group counts, by its lead on the second (pass@k, as in verl).
    Passk {
        /// Whether the lead is divided by the group's standard deviation.
        #[serde(default = "yes")]
        normalize: bool,
        /// Degrees of freedom taken off in the standard deviation.
        #[serde(default = "default_ddof")]
        ddof: usize,
        /// Added to the standard deviation.
        #[serde(default = "passk_eps")]
        eps: f64,
    },
    /// `(R - mean) / mean`, 0 where the mean is 0 (MaxRL, arXiv:2602.02710).
    MaxRl {},
    /// `R - mean`, or `R - tau log mean exp(R / tau)` when `tau` is given (Kimi k1.5, arXiv:2501.12599,
    /// equations 2 and 3).
    Kimi {
        /// The regularisation strength.
        #[serde(default)]
        tau: Option<f64>,
    },
    /// Each component's scores are normalised in the group, summed by weight, then normalised over the batch
    /// (GDPO, arXiv:2601.05242, as in TRL).
    Gdpo {
        /// Degrees of freedom taken off in the standard deviations.
        #[serde(default = "default_ddof")]
        ddof: usize,
        /// Added to the standard deviations.
        #[serde(default = "default_eps")]
        eps: f64,
    },
}

/// Whose standard deviation divides an advantage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// The group's.
    #[default]
    Group,
    /// The whole request's.
    Batch,
    /// No division.
    None,
}

const fn default_ddof() -> usize {
    1
}
const fn default_eps() -> f64 {
    1e-4
}
const fn passk_eps() -> f64 {
    1e-6
}
const fn one() -> f64 {
    1.0
}
const fn yes() -> bool {
    true
}

/// What an estimator needs to know of one group.
#[derive(Clone, Debug, Default)]
pub struct GroupRewards {
    /// Each completion's reward; `None` where it could not be judged.
    pub rewards: Vec<Option<f64>>,
    /// Each completion's length in tokens, where known.
    pub n_tokens: Vec<Option<u32>>,
    /// For each component: its weight and each completion's score.
    pub components: Vec<(f64, Vec<Option<f64>>)>,
}

impl Estimator {
    /// Reads an estimator: its name, or an object with the name under `estimator` and its parameters.
    ///
    /// # Errors
    /// Points at what is wrong.
    pub fn from_value(value: &Value) -> Result<Self, ConfigError> {
        let (name, parameters) = match value {
            Value::String(name) => (name.clone(), Map::new()),
            Value::Object(fields) => {
                let mut fields = fields.clone();
                let Some(Value::String(name)) = fields.remove("estimator") else {
                    let message = "expected the estimator's name, such as \"grpo\"";
                    return Err(ConfigError::new("/estimator", message));
                };
                (name, fields)
            }
            _ => {
                return Err(ConfigError::new(
                    "",
                    "expected an estimator's name or an object with `estimator`",
                ));
            }
        };
        // The name as the key of its parameters: with the name among them, serde would read them through a
        // buffer and forget which one an error is about.
        let mut estimator = Map::new();
        estimator.insert(name, Value::Object(parameters));
        let estimator: Self = config::read(estimator).map_err(|error| {
            let unknown = error.pointer.is_empty() && error.message.starts_with("unknown variant");
            if unknown { error.under("/estimator") } else { error }
        })?;
        estimator.check()?;
        Ok(estimator)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let wrong = |pointer: &str, message: &str| Err(ConfigError::new(pointer, message));
        match self {
            Self::Grpo { eps, ddof, .. } | Self::Passk { eps, ddof, .. } | Self::Gdpo { eps, ddof } => {
                if !(0.0..=1.0).contains(eps) {
                    return wrong("/eps", "expected a number from 0 to 1");
                }
                if *ddof > 1 {
                    return wrong("/ddof", "expected 0 or 1");
                }
            }
            Self::Gpg { f_norm } if *f_norm <= 0.0 => return wrong("/f_norm", "expected a number above 0"),
            Self::Kimi { tau: Some(tau) } if *tau <= 0.0 => {
                return wrong("/tau", "expected a number above 0");
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether an advantage depends on other groups of the batch, so that groups cannot be answered one by
    /// one.
    pub fn spans_groups(&self) -> bool {
        matches!(self, Self::Grpo { scale: Scale::Batch, .. } | Self::Gpg { .. } | Self::Gdpo { .. })
    }

    /// The advantages of each group's completions; `None` where there is no reward.
    ///
    /// # Errors
    /// When the estimator needs lengths and a judged completion has none; the pointer is
    /// `/groups/<g>/completions/<i>/n_tokens`.
    pub fn advantages(&self, groups: &[GroupRewards]) -> Result<Vec<Vec<Option<f64>>>, ConfigError> {
        match self {
            Self::Gdpo { ddof, eps } => return Ok(gdpo(groups, *ddof, *eps)),
            Self::Opo {} => return opo(groups),
            _ => {}
        }
        let batch: Vec<f64> =
            groups.iter().flat_map(|group| group.rewards.iter().flatten().copied()).collect();
        Ok(groups.iter().map(|group| self.of_group(&group.rewards, &batch)).collect())
    }

    fn of_group(&self, rewards: &[Option<f64>], batch: &[f64]) -> Vec<Option<f64>> {
        let present: Vec<f64> = rewards.iter().flatten().copied().collect();
        let n = present.len();
        // One completion alone has nothing to be compared with, and equal rewards carry no signal.
        if n < 2 || present.iter().all(|reward| *reward == present[0]) {
            return rewards.iter().map(|reward| reward.map(|_| 0.0)).collect();
        }
        let center = mean(&present).unwrap_or(0.0);
        let each =
            |advantage: &dyn Fn(f64) -> f64| rewards.iter().map(|reward| reward.map(advantage)).collect();
        match self {
            Self::Grpo { scale: Scale::Group, ddof, eps } => standard_scores(rewards, *ddof, *eps),
            Self::Grpo { scale: Scale::Batch, ddof, eps } => {
                let deviation = standard_deviation(batch, *ddof) + eps;
                each(&|reward| (reward - center) / deviation)
            }
            Self::Grpo { scale: Scale::None, .. } | Self::DrGrpo {} | Self::Kimi { tau: None } => {
                each(&|reward| reward - center)
            }
            Self::Rloo {} => {
                let factor = n as f64 / (n - 1) as f64;
                each(&|reward| factor * (reward - center))
            }
            Self::Gpg { f_norm } => {
                let nonzero = batch.iter().filter(|reward| **reward != 0.0).count().max(1);
                let alpha = batch.len() as f64 / nonzero as f64;
                each(&|reward| alpha * (reward - center) / f_norm)
            }
            Self::Passk { normalize, ddof, eps } => {
                let deviation = if *normalize { standard_deviation(&present, *ddof) + eps } else { 1.0 };
                passk(rewards, deviation)
            }
            Self::MaxRl {} => each(&|reward| if center == 0.0 { 0.0 } else { (reward - center) / center }),
            Self::Kimi { tau: Some(tau) } => {
                // The largest reward is taken out of the exponent so that a small tau cannot overflow.
                let top = present.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = present.iter().map(|reward| ((reward - top) / tau).exp()).sum();
                let baseline = top + tau * (sum / n as f64).ln();
                each(&|reward| reward - baseline)
            }
            Self::Opo {} | Self::Gdpo { .. } => unreachable!("answered by `advantages`; this is a bug"),
        }
    }
}

fn passk(rewards: &[Option<f64>], deviation: f64) -> Vec<Option<f64>> {
    let mut best: Option<(usize, f64)> = None;
    let mut second = f64::NEG_INFINITY;
    for (index, reward) in rewards.iter().enumerate().filter_map(|(index, reward)| Some((index, (*reward)?)))
    {
        match best {
            Some((_, top)) if reward <= top => second = second.max(reward),
            _ => {
                if let Some((_, top)) = best {
                    second = top;
                }
                best = Some((index, reward));
            }
        }
    }
    let lead = best.map(|(index, top)| (index, (top - second) / deviation));
    rewards
        .iter()
        .enumerate()
        .map(|(index, reward)| {
            reward.map(|_| lead.filter(|(best, _)| *best == index).map_or(0.0, |(_, lead)| lead))
        })
        .collect()
}

fn opo(groups: &[GroupRewards]) -> Result<Vec<Vec<Option<f64>>>, ConfigError> {
    let of_group = |(g, group): (usize, &GroupRewards)| {
        let (mut weighted, mut total) = (0.0, 0.0);
        for (i, reward) in group.rewards.iter().enumerate() {
            let Some(reward) = reward else { continue };
            let Some(Some(n_tokens)) = group.n_tokens.get(i) else {
                let pointer = format!("/groups/{g}/completions/{i}/n_tokens");
                return Err(ConfigError::new(
                    pointer,
                    "the estimator `opo` weighs by length: send `n_tokens`",
                ));
            };
            weighted += reward * f64::from(*n_tokens);
            total += f64::from(*n_tokens);
        }
        let alone = group.rewards.iter().flatten().count() < 2;
        let baseline = if total == 0.0 { 0.0 } else { weighted / total };
        Ok(group
            .rewards
            .iter()
            .map(|reward| reward.map(|r| if alone { 0.0 } else { r - baseline }))
            .collect())
    };
    groups.iter().enumerate().map(of_group).collect()
}

fn gdpo(groups: &[GroupRewards], ddof: usize, eps: f64) -> Vec<Vec<Option<f64>>> {
    let summed: Vec<Vec<Option<f64>>> =
        groups.iter().map(|group| group_normalised(group, ddof, eps)).collect();
    let flat: Vec<Option<f64>> = summed.iter().flatten().copied().collect();
    let mut scores = standard_scores(&flat, ddof, eps).into_iter();
    summed
        .iter()
        .map(|group| {
            // A group without any spread stays at 0 even if the batch's mean is elsewhere.
            let silent = group.iter().flatten().all(|sum| *sum == 0.0);
            scores
                .by_ref()
                .take(group.len())
                .map(|score| score.map(|s| if silent { 0.0 } else { s }))
                .collect()
        })
        .collect()
}

/// The weighted sum of the components' scores, each normalised within the group; `None` where there is no reward.
pub fn group_normalised(group: &GroupRewards, ddof: usize, eps: f64) -> Vec<Option<f64>> {
    let mut sums: Vec<Option<f64>> = group.rewards.iter().map(|reward| reward.map(|_| 0.0)).collect();
    for (weight, scores) in &group.components {
        let judged: Vec<_> =
            scores.iter().zip(&group.rewards).map(|(score, reward)| reward.and(*score)).collect();
        for (sum, score) in sums.iter_mut().zip(standard_scores(&judged, ddof, eps)) {
            if let (Some(sum), Some(score)) = (sum, score) {
                *sum += weight * score;
            }
        }
    }
    sums
}
