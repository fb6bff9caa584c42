//! Sampling and scoring one step's groups, and sampling again for those that teach nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use graders::Rubric;
use policy::decode::Sampling;

use super::error::Result;
use super::formulas::filter::keeps_spread;
use super::formulas::objective::Selection;
use super::newest::Newest;
use super::prompts::Prompter;
use super::score::{Scored, Scorer};
use super::shared_engine::SharedEngine;
use super::supply::Supply;
use crate::judge::Judge;
use crate::rollout::{Group, Prompt, SampleRequest, seed};

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
    /// Groups that were interrupted and go on in a later step.
    pub n_carried: usize,
    /// Tokens of prompts and completions.
    pub n_tokens: usize,
    /// Time to sample.
    pub sampling: Duration,
    /// Time that the learner waited for samples: all of it, unless they are drawn ahead.
    pub waiting: Duration,
    /// Time to wait for rewards after the last completion was sampled.
    pub judging: Duration,
}

/// A step whose rollouts are asked for.
#[derive(Clone, Debug)]
pub(super) struct Order {
    /// The step's number, from 1.
    pub step: u64,
    /// P: groups to learn from.
    pub n_groups: usize,
    /// The weights of the rubric's components in force.
    pub weights: Vec<f64>,
}

/// What a sampler that works ahead looks at between tokens.
#[derive(Clone, Copy)]
pub(super) struct Watch<'a> {
    /// Weights that the learner has made since.
    pub newest: &'a Newest,
    /// Whether completions go on with them from the next token (in-flight updates, PipelineRL, arXiv:2509.19128), or
    /// end as they began.
    pub in_flight: bool,
}

impl Watch<'_> {
    fn has_news(self) -> bool {
        self.in_flight && self.newest.is_there()
    }
}

/// Who samples and judges, and how.
pub(super) struct Collector<'a> {
    /// Where tasks come from.
    pub supply: Supply,
    /// Makes prompts of them.
    pub prompter: Prompter,
    /// Samples.
    pub engine: Arc<SharedEngine>,
    /// Rewards.
    pub judge: &'a Judge,
    /// By what.
    pub rubric: Arc<Rubric>,
    /// The component that says what is right.
    pub accuracy: Option<Arc<str>>,
    /// Which groups are learned from.
    pub selection: Selection,
    /// How completions are sampled.
    pub sampling: Sampling,
    /// G.
    pub group_size: usize,
    /// With the step it decides all draws.
    pub seed: u64,
    /// Groups that are begun beyond those a step needs, as a share of them. When it has enough, the others go on in
    /// the next step, so that no step waits for its longest completions (partial rollouts, Kimi k1.5,
    /// arXiv:2501.12599, section 2.6.2).
    pub carry_over: f64,
    /// What is left of earlier steps.
    pub left: Left,
}

/// Groups with their tasks' numbers that an earlier step did not need.
#[derive(Debug, Default)]
pub(super) struct Left {
    begun: Vec<(u64, Group)>,
    scored: Vec<(u64, Scored)>,
}

/// Prompts in a row that are too long before it is an error.
const MAX_TOO_LONG: usize = 1000;

