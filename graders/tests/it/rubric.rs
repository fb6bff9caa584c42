//! Rubrics: combination vectors, gates, schedules, errors.

use std::sync::Arc;

use graders::{
    Alone, Completion, ConfigError, ErrorKind, GradeError, Progress, Reason, Resources, Reward, Rubric, Task,
    Verdict,
};
use serde_json::{Value, json};

use crate::vectors::{assert_close, numbers, section};

fn rubric(value: &Value) -> Arc<Rubric> {
    Arc::new(Rubric::from_value(value).unwrap())
}

fn component(name: &str, weight: &Value) -> Value {
    json!({"name": name, "grader": {"type": "regex", "pattern": "x"}, "weight": weight})
}

/// The rewards a rubric gives to these scores, whatever its graders would say.
fn combine(
    rubric: &Arc<Rubric>,
    rows: &[Vec<Result<Option<f64>, ErrorKind>>],
    progress: &Progress,
) -> Vec<Reward> {
    let prepared = rubric.prepare(&Task::default(), &Resources::default()).unwrap();
    let alone: Vec<Alone> = rows
        .iter()
        .map(|row| {
            row.iter()
                .map(|score| {
                    Some(match score {
                        Ok(Some(score)) => Ok(Verdict::new(*score, Reason::Match)),
                        Ok(None) => Ok(Verdict::abstain(Reason::TooShort)),
                        Err(kind) => Err(GradeError::new(*kind, "it broke")),
                    })
                })
                .collect()
        })
        .collect();
    let completions = vec![Completion::new("x"); rows.len()];
    prepared.judge_group(&completions, alone, &rubric.weights(progress).unwrap())
}

fn total(rubric: &Arc<Rubric>, scores: &[Option<f64>]) -> f64 {
    let row = scores.iter().map(|score| Ok(*score)).collect();
    *combine(rubric, &[row], &Progress::default())[0].total.as_ref().unwrap()
}

