//! What a step and an evaluation did, in numbers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What one step did. A number that does not exist, such as the mean reward of no rewards, is `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StepMetrics {
    /// The step, from 1.
    pub step: u64,
    /// Mean reward of the completions that have one.
    pub reward: Option<f64>,
    /// Their standard deviation.
    pub reward_std: Option<f64>,
    /// Share of judged completions that are right.
    pub accuracy: Option<f64>,
    /// Each component's mean score, before its weight.
    pub components: BTreeMap<String, f64>,
    /// Share of completions that could not be judged.
    pub null_fraction: f64,
    /// Share of groups whose rewards are all equal.
    pub zero_variance_fraction: f64,
    /// Correlation of reward and length.
    pub length_correlation: Option<f64>,
    /// Groups that were sampled, replaced ones among them.
    pub n_groups_sampled: usize,
    /// Groups that were learned from.
    pub n_groups: usize,
    /// Batches of replacements that dynamic sampling drew.
    pub n_refills: usize,
    /// Completions that were sampled.
    pub n_completions: usize,
    /// Completions that were asked for and that the engine could not give.
    pub n_failed: usize,
    /// Steps that the policy had taken since it sampled a token, meant over the tokens that it sampled.
    pub staleness_mean: Option<f64>,
    /// The most of them.
    pub staleness_max: Option<f64>,
    /// Mean tokens of a completion.
    pub length: Option<f64>,
    /// Mean tokens of those that are right.
    pub length_right: Option<f64>,
    /// Mean tokens of those that are wrong.
    pub length_wrong: Option<f64>,
    /// Share of completions cut off at the limit.
    pub truncated_fraction: f64,
    /// The objective's value; `None` when there was no signal and no step was taken.
    pub loss: Option<f64>,
    /// Mean entropy of the tokens' distributions, in nats.
    pub entropy: Option<f64>,
    /// Norm of the gradient before clipping.
    pub grad_norm: Option<f64>,
    /// The step size.
    pub learning_rate: f64,
    /// What else the objective reports, such as `clip_fraction`, `kl`, `engine/kl`.
    pub objective: BTreeMap<String, f64>,
    /// Tokens that were sampled.
    pub n_sampled_tokens: u64,
    /// Tokens that went through the update, prompts among them.
    pub n_trained_tokens: u64,
    /// Sampled tokens per second of sampling.
    pub sampled_tokens_per_second: Option<f64>,
    /// Trained tokens per second of the update.
    pub trained_tokens_per_second: Option<f64>,
    /// Share of the machine's matrix throughput that the update reached, where it is known.
    pub mfu: Option<f64>,
    /// Where the time went.
    pub seconds: Seconds,
}

/// Where a step's time went, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Seconds {
    /// The whole step.
    pub total: f64,
    /// Drawing completions.
    pub sample: f64,
    /// Waiting for rewards after the last completion was drawn: judging overlaps sampling.
    pub judge: f64,
    /// Forward, backward and optimiser.
    pub update: f64,
    /// Handing the new weights to the engine.
    pub sync: f64,
}

impl Seconds {
    /// What none of these is: data, records, checkpoints.
    pub fn other(&self) -> f64 {
        (self.total - self.sample - self.judge - self.update - self.sync).max(0.0)
    }

    /// Adds another step's.
    pub fn add(&mut self, more: &Self) {
        self.total += more.total;
        self.sample += more.sample;
        self.judge += more.judge;
        self.update += more.update;
        self.sync += more.sync;
    }
}

/// What an evaluation on held-out tasks found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EvalMetrics {
    /// Steps taken before it.
    pub step: u64,
    /// Share of judged completions that are right.
    pub accuracy: Option<f64>,
    /// Standard error of the accuracy, over tasks.
    pub accuracy_error: Option<f64>,
    /// Mean reward.
    pub reward: Option<f64>,
    /// Each component's mean score.
    pub components: BTreeMap<String, f64>,
    /// Tasks.
    pub n_tasks: usize,
    /// Completions.
    pub n_completions: usize,
    /// Share of them that could not be judged.
    pub null_fraction: f64,
    /// Mean tokens of a completion.
    pub length: Option<f64>,
    /// Share of completions cut off at the limit.
    pub truncated_fraction: f64,
    /// How long it took.
    pub seconds: f64,
}

