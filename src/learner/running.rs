//! What a run holds between steps, how it begins, and how it goes on after a stop.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use graders::{Progress, Rubric};
use policy::decode::Sampling;
use policy::optimizer::{AdamW, AdamWOptions};
use policy::tokenizer::Tokenizer;
use policy::{Gradients, Policy};
use serde::{Deserialize, Serialize};

use super::checkpoint::{Checkpoint, Checkpoints};
use super::collect::{Collected, Collector, Left};
use super::engine;
use super::error::{LearnerError, Result};
use super::evaluate::{Subject, evaluate};
use super::folder::RunFolder;
use super::formulas::controller::Controllers;
use super::formulas::metrics::Metrics;
use super::formulas::objective::Objective;
use super::hooks::{Hooks, JudgedGroup};
use super::metrics::{Seconds, StepMetrics};
use super::model;
use super::prompts::Prompter;
use super::recipe::{Recipe, TrainRecipe};
use super::score::{Scored, Scorer, accuracy_component};
use super::shared_engine::SharedEngine;
use super::step::Step;
use super::supply::{Supply, SupplyState};
use super::update::Updated;
use super::warm_start;
use crate::judge::Judge;
use crate::rollout::{Prompt, SampleRequest, seed};

/// What a run needs beside its recipe.
#[derive(Debug)]
pub struct Job<'a> {
    /// What the run is.
    pub recipe: &'a Recipe,
    /// Where it lives.
    pub folder: &'a RunFolder,
    /// Where it goes on.
    pub resume: Option<Checkpoint>,
    /// Who rewards.
    pub judge: &'a Judge,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Steps taken in all.
    pub step: u64,
    /// Whether it was told to stop before its last step.
    pub stopped: bool,
    /// The last checkpoint.
    pub checkpoint: PathBuf,
}

/// What a checkpoint says beside weights and optimiser. All draws follow from the seed and the step, so no state of a
/// random generator is among it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    controllers: Controllers,
    supply: SupplyState,
    latched: BTreeSet<String>,
    schedule_metrics: BTreeMap<String, f64>,
    /// Steps that the optimiser remembers.
    optimizer_steps: u64,
    /// SHA-256 of configuration and weights.
    policy: String,
}

/// Places of a run's draws that must not meet.
const DRAWS_OF_EVALUATION: u64 = 2;
const DRAWS_OF_MODEL: u64 = 3;
const DRAWS_OF_GREEDY: u64 = 4;

/// A run between two steps.
pub(super) struct Learner<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) policy: Policy,
    pub(super) reference: Option<Policy>,
    pub(super) optimizer: AdamW,
    pub(super) gradients: Gradients,
    pub(super) engine: Arc<SharedEngine>,
    /// Until the loop takes it.
    pub(super) collector: Option<Collector<'a>>,
    /// What decides the tasks of the next step.
    pub(super) supply: SupplyState,
    prompter: Prompter,
    pub(super) rubric: Arc<Rubric>,
    pub(super) accuracy: Option<Arc<str>>,
    pub(super) objective: Objective,
    pub(super) controllers: Controllers,
    pub(super) sampling: Sampling,
    /// Steps taken.
    pub(super) step: u64,
    tokenizer: Arc<Tokenizer>,
    judge: &'a Judge,
    checkpoints: Checkpoints,
    last_checkpoint: Option<PathBuf>,
    held_out: Vec<Prompt>,
    eval_sampling: Sampling,
    latched: BTreeSet<String>,
    schedule_metrics: BTreeMap<String, f64>,
    /// What the machine's matrix products reach, in operations a second.
    throughput: f64,
}

