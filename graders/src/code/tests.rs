//! The tests of a task, as its `tests` field writes them.
//!
//! ```json
//! {"language": "python",
//!  "entry_point": "f",
//!  "cases": [{"stdin": "1 2\n", "stdout": "3\n", "public": true},
//!            {"args": [1, 2], "kwargs": {}, "expected": 3},
//!            {"assert": "assert f(1, 2) == 3", "weight": 2}],
//!  "setup": "import math",
//!  "prelude": "from typing import List",
//!  "compare": {"kind": "text"},
//!  "limits": {"time_ms": 2000, "memory_mb": 256, "output_kb": 1024}}
//! ```
//!
//! The whole may be a JSON text instead, as data sets ship it, in which numbers of any size keep their digits.
//! The forms that other harnesses use are read by `shapes.rs`.

use sandboxes::{Language, Limits, Value as Plain};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::case::{Case, Kind, NO_ENTRY_POINT, Shared};
use super::compare::{Compare, CompareFields};
use super::entry_point::EntryPoint;
use super::json::Json;
use super::limits::WrittenLimits;
use super::prelude::Prelude;
use super::shapes;
use super::text::{Form, is_json};
use crate::config;
use crate::error::{TaskError, TaskErrorKind};
use crate::task::Task;

/// The most cases; each is a run of its own.
const MAX_CASES: usize = 512;
/// The most bytes that one case may hold.
pub(super) const MAX_CASE_BYTES: usize = 4 << 20;
/// The most bytes that all tests may hold.
const MAX_TESTS_BYTES: usize = 32 << 20;
/// The most bytes of `setup`, of `prelude` and of `prompt`.
const MAX_CODE_BYTES: usize = 256 << 10;

/// The tests of a task, checked.
pub(super) struct Tests {
    pub(super) language: Language,
    /// At least one.
    pub(super) cases: Vec<Case>,
    pub(super) compare: Compare,
    pub(super) limits: Limits,
    /// Code that runs before each test program, at the tests' side.
    pub(super) setup: String,
    /// Code before the program, at its own side.
    pub(super) prelude: Prelude,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    language: Language,
    /// The function that cases with `args` call, and that `check` is given.
    entry_point: Option<String>,
    cases: Vec<Map<String, Value>>,
    #[serde(default, deserialize_with = "optional_object")]
    compare: Option<CompareFields>,
    #[serde(default, deserialize_with = "config::object")]
    limits: WrittenLimits,
    #[serde(default)]
    setup: String,
    #[serde(default)]
    prelude: String,
    #[serde(default)]
    usual_imports: bool,
    #[serde(default)]
    prompt: String,
}

fn optional_object<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<CompareFields>, D::Error> {
    config::object(deserializer).map(Some)
}

/// What is wrong with tests: the pointer into them, and the message.
pub(super) type Wrong = (String, String);

impl Tests {
    pub(super) fn of(task: &Task) -> Result<Self, TaskError> {
        let Some(tests) = &task.tests else { return Err(TaskError::missing("/tests", "tests for the code")) };
        Self::read(tests).map_err(|(pointer, message)| {
            TaskError::new(TaskErrorKind::InvalidTask, format!("/tests{pointer}"), message)
        })
    }

    fn read(tests: &Value) -> Result<Self, Wrong> {
        let not_an_object = || (String::new(), "expected an object with `language` and `cases`".to_owned());
        let fields = match tests {
            Value::Object(fields) => fields.clone(),
            Value::String(text) if text.len() > MAX_TESTS_BYTES => return Err(too_many_bytes()),
            Value::String(text) => match Json::read(text).map(Json::into_value) {
                Ok(Value::Object(fields)) => fields,
                Ok(_) => return Err(not_an_object()),
                Err(error) => {
                    let message = format!("the text is not JSON: {} at byte {}", error.message, error.at);
                    return Err((String::new(), message));
                }
            },
            _ => return Err(not_an_object()),
        };
        let shape = shapes::read(fields)?;
        Self::of_fields(shape.fields).map_err(|(pointer, message)| (shape.origin.of(&pointer), message))
    }

