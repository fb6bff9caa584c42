//! Groups to store.

use std::collections::BTreeMap;
use std::sync::Arc;

use gavel::store::{Name, RubricRecord, ScoredCompletion, ScoredGroup};
use graders::{
    Completion, ComponentReward, ErrorKind, GradeError, Prompt, Reason, Reward, RewardError, Task, Verdict,
};
use serde_json::{Value, json};

pub(crate) fn name(text: &str) -> Name {
    Name::parse("name", text).unwrap()
}

pub(crate) fn rubric(hash: &str) -> Arc<RubricRecord> {
    Arc::new(RubricRecord {
        hash: hash.to_owned(),
        name: Some("math".to_owned()),
        body: json!({"components": [{"name": "accuracy", "weight": 1.0}, {"name": "format", "weight": 0.1}]}),
    })
}

/// A completion with the components `accuracy` (weight 1) and `format` (weight 0.1).
pub(crate) fn completion(text: &str, accuracy: f64, format: f64) -> ScoredCompletion {
    let verdict = Verdict::binary(accuracy >= 1.0, Reason::Equivalent, Reason::Different)
        .with("extracted", text.chars().take(20).collect::<String>());
    ScoredCompletion {
        completion: Completion { n_tokens: Some(text.len() as u32), ..Completion::new(text) },
        reward: Reward {
            total: Ok(accuracy + 0.1 * format),
            components: vec![
                component("accuracy", 1.0, Ok(Verdict { score: Some(accuracy), ..verdict })),
                component("format", 0.1, Ok(Verdict::new(format, Reason::WellFormed))),
            ],
        },
        advantage: None,
    }
}

/// A completion that could not be judged.
pub(crate) fn unjudged(text: &str) -> ScoredCompletion {
    let error = GradeError::new(ErrorKind::SandboxUnavailable, "no sandbox: \u{0} \"python\"");
    ScoredCompletion {
        completion: Completion::new(text),
        reward: Reward {
            total: Err(RewardError {
                component: "accuracy".into(),
                kind: error.kind,
                message: error.message.clone(),
            }),
            components: vec![
                component("accuracy", 1.0, Err(error)),
                component("format", 0.1, Ok(Verdict::abstain(Reason::TooShort))),
            ],
        },
        advantage: None,
    }
}

fn component(name: &str, weight: f64, outcome: Result<Verdict, GradeError>) -> ComponentReward {
    ComponentReward { name: name.into(), weight, outcome }
}

/// A group of `run` with a task of its own by `prompt`.
pub(crate) fn group(
    run: &str,
    step: Option<u64>,
    prompt: &str,
    completions: Vec<ScoredCompletion>,
) -> ScoredGroup {
    ScoredGroup {
        run: name(run),
        step,
        id: Some(format!("{prompt}#")),
        task: Task { prompt: Some(Prompt::Text(prompt.to_owned())), ..Task::with_reference("42") },
        rubric: rubric("sha256:1"),
        reference_hash: "sha256:42".to_owned(),
        grader_versions: BTreeMap::from([("math".to_owned(), 3), ("format".to_owned(), 1)]),
        completions,
    }
}

pub(crate) fn messages(prompt: &str) -> Vec<Value> {
    vec![json!({"role": "system", "content": "Be brief."}), json!({"role": "user", "content": prompt})]
}
