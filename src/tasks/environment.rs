//! What an environment is: a source of generated tasks with the rubric that judges them.

use std::fmt;

use graders::{Task, TaskError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::draw::Draw;

/// A source of generated tasks.
///
/// Its version rises whenever any task of any place changes, so that name, version and place always name one
/// task.
pub trait Environment: fmt::Debug + Send + Sync {
    /// The name on the wire, such as `word_problem`.
    fn name(&self) -> &'static str;

    /// Rises by one with every change of a task at any place.
    fn version(&self) -> u32;

    /// What it asks for, in one sentence.
    fn description(&self) -> &'static str;

    /// Its levels, from the easiest.
    fn levels(&self) -> &'static [Level];

    /// The rubric its completions are judged by.
    fn rubric(&self) -> Value;

    /// Draws a task of this level; `None` when the numbers drawn make no sensible task.
    ///
    /// `choice` stays the same when a draw is rejected and decides what must not become rarer by rejection,
    /// such as the template.
    fn propose(&self, level: &Level, choice: u64, draw: &mut Draw) -> Option<Proposal>;

    /// A right completion in full form, with its working.
    ///
    /// # Errors
    /// When the task is none of this environment's.
    fn oracle(&self, task: &Task) -> Result<String, TaskError>;

    /// A wrong completion in full form, as models make them; every `k` gives one, and they repeat after a few.
    ///
    /// # Errors
    /// When the task is none of this environment's.
    fn wrong(&self, task: &Task, k: usize) -> Result<String, TaskError>;

    /// A completion that offers the right answer among others, which must not be paid.
    ///
    /// # Errors
    /// When the task is none of this environment's.
    fn hedge(&self, task: &Task) -> Result<String, TaskError>;

    /// The task at `place`: the same on every machine, and in no other split whatever the seeds.
    ///
    /// # Errors
    /// When the environment has no such level.
    fn generate(&self, place: &Place) -> Result<Task, UnknownLevel> {
        let levels = self.levels();
        let level = levels.iter().find(|level| level.number == place.level).ok_or_else(|| UnknownLevel {
            environment: self.name(),
            level: place.level,
            levels,
        })?;
        let choice = place.draw(self, u64::MAX).bits();
        let accepted = (0..MAX_ATTEMPTS).find_map(|attempt| {
            let proposal = self.propose(level, choice, &mut place.draw(self, attempt))?;
            (place.split == Split::of(self.name(), &proposal.identity)).then_some(proposal.task)
        });
        let mut task = accepted.expect("a level accepts at least one draw in a hundred, so this is a bug");
        task.metadata.insert("environment".to_owned(), self.name().into());
        task.metadata.insert("environment_version".to_owned(), self.version().into());
        task.metadata.insert("split".to_owned(), place.split.name().into());
        task.metadata.insert("level".to_owned(), place.level.into());
        Ok(task)
    }
}

/// Draws rejected one after the other before generation gives up. The rarest split takes an eighth of all
/// tasks, and no level rejects more than nine in ten for other reasons: the chance to get here is below 10⁻²⁰.
const MAX_ATTEMPTS: u64 = 4096;

/// A task that was drawn and not yet accepted.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// The task.
    pub task: Task,
    /// What makes it the same problem as another: tasks of equal identity always fall in the same split, also
    /// when their names or the order of their numbers differ.
    pub identity: String,
}

/// A level of difficulty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Level {
    /// Its number, from 1.
    pub number: u8,
    /// What makes it as hard as it is.
    pub summary: &'static str,
}

/// Where a task stands: with the environment's name and version, all that decides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The split it belongs to.
    pub split: Split,
    /// The stream of tasks.
    pub seed: u64,
    /// Its index in the stream.
    pub index: u64,
    /// Its level of difficulty.
    pub level: u8,
}

impl Place {
    fn draw<E: Environment + ?Sized>(&self, environment: &E, attempt: u64) -> Draw {
        Draw::new(&[
            b"task",
            environment.name().as_bytes(),
            &environment.version().to_le_bytes(),
            self.split.name().as_bytes(),
            &self.seed.to_le_bytes(),
            &self.index.to_le_bytes(),
            &[self.level],
            &attempt.to_le_bytes(),
        ])
    }
}

/// What a task is for. Splits share no problem, whatever seeds, levels and versions they are drawn with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// For training: six in eight of all problems.
    Train,
    /// For decisions while training: one in eight.
    Validation,
    /// For the final number: one in eight.
    Test,
}

impl Split {
    /// Every split.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// The stable snake_case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }

    /// The split a problem belongs to. The version has no part in it: a problem never changes sides.
    fn of(environment: &str, identity: &str) -> Self {
        let hash = Sha256::new()
            .chain_update(b"gavel split 1\0")
            .chain_update(environment)
            .chain_update([0])
            .chain_update(identity)
            .finalize();
        match hash[0] % 8 {
            0 => Self::Test,
            1 => Self::Validation,
            _ => Self::Train,
        }
    }
}

/// The environment has no such level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{environment} has no level {level}; its levels are {}", numbers(.levels))]
pub struct UnknownLevel {
    /// The environment's name.
    pub environment: &'static str,
    /// The level asked for.
    pub level: u8,
    /// The levels there are.
    pub levels: &'static [Level],
}

fn numbers(levels: &[Level]) -> String {
    levels.iter().map(|level| level.number.to_string()).collect::<Vec<_>>().join(", ")
}

/// A completion in the form the prompts ask for.
pub(crate) fn think_answer(thought: &str, answer: &str) -> String {
    format!("<think>\n{thought}\n</think>\n<answer>{answer}</answer>")
}

/// The rubric of environments with one number as answer: accuracy, and a little for the form, as in GRPO-Zero.
pub(crate) fn numeric_rubric() -> Value {
    json!({"components": [
        {"name": "accuracy", "grader": {"type": "math"}, "weight": 1.0},
        {"name": "format", "grader": {"type": "format", "style": "think_answer"}, "weight": 0.1},
    ]})
}
