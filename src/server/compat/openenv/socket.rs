//! OpenEnv's WebSocket: one connection is one session, one message gets one answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::play::{self, Action, Options, Play};
use super::{Named, Raw};
use crate::server::App;
use crate::server::compat::{episode, lenient};
use crate::server::problem::Problem;

/// The most connections at one time.
const MAX_SESSIONS: usize = 4096;
/// A connection that is silent for so long is closed; clients send pings of their own.
const IDLE: Duration = Duration::from_secs(900);
/// How often we ask whether somebody is there.
const PING: Duration = Duration::from_secs(20);
/// How long a client may take to read what it is sent.
const SEND_TIME: Duration = Duration::from_secs(60);

/// The connections that are open.
#[derive(Debug)]
pub(super) struct Sessions {
    room: Arc<Semaphore>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { room: Arc::new(Semaphore::new(MAX_SESSIONS)) }
    }
}

/// Opens a session.
pub(super) async fn connect(
    State(app): State<Arc<App>>,
    Extension(sessions): Extension<Arc<Sessions>>,
    Named(set): Named,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    episode::set(&app.wires.sets, set.as_deref())?;
    let most = app.admission.limits().max_body_bytes;
    let upgrade = upgrade.max_message_size(most).max_frame_size(most);
    Ok(upgrade.on_upgrade(async move |mut socket| {
        let end = match Arc::clone(&sessions.room).try_acquire_owned() {
            Err(_) => {
                metrics::counter!("gavel_refused_total", "limit" => "sessions").increment(1);
                let mut error =
                    error("CAPACITY_REACHED", "as many sessions are open as may be; try again later");
                error["data"]["active_sessions"] = MAX_SESSIONS.into();
                error["data"]["max_sessions"] = MAX_SESSIONS.into();
                let _ = send(&mut socket, &error).await;
                close_code::AGAIN
            }
            Ok(_room) => Session { app, set, play: None }.serve(&mut socket).await,
        };
        let farewell = Message::Close(Some(CloseFrame { code: end, reason: "".into() }));
        let _ = timeout(SEND_TIME, socket.send(farewell)).await;
    }))
}

/// One connection.
struct Session {
    app: Arc<App>,
    /// The set that the path names.
    set: Option<String>,
    play: Option<Play>,
}

/// What a client sends.
#[derive(Deserialize)]
struct Sent {
    #[serde(default, rename = "type")]
    kind: String,
    data: Option<Raw>,
}

/// The connection is gone, or broken so that nothing more can be said.
struct Gone;

impl Session {
    /// Answers messages until one side ends it; the code to close with.
    async fn serve(mut self, socket: &mut WebSocket) -> u16 {
        let mut waiting: Option<Bytes> = None;
        loop {
            let text = match waiting.take() {
                Some(text) => text,
                None => match self.next(socket).await {
                    Ok(text) => text,
                    Err(code) => return code,
                },
            };
            let app = Arc::clone(&self.app);
            let answer = {
                let answering = self.answer(&app, text);
                tokio::pin!(answering);
                loop {
                    // Pings are answered by reading on, and a client that leaves ends what it asked for.
                    tokio::select! {
                        answer = &mut answering => break answer,
                        read = socket.recv(), if waiting.is_none() => match read {
                            Some(Ok(Message::Text(text))) => waiting = Some(text.into()),
                            Some(Ok(Message::Binary(bytes))) => waiting = Some(bytes),
                            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                            Some(Ok(Message::Close(_)) | Err(_)) | None => return close_code::NORMAL,
                        },
                    }
                }
            };
            let Some(answer) = answer else { return close_code::NORMAL };
            if send(socket, &answer).await.is_err() {
                return close_code::NORMAL;
            }
        }
    }

