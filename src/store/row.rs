//! A scored group made ready for the tables, before it waits for the writer: what can be refused is refused
//! here, alone, and not while others share a transaction with it.

use std::sync::Arc;

use graders::{ComponentReward, GradeError, RewardError};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::error::StoreError;
use super::types::{RubricRecord, ScoredCompletion, ScoredGroup};

/// The most completions of one group.
pub const MAX_GROUP_COMPLETIONS: usize = 1 << 16;
/// The most components of one completion; a rubric has a handful.
const MAX_COMPONENTS: usize = 1 << 10;
/// The longest hash in text form.
const MAX_HASH_BYTES: usize = 200;
/// What a row costs besides its texts, roughly; only the bound on waiting bytes depends on it.
const ROW_BYTES: usize = 100;
/// Stands for "no step" in the tables.
pub(super) const NO_STEP: i64 = -1;

/// A group as the tables hold it.
#[derive(Debug)]
pub(super) struct GroupRow {
    pub(super) run: String,
    pub(super) step: i64,
    pub(super) caller_id: Option<String>,
    pub(super) task_hash: [u8; 32],
    pub(super) task_body: String,
    pub(super) rubric: Arc<RubricRecord>,
    pub(super) reference_hash: String,
    pub(super) grader_versions: String,
    pub(super) stats: GroupStats,
    pub(super) components: Vec<ComponentStats>,
    pub(super) completions: Vec<CompletionRow>,
    /// About what it takes in memory and in the database.
    pub(super) n_bytes: usize,
}

#[derive(Debug)]
pub(super) struct CompletionRow {
    pub(super) n_tokens: Option<u32>,
    pub(super) reward: Option<f64>,
    pub(super) advantage: Option<f64>,
    pub(super) error: Option<String>,
    pub(super) finish_reason: Option<String>,
    pub(super) caller_id: Option<String>,
    pub(super) text: String,
    pub(super) components: Vec<ComponentRow>,
}

#[derive(Debug)]
pub(super) struct ComponentRow {
    pub(super) name: Arc<str>,
    pub(super) weight: f64,
    pub(super) score: Option<f64>,
    pub(super) reason: Option<&'static str>,
    pub(super) error: Option<String>,
    pub(super) detail: Option<String>,
}

/// What a group's completions add up to.
#[derive(Debug, Default)]
pub(super) struct GroupStats {
    pub(super) n_rewarded: i64,
    pub(super) reward_mean: Option<f64>,
    pub(super) reward_m2: f64,
    pub(super) reward_min: Option<f64>,
    pub(super) reward_max: Option<f64>,
    pub(super) n_right_counted: i64,
    pub(super) right_tokens: i64,
    pub(super) n_wrong_counted: i64,
    pub(super) wrong_tokens: i64,
}

/// What one component adds up to over a group.
#[derive(Debug)]
pub(super) struct ComponentStats {
    pub(super) name: Arc<str>,
    pub(super) n_scored: i64,
    pub(super) score_sum: f64,
}

/// The score of the rubric's first component from which a completion counts as right.
const RIGHT_SCORE: f64 = 1.0;

impl GroupStats {
    fn of(completions: &[CompletionRow]) -> Self {
        let mut stats = Self::default();
        for completion in completions {
            if let Some(reward) = completion.reward {
                // Welford's update: one pass, no cancellation.
                stats.n_rewarded += 1;
                let before = stats.reward_mean.unwrap_or_default();
                let mean = before + (reward - before) / stats.n_rewarded as f64;
                stats.reward_m2 += (reward - before) * (reward - mean);
                stats.reward_mean = Some(mean);
                stats.reward_min = Some(stats.reward_min.map_or(reward, |least| least.min(reward)));
                stats.reward_max = Some(stats.reward_max.map_or(reward, |most| most.max(reward)));
            }
            let score = completion.components.first().and_then(|component| component.score);
            if let (Some(score), Some(n_tokens)) = (score, completion.n_tokens) {
                let (n, tokens) = if score >= RIGHT_SCORE {
                    (&mut stats.n_right_counted, &mut stats.right_tokens)
                } else {
                    (&mut stats.n_wrong_counted, &mut stats.wrong_tokens)
                };
                *n += 1;
                *tokens += i64::from(n_tokens);
            }
        }
        stats
    }
}

fn component_stats(completions: &[CompletionRow]) -> Vec<ComponentStats> {
    let mut stats: Vec<ComponentStats> = Vec::new();
    for component in completions.iter().flat_map(|completion| &completion.components) {
        // A handful of names, nearly always met in the rubric's order.
        let known = stats.iter().position(|known| known.name == component.name);
        let index = known.unwrap_or_else(|| {
            stats.push(ComponentStats { name: component.name.clone(), n_scored: 0, score_sum: 0.0 });
            stats.len() - 1
        });
        if let (Some(entry), Some(score)) = (stats.get_mut(index), component.score) {
            entry.n_scored += 1;
            entry.score_sum += score;
        }
    }
    stats
}

