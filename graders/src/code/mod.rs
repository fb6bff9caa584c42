//! `code`: does the program in the completion pass the task's tests?
//!
//! The program is the last fenced block of the tests' language. It runs in the [`Sandbox`] that the caller
//! provides, once for each case, and what it printed is compared here, outside the sandbox, so that the
//! program never sees the expected output. This file knows nothing of how a guest works; without one there is
//! an error, never a score.

mod aggregate;
mod compare;
mod extract;
mod tests;

use std::sync::Arc;

use sandboxes::{Ending, Execution, Program, Sandbox, SandboxError};
use serde::Deserialize;

use self::aggregate::{Aggregate, Mode};
use self::extract::Unfenced;
use self::tests::{Case, Tests};
use crate::completion::Completion;
use crate::config::{self, Fields};
use crate::error::{ConfigError, ErrorKind, GradeError, TaskError};
use crate::grader::{GradeCompletion, Grader, Prepared, Resources};
use crate::task::Task;
use crate::thought;
use crate::verdict::{Reason, Verdict};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    /// How the results of the cases become a score; default `binary`. The modes are described at [`Mode`].
    #[serde(default)]
    mode: Mode,
    /// `binary`: the fraction of passed cases that has to be exceeded; by default all have to pass. `open_instruct`: the
    /// fraction below which the score is 0, default 0.8. Not to be given with other modes.
    threshold: Option<f64>,
    /// A completion without a code fence: `no_code` (the default), or `whole_text` runs all of it.
    #[serde(default)]
    unfenced: Unfenced,
    /// Whether only the text after the last `</think>` counts; default true.
    #[serde(default = "thought::strip_by_default")]
    strip_thinking: bool,
}

#[derive(Debug)]
struct CodeGrader {
    aggregate: Aggregate,
    unfenced: Unfenced,
    strip_thinking: bool,
}

pub(crate) fn build(fields: Fields) -> Result<Arc<dyn Grader>, ConfigError> {
    let Spec { mode, threshold, unfenced, strip_thinking } = config::read(fields)?;
    let aggregate = Aggregate::new(mode, threshold)?;
    Ok(Arc::new(CodeGrader { aggregate, unfenced, strip_thinking }))
}

impl Grader for CodeGrader {
    fn kind(&self) -> &'static str {
        "code"
    }

    fn version(&self) -> u32 {
        1
    }

    fn prepare(&self, task: &Task, resources: &Resources) -> Result<Prepared, TaskError> {
        Ok(Prepared::Completion(Box::new(Judge {
            tests: Tests::of(task)?,
            sandbox: resources.sandbox.clone(),
            aggregate: self.aggregate,
            unfenced: self.unfenced,
            strip_thinking: self.strip_thinking,
        })))
    }
}

struct Judge {
    tests: Tests,
    sandbox: Option<Arc<dyn Sandbox>>,
    aggregate: Aggregate,
    unfenced: Unfenced,
    strip_thinking: bool,
}

impl GradeCompletion for Judge {
    fn grade(&self, completion: &Completion) -> Result<Verdict, GradeError> {
        let text = &completion.text;
        let text = if self.strip_thinking { thought::answer_part(text) } else { text };
        let Some(source) = extract::program(text, self.tests.language, self.unfenced) else {
            return Ok(Verdict::new(self.aggregate.no_code(), Reason::NoCode));
        };
        let program = Program::new(self.tests.language, source);
        self.run_all(self.sandbox()?, &program)
    }
}

impl Judge {
    fn sandbox(&self) -> Result<&dyn Sandbox, GradeError> {
        let language = self.tests.language;
        let unavailable = |message: String| GradeError::new(ErrorKind::SandboxUnavailable, message);
        let sandbox = self.sandbox.as_deref().ok_or_else(|| {
            unavailable(format!(
                "running {} needs a sandbox and none is set up; give the judge one, or take the `code` grader out",
                language.name()
            ))
        })?;
        let languages = sandbox.languages();
        if !languages.contains(&language) {
            let known: Vec<_> = languages.iter().map(|language| language.name()).collect();
            return Err(unavailable(format!(
                "the sandbox does not run {}; it runs {}",
                language.name(),
                if known.is_empty() { "nothing".to_owned() } else { known.join(", ") }
            )));
        }
        if let Some(index) = self.tests.first_without_stdin() {
            return Err(unavailable(format!(
                "case {index} of the tests calls into the program, which no sandbox supports yet; write it with \
                 `stdin` and `stdout`"
            )));
        }
        Ok(sandbox)
    }

