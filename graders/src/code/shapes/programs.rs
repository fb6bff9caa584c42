//! Tests that are statements or programs.

use serde_json::{Value, json};

use super::{CaseOrigin, Fields, Imports, Origin, Shape, Wrong, list, text, with_cases, wrong};
use crate::code::prelude;

/// verl: `{"assert_case": [statements]}`, with inputs and outputs that say nothing.
pub(super) fn asserts(mut fields: Fields) -> Result<Shape, Wrong> {
    for key in ["inputs", "outputs"] {
        let is_empty = |value: &Value| value.is_null() || value.as_str().is_some_and(str::is_empty);
        if fields.contains_key(key) && !list(&mut fields, key)?.iter().all(is_empty) {
            return wrong(format!("/{key}"), "with `assert_case`, the assertions say what is expected");
        }
    }
    let statements = list(&mut fields, "assert_case")?;
    let cases =
        (0..statements.len()).map(|index| CaseOrigin::whole(format!("/assert_case/{index}"))).collect();
    let name = text(&mut fields, "fn_name")?;
    fields.extend(name.map(|name| ("entry_point".to_owned(), Value::String(name))));
    let origin = Origin { list: "assert_case", cases, entry_point: "fn_name" };
    let statements = statements.into_iter().map(|statement| json!({"assert": statement})).collect();
    Ok(with_cases(fields, statements, Imports::Usual, origin))
}

/// `{"test": "def check(candidate): …", "entry_point": "f", "prompt"?}`.
pub(super) fn human_eval(mut fields: Fields) -> Result<Shape, Wrong> {
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
    let cases = vec![CaseOrigin::whole("/test".to_owned())];
    let origin = Origin { list: "test", cases, entry_point: "entry_point" };
    Ok(with_cases(fields, vec![json!({"check": test})], Imports::Own, origin))
}

/// `{"test_list": [statements], "test_setup_code"?, "test_imports"?, "challenge_test_list"?}`.
pub(super) fn mbpp(mut fields: Fields) -> Result<Shape, Wrong> {
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
    let mut cases = Vec::new();
    let mut origins = Vec::new();
    for key in ["test_list", "challenge_test_list"] {
        if key == "test_list" || fields.contains_key(key) {
            for (index, statement) in list(&mut fields, key)?.into_iter().enumerate() {
                cases.push(json!({"assert": statement}));
                origins.push(CaseOrigin::whole(format!("/{key}/{index}")));
            }
        }
    }
    let origin = Origin { list: "test_list", cases: origins, entry_point: "entry_point" };
    Ok(with_cases(fields, cases, Imports::Own, origin))
}
