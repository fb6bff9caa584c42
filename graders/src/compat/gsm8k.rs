//! verl's grader of GSM8K. It looks at the last 300 characters only and compares text: `5.0` is not `5`.

use std::sync::LazyLock;

use regex::Regex;

use super::python::last_chars;

/// How much of the end of a completion is looked at, in characters.
const CLIP: usize = 300;

static MARKED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"#### (-?[0-9.,]+)").expect("the pattern is a constant, a failure is a bug")
});

static NUMBER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"-?[0-9.,]+").expect("the pattern is a constant, a failure is a bug"));

/// The last number after `#### `, without its commas. A currency sign before it hides it.
pub(super) fn strict(reference: &str, completion: &str) -> (bool, Option<String>) {
    let text = last_chars(completion, CLIP);
    let Some(found) = MARKED.captures_iter(text).last() else { return (false, None) };
    let answer = found[1].replace(',', "");
    (answer == reference, Some(answer))
}

/// The last run of digits, points and commas that is not a lone point, with its commas. When all are lone
/// points, the first one is the answer.
pub(super) fn flexible(reference: &str, completion: &str) -> (bool, Option<String>) {
    let text = last_chars(completion, CLIP);
    let found: Vec<&str> = NUMBER.find_iter(text).map(|found| found.as_str()).collect();
    let answer = found.iter().rev().find(|number| **number != ".").or(found.first());
    (answer.is_some_and(|answer| *answer == reference), answer.map(ToString::to_string))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_is_read() {
        let far = format!("#### 5{}", "x".repeat(CLIP));
        assert_eq!(strict("5", &far), (false, None));
        assert_eq!(strict("5", &far[6..]), (false, None));
        let near = format!("#### 5{}", "x".repeat(CLIP - 6));
        assert_eq!(strict("5", &near), (true, Some("5".to_owned())));
    }

    #[test]
    fn a_lone_point_is_an_answer_of_last_resort() {
        assert_eq!(flexible(".", "a . b ."), (true, Some(".".to_owned())));
        assert_eq!(flexible("3", "3 apples."), (true, Some("3".to_owned())));
        assert_eq!(flexible("3", "It is 3."), (false, Some("3.".to_owned())));
    }
}
