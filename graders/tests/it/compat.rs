//! The `math_compat` grader: every mode against the verdicts of the package that it reproduces.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use graders::{Completion, Prepared, Resources, Task, Verdict, build_grader};
use serde::Deserialize;
use serde_json::json;

/// Each mode, and how many rows of its table differ from the package: none where it is exact.
const MODES: [(&str, usize); 7] = [
    ("gsm8k_strict", 0),
    ("gsm8k_flexible", 0),
    ("math_dapo", 0),
    ("math_dapo_minerva", 0),
    ("math_dapo_strict_box", 0),
    ("hendrycks_math", 0),
    ("math_verify", 0),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    reference: String,
    completion: String,
    score: f64,
}

fn judge(mode: &str, reference: &str, completion: &str) -> Verdict {
    let grader = build_grader(&json!({"type": "math_compat", "mode": mode})).unwrap();
    match grader.prepare(&Task::with_reference(reference), &Resources::default()).unwrap() {
        Prepared::Completion(judge) => judge.grade(&Completion::new(completion)).unwrap(),
        Prepared::Group(_) => panic!("not a grader of groups"),
    }
}

#[test]
fn modes_agree_with_their_packages() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/compat");
    let mut wrong = Vec::new();
    for (mode, _) in MODES {
        let text = std::fs::read_to_string(folder.join(format!("{mode}.toml"))).unwrap();
        let table: Table = toml::from_str(&text).unwrap_or_else(|error| panic!("{mode}: {error}"));
        for case in table.case {
            let verdict = judge(mode, &case.reference, &case.completion);
            if verdict.score != Some(case.score) {
                wrong.push(format!("{mode}: {}: expected {}, got {verdict:?}", case.name, case.score));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
