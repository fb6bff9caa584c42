//! What is sent.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// `POST /v1/completions`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CompletionRequest {
    /// Which model; with some servers an adapter by its name.
    pub model: String,
    /// What is continued.
    pub prompt: Prompt,
    /// Log-probabilities of so many of the likeliest tokens at each place, beside the one that was drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<u32>,
    /// Whether the tokenizer puts its special tokens around a text (vLLM).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub add_special_tokens: Option<bool>,
    /// How tokens are drawn.
    #[serde(flatten)]
    pub sampling: SamplingFields,
}

/// A prompt: its text, or its tokens, which nobody then has to tokenise again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Prompt {
    /// Text.
    Text(String),
    /// Tokens.
    Tokens(Vec<u32>),
}

impl Default for Prompt {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

/// `POST /v1/chat/completions`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ChatRequest {
    /// Which model; with some servers an adapter by its name.
    pub model: String,
    /// The conversation so far.
    pub messages: Vec<Message>,
    /// Whether log-probabilities are wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<bool>,
    /// Log-probabilities of so many of the likeliest tokens at each place, beside the one that was drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_logprobs: Option<u32>,
    /// What the answer must look like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_format: Option<ResponseFormat>,
    /// What the chat template is given beside the messages (vLLM, SGLang), such as `enable_thinking`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_template_kwargs: Option<Value>,
    /// How tokens are drawn.
    #[serde(flatten)]
    pub sampling: SamplingFields,
}

/// What one of a conversation says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// The text.
    pub content: String,
}

impl Message {
    /// What `role` says.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self { role: role.into(), content: content.into() }
    }
}

/// How tokens are drawn, and what comes back with them. What is `None` or empty is left to the server.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SamplingFields {
    /// Completions of the prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<u32>,
    /// The most tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Divides the logits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Only the likeliest tokens that together have this probability.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Only so many of the likeliest tokens; not OpenAI's. All are -1 for SGLang, 0 for llama.cpp, either for vLLM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<i64>,
    /// Only tokens with this share of the likeliest one's probability; not OpenAI's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_p: Option<f64>,
    /// Decides the draws.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Texts that end a completion.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// Tokens that end a completion, beside the model's own (vLLM, SGLang).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop_token_ids: Vec<u32>,
    /// Whether special tokens are left out of the text (vLLM, SGLang).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_special_tokens: Option<bool>,
    /// Whether the tokens come as numbers (vLLM from 0.10.2, SGLang).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_token_ids: Option<bool>,
    /// Whether the tokens among log-probabilities are written `token_id:123` (vLLM).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_tokens_as_token_ids: Option<bool>,
    /// Text that a JSON Schema allows (vLLM's older field; newer servers take `response_format`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guided_json: Option<Value>,
    /// Further fields, as the server wants them.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// What an answer must look like.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ResponseFormat {
    /// Any text.
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON of this schema.
    JsonSchema {
        /// The schema and its name.
        json_schema: JsonSchemaFormat,
    },
}

/// A JSON Schema for an answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JsonSchemaFormat {
    /// A name, which OpenAI asks for.
    pub name: String,
    /// The schema.
    pub schema: Value,
    /// Whether nothing else may come.
    pub strict: bool,
}
