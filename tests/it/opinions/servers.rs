//! Servers of models that follow a script: an OpenAI-compatible one and one with a reward model. They count what is
//! under way, so that tests look at counts and never at a clock.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// What a server does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Does {
    /// The model says yes with this probability.
    Yes(f64),
    /// The model says this.
    Says(&'static str),
    /// The scores are the numbers that the completions are; `null` for what is none.
    Scores,
    /// This status.
    Status(u16),
    /// This body.
    Body(&'static str),
    /// Nothing, ever.
    Hangs,
}

#[derive(Default)]
struct Counts {
    n_now: usize,
    n_most: usize,
    requests: Vec<Value>,
}

struct Shared {
    does: Mutex<Does>,
    counts: Mutex<Counts>,
    /// Requests wait until so many are under way.
    wait_for: watch::Sender<usize>,
    n_now: watch::Sender<usize>,
}

/// A server of models.
pub(crate) struct Models {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

impl Models {
    pub(crate) async fn that(does: Does) -> Self {
        let shared = Arc::new(Shared {
            does: Mutex::new(does),
            counts: Mutex::default(),
            wait_for: watch::channel(0).0,
            n_now: watch::channel(0).0,
        });
        let router = Router::new()
            .route("/v1/chat/completions", post(answer))
            .route("/score", post(answer))
            .with_state(Arc::clone(&shared));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn now(&self, does: Does) {
        *self.shared.does.lock().unwrap() = does;
    }

    /// Holds each request until `n` are under way at once.
    pub(crate) fn wait_for(&self, n: usize) {
        self.shared.wait_for.send_replace(n);
    }

    /// Waits until `n` requests are under way.
    pub(crate) async fn until(&self, n: usize) {
        let mut now = self.shared.n_now.subscribe();
        now.wait_for(|now| *now == n).await.unwrap();
    }

    pub(crate) fn n_requests(&self) -> usize {
        self.shared.counts.lock().unwrap().requests.len()
    }

    pub(crate) fn n_most(&self) -> usize {
        self.shared.counts.lock().unwrap().n_most
    }

    pub(crate) fn requests(&self) -> Vec<Value> {
        self.shared.counts.lock().unwrap().requests.clone()
    }
}

/// A request under way, also when its caller leaves.
struct UnderWay(Arc<Shared>);

impl UnderWay {
    fn begin(shared: &Arc<Shared>, request: Value) -> Self {
        let mut counts = shared.counts.lock().unwrap();
        counts.requests.push(request);
        counts.n_now += 1;
        counts.n_most = counts.n_most.max(counts.n_now);
        shared.n_now.send_replace(counts.n_now);
        drop(counts);
        Self(Arc::clone(shared))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut counts = self.0.counts.lock().unwrap();
        counts.n_now -= 1;
        self.0.n_now.send_replace(counts.n_now);
    }
}

async fn answer(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap();
    let _under_way = UnderWay::begin(&shared, request.clone());
    let n = *shared.wait_for.borrow();
    if n > 0 {
        let (mut now, mut wait_for) = (shared.n_now.subscribe(), shared.wait_for.subscribe());
        tokio::select! {
            _ = now.wait_for(|now| *now >= n) => { shared.wait_for.send_replace(0); }
            _ = wait_for.wait_for(|wanted| *wanted == 0) => {}
        }
    }
    let does = shared.does.lock().unwrap().clone();
    match does {
        Does::Yes(p) => {
            let token = |token: &str, p: f64| json!({"token": token, "logprob": p.ln().max(-9999.0)});
            let said = if p >= 0.5 { "yes" } else { "no" };
            let first = json!({"token": said, "logprob": p.max(1.0 - p).ln(),
                               "top_logprobs": [token("yes", p), token("no", 1.0 - p)]});
            chat(said, &first)
        }
        Does::Says(text) => chat(text, &Value::Null),
        Does::Scores => {
            let items = request["items"].as_array().unwrap();
            let number = |item: &Value| item["completion"].as_str().unwrap().parse::<f64>().ok();
            json!({"scores": items.iter().map(number).collect::<Vec<_>>()}).to_string().into_response()
        }
        Does::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Does::Body(body) => body.into_response(),
        Does::Hangs => {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            StatusCode::OK.into_response()
        }
    }
}

fn chat(text: &str, first: &Value) -> Response {
    let logprobs = if first.is_null() { Value::Null } else { json!({"content": [first]}) };
    json!({"choices": [{"message": {"role": "assistant", "content": text}, "logprobs": logprobs}]})
        .to_string()
        .into_response()
}
