//! Boxes: `\boxed{…}`, `\fbox{…}` and `\boxed 5`.
//!
//! Which of them is the answer:
//!
//! - The last box; a box that was never closed is none, and an empty one is an empty answer.
//! - Boxes before it belong to it when nothing but [`joiner`](super::joiner) words stand between: `and`, `or`,
//!   commas, layout, `y_2 =`. They are one answer, a list, so that `\boxed{12}` or `\boxed{13}` is a list of
//!   two and never equals one of them. Round or square brackets right around such a list stay.
//! - The same box again is the same answer, unless other names stand before it.
//! - A box in a box is opened when nothing else of meaning stands beside it.

use std::borrow::Cow;

use super::{joiner, unescaped};

/// The most blanks between `\boxed` and what it holds.
const MAX_BLANKS: usize = 8;
/// The longest content of a box without braces, in bytes.
const MAX_BARE_BYTES: usize = 256;

/// A box that stands in no other.
#[derive(Clone, Copy, Debug)]
struct Found {
    /// Where its command begins, and the position after it.
    start: usize,
    end: usize,
    /// Its content.
    from: usize,
    to: usize,
    /// Whether the command has a doubled backslash, as text that was escaped for JSON has.
    doubled: bool,
}

/// The answer that the boxes of a text state.
pub(super) fn answer(text: &str) -> Option<Cow<'_, str>> {
    let all = scan(text);
    let chain = last_chain(text, &all);
    (!chain.is_empty()).then(|| stated(text, chain))
}

/// The position after the last box, 0 without one.
pub(super) fn end(text: &str) -> usize {
    scan(text).last().map_or(0, |found| found.end)
}

/// The answer in a text that holds boxes of one list only, whatever prose stands around them; otherwise
/// choosing one would reward hedging.
pub(super) fn only_answer(text: &str) -> Option<Cow<'_, str>> {
    let all = scan(text);
    let whole = !all.is_empty() && last_chain(text, &all).len() == all.len();
    whole.then(|| stated(text, &all))
}

/// The answer in a text that is boxes of one list and nothing else.
pub(super) fn bare_answer(text: &str) -> Option<Cow<'_, str>> {
    let all = scan(text);
    let (first, last) = (all.first()?, all.last()?);
    let bare = last_chain(text, &all).len() == all.len()
        && joiner::is_layout(&text[..first.start])
        && joiner::is_layout(&text[last.end..]);
    bare.then(|| stated(text, &all))
}

/// The last box and those before it that are joined to it.
fn last_chain<'b>(text: &str, all: &'b [Found]) -> &'b [Found] {
    let joined = |pair: &&[Found]| match pair {
        [a, b] => joiner::joins(&text[a.end..b.start]),
        _ => false,
    };
    let links = all.windows(2).rev().take_while(joined).count();
    &all[all.len().saturating_sub(links + 1)..]
}

/// What a list of boxes says, which may be one box.
fn stated<'a>(text: &'a str, chain: &[Found]) -> Cow<'a, str> {
    let ([first, ..], [.., last]) = (chain, chain) else { return Cow::Borrowed("") };
    let gaps = || chain.windows(2).filter_map(|pair| Some(&text[pair.first()?.end..pair.get(1)?.start]));
    let plain = |found: &Found| text[found.from..found.to].split_whitespace().collect::<String>();
    let repeated = {
        let value = plain(last);
        let mut names =
            std::iter::once(&text[..first.start]).chain(gaps()).filter_map(|gap| joiner::split_name(gap).1);
        let name = names.next();
        names.all(|other| Some(other) == name) && chain.iter().all(|found| plain(found) == value)
    };
    if chain.len() == 1 || repeated {
        return content(text, last);
    }
    let items: Vec<_> = chain.iter().map(|found| content(text, found)).collect();
    let list = items.join(", ");
    let after = text[last.end..].trim_start();
    let after = after.strip_prefix("\\right").unwrap_or(after);
    let before = text[..first.start].trim_end();
    let opened = before.chars().next_back().filter(|_| !before.ends_with("\\(") && !before.ends_with("\\["));
    match (opened, after.chars().next()) {
        (Some(open @ ('(' | '[')), Some(close @ (')' | ']'))) if gaps().all(joiner::is_comma) => {
            Cow::Owned(format!("{open}{list}{close}"))
        }
        _ => Cow::Owned(list),
    }
}

