//! What the store keeps and what it answers.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use graders::{Completion, Reward, Task};
use serde_json::Value;

use super::name::Name;

macro_rules! ids {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub(super) i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )+};
}

ids! {
    /// A run's key in the database.
    RunId,
    /// A group's key in the database; rises with time within one store.
    GroupId,
    /// A completion's key in the database.
    CompletionId,
    /// An API key's key in the database.
    ApiKeyId,
}

/// A point in time, to the millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(pub(super) i64);

impl Timestamp {
    /// Now.
    pub(super) fn now() -> Self {
        // A clock before 1970 is a clock that was never set; 0 says so.
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
    }

    /// Milliseconds since 1970 (UTC).
    pub fn unix_ms(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(timestamp) => f.pad(&timestamp.to_string()),
            Err(_) => f.pad("an impossible time"),
        }
    }
}

/// A group of completions of one task with what they earned.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredGroup {
    /// The run it belongs to; made if there is none of that name.
    pub run: Name,
    /// The training step, if the caller said.
    pub step: Option<u64>,
    /// The caller's name for the group.
    pub id: Option<String>,
    /// What the completions answer.
    pub task: Task,
    /// What judged them. Shared, because a request's groups have one rubric.
    pub rubric: Arc<RubricRecord>,
    /// The hash of the task's reference.
    pub reference_hash: String,
    /// The version of each grader that judged, by its type.
    pub grader_versions: BTreeMap<String, u32>,
    /// The completions, in the caller's order.
    pub completions: Vec<ScoredCompletion>,
}

/// A rubric that judged something.
#[derive(Clone, Debug, PartialEq)]
pub struct RubricRecord {
    /// Its hash, which is its identity.
    pub hash: String,
    /// What the first request that used it called it.
    pub name: Option<String>,
    /// The rubric itself.
    pub body: Value,
}

/// A completion with what it earned.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredCompletion {
    /// What the policy wrote.
    pub completion: Completion,
    /// What it earned.
    pub reward: Reward,
    /// Its advantage within the group, if one was asked for.
    pub advantage: Option<f64>,
}

/// A stored group, whole.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredGroup {
    /// Its key.
    pub id: GroupId,
    /// When it was appended.
    pub created_at: Timestamp,
    /// What was appended.
    pub group: ScoredGroup,
}

/// A run in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSummary {
    /// Its key.
    pub id: RunId,
    /// Its name.
    pub name: String,
    /// When its first group or latch came.
    pub created_at: Timestamp,
    /// When its last group came.
    pub updated_at: Timestamp,
    /// How many groups it has.
    pub n_groups: u64,
    /// How many completions they have.
    pub n_completions: u64,
    /// How many of those have a reward.
    pub n_rewarded: u64,
    /// The mean of those rewards.
    pub reward_mean: Option<f64>,
    /// The highest step seen.
    pub last_step: Option<u64>,
}

/// A group in a list: all but its texts.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupSummary {
    /// Its key.
    pub id: GroupId,
    /// The caller's name for it.
    pub caller_id: Option<String>,
    /// The training step.
    pub step: Option<u64>,
    /// When it was appended.
    pub created_at: Timestamp,
    /// The hash of the rubric that judged it.
    pub rubric_hash: String,
    /// What the rubric was called.
    pub rubric_name: Option<String>,
    /// How many completions it has.
    pub n_completions: u64,
    /// How many of them have a reward.
    pub n_rewarded: u64,
    /// The mean reward.
    pub reward_mean: Option<f64>,
    /// The rewards' standard deviation, over the group as a population.
    pub reward_std: Option<f64>,
    /// The least reward.
    pub reward_min: Option<f64>,
    /// The greatest reward.
    pub reward_max: Option<f64>,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T, C> {
    /// At most as many as were asked for.
    pub items: Vec<T>,
    /// Where the next page begins, if there is more.
    pub next: Option<C>,
}

/// Which groups to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupQuery {
    /// Only this step's.
    pub step: Option<u64>,
    /// Only those after this one: the `next` of the page before.
    pub after: Option<GroupId>,
    /// How many, at most [`MAX_PAGE`]; `None` for [`DEFAULT_PAGE`].
    pub limit: Option<u32>,
}

/// The longest page of a list.
pub const MAX_PAGE: u32 = 1000;
/// A page's length when none is asked for.
pub const DEFAULT_PAGE: u32 = 100;

/// What a run did at one step.
#[derive(Clone, Debug, PartialEq)]
pub struct StepMetrics {
    /// The step; `None` gathers the groups that came without one.
    pub step: Option<u64>,
    /// How many groups.
    pub n_groups: u64,
    /// How many completions.
    pub n_completions: u64,
    /// `reward/mean`, over the completions that have one.
    pub reward_mean: Option<f64>,
    /// `reward/std`, over the same as a population.
    pub reward_std: Option<f64>,
    /// `reward/<component>`: each component's mean score where it gave one, in the rubric's order.
    pub components: Vec<(String, Option<f64>)>,
    /// The fraction of completions that have no reward, because the judge failed.
    pub null_fraction: f64,
    /// The fraction of groups whose rewards are all equal, of those with two rewards or more: they teach
    /// nothing.
    pub zero_variance_fraction: Option<f64>,
    /// Mean `n_tokens` of right completions: those whose first component scored at least 1.
    pub right_tokens_mean: Option<f64>,
    /// Mean `n_tokens` of wrong completions: those whose first component scored less.
    pub wrong_tokens_mean: Option<f64>,
}

/// Which steps' metrics to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetricsQuery {
    /// From this step on; `None` begins with the groups that have no step.
    pub from_step: Option<u64>,
    /// How many steps, at most [`MAX_STEPS`]; `None` for as many.
    pub limit: Option<u32>,
}

/// The most steps one reading of metrics answers.
pub const MAX_STEPS: u32 = 10_000;

/// A rubric kept under a name.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedRubric {
    /// Its name.
    pub name: String,
    /// The rubric itself.
    pub body: Value,
    /// When it was first put.
    pub created_at: Timestamp,
    /// When it was last put.
    pub updated_at: Timestamp,
}

/// The SHA-256 of an API key. The key itself is never stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash(pub [u8; 32]);

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(…)")
    }
}

/// An API key, without the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its key in the database.
    pub id: ApiKeyId,
    /// What it is called.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}
