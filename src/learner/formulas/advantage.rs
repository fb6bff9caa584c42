//! Which advantage estimator, and the advantage of each token of a step.

use graders::advantage::{Estimator, GroupRewards};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::batch::{Sequence, broadcast};
use super::invalid::{Invalid, Result, aligned, positive, within};
use super::token_advantage::{
    JudgedStep, gae, gdpo_sums, process_supervision, reinforce_plus_plus, remax, spread_and_whitened,
    token_rewards, whiten,
};

/// An advantage estimator: one of [`Estimator`], which need rewards alone, or one that gives advantages by token.
///
/// It is written as its name, or as an object with the name under `estimator` and its parameters beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub enum Advantage {
    /// By group, from rewards.
    Group(Estimator),
    /// One of [`TokenEstimator`].
    Token(TokenEstimator),
}

/// Estimators that work on tokens, or on more than rewards. Each takes the whole step together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "estimator", rename_all = "snake_case", deny_unknown_fields)]
pub enum TokenEstimator {
    /// Discounted returns, whitened over the tokens of the step (arXiv:2501.03262).
    ReinforcePlusPlus {
        /// The discount.
        #[serde(default = "one")]
        gamma: f64,
    },
    /// The reward minus the group's mean, whitened over the tokens of the step.
    ReinforcePlusPlusBaseline {},
    /// The reward minus that of the greedy answer (arXiv:2310.10505). Needs one more rollout per prompt.
    Remax {},
    /// GDPO as in verl: the last normalisation is over tokens.
    GdpoTokens {
        /// Degrees of freedom taken off in the groups' standard deviations.
        #[serde(default = "one_degree")]
        ddof: usize,
        /// Added to the groups' standard deviations.
        #[serde(default = "small")]
        eps: f64,
    },
    /// Rewards of steps (arXiv:2402.03300, section 4.1.3).
    ProcessSupervision {
        /// Degrees of freedom taken off in the standard deviation.
        #[serde(default)]
        ddof: usize,
    },
    /// Generalised advantage estimation with a value head, whitened (arXiv:1506.02438).
    Gae {
        /// The discount.
        #[serde(default = "one")]
        gamma: f64,
        /// How far rewards reach back.
        #[serde(default = "one")]
        lambda: f64,
    },
}

const fn one() -> f64 {
    1.0
}
const fn one_degree() -> usize {
    1
}
const fn small() -> f64 {
    1e-6
}

impl Default for Advantage {
    fn default() -> Self {
        Self::Group(Estimator::Grpo { scale: graders::advantage::Scale::Group, ddof: 1, eps: 1e-4 })
    }
}

impl TryFrom<Value> for Advantage {
    type Error = String;

    fn try_from(value: Value) -> std::result::Result<Self, String> {
        const BY_TOKEN: [&str; 6] = [
            "reinforce_plus_plus",
            "reinforce_plus_plus_baseline",
            "remax",
            "gdpo_tokens",
            "process_supervision",
            "gae",
        ];
        let name = value.as_str().or_else(|| value.get("estimator").and_then(Value::as_str)).unwrap_or("");
        if !BY_TOKEN.contains(&name) {
            return match Estimator::from_value(&value) {
                Ok(estimator) => Ok(Self::Group(estimator)),
                Err(error) if error.message.starts_with("unknown variant") => {
                    Err(format!("{error}; or one of those by token: {}", BY_TOKEN.join(", ")))
                }
                Err(error) => Err(error.to_string()),
            };
        }
        let value = if let Value::String(name) = value {
            Map::from_iter([("estimator".to_owned(), Value::String(name))]).into()
        } else {
            value
        };
        serde_json::from_value(value).map(Self::Token).map_err(|error| error.to_string())
    }
}

