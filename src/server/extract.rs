//! Path and query parameters, with a problem document for what is wrong with them.

use axum::extract::FromRequestParts;
use axum::extract::rejection::{PathRejection, QueryRejection};
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// The path's parameters.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = axum::extract::Path::from_request_parts(parts, state).await;
        path.map(|axum::extract::Path(path)| Self(path)).map_err(|rejection: PathRejection| {
            Problem::bad_request(format!(
                "{}; names in a path are percent-encoded UTF-8",
                rejection.body_text()
            ))
        })
    }
}

/// The query's parameters.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = axum::extract::Query::from_request_parts(parts, state).await;
        query
            .map(|axum::extract::Query(query)| Self(query))
            .map_err(|rejection: QueryRejection| Problem::bad_request(plain_words(&rejection.body_text())))
    }
}

/// What the parsers of numbers say, and what a caller can do about it.
const WORDS: &[(&str, &str)] = &[
    ("invalid digit found in string", "expected a whole number that is not negative"),
    ("cannot parse integer from empty string", "expected a whole number that is not negative"),
    ("number too large to fit in target type", "the number is too large"),
    ("invalid float literal", "expected a number"),
    ("cannot parse float from empty string", "expected a number"),
];

fn plain_words(message: &str) -> String {
    let message = message.strip_prefix("Failed to deserialize query string: ").unwrap_or(message);
    let mut message = format!("the query parameter {message}");
    for (rust, plain) in WORDS {
        message = message.replace(rust, plain);
    }
    message
}

/// The size of a page that a caller asks for.
///
/// # Errors
/// When there are no such pages: they are not silently made smaller.
pub fn page_size(limit: Option<u32>, most: u32) -> Result<Option<u32>, Problem> {
    match limit {
        Some(limit) if limit == 0 || limit > most => {
            Err(Problem::bad_request(format!("limit={limit} is out of range; expected 1 to {most}")))
        }
        limit => Ok(limit),
    }
}
