//! Finding the answer in a completion.
//!
//! An [`Extractor`] is an ordered list of [`Step`]s. The first step that finds something decides, and the
//! verdict says which it was. When the answer it found then turns out to be no answer at all, no later step is
//! tried: a ladder that climbs on after a failed parse is what reward hacking feeds on.
//!
//! Thoughts do not count. Only the text after the last `</think>` is looked at, and a `<think>` that is never
//! closed hides what follows it. Every step reads the text once, from one end to the other.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

/// One way of finding the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// The content of the last closed `<answer>…</answer>`, trimmed.
    AnswerTag,
    /// The content of the last `\boxed{…}` or `\fbox{…}` with balanced braces; `\boxed 5` counts too.
    Boxed,
    /// What follows the last `####` on its line, as in GSM8K, without dollar signs and thousands separators.
    Hash,
    /// What follows the last "answer is", "answers are" or "answer:" in its sentence.
    AnswerIs,
    /// The last formula: `$…$`, `$$…$$`, `\(…\)` or `\[…\]`.
    LastFormula,
    /// The last number, without thousands separators; a fraction such as `3/4` is one number.
    LastNumber,
    /// The last line that is not blank, trimmed.
    LastLine,
    /// The whole text, trimmed.
    Whole,
}

impl Step {
    /// The name on the wire.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::AnswerTag => "answer_tag",
            Self::Boxed => "boxed",
            Self::Hash => "hash",
            Self::AnswerIs => "answer_is",
            Self::LastFormula => "last_formula",
            Self::LastNumber => "last_number",
            Self::LastLine => "last_line",
            Self::Whole => "whole",
        }
    }

    /// What this step finds in `text`, the visible part of a completion.
    fn find(self, text: &str) -> Option<Cow<'_, str>> {
        match self {
            Self::AnswerTag => answer_tag(text).map(Cow::Borrowed),
            Self::Boxed => boxes(text).last.map(Cow::Borrowed),
            Self::Hash => hash(text).map(Cow::Owned),
            Self::AnswerIs => answer_is(text).map(Cow::Borrowed),
            Self::LastFormula => last_formula(text).map(Cow::Borrowed),
            Self::LastNumber => last_number(text).map(Cow::Owned),
            Self::LastLine => text.trim_end().lines().next_back().map(str::trim).map(Cow::Borrowed),
            Self::Whole => Some(Cow::Borrowed(text.trim())),
        }
        .filter(|found| !found.is_empty() || matches!(self, Self::AnswerTag | Self::Boxed))
    }
}

/// An answer and the step that found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extracted<'a> {
    /// The answer as written; empty when the tag or box is there and holds nothing.
    pub(crate) text: Cow<'a, str>,
    /// The step that found it.
    pub(crate) step: Step,
}

impl Extracted<'_> {
    /// The answer without the box around it: a tag or a line that holds exactly one `\boxed{}` means what
    /// stands in the box. With two boxes it stays as it is, because choosing one would reward hedging.
    pub(crate) fn unboxed(&self) -> &str {
        match boxes(&self.text) {
            Boxes { last: Some(content), count: 1 } => content.trim(),
            _ => &self.text,
        }
    }
}

/// Finds the answer by the first of its steps that finds one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<Step>")]
pub(crate) struct Extractor {
    steps: Vec<Step>,
}

impl TryFrom<Vec<Step>> for Extractor {
    type Error = String;

    fn try_from(steps: Vec<Step>) -> Result<Self, String> {
        if steps.is_empty() {
            return Err("a list of steps needs at least one; `whole` takes the text as it is".to_owned());
        }
        for (index, step) in steps.iter().enumerate() {
            if steps.iter().take(index).any(|earlier| earlier == step) {
                return Err(format!("the step `{}` stands here twice", step.name()));
            }
        }
        Ok(Self { steps })
    }
}

impl Extractor {
    /// An extractor with these steps, which the code itself names.
    pub(crate) fn of(steps: &[Step]) -> Self {
        Self { steps: steps.to_vec() }
    }

    /// The steps that need an explicit mark, so that nothing is guessed: tag, box, `####`, "answer is".
    pub(crate) fn marked() -> Self {
        Self::of(&[Step::AnswerTag, Step::Boxed, Step::Hash, Step::AnswerIs])
    }

    /// The answer in `text`, outside its thoughts.
    pub(crate) fn extract<'a>(&self, text: &'a str) -> Option<Extracted<'a>> {
        let visible = visible(text);
        self.steps.iter().find_map(|&step| step.find(visible).map(|text| Extracted { text, step }))
    }
}