impl From<Advantage> for Value {
    fn from(advantage: Advantage) -> Self {
        match advantage {
            Advantage::Token(estimator) => serde_json::to_value(estimator).unwrap_or_default(),
            // An object of one entry: the name, and under it the parameters.
            Advantage::Group(estimator) => match serde_json::to_value(estimator).unwrap_or_default() {
                Self::Object(entry) => {
                    let mut fields = Map::new();
                    for (name, parameters) in entry {
                        fields.insert("estimator".to_owned(), Self::String(name));
                        if let Self::Object(parameters) = parameters {
                            fields.extend(parameters);
                        }
                    }
                    fields.into()
                }
                other => other,
            },
        }
    }
}

/// What the advantages of one whole step are computed from. Sequences are the completions of the groups, group after
/// group.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rewarded<'a> {
    /// The completions.
    pub sequences: &'a [Sequence],
    /// `[M]`: the counted tokens.
    pub mask: &'a [bool],
    /// Each group's rewards, and what else its estimator needs.
    pub groups: &'a [GroupRewards],
    /// `[M]`: what each token's reward loses for leaving the reference ([`Kl::reward_penalties`](super::kl::Kl)).
    pub penalties: Option<&'a [f64]>,
    /// For each group the reward of the greedy answer; for `remax`.
    pub greedy: Option<&'a [Option<f64>]>,
    /// `[M]`: what the value head says; for `gae`.
    pub values: Option<&'a [f64]>,
    /// For each completion its judged steps; for `process_supervision`.
    pub steps: Option<&'a [Vec<JudgedStep>]>,
}

impl Advantage {
    /// Whether a value head is needed.
    pub const fn needs_values(&self) -> bool {
        matches!(self, Self::Token(TokenEstimator::Gae { .. }))
    }

