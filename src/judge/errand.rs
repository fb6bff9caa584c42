//! A program that is run for its own sake and not for a reward: what `POST /v1/execute` asks for.
//!
//! It never judges. What the program did is an execution; what the sandbox failed at is an error.

use std::sync::Arc;

use graders::{ErrorKind, GradeError, Resources};
use sandboxes::{Call, Ending, Execution, Limits, Program, SandboxError};

use super::{Control, polite};

/// A program to be run.
#[derive(Debug)]
pub struct Errand {
    /// The program.
    pub program: Program,
    /// What it is given.
    pub input: Input,
    /// What it may use.
    pub limits: Limits,
    /// When to stop.
    pub control: Arc<Control>,
}

/// What a program is given.
#[derive(Clone, Debug)]
pub enum Input {
    /// Its standard input; it is run whole.
    Stdin(Vec<u8>),
    /// A call of one of its functions.
    Call(Call),
}

/// What became of it. The ending is never [`Ending::TimedOut`]: that is an error.
pub type Executed = Result<Execution, GradeError>;

impl Errand {
    pub(super) fn run(&self, resources: &Resources) -> Executed {
        if let Some(error) = self.control.stopped() {
            return Err(error);
        }
        let language = self.program.language.name();
        let sandbox = resources.sandbox.as_deref().ok_or_else(|| {
            let message = format!(
                "running {language} needs a sandbox and none is set up; `gavel sandbox install {language}` gets one"
            );
            GradeError::new(ErrorKind::SandboxUnavailable, message)
        })?;
        let execution = polite::while_wanted(|| {
            let executed = match &self.input {
                Input::Stdin(stdin) => sandbox.run(&self.program, stdin, &self.limits),
                Input::Call(call) => sandbox.call(&self.program, call, &self.limits),
            };
            executed.map_err(|error| failure(&error))
        })?;
        if execution.ending == Ending::TimedOut {
            return Err(GradeError::new(
                ErrorKind::SandboxFailed,
                "the run outlived its time on the wall clock before its reference time was used up; the machine may \
                 be overloaded",
            ));
        }
        Ok(execution)
    }
}

fn failure(error: &SandboxError) -> GradeError {
    let kind = match error {
        SandboxError::Unavailable { .. } => ErrorKind::SandboxUnavailable,
        SandboxError::Unsupported { .. } => ErrorKind::InvalidTask,
        SandboxError::Failed { .. } => ErrorKind::SandboxFailed,
    };
    GradeError::new(kind, error.to_string())
}
