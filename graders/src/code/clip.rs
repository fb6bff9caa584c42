//! Pieces of output that are short enough for a detail.

/// The most characters of one piece.
const MOST: usize = 200;
/// How many characters before the first difference are shown.
const BEFORE: usize = 60;

/// The beginning of an output.
pub(super) fn head(text: &str) -> String {
    window(text, 0)
}

/// The end of an output, where a traceback says what went wrong.
pub(super) fn tail(output: &[u8]) -> String {
    // A character has at most four bytes, so that the rest is not decoded for nothing.
    let start = output.len().saturating_sub(4 * (MOST + 1));
    let text = String::from_utf8_lossy(&output[start..]);
    let text = text.trim_end();
    match text.char_indices().rev().nth(MOST - 1) {
        Some((at, _)) if at > 0 || start > 0 => format!("…{}", &text[at..]),
        _ => text.to_owned(),
    }
}

/// The last line that is not blank.
pub(super) fn last_line(output: &[u8]) -> String {
    let start = output.len().saturating_sub(1 << 12);
    let text = String::from_utf8_lossy(&output[start..]);
    head(text.trim_end().rsplit('\n').next().unwrap_or("").trim())
}

/// Two lines around the place where they first differ.
pub(super) fn around_difference(got: &str, expected: &str) -> (String, String) {
    let same = got.chars().zip(expected.chars()).take_while(|(a, b)| a == b).count();
    let from = if got.chars().nth(MOST).is_none() && expected.chars().nth(MOST).is_none() {
        0
    } else {
        same.saturating_sub(BEFORE)
    };
    (window(got, from), window(expected, from))
}

/// At most so many characters from the `from`th on, with marks where something is missing.
fn window(text: &str, from: usize) -> String {
    let mut rest = text.chars().skip(from);
    let mut out = String::new();
    if from > 0 {
        out.push('…');
    }
    out.extend(rest.by_ref().take(MOST));
    if rest.next().is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_short_and_marked() {
        let long = "é".repeat(1000);
        assert_eq!(head("short"), "short");
        assert_eq!(head(&long).chars().count(), MOST + 1);
        assert_eq!(tail(b"short\n"), "short");
        assert!(tail(long.as_bytes()).starts_with('…'));
        assert_eq!(tail(long.as_bytes()).chars().count(), MOST + 1);
        assert_eq!(tail("a".repeat(MOST).as_bytes()).chars().count(), MOST);
        assert_eq!(last_line(b"Traceback\n  at\nValueError: x\n\n"), "ValueError: x");
        assert_eq!(last_line(b""), "");
        let (got, expected) = around_difference(&format!("{long}a"), &format!("{long}b"));
        assert!(got.ends_with("éa") && expected.ends_with("éb") && got.starts_with('…'));
        assert_eq!(around_difference("a c", "a b"), ("a c".to_owned(), "a b".to_owned()));
    }
}
