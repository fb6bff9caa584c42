//! Other servers as they should not be: what the client makes of them, and the engine.

mod client;
#[cfg(feature = "learner")]
mod engine;
#[cfg(feature = "learner")]
mod ours;
#[cfg(feature = "learner")]
mod sync;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use gavel::remote::{BreakerSettings, Service, Settings};
use serde_json::Value;

/// What a server is to do with a request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Answer this.
    Json(Value),
    /// Answer this text.
    Text(String),
    /// Refuse with a status, headers and a text.
    Status(u16, Vec<(&'static str, String)>, String),
    /// End the connection in the middle of an answer.
    Cut,
    /// Never answer.
    Hang,
    /// Begin an answer and then say a byte now and then, for ever.
    Slow,
    /// Answer without end, as fast as it can be taken.
    Endless,
}

/// What a server was asked.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Value,
}

type Script = Arc<dyn Fn(usize, &Seen) -> Act + Send + Sync>;

/// A server that does what its script says to the n-th request.
pub(crate) struct Fake {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// Ends the server when it is dropped.
    _runtime: tokio::runtime::Runtime,
}

impl Fake {
    pub(crate) fn new(script: impl Fn(usize, &Seen) -> Act + Send + Sync + 'static) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let script: Script = Arc::new(script);
        let app = Router::new().fallback(answer).with_state((script, Arc::clone(&seen)));
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { url, seen, _runtime: runtime }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn asked(&self, path: &str) -> Vec<Value> {
        self.seen().into_iter().filter(|seen| seen.path == path).map(|seen| seen.body).collect()
    }
}

/// An address where nobody listens.
pub(crate) fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// Impatient settings for these servers.
pub(crate) fn settings(urls: &[&str]) -> Settings {
    Settings {
        timeout: Duration::from_secs(20),
        deadline: Duration::from_secs(120),
        backoff: Duration::from_millis(2),
        backoff_max: Duration::from_millis(20),
        breaker: BreakerSettings {
            rest: Duration::from_millis(50),
            rest_max: Duration::from_millis(200),
            ..BreakerSettings::default()
        },
        ..Settings::new(Service::Rollout, urls.iter().map(|url| (*url).to_owned()).collect())
    }
}

async fn answer(
    State((script, all)): State<(Script, Arc<Mutex<Vec<Seen>>>)>,
    request: Request,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 24).await.unwrap();
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()));
    let seen = Seen {
        path: head.uri.path().to_owned(),
        headers: headers.collect(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let n = {
        let mut all = all.lock().unwrap();
        all.push(seen.clone());
        all.len() - 1
    };
    let reply = |status: u16, body: Body| Response::builder().status(status).body(body).unwrap();
    match script(n, &seen) {
        Act::Json(value) => reply(200, value.to_string().into()),
        Act::Text(text) => reply(200, text.into()),
        Act::Status(status, headers, text) => {
            let mut response = reply(status, text.into());
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        }
        Act::Cut => reply(
            200,
            Body::from_stream(async_stream::stream! {
                yield Ok(Bytes::from_static(b"{\"choices\": [{\"te"));
                yield Err(std::io::Error::other("cut"));
            }),
        ),
        Act::Hang => std::future::pending().await,
        Act::Slow => reply(
            200,
            Body::from_stream(async_stream::stream! {
                loop {
                    yield Ok::<_, std::io::Error>(Bytes::from_static(b" "));
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }),
        ),
        Act::Endless => reply(
            200,
            Body::from_stream(async_stream::stream! {
                loop {
                    yield Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 4096]));
                }
            }),
        ),
    }
}
