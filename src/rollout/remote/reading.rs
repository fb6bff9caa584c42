//! From a reply to tokens and log-probabilities, with every doubt checked.

use policy::decode::Sampling;
use policy::tokenizer::Tokenizer;

use crate::remote::openai::{ChatReply, CompletionReply, TokenLogprob, Usage, named_token};

/// What a reply is checked against.
pub(super) struct Expected<'a> {
    pub(super) tokenizer: &'a Tokenizer,
    pub(super) sampling: &'a Sampling,
    /// As the learner has it.
    pub(super) prompt: &'a [u32],
    pub(super) max_tokens: usize,
    /// Of the policy that was asked.
    pub(super) version: u64,
}

/// What a server wrote.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Said {
    pub(super) tokens: Vec<u32>,
    pub(super) logprobs: Vec<f32>,
    pub(super) finish: Finish,
    /// The text, where the tokens are made from it and not it from the tokens.
    pub(super) text: Option<String>,
    pub(super) version: u64,
}

/// Why it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Finish {
    #[default]
    Stop,
    Length,
    Repetition,
}

impl Finish {
    /// Its name, as the native engine calls it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::Repetition => "repetition",
        }
    }
}

/// The parts of a reply, whichever wire it came by.
struct Parts {
    text: String,
    finish: Option<String>,
    token_ids: Option<Vec<u32>>,
    prompt_token_ids: Option<Vec<u32>>,
    usage: Option<Usage>,
    /// Names and log-probabilities of the tokens that were drawn.
    names: Vec<String>,
    logprobs: Vec<Option<f64>>,
}

/// Below this a token is never drawn; servers write such numbers where they mean that they have none.
const LEAST_LOGPROB: f64 = -1000.0;
/// Rounding may put a log-probability this much above 0.
const ROUNDING: f64 = 1e-3;

/// Reads the reply of `/v1/completions`.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read_completion(mut reply: CompletionReply, expected: &Expected<'_>) -> Result<Said, String> {
    let n = reply.choices.len();
    let Some(choice) = reply.choices.pop().filter(|_| n == 1) else {
        return Err(format!("one completion was asked for and {n} came"));
    };
    let logprobs = choice.logprobs.unwrap_or_default();
    let (ids, names, values) = if logprobs.content.is_empty() {
        (None, logprobs.tokens, logprobs.token_logprobs)
    } else {
        columns(logprobs.content)
    };
    let parts = Parts {
        text: choice.text,
        finish: choice.finish_reason,
        token_ids: choice.token_ids.or(ids),
        prompt_token_ids: choice.prompt_token_ids,
        usage: reply.usage,
        names,
        logprobs: values,
    };
    read(parts, expected)
}

/// Reads the reply of `/v1/chat/completions`.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read_chat(mut reply: ChatReply, expected: &Expected<'_>) -> Result<Said, String> {
    let n = reply.choices.len();
    let Some(choice) = reply.choices.pop().filter(|_| n == 1) else {
        return Err(format!("one completion was asked for and {n} came"));
    };
    let (ids, names, logprobs) = columns(choice.logprobs.unwrap_or_default().content);
    let token_ids = choice.token_ids.or(ids);
    if token_ids.is_none() && choice.message.reasoning_content.is_some() {
        return Err("the server takes the thought out of the answer and gives no token ids, so the text is not whole; \
                    start it without its reasoning parser"
            .to_owned());
    }
    let parts = Parts {
        text: choice.message.content.unwrap_or_default(),
        finish: choice.finish_reason,
        token_ids,
        prompt_token_ids: choice.prompt_token_ids.or(reply.prompt_token_ids),
        usage: reply.usage,
        names,
        logprobs,
    };
    read(parts, expected)
}

/// Numbers where all are given, names and log-probabilities of tokens.
fn columns(content: Vec<TokenLogprob>) -> (Option<Vec<u32>>, Vec<String>, Vec<Option<f64>>) {
    let ids: Option<Vec<u32>> = content.iter().map(|entry| entry.id).collect();
    let (names, logprobs) = content.into_iter().map(|entry| (entry.token, Some(entry.logprob))).unzip();
    (ids.filter(|ids| !ids.is_empty()), names, logprobs)
}