impl<'a> Learner<'a> {
    /// Builds all that a run needs, or takes it from a checkpoint.
    pub(super) fn open(job: &Job<'a>, hooks: &mut dyn Hooks) -> Result<Self> {
        let recipe = job.recipe;
        engine::check(recipe)?;
        let device = model::device(&recipe.run.device)?;
        let resumed = job.resume.as_ref();
        let draws = seed(recipe.run.seed, 0, DRAWS_OF_MODEL, 0);
        let opened = match resumed {
            Some(checkpoint) => model::resume(recipe, &checkpoint.folder, &device, draws)?,
            None => model::open(recipe, &device, draws)?,
        };
        let (policy, tokenizer) = (opened.policy, Arc::new(opened.tokenizer));
        let objective = recipe.train.objective()?;
        let rubric = Arc::new(recipe.graded()?);
        let (mut supply, held_out) =
            Supply::open(&recipe.tasks, &objective.selection, recipe.run.seed, recipe.eval.n_tasks)?;
        let sampling = recipe.sampling.sampling(&tokenizer)?;
        let eval_sampling = recipe.eval.sampling(&sampling);
        let longest = sampling.max_tokens.max(eval_sampling.max_tokens);
        let prompter = Prompter::new(
            Arc::clone(&tokenizer),
            recipe.tasks.prompt.clone(),
            policy.config.max_position_embeddings,
            longest,
        )?;
        let n_tasks = held_out.len();
        let held_out: Vec<Prompt> =
            held_out.iter().filter_map(|task| prompter.prompt(task).transpose()).collect::<Result<_>>()?;
        if held_out.len() < n_tasks {
            let n = n_tasks - held_out.len();
            hooks.note(&format!("{n} held-out prompts are too long for the model and are left out"));
        }
        let mut optimizer = optimizer(&recipe.train, &policy)?;
        let mut reference = reference(recipe, &objective, &policy)?;
        let mut controllers = Controllers::new(&objective);
        let (mut latched, mut schedule_metrics) = (BTreeSet::new(), BTreeMap::new());
        let mut step = 0;
        if let Some(checkpoint) = resumed {
            let state: State = checkpoint.state()?;
            let found = policy.fingerprint()?;
            if found != state.policy {
                return Err(LearnerError::other(format!(
                    "{}: its weights are not those that were saved ({found}, expected {})",
                    checkpoint.folder.display(),
                    state.policy
                )));
            }
            model::load_optimizer(&mut optimizer, state.optimizer_steps, &checkpoint.folder, &policy.device)?;
            if objective.kl.refresh.every > 0
                && let Some(reference) = &mut reference
            {
                *reference = model::load_reference(&policy, &checkpoint.folder)?;
            }
            supply.restore(state.supply);
            (controllers, latched, schedule_metrics) =
                (state.controllers, state.latched, state.schedule_metrics);
            step = checkpoint.step;
        }
        let mut engine = engine::open(recipe, &policy, &tokenizer)?;
        engine.sync(&policy, step)?;
        let engine = Arc::new(SharedEngine::new(engine));
        let accuracy = accuracy_component(&rubric);
        let collector = Collector {
            prompter: prompter.clone(),
            engine: Arc::clone(&engine),
            judge: job.judge,
            rubric: Arc::clone(&rubric),
            accuracy: accuracy.clone(),
            selection: objective.selection,
            sampling: sampling.clone(),
            group_size: recipe.sampling.group_size,
            seed: recipe.run.seed,
            carry_over: recipe.pipeline.as_ref().map_or(0.0, |pipeline| pipeline.carry_over),
            left: Left::default(),
            supply,
        };
        Ok(Self {
            throughput: policy::flops::throughput(&policy.device)?,
            recipe,
            reference,
            optimizer,
            gradients: Gradients::zeros(&policy.parameters())?,
            engine,
            supply: collector.supply.state().clone(),
            collector: Some(collector),
            prompter,
            accuracy,
            rubric,
            objective,
            controllers,
            sampling,
            step,
            tokenizer,
            judge: job.judge,
            checkpoints: Checkpoints::open(&job.folder.checkpoints_path(), recipe.checkpoint.keep)?,
            last_checkpoint: resumed.map(|checkpoint| checkpoint.folder.clone()),
            held_out,
            eval_sampling,
            latched,
            schedule_metrics,
            policy,
        })
    }

