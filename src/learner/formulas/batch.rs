//! Sampled tokens and what is known of each: the view that losses work on.

use serde::{Deserialize, Serialize};

use super::invalid::{Invalid, Result, aligned};

/// One completion: its tokens in the flat arrays of a [`Batch`], and the group it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// The first token's index.
    pub start: usize,
    /// One past the last token's index.
    pub end: usize,
    /// The number of its group in the whole optimiser step, from 0.
    pub group: usize,
}

impl Sequence {
    /// How many tokens it has, counted or not.
    pub const fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether it has none.
    pub const fn is_empty(&self) -> bool {
        self.end == self.start
    }
}

/// Completions of one micro-batch, laid end to end without padding.
///
/// All arrays are `[M]`, one item for each token. Log-probabilities are those of the distribution that was sampled
/// from, softmax(logits / temperature), in nats.
#[derive(Clone, Copy, Debug, Default)]
pub struct Batch<'a> {
    /// The completions, in order; they cover the arrays without a gap.
    pub sequences: &'a [Sequence],
    /// True where the policy sampled the token and it counts. Inserted text, answers of tools and truncated
    /// completions that are to be ignored have false.
    pub mask: &'a [bool],
    /// Each token's advantage. [`broadcast`] spreads one per sequence.
    pub advantages: &'a [f32],
    /// What the policy says now.
    pub logprobs: &'a [f32],
    /// What the learner said at the start of the step; `None` on the first update, where that is what it says now.
    pub old: Option<&'a [f32]>,
    /// What the engine reported while it sampled.
    pub rollout: Option<&'a [f32]>,
    /// What the reference policy says.
    pub reference: Option<&'a [f32]>,
    /// The policy's entropy now.
    pub entropies: Option<&'a [f32]>,
}

impl<'a> Batch<'a> {
    /// How many tokens there are, counted or not.
    pub const fn n_tokens(&self) -> usize {
        self.mask.len()
    }

    /// The counted tokens of a sequence.
    pub fn counted(&self, sequence: &Sequence) -> impl Iterator<Item = usize> + use<'a> {
        let mask = self.mask;
        (sequence.start..sequence.end).filter(move |t| mask[*t])
    }

    /// Every counted token.
    pub fn all_counted(&self) -> impl Iterator<Item = usize> + use<'a> {
        self.mask.iter().enumerate().filter_map(|(t, counted)| counted.then_some(t))
    }

    /// The mean of the advantages of a sequence's counted tokens; 0 of none.
    pub fn sequence_advantage(&self, sequence: &Sequence) -> f64 {
        let (mut sum, mut n) = (0.0, 0);
        for t in self.counted(sequence) {
            sum += f64::from(self.advantages[t]);
            n += 1;
        }
        if n == 0 { 0.0 } else { sum / f64::from(n) }
    }

    /// Checks that all arrays are of one length, that the sequences cover them, and that every number of a counted
    /// token is finite.
    ///
    /// # Errors
    /// Names the array and the token.
    pub fn check(&self) -> Result<()> {
        let n = self.mask.len();
        let arrays = [
            ("advantages", Some(self.advantages)),
            ("logprobs", Some(self.logprobs)),
            ("old", self.old),
            ("rollout", self.rollout),
            ("reference", self.reference),
            ("entropies", self.entropies),
        ];
        for (name, values) in arrays {
            let Some(values) = values else { continue };
            aligned(name, values.len(), n)?;
            if let Some(index) = self.all_counted().find(|t| !values[*t].is_finite()) {
                let value = f64::from(values[index]);
                return Err(Invalid::NotFinite { place: name.to_owned(), index, value });
            }
        }
        let mut end = 0;
        for (i, sequence) in self.sequences.iter().enumerate() {
            if sequence.start != end || sequence.end < sequence.start || sequence.end > n {
                let message = format!(
                    "sequence {i} is {}..{} of {n} tokens and the one before it ends at {end}",
                    sequence.start, sequence.end
                );
                return Err(Invalid::shape("sequences", message));
            }
            end = sequence.end;
        }
        if end != n {
            return Err(Invalid::shape("sequences", format!("they end at {end} of {n} tokens")));
        }
        Ok(())
    }
}

/// One number per sequence, spread to its tokens.
///
/// # Errors
/// When there is not one number for each sequence.
pub fn broadcast(sequences: &[Sequence], values: &[f64]) -> Result<Vec<f32>> {
    aligned("advantages of sequences", values.len(), sequences.len())?;
    let mut tokens = Vec::with_capacity(sequences.last().map_or(0, |last| last.end));
    for (sequence, value) in sequences.iter().zip(values) {
        tokens.resize(tokens.len() + sequence.len(), *value as f32);
    }
    Ok(tokens)
}

/// What a loss is divided by: counts over the *whole* optimiser step.
///
/// They are counted over all micro-batches before the first of them is computed, so that adding up the gradients of
/// micro-batches gives exactly the gradient of the whole batch. A sequence without a counted token is no sequence,
/// and a group without one is no group (as in verl; TRL counts them).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denominators {
    /// Counted tokens.
    pub n_tokens: usize,
    /// Sequences with a counted token.
    pub n_sequences: usize,
    /// Groups with a counted token.
    pub n_groups: usize,
    /// Counted tokens of each group, by its number.
    pub group_tokens: Vec<usize>,
    /// Tokens of the longest sequence, counted or not.
    pub max_length: usize,
}

impl Denominators {
    /// The counts of these micro-batches together: the sequences and the mask of each.
    pub fn of<'a>(batches: impl IntoIterator<Item = (&'a [Sequence], &'a [bool])>) -> Self {
        let mut denominators = Self::default();
        for (sequences, mask) in batches {
            denominators.add(sequences, mask);
        }
        denominators
    }

    /// Counts one more micro-batch. Tokens outside of `mask` are not counted.
    pub fn add(&mut self, sequences: &[Sequence], mask: &[bool]) {
        for sequence in sequences {
            self.max_length = self.max_length.max(sequence.len());
            let n = mask.get(sequence.start..sequence.end).unwrap_or_default().iter().filter(|m| **m).count();
            if n == 0 {
                continue;
            }
            if self.group_tokens.len() <= sequence.group {
                self.group_tokens.resize(sequence.group + 1, 0);
            }
            self.n_groups += usize::from(self.group_tokens[sequence.group] == 0);
            self.group_tokens[sequence.group] += n;
            self.n_tokens += n;
            self.n_sequences += 1;
        }
    }
}
