//! `[engine]`: who draws completions while training.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::fault::Checks;
use super::remote::RemoteRecipe;

/// Who draws completions, and how each engine is set up. Settings of an engine that is not used have no effect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineRecipe {
    /// The engine.
    pub kind: EngineKind,
    /// llama.cpp in this process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub llama: Option<LlamaRecipe>,
    /// Servers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<RemoteRecipe>,
}

/// An engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// This process, from the learner's own tensors.
    #[default]
    Native,
    /// llama.cpp in this process; needs a build with the feature `llama`.
    Llama,
    /// Servers that speak OpenAI's protocol.
    Remote,
}

/// llama.cpp in this process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LlamaRecipe {
    /// A GGUF file of the model that is trained; without one the policy is exported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<PathBuf>,
    /// What an exported policy's matrices are stored in.
    pub dtype: ExportDtype,
    /// Layers that a GPU computes; all where none are given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu_layers: Option<u32>,
    /// Whether attention is computed without its matrix of scores.
    pub flash_attention: FlashAttention,
    /// What keys and values are kept in.
    pub cache_dtype: CacheDtype,
    /// Tokens of keys and values for all sequences together; see [`context_tokens`](Self::context_tokens).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<usize>,
    /// Tokens of prompts that are computed at once.
    pub batch_tokens: usize,
    /// Threads that compute; 0 is as `run.threads` says.
    pub threads: usize,
}

/// What an exported policy's matrices are stored in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExportDtype {
    /// Four bytes: the policy as it is.
    #[default]
    F32,
    /// Two bytes with more digits.
    F16,
    /// Two bytes with the range of f32.
    Bf16,
    /// One byte, with a scale for every 32 numbers.
    #[serde(rename = "q8_0")]
    Q8,
}

/// What keys and values are kept in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheDtype {
    /// Four bytes.
    F32,
    /// Two bytes.
    #[default]
    F16,
    /// One byte, with a scale for every 32 numbers; needs flash attention.
    #[serde(rename = "q8_0")]
    Q8,
}

/// Whether attention is computed without its matrix of scores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FlashAttention {
    /// Where the device can.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

impl Default for LlamaRecipe {
    fn default() -> Self {
        Self {
            model: None,
            dtype: ExportDtype::default(),
            gpu_layers: None,
            flash_attention: FlashAttention::default(),
            cache_dtype: CacheDtype::default(),
            context_tokens: None,
            batch_tokens: 512,
            threads: 0,
        }
    }
}

/// Room for a prompt where none was asked for.
const PROMPT_TOKENS: usize = 1024;
/// The most tokens of keys and values; more are a slip.
const MAX_CONTEXT: usize = 1 << 30;
/// More threads than any machine has.
const MAX_THREADS: usize = 4096;

impl LlamaRecipe {
    /// Tokens of keys and values for all sequences: as given, or whole completions of `max_tokens` for all of
    /// `max_sequences` and 1024 tokens for the prompts of the groups among them.
    pub fn context_tokens(&self, max_sequences: usize, group_size: usize, max_tokens: usize) -> usize {
        let prompts = max_sequences.div_ceil(group_size.max(1)) + 1;
        let enough =
            max_sequences.saturating_mul(max_tokens).saturating_add(prompts.saturating_mul(PROMPT_TOKENS));
        self.context_tokens.unwrap_or(enough).min(MAX_CONTEXT)
    }

    fn check(&self, checks: &mut Checks) {
        if self.model.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
            checks.fault("model", "is empty; leave it out to export the policy");
        }
        if self.cache_dtype == CacheDtype::Q8 && self.flash_attention == FlashAttention::Off {
            checks.fault("cache_dtype", "q8_0 needs flash attention, which is off");
        }
        if let Some(tokens) = self.context_tokens {
            checks.must((1..=MAX_CONTEXT).contains(&tokens), "context_tokens", tokens, "from 1 to 2^30");
        }
        checks.must(
            (1..=MAX_CONTEXT).contains(&self.batch_tokens),
            "batch_tokens",
            self.batch_tokens,
            "from 1 to 2^30",
        );
        checks.must(self.threads <= MAX_THREADS, "threads", self.threads, "at most 4096");
    }
}

impl EngineRecipe {
    pub(super) fn resolve(&mut self) {
        if self.kind == EngineKind::Llama {
            self.llama.get_or_insert_default();
        }
        if self.kind == EngineKind::Remote {
            self.remote.get_or_insert_default();
        }
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        if let Some(llama) = &self.llama {
            llama.check(&mut checks.section("llama"));
        }
        if let Some(remote) = &self.remote {
            remote.check(self.kind == EngineKind::Remote, &mut checks.section("remote"));
        }
    }
}
