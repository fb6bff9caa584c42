//! The engine that sampled is not quite the policy that learns: other kernels, other precision, older weights.
//!
//! With `w = p_learner / p_engine` of a token or of a sequence, the policy loss is weighed by `w` as a constant, or
//! left out where `w` is too far from 1. Denominators do not shrink by what is left out; else what is rejected would
//! raise the weight of the rest.

use serde::{Deserialize, Serialize};

use super::batch::Batch;
use super::invalid::{Invalid, Result, positive, within};
use super::metrics::Metrics;
use super::terms::held;

/// How the importance weight is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Not at all.
    None,
    /// Each token's weight, brought between the bounds (truncated importance sampling).
    TokenTruncate,
    /// Each token's weight, 0 outside of the bounds (IcePop).
    TokenMask,
    /// The weight of the whole sequence, brought between the bounds.
    SequenceTruncate,
    /// The weight of the whole sequence, 0 outside of the bounds (TRL's default).
    SequenceMask,
}

/// Over what a divergence from the engine is taken before it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Each token; tokens are rejected.
    Token,
    /// The sum over the sequence; sequences are rejected.
    SeqSum,
    /// The mean over the sequence.
    SeqMean,
    /// The token that is farthest off.
    SeqMax,
}

/// Which divergence is compared, with `d = log p_learner - log p_engine`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Estimate {
    /// `-d`; bounds are those of its exponential.
    K1,
    /// `d^2 / 2`; there is an upper bound alone.
    K2,
    /// `exp(d) - 1 - d`; there is an upper bound alone.
    K3,
}

/// Leaves out what is too far from the engine (verl's `rollout_rs`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rejection {
    /// What is compared and left out.
    pub level: Level,
    /// By which estimate.
    pub estimate: Estimate,
    /// For `k1`: the smallest ratio that is kept; 1 / `upper` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower: Option<f64>,
    /// For `k1` the largest ratio, else the largest divergence, that is kept.
    pub upper: f64,
}

impl Rejection {
    /// True for each token that is kept, `[M]`; false where the mask is false.
    pub fn keeps(&self, batch: &Batch, learner: &[f32], engine: &[f32]) -> Vec<bool> {
        let estimate = |t: usize| {
            let d = held(f64::from(learner[t]) - f64::from(engine[t])).0;
            match self.estimate {
                Estimate::K1 => -d,
                Estimate::K2 => d * d / 2.0,
                Estimate::K3 => d.exp() - 1.0 - d,
            }
        };
        let (lower, upper) = match self.estimate {
            Estimate::K1 => (self.lower.unwrap_or(1.0 / self.upper).ln(), self.upper.ln()),
            Estimate::K2 | Estimate::K3 => (f64::NEG_INFINITY, self.upper),
        };
        let fits = |value: f64| (lower..=upper).contains(&value);
        let mut keeps = vec![false; batch.n_tokens()];
        for sequence in batch.sequences {
            let tokens: Vec<usize> = batch.counted(sequence).collect();
            let sum = || tokens.iter().map(|t| estimate(*t)).sum::<f64>();
            let whole = match self.level {
                Level::Token => true,
                Level::SeqSum => fits(sum()),
                Level::SeqMean => tokens.is_empty() || fits(sum() / tokens.len() as f64),
                Level::SeqMax => tokens.iter().all(|t| fits(estimate(*t))),
            };
            for t in tokens {
                keeps[t] = whole && (self.level != Level::Token || fits(estimate(t)));
            }
        }
        keeps
    }
}

/// What is done about the difference between engine and learner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mismatch {
    /// How the importance weight is used.
    pub mode: Mode,
    /// Its lower bound; none by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lower: Option<f64>,
    /// Its upper bound.
    pub upper: f64,
    /// What is left out besides; all of them must agree to keep a token.
    pub reject: Vec<Rejection>,
    /// Leaves out a sequence with a negative advantage whose mean of `log p_engine - log p` is above this
    /// (DeepSeek-V3.2; TRL's `off_policy_mask_threshold`, 0.5 there).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub off_policy_delta: Option<f64>,
    /// The ratio of the loss is to what the engine reported: no second forward pass and no weight, since the ratio
    /// itself corrects.
    pub bypass: bool,
}

