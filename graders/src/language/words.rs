//! Words: runs of letters of one writing, or single characters where words are not set apart.

use super::known::Writing;

/// One word of a prose text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    pub(super) writing: Writing,
    /// Whether a sentence or line ends between this word and the next.
    pub(super) ends: bool,
    /// Whether an apostrophe and nothing else stands between this word and the one before.
    pub(super) elided: bool,
    /// Whether an apostrophe and nothing else stands between this word and the next.
    pub(super) elides: bool,
}

/// The words of `prose`, in order.
pub(super) fn words(prose: &str) -> Vec<Word<'_>> {
    let mut words: Vec<Word<'_>> = Vec::new();
    // The word that is being read: where it starts, its writing, whether it is elided.
    let mut open: Option<(usize, Writing, bool)> = None;
    // What stands since the last word's end.
    let mut gap = Gap::Nothing;
    for (at, c) in prose.char_indices() {
        let letter = Writing::of_letter(c);
        let writing = letter.or_else(|| Writing::of(c).filter(|_| !c.is_numeric()));
        if let Some((start, current, elided)) = open {
            if joins(c, writing, current) {
                continue;
            }
            close(&mut words, prose, start..at, current, elided);
            open = None;
            gap = Gap::Nothing;
        }
        match writing.filter(|_| letter.is_some() || c.is_alphabetic()) {
            Some(writing) => {
                if let (Gap::Stop, Some(last)) = (gap, words.last_mut()) {
                    last.ends = true;
                }
                if let (Gap::Apostrophe, Some(last)) = (gap, words.last_mut()) {
                    last.elides = true;
                }
                open = Some((at, writing, gap == Gap::Apostrophe));
            }
            None => gap = gap.then(c),
        }
    }
    if let Some((start, writing, elided)) = open {
        close(&mut words, prose, start..prose.len(), writing, elided);
    }
    words
}

/// Whether `c` belongs to a word of `current`. Marks that belong to no script of their own (accents, the joiners
/// of Persian and Hindi) go with any word.
fn joins(c: char, writing: Option<Writing>, current: Writing) -> bool {
    match writing {
        Some(writing) => writing == current && !current.is_unspaced(),
        None => {
            matches!(c, '\u{300}'..='\u{36f}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{200c}' | '\u{200d}')
        }
    }
}

fn close<'a>(
    words: &mut Vec<Word<'a>>,
    prose: &'a str,
    range: std::ops::Range<usize>,
    writing: Writing,
    elided: bool,
) {
    if let Some(text) = prose.get(range) {
        words.push(Word { text, writing, ends: false, elided, elides: false });
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Gap {
    Nothing,
    Apostrophe,
    Space,
    Stop,
}

impl Gap {
    fn then(self, c: char) -> Self {
        match c {
            '.' | '?' | '!' | ';' | '\n' | '。' | '！' | '？' | '；' | '।' | '؟' | '۔' | '…' => {
                Self::Stop
            }
            _ if self == Self::Stop => Self::Stop,
            '\'' | '’' if self == Self::Nothing => Self::Apostrophe,
            _ => Self::Space,
        }
    }
}
