//! A response as the checks see it, and how Python sees its characters.
//!
//! IFEval's rules are stated in terms of Python's `str.strip`, `str.isupper` and `\w`, which differ from their
//! Rust namesakes in a few characters.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::LazyLock;

use regex::Regex;

use crate::language::{Language, dominant};

/// A response, with what several checks need of it computed at most once.
pub(super) struct Response<'a> {
    text: Cow<'a, str>,
    lower: OnceCell<String>,
    language: OnceCell<Option<Language>>,
}

impl<'a> Response<'a> {
    pub(super) fn new(text: Cow<'a, str>) -> Self {
        Self { text, lower: OnceCell::new(), language: OnceCell::new() }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The text in lower case.
    pub(super) fn lower(&self) -> &str {
        self.lower.get_or_init(|| self.text.to_lowercase())
    }

    /// The language most of the words are in, or `None` when there are no letters.
    pub(super) fn language(&self) -> Option<Language> {
        *self.language.get_or_init(|| dominant(&self.text))
    }

    pub(super) fn is_blank(&self) -> bool {
        strip(&self.text).is_empty()
    }
}

/// The eight readings of `text` that IFEval's loose mode accepts, without duplicates.
pub(super) fn loose(text: &str) -> Vec<Response<'_>> {
    let without_first = text.split_once('\n').map_or("", |(_, rest)| rest);
    let without_last = text.rsplit_once('\n').map_or("", |(rest, _)| rest);
    let without_both = without_first.rsplit_once('\n').map_or("", |(rest, _)| rest);
    let mut readings: Vec<Cow<'_, str>> = Vec::new();
    for part in [text, strip(without_first), strip(without_last), strip(without_both)] {
        readings.push(Cow::Borrowed(part));
        if part.contains('*') {
            readings.push(Cow::Owned(part.replace('*', "")));
        }
    }
    let mut responses: Vec<Response<'_>> = Vec::new();
    for reading in readings {
        if !responses.iter().any(|seen| seen.text() == reading) {
            responses.push(Response::new(reading));
        }
    }
    responses
}

/// Python's `str.strip()`, which also takes the four information separators for white space.
pub(super) fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// Python's `str.isspace()` of one character.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

/// Python's `str.isupper()`: some letter has case, and all that have are upper case.
pub(super) fn is_upper(text: &str) -> bool {
    text.chars().any(char::is_uppercase) && !text.chars().any(|c| c.is_lowercase() || is_title(c))
}

/// Python's `str.islower()`: some letter has case, and all that have are lower case.
pub(super) fn is_lower(text: &str) -> bool {
    text.chars().any(char::is_lowercase) && !text.chars().any(|c| c.is_uppercase() || is_title(c))
}

/// Whether `c` is in title case (Unicode category Lt), which is neither upper nor lower.
fn is_title(c: char) -> bool {
    matches!(c,
        '\u{1c5}' | '\u{1c8}' | '\u{1cb}' | '\u{1f2}' | '\u{1f88}'..='\u{1f8f}' | '\u{1f98}'..='\u{1f9f}'
        | '\u{1fa8}'..='\u{1faf}' | '\u{1fbc}' | '\u{1fcc}' | '\u{1ffc}')
}

/// Runs of what Python's `\w` matches: letters, numbers and the underscore, but no combining marks.
static WORD: LazyLock<Regex> = LazyLock::new(|| compiled(r"[\p{L}\p{N}_]+"));

/// The number of words, in Python's `\w+` sense.
pub(super) fn count_words(text: &str) -> usize {
    WORD.find_iter(text).count()
}

/// A pattern that is part of the program.
pub(super) fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a constant pattern compiles; anything else is a bug")
}
