//! Sequences laid end to end, without padding.

use crate::error::{PolicyError, Result};

/// Tokens of several sequences in one row, and which of their continuations are asked for.
///
/// A sequence is one [`Segment`], or a segment that continues another: the completions of a group continue one
/// prompt, which is then computed once for all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    /// `[N]`: the tokens of all segments, one segment after the other.
    pub tokens: Vec<u32>,
    /// Where each segment is in `tokens`; they cover it in order, without a gap.
    pub segments: Vec<Segment>,
    /// `[M]`: indices into `tokens` whose output is scored. The token at `rows[m]` predicts `targets[m]`. One row may
    /// be asked for several targets: the last token of a shared prompt predicts the first token of each completion.
    pub rows: Vec<u32>,
    /// `[M]`: the token whose log-probability is wanted.
    pub targets: Vec<u32>,
}

/// A run of tokens that see each other causally, and all of the segment that they continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The first token's index in [`Packed::tokens`].
    pub start: usize,
    /// One past the last token's index.
    pub end: usize,
    /// The earlier segment that this one continues. It must not continue another itself.
    pub parent: Option<usize>,
}

impl Segment {
    /// How many tokens it has.
    pub const fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether it has none.
    pub const fn is_empty(&self) -> bool {
        self.end == self.start
    }
}

/// What the policy says about each scored token.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenScores {
    /// `[M]`: log-probability of the target under softmax(logits / temperature).
    pub logprobs: Vec<f32>,
    /// `[M]`: entropy of that distribution, in nats.
    pub entropies: Vec<f32>,
}

/// The gradient of a loss with respect to [`TokenScores`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenGradients {
    /// `[M]`: by the log-probabilities.
    pub logprobs: Vec<f32>,
    /// `[M]`: by the entropies; empty where the loss does not use them.
    pub entropies: Vec<f32>,
}

impl Packed {
    /// Adds one sequence of its own, whose tokens from `first_scored` on are scored.
    ///
    /// # Errors
    /// When the first token is asked for (nothing predicts it) or there is no token.
    pub fn push(&mut self, tokens: &[u32], first_scored: usize) -> Result<()> {
        if first_scored == 0 || first_scored > tokens.len() {
            return Err(PolicyError::input(format!(
                "the first scored token is {first_scored} of {}; it needs at least one token before it",
                tokens.len()
            )));
        }
        let start = self.tokens.len();
        self.tokens.extend_from_slice(tokens);
        self.segments.push(Segment { start, end: self.tokens.len(), parent: None });
        self.rows.extend((first_scored..tokens.len()).map(|i| (start + i - 1) as u32));
        self.targets.extend_from_slice(&tokens[first_scored..]);
        Ok(())
    }