impl Collector<'_> {
    /// Samples until there are as many groups to learn from as were asked for, or the refills are used up (DAPO,
    /// arXiv:2503.14476, equation 11). Without `drop_uniform` every group is kept. It ends early when nobody
    /// waits any more.
    ///
    /// # Errors
    /// When tasks, engine or tokenizer fail.
    pub(super) fn collect(&mut self, order: &Order, watch: Option<Watch<'_>>) -> Result<Collected> {
        let mut collected = Collected::default();
        for (number, scored) in std::mem::take(&mut self.left.scored) {
            self.sort(number, scored, order.n_groups, &mut collected);
        }
        for round in 0..=u64::from(self.selection.max_refills) {
            let n_missing = order.n_groups - collected.kept.len();
            if n_missing == 0 || watch.is_some_and(|watch| watch.newest.is_closed()) {
                break;
            }
            collected.n_refills = round as usize;
            self.round(order, round, n_missing, &mut collected, watch)?;
        }
        for (index, scored) in collected.kept.iter_mut().enumerate() {
            scored.group.index = index;
        }
        collected.n_carried = self.left.begun.len();
        collected.waiting = collected.sampling;
        Ok(collected)
    }

    fn round(
        &mut self,
        order: &Order,
        round: u64,
        n: usize,
        collected: &mut Collected,
        watch: Option<Watch<'_>>,
    ) -> Result<()> {
        let (mut numbers, mut begun): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.left.begun).into_iter().unzip();
        let mut prompts: Vec<Prompt> = begun.iter().map(|group| group.prompt.clone()).collect();
        for (index, group) in begun.iter_mut().enumerate() {
            group.index = index;
        }
        let more = (n as f64 * self.carry_over).ceil() as usize;
        self.take(n + more, &mut numbers, &mut prompts, collected)?;

        let enough = if more > 0 { n } else { usize::MAX };
        let n_whole = AtomicUsize::new(0);
        let is_over = || {
            n_whole.load(Ordering::Relaxed) >= enough || watch.is_some_and(|watch| watch.newest.is_closed())
        };
        let interrupt = || is_over() || watch.is_some_and(Watch::has_news);
        let mut scorer = Scorer::new(self.judge, Arc::clone(&self.rubric), order.weights.clone());
        let draws = seed(seed(self.seed, order.step, 0, 1), round, 0, 0);
        // Which of all prompts those of a request are.
        let mut places: Vec<usize> = (0..prompts.len()).collect();
        let clock = Instant::now();
        loop {
            let asked: Vec<Prompt> = places.iter().map(|place| prompts[*place].clone()).collect();
            let request = SampleRequest {
                begun: &begun,
                interrupt: Some(&interrupt),
                ..SampleRequest::new(&asked, self.group_size, &self.sampling, draws)
            };
            let sampled = self.engine.lend(|engine| {
                if let Some((policy, version)) =
                    watch.filter(|watch| watch.in_flight).and_then(|watch| watch.newest.take())
                {
                    engine.sync(&policy, version)?;
                }
                engine.sample(&request, &mut |mut group| {
                    group.index = places[group.index];
                    n_whole.fetch_add(1, Ordering::Relaxed);
                    scorer.submit(group);
                })
            })?;
            collected.n_tokens += sampled.cost.n_tokens;
            collected.n_failed += sampled.cost.n_failed;
            begun = sampled.unfinished;
            places = begun.iter().map(|group| places[group.index]).collect();
            if begun.is_empty() || is_over() {
                break;
            }
            // What is whole is not asked for again.
            for (index, group) in begun.iter_mut().enumerate() {
                group.index = index;
            }
        }
        collected.sampling += clock.elapsed();
        let clock = Instant::now();
        let scored = scorer.finish();
        collected.judging += clock.elapsed();
        for scored in scored {
            let number = numbers[scored.group.index];
            self.sort(number, scored, order.n_groups, collected);
        }
        self.left.begun = places.into_iter().map(|place| numbers[place]).zip(begun).collect();
        Ok(())
    }

    /// Takes new tasks until there are `n` prompts.
    fn take(
        &mut self,
        n: usize,
        numbers: &mut Vec<u64>,
        prompts: &mut Vec<Prompt>,
        collected: &mut Collected,
    ) -> Result<()> {
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
        Ok(())
    }

    /// Says whether a group is one to learn from; what a step has no room for is the next one's.
    fn sort(&mut self, number: u64, scored: Scored, n_groups: usize, collected: &mut Collected) {
        if collected.kept.len() == n_groups {
            self.left.scored.push((number, scored));
            return;
        }
        if let Some(rate) = self.accuracy.as_deref().and_then(|name| pass_rate(&scored, name)) {
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
}

/// The share of a group's judged completions that are right.
fn pass_rate(scored: &Scored, accuracy: &str) -> Option<f64> {
    let scores: Vec<f64> = scored.scores(accuracy).into_iter().flatten().collect();
    let n_right = scores.iter().filter(|score| **score >= super::formulas::filter::RIGHT).count();
    (!scores.is_empty()).then(|| n_right as f64 / scores.len() as f64)
}
