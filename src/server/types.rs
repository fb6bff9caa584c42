//! What travels over the wire, apart from what it means inside.

use std::collections::BTreeMap;
use std::fmt;

use graders::{Completion, ComponentReward, Detail, ErrorKind, Reward, Rubric, Task};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// The most groups in one request.
pub const MAX_GROUPS: usize = 4096;
/// The most completions in one group.
pub const MAX_COMPLETIONS: usize = 4096;
/// The longest name or id a caller may give, in bytes.
pub const MAX_NAME_BYTES: usize = 256;

/// Groups of completions to be graded.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "rubric": "math",
    "groups": [{"id": "q1", "task": {"prompt": "What is half of one?", "reference": "\\frac{1}{2}"},
        "completions": [{"id": "a", "text": "It is \\boxed{0.5}.", "n_tokens": 7}, "I do not know."]}]
}))]
pub struct GradeRequest<'a> {
    /// A preset's or stored rubric's name, or the rubric itself.
    #[serde(borrow)]
    #[schema(value_type = Value)]
    pub rubric: &'a RawValue,
    /// The optimiser step; schedules of weights follow it.
    #[serde(default)]
    pub step: Option<u64>,
    /// Metrics that schedules of weights look at.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
    /// Adds an advantage to each reward: an estimator's name, or an object with `estimator` and parameters.
    #[serde(default, borrow)]
    #[schema(value_type = Option<Value>)]
    pub advantage: Option<&'a RawValue>,
    /// Keeps the scored groups under this run. They are durable when the reply says so in `stored`.
    #[serde(default)]
    pub run: Option<String>,
    /// Completions not begun after this many milliseconds are not judged (their reward is null).
    #[serde(default)]
    pub deadline_ms: Option<u64>,
    /// The groups. Each is read on its own, so that a malformed one fails alone.
    #[serde(borrow, deserialize_with = "few_enough")]
    #[schema(value_type = Vec<GroupInput>)]
    pub groups: Vec<&'a RawValue>,
}

/// Reads no more groups than may be: a list of a million zeros must not become a million of them first.
fn few_enough<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<&'a RawValue>, D::Error> {
    struct Groups;

    impl<'de> Visitor<'de> for Groups {
        type Value = Vec<&'de RawValue>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of groups")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut groups = Vec::new();
            while let Some(group) = list.next_element()? {
                if groups.len() == MAX_GROUPS {
                    let message =
                        format!("a request has 1 to {MAX_GROUPS} groups, this has more; send several");
                    return Err(serde::de::Error::custom(message));
                }
                groups.push(group);
            }
            Ok(groups)
        }
    }

    deserializer.deserialize_seq(Groups)
}

/// A task and what the policy wrote for it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupInput {
    /// The caller's name for the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What was asked.
    #[serde(default, deserialize_with = "graders::object")]
    #[schema(value_type = TaskInput)]
    pub task: Task,
    /// What the policy wrote; only these are compared with each other.
    #[schema(value_type = Vec<CompletionInput>)]
    pub completions: Vec<Completion>,
}

/// What one line of a data set says.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes `graders::Task` to OpenAPI")]
pub struct TaskInput {
    /// Plain text or chat messages.
    prompt: Option<Value>,
    /// The right answer: a string, a number, or a list of alternatives.
    reference: Option<Value>,
    /// Tests for the `code` grader.
    tests: Option<Value>,
    /// A JSON Schema (2020-12) for the `json` grader.
    schema: Option<Value>,
    /// The language the answer should be in, such as `en`.
    language: Option<String>,
    /// Verifiable instructions (`{"id", "kwargs"}`) for the `instruct` grader.
    instructions: Vec<Value>,
    /// Anything else.
    metadata: Map<String, Value>,
}

/// A completion: a plain string, or this object.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes `graders::Completion` to OpenAPI")]
pub struct CompletionInput {
    /// The caller's name for it, unique in the group.
    id: Option<String>,
    /// The decoded text without the prompt.
    text: String,
    /// Tokens sampled; length rewards need it.
    n_tokens: Option<u32>,
    /// Why sampling ended: `stop`, `length`, ….
    finish_reason: Option<String>,
}

