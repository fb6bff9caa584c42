//! What comes back from the model, sequence by sequence, until all are over.

use std::time::Instant;

use serde::Serialize;
use serde_json::Value;
use tokio::time::timeout_at;
use utoipa::ToSchema;

use super::asked::Inside;
use super::refusal::Refusal;
use crate::serving::{Event, Failure, Finish, Happening, Token};

/// Tokens that were read and said.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub(super) struct Usage {
    /// Tokens of the prompts, each counted once.
    prompt_tokens: usize,
    /// Tokens of all sequences, stop tokens among them.
    completion_tokens: usize,
    /// Both.
    total_tokens: usize,
}

impl Usage {
    pub(super) fn of(inside: &Inside, completion_tokens: usize) -> Self {
        let prompt_tokens = inside.prompts.iter().map(|prompt| prompt.len()).sum();
        Self { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens }
    }
}

/// A sequence that is over.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) text: String,
    /// With where each one's text begins, in characters.
    pub(super) tokens: Vec<(usize, Token)>,
    pub(super) n_tokens: usize,
    pub(super) finish: Finish,
}

/// The name of an ending on this wire, and what vLLM tells besides: the text or the token that it stopped at.
pub(super) fn reasons(finish: &Finish) -> (&'static str, Value) {
    match finish {
        Finish::Stop => ("stop", Value::Null),
        Finish::StopToken(token) => ("stop", (*token).into()),
        Finish::StopText(text) => ("stop", text.as_str().into()),
        Finish::Length => ("length", Value::Null),
    }
}

/// What happens next, and to which of the request's sequences.
///
/// # Errors
/// The time is over, the model failed, the server stops.
pub(super) async fn next(inside: &mut Inside) -> Result<(usize, Happening), Refusal> {
    // Of a model that always has something to say the next word never has to be waited for.
    if Instant::now() >= inside.deadline {
        return Err(inside.too_late());
    }
    let waiting = timeout_at(inside.deadline.into(), inside.answering.events.recv()).await;
    let Ok(event) = waiting else { return Err(inside.too_late()) };
    match event {
        Some(Event::Of { ask, index, what }) => Ok((ask * inside.n + index, what)),
        Some(Event::Failed(Failure::Refused(message))) => Err(Refusal::value("prompt", message)),
        Some(Event::Failed(Failure::Broken(message))) => Err(Refusal::broken(message)),
        Some(Event::Failed(Failure::Stopping)) | None => Err(Refusal::stopping()),
    }
}

/// Waits for all sequences, in the order of prompts and seeds.
///
/// # Errors
/// As [`next`]; what was said until then is lost.
pub(super) async fn whole(inside: &mut Inside) -> Result<Vec<Said>, Refusal> {
    // Tokens are kept where they are told; their text alone is small.
    let keeps = inside.show.logprobs || inside.show.token_ids;
    let mut said: Vec<Said> = (0..inside.n_choices())
        .map(|_| Said { text: String::new(), tokens: Vec::new(), n_tokens: 0, finish: Finish::Length })
        .collect();
    let mut n_left = said.len();
    while n_left > 0 {
        let (choice, what) = next(inside).await?;
        let Some(one) = said.get_mut(choice) else { continue };
        match what {
            Happening::Said { text, token, at } => {
                one.text.push_str(&text);
                one.n_tokens += 1;
                if keeps {
                    one.tokens.push((at, token));
                }
            }
            Happening::Ended { text, finish } => {
                one.text.push_str(&text);
                one.finish = finish;
                n_left -= 1;
            }
        }
    }
    Ok(said)
}
