//! The formulas of a text: `$…$`, `$$…$$`, `\(…\)` and `\[…\]`.

/// A formula and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Formula<'a> {
    /// Where the opening mark stands.
    pub(super) start: usize,
    /// The position after the closing mark.
    pub(super) end: usize,
    /// What is between the marks, trimmed; never empty.
    pub(super) content: &'a str,
}

/// The formulas of a text in order, found in one pass over it.
///
/// A dollar sign before a blank opens none and one after a blank closes none: that is money. A formula between
/// single dollar signs holds no blank line.
pub(super) struct Formulas<'a> {
    text: &'a str,
    at: usize,
    open: Option<Open>,
}

struct Open {
    /// The mark that closes it.
    close: &'static str,
    /// Where its own mark stands.
    start: usize,
    /// Where its content begins.
    content: usize,
}

pub(super) fn formulas(text: &str) -> Formulas<'_> {
    Formulas { text, at: 0, open: None }
}

/// The content of the formula that a text consists of.
pub(super) fn only(text: &str) -> Option<&str> {
    let text = text.trim();
    formulas(text)
        .next()
        .filter(|found| found.start == 0 && found.end == text.len())
        .map(|found| found.content)
}

impl<'a> Iterator for Formulas<'a> {
    type Item = Formula<'a>;

    fn next(&mut self) -> Option<Formula<'a>> {
        let (text, bytes) = (self.text, self.text.as_bytes());
        while let Some(step) = text.get(self.at..).and_then(|rest| rest.find(['$', '\\'])) {
            let at = self.at + step;
            let next = bytes.get(at + 1);
            let dollar = bytes.get(at) == Some(&b'$');
            let mark = match next {
                Some(b'$') if dollar && self.open.as_ref().is_none_or(|open| open.close != "$") => "$$",
                _ if dollar => "$",
                Some(b'(') => "\\(",
                Some(b'[') => "\\[",
                Some(b')') => "\\)",
                Some(b']') => "\\]",
                _ => {
                    // Another command or an escaped character. Only an ASCII character is passed over, so
                    // that the position stays on a character's start.
                    self.at = at + 1 + usize::from(next.is_some_and(u8::is_ascii));
                    continue;
                }
            };
            let after = at + mark.len();
            self.at = after;
            let blank_follows = bytes.get(after).is_none_or(u8::is_ascii_whitespace);
            match (self.open.take(), mark) {
                (Some(open), _) if open.close == mark => {
                    let content = text.get(open.content..at).unwrap_or_default();
                    let money =
                        mark == "$" && (content.ends_with(char::is_whitespace) || content.contains("\n\n"));
                    if money && !blank_follows {
                        self.open = Some(Open { close: "$", start: at, content: after });
                    }
                    if !money && !content.trim().is_empty() {
                        return Some(Formula { start: open.start, end: after, content: content.trim() });
                    }
                }
                (_, "\\(") => self.open = Some(Open { close: "\\)", start: at, content: after }),
                (_, "\\[") => self.open = Some(Open { close: "\\]", start: at, content: after }),
                (None, "$$") => self.open = Some(Open { close: "$$", start: at, content: after }),
                (None, "$") if !blank_follows => {
                    self.open = Some(Open { close: "$", start: at, content: after });
                }
                (open, _) => self.open = open,
            }
        }
        self.at = text.len();
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_them_in_order() {
        for (text, contents) in [
            ("$a$ and $$b$$, \\(c\\) or \\[d\\]", vec!["a", "b", "c", "d"]),
            ("it costs $5 and not $6", vec![]),
            ("$5 now and $x$ later", vec!["x"]),
            ("\\$5 and $x$", vec!["x"]),
            ("$a\n\nb$", vec![]),
            ("$$ a\n\nb $$", vec!["a\n\nb"]),
            ("$$$$ $x$", vec!["x"]),
            ("\\é $x$", vec!["x"]),
        ] {
            assert_eq!(formulas(text).map(|found| found.content).collect::<Vec<_>>(), contents, "{text:?}");
        }
    }

    #[test]
    fn alone_in_its_text() {
        for (text, content) in
            [(" $x$ ", Some("x")), ("$x$.", None), ("$x$ $y$", None), ("x", None), ("\\[\nx\n\\]", Some("x"))]
        {
            assert_eq!(only(text), content, "{text:?}");
        }
    }
}
