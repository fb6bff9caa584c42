//! Counting sentences.
//!
//! A sentence ends with a run of `.`, `?`, `!`, `…` and the closing quotes or brackets after it, at white space
//! or the end of the text; the full-width marks of Chinese and Japanese and the danda of Hindi end one anywhere.
//! What is left at the end is one more. Not an end: a period after a title or an initial (`Dr. J. Smith`), after
//! `e.g.` and its like, after a number that opens a line (a list's), and an ellipsis before a small letter.
//! `etc.`, `Inc.`, `a.m.` and their like end a sentence only before a capital. Only pieces with a letter or digit
//! count: `? ? ?` is no sentence. A line break alone ends none.
//!
//! A trained tokenizer (Punkt) learns its abbreviations from a corpus, counts a list's number as a sentence of
//! its own and does not divide Chinese or Japanese; on ordinary prose the two agree.

/// Abbreviations that stand before something: a period after them ends nothing.
const BEFORE: &[&str] = &[
    "mr", "mrs", "ms", "dr", "prof", "st", "gen", "sen", "rep", "gov", "capt", "lt", "col", "sgt", "rev",
    "hon", "vs", "e.g", "i.e", "cf", "fig", "figs", "eq", "eqs", "no", "nos", "vol", "pp", "approx", "viz",
    "resp",
];
/// Abbreviations that may also be a sentence's last word.
const ANYWHERE: &[&str] = &[
    "etc", "inc", "ltd", "co", "corp", "jr", "sr", "ph.d", "a.m", "p.m", "u.s", "u.k", "al", "dept", "est",
    "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec",
];
/// Bytes before a period that are looked at; no abbreviation is longer.
const LOOK_BACK: usize = 12;

/// The number of sentences in `text`.
pub(super) fn count_sentences(text: &str) -> usize {
    let mut count = 0;
    let mut filled = false;
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        filled = filled || c.is_alphanumeric();
        if !is_mark(c) {
            continue;
        }
        // The run of marks, and what closes after it.
        let mut periods = usize::from(c == '.') + 2 * usize::from(c == '…');
        let mut asks = matches!(c, '?' | '!');
        let mut anywhere = is_full_width(c);
        while let Some(&(_, next)) = characters.peek() {
            if !is_mark(next) && !is_closing(next) {
                break;
            }
            periods += usize::from(next == '.') + 2 * usize::from(next == '…');
            asks |= matches!(next, '?' | '!');
            anywhere |= is_full_width(next);
            characters.next();
        }
        let rest = characters.peek().and_then(|(next, _)| text.get(*next..)).unwrap_or("");
        let at_space = rest.chars().next().is_none_or(char::is_whitespace);
        let before = text.get(..at).unwrap_or("");
        let ends = anywhere || at_space && (asks || period_ends(before, rest, periods));
        if ends && filled {
            count += 1;
            filled = false;
        }
    }
    count + usize::from(filled)
}

/// Whether a run of `periods` between `before` and `rest` ends a sentence.
fn period_ends(before: &str, rest: &str, periods: usize) -> bool {
    let next =
        rest.chars().take(LOOK_BACK).find(|c| !c.is_whitespace() && !matches!(c, '"' | '“' | '(' | '*'));
    if periods > 1 {
        return !next.is_some_and(char::is_lowercase);
    }
    if rest.trim_start_matches([' ', '\t']).is_empty() {
        return true;
    }
    let start = before.char_indices().rev().take(LOOK_BACK).last().map_or(0, |(start, _)| start);
    let window = before.get(start..).unwrap_or("");
    let word = window.rsplit(|c: char| !(c.is_alphanumeric() || c == '.')).next().unwrap_or("");
    let opens_line = window.strip_suffix(word).is_some_and(|left| {
        let left = left.trim_end_matches([' ', '\t', '*', '#']);
        left.ends_with('\n') || left.is_empty() && start == 0
    });
    if opens_line && !word.is_empty() && word.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return false;
    }
    let mut letters = word.chars();
    if let (Some(initial), None) = (letters.next(), letters.next())
        && initial.is_uppercase()
        && initial != 'I'
    {
        return false;
    }
    let word = word.to_lowercase();
    if BEFORE.contains(&word.as_str()) {
        return false;
    }
    !ANYWHERE.contains(&word.as_str()) || next.is_some_and(char::is_uppercase)
}

fn is_mark(c: char) -> bool {
    matches!(c, '.' | '?' | '!' | '…') || is_full_width(c)
}

fn is_full_width(c: char) -> bool {
    matches!(c, '。' | '！' | '？' | '｡' | '।' | '॥' | '؟' | '۔')
}

fn is_closing(c: char) -> bool {
    matches!(c, '"' | '\'' | ')' | ']' | '}' | '”' | '’' | '»' | '」' | '』' | '）' | '*' | '_')
}
