//! What a step of training minimises, as settings, and its value and gradient on a micro-batch.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::advantage::Advantage;
use super::aggregation::Aggregation;
use super::batch::{Batch, Denominators};
use super::controller::Coefficients;
use super::entropy::{Entropy, threshold};
use super::invalid::{Invalid, Result, positive, within};
use super::kl::{Kl, KlForm, Place};
use super::loss::Loss;
use super::metrics::Metrics;
use super::mismatch::{self, Mismatch, Mode};
use super::terms::{Terms, log_ratio};

/// Which groups and prompts are learned from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Selection {
    /// Leaves out groups whose rewards are all equal; they count in no denominator.
    pub drop_uniform: bool,
    /// Samples more prompts until the batch is full again, at most this many times; 0 does not (DAPO's dynamic
    /// sampling; it needs `drop_uniform`).
    pub max_refills: u32,
    /// Drops a prompt for good once its pass rate is this high (ScaleRL takes 0.9).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retire_at: Option<f64>,
    /// Draws prompts in proportion to 1 minus their pass rate (Kimi k1.5).
    pub prioritised: bool,
    /// Learns from prompts whose pass rate is between these two, not at either.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pass_rate_band: Option<(f64, f64)>,
}

impl Default for Selection {
    fn default() -> Self {
        Self {
            drop_uniform: true,
            max_refills: 10,
            retire_at: None,
            prioritised: false,
            pass_rate_band: None,
        }
    }
}

impl Selection {
    /// Every group and every prompt.
    pub fn all() -> Self {
        Self { drop_uniform: false, max_refills: 0, ..Self::default() }
    }

    fn check(&self) -> Result<()> {
        if self.max_refills > 0 && !self.drop_uniform {
            return Err(Invalid::setting("max_refills", "there is nothing to refill without `drop_uniform`"));
        }
        if let Some(limit) = self.retire_at {
            positive("retire_at", limit)?;
            within("retire_at", limit, 0.0, 1.0)?;
        }
        if let Some((low, high)) = self.pass_rate_band {
            within("pass_rate_band[0]", low, 0.0, 1.0)?;
            within("pass_rate_band[1]", high, low, 1.0)?;
        }
        Ok(())
    }
}

/// How one batch of rollouts becomes steps of the optimiser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Updates {
    /// Times the whole batch is gone through.
    pub epochs: u32,
    /// Parts that a pass is cut into, a step of the optimiser for each. Groups stay whole.
    pub mini_batches: u32,
    /// Starts the optimiser anew with each batch (Kimi k1.5).
    pub reset_optimiser: bool,
}

impl Default for Updates {
    fn default() -> Self {
        Self { epochs: 1, mini_batches: 1, reset_optimiser: false }
    }
}

/// All of what a step minimises. The default is this project's recommendation: GRPO's advantage, DAPO's loss, no
/// reference policy, one update per batch, truncated importance weights for the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Objective {
    /// From rewards to advantages.
    pub advantage: Advantage,
    /// The policy loss.
    pub loss: Loss,
    /// How losses of tokens become one number.
    pub aggregation: Aggregation,
    /// The constant of `seq_mean_token_sum_norm`: the most tokens that a completion may have. Without it, the longest
    /// of the step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length_norm: Option<u32>,
    /// The penalty for leaving a reference policy.
    pub kl: Kl,
    /// What is done about the engine.
    pub mismatch: Mismatch,
    /// The policy's entropy in the loss.
    pub entropy: Entropy,
    /// Completions that were cut at the length limit are left out (DAPO's overlong filtering).
    pub mask_truncated: bool,
    /// Which groups and prompts are learned from.
    pub selection: Selection,
    /// How a batch becomes steps.
    pub updates: Updates,
}

impl Default for Objective {
    fn default() -> Self {
        Self {
            advantage: Advantage::default(),
            loss: Loss::default(),
            aggregation: Aggregation::TokenMean,
            length_norm: None,
            kl: Kl::default(),
            mismatch: Mismatch::default(),
            entropy: Entropy::default(),
            mask_truncated: true,
            selection: Selection::default(),
            updates: Updates::default(),
        }
    }
}

