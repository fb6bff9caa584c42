//! OpenEnv: environments that are reset and stepped, over a WebSocket or one request at a time.
//!
//! `/openenv/{set}` is the base URL of one task set and `/openenv` that of all, where `reset` names the set. An action
//! is one text, `{"answer": "…"}`; it ends the episode with a reward. Over HTTP nothing is kept between two requests,
//! as in OpenEnv's own server: `/step` says itself which task it answers. Read in
//! `openenv/core/env_server/{types,http_server}.py` and `openenv/core/env_client.py` of 0.10.0.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};
use http::request::Parts;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use self::play::{Action, Options};
use super::episode;
use super::scoring::enter;
use super::task_api;
use crate::server::problem::Problem;
use crate::server::{App, json};

mod play;
mod socket;

/// The routes of OpenEnv.
pub(super) fn routes() -> Router<Arc<App>> {
    let mut router = Router::new();
    for base in ["/openenv", "/openenv/{set}"] {
        let path = |name: &str| format!("{base}/{name}");
        router = router
            .route(&path("ws"), get(socket::connect))
            .route(&path("reset"), post(reset))
            .route(&path("step"), post(step))
            .route(&path("state"), get(state))
            .route(&path("schema"), get(schema))
            .route(&path("metadata"), get(metadata))
            .route(&path("health"), get(health))
            .route(&path("list_environments"), get(list))
            .route(&path("{env}/splits"), get(task_api::splits))
            .route(&path("{env}/num_tasks"), post(task_api::num_tasks))
            .route(&path("{env}/task"), post(task_api::task))
            .route(&path("{env}/tasks"), post(task_api::tasks))
            .route(&path("{env}/task_range"), post(task_api::task_range));
    }
    router.layer(Extension(Arc::new(socket::Sessions::default())))
}

/// The set that a path names, if it names one.
#[derive(Debug)]
pub(super) struct Named(Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let parameters = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
        let name = parameters.iter().find(|(name, _)| *name == "set").map(|(_, value)| value.to_owned());
        Ok(Self(name))
    }
}

/// The body of `/reset`.
async fn reset(
    State(app): State<Arc<App>>,
    Named(set): Named,
    request: Request,
) -> Result<Response, Problem> {
    let (body, _inside) = enter_or_empty(&app, request).await?;
    let options: Options = super::fields(body)?;
    Ok(json(&play::begin(&app, set.as_deref(), &options).await?.shown()))
}

/// The body of `/step`.
#[derive(Debug, Deserialize)]
struct Step {
    action: Value,
    #[serde(flatten)]
    options: Options,
}

async fn step(State(app): State<Arc<App>>, Named(set): Named, request: Request) -> Result<Response, Problem> {
    let (body, inside) = enter(&app, request).await?;
    let step: Step = super::fields(body)?;
    if step.options.is_any() {
        return Err(Problem::invalid_at(
            "",
            "over HTTP nothing is kept between /reset and /step: put `index` or `seed`, as the metadata of /reset \
             says it, beside `action`; or use the WebSocket",
        ));
    }
    let action = serde_json::value::to_raw_value(&step.action).map_err(|_| Problem::internal())?;
    let mut play = play::begin(&app, set.as_deref(), &step.options).await?;
    let judged = play.step(&app, Action::read(&action), inside.started).await?;
    Ok(json(&judged.shown()))
}

/// Lets a request in whose body may be empty.
async fn enter_or_empty(app: &App, request: Request) -> Result<(Value, impl Sized), Problem> {
    let admitted = app.admission.enter()?;
    let body = app.admission.read_small(request.into_body()).await?;
    let value = if body.bytes.is_empty() { json!({}) } else { super::lenient::read(&body.bytes)? };
    Ok((value, (admitted, body.room)))
}

/// Over HTTP there is no episode to tell of.
async fn state(State(app): State<Arc<App>>, Named(set): Named) -> Result<Response, Problem> {
    episode::set(&app.wires.sets, set.as_deref())?;
    Ok(json(&json!({"episode_id": null, "step_count": 0})))
}

async fn schema(State(app): State<Arc<App>>, Named(set): Named) -> Result<Response, Problem> {
    episode::set(&app.wires.sets, set.as_deref())?;
    Ok(json(&play::schema()))
}

async fn metadata(State(app): State<Arc<App>>, Named(set): Named) -> Result<Response, Problem> {
    let set = episode::set(&app.wires.sets, set.as_deref())?;
    Ok(json(&json!({
        "name": set.name(),
        "description": episode::description(&set),
        "readme_content": null,
        "version": env!("CARGO_PKG_VERSION"),
        "author": null,
        "documentation_url": null,
    })))
}

async fn health(State(app): State<Arc<App>>, Named(set): Named) -> Result<Response, Problem> {
    episode::set(&app.wires.sets, set.as_deref())?;
    Ok(json(&json!({"status": "healthy"})))
}

async fn list(State(app): State<Arc<App>>, Named(set): Named) -> Result<Response, Problem> {
    let sets = &app.wires.sets;
    Ok(json(&match set {
        Some(name) => vec![episode::set(sets, Some(&name))?.name()],
        None => sets.names(),
    }))
}

/// A part of a message that is read later.
type Raw = Box<RawValue>;
