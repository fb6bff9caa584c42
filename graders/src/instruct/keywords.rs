//! `keywords:*`: words that must, must not or must often occur.

use regex::{Regex, RegexBuilder};

use super::arguments::Arguments;
use super::response::strip;
use super::{Check, Type};
use crate::error::TaskError;

/// Memory a compiled keyword may take, in bytes; bounds patterns such as `a{9999}{9999}`.
const MAX_PATTERN_BYTES: usize = 1 << 20;

pub(super) const TYPES: &[(&str, Type)] = &[
    ("keywords:existence", Type::WithArguments(existence)),
    ("keywords:frequency", Type::WithArguments(frequency)),
    ("keywords:forbidden_words", Type::WithArguments(forbidden_words)),
    ("keywords:letter_frequency", Type::WithArguments(letter_frequency)),
];

fn existence(arguments: &mut Arguments<'_>) -> Result<Check, TaskError> {
    let keywords = patterns(arguments, "keywords", keyword)?;
    Ok(Box::new(move |response| keywords.iter().all(|keyword| keyword.is_match(response.text()))))
}

fn frequency(arguments: &mut Arguments<'_>) -> Result<Check, TaskError> {
    let text = arguments.text("keyword")?;
    let keyword = keyword(strip(text)).map_err(|message| arguments.error("keyword", message))?;
    let bound = arguments.count("frequency")?;
    let relation = arguments.relation("relation")?;
    // Counting stops at the bound: beyond it nothing changes, and a pattern that rescans the text for every
    // match stays linear in the text.
    Ok(Box::new(move |response| {
        relation.holds(keyword.find_iter(response.text()).take(bound).count(), bound)
    }))
}

fn forbidden_words(arguments: &mut Arguments<'_>) -> Result<Check, TaskError> {
    let words = patterns(arguments, "forbidden_words", whole_word)?;
    Ok(Box::new(move |response| !words.iter().any(|word| word.is_match(response.text()))))
}

fn letter_frequency(arguments: &mut Arguments<'_>) -> Result<Check, TaskError> {
    let text = arguments.text("letter")?;
    let mut lower = text.chars().flat_map(char::to_lowercase);
    let (Some(letter), None) = (lower.next(), lower.next()) else {
        return Err(arguments.error("letter", "expected a single letter".to_owned()));
    };
    let bound = arguments.count("let_frequency")?;
    let relation = arguments.relation("let_relation")?;
    Ok(Box::new(move |response| {
        relation.holds(response.lower().chars().filter(|c| *c == letter).count(), bound)
    }))
}

fn patterns(
    arguments: &mut Arguments<'_>,
    name: &'static str,
    compile: fn(&str) -> Result<Regex, String>,
) -> Result<Vec<Regex>, TaskError> {
    let texts = arguments.texts(name)?;
    let compile_at = |(position, text)| {
        compile(text).map_err(|message| arguments.error(&format!("{name}/{position}"), message))
    };
    texts.into_iter().enumerate().map(compile_at).collect()
}

/// `text` as a regular expression, or as plain text when it is none.
fn keyword(text: &str) -> Result<Regex, String> {
    compile(text, || regex::escape(text))
}

/// `text` as a whole word. As plain text its edges are words' edges only where it has a letter there, or else
/// `c++` could never be found.
fn whole_word(text: &str) -> Result<Regex, String> {
    compile(&format!(r"\b{text}\b"), || {
        let edge = |c: Option<char>| if c.is_some_and(char::is_alphanumeric) { r"\b" } else { "" };
        let (first, last) = (text.chars().next(), text.chars().next_back());
        format!("{}{}{}", edge(first), regex::escape(text), edge(last))
    })
}

fn compile(pattern: &str, literal: impl Fn() -> String) -> Result<Regex, String> {
    let build = |pattern: &str| {
        RegexBuilder::new(pattern).case_insensitive(true).size_limit(MAX_PATTERN_BYTES).build()
    };
    match build(pattern) {
        Ok(regex) => Ok(regex),
        Err(regex::Error::CompiledTooBig(_)) => {
            Err("this pattern takes too much memory; repeat less or write a plain word".to_owned())
        }
        Err(_) => build(&literal()).map_err(|_| "this text is too long for a keyword".to_owned()),
    }
}
