//! A JSON Schema 2020-12 that can be applied to any document in bounded time and stack.
//!
//! The `jsonschema` crate validates; [`Shape`] decides which schemas it gets to see. Patterns run on the
//! linear-time `regex` engine, so look-around and back-references are refused. `format` is an annotation, as
//! 2020-12 has it by default.

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

use super::shape::Shape;

/// The longest schema, in bytes of JSON.
const MAX_BYTES: usize = 1 << 16;
/// Memory one compiled pattern may take, in bytes.
const MAX_PATTERN_BYTES: usize = 1 << 20;

/// A compiled schema.
#[derive(Debug)]
pub(super) struct Schema {
    validator: Validator,
    unrolled: usize,
    recursive: bool,
}

/// What is wrong with a schema, and where in it.
#[derive(Debug)]
pub(super) struct SchemaProblem {
    pub(super) pointer: String,
    pub(super) message: String,
}

impl SchemaProblem {
    pub(super) fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into() }
    }
}

impl Schema {
    pub(super) fn compile(schema: &Value) -> Result<Self, SchemaProblem> {
        let bytes = schema.to_string().len();
        if bytes > MAX_BYTES {
            return Err(SchemaProblem::new(
                "",
                format!("the schema has {bytes} bytes, at most {MAX_BYTES} are allowed"),
            ));
        }
        let shape = Shape::of(schema)?;
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_pattern_options(PatternOptions::regex().size_limit(MAX_PATTERN_BYTES))
            .should_validate_formats(false)
            .offline()
            .build(schema)
            .map_err(|error| {
                let pointer = error.instance_path().to_string();
                let is_pattern = pointer.ends_with("/pattern") || pointer.contains("/patternProperties");
                let hint =
                    if is_pattern { "; patterns have no look-around and no back-references" } else { "" };
                SchemaProblem::new(pointer, format!("{error}{hint}"))
            })?;
        Ok(Self { validator, unrolled: shape.unrolled, recursive: shape.recursive })
    }

    /// How many parts of the schema one value may be compared with.
    pub(super) const fn unrolled(&self) -> usize {
        self.unrolled
    }

    pub(super) fn is_valid(&self, document: &Value) -> bool {
        self.validator.is_valid(document)
    }

    /// Where a document breaks the schema and how. `None` for a recursive schema: only the plain question
    /// whether it is valid remembers what it has seen, and finding the place could take exponential time.
    pub(super) fn first_violation(&self, document: &Value) -> Option<(String, String)> {
        if self.recursive {
            return None;
        }
        let error = self.validator.validate(document).err()?;
        Some((error.instance_path().to_string(), error.to_string()))
    }
}

/// A key as a token of a JSON pointer.
pub(super) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
