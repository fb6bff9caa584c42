//! The `math_compat` grader: every mode against the verdicts of the package that it reproduces.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use graders::{Completion, Prepared, Resources, Task, Verdict, build_grader};
use serde::Deserialize;
use serde_json::json;

/// Each mode, and how many rows its table has at least.
const MODES: [(&str, usize); 7] = [
    ("gsm8k_strict", 40),
    ("gsm8k_flexible", 40),
    ("math_dapo", 50),
    ("math_dapo_minerva", 20),
    ("math_dapo_strict_box", 50),
    ("hendrycks_math", 50),
    ("math_verify", 90),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    reference: String,
    completion: String,
    score: f64,
}

fn judge(mode: &str, reference: &str, completion: &str) -> Verdict {
    let grader = build_grader(&json!({"type": "math_compat", "mode": mode})).unwrap();
    match grader.prepare(&Task::with_reference(reference), &Resources::default()).unwrap() {
        Prepared::Completion(judge) => judge.grade(&Completion::new(completion)).unwrap(),
        Prepared::Group(_) => panic!("not a grader of groups"),
    }
}

#[test]
fn modes_agree_with_their_packages() {
    let folder = PathBuf::from("testdata/compat");
    let mut wrong = Vec::new();
    for (mode, least) in MODES {
        let text = std::fs::read_to_string(folder.join(format!("{mode}.toml"))).unwrap();
        let table: Table = toml::from_str(&text).unwrap_or_else(|error| panic!("{mode}: {error}"));
        assert!(table.case.len() >= least, "{mode}: {} rows", table.case.len());
        for case in table.case {
            let verdict = judge(mode, &case.reference, &case.completion);
            if verdict.score != Some(case.score) {
                wrong.push(format!("{mode}: {}: expected {}, got {verdict:?}", case.name, case.score));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_mode_has_to_be_named() {
    for (spec, pointer) in [
        (json!({"type": "math_compat"}), ""),
        (json!({"type": "math_compat", "mode": "math"}), "/mode"),
        (json!({"type": "math_compat", "mode": "math_dapo", "correct": 2}), "/correct"),
        (json!({"type": "math", "mode": "math_dapo"}), "/mode"),
    ] {
        assert_eq!(build_grader(&spec).unwrap_err().pointer, pointer, "{spec}");
    }
}

#[test]
fn any_of_several_references_is_right() {
    let grader = build_grader(&json!({"type": "math_compat", "mode": "hendrycks_math"})).unwrap();
    let task = Task { reference: Some(json!(["1", "\\frac{1}{2}"])), ..Task::default() };
    let Prepared::Completion(judge) = grader.prepare(&task, &Resources::default()).unwrap() else { panic!() };
    let verdict = judge.grade(&Completion::new("\\boxed{0.5}")).unwrap();
    assert_eq!((verdict.score, verdict.reason.name()), (Some(1.0), "equivalent"));
    assert_eq!(verdict.detail["extracted"], "0.5");
    assert_eq!(judge.grade(&Completion::new("0.5")).unwrap().reason.name(), "no_answer");
    assert_eq!(judge.grade(&Completion::new("\\boxed{2}")).unwrap().reason.name(), "different");
}

#[test]
fn nothing_hangs() {
    let pieces = [
        "$",
        "\\[",
        "\\boxed{",
        "answer",
        "final answer is ",
        "1 ",
        "1+",
        "{",
        "\\frac{1}{",
        "\\sqrt(",
        "\\boxed{1} ",
        "$1$ and ",
        "日本",
        "\\",
        "9^{",
        "1,",
        "(a)_{b}",
        "#### ",
    ];
    // Generous, because tests run unoptimised beside others: what is feared here takes hours.
    let limit = Duration::from_secs(20);
    for piece in pieces {
        for bytes in [60, 20_000] {
            let text = piece.repeat(bytes / piece.len());
            for completion in [text.clone(), format!("\\boxed{{{text}}} Answer: ${text}$")] {
                for (mode, _) in MODES {
                    let start = Instant::now();
                    judge(mode, &text, &completion);
                    judge(mode, "$5$", &completion);
                    assert!(start.elapsed() < limit, "{mode}: {:?} for {piece} {bytes}", start.elapsed());
                }
            }
        }
    }
}
