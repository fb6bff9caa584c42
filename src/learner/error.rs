//! What keeps a run from its end.

use std::path::{Path, PathBuf};

use super::checkpoint::CheckpointError;
use super::recipe::RecipeError;

/// Why a run could not begin or go on. The message says what, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum LearnerError {
    /// The recipe.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// A checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A file of the run.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The model.
    #[error(transparent)]
    Policy(#[from] policy::PolicyError),
    /// The engine.
    #[error(transparent)]
    Rollout(#[from] crate::rollout::RolloutError),
    /// Tasks.
    #[error(transparent)]
    Supply(#[from] super::supply::SupplyError),
    /// A formula was given what it cannot work on.
    #[error(transparent)]
    Formula(#[from] super::formulas::invalid::Invalid),
    /// Rewards, or something that does not fit together.
    #[error("{0}")]
    Other(String),
}

impl LearnerError {
    /// A file that could not be read or written.
    pub fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }

    /// Anything else, in a sentence.
    pub fn other(message: impl Into<String>) -> Self {
        Self::Other(message.into())
    }
}

/// The result of what the learner does.
pub type Result<T> = std::result::Result<T, LearnerError>;
