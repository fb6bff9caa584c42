//! The fields that both wires share: how tokens are chosen, how many sequences, when they end.

use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::constraint::{self, Constraints};
use super::refusal::Refusal;
use crate::serving::{Card, Draw, Ready};

/// The most sequences for one prompt.
const MAX_N: u64 = 128;
/// The most stop texts, and their length in bytes.
const MAX_STOPS: usize = 16;
const MAX_STOP_BYTES: usize = 1024;
/// The most stop tokens of a request.
const MAX_STOP_TOKENS: usize = 64;
/// The most tokens that are told at each place.
pub(super) const MAX_TOP: u64 = 20;

/// What both wires know. Fields that are not known are left alone; those that would change the answer and cannot be
/// honoured are refused.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct SharedFields {
    /// The model's name, as `GET /v1/models` tells it.
    pub(super) model: Option<String>,
    /// Sequences for each prompt, 1 to 128.
    pub(super) n: Option<u64>,
    /// What logits are divided by; 0 takes the most probable token.
    temperature: Option<f64>,
    /// Only the most probable tokens that together first reach this.
    top_p: Option<f64>,
    /// Only the k most probable tokens; 0 and -1 keep all.
    top_k: Option<i64>,
    /// Only tokens at least this share as probable as the most probable one.
    min_p: Option<f64>,
    /// The most tokens.
    max_tokens: Option<u64>,
    /// A text that ends a sequence, or up to 16 of them.
    #[schema(value_type = Option<Vec<String>>)]
    #[serde(default)]
    stop: Value,
    /// Tokens that end a sequence, besides the model's own.
    stop_token_ids: Option<Vec<u32>>,
    /// Whether the model's own stop tokens end nothing.
    ignore_eos: Option<bool>,
    /// Whether the text that ended a sequence stays at its end.
    include_stop_str_in_output: Option<bool>,
    /// Whether special tokens are left out of the text, as they are by default.
    skip_special_tokens: Option<bool>,
    /// The same seed and request give the same text, whatever else runs.
    pub(super) seed: Option<i64>,
    /// Whether the answer comes in pieces, as server-sent events.
    pub(super) stream: Option<bool>,
    /// How it does.
    pub(super) stream_options: Option<StreamOptions>,
    /// Whether the tokens of prompt and answer come with it.
    pub(super) return_token_ids: Option<bool>,
    /// Whether tokens are named `token_id:<number>` in log-probabilities.
    pub(super) return_tokens_as_token_ids: Option<bool>,
    /// What the text has to be: `text`, `json_object` or `json_schema`.
    #[schema(value_type = Option<Object>)]
    #[serde(default)]
    response_format: Value,
    /// A grammar in GBNF that the text has to follow.
    grammar: Option<String>,
    /// The same.
    guided_grammar: Option<String>,
    /// A JSON Schema that the text has to follow.
    #[schema(value_type = Option<Object>)]
    #[serde(default)]
    guided_json: Value,
    /// Texts of which it has to be one.
    guided_choice: Option<Vec<String>>,
    #[schema(ignore)]
    #[serde(default)]
    guided_regex: Value,
    #[schema(ignore)]
    #[serde(default)]
    structured_outputs: Value,
    #[schema(ignore)]
    frequency_penalty: Option<f64>,
    #[schema(ignore)]
    presence_penalty: Option<f64>,
    #[schema(ignore)]
    repetition_penalty: Option<f64>,
    #[schema(ignore)]
    logit_bias: Option<Map<String, Value>>,
    #[schema(ignore)]
    min_tokens: Option<u64>,
    #[schema(ignore)]
    use_beam_search: Option<bool>,
    #[schema(ignore)]
    prompt_logprobs: Option<i64>,
    #[schema(ignore)]
    bad_words: Option<Vec<String>>,
    #[schema(ignore)]
    allowed_token_ids: Option<Vec<u32>>,
}

/// How a stream is written.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
pub(super) struct StreamOptions {
    /// Whether a last piece tells how many tokens there were.
    pub(super) include_usage: Option<bool>,
}

impl SharedFields {
    /// What would change the answer and cannot be honoured.
    fn unsupported(&self) -> Option<(&'static str, &'static str)> {
        let penalty = "is not supported, except as the number that changes nothing; leave it out";
        let differs = |value: Option<f64>, neutral: f64| value.is_some_and(|value| value != neutral);
        let has = |list: Option<bool>| list == Some(true);
        [
            (differs(self.frequency_penalty, 0.0), "frequency_penalty", penalty),
            (differs(self.presence_penalty, 0.0), "presence_penalty", penalty),
            (differs(self.repetition_penalty, 1.0), "repetition_penalty", penalty),
            (self.logit_bias.as_ref().is_some_and(|bias| !bias.is_empty()), "logit_bias", "is not supported"),
            (self.min_tokens.is_some_and(|n| n > 0), "min_tokens", "is not supported"),
            (has(self.use_beam_search), "use_beam_search", "is not supported"),
            (self.prompt_logprobs.is_some(), "prompt_logprobs", "is not supported"),
            (has(self.bad_words.as_ref().map(|words| !words.is_empty())), "bad_words", "is not supported"),
            (
                has(self.allowed_token_ids.as_ref().map(|ids| !ids.is_empty())),
                "allowed_token_ids",
                "is not supported",
            ),
        ]
        .into_iter()
        .find_map(|(is_there, field, why)| is_there.then_some((field, why)))
    }

    /// Sequences for each prompt.
    pub(super) fn n(&self) -> Result<usize, Refusal> {
        let n = self.n.unwrap_or(1);
        if n == 0 || n > MAX_N {
            return Err(Refusal::value("n", format!("`n` is {n}; expected 1 to {MAX_N}")));
        }
        Ok(n as usize)
    }

