//! A running server: the real program as a child process, and a client to talk to it.
//!
//! The benchmark in `benches/http/` uses this file too.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde_json::Value;

/// Time for the server to listen, on a busy machine.
const START_TIME: Duration = Duration::from_secs(30);

/// `gavel serve` as a child process. It does not outlive this value.
pub struct Running {
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Running {
    /// Starts `gavel serve` on a free port of the loopback and waits until it listens.
    pub fn start(store: &Path, arguments: &[&str]) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_gavel"))
            .args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json", "--store"])
            .arg(store)
            .args(arguments)
            .env_remove("GAVEL_CONFIG")
            .env("RUST_LOG", "info")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // From here on the child ends with this value, also when the test fails below.
        let nowhere = SocketAddr::from(([0; 4], 0));
        let mut server = Self { child, address: nowhere, log: Arc::default() };
        let lines = follow(server.child.stderr.take().unwrap(), &server.log);
        let began = Instant::now();
        loop {
            let left = START_TIME.saturating_sub(began.elapsed());
            let Ok(line) = lines.recv_timeout(left) else {
                panic!("the server did not start:\n{}", server.log());
            };
            let line: Value = serde_json::from_str(&line).unwrap_or_default();
            if line["message"] == "serving" {
                server.address = line["address"].as_str().unwrap().parse().unwrap();
                return server;
            }
        }
    }

    /// Where `path` is.
    pub fn uri(&self, path: &str) -> Uri {
        format!("http://{}{path}", self.address).parse().unwrap()
    }

    /// The process's id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a power cut would (SIGKILL).
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop (SIGTERM).
    pub fn terminate(&self) {
        let command = format!("kill -TERM {}", self.pid());
        assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success());
    }

    /// Waits for it to end by itself.
    pub fn wait(&mut self, longest: Duration) -> ExitStatus {
        let began = Instant::now();
        while began.elapsed() < longest {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("the server did not end within {longest:?}:\n{}", self.log());
    }

    /// What it logged.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a log to its end on a thread, so that the one who writes it never waits.
fn follow(source: impl Read + Send + 'static, log: &Arc<Mutex<String>>) -> std::sync::mpsc::Receiver<String> {
    let (sender, lines) = std::sync::mpsc::channel();
    let kept = Arc::clone(log);
    thread::spawn(move || {
        for line in BufReader::new(source).lines().map_while(Result::ok) {
            let mut kept = kept.lock().unwrap();
            kept.push_str(&line);
            kept.push('\n');
            let _ = sender.send(line);
        }
    });
    lines
}

/// An HTTP client with one pool of connections.
#[derive(Clone)]
pub struct Client(legacy::Client<HttpConnector, Full<Bytes>>);

/// Why there is no answer.
pub type Unanswered = Box<dyn std::error::Error + Send + Sync>;

impl Client {
    /// A client without connections.
    pub fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self(legacy::Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector))
    }

    /// Posts JSON and reads the answer whole.
    pub async fn post(&self, uri: &Uri, body: Bytes) -> Result<(StatusCode, Bytes), Unanswered> {
        let request = Request::post(uri.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        self.send(request).await
    }

    /// Gets a text and insists on 200.
    pub async fn get(&self, uri: &Uri) -> String {
        let (status, body) = self.try_get(uri).await.unwrap();
        let body = String::from_utf8(body.into()).unwrap();
        assert_eq!(status, StatusCode::OK, "{uri}: {body}");
        body
    }

    /// Gets a text, whatever the status.
    pub async fn try_get(&self, uri: &Uri) -> Result<(StatusCode, Bytes), Unanswered> {
        self.send(Request::get(uri.clone()).body(Full::default())?).await
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), Unanswered> {
        let response = self.0.request(request).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }

    /// The ids that callers gave to the groups of a run; empty when there is no such run.
    pub async fn group_ids(&self, server: &Running, run: &str) -> BTreeSet<String> {
        let mut ids = BTreeSet::new();
        let mut after = String::new();
        loop {
            let uri = server.uri(&format!("/v1/runs/{run}/groups?limit=1000{after}"));
            let (status, body) = self.try_get(&uri).await.unwrap();
            let page: Value = serde_json::from_slice(&body).unwrap();
            if status == StatusCode::NOT_FOUND {
                return ids;
            }
            assert_eq!(status, StatusCode::OK, "{page}");
            for group in page["groups"].as_array().unwrap() {
                let id = group["id"].as_str().unwrap().to_owned();
                assert!(ids.insert(id.clone()), "the group {id} is kept twice");
            }
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return ids,
            }
        }
    }

    /// The value of a metric, summed over its labels; 0 when it has not been counted yet.
    pub async fn metric(&self, server: &Running, name: &str) -> f64 {
        let text = self.get(&server.uri("/metrics")).await;
        text.lines()
            .filter_map(|line| line.strip_prefix(name).filter(|rest| rest.starts_with([' ', '{'])))
            .filter_map(|rest| rest.rsplit_once(' ')?.1.parse::<f64>().ok())
            .sum()
    }
}

/// A seeded generator of numbers (SplitMix64), for choices a test must be able to repeat.
pub struct Chance(pub u64);

impl Chance {
    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, the latter not included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low)
    }
}
