//! Data sets: our own form, columns under other names, and what errors say.

use gavel::tasks::{Columns, DataError, TaskReader};
use graders::{Prompt, Task};
use serde_json::json;

fn native(input: &str) -> Vec<Result<Task, String>> {
    TaskReader::new(input.as_bytes()).map(|item| item.map_err(|error| error.to_string())).collect()
}

fn mapped(input: &str, columns: serde_json::Value) -> Vec<Result<Task, String>> {
    let columns: Columns = serde_json::from_value(columns).unwrap();
    TaskReader::new(input.as_bytes())
        .with_columns(columns)
        .map(|item| item.map_err(|error| error.to_string()))
        .collect()
}

#[test]
fn our_own_form() {
    let tasks = native(
        "{\"prompt\": \"1+1?\", \"reference\": 2}\r\n\n{\"prompt\": [{\"role\": \"user\", \"content\": \"hi\"}], \"metadata\": {\"a\": 1}}",
    );
    assert_eq!(tasks.len(), 2);
    let first = tasks[0].as_ref().unwrap();
    assert_eq!(first.prompt, Some(Prompt::Text("1+1?".to_owned())));
    assert_eq!(first.reference, Some(json!(2)));
    assert!(matches!(tasks[1].as_ref().unwrap().prompt, Some(Prompt::Messages(_))));
}

#[test]
fn gsm8k_and_verl_by_mapping() {
    let gsm8k = r#"{"question": "How many?", "answer": "2+2=<<2+2=4>>4\n#### 1,234", "source": "x"}"#;
    let columns = json!({"prompt": "question", "reference": "answer", "reference_after": "####"});
    let task = mapped(gsm8k, columns).remove(0).unwrap();
    assert_eq!(task.reference, Some(json!("1,234")));
    assert_eq!(task.metadata["source"], "x", "other columns become metadata");

    let verl = r#"{"prompt": [{"role": "user", "content": "q"}], "reward_model": {"style": "rule", "ground_truth": "34"}}"#;
    let columns = json!({"prompt": "prompt", "reference": "/reward_model/ground_truth"});
    let task = mapped(verl, columns).remove(0).unwrap();
    assert_eq!(task.reference, Some(json!("34")));
    assert_eq!(task.metadata["reward_model"], json!({"style": "rule"}));
}

#[test]
fn every_field_can_be_mapped() {
    let row = json!({"q": "?", "a": ["1", "2"], "t": {"cases": []}, "s": {"type": "object"}, "l": "en",
        "i": [{"id": "punctuation:no_comma"}], "~/": 7, "none": null});
    let columns = json!({"prompt": "q", "reference": "/a/1", "tests": "t", "schema": "s", "language": "l", "instructions": "i"});
    let task = mapped(&row.to_string(), columns).remove(0).unwrap();
    assert_eq!(task.reference, Some(json!("2")));
    assert_eq!(task.tests, Some(json!({"cases": []})));
    assert_eq!(task.schema, Some(json!({"type": "object"})));
    assert_eq!(task.language.as_deref(), Some("en"));
    assert_eq!(task.instructions[0].id, "punctuation:no_comma");
    assert_eq!(mapped(r#"{"~/": "p"}"#, json!({"prompt": "/~0~1"})).len(), 1);
}

#[test]
fn errors_name_line_field_and_remedy_and_the_rest_is_read() {
    let input = [
        r#"{"prompt": "a"}"#,
        r#"{"prompt": "b","#,
        r#"{"prompt": 7}"#,
        r#"{"question": "c"}"#,
        r#"{"prompt": "d", "refrence": 1}"#,
        r#"{"prompt": "e", "language": 5}"#,
        "[]",
        r#"{"prompt": "f"}"#,
    ]
    .join("\n");
    let found = native(&input);
    let messages: Vec<&str> =
        found.iter().map(|item| item.as_ref().map_or_else(String::as_str, |_| "ok")).collect();
    assert_eq!(messages[0], "ok");
    assert_eq!(messages[7], "ok");
    for (index, parts) in [
        (1, vec!["line 2: not JSON: EOF", "at column 15"]),
        (2, vec!["line 3: /prompt: expected a string or a list of chat messages"]),
        (3, vec!["line 4: /prompt: the prompt is missing", "map the columns"]),
        (4, vec!["line 5: /refrence: unknown field `refrence`", "metadata"]),
        (5, vec!["line 6: /language: invalid type: integer `5`, expected a string"]),
        (6, vec!["line 7: expected an object"]),
    ] {
        for part in parts {
            assert!(messages[index].contains(part), "{} lacks {part}", messages[index]);
        }
    }
}

#[test]
fn errors_of_mapped_columns() {
    let columns = json!({"prompt": "q", "reference": "/r/gold", "reference_after": "####", "language": "l"});
    for (row, expected) in [
        (
            r#"{"a": 1, "b": 2}"#,
            "line 1: /q: the column mapped to `prompt` is missing or null; this line also has a, b",
        ),
        (
            r#"{"q": null}"#,
            "line 1: /q: the column mapped to `prompt` is missing or null; this line also has no others",
        ),
        (r#"{"q": {}}"#, "line 1: /q: expected a string or a list of chat messages"),
        (r#"{"q": "", "r": 3}"#, "line 1: /r/gold: there is no object here to look into"),
        (
            r#"{"q": "", "r": {"gold": 3}}"#,
            "line 1: /r/gold: `reference_after` needs a string here; leave it out for other values",
        ),
        (
            r#"{"q": "", "r": {"gold": "3"}}"#,
            "line 1: /r/gold: the mark `####` of `reference_after` does not occur here",
        ),
        (r#"{"q": "", "r": {"gold": "a #### 3"}, "l": 1}"#, "line 1: /l: expected a string"),
    ] {
        assert_eq!(mapped(row, columns.clone()), [Err(expected.to_owned())], "{row}");
    }
    assert!(serde_json::from_value::<Columns>(json!({"prompt": "q", "answer": "a"})).is_err());
}

#[test]
fn limits_and_deep_nesting_are_errors_of_their_line() {
    let input = format!("{}\n{{\"prompt\": \"x\"}}", "[".repeat(100_000));
    let found = native(&input);
    assert!(found[0].as_ref().unwrap_err().contains("recursion limit"));
    assert!(found[1].is_ok());
    let found: Vec<_> = TaskReader::new(input.as_bytes()).with_max_line_bytes(1_000).collect();
    assert!(matches!(found[0], Err(DataError::Line(_))));
    assert!(found[1].is_ok());
}

#[test]
fn a_missing_file_is_named() {
    let error = TaskReader::open(std::path::Path::new("no/such.jsonl")).unwrap_err();
    assert_eq!(error.to_string(), "cannot open no/such.jsonl");
}
