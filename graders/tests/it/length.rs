//! `length`: the golden vectors of every rule, and rows of groups.

use graders::{Completion, ErrorKind, Task};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::grading::{failed, found, grade, grade_group, long, refused};
use crate::vectors::{reward_cases, reward_values};

#[track_caller]
fn assert_close(actual: f64, expected: f64, place: &dyn std::fmt::Debug) {
    assert!((actual - expected).abs() < 1e-9, "{place:?}: expected {expected}, got {actual}");
}

fn u32_of(value: &Value) -> u32 {
    u32::try_from(value.as_u64().unwrap()).unwrap()
}

#[test]
fn soft_overlong_vectors() {
    for case in reward_values("soft_overlong") {
        let grader = json!({"type": "length", "rule": "soft_overlong", "l_max": case["l_max"], "l_cache": case["l_cache"]});
        let verdict = grade(&grader, &Task::default(), &long(u32_of(&case["length"]))).unwrap();
        assert_close(verdict.score.unwrap(), case["expected"].as_f64().unwrap(), &case);
    }
}

#[test]
fn kimi_vectors() {
    #[derive(Debug, Deserialize)]
    struct Case {
        lengths: Vec<u32>,
        correct: Vec<f64>,
        expected: Vec<f64>,
    }
    for case in reward_cases::<Case>("kimi_length") {
        let grader = json!({"type": "length", "rule": "kimi", "correct": "accuracy"});
        let completions: Vec<_> = case.lengths.iter().copied().map(long).collect();
        let read: Vec<_> = case.correct.iter().map(|score| Ok(found(Some(*score)))).collect();
        let verdicts = grade_group(&grader, &Task::default(), &completions, &read);
        assert_eq!(verdicts.len(), case.expected.len());
        for (verdict, expected) in verdicts.into_iter().zip(&case.expected) {
            assert_close(verdict.unwrap().score.unwrap(), *expected, &case);
        }
    }
}

/// Runs the cases of a rule that looks at one answer and whether it is right.
fn answer_vectors(section: &str, grader_of: impl Fn(&Value) -> Value) {
    for case in reward_values(section) {
        let read = [Ok(found(Some(f64::from(case["correct"].as_bool().unwrap()))))];
        let completions = [long(u32_of(&case["length"]))];
        let verdicts = grade_group(&grader_of(&case), &Task::default(), &completions, &read);
        let score = verdicts[0].clone().unwrap().score.unwrap();
        assert_close(score, case["expected"].as_f64().unwrap(), &case);
    }
}

#[test]
fn cosine_vectors() {
    let grader = |variant: &'static str| move |case: &Value| json!({"type": "length", "rule": "cosine", "variant": variant, "max_length": case["max_len"], "correct": "accuracy"});
    answer_vectors("cosine_trl", grader("trl"));
    answer_vectors("cosine_demystify", grader("demystify"));
}

#[test]
fn lcpo_vectors() {
    answer_vectors(
        "lcpo_exact",
        |case| json!({"type": "length", "rule": "lcpo_exact", "target": case["target"], "alpha": case["alpha"], "correct": "accuracy"}),
    );
    answer_vectors(
        "lcpo_max",
        |case| json!({"type": "length", "rule": "lcpo_max", "target": case["target"], "alpha": case["alpha"], "delta": case["delta"], "correct": "accuracy"}),
    );
}

/// One row of `testdata/groups/length.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    grader: Value,
    #[serde(default)]
    task: Task,
    completions: Vec<Completion>,
    /// For each completion a score, `"abstained"` or `"failed"`.
    read: Vec<Value>,
    /// For each completion a score, `"abstained"` or the kind of an error.
    expected: Vec<Value>,
}

#[test]
fn every_group_gets_its_verdicts() {
    #[derive(Deserialize)]
    struct Table {
        case: Vec<Row>,
    }
    let table: Table = toml::from_str(include_str!("../../testdata/groups/length.toml")).unwrap();
    for row in table.case {
        let read: Vec<_> = row
            .read
            .iter()
            .map(|read| match read.as_str() {
                Some("failed") => failed(),
                Some("abstained") => Ok(found(None)),
                Some(other) => panic!("{}: {other}", row.name),
                None => Ok(found(Some(read.as_f64().unwrap()))),
            })
            .collect();
        let verdicts = grade_group(&row.grader, &row.task, &row.completions, &read);
        assert_eq!(verdicts.len(), row.expected.len(), "{}", row.name);
        for (verdict, expected) in verdicts.iter().zip(&row.expected) {
            match (verdict, expected) {
                (Ok(verdict), Value::Number(number)) => {
                    assert_close(verdict.score.unwrap(), number.as_f64().unwrap(), &row.name);
                }
                (Ok(verdict), Value::String(name)) => {
                    assert_eq!((verdict.score, name.as_str()), (None, "abstained"), "{}", row.name);
                }
                (Err(error), Value::String(kind)) => {
                    assert_eq!(error.kind.name(), kind, "{}: {error}", row.name);
                    assert!(!error.message.is_empty());
                }
                _ => panic!("{}: expected {expected}, got {verdict:?}", row.name),
            }
        }
    }
}

