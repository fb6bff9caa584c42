//! Comparing a document with a reference, leaf by leaf.
//!
//! A leaf is a scalar or an empty container. It counts as present when the document has an equal value of the
//! same type at the same path; `3` and `3.0` are the same number, as in JSON Schema.

use serde_json::{Number, Value};

use super::parse::{Document, MAX_DEPTH};
use crate::error::{TaskError, TaskErrorKind};
use crate::task::Task;
use crate::verdict::{Reason, Verdict};

/// From here on not every whole number is a 64-bit float, 2⁵³.
const FIRST_INEXACT: f64 = 9_007_199_254_740_992.0;

/// A reference document.
pub(super) struct Gold {
    value: Value,
    leaves: usize,
}

impl Gold {
    /// The task's reference: a JSON value, or a string that holds one as text.
    pub(super) fn of(task: &Task) -> Result<Self, TaskError> {
        let reference =
            task.reference.as_ref().ok_or_else(|| TaskError::missing("/reference", "the right document"))?;
        let value = match reference {
            Value::String(text) => {
                Document::parse(text, true)
                    .map_err(|problem| {
                        TaskError::reference(format!("the text is no JSON document: {problem}"))
                    })?
                    .value
            }
            other => other.clone(),
        };
        check(&value, "/reference", 0)?;
        Ok(Self { leaves: leaves(&value), value })
    }

    /// The verdict on a document that is valid.
    pub(super) fn verdict(&self, document: &Value, extra_penalty: f64) -> Verdict {
        let mut found = Found::default();
        found.compare(&self.value, document);
        let Found { matched, extra } = found;
        let score = (matched as f64 - extra_penalty * extra as f64) / self.leaves as f64;
        let all = matched == self.leaves && (extra == 0 || extra_penalty == 0.0);
        let reason = if all { Reason::ValidJson } else { Reason::FieldsDiffer };
        Verdict::new(score.max(0.0), reason)
            .with("matched", matched)
            .with("leaves", self.leaves)
            .with("extra", extra)
    }
}

/// Refuses a reference that is too deep to be met, or whose numbers have lost digits on their way.
fn check(value: &Value, pointer: &str, depth: usize) -> Result<(), TaskError> {
    let invalid = |message: String| Err(TaskError::new(TaskErrorKind::InvalidTask, pointer, message));
    if depth > MAX_DEPTH {
        return invalid(format!("nested more than {MAX_DEPTH} deep"));
    }
    match value {
        Value::Number(number)
            if number.is_f64() && number.as_f64().is_some_and(|x| x.abs() >= FIRST_INEXACT) =>
        {
            invalid("this number is too large to travel exactly as JSON; compare it as a string".to_owned())
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(index, item)| check(item, &format!("{pointer}/{index}"), depth + 1)),
        Value::Object(fields) => fields.iter().try_for_each(|(key, field)| {
            check(field, &format!("{pointer}/{}", super::schema::escaped(key)), depth + 1)
        }),
        _ => Ok(()),
    }
}

#[derive(Default)]
struct Found {
    matched: usize,
    extra: usize,
}

impl Found {
    /// Walks both together; the depth of `gold` bounds the recursion.
    fn compare(&mut self, gold: &Value, document: &Value) {
        match (gold, document) {
            (Value::Object(gold), Value::Object(document)) if !gold.is_empty() => {
                for (key, gold) in gold {
                    if let Some(document) = document.get(key) {
                        self.compare(gold, document);
                    }
                }
                self.extra += document
                    .iter()
                    .filter(|(key, _)| !gold.contains_key(key.as_str()))
                    .map(|(_, value)| leaves(value))
                    .sum::<usize>();
            }
            (Value::Array(gold), Value::Array(document)) if !gold.is_empty() => {
                for (gold, document) in gold.iter().zip(document) {
                    self.compare(gold, document);
                }
                self.extra += document.iter().skip(gold.len()).map(leaves).sum::<usize>();
            }
            (Value::Number(gold), Value::Number(document)) => {
                self.matched += usize::from(same_number(gold, document));
            }
            _ => self.matched += usize::from(gold == document),
        }
    }
}

fn leaves(value: &Value) -> usize {
    match value {
        Value::Array(items) if !items.is_empty() => items.iter().map(leaves).sum(),
        Value::Object(fields) if !fields.is_empty() => fields.values().map(leaves).sum(),
        _ => 1,
    }
}

/// Whether two numbers are the same; a whole number and a float only where every whole number is a float.
fn same_number(a: &Number, b: &Number) -> bool {
    if a.is_f64() == b.is_f64() && !a.is_f64() {
        return a == b;
    }
    match (a.as_f64(), b.as_f64()) {
        (Some(x), Some(y)) => x == y && (x.abs() < FIRST_INEXACT || a.is_f64() == b.is_f64()),
        _ => false,
    }
}
