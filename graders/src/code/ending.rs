//! How a run ended, as a reason and in words.

use sandboxes::{Ending, Execution, SandboxError};

use super::clip::last_line;
use crate::error::{ErrorKind, GradeError};
use crate::verdict::Reason;

/// Why a program that ended so did not pass; `None` if it came to its end in order.
pub(super) fn failure(ending: &Ending) -> Option<Reason> {
    Some(match ending {
        Ending::Exited { code: 0 } => return None,
        Ending::Exited { .. } | Ending::Trapped { .. } => Reason::RuntimeError,
        Ending::CompileError { .. } => Reason::CompileError,
        Ending::OutOfFuel | Ending::TimedOut => Reason::TimeLimit,
        Ending::OutOfMemory => Reason::MemoryLimit,
        Ending::OutputLimit => Reason::OutputLimit,
        Ending::MissingModule { .. } => Reason::MissingModule,
        Ending::NoEntryPoint { .. } => Reason::NoEntryPoint,
        Ending::InvalidResult { .. } => Reason::InvalidResult,
    })
}

/// What happened, in one line: the last one of the traceback where there is one.
pub(super) fn described(execution: &Execution) -> String {
    match &execution.ending {
        Ending::Exited { code } => match last_line(&execution.stderr) {
            line if line.is_empty() => format!("exit code {code}"),
            line => line,
        },
        Ending::Trapped { message }
        | Ending::CompileError { message }
        | Ending::InvalidResult { message } => message.clone(),
        Ending::OutOfFuel => "out of time".to_owned(),
        Ending::TimedOut => "stopped by the clock".to_owned(),
        Ending::OutOfMemory => "out of memory".to_owned(),
        Ending::OutputLimit => "too much output".to_owned(),
        Ending::MissingModule { name } => format!("no module named {name}"),
        Ending::NoEntryPoint { name } => format!("no function named {name}"),
    }
}

/// How long a run took on a busy machine says nothing about the program: fuel decides a verdict, the clock only
/// protects the host.
///
/// # Errors
/// When the run was stopped by the clock.
pub(super) fn refuse_timeout(execution: &Execution) -> Result<(), GradeError> {
    if execution.ending == Ending::TimedOut {
        return Err(GradeError::new(
            ErrorKind::SandboxFailed,
            "the run outlived its time on the wall clock before its fuel was used up; the machine may be overloaded",
        ));
    }
    Ok(())
}

/// What the sandbox failed at, which is never a verdict.
pub(super) fn grade_error(error: &SandboxError) -> GradeError {
    let kind = match error {
        SandboxError::Unavailable { .. } => ErrorKind::SandboxUnavailable,
        SandboxError::Unsupported { .. } => ErrorKind::InvalidTask,
        SandboxError::Failed { .. } => ErrorKind::SandboxFailed,
    };
    GradeError::new(kind, error.to_string())
}