    /// Whether a stream ends with how many tokens there were.
    pub(super) fn wants_usage(&self) -> bool {
        self.stream_options.and_then(|options| options.include_usage).unwrap_or(false)
    }

    /// How tokens are chosen, and the field that said how many at the most. `max_tokens` is what else a wire calls
    /// that; without any of them `default_tokens` holds, or where there is none what the context has room for.
    ///
    /// # Errors
    /// The field and what it has to be.
    pub(super) fn draw(
        &self,
        ready: &Ready,
        max_tokens: Option<(&'static str, u64)>,
        default_tokens: Option<usize>,
        n_top: usize,
    ) -> Result<(Draw, Option<&'static str>), Refusal> {
        if let Some((field, why)) = self.unsupported() {
            return Err(Refusal::unsupported(field, format!("`{field}` {why}")));
        }
        let card = &ready.card;
        let temperature = within("temperature", self.temperature, 1.0, |t| {
            // Below the smallest temperature quotients of ordinary logits overflow.
            (t == 0.0 || (1e-4..=1e4).contains(&t)).then_some(()).ok_or("0, or a number from 0.0001 to 10000")
        })?;
        let top_p = within("top_p", self.top_p, 1.0, |p| {
            (p > 0.0 && p <= 1.0).then_some(()).ok_or("a number above 0 and at most 1")
        })?;
        let min_p = within("min_p", self.min_p, 0.0, |p| {
            (0.0..=1.0).contains(&p).then_some(()).ok_or("a number from 0 to 1")
        })?;
        let top_k = match self.top_k.unwrap_or(0) {
            -1 => 0,
            k => usize::try_from(k)
                .map_err(|_| Refusal::value("top_k", format!("`top_k` is {k}; expected -1, 0 or more")))?,
        };
        let asked = max_tokens.or(self.max_tokens.map(|n| ("max_tokens", n)));
        let max_tokens = match asked {
            None => default_tokens.unwrap_or(card.context),
            Some((field, n)) => {
                let most = card.context;
                let n = usize::try_from(n).unwrap_or(usize::MAX);
                if n == 0 || n > most {
                    let message = format!("`{field}` is {n}; expected 1 to {most}");
                    return Err(Refusal::value(field, message));
                }
                n
            }
        };
        let own_stop_tokens = self.stop_tokens(card)?;
        let stop_tokens =
            if self.ignore_eos.unwrap_or(false) { Vec::new() } else { card.stop_tokens.clone() };
        let constraints = Constraints {
            response_format: &self.response_format,
            grammars: [
                ("grammar", self.grammar.as_deref()),
                ("guided_grammar", self.guided_grammar.as_deref()),
            ],
            schema: &self.guided_json,
            choice: self.guided_choice.as_deref(),
            regex: &self.guided_regex,
            structured: &self.structured_outputs,
        };
        let draw = Draw {
            temperature: temperature as f32,
            top_k: top_k.min(card.vocabulary),
            top_p: top_p as f32,
            min_p: min_p as f32,
            max_tokens,
            stop_tokens,
            own_stop_tokens,
            stop_texts: stops(&self.stop)?,
            keep_stop: self.include_stop_str_in_output.unwrap_or(false),
            skip_special: self.skip_special_tokens.unwrap_or(true),
            n_top,
            grammar: constraint::read(&constraints, ready)?,
        };
        Ok((draw, asked.map(|(field, _)| field)))
    }

    fn stop_tokens(&self, card: &Card) -> Result<Vec<u32>, Refusal> {
        const FIELD: &str = "stop_token_ids";
        let list = self.stop_token_ids.clone().unwrap_or_default();
        if list.len() > MAX_STOP_TOKENS {
            let message = format!("`{FIELD}` has {} tokens, at most {MAX_STOP_TOKENS}", list.len());
            return Err(Refusal::value(FIELD, message));
        }
        if let Some(token) = list.iter().find(|token| **token as usize >= card.vocabulary) {
            let message =
                format!("the token {token} is not in the vocabulary; tokens are below {}", card.vocabulary);
            return Err(Refusal::value(FIELD, message));
        }
        Ok(list)
    }
}

/// A number, or the default, that passes a test.
fn within(
    field: &str,
    value: Option<f64>,
    default: f64,
    test: impl FnOnce(f64) -> Result<(), &'static str>,
) -> Result<f64, Refusal> {
    let value = value.unwrap_or(default);
    match test(value) {
        Ok(()) => Ok(value),
        Err(expected) => Err(Refusal::value(field, format!("`{field}` is {value}; expected {expected}"))),
    }
}

/// One stop text, or a list of them.
fn stops(value: &Value) -> Result<Vec<String>, Refusal> {
    const FIELD: &str = "stop";
    let list: Vec<&Value> = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(list) => list.iter().collect(),
        one => vec![one],
    };
    if list.len() > MAX_STOPS {
        return Err(Refusal::value(
            FIELD,
            format!("`{FIELD}` has {} texts, at most {MAX_STOPS}", list.len()),
        ));
    }
    list.into_iter()
        .map(|stop| match stop.as_str() {
            None => Err(Refusal::value(FIELD, "`stop` is a text or a list of texts")),
            Some("") => {
                Err(Refusal::value(FIELD, "an empty stop text would end everything at once; leave it out"))
            }
            Some(stop) if stop.len() > MAX_STOP_BYTES => Err(Refusal::value(
                FIELD,
                format!("a stop text has {} bytes, at most {MAX_STOP_BYTES}", stop.len()),
            )),
            Some(stop) => Ok(stop.to_owned()),
        })
        .collect()
}
