//! What of a text is prose in some language: code, mathematics, markup and addresses are not.

/// The longest display formula that is taken for one, in bytes. A delimiter whose partner is further away stands
/// alone: a forgotten one must not swallow the reasoning.
const MAX_FORMULA_BYTES: usize = 4096;
/// The longest tag, in bytes.
const MAX_TAG_BYTES: usize = 128;

/// `text` without code, mathematics, LaTeX commands, tags and addresses, a space in place of each.
///
/// * Code: between ``` fences (an unclosed one goes to the end) and between backticks on one line.
/// * Mathematics: `$$…$$`, `\[…\]`, `\(…\)`, `\begin{…}…\end{…}`, and `$…$` when no space follows the first dollar
///   or precedes the last, no digit follows it, and no blank line lies between: prices stay.
/// * Commands such as `\frac` (what stands in their braces stays), tags such as `<think>`, `https://…`, `www.…`.
pub(super) fn prose(text: &str) -> String {
    let mut scanner = Scanner { text, at: 0, closers: [None; CLOSERS.len()] };
    let mut out = String::with_capacity(text.len());
    while let Some(rest) = text.get(scanner.at..)
        && !rest.is_empty()
    {
        let special = rest.find(['`', '$', '\\', '<', ':', 'w', 'W']).unwrap_or(rest.len());
        out.push_str(rest.get(..special).unwrap_or(""));
        scanner.at += special;
        match scanner.skip() {
            Skip::Nothing => {}
            Skip::To(end) => {
                scanner.at = end;
                out.push(' ');
            }
            Skip::Address(end) => {
                let scheme = out.trim_end_matches(|c: char| c.is_ascii_alphanumeric()).len();
                out.truncate(scheme);
                scanner.at = end;
                out.push(' ');
            }
            Skip::Keep(length) => {
                out.push_str(text.get(scanner.at..scanner.at + length).unwrap_or(""));
                scanner.at += length;
            }
        }
    }
    out
}

enum Skip {
    /// The end of the text.
    Nothing,
    /// Everything to here is no prose.
    To(usize),
    /// Everything to here is an address, whose scheme is already out.
    Address(usize),
    /// So many bytes are prose.
    Keep(usize),
}

/// What ends a span, by the index that the scanner remembers its next place under.
const CLOSERS: [&str; 6] = ["```", "$$", "\\]", "\\)", "\\end{", ">"];

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Where each of [`CLOSERS`] stands next, as last looked up; so that the text is searched once for each and
    /// not once for every opening.
    closers: [Option<usize>; CLOSERS.len()],
}

impl Scanner<'_> {
    fn rest(&self, from: usize) -> &str {
        self.text.get(from..).unwrap_or("")
    }

    /// What to do at a special character.
    fn skip(&mut self) -> Skip {
        let rest = self.rest(self.at);
        match rest.as_bytes() {
            [] => Skip::Nothing,
            [b'`', b'`', b'`', ..] => {
                let end = self.closer(0, self.at + 3).map_or(self.text.len(), |close| close + 3);
                Skip::To(end)
            }
            [b'`', ..] => self.code(),
            [b'$', b'$', ..] => self.formula(1, 2),
            [b'$', ..] => self.dollar(),
            [b'\\', b'[', ..] => self.formula(2, 2),
            [b'\\', b'(', ..] => self.formula(3, 2),
            [b'\\', ..] if rest.starts_with("\\begin{") => match self.formula(4, 7) {
                Skip::To(end) => {
                    let brace = self.rest(end).bytes().take(MAX_TAG_BYTES).position(|b| b == b'}');
                    Skip::To(end + brace.map_or(0, |brace| brace + 1))
                }
                other => other,
            },
            [b'\\', ..] => {
                let letters = rest.bytes().skip(1).take_while(u8::is_ascii_alphabetic).count();
                Skip::To(self.at + 1 + letters)
            }
            [b'<', next, ..] if next.is_ascii_alphabetic() || matches!(next, b'/' | b'|' | b'!') => {
                let at = self.at;
                match self.closer(5, at).and_then(|close| self.text.get(at..=close)) {
                    Some(tag) if tag.len() <= MAX_TAG_BYTES && !tag.contains('\n') => {
                        Skip::To(at + tag.len())
                    }
                    _ => Skip::Keep(1),
                }
            }
            [b':', b'/', b'/', ..] => Skip::Address(self.word_end(self.at)),
            [b'w' | b'W', ..] if self.opens_www(rest) => Skip::To(self.word_end(self.at)),
            _ => Skip::Keep(1),
        }
    }

    /// Code between backticks on one line, or the backticks alone.
    fn code(&self) -> Skip {
        let rest = self.rest(self.at);
        let open = rest.bytes().take_while(|b| *b == b'`').count();
        let body = self.rest(self.at + open);
        match body.find(['`', '\n']) {
            Some(close) if body.as_bytes().get(close) == Some(&b'`') => {
                let run = self.rest(self.at + open + close).bytes().take_while(|b| *b == b'`').count();
                Skip::To(self.at + open + close + run)
            }
            _ => Skip::To(self.at + open),
        }
    }

    /// A formula that [`CLOSERS`]`[kind]` ends, its opening `open` bytes long.
    fn formula(&mut self, kind: usize, open: usize) -> Skip {
        let from = self.at + open;
        match self.closer(kind, from) {
            Some(close) if close - from <= MAX_FORMULA_BYTES => {
                Skip::To(close + CLOSERS.get(kind).map_or(0, |closer| closer.len()))
            }
            _ => Skip::To(from),
        }
    }

    /// A formula between single dollars, or the dollar alone. Only the very next dollar can end it.
    fn dollar(&self) -> Skip {
        let body = self.rest(self.at + 1);
        let Some(close) = body.find('$') else { return Skip::Keep(1) };
        let inner = body.get(..close).unwrap_or("");
        let after = body.as_bytes().get(close + 1);
        let tight = !inner.starts_with(char::is_whitespace) && !inner.ends_with(char::is_whitespace);
        let formula = tight && !after.is_some_and(u8::is_ascii_digit) && !inner.contains("\n\n");
        if formula { Skip::To(self.at + close + 2) } else { Skip::Keep(1) }
    }

    /// Whether `rest` opens an address that begins with `www.`.
    fn opens_www(&self, rest: &str) -> bool {
        let before = self.text.get(..self.at).and_then(|before| before.chars().next_back());
        rest.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("www."))
            && !before.is_some_and(char::is_alphanumeric)
    }

    fn word_end(&self, from: usize) -> usize {
        let rest = self.rest(from);
        from + rest
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>' | '`'))
            .unwrap_or(rest.len())
    }

    /// Where the closer stands first at or after `from`.
    fn closer(&mut self, kind: usize, from: usize) -> Option<usize> {
        let known = self.closers.get(kind).copied().flatten();
        let place = match known {
            Some(place) if place >= from => place,
            _ => {
                let closer = CLOSERS.get(kind).copied().unwrap_or("");
                // The end of the text stands for "nowhere".
                self.rest(from).find(closer).map_or(self.text.len(), |found| from + found)
            }
        };
        if let Some(slot) = self.closers.get_mut(kind) {
            *slot = Some(place);
        }
        (place < self.text.len()).then_some(place)
    }
}
