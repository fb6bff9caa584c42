//! `instruct`: were the task's verifiable instructions followed?
//!
//! The 25 instruction types of IFEval (Zhou et al., 2023, arXiv:2311.07911), read from the task's
//! `instructions` and judged by rule. No model is asked, and what an instruction *means* beyond its rule is
//! never judged: "write a poem in capitals" is checked for the capitals.
//!
//! The rules follow IFEval's published checker, as evaluation harnesses run it, with these differences:
//! * An argument that the original would draw at random when it is missing or out of range is an error of the
//!   task here.
//! * A keyword, a forbidden word or a frequency's keyword is a regular expression, as in the original, on a
//!   linear-time engine. One that is no regular expression of that engine is looked for as plain text.
//! * A section's splitter and a postscript's marker are plain text.
//! * Sentences are counted by the rule in [`sentences`], not by a trained tokenizer, and a language is told by
//!   the identifier of the `language` grader.
//! * JSON is RFC 8259: `NaN` and `Infinity` are not JSON.

mod arguments;
mod case;
mod content;
mod form;
mod keywords;
mod length;
mod response;
mod sentences;
mod whole;

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::completion::Completion;
use crate::config::{self, Fields};
use crate::error::{ConfigError, GradeError, TaskError, TaskErrorKind};
use crate::grader::{GradeCompletion, Grader, Prepared, Resources};
use crate::task::{Instruction, Task};
use crate::verdict::{Reason, Verdict};

use arguments::Arguments;
use response::Response;

/// The most instructions a task may give; the work on a completion grows with their number.
const MAX_INSTRUCTIONS: usize = 32;

/// Whether a response follows one instruction.
type Check = Box<dyn Fn(&Response<'_>) -> bool + Send + Sync>;

/// An instruction type.
#[derive(Clone, Copy)]
enum Type {
    /// One that takes no arguments.
    Plain(fn(&Response<'_>) -> bool),
    /// One whose check depends on its arguments.
    WithArguments(fn(&mut Arguments<'_>) -> Result<Check, TaskError>),
}

/// Every family's instruction types by their ids.
const FAMILIES: &[&[(&str, Type)]] =
    &[keywords::TYPES, length::TYPES, content::TYPES, form::TYPES, whole::TYPES, case::TYPES];

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    /// `strict` (default) judges the response as it is. `loose` also judges it without its first line, without
    /// its last line and without both, each of them with and without asterisks, and counts an instruction as
    /// followed when one of these eight follows it.
    #[serde(default)]
    mode: Mode,
    /// `fraction` (default) scores the followed instructions' share, which tells completions of a group apart
    /// where none is perfect. `all` scores 1 only when every instruction is followed.
    #[serde(default)]
    score: Score,
    /// Judge only what follows the last `</think>`. Default true. A response that opens with `<think>` and
    /// never closes it has no answer and follows nothing.
    #[serde(default = "yes")]
    strip_thinking: bool,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    #[default]
    Strict,
    Loose,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Score {
    #[default]
    Fraction,
    All,
}

fn yes() -> bool {
    true
}

#[derive(Clone, Debug)]
struct InstructGrader {
    spec: Spec,
}

pub(crate) fn build(fields: Fields) -> Result<Arc<dyn Grader>, ConfigError> {
    Ok(Arc::new(InstructGrader { spec: config::read(fields)? }))
}

impl Grader for InstructGrader {
    fn kind(&self) -> &'static str {
        "instruct"
    }

    fn version(&self) -> u32 {
        1
    }

    fn prepare(&self, task: &Task, _resources: &Resources) -> Result<Prepared, TaskError> {
        if task.instructions.is_empty() {
            return Err(TaskError::missing("/instructions", "at least one instruction"));
        }
        if task.instructions.len() > MAX_INSTRUCTIONS {
            return Err(TaskError::new(
                TaskErrorKind::InvalidTask,
                "/instructions",
                format!("there are {}, at most {MAX_INSTRUCTIONS} are judged", task.instructions.len()),
            ));
        }
        let checks = task
            .instructions
            .iter()
            .enumerate()
            .map(|(index, instruction)| Ok((instruction.id.clone(), parse(index, instruction)?)))
            .collect::<Result<_, TaskError>>()?;
        Ok(Prepared::Completion(Box::new(Instructions { spec: self.spec, checks })))
    }
}

fn parse(index: usize, instruction: &Instruction) -> Result<Check, TaskError> {
    let types = || FAMILIES.iter().copied().flatten();
    let Some((_, kind)) = types().find(|(id, _)| *id == instruction.id) else {
        let known: Vec<_> = types().map(|(id, _)| *id).collect();
        return Err(TaskError::new(
            TaskErrorKind::InvalidTask,
            format!("/instructions/{index}/id"),
            format!("unknown instruction `{}`; there are {}", instruction.id, known.join(", ")),
        ));
    };
    let mut arguments = Arguments::new(index, &instruction.kwargs);
    let check = match kind {
        Type::Plain(check) => Box::new(check),
        Type::WithArguments(read) => read(&mut arguments)?,
    };
    arguments.finish()?;
    Ok(check)
}

/// The instructions of one task, ready to be checked.
struct Instructions {
    spec: Spec,
    checks: Vec<(String, Check)>,
}

impl GradeCompletion for Instructions {
    fn grade(&self, completion: &Completion) -> Result<Verdict, GradeError> {
        let answer = if self.spec.strip_thinking { answer(&completion.text) } else { &completion.text };
        let responses = match self.spec.mode {
            Mode::Strict => vec![Response::new(answer.into())],
            Mode::Loose => response::loose(answer),
        };
        let followed: Vec<bool> = self
            .checks
            .iter()
            .map(|(_, check)| responses.iter().any(|response| !response.is_blank() && check(response)))
            .collect();
        Ok(self.verdict(&followed))
    }
}

impl Instructions {
    fn verdict(&self, followed: &[bool]) -> Verdict {
        let count = followed.iter().filter(|followed| **followed).count();
        let all = count == followed.len();
        let reason = match count {
            _ if all => Reason::Followed,
            0 => Reason::NotFollowed,
            _ => Reason::PartlyFollowed,
        };
        let score = match self.spec.score {
            Score::Fraction => count as f64 / followed.len().max(1) as f64,
            Score::All => f64::from(u8::from(all)),
        };
        let list: Vec<Value> = self
            .checks
            .iter()
            .zip(followed)
            .map(|((id, _), followed)| json!({"id": id, "followed": followed}))
            .collect();
        Verdict::new(score, reason).with("instructions", list)
    }
}

/// What follows the thinking. The blank lines between the two belong to neither: they would count as a
/// paragraph.
fn answer(text: &str) -> &str {
    match text.rsplit_once("</think>") {
        Some((_, answer)) => answer.trim_start(),
        None if text.trim_start().starts_with("<think>") => "",
        None => text,
    }
}
