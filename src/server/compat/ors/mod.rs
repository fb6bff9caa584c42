//! Open Reward Standard: sessions, tools and rewards over HTTP, with results as streams of events.
//!
//! It owns paths at the root: its clients know a host and no prefix. `/{env}/…` names the environment, and the same
//! path without it means the first one or that of `X-Deployment`. An episode has one turn: a tool takes the answer,
//! the reward comes with it, and the episode is finished. The tool has two names. `submit` is listed, for clients
//! that give the policy tools; `answer` is the terminal tool, for those that take what the policy says last. Read in
//! `openreward/environments/{server,types,reconnect}.py` and `openreward/api/_session/http.py` of 0.1.167.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};
use http::request::Parts;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use self::calls::Calls;
use self::sessions::{MAX_ID_BYTES, Sessions, Turn};
use super::episode::{self, Ask, Episode};
use super::scoring::{Outcome, enter};
use super::task_api::{self, Chosen};
use crate::server::problem::Problem;
use crate::server::types::MAX_COMPLETIONS;
use crate::server::{App, json};

mod calls;
mod sessions;

/// The tool that is listed.
const SUBMIT: &str = "submit";
/// The tool that is called with what the policy says last.
const TERMINAL: &str = "answer";
/// The argument of both.
const ARGUMENT: &str = "answer";
/// What messages may hold. Only text is judged.
const BLOCK_TYPES: [&str; 5] = ["text", "image", "reasoning", "tool_call", "tool_result"];

/// The routes of Open Reward Standard that need a key.
pub(super) fn routes() -> Router<Arc<App>> {
    let mut router = Router::new()
        .route("/list_environments", get(list))
        .route("/create_session", post(create_session))
        .route("/delete_session", post(delete_session))
        .route("/create", post(create))
        .route("/ping", post(ping))
        .route("/delete", post(delete));
    for base in ["", "/{env}"] {
        let path = |name: &str| format!("{base}/{name}");
        router = router
            .route(&path("splits"), get(task_api::splits))
            .route(&path("num_tasks"), post(task_api::num_tasks))
            .route(&path("task"), post(task_api::task))
            .route(&path("tasks"), post(task_api::tasks))
            .route(&path("task_range"), post(task_api::task_range))
            .route(&path("tools"), get(tools))
            .route(&path("task_tools"), get(task_tools))
            .route(&path("prompt"), get(prompt))
            .route(&path("messages"), get(messages))
            .route(&path("call"), post(call))
            .route(&path("score_group"), post(score_group));
    }
    router.layer(Extension(Arc::new(Sessions::default()))).layer(Extension(Arc::new(Calls::default())))
}

/// The process runs.
pub(super) async fn health() -> Response {
    json(&json!({"status": "ok"}))
}

/// Which version runs.
pub(super) async fn version() -> Response {
    json(&json!({"version": env!("CARGO_PKG_VERSION"), "build_sha": null}))
}

/// A session's name.
#[derive(Debug)]
struct SessionId(String);

impl<S: Sync> FromRequestParts<S> for SessionId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let id = parts.headers.get("x-session-id").and_then(|id| id.to_str().ok()).unwrap_or_default().trim();
        if id.is_empty() || id.len() > MAX_ID_BYTES {
            return Err(Problem::bad_request(format!(
                "X-Session-ID header is required, of at most {MAX_ID_BYTES} bytes"
            )));
        }
        Ok(Self(id.to_owned()))
    }
}

async fn list(State(app): State<Arc<App>>) -> Response {
    json(&app.wires.sets.names())
}

async fn create_session(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let _admitted = app.admission.enter()?;
    Ok(calls::opened(&episode::new_id()?))
}

async fn delete_session(SessionId(id): SessionId) -> Response {
    json(&json!({"sid": id}))
}

#[derive(Debug, Deserialize)]
struct Create {
    env_name: Option<String>,
    task_spec: Option<Ask>,
    split: Option<String>,
    index: Option<u64>,
    toolset_name: Option<String>,
}