/// The text after the last thought.
fn visible(text: &str) -> &str {
    let after = text.rfind("</think>").map_or(text, |at| &text[at + "</think>".len()..]);
    after.find("<think>").map_or(after, |at| &after[..at])
}

fn answer_tag(text: &str) -> Option<&str> {
    let (mut rest, mut last) = (text, None);
    while let Some((_, inside)) = rest.split_once("<answer>") {
        let Some((content, after)) = inside.split_once("</answer>") else { break };
        last = Some(content.trim());
        rest = after;
    }
    last
}

/// What a scan for boxes found.
struct Boxes<'a> {
    /// The content of the one that starts last.
    last: Option<&'a str>,
    /// How many there are that stand in no other box.
    count: usize,
}

/// Matches braces once over the whole text. An escaped brace is a character, a closing brace without an open
/// one is ignored, and a box that is never closed is none.
fn boxes(text: &str) -> Boxes<'_> {
    const PLAIN: usize = usize::MAX;
    let bytes = text.as_bytes();
    // The content's start for a box, `PLAIN` for any other open brace.
    let mut open: Vec<usize> = Vec::new();
    let mut last: Option<(usize, &str)> = None;
    let (mut count, mut counted_to) = (0, 0);
    let mut found = |start: usize, end: usize| {
        // An outer box closes after the boxes in it and takes their place in the count.
        if start >= counted_to {
            count += 1;
        }
        counted_to = counted_to.max(end);
        if last.is_none_or(|(at, _)| start >= at) {
            last = text.get(start..end).map(|content| (start, content));
        }
    };
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' => match box_command(text, at) {
                Some(BoxStart::Brace(start)) => {
                    open.push(start);
                    at = start;
                }
                Some(BoxStart::Bare(start, end)) => {
                    found(start, end);
                    at = end;
                }
                None => at += 2,
            },
            b'{' => {
                open.push(PLAIN);
                at += 1;
            }
            b'}' => {
                if let Some(start) = open.pop().filter(|&start| start != PLAIN) {
                    found(start, at);
                }
                at += 1;
            }
            _ => at += 1,
        }
    }
    Boxes { last: last.map(|(_, content)| content), count }
}

/// How a `\boxed` takes its content.
enum BoxStart {
    /// In braces; the position after the opening one.
    Brace(usize),
    /// Bare, as in `\boxed 5`: from here to there.
    Bare(usize, usize),
}

/// The most blanks between `\boxed` and what it holds.
const MAX_BOX_BLANKS: usize = 8;

fn box_command(text: &str, at: usize) -> Option<BoxStart> {
    let rest = text.get(at..)?;
    let after = rest.strip_prefix("\\boxed").or_else(|| rest.strip_prefix("\\fbox"))?;
    if after.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let blanks = after.bytes().take(MAX_BOX_BLANKS).take_while(|b| *b == b' ' || *b == b'\n').count();
    let content = &after[blanks..];
    let start = text.len() - content.len();
    if content.starts_with('{') {
        return Some(BoxStart::Brace(start + 1));
    }
    let end = content.find(|c: char| c.is_whitespace() || c == '$' || c == '}').unwrap_or(content.len());
    let bare = content[..end].trim_end_matches(['.', ',', ';']);
    let bare = bare.strip_suffix("\\)").or_else(|| bare.strip_suffix("\\]")).unwrap_or(bare);
    (!bare.is_empty()).then_some(BoxStart::Bare(start, start + bare.len()))
}

fn hash(text: &str) -> Option<String> {
    const MARK: &str = "####";
    let mut end = text.len();
    loop {
        let at = text[..end].rfind(MARK)?;
        let after = &text[at + MARK.len()..];
        let before = text[..at].trim_end_matches('#');
        if before.len() == at && !after.starts_with('#') {
            let line = after.lines().next().unwrap_or_default().replace('$', "");
            return Some(without_thousands(line.trim()));
        }
        // A longer run of `#` is a heading of a deeper level.
        end = before.len();
    }
}

/// Removes commas that stand between a digit and a group of exactly three digits. Other commas separate items,
/// and without them `1,2` would read as twelve.
fn without_thousands(text: &str) -> String {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    text.char_indices()
        .filter(|&(at, c)| {
            let group =
                c == ',' && at > 0 && digit(at - 1) && (1..=3).all(|k| digit(at + k)) && !digit(at + 4);
            !group
        })
        .map(|(_, c)| c)
        .collect()
}

