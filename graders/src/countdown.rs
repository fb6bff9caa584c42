//! `countdown`: does the expression in `<answer>` make the target from the given numbers?
//!
//! The task's metadata hold `numbers` and `target`. Every number must be used exactly once, with `+`, `-`,
//! `*`, `/` and parentheses; the value is exact. The checker never evaluates anything as code: TinyZero's
//! check (github.com/Jiayi-Pan/TinyZero) hands the text to an interpreter and so lets `2**5` through.

use std::sync::Arc;

use dashu::rational::RBig;
use serde::Deserialize;
use serde_json::Value;

use crate::completion::Completion;
use crate::config::{self, Fields};
use crate::error::{ConfigError, GradeError, TaskError, TaskErrorKind};
use crate::grader::{GradeCompletion, Grader, Prepared, Resources};
use crate::task::Task;
use crate::thought;
use crate::verdict::{Reason, Verdict};

/// The most numbers a task may give; with 64 bits each it bounds the size of every intermediate result.
const MAX_NUMBERS: usize = 16;
/// The longest expression that is read, in bytes. All sixteen numbers with every operator fit many times.
const MAX_EXPRESSION_BYTES: usize = 4096;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    /// The score of an answer that stands in its tag but is wrong; default 0. TinyZero gives 0.1.
    #[serde(default)]
    format_score: f64,
    /// Whether only the text after the last `</think>` counts; default true.
    #[serde(default = "thought::strip_by_default")]
    strip_thinking: bool,
}

#[derive(Debug)]
struct CountdownGrader {
    spec: Arc<Spec>,
}

pub(crate) fn build(fields: Fields) -> Result<Arc<dyn Grader>, ConfigError> {
    let spec: Spec = config::read(fields)?;
    if !(0.0..1.0).contains(&spec.format_score) {
        return Err(ConfigError::new("/format_score", "expected a number from 0 up to but not including 1"));
    }
    Ok(Arc::new(CountdownGrader { spec: Arc::new(spec) }))
}

impl Grader for CountdownGrader {
    fn kind(&self) -> &'static str {
        "countdown"
    }

    fn version(&self) -> u32 {
        1
    }

    fn prepare(&self, task: &Task, _resources: &Resources) -> Result<Prepared, TaskError> {
        Ok(Prepared::Completion(Box::new(Puzzle {
            spec: Arc::clone(&self.spec),
            numbers: numbers_of(task)?,
            target: target_of(task)?,
        })))
    }
}

