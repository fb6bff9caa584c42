//! What the machine itself fails at.

use std::path::{Path, PathBuf};

/// A fault of the machine: never anything that a program did.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// The engine does not start on this machine.
    #[error("the sandbox's engine does not start: {message}")]
    Engine {
        /// What it said.
        message: String,
    },
    /// A module could not be compiled.
    #[error("the module does not compile: {message}")]
    Compile {
        /// What the compiler said.
        message: String,
    },
    /// Compiled code could not be loaded.
    #[error("compiled code in {} cannot be loaded: {message}", path.display())]
    Load {
        /// The file.
        path: PathBuf,
        /// What was wrong with it.
        message: String,
    },
    /// A module asks for something that nobody provides in that form.
    #[error("the module's imports cannot be linked: {message}")]
    Link {
        /// Which and why.
        message: String,
    },
    /// An instance could not be made.
    #[error("no instance could be started: {message}")]
    Start {
        /// What was missing.
        message: String,
    },
}

impl MachineError {
    pub(super) fn engine(error: &wasmtime::Error) -> Self {
        Self::Engine { message: format!("{error:#}") }
    }

    pub(super) fn compile(error: &wasmtime::Error) -> Self {
        Self::Compile { message: format!("{error:#}") }
    }

    pub(super) fn load(path: &Path, error: &wasmtime::Error) -> Self {
        Self::Load { path: path.to_owned(), message: format!("{error:#}") }
    }

    pub(super) fn link(error: &wasmtime::Error) -> Self {
        Self::Link { message: format!("{error:#}") }
    }

    pub(super) fn start(error: &wasmtime::Error) -> Self {
        Self::Start { message: format!("{error:#}") }
    }
}
