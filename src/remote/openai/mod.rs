//! What OpenAI-compatible servers understand: requests as they are sent, and of replies what is read here.
//!
//! Requests leave out what is not set, since servers refuse fields that they do not know less often than values they
//! do not like. Replies may have any other fields; what is needed is checked by who needs it. The shapes are those of
//! OpenAI's reference, with what vLLM and SGLang add: token ids, and settings of sampling.

mod reply;
mod request;

pub use self::reply::{
    ChatChoice, ChatLogprobs, ChatReply, CompletionChoice, CompletionLogprobs, CompletionReply, Likely,
    Model, ModelList, ReplyMessage, TokenLogprob, Usage, named_token,
};
pub use self::request::{
    ChatRequest, CompletionRequest, JsonSchemaFormat, Message, Prompt, ResponseFormat, SamplingFields,
};

/// Where text or tokens are continued.
pub const COMPLETIONS: &str = "/v1/completions";
/// Where conversations are continued.
pub const CHAT: &str = "/v1/chat/completions";
/// What can be asked.
pub const MODELS: &str = "/v1/models";

#[cfg(test)]
mod tests;
