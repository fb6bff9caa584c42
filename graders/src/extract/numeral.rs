//! Numbers in a text: the last one, all of them, and the one after `####`.

use std::sync::LazyLock;

use regex::Regex;

/// The longest run of digits, separators and signs that is read as a number, in bytes.
const MAX_NUMBER_BYTES: usize = 4096;

static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?:/[0-9]+(?:\.[0-9]+)?)?|\.[0-9]+")
        .expect("the pattern is a constant, a failure is a bug")
});

/// The last number, without thousands separators.
pub(super) fn last(text: &str) -> Option<String> {
    let end = text.rfind(|c: char| c.is_ascii_digit())? + 1;
    let bytes = text.as_bytes();
    let part = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b',' | b'/' | b'e' | b'E' | b'+' | b'-');
    let run = bytes[..end].iter().rev().take(MAX_NUMBER_BYTES + 1).take_while(|b| part(**b)).count();
    if run > MAX_NUMBER_BYTES {
        return None;
    }
    let start = end - run;
    let found = NUMBER.find_iter(&text[start..end]).last()?;
    Some(signed(&text[..start + found.start()], found.as_str()))
}

/// The numbers in a text, as the step `last_number` reads them.
pub(crate) fn numbers(text: &str) -> impl Iterator<Item = String> {
    NUMBER.find_iter(text).map(|found| signed(&text[..found.start()], found.as_str()))
}

/// Digits without separators and with the sign that stands before them. A currency sign may come between; a
/// minus sign after a digit, a letter or a closing bracket subtracts.
fn signed(before: &str, digits: &str) -> String {
    let before = before.strip_suffix('$').unwrap_or(before);
    let negative = before.strip_suffix(['-', '−']).is_some_and(|earlier| {
        !earlier.ends_with(|c: char| c.is_alphanumeric() || matches!(c, ')' | ']' | '}'))
    });
    let digits = digits.replace(',', "");
    if negative { format!("-{digits}") } else { digits }
}

/// What follows the last `####` on its line, without dollar signs and thousands separators. A longer run of
/// `#` is a heading of a deeper level.
pub(super) fn after_hash(text: &str) -> Option<String> {
    const MARK: &str = "####";
    let mut end = text.len();
    loop {
        let at = text[..end].rfind(MARK)?;
        let after = &text[at + MARK.len()..];
        let before = text[..at].trim_end_matches('#');
        if before.len() == at && !after.starts_with('#') {
            let line = super::first_line(after).replace('$', "");
            return Some(without_thousands(line.trim()));
        }
        end = before.len();
    }
}

/// Removes commas that stand between a digit and a group of exactly three digits. Other commas separate items,
/// and without them `1,2` would read as twelve.
fn without_thousands(text: &str) -> String {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    text.char_indices()
        .filter(|&(at, c)| {
            let group =
                c == ',' && at > 0 && digit(at - 1) && (1..=3).all(|k| digit(at + k)) && !digit(at + 4);
            !group
        })
        .map(|(_, c)| c)
        .collect()
}
