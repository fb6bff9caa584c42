//! The answer in a reference that is a whole sentence or solution.

use std::borrow::Cow;

use super::{announced, boxed, conclusion, formula, numeral};

/// The answer that a reference states, for a grader that compares with it.
///
/// - The content of its box, or the list of its boxes, by the rule for completions.
/// - What follows its last `####`.
/// - In prose: the answer it announces ("So the answer is 7."), or the value that its one
///   sentence concludes with ("Thus the area is $7$.").
/// - Else the text as it is, trimmed. A bare answer is never changed, but for backslashes that are all doubled.
pub(crate) fn reference(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    if let Some(found) = boxed::answer(text).filter(|found| !found.trim().is_empty()) {
        return found;
    }
    if let Some(found) = numeral::after_hash(text).filter(|found| !found.is_empty()) {
        return Cow::Owned(found);
    }
    let found = if is_prose(text) { announced::answer(text).or_else(|| conclusion::of(text)) } else { None };
    super::unescaped_commands(found.unwrap_or(text))
}

/// Whether a text is a sentence: at least two words outside its formulas and commands.
pub(super) fn is_prose(text: &str) -> bool {
    let mut words = 0;
    let mut at = 0;
    let mut count = |part: &str| {
        let plain = |word: &&str| {
            let word = word.trim_matches(['.', ',', ':', ';', '*', '_']);
            word.chars().count() > 1 && word.chars().all(char::is_alphabetic)
        };
        words += part.split_whitespace().filter(plain).count();
        // Without blanks between words, two ideographs are a sentence's worth.
        words += part.chars().filter(|c| ('\u{4e00}'..='\u{9fff}').contains(c)).count();
    };
    for found in formula::formulas(text) {
        count(&text[at..found.start]);
        at = found.end;
    }
    count(&text[at..]);
    words >= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        for (text, expected) in [
            (r"So the answer is: \[ \boxed{11111111100} \]", "11111111100"),
            (r"$x = \boxed{2}$ or $x = \boxed{3}$", "2, 3"),
            ("48 / 2 = 24 and 48 + 24 = 72.\n#### 72", "72"),
            ("So the answer is 7.", "7"),
            ("Thus the area is $\\frac{1}{2}$.", "\\frac{1}{2}"),
            ("Hence we get \\[ x = 5. \\]", "x = 5."),
            ("The area of $ABC$ is 7.", "7"),
            ("The area is 6. The volume is 7.", "The area is 6. The volume is 7."),
            // A part of the statement is not the answer.
            ("all integers except $0$", "all integers except $0$"),
            ("The numbers whose last digit is $3$", "The numbers whose last digit is $3$"),
            ("The $3$ is $7$", "The $3$ is $7$"),
            ("The midpoint of $AB$", "The midpoint of $AB$"),
            // Bare answers stay.
            (" $5$ cm ", "$5$ cm"),
            ("$5$", "$5$"),
            ("x = 5", "x = 5"),
            (r"$\\left(1, \\frac{1}{2}\\right)$", r"$\left(1, \frac{1}{2}\right)$"),
            (r"\text{east}", r"\text{east}"),
            (r"\boxed{}", r"\boxed{}"),
            ("", ""),
        ] {
            assert_eq!(reference(text), expected, "{text:?}");
        }
    }
}
