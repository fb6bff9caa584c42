//! Which column of a data set holds which field of a task.

use graders::{Prompt, Task};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::dataset::Fault;

/// Which column of a data set holds which field of a task.
///
/// A column is the name of a field of the line's object, or a JSON pointer such as
/// `/reward_model/ground_truth` when it starts with a slash. A field without a column stays empty; columns that
/// nothing names become metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Columns {
    /// The prompt: a string or a list of chat messages.
    pub prompt: String,
    /// The right answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Only what follows the last occurrence of this mark is the reference, such as `####` in GSM8K.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_after: Option<String>,
    /// Tests for the `code` grader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tests: Option<String>,
    /// A JSON Schema for the `json` grader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// The language of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Verifiable instructions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
}

impl Columns {
    /// The task that `row` describes.
    pub(super) fn task(&self, row: Map<String, Value>) -> Result<Task, Fault> {
        let mut row = Value::Object(row);
        let prompt = take(&mut row, &self.prompt)?.ok_or_else(|| missing(&row, &self.prompt, "prompt"))?;
        let prompt: Prompt = read(prompt, &self.prompt, "a string or a list of chat messages")?;
        let reference = match &self.reference {
            Some(column) => {
                let value = take(&mut row, column)?.ok_or_else(|| missing(&row, column, "reference"))?;
                Some(self.cut(value, column)?)
            }
            None => None,
        };
        let tests = optional(&mut row, self.tests.as_ref())?.map(|(value, _)| value);
        let schema = optional(&mut row, self.schema.as_ref())?.map(|(value, _)| value);
        let language = optional(&mut row, self.language.as_ref())?
            .map(|(value, column)| read(value, column, "a string"))
            .transpose()?;
        let instructions = optional(&mut row, self.instructions.as_ref())?
            .map(|(value, column)| read(value, column, "a list of objects with `id` and `kwargs`"))
            .transpose()?
            .unwrap_or_default();
        let Value::Object(metadata) = row else {
            return Err(Fault::new("", "expected an object"));
        };
        Ok(Task { prompt: Some(prompt), reference, tests, schema, language, instructions, metadata })
    }

    fn cut(&self, value: Value, column: &str) -> Result<Value, Fault> {
        let Some(mark) = &self.reference_after else { return Ok(value) };
        let text = value.as_str().ok_or_else(|| {
            Fault::new(
                pointer(column),
                "`reference_after` needs a string here; leave it out for other values",
            )
        })?;
        let (_, answer) = text.rsplit_once(mark.as_str()).ok_or_else(|| {
            Fault::new(pointer(column), format!("the mark `{mark}` of `reference_after` does not occur here"))
        })?;
        Ok(Value::from(answer.trim()))
    }
}

/// Takes the value of `column` out of `row`; null counts as missing.
fn take(row: &mut Value, column: &str) -> Result<Option<Value>, Fault> {
    let (parent, name) = if column.starts_with('/') {
        let (parent, name) = column.rsplit_once('/').unwrap_or_default();
        (row.pointer_mut(parent), name.replace("~1", "/").replace("~0", "~"))
    } else {
        (Some(row), column.to_owned())
    };
    match parent {
        None => Ok(None),
        Some(Value::Object(fields)) => Ok(fields.remove(&name).filter(|value| !value.is_null())),
        Some(Value::Array(items)) => {
            Ok(name.parse().ok().and_then(|at: usize| items.get_mut(at)).map(Value::take))
        }
        Some(_) => Err(Fault::new(pointer(column), "there is no object here to look into")),
    }
}

fn optional<'a>(row: &mut Value, column: Option<&'a String>) -> Result<Option<(Value, &'a str)>, Fault> {
    let Some(column) = column else { return Ok(None) };
    Ok(take(row, column)?.map(|value| (value, column.as_str())))
}

fn missing(row: &Value, column: &str, field: &str) -> Fault {
    // A line may have thousands of columns; a few show which they are.
    const SHOWN: usize = 12;
    let names: Vec<_> = match row {
        Value::Object(fields) => fields.keys().take(SHOWN).map(String::as_str).collect(),
        _ => Vec::new(),
    };
    let there = if names.is_empty() { "no others".to_owned() } else { names.join(", ") };
    Fault::new(
        pointer(column),
        format!("the column mapped to `{field}` is missing or null; this line also has {there}"),
    )
}

fn read<T: DeserializeOwned>(value: Value, column: &str, wanted: &str) -> Result<T, Fault> {
    T::deserialize(value).map_err(|_| Fault::new(pointer(column), format!("expected {wanted}")))
}

fn pointer(column: &str) -> String {
    if column.starts_with('/') {
        column.to_owned()
    } else {
        format!("/{}", column.replace('~', "~0").replace('/', "~1"))
    }
}
