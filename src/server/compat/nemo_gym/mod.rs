//! NeMo-Gym's resources server: `/seed_session`, `/verify`, `/close_session`, `/aggregate_metrics`, `/reverify_mode`.
//!
//! Also its gymnasium flavour, `/reset` and `/step`, and the same wire for verifiers under `/verifiers`.
//!
//! Nothing is kept between the calls of a rollout: what judges it stands in its row. So a session is not needed, and
//! the cookie of one that was asked for holds nothing. A reply to `/verify` is the whole request and the verdict.
//! A completion that could not be judged has `mask_sample: true` beside a number, because NeMo-Gym cannot read null;
//! verifiers does not look at `mask_sample` and marks a rollout as failed when the reward is null, so it gets that.
//! Read in `nemo_gym/base_resources_server.py`, `environment_servers/single_agent_turn/app.py` and
//! `responses_api_agents/{simple,gymnasium}_agent/app.py` of nemo-gym 0.7.0, and in
//! `verifiers/v1/tasksets/nemo_gym/taskset.py` of verifiers 0.4.0.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderValue, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::scoring::{Route, enter, said};
use super::settings::Wire;
use crate::server::extract::{Path, Query};
use crate::server::problem::Problem;
use crate::server::{self, App};

mod metrics;
mod row;
mod table;
mod verdict;

use row::Row;
use verdict::Verdict;

const WIRE: Wire = Wire::NemoGym;

/// The cookie that a seed of an environment server has to get; there is nothing to remember behind it.
const COOKIE: HeaderValue =
    HeaderValue::from_static("gavel_session=stateless; Path=/; HttpOnly; SameSite=Lax");

/// The rows of a request to aggregate; more than an evaluation of a million rollouts has.
const MAX_ROWS: usize = 1 << 20;

/// The wire's routes, also behind the prefix by which NeMo-Gym says which rollout a call belongs to.
pub(super) fn routes() -> Router<Arc<App>> {
    let session = || {
        Router::new()
            .route("/seed_session", post(open_session))
            .route("/close_session", post(close_session))
            .route("/aggregate_metrics", post(aggregate_metrics))
            .route("/reverify_mode", get(reverify_mode))
    };
    let gymnasium = || Router::new().route("/reset", post(reset)).route("/step", post(step));
    let resources = || session().route("/verify", post(verify)).merge(gymnasium());
    let verifiers = || session().route("/verify", post(verify_or_null));
    resources()
        .nest("/ng-rollout/{rollout_id}", resources())
        .nest("/gymnasium", gymnasium().route("/aggregate_metrics", post(aggregate_metrics)))
        .nest("/verifiers", verifiers())
        .nest("/verifiers/{rubric}", verifiers())
}

/// What a path may say.
type Named = Path<HashMap<String, String>>;

/// The request of a rollout's first and last call, as far as it is answered.
#[derive(Debug, Deserialize)]
struct Session {
    #[serde(default)]
    resources_session_id: Option<String>,
}

/// Begins a rollout. An environment server names the session and reads its name back.
async fn open_session(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let Session { resources_session_id } = super::fields(said(&app, request).await?)?;
    let Some(id) = resources_session_id else { return Ok(server::json(&json!({}))) };
    let reply = json!({"resources_session_id": id, "resources_tools": null, "sandbox_access": null});
    Ok(([(header::SET_COOKIE, COOKIE)], server::json(&reply)).into_response())
}

/// Ends a rollout; so does it for one that never began, and again for one that ended.
async fn close_session(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let Session { resources_session_id } = super::fields(said(&app, request).await?)?;
    let reply = resources_session_id.map_or_else(|| json!({}), |id| json!({"resources_session_id": id}));
    Ok(server::json(&reply))
}

/// Whether stored rollouts can be verified again without their sessions.
async fn reverify_mode() -> Response {
    server::json(&"stateless")
}

async fn verify(
    State(app): State<Arc<App>>,
    Query(route): Query<Route>,
    request: Request,
) -> Result<Response, Problem> {
    let number = number(&app, &route)?.unwrap_or(0.0);
    let (mut row, verdict) = judged(&app, &route, request).await?;
    verdict.count();
    verdict.write(&mut row, Some(number));
    Ok(server::json(&row))
}

async fn verify_or_null(
    State(app): State<Arc<App>>,
    Path(named): Named,
    Query(mut route): Query<Route>,
    request: Request,
) -> Result<Response, Problem> {
    route.rubric = route.rubric.or_else(|| named.get("rubric").cloned());
    let (mut row, verdict) = judged(&app, &route, request).await?;
    verdict.write(&mut row, None);
    Ok(server::json(&row))
}

/// Begins an episode of one step: its prompt is the row's own.
async fn reset(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    said(&app, request).await?;
    Ok(server::json(&json!({"observation": null, "info": {}})))
}

/// The one step of an episode. The agent drops `mask_sample`, so that there is a number for a reward that could not be
/// given only where one was asked for; at null the agent fails, and the rollout is begun again.
async fn step(
    State(app): State<Arc<App>>,
    Query(route): Query<Route>,
    request: Request,
) -> Result<Response, Problem> {
    let number = number(&app, &route)?;
    let (_, verdict) = judged(&app, &route, request).await?;
    verdict.count();
    let mut info = Map::new();
    verdict.write(&mut info, number);
    let reward = info.remove("reward");
    let reply = json!({
        "observation": null, "reward": reward, "terminated": true, "truncated": false, "info": info,
    });
    Ok(server::json(&reply))
}

/// The request to aggregate.
#[derive(Debug, Deserialize)]
struct Verified {
    verify_responses: Vec<Map<String, Value>>,
}

async fn aggregate_metrics(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let Verified { verify_responses: rows } = super::fields(said(&app, request).await?)?;
    if rows.len() > MAX_ROWS {
        let message = format!("at most {MAX_ROWS} rollouts are aggregated, these are {}", rows.len());
        return Err(Problem::invalid_at("/verify_responses", message));
    }
    let reply = tokio::task::spawn_blocking(move || server::json(&metrics::aggregated(&rows)));
    reply.await.map_err(|_| Problem::internal())
}

/// The number that stands for a reward that could not be given, where somebody said which.
fn number(app: &App, route: &Route) -> Result<Option<f64>, Problem> {
    let said = route.on_infra_failure.or_else(|| app.wires.settings.on_infra_failure(WIRE));
    said.map(|_| route.number(app, WIRE)).transpose()
}

/// Judges the one rollout of a request.
async fn judged(
    app: &App,
    route: &Route,
    request: Request,
) -> Result<(Map<String, Value>, Verdict), Problem> {
    let (body, inside) = enter(app, request).await?;
    let Value::Object(row) = body else {
        return Err(Problem::invalid_at("", "expected an object: a row of the data set with its `response`"));
    };
    let (sample, answered) = Row::new(&row).sample(&app.wires.sets, route.dataset.as_deref());
    let outcome = route.judge(app, WIRE, vec![sample], &inside).await?.pop().ok_or_else(Problem::internal)?;
    Ok((row, Verdict::new(outcome, answered)))
}