impl Default for Mismatch {
    fn default() -> Self {
        Self {
            mode: Mode::TokenTruncate,
            lower: None,
            upper: 2.0,
            reject: Vec::new(),
            off_policy_delta: None,
            bypass: false,
        }
    }
}

impl Mismatch {
    /// No correction.
    pub fn none() -> Self {
        Self { mode: Mode::None, ..Self::default() }
    }

    /// Whether what the engine reported is needed. Without it, `mode` has no effect.
    pub fn needs_rollout(&self) -> bool {
        self.bypass || !self.reject.is_empty() || self.off_policy_delta.is_some()
    }

    /// The constant weight of each token's policy loss, `[M]`: 0 where the mask is false or the token is left out.
    /// `learner` is what the learner said at the start of the step (with a bypass: what it says now), `engine` what
    /// the engine reported. Logarithms are held within ±[`LOG_RATIO_LIMIT`](super::terms::LOG_RATIO_LIMIT).
    pub fn weights(&self, batch: &Batch, learner: &[f32], engine: &[f32]) -> Vec<f64> {
        let mut weights = self.importance(batch, learner, engine);
        for rejection in &self.reject {
            for (weight, keep) in weights.iter_mut().zip(rejection.keeps(batch, learner, engine)) {
                if !keep {
                    *weight = 0.0;
                }
            }
        }
        if let Some(delta) = self.off_policy_delta {
            for (sequence, keep) in batch.sequences.iter().zip(on_policy_enough(batch, engine, delta)) {
                if !keep {
                    weights[sequence.start..sequence.end].fill(0.0);
                }
            }
        }
        weights
    }

