//! Runs the compatibility modes on pairs from a JSON Lines file: `{"gold": …, "pred": …}`.
//!
//! Prints one JSON line for each pair: for every mode the score, what was extracted, and the microseconds
//! that it took. `cargo run -p graders --example judge_compat -- pairs.jsonl`
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::panic)]

use std::time::Instant;

use graders::{Completion, Prepared, Resources, Task, build_grader};
use serde_json::{Map, Value, json};

const MODES: [&str; 7] = [
    "gsm8k_strict",
    "gsm8k_flexible",
    "math_dapo",
    "math_dapo_minerva",
    "math_dapo_strict_box",
    "hendrycks_math",
    "math_verify",
];

fn main() {
    let path = std::env::args().nth(1).unwrap_or_else(|| panic!("give the path of a JSON Lines file"));
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let task = Task::with_reference(row["gold"].as_str().unwrap());
        let completion = Completion::new(row["pred"].as_str().unwrap());
        let mut found = Map::new();
        for mode in MODES {
            let grader = build_grader(&json!({"type": "math_compat", "mode": mode})).unwrap();
            let Ok(Prepared::Completion(judge)) = grader.prepare(&task, &Resources::default()) else {
                continue;
            };
            let start = Instant::now();
            let verdict = judge.grade(&completion).unwrap();
            let took = start.elapsed().as_micros();
            let extracted = verdict.detail.get("extracted");
            found.insert(
                mode.to_owned(),
                json!({"score": verdict.score, "extracted": extracted, "us": u64::try_from(took).unwrap()}),
            );
        }
        println!("{}", Value::Object(found));
    }
}