    /// Imitates worked solutions, where the recipe says so.
    pub(super) fn warm_start(&mut self, hooks: &mut dyn Hooks) -> Result<()> {
        let Some(recipe) = &self.recipe.sft else { return Ok(()) };
        let Some(collector) = &self.collector else { return Ok(()) };
        let examples = warm_start::examples(recipe, &collector.supply, &self.prompter, &self.tokenizer)?;
        warm_start::imitate(
            &self.policy,
            &mut self.optimizer,
            &mut self.gradients,
            &examples,
            self.recipe,
            hooks,
        )?;
        // What it remembers of imitation says nothing about what follows.
        self.optimizer.reset()?;
        if self.objective.kl.needs_reference() && self.recipe.model.lora.is_none() {
            self.reference = Some(self.policy.frozen_copy()?);
        }
        self.engine.lend(|engine| engine.sync(&self.policy, self.step))?;
        Ok(())
    }

    /// The policy as an engine may have it: where rollouts are drawn while the learner works, a copy that stays as it
    /// is.
    fn current(&self) -> Result<Policy> {
        let ahead = self.recipe.pipeline.as_ref().is_some_and(|pipeline| pipeline.max_staleness > 0);
        Ok(if ahead { self.policy.snapshot()? } else { self.policy.clone() })
    }

    /// How many steps a token's policy may be behind; without a pipeline nobody asks.
    pub(super) fn max_staleness(&self) -> u64 {
        self.recipe.pipeline.as_ref().map_or(u64::MAX, |pipeline| pipeline.max_staleness)
    }

    /// The temperature of the distribution that log-probabilities are of.
    pub(super) fn temperature(&self) -> f32 {
        if self.sampling.temperature > 0.0 { self.sampling.temperature } else { 1.0 }
    }

    /// The weights of the rubric's components in force.
    pub(super) fn component_weights(&self) -> Result<Vec<f64>> {
        let progress = Progress {
            step: Some(self.step),
            metrics: self.schedule_metrics.clone(),
            latched: self.latched.clone(),
        };
        self.rubric.weights(&progress).map_err(|error| LearnerError::other(format!("rubric: {error}")))
    }

    /// The components with these weights.
    pub(super) fn components(&self, weights: &[f64]) -> Vec<(Arc<str>, f64)> {
        let names = self.rubric.components().iter().map(|component| Arc::clone(&component.name));
        names.zip(weights.iter().copied()).collect()
    }

    /// The reward of the policy's likeliest answer to each prompt, where the estimator compares with it (ReMax).
    pub(super) fn greedy_rewards(
        &mut self,
        step: &Step,
        weights: &[f64],
        judge: &Judge,
    ) -> Result<Option<Vec<Option<f64>>>> {
        if !self.objective.advantage.needs_greedy() {
            return Ok(None);
        }
        let prompts: Vec<Prompt> = step.scored.iter().map(|scored| scored.group.prompt.clone()).collect();
        let sampling = Sampling { temperature: 0.0, ..self.sampling.clone() };
        let draws = seed(self.recipe.run.seed, self.step, DRAWS_OF_GREEDY, 0);
        let mut scorer = Scorer::new(judge, Arc::clone(&self.rubric), weights.to_vec());
        let request = SampleRequest::new(&prompts, 1, &sampling, draws);
        let current = self.current()?;
        self.engine.lend(|engine| {
            engine.sync(&current, self.step)?;
            engine.sample(&request, &mut |group| scorer.submit(group))
        })?;
        Ok(Some(scorer.finish().iter().map(|scored| scored.totals().first().copied().flatten()).collect()))
    }

    /// What each token's reward loses for leaving the reference policy.
    pub(super) fn penalties(&self, step: &Step, coefficient: f64) -> Result<Vec<f64>> {
        let (Some(old), Some(reference)) = (&step.old, &step.reference) else {
            return Err(LearnerError::other("a penalty in the reward needs a reference policy"));
        };
        Ok(self.objective.kl.reward_penalties(coefficient, &step.mask, old, reference)?)
    }

    /// Takes in what the objective measured.
    pub(super) fn observe(&mut self, metrics: &Metrics, n_sequences: usize) {
        let kl = metrics.get("kl/reference_k1");
        self.controllers.observe(&self.objective, kl, metrics.get("entropy/mean"), n_sequences);
    }

