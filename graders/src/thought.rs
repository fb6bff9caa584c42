//! The thought and the answer of a completion, where its text keeps them apart.
//!
//! Reasoning models write `<think>…</think>` and then the answer. These functions only cut text; they never
//! decide whether the form is right, which is the `format` grader's business. Every grader that looks past
//! thoughts cuts them here, so that all of them see the same text.

const THINK: &str = "<think>";
const THINK_END: &str = "</think>";
const ANSWER: &str = "<answer>";
const ANSWER_END: &str = "</answer>";

/// The text after the last `</think>` and before any later `<think>`.
///
/// A prompt may have opened the thought itself, so a `</think>` needs no `<think>` before it. A thought that
/// is never closed was cut off, and what stands in it are drafts: a text that opens with one has no answer.
/// Both searches run once over the text.
pub(crate) fn answer_part(text: &str) -> &str {
    let after = text.rfind(THINK_END).map_or(text, |at| &text[at + THINK_END.len()..]);
    after.find(THINK).map_or(after, |at| &after[..at])
}

/// The trimmed body of the last closed `<answer>…</answer>`. Tags do not nest: a body begins at the first
/// opening tag after the previous body's end.
pub(crate) fn answer_tag(text: &str) -> Option<&str> {
    let (start, end) = answer_tag_at(text)?;
    Some(text[start..end].trim())
}

/// Where the body that [`answer_tag`] finds begins and ends.
pub(crate) fn answer_tag_at(text: &str) -> Option<(usize, usize)> {
    let (mut at, mut last) = (0, None);
    while let Some(open) = text[at..].find(ANSWER) {
        let start = at + open + ANSWER.len();
        let Some(close) = text[start..].find(ANSWER_END) else { break };
        last = Some((start, start + close));
        at = start + close + ANSWER_END.len();
    }
    last
}

/// `strip_thinking` is on unless a configuration turns it off.
pub(crate) const fn strip_by_default() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_text() {
        for (text, left) in [
            ("no thought", "no thought"),
            ("<think>a</think> b", " b"),
            ("a</think>b", "b"),
            ("<think>a</think>b</think>c", "c"),
            ("<think>a <think>b</think> c", " c"),
            ("<think>a", ""),
            (" \n<think>a", " \n"),
            ("b<think>a", "b"),
            ("<think>a</think>b<think>c", "b"),
            ("a</think>", ""),
            ("<THINK>a</THINK>b", "<THINK>a</THINK>b"),
        ] {
            assert_eq!(answer_part(text), left, "{text:?}");
        }
    }

    #[test]
    fn the_last_closed_tag() {
        for (text, body) in [
            ("<answer>1</answer><answer> 2 </answer>", Some("2")),
            ("<answer>1</answer><answer>2", Some("1")),
            ("<answer>1</answer> x </answer>", Some("1")),
            ("<answer><answer>3</answer>", Some("<answer>3")),
            ("</answer>1<answer>", None),
            ("<answer></answer>", Some("")),
        ] {
            assert_eq!(answer_tag(text), body, "{text:?}");
        }
    }
}
