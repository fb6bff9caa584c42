//! What a trainer knows of the right answer, in whichever of its forms: a task.
//!
//! Trainers send one field, `label` or `ground_truth`, that holds whatever the data set held: a string, a number, a
//! list of answers, tests, a whole task, or any of these as JSON in a string, because columnar files need one type
//! for a column.

use graders::{Prompt, Rubric, Task};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::server::problem::Fault;

/// The fields of a task that a label may be, besides the rubric that goes with it. `ground_truth` is the reference
/// under the name that verl, SkyRL and others give it, `label` a right answer in whichever form.
pub(super) const FIELDS: [&str; 9] = [
    "reference",
    "ground_truth",
    "tests",
    "schema",
    "language",
    "instructions",
    "metadata",
    "rubric",
    "label",
];

/// A label that was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Label {
    /// The rubric it names.
    pub(super) rubric: Option<Value>,
    /// What it says of the right answer.
    known: Known,
}

#[derive(Clone, Debug, Default, PartialEq)]
enum Known {
    /// Nothing.
    #[default]
    Nothing,
    /// Fields of a task.
    Fields(Map<String, Value>),
    /// The right answer itself, or tests.
    Answer(Value),
}

impl Label {
    /// Reads a label.
    pub(super) fn read(value: Value) -> Self {
        match decoded(value) {
            Value::Null => Self::default(),
            Value::Object(mut fields) if is_task(&fields) => {
                let rubric = fields.remove("rubric").filter(|rubric| !rubric.is_null());
                let label = fields.remove("label").filter(|label| !label.is_null());
                if fields.is_empty() {
                    return Self { rubric, known: label.map_or(Known::Nothing, Known::Answer) };
                }
                if let Some(reference) = fields.remove("ground_truth") {
                    fields.entry("reference").or_insert(reference);
                }
                if let Some(label) = label {
                    fields.entry("reference").or_insert(label);
                }
                Self { rubric, known: Known::Fields(fields) }
            }
            answer => Self { rubric: None, known: Known::Answer(answer) },
        }
    }

    /// Whether it says nothing of the right answer.
    pub(super) fn is_empty(&self) -> bool {
        self.known == Known::Nothing
    }

    /// The task, for the graders of `rubric`: what is no text is tests where programs are judged, and a schema
    /// where JSON is.
    ///
    /// # Errors
    /// The place in the label and what is wrong there.
    pub(super) fn task(self, prompt: Option<Prompt>, rubric: &Rubric) -> Result<Task, Fault> {
        let judged_by =
            |kind: &str| rubric.components().iter().any(|component| component.grader.kind() == kind);
        match self.known {
            Known::Nothing => Ok(Task { prompt, ..Task::default() }),
            Known::Fields(fields) => serde_path_to_error::deserialize(Value::Object(fields))
                .map(|task: Task| Task { prompt, ..task })
                .map_err(|error| Fault::new(graders::pointer_of(error.path()), error.inner().to_string())),
            Known::Answer(answer) if judged_by("code") => {
                Ok(Task { prompt, tests: Some(structured(answer)), ..Task::default() })
            }
            Known::Answer(answer) if judged_by("json") && !judged_by("math") && !judged_by("match") => {
                Ok(Task { prompt, schema: Some(structured(answer)), ..Task::default() })
            }
            Known::Answer(answer) => Ok(Task { prompt, reference: Some(answer), ..Task::default() }),
        }
    }
}

/// A label with more fields of a task beside it; what is a task already stays as it is.
pub(super) fn with(label: Value, mut more: Map<String, Value>) -> Value {
    let label = decoded(label);
    match &label {
        _ if more.is_empty() => label,
        Value::Object(fields) if is_task(fields) => label,
        Value::Null => more.into(),
        _ => {
            more.insert("reference".to_owned(), label);
            more.into()
        }
    }
}

