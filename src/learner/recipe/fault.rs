//! What is wrong with a recipe, field by field.

use std::fmt;
use std::path::PathBuf;

/// A field and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field's dotted name, such as `train.learning_rate`; empty for the recipe as a whole.
    pub field: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Fault {
    /// Whether this is about `field` or about something inside it.
    pub(super) fn is_about(&self, field: &str) -> bool {
        self.field.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.as_str() {
            "" => f.write_str(&self.message),
            field => write!(f, "{field}: {}", self.message),
        }
    }
}

/// Why a recipe cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// The file cannot be read.
    #[error("cannot read the recipe {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The text is no TOML.
    #[error("{origin} is no TOML: {message}")]
    Syntax {
        /// The recipe.
        origin: String,
        /// Where and what.
        message: String,
    },
    /// An override is none.
    #[error("--set {text}: {message}")]
    Override {
        /// As it was given.
        text: String,
        /// What would be right.
        message: String,
    },
    /// Fields are wrong: all of them are named.
    #[error("{origin}: {}", list(faults))]
    Faults {
        /// The recipe.
        origin: String,
        /// At least one.
        faults: Vec<Fault>,
    },
}

fn list(faults: &[Fault]) -> String {
    match faults {
        [fault] => fault.to_string(),
        faults => {
            let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
            format!("{} faults\n  {}", faults.len(), lines.join("\n  "))
        }
    }
}

/// Collects faults of one section.
pub(super) struct Checks<'a> {
    faults: &'a mut Vec<Fault>,
    section: String,
}

impl<'a> Checks<'a> {
    pub(super) fn new(faults: &'a mut Vec<Fault>) -> Self {
        Self { faults, section: String::new() }
    }

    /// The checks of a section inside this one.
    pub(super) fn section(&mut self, name: &str) -> Checks<'_> {
        Checks { section: self.name(name), faults: self.faults }
    }

    /// Notes what is wrong with `field`.
    pub(super) fn fault(&mut self, field: &str, message: impl Into<String>) {
        let field = self.name(field);
        self.faults.push(Fault { field, message: message.into() });
    }

    /// Notes that `field` is `value` unless `good`; `wanted` ends the sentence "it must be …".
    pub(super) fn must(&mut self, good: bool, field: &str, value: impl fmt::Display, wanted: &str) {
        if !good {
            self.fault(field, format!("is {value}; it must be {wanted}"));
        }
    }

    /// A finite number above 0.
    pub(super) fn positive(&mut self, field: &str, value: f64) {
        self.must(value.is_finite() && value > 0.0, field, value, "a finite number above 0");
    }

    /// A finite number, 0 or above.
    pub(super) fn not_negative(&mut self, field: &str, value: f64) {
        self.must(value.is_finite() && value >= 0.0, field, value, "0 or a finite number above it");
    }

    /// From 0 to 1.
    pub(super) fn fraction(&mut self, field: &str, value: f64) {
        self.must((0.0..=1.0).contains(&value), field, value, "from 0 to 1");
    }

    /// At least 1.
    pub(super) fn count(&mut self, field: &str, value: usize) {
        self.must(value >= 1, field, value, "at least 1");
    }

    fn name(&self, field: &str) -> String {
        match (self.section.as_str(), field) {
            ("", field) => field.to_owned(),
            (section, "") => section.to_owned(),
            (section, field) => format!("{section}.{field}"),
        }
    }
}
