//! Python: CPython as it stands after everything that is the same for all programs was done.
//!
//! `snapshot` builds that interpreter once; a run is a fresh copy of it (`session`) that is handed a job. The harness
//! in `sandboxes/python/gavel` does the job inside. It shares its interpreter with the program and is believed only
//! as far as the program itself would be.

mod examination;
mod job;
mod reply;
mod session;
mod snapshot;
#[cfg(test)]
mod tests;
mod written;

use std::path::Path;
use std::sync::Arc;

use self::job::Job;
use self::session::{Input, Session};
use self::snapshot::Interpreter;
use crate::guests::{Guest, Kind};
use crate::machine::{Budget, Machine, MachineError};
use crate::{Call, Ending, Examination, Execution, Language, Limits, Program, SandboxError, TestProgram};

/// Fuel for a millisecond of reference time.
///
/// How much fuel a program burns in a millisecond of native CPython depends on what it does: C code that waits for
/// memory burns little, bytecode that stays in the caches burns much. Measured on a busy virtual EPYC of 2.4 GHz
/// against CPython 3.11 (least CPU time of seven runs, without its start), in millions for each millisecond:
///
/// | program | fuel | program | fuel |
/// |---|---|---|---|
/// | Dijkstra, 30,000 nodes | 6 | bit-mask queens | 15 |
/// | sorting, `bisect` | 9 | breadth-first search in a grid | 17 |
/// | `json`, `re`, strings | 10 | sums of `math`, small matrices | 19 |
/// | recursion, `lru_cache` | 10 | longest common subsequence | 20 |
/// | 400,000 numbers read, 60,000 lines printed | 11 | `itertools` | 21 |
/// | `dict`, `Counter`, `defaultdict` | 14 | classes, properties; a sieve in lists | 23 |
/// | | | integers of thousands of digits | 32 |
///
/// An honest program which is within a limit natively has to be within it here, so the constant is near the upper
/// end: above all but the last.
pub(crate) const FUEL_PER_MS: u64 = 24_000_000;

/// The guest as it is registered.
pub(crate) const KIND: Kind = Kind {
    name: "python",
    languages: &[Language::Python],
    manifest: include_str!("../python/manifest.toml"),
    sources: snapshot::SOURCES,
    revision: 4,
    build: snapshot::build,
    trials: &[(Language::Python, "print(1)")],
    open,
};

struct Python {
    machine: Arc<Machine>,
    interpreter: Interpreter,
}

fn open(machine: Arc<Machine>, folder: &Path) -> Result<Box<dyn Guest>, MachineError> {
    let interpreter = Interpreter::open(&machine, folder)?;
    Ok(Box::new(Python { machine, interpreter }))
}

impl Python {
    fn start(&self, input: Input<'_>, limits: &Limits, job: Job) -> Result<Session, SandboxError> {
        let budget = Budget { limits: *limits, fuel_per_ms: FUEL_PER_MS };
        Session::start(&self.machine, &self.interpreter, input, budget, job)
    }
}

impl Guest for Python {
    fn run(&self, program: &Program, stdin: &[u8], limits: &Limits) -> Result<Execution, SandboxError> {
        let mut session = self.start(Input { stdin, files: &program.files }, limits, Job::run(program))?;
        let last = session.enter(self.interpreter.entries.main);
        let report = session.take_report();
        session.finish(last, report.as_deref())
    }

    fn call(&self, program: &Program, call: &Call, limits: &Limits) -> Result<Execution, SandboxError> {
        let mut session =
            self.start(Input { stdin: &[], files: &program.files }, limits, Job::call(program, call))?;
        let last = session.enter(self.interpreter.entries.main);
        let report = session.take_report();
        let mut execution = session.finish(last, report.as_deref())?;
        if execution.ending == (Ending::Exited { code: 0 }) {
            let reply = report.as_deref().and_then(|report| report.strip_prefix(b"="));
            match reply.map(reply::returned) {
                Some(Ok(returned)) => execution.returned = Some(returned),
                Some(Err(message)) => execution.ending = Ending::InvalidResult { message },
                // It exited before the function came back.
                None => {}
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
        let input = Input { stdin: &[], files: &program.files };
        let mut session = self.start(input, limits, Job::load(program, tests))?;
        let entries = self.interpreter.entries;
        match session.enter(entries.main) {
            Ok(true) => {
                let tests = self.start(Input::default(), limits, Job::test(tests))?;
                examination::examine(session, tests, entries)
            }
            ended => examination::ended_before(session, ended),
        }
    }
}
