//! Names: what callers call runs, rubrics, keys and latches.

use std::fmt;

use super::error::StoreError;

/// The longest name, in bytes.
const MAX_NAME_BYTES: usize = 200;

/// A name that fits a log line, a URL and both databases: 1 to 200 bytes, no control characters, no space at
/// either end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// Checks `text`; `field` says in the error what it was to name.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when it is empty, too long or not printable.
    pub fn parse(field: &str, text: impl Into<String>) -> Result<Self, StoreError> {
        let text = text.into();
        let message = if text.is_empty() {
            "a name cannot be empty"
        } else if text.len() > MAX_NAME_BYTES {
            "a name has at most 200 bytes"
        } else if text.chars().any(char::is_control) {
            "a name has no control characters"
        } else if text.trim() != text {
            "a name does not begin or end with a space"
        } else {
            return Ok(Self(text));
        };
        Err(StoreError::invalid(field, message))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
