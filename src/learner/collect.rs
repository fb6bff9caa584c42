//! Sampling and scoring one step's groups, and sampling again for those that teach nothing.

use std::time::{Duration, Instant};

use super::error::Result;
use super::formulas::filter::keeps_spread;
use super::formulas::objective::Selection;
use super::prompts::Prompter;
use super::score::{Scored, Scorer};
use super::supply::Supply;
use crate::rollout::{RolloutEngine, SampleRequest, seed};

/// What one step was made from.
#[derive(Debug, Default)]
pub(super) struct Collected {
    /// Groups to learn from.
    pub kept: Vec<Scored>,
    /// Groups whose rewards are all equal or missing, in the order they were sampled.
    pub left_out: Vec<Scored>,
    /// The number of each kept group's task.
    pub tasks: Vec<u64>,
    /// Batches of replacements.
    pub n_refills: usize,
    /// Groups whose rewards are all equal, kept or not.
    pub n_uniform: usize,
    /// Prompts that were too long for the model and passed over.
    pub n_too_long: usize,
    /// Rollouts that the engine lost.
    pub n_failed: usize,
    /// Tokens of prompts and completions.
    pub n_tokens: usize,
    /// Time to sample, and to wait for rewards afterwards.
    pub sampling: Duration,
    /// Time to wait for rewards after the last completion was sampled.
    pub judging: Duration,
}

/// Who samples and judges, and how.
pub(super) struct Collector<'a> {
    /// Where tasks come from.
    pub supply: &'a mut Supply,
    /// Makes prompts of them.
    pub prompter: &'a Prompter,
    /// Samples.
    pub engine: &'a mut dyn RolloutEngine,
    /// Makes a scorer with the weights of this step.
    pub scorer: &'a dyn Fn() -> Scorer<'a>,
    /// Which groups are learned from.
    pub selection: &'a Selection,
    /// How completions are sampled.
    pub sampling: &'a policy::decode::Sampling,
    /// G.
    pub group_size: usize,
    /// Decides all draws of this step.
    pub seed: u64,
    /// The component that says what is right.
    pub accuracy: Option<&'a str>,
}

/// Prompts in a row that are too long before it is an error.
const MAX_TOO_LONG: usize = 1000;

impl Collector<'_> {
    /// Samples until there are `n_groups` groups to learn from, or the refills are used up (DAPO, arXiv:2503.14476,
    /// equation 11). Without `drop_uniform` every group is kept.
    ///
    /// # Errors
    /// When tasks, engine or tokenizer fail.
    pub(super) fn collect(&mut self, n_groups: usize) -> Result<Collected> {
        let mut collected = Collected::default();
        for round in 0..=u64::from(self.selection.max_refills) {
            let n_missing = n_groups - collected.kept.len();
            if n_missing == 0 {
                break;
            }
            collected.n_refills = round as usize;
            self.round(round, n_missing, &mut collected)?;
        }
        // With nothing left out on purpose, every group is a group of the step.
        if !self.selection.drop_uniform {
            debug_assert!(collected.left_out.is_empty());
        }
        for (index, scored) in collected.kept.iter_mut().enumerate() {
            scored.group.index = index;
        }
        Ok(collected)
    }

    fn round(&mut self, round: u64, n: usize, collected: &mut Collected) -> Result<()> {
        let mut numbers = Vec::with_capacity(n);
        let mut prompts = Vec::with_capacity(n);
        while prompts.len() < n {
            for (number, task) in self.supply.take(n - prompts.len())? {
                match self.prompter.prompt(&task)? {
                    Some(prompt) => {
                        prompts.push(prompt);
                        numbers.push(number);
                    }
                    None => collected.n_too_long += 1,
                }
            }
            if collected.n_too_long > MAX_TOO_LONG {
                return Err(self.prompter.all_too_long(collected.n_too_long));
            }
        }
        let request =
            SampleRequest::new(&prompts, self.group_size, self.sampling, seed(self.seed, round, 0, 0));
        let mut scorer = (self.scorer)();
        let clock = Instant::now();
        let sampled = self.engine.sample(&request, &mut |group| scorer.submit(group))?;
        collected.sampling += clock.elapsed();
        collected.n_tokens += sampled.cost.n_tokens;
        collected.n_failed += sampled.cost.n_failed;
        let clock = Instant::now();
        let scored = scorer.finish();
        collected.judging += clock.elapsed();
        for scored in scored {
            let number = numbers[scored.group.index];
            if let Some(rate) = self.accuracy.and_then(|name| pass_rate(&scored, name)) {
                self.supply.tell(number, rate);
            }
            let spread = keeps_spread(&scored.totals(), 0.0);
            collected.n_uniform += usize::from(!spread);
            if spread || !self.selection.drop_uniform {
                collected.kept.push(scored);
                collected.tasks.push(number);
            } else {
                collected.left_out.push(scored);
            }
        }
        Ok(())
    }
}

/// The share of a group's judged completions that are right.
fn pass_rate(scored: &Scored, accuracy: &str) -> Option<f64> {
    let scores: Vec<f64> = scored.scores(accuracy).into_iter().flatten().collect();
    let n_right = scores.iter().filter(|score| **score >= super::formulas::filter::RIGHT).count();
    (!scores.is_empty()).then(|| n_right as f64 / scores.len() as f64)
}
