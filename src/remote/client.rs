//! Calls of other servers: JSON out, JSON back.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::{Bytes, BytesMut};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::backoff::{RetryBudget, ceiling, jitter, retry_after};
use super::endpoints::{Ending, Endpoints, Lease, Place, Unavailable};
use super::error::{RemoteError, RemoteErrorKind};
use super::runtime::block_on;
use super::settings::Settings;

/// Bytes of a refusal that are read, and characters of it that are told.
const REFUSAL_BYTES: usize = 64 << 10;
const TOLD_CHARACTERS: usize = 300;

/// Asks servers that all do the same. Clones share connections, limits and what is known of the servers.
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    settings: Settings,
    endpoints: Arc<Endpoints>,
    budget: RetryBudget,
}

/// What is asked.
#[derive(Clone, Debug)]
struct Call {
    method: Method,
    path: Arc<str>,
    body: Option<Bytes>,
}

impl Client {
    /// A client of the servers in `settings`. Nothing is sent yet.
    ///
    /// # Errors
    /// When an address or the key's variable cannot be used.
    pub fn new(settings: Settings) -> Result<Self, RemoteError> {
        // Another part of the program may have chosen it before; it is the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let authorization = settings.authorization()?;
        let mut places = Vec::new();
        for base in settings.bases()? {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            if let Some(value) = &authorization {
                headers.insert(AUTHORIZATION, value.clone());
            }
            let mut builder = reqwest::Client::builder()
                .default_headers(headers)
                .user_agent(concat!("gavel/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(settings.connect_timeout)
                .timeout(settings.timeout)
                // A key must not follow where a server points to, and a POST would become a GET.
                .redirect(reqwest::redirect::Policy::none())
                // Tries are counted here, not below.
                .retry(reqwest::retry::never())
                .tcp_nodelay(true);
            let host = base.host_str().unwrap_or_default();
            let own = host == "localhost" || host.starts_with("127.") || host == "[::1]";
            if own {
                builder = builder.no_proxy();
            }
            let http = builder.build().map_err(|error| {
                settings.wrong(base.as_str(), format!("no connection can be set up: {error}"))
            })?;
            places.push(Place { base, http });
        }
        let endpoints = Arc::new(Endpoints::new(places, settings.concurrency, settings.breaker));
        let budget = RetryBudget::new(settings.retry_budget);
        Ok(Self { inner: Arc::new(Inner { settings, endpoints, budget }) })
    }

    /// How it was set up.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// Requests that may be under way at once, at all servers that may be asked.
    pub fn capacity(&self) -> usize {
        self.inner.endpoints.capacity()
    }

    /// Sends `body` as JSON to `path` (`/v1/completions`) of one of the servers and reads its reply.
    ///
    /// # Errors
    /// When no try came to a reply of that shape; see [`RemoteErrorKind`].
    pub async fn post<R: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<R, RemoteError> {
        let call = self.json_call(path, body)?;
        self.call(&call, &parse).await
    }

    /// The same from a thread that may wait; see [`block_on`].
    ///
    /// # Errors
    /// As [`post`](Self::post).
    pub fn post_blocking<R: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<R, RemoteError> {
        let call = self.json_call(path, body)?;
        let client = self.clone();
        block_on(async move { client.call(&call, &parse).await }).unwrap_or_else(|| Err(self.panicked()))
    }

    /// Reads what is at `path` of one of the servers.
    ///
    /// # Errors
    /// As [`post`](Self::post).
    pub async fn get<R: DeserializeOwned>(&self, path: &str) -> Result<R, RemoteError> {
        let call = Call { method: Method::GET, path: path.into(), body: None };
        self.call(&call, &parse).await
    }

    /// The same from a thread that may wait; see [`block_on`].
    ///
    /// # Errors
    /// As [`post`](Self::post).
    pub fn get_blocking<R: DeserializeOwned + Send + 'static>(&self, path: &str) -> Result<R, RemoteError> {
        let client = self.clone();
        let path = path.to_owned();
        block_on(async move { client.get(&path).await }).unwrap_or_else(|| Err(self.panicked()))
    }

    /// Sends `body` as JSON to `path` of every server, those that are not asked among them, each with its own tries;
    /// the text of each reply, in the order of the addresses. For a thread that may wait.
    ///
    /// # Errors
    /// When `body` cannot be written as JSON. What a server did is in its place.
    pub fn post_to_each_blocking(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<Vec<Result<String, RemoteError>>, RemoteError> {
        let call = self.json_call(path, body)?;
        let client = self.clone();
        block_on(async move {
            let calls = (0..client.inner.endpoints.places().len()).map(|index| client.call_one(index, &call));
            futures_util::future::join_all(calls).await
        })
        .ok_or_else(|| self.panicked())
    }

    /// Lets the server at this place among the addresses be asked, or not.
    pub fn set_serving(&self, index: usize, serving: bool) {
        self.inner.endpoints.set_serving(index, serving);
    }

    /// The address of the server at this place; empty where there is none.
    pub fn address(&self, index: usize) -> &str {
        self.inner.endpoints.places().get(index).map_or("", |place| place.base.as_str())
    }

    fn json_call(&self, path: &str, body: &impl Serialize) -> Result<Call, RemoteError> {
        let body = serde_json::to_vec(body)
            .map_err(|error| self.inner.settings.wrong("", format!("the request is no JSON: {error}")))?;
        Ok(Call { method: Method::POST, path: path.into(), body: Some(body.into()) })
    }

    fn panicked(&self) -> RemoteError {
        self.inner.settings.wrong("", "the call panicked, which is a fault of this program")
    }

    async fn call<R>(
        &self,
        call: &Call,
        read: &impl Fn(&[u8]) -> Result<R, String>,
    ) -> Result<R, RemoteError> {
        let inner = &*self.inner;
        let settings = &inner.settings;
        let clock = Instant::now();
        let deadline = clock + settings.deadline;
        inner.budget.deposit();
        let mut tried = Vec::new();
        let mut n_tries = 0;
        let mut last: Option<RemoteError> = None;
        loop {
            let lease = match tokio::time::timeout_at(deadline.into(), inner.endpoints.lease(&tried)).await {
                Ok(Ok(lease)) => lease,
                Ok(Err(Unavailable::NoneServing)) => {
                    let message = "none of the servers has the newest weights";
                    return Err(self.failed(call, RemoteErrorKind::Resting, message, n_tries, last));
                }
                Ok(Err(Unavailable::Resting { until, failures })) => {
                    let message = format!("all servers failed and are left alone for a while ({failures})");
                    n_tries += 1;
                    let late = until.is_some_and(|until| until >= deadline);
                    if settings.fail_fast || late || n_tries > settings.retries {
                        return Err(self.failed(call, RemoteErrorKind::Resting, message, n_tries - 1, last));
                    }
                    let rest = inner.endpoints.rested(until.map(|until| until.min(deadline)));
                    let _ = tokio::time::timeout_at(deadline.into(), rest).await;
                    continue;
                }
                Err(_) => {
                    let message = format!("no server was free within {:?}", settings.deadline);
                    return Err(self.failed(call, RemoteErrorKind::Deadline, message, n_tries, last));
                }
            };
            n_tries += 1;
            let index = lease.index;
            let error = match self.attempt(lease, call, read, deadline).await {
                Ok(reply) => {
                    self.count("ok");
                    metrics::histogram!("gavel_remote_seconds", "service" => settings.service.label())
                        .record(clock.elapsed().as_secs_f64());
                    return Ok(reply);
                }
                Err(mut error) => {
                    error.n_tries = n_tries;
                    error
                }
            };
            self.count(error.kind.label());
            if !error.kind.is_passing() || n_tries > settings.retries || !inner.budget.withdraw() {
                return Err(error);
            }
            if !tried.contains(&index) {
                tried.push(index);
            }
            let pause = jitter(ceiling(n_tries, settings.backoff, settings.backoff_max));
            if Instant::now() + pause >= deadline {
                return Err(error);
            }
            tracing::debug!(%error, ?pause, "it is tried again");
            metrics::counter!("gavel_remote_retries_total", "service" => settings.service.label())
                .increment(1);
            last = Some(error);
            tokio::time::sleep(pause).await;
        }
    }

    /// One server alone, whether it is left alone or not.
    async fn call_one(&self, index: usize, call: &Call) -> Result<String, RemoteError> {
        let settings = &self.inner.settings;
        let place = &self.inner.endpoints.places()[index];
        let mut n_tries = 0;
        loop {
            n_tries += 1;
            let error = match exchange(settings, place, call, settings.timeout).await {
                Ok(reply) => {
                    self.count("ok");
                    return Ok(String::from_utf8_lossy(&reply).into_owned());
                }
                Err((mut error, _)) => {
                    error.n_tries = n_tries;
                    error
                }
            };
            self.count(error.kind.label());
            if !error.kind.is_passing() || n_tries > settings.retries {
                return Err(error);
            }
            tokio::time::sleep(jitter(ceiling(n_tries, settings.backoff, settings.backoff_max))).await;
        }
    }

    async fn attempt<R>(
        &self,
        lease: Lease,
        call: &Call,
        read: &impl Fn(&[u8]) -> Result<R, String>,
        deadline: Instant,
    ) -> Result<R, RemoteError> {
        let settings = &self.inner.settings;
        let left = deadline.saturating_duration_since(Instant::now()).min(settings.timeout);
        let outcome = match exchange(settings, lease.place(), call, left).await {
            Ok(reply) => read(&reply).map_err(|message| {
                let url = address(lease.place(), call);
                (RemoteError::new(settings.service, RemoteErrorKind::Malformed, url, message), None)
            }),
            Err(failure) => Err(failure),
        };
        match outcome {
            Ok(reply) => {
                lease.end(Ending::Well);
                Ok(reply)
            }
            Err((error, wait)) => {
                let ending = match (error.kind, wait) {
                    (RemoteErrorKind::Busy, wait) => Ending::Busy(wait.unwrap_or_default()),
                    (RemoteErrorKind::Server, Some(wait)) => Ending::Busy(wait),
                    (kind, _) if kind.is_the_servers() => Ending::Badly(error.message.clone()),
                    _ => Ending::Well,
                };
                if lease.end(ending) {
                    let service = settings.service;
                    tracing::warn!(%error, "the server is left alone for a while");
                    metrics::counter!("gavel_remote_rests_total", "service" => service.label()).increment(1);
                }
                Err(error)
            }
        }
    }

    fn failed(
        &self,
        call: &Call,
        kind: RemoteErrorKind,
        message: impl Into<String>,
        n_tries: u32,
        last: Option<RemoteError>,
    ) -> RemoteError {
        self.count(kind.label());
        let mut message = message.into();
        if let Some(last) = last
            && !message.contains(&last.message)
        {
            message = format!("{message}; the last try: {}", last.message);
        }
        let mut error = RemoteError::new(self.inner.settings.service, kind, &*call.path, message);
        error.n_tries = n_tries;
        error
    }

    fn count(&self, outcome: &'static str) {
        let service = self.inner.settings.service.label();
        metrics::counter!("gavel_remote_requests_total", "service" => service, "outcome" => outcome)
            .increment(1);
    }
}

fn parse<R: DeserializeOwned>(body: &[u8]) -> Result<R, String> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut reader).and_then(|value| {
        reader
            .end()
            .map(|()| value)
            .map_err(|error| serde_path_to_error::Error::new(serde_path_to_error::Track::new().path(), error))
    });
    read.map_err(|error| {
        let place = error.path().to_string();
        let place = if place == "." { String::new() } else { format!(" at {place}") };
        format!("the reply is not what was expected{place}: {}", error.inner())
    })
}

