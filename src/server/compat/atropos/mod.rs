//! Atropos's collector: environments put scored groups in, a trainer takes batches out. All under `/atropos`.
//!
//! It is what `run-api` of atroposlib serves, by the same rules and with the same replies. Nothing is judged here: an
//! environment judges before it sends. What waits is bounded; a full collector answers 503, at which an environment
//! tries again (it drops a group at any 4xx). Read in `atroposlib/api/server.py`, `atroposlib/api/utils.py` and
//! `atroposlib/envs/base.py` of 0.4.0.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::scoring::said;
use crate::server::problem::Problem;
use crate::server::{self, App};

mod batching;
mod collector;
mod group;

use collector::{Collector, Environment, Put, Trainer};
use group::{Group, ScoredData};

/// The collector of this server; there is one, as in an Atropos server.
type Shared = Arc<Mutex<Collector>>;

/// The collector's routes.
pub(super) fn routes() -> Router<Arc<App>> {
    let collector = Shared::default();
    let routes = Router::new()
        .route("/", get(root))
        .route("/register", post(register))
        .route("/register-env", post(register_environment))
        .route("/disconnect-env", post(disconnect))
        .route("/wandb_info", get(wandb_info))
        .route("/info", get(info))
        .route("/batch", get(batch))
        .route("/latest_example", get(latest_example))
        .route("/scored_data", post(scored_data))
        .route("/scored_data_list", post(scored_data_list))
        .route("/status", get(status))
        .route("/status-env", get(environment_status))
        .route("/reset_data", get(reset))
        .layer(Extension(collector));
    Router::new().nest("/atropos", routes)
}

/// Does something with the collector, which no panic leaves half done.
fn with<T>(collector: &Shared, act: impl FnOnce(&mut Collector) -> T) -> T {
    act(&mut collector.lock().unwrap_or_else(PoisonError::into_inner))
}

async fn root() -> Response {
    server::json(&json!({"message": "AtroposLib API"}))
}

async fn register(
    State(app): State<Arc<App>>,
    Extension(collector): Extension<Shared>,
    request: Request,
) -> Result<Response, Problem> {
    let trainer: Trainer = read(&app, request).await?;
    trainer.check()?;
    with(&collector, |collector| collector.register(trainer));
    // A number of 128 bits, as theirs; Python reads any.
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|_| Problem::internal())?;
    let id = u128::from_le_bytes(id);
    Ok(json_text(format!("{{\"uuid\":{id}}}")))
}

async fn register_environment(
    State(app): State<Arc<App>>,
    Extension(collector): Extension<Shared>,
    request: Request,
) -> Result<Response, Problem> {
    let environment: Environment = read(&app, request).await?;
    environment.check()?;
    let reply = with(&collector, |collector| collector.register_environment(environment))?;
    Ok(server::json(&reply))
}

/// Which environment is meant.
#[derive(Debug, Deserialize)]
struct Which {
    env_id: i64,
}

async fn disconnect(
    State(app): State<Arc<App>>,
    Extension(collector): Extension<Shared>,
    request: Request,
) -> Result<Response, Problem> {
    let Which { env_id } = read(&app, request).await?;
    let known = with(&collector, |collector| collector.disconnect(env_id));
    let reply = if known {
        json!({"status": "success"})
    } else {
        json!({"status": "failure", "error": format!("no environment has the id {env_id}")})
    };
    Ok(server::json(&reply))
}

async fn wandb_info(Extension(collector): Extension<Shared>) -> Response {
    server::json(&with(&collector, |collector| collector.wandb_info()))
}

async fn info(Extension(collector): Extension<Shared>) -> Response {
    server::json(&with(&collector, |collector| collector.info()))
}

async fn status(Extension(collector): Extension<Shared>) -> Response {
    server::json(&with(&collector, |collector| collector.status()))
}

async fn environment_status(
    State(app): State<Arc<App>>,
    Extension(collector): Extension<Shared>,
    request: Request,
) -> Result<Response, Problem> {
    let Which { env_id } = read(&app, request).await?;
    let status = with(&collector, |collector| collector.environment_status(env_id));
    let status = status.ok_or_else(|| {
        Problem::not_found(format!("no environment has the id {env_id}; register it with POST register-env"))
    })?;
    Ok(server::json(&status))
}