fn content<'a>(text: &'a str, found: &Found) -> Cow<'a, str> {
    let content = &text[found.from..found.to];
    if found.doubled { unescaped(content) } else { Cow::Borrowed(content) }
}

/// An open brace.
enum Open {
    Box { start: usize, from: usize, doubled: bool },
    Plain,
}

/// The boxes that stand in no other, in order. Braces are matched once over the whole text: an escaped brace is
/// a character, a closing brace without an open one is ignored, and a box that is never closed is none.
fn scan(text: &str) -> Vec<Found> {
    let bytes = text.as_bytes();
    let mut open: Vec<Open> = Vec::new();
    let mut found: Vec<Found> = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' => {
                let run = bytes[at..].iter().take_while(|b| **b == b'\\').count();
                let doubled = run % 2 == 0;
                let start = at + run - 1 - usize::from(doubled);
                at += run;
                match command(text, at) {
                    Some(Start::Brace(from)) => {
                        open.push(Open::Box { start, from, doubled });
                        at = from;
                    }
                    Some(Start::Bare(from, to)) => {
                        found.push(Found { start, end: to, from, to, doubled });
                        at = to;
                    }
                    // The last backslash of an odd run escapes what follows it.
                    None => at += usize::from(!doubled && bytes.get(at).is_some()),
                }
            }
            b'{' => {
                open.push(Open::Plain);
                at += 1;
            }
            b'}' => {
                if let Some(Open::Box { start, from, doubled }) = open.pop() {
                    let mut outer = Found { start, end: at + 1, from, to: at, doubled };
                    outer.open_inner(text, &mut found);
                    found.push(outer);
                }
                at += 1;
            }
            _ => at += 1,
        }
    }
    found
}

impl Found {
    /// Takes the boxes in this one off the list, and opens one that is alone in it.
    fn open_inner(&mut self, text: &str, found: &mut Vec<Self>) {
        let (mut inner, mut count) = (None, 0);
        while let Some(last) = found.pop_if(|last| last.start >= self.from) {
            inner = Some(last);
            count += 1;
        }
        if let (Some(inner), 1) = (inner, count)
            && joiner::is_layout(&text[self.from..inner.start])
            && joiner::is_layout(&text[inner.end..self.to])
        {
            (self.from, self.to) = (inner.from, inner.to);
        }
    }
}

/// How a box takes its content.
enum Start {
    /// In braces; the position after the opening one.
    Brace(usize),
    /// Bare, as in `\boxed 5`: from here to there.
    Bare(usize, usize),
}

/// The box whose command's name begins at a position.
fn command(text: &str, at: usize) -> Option<Start> {
    let rest = text.get(at..)?;
    let after = rest.strip_prefix("boxed").or_else(|| rest.strip_prefix("fbox"))?;
    if after.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let blanks = after.bytes().take(MAX_BLANKS).take_while(|b| *b == b' ' || *b == b'\n').count();
    let content = &after[blanks..];
    let start = text.len() - content.len();
    if content.starts_with('{') {
        return Some(Start::Brace(start + 1));
    }
    let bare = bare(content);
    (!bare.is_empty()).then_some(Start::Bare(start, start + bare.len()))
}

