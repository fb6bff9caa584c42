//! A program and its tests, each in an instance of its own, and the host that passes on what they say.
//!
//! The tests run, and while they wait for an answer the program runs. What passes between them is not read here; that
//! only plain data does is the work of the harness in the tests' instance, which the program cannot reach.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;

use super::session::{Post, Session};
use super::snapshot::Entries;
use crate::machine::Stopped;
use crate::wasi::{Channel, Stop};
use crate::{Ending, Examination, Execution, Outcome, SandboxError};

/// What the harness says about the tests.
#[derive(Deserialize)]
struct Report {
    outcome: Verdict,
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Passed,
    Failed,
    Broken,
}

/// The program's side, while the tests run.
struct Tested {
    session: Session,
    serve: u32,
    /// Why it came to an end of its own.
    ended: Option<Result<bool, Stopped>>,
    /// Whether the tests asked for anything besides the function that they are given.
    was_used: bool,
}

impl Tested {
    /// Has the program do one request.
    fn answer(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        if self.ended.is_some() {
            return None;
        }
        self.was_used |= !request.starts_with(b"[\"entry\"");
        self.session.give(request);
        match self.session.enter(self.serve) {
            // It may have said nothing, when the program broke the harness; then the tests get no answer they
            // understand.
            Ok(true) => Some(self.session.take_report().unwrap_or_default()),
            ended => {
                self.ended = Some(ended);
                None
            }
        }
    }
}

/// The tests' channel.
struct Between {
    post: Post,
    tested: Arc<Mutex<Tested>>,
}

impl Channel for Between {
    fn call(&mut self, request: &[u8]) -> Result<Vec<u8>, wasmtime::Error> {
        match request.split_first() {
            Some((b'>', request)) => {
                let answer = self.tested.lock().unwrap_or_else(PoisonError::into_inner).answer(request);
                // Tests of a program that is no more have nothing to go on with.
                answer.ok_or_else(|| wasmtime::Error::new(Stop::Exit(1)))
            }
            _ => self.post.call(request),
        }
    }
}

/// Runs tests beside a program that was loaded.
pub(super) fn examine(
    program: Session,
    mut tests: Session,
    entries: Entries,
) -> Result<Examination, SandboxError> {
    let tested =
        Arc::new(Mutex::new(Tested { session: program, serve: entries.serve, ended: None, was_used: false }));
    tests.connect(|post| Box::new(Between { post, tested: Arc::clone(&tested) }));
    let last = tests.enter(entries.main);
    let report = tests.take_report();
    let tests = tests.finish(last, None)?;
    // The tests' instance had the other hold on it, and is gone.
    let tested = Arc::into_inner(tested)
        .ok_or_else(|| super::session::failed("the tests' instance is still there"))?
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let Tested { mut session, ended, was_used, .. } = tested;
    let outcome = match outcome(&tests, report.as_deref()) {
        _ if ended.is_some() => Outcome::ProgramEnded,
        // They would pass any program.
        Outcome::Passed if !was_used => Outcome::TestsBroken {
            message: "the tests came to their end without using the program".to_owned(),
        },
        outcome => outcome,
    };
    let said = session.take_report();
    let program = session.finish(ended.unwrap_or(Ok(true)), said.as_deref())?;
    Ok(Examination { outcome, program, tests })
}

/// The examination of a program that came to its end while it was loaded.
pub(super) fn ended_before(
    mut program: Session,
    ended: Result<bool, Stopped>,
) -> Result<Examination, SandboxError> {
    let report = program.take_report();
    Ok(Examination {
        outcome: Outcome::ProgramEnded,
        program: program.finish(ended, report.as_deref())?,
        tests: Execution::ended(Ending::Exited { code: 0 }),
    })
}

/// How the tests came out. That they took too much of something is a failure too: what makes them do so comes from
/// the program.
fn outcome(tests: &Execution, report: Option<&[u8]>) -> Outcome {
    let report: Option<Report> = report.and_then(|report| serde_json::from_slice(report).ok());
    match (&tests.ending, report) {
        (Ending::Exited { code: 0 }, Some(Report { outcome: Verdict::Passed, .. })) => Outcome::Passed,
        (Ending::Exited { .. }, Some(Report { outcome: Verdict::Broken, message })) => {
            Outcome::TestsBroken { message }
        }
        (Ending::Exited { .. }, Some(Report { outcome: Verdict::Failed, message })) => {
            Outcome::Failed { message }
        }
        // The host's fault: it says nothing of anybody.
        (Ending::TimedOut, _) => Outcome::TestsBroken { message: "the wall clock ran out".to_owned() },
        (ending, _) => {
            Outcome::Failed { message: format!("the tests did not come to their end: {ending:?}") }
        }
    }
}