    fn importance(&self, batch: &Batch, learner: &[f32], engine: &[f32]) -> Vec<f64> {
        let mut weights = vec![0.0; batch.n_tokens()];
        let lower = self.lower.unwrap_or(0.0);
        let bounded = |log_weight: f64| {
            let weight = held(log_weight).0.exp();
            match self.mode {
                Mode::None => 1.0,
                Mode::TokenTruncate | Mode::SequenceTruncate => weight.max(lower).min(self.upper),
                Mode::TokenMask | Mode::SequenceMask if weight < lower || weight > self.upper => 0.0,
                Mode::TokenMask | Mode::SequenceMask => weight,
            }
        };
        let difference = |t: usize| f64::from(learner[t]) - f64::from(engine[t]);
        for sequence in batch.sequences {
            if matches!(self.mode, Mode::SequenceTruncate | Mode::SequenceMask) {
                let weight = bounded(batch.counted(sequence).map(difference).sum());
                batch.counted(sequence).for_each(|t| weights[t] = weight);
            } else {
                batch.counted(sequence).for_each(|t| weights[t] = bounded(difference(t)));
            }
        }
        weights
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// Names the field.
    pub fn check(&self) -> Result<()> {
        within("upper", self.upper, 1.0, f64::MAX)?;
        if let Some(lower) = self.lower {
            within("lower", lower, 0.0, 1.0)?;
        }
        for (i, rejection) in self.reject.iter().enumerate() {
            let at = |field: &str| format!("reject[{i}].{field}");
            positive(&at("upper"), rejection.upper)?;
            match (rejection.estimate, rejection.lower) {
                (Estimate::K1, lower) => {
                    let lower = lower.unwrap_or(1.0 / rejection.upper);
                    positive(&at("lower"), lower)?;
                    within(&at("lower"), lower, 0.0, rejection.upper)?;
                }
                (_, Some(_)) => {
                    return Err(Invalid::setting(at("lower"), "it belongs to the estimate \"k1\" alone"));
                }
                (_, None) => {}
            }
        }
        self.off_policy_delta.map_or(Ok(()), |delta| positive("off_policy_delta", delta))
    }
}

/// For each sequence the mean over its counted tokens of `log p_engine - log p`, with the policy as it is now.
pub fn drift(batch: &Batch, engine: &[f32]) -> Vec<f64> {
    let of = |sequence| {
        let (mut sum, mut n) = (0.0, 0);
        for t in batch.counted(sequence) {
            sum += f64::from(engine[t]) - f64::from(batch.logprobs[t]);
            n += 1;
        }
        if n == 0 { 0.0 } else { sum / f64::from(n) }
    };
    batch.sequences.iter().map(of).collect()
}

/// True for each sequence that is kept: its advantage is not negative, or its [`drift`] is at most `delta`.
pub fn on_policy_enough(batch: &Batch, engine: &[f32], delta: f64) -> Vec<bool> {
    let kept = |(sequence, drift): (_, f64)| batch.sequence_advantage(sequence) >= 0.0 || drift <= delta;
    batch.sequences.iter().zip(drift(batch, engine)).map(kept).collect()
}

/// How far learner and engine are apart, under names that begin with `mismatch/` (as verl measures it): `kl` and
/// `k3` by token, perplexities of both and their ratio by sequence, chi-squared by token and by sequence, the largest
/// difference of a token's probability, and the correlation of probabilities (over a micro-batch; micro-batches are
/// averaged by their tokens).
pub fn measure(batch: &Batch, learner: &[f32], engine: &[f32], metrics: &mut Metrics) {
    let mut of_tokens = Sums::default();
    for sequence in batch.sequences {
        let mut of_sequence = Sums::default();
        for t in batch.counted(sequence) {
            of_sequence.add(f64::from(learner[t]), f64::from(engine[t]));
        }
        if of_sequence.n > 0.0 {
            let n = of_sequence.n;
            let apart = of_sequence.engine - of_sequence.learner;
            metrics.mean("mismatch/chi2_sequence", (2.0 * held(-apart).0).exp() - 1.0, 1.0);
            metrics.mean("mismatch/perplexity_learner", held(-of_sequence.learner / n).0.exp(), 1.0);
            metrics.mean("mismatch/perplexity_engine", held(-of_sequence.engine / n).0.exp(), 1.0);
            metrics.mean("mismatch/perplexity_log_diff", apart / n, 1.0);
            metrics.mean("mismatch/perplexity_ratio", held(apart / n).0.exp(), 1.0);
            of_tokens.join(&of_sequence);
        }
    }
    let n = of_tokens.n;
    metrics.mean("mismatch/kl", of_tokens.engine - of_tokens.learner, n);
    metrics.mean("mismatch/k3", of_tokens.k3, n);
    metrics.mean("mismatch/chi2_token", of_tokens.chi2, n);
    metrics.max("mismatch/probability_diff_max", of_tokens.farthest);
    let (mean_a, mean_b) = (of_tokens.p_learner / n.max(1.0), of_tokens.p_engine / n.max(1.0));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for t in batch.all_counted() {
        let (a, b) = (f64::from(learner[t]).exp() - mean_a, f64::from(engine[t]).exp() - mean_b);
        (ab, aa, bb) = (ab + a * b, aa + a * a, bb + b * b);
    }
    if aa > 0.0 && bb > 0.0 {
        metrics.mean("mismatch/probability_correlation", n * ab / (aa * bb).sqrt(), n);
    }
}

/// Sums over tokens.
#[derive(Default)]
struct Sums {
    n: f64,
    learner: f64,
    engine: f64,
    p_learner: f64,
    p_engine: f64,
    k3: f64,
    chi2: f64,
    farthest: f64,
}

impl Sums {
    fn add(&mut self, learner: f64, engine: f64) {
        let d = held(learner - engine).0;
        let (p, q) = (learner.exp(), engine.exp());
        self.join(&Self {
            n: 1.0,
            learner,
            engine,
            p_learner: p,
            p_engine: q,
            k3: d.exp() - d - 1.0,
            chi2: (2.0 * d).exp() - 1.0,
            farthest: (p - q).abs(),
        });
    }

    fn join(&mut self, other: &Self) {
        self.n += other.n;
        self.learner += other.learner;
        self.engine += other.engine;
        self.p_learner += other.p_learner;
        self.p_engine += other.p_engine;
        self.k3 += other.k3;
        self.chi2 += other.chi2;
        self.farthest = self.farthest.max(other.farthest);
    }
}
