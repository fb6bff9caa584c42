//! `format`, `json`, `countdown` and `repetition`: golden vectors and what they refuse.

use graders::{Resources, Task, build_grader};
use serde_json::{Value, json};

use crate::grading::{refused, score};
use crate::vectors::reward_values;

#[test]
fn format_vectors() {
    let styles = [
        ("think_answer", "strict_recommended"),
        ("open_r1", "open_r1_strict"),
        ("trl_think", "trl_think"),
        ("tag_count", "tag_count"),
        ("open_instruct", "open_instruct_soft"),
    ];
    for case in reward_values("format") {
        for (style, column) in styles {
            let grader = json!({"type": "format", "style": style});
            let score = score(&grader, &Task::default(), case["text"].as_str().unwrap());
            assert_eq!(score, case[column].as_f64().unwrap(), "{style}: {case}");
        }
    }
}

#[test]
fn ngram_vectors() {
    for case in reward_values("ngram_repetition") {
        let words: Vec<String> = case["tokens"].as_array().unwrap().iter().map(ToString::to_string).collect();
        let grader = json!({"type": "repetition", "n": case["n"], "max_penalty": case["max_penalty"]});
        let score = score(&grader, &Task::default(), &words.join(" "));
        assert!((score - case["expected"].as_f64().unwrap()).abs() < 1e-9, "{score}: {case}");
    }
}

fn puzzle(case: &Value) -> Task {
    let mut task = Task::default();
    task.metadata.insert("numbers".to_owned(), case["numbers"].clone());
    task.metadata.insert("target".to_owned(), case["target"].clone());
    task
}

#[test]
fn countdown_strict_vectors() {
    for case in reward_values("countdown_strict") {
        let text = format!("<answer>{}</answer>", case["expression"].as_str().unwrap());
        let score = score(&json!({"type": "countdown"}), &puzzle(&case), &text);
        assert_eq!(score == 1.0, case["expected"].as_bool().unwrap(), "{case}");
    }
}

#[test]
fn countdown_tinyzero_vectors() {
    for case in reward_values("countdown_tinyzero") {
        let text = case["completion"].as_str().unwrap();
        // TinyZero's own check pays the whole reward for a power; the strict one pays for the form only.
        let expected = if text.contains("**") { 0.1 } else { case["expected"].as_f64().unwrap() };
        let grader = json!({"type": "countdown", "format_score": 0.1});
        assert_eq!(score(&grader, &puzzle(&case), text), expected, "{case}");
    }
}

#[test]
fn json_schema_vectors() {
    for group in reward_values("json_schema") {
        let with_schema = Task { schema: Some(group["schema"].clone()), ..Task::default() };
        for case in group["cases"].as_array().unwrap() {
            let text = case["text"].as_str().unwrap();
            for (fences, suffix) in [("keep", "strict"), ("strip", "after_fence_strip")] {
                let grader = json!({"type": "json", "fences": fences});
                let valid = case[format!("valid_{suffix}")].as_bool().unwrap();
                assert_eq!(score(&grader, &with_schema, text), f64::from(valid), "{fences}: {case}");
                // The vectors' lenient reader took NaN; ours never does.
                let parses = case[format!("parses_{suffix}")].as_bool().unwrap() && text != "NaN";
                assert_eq!(score(&grader, &Task::default(), text), f64::from(parses), "{fences}: {case}");
            }
        }
    }
}

#[test]
fn json_field_fraction_vectors() {
    for case in reward_values("json_field_fraction") {
        let task = Task::with_reference(case["gold"].clone());
        let score =
            score(&json!({"type": "json", "score": "fields"}), &task, &case["prediction"].to_string());
        assert!((score - case["expected"].as_f64().unwrap()).abs() < 1e-9, "{score}: {case}");
    }
}

