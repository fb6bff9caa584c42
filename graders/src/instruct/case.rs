//! `change_case:*` and `language:*`.

use std::sync::LazyLock;

use regex::Regex;

use super::arguments::Arguments;
use super::response::{Response, compiled, is_lower, is_space, is_upper};
use super::{Check, Type};
use crate::error::TaskError;
use crate::language::Language;

pub(super) const TYPES: &[(&str, Type)] = &[
    ("change_case:capital_word_frequency", Type::WithArguments(capital_word_frequency)),
    ("change_case:english_capital", Type::Plain(english_capital)),
    ("change_case:english_lowercase", Type::Plain(english_lowercase)),
    ("language:response_language", Type::WithArguments(response_language)),
];

fn capital_word_frequency(arguments: &mut Arguments<'_>) -> Result<Check, TaskError> {
    let bound = arguments.count("capital_frequency")?;
    let relation = arguments.relation("capital_relation")?;
    Ok(Box::new(move |response| relation.holds(count_capital_words(response.text()), bound)))
}

fn english_capital(response: &Response<'_>) -> bool {
    is_upper(response.text()) && response.language().is_some_and(|language| language.tag() == "en")
}

fn english_lowercase(response: &Response<'_>) -> bool {
    is_lower(response.text()) && response.language().is_some_and(|language| language.tag() == "en")
}

fn response_language(arguments: &mut Arguments<'_>) -> Result<Check, TaskError> {
    let tag = arguments.text("language")?;
    let target = Language::from_tag(tag).map_err(|message| arguments.error("language", message))?;
    // A text without letters is in no language; the original counts it as followed.
    Ok(Box::new(move |response| response.language().is_none_or(|language| language == target)))
}

/// The number of words whose letters are all capitals, divided into words as the Penn Treebank does: a
/// hyphenated word is one, `IT'S` and `CANNOT` are two.
fn count_capital_words(text: &str) -> usize {
    static SPLIT: LazyLock<Regex> = LazyLock::new(|| {
        compiled(r#"\.{2,}|--|[:,](?:[^\d]|$)|[;@#$%&?!*\[\](){}<>"`«»“”‘’„\u{2012}-\u{2015}]"#)
    });
    text.split(is_space)
        .flat_map(|chunk| SPLIT.split(chunk))
        .filter(|piece| is_upper(piece))
        .map(|piece| 1 + usize::from(is_contraction(piece)))
        .sum()
}

/// Whether the Treebank divides this capitalised word in two.
fn is_contraction(word: &str) -> bool {
    const ENDINGS: [&str; 7] = ["'S", "'M", "'D", "'LL", "'RE", "'VE", "N'T"];
    const WORDS: [&str; 6] = ["CANNOT", "GIMME", "GONNA", "GOTTA", "LEMME", "WANNA"];
    let bare = word.trim_end_matches('.');
    WORDS.contains(&bare) || ENDINGS.iter().any(|ending| bare.strip_suffix(ending).is_some_and(is_upper))
}
