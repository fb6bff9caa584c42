//! Finding the answer in a completion.
//!
//! An [`Extractor`] is an ordered list of [`Step`]s. The first step that finds something decides, and the
//! verdict says which it was. When the answer it found then turns out to be no answer at all, no later step is
//! tried: a ladder that climbs on after a failed parse is what reward hacking feeds on.
//!
//! What follows the model's own turn ([`turn`]) does not count, nor do thoughts ([`thought::answer_part`]) and
//! what a reader of the rendered text would not take for the answer: HTML comments and programs in code fences
//! ([`hidden`]). Every step reads the text a bounded number of times, from one end to the other, so that the
//! work grows with its length and no part of it has to be left out.

mod announced;
mod bold;
mod boxed;
mod conclusion;
mod formula;
mod hidden;
mod joiner;
mod numeral;
mod reference;
mod turn;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::thought;

pub(crate) use numeral::numbers;
pub(crate) use reference::reference;

/// One way of finding the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// The content of the last closed `<answer>…</answer>`, trimmed.
    AnswerTag,
    /// A formula or number that the text, behind all its boxes, announces last as the "final answer". Boxes
    /// before it were steps on the way.
    FinalAnswer,
    /// The content of the last `\boxed{…}` or `\fbox{…}` with balanced braces; `\boxed 5` counts too. Boxes
    /// that only `and`, `or`, punctuation or the name of a value join are one answer, a list.
    Boxed,
    /// What follows the last `####` on its line, as in GSM8K, without dollar signs and thousands separators.
    Hash,
    /// What follows the last "answer is", "answer:", "answer should be", "答案是" or heading "Final answer", in
    /// its sentence.
    AnswerIs,
    /// The last bold span: `**…**`.
    Bold,
    /// The last formula: `$…$`, `$$…$$`, `\(…\)` or `\[…\]`.
    LastFormula,
    /// The last number, without thousands separators; a fraction such as `3/4` is one number.
    LastNumber,
    /// The last line that is not blank, trimmed.
    LastLine,
    /// The whole text, if it is a bare answer and no sentence: fewer than two words outside its formulas.
    Bare,
    /// The whole text, trimmed.
    Whole,
}

impl Step {
    /// The name on the wire.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::AnswerTag => "answer_tag",
            Self::FinalAnswer => "final_answer",
            Self::Boxed => "boxed",
            Self::Hash => "hash",
            Self::AnswerIs => "answer_is",
            Self::Bold => "bold",
            Self::LastFormula => "last_formula",
            Self::LastNumber => "last_number",
            Self::LastLine => "last_line",
            Self::Bare => "bare",
            Self::Whole => "whole",
        }
    }

    /// What this step finds in a completion: `text` is its visible part, `shown` the same with blanks in
    /// place of what a reader would not see.
    fn find<'a>(self, text: &'a str, shown: &Cow<'a, str>) -> Option<Cow<'a, str>> {
        let found = match self {
            Self::AnswerTag => {
                thought::answer_tag_at(shown).map(|(start, end)| Cow::Borrowed(text[start..end].trim()))
            }
            Self::LastLine => text.trim_end().lines().next_back().map(str::trim).map(Cow::Borrowed),
            Self::Bare => (!reference::is_prose(text)).then(|| Cow::Borrowed(text.trim())),
            Self::Whole => Some(Cow::Borrowed(text.trim())),
            _ => match shown {
                Cow::Borrowed(shown) => self.find_shown(shown),
                Cow::Owned(shown) => self.find_shown(shown).map(|found| Cow::Owned(found.into_owned())),
            },
        };
        found.filter(|found| !found.is_empty() || matches!(self, Self::AnswerTag | Self::Boxed))
    }

    fn find_shown(self, text: &str) -> Option<Cow<'_, str>> {
        match self {
            Self::FinalAnswer => announced::final_answer(text, boxed::end(text)).map(unescaped_commands),
            Self::Boxed => boxed::answer(text),
            Self::Hash => numeral::after_hash(text).map(Cow::Owned),
            Self::AnswerIs => announced::answer(text).map(unescaped_commands),
            Self::Bold => bold::last(text).map(Cow::Borrowed),
            Self::LastFormula => {
                formula::formulas(text).last().map(|found| unescaped_commands(found.content))
            }
            Self::LastNumber => numeral::last(text).map(Cow::Owned),
            Self::AnswerTag | Self::LastLine | Self::Bare | Self::Whole => None,
        }
    }
}

/// An answer and the step that found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extracted<'a> {
    /// The answer as written; empty when the tag or box is there and holds nothing.
    pub(crate) text: Cow<'a, str>,
    /// The step that found it.
    pub(crate) step: Step,
    /// What stands in the box or boxes of `text`, where there are any.
    inner: Option<String>,
}

