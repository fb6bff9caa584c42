//! References are recomputed here without the generator's arithmetic.

use gavel::tasks::{environment, environments};
use graders::{Rubric, Task, content_hash};

use super::generation::{prompt, some};

/// A fraction, independent of the generators'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fraction(i128, i128);

impl Fraction {
    fn of(numerator: i128, denominator: i128) -> Self {
        assert_ne!(denominator, 0);
        let (mut a, mut b) = (numerator.abs(), denominator.abs());
        while b != 0 {
            (a, b) = (b, a % b);
        }
        let a = a.max(1) * denominator.signum();
        Self(numerator / a, denominator / a)
    }

    fn apply(self, operator: u8, other: Self) -> Self {
        match operator {
            b'+' => Self::of(self.0 * other.1 + other.0 * self.1, self.1 * other.1),
            b'-' => Self::of(self.0 * other.1 - other.0 * self.1, self.1 * other.1),
            b'*' => Self::of(self.0 * other.0, self.1 * other.1),
            b'/' => Self::of(self.0 * other.1, self.1 * other.0),
            _ => panic!("no operator"),
        }
    }
}

/// Recursive descent over `+ - * / ( )` and decimals.
struct Evaluator<'a> {
    rest: &'a [u8],
    /// The numbers it met.
    numbers: Vec<i64>,
}

fn evaluate(text: &str) -> (Fraction, Vec<i64>) {
    let text = text.replace('×', "*").replace('÷', "/").replace(' ', "");
    let mut evaluator = Evaluator { rest: text.as_bytes(), numbers: Vec::new() };
    let value = evaluator.sum();
    assert!(evaluator.rest.is_empty(), "{text}");
    (value, evaluator.numbers)
}

impl Evaluator<'_> {
    fn next_in(&mut self, set: &[u8]) -> Option<u8> {
        let byte = *self.rest.first().filter(|byte| set.contains(byte))?;
        self.rest = &self.rest[1..];
        Some(byte)
    }

    fn sum(&mut self) -> Fraction {
        let mut value = self.product();
        while let Some(operator) = self.next_in(b"+-") {
            value = value.apply(operator, self.product());
        }
        value
    }

    fn product(&mut self) -> Fraction {
        let mut value = self.factor();
        while let Some(operator) = self.next_in(b"*/") {
            value = value.apply(operator, self.factor());
        }
        value
    }

    fn factor(&mut self) -> Fraction {
        if self.next_in(b"(").is_some() {
            let value = self.sum();
            self.next_in(b")").unwrap();
            return value;
        }
        if self.next_in(b"-").is_some() {
            return Fraction(0, 1).apply(b'-', self.factor());
        }
        let end = self.rest.iter().position(|b| !b.is_ascii_digit() && *b != b'.').unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest;
        let digits = std::str::from_utf8(digits).unwrap();
        if let Ok(number) = digits.parse() {
            self.numbers.push(number);
        }
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        Fraction::of(format!("{whole}{part}").parse().unwrap(), 10_i128.pow(part.len() as u32))
    }
}

fn reference(task: &Task) -> Fraction {
    evaluate(task.reference.as_ref().unwrap().as_str().unwrap()).0
}

fn working(task: &Task) -> Vec<String> {
    serde_json::from_value(task.metadata["working"].clone()).unwrap()
}

#[test]
fn arithmetic_references_are_the_values_of_the_expressions() {
    for task in some("arithmetic", 5_000) {
        let question = prompt(&task).lines().next().unwrap();
        let expected = if let Some(rest) = question.strip_prefix("What is the remainder when ") {
            let (dividend, divisor) = rest.trim_end_matches('?').split_once(" is divided by ").unwrap();
            let (dividend, divisor) = (evaluate(dividend).0, evaluate(divisor).0);
            assert_eq!((dividend.1, divisor.1), (1, 1));
            Fraction(dividend.0.rem_euclid(divisor.0), 1)
        } else {
            let start = question.find(|c: char| c.is_ascii_digit() || c == '(').unwrap();
            evaluate(question[start..].trim_end_matches(['?', '.'])).0
        };
        assert_eq!(reference(&task), expected, "{question}");
    }
}

/// Every line of the working is a true equation, and the last one gives the reference.
#[test]
fn the_working_of_stories_holds_and_ends_at_the_reference() {
    for task in some("word_problem", 5_000) {
        let lines = working(&task);
        let mut last = None;
        for line in &lines {
            let equation = line.rsplit_once(": ").unwrap().1;
            let (left, right) = equation.split_once(" = ").unwrap();
            if let Some((quotient, rest)) = right.split_once(" remainder ") {
                let (dividend, divisor) = left.split_once(" / ").unwrap();
                let [a, b, q, r]: [i64; 4] =
                    [dividend, divisor, quotient, rest].map(|text| text.parse().unwrap());
                assert!(a == b * q + r && (0..b).contains(&r), "{line}");
                last = Some(Fraction(r.into(), 1));
            } else {
                assert_eq!(evaluate(left).0, evaluate(right).0, "{line}");
                last = Some(evaluate(right).0);
            }
        }
        assert_eq!(last, Some(reference(&task)), "{lines:#?}");
        assert!(reference(&task).0 > 0, "{}", prompt(&task));
    }
}

