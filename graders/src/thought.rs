//! The thought and the answer of a completion, where its text keeps them apart.
//!
//! Reasoning models write `<think>…</think>` and then the answer. These functions only cut text; they never
//! decide whether the form is right, which is the `format` grader's business.

/// The tag after which the answer begins.
const THINK_END: &str = "</think>";

/// The text after the last `</think>`; all of it when there is none.
///
/// A text that opens with `<think>` and never closes it was cut off while thinking and has no answer, so that
/// drafts inside the thought are not judged as one.
pub(crate) fn answer_part(text: &str) -> &str {
    match text.rfind(THINK_END) {
        Some(at) => &text[at + THINK_END.len()..],
        None if text.trim_start().starts_with("<think>") => "",
        None => text,
    }
}

/// The trimmed body of the last closed `<answer>…</answer>`.
pub(crate) fn answer_tag(text: &str) -> Option<&str> {
    let end = text.rfind("</answer>")?;
    let before = &text[..end];
    let start = before.rfind("<answer>")? + "<answer>".len();
    Some(before[start..].trim())
}

/// `strip_thinking` is on unless a configuration turns it off.
pub(crate) const fn strip_by_default() -> bool {
    true
}