/// The reply to a request to grade.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GradeReply {
    /// One for each group of the request, in its order.
    pub groups: Vec<GroupReply>,
    /// Where the groups were kept; only when the request named a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<Stored>,
    /// Time from the whole request's arrival to the reply, in milliseconds.
    pub elapsed_ms: f64,
}

/// What became of a run's groups.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Stored {
    /// The run's name.
    pub run: String,
    /// Groups that are in the store now, whatever happens to the server from here on.
    pub n_groups: usize,
    /// Why groups could not be kept, when they could not. The rewards stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The rewards of one group.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GroupReply {
    /// The group's place in the request.
    pub index: usize,
    /// The caller's name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// One for each completion, in the request's order; empty when the group could not be read.
    pub rewards: Vec<RewardReply>,
    /// What is wrong with the group, when it could not be judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<super::problem::Fault>,
    /// What reproduces these verdicts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

/// What a verdict depends on besides the completion.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Provenance {
    /// SHA-256 of the rubric's canonical JSON.
    pub rubric_hash: String,
    /// SHA-256 of what the task says about right answers.
    pub reference_hash: String,
    /// The version of each grader.
    pub graders: Map<String, Value>,
}

/// What one completion earned.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RewardReply {
    /// The caller's name for the completion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The reward, or null when the judge could not judge. Null is never 0: mask it.
    pub reward: Option<f64>,
    /// The advantage, when asked for; null without a reward.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub advantage: Option<Value>,
    /// Why there is no reward.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorReply>,
    /// One for each component of the rubric, on every path, in the rubric's order.
    pub components: Vec<ComponentReply>,
}

/// What the judge failed at.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ErrorReply {
    /// The component that could not judge.
    pub component: String,
    /// What failed, as a stable name.
    #[schema(value_type = String)]
    pub kind: ErrorKind,
    /// What happened and what to do about it.
    pub message: String,
}

/// One component's part in a reward.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ComponentReply {
    /// The component's name.
    pub name: String,
    /// The score, or null when the component abstained or could not judge.
    pub score: Option<f64>,
    /// The weight that was in force.
    pub weight: f64,
    /// Why, as a stable name: of a verdict, or of the error that kept the component from judging.
    pub reason: String,
    /// What was extracted and how it was compared.
    #[schema(value_type = Object)]
    pub detail: Detail,
}

impl GroupReply {
    /// A group that could not be read.
    pub fn malformed(index: usize, id: Option<String>, fault: super::problem::Fault) -> Self {
        Self { index, id, rewards: Vec::new(), error: Some(fault), provenance: None }
    }
}

impl Provenance {
    /// What verdicts of `rubric` on `task` depend on.
    pub fn of(rubric: &Rubric, task: &Task) -> Self {
        Self {
            rubric_hash: rubric.hash().to_owned(),
            reference_hash: graders::reference_hash(task),
            graders: rubric.grader_versions(),
        }
    }
}

impl RewardReply {
    /// The reward of the completion called `id`.
    pub fn new(id: Option<String>, reward: &Reward) -> Self {
        let (total, error) = match &reward.total {
            Ok(total) => (Some(*total), None),
            Err(error) => {
                let component = error.component.to_string();
                (None, Some(ErrorReply { component, kind: error.kind, message: error.message.clone() }))
            }
        };
        let components = reward.components.iter().map(ComponentReply::from).collect();
        Self { id, reward: total, advantage: None, error, components }
    }
}

impl From<&ComponentReward> for ComponentReply {
    fn from(component: &ComponentReward) -> Self {
        let (score, reason, detail) = match &component.outcome {
            Ok(verdict) => (verdict.score, verdict.reason.name(), verdict.detail.clone()),
            Err(error) => {
                let detail =
                    [("error".to_owned(), Value::from(error.message.as_str()))].into_iter().collect();
                (None, error.kind.name(), detail)
            }
        };
        Self {
            name: component.name.to_string(),
            score,
            weight: component.weight,
            reason: reason.to_owned(),
            detail,
        }
    }
}