/// The value of an objective on a micro-batch, and its gradient.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// This micro-batch's part of the step's loss; the parts of all micro-batches add up to it.
    pub loss: f64,
    /// `[M]`: the derivative by the policy's log-probabilities; 0 where the mask is false.
    pub by_logprob: Vec<f32>,
    /// `[M]`: the derivative by the policy's entropies; empty where the loss does not use them.
    pub by_entropy: Vec<f32>,
    /// What was measured on the way.
    pub metrics: Metrics,
}

impl Objective {
    /// Reads an objective. With a `preset`, the other fields change that preset: a field takes the place of the
    /// preset's, and the fields of a table those of the preset's table, unless the table names another `kind` or
    /// `estimator`.
    ///
    /// # Errors
    /// Names the field.
    pub fn from_value(value: &Value) -> Result<Self> {
        let invalid = |error: serde_json::Error| Invalid::setting("objective", error.to_string());
        let mut fields = match value {
            Value::String(name) => return Self::preset(name),
            Value::Object(fields) => fields.clone(),
            _ => return Err(Invalid::setting("objective", "expected a preset's name or a table")),
        };
        let base = match fields.remove("preset") {
            Some(Value::String(name)) => Self::preset(&name)?,
            Some(_) => return Err(Invalid::setting("preset", "expected a name")),
            None => Self::default(),
        };
        let mut merged = serde_json::to_value(base).map_err(invalid)?;
        if let Value::Object(base) = &mut merged {
            for (name, value) in fields {
                match (base.get_mut(&name), value) {
                    (Some(Value::Object(old)), Value::Object(new)) if same_kind(old, &new) => old.extend(new),
                    (_, value) => {
                        base.insert(name, value);
                    }
                }
            }
        }
        let objective: Self = serde_path_to_error::deserialize(merged)
            .map_err(|error| Invalid::setting(error.path().to_string(), error.inner().to_string()))?;
        objective.check()?;
        Ok(objective)
    }

    /// Reads an objective as [`from_value`](Self::from_value) does, as a field of another:
    /// `#[serde(deserialize_with = "Objective::read")]`.
    ///
    /// # Errors
    /// Names the field.
    pub fn read<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Self::from_value(&Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }

    /// Checks all settings, each and together.
    ///
    /// # Errors
    /// Names the field.
    pub fn check(&self) -> Result<()> {
        self.advantage.check().map_err(|error| error.under("advantage"))?;
        self.loss.check().map_err(|error| error.under("loss"))?;
        self.kl.check().map_err(|error| error.under("kl"))?;
        self.mismatch.check().map_err(|error| error.under("mismatch"))?;
        self.entropy.check().map_err(|error| error.under("entropy"))?;
        self.selection.check().map_err(|error| error.under("selection"))?;
        if self.updates.epochs == 0 || self.updates.mini_batches == 0 {
            let field = if self.updates.epochs == 0 { "updates.epochs" } else { "updates.mini_batches" };
            return Err(Invalid::setting(field, "expected at least 1"));
        }
        if self.length_norm == Some(0) {
            return Err(Invalid::setting("length_norm", "expected at least 1"));
        }
        if self.mismatch.bypass && self.mismatch.mode != Mode::None && self.loss != (Loss::Reinforce {}) {
            return Err(Invalid::setting(
                "mismatch.mode",
                "expected \"none\" with a bypass: the ratio of the loss corrects already",
            ));
        }
        if matches!(self.loss, Loss::Luspo { .. }) && self.aggregation != Aggregation::SeqMeanTokenMean {
            return Err(Invalid::setting(
                "aggregation",
                "expected \"seq_mean_token_mean\": the loss `luspo` multiplies by the length itself",
            ));
        }
        Ok(())
    }

    /// Whether what the policy said at the start of the step is needed, beyond the first update of a batch (where it
    /// is what the policy says now).
    pub const fn needs_old(&self) -> bool {
        !self.mismatch.bypass && (self.updates.epochs > 1 || self.updates.mini_batches > 1)
    }

