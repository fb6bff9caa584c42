//! `POST /v1/completions`: prompts in, what the model says after them out.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::answer::{self, Said, Usage, reasons};
use super::asked::{Asked, Inside, Show, asks, check_name, enter, id};
use super::logprobs::{self, CompletionLogprobs};
use super::prompt::PromptInput;
use super::refusal::Refusal;
use super::sampling::{MAX_TOP, SharedFields};
use super::stream::{self, Wire, event};
use crate::server::{App, decode, json};
use crate::serving::{Happening, Ready, Served, Token};

/// What is sampled where nobody says how much, as OpenAI does.
const DEFAULT_TOKENS: usize = 16;

/// A request for completions; fields that are not known are left alone.
#[derive(ToSchema)]
#[schema(example = json!({"prompt": "2 + 2 =", "max_tokens": 8, "temperature": 0}))]
#[allow(dead_code, reason = "describes the request to OpenAPI; it is never made")]
struct CompletionRequest {
    #[schema(inline)]
    #[serde(flatten)]
    own: OwnFields,
    #[schema(inline)]
    #[serde(flatten)]
    shared: SharedFields,
}

/// What only this wire knows.
#[derive(Debug, Deserialize, ToSchema)]
struct OwnFields {
    /// A text, a list of texts, a list of tokens, or a list of lists of tokens.
    #[schema(value_type = Vec<String>)]
    prompt: PromptInput,
    /// How many of the most probable tokens are told at each place, 0 to 20.
    logprobs: Option<u64>,
    /// Whether texts get the tokens that the model wants around a prompt, as they do by default.
    add_special_tokens: Option<bool>,
    #[schema(ignore)]
    best_of: Option<u64>,
    #[schema(ignore)]
    echo: Option<bool>,
    #[schema(ignore)]
    suffix: Option<String>,
}

/// What the model says.
#[derive(Serialize, ToSchema)]
#[schema(as = Completion)]
struct Reply<'a> {
    id: &'a str,
    /// Always `text_completion`.
    object: &'static str,
    /// Seconds since 1970.
    created: u64,
    model: &'a str,
    /// In the order of prompts and, of one prompt, of seeds.
    choices: Vec<Choice>,
    /// Tokens that were read and said; in a stream only at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
}

/// One sequence.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = CompletionChoice)]
struct Choice {
    index: usize,
    /// What the model says after the prompt.
    text: String,
    /// Log-probabilities of its tokens, where they were asked for.
    logprobs: Option<CompletionLogprobs>,
    /// `stop` or `length`; null in a stream until the sequence is over.
    finish_reason: Option<&'static str>,
    /// The text or token that it stopped at, where that is not the model's own.
    #[schema(value_type = Option<Object>)]
    stop_reason: Value,
    /// Its tokens, with `return_token_ids`.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_ids: Option<Vec<u32>>,
    /// The prompt's tokens, with `return_token_ids`; in a stream only in a sequence's first piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_token_ids: Option<Vec<u32>>,
}

/// Continue prompts with the model that is served.
///
/// The OpenAI wire. With `stream` the answer comes as server-sent events and ends with `[DONE]`; without, it comes
/// whole. The same seed gives the same text whatever else runs. Log-probabilities are those of the distribution that
/// was drawn from, after temperature and cuts (at temperature 0 the model's own).
#[utoipa::path(
    post, path = "/v1/completions", tag = "models",
    request_body(content = CompletionRequest, content_type = "application/json"),
    params(("gavel-deadline-ms" = Option<u64>, Header, description = "An answer that is not complete after this many milliseconds is an error.")),
    responses((status = 200, description = "What the model says", body = Reply))
)]
pub async fn complete(State(app): State<Arc<App>>, request: Request) -> Response {
    match answered(&app, request).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    }
}

async fn answered(app: &App, request: Request) -> Result<Response, Refusal> {
    let mut inside = enter(app, request, read).await?;
    let (id, created) = (id("cmpl"), now());
    if inside.show.stream {
        let n_prompts = inside.prompts.len();
        let begun = vec![false; n_prompts * inside.n];
        let model = inside.served.name().to_owned();
        return Ok(stream::response(inside, Pieces { id, created, model, begun }));
    }
    let said = answer::whole(&mut inside).await?;
    let usage = Usage::of(&inside, said.iter().map(|said| said.n_tokens).sum());
    let write = move || {
        let choices = said.into_iter().enumerate().map(|(i, said)| choice(&inside, i, said)).collect();
        let model = inside.served.name();
        json(&Reply { id: &id, object: OBJECT, created, model, choices, usage: Some(usage) })
    };
    Ok(tokio::task::spawn_blocking(write).await.map_err(|_| crate::server::problem::Problem::internal())?)
}

