//! JavaScript: QuickJS-NG as it stands after a prelude that gives programs what they expect of Node.
//!
//! `snapshot` builds that interpreter once; a run is a fresh copy of it (`session`) whose event loop the host turns.
//! The prelude shares its interpreter with the program and is believed only as far as the program itself would be:
//! whatever reaches the host from an instance is read as the program's own word.

mod datum;
mod engine;
mod examine;
mod host;
mod layout;
mod session;
mod snapshot;
mod source;
#[cfg(test)]
mod tests;
mod values;

use std::path::Path;
use std::sync::Arc;

use self::datum::Datum;
use self::session::Session;
use self::snapshot::Interpreter;
use crate::guests::{Guest, Kind};
use crate::machine::{Budget, Machine, MachineError, Stopped};
use crate::{
    Call, Ending, Examination, Execution, Language, Limits, Program, Returned, SandboxError, TestProgram,
};

/// Fuel for a millisecond of reference time.
///
/// The engine interprets, and one instruction of its bytecode is about 100 units of fuel, so that against the compiler
/// in Node it is worse the tighter the loop. Fuel for what took Node a millisecond beyond its start, in millions; the
/// least of five runs on a busy machine, so that figures marked with a star, where Node took less than 25 ms, are rough:
///
/// | program | fuel | program | fuel |
/// |---|---|---|---|
/// | products of big integers | 5* | 100,000 lines of output | 40 |
/// | breadth-first search on a grid | 17* | small objects and their methods | 83 |
/// | nine queens | 17* | longest common subsequence | 98 |
/// | sorting 200,000 numbers | 23 | recursive Fibonacci numbers | 108* |
/// | JSON of 20,000 objects | 32 | counting in a `Map` and an object | 388 |
/// | strings, character by character | 40 | sum of square roots | 442* |
///
/// A sieve in a typed array is beyond the last. So this constant is as generous as Node to three of these, takes half
/// of its time away from four, and is four to twenty times stricter with tight loops, which need limits to match.
/// More would let a program that never ends run longer: a unit takes about 0.2 ns, so that a second of reference time
/// is already four seconds of work.
pub(crate) const FUEL_PER_MS: u64 = 20_000_000;

/// The longest text of a result, in bytes.
const RESULT_MAX: usize = 16 << 20;

/// The guest as it is registered.
pub(crate) const KIND: Kind = Kind {
    name: "javascript",
    languages: &[Language::JavaScript],
    manifest: include_str!("../javascript/manifest.toml"),
    sources: snapshot::SOURCES,
    revision: 2,
    build: snapshot::build,
    trials: &[(Language::JavaScript, "console.log(1)")],
    open,
};

struct JavaScript {
    machine: Arc<Machine>,
    interpreter: Interpreter,
}

fn open(machine: Arc<Machine>, folder: &Path) -> Result<Box<dyn Guest>, MachineError> {
    let interpreter = Interpreter::open(&machine, folder)?;
    Ok(Box::new(JavaScript { machine, interpreter }))
}

impl JavaScript {
    fn start(&self, program: &Program, stdin: &[u8], limits: &Limits) -> Result<Session, SandboxError> {
        let budget = Budget { limits: *limits, fuel_per_ms: FUEL_PER_MS };
        Session::start(&self.machine, &self.interpreter, program, stdin, budget)
    }
}

impl Guest for JavaScript {
    fn run(&self, program: &Program, stdin: &[u8], limits: &Limits) -> Result<Execution, SandboxError> {
        let mut session = self.start(program, stdin, limits)?;
        let last = session
            .load(program, stdin, false)
            .and_then(|is_taken| if is_taken { session.finish_work() } else { Ok(1) });
        session.conclude(last)
    }

    fn call(&self, program: &Program, call: &Call, limits: &Limits) -> Result<Execution, SandboxError> {
        if !call.kwargs.is_empty() {
            let what = "arguments by name";
            return Err(SandboxError::Unsupported { language: Language::JavaScript, what });
        }
        let arguments = call.args.iter().map(values::argument).collect::<Option<Vec<_>>>();
        let Some(arguments) = arguments else {
            let what = "arguments that are not plain data";
            return Err(SandboxError::Unsupported { language: Language::JavaScript, what });
        };
        let mut session = self.start(program, &[], limits)?;
        let mut called = Called::Never;
        let last = call_function(&mut session, program, &call.entry_point, arguments, &mut called);
        let mut execution = session.conclude(last)?;
        if execution.ending == (Ending::Exited { code: 0 }) {
            match called {
                // It exited, or waited for what never came, before the function returned.
                Called::Never => {}
                Called::Unknown => execution.ending = Ending::NoEntryPoint { name: call.entry_point.clone() },
                Called::Unsendable(message) => execution.ending = Ending::InvalidResult { message },
                Called::Returned(returned) => execution.returned = Some(returned),
            }
        }
        Ok(execution)
    }

    fn examine(
        &self,
        program: &Program,
        tests: &TestProgram,
        limits: &Limits,
    ) -> Result<Examination, SandboxError> {
        examine::examine(self, program, tests, limits)
    }
}

/// What came of a call.
enum Called {
    Never,
    Unknown,
    Unsendable(String),
    Returned(Returned),
}

/// What `state` in `program.js` says of a call.
mod state {
    pub(super) const UNKNOWN: i32 = 0;
    pub(super) const DONE: i32 = 2;
    pub(super) const UNSENDABLE: i32 = 3;
}

fn call_function(
    session: &mut Session,
    program: &Program,
    entry_point: &str,
    arguments: Vec<Datum>,
    called: &mut Called,
) -> Result<i32, Stopped> {
    if !session.load(program, &[], true)? {
        return Ok(1);
    }
    // What the program does by itself comes first.
    while session.turn()? {}
    let entries = *session.entries();
    let mut engine = session.engine();
    let name = engine.string(entry_point)?;
    let given = engine.string(&Datum::List(arguments).write())?;
    session.enter(entries.call, &[name, given])?;
    let mut is_more = true;
    loop {
        let reply = session.enter(entries.state, &[])?;
        match session.engine().number(reply)? as i32 {
            state::UNKNOWN => {
                *called = Called::Unknown;
                return Ok(0);
            }
            done @ (state::DONE | state::UNSENDABLE) => {
                let outcome = session.enter(entries.outcome, &[])?;
                let text = session.engine().text(outcome, RESULT_MAX)?;
                *called = match text {
                    None => Called::Unsendable(format!("longer than {RESULT_MAX} bytes")),
                    Some(message) if done == state::UNSENDABLE => Called::Unsendable(message),
                    Some(text) => read_returned(&text),
                };
                return Ok(0);
            }
            // The function is asynchronous.
            _ if is_more => is_more = session.turn()?,
            _ => return session.finish_work(),
        }
    }
}

fn read_returned(text: &str) -> Called {
    match Datum::read(text) {
        Ok(Datum::List(pair)) => match <[Datum; 2]>::try_from(pair) {
            Ok([value, Datum::List(arguments)]) => Called::Returned(Returned {
                value: values::returned(value),
                arguments: arguments.into_iter().map(values::returned).collect(),
            }),
            _ => Called::Unsendable("not a result".to_owned()),
        },
        Ok(_) => Called::Unsendable("not a result".to_owned()),
        Err(message) => Called::Unsendable(message),
    }
}
