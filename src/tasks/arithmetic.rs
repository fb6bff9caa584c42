//! `arithmetic`: sums, mixed operations, decimals, fractions and remainders, with exact answers.

use graders::{Prompt, Task, TaskError};
use serde_json::{Map, Value};

use super::draw::Draw;
use super::environment::{Environment, Level, Proposal, numeric_rubric};
use super::expression::{Expression, Operator};
use super::numeric::NumericTask;
use super::rational::Rational;

/// Tasks that ask for the value of an expression.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arithmetic;

const LEVELS: &[Level] = &[
    Level { number: 1, summary: "one addition or subtraction of numbers up to 20" },
    Level { number: 2, summary: "sums of 3 to 4 numbers up to 99; products and remainders up to 12" },
    Level {
        number: 3,
        summary: "3 to 4 numbers with +, -, * and exact /; decimals with one place; remainders",
    },
    Level { number: 4, summary: "4 to 5 numbers up to 999 with parentheses; decimals with two places" },
    Level {
        number: 5,
        summary: "5 to 6 numbers; fractions; products of decimals; remainders of expressions",
    },
];

/// The most a whole task may have before the point, so that no answer is a mere trial of patience.
const MAX_MAGNITUDE: i64 = 10_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sum,
    Mixed,
    Decimal,
    Fraction,
    Remainder,
}

/// What a level draws from.
struct Knobs {
    kinds: &'static [Kind],
    numbers: (i64, i64),
    /// The largest summand, the largest factor.
    summand: i64,
    factor: i64,
    places: usize,
}

const KNOBS: &[Knobs] = &[
    Knobs { kinds: &[Kind::Sum], numbers: (2, 2), summand: 20, factor: 1, places: 0 },
    Knobs {
        kinds: &[Kind::Sum, Kind::Sum, Kind::Mixed, Kind::Remainder],
        numbers: (3, 4),
        summand: 99,
        factor: 12,
        places: 0,
    },
    Knobs {
        kinds: &[Kind::Sum, Kind::Mixed, Kind::Mixed, Kind::Decimal, Kind::Remainder],
        numbers: (3, 4),
        summand: 199,
        factor: 15,
        places: 1,
    },
    Knobs {
        kinds: &[Kind::Mixed, Kind::Mixed, Kind::Decimal, Kind::Remainder],
        numbers: (4, 5),
        summand: 999,
        factor: 25,
        places: 2,
    },
    Knobs {
        kinds: &[Kind::Mixed, Kind::Decimal, Kind::Fraction, Kind::Fraction, Kind::Remainder],
        numbers: (5, 6),
        summand: 999,
        factor: 40,
        places: 2,
    },
];

impl Environment for Arithmetic {
    fn name(&self) -> &'static str {
        "arithmetic"
    }

    fn version(&self) -> u32 {
        1
    }

    fn description(&self) -> &'static str {
        "The exact value of an expression: sums, mixed operations, decimals, fractions and remainders."
    }

    fn levels(&self) -> &'static [Level] {
        LEVELS
    }

    fn rubric(&self) -> Value {
        numeric_rubric()
    }

    fn propose(&self, level: &Level, choice: u64, draw: &mut Draw) -> Option<Proposal> {
        let knobs = KNOBS.get(usize::from(level.number).checked_sub(1)?)?;
        let kind = *knobs.kinds.get((choice % knobs.kinds.len() as u64) as usize)?;
        match kind {
            Kind::Remainder => remainder(level.number, knobs, draw),
            _ => value(kind, knobs, draw),
        }
    }

    fn oracle(&self, task: &Task) -> Result<String, TaskError> {
        Ok(NumericTask::read(task)?.oracle())
    }

    fn wrong(&self, task: &Task, k: usize) -> Result<String, TaskError> {
        Ok(NumericTask::read(task)?.wrong(k))
    }

    fn hedge(&self, task: &Task) -> Result<String, TaskError> {
        Ok(NumericTask::read(task)?.hedge())
    }
}

fn value(kind: Kind, knobs: &Knobs, draw: &mut Draw) -> Option<Proposal> {
    let numbers = draw.between(knobs.numbers.0, knobs.numbers.1) as usize;
    let expression = match kind {
        Kind::Sum => sum(numbers, knobs, draw, 0),
        Kind::Decimal => sum(numbers.min(4), knobs, draw, knobs.places),
        Kind::Mixed | Kind::Remainder => mixed(numbers, knobs, draw),
        Kind::Fraction => fractions(numbers / 2, knobs, draw),
    };
    let mut working = Vec::new();
    let value = expression.work(&mut working)?;
    let magnitude = if value.is_negative() { Rational::ZERO.minus(value)? } else { value };
    let too_large = magnitude.minus(MAX_MAGNITUDE.into())?.is_positive();
    if too_large || (kind == Kind::Fraction && value.is_whole()) {
        return None;
    }
    let (form, reference) = match kind {
        Kind::Sum | Kind::Mixed | Kind::Remainder => ("a whole number", value.decimal()),
        Kind::Decimal => ("an exact decimal", value.decimal()),
        Kind::Fraction => ("a fraction in lowest terms such as 3/4", value.to_string()),
    };
    // People write products in more than one way; which one is no part of the problem.
    let text = expression.text();
    let text = if draw.chance(1, 2) { text } else { text.replace('*', "×").replace('/', "÷") };
    let question = match draw.below(4) {
        0 => format!("Calculate {text}."),
        1 => format!("What is {text}?"),
        2 => format!("Work out the value of {text}."),
        _ => format!("Evaluate the expression {text}."),
    };
    Some(proposal(&question, form, reference, working, expression.identity()))
}

