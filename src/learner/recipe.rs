//! A recipe: all that decides a training run, read from TOML and checked whole before anything begins.
//!
//! Every field has a default except what is trained on: `[model]` names a model or describes a tiny one, `[tasks]`
//! names an environment or a data set. `docs/TRAINING.md` lists every field; a test keeps that list complete.
//! The recipe never reads a model, a data set or a clock.

mod drawing;
mod engine;
mod eval;
mod fault;
mod fields;
mod model;
mod overrides;
mod pipeline;
mod prompt;
mod remote;
mod rubric;
mod run;
mod sampling;
mod sft;
mod tasks;
mod train;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::Table;

pub use self::engine::{CacheDtype, EngineKind, EngineRecipe, ExportDtype, FlashAttention, LlamaRecipe};
pub use self::eval::EvalRecipe;
pub use self::fault::{Fault, RecipeError};
pub use self::model::{Dtype, Family, LoraRecipe, LoraTarget, ModelRecipe, ModelSource, TinyModel};
pub use self::overrides::Override;
pub use self::pipeline::PipelineRecipe;
pub use self::prompt::PromptRecipe;
pub use self::remote::{RemoteLogprobs, RemotePrompt, RemoteRecipe, RemoteSync, RemoteWire};
pub use self::rubric::RubricRecipe;
pub use self::run::{CheckpointRecipe, DeviceChoice, RunRecipe};
pub use self::sampling::{RepetitionRecipe, SamplingRecipe, ThinkingRecipe};
pub use self::sft::SftRecipe;
pub use self::tasks::{HeldOut, HeldOutSource, TaskRecipe, TaskSource};
pub use self::train::{Schedule, TrainRecipe};

use self::fault::Checks;
use crate::opinion::{JudgeSettings, OpinionSettings, RewardModelSettings};

/// A training run, described.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// How tasks are rewarded; without one, the environment's own rubric, or `math` for a data set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rubric: Option<RubricRecipe>,
    /// Name, folder, seed, device and records.
    pub run: RunRecipe,
    /// What is trained.
    pub model: ModelRecipe,
    /// What it is trained on.
    pub tasks: TaskRecipe,
    /// How completions are drawn.
    pub sampling: SamplingRecipe,
    /// Who draws them.
    pub engine: EngineRecipe,
    /// How far they are drawn ahead; not at all without this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<PipelineRecipe>,
    /// How the policy learns from them.
    pub train: TrainRecipe,
    /// Supervised steps before the first rollout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sft: Option<SftRecipe>,
    /// How progress is measured.
    pub eval: EvalRecipe,
    /// When the run is saved.
    pub checkpoint: CheckpointRecipe,
    /// Language models that the rubric may ask, by their names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub judges: BTreeMap<String, JudgeSettings>,
    /// Reward models that the rubric may ask, by their names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub reward_models: BTreeMap<String, RewardModelSettings>,
}