#[test]
fn combinations_match_the_vectors() {
    for row in section("/combination") {
        let id = row["id"].as_str().unwrap();
        let inputs = &row["inputs"];
        match id {
            "weighted_sum" | "weighted_sum_with_null" => {
                let components: Vec<Value> = inputs["weights"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .enumerate()
                    .map(|(index, weight)| component(&format!("c{index}"), weight))
                    .collect();
                let rubric = rubric(&json!({"components": components}));
                assert_close(
                    total(&rubric, &numbers(&inputs["scores"])),
                    row["expected"].as_f64().unwrap(),
                    id,
                );
            }
            "gate_format" => {
                let rubric = rubric(&json!({
                    "components": [component("accuracy", &json!(1)), component("format", &json!(0))],
                    "gates": [{"component": "format", "at_least": 1.0}]}));
                let scores = [inputs["accuracy"].as_f64(), inputs["format"].as_f64()];
                assert_close(total(&rubric, &scores), row["expected"].as_f64().unwrap(), id);
            }
            "gate_length_on_correct" => {
                let rubric = rubric(&json!({
                    "components": [component("accuracy", &json!(1)), component("length", &json!(1))],
                    "gates": [{"component": "accuracy", "at_least": 1.0}]}));
                let scores = [inputs["accuracy"].as_f64(), inputs["length_bonus"].as_f64()];
                assert_close(total(&rubric, &scores), row["expected"].as_f64().unwrap(), id);
            }
            "length_weight_schedule_step" => {
                let weight = json!({"from_step": inputs["switch_step"], "value": inputs["weight"]});
                check_schedule(&weight, &inputs["steps"], &row["expected"], id);
            }
            "length_weight_schedule_linear" => {
                let weight = json!({"from_step": inputs["start"], "to_step": inputs["end"], "value": inputs["weight"]});
                check_schedule(&weight, &inputs["steps"], &row["expected"], id);
            }
            "length_weight_schedule_on_metric" => {
                let weight = json!({"metric": "ema", "value": 1.0, "latch": inputs["latch"],
                    "at_least": inputs["enable_when_mean_accuracy_at_least"]});
                let rubric = rubric(&json!({"components": [component("length", &weight)]}));
                let mut progress = Progress::default();
                for (ema, expected) in numbers(&inputs["ema"]).into_iter().zip(numbers(&row["expected"])) {
                    progress.metrics.insert("ema".to_owned(), ema.unwrap());
                    assert_close(rubric.weights(&progress).unwrap()[0], expected.unwrap(), id);
                    progress.latched.extend(rubric.closing_latches(&progress));
                }
            }
            other => panic!("an unknown vector: {other}"),
        }
    }
}

fn check_schedule(weight: &Value, steps: &Value, expected: &Value, id: &str) {
    let rubric = rubric(&json!({"components": [component("length", weight)]}));
    for (step, expected) in numbers(steps).into_iter().zip(numbers(expected)) {
        let progress = Progress { step: Some(step.unwrap() as u64), ..Progress::default() };
        assert_close(rubric.weights(&progress).unwrap()[0], expected.unwrap(), id);
    }
    assert_eq!(rubric.weights(&Progress::default()).unwrap_err().pointer, "/step");
}

#[test]
fn an_error_leaves_its_completion_without_a_reward_and_keeps_the_others() {
    let rubric = rubric(&json!({"components": [component("a", &json!(1)), component("b", &json!(0.5))]}));
    let mut rows = vec![vec![Ok(Some(1.0)), Ok(Some(1.0))]; 64];
    rows[17][1] = Err(ErrorKind::SandboxFailed);
    let rewards = combine(&rubric, &rows, &Progress::default());
    let error = rewards[17].total.as_ref().unwrap_err();
    assert_eq!((&*error.component, error.kind), ("b", ErrorKind::SandboxFailed));
    assert_eq!(rewards[17].components.len(), 2, "the keys are complete on every path");
    assert_eq!(rewards.iter().filter(|reward| reward.total == Ok(1.5)).count(), 63);
}

#[test]
fn an_error_without_weight_does_not_cost_the_reward() {
    let rubric = rubric(&json!({"components": [component("a", &json!(1)), component("logged", &json!(0))]}));
    let rewards =
        combine(&rubric, &[vec![Ok(Some(1.0)), Err(ErrorKind::SandboxFailed)]], &Progress::default());
    assert_eq!(rewards[0].total, Ok(1.0));
}

#[test]
fn an_error_in_a_gate_costs_the_reward() {
    let rubric = rubric(&json!({
        "components": [component("a", &json!(1)), component("gate", &json!(0))],
        "gates": [{"component": "gate", "at_least": 1.0}]}));
    let rewards =
        combine(&rubric, &[vec![Ok(Some(1.0)), Err(ErrorKind::SandboxFailed)]], &Progress::default());
    assert!(rewards[0].total.is_err());
}

#[test]
fn abstentions_add_nothing_and_alone_give_null() {
    let rubric = rubric(&json!({
        "components": [component("a", &json!(1)), component("b", &json!(1))],
        "gates": [{"component": "b", "at_least": 0.5, "otherwise": -1.0}]}));
    let rows = [vec![Ok(Some(0.5)), Ok(None)], vec![Ok(None), Ok(None)], vec![Ok(Some(0.5)), Ok(Some(0.2))]];
    let rewards = combine(&rubric, &rows, &Progress::default());
    assert_eq!(rewards[0].total, Ok(0.5));
    assert_eq!(rewards[1].total.as_ref().unwrap_err().kind, ErrorKind::NothingToJudge);
    assert_eq!(rewards[2].total, Ok(-1.0));
}

#[test]
fn products_clips_and_normalisation() {
    let two = json!([component("a", &json!(1)), component("b", &json!(2)), component("off", &json!(0))]);
    let product = rubric(&json!({"components": two, "combine": "product"}));
    assert_eq!(total(&product, &[Some(0.5), Some(0.5), Some(0.0)]), 0.5);
    let clipped = rubric(&json!({"components": two, "clip": [-1.0, 1.5]}));
    assert_eq!(total(&clipped, &[Some(1.0), Some(1.0), Some(9.0)]), 1.5);

    // (1, 0) and (0, 1) are told apart from each other only by their rarity in the group.
    let normalised = rubric(&json!({"components": two, "normalize": "group"}));
    let rows = [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]]
        .map(|[a, b]| vec![Ok(Some(a)), Ok(Some(b)), Ok(Some(0.0))]);
    let rewards = combine(&normalised, &rows, &Progress::default());
    let z = |x: f64| (x - 0.25) / (0.5 + 1e-4);
    assert_close(*rewards[0].total.as_ref().unwrap(), z(1.0) - 2.0 * z(1.0), "rare");
    assert_close(*rewards[1].total.as_ref().unwrap(), z(0.0) - 2.0 * z(0.0), "frequent");
}

