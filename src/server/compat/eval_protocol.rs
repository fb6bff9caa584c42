//! eval-protocol's remote reward function: `/reward` of its `RewardServer` and `/evaluate` of its generic server.
//!
//! The last message is judged. Its client reads `score`, which has to be a number, and of each metric `score`,
//! `reason` and `success`; what else is said of the whole (`is_score_valid`, `error`) it drops, so what could not be
//! judged has the number that was set for that and the metric `judged`, which is then 0 and no success. Read in
//! `eval_protocol/reward_function.py`, `server.py` and `generic_server.py` of 0.3.33.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::scoring::{Outcome, Route, Sample, enter};
use super::settings::Wire;
use super::{label, messages};
use crate::server::extract::Query;
use crate::server::problem::Problem;
use crate::server::{App, json};

const WIRE: Wire = Wire::EvalProtocol;
/// Keyword arguments that say more of the task.
const ARGUMENTS: [&str; 4] = ["rubric", "tests", "schema", "instructions"];

/// The request. `/reward` has keyword arguments beside the messages, `/evaluate` in `kwargs`.
#[derive(Debug, Deserialize)]
struct Asked {
    messages: Vec<Value>,
    #[serde(default)]
    ground_truth: Value,
    #[serde(default)]
    kwargs: Option<Map<String, Value>>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

/// The reply: its `EvaluateResult`.
#[derive(Debug, Serialize)]
struct Answer {
    score: f64,
    is_score_valid: bool,
    reason: String,
    metrics: Map<String, Value>,
    error: Option<String>,
}

/// Its `MetricResult`, with the name that the remote client has for the same.
#[derive(Debug, Serialize)]
struct Metric<'a> {
    score: f64,
    is_score_valid: bool,
    success: bool,
    reason: &'a str,
}

/// The score of a conversation.
pub(super) async fn reward(
    State(app): State<Arc<App>>,
    Query(route): Query<Route>,
    request: Request,
) -> Result<Response, Problem> {
    let number = route.number(&app, WIRE)?;
    let (body, inside) = enter(&app, request).await?;
    let sample = super::fields::<Asked>(body)?.sample()?;
    let outcomes = route.judge(&app, WIRE, vec![sample], &inside).await?;
    let outcome = outcomes.first().ok_or_else(Problem::internal)?;
    Ok(json(&Answer::of(outcome, number)))
}

impl Asked {
    fn sample(self) -> Result<Sample, Problem> {
        let Self { messages, ground_truth, kwargs, mut more } = self;
        more.extend(kwargs.unwrap_or_default());
        let (prompt, completion) = messages::last_said(messages).ok_or_else(|| {
            Problem::invalid_at("/messages", "the last message is judged and has to be the assistant's")
        })?;
        // The right answer may be a conversation too; its last message is what is right.
        let ground_truth = match ground_truth.as_array().and_then(|truth| truth.last()) {
            Some(last) if last.get("role").is_some() => messages::text(&last["content"]).into(),
            _ => ground_truth,
        };
        more.retain(|name, value| ARGUMENTS.contains(&name.as_str()) && !value.is_null());
        Ok(Sample { prompt, label: label::with(ground_truth, more), completion })
    }
}

impl Answer {
    fn of(outcome: &Outcome, number: f64) -> Self {
        let reply = &outcome.reply;
        let score = outcome.reward_or(number, WIRE);
        let is_score_valid = reply.reward.is_some();
        let error = reply.error.as_ref().map(|error| error.message.clone());
        let reasons = reply.components.iter().map(|part| format!("{}: {}", part.name, part.reason));
        let reason = error.clone().unwrap_or_else(|| reasons.collect::<Vec<_>>().join("; "));
        let metric = |score: Option<f64>, reason: &str| {
            let is_score_valid = score.is_some();
            let score = score.unwrap_or(number);
            serde_json::to_value(Metric { score, is_score_valid, success: is_score_valid, reason })
                .unwrap_or_default()
        };
        let mut metrics: Map<String, Value> = Map::new();
        for part in &reply.components {
            metrics.insert(part.name.clone(), metric(part.score, &part.reason));
        }
        let judged = Metric {
            score: f64::from(u8::from(is_score_valid)),
            is_score_valid,
            success: is_score_valid,
            reason: error.as_deref().unwrap_or("judged"),
        };
        metrics.insert("judged".to_owned(), serde_json::to_value(judged).unwrap_or_default());
        Self { score, is_score_valid, reason, metrics, error }
    }
}
