//! What follows "the answer is" and its like.

use std::sync::LazyLock;

use regex::Regex;

use super::{conclusion, formula};

/// Phrases that announce an answer, and headings `Final answer` on a line of their own. Runs of blanks and
/// emphasis are bounded; the regex crate searches in linear time.
static ANNOUNCED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?im)",
        // On its own line: a heading.
        r"^[#*_ \t]{0,12}(?:the[ \t])?(?:final[ \t])?answer[*_ \t]{0,8}\r?$",
        // ASCII boundaries, because Unicode's are slow to search for.
        r"|(?-u:\b)answers?",
        r"(?:\s(?:to|for|of)\s(?:the|this|that|our|your)\s(?:[a-z]{1,16}\s)?",
        r"(?:question|problem|puzzle|equation|exercise))?",
        r"[\s*_]{0,8}",
        r"(?:(?:is|are|was|equals?|(?:would|should|must|will)\sbe)(?-u:\b)",
        r"(?:,?\s(?:therefore|thus|hence|simply|just|then|indeed|clearly|equal\sto|given\sby)(?-u:\b),?)?",
        r"[\s*_]{0,8}:?|[:：=])",
        r"[\s*_]{0,8}",
        r"|答案(?:应该|应当|就)?(?:是|为|[:：])[\s*_]{0,8}[:：]?",
    ))
    .expect("the pattern is a constant, a failure is a bug")
});

/// The last answer that a text announces: the rest of its sentence, or the formula that this rest is, or the
/// value that it [concludes](conclusion) with.
///
/// Emphasis and full stops at its ends do not belong to it. A reason after a formula ("because …") does not
/// either; after anything else it stays, because only the grader knows whether it hedges. Where one sentence
/// announces two answers with `or` or `and` between them, the answer is both, as written.
pub(super) fn answer(text: &str) -> Option<&str> {
    found(text).map(|found| found.answer)
}

/// The answer that a text announces last, where it is announced as the final one, behind a position, and is
/// plain: a formula, or a number with at most two words.
pub(super) fn final_answer(text: &str, behind: usize) -> Option<&str> {
    let Announced { start, end, answer, formula } = found(text)?;
    let before = text[..start].trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '*' | '_'));
    let is_final = |text: &str| text.to_lowercase().contains("final");
    let word = before.len().checked_sub("final".len()).and_then(|at| before.get(at..)).unwrap_or_default();
    if start < behind || !(is_final(word) || is_final(&text[start..end])) {
        return None;
    }
    let words = answer.split(|c: char| !c.is_alphabetic()).filter(|word| word.len() > 1).count();
    (formula || (answer.contains(|c: char| c.is_ascii_digit()) && words <= 2)).then_some(answer)
}

/// The last announcement.
struct Announced<'a> {
    /// Where its phrase begins and ends.
    start: usize,
    end: usize,
    answer: &'a str,
    /// Whether the answer is a formula.
    formula: bool,
}

fn found(text: &str) -> Option<Announced<'_>> {
    let found: Vec<(usize, usize)> = ANNOUNCED.find_iter(text).map(|m| (m.start(), m.end())).collect();
    let joined = |pair: &&[(usize, usize)]| match pair {
        [a, b] => joined(&text[a.1..b.0]),
        _ => false,
    };
    let links = found.windows(2).rev().take_while(joined).count();
    let &(start, end) = found.get(found.len().checked_sub(1 + links)?)?;
    let &(_, last) = found.last()?;
    if links > 0 {
        let rest = super::first_line(&text[last..]);
        let answer = without_emphasis(&text[end..last + sentence(rest).len()]);
        return Some(Announced { start, end, answer, formula: false });
    }
    let line = content_line(&text[end..])?;
    let sentence = without_emphasis(sentence(super::first_line(line)));
    if let Some(answer) = leading_formula(line).or_else(|| formula::only(sentence)) {
        return Some(Announced { start, end, answer, formula: true });
    }
    let answer = conclusion::of(sentence).unwrap_or(sentence);
    (!answer.is_empty()).then_some(Announced { start, end, answer, formula: false })
}

/// Whether a text leads from one announced answer to another in the same sentence.
fn joined(between: &str) -> bool {
    let mut last_words = between.split_whitespace().rev().take(6).map(|word| word.trim_matches([',', ';']));
    !between.contains("\n\n")
        && sentence(between).len() == between.len()
        && last_words
            .any(|word| matches!(word.to_lowercase().as_str(), "or" | "and" | "或" | "maybe" | "perhaps"))
}

/// The rest of a text from the first line on that says something, without the marks before it.
fn content_line(text: &str) -> Option<&str> {
    let marks = |c: char| c.is_whitespace() || matches!(c, '#' | '`');
    let rest = text.trim_start_matches(marks);
    (!rest.is_empty()).then_some(rest)
}

