//! `POST /v1/chat/completions`: a conversation in, the model's next turn out.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::answer::{self, Said, Usage, reasons};
use super::asked::{Asked, Inside, Show, asks, check_name, enter, id};
use super::completions::{now, top};
use super::logprobs::{self, ChatLogprobs};
use super::refusal::Refusal;
use super::sampling::SharedFields;
use super::stream::{self, Wire, event};
use crate::server::problem::Problem;
use crate::server::{App, decode, json};
use crate::serving::{Happening, Ready, Served, Token, Turn};

/// The most turns of a conversation.
const MAX_MESSAGES: usize = 4096;
/// The longest name of a role.
const MAX_ROLE_BYTES: usize = 64;

/// A request for a chat completion; fields that are not known are left alone.
#[derive(ToSchema)]
#[schema(example = json!({"messages": [{"role": "user", "content": "What is 2 + 2?"}], "max_completion_tokens": 64}))]
#[allow(dead_code, reason = "describes the request to OpenAPI; it is never made")]
struct ChatRequest {
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
    /// The conversation so far.
    messages: Vec<Message>,
    /// The most tokens of the answer; what the context has room for where nothing is said.
    max_completion_tokens: Option<u64>,
    /// Whether log-probabilities are told.
    logprobs: Option<bool>,
    /// How many of the most probable tokens are told at each place, 0 to 20.
    top_logprobs: Option<u64>,
    #[schema(ignore)]
    tools: Option<Vec<Value>>,
    #[schema(ignore)]
    tool_choice: Option<Value>,
    #[schema(ignore)]
    functions: Option<Vec<Value>>,
    #[schema(ignore)]
    modalities: Option<Vec<String>>,
    #[schema(ignore)]
    chat_template: Option<String>,
    #[schema(ignore)]
    chat_template_kwargs: Option<Map<String, Value>>,
    #[schema(ignore)]
    continue_final_message: Option<bool>,
    #[schema(ignore)]
    add_generation_prompt: Option<bool>,
}

/// One turn.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ChatMessageInput)]
struct Message {
    /// `system`, `developer`, `user`, `assistant`, or what else the model's template knows.
    role: String,
    /// A text, or parts that are texts.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    content: Option<Content>,
    #[serde(default)]
    #[schema(ignore)]
    tool_calls: Option<Vec<Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a text, or a list of parts such as {\"type\": \"text\", \"text\": \"…\"}"
)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
}

/// The model's turn.
#[derive(Serialize, ToSchema)]
#[schema(as = ChatCompletion)]
struct Reply<'a, C> {
    id: &'a str,
    /// `chat.completion`, or `chat.completion.chunk` in a stream.
    object: &'static str,
    /// Seconds since 1970.
    created: u64,
    model: &'a str,
    /// In the order of their seeds.
    choices: Vec<C>,
    /// Tokens that were read and said; in a stream only at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
    /// The prompt's tokens, with `return_token_ids`; in a stream only in its first piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_token_ids: Option<Vec<u32>>,
}

/// One sequence.
#[derive(Serialize, ToSchema)]
#[schema(as = ChatChoice)]
struct Choice {
    index: usize,
    message: Answer,
    #[serde(flatten)]
    #[schema(inline)]
    ending: Ending,
}

/// What is told of a sequence besides its text.
#[derive(Default, Serialize, ToSchema)]
struct Ending {
    /// Log-probabilities of its tokens, where they were asked for.
    logprobs: Option<ChatLogprobs>,
    /// `stop` or `length`; null in a stream until the sequence is over.
    finish_reason: Option<&'static str>,
    /// The text or token that it stopped at, where that is not the model's own.
    #[schema(value_type = Option<Object>)]
    stop_reason: Value,
    /// Its tokens, with `return_token_ids`.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_ids: Option<Vec<u32>>,
}

/// What the model says.
#[derive(Serialize, ToSchema)]
#[schema(as = ChatMessage)]
struct Answer {
    /// Always `assistant`.
    role: &'static str,
    content: String,
    /// Always null.
    #[schema(value_type = Option<Object>)]
    refusal: (),
}

/// A piece of a sequence.
#[derive(Serialize)]
struct Chunk {
    index: usize,
    delta: Delta,
    #[serde(flatten)]
    ending: Ending,
}

/// What is new of a message.
#[derive(Default, Serialize)]
struct Delta {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
}

