//! `[engine.remote]`: servers that speak OpenAI's protocol.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Recipe;
use super::fault::Checks;

/// Servers that speak OpenAI's protocol, and how they get the policy's weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RemoteRecipe {
    /// Where they are, such as `http://127.0.0.1:8000`; all of them have the same model.
    pub urls: Vec<String>,
    /// The model's name in requests; without one, the only one that they have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The environment variable that holds their key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key_env: Option<String>,
    /// The path that is asked.
    pub wire: RemoteWire,
    /// How prompts are sent.
    pub prompt: RemotePrompt,
    /// Of which distribution the log-probabilities are that they give.
    pub logprobs: RemoteLogprobs,
    /// Requests that one server is sent at a time.
    pub concurrency: usize,
    /// Seconds to reach a server.
    pub connect_timeout_s: u64,
    /// Seconds for one completion.
    pub timeout_s: u64,
    /// Further tries of a completion or a sync.
    pub retries: u32,
    /// The most tokens that one request asks for, after which a completion is continued by another; 0 is all.
    pub segment_tokens: usize,
    /// How new weights reach them.
    pub sync: RemoteSync,
    /// A folder that this process writes and the servers read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_folder: Option<PathBuf>,
    /// Where the servers see it; without one, where this process does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub served_folder: Option<PathBuf>,
    /// Fields that are put over those of each request.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, serde_json::Value>,
}

/// The path that is asked for completions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RemoteWire {
    /// `/v1/completions`.
    #[default]
    Completions,
    /// `/v1/chat/completions`: the server's own template makes a prompt of the messages.
    Chat,
}

/// How prompts are sent over the wire `completions`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RemotePrompt {
    /// As their tokens.
    #[default]
    Tokens,
    /// As their text, for servers that take no tokens.
    Text,
}

/// Of which distribution log-probabilities are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RemoteLogprobs {
    /// The model's own, before the temperature: vLLM without `--logprobs-mode`, llama-cpp-python.
    #[default]
    Raw,
    /// After the temperature and before any cut: SGLang.
    Scaled,
    /// The one that was drawn from: vLLM with `--logprobs-mode processed_logprobs`, Gavel.
    Sampled,
}

/// How new weights reach the servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemoteSync {
    /// They do not.
    #[default]
    None,
    /// Adapters by name, over vLLM's `/v1/load_lora_adapter`.
    VllmLora,
    /// Adapters by name, over SGLang's `/load_lora_adapter`.
    SglangLora,
    /// The whole model, over SGLang's `/update_weights_from_disk`.
    SglangDisk,
}

impl Default for RemoteRecipe {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            model: None,
            api_key_env: None,
            wire: RemoteWire::default(),
            prompt: RemotePrompt::default(),
            logprobs: RemoteLogprobs::default(),
            concurrency: 64,
            connect_timeout_s: 5,
            timeout_s: 600,
            retries: 3,
            segment_tokens: 0,
            sync: RemoteSync::default(),
            shared_folder: None,
            served_folder: None,
            extra: BTreeMap::new(),
        }
    }
}

/// More requests at once than any server takes.
const MAX_CONCURRENCY: usize = 65_536;
/// A day.
const MAX_SECONDS: u64 = 86_400;
const MAX_RETRIES: u32 = 100;

impl RemoteRecipe {
    /// `used` is whether it is this engine that draws completions.
    pub(super) fn check(&self, used: bool, checks: &mut Checks) {
        if used && self.urls.is_empty() {
            checks.fault("urls", "is empty; name at least one server, such as \"http://127.0.0.1:8000\"");
        }
        let settings = crate::remote::Settings::new(crate::remote::Service::Rollout, self.urls.clone());
        if !self.urls.is_empty()
            && let Err(error) = settings.bases()
        {
            checks.fault("urls", error.message);
        }
        if self.api_key_env.as_ref().is_some_and(|name| !is_variable(name)) {
            checks.fault(
                "api_key_env",
                "is no name of an environment variable; the key itself never stands in a recipe",
            );
        }
        let range = |value: usize, most: usize| (1..=most).contains(&value);
        checks.must(
            range(self.concurrency, MAX_CONCURRENCY),
            "concurrency",
            self.concurrency,
            "from 1 to 65536",
        );
        for (field, seconds) in [("connect_timeout_s", self.connect_timeout_s), ("timeout_s", self.timeout_s)]
        {
            checks.must((1..=MAX_SECONDS).contains(&seconds), field, seconds, "from 1 to 86400");
        }
        checks.must(self.retries <= MAX_RETRIES, "retries", self.retries, "at most 100");
        if self.sync != RemoteSync::None && self.shared_folder.is_none() {
            checks.fault("shared_folder", "is missing; new weights reach the servers through a folder");
        }
        if self.served_folder.is_some() && self.shared_folder.is_none() {
            checks.fault("served_folder", "is of no use without `shared_folder`");
        }
        if self.wire == RemoteWire::Chat && self.prompt == RemotePrompt::Text {
            checks.fault("prompt", "is of the wire `completions`; a chat is sent as its messages");
        }
    }

    /// What other sections must be for this engine.
    pub(super) fn check_with(&self, recipe: &Recipe, checks: &mut Checks) {
        let lora = recipe.model.lora.is_some();
        if matches!(self.sync, RemoteSync::VllmLora | RemoteSync::SglangLora) && !lora {
            checks.fault(
                "sync",
                "sends adapters, and [model.lora] is not there, so that the whole model is trained",
            );
        }
        let sampling = &recipe.sampling;
        let (whole, warm) = (sampling.is_whole(), (sampling.temperature - 1.0).abs() < 1e-6);
        let wrong = match self.logprobs {
            RemoteLogprobs::Raw if !warm => Some("sampling.temperature is not 1"),
            RemoteLogprobs::Raw | RemoteLogprobs::Scaled if !whole => Some("sampling cuts the distribution"),
            _ => None,
        };
        if let Some(why) = wrong {
            checks.fault(
                "logprobs",
                format!(
                    "{why}, so these log-probabilities are not those of the distribution that is drawn from; start vLLM \
                     with --logprobs-mode processed_logprobs and set `sampled`"
                ),
            );
        }
        let prompt = &recipe.tasks.prompt;
        if self.wire == RemoteWire::Chat && (prompt.text.is_some() || prompt.prefill.is_some()) {
            checks.fault("wire", "`chat` has no place for tasks.prompt.text or tasks.prompt.prefill");
        }
        let continues = self.wire == RemoteWire::Completions && self.prompt == RemotePrompt::Tokens;
        if sampling.thinking.is_some() && !continues {
            checks.fault(
                "wire",
                "sampling.thinking puts tokens into a completion, for which servers must take prompts as tokens",
            );
        }
        if self.segment_tokens > 0 && !continues {
            checks.fault("segment_tokens", "is for servers that take prompts as tokens");
        }
    }
}

fn is_variable(name: &str) -> bool {
    let begins = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    begins
        && name.len() <= 128
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}
