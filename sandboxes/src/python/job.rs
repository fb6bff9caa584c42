//! What an instance is to do, written as the harness reads it: a JSON list in which every object is a tag. Which tags
//! there are stands in `sandboxes/python/gavel/plain.py`.

use std::fmt::Write as _;

use crate::{Call, Program, TestProgram, Value};

/// A job.
pub(super) struct Job {
    pub(super) bytes: Vec<u8>,
    /// The function that has to be there.
    pub(super) entry_point: String,
}

impl Job {
    /// Running a program from its beginning to its end.
    pub(super) fn run(program: &Program) -> Self {
        let mut json = String::new();
        begin(&mut json, "run", program);
        Self::new(json, "")
    }

    /// Calling one of its functions.
    pub(super) fn call(program: &Program, call: &Call) -> Self {
        let mut json = String::new();
        begin(&mut json, "call", program);
        json.push(',');
        text(&mut json, &call.entry_point);
        json.push(',');
        list(&mut json, &call.args, value);
        json.push(',');
        list(&mut json, &call.kwargs, |json, (name, argument)| pair(json, |json| text(json, name), argument));
        Self::new(json, &call.entry_point)
    }

    /// Loading one for tests that will call it.
    pub(super) fn load(program: &Program, tests: &TestProgram) -> Self {
        let mut json = String::new();
        begin(&mut json, "load", program);
        json.push(',');
        entry_point(&mut json, tests);
        Self::new(json, tests.entry_point.as_deref().unwrap_or_default())
    }

    /// Running tests of a program that is elsewhere.
    pub(super) fn test(tests: &TestProgram) -> Self {
        let mut json = String::from("[\"test\",");
        text(&mut json, &tests.source);
        json.push(',');
        entry_point(&mut json, tests);
        Self::new(json, "")
    }

    fn new(mut json: String, entry_point: &str) -> Self {
        json.push(']');
        Self { bytes: json.into_bytes(), entry_point: entry_point.to_owned() }
    }
}

fn begin(json: &mut String, kind: &str, program: &Program) {
    json.push('[');
    text(json, kind);
    json.push(',');
    text(json, &program.source);
    json.push(',');
    list(json, &program.args, |json, argument| text(json, argument));
}

fn entry_point(json: &mut String, tests: &TestProgram) {
    match &tests.entry_point {
        Some(name) => text(json, name),
        None => json.push_str("null"),
    }
}

fn list<T>(json: &mut String, items: &[T], mut write: impl FnMut(&mut String, &T)) {
    json.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        write(json, item);
    }
    json.push(']');
}

fn pair(json: &mut String, first: impl FnOnce(&mut String), second: &Value) {
    json.push('[');
    first(json);
    json.push(',');
    value(json, second);
    json.push(']');
}

fn value(json: &mut String, value: &Value) {
    match value {
        Value::Null | Value::Opaque { .. } => json.push_str("null"),
        Value::Bool(true) => json.push_str("true"),
        Value::Bool(false) => json.push_str("false"),
        Value::Int(digits) => json.push_str(digits),
        Value::Float(number) => float(json, *number),
        Value::Complex { re, im } => {
            tagged(json, 'c', |json| list(json, &[*re, *im], |json, part| float(json, *part)));
        }
        Value::Text(content) => text(json, content),
        Value::Bytes(bytes) => tagged(json, 'b', |json| {
            json.push('"');
            for byte in bytes {
                let _ = write!(json, "{byte:02x}");
            }
            json.push('"');
        }),
        Value::List(items) => list(json, items, self::value),
        Value::Tuple(items) => tagged(json, 't', |json| list(json, items, self::value)),
        Value::Set(items) => tagged(json, 's', |json| list(json, items, self::value)),
        Value::Map(entries) => tagged(json, 'd', |json| {
            list(json, entries, |json, (key, content)| pair(json, |json| self::value(json, key), content));
        }),
    }
}

fn tagged(json: &mut String, tag: char, content: impl FnOnce(&mut String)) {
    let _ = write!(json, "{{\"{tag}\":");
    content(json);
    json.push('}');
}

/// The shortest digits that give the same number again, in a form that is not a whole number.
fn float(json: &mut String, number: f64) {
    if number.is_finite() {
        let _ = write!(json, "{number:?}");
    } else {
        let _ = write!(json, "{{\"f\":\"{number}\"}}");
    }
}

fn text(json: &mut String, text: &str) {
    // A text can always be written.
    json.push_str(&serde_json::to_string(text).unwrap_or_default());
}
