//! A limit on how long a policy thinks: past it, a stop text closes the thought and the answer begins.

use serde::{Deserialize, Serialize};

/// The limit and what closes a thought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThinkingBudget {
    /// The most tokens of a thought.
    pub tokens: usize,
    /// The token that ends a thought.
    pub close_token: u32,
    /// What is inserted past the limit; it should hold the closing token. Inserted tokens were not sampled, so they
    /// are masked out of the loss.
    pub stop_tokens: Vec<u32>,
}

impl ThinkingBudget {
    /// Whether the stop text is due: the limit is reached and the thought is still open.
    pub fn is_due(&self, sampled: &[u32]) -> bool {
        sampled.len() >= self.tokens && !sampled[..self.tokens].contains(&self.close_token)
    }

    /// What was sampled, cut at the limit and closed if it has to be, and whether it was.
    pub fn applied(&self, sampled: &[u32]) -> (Vec<u32>, bool) {
        if self.is_due(sampled) {
            ([&sampled[..self.tokens], &self.stop_tokens].concat(), true)
        } else {
            (sampled.to_vec(), false)
        }
    }
}
