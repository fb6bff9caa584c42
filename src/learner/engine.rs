//! The engine that a recipe asks for.

use std::sync::Arc;

use policy::Policy;
use policy::tokenizer::Tokenizer;

use super::completion;
use super::error::{LearnerError, Result};
use super::recipe::{EngineKind, Recipe};
use crate::rollout::RolloutEngine;

/// Whether this build has the engine; asked before anything is loaded.
///
/// # Errors
/// Names the feature that the build lacks.
pub(super) fn check(recipe: &Recipe) -> Result<()> {
    match recipe.engine.kind {
        EngineKind::Native => Ok(()),
        EngineKind::Llama if cfg!(feature = "llama") => Ok(()),
        EngineKind::Llama => Err(LearnerError::other(
            "engine.kind: `llama` needs a build with the feature `llama` (cargo build --release --features llama)",
        )),
        EngineKind::Remote => Err(LearnerError::other("engine.kind: this build has no engine `remote`")),
    }
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
        #[cfg(feature = "llama")]
        EngineKind::Llama => Ok(Box::new(llama(recipe, tokenizer)?)),
        kind => Err(LearnerError::other(format!("engine.kind: there is no {kind:?} yet"))),
    }
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
