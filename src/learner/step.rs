//! Everything that is known of the tokens of one step: the arrays that advantages and losses are computed from.

use policy::{Policy, PolicyError};

use super::formulas::advantage::Advantage;
use super::formulas::batch::{Batch, Denominators, Sequence};
use super::formulas::filter::mask_out;
use super::formulas::invalid::Result;
use super::micro_batch::{MicroBatch, micro_batches};
use super::score::Scored;

/// The rollouts of a step, group after group, with one item per token in each array.
#[derive(Debug, Default)]
pub struct Step {
    /// The groups with their rewards.
    pub scored: Vec<Scored>,
    /// Each rollout's tokens.
    pub sequences: Vec<Sequence>,
    /// `[M]`: what is learned from.
    pub mask: Vec<bool>,
    /// `[M]`: what the engine said of each token.
    pub rollout: Vec<f32>,
    /// `[M]`: see [`Advantage::of_tokens`].
    pub advantages: Vec<f32>,
    /// `[M]`: what the policy said before the first update, where later ones need it.
    pub old: Option<Vec<f32>>,
    /// `[M]`: what the reference policy says.
    pub reference: Option<Vec<f32>>,
    /// Tokens that were left out because their policy is too old.
    pub n_stale: usize,
    /// The first sequence of each group, and the number of all at the end.
    offsets: Vec<usize>,
}

/// The arrays of one micro-batch, in the order of its scored tokens.
#[derive(Debug, Default)]
pub(super) struct Slices {
    sequences: Vec<Sequence>,
    mask: Vec<bool>,
    rollout: Vec<f32>,
    advantages: Vec<f32>,
    old: Option<Vec<f32>>,
    reference: Option<Vec<f32>>,
}

impl Step {
    /// Lays out the groups. Rollouts without a reward are not learned from; nor are those that were cut off, when
    /// `mask_truncated`.
    ///
    /// # Errors
    /// Never, unless lengths disagree, which is a bug.
    pub fn new(scored: Vec<Scored>, mask_truncated: bool) -> Result<Self> {
        let mut step = Self { offsets: vec![0], ..Self::default() };
        let mut out = Vec::new();
        for (group, of_group) in scored.iter().enumerate() {
            for (rollout, reward) in of_group.group.rollouts.iter().zip(of_group.totals()) {
                let start = step.mask.len();
                step.mask.extend_from_slice(&rollout.sampled);
                step.rollout.extend_from_slice(&rollout.logprobs);
                step.sequences.push(Sequence { start, end: step.mask.len(), group });
                out.push(reward.is_none() || (mask_truncated && rollout.is_truncated()));
            }
            step.offsets.push(step.sequences.len());
        }
        mask_out(&mut step.mask, &step.sequences, &out)?;
        step.scored = scored;
        Ok(step)
    }

    /// Leaves out tokens whose policy had taken more than `max` steps fewer than the `version` that learns from them.
    pub fn leave_out_stale(&mut self, version: u64, max: u64) {
        let mut at = 0;
        for rollout in self.scored.iter().flat_map(|scored| &scored.group.rollouts) {
            for sampled_by in &rollout.policy_versions {
                let stale = version.saturating_sub(*sampled_by) > max;
                self.n_stale += usize::from(stale && self.mask[at]);
                self.mask[at] &= !stale;
                at += 1;
            }
        }
    }

    /// The sequence of a group's rollout.
    fn sequence(&self, (group, rollout): (usize, usize)) -> &Sequence {
        &self.sequences[self.offsets[group] + rollout]
    }

    /// Every rollout of these groups that has a token to learn from.
    pub fn trained(&self, groups: impl IntoIterator<Item = usize>) -> Vec<(usize, usize)> {
        let mut trained = Vec::new();
        for group in groups {
            let n = self.offsets[group + 1] - self.offsets[group];
            trained.extend((0..n).map(|rollout| (group, rollout)).filter(|place| {
                let sequence = self.sequence(*place);
                self.mask[sequence.start..sequence.end].iter().any(|counted| *counted)
            }));
        }
        trained
    }