const OBJECT: &str = "text_completion";

fn read(bytes: &[u8], served: &Served, ready: &Ready) -> Result<Asked, Refusal> {
    let shared: SharedFields = decode::body(bytes)?;
    let own: OwnFields = decode::body(bytes)?;
    check_name(&shared, served)?;
    let n = shared.n()?;
    if own.best_of.is_some_and(|best| best != n as u64) {
        let message = "`best_of` is not supported beyond `n`; ask for that many with `n` and choose yourself";
        return Err(Refusal::unsupported("best_of", message));
    }
    if own.echo == Some(true) {
        return Err(Refusal::unsupported(
            "echo",
            "`echo` is not supported; put the prompt before the text yourself",
        ));
    }
    if own.suffix.as_ref().is_some_and(|suffix| !suffix.is_empty()) {
        return Err(Refusal::unsupported("suffix", "`suffix` is not supported"));
    }
    let n_top = top("logprobs", own.logprobs)?;
    let show = Show::new(&shared, own.logprobs.is_some());
    let draw = shared.draw(ready, None, Some(DEFAULT_TOKENS), n_top)?;
    let prompts = own.prompt.encode(own.add_special_tokens.unwrap_or(true), ready)?;
    Ok(Asked { asks: asks(prompts, draw, &shared, served, ready, "prompt")?, n, show })
}

/// How many tokens are told at each place.
///
/// # Errors
/// When these are too many.
pub(super) fn top(field: &str, n: Option<u64>) -> Result<usize, Refusal> {
    match n.unwrap_or(0) {
        n if n > MAX_TOP => Err(Refusal::value(field, format!("`{field}` is {n}; expected 0 to {MAX_TOP}"))),
        n => Ok(n as usize),
    }
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn prompt_ids(inside: &Inside, index: usize) -> Option<Vec<u32>> {
    inside.show.token_ids.then(|| inside.prompts.get(index / inside.n).map(|prompt| prompt.to_vec()))?
}

fn told(inside: &Inside, tokens: &[(usize, &Token)]) -> Option<CompletionLogprobs> {
    let words = &inside.served.ready().ok()?.words;
    inside.show.logprobs.then(|| logprobs::completion(words.as_ref(), tokens, inside.show))
}

fn choice(inside: &Inside, index: usize, said: Said) -> Choice {
    let (finish_reason, stop_reason) = reasons(&said.finish);
    let tokens: Vec<(usize, &Token)> = said.tokens.iter().map(|(at, token)| (*at, token)).collect();
    Choice {
        index,
        logprobs: told(inside, &tokens),
        finish_reason: Some(finish_reason),
        stop_reason,
        token_ids: inside.show.token_ids.then(|| tokens.iter().map(|(_, token)| token.id).collect()),
        prompt_token_ids: prompt_ids(inside, index),
        text: said.text,
    }
}

/// The same in pieces.
struct Pieces {
    id: String,
    created: u64,
    model: String,
    /// Of which sequences something was sent.
    begun: Vec<bool>,
}

impl Pieces {
    fn event(&self, choices: Vec<Choice>, usage: Option<Usage>) -> Bytes {
        let Self { id, created, model, .. } = self;
        event(&Reply { id, object: OBJECT, created: *created, model, choices, usage })
    }
}

impl Wire for Pieces {
    fn opening(&mut self, _: &Inside) -> Vec<Bytes> {
        Vec::new()
    }

    fn piece(&mut self, inside: &Inside, index: usize, what: &Happening) -> Option<Bytes> {
        let mut choice = Choice { index, ..Choice::default() };
        match what {
            Happening::Said { text, token, at } => {
                if text.is_empty() && !inside.show.logprobs && !inside.show.token_ids {
                    return None;
                }
                choice.text.clone_from(text);
                choice.logprobs = told(inside, &[(*at, token)]);
                choice.token_ids = inside.show.token_ids.then(|| vec![token.id]);
            }
            Happening::Ended { text, finish } => {
                choice.text.clone_from(text);
                let (finish_reason, stop_reason) = reasons(finish);
                (choice.finish_reason, choice.stop_reason) = (Some(finish_reason), stop_reason);
                choice.token_ids = inside.show.token_ids.then(Vec::new);
            }
        }
        if let Some(begun) = self.begun.get_mut(index).filter(|begun| !**begun) {
            *begun = true;
            choice.prompt_token_ids = prompt_ids(inside, index);
        }
        Some(self.event(vec![choice], None))
    }

    fn usage(&mut self, usage: Usage) -> Bytes {
        self.event(Vec::new(), Some(usage))
    }
}