fn address(place: &Place, call: &Call) -> String {
    format!("{}{}", place.base.as_str().trim_end_matches('/'), call.path)
}

/// One request and its reply, or the failure and how long the server wants to be left alone.
async fn exchange(
    settings: &Settings,
    place: &Place,
    call: &Call,
    timeout: Duration,
) -> Result<Bytes, (RemoteError, Option<Duration>)> {
    let url = address(place, call);
    let fault = |kind, message: String| RemoteError::new(settings.service, kind, url.clone(), message);
    let broken = |error: &reqwest::Error| {
        let kind = if error.is_timeout() && !error.is_connect() {
            RemoteErrorKind::Timeout
        } else {
            RemoteErrorKind::Connection
        };
        let message = match kind {
            RemoteErrorKind::Timeout => format!("no whole reply within {timeout:?}"),
            _ => format!("the connection failed: {}", causes(error)),
        };
        (fault(kind, message), None)
    };
    let mut request = place.http.request(call.method.clone(), &url).timeout(timeout);
    if let Some(body) = &call.body {
        request = request.body(body.clone());
    }
    let mut response = request.send().await.map_err(|error| broken(&error))?;
    let status = response.status();
    let wait = retry_after(response.headers(), SystemTime::now());
    let most = if status.is_success() { settings.max_reply_bytes } else { REFUSAL_BYTES };
    let mut body = BytesMut::new();
    let announced = response.content_length().unwrap_or(0);
    let mut too_large = status.is_success() && announced > most as u64;
    while !too_large {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > most => too_large = true,
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            // Of a refusal the status is enough.
            Err(_) if !status.is_success() => break,
            Err(error) => return Err(broken(&error)),
        }
    }
    if status.is_success() {
        return if too_large {
            let message = format!("the reply is longer than {most} bytes");
            Err((fault(RemoteErrorKind::TooLarge, message), None))
        } else {
            Ok(body.freeze())
        };
    }
    let kind = match status.as_u16() {
        429 => RemoteErrorKind::Busy,
        408 => RemoteErrorKind::Timeout,
        300..=399 => RemoteErrorKind::Redirect,
        // It will never do what it does not know.
        501 | 505 => RemoteErrorKind::Refused,
        500.. => RemoteErrorKind::Server,
        _ => RemoteErrorKind::Refused,
    };
    let mut error = fault(kind, refusal(status, response.headers(), &body));
    error.status = Some(status.as_u16());
    Err((error, wait))
}