    /// The loss of a micro-batch and its gradient.
    ///
    /// `denominators` are those of the whole step and `coefficients` the same for all of its micro-batches; then the
    /// losses and gradients of the micro-batches add up to those of the step, whichever way it was cut (apart from
    /// Clip-Cov and KL-Cov, and the entropy threshold where it is not given).
    ///
    /// # Errors
    /// When arrays do not fit, one that is needed is absent, or a number that counts is not finite.
    pub fn evaluate(
        &self,
        batch: &Batch,
        denominators: &Denominators,
        coefficients: &Coefficients,
    ) -> Result<Evaluation> {
        batch.check()?;
        let old = if self.mismatch.bypass { rollout(batch)? } else { batch.old.unwrap_or(batch.logprobs) };
        let weights = self.aggregation.weights(batch, denominators, self.length_norm)?;
        let mut evaluation = Evaluation { by_logprob: vec![0.0; batch.n_tokens()], ..Evaluation::default() };
        let mut gradient = vec![0.0; batch.n_tokens()];

        let terms = self.loss.terms(batch, old);
        measure_ratio(batch, old, &terms, &mut evaluation.metrics);
        let mut policy_weights = self.corrected(&weights, batch, old, &mut evaluation.metrics)?;
        self.keep_uncertain(&mut policy_weights, batch, coefficients, &mut evaluation.metrics)?;
        let policy = weigh(batch, &terms, &policy_weights, &mut gradient);
        evaluation.metrics.add("loss/policy", policy);
        evaluation.loss += policy;

        if let Some(reference) = batch.reference {
            let metric = Kl { form: KlForm::K3, ..Kl::default() };
            let measured =
                batch.all_counted().map(|t| metric.term(batch.logprobs[t], reference[t], old[t]).loss);
            evaluation.metrics.mean_of("kl/reference_k3", measured);
            let measured =
                batch.all_counted().map(|t| f64::from(batch.logprobs[t]) - f64::from(reference[t]));
            evaluation.metrics.mean_of("kl/reference_k1", measured);
        }
        if coefficients.kl > 0.0 && self.kl.place == Place::Loss {
            let reference = Kl::reference(batch)?;
            let mut penalty = 0.0;
            for t in batch.all_counted() {
                let term = self.kl.term(batch.logprobs[t], reference[t], old[t]);
                penalty += weights[t] * coefficients.kl * term.loss;
                gradient[t] += weights[t] * coefficients.kl * term.slope;
            }
            evaluation.metrics.add("loss/kl", penalty);
            evaluation.loss += penalty;
        }

        if let Some(entropies) = batch.entropies {
            evaluation.metrics.mean_of("entropy/mean", batch.all_counted().map(|t| f64::from(entropies[t])));
        }
        if coefficients.entropy > 0.0 {
            let entropies = Entropy::entropies(batch)?;
            let bonus = |t: usize| coefficients.entropy * weights[t];
            let total: f64 = batch.all_counted().map(|t| bonus(t) * f64::from(entropies[t])).sum();
            evaluation.by_entropy = (0..batch.n_tokens()).map(|t| (0.0 - bonus(t)) as f32).collect();
            evaluation.metrics.add("loss/entropy", 0.0 - total);
            evaluation.loss -= total;
        }
        for (index, (out, value)) in evaluation.by_logprob.iter_mut().zip(gradient).enumerate() {
            *out = value as f32;
            if !out.is_finite() {
                return Err(Invalid::NotFinite { place: "gradient by logprobs".to_owned(), index, value });
            }
        }
        if !evaluation.loss.is_finite() {
            return Err(Invalid::NotFinite { place: "loss".to_owned(), index: 0, value: evaluation.loss });
        }
        Ok(evaluation)
    }