fn error(value: &Value) -> ConfigError {
    Rubric::from_value(value).map(|rubric| panic!("{:?} was accepted", rubric.spec())).unwrap_err()
}

#[test]
fn what_is_wrong_with_a_rubric_is_pointed_at() {
    let good = component("a", &json!(1));
    let rows: Vec<(Value, &str)> = vec![
        (json!("no-such-preset"), ""),
        (json!(7), ""),
        (json!({}), ""),
        (json!({"components": []}), "/components"),
        (json!({"components": [good], "combin": "sum"}), "/combin"),
        (json!({"components": [good], "combine": "average"}), "/combine"),
        (json!({"components": [good, good]}), "/components/1/name"),
        (
            json!({"components": [{"name": "a b", "grader": {"type": "regex", "pattern": "x"}}]}),
            "/components/0/name",
        ),
        (json!({"components": [{"name": "a", "grader": {"type": "nope"}}]}), "/components/0/grader/type"),
        (json!({"components": [{"name": "a", "grader": {"pattern": "x"}}]}), "/components/0/grader/type"),
        (
            json!({"components": [{"name": "a", "grader": {"type": "regex", "pattern": "("}}]}),
            "/components/0/grader/pattern",
        ),
        (
            json!({"components": [{"name": "a", "grader": {"type": "regex", "pattern": "(?:a{9999}){9999}"}}]}),
            "/components/0/grader/pattern",
        ),
        (
            json!({"components": [{"name": "a", "grader": {"type": "regex", "pattern": "x", "ful": true}}]}),
            "/components/0/grader/ful",
        ),
        (
            json!({"components": [{"name": "a", "grader": {"type": "regex", "pattern": 3}}]}),
            "/components/0/grader/pattern",
        ),
        (json!({"components": [component("a", &json!("heavy"))]}), "/components/0/weight"),
        (json!({"components": [component("a", &json!(1e9))]}), "/components/0/weight"),
        (
            json!({"components": [component("a", &json!({"from_step": 9, "to_step": 3, "value": 1}))]}),
            "/components/0/weight/to_step",
        ),
        (
            json!({"components": [component("a", &json!({"from_step": -9, "value": 1}))]}),
            "/components/0/weight/from_step",
        ),
        (json!({"components": [good], "gates": [{"component": "b", "at_least": 1}]}), "/gates/0/component"),
        (json!({"components": [good], "clip": [1, -1]}), "/clip"),
        (json!({"components": [good], "clip": [1]}), "/clip"),
    ];
    for (value, pointer) in rows {
        let error = error(&value);
        assert_eq!(error.pointer, pointer, "{value}: {error}");
        assert!(!error.message.is_empty());
    }
}

#[test]
fn equal_rubrics_have_equal_hashes() {
    let one: Value = serde_json::from_str(
        r#"{"components":[{"name":"a","grader":{"type":"regex","pattern":"x"}}],"combine":"sum"}"#,
    )
    .unwrap();
    let other: Value = serde_json::from_str(
        r#"{"combine":"sum","components":[{"grader":{"pattern":"x","type":"regex"},"name":"a"}]}"#,
    )
    .unwrap();
    assert_eq!(rubric(&one).hash(), rubric(&other).hash());
}
