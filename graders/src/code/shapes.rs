//! The forms in which other harnesses and data sets write tests, put into our own.
//!
//! | has | known from |
//! |---|---|
//! | `inputs`, `outputs`, `fn_name`?, `assert_case`? | APPS, TACO, PRIME, LiveCodeBench, verl |
//! | `test_cases` of `input` and `output` | open-r1's `verification_info`, LiveCodeBench, verifiable-coding-problems |
//! | `test`, `entry_point`, `prompt`? | HumanEval, LeetCodeDataset |
//! | `test_list`, `test_setup_code`?, `test_imports`? | MBPP |
//!
//! Python is the language where they name none. What is ours alone (`compare`, `limits`, `prelude`, …) may stand
//! beside. A field that neither knows is refused like everywhere.

use serde_json::{Map, Value, json};

use super::json::Json;
use super::prelude;
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
    /// The list that the cases came from; empty for our own form.
    cases: &'static str,
    /// The same for a field of a case; those not named here are in the case itself.
    of_case: &'static [(&'static str, &'static str)],
    /// The same for fields of the tests.
    of_tests: &'static [(&'static str, &'static str)],
}

impl Origin {
    /// The pointer into the form that was given.
    pub(super) fn of(&self, pointer: &str) -> String {
        let mut segments = pointer.split('/').skip(1);
        let first = segments.next().unwrap_or("");
        if first != "cases" || self.cases.is_empty() {
            let renamed = self.of_tests.iter().find(|(ours, _)| *ours == first);
            return renamed.map_or_else(|| pointer.to_owned(), |(_, theirs)| format!("/{theirs}"));
        }
        let Some(index) = segments.next() else { return format!("/{}", self.cases) };
        let field = segments.next().unwrap_or("");
        match self.of_case.iter().find(|(ours, _)| *ours == field) {
            // A name with a slash is a field of the case they wrote.
            Some((_, theirs)) => format!("/{}", theirs.replace('#', index)),
            None => format!("/{}/{index}", self.cases),
        }
    }
}

