//! What can go wrong with a model.

use std::path::{Path, PathBuf};

/// Why a model could not be loaded, run, stepped or saved. The message says what, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file was read and makes no sense, or does not fit the model.
    #[error("{}: {message}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        message: String,
    },
    /// A model that this decoder cannot be.
    #[error("{message}")]
    Unsupported {
        /// What is not supported, and what is.
        message: String,
    },
    /// Tokens, positions or lengths that do not fit the model or each other.
    #[error("{message}")]
    Input {
        /// What does not fit.
        message: String,
    },
    /// A number that is not finite where one must be.
    #[error("{place}: {value} is not a finite number; the step was not taken")]
    NotFinite {
        /// Where it appeared.
        place: String,
        /// The number.
        value: f64,
    },
    /// An engine outside this crate failed.
    #[error("{message}")]
    Engine {
        /// What it said.
        message: String,
    },
    /// The tensor library refused an operation.
    #[error("tensor operation: {0}")]
    Tensor(#[from] candle_core::Error),
}

impl PolicyError {
    /// A file that could not be read or written.
    pub fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }

    /// A file whose content is wrong.
    pub fn damaged(path: &Path, message: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), message: message.into() }
    }

    /// An engine outside this crate that failed.
    pub fn engine(message: impl Into<String>) -> Self {
        Self::Engine { message: message.into() }
    }

    /// An input that does not fit.
    pub fn input(message: impl Into<String>) -> Self {
        Self::Input { message: message.into() }
    }
}

/// The result of what this crate does.
pub type Result<T> = std::result::Result<T, PolicyError>;