    /// Lets the reference policy follow, when it is time.
    pub(super) fn refresh_reference(&mut self) -> Result<()> {
        let refresh = self.objective.kl.refresh;
        if let Some(reference) = &self.reference
            && refresh.every > 0
            && self.step.is_multiple_of(refresh.every)
        {
            reference.mix_from(&self.policy, refresh.alpha)?;
        }
        Ok(())
    }

    /// Measures the policy on the held-out tasks.
    pub(super) fn evaluate(&mut self, hooks: &mut dyn Hooks) -> Result<()> {
        if self.held_out.is_empty() {
            return Ok(());
        }
        let clock = Instant::now();
        let weights = self.component_weights()?;
        let draws = seed(self.recipe.run.seed, 0, DRAWS_OF_EVALUATION, 0);
        let request =
            SampleRequest::new(&self.held_out, self.recipe.eval.samples, &self.eval_sampling, draws);
        let current = self.current()?;
        let found = self.engine.lend(|engine| {
            engine.sync(&current, self.step)?;
            evaluate(engine, self.judge, &self.rubric, &weights, &request)
        })?;
        hooks.on_eval(&found.metrics(self.step, self.held_out.len(), clock.elapsed()))?;
        let subject = Subject { step: self.step, prompter: &self.prompter, rubric: &self.rubric };
        for sample in found.samples(&subject, self.recipe.eval.shown) {
            hooks.on_sample(&sample);
        }
        Ok(())
    }

    /// The groups of a step for who keeps them.
    pub(super) fn judged(&self, step: &Step, collected: &Collected) -> Vec<JudgedGroup> {
        let mut judged = Vec::with_capacity(step.scored.len());
        let mut sequences = step.sequences.iter();
        for (scored, number) in step.scored.iter().zip(&collected.tasks) {
            let Ok(rewards) = &scored.rewards else { continue };
            let advantages = sequences.by_ref().take(rewards.len()).zip(rewards).map(|(sequence, reward)| {
                // A token's advantage stands for its completion's where all are alike.
                let first = step.advantages.get(sequence.start).copied();
                first.filter(|_| reward.total.is_ok()).map(f64::from)
            });
            let advantages = advantages.collect();
            judged.push(JudgedGroup {
                id: format!("{}/{number}", self.recipe.tasks.environment.as_deref().unwrap_or("task")),
                task: Arc::clone(&scored.group.prompt.task),
                completions: scored.group.rollouts.iter().map(|rollout| rollout.completion.clone()).collect(),
                rewards: rewards.clone(),
                advantages,
            });
        }
        judged
    }

    /// What schedules of weights look at: moving means of this step's numbers.
    pub(super) fn remember(&mut self, metrics: &StepMetrics) {
        const NEWEST: f64 = 0.1;
        let known = [("reward", metrics.reward), ("accuracy", metrics.accuracy), ("length", metrics.length)];
        for (name, value) in known {
            let Some(value) = value else { continue };
            let mean = self.schedule_metrics.entry(name.to_owned()).or_insert(value);
            *mean += NEWEST * (value - *mean);
        }
        let progress = Progress {
            step: Some(self.step),
            metrics: self.schedule_metrics.clone(),
            latched: self.latched.clone(),
        };
        self.latched.extend(self.rubric.closing_latches(&progress));
    }

    /// Writes a checkpoint.
    pub(super) fn save(&mut self, hooks: &mut dyn Hooks) -> Result<()> {
        let state = State {
            controllers: self.controllers,
            supply: self.supply.clone(),
            latched: self.latched.clone(),
            schedule_metrics: self.schedule_metrics.clone(),
            optimizer_steps: self.optimizer.steps(),
            policy: self.policy.fingerprint()?,
        };
        let path = self.checkpoints.write(self.step, &state, |folder| self.fill(folder))?;
        hooks.note(&format!("checkpoint {}", path.display()));
        self.last_checkpoint = Some(path);
        Ok(())
    }