/// Continue a conversation with the model that is served.
///
/// The OpenAI wire, as `/v1/completions`; the conversation is written down by the model's own chat template.
#[utoipa::path(
    post, path = "/v1/chat/completions", tag = "models",
    request_body(content = ChatRequest, content_type = "application/json"),
    params(("gavel-deadline-ms" = Option<u64>, Header, description = "An answer that is not complete after this many milliseconds is an error.")),
    responses((status = 200, description = "The model's turn", body = Reply<Choice>))
)]
pub async fn complete(State(app): State<Arc<App>>, request: Request) -> Response {
    match answered(&app, request).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    }
}

async fn answered(app: &App, request: Request) -> Result<Response, Refusal> {
    let mut inside = enter(app, request, read).await?;
    let (id, created) = (id("chatcmpl"), now());
    if inside.show.stream {
        let model = inside.served.name().to_owned();
        return Ok(stream::response(inside, Pieces { id, created, model }));
    }
    let said = answer::whole(&mut inside).await?;
    let usage = Usage::of(&inside, said.iter().map(|said| said.n_tokens).sum());
    let write = move || {
        let choices = said.into_iter().enumerate().map(|(i, said)| choice(&inside, i, said)).collect();
        json(&Reply::<Choice> {
            id: &id,
            object: "chat.completion",
            created,
            model: inside.served.name(),
            choices,
            usage: Some(usage),
            prompt_token_ids: prompt_ids(&inside),
        })
    };
    Ok(tokio::task::spawn_blocking(write).await.map_err(|_| Problem::internal())?)
}

fn read(bytes: &[u8], served: &Served, ready: &Ready) -> Result<Asked, Refusal> {
    let shared: SharedFields = decode::body(bytes)?;
    let own: OwnFields = decode::body(bytes)?;
    check_name(&shared, served)?;
    own.check()?;
    let n = shared.n()?;
    let has_logprobs = own.logprobs.unwrap_or(false);
    if own.top_logprobs.is_some_and(|n| n > 0) && !has_logprobs {
        return Err(Refusal::value("top_logprobs", "`top_logprobs` needs `logprobs` to be true"));
    }
    let n_top = top("top_logprobs", own.top_logprobs)?;
    let show = Show::new(&shared, has_logprobs);
    let max_tokens = own.max_completion_tokens.map(|n| ("max_completion_tokens", n));
    let draw = shared.draw(ready, max_tokens, None, n_top)?;
    let turns = turns(own.messages)?;
    let prompt = ready.words.encode_chat(&turns).map_err(|why| Refusal::value("messages", why.0))?;
    if prompt.is_empty() {
        return Err(Refusal::value("messages", "the chat template makes nothing of these messages"));
    }
    Ok(Asked { asks: asks(vec![prompt], draw, &shared, served, ready, "messages")?, n, show })
}

impl OwnFields {
    /// Refuses what would change the answer and cannot be honoured.
    fn check(&self) -> Result<(), Refusal> {
        let calls_tools = self.tool_choice.as_ref().is_none_or(|choice| choice != "none");
        let some = |list: &Option<Vec<Value>>| list.as_ref().is_some_and(|list| !list.is_empty());
        for (is_there, field, why) in [
            (some(&self.tools) && calls_tools, "tools", "is not supported"),
            (some(&self.functions), "functions", "is not supported"),
            (
                self.modalities.as_ref().is_some_and(|all| all.iter().any(|kind| kind != "text")),
                "modalities",
                "has what is no text; this model speaks text only",
            ),
            (
                self.chat_template.is_some(),
                "chat_template",
                "is not supported; the model's own is used, or send a prompt to /v1/completions",
            ),
            (
                self.chat_template_kwargs.as_ref().is_some_and(|all| !all.is_empty()),
                "chat_template_kwargs",
                "is not supported",
            ),
            (self.continue_final_message == Some(true), "continue_final_message", "is not supported"),
            (
                self.add_generation_prompt == Some(false),
                "add_generation_prompt",
                "is always true: what comes is the assistant's turn",
            ),
        ] {
            if is_there {
                return Err(Refusal::unsupported(field, format!("`{field}` {why}")));
            }
        }
        Ok(())
    }
}

