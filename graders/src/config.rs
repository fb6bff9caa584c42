//! Reading a grader's fields, with errors that point at the field.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::ConfigError;

/// The fields of a configuration object, its tag taken out.
pub type Fields = Map<String, Value>;

/// Reads `fields` as `T`.
///
/// # Errors
/// Points at the field that is unknown, missing or of the wrong type.
pub(crate) fn read<T: DeserializeOwned>(fields: Fields) -> Result<T, ConfigError> {
    serde_path_to_error::deserialize(Value::Object(fields)).map_err(|error| {
        let pointer = pointer_of(error.path());
        ConfigError::new(pointer, error.into_inner().to_string())
    })
}

/// The JSON pointer for a path of `serde_path_to_error`.
pub fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => {
                pointer.push('/');
                pointer.push_str(&index.to_string());
            }
            Segment::Map { key } => {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}
