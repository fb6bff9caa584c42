//! When what a program printed is what was expected.
//!
//! A line ends at `\n` and nowhere else; white space is the space, the tab, and the carriage return before a
//! line's end. Look-alikes of line ends, blanks and digits are text like any other.

use super::decimal::{Decimal, Tolerance};
use super::equality::key;
use super::json::Json;

/// How the output of a program is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct TextRule {
    pub(super) form: Form,
    /// Whether ASCII letters are the same in both cases.
    pub(super) case_insensitive: bool,
}

/// What is compared with what.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Form {
    /// Line by line, where blanks at the end of a line and blank lines at the end do not count.
    #[default]
    Lines,
    /// As `Lines`, in any order.
    LinesAnyOrder,
    /// Byte by byte.
    Exact,
    /// Word by word; how they are laid out does not count.
    Tokens,
    /// As `Tokens`, in any order.
    TokensAnyOrder,
    /// As `Tokens`, where a number that is expected with a point or an exponent may be as far off as the
    /// tolerance says, and any other number has to have the same value.
    Float(Tolerance),
    /// Both are one JSON value: the order of keys and the layout do not count, numbers count by their value.
    Json,
}

impl TextRule {
    /// Whether `output` is what was expected. Output that is not UTF-8 never is.
    pub(super) fn holds(self, output: &[u8], expected: &str) -> bool {
        let Ok(output) = std::str::from_utf8(output) else { return false };
        match self.form {
            Form::Exact => output == expected,
            Form::Lines => self.same_words(&lines(output), &lines(expected)),
            Form::LinesAnyOrder => self.same_in_any_order(&lines(output), &lines(expected)),
            Form::Tokens => self.same_words(&tokens(output), &tokens(expected)),
            Form::TokensAnyOrder => self.same_in_any_order(&tokens(output), &tokens(expected)),
            Form::Float(_) => {
                let (output, expected) = (tokens(output), tokens(expected));
                output.len() == expected.len()
                    && output.iter().zip(&expected).all(|(output, expected)| self.same_word(output, expected))
            }
            Form::Json => json_key(output).is_some_and(|output| Some(output) == json_key(expected)),
        }
    }

    /// The number of the first line that differs, from 1, and that line on both sides, where lines have an
    /// order; a line that is not there is empty.
    pub(super) fn first_difference<'t>(self, output: &'t str, expected: &'t str) -> Option<Difference<'t>> {
        if matches!(self.form, Form::LinesAnyOrder | Form::TokensAnyOrder | Form::Json) {
            return None;
        }
        let same = |output: &str, expected: &str| match self.form {
            Form::Exact => output == expected,
            Form::Lines => self.same_word(end_stripped(output), end_stripped(expected)),
            _ => {
                let (output, expected) = (tokens(output), tokens(expected));
                output.len() == expected.len()
                    && output.iter().zip(&expected).all(|(output, expected)| self.same_word(output, expected))
            }
        };
        let (mut left, mut right) = (output.split('\n'), expected.split('\n'));
        let mut line = 0;
        loop {
            line += 1;
            let (output, expected) = (left.next(), right.next());
            if output.is_none() && expected.is_none() {
                return None;
            }
            let (found, wanted) = (output.unwrap_or(""), expected.unwrap_or(""));
            if !same(found, wanted) || (self.form == Form::Exact && output.is_some() != expected.is_some()) {
                return Some(Difference { line, got: found, expected: wanted });
            }
        }
    }

    fn same_word(self, output: &str, expected: &str) -> bool {
        let same =
            if self.case_insensitive { output.eq_ignore_ascii_case(expected) } else { output == expected };
        let Form::Float(tolerance) = self.form else { return same };
        same || match (Decimal::read(output), Decimal::read(expected)) {
            (Some(output), Some(expected)) => {
                output.is_same(&expected)
                    || (!expected.is_whole && tolerance.allows(output.nearest(), expected.nearest()))
            }
            _ => false,
        }
    }

    fn same_words(self, output: &[&str], expected: &[&str]) -> bool {
        output.len() == expected.len()
            && output.iter().zip(expected).all(|(output, expected)| self.same_word(output, expected))
    }

    fn same_in_any_order(self, output: &[&str], expected: &[&str]) -> bool {
        let sorted = |words: &[&str]| {
            let one = |word: &&str| {
                if self.case_insensitive { word.to_ascii_lowercase() } else { (*word).to_owned() }
            };
            let mut words: Vec<String> = words.iter().map(one).collect();
            words.sort_unstable();
            words
        };
        output.len() == expected.len() && sorted(output) == sorted(expected)
    }
}

/// Where two outputs part.
pub(super) struct Difference<'t> {
    pub(super) line: usize,
    pub(super) got: &'t str,
    pub(super) expected: &'t str,
}

/// The lines without blanks at their ends, and without blank ones at the end of the text.
fn lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.split('\n').map(end_stripped).collect();
    while lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    lines
}

fn end_stripped(line: &str) -> &str {
    line.strip_suffix('\r').unwrap_or(line).trim_end_matches([' ', '\t'])
}

fn tokens(text: &str) -> Vec<&str> {
    text.split([' ', '\t', '\n', '\r']).filter(|token| !token.is_empty()).collect()
}

/// Whether a text can be expected under [`Form::Json`].
pub(super) fn is_json(text: &str) -> bool {
    json_key(text).is_some()
}

fn json_key(text: &str) -> Option<Vec<u8>> {
    Json::read(text).ok()?.into_plain().map(|value| key(&value))
}
