//! Errors as RFC 9457 problem documents: what is wrong, where, and what to do.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use graders::ConfigError;
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The longest message, in bytes: what was sent is not sent back.
const MAX_MESSAGE_BYTES: usize = 2000;
/// The longest pointer, in bytes.
const MAX_POINTER_BYTES: usize = 1000;
/// The most faults in one reply.
const MAX_FAULTS: usize = 100;

/// An error reply (RFC 9457).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "type": "urn:gavel:problem:invalid", "title": "the request is understood but invalid", "status": 422,
    "detail": "unknown grader `maths`; there are math, …",
    "errors": [{"pointer": "/rubric/components/0/grader/type", "message": "unknown grader `maths`; there are math, …"}]
}))]
pub struct Problem {
    /// A stable name for the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time and what to do about it.
    pub detail: String,
    /// The places in the request that are wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Fault>,
    /// Seconds to wait before trying again, sent as `Retry-After` too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
}

/// One place in a request that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Fault {
    /// JSON pointer (RFC 6901) into the request; empty for the whole.
    pub pointer: String,
    /// What is wrong there and what would be right.
    pub message: String,
}

impl Fault {
    /// A fault at `pointer`.
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        let mut pointer = pointer.into();
        // A key of a megabyte is not repeated: the pointer then ends at what holds it.
        while pointer.len() > MAX_POINTER_BYTES {
            pointer.truncate(pointer.rfind('/').unwrap_or(0));
        }
        Self { pointer, message: shortened(message.into()) }
    }
}

/// A message without its middle, where it repeats too much of what was sent; what to do stands at its end.
fn shortened(message: String) -> String {
    if message.len() <= MAX_MESSAGE_BYTES {
        return message;
    }
    let head = message.floor_char_boundary(MAX_MESSAGE_BYTES / 2);
    let tail = message.ceil_char_boundary(message.len() - MAX_MESSAGE_BYTES / 2);
    format!("{} … {}", &message[..head], &message[tail..])
}

impl From<ConfigError> for Fault {
    fn from(error: ConfigError) -> Self {
        Self::new(error.pointer, error.message)
    }
}

impl Problem {
    fn new(status: StatusCode, name: &str, title: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:gavel:problem:{name}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: shortened(detail.into()),
            errors: Vec::new(),
            retry_after_s: None,
        }
    }

    /// 400: the body is not JSON.
    ///
    /// `pointer` says as far as it could be read.
    pub fn not_json(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        let fault = Fault::new(pointer, message);
        let problem =
            Self::new(StatusCode::BAD_REQUEST, "not_json", "the body is not JSON", fault.message.clone());
        Self { errors: vec![fault], ..problem }
    }

    /// 400: the request cannot be read for another reason.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", "the request cannot be read", detail)
    }

    /// 401: no key, or one that is not known.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "a valid key is needed", detail)
    }

    /// 403: not for this caller.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "this caller may not do this", detail)
    }

    /// 404: there is no such thing.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is no such thing", detail)
    }

    /// 405: the path exists but not with this method.
    pub fn method_not_allowed() -> Self {
        let detail = "this path does not take this method; GET /openapi.json lists what there is";
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "the method is not allowed here",
            detail,
        )
    }

    /// 408: the body came too slowly.
    pub fn too_slow(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "too_slow", "the body did not arrive in time", detail)
    }

    /// 409: what is asked conflicts with what is there.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "this conflicts with what is there", detail)
    }

    /// 410: what was asked for was taken back.
    pub fn gone(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::GONE, "gone", "this is no longer there", detail)
    }

    /// 413: the body is too large.
    pub fn too_large(limit: usize) -> Self {
        let detail = format!(
            "the body is larger than {limit} bytes after decompression; send fewer groups at once, or start the \
             server with a larger --max-body-bytes"
        );
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the body is too large", detail)
    }

    /// 415: the body is of another type.
    pub fn unsupported_media(detail: impl Into<String>) -> Self {
        let title = "the body has a type or encoding that is not understood";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media", title, detail)
    }

    /// 422: understood but invalid.
    pub fn invalid(mut errors: Vec<Fault>) -> Self {
        let title = "the request is understood but invalid";
        let detail = match errors.as_slice() {
            [only] => only.message.clone(),
            [first, rest @ ..] => format!("{} (and {} more)", first.message, rest.len()),
            [] => title.to_owned(),
        };
        errors.truncate(MAX_FAULTS);
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", title, detail) }
    }

    /// 422 for one place.
    pub fn invalid_at(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid(vec![Fault::new(pointer, message)])
    }

    /// 422: the idempotency key came with another body before.
    pub fn key_reused() -> Self {
        let detail = "this idempotency key was sent with another body before; make a new key for each request, and \
            send the same one only with the same body";
        let title = "the idempotency key belongs to another request";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "key_reused", title, detail)
    }

    /// 429: full. Nothing of the request was begun.
    pub fn full(retry_after: Duration) -> Self {
        let detail = "as much is waiting as may wait; nothing of this request was begun, send it again later";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "full", "the server is full", detail)
            .retry_after(retry_after)
    }

    /// 503: going away. Nothing of the request was begun.
    pub fn draining() -> Self {
        let detail = "the server finishes what it accepted and then stops; send this request to another one";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "draining", "the server is stopping", detail)
            .retry_after(Duration::from_secs(5))
    }

    /// 503: the store cannot be reached.
    pub fn store_unavailable() -> Self {
        let detail = "the store did not answer; the server's log says why";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", "the store is unavailable", detail)
            .retry_after(Duration::from_secs(1))
    }

    /// 503: the model that is served is not there, yet or any more.
    pub fn model_unready(detail: impl Into<String>) -> Self {
        let title = "the model cannot be asked";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "model_unready", title, detail)
            .retry_after(Duration::from_secs(2))
    }

    /// 503: the judge could not judge, for no fault of the request.
    pub fn unjudged(detail: impl Into<String>) -> Self {
        let title = "the judge could not judge";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unjudged", title, detail)
    }

    /// 500: a fault of ours; the log has the cause.
    pub fn internal() -> Self {
        let detail = "a fault in the server; its log has the cause under this request's id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "a fault in the server", detail)
    }

    /// The same problem seen from further out.
    #[must_use]
    pub fn under(mut self, prefix: &str) -> Self {
        for fault in &mut self.errors {
            fault.pointer.insert_str(0, prefix);
        }
        self
    }

    fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after_s = Some(after.as_secs().max(1));
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
