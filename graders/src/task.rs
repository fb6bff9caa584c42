//! A task: what one line of a data set says.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{TaskError, TaskErrorKind};

/// What one line of a data set says: the prompt and all that graders need to judge an answer to it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// What the policy was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Prompt>,
    /// The right answer; a list holds several, of which any one is right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Value>,
    /// Tests for the `code` grader, as that grader documents them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tests: Option<Value>,
    /// A JSON Schema (2020-12) for the `json` grader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// The language the answer should be in, as a BCP-47 primary tag such as `en`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Verifiable instructions for the `instruct` grader.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instructions: Vec<Instruction>,
    /// Whatever else the data set says; graders read it only where they document it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
}

/// A prompt: plain text or chat messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a string or a list of chat messages")]
pub enum Prompt {
    /// Plain text.
    Text(String),
    /// Chat messages, kept as they came.
    Messages(Vec<Value>),
}

/// One verifiable instruction in IFEval's form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instruction {
    /// The instruction's type, such as `length_constraints:number_words`.
    pub id: String,
    /// Its arguments.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub kwargs: Map<String, Value>,
}

/// The right answers as text, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference(pub Vec<String>);

/// The most alternatives a reference may list.
const MAX_ALTERNATIVES: usize = 64;
/// The longest reference answer, in bytes.
const MAX_REFERENCE_BYTES: usize = 1 << 16;

impl Task {
    /// A task of which only the reference is known.
    pub fn with_reference(reference: impl Into<Value>) -> Self {
        Self { reference: Some(reference.into()), ..Self::default() }
    }

    /// The reference as text: a string as it is, a number or boolean as JSON writes it, a list of those as
    /// alternatives of which any one is right.
    ///
    /// # Errors
    /// When it is missing, of another type, too long, or a number that JSON readers do not carry exactly.
    pub fn reference_text(&self) -> Result<Reference, TaskError> {
        let value =
            self.reference.as_ref().ok_or_else(|| TaskError::missing("/reference", "the right answer"))?;
        match value {
            Value::Array(items) if items.is_empty() || items.len() > MAX_ALTERNATIVES => Err(TaskError::new(
                TaskErrorKind::InvalidTask,
                "/reference",
                format!(
                    "a list of alternatives needs 1 to {MAX_ALTERNATIVES} of them, this has {}",
                    items.len()
                ),
            )),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(index, item)| scalar_text(item, &format!("/reference/{index}")))
                .collect::<Result<_, _>>()
                .map(Reference),
            other => scalar_text(other, "/reference").map(|text| Reference(vec![text])),
        }
    }
}

fn scalar_text(value: &Value, pointer: &str) -> Result<String, TaskError> {
    let invalid = |message: String| TaskError::new(TaskErrorKind::InvalidTask, pointer, message);
    match value {
        Value::String(text) if text.len() > MAX_REFERENCE_BYTES => Err(invalid(format!(
            "the text has {} bytes, at most {MAX_REFERENCE_BYTES} are allowed",
            text.len()
        ))),
        Value::String(text) => Ok(text.clone()),
        Value::Bool(truth) => Ok(truth.to_string()),
        // Beyond 2^53 a JSON number may already have lost digits on its way here, and a lost digit would make
        // a wrong answer right.
        Value::Number(number)
            if number.is_f64() && number.as_f64().is_some_and(|x| x.abs() >= 9.007_199_254_740_992e15) =>
        {
            Err(invalid("this number is too large to travel exactly as JSON; send it as a string".to_owned()))
        }
        Value::Number(number) => Ok(number.to_string()),
        Value::Null => Err(TaskError::missing(pointer, "the right answer")),
        Value::Array(_) | Value::Object(_) => {
            Err(invalid("expected a string, a number, a boolean or a list of those".to_owned()))
        }
    }
}
