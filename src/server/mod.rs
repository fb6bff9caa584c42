//! The HTTP server: reads requests, hands groups to the judge, writes replies.
//!
//! It never grades, and it never knows the learner. One file per resource; wire types in [`types`], errors in
//! [`problem`], what may wait in [`admission`].

#![allow(clippy::missing_errors_doc, reason = "what a handler answers stands in its `utoipa::path`")]

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use metrics_exporter_prometheus::PrometheusHandle;
use sandboxes::{Guests, Sandbox};
use serde::Serialize;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::decompression::RequestDecompressionLayer;
use tower_http::map_request_body::MapRequestBodyLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::TraceLayer;

pub mod admission;
pub mod answers;
pub mod auth;
pub mod compat;
pub mod dashboard;
pub mod decode;
pub mod execute;
pub mod explain;
pub mod extract;
pub mod gathering;
pub mod grade;
pub mod health;
pub mod job_table;
pub mod jobs;
pub mod keeping;
pub mod languages;
pub mod listen;
pub mod measure;
pub mod media;
pub mod openai;
pub mod openapi;
pub mod problem;
pub mod program;
pub mod regrade;
pub mod rubric_cache;
pub mod rubrics;
pub mod runs;
pub mod scoring;
pub mod tasks;
pub mod types;
pub mod value;

use crate::judge::Judge;
use crate::serving::Served;
use crate::store::{Store, StoreError};
use crate::telemetry;
use admission::Admission;
use answers::Answers;
use auth::Gatekeeper;
use job_table::Jobs;
use problem::Problem;
use rubric_cache::RubricCache;

/// All that handlers share.
pub struct App {
    /// Judges.
    pub judge: Judge,
    /// Keeps.
    pub store: Store,
    /// Says what may wait.
    pub admission: Admission,
    /// Knows the keys.
    pub gatekeeper: Gatekeeper,
    /// Rubrics read lately.
    pub rubrics: RubricCache,
    /// Answers by idempotency key.
    pub answers: Arc<Answers>,
    /// What was accepted and is done later.
    pub jobs: Arc<Jobs>,
    /// What runs programs, as far as requests ask about it; the judge runs them.
    pub sandbox: Option<Arc<dyn Sandbox>>,
    /// The same where it is the installed guests.
    pub guests: Option<Arc<Guests>>,
    /// The model that answers, if one is served.
    pub model: Option<Arc<Served>>,
    /// What the wires of trainers need to know.
    pub wires: compat::Wires,
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
    /// The rest.
    pub settings: Settings,
}

/// What handlers need to know of the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The longest deadline a request gets, and the one it gets when it asks for none.
    pub max_deadline: Duration,
}

/// The name of the header that carries a request's id, in and out.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The whole service. Tests call it without a socket.
pub fn router(app: Arc<App>) -> axum::Router {
    let (routes, document) = openapi::routes().with_state(Arc::clone(&app)).split_for_parts();
    let guarded = middleware::from_fn_with_state(Arc::clone(&app), auth::guard);
    let checked = middleware::from_fn_with_state(Arc::clone(&app), media::check);
    let measured = middleware::from_fn(measure_request);
    let spoken = middleware::from_fn(openai::speak);
    let layers = ServiceBuilder::new()
        .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
        .layer(TraceLayer::new_for_http().make_span_with(span).on_request(()).on_response(log_response))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(measured)
        .layer(CompressionLayer::new())
        .layer(spoken)
        .layer(checked)
        .layer(RequestDecompressionLayer::new())
        .layer(MapRequestBodyLayer::new(Body::new))
        .layer(CatchPanicLayer::custom(panicked));
    routes
        .route_layer(guarded)
        .merge(openapi::pages(document))
        .merge(dashboard::routes())
        .merge(compat::routes(Arc::clone(&app)))
        .merge(health::routes(app))
        .fallback(no_such_path)
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(layers)
}

async fn no_such_path() -> Problem {
    Problem::not_found("there is no such path; GET /openapi.json lists what there is, GET /docs shows it")
}

fn span(request: &http::Request<Body>) -> tracing::Span {
    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    let span = tracing::info_span!("request", method = %request.method(), path = request.uri().path(), request_id = id);
    telemetry::follow(request.headers(), &span);
    span
}

fn log_response(response: &http::Response<Body>, latency: Duration, _: &tracing::Span) {
    tracing::debug!(
        status = response.status().as_u16(),
        latency_ms = latency.as_secs_f64() * 1e3,
        "answered"
    );
}

async fn measure_request(request: Request, next: middleware::Next) -> Response {
    // The route's pattern and not the path: a label must not grow with what callers write.
    let route = request
        .extensions()
        .get::<axum::extract::MatchedPath>()
        .map_or_else(|| "other".to_owned(), |path| path.as_str().to_owned());
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    metrics::counter!("gavel_requests_total", "route" => route, "status" => status).increment(1);
    response
}

#[expect(clippy::needless_pass_by_value, reason = "the layer's signature")]
fn panicked(
    panic: Box<dyn std::any::Any + Send + 'static>,
) -> http::Response<http_body_util::Full<bytes::Bytes>> {
    let message = panic.downcast_ref::<&str>().copied().map(str::to_owned);
    let message = message.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    tracing::error!(panic = %message, "a handler panicked");
    let body = serde_json::to_vec(&Problem::internal()).unwrap_or_default();
    let mut response = http::Response::new(http_body_util::Full::from(body));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    let content_type = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

/// A JSON reply.
pub(crate) fn json<T: Serialize>(value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => {
            ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a reply could not be written as JSON");
            Problem::internal().into_response()
        }
    }
}

/// A reply that is JSON already.
pub(crate) fn json_bytes(body: bytes::Bytes) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}

/// What the store's failure is to a client; the log gets the cause.
#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
pub(crate) fn store_problem(error: StoreError) -> Problem {
    match &error {
        StoreError::NotFound { .. } => Problem::not_found(error.to_string()),
        StoreError::Conflict { .. } => Problem::conflict(error.to_string()),
        StoreError::Invalid { .. } => Problem::bad_request(error.to_string()),
        _ => {
            tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
            metrics::counter!("gavel_store_failures_total").increment(1);
            if error.is_outage() { Problem::store_unavailable() } else { Problem::internal() }
        }
    }
}
