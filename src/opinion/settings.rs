//! `[judges.NAME]` and `[reward_models.NAME]`: where models are, and how patient one is with them.
//!
//! A judge is behind HTTP (`url`) or in this process (`path`). What only one of the two has is refused for the other.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::remote::{BreakerSettings, Service, Settings};
use crate::serving::{Limits, ModelSettings};

/// The models that graders may ask, by their names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OpinionSettings {
    /// Language models that judge.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub judges: BTreeMap<String, JudgeSettings>,
    /// Reward models.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub reward_models: BTreeMap<String, RewardModelSettings>,
}

/// A language model behind an OpenAI-compatible server, or in this process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JudgeSettings {
    /// Where it is: one address or several that answer alike.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// One address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A model to run in this process: a GGUF file, a folder in Hugging Face's layout, or a name on the hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Its name at the server; in this process what verdicts call it, or the end of `path`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// Which state of the model answers; another one has other verdicts in the cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The environment variable with its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_env: Option<String>,
    /// Requests that each address is sent at a time.
    #[serde(default = "judge_concurrency")]
    pub concurrency: usize,
    /// Time for one try, in milliseconds.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
    /// Time for a vote with all its tries, in milliseconds.
    #[serde(default = "deadline_ms")]
    pub deadline_ms: u64,
    /// Tries after the first.
    #[serde(default = "retries")]
    pub retries: u32,
    /// Failures after which an address is left alone for a while, if they are half of the last 20 calls.
    #[serde(default = "breaker_failures")]
    pub breaker_failures: usize,
    /// How long it is left alone at first, in milliseconds.
    #[serde(default = "breaker_rest_ms")]
    pub breaker_rest_ms: u64,
    /// How much a verdict is left to chance when it is drawn; log-probabilities do not depend on it.
    #[serde(default)]
    pub temperature: f64,
    /// The most tokens of a verdict. A model that thinks first needs more.
    #[serde(default = "max_tokens")]
    pub max_tokens: u32,
    /// Log-probabilities of so many of the likeliest tokens are asked for.
    #[serde(default = "top_logprobs")]
    pub top_logprobs: u32,
    /// How the server is told to hold the model to a verdict.
    #[serde(default)]
    pub constrain: Constrain,
    /// Further fields of the request, as the server wants them, such as `chat_template_kwargs`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
    /// In this process: the device of a folder's tensors, as `run.device` of a recipe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// In this process: layers of a GGUF model that are computed on the GPU; all where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_layers: Option<u32>,
    /// In this process: votes that are decoded at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
    /// In this process: tokens of a question and its answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<usize>,
    /// In this process: tokens that questions and answers have room for together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_tokens: Option<usize>,
}

/// Where a judge is.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// Behind HTTP.
    There(Settings),
    /// In this process.
    Here(ModelSettings),
}

/// How a server is told to hold the model to a verdict: the request's field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Constrain {
    /// Not at all; the verdict is read strictly all the same.
    #[default]
    None,
    /// `structured_outputs` with `choice`: vLLM.
    StructuredOutputs,
    /// `guided_choice`: vLLM before 0.11.
    GuidedChoice,
    /// `regex`: SGLang.
    Regex,
    /// `grammar`, as GBNF: the server of llama.cpp.
    Grammar,
}

/// A reward model behind HTTP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RewardModelSettings {
    /// Where it is: one address or several that answer alike.
    #[serde(default)]
    pub urls: Vec<String>,
    /// One address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What stands behind the address.
    #[serde(default = "path")]
    pub path: String,
    /// Sent as `model`, where it is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Which state of the model answers; another one has other scores in the cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The environment variable with its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_env: Option<String>,
    /// Batches that each address is sent at a time.
    #[serde(default = "reward_concurrency")]
    pub concurrency: usize,
    /// The most completions in a batch.
    #[serde(default = "max_batch")]
    pub max_batch: usize,
    /// How long a batch waits for more completions, in milliseconds.
    #[serde(default = "max_wait_ms")]
    pub max_wait_ms: u64,
    /// Time for one try, in milliseconds.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
    /// Time for a batch with all its tries, in milliseconds.
    #[serde(default = "deadline_ms")]
    pub deadline_ms: u64,
    /// Tries after the first.
    #[serde(default = "retries")]
    pub retries: u32,
    /// Failures after which an address is left alone for a while, if they are half of the last 20 calls.
    #[serde(default = "breaker_failures")]
    pub breaker_failures: usize,
    /// How long it is left alone at first, in milliseconds.
    #[serde(default = "breaker_rest_ms")]
    pub breaker_rest_ms: u64,
}