/// The content of the formula that a text begins with, when its sentence ends with it or goes on with a reason.
fn leading_formula(text: &str) -> Option<&str> {
    let plain = text.trim_start_matches(['*', '_']);
    if !(plain.starts_with('$') || plain.starts_with("\\(") || plain.starts_with("\\[")) {
        return None;
    }
    let found = formula::formulas(plain).next().filter(|found| found.start == 0)?;
    let after = super::first_line(&plain[found.end..]).trim_start_matches(['*', '_', ' ', '\t', '\r']);
    let stop = after.trim_start_matches(['.', ',', ';', '。', '，']).trim_start_matches(['*', '_']);
    let ends =
        stop.trim().is_empty() || (after.starts_with(['.', '。']) && stop.starts_with(char::is_whitespace));
    (ends || reason(stop)).then_some(found.content)
}

/// Whether a text begins with words that give a reason, which cannot change the value before them.
fn reason(text: &str) -> bool {
    const WORDS: [&str; 6] = ["because ", "since ", "as required", "as desired", "as claimed", "by "];
    let text = text.trim_start();
    WORDS.iter().any(|word| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)))
}

/// The text up to the full stop that ends its first sentence; a stop inside a number or in braces is none.
fn sentence(line: &str) -> &str {
    let mut depth = 0_usize;
    let mut previous = '\0';
    for (at, c) in line.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            '。' if depth == 0 => return &line[..at],
            c if c.is_whitespace() && matches!(previous, '.') && depth == 0 => return &line[..at],
            _ => {}
        }
        if !matches!(c, '*' | '_') {
            previous = c;
        }
    }
    line
}

/// A text without emphasis, quotation marks and full stops at its ends.
fn without_emphasis(text: &str) -> &str {
    let marks = |c: char| matches!(c, '*' | '_' | '`') || c.is_whitespace();
    let text = text.trim_start_matches(marks).trim_end_matches(marks);
    let text = text.strip_suffix('.').unwrap_or(text).trim_end_matches(marks);
    for (open, close) in [("\\\"", "\\\""), ("\"", "\""), ("“", "”")] {
        if let Some(inner) = text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close)) {
            return inner.strip_suffix('.').unwrap_or(inner).trim();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announced_answers() {
        for (text, expected) in [
            ("The final answer is $x^2$. I hope it is correct.", Some("x^2")),
            ("ANSWER: x^{2}", Some("x^{2}")),
            ("So the answer should be 7.", Some("7")),
            ("Answer = 7", Some("7")),
            ("The answer is, therefore, 7", Some("7")),
            ("the answer to this problem is 7.", Some("7")),
            ("**Final Answer:** 42", Some("42")),
            ("**Final Answer: 42**", Some("42")),
            ("### Final Answer\n\n42\n", Some("42")),
            ("**Answer**\n$$\nx = 5\n$$\nas said", Some("x = 5")),
            ("The answer is:\n\\[\n\\frac{1}{2}\n\\]", Some("\\frac{1}{2}")),
            ("The answer is $5$ because $2+3=5$.", Some("5")),
            ("The answer is $5$, since $2+3=5$.", Some("5")),
            ("The answer is $5$ million.", Some("$5$ million")),
            ("The answer is $5$ or $6$.", Some("$5$ or $6$")),
            ("The answer is not $5$.", Some("not $5$")),
            ("The answer is $5 now and $6 later", Some("$5 now and $6 later")),
            ("The answer is 12 or the answer is 13.", Some("12 or the answer is 13")),
            ("The answer is 12\nor the answer is $13$. Yes.", Some("12\nor the answer is $13$")),
            ("The answer is 12. The answer is 13.", Some("13")),
            ("答案是 42。", Some("42")),
            ("最终答案：42", Some("42")),
            ("answer: 3\\nThat is all", Some("3")),
            ("the answer is x**2", Some("x**2")),
            ("Answer: `7`", Some("7")),
            ("The answer is \"7\".", Some("7")),
            ("The answer is “$7$.”", Some("7")),
            ("Final answer: The volume of $ABCD$ is 120. I hope so.", Some("120")),
            ("Answer: The volume is not 120.", Some("The volume is not 120")),
            ("Answer:", None),
            ("an answer", None),
        ] {
            assert_eq!(answer(text), expected, "{text:?}");
        }
    }

    #[test]
    fn announced_as_final() {
        for (text, expected) in [
            ("$7$. Final Answer: The final answer is $8$. I hope it is correct.", Some("8")),
            ("7. **Final Answer:** 8", Some("8")),
            ("### Final answer\n\n8 apples", Some("8 apples")),
            ("7. The answer is 8", None),
            ("I hope that this final answer is correct.", None),
            ("Final answer: see the second of my 3 steps above", None),
        ] {
            assert_eq!(final_answer(text, 0), expected, "{text:?}");
            assert_eq!(final_answer(text, text.len()), None, "{text:?}");
        }
    }
}
