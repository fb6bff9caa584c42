//! What can be wrong with the numbers and settings that the formulas are given.

/// Why a formula refused its input. The message names the place.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Invalid {
    /// A setting that makes no sense.
    #[error("{field}: {message}")]
    Setting {
        /// The setting's path below the objective, such as `loss.clip_low`.
        field: String,
        /// What is expected.
        message: String,
    },
    /// Arrays that do not fit each other, or one that is needed and absent.
    #[error("{place}: {message}")]
    Shape {
        /// The array.
        place: String,
        /// What does not fit and what was expected.
        message: String,
    },
    /// A number that is not finite where one must be.
    #[error("{place}[{index}]: {value} is not a finite number")]
    NotFinite {
        /// The array.
        place: String,
        /// The token or item.
        index: usize,
        /// The number.
        value: f64,
    },
}

impl Invalid {
    /// A setting that makes no sense.
    pub fn setting(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Setting { field: field.into(), message: message.into() }
    }

    /// Arrays that do not fit.
    pub fn shape(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Shape { place: place.into(), message: message.into() }
    }

    /// The same below a parent's path.
    #[must_use]
    pub fn under(self, parent: &str) -> Self {
        match self {
            Self::Setting { field, message } => {
                let field = if field.is_empty() { parent.to_owned() } else { format!("{parent}.{field}") };
                Self::Setting { field, message }
            }
            other => other,
        }
    }
}

/// The result of a formula.
pub type Result<T> = std::result::Result<T, Invalid>;

/// Refuses a setting outside `low..=high`.
pub(crate) fn within(field: &str, value: f64, low: f64, high: f64) -> Result<()> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    let expected = if high == f64::MAX {
        format!("expected a number from {low}")
    } else {
        format!("expected a number from {low} to {high}")
    };
    Err(Invalid::setting(field, format!("{expected}, got {value}")))
}

/// Refuses a setting that is not a finite number above 0.
pub(crate) fn positive(field: &str, value: f64) -> Result<()> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Invalid::setting(field, format!("expected a number above 0, got {value}")))
}

/// Refuses an array of another length.
pub(crate) fn aligned(place: &str, actual: usize, expected: usize) -> Result<()> {
    if actual == expected {
        return Ok(());
    }
    Err(Invalid::shape(place, format!("has {actual} items and {expected} were expected")))
}
