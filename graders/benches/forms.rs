//! The graders of form: a usual completion, and the megabytes that are worst for each.
//!
//! Run with `cargo bench -p graders --bench forms`.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use divan::{Bencher, counter::BytesCount};
use graders::{Completion, GradeCompletion, MAX_TEXT_BYTES, Prepared, Resources, Task, build_grader};
use serde_json::{Value, json};

fn main() {
    divan::main();
}

fn judge(grader: &Value) -> Box<dyn GradeCompletion> {
    let task: Task = serde_json::from_value(json!({
        "metadata": {"numbers": [25, 5, 3], "target": 60},
        "reference": {"name": "Ada", "born": 1815, "tags": ["a", "b"]},
        "schema": {
            "type": ["object", "array"],
            "properties": {
                "name": {"type": "string", "pattern": "^[A-Z][a-z]+$"},
                "born": {"type": "integer", "minimum": 0},
                "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "uniqueItems": true}
            },
            "items": {"anyOf": [{"$ref": "#"}, {"type": "integer"}]}
        },
        "tests": {"language": "python", "cases": [{"stdout": "1"}]}
    }))
    .unwrap();
    match build_grader(grader).unwrap().prepare(&task, &Resources::default()).unwrap() {
        Prepared::Completion(judge) => judge,
        Prepared::Group(_) => panic!("judges groups"),
    }
}

fn bench(bencher: Bencher<'_, '_>, grader: &Value, text: String) {
    let judge = judge(grader);
    let completion = Completion { n_tokens: Some(1), ..Completion::new(text) };
    bencher.counter(BytesCount::of_str(&completion.text)).bench(|| judge.grade(&completion));
}

fn filled(part: &str) -> String {
    part.repeat(MAX_TEXT_BYTES / part.len())
}

const THOUGHT: &str = "<think>\nFirst add the numbers, then compare the sum with the target.\n</think>\n";

#[divan::bench_group]
mod usual {
    use super::{Bencher, THOUGHT, bench, json, judge};

    #[divan::bench]
    fn countdown(bencher: Bencher<'_, '_>) {
        bench(bencher, &json!({"type": "countdown"}), format!("{THOUGHT}<answer>(25 - 5) * 3</answer>"));
    }

    #[divan::bench(args = ["think_answer", "open_r1", "trl_think", "tag_count", "open_instruct", "grpo_zero"])]
    fn format(bencher: Bencher<'_, '_>, style: &str) {
        let text = format!("{THOUGHT}<answer>\n60\n</answer>");
        bench(bencher, &json!({"type": "format", "style": style}), text);
    }

    #[divan::bench(args = ["valid", "fields"])]
    fn json(bencher: Bencher<'_, '_>, score: &str) {
        let text = format!("{THOUGHT}{{\"name\": \"Ada\", \"born\": 1815, \"tags\": [\"a\", \"b\"]}}");
        bench(bencher, &json!({"type": "json", "score": score}), text);
    }

    #[divan::bench]
    fn repetition(bencher: Bencher<'_, '_>) {
        bench(bencher, &json!({"type": "repetition"}), THOUGHT.repeat(40));
    }

    #[divan::bench]
    fn code_extraction(bencher: Bencher<'_, '_>) {
        bench(bencher, &json!({"type": "code"}), format!("{THOUGHT}\n```python\nprint(1)\n```\n"));
    }

    /// What a group pays once.
    #[divan::bench]
    fn compile_schema() {
        divan::black_box(judge(&json!({"type": "json"})));
    }
}

#[divan::bench_group(sample_count = 10)]
mod megabyte {
    use super::{Bencher, MAX_TEXT_BYTES, bench, filled, json};

    #[divan::bench(args = ["[[],", "[1,", "{\"a\":1,", "1"])]
    fn json_syntax(bencher: Bencher<'_, '_>, part: &str) {
        bench(bencher, &json!({"type": "json"}), filled(part));
    }

    /// As many values as are read, and how many each part holds.
    #[divan::bench(args = [("1,", 1), ("[],", 1), ("\"a\",", 1), ("{\"tags\":[\"a\"]},", 3)])]
    fn json_valid(bencher: Bencher<'_, '_>, (part, values): (&str, usize)) {
        bench(bencher, &json!({"type": "json"}), format!("[{}1]", part.repeat(65_000 / values)));
    }

    #[divan::bench(args = ["<think>", "</think>", "</think> <answer>", " "])]
    fn format(bencher: Bencher<'_, '_>, line: &str) {
        bench(bencher, &json!({"type": "format", "style": "open_instruct"}), filled(&format!("{line}\n")));
    }

    #[divan::bench(args = ["```", "```python", "", "    ~~~ c"])]
    fn code_extraction(bencher: Bencher<'_, '_>, line: &str) {
        bench(bencher, &json!({"type": "code"}), filled(&format!("{line}\n")));
    }

    #[divan::bench(args = ["words", "characters", "lines"])]
    fn repetition(bencher: Bencher<'_, '_>, unit: &str) {
        let text: String =
            (0..).map(|number: u32| format!("{number:x}\n")).take(MAX_TEXT_BYTES / 6).collect();
        bench(bencher, &json!({"type": "repetition", "unit": unit, "n": 3}), text);
    }

    #[divan::bench(args = ["words", "characters", "lines"])]
    fn repetition_of_eight(bencher: Bencher<'_, '_>, unit: &str) {
        // A character of its own for every few, so that eight of them do not fit one integer.
        let text: String = (0..)
            .map(|number: u32| char::from_u32(0x10000 + number % 0x8000).unwrap())
            .take(MAX_TEXT_BYTES / 4)
            .collect();
        let text = if unit == "characters" { text } else { filled("a\n") };
        bench(bencher, &json!({"type": "repetition", "unit": unit, "n": 8}), text);
    }
}
