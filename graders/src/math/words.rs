//! Answers in words.

use super::expr::{Domain, Value};
use super::symbols;

/// Short words that are answers rather than products of variables.
const SHORT_WORDS: [&str; 18] = [
    "the", "yes", "no", "odd", "one", "two", "six", "ten", "red", "mon", "tue", "up", "all", "pm", "am",
    "dne", "none", "nan",
];

/// The words of a text that is nothing else.
pub(super) fn prose(text: &str) -> Option<String> {
    let plain = without_commands(text);
    let allowed = |c: char| {
        c.is_alphabetic()
            || c.is_whitespace()
            || matches!(c, '-' | '\'' | '’' | '.' | ',' | '(' | ')' | '!' | '?')
    };
    if !plain.chars().all(allowed) {
        return None;
    }
    let mut spoken = false;
    for word in plain.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()) {
        let lower = word.to_lowercase();
        let symbol = symbols::function(word).is_some()
            || super::lexer::runs_together(word).is_some()
            || matches!(word, "pi" | "infinity" | "inf" | "oo" | "infty" | "Infinity");
        if symbol {
            return None;
        }
        let capitals = word.chars().all(char::is_uppercase);
        let long = word.chars().count() > 3
            || (word.chars().count() > 1 && word.starts_with(char::is_uppercase))
            || !(word.is_ascii() || word.chars().all(|c| symbols::greek_letter(c).is_some()));
        spoken |= (long && !capitals) || SHORT_WORDS.contains(&lower.as_str());
    }
    spoken.then(|| plain.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The text without the commands that only change how letters look.
fn without_commands(text: &str) -> String {
    let mut plain = text.to_owned();
    for command in [
        "\\textbf{",
        "\\textit{",
        "\\textrm{",
        "\\text{",
        "\\mathrm{",
        "\\mbox{",
        "\\mathbf{",
        "\\textnormal{",
        "\\operatorname{",
    ] {
        if plain.contains(command) {
            plain = plain.replace(command, "{");
        }
    }
    plain.replace(['{', '}', '$', '~', '*'], " ").replace("\\ ", " ").replace("\\,", " ")
}

/// Words as they are compared: without layout, articles and punctuation at the ends, and without case unless it
/// counts.
pub(super) fn normal(text: &str, case: bool) -> String {
    let plain = without_commands(text).replace('’', "'");
    let plain = if case { plain } else { plain.to_lowercase() };
    let plain = plain.replace("p.m.", "pm").replace("a.m.", "am");
    let mut words: Vec<&str> = plain.split_whitespace().collect();
    while let Some("the" | "a" | "an" | "The" | "A" | "An") = words.first().copied()
        && words.len() > 1
    {
        words.remove(0);
    }
    words.join(" ").trim_matches(['.', ',', ';', '!', '?', '(', ')', ' ', '"', '\'', '`', ':']).to_owned()
}

/// Whether a text that is no mathematics says something in words, so that it can be compared as it stands.
pub(super) fn is_wordy(text: &str) -> bool {
    without_commands(text).split(|c: char| !c.is_alphabetic()).any(|word| word.chars().count() >= 3)
        && !text.contains('\\')
        || text.contains("\\text")
}

/// The set that some words describe.
pub(super) fn set(words: &str) -> Option<Value> {
    Some(match normal(words, false).as_str() {
        "no solution" | "no solutions" | "no real solution" | "no real solutions" | "empty set" => {
            Value::Set(Vec::new())
        }
        "all real numbers" | "all reals" | "all real x" | "set of real numbers" => {
            Value::Domain(Domain::Reals)
        }
        "all integers" | "set of integers" => Value::Domain(Domain::Integers),
        _ => return None,
    })
}
