//! `column_addition`: two whole numbers added column by column, as at school.
//!
//! The working is made of small steps, one a column, so that a model which can add two digits can add anything. That
//! makes it a task on which a tiny model can learn from rewards in minutes and be right on sums it never saw.

use graders::{Task, TaskError};
use serde_json::Value;

use super::arithmetic::proposal;
use super::draw::Draw;
use super::environment::{Environment, Level, Proposal, numeric_rubric};
use super::numeric::NumericTask;

/// Tasks that ask for the sum of two numbers of as many digits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ColumnAddition;

const LEVELS: &[Level] = &[
    Level { number: 1, summary: "two numbers of 2 digits" },
    Level { number: 2, summary: "two numbers of 3 digits" },
    Level { number: 3, summary: "two numbers of 4 digits" },
    Level { number: 4, summary: "two numbers of 6 digits" },
];

/// Digits of the numbers of each level.
const DIGITS: [u32; 4] = [2, 3, 4, 6];

impl Environment for ColumnAddition {
    fn name(&self) -> &'static str {
        "column_addition"
    }

    fn version(&self) -> u32 {
        1
    }

    fn description(&self) -> &'static str {
        "The sum of two whole numbers, worked column by column from the right."
    }

    fn levels(&self) -> &'static [Level] {
        LEVELS
    }

    fn rubric(&self) -> Value {
        numeric_rubric()
    }

    fn propose(&self, level: &Level, choice: u64, draw: &mut Draw) -> Option<Proposal> {
        let n_digits = *DIGITS.get(usize::from(level.number).checked_sub(1)?)?;
        let (low, high) = (10_i64.pow(n_digits - 1), 10_i64.pow(n_digits) - 1);
        let (a, b) = (draw.between(low, high), draw.between(low, high));
        let question = match choice % 3 {
            0 => format!("Add {a} and {b} column by column."),
            1 => format!("What is {a} + {b}, column by column?"),
            _ => format!("Work out {a} + {b} column by column."),
        };
        // a + b and b + a are one problem.
        let identity = format!("{} + {}", a.min(b), a.max(b));
        Some(proposal(&question, "a whole number", (a + b).to_string(), working(a, b), identity))
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

/// One equation a column, from the right; what is carried stands last in the next.
fn working(a: i64, b: i64) -> Vec<String> {
    let (mut a, mut b, mut carry) = (a, b, 0);
    let mut working = Vec::new();
    while a > 0 || b > 0 {
        let (left, right) = (a % 10, b % 10);
        let sum = left + right + carry;
        working.push(if carry > 0 {
            format!("{left} + {right} + {carry} = {sum}")
        } else {
            format!("{left} + {right} = {sum}")
        });
        (a, b, carry) = (a / 10, b / 10, sum / 10);
    }
    working
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns() {
        assert_eq!(working(47, 35), ["7 + 5 = 12", "4 + 3 + 1 = 8"]);
        assert_eq!(working(95, 95), ["5 + 5 = 10", "9 + 9 + 1 = 19"]);
        assert_eq!(working(120, 304), ["0 + 4 = 4", "2 + 0 = 2", "1 + 3 = 4"]);
    }
}
