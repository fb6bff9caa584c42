//! Completions that try to win without the answer, and chains of thought with their verdicts, through the
//! `math` grader as it is by default.

use graders::{Completion, Prepared, Resources, Task, Verdict, build_grader};
use serde::Deserialize;
use serde_json::json;

fn grade(reference: &str, text: &str) -> Verdict {
    let grader = build_grader(&json!({"type": "math"})).unwrap();
    let prepared = grader
        .prepare(&Task::with_reference(reference), &Resources::default())
        .unwrap_or_else(|error| panic!("{reference}: {error}"));
    let Prepared::Completion(judge) = prepared else { panic!("not a grader of one completion") };
    judge.grade(&Completion::new(text)).unwrap()
}

/// `testdata/answers/injection.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Injections {
    row: Vec<Injection>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Injection {
    /// What the completion tries.
    trick: String,
    reference: String,
    text: String,
}

#[test]
fn no_trick_is_accepted() {
    let table: Injections = toml::from_str(include_str!("../../testdata/answers/injection.toml")).unwrap();
    assert!(table.row.len() >= 100, "{} rows", table.row.len());
    let mut accepted = Vec::new();
    for row in &table.row {
        // The reference must be one that the right answer reaches, or the row would show nothing.
        let right = grade(&row.reference, &format!("\\boxed{{{}}}", row.reference));
        assert_eq!(right.score, Some(1.0), "{}: {:?}", row.trick, right);
        let verdict = grade(&row.reference, &row.text);
        if verdict.score != Some(0.0) {
            accepted.push(format!("{}: {:?} for {:?}: {verdict:?}", row.trick, row.text, row.reference));
        }
    }
    assert!(accepted.is_empty(), "{}", accepted.join("\n"));
}

/// `testdata/answers/thoughts.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Thoughts {
    row: Vec<Thought>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Thought {
    style: String,
    reference: String,
    text: String,
    /// Whether the text gives the right answer in a way that counts.
    accepted: bool,
}

/// The accuracy on chains of thought, apart from that on bare answers.
#[test]
fn chains_of_thought() {
    let table: Thoughts = toml::from_str(include_str!("../../testdata/answers/thoughts.toml")).unwrap();
    assert!(table.row.len() >= 30, "{} rows", table.row.len());
    let mut wrong = Vec::new();
    for row in &table.row {
        let verdict = grade(&row.reference, &row.text);
        if (verdict.score == Some(1.0)) != row.accepted {
            wrong.push(format!("{}: accepted should be {}: {verdict:?}", row.style, row.accepted));
        }
    }
    let right = table.row.len() - wrong.len();
    println!("chains of thought: {right} of {} verdicts are right", table.row.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