impl<'a> Extracted<'a> {
    fn new(text: Cow<'a, str>, step: Step) -> Self {
        let boxes = text.contains("boxed") || text.contains("fbox");
        let inner = match step {
            _ if !boxes => None,
            // What stands beside a box in a box is a part of the answer.
            Step::Boxed => boxed::bare_answer(&text),
            _ => boxed::only_answer(&text),
        };
        let inner = inner.map(|inner| inner.trim().to_owned());
        Self { text, step, inner }
    }

    /// The answer without the box around it: a tag or a line that holds exactly one `\boxed{}`, or the boxes
    /// of one list, means what stands there. With other boxes beside it stays as it is, because choosing one
    /// would reward hedging.
    pub(crate) fn unboxed(&self) -> &str {
        self.inner.as_deref().unwrap_or(&self.text)
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

    /// The steps that need an explicit mark, so that nothing is guessed: tag, "final answer", box, `####`,
    /// "answer is".
    pub(crate) fn marked() -> Self {
        Self::of(&[Step::AnswerTag, Step::FinalAnswer, Step::Boxed, Step::Hash, Step::AnswerIs])
    }

    /// The answer in `text`, outside its thoughts.
    pub(crate) fn extract<'a>(&self, text: &'a str) -> Option<Extracted<'a>> {
        let visible = thought::answer_part(turn::own(text));
        let shown = hidden::shown(visible);
        self.steps.iter().find_map(|&step| step.find(visible, &shown).map(|text| Extracted::new(text, step)))
    }
}

/// The text up to its first line's end. Text that was escaped for JSON has `\n` for it, written out; before a
/// letter that is a command such as `\neq`.
fn first_line(text: &str) -> &str {
    let line = text.lines().next().unwrap_or_default();
    let escaped = |(at, mark): &(usize, &str)| {
        !line[at + mark.len()..].starts_with(|c: char| c.is_ascii_lowercase() || matches!(c, 'L' | 'R' | 'V'))
            && !line[..*at].ends_with('\\')
    };
    line.match_indices("\\n").find(escaped).map_or(line, |(at, _)| &line[..at])
}

/// Halves the backslashes of a text whose every run of them is even, as in text that was escaped for JSON.
fn unescaped(text: &str) -> Cow<'_, str> {
    let mut runs = text.split(|c| c != '\\').map(str::len);
    if text.contains('\\') && runs.all(|length| length % 2 == 0) {
        Cow::Owned(text.replace("\\\\", "\\"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The same, where a command's name follows a doubled backslash; a line break has a blank after it.
fn unescaped_commands(text: &str) -> Cow<'_, str> {
    let command = |(at, mark): (usize, &str)| {
        text[at + mark.len()..].bytes().take(2).filter(u8::is_ascii_alphabetic).count() == 2
    };
    if text.match_indices("\\\\").any(command) { unescaped(text) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        for (text, line) in [
            ("a\nb", "a"),
            ("3\\nNext", "3"),
            ("3\\n", "3"),
            ("x\\neq 3", "x\\neq 3"),
            ("a\\\\nb", "a\\\\nb"),
            ("", ""),
        ] {
            assert_eq!(first_line(text), line, "{text:?}");
        }
    }

    #[test]
    fn backslashes() {
        for (text, plain) in [
            (r"\\frac{1}{2}", r"\frac{1}{2}"),
            (r"\\left(1, \\frac{1}{2}\\right)", r"\left(1, \frac{1}{2}\right)"),
            (r"\frac{1}{2}", r"\frac{1}{2}"),
            (r"1 \\ 2", r"1 \\ 2"),
            (r"\begin{cases} a \\bb \end{cases}", r"\begin{cases} a \\bb \end{cases}"),
        ] {
            assert_eq!(unescaped_commands(text), plain, "{text:?}");
        }
    }

    #[test]
    fn boxes_in_what_was_found() {
        for (text, whole, unboxed) in [
            (r"<answer>It is $\boxed{4}$.</answer>", r"It is $\boxed{4}$.", "4"),
            (r"<answer>\boxed{3} or \boxed{4}</answer>", r"\boxed{3} or \boxed{4}", "3, 4"),
            (
                r"<answer>\boxed{3}. No: \boxed{4}</answer>",
                r"\boxed{3}. No: \boxed{4}",
                r"\boxed{3}. No: \boxed{4}",
            ),
            (r"\boxed{\boxed{3} or \boxed{4}}", r"\boxed{3} or \boxed{4}", "3, 4"),
            (r"\boxed{12 or \boxed{4}}", r"12 or \boxed{4}", r"12 or \boxed{4}"),
            (r"\boxed{}", "", ""),
        ] {
            let found = Extractor::marked()
                .extract(text)
                .map(|found| (found.text.clone().into_owned(), found.unboxed().to_owned()));
            assert_eq!(found, Some((whole.to_owned(), unboxed.to_owned())), "{text:?}");
        }
    }
}
