//! A data set of tasks in JSONL: one task a line, in our own form or with columns under other names.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use graders::Task;
use serde_json::{Map, Value};

use super::columns::Columns;
use super::jsonl::{LineError, Lines};

/// Reads tasks line by line.
#[derive(Debug)]
pub struct TaskReader<R> {
    lines: Lines<R>,
    columns: Option<Columns>,
    done: bool,
}

/// A line holds no task.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The file could not be opened.
    #[error("cannot open {path}")]
    Open {
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The line could not be read.
    #[error(transparent)]
    Line(#[from] LineError),
    /// The line is not JSON.
    #[error("line {line}: not JSON: {message}; each line holds one object, without commas between lines")]
    NotJson {
        /// The line's number.
        line: u64,
        /// What is wrong, and at which column.
        message: String,
    },
    /// The line is JSON but no task.
    #[error("line {line}: {}{message}", place(.pointer))]
    NoTask {
        /// The line's number.
        line: u64,
        /// JSON pointer into the line; empty for the whole of it.
        pointer: String,
        /// What is wrong and what would be right.
        message: String,
    },
}

/// The pointer before a message, where there is one.
fn place(pointer: &str) -> String {
    if pointer.is_empty() { String::new() } else { format!("{pointer}: ") }
}

/// What is wrong with a line, before its number is known.
#[derive(Debug)]
pub(super) struct Fault {
    pointer: String,
    message: String,
}

impl Fault {
    pub(super) fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into() }
    }
}

impl TaskReader<BufReader<File>> {
    /// Opens a file of tasks in our own form.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let file = File::open(path)
            .map_err(|source| DataError::Open { path: path.display().to_string(), source })?;
        Ok(Self::new(BufReader::new(file)))
    }
}

impl<R: BufRead> TaskReader<R> {
    /// Tasks in our own form: the fields of [`Task`], of which the prompt is needed.
    pub const fn new(reader: R) -> Self {
        Self { lines: Lines::new(reader), columns: None, done: false }
    }

    /// With columns under other names.
    #[must_use]
    pub fn with_columns(mut self, columns: Columns) -> Self {
        self.columns = Some(columns);
        self
    }

    /// With another limit on the bytes of a line.
    #[must_use]
    pub fn with_max_line_bytes(mut self, max_line_bytes: usize) -> Self {
        self.lines = self.lines.with_max_line_bytes(max_line_bytes);
        self
    }

    fn read(&mut self) -> Result<Option<Task>, DataError> {
        let Some(line) = self.lines.next_line()? else { return Ok(None) };
        let number = line.number;
        let value: Value = serde_json::from_str(line.text)
            .map_err(|error| DataError::NotJson { line: number, message: without_line(&error) })?;
        let task = match value {
            Value::Object(row) => match &self.columns {
                Some(columns) => columns.task(row),
                None => native(row),
            },
            _ => Err(Fault::new("", "expected an object with the fields of a task, such as `prompt`")),
        };
        task.map(Some).map_err(|fault| DataError::NoTask {
            line: number,
            pointer: fault.pointer,
            message: fault.message,
        })
    }
}

impl<R: BufRead> Iterator for TaskReader<R> {
    type Item = Result<Task, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let item = self.read().transpose();
        // An error in one line leaves the following lines readable.
        self.done = match &item {
            None => true,
            Some(Err(DataError::Line(error))) => error.is_final(),
            Some(_) => false,
        };
        item
    }
}

fn native(row: Map<String, Value>) -> Result<Task, Fault> {
    if row.get("prompt").is_none_or(Value::is_null) {
        return Err(Fault::new(
            "/prompt",
            "the prompt is missing; where it has another name, map the columns, such as prompt = \"question\"",
        ));
    }
    serde_path_to_error::deserialize(Value::Object(row)).map_err(|error| {
        let pointer = graders::pointer_of(error.path());
        // The prompt is the one field whose own error does not say what was expected.
        if pointer == "/prompt" {
            return Fault::new(pointer, "expected a string or a list of chat messages");
        }
        let message = error.into_inner().to_string();
        if message.starts_with("unknown field") {
            return Fault::new(
                pointer,
                format!("{message}; put other values under `metadata`, or map the columns"),
            );
        }
        Fault::new(pointer, message)
    })
}

/// The reader's message with its column; the line it counts is always the first.
fn without_line(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let cause = message.rfind(" at line ").and_then(|at| message.get(..at)).unwrap_or(&message);
    format!("{cause} at column {}", error.column())
}
