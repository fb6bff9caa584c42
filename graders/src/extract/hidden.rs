//! What a reader of the rendered text does not see as its answer: HTML comments and programs in code fences.

use std::borrow::Cow;

/// Marks of a code fence that stands around prose or formulas rather than around a program.
const PROSE: [&str; 14] = [
    "",
    "latex",
    "tex",
    "math",
    "asciimath",
    "text",
    "txt",
    "plain",
    "plaintext",
    "markdown",
    "md",
    "xml",
    "html",
    "answer",
];

/// The text with blanks in place of what is hidden, byte for byte, so that positions stay the same.
///
/// Hidden are `<!-- … -->` and the bodies of code fences whose mark names a language, to their ends or, where
/// they are never closed, to the end of the text. Of a fence around prose only the fence itself is hidden.
/// One pass over the text.
pub(super) fn shown(text: &str) -> Cow<'_, str> {
    if !["<!--", "```", "~~~"].iter().any(|mark| text.contains(mark)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut fence: Option<Fence> = None;
    let mut comment = false;
    for line in text.split_inclusive('\n') {
        if comment {
            comment = uncommented(line, true, &mut out);
        } else if let Some(open) = &fence {
            let closed = open.closed_by(line);
            if closed || open.program {
                blank(line, &mut out);
            } else {
                comment = uncommented(line, false, &mut out);
            }
            if closed {
                fence = None;
            }
        } else {
            fence = Fence::opened_by(line);
            if fence.is_some() {
                blank(line, &mut out);
            } else {
                comment = uncommented(line, false, &mut out);
            }
        }
    }
    Cow::Owned(out)
}

/// Writes blanks of the same number of bytes; the line's end stays.
fn blank(text: &str, out: &mut String) {
    out.extend(text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
}

/// Writes a line without its comments; whether one is still open at its end.
fn uncommented(line: &str, mut open: bool, out: &mut String) -> bool {
    let mut rest = line;
    loop {
        let mark = if open { "-->" } else { "<!--" };
        let end = rest.find(mark);
        let (part, after) = rest.split_at(end.unwrap_or(rest.len()));
        if open {
            blank(part, out);
        } else {
            out.push_str(part);
        }
        if end.is_none() {
            return open;
        }
        let (mark, after) = after.split_at(mark.len());
        blank(mark, out);
        (rest, open) = (after, !open);
    }
}

/// An open code fence.
struct Fence {
    mark: char,
    width: usize,
    /// Whether its mark names a language.
    program: bool,
}

impl Fence {
    /// Indentation is not looked at, because models indent the fences in their lists as they like.
    fn opened_by(line: &str) -> Option<Self> {
        let (mark, width, info) = fence(line)?;
        if info.contains('`') {
            return None;
        }
        let language = info.split([' ', '{', ',']).next().unwrap_or_default().to_ascii_lowercase();
        Some(Self { mark, width, program: !PROSE.contains(&language.as_str()) })
    }

    fn closed_by(&self, line: &str) -> bool {
        fence(line)
            .is_some_and(|(mark, width, info)| mark == self.mark && width >= self.width && info.is_empty())
    }
}

/// The mark, its width and what follows it on a line that begins with three or more of a fence's marks.
fn fence(line: &str) -> Option<(char, usize, &str)> {
    let line = line.trim();
    let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let info = line.trim_start_matches(mark);
    let width = line.len() - info.len();
    (width >= 3).then_some((mark, width, info.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_hidden_turns_blank() {
        for (text, left) in [
            ("a <!-- b --> c", "a            c"),
            ("a <!-- b\nc --> d", "a       \n      d"),
            ("a <!-- b", "a       "),
            ("a --> b", "a --> b"),
            ("```python\nx\n```\ny", "         \n \n   \ny"),
            ("```\nx\n```\ny", "   \nx\n   \ny"),
            ("```LaTeX\nx\n```", "        \nx\n   "),
            ("~~~c\n```\nx\n~~~ \ny", "    \n   \n \n    \ny"),
            ("```py\né", "     \n  "),
            ("```` ```\nx", "```` ```\nx"),
            ("see `x` there", "see `x` there"),
        ] {
            let shown = shown(text);
            assert_eq!(shown, left, "{text:?}");
            assert_eq!(shown.len(), text.len());
        }
    }
}
