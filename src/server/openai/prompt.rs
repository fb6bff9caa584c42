//! The prompt of `/v1/completions` in its four forms: a text, tokens, and lists of either.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use super::refusal::Refusal;
use crate::serving::Ready;

/// A prompt, or several.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PromptInput {
    Texts(Vec<String>),
    Tokens(Vec<Vec<u32>>),
}

impl PromptInput {
    /// The tokens of each prompt. `special` says whether texts get what the model wants around a prompt.
    ///
    /// # Errors
    /// A prompt without a token, a token that is not in the vocabulary, a text that cannot be encoded.
    pub(super) fn encode(self, special: bool, ready: &Ready) -> Result<Vec<Vec<u32>>, Refusal> {
        const FIELD: &str = "prompt";
        let vocabulary = ready.card.vocabulary;
        let prompts = match self {
            Self::Texts(texts) => texts
                .into_iter()
                .map(|text| ready.words.encode(&text, special).map_err(|why| Refusal::value(FIELD, why.0)))
                .collect::<Result<Vec<_>, _>>()?,
            Self::Tokens(prompts) => prompts,
        };
        if prompts.is_empty() || prompts.iter().any(Vec::is_empty) {
            return Err(Refusal::value(FIELD, "the prompt is empty; there is nothing to continue"));
        }
        if let Some(token) = prompts.iter().flatten().find(|token| **token as usize >= vocabulary) {
            let message =
                format!("the token {token} is not in the vocabulary; tokens are below {vocabulary}");
            return Err(Refusal::value(FIELD, message));
        }
        Ok(prompts)
    }
}

const EXPECTED: &str = "a text, a list of texts, a list of tokens, or a list of lists of tokens";

/// An element of a list of prompts.
enum Element {
    Text(String),
    Token(u32),
    Tokens(Vec<u32>),
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct One;
        impl<'de> Visitor<'de> for One {
            type Value = Element;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a token, or a list of tokens")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Element, E> {
                Ok(Element::Text(text.to_owned()))
            }

            fn visit_u64<E: Error>(self, token: u64) -> Result<Element, E> {
                // What is not in any vocabulary is told later, as what it is.
                Ok(Element::Token(u32::try_from(token).unwrap_or(u32::MAX)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Element, A::Error> {
                let mut tokens = Vec::new();
                while let Some(token) = list.next_element()? {
                    tokens.push(token);
                }
                Ok(Element::Tokens(tokens))
            }
        }
        deserializer.deserialize_any(One)
    }
}

impl<'de> Deserialize<'de> for PromptInput {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = PromptInput;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<PromptInput, E> {
                Ok(PromptInput::Texts(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<PromptInput, A::Error> {
                let (mut texts, mut tokens, mut prompts) = (Vec::new(), Vec::new(), Vec::new());
                while let Some(element) = list.next_element()? {
                    match element {
                        Element::Text(text) => texts.push(text),
                        Element::Token(token) => tokens.push(token),
                        Element::Tokens(prompt) => prompts.push(prompt),
                    }
                    let kinds = [!texts.is_empty(), !tokens.is_empty(), !prompts.is_empty()];
                    if kinds.into_iter().filter(|is_there| *is_there).count() > 1 {
                        return Err(A::Error::custom(format!("the list mixes kinds; expected {EXPECTED}")));
                    }
                }
                Ok(if !texts.is_empty() {
                    PromptInput::Texts(texts)
                } else if !tokens.is_empty() {
                    PromptInput::Tokens(vec![tokens])
                } else {
                    PromptInput::Tokens(prompts)
                })
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_forms() {
        let read = |json: &str| serde_json::from_str::<PromptInput>(json).map_err(|error| error.to_string());
        let texts = |list: &[&str]| Ok(PromptInput::Texts(list.iter().map(|t| (*t).to_owned()).collect()));
        assert_eq!(read(r#""a""#), texts(&["a"]));
        assert_eq!(read(r#"["a", "b"]"#), texts(&["a", "b"]));
        assert_eq!(read("[1, 2]"), Ok(PromptInput::Tokens(vec![vec![1, 2]])));
        assert_eq!(read("[[1], [2, 3]]"), Ok(PromptInput::Tokens(vec![vec![1], vec![2, 3]])));
        assert_eq!(read("[]"), Ok(PromptInput::Tokens(vec![])));
        for wrong in ["1", "{}", "[1, \"a\"]", "[[1], 2]", "[-1]", "[1.5]", "[[\"a\"]]", "[null]", "true"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
