//! Where a model comes from, and which engine runs it.

use std::path::Path;

use super::{Limits, Loaded};

/// Whole contexts that the cache has room for where nothing is said.
#[cfg(feature = "learner")]
const DEFAULT_CONTEXTS: usize = 4;

/// Which model is served, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelSettings {
    /// A folder in Hugging Face's layout, a name on the hub, or a GGUF file.
    pub source: String,
    /// What callers name it.
    pub name: String,
    /// The device of the tensors; a GGUF file has its own setting.
    pub device: String,
    /// Layers of a GGUF model that are computed on the GPU; all where nothing is said.
    pub n_gpu_layers: Option<u32>,
    /// Sequences that are decoded at a time.
    pub max_batch: usize,
    /// Tokens of a prompt and its continuation; the model's own context at the most.
    pub context: Option<usize>,
    /// The context where nobody asked for one and the model's own is longer: the cache of a whole one would take more
    /// memory than most machines have.
    pub default_context: usize,
    /// Tokens that prompts and continuations have room for together.
    pub cache_tokens: Option<usize>,
    /// What may wait, and how long.
    pub limits: Limits,
}

#[cfg(feature = "learner")]
impl ModelSettings {
    /// Tokens of a context and of the cache, for a model whose own context has `own` tokens.
    pub(super) fn room(&self, own: usize) -> Result<(usize, usize), String> {
        if let Some(asked) = self.context.filter(|asked| *asked > own) {
            return Err(format!("the model's context has {own} tokens, and {asked} are asked for"));
        }
        let context = self.context.unwrap_or(self.default_context).min(own);
        let cache = self.cache_tokens.unwrap_or(context.saturating_mul(DEFAULT_CONTEXTS));
        if cache < context {
            return Err(format!(
                "the cache is to have room for {cache} tokens, less than the context of {context}; ask for more room \
                 or a shorter context"
            ));
        }
        Ok((context, cache))
    }
}

/// Why a model cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve `{model}`: {message}")]
pub struct LoadError {
    /// What was asked for.
    pub model: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// What this build can serve, and what it lacks, for people.
pub fn engines() -> Vec<&'static str> {
    vec![
        if cfg!(feature = "learner") {
            "folders in Hugging Face's layout (native engine)"
        } else {
            "no folders (built without `learner`)"
        },
        if cfg!(feature = "hub") {
            "names on the Hugging Face hub"
        } else {
            "no names (built without `hub`)"
        },
        if cfg!(feature = "llama") {
            "GGUF files (llama.cpp)"
        } else {
            "no GGUF files (built without `llama`)"
        },
    ]
}

/// Loads a model; it stays on the thread that this is called on.
///
/// # Errors
/// When this build has no engine for it, or it cannot be loaded.
pub fn load(settings: &ModelSettings) -> Result<Loaded, LoadError> {
    let is_gguf = Path::new(&settings.source)
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"));
    let loaded = if is_gguf { gguf(settings) } else { folder(settings) };
    loaded.map_err(|message| LoadError { model: settings.source.clone(), message })
}

#[cfg(feature = "learner")]
fn folder(settings: &ModelSettings) -> Result<Loaded, String> {
    super::native::load(settings)
}

#[cfg(not(feature = "learner"))]
fn folder(_: &ModelSettings) -> Result<Loaded, String> {
    Err("this program was built without the feature `learner`, which runs models".to_owned())
}

#[cfg(feature = "llama")]
fn gguf(settings: &ModelSettings) -> Result<Loaded, String> {
    super::llama::load(settings)
}

#[cfg(not(feature = "llama"))]
fn gguf(_: &ModelSettings) -> Result<Loaded, String> {
    Err("GGUF files are run by llama.cpp, and this program was built without the feature `llama` (cargo build \
         --release --features llama)"
        .to_owned())
}
