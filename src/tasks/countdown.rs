//! `countdown`: make a target from given numbers, each used exactly once.
//!
//! Every puzzle is built from a solution, so that there is one; there are often others, and the grader takes
//! any.

use graders::{Prompt, Task, TaskError, TaskErrorKind};
use serde_json::{Map, Value, json};

use super::draw::Draw;
use super::environment::{Environment, Level, Proposal, think_answer};
use super::expression::{Expression, Operator};
use super::numeric::working;
use super::rational::Rational;

/// Tasks that ask for an expression with a given value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Countdown;

const LEVELS: &[Level] = &[
    Level { number: 1, summary: "3 numbers up to 10, target up to 50" },
    Level { number: 2, summary: "3 numbers up to 50, target up to 100" },
    Level { number: 3, summary: "4 numbers up to 50, target up to 100" },
    Level { number: 4, summary: "4 numbers up to 100, target up to 999" },
    Level { number: 5, summary: "5 numbers up to 100, target up to 999" },
    Level { number: 6, summary: "6 numbers up to 100, target up to 999" },
];

/// How many numbers a level gives, the largest of them, the largest target.
const KNOBS: &[(usize, i64, i64)] =
    &[(3, 10, 50), (3, 50, 100), (4, 50, 100), (4, 100, 999), (5, 100, 999), (6, 100, 999)];
/// Smaller targets are too often one of the numbers.
const MIN_TARGET: i64 = 10;
/// The largest value on the way to the target.
const MAX_BETWEEN: i64 = 5_000;
/// Pairs tried for each operation before the puzzle is dropped.
const MAX_PAIRS: usize = 24;

impl Environment for Countdown {
    fn name(&self) -> &'static str {
        "countdown"
    }

    fn version(&self) -> u32 {
        1
    }

    fn description(&self) -> &'static str {
        "An expression that makes the target from the given numbers, each used exactly once."
    }

    fn levels(&self) -> &'static [Level] {
        LEVELS
    }

    fn rubric(&self) -> Value {
        json!({"components": [{"name": "accuracy", "grader": {"type": "countdown"}}]})
    }

    fn propose(&self, level: &Level, _choice: u64, draw: &mut Draw) -> Option<Proposal> {
        let &(n_numbers, largest, max_target) = KNOBS.get(usize::from(level.number).checked_sub(1)?)?;
        let numbers: Vec<i64> = (0..n_numbers).map(|_| draw.between(1, largest)).collect();
        let solution = solution(&numbers, draw)?;
        let mut working = Vec::new();
        let target = solution.work(&mut working)?.whole()?;
        if !(MIN_TARGET..=max_target).contains(&target) || numbers.contains(&target) {
            return None;
        }
        let list = numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let prompt = format!(
            "Using the numbers {list}, write an expression that equals {target}. Use every number exactly once, with \
             the operators +, -, * and / and with parentheses where needed.\n\nThink between <think> and </think>. \
             Then write only the expression, without an equals sign, between <answer> and </answer>, for example \
             <answer>(1 + 2) / 3</answer>."
        );
        let metadata = Map::from_iter([
            ("numbers".to_owned(), numbers.clone().into()),
            ("target".to_owned(), target.into()),
            ("solution".to_owned(), solution.text().into()),
            ("working".to_owned(), working.into()),
        ]);
        let mut sorted = numbers;
        sorted.sort_unstable();
        let task = Task { prompt: Some(Prompt::Text(prompt)), metadata, ..Task::default() };
        Some(Proposal { task, identity: format!("{sorted:?} {target}") })
    }

    fn oracle(&self, task: &Task) -> Result<String, TaskError> {
        let puzzle = Puzzle::read(task)?;
        let thought = format!("{}\nThat is {}.", puzzle.working.join("\n"), puzzle.target);
        Ok(think_answer(&thought, &puzzle.solution))
    }

    fn wrong(&self, task: &Task, k: usize) -> Result<String, TaskError> {
        let answer = Puzzle::read(task)?.wrong_answer(k);
        Ok(think_answer(&format!("I try {answer}."), &answer))
    }

    fn hedge(&self, task: &Task) -> Result<String, TaskError> {
        let puzzle = Puzzle::read(task)?;
        let answer = format!("{} or {}", puzzle.solution, puzzle.wrong_answer(0));
        Ok(think_answer(&format!("Either {answer}."), &answer))
    }
}

