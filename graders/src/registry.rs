//! The grader types by name.

use std::sync::Arc;

use serde_json::Value;

use crate::config::Fields;
use crate::error::ConfigError;
use crate::grader::Grader;

type Build = fn(Fields) -> Result<Arc<dyn Grader>, ConfigError>;

/// Every grader type, in the order of the names.
const GRADERS: &[(&str, Build)] = &[
    ("choice", crate::choice::build),
    ("code", crate::code::build),
    ("countdown", crate::countdown::build),
    ("exact", crate::exact::build),
    ("external", crate::external::build),
    ("format", crate::format::build),
    ("instruct", crate::instruct::build),
    ("json", crate::json::build),
    ("judge", crate::judge::build),
    ("language", crate::language::build),
    ("length", crate::length::build),
    ("math", crate::math::build),
    ("math_compat", crate::compat::build),
    ("number", crate::number::build),
    ("regex", crate::regex::build),
    ("repetition", crate::repetition::build),
];

/// The names of all grader types.
pub fn grader_types() -> impl Iterator<Item = &'static str> {
    GRADERS.iter().map(|(name, _)| *name)
}

/// Builds the grader that `value` describes: an object whose `type` names it, with its own fields beside.
///
/// # Errors
/// Points at what is wrong: an unknown type, an unknown field, a value out of range, a pattern or schema that
/// does not compile.
pub fn build_grader(value: &Value) -> Result<Arc<dyn Grader>, ConfigError> {
    let mut fields = match value {
        Value::Object(fields) => fields.clone(),
        other => {
            return Err(ConfigError::new(
                "",
                format!("expected an object with a `type`, found {}", kind_of(other)),
            ));
        }
    };
    let name = match fields.remove("type") {
        Some(Value::String(name)) => name,
        Some(other) => {
            return Err(ConfigError::new("/type", format!("expected a string, found {}", kind_of(&other))));
        }
        None => {
            let known: Vec<_> = grader_types().collect();
            let message = format!("the grader's type is missing; there are {}", known.join(", "));
            return Err(ConfigError::new("/type", message));
        }
    };
    let Some((_, build)) = GRADERS.iter().find(|(known, _)| *known == name) else {
        let known: Vec<_> = grader_types().collect();
        return Err(ConfigError::new(
            "/type",
            format!("unknown grader `{name}`; there are {}", known.join(", ")),
        ));
    };
    build(fields)
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
