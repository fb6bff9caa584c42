//! The rubrics known by name, each on completions whose reward is plain to see.

use std::sync::Arc;

use graders::{Completion, ErrorKind, Progress, Resources, Rubric, Task, preset};
use serde_json::{Value, json};

/// The rewards of a preset for these completions; an error by its kind.
fn rewards(name: &str, step: u64, task: &Value, completions: &Value) -> Vec<Result<f64, ErrorKind>> {
    let rubric = Arc::new(Rubric::from_value(&json!(name)).unwrap());
    let task: Task = serde_json::from_value(task.clone()).unwrap();
    let completions: Vec<Completion> = serde_json::from_value(completions.clone()).unwrap();
    let weights = rubric.weights(&Progress { step: Some(step), ..Progress::default() }).unwrap();
    let prepared = rubric.prepare(&task, &Resources::default()).unwrap();
    let rewards = prepared.score(&completions, &weights);
    rewards.into_iter().map(|reward| reward.total.map_err(|error| error.kind)).collect()
}

const THOUGHT: &str = "<think>One half is the same as fifty hundredths, so the answer must be the decimal number \
    nought point five.</think><answer>0.5</answer>";
const PENSEE: &str = "<think>La moitié est la même chose que cinquante centièmes, donc la réponse doit être le nombre \
    décimal zéro virgule cinq.</think><answer>0.5</answer>";

#[test]
fn every_preset_rewards_as_it_says() {
    let half = json!({"reference": "1/2", "language": "en"});
    let long = |text: &str, n: u32| json!({"text": text, "n_tokens": n});
    let rows: Vec<(&str, u64, Value, Value, Vec<f64>)> = vec![
        ("math", 0, half.clone(), json!(["\\boxed{0.5}", "\\boxed{0.4}", "no idea"]), vec![1.0, 0.0, 0.0]),
        (
            "r1-zero",
            0,
            half.clone(),
            json!([THOUGHT, "\\boxed{0.5}", "<think>a</think><answer>7</answer>"]),
            vec![2.0, 1.0, 1.0],
        ),
        ("r1", 0, half.clone(), json!([THOUGHT, PENSEE]), vec![3.0, 2.0]),
        (
            "kimi-k1.5",
            99,
            half.clone(),
            json!([long(THOUGHT, 100), long(THOUGHT, 300), long("7", 200)]),
            vec![1.0, 1.0, 0.0],
        ),
        (
            "kimi-k1.5",
            100,
            half.clone(),
            json!([long(THOUGHT, 100), long(THOUGHT, 300), long("7", 200)]),
            vec![1.1, 0.9, 0.0],
        ),
        (
            "dapo",
            0,
            half.clone(),
            json!([long(THOUGHT, 100), long(THOUGHT, 18_432), long("7", 30_000)]),
            vec![1.0, 0.5, -2.0],
        ),
        (
            "json",
            0,
            json!({"schema": {"type": "object", "required": ["a"]}}),
            json!(["{\"a\": 1}", "{}", "{"]),
            vec![1.0, 0.0, 0.0],
        ),
        (
            "ifeval",
            0,
            json!({"instructions": [{"id": "punctuation:no_comma"}, {"id": "startend:quotation"}]}),
            json!(["\"one two\"", "one two", "one, two"]),
            vec![1.0, 0.5, 0.0],
        ),
    ];
    let mut seen: Vec<&str> = vec!["code"];
    for (name, step, task, completions, expected) in rows {
        let rewards = rewards(name, step, &task, &completions);
        for (index, (reward, expected)) in rewards.iter().zip(&expected).enumerate() {
            let reward = *reward.as_ref().unwrap();
            assert!(
                (reward - expected).abs() < 1e-9,
                "{name} at step {step}, {index}: {reward}, expected {expected}"
            );
        }
        assert_eq!(rewards.len(), expected.len());
        seen.push(name);
    }
    for name in preset::names() {
        assert!(seen.contains(&name), "{name} has no row");
    }
}

#[test]
fn code_without_a_sandbox_is_not_judged_rather_than_wrong() {
    let tests = json!({"tests": {"language": "python", "cases": [{"stdin": "", "stdout": "1"}]}});
    let rewards = rewards("code", 0, &tests, &json!(["```python\nprint(1)\n```", "I cannot."]));
    assert_eq!(rewards, [Err(ErrorKind::SandboxUnavailable), Ok(0.0)]);
}