fn read(parts: Parts, expected: &Expected<'_>) -> Result<Said, String> {
    check_prompt(&parts, expected)?;
    let finish = match parts.finish.as_deref() {
        Some("stop" | "eos" | "stop_sequence") => Finish::Stop,
        Some("length" | "max_tokens") => Finish::Length,
        Some(other) => return Err(format!("the completion ended by `{}`", shown(other))),
        None => return Err("the completion has no finish reason".to_owned()),
    };
    let logprobs = logprobs(&parts.logprobs)?;
    let named: Option<Vec<u32>> = parts.names.iter().map(|name| named_token(name)).collect();
    let given = parts.token_ids.or_else(|| named.filter(|tokens| !tokens.is_empty()));
    let (tokens, text) = match given {
        Some(tokens) => (tokens, None),
        None => (tokenised(&parts.text, finish, &parts.names, logprobs.len(), expected)?, Some(parts.text)),
    };
    if tokens.is_empty() {
        return Err("the completion has no token".to_owned());
    }
    if tokens.len() != logprobs.len() {
        return Err(format!("{} tokens came with {} log-probabilities", tokens.len(), logprobs.len()));
    }
    if tokens.len() > expected.max_tokens {
        return Err(format!("{} tokens came and {} were asked for", tokens.len(), expected.max_tokens));
    }
    let vocabulary = expected.tokenizer.vocabulary();
    if let Some(token) = tokens.iter().find(|token| **token as usize >= vocabulary) {
        return Err(format!(
            "the token {token} came, and the learner's tokenizer has {vocabulary}; the server has another model"
        ));
    }
    Ok(Said { tokens, logprobs, finish, text, version: expected.version })
}

/// A server that reads another prompt samples from another distribution.
fn check_prompt(parts: &Parts, expected: &Expected<'_>) -> Result<(), String> {
    let advice = "the learner's log-probabilities would be of another prompt (is the chat template or the tokenizer \
                  another one?)";
    if let Some(tokens) = &parts.prompt_token_ids {
        return if tokens == expected.prompt {
            Ok(())
        } else {
            Err(format!("the server read the prompt as other tokens than were meant; {advice}"))
        };
    }
    let (n, read) = (expected.prompt.len(), parts.usage.map_or(0, |usage| usage.prompt_tokens));
    if read != 0 && read != n {
        return Err(format!("the server read the prompt as {read} tokens and the learner has {n}; {advice}"));
    }
    Ok(())
}

fn logprobs(given: &[Option<f64>]) -> Result<Vec<f32>, String> {
    if given.is_empty() {
        return Err("the reply has no log-probabilities; the server must give them".to_owned());
    }
    given
        .iter()
        .map(|logprob| match logprob {
            Some(value) if (LEAST_LOGPROB..=ROUNDING).contains(value) => Ok(value.min(0.0) as f32),
            Some(value) => Err(format!("{value} is no log-probability of a token that was drawn")),
            None => Err("a token has no log-probability".to_owned()),
        })
        .collect()
}

/// The tokens of a text that came without them: only where they are as many as the log-probabilities and have the
/// names that the server gives them. A server that reports its stop token adds one.
fn tokenised(
    text: &str,
    finish: Finish,
    names: &[String],
    n: usize,
    expected: &Expected<'_>,
) -> Result<Vec<u32>, String> {
    let tokenizer = expected.tokenizer;
    let mut tokens = tokenizer.encode(text, false).map_err(|error| error.to_string())?;
    let stop = tokenizer.eos_token();
    if tokens.len() + 1 == n && finish == Finish::Stop && expected.sampling.stop_tokens.contains(&stop) {
        let name = names.last().map(String::as_str).unwrap_or_default();
        if name.is_empty() || tokenizer.token(name) == Some(stop) {
            tokens.push(stop);
        }
    }
    if tokens.len() != n {
        return Err(format!(
            "the server gives no token ids, and its text is {} tokens here where it has {n} log-probabilities",
            tokens.len()
        ));
    }
    for (token, name) in tokens.iter().zip(names) {
        let own = tokenizer.decode(&[*token], false).map_err(|error| error.to_string())?;
        // Parts of characters have no text of their own, and some tokenizers drop a space at the beginning.
        let legible =
            |text: &str| !text.is_empty() && !text.contains('\u{FFFD}') && !text.starts_with("bytes:");
        if legible(name)
            && legible(&own)
            && name.trim() != own.trim()
            && tokenizer.token(name) != Some(*token)
        {
            return Err(format!(
                "the server gives no token ids, and its token {:?} is {:?} here",
                shown(name),
                shown(&own)
            ));
        }
    }
    Ok(tokens)
}

fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}
