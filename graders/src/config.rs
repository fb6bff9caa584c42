//! Reading a grader's fields, with errors that point at the field and say it in the words of JSON.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
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
        ConfigError::new(pointer, plain_words(&error.into_inner().to_string()))
    })
}

/// A `T` that is written as an object. What serde derives for a struct takes a list of its fields' values too,
/// so that `[]` would be an object whose fields are all left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer).map(Self)
    }
}

/// Reads a `T` that is written as an object; for `deserialize_with`.
///
/// # Errors
/// When it is written as anything else, or `T` does not like it.
pub fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Only<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Only<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }

    deserializer.deserialize_any(Only(PhantomData))
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

/// What serde expected, and what that is called in JSON. Longer names stand before those they begin with.
const WORDS: &[(&str, &str)] = &[
    ("u64", "a whole number that is not negative"),
    ("usize", "a whole number that is not negative"),
    ("u32", "a whole number from 0 to 4294967295"),
    ("u16", "a whole number from 0 to 65535"),
    ("u8", "a whole number from 0 to 255"),
    ("i64", "a whole number"),
    ("i32", "a whole number"),
    ("f64", "a number"),
    ("f32", "a number"),
    ("a sequence", "a list"),
    ("a map", "an object"),
    ("an array of length", "a list of length"),
    ("string or map", "a name"),
];

/// A message of serde without its Rust: what is named by a pointer needs no line and column, and a caller knows
/// lists and objects, not sequences and structs.
pub fn plain_words(message: &str) -> String {
    let message = match message.rfind(" at line ") {
        Some(at) => &message[..at],
        None => message,
    };
    let Some((found, expected)) = message.rsplit_once(", expected ") else { return message.to_owned() };
    let found = found
        .strip_prefix("invalid type: ")
        .map(|kind| match kind {
            "sequence" => "a list",
            "map" => "an object",
            "unit" => "null",
            other => other,
        })
        .map_or_else(|| found.to_owned(), |kind| format!("invalid type: {kind}"));
    let expected = match WORDS.iter().find(|(word, _)| expected.starts_with(word)) {
        Some((word, plain)) => format!("{plain}{}", &expected[word.len()..]),
        None if expected.starts_with("struct ") => "an object".to_owned(),
        None => expected.to_owned(),
    };
    format!("{found}, expected {expected}")
}

#[cfg(test)]
mod tests {
    use super::plain_words;

    #[test]
    fn messages_are_in_the_words_of_json() {
        let rows = [
            (
                "invalid value: integer `-1`, expected u64 at line 1 column 9",
                "invalid value: integer `-1`, expected a whole number that is not negative",
            ),
            ("invalid type: sequence, expected struct Task", "invalid type: a list, expected an object"),
            ("invalid type: map, expected a sequence", "invalid type: an object, expected a list"),
            ("missing field `text` at line 2 column 1", "missing field `text`"),
            (
                "unknown variant `x`, expected one of `a`, `b`",
                "unknown variant `x`, expected one of `a`, `b`",
            ),
        ];
        for (message, plain) in rows {
            assert_eq!(plain_words(message), plain);
        }
    }
}
