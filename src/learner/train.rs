//! Reinforcement learning from verifiable rewards, as follows.
//!
//! A step takes P tasks, samples a group of G completions of each from the policy, has the judge reward them, turns
//! the rewards of a group into advantages, and moves the policy by the gradient of
//!
//! ```text
//! L = sum_it W_it w_it l(ratio_it, A_it)  +  kl * sum_it W_it k(pi, ref)_it  -  entropy * sum_it W_it H_it
//! ```
//!
//! over the tokens t that the policy sampled in completions i: `l` is the policy loss (GRPO's clipped one by default),
//! `W` the aggregation whose denominators are those of the whole optimiser step, `w` the correction for an engine that
//! samples with other numbers than the learner's. Everything of it is a setting of [`Objective`](super::formulas::objective::Objective); with the defaults
//! this differs from DeepSeekMath's GRPO (arXiv:2402.03300) in four ways: no reference policy, one mean over all tokens
//! of the step (DAPO), an upper clip of 0.28, and groups of equal rewards are replaced by new ones.
//!
//! Letters: P tasks a step, G rollouts a task, M tokens of completions.

use std::thread;
use std::time::Instant;

use super::collect::Order;
use super::error::{LearnerError, Result};
use super::formulas::kl::Place;
use super::hooks::Hooks;
use super::rollouts::Rollouts;
use super::running::Learner;
use super::step::Step;
use super::update::{UpdateSettings, update};
use crate::judge::Judge;

pub use super::completion::{Asked, evaluate, generate};
pub use super::running::{Job, Outcome};

/// Trains to the recipe's last step, or until the hooks say stop.
///
/// # Errors
/// What kept it from its end. Checkpoints that were written stay.
#[expect(clippy::needless_pass_by_value, reason = "a job is done once")]
pub fn train(job: Job<'_>, hooks: &mut dyn Hooks) -> Result<Outcome> {
    let mut learner = Learner::open(&job, hooks)?;
    let recipe = job.recipe;
    let n_steps = recipe.train.steps;
    // A run that goes on after its first checkpoint has all of this behind it.
    if job.resume.is_none() {
        learner.warm_start(hooks)?;
        learner.evaluate(hooks)?;
        learner.save(hooks)?;
    }
    let collector = learner.collector.take().ok_or_else(|| LearnerError::other("a run is run once"))?;
    thread::scope(|scope| {
        let pipeline = recipe.pipeline.as_ref();
        let rollouts = Rollouts::begin(scope, collector, pipeline, learner.step, n_steps);
        run(&mut learner, rollouts, job.judge, hooks)
    })
}

/// THE loop.
fn run(
    learner: &mut Learner<'_>,
    mut rollouts: Rollouts<'_>,
    judge: &Judge,
    hooks: &mut dyn Hooks,
) -> Result<Outcome> {
    let recipe = learner.recipe;
    let n_steps = recipe.train.steps;
    let mut stopped = false;
    while learner.step < n_steps && !stopped {
        let clock = Instant::now();
        let number = learner.step + 1;

        // Sample and score: P groups of G rollouts with a reward each, or none where the judge failed.
        let weights = learner.component_weights()?;
        let order = Order { step: number, n_groups: recipe.train.prompts_per_step, weights: weights.clone() };
        let (collected, supply) = rollouts.next(&order)?;
        learner.supply = supply;

        // What the policies said before this step, where it is needed: [M] each.
        let updating = Instant::now();
        let mut step = Step::new(collected.kept.clone(), learner.objective.mask_truncated)?;
        step.leave_out_stale(learner.step, learner.max_staleness());
        let coefficients = learner.controllers.coefficients(&learner.objective);
        let trained = step.trained(0..step.scored.len());
        let temperature = learner.temperature();
        let micro_batch = recipe.train.micro_batch_tokens;
        let in_reward = learner.objective.kl.place == Place::Reward && coefficients.kl > 0.0;
        if learner.objective.needs_old() || in_reward {
            step.old = Some(step.logprobs(&learner.policy, temperature, &trained, micro_batch)?);
        }
        if let Some(reference) = &learner.reference {
            step.reference = Some(step.logprobs(reference, temperature, &trained, micro_batch)?);
        }

        // Advantages: one per token, 0 where there is no reward.
        let greedy = learner.greedy_rewards(&step, &weights, judge)?;
        let penalties = if in_reward { Some(learner.penalties(&step, coefficients.kl)?) } else { None };
        let components = learner.components(&weights);
        step.estimate(&learner.objective.advantage, &components, penalties.as_deref(), greedy.as_deref())?;

        // Loss and step.
        if learner.objective.updates.reset_optimiser {
            learner.optimizer.reset()?;
        }
        let settings = UpdateSettings {
            temperature,
            micro_batch_tokens: micro_batch,
            learning_rate: recipe.train.learning_rate_at(learner.step),
        };
        let updated = update(
            &learner.policy,
            &mut learner.optimizer,
            &mut learner.gradients,
            &learner.objective,
            &coefficients,
            &step,
            &settings,
        )?;
        learner.observe(&updated.metrics, trained.len());
        learner.step = number;
        let syncing = rollouts.follow(&learner.policy, number)?;
        learner.refresh_reference()?;
        let update_time = updating.elapsed().saturating_sub(syncing);

        // Record.
        let metrics = learner.metrics(
            &step,
            &collected,
            &updated,
            settings.learning_rate,
            clock,
            (update_time, syncing),
        );
        learner.remember(&metrics);
        hooks.on_groups(number, &learner.judged(&step, &collected))?;
        hooks.on_step(&metrics)?;
        if recipe.eval.is_due(number, n_steps) {
            learner.evaluate(hooks)?;
        }
        stopped = hooks.should_stop();
        if recipe.checkpoint.is_due(number, n_steps) || stopped {
            learner.save(hooks)?;
        }
    }
    learner.outcome(stopped && learner.step < n_steps)
}
