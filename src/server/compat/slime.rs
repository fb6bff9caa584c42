//! slime's remote reward model, `--rm-type remote_rm --rm-url http://…/rm`.
//!
//! One sample for each request. The whole reply is the reward: a number, or with `?format=dict` an object whose field
//! `reward` is it (`--reward-key reward`), beside every component and `judged`. slime raises on null once it adds
//! rewards up, so what could not be judged is the number that was set for that. Read in
//! `slime/rollout/rm_hub/__init__.py`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use graders::Completion;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::scoring::{Route, Sample, enter};
use super::settings::Wire;
use super::transcript;
use crate::server::extract::Query;
use crate::server::problem::Problem;
use crate::server::{App, json};

const WIRE: Wire = Wire::Slime;

/// What the URL may say.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Params {
    rubric: Option<String>,
    dataset: Option<String>,
    on_infra_failure: Option<f64>,
    format: Format,
}

/// What a reply is.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    /// The reward alone.
    #[default]
    Number,
    /// An object with the reward in it.
    Dict,
}

/// The request.
#[derive(Debug, Deserialize)]
struct Asked {
    /// A text, or chat messages.
    #[serde(default)]
    prompt: Value,
    response: String,
    #[serde(default)]
    label: Value,
}

/// The reward of a sample.
pub(super) async fn rm(
    State(app): State<Arc<App>>,
    Query(params): Query<Params>,
    request: Request,
) -> Result<Response, Problem> {
    let Params { rubric, dataset, on_infra_failure, format } = params;
    let route = Route { rubric, dataset, on_infra_failure };
    let number = route.number(&app, WIRE)?;
    let (body, inside) = enter(&app, request).await?;
    let Asked { prompt, response, label } = super::fields(body)?;
    // slime decodes with the marks of the chat template where it was told to keep them.
    let text = transcript::without_ends(&response, &app.wires.settings.end_marks);
    let sample =
        Sample { prompt: serde_json::from_value(prompt).ok(), label, completion: Completion::new(text) };
    let outcomes = route.judge(&app, WIRE, vec![sample], &inside).await?;
    let outcome = outcomes.first().ok_or_else(Problem::internal)?;
    let reward = outcome.reward_or(number, WIRE);
    Ok(match format {
        Format::Number => json(&reward),
        Format::Dict => {
            let mut fields: Map<String, Value> = outcome.numbers(number);
            // Last, so that no component of that name takes its place.
            fields.insert("reward".to_owned(), reward.into());
            json(&fields)
        }
    })
}
