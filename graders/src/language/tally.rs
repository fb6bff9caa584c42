//! How many words of a text are in which language.

use std::collections::BTreeMap;

use super::identify::identify;
use super::known::{Language, Writing};
use super::words::Word;

/// The fewest words a passage is identified by; with fewer, the right language is missed too often.
const MIN_PASSAGE_WORDS: usize = 6;
/// The fewest words that are identified when a text has no more of that writing.
const MIN_LONE_WORDS: usize = 3;
/// The most words of a passage that the identifiers read.
const MAX_READ_WORDS: usize = 32;
/// The most passages of one writing; longer texts have longer passages, so that the work is bounded.
const MAX_PASSAGES: usize = 256;

/// What a group of words was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Found {
    /// In this language.
    Language(Language),
    /// In some language of this writing.
    Writing(Writing),
}

impl Found {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Language(language) => language.tag(),
            Self::Writing(writing) => writing.name(),
        }
    }

    /// Whether these words count as `target`: they are in it, or nothing but the writing is known and fits.
    pub(super) fn suits(self, target: Language) -> bool {
        match self {
            Self::Language(language) => language.is_like(target),
            Self::Writing(writing) => target.uses(writing),
        }
    }
}

/// The number of words of each kind.
pub(super) type Tally = BTreeMap<Found, usize>;

/// Counts by script alone.
pub(super) fn by_script(words: &[Word<'_>]) -> Tally {
    let mut tally = Tally::new();
    for word in words {
        *tally.entry(Found::Writing(word.writing)).or_default() += 1;
    }
    tally
}

/// Counts by script, and by language where a script has several.
///
/// Words of one writing are gathered sentence by sentence into passages of at least six words, and each passage
/// counts as the language it is identified as; a close call goes to the language of most of the text. What is
/// left at the end counts as the passage before it. Where there is none, three words are enough to be identified
/// by, and fewer count by their script.
/// A single Latin letter counts as nothing, unless an apostrophe joins it to a word: it is a variable's name more
/// often than a word.
pub(super) fn by_language(words: &[Word<'_>]) -> Tally {
    let mut tally = Tally::new();
    let mut groups: BTreeMap<Writing, Vec<Word<'_>>> = BTreeMap::new();
    for word in words.iter().filter(|word| !is_variable(word)) {
        // Han and Kana are told apart as passages of both.
        let group = if word.writing == Writing::Kana { Writing::Han } else { word.writing };
        groups.entry(group).or_default().push(*word);
    }
    for (writing, words) in groups {
        for (found, count) in passages_of(&words, writing) {
            *tally.entry(found.map_or(Found::Writing(writing), Found::Language)).or_default() += count;
        }
    }
    tally
}

/// The passages of one writing: the language found and the number of words.
fn passages_of(words: &[Word<'_>], writing: Writing) -> Vec<(Option<Language>, usize)> {
    let enough = MIN_PASSAGE_WORDS.max(words.len().div_ceil(MAX_PASSAGES));
    let mut passages = Vec::new();
    let mut rest = words;
    while !rest.is_empty() {
        let (passage, after) = rest.split_at(passage_end(rest, enough));
        passages.push((language_of(passage, writing, None), passage));
        rest = after;
    }
    // Only the last passage can be short.
    if let [.., (before, _), (found, last)] = passages.as_mut_slice()
        && last.len() < MIN_PASSAGE_WORDS
    {
        *found = *before;
    }
    if let Some(most) = majority(&passages) {
        for (found, passage) in &mut passages {
            if found.is_some_and(|found| found != most) {
                *found = language_of(passage, writing, Some(most));
            }
        }
    }
    passages.into_iter().map(|(found, passage)| (found, passage.len())).collect()
}

/// The language that more than half of the words are in.
fn majority(passages: &[(Option<Language>, &[Word<'_>])]) -> Option<Language> {
    let mut counts: BTreeMap<Language, usize> = BTreeMap::new();
    for (found, passage) in passages {
        if let Some(language) = found {
            *counts.entry(*language).or_default() += passage.len();
        }
    }
    let total: usize = passages.iter().map(|(_, passage)| passage.len()).sum();
    counts.into_iter().find(|(_, count)| count * 2 > total).map(|(language, _)| language)
}

/// Where the first passage of `words` ends: with the first sentence that makes it long enough, or in the middle
/// of a sentence that is much too long.
fn passage_end(words: &[Word<'_>], enough: usize) -> usize {
    let longest = enough + MAX_READ_WORDS;
    let end = words.iter().take(longest).enumerate().skip(enough - 1).find(|(_, word)| word.ends);
    end.map_or(words.len().min(longest), |(last, _)| last + 1)
}

/// The likeliest language of the words of `writing`, however few they are.
pub(super) fn guess(words: &[Word<'_>], writing: Writing) -> Option<Language> {
    if matches!(writing, Writing::Han | Writing::Kana) {
        let kana = words.iter().any(|word| word.writing == Writing::Kana);
        return Language::known(if kana { "ja" } else { "zh" });
    }
    let passage: Vec<Word<'_>> = words.iter().filter(|word| word.writing == writing).copied().collect();
    identify(&spell(&passage), writing, None)
}

fn language_of(passage: &[Word<'_>], writing: Writing, expected: Option<Language>) -> Option<Language> {
    match writing {
        Writing::Own(tag) => Language::known(tag),
        Writing::Han => {
            let kana = passage.iter().filter(|word| word.writing == Writing::Kana).count();
            // A tenth is far below any Japanese sentence and far above what Chinese quotes.
            let japanese = kana * 10 >= passage.len() && kana > 0;
            match (japanese, passage.len() >= MIN_PASSAGE_WORDS) {
                (true, _) => Language::known("ja"),
                (false, true) => Language::known("zh"),
                (false, false) => None,
            }
        }
        _ if passage.len() < MIN_LONE_WORDS => None,
        _ => identify(&spell(passage), writing, expected),
    }
}

/// The passage as text in lower case, with no more between its words than a space or an apostrophe.
fn spell(passage: &[Word<'_>]) -> String {
    let mut text = String::new();
    for word in passage.iter().take(MAX_READ_WORDS) {
        if !text.is_empty() {
            text.push(if word.elided { '\'' } else { ' ' });
        }
        text.extend(word.text.chars().take(MAX_READ_WORDS).flat_map(char::to_lowercase));
    }
    text
}

fn is_variable(word: &Word<'_>) -> bool {
    word.writing == Writing::Latin && word.text.len() == 1 && !word.elided && !word.elides
}