    /// The next message; else the code to close with.
    async fn next(&self, socket: &mut WebSocket) -> Result<Bytes, u16> {
        let mut heard = Instant::now();
        loop {
            let Ok(read) = timeout(PING, socket.recv()).await else {
                if self.app.admission.is_draining() {
                    return Err(close_code::AWAY);
                }
                let ping = timeout(SEND_TIME, socket.send(Message::Ping(Bytes::new()))).await;
                if heard.elapsed() > IDLE || !matches!(ping, Ok(Ok(()))) {
                    return Err(close_code::NORMAL);
                }
                continue;
            };
            heard = Instant::now();
            match read {
                Some(Ok(Message::Text(text))) => return Ok(text.into()),
                Some(Ok(Message::Binary(bytes))) => return Ok(bytes),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_))) | None => return Err(close_code::NORMAL),
                Some(Err(error)) => {
                    tracing::debug!(%error, "a session ended badly");
                    return Err(close_code::SIZE);
                }
            }
        }
    }

    /// The answer to a message; none where it ends the session.
    async fn answer(&mut self, app: &App, text: Bytes) -> Option<Value> {
        let sent: Sent = match lenient::read_as(&text) {
            Ok(sent) => sent,
            Err(fault) if fault.is_data() => {
                return Some(error(
                    "VALIDATION_ERROR",
                    &format!("a message is {{\"type\", \"data\"}}: {fault}"),
                ));
            }
            Err(fault) => return Some(error("INVALID_JSON", &format!("Invalid JSON: {fault}"))),
        };
        let answer = match sent.kind.as_str() {
            "reset" => self.reset(app, sent.data.as_deref().map_or("{}", |data| data.get())).await,
            "step" => self.step(app, &text, sent.data).await,
            "state" => Ok(json!({"type": "state", "data": self.state()})),
            "close" => return None,
            "mcp" => Ok(no_tools(sent.data)),
            other => {
                let other = &other[..other.floor_char_boundary(100)];
                Ok(error("UNKNOWN_TYPE", &format!("Unknown message type: {other}")))
            }
        };
        Some(answer.unwrap_or_else(|problem| refused(&problem)))
    }

    async fn reset(&mut self, app: &App, data: &str) -> Result<Value, Problem> {
        let _admitted = app.admission.enter()?;
        let options: Options = lenient::read_as(data.as_bytes())
            .map_err(|fault| Problem::invalid_at("/data", graders::plain_words(&fault.to_string())))?;
        let play = self.play.insert(play::begin(app, self.set.as_deref(), &options).await?);
        Ok(json!({"type": "observation", "data": play.shown()}))
    }

    async fn step(&mut self, app: &App, text: &Bytes, data: Option<Raw>) -> Result<Value, Problem> {
        let started = Instant::now();
        let play = match &mut self.play {
            Some(play) if !play.is_over() => play,
            Some(_) => return Ok(error("EXECUTION_ERROR", "the episode is over; send `reset` for another")),
            None => return Ok(error("EXECUTION_ERROR", "there is no episode yet; send `reset` first")),
        };
        let Some(data) = data else {
            return Ok(error("VALIDATION_ERROR", "a step has the action as its `data`"));
        };
        let _admitted = app.admission.enter_with_completions()?;
        let _room = app.admission.bytes(text.len())?;
        let play = play.step(app, Action::read(&data), started).await?;
        if let Some(failure) = play.take_failure() {
            return Ok(error("EXECUTION_ERROR", &format!("the answer could not be judged: {failure}")));
        }
        Ok(json!({"type": "observation", "data": play.shown()}))
    }

    fn state(&self) -> Value {
        self.play.as_ref().map_or_else(|| json!({"episode_id": null, "step_count": 0}), Play::state)
    }
}

/// OpenEnv's answer to what cannot be done.
fn error(code: &str, message: &str) -> Value {
    json!({"type": "error", "data": {"message": message, "code": code}})
}

/// The same for a problem: a full server, or what is wrong with a request.
fn refused(problem: &Problem) -> Value {
    let code = match problem.status {
        429 | 503 => "CAPACITY_REACHED",
        400..500 => "VALIDATION_ERROR",
        _ => "EXECUTION_ERROR",
    };
    let mut error = error(code, &problem.detail);
    error["data"]["errors"] = serde_json::to_value(&problem.errors).unwrap_or_default();
    if let Some(seconds) = problem.retry_after_s {
        error["data"]["retry_after_s"] = seconds.into();
    }
    error
}

/// There are no MCP tools here: JSON-RPC's word for a method that does not exist.
fn no_tools(data: Option<Raw>) -> Value {
    #[derive(Default, Deserialize)]
    struct Request {
        #[serde(default)]
        id: Value,
    }
    let request: Request =
        data.and_then(|data| lenient::read_as(data.get().as_bytes()).ok()).unwrap_or_default();
    let message = "this environment has no MCP tools; send `step` with {\"answer\": \"…\"}";
    let data = json!({"jsonrpc": "2.0", "id": request.id, "error": {"code": -32601, "message": message}});
    json!({"type": "mcp", "data": data})
}

async fn send(socket: &mut WebSocket, value: &Value) -> Result<(), Gone> {
    let text = value.to_string();
    match timeout(SEND_TIME, socket.send(Message::Text(text.into()))).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(Gone),
    }
}