#[test]
fn a_missing_length_says_what_to_do() {
    let grader = json!({"type": "length", "rule": "limit", "max": 10});
    let error = grade(&grader, &Task::default(), &Completion::new("three words here")).unwrap_err();
    assert_eq!(error.kind, ErrorKind::MissingLength);
    assert!(error.message.contains("n_tokens") && error.message.contains("unit"), "{error}");
}

#[test]
fn wrong_configurations_are_refused_where_they_are_wrong() {
    for (grader, pointer) in [
        (json!({"type": "length"}), "/rule"),
        (json!({"type": "length", "rule": "shortest"}), "/rule"),
        (json!({"type": "length", "rule": 3}), "/rule"),
        (json!({"type": "length", "rule": "limit", "max": 0}), "/max"),
        (json!({"type": "length", "rule": "limit", "max": 5, "unit": "bytes"}), "/unit"),
        (json!({"type": "length", "rule": "soft_overlong", "l_max": 10, "l_cache": 11}), "/l_cache"),
        (json!({"type": "length", "rule": "soft_overlong", "l_max": 10, "l_cache": 0}), "/l_cache"),
        (
            json!({"type": "length", "rule": "soft_overlong", "l_max": 10, "l_cache": 1, "penalty_factor": -1}),
            "/penalty_factor",
        ),
        (json!({"type": "length", "rule": "kimi", "correct": ""}), "/correct"),
        (
            json!({"type": "length", "rule": "cosine", "correct": "a", "max_length": 5, "exceeded": -1}),
            "/exceeded",
        ),
        (json!({"type": "length", "rule": "cosine", "correct": "a", "max_length": 0}), "/max_length"),
        (json!({"type": "length", "rule": "lcpo_exact", "correct": "a", "alpha": 0}), "/alpha"),
        (json!({"type": "length", "rule": "lcpo_exact", "correct": "a", "alpha": 1e308}), "/alpha"),
        (
            json!({"type": "length", "rule": "cosine", "correct": "a", "max_length": 5, "wrong_end": -1e308}),
            "/wrong_end",
        ),
        (json!({"type": "length", "rule": "lcpo_max", "correct": "a", "delta": 1.5}), "/delta"),
        (json!({"type": "length", "rule": "lcpo_max", "correct": "a", "target": 0}), "/target"),
    ] {
        refused(&grader, pointer);
    }
}

#[test]
fn a_task_without_a_target_is_refused() {
    let grader =
        graders::build_grader(&json!({"type": "length", "rule": "lcpo_max", "correct": "a"})).unwrap();
    let error = grader.prepare(&Task::default(), &graders::Resources::default()).err().unwrap();
    assert_eq!(error.pointer, "/metadata/target_tokens");
}

proptest! {
    #[test]
    fn kimi_stays_within_half_a_point_and_never_pays_the_wrong(
        group in prop::collection::vec((0u32..100_000, any::<bool>()), 0..20),
    ) {
        let grader = json!({"type": "length", "rule": "kimi", "correct": "accuracy"});
        let completions: Vec<_> = group.iter().map(|(length, _)| long(*length)).collect();
        let read: Vec<_> = group.iter().map(|(_, right)| Ok(found(Some(f64::from(*right))))).collect();
        let verdicts = grade_group(&grader, &Task::default(), &completions, &read);
        prop_assert_eq!(verdicts.len(), group.len());
        for (verdict, (_, right)) in verdicts.into_iter().zip(group) {
            let score = verdict.unwrap().score.unwrap();
            prop_assert!((-0.5..=0.5).contains(&score));
            prop_assert!(right || score <= 0.0);
        }
    }

    #[test]
    fn soft_overlong_stays_between_minus_one_and_zero(n in any::<u32>(), l_max in 1u32..50_000, share in 0.0..1.0f64) {
        let l_cache = ((f64::from(l_max) * share) as u32).max(1);
        let grader = json!({"type": "length", "rule": "soft_overlong", "l_max": l_max, "l_cache": l_cache});
        let score = grade(&grader, &Task::default(), &long(n)).unwrap().score.unwrap();
        prop_assert!((-1.0..=0.0).contains(&score));
    }
}
