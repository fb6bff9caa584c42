//! What is learned from without sampling: prompts with completions, in tokens, cut into steps and micro-batches.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use crate::rollout::seed;

/// A prompt and what is to be written after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// Both, one after the other.
    pub tokens: Vec<u32>,
    /// Where the second begins; what is before is not learned.
    pub first: usize,
}

/// Why something is not learned from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Skip {
    /// The prompt has no token, so nothing predicts the completion's first.
    NoPrompt,
    /// A completion has no token (or none that the policy sampled).
    NoCompletion,
    /// It does not fit into the model's context.
    TooLong,
    /// The chosen and the rejected completion are the same.
    Equal,
    /// It has no reward.
    NoReward,
}

/// How often each reason kept something from being learned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// How often, by the reason.
    pub counts: BTreeMap<Skip, usize>,
}

/// How learning is cut into steps; all trainers that do not sample share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batches {
    /// Optimiser steps.
    pub steps: u64,
    /// Examples, or pairs, in a step.
    pub batch_size: usize,
    /// Tokens that go through the model at a time; the gradient does not depend on it.
    pub micro_batch_tokens: usize,
    /// Decides the order.
    pub seed: u64,
}

/// What training on examples or pairs did in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trained {
    /// Optimiser steps that were taken.
    pub steps: u64,
    /// What was not learned from.
    pub skipped: Skipped,
}

/// A place of a run's draws that meets no other.
const DRAWS_OF_ORDER: u64 = 6;

impl Example {
    /// From its two parts.
    pub fn new(prompt: &[u32], completion: &[u32]) -> Self {
        Self { tokens: [prompt, completion].concat(), first: prompt.len() }
    }

    /// Why a model with room for `context` tokens cannot learn from it.
    pub fn skip(&self, context: usize) -> Option<Skip> {
        why_not(self.first, [self.tokens.len().saturating_sub(self.first)], context)
    }
}

/// Why completions of these lengths after a prompt of this length cannot be learned from.
pub(super) fn why_not(
    prompt: usize,
    completions: impl IntoIterator<Item = usize> + Clone,
    context: usize,
) -> Option<Skip> {
    if prompt == 0 {
        return Some(Skip::NoPrompt);
    }
    if completions.clone().into_iter().any(|length| length == 0) {
        return Some(Skip::NoCompletion);
    }
    completions.into_iter().any(|length| prompt + length > context).then_some(Skip::TooLong)
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPrompt => "no prompt",
            Self::NoCompletion => "no completion",
            Self::TooLong => "too long for the model's context",
            Self::Equal => "chosen and rejected are equal",
            Self::NoReward => "no reward",
        })
    }
}

impl Skipped {
    /// Counts one more.
    pub fn add(&mut self, skip: Skip) {
        *self.counts.entry(skip).or_default() += 1;
    }

    /// How many in all.
    pub fn total(&self) -> usize {
        self.counts.values().sum()
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (skip, n)) in self.counts.iter().enumerate() {
            write!(f, "{}{n} {skip}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl Batches {
    /// The items of a step, out of `n`: every round through all of them has an order of its own, in which each
    /// comes once. Depends on nothing but the seed and the step.
    pub(super) fn drawn(&self, step: u64, n: usize) -> Vec<usize> {
        let mut drawn = Vec::with_capacity(self.batch_size);
        let mut round = None;
        let first = step as usize * self.batch_size;
        for place in first..first + self.batch_size {
            let (number, index) = (place / n, place % n);
            let (_, order) = match round.take() {
                Some((known, order)) if known == number => round.insert((known, order)),
                _ => round.insert((number, self.order(number as u64, n))),
            };
            drawn.push(order[index]);
        }
        drawn
    }

    fn order(&self, round: u64, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by_cached_key(|i| (seed(self.seed, round, DRAWS_OF_ORDER, *i as u64), *i));
        order
    }
}

/// Neighbours in parts of at most `most` tokens; an item that is longer is a part of its own.
pub(super) fn parts(lengths: impl IntoIterator<Item = usize>, most: usize) -> Vec<Range<usize>> {
    let (mut parts, mut start, mut end, mut n) = (Vec::new(), 0, 0, 0);
    for length in lengths {
        if end > start && n + length > most {
            parts.push(start..end);
            (start, n) = (end, 0);
        }
        n += length;
        end += 1;
    }
    if end > start {
        parts.push(start..end);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_all_and_are_small() {
        let lengths = [3, 4, 1, 9, 2, 2, 2];
        for most in [1, 4, 8, 100] {
            let parts = parts(lengths, most);
            assert_eq!(parts.iter().cloned().flatten().collect::<Vec<_>>(), (0..7).collect::<Vec<_>>());
            assert!(
                parts
                    .iter()
                    .all(|part| part.len() == 1 || lengths[part.clone()].iter().sum::<usize>() <= most)
            );
        }
        assert!(parts([], 3).is_empty());
    }

    #[test]
    fn every_round_has_each_item_once() {
        let batches = Batches { steps: 0, batch_size: 4, micro_batch_tokens: 1, seed: 3 };
        let all: Vec<usize> = (0..7).flat_map(|step| batches.drawn(step, 7)).collect();
        let mut orders = Vec::new();
        for round in all.chunks(7) {
            let mut sorted = round.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..7).collect::<Vec<_>>());
            orders.push(round.to_vec());
        }
        assert_ne!(orders[0], orders[1], "rounds differ");
        assert_eq!(batches.drawn(5, 7), batches.drawn(5, 7));
    }

    #[test]
    fn what_cannot_be_learned_from_says_why() {
        let rows: [(&[u32], &[u32], Option<Skip>); 4] = [
            (&[1, 2], &[3], None),
            (&[], &[3], Some(Skip::NoPrompt)),
            (&[1], &[], Some(Skip::NoCompletion)),
            (&[1, 2], &[3, 4, 5], Some(Skip::TooLong)),
        ];
        let mut skipped = Skipped::default();
        for (prompt, completion, expected) in rows {
            let skip = Example::new(prompt, completion).skip(4);
            assert_eq!(skip, expected);
            if let Some(skip) = skip {
                skipped.add(skip);
            }
        }
        assert_eq!(skipped.total(), 3);
        assert_eq!(skipped.to_string(), "1 no prompt, 1 no completion, 1 too long for the model's context");
    }
}
