//! `[rubric]`: how completions are rewarded.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// A preset's name, `{ preset = name }`, or a rubric as in `POST /v1/grade`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RubricRecipe(toml::Value);

impl RubricRecipe {
    /// As `POST /v1/grade` takes it.
    pub fn value(&self) -> serde_json::Value {
        let value = match &self.0 {
            toml::Value::Table(table) if table.len() == 1 => table.get("preset").unwrap_or(&self.0),
            value => value,
        };
        serde_json::to_value(value).unwrap_or_default()
    }
}

impl From<&str> for RubricRecipe {
    fn from(name: &str) -> Self {
        Self(toml::Value::from(name))
    }
}

/// The field of a recipe that a pointer into its rubric is about: `/components/0/weight` is
/// `rubric.components[0].weight`.
pub(super) fn field(pointer: &str) -> String {
    let mut field = "rubric".to_owned();
    for part in pointer.split('/').skip(1) {
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            let _ = write!(field, "[{part}]");
        } else {
            field.push('.');
            field.push_str(&part.replace("~1", "/").replace("~0", "~"));
        }
    }
    field
}
