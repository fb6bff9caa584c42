//! `[tasks]`: what the policy is trained on.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fault::Checks;
use super::fields::nearest;
use super::prompt::PromptRecipe;
use crate::tasks::{self, Columns, Split};

/// What the policy is trained on: an environment that makes tasks, or a data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskRecipe {
    /// An environment; `gavel tasks list` shows them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Its levels; each prompt draws one of them.
    pub levels: Vec<u8>,
    /// Its split.
    pub split: Split,
    /// Its stream of tasks.
    pub seed: u64,
    /// Different tasks that there are; 0 is no end of them for an environment, all lines for a data set.
    pub n_tasks: usize,
    /// A data set instead: JSON lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Which of its columns holds what; without it, lines are tasks as in `POST /v1/grade`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<Columns>,
    /// How a task becomes what the model reads.
    pub prompt: PromptRecipe,
    /// What progress is measured on.
    pub held_out: HeldOut,
}

/// What progress is measured on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeldOut {
    /// The environment's other split.
    pub split: Split,
    /// Its stream.
    pub seed: u64,
    /// A data set of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// The share of the data set that is kept out of training where it has no other file.
    pub fraction: f64,
}

/// Where tasks come from.
#[derive(Clone, Copy, Debug)]
pub enum TaskSource<'a> {
    /// Made.
    Environment {
        /// Who makes them.
        environment: &'static dyn tasks::Environment,
        /// At which levels.
        levels: &'a [u8],
        /// Which.
        split: Split,
        /// Which stream.
        seed: u64,
    },
    /// Read.
    DataSet {
        /// The file.
        path: &'a Path,
        /// Its columns.
        columns: Option<&'a Columns>,
    },
}

/// Where held-out tasks come from.
#[derive(Clone, Copy, Debug)]
pub enum HeldOutSource<'a> {
    /// A source of their own.
    Source(TaskSource<'a>),
    /// A share of the training's data set.
    Fraction(f64),
}

impl Default for TaskRecipe {
    fn default() -> Self {
        Self {
            environment: None,
            levels: vec![1],
            split: Split::Train,
            seed: 0,
            n_tasks: 0,
            path: None,
            columns: None,
            prompt: PromptRecipe::default(),
            held_out: HeldOut::default(),
        }
    }
}

impl Default for HeldOut {
    fn default() -> Self {
        Self { split: Split::Validation, seed: 0, path: None, fraction: 0.1 }
    }
}

impl TaskRecipe {
    /// Where training tasks come from; `None` only before the recipe was checked.
    pub fn source(&self) -> Option<TaskSource<'_>> {
        match (&self.environment, &self.path) {
            (Some(name), _) => self.made(name, self.split, self.seed),
            (None, Some(path)) => Some(TaskSource::DataSet { path, columns: self.columns.as_ref() }),
            (None, None) => None,
        }
    }

    /// Where held-out tasks come from; `None` only before the recipe was checked.
    pub fn held_out(&self) -> Option<HeldOutSource<'_>> {
        match (&self.environment, &self.held_out.path) {
            (_, Some(path)) => {
                Some(HeldOutSource::Source(TaskSource::DataSet { path, columns: self.columns.as_ref() }))
            }
            (Some(name), None) => {
                self.made(name, self.held_out.split, self.held_out.seed).map(HeldOutSource::Source)
            }
            (None, None) => Some(HeldOutSource::Fraction(self.held_out.fraction)),
        }
    }

    fn made(&self, name: &str, split: Split, seed: u64) -> Option<TaskSource<'_>> {
        let environment = tasks::environment(name)?;
        Some(TaskSource::Environment { environment, levels: &self.levels, split, seed })
    }

    /// The rubric where the recipe names none.
    pub(super) fn default_rubric(&self) -> Value {
        let environment = self.environment.as_deref().and_then(tasks::environment);
        environment.map_or_else(|| Value::from("math"), tasks::Environment::rubric)
    }

    pub(super) fn resolve(&mut self) {
        self.levels.dedup();
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        match (&self.environment, &self.path) {
            (Some(_), Some(_)) => {
                checks.fault("path", "there is an `environment` too; tasks come from one place");
            }
            (None, None) => checks.fault("environment", "is missing; name one, or a data set as `path`"),
            (Some(name), None) => self.check_environment(name, checks),
            (None, Some(_)) => {}
        }
        if self.environment.is_some() && self.columns.is_some() && self.held_out.path.is_none() {
            checks.fault("columns", "are of a data set, but an environment makes the tasks");
        }
        self.prompt.check(&mut checks.section("prompt"));
        let held_out = &self.held_out;
        if self.environment.is_some() && held_out.path.is_none() && held_out.split == self.split {
            checks.fault(
                "held_out.split",
                "is the split that is trained on; what is measured must not be learned by heart",
            );
        }
        if held_out.path.is_some() && held_out.path == self.path {
            checks.fault(
                "held_out.path",
                "is the file that is trained on; what is measured must not be learned by heart",
            );
        }
        let fraction = held_out.fraction;
        checks.must(fraction > 0.0 && fraction < 1.0, "held_out.fraction", fraction, "between 0 and 1");
    }

    fn check_environment(&self, name: &str, checks: &mut Checks) {
        let Some(environment) = tasks::environment(name) else {
            let known: Vec<&str> = tasks::environment_names().collect();
            let hint = match nearest(name, &known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", known.join(", ")),
            };
            return checks.fault("environment", format!("cannot be `{name}`; {hint}"));
        };
        let levels = environment.levels();
        if self.levels.is_empty() {
            checks.fault("levels", "is empty");
        }
        for level in &self.levels {
            if !levels.iter().any(|known| known.number == *level) {
                let known: Vec<String> = levels.iter().map(|level| level.number.to_string()).collect();
                checks.fault(
                    "levels",
                    format!("{name} has no level {level}; its levels are {}", known.join(", ")),
                );
            }
        }
    }
}