/// A refusal in a few words: the status, and what the server says.
fn refusal(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> String {
    let code = status.as_u16();
    if status.is_redirection() {
        let to = headers.get("location").and_then(|value| value.to_str().ok()).unwrap_or("elsewhere");
        return format!("{code}: it points to {}", excerpt(to.as_bytes()));
    }
    let name = status.canonical_reason().unwrap_or("");
    let said = serde_json::from_slice::<Value>(body).ok().and_then(|value| {
        // OpenAI's form, problem documents (RFC 9457), FastAPI's.
        let places = ["/error/message", "/message", "/detail", "/error"];
        places.iter().find_map(|place| Some(value.pointer(place)?.as_str()?.to_owned()))
    });
    let said = said.map_or_else(|| excerpt(body), |text| excerpt(text.as_bytes()));
    let told = format!("{code} {name}");
    if said.is_empty() { told } else { format!("{}: {said}", told.trim_end()) }
}

/// The beginning of a text from elsewhere, on one line and without what a terminal would obey.
fn excerpt(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(4 * TOLD_CHARACTERS)]);
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().filter(|c| !c.is_control()).take(TOLD_CHARACTERS).collect()
}

/// An error with what lies behind it, without the address, which stands elsewhere.
fn causes(error: &reqwest::Error) -> String {
    let mut told = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let text = error.to_string();
        if told.last() != Some(&text) {
            told.push(text);
        }
        cause = error.source();
    }
    if told.is_empty() { error.to_string() } else { told.join(": ") }
}