    fn run_all(&self, sandbox: &dyn Sandbox, program: &Program) -> Result<Verdict, GradeError> {
        let cases = &self.tests.cases;
        let mut passed = Vec::with_capacity(cases.len());
        let mut failure: Option<Failure> = None;
        for case in cases {
            let Case::Stream { stdin, stdout } = &case.kind else { continue };
            let execution = sandbox
                .run(program, stdin.as_bytes(), &self.tests.limits)
                .map_err(|error| grade_error(&error))?;
            if let Ending::CompileError { message } = &execution.ending {
                // It is the same program in every case, so the first refusal is everyone's.
                return Ok(Verdict::new(self.aggregate.compile_error(), Reason::CompileError)
                    .with_excerpt("message", message));
            }
            if execution.ending == Ending::TimedOut {
                // Fuel decides a verdict, the clock only protects the host: how long a run took on a busy
                // machine says nothing about the program.
                return Err(GradeError::new(
                    ErrorKind::SandboxFailed,
                    "the run outlived its time on the wall clock before its fuel was used up; the machine may be overloaded",
                ));
            }
            let outcome = self.judge_run(&execution, stdout);
            if let (Err(reason), None) = (outcome, &failure) {
                failure = Some(Failure { reason, case: passed.len(), execution });
            }
            passed.push(outcome.is_ok());
            if self.aggregate.is_lost(&self.tests, &passed) {
                break;
            }
        }
        let reason = failure.as_ref().map_or(Reason::TestsPassed, |failure| failure.reason);
        let verdict = Verdict::new(self.aggregate.score(&self.tests, &passed), reason)
            .with("passed", passed.iter().filter(|passed| **passed).count())
            .with("ran", passed.len())
            .with("cases", cases.len());
        Ok(match failure {
            None => verdict,
            Some(Failure { case, execution, .. }) => verdict
                .with("failed_case", case)
                .with_excerpt("stdout", &String::from_utf8_lossy(head(&execution.stdout)))
                .with_excerpt("stderr", &String::from_utf8_lossy(head(&execution.stderr))),
        })
    }

    fn judge_run(&self, execution: &Execution, expected: &str) -> Result<(), Reason> {
        match &execution.ending {
            Ending::Exited { code: 0 } => {
                let right = self.tests.compare.is_same(&execution.stdout, expected);
                if right { Ok(()) } else { Err(Reason::WrongResult) }
            }
            Ending::Exited { .. } | Ending::Trapped { .. } => Err(Reason::RuntimeError),
            Ending::CompileError { .. } => Err(Reason::CompileError),
            Ending::OutOfFuel | Ending::TimedOut => Err(Reason::TimeLimit),
            Ending::OutOfMemory => Err(Reason::MemoryLimit),
            Ending::OutputLimit => Err(Reason::OutputLimit),
            Ending::MissingModule { .. } => Err(Reason::MissingModule),
            Ending::NoEntryPoint { .. } | Ending::InvalidResult { .. } => Err(Reason::RuntimeError),
        }
    }
}

/// The first case that failed.
struct Failure {
    reason: Reason,
    case: usize,
    execution: Execution,
}

/// As much output as an excerpt may show, so that the rest is not decoded for nothing.
fn head(output: &[u8]) -> &[u8] {
    &output[..output.len().min(1024)]
}

fn grade_error(error: &SandboxError) -> GradeError {
    let kind = match error {
        SandboxError::Unavailable { .. } => ErrorKind::SandboxUnavailable,
        SandboxError::Unsupported { .. } => ErrorKind::InvalidTask,
        SandboxError::Failed { .. } => ErrorKind::SandboxFailed,
    };
    GradeError::new(kind, error.to_string())
}