    fn fill(&self, folder: &Path) -> Result<()> {
        model::save(self.recipe, &self.policy, &self.tokenizer, folder)?;
        model::save_optimizer(&self.optimizer, folder)?;
        if self.objective.kl.refresh.every > 0
            && let Some(reference) = &self.reference
        {
            model::save_reference(reference, folder)?;
        }
        Ok(())
    }

    /// How it ended.
    pub(super) fn outcome(&self, stopped: bool) -> Result<Outcome> {
        let checkpoint =
            self.last_checkpoint.clone().ok_or_else(|| LearnerError::other("no checkpoint was written"))?;
        Ok(Outcome { step: self.step, stopped, checkpoint })
    }

    /// The step in numbers.
    pub(super) fn metrics(
        &self,
        step: &Step,
        collected: &Collected,
        updated: &Updated,
        learning_rate: f64,
        clock: Instant,
        (update, syncing): (Duration, Duration),
    ) -> StepMetrics {
        let all: Vec<&Scored> = step.scored.iter().chain(&collected.left_out).collect();
        let mut metrics = super::summary_of_step::summarize(&all, &self.rubric, self.accuracy.as_deref());
        metrics.step = self.step;
        metrics.n_groups_sampled = all.len();
        metrics.n_groups = step.scored.len();
        metrics.n_refills = collected.n_refills;
        metrics.n_failed = collected.n_failed;
        (metrics.staleness_mean, metrics.staleness_max) =
            super::summary_of_step::staleness(&all, self.step.saturating_sub(1));
        metrics.zero_variance_fraction = collected.n_uniform as f64 / all.len().max(1) as f64;
        metrics.loss = updated.loss;
        metrics.grad_norm = updated.grad_norm;
        metrics.entropy = updated.metrics.get("entropy/mean");
        metrics.learning_rate = learning_rate;
        metrics.objective = updated.metrics.iter().map(|(name, value)| (name.to_owned(), value)).collect();
        if self.recipe.pipeline.is_some() {
            let n_tokens = step.mask.len().max(1) as f64;
            metrics.objective.insert("rollout/too_stale_frac".to_owned(), step.n_stale as f64 / n_tokens);
            metrics.objective.insert("rollout/carried_groups".to_owned(), collected.n_carried as f64);
        }
        metrics.n_sampled_tokens = collected.n_tokens as u64;
        metrics.n_trained_tokens = updated.n_tokens as u64;
        let rate = |n: usize, time: Duration| {
            let seconds = time.as_secs_f64();
            (n > 0 && seconds > 0.0).then(|| n as f64 / seconds)
        };
        metrics.sampled_tokens_per_second = rate(collected.n_tokens, collected.sampling);
        metrics.trained_tokens_per_second = rate(updated.n_tokens, update);
        let seconds = update.as_secs_f64();
        metrics.mfu =
            (updated.flops > 0.0 && seconds > 0.0).then(|| updated.flops / seconds / self.throughput);
        metrics.seconds = Seconds {
            total: clock.elapsed().as_secs_f64(),
            sample: collected.waiting.as_secs_f64(),
            judge: collected.judging.as_secs_f64(),
            update: update.as_secs_f64(),
            sync: syncing.as_secs_f64(),
        };
        metrics
    }
}

/// The optimiser as the recipe sets it up, at its first step.
fn optimizer(train: &TrainRecipe, policy: &Policy) -> Result<AdamW> {
    let [beta1, beta2] = train.betas;
    let options = AdamWOptions {
        beta1,
        beta2,
        eps: train.eps,
        weight_decay: train.weight_decay,
        max_norm: (train.grad_clip > 0.0).then_some(train.grad_clip),
    };
    Ok(AdamW::new(policy.weights.trained(), options)?)
}

/// The policy that the objective keeps to, where it keeps to one.
fn reference(recipe: &Recipe, objective: &Objective, policy: &Policy) -> Result<Option<Policy>> {
    Ok(match objective.kl.needs_reference() {
        // The base of an adapter is the policy it began as, for nothing.
        true if recipe.model.lora.is_some() && objective.kl.refresh.every == 0 => {
            Some(policy.without_adapter())
        }
        true => Some(policy.frozen_copy()?),
        false => None,
    })
}