async fn create(
    State(app): State<Arc<App>>,
    Extension(sessions): Extension<Arc<Sessions>>,
    SessionId(id): SessionId,
    request: Request,
) -> Result<Response, Problem> {
    let headers = request.headers().clone();
    let Create { env_name, task_spec, split, index, toolset_name } = task_api::read(&app, request).await?;
    if let Some(name) = toolset_name {
        return Err(Problem::bad_request(format!("unknown toolset {name:?}; there are none")));
    }
    let ask = match (task_spec, split, index) {
        (Some(ask), None, None) if ask.index.is_some() || ask.seed.is_some() => ask,
        (None, Some(split), Some(index)) => Ask { split: Some(split), index: Some(index), ..Ask::default() },
        (Some(_), None, None) => {
            let message = "a task_spec has `index` or `seed`, and `split`, as /task gives it";
            return Err(Problem::invalid_at("/task_spec", message));
        }
        _ => return Err(Problem::invalid_at("", "send either task_spec, or split and index")),
    };
    // A task that names its set needs nobody else to.
    let named = match (&env_name, &ask.set) {
        (None, Some(_)) => None,
        _ => Some(task_api::chosen(&app, env_name.as_deref(), &headers)?.name()),
    };
    let episode = ask.begin(&app.wires.sets, named.as_deref())?;
    // What is wrong with the set-up shows here and not with the first answer.
    episode.rubric(&app).await?;
    sessions.create(&id, &episode)?;
    Ok(json(&json!({"sid": id})))
}

async fn ping(
    Extension(sessions): Extension<Arc<Sessions>>,
    SessionId(id): SessionId,
) -> Result<Response, Problem> {
    sessions.ping(&id)?;
    Ok(json(&json!({"status": "ok"})))
}

async fn delete(Extension(sessions): Extension<Arc<Sessions>>, SessionId(id): SessionId) -> Response {
    sessions.delete(&id);
    json(&json!({"sid": id}))
}

async fn tools(Chosen(set): Chosen) -> Response {
    json(&tools_of(&episode::description(&set)))
}

async fn task_tools(
    Extension(sessions): Extension<Arc<Sessions>>,
    Chosen(_): Chosen,
    SessionId(id): SessionId,
) -> Result<Response, Problem> {
    let episode = sessions.episode(&id)?;
    Ok(json(&tools_of(&episode::description(&episode.set))))
}

fn tools_of(asks: &str) -> Value {
    let description = format!("Hand in the answer, once; that ends the episode. {asks}");
    json!({
        "tools": [{
            "name": SUBMIT,
            "description": description,
            "input_schema": {
                "type": "object",
                "properties": {ARGUMENT: {
                    "type": "string",
                    "title": "Answer",
                    "description": "The whole answer, in the form that the question asks for.",
                }},
                "required": [ARGUMENT],
            },
        }],
        "terminal_tool": {"name": TERMINAL, "arg": ARGUMENT, "description": description},
        "supports_score_group": true,
        "message_block_types": BLOCK_TYPES,
    })
}

fn text_block(text: &str, detail: &Value) -> Value {
    json!({"type": "text", "text": text, "detail": detail})
}

async fn prompt(
    Extension(sessions): Extension<Arc<Sessions>>,
    Chosen(_): Chosen,
    SessionId(id): SessionId,
) -> Result<Response, Problem> {
    let messages = sessions.episode(&id)?.messages();
    let blocks = match messages.as_slice() {
        [(episode::Role::User, text)] => vec![text_block(text, &Value::Null)],
        messages => {
            let blocks = messages.iter().flat_map(|(role, text)| {
                let head = text_block(&format!("[{}]", role.name()), &json!({"role": role}));
                [head, text_block(text, &Value::Null)]
            });
            blocks.collect()
        }
    };
    Ok(json(&blocks))
}

async fn messages(
    Extension(sessions): Extension<Arc<Sessions>>,
    Chosen(_): Chosen,
    SessionId(id): SessionId,
) -> Result<Response, Problem> {
    let messages = sessions.episode(&id)?.messages().into_iter();
    let message = |(role, text): (episode::Role, String)| json!({"role": role, "blocks": [text_block(&text, &Value::Null)], "detail": null});
    Ok(json(&messages.map(message).collect::<Vec<_>>()))
}

#[derive(Debug, Deserialize)]
struct Call {
    name: String,
    #[serde(default)]
    input: Map<String, Value>,
    task_id: Option<String>,
}

