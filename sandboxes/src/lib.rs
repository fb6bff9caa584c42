//! Runs untrusted programs under limits.
//!
//! This crate knows programs, limits and executions; it never knows tasks, graders or rewards.
//! What the program did is an [`Execution`]; what the sandbox failed at is a [`SandboxError`].

mod limits;
mod program;

pub use limits::Limits;
pub use program::{Ending, Execution, Language, Program};

/// Runs programs, each in isolation from the host and from every other run.
pub trait Sandbox: Send + Sync {
    /// The languages that can be run right now.
    fn languages(&self) -> Vec<Language>;

    /// Runs `program` once, with `stdin` as its standard input.
    ///
    /// # Errors
    /// Only when the sandbox itself failed; whatever the program did is in the [`Execution`].
    fn run(&self, program: &Program, stdin: &[u8], limits: &Limits) -> Result<Execution, SandboxError>;
}

/// What a sandbox failed at. It says nothing about the program.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// No guest for this language is installed or built in.
    #[error("no sandbox for {} is available: {reason}", language.name())]
    Unavailable {
        /// The language asked for.
        language: Language,
        /// Why it is missing and how to get it.
        reason: String,
    },
    /// The guest could not be started or broke for reasons of its own.
    #[error("the {} sandbox failed: {message}", language.name())]
    Failed {
        /// The language asked for.
        language: Language,
        /// What happened.
        message: String,
    },
}
