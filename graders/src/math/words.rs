//! Answers in words.

use super::symbols;

/// Short words that are answers rather than products of variables.
const SHORT_WORDS: [&str; 17] = [
    "yes", "no", "odd", "one", "two", "six", "ten", "red", "mon", "tue", "up", "all", "pm", "am", "dne", "none",
    "nan",
];

/// Words for small numbers.
const NUMBERS: [&str; 20] = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
];
const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

/// The number that words spell, below one hundred, and a hundred or a thousand itself.
pub(super) fn number(words: &str) -> Option<i64> {
    let lower = words.trim().to_lowercase();
    let small = |word: &str| NUMBERS.iter().position(|known| *known == word);
    if let Some(n) = small(&lower) {
        return i64::try_from(n).ok();
    }
    match lower.as_str() {
        "hundred" | "one hundred" | "a hundred" => return Some(100),
        "thousand" | "one thousand" | "a thousand" => return Some(1000),
        _ => {}
    }
    let (ten, one) = lower.split_once(['-', ' ']).unwrap_or((&lower, "zero"));
    let ten = TENS.iter().position(|known| *known == ten)?;
    let one = small(one).filter(|one| *one < 10)?;
    i64::try_from((ten + 2) * 10 + one).ok()
}

/// The words of a text that is nothing else.
pub(super) fn prose(text: &str) -> Option<String> {
    let plain = without_commands(text);
    let allowed = |c: char| {
        c.is_alphabetic() || c.is_whitespace() || matches!(c, '-' | '\'' | '’' | '.' | ',' | '(' | ')' | '!' | '?')
    };
    if !plain.chars().all(allowed) {
        return None;
    }
    let mut spoken = false;
    for word in plain.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()) {
        let lower = word.to_lowercase();
        let symbol = symbols::function(word).is_some()
            || matches!(word, "pi" | "infinity" | "inf" | "oo" | "infty" | "Infinity");
        if symbol {
            return None;
        }
        let capitals = word.chars().all(char::is_uppercase);
        let long = word.chars().count() > 3
            || (word.chars().count() > 1 && word.starts_with(char::is_uppercase))
            || !word.is_ascii();
        spoken |= (long && !capitals) || SHORT_WORDS.contains(&lower.as_str());
    }
    // `5 and x` is a list, "both x and y" is words; a number in words is a number.
    (spoken && number(plain.trim()).is_none()).then(|| normal(&plain, false))
}

/// The text without the commands that only change how letters look.
fn without_commands(text: &str) -> String {
    let mut plain = text.to_owned();
    for command in [
        "\\textbf{", "\\textit{", "\\textrm{", "\\text{", "\\mathrm{", "\\mbox{", "\\mathbf{", "\\textnormal{",
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
