//! `gavel eval`: how good a checkpoint is on held-out tasks.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::sandbox::GuestArgs;
use super::train::{Progress, judge, read_overrides, recipe_of};
use crate::learner::checkpoint;
use crate::learner::hooks::{Hooks, Sample};
use crate::learner::recipe::{Override, Recipe};
use crate::learner::train::evaluate;

/// Measure a policy on held-out tasks; prints one JSON object.
///
/// The tasks, the prompt and the rubric are those of the recipe: of the run that a checkpoint belongs to, or of
/// --recipe.
#[derive(Debug, Args)]
pub(super) struct Eval {
    /// A run's folder (its newest checkpoint), a checkpoint, or any model's folder.
    model: PathBuf,
    /// The recipe [default: the run's].
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
    /// Puts a value over a field of the recipe, such as eval.n_tasks=1000; may be given again.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    sets: Vec<String>,
    /// What computes: auto, cpu or cuda:N [default: as the recipe says].
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    #[command(flatten)]
    guests: GuestArgs,
}

/// Shows samples while measuring.
struct Shown(Progress);

impl Hooks for Shown {
    fn note(&mut self, message: &str) {
        self.0.note(message);
    }

    fn on_sample(&mut self, sample: &Sample) {
        self.0.sample(sample);
    }
}

impl Eval {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let path = self.recipe.or_else(|| recipe_of(&self.model)).with_context(|| {
            format!("{} belongs to no run; name a recipe with --recipe", self.model.display())
        })?;
        let mut overrides = read_overrides(&self.sets)?;
        overrides.extend(self.device.as_deref().map(|device| Override::new("run.device", device)));
        let recipe = Recipe::read(&path, &overrides)?;
        let model = model_folder(&self.model)?;
        let judge = judge(&recipe, &self.guests)?;
        let metrics = evaluate(&recipe, &model, &judge, &mut Shown(Progress::new(0)))?;
        print(&serde_json::to_string(&metrics)?);
        Ok(ExitCode::SUCCESS)
    }
}

/// The folder that a user means: a model's own, a checkpoint's, or the newest of a run's.
pub(super) fn model_folder(path: &std::path::Path) -> anyhow::Result<PathBuf> {
    if path.join("config.json").is_file() {
        return Ok(path.to_owned());
    }
    Ok(checkpoint::find(path)?.folder)
}

#[expect(clippy::print_stdout, reason = "the command's output")]
fn print(text: &str) {
    println!("{text}");
}