/// What one supervised step of the warm start did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SftMetrics {
    /// The step, from 1.
    pub step: u64,
    /// Mean negative log-probability of the examples' tokens, in nats.
    pub loss: f64,
    /// Norm of the gradient before clipping.
    pub grad_norm: f64,
    /// The step size.
    pub learning_rate: f64,
    /// Tokens that went through the model.
    pub n_tokens: u64,
    /// How long it took.
    pub seconds: f64,
}

/// Numbers under names for charts, `group/name`; those that do not exist or are not finite are left out.
struct Scalars(Vec<(String, f64)>);

impl Scalars {
    fn add(&mut self, name: &str, value: impl Into<Option<f64>>) {
        if let Some(value) = value.into().filter(|value| value.is_finite()) {
            self.0.push((name.to_owned(), value));
        }
    }

    fn add_all(&mut self, group: &str, values: &BTreeMap<String, f64>) {
        for (name, value) in values {
            self.add(&format!("{group}/{name}"), *value);
        }
    }
}

impl StepMetrics {
    /// Every number under a name for charts.
    pub fn scalars(&self) -> Vec<(String, f64)> {
        let mut all = Scalars(Vec::new());
        all.add("reward/mean", self.reward);
        all.add("reward/std", self.reward_std);
        all.add("reward/accuracy", self.accuracy);
        all.add_all("component", &self.components);
        all.add("reward/null_fraction", self.null_fraction);
        all.add("reward/zero_variance_fraction", self.zero_variance_fraction);
        all.add("reward/length_correlation", self.length_correlation);
        all.add("sample/groups_sampled", self.n_groups_sampled as f64);
        all.add("sample/groups", self.n_groups as f64);
        all.add("sample/refills", self.n_refills as f64);
        all.add("sample/completions", self.n_completions as f64);
        all.add("sample/tokens", self.n_sampled_tokens as f64);
        all.add("rollout/failed", self.n_failed as f64);
        all.add("rollout/staleness_mean", self.staleness_mean);
        all.add("rollout/staleness_max", self.staleness_max);
        all.add("length/mean", self.length);
        all.add("length/right", self.length_right);
        all.add("length/wrong", self.length_wrong);
        all.add("length/truncated_fraction", self.truncated_fraction);
        all.add("train/loss", self.loss);
        all.add("train/entropy", self.entropy);
        all.add("train/grad_norm", self.grad_norm);
        all.add("train/learning_rate", self.learning_rate);
        all.add("train/tokens", self.n_trained_tokens as f64);
        all.add_all("objective", &self.objective);
        all.add("speed/sampled_tokens_per_second", self.sampled_tokens_per_second);
        all.add("speed/trained_tokens_per_second", self.trained_tokens_per_second);
        all.add("speed/mfu", self.mfu);
        all.add("seconds/total", self.seconds.total);
        all.add("seconds/sample", self.seconds.sample);
        all.add("seconds/judge", self.seconds.judge);
        all.add("seconds/update", self.seconds.update);
        all.add("seconds/sync", self.seconds.sync);
        all.add("seconds/other", self.seconds.other());
        all.0
    }
}

impl EvalMetrics {
    /// Every number under a name for charts.
    pub fn scalars(&self) -> Vec<(String, f64)> {
        let mut all = Scalars(Vec::new());
        all.add("eval/accuracy", self.accuracy);
        all.add("eval/accuracy_error", self.accuracy_error);
        all.add("eval/reward", self.reward);
        all.add_all("eval/component", &self.components);
        all.add("eval/null_fraction", self.null_fraction);
        all.add("eval/length", self.length);
        all.add("eval/truncated_fraction", self.truncated_fraction);
        all.add("eval/seconds", self.seconds);
        all.0
    }
}

impl SftMetrics {
    /// Every number under a name for charts.
    pub fn scalars(&self) -> Vec<(String, f64)> {
        let mut all = Scalars(Vec::new());
        all.add("sft/loss", self.loss);
        all.add("sft/grad_norm", self.grad_norm);
        all.add("sft/learning_rate", self.learning_rate);
        all.add("sft/seconds", self.seconds);
        all.0
    }
}