fn judge_concurrency() -> usize {
    32
}

fn reward_concurrency() -> usize {
    4
}

fn timeout_ms() -> u64 {
    60_000
}

fn deadline_ms() -> u64 {
    120_000
}

fn retries() -> u32 {
    2
}

fn breaker_failures() -> usize {
    4
}

fn breaker_rest_ms() -> u64 {
    1000
}

fn max_tokens() -> u32 {
    4
}

fn top_logprobs() -> u32 {
    20
}

fn max_batch() -> usize {
    64
}

fn max_wait_ms() -> u64 {
    5
}

fn path() -> String {
    "/score".to_owned()
}

/// The most requests, tries, tokens or completions that a setting may ask for.
const MAX_COUNT: u64 = 4096;
/// A day, in milliseconds.
const MAX_MS: u64 = 86_400_000;

/// What the two kinds have in common.
struct Patience<'a> {
    service: Service,
    urls: &'a [String],
    url: Option<&'a String>,
    api_key_env: Option<&'a String>,
    concurrency: usize,
    timeout_ms: u64,
    deadline_ms: u64,
    retries: u32,
    breaker_failures: usize,
    breaker_rest_ms: u64,
}

impl Patience<'_> {
    fn remote(self) -> Result<Settings, String> {
        within("concurrency", self.concurrency as u64, 1, MAX_COUNT)?;
        within("timeout_ms", self.timeout_ms, 1, MAX_MS)?;
        within("deadline_ms", self.deadline_ms, 1, MAX_MS)?;
        within("retries", u64::from(self.retries), 0, 100)?;
        within("breaker_failures", self.breaker_failures as u64, 1, 20)?;
        within("breaker_rest_ms", self.breaker_rest_ms, 1, MAX_MS)?;
        let urls: Vec<String> = self.url.into_iter().chain(self.urls).cloned().collect();
        if urls.is_empty() {
            return Err("`url` is missing; name an address such as http://127.0.0.1:8000".to_owned());
        }
        let rest = Duration::from_millis(self.breaker_rest_ms);
        let defaults = BreakerSettings::default();
        Ok(Settings {
            api_key_env: self.api_key_env.cloned(),
            concurrency: self.concurrency,
            timeout: Duration::from_millis(self.timeout_ms),
            deadline: Duration::from_millis(self.deadline_ms),
            retries: self.retries,
            breaker: BreakerSettings {
                min_failures: self.breaker_failures,
                rest,
                rest_max: defaults.rest_max.max(rest),
                ..defaults
            },
            ..Settings::new(self.service, urls)
        })
    }
}

fn within(name: &str, value: u64, low: u64, high: u64) -> Result<(), String> {
    if (low..=high).contains(&value) { Ok(()) } else { Err(format!("`{name}` is from {low} to {high}")) }
}

/// Votes that are decoded at a time where nothing is said.
const LOCAL_BATCH: usize = 32;
/// Tokens of a question and its answer where nothing is said: what is quoted is cut at 8,000 characters.
const LOCAL_CONTEXT: usize = 8192;
/// More tokens than any model's context.
const MAX_TOKENS: u64 = 1 << 30;

impl JudgeSettings {
    /// Where it is, and how it is reached or loaded.
    ///
    /// # Errors
    /// Says which setting is out of range, or does not belong to where the model is.
    pub(super) fn place(&self) -> Result<Place, String> {
        within("max_tokens", u64::from(self.max_tokens), 1, 1 << 20)?;
        within("top_logprobs", u64::from(self.top_logprobs), 1, 100)?;
        if !(0.0..=10.0).contains(&self.temperature) {
            return Err("`temperature` is from 0 to 10".to_owned());
        }
        match &self.path {
            Some(path) => self.here(path).map(Place::Here),
            None => self.there().map(Place::There),
        }
    }

