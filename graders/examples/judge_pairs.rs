//! Judges pairs from a JSON Lines file: `{"gold": …, "pred": …, "expected": true, "kind": …}`.
//!
//! Prints recall and false positives for each kind, and with `--wrong` every pair that was judged otherwise
//! than expected; with `--json` a line for each pair instead, with its time. `cargo run -p graders --example judge_pairs -- pairs.jsonl [--wrong]`
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use graders::{Completion, Prepared, Resources, Task, build_grader};
use serde_json::{Value, json};

#[derive(Default)]
struct Tally {
    equal: u32,
    accepted: u32,
    unlike: u32,
    false_positives: u32,
}

fn main() {
    let path = std::env::args().nth(1).unwrap_or_else(|| panic!("give the path of a JSON Lines file"));
    let wrong = std::env::args().any(|argument| argument == "--wrong");
    let json = std::env::args().any(|argument| argument == "--json");
    // A row may ask for the last number of a text, as its suite does.
    let marked = ["answer_tag", "final_answer", "boxed", "hash", "answer_is"];
    let build = |more: &[&str]| {
        let steps: Vec<&str> = marked.iter().chain(more).copied().collect();
        build_grader(&json!({"type": "math", "extract": steps})).unwrap()
    };
    let (bare, last) = (build(&["bare", "last_formula", "whole"]), build(&["bold", "last_number"]));
    if json {
        // The first judgements also build tables; every grader gets twenty before it is timed.
        for _ in 0..20 {
            if let Ok(Prepared::Completion(judge)) =
                bare.prepare(&Task::with_reference("1"), &Resources::default())
            {
                judge.grade(&Completion::new("\\boxed{1}")).unwrap();
            }
        }
    }
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    let mut slowest = (Duration::ZERO, String::new());
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        if row["clean"] == false {
            continue;
        }
        let expected = row["expected"].as_bool().unwrap();
        let (gold, pred) = (row["gold"].as_str().unwrap(), row["pred"].as_str().unwrap());
        let grader = if row["config"]["last_number"] == true { &last } else { &bare };
        let start = Instant::now();
        let verdict = match grader.prepare(&Task::with_reference(gold), &Resources::default()) {
            Ok(Prepared::Completion(judge)) => {
                let verdict = judge.grade(&Completion::new(pred)).unwrap();
                (verdict.score == Some(1.0), format!("{} {:?}", verdict.reason, verdict.detail))
            }
            Ok(Prepared::Group(_)) => panic!("not a grader of groups"),
            Err(error) => (false, error.to_string()),
        };
        let took = start.elapsed();
        if json {
            println!("{}", json!({"accepted": verdict.0, "seconds": took.as_secs_f64()}));
            continue;
        }
        if took > slowest.0 {
            slowest = (took, format!("{gold} | {pred}"));
        }
        if wrong && verdict.0 != expected {
            println!("{} {gold:?} | {pred:?} {}", if expected { "MISSED" } else { "FALSE+" }, verdict.1);
        }
        for kind in [row["kind"].as_str().unwrap_or("-"), "ALL"] {
            let tally = tallies.entry(kind.to_owned()).or_default();
            if expected {
                tally.equal += 1;
                tally.accepted += u32::from(verdict.0);
            } else {
                tally.unlike += 1;
                tally.false_positives += u32::from(verdict.0);
            }
        }
    }
    if json {
        return;
    }
    for (kind, tally) in tallies {
        println!(
            "{kind:20} accepted {}/{}  false positives {}/{}",
            tally.accepted, tally.equal, tally.false_positives, tally.unlike
        );
    }
    println!("slowest {:?} {}", slowest.0, slowest.1);
}