    fn of_fields(fields: Map<String, Value>) -> Result<Self, Wrong> {
        let written: Written = config::read(fields).map_err(|error| (error.pointer, error.message))?;
        let language = written.language;
        if written.cases.is_empty() || written.cases.len() > MAX_CASES {
            let message = format!("expected 1 to {MAX_CASES} cases, found {}", written.cases.len());
            return Err(("/cases".to_owned(), message));
        }
        for (field, code) in
            [("setup", &written.setup), ("prelude", &written.prelude), ("prompt", &written.prompt)]
        {
            if code.len() > MAX_CODE_BYTES {
                return Err((format!("/{field}"), format!("more than {MAX_CODE_BYTES} bytes")));
            }
        }
        if written.usual_imports && language != Language::Python {
            return Err(("/usual_imports".to_owned(), "these are imports of Python".to_owned()));
        }
        let entry_point = match &written.entry_point {
            None => None,
            Some(name) => Some(EntryPoint::read(name).ok_or_else(|| {
                (
                    "/entry_point".to_owned(),
                    "expected the name of a function, or of a method of `Solution`".to_owned(),
                )
            })?),
        };
        let compare = match written.compare {
            Some(compare) => {
                compare.checked().map_err(|(pointer, message)| (format!("/compare{pointer}"), message))?
            }
            None => Compare::default(),
        };
        let shared =
            Shared { language, entry_point: entry_point.as_ref(), has_checker: compare.checker.is_some() };
        let cases = read_cases(written.cases, &shared)?;
        let longest = cases.iter().map(Case::longest_expected).max().unwrap_or(0);
        let limits = written
            .limits
            .checked(longest)
            .map_err(|(field, message)| (format!("/limits/{field}"), message))?;
        check_fit(&cases, &compare)?;
        let prelude = Prelude {
            text: written.prelude,
            usual_imports: written.usual_imports,
            prompt: written.prompt,
            entry_point: entry_point
                .filter(|entry_point| !entry_point.of_solution)
                .map(|entry_point| entry_point.name),
        };
        Ok(Self { language, cases, compare, limits, setup: written.setup, prelude })
    }

    /// The cases in the order in which they run, public ones first, each with its number in the tests.
    pub(super) fn in_order(&self) -> impl Iterator<Item = (usize, &Case)> {
        let of =
            |public: bool| self.cases.iter().enumerate().filter(move |(_, case)| case.is_public == public);
        of(true).chain(of(false))
    }
}

fn too_many_bytes() -> Wrong {
    (String::new(), format!("more than {MAX_TESTS_BYTES} bytes of tests"))
}

fn read_cases(written: Vec<Map<String, Value>>, shared: &Shared<'_>) -> Result<Vec<Case>, Wrong> {
    let mut total = 0;
    let mut cases = Vec::with_capacity(written.len());
    for (index, case) in written.into_iter().enumerate() {
        let bytes = case.iter().map(|(key, value)| key.len() + value.to_string().len()).sum::<usize>();
        total += bytes;
        if bytes > MAX_CASE_BYTES {
            return Err((format!("/cases/{index}"), format!("more than {MAX_CASE_BYTES} bytes")));
        }
        if total > MAX_TESTS_BYTES {
            return Err(too_many_bytes());
        }
        cases.push(Case::read(case, shared).map_err(|(pointer, message)| {
            let pointer = if pointer == NO_ENTRY_POINT {
                "/entry_point".to_owned()
            } else {
                format!("/cases/{index}{pointer}")
            };
            (pointer, message)
        })?);
    }
    Ok(cases)
}

/// Whether the results of every case can be compared in the way that the tests ask for.
fn check_fit(cases: &[Case], compare: &Compare) -> Result<(), Wrong> {
    let wrong = |pointer: String, message: &str| Err((pointer, message.to_owned()));
    for (index, case) in cases.iter().enumerate() {
        match &case.kind {
            Kind::Stream { expected, .. } => {
                if let Some(message) = compare.unfit_for_text() {
                    return wrong("/compare/kind".to_owned(), message);
                }
                let readable = |expected: &Plain| matches!(expected, Plain::Text(text) if is_json(text));
                if compare.text.form == Form::Json && !expected.iter().all(readable) {
                    let message = "the expected output is not JSON, which the kind `json` compares";
                    return wrong(format!("/cases/{index}/stdout"), message);
                }
            }
            Kind::Call { .. } => {
                if let Some(message) = compare.unfit_for_values() {
                    return wrong("/compare/kind".to_owned(), message);
                }
            }
            Kind::Examination(_) => {}
        }
    }
    Ok(())
}