    /// Whether a greedy answer to each prompt is needed.
    pub const fn needs_greedy(&self) -> bool {
        matches!(self, Self::Token(TokenEstimator::Remax {}))
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// Names the field.
    pub fn check(&self) -> Result<()> {
        let degrees = |ddof: usize| within("ddof", ddof as f64, 0.0, 1.0);
        match self {
            Self::Group(_) => Ok(()),
            Self::Token(estimator) => match *estimator {
                TokenEstimator::ReinforcePlusPlus { gamma } => within("gamma", gamma, 0.0, 1.0),
                TokenEstimator::GdpoTokens { ddof, eps } => {
                    degrees(ddof)?;
                    positive("eps", eps)
                }
                TokenEstimator::ProcessSupervision { ddof } => degrees(ddof),
                TokenEstimator::Gae { gamma, lambda } => {
                    within("gamma", gamma, 0.0, 1.0)?;
                    within("lambda", lambda, 0.0, 1.0)
                }
                TokenEstimator::ReinforcePlusPlusBaseline {} | TokenEstimator::Remax {} => Ok(()),
            },
        }
    }

    /// The advantage of each token of a step, `[M]`. A completion without a reward has 0; take it out of the mask
    /// too ([`mask_out`](super::filter::mask_out)), or it counts in denominators.
    ///
    /// # Errors
    /// When arrays differ in length, or one that the estimator needs is absent.
    pub fn of_tokens(&self, step: &Rewarded) -> Result<Vec<f32>> {
        let n_completions: usize = step.groups.iter().map(|group| group.rewards.len()).sum();
        aligned("sequences", step.sequences.len(), n_completions)?;
        let end = step.sequences.last().map_or(0, |last| last.end);
        aligned("mask", step.mask.len(), end)?;
        if let Some(index) =
            step.groups.iter().flat_map(|g| &g.rewards).position(|r| r.is_some_and(|r| !r.is_finite()))
        {
            return Err(Invalid::NotFinite { place: "rewards".to_owned(), index, value: f64::NAN });
        }
        match self {
            Self::Group(estimator) => {
                let advantages = group_advantages(estimator, step)?;
                broadcast(step.sequences, &advantages)
            }
            Self::Token(estimator) => Ok(by_token(estimator, step)?.iter().map(|a| *a as f32).collect()),
        }
    }
}

fn group_advantages(estimator: &Estimator, step: &Rewarded) -> Result<Vec<f64>> {
    let mut groups = step.groups.to_vec();
    if let Some(penalties) = step.penalties {
        aligned("penalties", penalties.len(), step.mask.len())?;
        // The penalty of a completion is that of all its tokens together (RLOO in TRL).
        let rewards = groups.iter_mut().flat_map(|group| group.rewards.iter_mut());
        for (reward, sequence) in rewards.zip(step.sequences) {
            let tokens = sequence.start..sequence.end;
            let penalty: f64 = tokens.filter(|t| step.mask[*t]).map(|t| penalties[t]).sum();
            *reward = reward.map(|reward| reward - penalty);
        }
    }
    let advantages =
        estimator.advantages(&groups).map_err(|error| Invalid::shape("groups", error.to_string()))?;
    Ok(advantages.into_iter().flatten().map(|advantage| advantage.unwrap_or(0.0)).collect())
}

fn by_token(estimator: &TokenEstimator, step: &Rewarded) -> Result<Vec<f64>> {
    let rewards: Vec<Option<f64>> = step.groups.iter().flat_map(|group| &group.rewards).copied().collect();
    // A completion without a reward must not count in the statistics.
    let mut mask = step.mask.to_vec();
    let unjudged: Vec<bool> = rewards.iter().map(Option::is_none).collect();
    super::filter::mask_out(&mut mask, step.sequences, &unjudged)?;
    let absent = |what: &str, why: &str| Invalid::shape(what, why);
    match *estimator {
        TokenEstimator::ReinforcePlusPlus { gamma } => {
            let tokens = token_rewards(step.sequences, &mask, &rewards, step.penalties)?;
            Ok(reinforce_plus_plus(step.sequences, &mask, &tokens, gamma))
        }
        TokenEstimator::ReinforcePlusPlusBaseline {} => {
            let advantages = group_advantages(&Estimator::DrGrpo {}, step)?;
            spread_and_whitened(step.sequences, &mask, &advantages)
        }
        TokenEstimator::GdpoTokens { ddof, eps } => {
            let sums = gdpo_sums(step.groups, ddof, eps);
            let sums: Vec<f64> = sums.into_iter().map(|sum| sum.unwrap_or(0.0)).collect();
            spread_and_whitened(step.sequences, &mask, &sums)
        }
        TokenEstimator::Remax {} => {
            let greedy = step.greedy.ok_or_else(|| absent("greedy", "`remax` needs the greedy reward"))?;
            aligned("greedy", greedy.len(), step.groups.len())?;
            let mut advantages = Vec::with_capacity(rewards.len());
            for (group, greedy) in step.groups.iter().zip(greedy) {
                advantages.extend(group.rewards.iter().map(|reward| remax(*reward, *greedy)));
            }
            Ok(broadcast(step.sequences, &advantages)?.into_iter().map(f64::from).collect())
        }
        TokenEstimator::ProcessSupervision { ddof } => {
            let steps = step.steps.ok_or_else(|| absent("steps", "the estimator needs rewards of steps"))?;
            aligned("steps", steps.len(), step.sequences.len())?;
            let lengths: Vec<usize> = step.sequences.iter().map(Sequence::len).collect();
            let (mut tokens, mut first) = (Vec::with_capacity(mask.len()), 0);
            for group in step.groups {
                let last = first + group.rewards.len();
                let advantages = process_supervision(&steps[first..last], &lengths[first..last], ddof)?;
                tokens.extend(advantages.into_iter().flatten());
                first = last;
            }
            Ok(tokens)
        }
        TokenEstimator::Gae { gamma, lambda } => {
            let values = step.values.ok_or_else(|| absent("values", "`gae` needs a value head"))?;
            let tokens = token_rewards(step.sequences, &mask, &rewards, step.penalties)?;
            let mut advantages = gae(step.sequences, &mask, &tokens, values, gamma, lambda)?.advantages;
            whiten(&mut advantages, &mask);
            Ok(advantages)
        }
    }
}
