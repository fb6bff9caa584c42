//! How well the policy does on tasks that it is not trained on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use graders::Rubric;

use super::formulas::filter::RIGHT;
use super::hooks::Sample;
use super::metrics::EvalMetrics;
use super::prompts::Prompter;
use super::score::{Scored, Scorer, accuracy_component};
use crate::judge::Judge;
use crate::rollout::{RolloutEngine, RolloutError, SampleRequest};

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Evaluation {
    /// Share of right completions among those that could be judged, averaged over tasks.
    pub accuracy: f64,
    /// Standard error of `accuracy` over tasks.
    pub accuracy_error: f64,
    /// Mean reward of those that could be judged.
    pub reward: f64,
    /// Mean number of sampled tokens.
    pub n_tokens: f64,
    /// Share of completions that were cut off.
    pub truncated: f64,
    /// Each component's mean score.
    pub components: BTreeMap<String, f64>,
    /// Completions that were judged.
    pub n_judged: usize,
    /// Completions that could not be judged.
    pub n_failed: usize,
    /// The first groups, to be shown.
    pub samples: Vec<Scored>,
}

/// How many groups are kept to be shown.
const N_SAMPLES: usize = 8;

/// Samples a group for each prompt and judges it. The policy is not changed and nothing is drawn from what training
/// draws from, so that a run with evaluations takes the same steps as one without.
///
/// # Errors
/// When the engine fails.
pub fn evaluate(
    engine: &mut dyn RolloutEngine,
    judge: &Judge,
    rubric: &Arc<Rubric>,
    weights: &[f64],
    request: &SampleRequest<'_>,
) -> Result<Evaluation, RolloutError> {
    let mut scorer = Scorer::new(judge, Arc::clone(rubric), weights.to_vec());
    engine.sample(request, &mut |group| scorer.submit(group))?;
    Ok(summarize(scorer.finish(), rubric))
}

fn summarize(scored: Vec<Scored>, rubric: &Rubric) -> Evaluation {
    let component = accuracy_component(rubric);
    let mut evaluation = Evaluation::default();
    let mut by_task = Vec::new();
    let mut n_rollouts = 0_usize;
    for scored in &scored {
        let scores = component.as_ref().map(|name| scored.scores(name)).unwrap_or_default();
        let judged: Vec<f64> = scores.into_iter().flatten().collect();
        if !judged.is_empty() {
            let n_right = judged.iter().filter(|score| **score >= RIGHT).count();
            by_task.push(n_right as f64 / judged.len() as f64);
        }
        for (rollout, total) in scored.group.rollouts.iter().zip(scored.totals()) {
            n_rollouts += 1;
            evaluation.n_tokens += rollout.n_sampled() as f64;
            evaluation.truncated += f64::from(u8::from(rollout.is_truncated()));
            match total {
                Some(total) => {
                    evaluation.reward += total;
                    evaluation.n_judged += 1;
                }
                None => evaluation.n_failed += 1,
            }
        }
    }
    evaluation.reward /= evaluation.n_judged.max(1) as f64;
    evaluation.n_tokens /= n_rollouts.max(1) as f64;
    evaluation.truncated /= n_rollouts.max(1) as f64;
    let n = by_task.len().max(1) as f64;
    evaluation.accuracy = by_task.iter().sum::<f64>() / n;
    let variance =
        by_task.iter().map(|rate| (rate - evaluation.accuracy).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    evaluation.accuracy_error = (variance / n).sqrt();
    for component in rubric.components() {
        let scores: Vec<f64> =
            scored.iter().flat_map(|scored| scored.scores(&component.name)).flatten().collect();
        if !scores.is_empty() {
            let mean = scores.iter().sum::<f64>() / scores.len() as f64;
            evaluation.components.insert(component.name.to_string(), mean);
        }
    }
    evaluation.samples = scored.into_iter().take(N_SAMPLES).collect();
    evaluation
}

/// What was measured, for its records.
pub(super) struct Subject<'a> {
    /// Steps taken before.
    pub(super) step: u64,
    /// Made its prompts.
    pub(super) prompter: &'a Prompter,
    /// Judged it.
    pub(super) rubric: &'a Rubric,
}

impl Evaluation {
    /// As it is recorded.
    pub(super) fn metrics(&self, step: u64, n_tasks: usize, time: Duration) -> EvalMetrics {
        let n_completions = self.n_judged + self.n_failed;
        EvalMetrics {
            step,
            accuracy: (self.n_judged > 0).then_some(self.accuracy),
            accuracy_error: (self.n_judged > 1).then_some(self.accuracy_error),
            reward: (self.n_judged > 0).then_some(self.reward),
            components: self.components.clone(),
            n_tasks,
            n_completions,
            null_fraction: self.n_failed as f64 / n_completions.max(1) as f64,
            length: (n_completions > 0).then_some(self.n_tokens),
            truncated_fraction: self.truncated,
            seconds: time.as_secs_f64(),
        }
    }

    /// The first completions of the first groups, at most `n`.
    pub(super) fn samples(&self, subject: &Subject<'_>, n: usize) -> Vec<Sample> {
        let accuracy = accuracy_component(subject.rubric);
        let sample = |scored: &Scored| {
            let rollout = scored.group.rollouts.first()?;
            let score = accuracy.as_deref().and_then(|name| scored.scores(name).first().copied().flatten());
            let task = &scored.group.prompt.task;
            Some(Sample {
                step: subject.step,
                prompt: subject.prompter.text(&scored.group.prompt),
                completion: rollout.completion.text.clone(),
                reference: task.reference_text().ok().and_then(|r| r.0.first().cloned()),
                reward: scored.totals().first().copied().flatten(),
                is_right: score.map(|score| score >= RIGHT),
            })
        };
        self.samples.iter().take(n).filter_map(sample).collect()
    }
}
