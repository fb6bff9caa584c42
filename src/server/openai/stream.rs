//! Answers in pieces, as server-sent events.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderValue, header};
use serde::Serialize;

use super::answer::{self, Usage};
use super::asked::Inside;
use crate::serving::Happening;

/// How a wire writes what happens.
pub(super) trait Wire: Send + 'static {
    /// What is sent before anything has been said.
    fn opening(&mut self, inside: &Inside) -> Vec<Bytes>;

    /// What is sent of what happened to a sequence; nothing where it shows nothing.
    fn piece(&mut self, inside: &Inside, choice: usize, what: &Happening) -> Option<Bytes>;

    /// What is sent at the end where the tokens are told.
    fn usage(&mut self, usage: Usage) -> Bytes;
}

/// One event.
pub(super) fn event<T: Serialize>(value: &T) -> Bytes {
    let mut out = b"data: ".to_vec();
    // What is written here is made of texts and numbers.
    let _ = serde_json::to_writer(&mut out, value);
    out.extend_from_slice(b"\n\n");
    out.into()
}

/// The answer as it comes. What fails in the middle of it is an event with an `error`, and then it ends.
pub(super) fn response(mut inside: Inside, mut wire: impl Wire) -> Response {
    let events = async_stream::stream! {
        for piece in wire.opening(&inside) {
            yield Ok::<_, std::convert::Infallible>(piece);
        }
        let mut n_left = inside.n_choices();
        let mut n_tokens = 0;
        while n_left > 0 {
            let (choice, what) = match answer::next(&mut inside).await {
                Ok(happened) => happened,
                Err(refusal) => {
                    yield Ok(event(&refusal.reply()));
                    return;
                }
            };
            match &what {
                Happening::Said { .. } => n_tokens += 1,
                Happening::Ended { .. } => n_left -= 1,
            }
            if let Some(piece) = wire.piece(&inside, choice, &what) {
                yield Ok(piece);
            }
        }
        if inside.show.usage {
            yield Ok(wire.usage(Usage::of(&inside, n_tokens)));
        }
        yield Ok(Bytes::from_static(b"data: [DONE]\n\n"));
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, Body::from_stream(events)).into_response()
}