    /// Whether any token of these rollouts has an advantage.
    pub fn has_signal(&self, rollouts: &[(usize, usize)]) -> bool {
        rollouts.iter().any(|place| {
            let sequence = self.sequence(*place);
            (sequence.start..sequence.end).any(|t| self.mask[t] && self.advantages[t] != 0.0)
        })
    }

    /// What the losses of these rollouts are divided by.
    pub fn denominators(&self, rollouts: &[(usize, usize)]) -> Denominators {
        let sequences: Vec<Sequence> = rollouts.iter().map(|place| *self.sequence(*place)).collect();
        let mut denominators = Denominators::default();
        denominators.add(&sequences, &self.mask);
        denominators
    }

    /// Computes an array for all tokens of these rollouts with `policy`; tokens of other rollouts have 0.
    ///
    /// # Errors
    /// When the model fails.
    pub(super) fn logprobs(
        &self,
        policy: &Policy,
        temperature: f32,
        rollouts: &[(usize, usize)],
        micro_batch_tokens: usize,
    ) -> std::result::Result<Vec<f32>, PolicyError> {
        let mut logprobs = vec![0.0; self.mask.len()];
        for batch in micro_batches(&self.scored, rollouts, micro_batch_tokens)? {
            let scores = policy.scores(&batch.packed, temperature)?;
            let mut from = 0;
            for place in &batch.rollouts {
                let sequence = self.sequence(*place);
                let scored = &scores.logprobs[from..from + sequence.len()];
                logprobs[sequence.start..sequence.end].copy_from_slice(scored);
                from += sequence.len();
            }
        }
        Ok(logprobs)
    }

    /// Takes a micro-batch's part out of every array.
    pub(super) fn slices(&self, batch: &MicroBatch) -> Slices {
        let mut slices = Slices {
            old: self.old.is_some().then(Vec::new),
            reference: self.reference.is_some().then(Vec::new),
            ..Slices::default()
        };
        for place in &batch.rollouts {
            let sequence = self.sequence(*place);
            let tokens = sequence.start..sequence.end;
            let start = slices.mask.len();
            slices.mask.extend_from_slice(&self.mask[tokens.clone()]);
            slices.rollout.extend_from_slice(&self.rollout[tokens.clone()]);
            slices.advantages.extend_from_slice(&self.advantages[tokens.clone()]);
            if let (Some(part), Some(all)) = (&mut slices.old, &self.old) {
                part.extend_from_slice(&all[tokens.clone()]);
            }
            if let (Some(part), Some(all)) = (&mut slices.reference, &self.reference) {
                part.extend_from_slice(&all[tokens]);
            }
            slices.sequences.push(Sequence { start, end: slices.mask.len(), group: sequence.group });
        }
        slices
    }

    /// The rewards of the groups as estimators take them.
    pub(super) fn rewards(
        &self,
        components: &[(std::sync::Arc<str>, f64)],
    ) -> Vec<graders::advantage::GroupRewards> {
        self.scored.iter().map(|scored| scored.for_advantage(components)).collect()
    }

    /// Sets the advantages.
    ///
    /// # Errors
    /// When the estimator needs what is not there.
    pub(super) fn estimate(
        &mut self,
        advantage: &Advantage,
        components: &[(std::sync::Arc<str>, f64)],
        penalties: Option<&[f64]>,
        greedy: Option<&[Option<f64>]>,
    ) -> Result<()> {
        let groups = self.rewards(components);
        self.advantages = advantage.of_tokens(&super::formulas::advantage::Rewarded {
            sequences: &self.sequences,
            mask: &self.mask,
            groups: &groups,
            penalties,
            greedy,
            values: None,
            steps: None,
        })?;
        Ok(())
    }
}

impl Slices {
    /// The view that an objective works on, with what the policy says now.
    pub(super) fn batch<'a>(&'a self, logprobs: &'a [f32], entropies: &'a [f32]) -> Batch<'a> {
        Batch {
            sequences: &self.sequences,
            mask: &self.mask,
            advantages: &self.advantages,
            logprobs,
            old: self.old.as_deref(),
            rollout: Some(&self.rollout),
            reference: self.reference.as_deref(),
            entropies: Some(entropies),
        }
    }
}
