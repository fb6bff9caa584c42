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
        kind => Err(LearnerError::other(format!("engine.kind: there is no {kind:?} yet"))),
    }
}
