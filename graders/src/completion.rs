//! A completion: what the policy wrote for one prompt.

use std::fmt;

use serde::de::{MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};

/// The longest completion that is judged, in bytes; a longer one is refused when it is read.
/// 65,536 tokens of dense text stay below it.
pub const MAX_TEXT_BYTES: usize = 1 << 20;

/// What the policy wrote for one prompt. On the wire: a string, or an object with these fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Completion {
    /// The caller's name for it; unique within its group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The decoded text, without the prompt.
    pub text: String,
    /// Tokens the policy sampled, as the caller's tokenizer counts them. Length graders need it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n_tokens: Option<u32>,
    /// Why sampling ended, in the field's words: `stop`, `length`, ….
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<String>,
}

impl Completion {
    /// A completion of which only the text is known.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    #[serde(default)]
    id: Option<String>,
    text: String,
    #[serde(default)]
    n_tokens: Option<u32>,
    #[serde(default)]
    finish_reason: Option<String>,
}

impl<'de> Deserialize<'de> for Completion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // By hand and not an untagged enum, whose errors say neither where nor what.
        struct StringOrObject;

        impl<'de> Visitor<'de> for StringOrObject {
            type Value = Completion;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, or an object with the field `text`")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Completion, E> {
                self.visit_string(text.to_owned())
            }

            fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Completion, E> {
                bounded::<E>(&text)?;
                Ok(Completion::new(text))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Completion, A::Error> {
                let Wire { id, text, n_tokens, finish_reason } =
                    Wire::deserialize(MapAccessDeserializer::new(map))?;
                bounded::<A::Error>(&text)?;
                Ok(Completion { id, text, n_tokens, finish_reason })
            }
        }

        deserializer.deserialize_any(StringOrObject)
    }
}

fn bounded<E: serde::de::Error>(text: &str) -> Result<(), E> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(E::custom(format!(
            "the text has {} bytes, at most {MAX_TEXT_BYTES} are judged",
            text.len()
        )));
    }
    Ok(())
}
