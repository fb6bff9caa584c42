//! LLaMA-Factory's reward server, `reward_model_type: api` and `reward_model: http://…/score`.
//!
//! `messages` are whole conversations as one text each, with all marks of the chat template, and nothing of the right
//! answer: prompts are looked up in a data set, or the rubric needs no reference. The client makes a tensor of
//! `scores` and checks neither status nor nulls, so what could not be judged is the number that was set for that. Read
//! in `llamafactory/train/ppo/ppo_utils.py` of 0.9.5.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use graders::{Completion, Prompt};
use serde::{Deserialize, Serialize};

use super::scoring::{Route, Sample, enter};
use super::settings::Wire;
use super::transcript;
use crate::server::extract::Query;
use crate::server::problem::Problem;
use crate::server::types::MAX_COMPLETIONS;
use crate::server::{App, json};

const WIRE: Wire = Wire::LlamaFactory;
const MODEL: &str = "gavel";

/// The request; its `model` says nothing.
#[derive(Debug, Deserialize)]
struct Asked {
    messages: Vec<String>,
}

/// The reply, as its own server writes it.
#[derive(Debug, Serialize)]
struct Answer {
    id: &'static str,
    object: &'static str,
    model: &'static str,
    scores: Vec<f64>,
}

/// The scores of conversations.
pub(super) async fn score(
    State(app): State<Arc<App>>,
    Query(route): Query<Route>,
    request: Request,
) -> Result<Response, Problem> {
    let number = route.number(&app, WIRE)?;
    let (body, inside) = enter(&app, request).await?;
    let Asked { messages } = super::fields(body)?;
    let n = messages.len();
    if n == 0 || n > MAX_COMPLETIONS {
        let message = format!("a request has 1 to {MAX_COMPLETIONS} messages, this has {n}");
        return Err(Problem::invalid_at("/messages", message));
    }
    let samples: Vec<Sample> =
        messages.iter().map(|whole| sample(&app, &route, whole)).collect::<Result<_, _>>()?;
    let outcomes = route.judge(&app, WIRE, samples, &inside).await?;
    let scores = outcomes.iter().map(|outcome| outcome.reward_or(number, WIRE)).collect();
    Ok(json(&Answer { id: "scoreval", object: "score.evaluation", model: MODEL, scores }))
}

/// Prompt and completion. The first prompt that a data set knows is the one that was asked: what the policy wrote
/// comes after it, also where that looks like another question.
fn sample(app: &App, route: &Route, whole: &str) -> Result<Sample, Problem> {
    let ends = &app.wires.settings.end_marks;
    for (prompt, said) in transcript::turns(whole) {
        if route.knows(app, prompt)? {
            let completion = Completion::new(transcript::without_ends(said, ends));
            return Ok(Sample {
                prompt: Some(Prompt::Text(prompt.to_owned())),
                completion,
                ..Sample::default()
            });
        }
    }
    let completion = Completion::new(transcript::completion(whole, None, ends));
    Ok(Sample { completion, ..Sample::default() })
}
