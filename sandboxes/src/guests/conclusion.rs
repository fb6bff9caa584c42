//! From an instance that has come to its end to the [`Execution`] that is told of it: the same rules for all guests.

use crate::SandboxError;
use crate::execution::{Ending, Execution};
use crate::machine::{Running, Stopped};
use crate::program::Language;

/// What came of an instance that returned or exited with a code, or was stopped.
///
/// A program that dies after it was refused memory died of that, whatever it said; likewise of full files. One
/// that goes on and ends well was able to do without.
pub(crate) fn conclude(
    language: Language,
    ended: Result<i32, Stopped>,
    running: Running,
) -> Result<Execution, SandboxError> {
    let (mut world, usage) = running.finish();
    let died = |ending: Ending| {
        if usage.memory_denied {
            Ending::OutOfMemory
        } else if world.files_were_full() {
            Ending::OutputLimit
        } else {
            ending
        }
    };
    let ending = match ended {
        Ok(0) | Err(Stopped::Exit(0)) => Ending::Exited { code: 0 },
        Ok(code) | Err(Stopped::Exit(code)) => died(Ending::Exited { code }),
        Err(Stopped::Trap(message)) => died(Ending::Trapped { message }),
        Err(Stopped::OutOfFuel) => Ending::OutOfFuel,
        Err(Stopped::TimedOut) => Ending::TimedOut,
        Err(Stopped::OutputLimit) => Ending::OutputLimit,
        Err(Stopped::Failed(message)) => return Err(SandboxError::Failed { language, message }),
    };
    Ok(Execution {
        stdout: world.take_stdout(),
        stderr: world.take_stderr(),
        files: world.files(),
        fuel_used: usage.fuel_used,
        time: usage.time,
        memory_bytes: usage.memory_bytes,
        wall: usage.wall,
        ..Execution::ended(ending)
    })
}
