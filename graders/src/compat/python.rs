//! What the peers' language does with text, where Rust does something else.

use std::sync::LazyLock;

use regex::Regex;

/// Whether Python counts `c` as white space: Unicode's property and four control characters.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// The text without white space at its ends.
pub(super) fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// The last `count` characters.
pub(super) fn last_chars(text: &str, count: usize) -> &str {
    match text.char_indices().rev().nth(count.saturating_sub(1)) {
        Some((at, _)) => &text[at..],
        None => text,
    }
}

/// Whether a text is nothing but digits, and not empty. Superscripts and circled digits count too.
pub(super) fn is_digit(text: &str) -> bool {
    static DIGITS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(concat!(
            r"\A[\p{Nd}\u00b2\u00b3\u00b9\u1369-\u1371\u19da\u2070\u2074-\u2079\u2080-\u2089\u2460-\u2468",
            r"\u2474-\u247c\u2488-\u2490\u24ea\u24f5-\u24fd\u24ff\u2776-\u277e\u2780-\u2788\u278a-\u2792",
            r"\U00010a40-\U00010a43\U00010e60-\U00010e68\U00011052-\U0001105a\U0001f100-\U0001f10a]+\z",
        ))
        .expect("the pattern is a constant, a failure is a bug")
    });
    DIGITS.is_match(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_characters_are_counted_as_characters() {
        assert_eq!(last_chars("äöü", 2), "öü");
        assert_eq!(last_chars("äöü", 3), "äöü");
        assert_eq!(last_chars("äöü", 9), "äöü");
        assert_eq!(last_chars("", 9), "");
    }

    #[test]
    fn digits_and_space_are_those_of_python() {
        for (text, digits) in
            [("12", true), ("", false), ("1.2", false), ("²", true), ("٣", true), ("½", false)]
        {
            assert_eq!(is_digit(text), digits, "{text}");
        }
        assert_eq!(strip("\u{1c} \u{a0}x\u{2028}\u{85}"), "x");
    }
}
