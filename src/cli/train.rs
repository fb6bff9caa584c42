//! `gavel train`: from a recipe to a trained policy.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use graders::Resources;

use super::sandbox::GuestArgs;
use crate::judge::Judge;
use crate::learner::checkpoint::{Checkpoint, Checkpoints};
use crate::learner::folder::{RunFolder, replace};
use crate::learner::plot;
use crate::learner::recipe::{Override, Recipe};
use crate::learner::record::Recorder;
use crate::learner::summary::Summary;
use crate::learner::train::{Job, train};

mod keeper;
mod listener;
mod progress;
mod stop;

use keeper::Keeper;
use listener::Listener;
pub(super) use progress::Progress;
pub(super) use stop::Stop;

/// Train a policy by verifiable rewards, as a recipe says.
///
/// The run's folder gets the whole recipe (run.toml), metrics.jsonl, TensorBoard's events, checkpoints, and at the
/// end plot.svg and summary.md. Ctrl-C ends the run after the step it is in, with a checkpoint; --resume goes on.
///
/// Exit code: 0 when the last step was taken or the run was told to stop, 2 when it could not go on.
#[derive(Debug, Args)]
pub(super) struct Train {
    /// The recipe, a TOML file; docs/TRAINING.md lists its fields.
    recipe: PathBuf,
    /// Puts a value over a field of the recipe, such as train.learning_rate=1e-5; may be given again.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    sets: Vec<String>,
    /// Go on from the newest whole checkpoint in the run's folder, if there is one.
    #[arg(long)]
    resume: bool,
    /// What computes: auto, cpu or cuda:N [default: as the recipe says].
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Steps [default: as the recipe says].
    #[arg(long, value_name = "N")]
    steps: Option<u32>,
    /// The run's folder [default: as the recipe says, or runs/NAME].
    #[arg(long, value_name = "DIR")]
    folder: Option<String>,
    /// Print the whole recipe, every default written out, and train nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    guests: GuestArgs,
}

impl Train {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let recipe = Recipe::read(&self.recipe, &self.overrides()?)?;
        if self.dry_run {
            print_recipe(&recipe);
            return Ok(ExitCode::SUCCESS);
        }
        if recipe.run.threads > 0 {
            rayon::ThreadPoolBuilder::new()
                .num_threads(recipe.run.threads)
                .build_global()
                .context("cannot start the threads of run.threads")?;
        }
        let folder = RunFolder::open(&recipe.run.folder)?;
        let progress = Progress::new(recipe.train.steps);
        let resume = self.resume(&recipe, &folder, &progress)?;
        folder.write_recipe(&recipe)?;

        let judge = judge(&recipe, &self.guests)?;
        let stop = Stop::on_signals()?;
        let recorder =
            Recorder::open(&folder, &recipe.run, resume.as_ref().map(|checkpoint| checkpoint.step))?;
        let keeper = recipe.run.store.as_deref().map(|store| Keeper::open(store, &recipe)).transpose()?;
        let mut listener = Listener::new(recorder, progress, keeper, &stop);
        let result = train(Job { recipe: &recipe, folder: &folder, resume, judge: &judge }, &mut listener);
        let (history, samples) = listener.finish();

        // What there is by then is worth a picture, also when the run could not go on.
        let summary = Summary { name: &recipe.run.name, history: &history, samples: &samples };
        if !history.steps.is_empty() {
            plot::write(&folder.plot_path(), &recipe.run.name, &history)?;
            replace(&folder.summary_path(), summary.markdown().as_bytes())?;
        }
        let outcome =
            result.with_context(|| format!("the run in {} ended early", folder.path().display()))?;
        tell(&summary.line());
        if outcome.stopped {
            tell(&format!("stopped after step {}; go on with --resume", outcome.step));
        }
        tell(&format!(
            "{} has it all; the policy is {}",
            folder.path().display(),
            outcome.checkpoint.display()
        ));
        Ok(ExitCode::SUCCESS)
    }

    fn overrides(&self) -> anyhow::Result<Vec<Override>> {
        let mut overrides = read_overrides(&self.sets)?;
        overrides.extend(self.device.as_deref().map(|device| Override::new("run.device", device)));
        overrides.extend(self.steps.map(|steps| Override::new("train.steps", i64::from(steps))));
        overrides.extend(self.folder.as_deref().map(|folder| Override::new("run.folder", folder)));
        Ok(overrides)
    }

    /// The checkpoint to go on from; `None` begins.
    fn resume(
        &self,
        recipe: &Recipe,
        folder: &RunFolder,
        progress: &Progress,
    ) -> anyhow::Result<Option<Checkpoint>> {
        let path = folder.path().display();
        if !folder.has_run() {
            return Ok(None);
        }
        if !self.resume {
            bail!("{path} has a run already; go on with it with --resume, or choose another --folder");
        }
        let conflicts = recipe.conflicts(&folder.read_recipe()?);
        if !conflicts.is_empty() {
            bail!("{path} was begun with another recipe, so it cannot go on: {}", conflicts.join("; "));
        }
        let found = Checkpoints::open(&folder.checkpoints_path(), recipe.checkpoint.keep)?.newest()?;
        for reason in &found.skipped {
            progress.note(reason);
        }
        match &found.checkpoint {
            Some(checkpoint) => progress.note(&format!("going on after step {}", checkpoint.step)),
            None if found.skipped.is_empty() => progress.note("there is no checkpoint yet; beginning anew"),
            None => bail!("{path} has no whole checkpoint; remove the folder to begin anew"),
        }
        Ok(found.checkpoint)
    }
}

/// Reads `--set` options.
pub(super) fn read_overrides(sets: &[String]) -> anyhow::Result<Vec<Override>> {
    Ok(sets.iter().map(|set| set.parse()).collect::<Result<_, _>>()?)
}

/// The recipe that a model's folder was trained by: the `run.toml` of its run.
pub(super) fn recipe_of(model: &Path) -> Option<PathBuf> {
    model.ancestors().map(|folder| folder.join("run.toml")).find(|path| path.is_file())
}

/// Starts the judge that a recipe asks for.
pub(super) fn judge(recipe: &Recipe, guests: &GuestArgs) -> anyhow::Result<Judge> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let n_threads = if recipe.run.threads == 0 { cores } else { recipe.run.threads };
    let resources = Resources { sandbox: Some(guests.sandbox(n_threads)), ..Resources::default() };
    let resources = recipe.opinions().add_to(resources)?;
    Judge::start(n_threads, resources).context("cannot start the grading threads")
}

#[expect(clippy::print_stdout, reason = "the command's output")]
fn print_recipe(recipe: &Recipe) {
    print!("{}", recipe.resolved_toml());
}

#[expect(clippy::print_stderr, reason = "the command's messages")]
pub(super) fn tell(message: &str) {
    eprintln!("gavel train: {message}");
}
