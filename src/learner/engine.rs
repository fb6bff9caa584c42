//! The engine that a recipe asks for.

use std::sync::Arc;
use std::time::Duration;

use policy::Policy;
use policy::tokenizer::Tokenizer;

use super::completion;
use super::error::{LearnerError, Result};
use super::prompts::messages;
use super::recipe::{EngineKind, PromptRecipe, Recipe, RemotePrompt, RemoteSync, RemoteWire};
use crate::remote::{self, openai};
use crate::rollout::{Folder, Messages, RemoteEngine, RemoteSettings, RolloutEngine, WeightSync, Wire};

/// The most bytes of a reply: a hundred thousand tokens with their names and log-probabilities.
const MAX_REPLY_BYTES: usize = 64 << 20;

/// Whether this build has the engine; asked before anything is loaded.
///
/// # Errors
/// Names the feature that the build lacks.
pub(super) fn check(recipe: &Recipe) -> Result<()> {
    match recipe.engine.kind {
        EngineKind::Native | EngineKind::Remote => Ok(()),
        EngineKind::Llama if cfg!(feature = "llama") => Ok(()),
        EngineKind::Llama => Err(absent()),
    }
}

/// Of an engine that was left out of this build.
fn absent() -> LearnerError {
    LearnerError::other(
        "engine.kind: `llama` needs a build with the feature `llama` (cargo build --release --features llama)",
    )
}

/// The engine that draws completions while training. It has no weights before its first
/// [`sync`](RolloutEngine::sync).
///
/// # Errors
/// When this build has no such engine, or its settings do not fit the model.
pub(super) fn open(
    recipe: &Recipe,
    policy: &Policy,
    tokenizer: &Arc<Tokenizer>,
) -> Result<Box<dyn RolloutEngine>> {
    check(recipe)?;
    match recipe.engine.kind {
        EngineKind::Native => {
            Ok(Box::new(completion::engine(policy, tokenizer, recipe.sampling.max_sequences)))
        }
        EngineKind::Remote => remote(recipe, tokenizer),
        #[cfg(feature = "llama")]
        EngineKind::Llama => Ok(Box::new(llama(recipe, tokenizer)?)),
        #[cfg(not(feature = "llama"))]
        EngineKind::Llama => Err(absent()),
    }
}

/// Servers.
fn remote(recipe: &Recipe, tokenizer: &Arc<Tokenizer>) -> Result<Box<dyn RolloutEngine>> {
    let Some(given) = &recipe.engine.remote else {
        return Err(LearnerError::other("engine.kind is `remote` and there is no [engine.remote]"));
    };
    let timeout = Duration::from_secs(given.timeout_s);
    let base = remote::Settings::new(remote::Service::Rollout, given.urls.clone());
    let servers = remote::Settings {
        api_key_env: given.api_key_env.clone(),
        concurrency: given.concurrency,
        connect_timeout: Duration::from_secs(given.connect_timeout_s),
        timeout,
        // A completion that was begun may use all of its tries; what waits for a place has not begun.
        deadline: (timeout + base.backoff_max + base.breaker.rest_max) * (given.retries + 1),
        retries: given.retries,
        max_reply_bytes: MAX_REPLY_BYTES,
        // A run can wait where a caller of a judge cannot.
        fail_fast: false,
        ..base
    };
    let folder = || -> Result<Folder> {
        let here = given
            .shared_folder
            .clone()
            .ok_or_else(|| LearnerError::other("engine.remote.shared_folder is missing"))?;
        std::fs::create_dir_all(&here).map_err(|error| {
            LearnerError::other(format!("engine.remote.shared_folder {}: {error}", here.display()))
        })?;
        // Servers have another working directory.
        let here = here.canonicalize().unwrap_or(here);
        let there = given.served_folder.clone().unwrap_or_else(|| here.clone());
        Ok(Folder { here, there })
    };
    let settings = RemoteSettings {
        servers,
        model: given.model.clone(),
        wire: match given.wire {
            RemoteWire::Completions => Wire::Completions,
            RemoteWire::Chat => Wire::Chat(chat(recipe.tasks.prompt.clone())),
        },
        prompt_as_text: given.prompt == RemotePrompt::Text,
        sync: match given.sync {
            RemoteSync::None => WeightSync::None,
            RemoteSync::VllmLora => WeightSync::VllmLora(folder()?),
            RemoteSync::SglangLora => WeightSync::SglangLora(folder()?),
            RemoteSync::SglangDisk => WeightSync::SglangDisk(folder()?),
        },
        segment_tokens: given.segment_tokens,
        extra: given.extra.clone().into_iter().collect(),
    };
    Ok(Box::new(RemoteEngine::connect(settings, Arc::clone(tokenizer))?))
}

/// The conversation of a task, as the learner's own prompts have it.
fn chat(prompt: PromptRecipe) -> Messages {
    Arc::new(move |task| {
        let messages = messages(&prompt, task.prompt.as_ref()).map_err(|error| error.to_string())?;
        Ok(messages.into_iter().map(|message| openai::Message::new(message.role, message.content)).collect())
    })
}

/// llama.cpp as the recipe sets it up.
#[cfg(feature = "llama")]
fn llama(recipe: &Recipe, tokenizer: &Arc<Tokenizer>) -> Result<crate::rollout::LlamaEngine> {
    use super::recipe::{CacheDtype, ExportDtype, FlashAttention};
    use ::llama as cpp;
    use policy::gguf::Dtype;

    let llama = recipe.engine.llama.clone().unwrap_or_default();
    if llama.model.is_some() && recipe.model.lora.is_none() {
        return Err(LearnerError::other(
            "engine.llama.model: a file is of use with [model.lora] alone, whose adapters go beside it; without one \
             every weight changes, so leave it out and the policy is exported",
        ));
    }
    let sampling = &recipe.sampling;
    let longest = sampling.max_tokens.max(recipe.eval.max_tokens.unwrap_or_default());
    let tokens = llama.context_tokens(sampling.max_sequences, sampling.group_size, longest);
    let threads = [llama.threads, recipe.run.threads].into_iter().find(|threads| *threads > 0);
    let settings = crate::rollout::LlamaSettings {
        model: llama.model.clone(),
        dtype: match llama.dtype {
            ExportDtype::F32 => Dtype::F32,
            ExportDtype::F16 => Dtype::F16,
            ExportDtype::Bf16 => Dtype::Bf16,
            ExportDtype::Q8 => Dtype::Q8_0,
        },
        gpu_layers: llama.gpu_layers,
        flash_attention: match llama.flash_attention {
            FlashAttention::Auto => cpp::FlashAttention::Auto,
            FlashAttention::On => cpp::FlashAttention::On,
            FlashAttention::Off => cpp::FlashAttention::Off,
        },
        cache: match llama.cache_dtype {
            CacheDtype::F32 => cpp::CacheType::F32,
            CacheDtype::F16 => cpp::CacheType::F16,
            CacheDtype::Q8 => cpp::CacheType::Q8_0,
        },
        context_tokens: tokens,
        batch_tokens: llama.batch_tokens,
        threads: threads.unwrap_or_else(rayon::current_num_threads),
        max_sequences: sampling.max_sequences,
    };
    Ok(crate::rollout::LlamaEngine::new(settings, Arc::clone(tokenizer))?)
}
