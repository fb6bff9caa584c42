//! Tests in an instance of their own, which call into the program's instance through here.
//!
//! The program's instance lives on a thread of its own, because it may call back: a function that the tests handed to
//! it is called while the tests wait for their answer. Between the two pass texts of `datum`, each read and written
//! anew on its way; nothing that the program's side says is taken for more than a value.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use super::datum::Datum;
use super::engine::SourceKind;
use super::layout::MESSAGE_MAX;
use super::session::{Session, failed};
use super::{JavaScript, source};
use crate::examination::{Examination, Outcome, TestProgram};
use crate::machine::Stopped;
use crate::wasi::{Channel, Stop};
use crate::{Ending, Execution, Limits, Program, SandboxError};

/// What the tests' instance is ended with when there is no program any more.
const NO_PROGRAM: i32 = 0x6a7e;
/// How much of a message is kept, in bytes.
const MAX_MESSAGE_BYTES: usize = 4096;

/// Runs the tests against the program.
pub(super) fn examine(
    guest: &JavaScript,
    program: &Program,
    tests: &TestProgram,
    limits: &Limits,
) -> Result<Examination, SandboxError> {
    let (to_program, requests) = channel();
    let (replies, from_program) = channel();
    let has_ended = Arc::new(AtomicBool::new(false));
    thread::scope(|scope| {
        // Both ends are dropped with the thread, so that the tests do not wait for a program that is gone.
        let program_side = scope.spawn(move || {
            let requests = Arc::new(Mutex::new(requests));
            let done = run_program(guest, program, limits, &requests, &replies);
            drop(replies);
            done
        });
        let ends = Ends { to_program, from_program, has_ended: Arc::clone(&has_ended) };
        let tests_side = run_tests(guest, tests, limits, ends);
        let program = program_side.join().map_err(|_| failed("the program's thread panicked"))??;
        let (outcome, tests) = tests_side?;
        let outcome = if has_ended.load(Ordering::Relaxed) { Outcome::ProgramEnded } else { outcome };
        Ok(Examination { outcome, program, tests })
    })
}

/// The tests' ends of the two ways.
struct Ends {
    to_program: Sender<Vec<u8>>,
    from_program: Receiver<Vec<u8>>,
    /// Set when the program was gone before the tests were done.
    has_ended: Arc<AtomicBool>,
}

impl Channel for Ends {
    fn call(&mut self, request: &[u8]) -> Result<Vec<u8>, wasmtime::Error> {
        let sent = self.to_program.send(request.to_vec());
        if let (Ok(()), Ok(reply)) = (sent, self.from_program.recv()) {
            return Ok(reply);
        }
        self.has_ended.store(true, Ordering::Relaxed);
        Err(wasmtime::Error::new(Stop::Exit(NO_PROGRAM)))
    }
}

/// What the tests ask, for whoever of the program's side is waiting.
type Requests = Arc<Mutex<Receiver<Vec<u8>>>>;

/// The program's ends: what it says to the tests while it answers them is a call of a function of theirs.
struct Callbacks {
    requests: Requests,
    replies: Sender<Vec<u8>>,
}

impl Channel for Callbacks {
    fn call(&mut self, request: &[u8]) -> Result<Vec<u8>, wasmtime::Error> {
        let gone = || wasmtime::Error::new(Stop::Exit(NO_PROGRAM));
        self.replies.send(passed_on(request)).map_err(|_| gone())?;
        let requests = self.requests.lock().map_err(|_| gone())?;
        loop {
            let next = requests.recv().map_err(|_| gone())?;
            if is_answer(&next) {
                return Ok(next);
            }
            // A call into the program while it waits for the tests: there is nobody who could do it.
            self.replies.send(refusal()).map_err(|_| gone())?;
        }
    }
}

