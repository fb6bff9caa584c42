//! Completions for tasks with one number as answer: the oracle, wrong answers and the hedge.
//!
//! Such a task has the number as its reference and its working, one equation a line, in `metadata.working`.

use graders::{Task, TaskError, TaskErrorKind};
use serde_json::Value;

use super::environment::think_answer;
use super::rational::Rational;

/// A task with one number as answer, read.
#[derive(Clone, Debug)]
pub(crate) struct NumericTask {
    /// The answer as the reference writes it.
    pub(crate) reference: String,
    pub(crate) value: Rational,
    /// The steps to the answer.
    pub(crate) working: Vec<String>,
}

impl NumericTask {
    /// Reads the reference and the working.
    pub(crate) fn read(task: &Task) -> Result<Self, TaskError> {
        let reference = match task.reference.as_ref() {
            Some(Value::String(text)) => text.clone(),
            _ => return Err(TaskError::missing("/reference", "the number this environment generated")),
        };
        let value = Rational::parse(&reference).ok_or_else(|| {
            TaskError::new(
                TaskErrorKind::InvalidTask,
                "/reference",
                format!("`{reference}` is no number this environment generates"),
            )
        })?;
        Ok(Self { reference, value, working: working(task)? })
    }

    pub(crate) fn oracle(&self) -> String {
        let thought = format!("{}\nThe answer is {}.", self.working.join("\n"), self.reference);
        think_answer(&thought, &self.reference)
    }

    /// The wrong answers that models give: one off, a step left out, the wrong sign, a slipped decimal point.
    pub(crate) fn wrong_answers(&self) -> Vec<String> {
        let left_out = self.working.iter().rev().filter_map(|step| {
            let result = step.rsplit_once('=')?.1.split_whitespace().next()?;
            Rational::parse(result)
        });
        let slips = [
            self.value.plus(1.into()),
            self.value.minus(1.into()),
            self.value.times(2.into()),
            self.value.times(10.into()),
            Rational::ZERO.minus(self.value),
            self.value.plus(10.into()),
        ];
        let mut answers: Vec<String> = Vec::new();
        for wrong in left_out.chain(slips.into_iter().flatten()) {
            let text = wrong.decimal();
            if wrong != self.value && !answers.contains(&text) {
                answers.push(text);
            }
        }
        answers
    }

    /// The wrong answer number `k`; they repeat.
    pub(crate) fn wrong_answer(&self, k: usize) -> String {
        let answers = self.wrong_answers();
        // Never empty: the value plus one is always among them.
        answers.get(k % answers.len().max(1)).cloned().unwrap_or_default()
    }

    /// A completion with the wrong answer number `k`.
    pub(crate) fn wrong(&self, k: usize) -> String {
        let answer = self.wrong_answer(k);
        let kept = self.working.len().saturating_sub(1);
        let mut thought: Vec<&str> = self.working.iter().take(kept).map(String::as_str).collect();
        let end = format!("The answer is {answer}.");
        thought.push(&end);
        think_answer(&thought.join("\n"), &answer)
    }

    pub(crate) fn hedge(&self) -> String {
        let other = self.wrong_answer(0);
        let thought = format!("It is either {} or {other}.", self.reference);
        think_answer(&thought, &format!("{} or {other}", self.reference))
    }
}

/// The steps in `metadata.working`.
pub(crate) fn working(task: &Task) -> Result<Vec<String>, TaskError> {
    const POINTER: &str = "/metadata/working";
    let invalid = || TaskError::new(TaskErrorKind::InvalidTask, POINTER, "expected a list of strings");
    match task.metadata.get("working") {
        Some(Value::Array(steps)) => {
            steps.iter().map(|step| step.as_str().map(str::to_owned).ok_or_else(invalid)).collect()
        }
        Some(_) => Err(invalid()),
        None => Err(TaskError::missing(POINTER, "the steps that the environment generated")),
    }
}
