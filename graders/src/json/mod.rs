//! `json`: is the completion one JSON document, does it conform to a schema, does it hold the right fields?
//!
//! The whole text has to be one JSON value (RFC 8259): `NaN`, comments, trailing commas and text around it are
//! refused. It is then validated against a JSON Schema 2020-12, the task's `schema` or the configuration's,
//! and with `score: "fields"` compared with the task's reference. A document that is not valid scores 0
//! whatever its fields. Nothing is ever fetched: a schema stands in the task, whole.

mod fields;
mod parse;
mod schema;
mod shape;

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use self::fields::Gold;
use self::parse::{Document, Problem};
use self::schema::Schema;
use crate::completion::Completion;
use crate::config::{self, Fields};
use crate::error::{ConfigError, GradeError, TaskError, TaskErrorKind};
use crate::grader::{GradeCompletion, Grader, Prepared, Resources};
use crate::task::Task;
use crate::thought;
use crate::verdict::{Reason, Verdict};

/// The most comparisons of a value with a part of the schema that one document may cost. The largest document
/// against a schema of seven hundred parts stays below it.
const MAX_WORK: usize = 50_000_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    /// What the score says: `valid` (the default) gives 1 for a valid document, `fields` the fraction of the
    /// reference's leaves that a valid document has with the same value.
    #[serde(default)]
    score: Score,
    /// `keep` (the default) refuses a Markdown code fence around the document, `strip` takes one off.
    #[serde(default)]
    fences: Fences,
    /// Whether an object that names a key twice is refused; default false, where the last one counts.
    #[serde(default)]
    forbid_duplicate_keys: bool,
    /// With `fields`: what a leaf that the reference does not have costs, from 0 (the default) to 1, counted
    /// in leaves of the reference.
    #[serde(default)]
    extra_penalty: f64,
    /// The schema for tasks that bring none; default none.
    schema: Option<Value>,
    /// Whether only the text after the last `</think>` counts; default true.
    #[serde(default = "thought::strip_by_default")]
    strip_thinking: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Score {
    #[default]
    Valid,
    Fields,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Fences {
    #[default]
    Keep,
    Strip,
}

#[derive(Debug)]
struct JsonGrader {
    spec: Arc<Spec>,
    schema: Option<Arc<Schema>>,
}

pub(crate) fn build(fields: Fields) -> Result<Arc<dyn Grader>, ConfigError> {
    let spec: Spec = config::read(fields)?;
    if !(0.0..=1.0).contains(&spec.extra_penalty) {
        return Err(ConfigError::new("/extra_penalty", "expected a number from 0 to 1"));
    }
    let schema = match &spec.schema {
        Some(schema) => {
            let schema = Schema::compile(schema)
                .map_err(|problem| ConfigError::new(problem.pointer, problem.message).under("/schema"))?;
            Some(Arc::new(schema))
        }
        None => None,
    };
    Ok(Arc::new(JsonGrader { spec: Arc::new(spec), schema }))
}

impl Grader for JsonGrader {
    fn kind(&self) -> &'static str {
        "json"
    }

    fn version(&self) -> u32 {
        1
    }

    fn prepare(&self, task: &Task, _resources: &Resources) -> Result<Prepared, TaskError> {
        let schema = match &task.schema {
            Some(schema) => Some(Arc::new(Schema::compile(schema).map_err(|problem| {
                let pointer = format!("/schema{}", problem.pointer);
                TaskError::new(TaskErrorKind::InvalidTask, pointer, problem.message)
            })?)),
            None => self.schema.clone(),
        };
        let gold = match self.spec.score {
            Score::Valid => None,
            Score::Fields => Some(Gold::of(task)?),
        };
        Ok(Prepared::Completion(Box::new(Judge { spec: Arc::clone(&self.spec), schema, gold })))
    }
}

struct Judge {
    spec: Arc<Spec>,
    schema: Option<Arc<Schema>>,
    gold: Option<Gold>,
}

impl GradeCompletion for Judge {
    fn grade(&self, completion: &Completion) -> Result<Verdict, GradeError> {
        let text = &completion.text;
        let text = if self.spec.strip_thinking { thought::answer_part(text) } else { text };
        let text = match self.spec.fences {
            Fences::Keep => text,
            Fences::Strip => without_fence(text),
        };
        let document = match Document::parse(text, self.spec.forbid_duplicate_keys) {
            Ok(document) => document,
            Err(problem) => {
                let reason = match problem {
                    Problem::Syntax(_) | Problem::DuplicateKey(_) => Reason::InvalidJson,
                    Problem::TooDeep | Problem::TooMany => Reason::TooLarge,
                };
                return Ok(Verdict::new(0.0, reason).with_excerpt("problem", &problem.to_string()));
            }
        };
        if let Some(schema) = &self.schema {
            if document.values.saturating_mul(schema.unrolled()) > MAX_WORK {
                return Ok(Verdict::new(0.0, Reason::TooLarge).with("values", document.values));
            }
            if !schema.is_valid(&document.value) {
                return Ok(violation(schema, &document.value));
            }
        }
        Ok(match &self.gold {
            None => Verdict::new(1.0, Reason::ValidJson),
            Some(gold) => gold.verdict(&document.value, self.spec.extra_penalty),
        })
    }
}

fn violation(schema: &Schema, document: &Value) -> Verdict {
    let verdict = Verdict::new(0.0, Reason::SchemaViolation);
    match schema.first_violation(document) {
        Some((pointer, message)) => verdict.with_excerpt("at", &pointer).with_excerpt("problem", &message),
        None => verdict,
    }
}

/// The body of the one code fence around `text`, without language or marked as JSON; else `text`.
fn without_fence(text: &str) -> &str {
    let body = || {
        let (info, rest) = text.trim().strip_prefix("```")?.split_once('\n')?;
        let language = info.trim();
        if !language.is_empty() && !language.eq_ignore_ascii_case("json") {
            return None;
        }
        let body = rest.strip_suffix("```")?;
        // The closing fence has to stand on a line of its own.
        (body.is_empty() || body.ends_with('\n')).then_some(body)
    };
    body().unwrap_or(text)
}