/// Tests in any of the forms, in our own.
pub(super) fn read(fields: Fields) -> Result<Shape, Wrong> {
    let has = |key: &str| fields.contains_key(key);
    if has("cases") {
        Ok(Shape { fields, origin: Origin::default() })
    } else if has("assert_case") {
        verl_asserts(fields)
    } else if has("inputs") || has("outputs") {
        inputs_and_outputs(fields)
    } else if has("test_cases") {
        test_cases(fields)
    } else if has("test_list") {
        mbpp(fields)
    } else if has("test") {
        human_eval(fields)
    } else {
        Ok(Shape { fields, origin: Origin::default() })
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

fn is_python(fields: &Fields) -> bool {
    fields.get("language").and_then(Value::as_str) == Some("python")
}

/// Our fields with these cases.
fn with_cases(mut fields: Fields, cases: Vec<Value>, usual_imports: bool, origin: Origin) -> Shape {
    fields.entry("language").or_insert_with(|| json!("python"));
    if usual_imports && is_python(&fields) {
        fields.entry("usual_imports").or_insert(Value::Bool(true));
    }
    fields.insert("cases".to_owned(), Value::Array(cases));
    Shape { fields, origin }
}

/// `{"inputs": […], "outputs": […], "fn_name"?}`.
fn inputs_and_outputs(mut fields: Fields) -> Result<Shape, Wrong> {
    let inputs = list(&mut fields, "inputs")?;
    let outputs = list(&mut fields, "outputs")?;
    if inputs.len() != outputs.len() {
        return wrong("/outputs", format!("{} outputs for {} inputs", outputs.len(), inputs.len()));
    }
    let fn_name = text(&mut fields, "fn_name")?.filter(|name| !name.is_empty());
    let case = |(index, (input, output)): (usize, (Value, Value))| {
        let (input_at, output_at) = (format!("/inputs/{index}"), format!("/outputs/{index}"));
        if fn_name.is_some() {
            call_case(input, output, &input_at, &output_at)
        } else {
            Ok(json!({"stdin": lines(input, &input_at)?, "stdout": lines(output, &output_at)?}))
        }
    };
    let cases = inputs.into_iter().zip(outputs).enumerate().map(case).collect::<Result<_, _>>()?;
    fields.extend(fn_name.map(|name| ("entry_point".to_owned(), Value::String(name))));
    let origin = Origin {
        cases: "inputs",
        of_case: &[
            ("args", "inputs/#"),
            ("stdin", "inputs/#"),
            ("expected", "outputs/#"),
            ("expected_any", "outputs/#"),
            ("stdout", "outputs/#"),
        ],
        of_tests: &[("entry_point", "fn_name")],
    };
    Ok(with_cases(fields, cases, true, origin))
}

/// A text, or a list of its lines.
fn lines(value: Value, pointer: &str) -> Result<String, Wrong> {
    match value {
        Value::String(text) => Ok(text),
        Value::Array(items) => {
            let lines: Option<Vec<_>> = items.iter().map(Value::as_str).collect();
            let lines = lines.ok_or_else(|| (pointer.to_owned(), "expected a list of lines".to_owned()))?;
            Ok(lines.join("\n"))
        }
        _ => wrong(pointer, "expected a text or a list of its lines"),
    }
}

/// The input is a list of arguments, or a text with an argument as JSON on each line; the output a value, or a
/// text with one as JSON.
fn call_case(input: Value, output: Value, input_at: &str, output_at: &str) -> Result<Value, Wrong> {
    let mut args = match input {
        Value::Array(args) => args,
        Value::String(text) => {
            let lines = text.split('\n').filter(|line| !line.trim().is_empty());
            lines.map(|line| json_text(line, input_at)).collect::<Result<_, _>>()?
        }
        _ => return wrong(input_at, "expected a list of arguments, or a text with one on each line"),
    };
    // JSON has no dictionaries with whole numbers as keys, so PRIME reads keys that look like them so, in the
    // first argument and in the result. What is expected is right with either.
    if let Some(first) = args.first_mut()
        && let Some(restored) = with_whole_keys(first)
    {
        *first = restored;
    }
    let expected = match output {
        Value::String(text) => vec![json_text(&text, output_at)?],
        // APPS wraps some results in a list of their own; which cannot be seen.
        Value::Array(items) if items.len() == 1 => vec![items[0].clone(), Value::Array(items)],
        other => vec![other],
    };
    let restored: Vec<_> = expected.iter().filter_map(with_whole_keys).collect();
    let expected: Vec<_> = expected.into_iter().chain(restored).collect();
    Ok(json!({"args": args, "expected_any": expected}))
}

fn json_text(text: &str, pointer: &str) -> Result<Value, Wrong> {
    Json::read(text).map(Json::into_value).map_err(|error| {
        (
            pointer.to_owned(),
            format!("this is not JSON: {} at byte {} of {text:.40}", error.message, error.at),
        )
    })
}

fn with_whole_keys(value: &Value) -> Option<Value> {
    let fields = value.as_object().filter(|fields| !fields.is_empty())?;
    let pair = |(key, value): (&String, &Value)| Some(json!([key.parse::<i64>().ok()?, value]));
    let pairs: Vec<Value> = fields.iter().map(pair).collect::<Option<_>>()?;
    Some(json!({"$dict": pairs}))
}

/// verl: `{"assert_case": [statements]}`, with inputs and outputs that say nothing.
fn verl_asserts(mut fields: Fields) -> Result<Shape, Wrong> {
    for key in ["inputs", "outputs"] {
        let is_empty = |value: &Value| value.is_null() || value.as_str().is_some_and(str::is_empty);
        if fields.contains_key(key) && !list(&mut fields, key)?.iter().all(is_empty) {
            return wrong(format!("/{key}"), "with `assert_case`, the assertions say what is expected");
        }
    }
    let cases = list(&mut fields, "assert_case")?.into_iter().map(|case| json!({"assert": case})).collect();
    let name = text(&mut fields, "fn_name")?;
    fields.extend(name.map(|name| ("entry_point".to_owned(), Value::String(name))));
    let origin = Origin { cases: "assert_case", of_case: &[], of_tests: &[("entry_point", "fn_name")] };
    Ok(with_cases(fields, cases, true, origin))
}

/// `{"test_cases": [{"input": …, "output": …, "type"?, "fn_name"?}]}`.
fn test_cases(mut fields: Fields) -> Result<Shape, Wrong> {
    let mut cases = Vec::new();
    let mut name = text(&mut fields, "fn_name")?;
    for (index, case) in list(&mut fields, "test_cases")?.into_iter().enumerate() {
        let at = format!("/test_cases/{index}");
        let under = |(pointer, message): Wrong| (format!("{at}{pointer}"), message);
        let Value::Object(mut case) = case else { return wrong(at, "expected an object") };
        let (Some(input), Some(output)) = (case.remove("input"), case.remove("output")) else {
            return wrong(at, "expected `input` and `output`");
        };
        if let Some(given) = text(&mut case, "fn_name").map_err(under)?.filter(|name| !name.is_empty()) {
            if name.as_ref().is_some_and(|name| *name != given) {
                return wrong(format!("{at}/fn_name"), "all cases have to call the same function");
            }
            name = Some(given);
        }
        let kind = match text(&mut case, "type").map_err(under)? {
            Some(kind) => Some(kind),
            None => text(&mut case, "testtype").map_err(under)?,
        };
        let (input_at, output_at) = (format!("{at}/input"), format!("{at}/output"));
        let mut ours = match kind.as_deref() {
            None | Some("stdin_stdout" | "stdin") => {
                json!({"stdin": lines(input, &input_at)?, "stdout": lines(output, &output_at)?})
            }
            Some("function_call" | "functional") => call_case(input, output, &input_at, &output_at)?,
            Some(_) => {
                return wrong(
                    format!("{at}/type"),
                    "expected stdin_stdout, stdin, function_call or functional",
                );
            }
        };
        for key in ["weight", "public"] {
            if let (Some(value), Some(ours)) = (case.remove(key), ours.as_object_mut()) {
                ours.insert(key.to_owned(), value);
            }
        }
        if let Some(other) = case.keys().next() {
            return wrong(format!("{at}/{other}"), "unknown field");
        }
        cases.push(ours);
    }
    fields.extend(name.map(|name| ("entry_point".to_owned(), Value::String(name))));
    let origin = Origin {
        cases: "test_cases",
        of_case: &[
            ("args", "test_cases/#/input"),
            ("stdin", "test_cases/#/input"),
            ("expected_any", "test_cases/#/output"),
            ("stdout", "test_cases/#/output"),
            ("weight", "test_cases/#/weight"),
            ("public", "test_cases/#/public"),
        ],
        of_tests: &[("entry_point", "fn_name")],
    };
    Ok(with_cases(fields, cases, true, origin))
}

/// `{"test": "def check(candidate): …", "entry_point": "f", "prompt"?}`.
fn human_eval(mut fields: Fields) -> Result<Shape, Wrong> {
    for key in ["task_id", "canonical_solution"] {
        fields.remove(key);
    }
    let Some(test) = fields.remove("test") else { return wrong("", "missing field `test`") };
    // Some checks call a helper that stands in the prompt. They get their own, which no program can exchange.
    if let (Some(Value::String(prompt)), Some(Value::String(name))) =
        (fields.get("prompt"), fields.get("entry_point"))
    {
        let helpers = Value::String(prelude::head(prompt, name).to_owned());
        fields.entry("setup").or_insert(helpers);
    }
    let origin = Origin { cases: "test", of_case: &[("check", "test")], of_tests: &[] };
    Ok(with_cases(fields, vec![json!({"check": test})], false, origin))
}

/// `{"test_list": [statements], "test_setup_code"?, "test_imports"?, "challenge_test_list"?}`.
fn mbpp(mut fields: Fields) -> Result<Shape, Wrong> {
    for key in ["task_id", "text", "prompt", "code", "source_file"] {
        fields.remove(key);
    }
    let mut setup = String::new();
    if fields.contains_key("test_imports") {
        for (index, line) in list(&mut fields, "test_imports")?.iter().enumerate() {
            let Some(line) = line.as_str() else {
                return wrong(format!("/test_imports/{index}"), "expected a string");
            };
            setup.push_str(line);
            setup.push('\n');
        }
    }
    setup.push_str(&text(&mut fields, "test_setup_code")?.unwrap_or_default());
    fields.entry("setup").or_insert(Value::String(setup));
    let mut statements = list(&mut fields, "test_list")?;
    if fields.contains_key("challenge_test_list") {
        statements.extend(list(&mut fields, "challenge_test_list")?);
    }
    let cases = statements.into_iter().map(|statement| json!({"assert": statement})).collect();
    let origin = Origin { cases: "test_list", of_case: &[], of_tests: &[] };
    Ok(with_cases(fields, cases, false, origin))
}
