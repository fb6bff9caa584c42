//! The OpenAI wire: `GET /v1/models`, `POST /v1/completions` and `POST /v1/chat/completions` for a model that this
//! server runs.
//!
//! A request becomes tokens and numbers here and waits in the model's queue; what the model says comes back whole or
//! in pieces. These files never decode and never draw: that is [`serving`](crate::serving). Errors have OpenAI's
//! shape. Fields of vLLM are understood where they say something about tokens.

mod answer;
mod asked;
pub mod chat;
pub mod completions;
mod constraint;
mod logprobs;
pub mod models;
mod prompt;
mod refusal;
mod sampling;
mod stream;

pub(super) use self::refusal::{ErrorReply, speak};

/// The paths of this wire.
pub(super) const PATHS: [&str; 3] = ["/v1/models", "/v1/completions", "/v1/chat/completions"];
