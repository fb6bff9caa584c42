//! What a body may look like from outside: how it is compressed and what type it says it has.
//!
//! `application/json` is not demanded, because `curl -d` says something else. What cannot be JSON in UTF-8 is
//! refused before it is read.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, header};

use super::App;
use super::problem::Problem;

/// How a body may be compressed.
const ENCODINGS: [&str; 3] = ["gzip", "zstd", "identity"];

/// Refuses bodies that cannot be what is expected.
pub async fn check(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    match check_headers(request.headers_mut()) {
        Ok(()) => next.run(request).await,
        Err(problem) => {
            app.admission.discard(request.into_body()).await;
            problem.into_response()
        }
    }
}

fn check_headers(headers: &mut HeaderMap) -> Result<(), Problem> {
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    if let (Some(encoding), more) = (encodings.next(), encodings.next()) {
        let named = encoding.to_str().unwrap_or_default().trim().to_ascii_lowercase();
        let known = ENCODINGS.iter().find(|known| **known == named);
        let (Some(known), None) = (known, more) else {
            return Err(Problem::unsupported_media(
                "this Content-Encoding is not understood; compress the body once, with gzip or zstd, or not at all",
            ));
        };
        match *known {
            "identity" => headers.remove(header::CONTENT_ENCODING),
            known => headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(known)),
        };
    }
    let Some(kind) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let kind = kind.to_str().unwrap_or_default().trim().to_ascii_lowercase();
    if kind.starts_with("multipart/") {
        return Err(Problem::unsupported_media(
            "a multipart body is not understood; send the JSON itself, as application/json",
        ));
    }
    let charset = kind.split(';').skip(1).find_map(|parameter| parameter.trim().strip_prefix("charset="));
    match charset.map(|charset| charset.trim_matches('"')) {
        None | Some("utf-8" | "utf8" | "us-ascii") => Ok(()),
        Some(_) => {
            Err(Problem::unsupported_media("JSON travels in UTF-8; encode the body so and say no charset"))
        }
    }
}