/// The numbers, sorted.
fn numbers_of(task: &Task) -> Result<Vec<u64>, TaskError> {
    const POINTER: &str = "/metadata/numbers";
    let value = task
        .metadata
        .get("numbers")
        .ok_or_else(|| TaskError::missing(POINTER, "the list of numbers to be used"))?;
    let invalid =
        |pointer: String, message: &str| TaskError::new(TaskErrorKind::InvalidTask, pointer, message);
    let Value::Array(items) = value else {
        return Err(invalid(POINTER.to_owned(), "expected a list of whole numbers"));
    };
    if items.is_empty() || items.len() > MAX_NUMBERS {
        return Err(invalid(
            POINTER.to_owned(),
            &format!("expected 1 to {MAX_NUMBERS} numbers, found {}", items.len()),
        ));
    }
    let mut numbers = items
        .iter()
        .enumerate()
        .map(|(index, item)| {
            item.as_u64().ok_or_else(|| {
                invalid(format!("{POINTER}/{index}"), "expected a whole number that is not negative")
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    numbers.sort_unstable();
    Ok(numbers)
}

fn target_of(task: &Task) -> Result<RBig, TaskError> {
    const POINTER: &str = "/metadata/target";
    let value =
        task.metadata.get("target").ok_or_else(|| TaskError::missing(POINTER, "the number to be made"))?;
    value
        .as_i64()
        .map(RBig::from)
        .or_else(|| value.as_u64().map(RBig::from))
        .ok_or_else(|| TaskError::new(TaskErrorKind::InvalidTask, POINTER, "expected a whole number"))
}

struct Puzzle {
    spec: Arc<Spec>,
    numbers: Vec<u64>,
    target: RBig,
}

impl GradeCompletion for Puzzle {
    fn grade(&self, completion: &Completion) -> Result<Verdict, GradeError> {
        let text = &completion.text;
        let text = if self.spec.strip_thinking { thought::answer_part(text) } else { text };
        let Some(answer) = thought::answer_tag(text).filter(|answer| !answer.is_empty()) else {
            return Ok(Verdict::new(0.0, Reason::NoAnswer));
        };
        let (score, reason, problem) = match self.check(answer) {
            Ok(()) => (1.0, Reason::Equivalent, None),
            Err((reason, problem)) => (self.spec.format_score, reason, Some(problem)),
        };
        let verdict = Verdict::new(score, reason).with_excerpt("extracted", answer);
        Ok(match problem {
            Some(problem) => verdict.with_excerpt("problem", &problem),
            None => verdict,
        })
    }
}

impl Puzzle {
    fn check(&self, answer: &str) -> Result<(), (Reason, String)> {
        if answer.len() > MAX_EXPRESSION_BYTES {
            return Err((Reason::TooLarge, format!("longer than {MAX_EXPRESSION_BYTES} bytes")));
        }
        let postfix = to_postfix(answer).map_err(|problem| (Reason::UnparsableAnswer, problem))?;
        let mut used: Vec<u64> = postfix
            .iter()
            .filter_map(|item| match item {
                Item::Number(number) => Some(*number),
                Item::Operator(_) => None,
            })
            .collect();
        used.sort_unstable();
        // Before the evaluation, so that its size is bounded by the task and not by the answer.
        if used != self.numbers {
            return Err((Reason::RuleBroken, "each given number has to be used exactly once".to_owned()));
        }
        let value = evaluate(&postfix)
            .ok_or_else(|| (Reason::RuleBroken, "the expression divides by zero".to_owned()))?;
        if value == self.target { Ok(()) } else { Err((Reason::Different, format!("it makes {value}"))) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
}

impl Operator {
    const fn of(byte: u8) -> Option<Self> {
        match byte {
            b'+' => Some(Self::Add),
            b'-' => Some(Self::Subtract),
            b'*' => Some(Self::Multiply),
            b'/' => Some(Self::Divide),
            _ => None,
        }
    }

    const fn precedence(self) -> u8 {
        match self {
            Self::Add | Self::Subtract => 1,
            Self::Multiply | Self::Divide => 2,
        }
    }
}

/// One item of an expression in postfix order.
enum Item {
    Number(u64),
    Operator(Operator),
}

/// Reads an infix expression by Dijkstra's shunting yard: one pass, no recursion.
fn to_postfix(text: &str) -> Result<Vec<Item>, String> {
    let bytes = text.as_bytes();
    let mut postfix = Vec::new();
    // `None` stands for an open parenthesis.
    let mut waiting: Vec<Option<Operator>> = Vec::new();
    let mut operand_expected = true;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match (byte, Operator::of(byte)) {
            (b' ' | b'\t' | b'\n' | b'\r', _) => {}
            (b'0'..=b'9', _) if operand_expected => {
                let digits = bytes[at - 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                let number = &text[at - 1..at - 1 + digits];
                at += digits - 1;
                let number = number.parse().map_err(|_| format!("{number} is none of the numbers"))?;
                postfix.push(Item::Number(number));
                operand_expected = false;
            }
            (b'(', _) if operand_expected => waiting.push(None),
            (b')', _) if !operand_expected => loop {
                match waiting.pop() {
                    Some(Some(operator)) => postfix.push(Item::Operator(operator)),
                    Some(None) => break,
                    None => return Err("a parenthesis closes that was not opened".to_owned()),
                }
            },
            (_, Some(operator)) if !operand_expected => {
                // All four associate to the left, so equal precedence is applied first.
                while let Some(Some(top)) = waiting.last().copied()
                    && top.precedence() >= operator.precedence()
                {
                    postfix.push(Item::Operator(top));
                    waiting.pop();
                }
                waiting.push(Some(operator));
                operand_expected = true;
            }
            _ => {
                let found = text[at - 1..].chars().next().unwrap_or(' ');
                let wanted = if operand_expected { "a number" } else { "an operator" };
                return Err(format!("expected {wanted}, found `{found}`"));
            }
        }
    }
    if operand_expected {
        return Err("the expression ends where a number is expected".to_owned());
    }
    while let Some(top) = waiting.pop() {
        match top {
            Some(operator) => postfix.push(Item::Operator(operator)),
            None => return Err("a parenthesis is not closed".to_owned()),
        }
    }
    Ok(postfix)
}

/// The exact value; `None` when it divides by zero.
fn evaluate(postfix: &[Item]) -> Option<RBig> {
    let mut stack: Vec<RBig> = Vec::new();
    for item in postfix {
        let value = match item {
            Item::Number(number) => RBig::from(*number),
            Item::Operator(operator) => {
                let right = stack.pop()?;
                let left = stack.pop()?;
                match operator {
                    Operator::Add => left + right,
                    Operator::Subtract => left - right,
                    Operator::Multiply => left * right,
                    Operator::Divide if right == RBig::ZERO => return None,
                    Operator::Divide => left / right,
                }
            }
        };
        stack.push(value);
    }
    stack.pop()
}
