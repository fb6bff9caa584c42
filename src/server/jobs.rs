//! `POST /v1/jobs`: what `POST /v1/grade` does, for who does not want to hold a connection for that long.
//!
//! A job is let in like a request and holds its permits until it ends. It goes on when the client leaves.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::answers::{self, Claim, Key, Scope};
use super::auth::Caller;
use super::extract::{Path, Query};
use super::grade::{self, Arrived};
use super::job_table::{Job, Kind, Status};
use super::problem::Problem;
use super::types::{GradeReply, GradeRequest};
use super::{App, json};

/// The longest that a request waits for a job.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// When to ask again for a job that has not ended.
const ASK_AGAIN_S: u64 = 1;

/// A job.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": "job_0c6f…", "status": "running", "url": "/v1/jobs/job_0c6f…"}))]
pub struct JobReply<'a> {
    /// Its name.
    id: &'a str,
    /// How far it is.
    status: JobStatus,
    /// Where to ask for it.
    url: String,
    /// The reply of `POST /v1/grade`, when it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<GradeReply>)]
    result: Option<&'a RawValue>,
    /// What `POST /v1/grade` would have answered instead of a reply, when it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Problem>,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// Accepted; nothing of it was begun.
    Queued,
    /// It is being judged.
    Running,
    /// There is a result.
    Done,
    /// There is none and there will be none.
    Failed,
}

/// Grade later.
///
/// Takes the body of `POST /v1/grade`, is let in and refused like it, and answers at once. The result stays for 15
/// minutes after the job ended. Jobs live in memory: after a restart of the server they are not known, so send the
/// request again, with the same idempotency key.
#[utoipa::path(
    post, path = "/v1/jobs", tag = "grading",
    request_body(content = GradeRequest<'_>, content_type = "application/json"),
    params(
        ("gavel-deadline-ms" = Option<u64>, Header, description = "Completions not begun after this many milliseconds are not judged."),
        ("idempotency-key" = Option<String>, Header, description = "At most 255 characters. Sent again with the same body it names the same job; with another body it gets 422."),
    ),
    responses((status = 202, description = "Accepted", body = JobReply<'_>))
)]
pub async fn submit(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = Caller::of(&parts.extensions);
    let key = Key::read(&parts.headers, caller, Scope::Jobs);
    let arrived = Arrived::read(&app, parts.headers, body).await?;
    let Some(key) = key? else { return Ok(accepted(&*begin(app, caller, arrived).await?)) };
    let print = answers::print(&arrived.body.bytes).await?;
    loop {
        match app.answers.claim(&key, print)? {
            Claim::First(claimed) => {
                let job = begin(Arc::clone(&app), caller, arrived).await?;
                claimed.settle(Bytes::copy_from_slice(job.id().as_bytes()));
                return Ok(accepted(&job));
            }
            Claim::Repeated(waiting) => {
                let Some(id) = waiting.answer().await else { continue };
                let text = std::str::from_utf8(&id).unwrap_or_default();
                if let Some(job) = app.jobs.get(Kind::Grade, caller, text) {
                    let replayed = [(answers::REPLAYED_HEADER, HeaderValue::from_static("true"))];
                    return Ok((replayed, accepted(&job)).into_response());
                }
                // The job was cancelled, or its time is over: this is a new one.
                app.answers.forget(&key, &id);
            }
        }
    }
}

async fn begin(app: Arc<App>, caller: Caller, arrived: Arrived) -> Result<Arc<Job>, Problem> {
    let place = app.jobs.place(Kind::Grade, caller)?;
    let (batch, inside) = arrived.prepare(&app, false).await?;
    Ok(place.start(batch.control(), grade::whole(app, batch, inside)))
}

fn accepted(job: &Job) -> Response {
    let location = HeaderValue::from_str(&url(job)).unwrap_or(HeaderValue::from_static("/v1/jobs"));
    (StatusCode::ACCEPTED, [(header::LOCATION, location)], shown(job, &job.status())).into_response()
}

/// How to ask for a job.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct JobQuery {
    /// Wait up to so many seconds, at most 60, for the job to end. The header `Prefer: wait=10` says the same.
    wait_s: Option<f64>,
}

