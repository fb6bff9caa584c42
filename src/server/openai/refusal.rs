//! Errors in OpenAI's shape, for everything that goes wrong on these routes.

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use serde::Serialize;
use utoipa::ToSchema;

use super::PATHS;
use crate::server::problem::{Fault, Problem};

/// The largest problem document that is read again to be said in other words.
const MAX_PROBLEM_BYTES: usize = 1 << 20;

/// An error reply of the OpenAI wire.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpenAiError, example = json!({"error": {
    "message": "`n` is 4096; expected 1 to 128", "type": "invalid_request_error", "param": "n", "code": "invalid_value"
}}))]
pub(crate) struct ErrorReply {
    pub(super) error: ErrorBody,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = OpenAiErrorBody)]
pub(super) struct ErrorBody {
    /// What happened and what to do about it.
    message: String,
    /// `invalid_request_error`, `authentication_error`, `permission_error`, `rate_limit_error` or `server_error`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The field that is wrong.
    param: Option<String>,
    /// A stable name for what happened.
    code: Option<String>,
}

/// Why a request is not answered.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    error: ErrorBody,
    retry_after_s: Option<u64>,
    /// Whether a client should send it again, where its own rules would tell it otherwise.
    is_final: bool,
}

impl Refusal {
    fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let kind = match status {
            StatusCode::UNAUTHORIZED => "authentication_error",
            StatusCode::FORBIDDEN => "permission_error",
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
            status if status.is_server_error() => "server_error",
            _ => "invalid_request_error",
        };
        let error = ErrorBody { message: message.into(), kind, param: None, code: Some(code.to_owned()) };
        Self { status, error, retry_after_s: None, is_final: false }
    }

    /// 400: a field has a value that cannot be.
    pub(super) fn value(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_value", message).at(param)
    }

    /// 400: a field asks for what there is not.
    pub(super) fn unsupported(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "unsupported_parameter", message).at(param)
    }

    /// 400: the prompt and what may follow do not fit the model.
    pub(super) fn too_long(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "context_length_exceeded", message).at(param)
    }

    /// 404: there is no such model.
    pub(super) fn no_model(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "model_not_found", message).at("model")
    }

    /// 503: the model is not there yet.
    pub(super) fn loading() -> Self {
        let message = "the model is being loaded; send this again later";
        let refusal = Self::new(StatusCode::SERVICE_UNAVAILABLE, "model_loading", message);
        Self { retry_after_s: Some(2), ..refusal }
    }

    /// 503: the model is broken.
    pub(super) fn broken(message: impl std::fmt::Display) -> Self {
        let message = format!("the model failed: {message}");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "model_failed", message)
    }

    /// 503: the server is stopping, in the middle of the answer.
    pub(super) fn stopping() -> Self {
        let message =
            "the server is stopping and could not wait for the end of this answer; send the request again";
        let refusal = Self::new(StatusCode::SERVICE_UNAVAILABLE, "server_stopping", message);
        Self { retry_after_s: Some(5), ..refusal }
    }

    /// 504: the time for the answer is over. It would be over again, so clients are told not to try.
    pub(super) fn too_late(milliseconds: u128) -> Self {
        let message = format!(
            "the answer was not complete after {milliseconds} ms, which is its deadline; ask for fewer tokens, or \
             set a later one where the server allows it"
        );
        let refusal = Self::new(StatusCode::GATEWAY_TIMEOUT, "deadline_exceeded", message);
        Self { is_final: true, ..refusal }
    }

    fn at(mut self, param: impl Into<String>) -> Self {
        self.error.param = Some(param.into());
        self
    }

    /// The same as an event of a stream that has begun.
    pub(super) fn reply(&self) -> ErrorReply {
        ErrorReply { error: self.error.clone() }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let status = match StatusCode::from_u16(problem.status) {
            // What is wrong in a request is a 400 on this wire.
            Ok(StatusCode::UNPROCESSABLE_ENTITY) => StatusCode::BAD_REQUEST,
            Ok(status) => status,
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let name = problem.kind.rsplit(':').next().unwrap_or_default();
        let code = match name {
            "invalid" => "invalid_type",
            "unauthorized" => "invalid_api_key",
            "full" => "rate_limit_exceeded",
            other => other,
        };
        let param = problem.errors.first().map(|Fault { pointer, .. }| dotted(pointer));
        let mut refusal = Self::new(status, code, problem.detail);
        refusal.error.param = param.filter(|param| !param.is_empty());
        refusal.retry_after_s = problem.retry_after_s;
        refusal
    }
}

/// A JSON pointer in the notation of this wire: `messages[0].content`.
fn dotted(pointer: &str) -> String {
    let mut out = String::new();
    for part in pointer.split('/').skip(1) {
        if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            out.extend(["[", part, "]"]);
        } else {
            if !out.is_empty() {
                out.push('.');
            }
            out.push_str(&part.replace("~1", "/").replace("~0", "~"));
        }
    }
    out
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, crate::server::json(&self.reply())).into_response();
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.is_final {
            headers.insert("x-should-retry", HeaderValue::from_static("false"));
        }
        response
    }
}

/// Says the problems of the layers around these routes (keys, media types, methods, panics) in this wire's shape.
pub(crate) async fn speak(request: Request, next: Next) -> Response {
    let is_ours = PATHS.contains(&request.uri().path());
    let response = next.run(request).await;
    let kind = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    if !is_ours || kind != Some(b"application/problem+json") {
        return response;
    }
    let (parts, body) = response.into_parts();
    let body = http_body_util::Limited::new(body, MAX_PROBLEM_BYTES);
    let problem = match body.collect().await {
        Ok(body) => serde_json::from_slice::<Problem>(&body.to_bytes()).ok(),
        Err(_) => None,
    };
    match problem {
        Some(problem) => Refusal::from(problem).into_response(),
        None => Response::from_parts(parts, Body::empty()),
    }
}
