//! A scored group as an environment sends it and a trainer gets it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::server::problem::Problem;

/// The sequences of a group have no more than this; it is what one batch could hold at most.
pub(super) const MAX_SEQUENCES: usize = 4096;

/// One value for each token of each sequence.
type PerToken<T> = Vec<Vec<T>>;

/// The fields of a group, all of which a trainer gets, null or not. Shapes: [sequence][token], and
/// [sequence][token][alternative] for what is distilled.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct ScoredData {
    tokens: PerToken<i64>,
    masks: PerToken<i64>,
    scores: Vec<f64>,
    #[serde(default)]
    advantages: Option<PerToken<f64>>,
    #[serde(default)]
    ref_logprobs: Option<PerToken<f64>>,
    #[serde(default)]
    messages: Option<Vec<Vec<Map<String, Value>>>>,
    #[serde(default)]
    generation_params: Option<Map<String, Value>>,
    #[serde(default)]
    inference_logprobs: Option<PerToken<f64>>,
    #[serde(default)]
    overrides: Option<Vec<Map<String, Value>>>,
    #[serde(default)]
    group_overrides: Option<Map<String, Value>>,
    #[serde(default)]
    images: Option<Value>,
    #[serde(default)]
    env_id: Option<i64>,
    #[serde(default)]
    distill_token_ids: Option<Vec<PerToken<i64>>>,
    #[serde(default)]
    distill_logprobs: Option<Vec<PerToken<f64>>>,
}

/// A group that waits: its JSON, which is a fraction of what its numbers would take, and what batches are made by.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// The object that a trainer gets.
    pub(super) json: Arc<str>,
    /// Its sequences.
    pub(super) n: usize,
    /// The environment that sent it, where it said so.
    pub(super) environment: Option<i64>,
}

impl ScoredData {
    /// The group.
    ///
    /// # Errors
    /// 422 for a message without role or content, and for too many sequences.
    pub(super) fn into_group(self) -> Result<Group, Problem> {
        let messages = self.messages.iter().flatten().flatten();
        if messages
            .into_iter()
            .any(|message| !message.contains_key("role") || !message.contains_key("content"))
        {
            return Err(Problem::invalid_at("/messages", "a message must have `role` and `content`"));
        }
        let n = self.tokens.len();
        if n > MAX_SEQUENCES {
            let message = format!("a group has at most {MAX_SEQUENCES} sequences, this has {n}");
            return Err(Problem::invalid_at("/tokens", message));
        }
        let json = serde_json::to_string(&self).map_err(|_| Problem::internal())?;
        Ok(Group { json: json.into(), n, environment: self.env_id })
    }
}