/// reasoning-gym's default scorer pays for an answer that contains the right one, in proportion to its length,
/// so that hedging ("5 or 6") earns. No grader here does: the vectors are kept as a warning, and the whole
/// credit is due only where the scorer gives all of it.
#[test]
fn hedging_is_not_paid_as_reasoning_gym_pays_it() {
    let mut hedges = 0;
    for case in reward_values("reasoning_gym_default_score") {
        let (oracle, answer) = (case["oracle"].as_str().unwrap(), case["answer"].as_str().unwrap());
        let pattern = format!(r"\s*{oracle}\s*");
        let score =
            score(&json!({"type": "regex", "pattern": pattern, "full": true}), &Task::default(), answer);
        assert_eq!(score, f64::from(answer.trim() == oracle), "{case}");
        let theirs = case["expected"].as_f64().unwrap();
        hedges += usize::from(theirs > 0.0 && score == 0.0);
    }
    assert_eq!(hedges, 2);
}

#[test]
fn wrong_configurations_are_refused_where_they_are_wrong() {
    for (grader, pointer) in [
        (json!({"type": "format", "style": "poem"}), "/style"),
        (json!({"type": "format", "tags": []}), "/tags"),
        (json!({"type": "repetition", "n": 0}), "/n"),
        (json!({"type": "repetition", "n": 9}), "/n"),
        (json!({"type": "repetition", "max_penalty": 0.5}), "/max_penalty"),
        (json!({"type": "countdown", "format_score": 1.0}), "/format_score"),
        (json!({"type": "json", "extra_penalty": -0.1}), "/extra_penalty"),
        (json!({"type": "json", "score": "all"}), "/score"),
        (json!({"type": "json", "schema": {"type": "strange"}}), "/schema/type"),
        (json!({"type": "json", "schema": {"pattern": "(?=a)"}}), "/schema/pattern"),
        (
            json!({"type": "json", "schema": {"properties": {"a": {"$ref": "other.json"}}}}),
            "/schema/properties/a/$ref",
        ),
    ] {
        refused(&grader, pointer);
    }
}

#[track_caller]
fn refused_task(grader: &Value, task: &Value, pointer: &str) {
    let task: Task = serde_json::from_value(task.clone()).unwrap();
    let error = build_grader(grader).unwrap().prepare(&task, &Resources::default()).err().expect("refused");
    assert_eq!(error.pointer, pointer, "{error}");
}

#[test]
fn wrong_tasks_are_refused_where_they_are_wrong() {
    let json = json!({"type": "json"});
    for (schema, pointer) in [
        (json!({"$ref": "https://example.com/schema"}), "/schema/$ref"),
        (json!({"$ref": "file:///etc/passwd"}), "/schema/$ref"),
        (json!({"$ref": "#/$defs/none"}), "/schema/$ref"),
        (json!({"$ref": "#none"}), "/schema/$ref"),
        (json!({"$ref": "#"}), "/schema"),
        (
            json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"not": {"$ref": "#/$defs/a"}}}}),
            "/schema/$defs/a",
        ),
        (json!({"properties": {"a": {"$id": "https://example.com"}}}), "/schema/properties/a/$id"),
        (json!({"$schema": "http://json-schema.org/draft-07/schema#"}), "/schema/$schema"),
        (json!({"properties": {"a/b": 3}}), "/schema/properties/a~1b"),
        (json!({"pattern": "(a)\\1"}), "/schema/pattern"),
        (json!({"pattern": "a{1000}{1000}{10}"}), "/schema/pattern"),
        (json!({"minimum": "x"}), "/schema/minimum"),
        (json!([]), "/schema"),
        (json!({"description": "x".repeat(70_000)}), "/schema"),
    ] {
        refused_task(&json, &json!({"schema": schema}), pointer);
    }
    let fields = json!({"type": "json", "score": "fields"});
    refused_task(&fields, &json!({}), "/reference");
    refused_task(&fields, &json!({"reference": "{not json"}), "/reference");
    refused_task(&fields, &json!({"reference": {"a": [1e300]}}), "/reference/a/0");
    let countdown = json!({"type": "countdown"});
    refused_task(&countdown, &json!({"metadata": {"target": 3}}), "/metadata/numbers");
    refused_task(&countdown, &json!({"metadata": {"numbers": [1, -2], "target": 3}}), "/metadata/numbers/1");
    refused_task(&countdown, &json!({"metadata": {"numbers": [], "target": 3}}), "/metadata/numbers");
    refused_task(&countdown, &json!({"metadata": {"numbers": [1, 2], "target": 3.5}}), "/metadata/target");
}
