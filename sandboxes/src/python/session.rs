//! One instance of the interpreter, from its job to its end.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;

use super::job::Job;
use super::snapshot::Interpreter;
use crate::guests::conclude;
use crate::machine::{Budget, Machine, Running, Stopped};
use crate::wasi::{Channel, World, WorldConfig};
use crate::{Ending, Execution, File, Language, SandboxError};

/// The longest message of an ending, in bytes.
const MAX_MESSAGE_BYTES: usize = 4096;

/// What the instance and its host tell each other.
#[derive(Default)]
struct Mailbox {
    /// What the instance is to do.
    job: Vec<u8>,
    /// What it last said about how that went.
    report: Option<Vec<u8>>,
}

/// The mailbox as the instance sees it.
#[derive(Clone, Default)]
pub(super) struct Post(Arc<Mutex<Mailbox>>);

impl Post {
    fn with<T>(&self, act: impl FnOnce(&mut Mailbox) -> T) -> T {
        // A mailbox is whole at any moment.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Channel for Post {
    fn call(&mut self, request: &[u8]) -> Result<Vec<u8>, wasmtime::Error> {
        Ok(match request.split_first() {
            Some((b'?', _)) => self.with(|mailbox| std::mem::take(&mut mailbox.job)),
            Some((b'!', report)) => {
                self.with(|mailbox| mailbox.report = Some(report.to_vec()));
                Vec::new()
            }
            // The harness never says anything else; the program may.
            _ => Vec::new(),
        })
    }
}

/// How the harness says that a program ended, where an exit code cannot.
#[derive(Deserialize)]
#[serde(tag = "ending", rename_all = "snake_case")]
enum Report {
    CompileError { message: String },
    MissingModule { name: String },
    NoEntryPoint,
    InvalidResult { message: String },
    OutOfMemory,
}

/// What an instance finds when it starts.
#[derive(Clone, Copy, Default)]
pub(super) struct Input<'a> {
    /// Its standard input.
    pub(super) stdin: &'a [u8],
    /// Its own files.
    pub(super) files: &'a [File],
}

/// An instance with its job.
pub(super) struct Session {
    running: Running,
    post: Post,
    entry_point: String,
}

impl Session {
    /// Starts an instance. The files that the program brings must fit into its limits.
    pub(super) fn start(
        machine: &Machine,
        interpreter: &Interpreter,
        input: Input<'_>,
        budget: Budget,
        job: Job,
    ) -> Result<Self, SandboxError> {
        let post = Post::default();
        post.with(|mailbox| mailbox.job = job.bytes);
        let mut world = World::new(WorldConfig {
            args: Vec::new(),
            stdin: input.stdin.to_vec(),
            tree: Arc::clone(&interpreter.tree),
            files: input.files.to_vec(),
            output_bytes: budget.limits.output_bytes,
            files_bytes: budget.limits.files_bytes,
            fuel_per_ms: budget.fuel_per_ms,
        })
        .map_err(failed)?;
        world.set_channel(Box::new(post.clone()));
        let mut running = machine.start(&interpreter.prepared, world, budget).map_err(failed)?;
        running.touch(&interpreter.written);
        Ok(Self { running, post, entry_point: job.entry_point })
    }

    /// Calls a function of the harness. It comes back, and says whether without an exception, or the instance has
    /// stopped.
    pub(super) fn enter(&mut self, function: u32) -> Result<bool, Stopped> {
        self.running.call::<u32, u32>("PyObject_CallNoArgs", function).map(|object| object != 0)
    }

    /// The instance's memory.
    pub(super) fn memory(&self) -> &[u8] {
        self.running.memory()
    }

    /// Gives the instance something else to do.
    pub(super) fn give(&mut self, job: &[u8]) {
        self.post.with(|mailbox| mailbox.job = job.to_vec());
    }

    /// Has `wrap` answer the instance, which may leave what it does not know to what answered before.
    pub(super) fn connect(&mut self, wrap: impl FnOnce(Post) -> Box<dyn Channel>) {
        let channel = wrap(self.post.clone());
        self.running.world().set_channel(channel);
    }

    /// What the instance said last.
    pub(super) fn take_report(&mut self) -> Option<Vec<u8>> {
        self.post.with(|mailbox| mailbox.report.take())
    }

    /// What came of it, after its last call ended so and it said this about it.
    pub(super) fn finish(
        self,
        last: Result<bool, Stopped>,
        report: Option<&[u8]>,
    ) -> Result<Execution, SandboxError> {
        // The harness lets no exception out while it is as we left it.
        let ended = last.map(|whole| i32::from(!whole));
        let mut execution = conclude(Language::Python, ended, self.running)?;
        let report = report.and_then(|report| serde_json::from_slice(report).ok());
        if let (Ending::Exited { .. }, Some(report)) = (&execution.ending, report) {
            execution.ending = match report {
                Report::CompileError { message } => Ending::CompileError { message: cut(message) },
                Report::MissingModule { name } => Ending::MissingModule { name: cut(name) },
                Report::NoEntryPoint => Ending::NoEntryPoint { name: self.entry_point },
                Report::InvalidResult { message } => Ending::InvalidResult { message: cut(message) },
                Report::OutOfMemory => Ending::OutOfMemory,
            };
        }
        Ok(execution)
    }
}

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_MESSAGE_BYTES));
    text
}

pub(super) fn failed(error: impl std::fmt::Display) -> SandboxError {
    SandboxError::Failed { language: Language::Python, message: error.to_string() }
}