/// Ask for a job.
#[utoipa::path(
    get, path = "/v1/jobs/{id}", tag = "grading",
    params(
        ("id" = String, Path, description = "The job's name"),
        JobQuery,
        ("prefer" = Option<String>, Header, description = "`wait=10` waits up to so many seconds for the job to end (RFC 7240)."),
    ),
    responses(
        (status = 200, description = "The job, with its result when it is done", body = JobReply<'_>),
        (status = 404, description = "There is no such job, or its time is over", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn read(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(query): Query<JobQuery>,
    request: Request,
) -> Result<Response, Problem> {
    let job = find(&app, &request, &id)?;
    let preferred = preferred_wait(request.headers());
    let wait = match query.wait_s.or(preferred) {
        Some(seconds) if seconds.is_finite() && seconds >= 0.0 => {
            Duration::from_secs_f64(seconds.min(MAX_WAIT.as_secs_f64()))
        }
        Some(_) => return Err(Problem::bad_request("wait_s is a number of seconds, such as 10")),
        None => Duration::ZERO,
    };
    let status = if wait.is_zero() { job.status() } else { job.status_within(wait).await };
    let mut response = shown(&job, &status);
    let headers = response.headers_mut();
    if matches!(status, Status::Ended(_)) {
        job.fetched();
    } else {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(ASK_AGAIN_S));
    }
    if query.wait_s.is_none() && preferred.is_some() {
        headers.insert("preference-applied", HeaderValue::from_static("wait"));
    }
    Ok(response)
}

/// Cancel a job, or forget its result.
#[utoipa::path(
    delete, path = "/v1/jobs/{id}", tag = "grading",
    params(("id" = String, Path, description = "The job's name")),
    responses(
        (status = 204, description = "Forgotten; what of it was not begun is not judged, and nothing of it is kept under a run"),
        (status = 404, description = "There is no such job, or its time is over", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn cancel(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let job = find(&app, &request, &id)?;
    app.jobs.cancel(&job);
    Ok(StatusCode::NO_CONTENT)
}

fn find(app: &App, request: &Request, id: &str) -> Result<Arc<Job>, Problem> {
    app.jobs.get(Kind::Grade, Caller::of(request.extensions()), id).ok_or_else(|| {
        Problem::not_found(format!(
            "there is no job of this name: it was never there, it was cancelled, it ended more than {} minutes ago, or \
             the server was started again since; send the request again, with the same idempotency key",
            app.jobs.kept_for().as_secs() / 60
        ))
    })
}

fn url(job: &Job) -> String {
    format!("/v1/jobs/{}", job.id())
}

fn shown(job: &Job, status: &Status) -> Response {
    let mut reply =
        JobReply { id: job.id(), status: JobStatus::Queued, url: url(job), result: None, problem: None };
    match status {
        Status::Queued => {}
        Status::Running => reply.status = JobStatus::Running,
        Status::Ended(Ok(bytes)) => {
            reply.status = JobStatus::Done;
            reply.result = serde_json::from_slice(bytes).ok();
        }
        Status::Ended(Err(problem)) => {
            reply.status = JobStatus::Failed;
            reply.problem = Some(problem.clone());
        }
    }
    json(&reply)
}

/// The seconds of `Prefer: wait=…`; what is not understood there is left alone, as RFC 7240 asks.
fn preferred_wait(headers: &HeaderMap) -> Option<f64> {
    headers
        .get_all("prefer")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split([',', ';']))
        .filter_map(|preference| {
            preference.trim().strip_prefix("wait=")?.trim_matches('"').parse::<u32>().ok()
        })
        .map(f64::from)
        .next()
}