    /// The tokens' weights times what the correction for the engine says.
    fn corrected(
        &self,
        weights: &[f64],
        batch: &Batch,
        old: &[f32],
        metrics: &mut Metrics,
    ) -> Result<Vec<f64>> {
        if self.mismatch.needs_rollout() {
            rollout(batch)?;
        }
        let Some(engine) = batch.rollout else { return Ok(weights.to_vec()) };
        // With a bypass `old` is the engine's own, so the learner's word is what it says now.
        let learner = if self.mismatch.bypass { batch.logprobs } else { old };
        mismatch::measure(batch, learner, engine, metrics);
        let correction = self.mismatch.weights(batch, learner, engine);
        let counted = || batch.all_counted();
        let flag = |is: bool| if is { 1.0 } else { 0.0 };
        metrics.mean_of("mismatch/weight", counted().map(|t| correction[t]));
        metrics.mean_of("mismatch/left_out_frac", counted().map(|t| flag(correction[t] == 0.0)));
        if !matches!(self.mismatch.mode, Mode::None) {
            let upper = self.mismatch.upper;
            metrics.mean_of("mismatch/upper_frac", counted().map(|t| flag(correction[t] >= upper)));
        }
        Ok(weights.iter().zip(correction).map(|(weight, correction)| weight * correction).collect())
    }

    /// Sets the weight of tokens to 0 whose entropy is not among the highest.
    fn keep_uncertain(
        &self,
        weights: &mut [f64],
        batch: &Batch,
        coefficients: &Coefficients,
        metrics: &mut Metrics,
    ) -> Result<()> {
        if self.entropy.top_fraction >= 1.0 {
            return Ok(());
        }
        let entropies = Entropy::entropies(batch)?;
        let least = coefficients.entropy_threshold.unwrap_or_else(|| {
            threshold(batch.all_counted().map(|t| entropies[t]), self.entropy.top_fraction)
        });
        let (mut kept, mut n) = (0.0, 0.0);
        for t in batch.all_counted() {
            n += 1.0;
            if f64::from(entropies[t]) < least {
                weights[t] = 0.0;
            } else {
                kept += 1.0;
            }
        }
        metrics.mean("entropy/kept_frac", kept, n);
        Ok(())
    }
}

fn same_kind(old: &Map<String, Value>, new: &Map<String, Value>) -> bool {
    ["kind", "estimator"].iter().all(|tag| match (old.get(*tag), new.get(*tag)) {
        (Some(old), Some(new)) => old == new,
        _ => true,
    })
}

fn rollout<'a>(batch: &Batch<'a>) -> Result<&'a [f32]> {
    batch.rollout.ok_or_else(|| {
        Invalid::shape("rollout", "the objective's `mismatch` needs what the engine reported for each token")
    })
}

/// The weighted sum of the terms; adds its gradient.
fn weigh(batch: &Batch, terms: &Terms, weights: &[f64], gradient: &mut [f64]) -> f64 {
    let mut loss = 0.0;
    for sequence in batch.sequences {
        // A sequence's loss stands at each of its tokens, so each token's slope is weighed by all of them.
        let whole: f64 = batch.counted(sequence).map(|t| weights[t]).sum();
        for t in batch.counted(sequence) {
            loss += weights[t] * terms.losses[t];
            gradient[t] += terms.slopes[t] * if terms.of_sequences { whole } else { weights[t] };
        }
    }
    loss
}

fn measure_ratio(batch: &Batch, old: &[f32], terms: &Terms, metrics: &mut Metrics) {
    let (mut ratios, mut moved, mut n) = (0.0, 0.0, 0.0);
    let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
    for t in batch.all_counted() {
        let (difference, _) = log_ratio(batch.logprobs[t], old[t]);
        let ratio = difference.exp();
        (ratios, moved, n) = (ratios + ratio, moved - difference, n + 1.0);
        (least, most) = (least.min(ratio), most.max(ratio));
    }
    if n > 0.0 {
        metrics.min("ratio/min", least);
        metrics.max("ratio/max", most);
    }
    metrics.mean("ratio/mean", ratios, n);
    metrics.mean("kl/approx_k1", moved, n);
    metrics.mean("ratio/clip_low_frac", terms.n_low as f64, n);
    metrics.mean("ratio/clip_high_frac", terms.n_high as f64, n);
    metrics.mean_of("advantage/mean", batch.all_counted().map(|t| f64::from(batch.advantages[t])));
}