/// Whether an object is a task and not an answer.
pub(super) fn is_task(fields: &Map<String, Value>) -> bool {
    // A lone `label` may be somebody's answer; beside a rubric it is not.
    let known = fields.keys().all(|key| is_field(key));
    known && !fields.is_empty() && (!fields.contains_key("label") || fields.contains_key("rubric"))
}

/// Whether a task may have a field of this name.
pub(super) fn is_field(name: &str) -> bool {
    FIELDS.contains(&name)
}

/// JSON in a string, where it can be nothing else: an object that is a task, or a list of strings. Any other text is
/// left alone: `[1, 2]` is an interval as well as a list.
fn decoded(value: Value) -> Value {
    let Value::String(text) = &value else { return value };
    match text.trim_start().as_bytes().first() {
        Some(b'{') => match serde_json::from_str(text) {
            Ok(Value::Object(fields)) if is_task(&fields) => Value::Object(fields),
            _ => value,
        },
        Some(b'[') => match Vec::<String>::deserialize(&mut serde_json::Deserializer::from_str(text)) {
            Ok(texts) if !texts.is_empty() && text.trim_end().ends_with(']') => texts.into(),
            _ => value,
        },
        _ => value,
    }
}

/// JSON in a string as what it holds, where what is wanted is no text.
fn structured(value: Value) -> Value {
    match &value {
        Value::String(text) => serde_json::from_str(text).unwrap_or(value),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use graders::preset;
    use serde_json::json;

    use super::*;

    fn task(rubric: &str, label: Value) -> Value {
        let rubric = Rubric::from_value(&preset::preset(rubric).unwrap()).unwrap();
        match Label::read(label).task(None, &rubric) {
            Ok(task) => serde_json::to_value(task).unwrap(),
            Err(fault) => json!({"pointer": fault.pointer}),
        }
    }

    #[test]
    fn every_form_of_a_label_is_read() {
        let io = json!({"inputs": ["1\n"], "outputs": ["2\n"]});
        for (rubric, label, expected) in [
            ("math", json!("42"), json!({"reference": "42"})),
            ("math", json!(42), json!({"reference": 42})),
            ("math", json!(["42", "forty-two"]), json!({"reference": ["42", "forty-two"]})),
            ("math", json!("[\"42\", \"forty-two\"]"), json!({"reference": ["42", "forty-two"]})),
            ("math", json!("[1, 2]"), json!({"reference": "[1, 2]"})),
            ("math", json!("{1, 2}"), json!({"reference": "{1, 2}"})),
            (
                "math",
                json!({"reference": "42", "metadata": {"id": 1}}),
                json!({"reference": "42", "metadata": {"id": 1}}),
            ),
            ("math", json!({"ground_truth": "42"}), json!({"reference": "42"})),
            ("math", json!("{\"reference\": \"42\", \"rubric\": \"math\"}"), json!({"reference": "42"})),
            ("math", json!({"reference": "42", "instructions": 1}), json!({"pointer": "/instructions"})),
            ("math", json!(null), json!({})),
            ("code", io.clone(), json!({"tests": io})),
            ("code", json!(io.to_string()), json!({"tests": io})),
            ("code", json!({"tests": io}), json!({"tests": io})),
            ("code", json!("assert f(1) == 2"), json!({"tests": "assert f(1) == 2"})),
            ("code", json!({"rubric": "code", "label": io.to_string()}), json!({"tests": io})),
            (
                "math",
                json!({"rubric": "math", "language": "en", "label": "42"}),
                json!({"reference": "42", "language": "en"}),
            ),
            ("json", json!({"type": "object"}), json!({"schema": {"type": "object"}})),
        ] {
            assert_eq!(task(rubric, label.clone()), expected, "{label}");
        }
    }

    #[test]
    fn a_label_may_name_its_rubric() {
        let label = Label::read(json!({"reference": "1", "rubric": "r1"}));
        assert_eq!(label.rubric, Some(json!("r1")));
        assert!(!label.is_empty() && Label::read(Value::Null).is_empty());
        let label = Label::read(json!({"rubric": "r1"}));
        assert!(label.is_empty() && label.rubric == Some(json!("r1")));
    }
}
