//! `length_constraints:*`: how many words, sentences and paragraphs.

use std::sync::LazyLock;

use regex::Regex;

use super::arguments::Arguments;
use super::response::{compiled, count_words, is_space, strip};
use super::sentences::count_sentences;
use super::{Check, Type};
use crate::error::TaskError;

pub(super) const TYPES: &[(&str, Type)] = &[
    ("length_constraints:number_words", Type::WithArguments(number_words)),
    ("length_constraints:number_sentences", Type::WithArguments(number_sentences)),
    ("length_constraints:number_paragraphs", Type::WithArguments(number_paragraphs)),
    ("length_constraints:nth_paragraph_first_word", Type::WithArguments(nth_paragraph_first_word)),
];

fn number_words(arguments: &mut Arguments<'_>) -> Result<Check, TaskError> {
    let bound = arguments.count("num_words")?;
    let relation = arguments.relation("relation")?;
    Ok(Box::new(move |response| relation.holds(count_words(response.text()), bound)))
}

fn number_sentences(arguments: &mut Arguments<'_>) -> Result<Check, TaskError> {
    let bound = arguments.count("num_sentences")?;
    let relation = arguments.relation("relation")?;
    Ok(Box::new(move |response| relation.holds(count_sentences(response.text()), bound)))
}

fn number_paragraphs(arguments: &mut Arguments<'_>) -> Result<Check, TaskError> {
    static DIVIDER: LazyLock<Regex> = LazyLock::new(|| compiled(r"\s?\*\*\*\s?"));
    let number = arguments.count("num_paragraphs")?;
    Ok(Box::new(move |response| {
        filled_pieces(DIVIDER.split(response.text())).is_some_and(|pieces| pieces.len() == number)
    }))
}

fn nth_paragraph_first_word(arguments: &mut Arguments<'_>) -> Result<Check, TaskError> {
    let number = arguments.count("num_paragraphs")?;
    let nth = arguments.count("nth_paragraph")?;
    if !(1..=number).contains(&nth) {
        return Err(arguments.error("nth_paragraph", format!("expected 1 to num_paragraphs, {number}")));
    }
    let word = arguments.text("first_word")?.to_lowercase();
    Ok(Box::new(move |response| {
        let paragraphs = || response.text().split("\n\n");
        // As in the original, blank paragraphs do not count but keep their place.
        paragraphs().filter(|paragraph| !strip(paragraph).is_empty()).count() == number
            && paragraphs().nth(nth - 1).and_then(first_word).is_some_and(|first| first == word)
    }))
}

/// The pieces that are not blank, or `None` when a blank one stands between others. Blank ones at the ends
/// come from a separator there and are forgiven.
pub(super) fn filled_pieces<'a>(pieces: impl Iterator<Item = &'a str>) -> Option<Vec<&'a str>> {
    let pieces: Vec<&str> = pieces.map(strip).collect();
    let last = pieces.len().saturating_sub(1);
    let inner_blank = pieces.iter().enumerate().any(|(i, piece)| piece.is_empty() && i != 0 && i != last);
    (!inner_blank).then(|| pieces.into_iter().filter(|piece| !piece.is_empty()).collect())
}

/// The first word in lower case, without the quotes before it and cut at the first punctuation mark.
fn first_word(paragraph: &str) -> Option<String> {
    let word = paragraph.split(is_space).find(|word| !word.is_empty())?;
    let word = word.trim_start_matches('\'').trim_start_matches('"');
    let end = word.find(['.', ',', '?', '!', '\'', '"']).unwrap_or(word.len());
    Some(word.get(..end)?.to_lowercase())
}