/// The facts of a story suffice for its working: every number the working starts from stands in the text,
/// follows from an earlier step, or is a constant that everyone knows.
#[test]
fn the_working_uses_only_what_the_story_says() {
    const SPELLED: [&str; 11] =
        ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    // Halves and both ways, thirds to fifths in words, rounds and tests of a kind, boxes of six, percent,
    // minutes, centimetres, millilitres.
    const KNOWN: [&str; 9] = ["1", "2", "3", "4", "5", "6", "60", "100", "1000"];
    for task in some("word_problem", 5_000) {
        let story = prompt(&task).split_once("\n\n").unwrap().0.to_lowercase();
        let mut known: Vec<Fraction> = story
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '.')
            .map(|word| word.trim_matches('.'))
            .filter_map(|word| {
                let spelled = SPELLED.iter().position(|s| *s == word).map(|n| n.to_string());
                let digits = spelled.unwrap_or_else(|| word.to_owned());
                digits.starts_with(|c: char| c.is_ascii_digit()).then_some(digits)
            })
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
            .map(|digits| evaluate(&digits).0)
            .collect();
        known.extend(KNOWN.map(|n| evaluate(n).0));
        // Lessons minus one is the number of breaks, friends plus the hosts is the number of people.
        let lessons: Vec<_> = known
            .iter()
            .flat_map(|n| [n.apply(b'-', Fraction(1, 1)), n.apply(b'+', Fraction(1, 1))])
            .collect();
        let near =
            ["lessons", "one_free", "resale_profit"].contains(&task.metadata["template"].as_str().unwrap());
        if near {
            known.extend(lessons);
        }
        for line in working(&task) {
            let (left, right) = line.rsplit_once(": ").unwrap().1.split_once(" = ").unwrap();
            for operand in
                left.split([' ', '(', ')']).filter(|part| part.starts_with(|c: char| c.is_ascii_digit()))
            {
                let value = evaluate(operand).0;
                assert!(known.contains(&value), "{operand} in `{line}` of: {story}");
            }
            known.extend(right.split(" remainder ").map(|part| evaluate(part).0));
        }
    }
}

#[test]
fn countdown_solutions_use_each_number_once_and_make_the_target() {
    for task in some("countdown", 3_000) {
        let (value, mut used) = evaluate(task.metadata["solution"].as_str().unwrap());
        let mut numbers: Vec<i64> = serde_json::from_value(task.metadata["numbers"].clone()).unwrap();
        let target = task.metadata["target"].as_i64().unwrap();
        used.sort_unstable();
        numbers.sort_unstable();
        assert_eq!((value, used), (Fraction(target.into(), 1), numbers.clone()));
        assert!(prompt(&task).contains(&format!("equals {target}.")));
        assert!(!numbers.contains(&target));
    }
}

fn answer(completion: &str) -> &str {
    assert!(completion.starts_with("<think>\n"), "{completion}");
    let (thought, rest) = completion.split_once("\n</think>\n<answer>").unwrap();
    assert!(thought.len() > "<think>\n".len());
    rest.strip_suffix("</answer>").unwrap()
}

#[test]
fn oracles_are_right_and_wrong_answers_are_wrong() {
    for name in ["arithmetic", "word_problem"] {
        let environment = environment(name).unwrap();
        for task in some(name, 1_000) {
            assert_eq!(evaluate(answer(&environment.oracle(&task).unwrap())).0, reference(&task));
            let mut different = std::collections::BTreeSet::new();
            for k in 0..12 {
                let completion = environment.wrong(&task, k).unwrap();
                assert_ne!(evaluate(answer(&completion)).0, reference(&task), "{completion}");
                different.insert(answer(&completion).to_owned());
            }
            assert!(different.len() >= 3, "{different:?}");
            assert!(answer(&environment.hedge(&task).unwrap()).contains(" or "));
        }
    }
}

#[test]
fn wrong_countdown_answers_break_a_rule_or_miss_the_target() {
    let environment = environment("countdown").unwrap();
    for task in some("countdown", 1_000) {
        let mut numbers: Vec<i64> = serde_json::from_value(task.metadata["numbers"].clone()).unwrap();
        numbers.sort_unstable();
        let target = Fraction(task.metadata["target"].as_i64().unwrap().into(), 1);
        let right = |expression: &str| {
            let (value, mut used) = evaluate(expression);
            used.sort_unstable();
            value == target && used == numbers
        };
        assert!(right(answer(&environment.oracle(&task).unwrap())));
        for k in 0..12 {
            let completion = environment.wrong(&task, k).unwrap();
            let expression = answer(&completion);
            assert!(expression.contains("**") || !right(expression), "{expression}");
        }
        assert!(answer(&environment.hedge(&task).unwrap()).contains(" or "));
    }
}

#[test]
fn a_task_of_someone_else_is_an_error_that_points_at_what_is_missing() {
    let foreign = Task::with_reference("a lot");
    for environment in environments() {
        let error = environment.oracle(&foreign).unwrap_err();
        let pointer = if environment.name() == "countdown" { "/metadata/numbers" } else { "/reference" };
        assert_eq!(error.pointer, pointer);
        assert_eq!(environment.wrong(&foreign, 0).unwrap_err(), error);
        assert_eq!(environment.hedge(&foreign).unwrap_err(), error);
    }
}

#[test]
fn rubrics_are_well_formed() {
    for environment in environments() {
        let rubric = environment.rubric();
        assert_eq!(content_hash(&rubric), content_hash(&environment.rubric()));
        Rubric::from_value(&rubric).unwrap();
    }
}