/// Phrases that announce an answer. The runs of blanks and emphasis are bounded to keep the search linear.
static ANNOUNCED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\banswers?[\s*_]{0,8}(?:(?:is|are|would be)\b[\s*_]{0,8}:?|:)[\s*_]{0,8}")
        .expect("the pattern is a constant, a failure is a bug")
});

fn answer_is(text: &str) -> Option<&str> {
    let announced = ANNOUNCED.find_iter(text).last()?;
    let line = text[announced.end()..].trim_start().lines().next()?;
    let sentence = sentence(line).trim();
    Some(sentence.trim_end_matches(['*', '_']).trim_end_matches('.').trim_end_matches(['*', '_']).trim())
}

/// The text up to the full stop that ends its first sentence; a stop inside a number or in braces is none.
fn sentence(line: &str) -> &str {
    let mut depth = 0_usize;
    let mut previous = '\0';
    for (at, c) in line.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            c if c.is_whitespace() && previous == '.' && depth == 0 => return &line[..at],
            _ => {}
        }
        previous = c;
    }
    line
}

/// The last formula. A dollar sign before a blank opens none and one after a blank closes none: that is money.
fn last_formula(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let mut last = None;
    // What closes the open formula, and where its content starts.
    let mut open: Option<(&str, usize)> = None;
    let mut at = 0;
    while let Some(step) = text.get(at..).and_then(|rest| rest.find(['$', '\\'])) {
        at += step;
        let mark = match (bytes.get(at), bytes.get(at + 1)) {
            (_, Some(b'$')) if bytes.get(at) == Some(&b'$') && open.is_none_or(|(close, _)| close != "$") => {
                "$$"
            }
            (Some(b'$'), _) => "$",
            (_, Some(b'(')) => "\\(",
            (_, Some(b'[')) => "\\[",
            (_, Some(b')')) => "\\)",
            (_, Some(b']')) => "\\]",
            (_, next) => {
                // Another command or an escaped character. Only an ASCII character is passed over, so that the
                // position stays on a character's start.
                at += 1 + usize::from(next.is_some_and(u8::is_ascii));
                continue;
            }
        };
        let after = at + mark.len();
        let blank_follows = bytes.get(after).is_none_or(u8::is_ascii_whitespace);
        open = match (open, mark) {
            (Some((close, start)), _) if close == mark => {
                let content = text.get(start..at).unwrap_or_default();
                let money =
                    mark == "$" && (content.ends_with(char::is_whitespace) || content.contains("\n\n"));
                if !money && !content.trim().is_empty() {
                    last = Some(content.trim());
                }
                (money && !blank_follows).then_some(("$", after))
            }
            (_, "\\(") => Some(("\\)", after)),
            (_, "\\[") => Some(("\\]", after)),
            (None, "$$") => Some(("$$", after)),
            (None, "$") if !blank_follows => Some(("$", after)),
            (open, _) => open,
        };
        at = after;
    }
    last
}

/// The longest run of digits, separators and signs that is read as a number, in bytes.
const MAX_NUMBER_BYTES: usize = 4096;

static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?:/[0-9]+(?:\.[0-9]+)?)?|\.[0-9]+")
        .expect("the pattern is a constant, a failure is a bug")
});

fn last_number(text: &str) -> Option<String> {
    let end = text.rfind(|c: char| c.is_ascii_digit())? + 1;
    let bytes = text.as_bytes();
    let part = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b',' | b'/' | b'e' | b'E' | b'+' | b'-');
    let run = bytes[..end].iter().rev().take(MAX_NUMBER_BYTES + 1).take_while(|b| part(**b)).count();
    if run > MAX_NUMBER_BYTES {
        return None;
    }
    let start = end - run;
    let found = NUMBER.find_iter(&text[start..end]).last()?;
    Some(signed(&text[..start + found.start()], found.as_str()))
}

/// The numbers in a text, as [`Step::LastNumber`] reads them.
pub(crate) fn numbers(text: &str) -> impl Iterator<Item = String> {
    NUMBER.find_iter(text).map(|found| signed(&text[..found.start()], found.as_str()))
}

/// Digits without separators and with the sign that stands before them. A currency sign may come between; a
/// minus sign after a digit, a letter or a closing bracket subtracts.
fn signed(before: &str, digits: &str) -> String {
    let before = before.strip_suffix('$').unwrap_or(before);
    let negative = before.strip_suffix(['-', '−']).is_some_and(|earlier| {
        !earlier.ends_with(|c: char| c.is_alphanumeric() || matches!(c, ')' | ']' | '}'))
    });
    let digits = digits.replace(',', "");
    if negative { format!("-{digits}") } else { digits }
}
