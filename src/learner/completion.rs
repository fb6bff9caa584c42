//! A policy outside of training: measured on held-out tasks, or asked to complete a prompt.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use graders::{Progress, Prompt as TaskPrompt, Task};
use policy::decode::EngineLimits;
use policy::tokenizer::Tokenizer;

use super::error::{LearnerError, Result};
use super::evaluate::{Subject, evaluate as measure};
use super::hooks::Hooks;
use super::metrics::EvalMetrics;
use super::model;
use super::prompts::Prompter;
use super::recipe::{DeviceChoice, PromptRecipe, Recipe, SamplingRecipe};
use super::supply::Supply;
use crate::judge::Judge;
use crate::rollout::{NativeEngine, Prompt, RolloutEngine as _, SampleRequest, seed};

/// What `generate` is asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The model's folder.
    pub model: PathBuf,
    /// What computes.
    pub device: DeviceChoice,
    /// Prompts as the model reads them, or as its chat template takes them.
    pub prompts: Vec<String>,
    /// Whether prompts go through the chat template, where there is one.
    pub chat: bool,
    /// Completions of each.
    pub n: usize,
    /// How they are drawn; group size and thinking have no part in it.
    pub sampling: SamplingRecipe,
    /// Decides every draw.
    pub seed: u64,
}

/// An engine for a policy that is not trained.
pub(super) fn engine(
    policy: &policy::Policy,
    tokenizer: &Arc<Tokenizer>,
    max_sequences: usize,
) -> NativeEngine {
    let text = Arc::clone(tokenizer);
    let decode = Arc::new(move |tokens: &[u32]| text.decode(tokens, true).unwrap_or_default());
    NativeEngine::new(policy, decode, EngineLimits { max_batch: max_sequences, ..EngineLimits::default() })
}

/// Measures a model on the recipe's held-out tasks: the policy of `model`, a checkpoint's or any model's folder.
///
/// # Errors
/// What kept it from its end.
pub fn evaluate(recipe: &Recipe, model: &Path, judge: &Judge, hooks: &mut dyn Hooks) -> Result<EvalMetrics> {
    let clock = Instant::now();
    let device = model::device(&recipe.run.device)?;
    let opened = model::folder(&model::of_checkpoint(model), &device)?;
    let tokenizer = Arc::new(opened.tokenizer);
    let objective = recipe.train.objective()?;
    let rubric = Arc::new(recipe.graded()?);
    let weights = rubric
        .weights(&Progress { step: Some(0), ..Progress::default() })
        .map_err(|error| LearnerError::other(format!("rubric: {error}")))?;
    let (_, held_out) =
        Supply::open(&recipe.tasks, &objective.selection, recipe.run.seed, recipe.eval.n_tasks)?;
    let sampling = recipe.eval.sampling(&recipe.sampling.sampling(&tokenizer)?);
    let context = opened.policy.config.max_position_embeddings;
    let prompter =
        Prompter::new(Arc::clone(&tokenizer), recipe.tasks.prompt.clone(), context, sampling.max_tokens)?;
    let prompts: Vec<Prompt> =
        held_out.iter().filter_map(|task| prompter.prompt(task).transpose()).collect::<Result<_>>()?;
    let mut engine = engine(&opened.policy, &tokenizer, recipe.sampling.max_sequences);
    let request = SampleRequest::new(&prompts, recipe.eval.samples, &sampling, recipe.run.seed);
    let found = measure(&mut engine, judge, &rubric, &weights, &request)?;
    let metrics = found.metrics(0, prompts.len(), clock.elapsed());
    let subject = Subject { step: 0, prompter: &prompter, rubric: &rubric };
    for sample in found.samples(&subject, recipe.eval.shown) {
        hooks.on_sample(&sample);
    }
    Ok(metrics)
}

/// Completes prompts; `each` gets the prompt's number, and the text, as they are finished.
///
/// # Errors
/// What kept it from its end.
pub fn generate(asked: &Asked, each: &mut dyn FnMut(usize, &str)) -> Result<()> {
    let device = model::device(&asked.device)?;
    let opened = model::folder(&model::of_checkpoint(&asked.model), &device)?;
    let tokenizer = Arc::new(opened.tokenizer);
    let sampling = asked.sampling.sampling(&tokenizer)?;
    let template =
        PromptRecipe { text: (!asked.chat).then(|| "{prompt}".to_owned()), ..PromptRecipe::default() };
    let context = opened.policy.config.max_position_embeddings;
    let prompter = Prompter::new(Arc::clone(&tokenizer), template, context, sampling.max_tokens)?;
    let mut prompts = Vec::with_capacity(asked.prompts.len());
    for (number, text) in asked.prompts.iter().enumerate() {
        let task = Task { prompt: Some(TaskPrompt::Text(text.clone())), ..Task::default() };
        let prompt = prompter.prompt(&Arc::new(task))?.ok_or_else(|| {
            LearnerError::other(format!(
                "prompt {} is too long: with --max-tokens {} the model has room for {} tokens",
                number + 1,
                sampling.max_tokens,
                context.saturating_sub(sampling.max_tokens)
            ))
        })?;
        prompts.push(prompt);
    }
    let mut engine = engine(&opened.policy, &tokenizer, asked.sampling.max_sequences);
    let request = SampleRequest::new(&prompts, asked.n, &sampling, seed(asked.seed, 0, 0, 0));
    engine.sample(&request, &mut |group| {
        for rollout in &group.rollouts {
            each(group.index, &rollout.completion.text);
        }
    })?;
    Ok(())
}
