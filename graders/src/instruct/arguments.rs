//! The arguments of one instruction, read with errors that point at them.

use serde_json::{Map, Value};

use crate::error::{TaskError, TaskErrorKind};

/// The largest number an argument may give; no text that is judged can hold more of anything.
const MAX_COUNT: u64 = 1 << 20;
/// The longest text an argument may give, in bytes.
const MAX_TEXT_BYTES: usize = 1 << 16;
/// The most entries a list of keywords may have.
const MAX_LIST: usize = 64;

/// The arguments of one instruction. Those that are `null` count as absent, because published data sets fill
/// every row with the arguments of all types.
pub(super) struct Arguments<'a> {
    index: usize,
    kwargs: &'a Map<String, Value>,
    read: Vec<&'static str>,
}

/// How a count is compared with its argument.
#[derive(Clone, Copy, Debug)]
pub(super) enum Relation {
    LessThan,
    AtLeast,
}

impl Relation {
    /// Whether `count` stands in this relation to `bound`.
    pub(super) fn holds(self, count: usize, bound: usize) -> bool {
        match self {
            Self::LessThan => count < bound,
            Self::AtLeast => count >= bound,
        }
    }
}

impl<'a> Arguments<'a> {
    pub(super) fn new(index: usize, kwargs: &'a Map<String, Value>) -> Self {
        Self { index, kwargs, read: Vec::new() }
    }

    /// A number from 0; 3.0 is 3.
    pub(super) fn count(&mut self, name: &'static str) -> Result<usize, TaskError> {
        let value = self.required(name, "a number")?;
        let whole = value.as_u64().or_else(|| {
            value
                .as_f64()
                .filter(|x| x.fract() == 0.0 && (0.0..=MAX_COUNT as f64).contains(x))
                .map(|x| x as u64)
        });
        match whole {
            Some(count) if count <= MAX_COUNT => Ok(count as usize),
            _ => {
                Err(self.error(name, format!("expected a whole number from 0 to {MAX_COUNT}, found {value}")))
            }
        }
    }

    /// `less than` or `at least`.
    pub(super) fn relation(&mut self, name: &'static str) -> Result<Relation, TaskError> {
        match self.required(name, "`less than` or `at least`")? {
            Value::String(text) if text == "less than" => Ok(Relation::LessThan),
            Value::String(text) if text == "at least" => Ok(Relation::AtLeast),
            other => {
                Err(self.error(name, format!("expected `less than` or `at least`, found {}", brief(other))))
            }
        }
    }

    /// A text that is not blank.
    pub(super) fn text(&mut self, name: &'static str) -> Result<&'a str, TaskError> {
        let value = self.required(name, "a text")?;
        self.text_of(name, value)
    }

    /// A list of texts, at least one.
    pub(super) fn texts(&mut self, name: &'static str) -> Result<Vec<&'a str>, TaskError> {
        match self.required(name, "a list of texts")? {
            Value::Array(items) if (1..=MAX_LIST).contains(&items.len()) => items
                .iter()
                .enumerate()
                .map(|(position, item)| self.text_of(&format!("{name}/{position}"), item))
                .collect(),
            other => {
                Err(self
                    .error(name, format!("expected a list of 1 to {MAX_LIST} texts, found {}", brief(other))))
            }
        }
    }

    /// Refuses what no reader has asked for: a misspelt argument must not go unnoticed.
    pub(super) fn finish(self) -> Result<(), TaskError> {
        let unknown = self
            .kwargs
            .iter()
            .find(|(name, value)| !value.is_null() && !self.read.contains(&name.as_str()))
            .map(|(name, _)| name.replace('~', "~0").replace('/', "~1"));
        match unknown {
            None => Ok(()),
            Some(name) if self.read.is_empty() => {
                Err(self.error(&name, "this instruction takes no arguments; remove it".to_owned()))
            }
            Some(name) => Err(self
                .error(&name, format!("unknown argument; this instruction takes {}", self.read.join(", ")))),
        }
    }

    /// An error at the argument `name`.
    pub(super) fn error(&self, name: &str, message: String) -> TaskError {
        let pointer = format!("/instructions/{}/kwargs/{name}", self.index);
        TaskError::new(TaskErrorKind::InvalidTask, pointer, message)
    }

    fn required(&mut self, name: &'static str, what: &str) -> Result<&'a Value, TaskError> {
        self.read.push(name);
        match self.kwargs.get(name) {
            None | Some(Value::Null) => Err(self.error(name, format!("this instruction needs {what} here"))),
            Some(value) => Ok(value),
        }
    }

    fn text_of(&self, name: &str, value: &'a Value) -> Result<&'a str, TaskError> {
        match value {
            Value::String(text) if text.len() > MAX_TEXT_BYTES => Err(self.error(
                name,
                format!("the text has {} bytes, at most {MAX_TEXT_BYTES} are allowed", text.len()),
            )),
            Value::String(text) if text.trim().is_empty() => {
                Err(self.error(name, "expected a text, found a blank one".to_owned()))
            }
            Value::String(text) => Ok(text.as_str()),
            other => Err(self.error(name, format!("expected a text, found {}", brief(other)))),
        }
    }
}

fn brief(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(_) => "an object".to_owned(),
        Value::String(text) if text.len() > 64 => "a longer text".to_owned(),
        other => other.to_string(),
    }
}
