//! Log-probabilities in the shapes of both wires.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::asked::Show;
use crate::serving::{Token, Words};

/// The lowest log-probability that is told: JSON has no infinity.
const LEAST: f32 = -9999.0;

/// Log-probabilities of `/v1/completions`: lists with an entry for each token.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct CompletionLogprobs {
    /// The tokens as text.
    tokens: Vec<String>,
    /// Their log-probabilities under the distribution that they were drawn from.
    token_logprobs: Vec<f32>,
    /// The most probable tokens at each place.
    #[schema(value_type = Vec<Object>)]
    top_logprobs: Vec<Map<String, Value>>,
    /// Where each token's text begins, in characters of the whole text.
    text_offset: Vec<usize>,
}

/// Log-probabilities of `/v1/chat/completions`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChatLogprobs {
    /// One for each token.
    content: Vec<ChatLogprob>,
    /// Always null.
    #[schema(value_type = Option<Object>)]
    refusal: (),
}

/// A token of a chat answer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChatLogprob {
    #[serde(flatten)]
    #[schema(inline)]
    token: NamedToken,
    /// The most probable tokens at this place.
    top_logprobs: Vec<NamedToken>,
}

/// A token with its log-probability.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NamedToken {
    /// Its text, with U+FFFD for bytes that are no character.
    token: String,
    /// The natural logarithm of its probability under the distribution that was drawn from.
    logprob: f32,
    /// Its bytes.
    bytes: Vec<u8>,
}

/// A token's name: its text, or its number where that was asked for.
fn name(words: &dyn Words, id: u32, show: Show) -> String {
    if show.as_token_ids {
        return format!("token_id:{id}");
    }
    String::from_utf8_lossy(&words.bytes(id)).into_owned()
}

fn named(words: &dyn Words, id: u32, logprob: f32, show: Show) -> NamedToken {
    NamedToken { token: name(words, id, show), logprob: logprob.max(LEAST), bytes: words.bytes(id) }
}

/// Tokens with the characters of text that came before each of them.
pub(super) fn completion(words: &dyn Words, tokens: &[(usize, &Token)], show: Show) -> CompletionLogprobs {
    let mut out = CompletionLogprobs::default();
    for (offset, token) in tokens {
        let own = name(words, token.id, show);
        let logprob = token.logprob.max(LEAST);
        let mut top = Map::new();
        for (id, logprob) in &token.top {
            // Two tokens may look alike; the more probable one comes first and stays.
            top.entry(name(words, *id, show)).or_insert_with(|| logprob.max(LEAST).into());
        }
        // As OpenAI does: what was drawn is among them.
        top.entry(own.clone()).or_insert_with(|| logprob.into());
        out.tokens.push(own);
        out.token_logprobs.push(logprob);
        out.top_logprobs.push(top);
        out.text_offset.push(*offset);
    }
    out
}

/// Tokens of a chat answer.
pub(super) fn chat<'a>(
    words: &dyn Words,
    tokens: impl IntoIterator<Item = &'a Token>,
    show: Show,
) -> ChatLogprobs {
    let one = |token: &Token| ChatLogprob {
        token: named(words, token.id, token.logprob, show),
        top_logprobs: token.top.iter().map(|(id, logprob)| named(words, *id, *logprob, show)).collect(),
    };
    ChatLogprobs { content: tokens.into_iter().map(one).collect(), refusal: () }
}
