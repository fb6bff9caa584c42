//! `GET /healthz`, `/readyz` and `/metrics`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, middleware};
use http::header;
use serde_json::json;

use super::problem::Problem;
use super::{App, auth};
use crate::serving::NotReady;

/// How long the store may take to show that it is there.
const PING_TIME: Duration = Duration::from_secs(2);

/// Probes are open to everybody, they say nothing but yes or no; metrics need a key like the rest.
pub fn routes(app: Arc<App>) -> Router {
    let guarded = Router::new()
        .route("/metrics", get(metrics))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&app), auth::guard))
        .with_state(Arc::clone(&app));
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz)).with_state(app).merge(guarded)
}

/// The process runs.
async fn healthz() -> Response {
    super::json(&json!({"status": "ok"}))
}

/// Requests will be taken: the store answers, the model is loaded where one is served, and the server is not
/// stopping.
async fn readyz(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    if app.admission.is_draining() {
        return Err(Problem::draining());
    }
    match app.model.as_ref().map(|served| served.ready()) {
        None | Some(Ok(_)) => {}
        Some(Err(NotReady::Loading)) => return Err(Problem::model_unready("the model is being loaded")),
        Some(Err(NotReady::Failed(message))) => return Err(Problem::model_unready(message)),
    }
    match tokio::time::timeout(PING_TIME, app.store.ping()).await {
        Ok(Ok(())) => {
            let mut reply = json!({"status": "ready", "version": env!("CARGO_PKG_VERSION")});
            if let Some(served) = &app.model {
                reply["model"] = served.name().into();
            }
            Ok(super::json(&reply))
        }
        Ok(Err(error)) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the store does not answer");
            Err(Problem::store_unavailable())
        }
        Err(_) => Err(Problem::store_unavailable()),
    }
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    metrics::gauge!("gavel_pending_completions").set(app.admission.n_completions() as f64);
    metrics::gauge!("gavel_jobs_open").set(app.jobs.n_open() as f64);
    metrics::gauge!("gavel_verdict_cache_bytes").set(app.judge.cache().bytes() as f64);
    if let Some(served) = &app.model {
        let (n_running, n_waiting) = served.occupancy();
        metrics::gauge!("gavel_model_running").set(n_running as f64);
        metrics::gauge!("gavel_model_waiting").set(n_waiting as f64);
    }
    if let Some(guests) = &app.guests {
        let (n_running, n_waiting) = guests.occupancy();
        metrics::gauge!("gavel_sandbox_running").set(n_running as f64);
        metrics::gauge!("gavel_sandbox_waiting").set(n_waiting as f64);
    }
    let content_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (content_type, app.metrics.render()).into_response()
}