/// Numbers with `places` digits after the point, added and subtracted from left to right; with two places
/// and more the last operation may be a multiplication by a small number.
fn sum(numbers: usize, knobs: &Knobs, draw: &mut Draw, places: usize) -> Expression {
    let scale = 10_i64.pow(places as u32);
    let number = |draw: &mut Draw| {
        let scaled = draw.between(1, knobs.summand * scale);
        // The denominator is a power of ten.
        Expression::Number(Rational::new(scaled.into(), scale.into()).unwrap_or(Rational::ZERO), places)
    };
    let mut expression = number(draw);
    for _ in 1..numbers {
        let operator = if draw.chance(1, 2) { Operator::Add } else { Operator::Subtract };
        expression = Expression::binary(expression, operator, number(draw));
    }
    if places >= 2 && draw.chance(1, 2) {
        let factor = Expression::whole(draw.between(2, 9));
        expression = Expression::binary(factor, Operator::Multiply, expression);
    }
    expression
}

/// A random tree. Factors are small, and a division is exact because its dividend is made from the quotient.
fn mixed(numbers: usize, knobs: &Knobs, draw: &mut Draw) -> Expression {
    if numbers <= 1 {
        return Expression::whole(draw.between(1, knobs.summand));
    }
    if numbers == 2 && draw.chance(1, 2) {
        let (a, b) = (draw.between(2, knobs.factor), draw.between(2, knobs.factor));
        return if draw.chance(1, 2) {
            Expression::binary(Expression::whole(a), Operator::Multiply, Expression::whole(b))
        } else {
            Expression::binary(Expression::whole(a * b), Operator::Divide, Expression::whole(b))
        };
    }
    if draw.chance(1, 4) {
        let factor = Expression::whole(draw.between(2, knobs.factor));
        return Expression::binary(factor, Operator::Multiply, mixed(numbers - 1, knobs, draw));
    }
    let left = 1 + draw.index(numbers - 1);
    let operator = if draw.chance(1, 2) { Operator::Add } else { Operator::Subtract };
    Expression::binary(mixed(left, knobs, draw), operator, mixed(numbers - left, knobs, draw))
}

/// Quotients of small numbers, joined by any operator.
fn fractions(numbers: usize, knobs: &Knobs, draw: &mut Draw) -> Expression {
    let quotient = |draw: &mut Draw| {
        let denominator = draw.between(2, 12);
        let numerator = draw.between(1, knobs.factor);
        Expression::binary(Expression::whole(numerator), Operator::Divide, Expression::whole(denominator))
    };
    let mut expression = quotient(draw);
    for _ in 1..numbers {
        let operator = *draw.pick(&[Operator::Add, Operator::Subtract, Operator::Multiply]);
        expression = Expression::binary(expression, operator, quotient(draw));
    }
    expression
}

fn remainder(level: u8, knobs: &Knobs, draw: &mut Draw) -> Option<Proposal> {
    let divisor = draw.between(3, knobs.factor.max(9));
    let dividend = if level >= 5 {
        let (a, b) = (draw.between(11, knobs.summand), draw.between(11, 99));
        let product = Expression::binary(Expression::whole(a), Operator::Multiply, Expression::whole(b));
        Expression::binary(product, Operator::Add, Expression::whole(draw.between(1, knobs.summand)))
    } else {
        Expression::whole(draw.between(divisor + 1, knobs.summand * 10))
    };
    let mut working = Vec::new();
    let value = dividend.work(&mut working)?.whole()?;
    let (quotient, rest) = (value.checked_div_euclid(divisor)?, value.checked_rem_euclid(divisor)?);
    working.push(format!("{quotient} * {divisor} = {}", quotient * divisor));
    working.push(format!("{value} - {} = {rest}", quotient * divisor));
    let question = format!("What is the remainder when {} is divided by {divisor}?", dividend.text());
    let identity = format!("{} mod {divisor}", dividend.identity());
    Some(proposal(&question, "a whole number", rest.to_string(), working, identity))
}

pub(super) fn proposal(
    question: &str,
    form: &str,
    reference: String,
    working: Vec<String>,
    identity: String,
) -> Proposal {
    let prompt = format!(
        "{question}\n\nThink step by step between <think> and </think>. Then write the result as {form}, and nothing else, \
         between <answer> and </answer>."
    );
    let metadata = Map::from_iter([("working".to_owned(), Value::from(working))]);
    let task = Task {
        prompt: Some(Prompt::Text(prompt)),
        reference: Some(reference.into()),
        metadata,
        ..Task::default()
    };
    Proposal { task, identity }
}
