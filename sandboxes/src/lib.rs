//! Runs untrusted programs under limits.
//!
//! This crate knows programs, limits and executions; it never knows tasks, graders or rewards.
//! What the program did is an [`Execution`]; what the sandbox failed at is a [`SandboxError`].

#[cfg(feature = "wasm")]
mod cpp;
mod examination;
mod execution;
#[cfg(feature = "wasm")]
mod guests;
#[cfg(feature = "wasm")]
mod javascript;
mod limits;
#[cfg(feature = "wasm")]
mod link;
#[cfg(feature = "wasm")]
mod machine;
#[cfg(feature = "wasm")]
mod package;
mod program;
#[cfg(feature = "wasm")]
mod python;
mod value;
#[cfg(feature = "wasm")]
mod wasi;

pub use examination::{Examination, Outcome, TestProgram};
pub use execution::{Ending, Execution, Returned};
#[cfg(feature = "wasm")]
pub use guests::{
    GuestOptions, GuestState, GuestStatus, Guests, InstallError, MAX_SOURCE_BYTES, Observer, guest_names,
    install,
};
pub use limits::Limits;
#[cfg(feature = "wasm")]
pub use machine::MachineError;
#[cfg(feature = "wasm")]
pub use package::{PackageError, Source};
pub use program::{File, Language, Program};
pub use value::{Call, Value};

/// Runs programs, each in isolation from the host and from every other run.
///
/// Every method gives the same answer for the same arguments, on any machine and under any load.
pub trait Sandbox: Send + Sync {
    /// The languages that can be run right now.
    fn languages(&self) -> Vec<Language>;

    /// Runs `program` once, with `stdin` as its standard input.
    ///
    /// # Errors
    /// Only when the sandbox itself failed; whatever the program did is in the [`Execution`].
    fn run(&self, program: &Program, stdin: &[u8], limits: &Limits) -> Result<Execution, SandboxError>;

    /// Loads `program`, calls one of its functions and brings back what it returned as plain data.
    ///
    /// # Errors
    /// When the sandbox itself failed, or when programs of this language cannot be called into.
    fn call(&self, program: &Program, call: &Call, limits: &Limits) -> Result<Execution, SandboxError> {
        let _ = (call, limits);
        Err(SandboxError::Unsupported { language: program.language, what: "calls of functions" })
    }

    /// Runs `tests` in an instance of its own, from which the functions of `program`, in another instance, can
    /// be called. Only plain data passes between the two. Each side gets `limits` for itself.
    ///
    /// # Errors
    /// When the sandbox itself failed, or when programs of this language cannot be called into.
    fn examine(
        &self,
        program: &Program,
        tests: &TestProgram,
        limits: &Limits,
    ) -> Result<Examination, SandboxError> {
        let _ = (tests, limits);
        Err(SandboxError::Unsupported { language: program.language, what: "test programs" })
    }
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
    /// The guest of this language has no such thing.
    #[error("the {} sandbox does not support {what}", language.name())]
    Unsupported {
        /// The language asked for.
        language: Language,
        /// What was asked for.
        what: &'static str,
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
