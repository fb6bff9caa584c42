//! Runs every row of `testdata/*.toml`: a grader, a task, a completion, and the verdict they must give.
//!
//! The tables and what their fields mean are described in `testdata/README.md`.

use std::path::PathBuf;

use graders::{Completion, Prepared, Resources, Task, build_grader};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    grader: Value,
    #[serde(default)]
    task: Task,
    completion: Completion,
    /// Absent when the grader must abstain.
    score: Option<f64>,
    reason: String,
}

fn tables() -> Vec<(PathBuf, Table)> {
    let folder = PathBuf::from("testdata");
    let mut tables = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path).unwrap();
            let table = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            tables.push((path, table));
        }
    }
    assert!(!tables.is_empty());
    tables
}

#[test]
fn every_row_gets_its_verdict() {
    let mut wrong = Vec::new();
    for (path, table) in tables() {
        for case in table.case {
            let place = format!("{}: {}", path.file_name().unwrap().display(), case.name);
            let grader = build_grader(&case.grader).unwrap_or_else(|error| panic!("{place}: {error}"));
            let prepared = grader
                .prepare(&case.task, &Resources::default())
                .unwrap_or_else(|error| panic!("{place}: {error}"));
            let Prepared::Completion(judge) = prepared else {
                panic!("{place}: a group grader has no rows here")
            };
            let verdict = judge.grade(&case.completion).unwrap_or_else(|error| panic!("{place}: {error}"));
            let same = match (verdict.score, case.score) {
                (Some(a), Some(b)) => (a - b).abs() < 1e-9,
                (None, None) => true,
                _ => false,
            };
            if !same || verdict.reason.name() != case.reason {
                wrong.push(format!(
                    "{place}: expected {:?} {}, got {:?} {} {:?}",
                    case.score, case.reason, verdict.score, verdict.reason, verdict.detail
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