/// Messages as the model's template takes them.
fn turns(messages: Vec<Message>) -> Result<Vec<Turn>, Refusal> {
    if messages.is_empty() || messages.len() > MAX_MESSAGES {
        let message = format!("a conversation has 1 to {MAX_MESSAGES} messages, this has {}", messages.len());
        return Err(Refusal::value("messages", message));
    }
    messages
        .into_iter()
        .enumerate()
        .map(|(i, Message { role, content, tool_calls })| {
            let place = |field: &str| format!("messages[{i}].{field}");
            if role.is_empty() || role.len() > MAX_ROLE_BYTES {
                let message = format!("a role has 1 to {MAX_ROLE_BYTES} bytes");
                return Err(Refusal::value(place("role"), message));
            }
            if tool_calls.is_some_and(|calls| !calls.is_empty()) {
                return Err(Refusal::unsupported(place("tool_calls"), "`tool_calls` are not supported"));
            }
            // What OpenAI calls the newer name of the same; templates know the older.
            let role = if role == "developer" { "system".to_owned() } else { role };
            let content = match content {
                None => String::new(),
                Some(Content::Text(text)) => text,
                Some(Content::Parts(parts)) => {
                    let mut text = String::new();
                    for (j, part) in parts.into_iter().enumerate() {
                        let (true, Some(more)) = (part.kind == "text", part.text) else {
                            let field = place(&format!("content[{j}]"));
                            let message = "this model reads parts of the type `text` only";
                            return Err(Refusal::unsupported(field, message));
                        };
                        text.push_str(&more);
                    }
                    text
                }
            };
            Ok(Turn { role, content })
        })
        .collect()
}

fn prompt_ids(inside: &Inside) -> Option<Vec<u32>> {
    inside.show.token_ids.then(|| inside.prompts.first().map(|prompt| prompt.to_vec()))?
}

fn told<'a>(inside: &Inside, tokens: impl IntoIterator<Item = &'a Token>) -> Option<ChatLogprobs> {
    let words = &inside.served.ready().ok()?.words;
    inside.show.logprobs.then(|| logprobs::chat(words.as_ref(), tokens, inside.show))
}

fn choice(inside: &Inside, index: usize, said: Said) -> Choice {
    let (finish_reason, stop_reason) = reasons(&said.finish);
    let tokens = || said.tokens.iter().map(|(_, token)| token);
    let ending = Ending {
        logprobs: told(inside, tokens()),
        finish_reason: Some(finish_reason),
        stop_reason,
        token_ids: inside.show.token_ids.then(|| tokens().map(|token| token.id).collect()),
    };
    Choice { index, message: Answer { role: "assistant", content: said.text, refusal: () }, ending }
}

/// The same in pieces.
struct Pieces {
    id: String,
    created: u64,
    model: String,
}

impl Pieces {
    fn event(&self, choices: Vec<Chunk>, usage: Option<Usage>, prompt_token_ids: Option<Vec<u32>>) -> Bytes {
        let Self { id, created, model } = self;
        let object = "chat.completion.chunk";
        event(&Reply { id, object, created: *created, model, choices, usage, prompt_token_ids })
    }
}

impl Wire for Pieces {
    fn opening(&mut self, inside: &Inside) -> Vec<Bytes> {
        (0..inside.n_choices())
            .map(|index| {
                let delta = Delta { role: Some("assistant"), content: Some(String::new()) };
                let prompt = if index == 0 { prompt_ids(inside) } else { None };
                self.event(vec![Chunk { index, delta, ending: Ending::default() }], None, prompt)
            })
            .collect()
    }

    fn piece(&mut self, inside: &Inside, index: usize, what: &Happening) -> Option<Bytes> {
        let mut ending = Ending::default();
        let text = match what {
            Happening::Said { text, token, .. } => {
                if text.is_empty() && !inside.show.logprobs && !inside.show.token_ids {
                    return None;
                }
                ending.logprobs = told(inside, [token]);
                ending.token_ids = inside.show.token_ids.then(|| vec![token.id]);
                text
            }
            Happening::Ended { text, finish } => {
                let (finish_reason, stop_reason) = reasons(finish);
                (ending.finish_reason, ending.stop_reason) = (Some(finish_reason), stop_reason);
                text
            }
        };
        let content = (!text.is_empty()).then(|| text.clone());
        Some(self.event(vec![Chunk { index, delta: Delta { role: None, content }, ending }], None, None))
    }

    fn usage(&mut self, usage: Usage) -> Bytes {
        self.event(Vec::new(), Some(usage), None)
    }
}
