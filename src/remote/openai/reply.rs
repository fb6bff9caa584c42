//! What is read of replies.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The reply of `/v1/completions`.
#[derive(Clone, Debug, Deserialize)]
pub struct CompletionReply {
    /// The model that answered, as it calls itself.
    #[serde(default)]
    pub model: Option<String>,
    /// One for each completion that was asked for.
    pub choices: Vec<CompletionChoice>,
    /// Tokens that it took.
    #[serde(default)]
    pub usage: Option<Usage>,
}

/// One completion.
#[derive(Clone, Debug, Deserialize)]
pub struct CompletionChoice {
    /// Its place among the completions.
    #[serde(default)]
    pub index: usize,
    /// What was written.
    #[serde(default)]
    pub text: String,
    /// Why it ended: `stop`, `length`, others.
    #[serde(default)]
    pub finish_reason: Option<String>,
    /// The text or token that ended it (vLLM's `stop_reason`, SGLang's `matched_stop`).
    #[serde(default, alias = "matched_stop")]
    pub stop_reason: Option<Value>,
    /// Where they were asked for.
    #[serde(default)]
    pub logprobs: Option<CompletionLogprobs>,
    /// What was written, as tokens; with the stop token.
    #[serde(default)]
    pub token_ids: Option<Vec<u32>>,
    /// The prompt, as the server read it.
    #[serde(default)]
    pub prompt_token_ids: Option<Vec<u32>>,
}

/// Log-probabilities of a completion, place by place.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct CompletionLogprobs {
    /// The tokens that were drawn: their text, or `token_id:123`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub tokens: Vec<String>,
    /// Of the tokens that were drawn; `None` where the server says null.
    #[serde(default, deserialize_with = "null_as_default")]
    pub token_logprobs: Vec<Option<f64>>,
    /// Of the likeliest ones.
    #[serde(default, deserialize_with = "null_as_default")]
    pub top_logprobs: Vec<Option<BTreeMap<String, f64>>>,
    /// The same in the form of chats, which is how llama.cpp's server says it here too.
    #[serde(default, deserialize_with = "null_as_default")]
    pub content: Vec<TokenLogprob>,
}

/// The reply of `/v1/chat/completions`.
#[derive(Clone, Debug, Deserialize)]
pub struct ChatReply {
    /// The model that answered, as it calls itself.
    #[serde(default)]
    pub model: Option<String>,
    /// One for each completion that was asked for.
    pub choices: Vec<ChatChoice>,
    /// Tokens that it took.
    #[serde(default)]
    pub usage: Option<Usage>,
    /// The prompt, as the server read it (vLLM).
    #[serde(default)]
    pub prompt_token_ids: Option<Vec<u32>>,
}

/// One answer.
#[derive(Clone, Debug, Deserialize)]
pub struct ChatChoice {
    /// Its place among the answers.
    #[serde(default)]
    pub index: usize,
    /// What was said.
    pub message: ReplyMessage,
    /// Why it ended: `stop`, `length`, others.
    #[serde(default)]
    pub finish_reason: Option<String>,
    /// The text or token that ended it (vLLM's `stop_reason`, SGLang's `matched_stop`).
    #[serde(default, alias = "matched_stop")]
    pub stop_reason: Option<Value>,
    /// Where they were asked for.
    #[serde(default)]
    pub logprobs: Option<ChatLogprobs>,
    /// What was written, as tokens; with the stop token (vLLM's `token_ids`, SGLang's `response_token_ids`).
    #[serde(default, alias = "response_token_ids")]
    pub token_ids: Option<Vec<u32>>,
    /// The prompt, as the server read it (SGLang).
    #[serde(default)]
    pub prompt_token_ids: Option<Vec<u32>>,
}

/// What was said.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct ReplyMessage {
    /// The answer; `None` where the server says null, as for an answer that is all thought.
    #[serde(default)]
    pub content: Option<String>,
    /// The thought before it, where the server takes it apart (`reasoning_content`, newer vLLM's `reasoning`).
    #[serde(default, alias = "reasoning")]
    pub reasoning_content: Option<String>,
    /// Why nothing was said.
    #[serde(default)]
    pub refusal: Option<String>,
}

/// Log-probabilities of an answer.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct ChatLogprobs {
    /// Place by place.
    #[serde(default, deserialize_with = "null_as_default")]
    pub content: Vec<TokenLogprob>,
}

/// A token that was drawn.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct TokenLogprob {
    /// Its text, or `token_id:123`.
    pub token: String,
    /// Its number, where the server gives it (llama.cpp).
    #[serde(default)]
    pub id: Option<u32>,
    /// Its log-probability.
    pub logprob: f64,
    /// The likeliest ones at this place, with or without the one that was drawn.
    #[serde(default, deserialize_with = "null_as_default")]
    pub top_logprobs: Vec<Likely>,
}

/// A token that could have been drawn.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Likely {
    /// Its text, or `token_id:123`.
    pub token: String,
    /// Its log-probability.
    pub logprob: f64,
}

/// Tokens that a request took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Of the prompt.
    #[serde(deserialize_with = "null_as_default")]
    pub prompt_tokens: usize,
    /// Of the completions.
    #[serde(deserialize_with = "null_as_default")]
    pub completion_tokens: usize,
}

/// The reply of `/v1/models`.
#[derive(Clone, Debug, Deserialize)]
pub struct ModelList {
    /// What can be asked.
    pub data: Vec<Model>,
}

/// A model that can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Model {
    /// Its name in requests.
    pub id: String,
    /// The most tokens of prompt and completion (vLLM, SGLang).
    #[serde(default)]
    pub max_model_len: Option<usize>,
}

/// The number in `token_id:123`.
pub fn named_token(text: &str) -> Option<u32> {
    text.strip_prefix("token_id:")?.parse().ok()
}

/// Servers write null for a list that they do not have.
fn null_as_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    value: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(value)?.unwrap_or_default())
}
