//! The last bold span of a Markdown text.

use super::formula;

/// What the last `**…**` or `***…***` holds, without the emphasis, the formula's marks and the full stop in it.
///
/// A span is opened before and closed after a character that is not blank, and holds no blank line. A label,
/// which a colon ends (`**Step 2:**`), is none; a label that announces the answer (`**Result:** 5`) stands for
/// the rest of its line. One pass over the text.
pub(super) fn last(text: &str) -> Option<&str> {
    let mut last = None;
    // Where the content of the open span begins.
    let mut open: Option<usize> = None;
    let mut at = 0;
    while let Some(step) = text[at..].find("**") {
        let mark = at + step;
        let after = text[mark..].find(|c| c != '*').map_or(text.len(), |length| mark + length);
        if text[at..mark].contains("\n\n") {
            open = None;
        }
        let blank_after = text[after..].chars().next().is_none_or(char::is_whitespace);
        let blank_before = text[..mark].chars().next_back().is_none_or(char::is_whitespace);
        if let (Some(start), false) = (open, blank_before) {
            last =
                Kind::of(&text[start..mark], &text[after..]).map(|kind| (kind, start, mark, after)).or(last);
            open = None;
        } else if !blank_after {
            open = Some(after);
        }
        at = after;
    }
    let (kind, start, end, after) = last?;
    let content = match kind {
        Kind::Answer => &text[start..end],
        Kind::Label => super::first_line(text[after..].trim_start_matches(':')),
    };
    let content = content.trim_matches(|c: char| c.is_whitespace() || matches!(c, '*' | '_' | '`'));
    let content = formula::only(content).unwrap_or(content);
    let content = content.strip_suffix('.').unwrap_or(content).trim();
    Some(formula::only(content).unwrap_or(content))
}

/// Words of a label that announces the answer.
const ANNOUNCING: [&str; 4] = ["answer", "result", "total", "solution"];

/// What a span is.
#[derive(Clone, Copy)]
enum Kind {
    Answer,
    /// A label: the answer is the rest of its line.
    Label,
}

impl Kind {
    /// The kind of a span with the text after it; `None` for one that states nothing.
    fn of(span: &str, after: &str) -> Option<Self> {
        let label = span.trim_end().strip_suffix(':').or_else(|| after.starts_with(':').then_some(span));
        let Some(label) = label else {
            return span.contains(|c: char| !matches!(c, '_' | '`' | '$' | '.')).then_some(Self::Answer);
        };
        let label = label.trim().to_lowercase();
        let rest = after.trim_start_matches([':', ' ', '\t', '*', '_']);
        let announces = ANNOUNCING.iter().any(|word| label.ends_with(word));
        (announces && !rest.is_empty() && !rest.starts_with(['\r', '\n'])).then_some(Self::Label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        for (text, expected) in [
            ("The total is **123**. We used 2 steps.", Some("123")),
            ("First **12**, finally **42**.", Some("42")),
            ("It is ***7***!", Some("7")),
            ("It is _**7**_!", Some("7")),
            ("(**-3.5**)", Some("-3.5")),
            ("word**7**word", Some("7")),
            ("**$x = 5$.**", Some("x = 5")),
            ("**5** then **Step 2:** add", Some("5")),
            ("**Final Answer:** 42", Some("42")),
            ("**Total**: $\\frac{1}{2}$", Some("\\frac{1}{2}")),
            ("**open", None),
            ("a ** b ** c", None),
            ("**a\n\nb** c", None),
            ("****", None),
        ] {
            assert_eq!(last(text), expected, "{text:?}");
        }
    }
}
