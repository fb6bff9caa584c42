//! How long the graders that read words take: `instruct` and `language`.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use divan::Bencher;
use divan::counter::BytesCount;
use graders::{Completion, GradeCompletion, Prepared, Resources, Task, build_grader};
use serde_json::{Value, json};

fn main() {
    divan::main();
}

const SIZES: [usize; 3] = [1 << 12, 1 << 16, 1 << 20];

const PARAGRAPH: &str = "First, we need to find the number of apples that remain in the basket. Since $x^2 = 4$, \
    the sum of the two numbers is equal to **twelve**, so the second one must be `seven`.\n\n* Wait, I made a \
    mistake in the previous step: D'abord, nous devons trouver le nombre de pommes.\n\n";

fn text(bytes: usize) -> Completion {
    let mut text = PARAGRAPH.repeat(bytes / PARAGRAPH.len() + 1);
    text.truncate(bytes);
    Completion::new(text)
}

fn prepared(grader: &Value, task: Value) -> Box<dyn GradeCompletion> {
    let task: Task = serde_json::from_value(task).unwrap();
    match build_grader(grader).unwrap().prepare(&task, &Resources::default()).unwrap() {
        Prepared::Completion(judge) => judge,
        Prepared::Group(_) => panic!("not a group grader"),
    }
}

fn bench(bencher: Bencher<'_, '_>, bytes: usize, grader: &Value, task: Value) {
    let judge = prepared(grader, task);
    let completion = text(bytes);
    bencher.counter(BytesCount::new(bytes)).bench(|| judge.grade(&completion).unwrap());
}

#[divan::bench(args = SIZES)]
fn language_words(bencher: Bencher<'_, '_>, bytes: usize) {
    bench(bencher, bytes, &json!({"type": "language", "language": "en"}), json!({}));
}

#[divan::bench(args = SIZES)]
fn language_script(bencher: Bencher<'_, '_>, bytes: usize) {
    bench(bencher, bytes, &json!({"type": "language", "language": "en", "method": "script"}), json!({}));
}

#[divan::bench(args = SIZES)]
fn instruct_strict(bencher: Bencher<'_, '_>, bytes: usize) {
    bench(bencher, bytes, &json!({"type": "instruct"}), instructions());
}

#[divan::bench(args = SIZES)]
fn instruct_loose(bencher: Bencher<'_, '_>, bytes: usize) {
    bench(bencher, bytes, &json!({"type": "instruct", "mode": "loose"}), instructions());
}

/// Three instructions, as many as a prompt of IFEval has at most.
fn instructions() -> Value {
    json!({"instructions": [
        {"id": "length_constraints:number_sentences", "kwargs": {"num_sentences": 1_000_000, "relation": "at least"}},
        {"id": "keywords:existence", "kwargs": {"keywords": ["basket", "nowhere"]}},
        {"id": "detectable_format:number_bullet_lists", "kwargs": {"num_bullets": 3}},
    ]})
}
