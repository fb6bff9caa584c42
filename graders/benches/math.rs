//! What the `math` grader costs: pairs of reference and answer such as data sets hold, one after the other.
//!
//! The pairs are in `math_pairs.txt`, and `equivalence.py` measures Math-Verify on the same ones.
//! `cargo bench -p graders --bench math`
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::sync::Arc;

use divan::{Bencher, black_box, counter::ItemsCount};
use graders::{Completion, GradeCompletion, Grader, Prepared, Resources, Task, build_grader};
use serde_json::json;

fn main() {
    divan::main();
}

fn pairs() -> Vec<(Task, Completion)> {
    let read = |line: &str| {
        let (reference, answer) = line.split_once('\t').unwrap();
        (Task::with_reference(reference), Completion::new(format!("So it is $\\boxed{{{answer}}}$.")))
    };
    include_str!("math_pairs.txt").lines().map(read).collect()
}

fn prepare(grader: &Arc<dyn Grader>, task: &Task) -> Box<dyn GradeCompletion> {
    match grader.prepare(task, &Resources::default()).unwrap() {
        Prepared::Completion(judge) => judge,
        Prepared::Group(_) => panic!("math is no grader of groups"),
    }
}

/// Reading the reference and judging one completion.
#[divan::bench]
fn reference_and_answer(bencher: Bencher<'_, '_>) {
    let (grader, pairs) = (build_grader(&json!({"type": "math"})).unwrap(), pairs());
    bencher.counter(ItemsCount::new(pairs.len())).bench_local(|| {
        for (task, completion) in &pairs {
            black_box(prepare(&grader, task).grade(completion).unwrap());
        }
    });
}

/// Judging one more completion of a group whose reference has been read.
#[divan::bench]
fn answer_alone(bencher: Bencher<'_, '_>) {
    let (grader, pairs) = (build_grader(&json!({"type": "math"})).unwrap(), pairs());
    let judges: Vec<_> =
        pairs.iter().map(|(task, completion)| (prepare(&grader, task), completion)).collect();
    bencher.counter(ItemsCount::new(judges.len())).bench_local(|| {
        for (judge, completion) in &judges {
            black_box(judge.grade(completion).unwrap());
        }
    });
}
