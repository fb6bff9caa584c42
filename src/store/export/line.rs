//! Lines made of a whole group: the forms `full` and `completions`, and how a reply is written in each form.

use graders::Prompt;
use serde_json::{Value, json};

use crate::store::error::StoreError;
use crate::store::types::{ScoredCompletion, StoredGroup};

/// The line of one group in the form `full`.
pub(super) fn full(stored: &StoredGroup) -> Value {
    let group = &stored.group;
    json!({
        "group": stored.id.0,
        "id": group.id,
        "run": group.run.as_str(),
        "step": group.step,
        "created_at_ms": stored.created_at.unix_ms(),
        "task": group.task,
        "rubric": {"hash": group.rubric.hash, "name": group.rubric.name},
        "reference_hash": group.reference_hash,
        "grader_versions": group.grader_versions,
        "completions": group.completions.iter().map(full_completion).collect::<Vec<_>>(),
    })
}

fn full_completion(scored: &ScoredCompletion) -> Value {
    let error = scored.reward.total.as_ref().err();
    let components: Vec<Value> = scored
        .reward
        .components
        .iter()
        .map(|component| {
            let verdict = component.outcome.as_ref().ok();
            json!({
                "name": &*component.name,
                "weight": component.weight,
                "score": verdict.and_then(|verdict| verdict.score),
                "reason": verdict.map(|verdict| verdict.reason),
                "detail": verdict.map(|verdict| &verdict.detail),
                "error": component.outcome.as_ref().err(),
            })
        })
        .collect();
    json!({
        "id": scored.completion.id,
        "text": scored.completion.text,
        "n_tokens": scored.completion.n_tokens,
        "finish_reason": scored.completion.finish_reason,
        "reward": scored.reward.total.as_ref().ok(),
        "advantage": scored.advantage,
        "error": error.map(|error| {
            json!({"component": &*error.component, "kind": error.kind, "message": error.message})
        }),
        "components": components,
    })
}

/// The lines of one group in the form `completions`.
pub(super) fn labelled(stored: &StoredGroup, threshold: f64) -> Vec<Result<Value, StoreError>> {
    let group = &stored.group;
    let prompt = group.task.prompt.as_ref();
    let rewarded =
        group.completions.iter().filter_map(|scored| Some((scored, *scored.reward.total.as_ref().ok()?)));
    rewarded
        .map(|(scored, reward)| {
            let completion = &scored.completion;
            Ok(json!({
                "prompt": prompt,
                "completion": reply(prompt, &completion.text),
                "label": reward >= threshold,
                "reward": reward,
                "advantage": scored.advantage,
                "n_tokens": completion.n_tokens,
                "id": completion.id,
                "group": stored.id.0,
                "step": group.step,
            }))
        })
        .collect()
}

/// What the policy wrote, in the prompt's form.
pub(super) fn reply(prompt: Option<&Prompt>, text: &str) -> Value {
    match prompt {
        Some(Prompt::Messages(_)) => json!([assistant(text)]),
        Some(Prompt::Text(_)) | None => text.into(),
    }
}

/// A message of the assistant.
pub(super) fn assistant(text: &str) -> Value {
    json!({"role": "assistant", "content": text})
}
