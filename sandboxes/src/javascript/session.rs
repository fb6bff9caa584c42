//! One instance of the interpreter, from its program to its end: what the event loop of Node does, driven from outside.

use std::sync::Arc;

use super::engine::{Engine, SourceKind, Value};
use super::layout;
use super::snapshot::Interpreter;
use super::source;
use crate::guests::conclude;
use crate::machine::{Budget, Machine, Running, Stopped};
use crate::wasi::{World, WorldConfig};
use crate::{Ending, Execution, Language, Program, SandboxError};

/// The longest message of an ending, in bytes.
const MAX_MESSAGE_BYTES: u32 = 4096;
/// What a program ends with that waits for a promise which nobody can settle any more.
const CODE_UNSETTLED: i32 = 13;
/// Jobs of promises between two looks at the rejections.
const JOBS_BETWEEN_LOOKS: u32 = 64;

/// The notes that the prelude leaves; the numbers are those of `program.js`.
mod note {
    pub(super) const MISSING_MODULE: u32 = 1;
    pub(super) const COMPILE_ERROR: u32 = 2;
}

/// A promise that was rejected and that nobody handles so far.
struct Rejection {
    /// The promise's own bits: what tells one from another.
    identity: [u8; 8],
    promise: Value,
    reason: Value,
}

/// An instance with its program.
pub(super) struct Session {
    running: Running,
    entries: super::snapshot::Entries,
    rejections: Vec<Rejection>,
    /// What a module's evaluation promises.
    evaluation: Option<Value>,
    /// Whether the compiler took the program.
    is_refused: bool,
}

impl Session {
    /// Starts an instance and hands it its program and input. The files that the program brings must fit into its
    /// limits.
    pub(super) fn start(
        machine: &Machine,
        interpreter: &Interpreter,
        program: &Program,
        stdin: &[u8],
        budget: Budget,
    ) -> Result<Self, SandboxError> {
        let world = World::new(WorldConfig {
            args: Vec::new(),
            stdin: stdin.to_vec(),
            tree: Arc::clone(&interpreter.tree),
            files: program.files.clone(),
            output_bytes: budget.limits.output_bytes,
            files_bytes: budget.limits.files_bytes,
            fuel_per_ms: budget.fuel_per_ms,
        })
        .map_err(failed)?;
        let running = machine.start(&interpreter.prepared, world, budget).map_err(failed)?;
        let entries = interpreter.entries;
        Ok(Self { running, entries, rejections: Vec::new(), evaluation: None, is_refused: false })
    }

