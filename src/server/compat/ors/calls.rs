//! Calls of Open Reward Standard: work that goes on when its client is cut off, and whose result waits for a while.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue};
use tokio::sync::watch;

use crate::server::compat::episode;
use crate::server::problem::Problem;

/// How long a result waits for its client.
const LINGER: Duration = Duration::from_secs(60);
/// The most bytes of results that wait; the oldest go first.
const MAX_BYTES: usize = 64 << 20;
/// The most results that wait.
const MAX_RESULTS: usize = 1 << 16;
/// The characters of one chunk.
const CHUNK: usize = 4096;
/// How often a client that waits hears that it is not forgotten; it gives up after 30 s.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// Tells proxies to pass a stream on as it comes.
const UNBUFFERED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

/// What became of a call: JSON, or what went wrong.
type Ended = Result<Arc<str>, Arc<str>>;

/// Where a call's end is told.
type End = watch::Receiver<Option<Ended>>;

/// The calls that run or ended lately. How many run is bounded by the room that each of them holds.
#[derive(Debug, Default)]
pub(super) struct Calls {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    by_id: HashMap<String, End>,
    /// Those that ended, the oldest first: when, which, and how many bytes of result.
    ended: VecDeque<(Instant, String, usize)>,
    bytes: usize,
}

impl State {
    fn sweep(&mut self, now: Instant) {
        while let Some((since, id, bytes)) = self.ended.front() {
            let full = self.bytes > MAX_BYTES || self.ended.len() > MAX_RESULTS;
            if !full && now - *since < LINGER {
                return;
            }
            self.by_id.remove(id);
            self.bytes -= bytes;
            self.ended.pop_front();
        }
    }
}

impl Calls {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins work and streams its end.
    ///
    /// # Errors
    /// 500 where the system has no randomness to give.
    pub(super) fn start(
        self: Arc<Self>,
        work: impl Future<Output = Result<String, Problem>> + Send + 'static,
    ) -> Result<Response, Problem> {
        let id = episode::new_id()?;
        let (told, end) = watch::channel(None);
        self.lock().by_id.insert(id.clone(), end.clone());
        let working = tokio::spawn(work);
        let ended = id.clone();
        tokio::spawn(async move {
            let result: Ended = match working.await {
                Ok(Ok(json)) => Ok(json.into()),
                Ok(Err(problem)) => Err(problem.detail.into()),
                Err(_) => Err(Problem::internal().detail.into()),
            };
            let bytes = result.as_ref().map_or(0, |json| json.len()) + ended.len();
            let _ = told.send(Some(result));
            let now = Instant::now();
            let mut state = self.lock();
            state.bytes += bytes;
            state.ended.push_back((now, ended, bytes));
            state.sweep(now);
        });
        Ok(stream(id, end))
    }

    /// Streams the end of work that was begun before.
    pub(super) fn resume(&self, id: &str) -> Response {
        let end = {
            let mut state = self.lock();
            state.sweep(Instant::now());
            state.by_id.get(id).cloned()
        };
        match end {
            Some(end) => stream(id.to_owned(), end),
            None => sent(vec![event("error", "unknown task_id")]),
        }
    }
}

fn event(name: &str, data: &str) -> Event {
    Event::default().event(name).data(data)
}

/// A stream of events that are all known.
pub(super) fn sent(events: Vec<Event>) -> Response {
    let events = futures_util::stream::iter(events.into_iter().map(Ok::<_, Infallible>));
    ([UNBUFFERED], Sse::new(events)).into_response()
}

/// The stream that opens a session.
pub(super) fn opened(id: &str) -> Response {
    sent(vec![event("task_id", id), event("end", "")])
}

fn stream(id: String, mut end: End) -> Response {
    let events = async_stream::stream! {
        yield Ok::<_, Infallible>(event("task_id", &id));
        let ended = match end.wait_for(Option::is_some).await {
            Ok(ended) => ended.clone(),
            Err(_) => None,
        };
        match ended {
            Some(Ok(json)) => {
                let chunks = chunks(&json);
                let last = chunks.len() - 1;
                for (index, chunk) in chunks.iter().enumerate() {
                    yield Ok(event(if index == last { "end" } else { "chunk" }, chunk));
                }
            }
            Some(Err(message)) => yield Ok(event("error", &message)),
            None => yield Ok(event("error", "the call was lost")),
        }
    };
    ([UNBUFFERED], Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT))).into_response()
}

/// JSON in pieces. The client takes white space off the beginning of each, so that it is written out there, and
/// everything beyond ASCII with it.
fn chunks(json: &str) -> Vec<String> {
    let mut chunks = vec![String::with_capacity(CHUNK + 12)];
    for c in json.chars() {
        let mut chunk = chunks.pop().unwrap_or_default();
        if chunk.len() >= CHUNK {
            chunks.push(std::mem::take(&mut chunk));
        }
        match c {
            ' ' if chunk.is_empty() => chunk.push_str("\\u0020"),
            c if c.is_ascii() => chunk.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(chunk, "\\u{unit:04x}");
                }
            }
        }
        chunks.push(chunk);
    }
    chunks
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn chunks_come_together_again_without_their_leading_blanks() {
        for value in [
            json!({}),
            json!({"a": " ".repeat(10_000)}),
            json!({"a": "\u{2028}\u{a0}é😀".repeat(3_000), "b": "\n\t".repeat(5_000)}),
            json!("x".repeat(3 * CHUNK)),
        ] {
            let chunks = chunks(&value.to_string());
            assert!(chunks.iter().all(|chunk| chunk.is_ascii() && chunk.len() <= CHUNK + 12));
            let joined: String = chunks.iter().map(|chunk| chunk.trim_start()).collect();
            assert_eq!(serde_json::from_str::<Value>(&joined).unwrap(), value);
        }
    }

    #[tokio::test]
    async fn results_that_wait_are_bounded_in_bytes() {
        let calls = Arc::new(Calls::default());
        for _ in 0..5 {
            let work = async { Ok("x".repeat(MAX_BYTES / 2)) };
            Arc::clone(&calls).start(work).unwrap();
        }
        // Two of them with their names are more than may wait.
        while calls.lock().by_id.len() > 1 {
            tokio::task::yield_now().await;
        }
        let state = calls.lock();
        assert_eq!((state.ended.len(), state.bytes), (1, MAX_BYTES / 2 + 32));
    }
}
