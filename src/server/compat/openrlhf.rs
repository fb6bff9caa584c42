//! OpenRLHF's remote reward model, `--reward.remote_url http://…/get_reward`.
//!
//! `query` holds prompt and completion with all marks of the chat template, `prompts` what it begins with, `labels`
//! whatever the data set holds. `rewards` and `scores` are numbers: OpenRLHF fails on null and gives up on 5xx after
//! five seconds, so what could not be judged becomes the number that was set for that, and `judged` in `extra_logs`
//! is 0. Read in `openrlhf/utils/agent.py` of 0.11.2.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use graders::{Completion, Prompt};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::scoring::{Route, Sample, enter};
use super::settings::Wire;
use super::transcript;
use crate::server::extract::Query;
use crate::server::problem::Problem;
use crate::server::types::MAX_COMPLETIONS;
use crate::server::{App, json};

const WIRE: Wire = Wire::OpenRlhf;

/// The request.
#[derive(Debug, Deserialize)]
struct Asked {
    query: Vec<String>,
    #[serde(default)]
    prompts: Vec<String>,
    #[serde(default)]
    labels: Vec<Value>,
}

/// The reply.
#[derive(Debug, Serialize)]
struct Answer {
    /// What the policy is trained on; clipped to ±10 there.
    rewards: Vec<f64>,
    /// What dynamic filtering looks at.
    scores: Vec<f64>,
    /// Numbers for the log, each a list as long as `rewards`.
    extra_logs: Map<String, Value>,
}

/// Rewards for queries.
pub(super) async fn get_reward(
    State(app): State<Arc<App>>,
    Query(route): Query<Route>,
    request: Request,
) -> Result<Response, Problem> {
    let number = route.number(&app, WIRE)?;
    let (body, inside) = enter(&app, request).await?;
    let asked: Asked = super::fields(body)?;
    let samples = asked.samples(&app.wires.settings.end_marks)?;
    let outcomes = route.judge(&app, WIRE, samples, &inside).await?;
    let rewards: Vec<f64> = outcomes.iter().map(|outcome| outcome.reward_or(number, WIRE)).collect();
    let mut extra_logs: Map<String, Value> = Map::new();
    for (index, outcome) in outcomes.iter().enumerate() {
        for (name, value) in outcome.numbers(number) {
            // A sample whose label names another rubric has other components; the lists stay equally long.
            let column = extra_logs.entry(name).or_insert_with(|| vec![number; outcomes.len()].into());
            column[index] = value;
        }
    }
    Ok(json(&Answer { scores: rewards.clone(), rewards, extra_logs }))
}

impl Asked {
    fn samples(self, end_marks: &[String]) -> Result<Vec<Sample>, Problem> {
        let Self { query, prompts, labels } = self;
        let n = query.len();
        if n == 0 || n > MAX_COMPLETIONS {
            let message = format!("a request has 1 to {MAX_COMPLETIONS} queries, this has {n}");
            return Err(Problem::invalid_at("/query", message));
        }
        for (name, length) in [("prompts", prompts.len()), ("labels", labels.len())] {
            if length != 0 && length != n {
                let message =
                    format!("there are {n} queries and {length} {name}; send one for each, or none");
                return Err(Problem::invalid_at(format!("/{name}"), message));
            }
        }
        let mut prompts = prompts.into_iter();
        let mut labels = labels.into_iter();
        let sample = |whole: String| {
            let prompt = prompts.next();
            let text = transcript::completion(&whole, prompt.as_deref(), end_marks);
            let completion = Completion::new(text);
            Sample { prompt: prompt.map(Prompt::Text), label: labels.next().unwrap_or_default(), completion }
        };
        Ok(query.into_iter().map(sample).collect())
    }
}