/// The content of a box without braces: up to a blank, a formula's end or a brace that closes more than was
/// opened. Braces that stay open, or more than [`MAX_BARE_BYTES`], make it no content at all.
fn bare(content: &str) -> &str {
    let mut depth = 0_usize;
    let mut end = content.len();
    let mut previous = '\0';
    for (at, c) in content.char_indices() {
        if at > MAX_BARE_BYTES {
            return "";
        }
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                end = at;
                break;
            }
            '}' => depth -= 1,
            ')' | ']' if previous == '\\' => {
                end = at - 1;
                break;
            }
            c if depth == 0 && (c.is_whitespace() || c == '$') => {
                end = at;
                break;
            }
            _ => {}
        }
        previous = c;
    }
    if depth > 0 { "" } else { content[..end].trim_end_matches(['.', ',', ';', '*']) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_boxes() {
        for (text, expected) in [
            (r"\boxed{1} so \boxed{2}", Some("2")),
            (r"\boxed{1} and \boxed{2}", Some("1, 2")),
            (r"\boxed{1}, so \boxed{2} or \boxed{3}", Some("2, 3")),
            (r"$$\boxed{(2,2)} \quad \text{and} \quad \boxed{(6,2)}$$", Some("(2,2), (6,2)")),
            (r"$y_1 = \boxed{5}$ and $y_2 = \boxed{3}$", Some("5, 3")),
            (r"$y_1 = \boxed{5}$ and $y_2 = \boxed{5}$", Some("5, 5")),
            (r"$y = \boxed{5}$. $$y = \boxed{5}$$", Some("5")),
            (r"\boxed{ 5} \boxed{5 }", Some("5 ")),
            (r"$(\boxed{1}, \boxed{2})$", Some("(1, 2)")),
            (r"$\left[\boxed{1}, \boxed{2}\right)$", Some("[1, 2)")),
            (r"\(\boxed{1}, \boxed{2}\)", Some("1, 2")),
            (r"(\boxed{1} or \boxed{2})", Some("1, 2")),
            (r"\boxed{\boxed{7}}", Some("7")),
            (r"\boxed{x = \boxed{7}}", Some("7")),
            (r"\boxed{$\boxed{7}$ }", Some("7")),
            (r"\boxed{-\boxed{7}}", Some(r"-\boxed{7}")),
            (r"\boxed{\boxed{7}\%}", Some(r"\boxed{7}\%")),
            (r"\boxed{12} or if you prefer \boxed{13}", Some("12, 13")),
            (r"\boxed{12} \cup \boxed{13}", Some("12, 13")),
            (r"\boxed{12} = \boxed{12.0}", Some("12.0")),
            (r"\boxed{12 + \boxed{7}}", Some(r"12 + \boxed{7}")),
            (r"\boxed{\boxed{3} or \boxed{4}}", Some(r"\boxed{3} or \boxed{4}")),
            (r"\\boxed{\\frac{1}{2}}", Some(r"\frac{1}{2}")),
            (r"\\\boxed{5}", Some("5")),
            (r"\n\boxed{5}\n", Some("5")),
            (r"\boxed\frac{1}{2} of it", Some(r"\frac{1}{2}")),
            (r"\boxed\frac{1}{2", None),
            (r"\boxed{\{1, 2\}}", Some(r"\{1, 2\}")),
            (r"\boxed{\frac{1}{2}", None),
            (r"\boxed{}", Some("")),
            (r"\boxed", None),
            (r"\boxed{é \é}", Some(r"é \é")),
        ] {
            assert_eq!(answer(text).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_text_of_one_answer() {
        for (text, alone, bare) in [
            (r"It is $\boxed{4}$.", Some("4"), None),
            (r"\boxed{3} or \boxed{4}", Some("3, 4"), Some("3, 4")),
            (r"\boxed{3}, no: \boxed{4}", None, None),
            (r"-\boxed{4}", Some("4"), None),
            (r"$\boxed{4}$", Some("4"), Some("4")),
            ("4", None, None),
        ] {
            assert_eq!(only_answer(text).as_deref(), alone, "{text:?}");
            assert_eq!(bare_answer(text).as_deref(), bare, "{text:?}");
        }
    }
}
