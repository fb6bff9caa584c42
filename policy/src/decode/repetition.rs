//! Loops: the same run of tokens again and again.

use super::sampling::RepetitionGuard;

/// Watches one sequence.
#[derive(Clone, Debug)]
pub(crate) struct RepetitionWatch {
    guard: RepetitionGuard,
    /// How many of the last tokens equal the one `ngram` before them.
    matching: usize,
}

impl RepetitionWatch {
    pub(crate) const fn new(guard: RepetitionGuard) -> Self {
        Self { guard, matching: 0 }
    }

    /// Whether the sequence, whose last token is new, ends in the run as often as the guard says.
    pub(crate) fn loops(&mut self, tokens: &[u32]) -> bool {
        let Some(last) = tokens.len().checked_sub(1) else { return false };
        let same = last.checked_sub(self.guard.ngram).is_some_and(|before| tokens[before] == tokens[last]);
        self.matching = if same { self.matching + 1 } else { 0 };
        self.matching >= self.guard.ngram.saturating_mul(self.guard.times - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition.
    fn loops(tokens: &[u32], n: usize, times: usize) -> bool {
        let Some(start) = tokens.len().checked_sub(n * times) else { return false };
        let tail = &tokens[start..];
        tail.chunks(n).all(|run| run == &tail[..n])
    }

    proptest::proptest! {
        #[test]
        fn it_finds_what_the_definition_finds(
            tokens in proptest::collection::vec(0_u32..2, 0..40), ngram in 1_usize..5, times in 2_usize..5
        ) {
            let mut watch = RepetitionWatch::new(RepetitionGuard { ngram, times });
            for end in 1..=tokens.len() {
                proptest::prop_assert_eq!(watch.loops(&tokens[..end]), loops(&tokens[..end], ngram, times));
            }
        }
    }
}
