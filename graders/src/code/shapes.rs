//! The forms in which other harnesses and data sets write tests, put into our own.
//!
//! | has | known from | read by |
//! |---|---|---|
//! | `inputs`, `outputs`, `fn_name`? | APPS, TACO, PRIME, verl | `pairs.rs` |
//! | `test_cases` of `input` and `output` | open-r1's `verification_info`, verifiable-coding-problems | `pairs.rs` |
//! | `public_test_cases`, `private_test_cases`, `metadata`? | LiveCodeBench | `pairs.rs` |
//! | `public_tests`, `private_tests`, `generated_tests` | DeepMind's code_contests | `pairs.rs` |
//! | `assert_case` | verl | `programs.rs` |
//! | `test`, `entry_point`, `prompt`? | HumanEval, LeetCodeDataset | `programs.rs` |
//! | `test_list`, `test_setup_code`?, `test_imports`? | MBPP | `programs.rs` |
//!
//! Python is the language where they name none. What is ours alone (`compare`, `limits`, `prelude`, …) may stand
//! beside. A field that neither knows is refused like everywhere.

mod pairs;
mod programs;

use serde_json::{Map, Value, json};

use super::json::Json;
use super::tests::Wrong;

type Fields = Map<String, Value>;

/// Tests in our own form.
pub(super) struct Shape {
    pub(super) fields: Fields,
    pub(super) origin: Origin,
}

/// Where our own fields came from, so that a fault is shown where it stands.
#[derive(Default)]
pub(super) struct Origin {
    /// The field that the cases came from; empty for our own form.
    list: &'static str,
    cases: Vec<CaseOrigin>,
    /// What the tests' `entry_point` is called.
    entry_point: &'static str,
}

/// Where a case came from, as pointers.
struct CaseOrigin {
    case: String,
    input: String,
    output: String,
}

impl CaseOrigin {
    /// A case that is one value.
    fn whole(case: String) -> Self {
        Self { input: case.clone(), output: case.clone(), case }
    }
}

impl Origin {
    /// The pointer into the form that was given.
    pub(super) fn of(&self, pointer: &str) -> String {
        let mut segments = pointer.split('/').skip(1);
        match (segments.next().unwrap_or(""), self.list) {
            (_, "") => pointer.to_owned(),
            ("entry_point", _) => format!("/{}", self.entry_point),
            ("cases", list) => {
                let index = segments.next().and_then(|index| index.parse::<usize>().ok());
                let Some(case) = index.and_then(|index| self.cases.get(index)) else {
                    return format!("/{list}");
                };
                match segments.next() {
                    Some("args" | "stdin") => case.input.clone(),
                    Some("expected" | "expected_any" | "stdout") => case.output.clone(),
                    Some(own @ ("weight" | "public")) => format!("{}/{own}", case.case),
                    _ => case.case.clone(),
                }
            }
            _ => pointer.to_owned(),
        }
    }
}

/// What reads a form.
type Read = fn(Fields) -> Result<Shape, Wrong>;

/// The forms by a field that only they have.
const FORMS: &[(&str, Read)] = &[
    ("assert_case", programs::asserts),
    ("inputs", pairs::inputs_and_outputs),
    ("outputs", pairs::inputs_and_outputs),
    ("test_cases", pairs::test_cases),
    ("public_test_cases", pairs::live_code_bench),
    ("private_test_cases", pairs::live_code_bench),
    ("public_tests", pairs::code_contests),
    ("private_tests", pairs::code_contests),
    ("generated_tests", pairs::code_contests),
    ("test_list", programs::mbpp),
    ("test", programs::human_eval),
];

/// Tests in any of the forms, in our own.
pub(super) fn read(fields: Fields) -> Result<Shape, Wrong> {
    let form = FORMS.iter().find(|(key, _)| fields.contains_key(*key));
    match form {
        Some((_, read)) if !fields.contains_key("cases") => read(fields),
        _ => Ok(Shape { fields, origin: Origin::default() }),
    }
}

fn wrong<T>(pointer: impl Into<String>, message: impl Into<String>) -> Result<T, Wrong> {
    Err((pointer.into(), message.into()))
}

/// Takes a list out.
fn list(fields: &mut Fields, key: &str) -> Result<Vec<Value>, Wrong> {
    match fields.remove(key) {
        Some(Value::Array(items)) => Ok(items),
        Some(_) => wrong(format!("/{key}"), "expected a list"),
        None => wrong("", format!("missing field `{key}`")),
    }
}

/// Takes a text out that may be absent or null.
fn text(fields: &mut Fields, key: &str) -> Result<Option<String>, Wrong> {
    match fields.remove(key) {
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Null) | None => Ok(None),
        Some(_) => wrong(format!("/{key}"), "expected a string"),
    }
}

fn json_text(text: &str, pointer: &str) -> Result<Value, Wrong> {
    Json::read(text).map(Json::into_value).map_err(|error| {
        (
            pointer.to_owned(),
            format!("this is not JSON: {} at byte {} of {text:.40}", error.message, error.at),
        )
    })
}

/// Whether the usual imports of judging sites stand before programs.
#[derive(Clone, Copy, PartialEq)]
enum Imports {
    Usual,
    Own,
}

/// Our fields with these cases.
fn with_cases(mut fields: Fields, cases: Vec<Value>, imports: Imports, origin: Origin) -> Shape {
    let language = fields.entry("language").or_insert_with(|| json!("python"));
    if imports == Imports::Usual && language == "python" {
        fields.entry("usual_imports").or_insert(Value::Bool(true));
    }
    fields.insert("cases".to_owned(), Value::Array(cases));
    Shape { fields, origin }
}