impl GroupRow {
    /// Checks and encodes a group.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] naming what cannot be stored.
    pub(super) fn encode(group: ScoredGroup) -> Result<Self, StoreError> {
        let ScoredGroup { run, step, id, task, rubric, reference_hash, grader_versions, completions } = group;
        if completions.is_empty() || completions.len() > MAX_GROUP_COMPLETIONS {
            return Err(StoreError::invalid(
                "completions",
                format!(
                    "a group has 1 to {MAX_GROUP_COMPLETIONS} completions, this has {}",
                    completions.len()
                ),
            ));
        }
        let step = match step {
            None => NO_STEP,
            Some(step) => i64::try_from(step)
                .map_err(|_| StoreError::invalid("step", "a step is below 9223372036854775808"))?,
        };
        check_hash("rubric/hash", &rubric.hash)?;
        check_hash("reference_hash", &reference_hash)?;
        if rubric.name.as_deref().is_some_and(|name| name.contains('\0')) {
            return Err(StoreError::invalid("rubric/name", "a name has no NUL character"));
        }
        let task_body = json(&task);
        let completions = completions
            .into_iter()
            .enumerate()
            .map(|(position, completion)| CompletionRow::encode(position, completion))
            .collect::<Result<Vec<_>, _>>()?;
        let n_bytes =
            ROW_BYTES + task_body.len() + completions.iter().map(CompletionRow::n_bytes).sum::<usize>();
        Ok(Self {
            run: run.as_str().to_owned(),
            step,
            caller_id: id,
            task_hash: Sha256::digest(&task_body).into(),
            task_body,
            rubric,
            reference_hash,
            grader_versions: json(&grader_versions),
            stats: GroupStats::of(&completions),
            components: component_stats(&completions),
            completions,
            n_bytes,
        })
    }
}

impl CompletionRow {
    fn encode(position: usize, scored: ScoredCompletion) -> Result<Self, StoreError> {
        let ScoredCompletion { completion, reward, advantage } = scored;
        let field = |name: &str| format!("completions/{position}/{name}");
        let (total, error) = match reward.total {
            Ok(total) => (Some(finite(field("reward"), total)?), None),
            Err(error) => (None, Some(json(&ErrorBody::from(&error)))),
        };
        if reward.components.len() > MAX_COMPONENTS {
            return Err(StoreError::invalid(
                field("components"),
                format!("a reward has at most {MAX_COMPONENTS} components"),
            ));
        }
        Ok(Self {
            n_tokens: completion.n_tokens,
            reward: total,
            advantage: advantage.map(|advantage| finite(field("advantage"), advantage)).transpose()?,
            error,
            finish_reason: completion.finish_reason,
            caller_id: completion.id,
            text: completion.text,
            components: reward
                .components
                .into_iter()
                .map(|component| ComponentRow::encode(&field("components"), component))
                .collect::<Result<_, _>>()?,
        })
    }

    fn n_bytes(&self) -> usize {
        let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let components: usize = self
            .components
            .iter()
            .map(|c| ROW_BYTES + c.name.len() + optional(&c.error) + optional(&c.detail))
            .sum();
        ROW_BYTES + self.text.len() + optional(&self.caller_id) + optional(&self.error) + components
    }
}

impl ComponentRow {
    fn encode(field: &str, component: ComponentReward) -> Result<Self, StoreError> {
        let field = || format!("{field}/{}", component.name);
        if component.name.contains('\0') {
            return Err(StoreError::invalid(field(), "a component's name has no NUL character"));
        }
        let weight = finite(format!("{}/weight", field()), component.weight)?;
        let (score, reason, error, detail) = match component.outcome {
            Ok(verdict) => {
                let score = verdict.score.map(|score| finite(format!("{}/score", field()), score));
                let detail = if verdict.detail.is_empty() { None } else { Some(json(&verdict.detail)) };
                (score.transpose()?, Some(verdict.reason.name()), None, detail)
            }
            Err(error) => (None, None, Some(json::<GradeError>(&error)), None),
        };
        Ok(Self { name: component.name, weight, score, reason, error, detail })
    }
}

/// [`RewardError`] as JSON.
#[derive(Serialize, serde::Deserialize)]
pub(super) struct ErrorBody {
    component: String,
    kind: graders::ErrorKind,
    message: String,
}

impl From<&RewardError> for ErrorBody {
    fn from(error: &RewardError) -> Self {
        Self { component: error.component.to_string(), kind: error.kind, message: error.message.clone() }
    }
}

impl From<ErrorBody> for RewardError {
    fn from(body: ErrorBody) -> Self {
        Self { component: body.component.into(), kind: body.kind, message: body.message }
    }
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value)
        .expect("these types have string keys and cannot fail to serialize; this is a bug")
}

fn finite(field: String, value: f64) -> Result<f64, StoreError> {
    if value.is_finite() { Ok(value) } else { Err(StoreError::invalid(field, "expected a finite number")) }
}

fn check_hash(field: &str, hash: &str) -> Result<(), StoreError> {
    if !hash.is_empty() && hash.len() <= MAX_HASH_BYTES && hash.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(StoreError::invalid(field, "a hash is 1 to 200 printable ASCII characters"))
}