    pub(super) fn engine(&mut self) -> Engine<'_> {
        Engine { running: &mut self.running }
    }

    pub(super) const fn entries(&self) -> &super::snapshot::Entries {
        &self.entries
    }

    pub(super) fn world(&mut self) -> &mut World {
        self.running.world()
    }

    /// Calls a function of the prelude. Those catch what the program throws; what comes out of them all the same
    /// means that there is no room left to do even that.
    pub(super) fn enter(&mut self, entry: Value, arguments: &[Value]) -> Result<Value, Stopped> {
        self.engine().call(entry, arguments)?.map_err(|_| Stopped::Exit(1))
    }

    /// Evaluates the program, up to where it waits for something. Whether the compiler took it.
    pub(super) fn load(&mut self, program: &Program, stdin: &[u8], tail: bool) -> Result<bool, Stopped> {
        let text = source::without_hashbang(&program.source);
        let arguments = serde_json::Value::from(program.args.clone()).to_string();
        let mut engine = self.engine();
        let begin = [
            engine.string(&text)?,
            engine.string(&String::from_utf8_lossy(stdin))?,
            engine.string(&arguments)?,
        ];
        self.enter(self.entries.begin, &begin)?;
        let script = source::as_function(&text, tail);
        let refused = match self.engine().evaluate(&script, source::SCRIPT_PATH, SourceKind::Script)? {
            Ok(function) => {
                self.enter(self.entries.run, &[function])?;
                return Ok(true);
            }
            Err(refused) => refused,
        };
        if source::may_be_module(&text) {
            let module = source::as_module(&text, tail);
            match self.engine().evaluate(&module, source::MODULE_PATH, SourceKind::Module)? {
                Ok(evaluation) => {
                    self.evaluation = Some(evaluation);
                    // A module is itself a job: what it promised comes before what it left for the next tick.
                    self.run_jobs()?;
                    return Ok(true);
                }
                Err(thrown) => self.enter(self.entries.refused, &[thrown])?,
            };
        } else {
            self.enter(self.entries.refused, &[refused])?;
        }
        self.is_refused = true;
        Ok(false)
    }

    /// Runs until nothing is left to do; gives the exit code.
    pub(super) fn finish_work(&mut self) -> Result<i32, Stopped> {
        loop {
            while self.turn()? {}
            let end = self.enter(self.entries.end, &[])?;
            let code = self.engine().number(end)? as i32;
            if code >= 0 {
                let is_unsettled = match self.evaluation {
                    Some(evaluation) => self.engine().is_pending(evaluation)?,
                    None => false,
                };
                return Ok(if is_unsettled && code == 0 { CODE_UNSETTLED } else { code });
            }
        }
    }

    /// Lets everything settle that waits for no time, then does one thing that did. Whether there was one.
    pub(super) fn turn(&mut self) -> Result<bool, Stopped> {
        self.settle()?;
        let stepped = self.enter(self.entries.step, &[])?;
        let is_more = self.engine().truth(stepped)?;
        self.engine().free(stepped)?;
        Ok(is_more)
    }

    /// Next ticks, then jobs of promises, until there is neither; then what was rejected and stayed so.
    pub(super) fn settle(&mut self) -> Result<(), Stopped> {
        loop {
            let ticked = self.enter(self.entries.ticks, &[])?;
            let has_ticked = self.engine().truth(ticked)?;
            self.engine().free(ticked)?;
            let has_jobs = self.run_jobs()?;
            if has_ticked || has_jobs {
                continue;
            }
            self.take_rejections()?;
            if self.rejections.is_empty() {
                return Ok(());
            }
            for rejection in std::mem::take(&mut self.rejections) {
                self.enter(self.entries.rejected, &[rejection.promise, rejection.reason])?;
                self.engine().free(rejection.promise)?;
                self.engine().free(rejection.reason)?;
            }
        }
    }

    /// Runs jobs until none waits. Whether there was one.
    fn run_jobs(&mut self) -> Result<bool, Stopped> {
        let mut n_jobs = 0_u32;
        while self.engine().has_job()? {
            if let Err(thrown) = self.engine().run_job()? {
                self.enter(self.entries.uncaught, &[thrown])?;
            }
            n_jobs = n_jobs.wrapping_add(1);
            if n_jobs.is_multiple_of(JOBS_BETWEEN_LOOKS) {
                self.take_rejections()?;
            }
        }
        Ok(n_jobs > 0)
    }

    /// Takes over what the engine told of rejections.
    fn take_rejections(&mut self) -> Result<(), Stopped> {
        let count = self.word(layout::rejections())?.min(layout::rejections_max());
        if count == 0 {
            return Ok(());
        }
        for index in 0..count {
            let at = layout::rejection(index);
            let (promise, reason) = (self.word(at)?, self.word(at + 4)?);
            let is_handled = self.word(at + 8)? != 0;
            let identity: [u8; 8] =
                self.running.read(promise, 8)?.try_into().map_err(|_| Stopped::Exit(1))?;
            if !is_handled {
                self.rejections.push(Rejection { identity, promise, reason });
                continue;
            }
            let before = self.rejections.iter().rposition(|rejection| rejection.identity == identity);
            let gone = before.map(|at| self.rejections.remove(at));
            let mut engine = self.engine();
            for value in gone.iter().flat_map(|gone| [gone.promise, gone.reason]).chain([promise, reason]) {
                engine.free(value)?;
            }
        }
        self.running.write(layout::rejections(), &0_u32.to_le_bytes())
    }

    fn word(&self, address: u32) -> Result<u32, Stopped> {
        let bytes = self.running.read(address, 4)?;
        Ok(bytes.try_into().map_or(0, u32::from_le_bytes))
    }

    /// Why it ended, in words of the prelude, if it left any.
    fn note(&self) -> Option<Ending> {
        let answers = self.entries.transfer;
        let kind = self.word(answers + 8).ok()?;
        let length = self.word(answers + 12).ok()?.min(MAX_MESSAGE_BYTES);
        let bytes = self.running.read(answers + layout::ANSWER_BYTES, length).ok()?;
        let text = String::from_utf8_lossy(bytes).into_owned();
        match kind {
            note::MISSING_MODULE => Some(Ending::MissingModule { name: text }),
            note::COMPILE_ERROR if self.is_refused => Some(Ending::CompileError { message: text }),
            _ => None,
        }
    }

    /// What came of it, after its last call ended so.
    pub(super) fn conclude(self, last: Result<i32, Stopped>) -> Result<Execution, SandboxError> {
        let is_death = matches!(last, Ok(1..) | Err(Stopped::Exit(1..)));
        let note = if is_death { self.note() } else { None };
        let mut execution = conclude(Language::JavaScript, last, self.running)?;
        if let (Some(note), Ending::Exited { .. }) = (note, &execution.ending) {
            execution.ending = note;
        }
        Ok(execution)
    }
}

pub(super) fn failed(error: impl std::fmt::Display) -> SandboxError {
    SandboxError::Failed { language: Language::JavaScript, message: error.to_string() }
}