/// Calls a tool: the answer is judged and the episode finished. Also where the answer could not be judged: the
/// reward is null then.
async fn call(
    State(app): State<Arc<App>>,
    Extension(sessions): Extension<Arc<Sessions>>,
    Extension(calls): Extension<Arc<Calls>>,
    Chosen(_): Chosen,
    SessionId(id): SessionId,
    request: Request,
) -> Result<Response, Problem> {
    let (body, inside) = enter(&app, request).await?;
    sessions.ping(&id)?;
    let Call { name, mut input, task_id } = super::fields(body)?;
    if let Some(task_id) = task_id {
        return Ok(calls.resume(&task_id));
    }
    if name != SUBMIT && name != TERMINAL {
        let name = &name[..name.floor_char_boundary(100)];
        let message = format!("{name:?} is not a valid tool; there is {SUBMIT:?}");
        return calls.start(refuse("not_found", &message));
    }
    let answer = match input.remove(ARGUMENT) {
        Some(Value::String(text)) => text,
        Some(Value::Null) | None => {
            let message =
                format!("Tool input validation error: `{ARGUMENT}` is missing; it is the answer's text");
            return calls.start(refuse("input_validation", &message));
        }
        Some(other) => other.to_string(),
    };
    let episode = match sessions.take_turn(&id)? {
        Turn::Yours(episode) => episode,
        Turn::Finished => {
            let message = format!("{name:?} was not run: the episode has finished; create another session");
            return calls.start(refuse("episode_finished", &message));
        }
    };
    let ready = match episode.ready(&app, 1).await {
        Ok(ready) => ready,
        Err(problem) => {
            sessions.return_turn(&id);
            return Err(problem);
        }
    };
    calls.start(async move {
        let outcomes = ready.judge(&app, vec![answer], inside.started).await?;
        let outcome = outcomes.first().ok_or_else(Problem::internal)?;
        let said = match outcome.error() {
            None => "The answer was judged.".to_owned(),
            Some(error) => format!("The answer could not be judged: {error}"),
        };
        let output = json!({
            "blocks": [text_block(&said, &Value::Null)],
            "metadata": told(&episode, outcome),
            "reward": outcome.reply.reward,
            "finished": true,
        });
        Ok(json!({"ok": true, "output": output}).to_string())
    })
}

/// A call that is refused, in the way that the standard has for it.
fn refuse(reason: &str, error: &str) -> impl Future<Output = Result<String, Problem>> + use<> {
    std::future::ready(Ok(json!({"ok": false, "error": error, "reason": reason}).to_string()))
}

/// What is told of a verdict; its keys are the same on every path.
fn told(episode: &Episode, outcome: &Outcome) -> Value {
    json!({
        "judged": outcome.reply.reward.is_some(),
        "error": outcome.error(),
        "components": outcome.scores(),
        "task": task_api::spec(&episode.set, episode.split, episode.index),
    })
}

#[derive(Debug, Deserialize)]
struct ScoreGroup {
    #[serde(default)]
    candidates: Vec<Candidate>,
    task_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Candidate {
    messages: Vec<Value>,
}

impl Candidate {
    /// What is judged: what the policy handed in last, or said last.
    fn answer(&self) -> String {
        let Some(last) = self.messages.iter().rev().find(|message| message["role"] == "assistant") else {
            return String::new();
        };
        let blocks = last["blocks"].as_array().map(Vec::as_slice).unwrap_or_default();
        let handed_in = blocks.iter().rev().find(|block| {
            block["type"] == "tool_call" && (block["name"] == SUBMIT || block["name"] == TERMINAL)
        });
        match handed_in.map(|block| &block["input"][ARGUMENT]) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) => String::new(),
            Some(other) => other.to_string(),
            None => blocks.iter().filter(|block| block["type"] == "text").map(episode::text_of).collect(),
        }
    }
}

/// Judges candidates for a session's task as one group. The episode goes on.
async fn score_group(
    State(app): State<Arc<App>>,
    Extension(sessions): Extension<Arc<Sessions>>,
    Extension(calls): Extension<Arc<Calls>>,
    Chosen(_): Chosen,
    SessionId(id): SessionId,
    request: Request,
) -> Result<Response, Problem> {
    let (body, inside) = enter(&app, request).await?;
    let episode = sessions.episode(&id)?;
    let ScoreGroup { candidates, task_id } = super::fields(body)?;
    if let Some(task_id) = task_id {
        return Ok(calls.resume(&task_id));
    }
    let n = candidates.len();
    if n == 0 || n > MAX_COMPLETIONS {
        let message = format!("a group has 1 to {MAX_COMPLETIONS} candidates, this has {n}");
        return Err(Problem::invalid_at("/candidates", message));
    }
    let answers = candidates.iter().map(Candidate::answer).collect();
    drop(candidates);
    let ready = episode.ready(&app, n).await?;
    calls.start(async move {
        let outcomes = ready.judge(&app, answers, inside.started).await?;
        let score =
            |outcome: &Outcome| json!({"reward": outcome.reply.reward, "metadata": told(&episode, outcome)});
        let scores: Vec<_> = outcomes.iter().map(score).collect();
        Ok(json!({"scores": scores}).to_string())
    })
}
