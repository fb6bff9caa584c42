//! verl's grader of DAPO. It looks at the last 300 characters, takes the last `Answer:` line and normalises
//! it and the reference as Minerva's evaluation did (arXiv:2206.14858, appendix D.1): everything before the
//! last `=` is dropped, units and articles are deleted wherever their letters stand.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::python::{is_digit, last_chars, strip};

/// How much of the end of a completion is looked at, in characters.
const CLIP: usize = 300;
/// How much of that is searched for a box.
const BOX_CLIP: usize = 100;
/// What stands for an answer that was not found.
const NONE: &str = "[INVALID]";

/// The last `Answer:` line only.
pub(super) fn minerva(reference: &str, completion: &str) -> (bool, Option<String>) {
    let answer = answer_line(last_chars(completion, CLIP));
    (answer == normal(reference), Some(answer))
}

/// The last `Answer:` line, or the last box where there is none.
pub(super) fn with_box(reference: &str, completion: &str) -> (bool, Option<String>) {
    let by_line = minerva(reference, completion);
    if by_line.1.as_deref() != Some(NONE) {
        return by_line;
    }
    match strict_box(reference, completion) {
        (_, None) => by_line,
        by_box => by_box,
    }
}

/// The last box of the last 100 characters, character by character.
pub(super) fn strict_box(reference: &str, completion: &str) -> (bool, Option<String>) {
    let answer = last_box(last_chars(completion, BOX_CLIP));
    (answer == Some(reference), answer.map(ToOwned::to_owned))
}

/// What the last `\boxed{` holds, if it is closed.
fn last_box(text: &str) -> Option<&str> {
    const OPEN: &str = "\\boxed{";
    let content = &text[text.rfind(OPEN)? + OPEN.len()..];
    super::closed(content)
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is a constant, a failure is a bug")
}

fn answer_line(text: &str) -> String {
    static LINE: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"(?i:answer)[\s\x1c-\x1f]*:[\s\x1c-\x1f]*([^\n]+)"));
    LINE.captures_iter(text).last().map_or_else(|| normal(NONE), |found| normal(&found[1]))
}

/// Replaced one after another, in this order.
const REPLACED: [(&str, &str); 10] = [
    ("an ", ""),
    ("a ", ""),
    (".$", "$"),
    ("\\$", ""),
    ("\\ ", ""),
    (" ", ""),
    ("mbox", "text"),
    (",\\text{and}", ","),
    ("\\text{and}", ","),
    ("\\text{m}", "\\text{}"),
];

/// Deleted one after another, in this order, wherever they stand.
const DELETED: [&str; 40] = [
    "square",
    "ways",
    "integers",
    "dollars",
    "mph",
    "inches",
    "hours",
    "km",
    "units",
    "\\ldots",
    "sue",
    "points",
    "feet",
    "minutes",
    "digits",
    "cents",
    "degrees",
    "cm",
    "gm",
    "pounds",
    "meters",
    "meals",
    "edges",
    "students",
    "childrentickets",
    "multiples",
    "\\text{s}",
    "\\text{.}",
    "\\text{\ns}",
    "\\text{}^2",
    "\\text{}^3",
    "\\text{\n}",
    "\\text{}",
    "\\mathrm{th}",
    "^\\circ",
    "^{\\circ}",
    "\\;",
    ",\\!",
    "{,}",
    "\"",
];

/// Minerva's normal form of an answer.
fn normal(answer: &str) -> String {
    static FORMULA: LazyLock<Regex> = LazyLock::new(|| pattern(r".*?\$(.*?)\$.*"));
    // Commands whose argument stays; only the box goes to the line's last brace.
    static UNWRAPPED: LazyLock<[Regex; 4]> = LazyLock::new(|| {
        [r"\\text\{(.*?)\}", r"\\textbf\{(.*?)\}", r"\\overline\{(.*?)\}", r"\\boxed\{(.*)\}"].map(pattern)
    });
    static SHORT_FRACTION: LazyLock<Regex> = LazyLock::new(|| pattern(r"frac([^{])(.)"));
    static SHORT_ROOT: LazyLock<Regex> = LazyLock::new(|| pattern(r"sqrt([^{])"));

    let mut text = answer.rsplit('=').next().unwrap_or_default().to_owned();
    for (from, to) in REPLACED {
        text = text.replace(from, to);
    }
    for deleted in DELETED {
        text = text.replace(deleted, "");
    }
    text = text.replace("\\dots", "");
    text = FORMULA.replace_all(&text, |found: &Captures<'_>| format!("${}$", &found[1])).into_owned();
    for wrapper in UNWRAPPED.iter() {
        text = wrapper.replace_all(&text, |found: &Captures<'_>| found[1].to_owned()).into_owned();
    }
    text = SHORT_FRACTION
        .replace_all(&text, |found: &Captures<'_>| format!("frac{{{}}}{{{}}}", &found[1], &found[2]))
        .into_owned();
    text =
        SHORT_ROOT.replace_all(&text, |found: &Captures<'_>| format!("sqrt{{{}}}", &found[1])).into_owned();
    text = text.replace('$', "");
    let bare = text.replace(',', "");
    if is_digit(&bare) {
        text = bare;
    }
    strip(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_forms() {
        for (answer, expected) in [
            ("x = \\frac12", "\\frac{1}{2}"),
            ("1,234", "1234"),
            ("$\\sqrt3$ units.", "\\sqrt{3}"),
            ("a square", ""),
            ("10{,}000", "10000"),
            ("\\text{(B)}", "(B)"),
            ("0,1", "01"),
        ] {
            assert_eq!(normal(answer), expected, "{answer}");
        }
    }

    #[test]
    fn the_box_counts_only_without_an_answer_line() {
        assert!(with_box("5", "\\boxed{5}").0);
        assert!(!minerva("5", "\\boxed{5}").0);
        assert!(!with_box("5", "Answer: 6 \\boxed{5}").0);
        assert!(!strict_box("1/2", "\\boxed{ 1/2}").0);
    }
}