    /// Adds a prompt and completions that continue it. All tokens of the completions are scored, completion after
    /// completion.
    ///
    /// # Errors
    /// When the prompt or a completion is empty.
    pub fn push_group<'a>(
        &mut self,
        prompt: &[u32],
        completions: impl IntoIterator<Item = &'a [u32]>,
    ) -> Result<()> {
        if prompt.is_empty() {
            return Err(PolicyError::input("the prompt has no token"));
        }
        let parent = self.segments.len();
        let start = self.tokens.len();
        self.tokens.extend_from_slice(prompt);
        let last = (self.tokens.len() - 1) as u32;
        self.segments.push(Segment { start, end: self.tokens.len(), parent: None });
        for completion in completions {
            let Some((_, inputs)) = completion.split_last() else {
                return Err(PolicyError::input("a completion has no token"));
            };
            // The last token predicts nothing that is asked for, so it is not computed.
            let start = self.tokens.len();
            self.tokens.extend_from_slice(inputs);
            self.segments.push(Segment { start, end: self.tokens.len(), parent: Some(parent) });
            self.rows.push(last);
            self.rows.extend((start..self.tokens.len()).map(|row| row as u32));
            self.targets.extend_from_slice(completion);
        }
        Ok(())
    }

    /// How many tokens are computed.
    pub fn n_tokens(&self) -> usize {
        self.tokens.len()
    }

    /// How many tokens are scored.
    pub fn n_scored(&self) -> usize {
        self.targets.len()
    }

    /// The position in its sequence of each segment's first token.
    pub fn first_position(&self, segment: &Segment) -> usize {
        segment.parent.map_or(0, |parent| self.segments[parent].len())
    }

    /// Checks that everything is in range of a vocabulary and a context.
    ///
    /// # Errors
    /// What is out of range.
    pub fn check(&self, vocabulary: usize, max_positions: usize) -> Result<()> {
        let mut end = 0;
        for (i, segment) in self.segments.iter().enumerate() {
            let parent = segment.parent.map(|parent| self.segments.get(parent).filter(|_| parent < i));
            if segment.start != end || segment.end < segment.start || segment.end > self.tokens.len() {
                return Err(PolicyError::input(format!("segment {i} does not follow the one before it")));
            }
            match parent {
                Some(None) => return Err(PolicyError::input(format!("segment {i} continues a later one"))),
                Some(Some(parent)) if parent.parent.is_some() => {
                    return Err(PolicyError::input(format!(
                        "segment {i} continues one that continues another"
                    )));
                }
                _ => {}
            }
            let length = self.first_position(segment) + segment.len();
            if length > max_positions {
                return Err(PolicyError::input(format!(
                    "a sequence has {length} tokens and the model has room for {max_positions}"
                )));
            }
            end = segment.end;
        }
        if end != self.tokens.len() || self.rows.len() != self.targets.len() {
            return Err(PolicyError::input("segments, tokens and targets do not agree in length"));
        }
        if let Some(row) = self.rows.iter().find(|row| **row as usize >= self.tokens.len()) {
            return Err(PolicyError::input(format!("row {row} is past the last token")));
        }
        if let Some(token) = self.tokens.iter().chain(&self.targets).find(|t| **t as usize >= vocabulary) {
            return Err(PolicyError::input(format!(
                "token {token} is not in the vocabulary of {vocabulary}; is this the model's own tokenizer?"
            )));
        }
        Ok(())
    }

    /// The same with every parent written out before each of its children, for code that knows no parents. Scores
    /// come in the same order.
    #[must_use]
    pub fn expanded(&self) -> Self {
        let mut plain = Self { targets: self.targets.clone(), ..Self::default() };
        // Where each token went. A parent's goes to its first child, which is also where its rows are asked for.
        let mut moved = vec![u32::MAX; self.tokens.len()];
        for (i, segment) in self.segments.iter().enumerate() {
            if segment.parent.is_none() && self.segments[i + 1..].iter().any(|child| child.parent == Some(i))
            {
                continue;
            }
            let start = plain.tokens.len();
            let parent = segment.parent.map(|parent| self.segments[parent]);
            for part in parent.iter().chain([segment]) {
                for (i, place) in moved[part.start..part.end].iter_mut().enumerate() {
                    if *place == u32::MAX {
                        *place = (plain.tokens.len() + i) as u32;
                    }
                }
                plain.tokens.extend_from_slice(&self.tokens[part.start..part.end]);
            }
            plain.segments.push(Segment { start, end: plain.tokens.len(), parent: None });
        }
        plain.rows = self.rows.iter().map(|row| moved[*row as usize]).collect();
        plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_shares_its_prompt_and_can_be_written_out() {
        let mut packed = Packed::default();
        packed.push_group(&[1, 2, 3], [&[4, 5, 6][..], &[7], &[8, 9]]).expect("a group");
        packed.push(&[1, 4, 5], 1).expect("a sequence");
        packed.check(10, 8).expect("it is sound");
        assert_eq!(packed.tokens, [1, 2, 3, 4, 5, 8, 1, 4, 5]);
        assert_eq!(packed.rows, [2, 3, 4, 2, 2, 5, 6, 7]);
        assert_eq!(packed.targets, [4, 5, 6, 7, 8, 9, 4, 5]);
        let plain = packed.expanded();
        plain.check(10, 8).expect("it is sound");
        assert_eq!(plain.tokens, [1, 2, 3, 4, 5, 1, 2, 3, 1, 2, 3, 8, 1, 4, 5]);
        assert_eq!(plain.rows, [2, 3, 4, 2, 2, 11, 12, 13]);
        assert_eq!(plain.targets, packed.targets);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut packed = Packed::default();
        assert!(packed.push(&[1, 2], 0).is_err(), "nothing predicts the first token");
        assert!(packed.push(&[1, 2], 3).is_err());
        assert!(packed.push_group(&[], [&[1][..]]).is_err());
        assert!(packed.push_group(&[1], [&[][..]]).is_err());
        let mut packed = Packed::default();
        packed.push(&[1, 2, 3], 1).expect("a sequence");
        assert!(packed.check(3, 8).is_err(), "token 3 of 3");
        assert!(packed.check(4, 2).is_err(), "three tokens in a context of two");
    }
}