/// Whether the tests say what became of a callback.
fn is_answer(text: &[u8]) -> bool {
    text.starts_with(br#"["value""#) || text.starts_with(br#"["throw""#)
}

fn refusal() -> Vec<u8> {
    let error = Datum::Error {
        class: "Error".to_owned(),
        name: "Error".to_owned(),
        message: "the program cannot be called while it calls".to_owned(),
        fields: Vec::new(),
    };
    Datum::List(vec![Datum::Text("throw".to_owned()), error]).write().into_bytes()
}

/// What the program's side said, written anew; what cannot be read becomes an error of the program.
fn passed_on(text: &[u8]) -> Vec<u8> {
    let read = std::str::from_utf8(text).map_err(|error| error.to_string()).and_then(Datum::read);
    let message = match read {
        Ok(datum @ Datum::List(_)) => return datum.write().into_bytes(),
        Ok(_) => "not an answer".to_owned(),
        Err(message) => message,
    };
    let error = Datum::Error {
        class: "TypeError".to_owned(),
        name: "TypeError".to_owned(),
        message,
        fields: Vec::new(),
    };
    Datum::List(vec![Datum::Text("throw".to_owned()), error]).write().into_bytes()
}

/// Loads the program and answers requests until nobody asks any more.
fn run_program(
    guest: &JavaScript,
    program: &Program,
    limits: &Limits,
    requests: &Requests,
    replies: &Sender<Vec<u8>>,
) -> Result<Execution, SandboxError> {
    let mut session = guest.start(program, &[], limits)?;
    let callbacks = Callbacks { requests: Arc::clone(requests), replies: replies.clone() };
    session.world().set_channel(Box::new(callbacks));
    let last = serve(&mut session, program, requests, replies);
    session.conclude(last)
}

/// The next request, if anybody is there who could make one.
fn next(requests: &Requests) -> Option<Vec<u8>> {
    requests.lock().ok()?.recv().ok()
}

fn serve(
    session: &mut Session,
    program: &Program,
    requests: &Requests,
    replies: &Sender<Vec<u8>>,
) -> Result<i32, Stopped> {
    if !session.load(program, &[], true)? {
        return Ok(1);
    }
    while session.turn()? {}
    let entries = *session.entries();
    while let Some(request) = next(requests) {
        let text = String::from_utf8_lossy(&request).into_owned();
        let request = session.engine().string(&text)?;
        let mut answer = session.enter(entries.serve, &[request])?;
        session.engine().free(request)?;
        let mut is_more = true;
        loop {
            match session.engine().text(answer, MESSAGE_MAX)? {
                Some(text) if text.is_empty() && is_more => {
                    is_more = session.turn()?;
                    session.engine().free(answer)?;
                    answer = session.enter(entries.served, &[])?;
                }
                Some(text) if text.is_empty() => {
                    // The promise is one that nobody settles.
                    let _ = replies.send(br#"["promise","pending",null,null]"#.to_vec());
                    break;
                }
                Some(text) => {
                    let _ = replies.send(passed_on(text.as_bytes()));
                    break;
                }
                None => {
                    let _ = replies.send(passed_on(b"longer than a message may be"));
                    break;
                }
            }
        }
        session.engine().free(answer)?;
        session.settle()?;
    }
    Ok(0)
}

fn run_tests(
    guest: &JavaScript,
    tests: &TestProgram,
    limits: &Limits,
    ends: Ends,
) -> Result<(Outcome, Execution), SandboxError> {
    let shell = Program::new(crate::Language::JavaScript, "");
    let mut session = guest.start(&shell, &[], limits)?;
    session.world().set_channel(Box::new(ends));
    let mut verdict = String::new();
    let last = judge(&mut session, &shell, tests, &mut verdict);
    // Closes the way, so that the program's side comes to its end.
    drop(session.world().take_channel());
    let said = last.clone();
    let execution = session.conclude(last)?;
    let outcome = match said {
        Ok(_) => outcome(&verdict),
        Err(Stopped::Exit(0)) => Outcome::Passed,
        Err(_) => Outcome::Failed { message: ended(&execution.ending) },
    };
    Ok((outcome, execution))
}

/// Runs the tests to their end, or to where they wait for what never comes.
fn judge(
    session: &mut Session,
    shell: &Program,
    tests: &TestProgram,
    verdict: &mut String,
) -> Result<i32, Stopped> {
    session.load(shell, &[], false)?;
    let entries = *session.entries();
    let script = source::as_tests(&tests.source, tests.entry_point.is_some());
    match session.engine().evaluate(&script, source::TESTS_PATH, SourceKind::Script)? {
        Ok(compiled) => {
            let candidate = session.engine().string(tests.entry_point.as_deref().unwrap_or_default())?;
            session.enter(entries.examine, &[compiled, candidate])?;
        }
        Err(thrown) => {
            session.enter(entries.refused_tests, &[thrown])?;
        }
    }
    loop {
        let is_more = session.turn()?;
        let said = session.enter(entries.verdict, &[])?;
        *verdict = session.engine().text(said, MAX_MESSAGE_BYTES)?.unwrap_or_default();
        if verdict != "pending" || !is_more {
            return Ok(0);
        }
    }
}

/// What the tests' instance said of them. It is ours and its author's, and believed.
fn outcome(verdict: &str) -> Outcome {
    match verdict.split_once(' ').unwrap_or((verdict, "")) {
        ("passed", _) => Outcome::Passed,
        ("broken", message) => Outcome::TestsBroken { message: message.to_owned() },
        ("failed", message) => Outcome::Failed { message: message.to_owned() },
        _ => Outcome::Failed { message: "the tests wait for something that never comes".to_owned() },
    }
}

/// Tests that do not come to their end have failed: what the program returns is what they work on.
fn ended(ending: &Ending) -> String {
    format!("the tests did not come to their end: {}", ending.name())
}