    /// How long a vote may take with all its tries.
    pub(super) const fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }

    fn here(&self, path: &str) -> Result<ModelSettings, String> {
        let strangers = [
            ("url", self.url.is_some()),
            ("urls", !self.urls.is_empty()),
            ("api_key_env", self.api_key_env.is_some()),
            ("concurrency", self.concurrency != judge_concurrency()),
            ("timeout_ms", self.timeout_ms != timeout_ms()),
            ("retries", self.retries != retries()),
            ("breaker_failures", self.breaker_failures != breaker_failures()),
            ("breaker_rest_ms", self.breaker_rest_ms != breaker_rest_ms()),
            ("constrain", self.constrain != Constrain::None),
            ("extra", !self.extra.is_empty()),
        ];
        if let Some((field, _)) = strangers.iter().find(|(_, is_set)| *is_set) {
            return Err(format!("`{field}` is of models behind HTTP, and `path` says that this one is here"));
        }
        within("deadline_ms", self.deadline_ms, 1, MAX_MS)?;
        let batch = self.batch.unwrap_or(LOCAL_BATCH);
        within("batch", batch as u64, 1, MAX_COUNT)?;
        for (name, value) in [("context", self.context), ("cache_tokens", self.cache_tokens)] {
            within(name, value.unwrap_or(LOCAL_CONTEXT) as u64, 1, MAX_TOKENS)?;
        }
        let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or(path);
        let name = if self.model.is_empty() { last } else { &self.model };
        Ok(ModelSettings {
            source: path.to_owned(),
            name: name.to_owned(),
            device: self.device.clone().unwrap_or_else(|| "cpu".to_owned()),
            n_gpu_layers: self.gpu_layers,
            max_batch: batch,
            context: self.context,
            default_context: LOCAL_CONTEXT,
            cache_tokens: self.cache_tokens,
            limits: Limits { max_deadline: self.deadline(), ..Limits::default() },
        })
    }

    fn there(&self) -> Result<Settings, String> {
        let strangers = [
            ("device", self.device.is_some()),
            ("gpu_layers", self.gpu_layers.is_some()),
            ("batch", self.batch.is_some()),
            ("context", self.context.is_some()),
            ("cache_tokens", self.cache_tokens.is_some()),
        ];
        if let Some((field, _)) = strangers.iter().find(|(_, is_set)| *is_set) {
            return Err(format!("`{field}` is of a model in this process, which has a `path` and no `url`"));
        }
        if self.model.is_empty() {
            return Err("`model` is the model's name at its server".to_owned());
        }
        let taken =
            ["model", "messages", "logprobs", "top_logprobs", "n", "max_tokens", "temperature", "seed"];
        if let Some(field) = taken.iter().find(|field| self.extra.contains_key(**field)) {
            return Err(format!("`extra` has the field `{field}`, which is not its to set"));
        }
        Patience {
            service: Service::Judge,
            urls: &self.urls,
            url: self.url.as_ref(),
            api_key_env: self.api_key_env.as_ref(),
            concurrency: self.concurrency,
            timeout_ms: self.timeout_ms,
            deadline_ms: self.deadline_ms,
            retries: self.retries,
            breaker_failures: self.breaker_failures,
            breaker_rest_ms: self.breaker_rest_ms,
        }
        .remote()
    }
}

impl RewardModelSettings {
    /// How its server is reached.
    ///
    /// # Errors
    /// Says which setting is out of range.
    pub(super) fn remote(&self) -> Result<Settings, String> {
        within("max_batch", self.max_batch as u64, 1, MAX_COUNT)?;
        within("max_wait_ms", self.max_wait_ms, 0, 10_000)?;
        if !self.path.starts_with('/') || self.path.contains(['?', '#']) {
            return Err("`path` begins with a slash and has no query".to_owned());
        }
        Patience {
            service: Service::External,
            urls: &self.urls,
            url: self.url.as_ref(),
            api_key_env: self.api_key_env.as_ref(),
            concurrency: self.concurrency,
            timeout_ms: self.timeout_ms,
            deadline_ms: self.deadline_ms,
            retries: self.retries,
            breaker_failures: self.breaker_failures,
            breaker_rest_ms: self.breaker_rest_ms,
        }
        .remote()
    }
}