/// What a trainer gets where nobody has registered, word for word.
const NOT_REGISTERED: &str = "Trainer not registered. Call /register first.";

async fn batch(Extension(collector): Extension<Shared>) -> Result<Response, Problem> {
    // The whole queue is looked through, so not on a thread that others wait for.
    let batch = tokio::task::spawn_blocking(move || with(&collector, Collector::batch));
    let Some(groups) = batch.await.map_err(|_| Problem::internal())? else {
        return Ok(server::json(&json!({"status": "error", "message": NOT_REGISTERED, "batch": []})));
    };
    if groups.is_empty() {
        return Ok(server::json(&json!({"batch": null})));
    }
    let length = groups.iter().map(|group| group.json.len() + 1).sum::<usize>();
    let mut text = String::with_capacity(length + 16);
    text.push_str("{\"batch\":[");
    for (index, group) in groups.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&group.json);
    }
    text.push_str("]}");
    Ok(json_text(text))
}

async fn latest_example(Extension(collector): Extension<Shared>) -> Response {
    match with(&collector, |collector| collector.latest()) {
        Some(group) => json_text(group.json.to_string()),
        None => server::json(&json!({
            "tokens": [], "masks": [], "scores": [], "advantages": [], "ref_logprobs": [],
            "generation_params": [], "inference_logprobs": [], "messages": [], "images": [],
        })),
    }
}

async fn scored_data(
    State(app): State<Arc<App>>,
    Extension(collector): Extension<Shared>,
    request: Request,
) -> Result<Response, Problem> {
    let data = said(&app, request).await.map_err(retried)?;
    let group = reading(move || Ok(vec![group(data)?])).await?;
    let put = with(&collector, |collector| collector.put(group)).map_err(retried)?;
    let reply = match put.into_iter().next() {
        Some(Put::Buffered { size }) => json!({"status": "buffered", "buffer_size": size}),
        _ => json!({"status": "received"}),
    };
    Ok(server::json(&reply))
}

async fn scored_data_list(
    State(app): State<Arc<App>>,
    Extension(collector): Extension<Shared>,
    request: Request,
) -> Result<Response, Problem> {
    let data = said(&app, request).await.map_err(retried)?;
    let groups = reading(move || {
        let Value::Array(list) = data else {
            return Err(Problem::invalid_at("", "expected a list of scored groups"));
        };
        let one = |(index, data)| group(data).map_err(|problem| problem.under(&format!("/{index}")));
        list.into_iter().enumerate().map(one).collect()
    });
    let groups = groups.await?;
    let n = groups.len();
    let put = with(&collector, |collector| collector.put(groups)).map_err(retried)?;
    let mut reply = json!({"status": "received", "groups_processed": n});
    let buffered: Vec<usize> = put.into_iter().filter_map(Put::buffered).collect();
    if let Some(last) = buffered.last() {
        reply["buffered"] = buffered.len().into();
        reply["last_buffer_size"] = (*last).into();
    }
    Ok(server::json(&reply))
}

async fn reset(Extension(collector): Extension<Shared>) -> Response {
    with(&collector, |collector| *collector = Collector::default());
    "Reset successful".into_response()
}

/// Reads groups on a thread that nobody waits for: there may be millions of numbers in them.
async fn reading(
    read: impl FnOnce() -> Result<Vec<Group>, Problem> + Send + 'static,
) -> Result<Vec<Group>, Problem> {
    tokio::task::spawn_blocking(read).await.map_err(|_| Problem::internal())?
}

fn group(data: Value) -> Result<Group, Problem> {
    super::fields::<ScoredData>(data)?.into_group()
}

async fn read<T: DeserializeOwned>(app: &App, request: Request) -> Result<T, Problem> {
    super::fields(said(app, request).await?)
}

/// A full house as 503, which an environment tries again; at 429 it would drop its groups.
fn retried(problem: Problem) -> Problem {
    if problem.status == 429 { Problem { status: 503, ..problem } } else { problem }
}

fn json_text(text: String) -> Response {
    ([(http::header::CONTENT_TYPE, "application/json")], text).into_response()
}