impl Recipe {
    /// Reads a recipe's file, with `overrides` put over it in their order. Where the file gives the run no name, the
    /// file's name is it.
    ///
    /// # Errors
    /// When the file cannot be read or is no TOML; else every fault at once, each with its field.
    pub fn read(path: &Path, overrides: &[Override]) -> Result<Self, RecipeError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| RecipeError::Read { path: path.to_owned(), source })?;
        let name =
            path.file_stem().map_or_else(|| "run".to_owned(), |stem| stem.to_string_lossy().into_owned());
        Self::parse(&text, &path.display().to_string(), &name, overrides)
    }

    /// Reads a recipe's text. `origin` names it in errors, `name` is the run's name where the text gives none.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn parse(text: &str, origin: &str, name: &str, overrides: &[Override]) -> Result<Self, RecipeError> {
        let mut table: Table = text.parse().map_err(|error: toml::de::Error| RecipeError::Syntax {
            origin: origin.to_owned(),
            message: error.to_string().trim_end().to_owned(),
        })?;
        for change in overrides {
            change.apply(&mut table)?;
        }
        let (mut recipe, mut faults) = fields::read(table);
        if recipe.run.name.is_empty() {
            name.clone_into(&mut recipe.run.name);
        }
        recipe.resolve();
        // What could not be read stands at its default: what follows from that is no news.
        let known: Vec<String> = faults.iter().map(|fault| fault.field.clone()).collect();
        let mut found = Vec::new();
        recipe.check(&mut Checks::new(&mut found));
        faults.extend(found.into_iter().filter(|fault| !known.iter().any(|field| fault.is_about(field))));
        if faults.is_empty() {
            Ok(recipe)
        } else {
            Err(RecipeError::Faults { origin: origin.to_owned(), faults })
        }
    }

    /// The whole recipe with every default written out; reading it gives the same recipe.
    pub fn resolved_toml(&self) -> String {
        toml::to_string(self).expect("a recipe is tables with names, numbers, texts and lists of them")
    }

    /// Every field there is, by its dotted name, in the order of the sections.
    pub fn fields() -> Vec<String> {
        fields::all()
    }

    /// Fields in which a run that goes on differs from the one that was begun, and may not: `name: was a, is b`.
    ///
    /// How long it goes on, how it is measured, recorded and saved, and where it runs are free to change.
    pub fn conflicts(&self, begun: &Self) -> Vec<String> {
        fields::differences(begun, self)
            .into_iter()
            .filter(|fault| !FREE_TO_CHANGE.iter().any(|field| fault.is_about(field)))
            .map(|fault| fault.to_string())
            .collect()
    }

    /// Fills in what follows from other fields.
    fn resolve(&mut self) {
        self.run.resolve();
        let lora = self.model.lora.is_some();
        self.train.resolve(lora);
        let learning_rate = self.train.learning_rate;
        if let Some(sft) = &mut self.sft {
            sft.resolve(learning_rate);
        }
        self.eval.resolve(&self.sampling);
        self.engine.resolve();
        self.tasks.resolve();
    }

    fn check(&self, checks: &mut Checks) {
        self.run.check(&mut checks.section("run"));
        self.model.check(&mut checks.section("model"));
        self.tasks.check(&mut checks.section("tasks"));
        self.sampling.check(&mut checks.section("sampling"));
        self.engine.check(&mut checks.section("engine"));
        if let Some(remote) = self.engine.remote.as_ref().filter(|_| self.engine.kind == EngineKind::Remote) {
            remote.check_with(self, &mut checks.section("engine.remote"));
        }
        self.train.check(&mut checks.section("train"));
        self.eval.check(&mut checks.section("eval"));
        self.checkpoint.check(&mut checks.section("checkpoint"));
        if let Some(pipeline) = &self.pipeline {
            pipeline.check(&mut checks.section("pipeline"));
        }
        if let Some(sft) = &self.sft {
            sft.check(&mut checks.section("sft"));
            if sft.path.is_none() && self.tasks.environment.is_none() {
                checks.fault(
                    "sft.path",
                    "a data set has no worked solutions to learn from; name a file with examples",
                );
            }
        }
        if let Err((field, message)) = self.graded_by() {
            checks.fault(&field, message);
        }
        if let Some(tiny) = &self.model.tiny
            && self.sampling.max_tokens >= tiny.max_positions
        {
            checks.fault(
                "sampling.max_tokens",
                format!(
                    "{} leaves no room for a prompt in the {} positions of model.tiny.max_positions",
                    self.sampling.max_tokens, tiny.max_positions
                ),
            );
        }
    }

    /// The models that the rubric may ask.
    pub fn opinions(&self) -> OpinionSettings {
        OpinionSettings { judges: self.judges.clone(), reward_models: self.reward_models.clone() }
    }

    /// The rubric that rewards.
    ///
    /// # Errors
    /// Never for a recipe that was read.
    pub fn graded(&self) -> super::error::Result<graders::Rubric> {
        self.graded_by().map_err(|(field, message)| super::LearnerError::other(format!("{field}: {message}")))
    }

    /// The same, with what is wrong by its field.
    ///
    /// # Errors
    /// The field and what is wrong with it; never for a recipe that was read.
    pub fn graded_by(&self) -> Result<graders::Rubric, (String, String)> {
        let value = match &self.rubric {
            Some(rubric) => rubric.value(),
            None => self.tasks.default_rubric(),
        };
        graders::Rubric::from_value(&value)
            .map_err(|error| (rubric::field(&error.pointer), error.message.clone()))
    }
}

/// What a run that goes on may change.
const FREE_TO_CHANGE: [&str; 11] = [
    "train.steps",
    "train.micro_batch_tokens",
    "eval",
    "checkpoint",
    "engine",
    "judges",
    "reward_models",
    "run.device",
    "run.folder",
    "run.store",
    "run.tensorboard",
];

#[cfg(test)]
mod tests;
