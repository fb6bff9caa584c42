//! How long judging the pairs of a JSON Lines file takes: `{"gold": …, "pred": …}`.
//!
//! Prints the mean, the median, the 99th percentile and the slowest of the single pairs, each the fastest of
//! three runs, reading both sides included.
//! `cargo run --release -p graders --example pair_times -- pairs.jsonl`
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use graders::{Completion, Prepared, Resources, Task, build_grader};
use serde_json::{Value, json};

fn main() {
    let path = std::env::args().nth(1).unwrap_or_else(|| panic!("give the path of a JSON Lines file"));
    let steps = ["answer_tag", "boxed", "hash", "answer_is", "whole"];
    let grader = build_grader(&json!({"type": "math", "extract": steps})).unwrap();
    let mut times = Vec::new();
    let mut methods: BTreeMap<String, u32> = BTreeMap::new();
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let (gold, pred) = (row["gold"].as_str().unwrap(), row["pred"].as_str().unwrap());
        let task = Task::with_reference(gold);
        let completion = Completion::new(pred);
        let mut best = Duration::MAX;
        let mut method = String::from("unread");
        for _ in 0..3 {
            let start = Instant::now();
            if let Ok(Prepared::Completion(judge)) = grader.prepare(&task, &Resources::default()) {
                let verdict = judge.grade(&completion).unwrap();
                best = best.min(start.elapsed());
                let how = verdict.detail.get("method").and_then(Value::as_str).unwrap_or("-");
                method = format!("{} {how}", verdict.reason);
            }
        }
        if best < Duration::MAX {
            times.push((best, format!("{gold} | {pred}")));
        }
        *methods.entry(method).or_default() += 1;
    }
    times.sort();
    let mean = times.iter().map(|(time, _)| *time).sum::<Duration>() / u32::try_from(times.len()).unwrap();
    let at = |part: usize| times[(times.len() * part / 1000).min(times.len() - 1)].0;
    println!("{} pairs: mean {mean:?}, median {:?}, p99 {:?}", times.len(), at(500), at(990));
    for (time, pair) in times.iter().rev().take(12) {
        println!("{time:?} {pair}");
    }
    for (method, count) in methods {
        println!("{count:6} {method}");
    }
}
