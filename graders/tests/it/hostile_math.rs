//! Runs `testdata/math/hostile.toml`: texts that try to make the `math` grader hang, grow or fall over. That it
//! returns is what counts; `examples/hostile.rs` measures how soon, and how much memory it takes.

use graders::{Completion, Prepared, Reason, Resources, Task, build_grader};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    row: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    #[serde(default)]
    before: String,
    text: String,
    #[serde(default = "once")]
    times: usize,
    #[serde(default)]
    after: String,
}

const fn once() -> usize {
    1
}

#[test]
fn hostile_texts_are_judged() {
    let table: Table = toml::from_str(include_str!("../../testdata/math/hostile.toml")).unwrap();
    assert!(table.row.len() >= 150);
    let grader = build_grader(&json!({"type": "math", "extract": ["whole"]})).unwrap();
    let mut accepted = Vec::new();
    for Row { name, before, text, times, after } in table.row {
        let text = format!("{before}{}{after}", text.repeat(times));
        let references = ["1", "0<x<1", text.as_str()];
        // The longest are refused by their length alone.
        for reference in references.iter().take(if text.len() > 100_000 { 1 } else { 3 }) {
            let prepared = grader.prepare(&Task::with_reference(*reference), &Resources::default());
            if let Ok(Prepared::Completion(judge)) = prepared {
                let verdict = judge.grade(&Completion::new(&text)).unwrap();
                assert!(verdict.score.is_some(), "{name}");
                if *reference == text {
                    assert_ne!(verdict.reason, Reason::Different, "{name} differs from itself");
                } else if *reference == "1" && verdict.score == Some(1.0) {
                    accepted.push(name.clone());
                }
            }
        }
    }
    assert_eq!(accepted, ONES);
}

/// Rows that are indeed one.
const ONES: [&str; 6] = [
    "tower (-1)^{10^{100}}",
    "implications",
    "spaces",
    "dollars",
    "odd text of 2001 characters, '\\u200b\\u200b\\u200b\\u200b\\u200b\\u200b'",
    "odd text of 2 characters, '\\ufeff1'",
];