/// Joins two of the expressions at a time until one is left. Every value on the way is a positive whole
/// number, as in the television game.
fn solution(numbers: &[i64], draw: &mut Draw) -> Option<Expression> {
    let mut pool: Vec<(Expression, i64)> = numbers.iter().map(|n| (Expression::whole(*n), *n)).collect();
    while pool.len() > 1 {
        let (joined, value) = (0..MAX_PAIRS).find_map(|_| {
            // The pair goes to the end.
            for end in [pool.len() - 1, pool.len() - 2] {
                pool.swap(draw.index(end + 1), end);
            }
            let [.., (left, a), (right, b)] = pool.as_slice() else { return None };
            let operator =
                *draw.pick(&[Operator::Add, Operator::Subtract, Operator::Multiply, Operator::Divide]);
            let dull = matches!(operator, Operator::Multiply | Operator::Divide) && (*a == 1 || *b == 1);
            let value = operator.apply((*a).into(), (*b).into())?.whole()?;
            let allowed = (1..=MAX_BETWEEN).contains(&value) && !dull;
            allowed.then(|| (Expression::binary(left.clone(), operator, right.clone()), value))
        })?;
        pool.truncate(pool.len() - 2);
        pool.push((joined, value));
    }
    pool.pop().map(|(expression, _)| expression)
}

/// A generated puzzle, read.
#[derive(Clone, Debug)]
pub(crate) struct Puzzle {
    pub(crate) numbers: Vec<i64>,
    pub(crate) target: i64,
    /// An expression that makes the target.
    pub(crate) solution: String,
    /// Its steps.
    pub(crate) working: Vec<String>,
}

impl Puzzle {
    pub(crate) fn read(task: &Task) -> Result<Self, TaskError> {
        let field = |name: &str, what: &str| {
            task.metadata.get(name).ok_or_else(|| TaskError::missing(format!("/metadata/{name}"), what))
        };
        let invalid = |name: &str, wanted: &str| {
            TaskError::new(
                TaskErrorKind::InvalidTask,
                format!("/metadata/{name}"),
                format!("expected {wanted}"),
            )
        };
        let numbers = field("numbers", "the list of numbers")?
            .as_array()
            .and_then(|items| items.iter().map(Value::as_i64).collect::<Option<Vec<_>>>())
            .filter(|numbers| numbers.len() >= 2)
            .ok_or_else(|| invalid("numbers", "two or more whole numbers"))?;
        let target = field("target", "the number to be made")?
            .as_i64()
            .ok_or_else(|| invalid("target", "a whole number"))?;
        let solution = field("solution", "the solution that the environment generated")?
            .as_str()
            .ok_or_else(|| invalid("solution", "an expression"))?
            .to_owned();
        Ok(Self { numbers, target, solution, working: working(task)? })
    }

    /// What models write when they do not find it: another value, a number twice, left out or invented, the
    /// target itself, a power.
    pub(crate) fn wrong_answers(&self) -> Vec<String> {
        let mut answers: Vec<String> = [Operator::Add, Operator::Multiply]
            .into_iter()
            .filter_map(|operator| self.chain(operator))
            .collect();
        let joined =
            |numbers: &[i64]| numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" + ");
        let (first, rest) = match self.numbers.split_first() {
            Some((first, rest)) => (*first, rest),
            None => (0, &[] as &[i64]),
        };
        answers.push(self.target.to_string());
        answers.push(format!("{} + {first} - {first}", self.solution));
        answers.push(joined(rest));
        answers.push(format!("{} + 1 - 1", self.target));
        answers.push(format!("{first} ** {}", joined(rest)));
        answers
    }

    /// The wrong answer number `k`; they repeat.
    pub(crate) fn wrong_answer(&self, k: usize) -> String {
        let answers = self.wrong_answers();
        answers.get(k % answers.len().max(1)).cloned().unwrap_or_default()
    }

    /// All numbers under one operator, unless that happens to be right.
    fn chain(&self, operator: Operator) -> Option<String> {
        let mut numbers = self.numbers.iter();
        let first = Rational::from(*numbers.next()?);
        // A value beyond the numbers' range is certainly not the target.
        let value = numbers.try_fold(first, |value, number| operator.apply(value, (*number).into()));
        let text = self
            .numbers
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(&format!(" {} ", operator.symbol()));
        (value != Some(self.target.into())).then_some(text)
    }
}
