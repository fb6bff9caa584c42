//! How tokens are chosen and when a sequence ends.

use crate::error::{PolicyError, Result};

/// How tokens are chosen and when a sequence ends.
///
/// The distribution that a token is drawn from is made in Hugging Face's order: the logits are divided by the
/// temperature, then cut by `top_k`, then by `top_p`, then by `min_p`, and what is left is scaled to a sum of 1.
/// (vLLM cuts by `min_p` first; the two differ only where both `min_p` and `top_p` cut.)
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// What logits are divided by; 0 takes the most probable token, the lowest of equals.
    pub temperature: f32,
    /// Only the k most probable tokens, and what is as probable as the last of them; 0 keeps all.
    pub top_k: usize,
    /// Only the most probable tokens whose probabilities, added up, first reach this; 1 keeps all.
    pub top_p: f32,
    /// Only tokens at least this share as probable as the most probable one; 0 keeps all.
    pub min_p: f32,
    /// The most tokens, inserted ones among them.
    pub max_tokens: usize,
    /// Tokens that end a sequence; they belong to it.
    pub stop_tokens: Vec<u32>,
    /// Texts that end a sequence. The tokens that complete one belong to it.
    pub stop_strings: Vec<String>,
    /// A bound on thinking.
    pub thinking: Option<ThinkingBudget>,
    /// What is taken for a loop.
    pub repetition: Option<RepetitionGuard>,
}

/// After so many sampled tokens without the end of the thought, the end is inserted and sampling goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThinkingBudget {
    /// Sampled tokens in which the thought has to end by itself.
    pub max_tokens: usize,
    /// What is inserted: an end of the thought.
    pub inserted: Vec<u32>,
    /// What ends a thought.
    pub end_marker: Vec<u32>,
}

/// The same `ngram` tokens `times` times in a row end a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RepetitionGuard {
    /// Tokens of the run.
    pub ngram: usize,
    /// How often it has to stand in a row; at least 2.
    pub times: usize,
}

impl Default for Sampling {
    /// The model's own distribution, 128 tokens, no stop.
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            max_tokens: 128,
            stop_tokens: Vec::new(),
            stop_strings: Vec::new(),
            thinking: None,
            repetition: None,
        }
    }
}

impl Sampling {
    /// Checks each field.
    ///
    /// # Errors
    /// The field and what it has to be.
    pub fn check(&self, vocabulary: usize) -> Result<()> {
        let wrong = |field: &str, value: &dyn std::fmt::Display, expected: &str| {
            Err(PolicyError::input(format!("`{field}` is {value}; expected {expected}")))
        };
        // Below the smallest temperature quotients of ordinary logits overflow.
        if !(self.temperature == 0.0 || (1e-4..=1e4).contains(&self.temperature)) {
            return wrong("temperature", &self.temperature, "0 or a number from 0.0001 to 10000");
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return wrong("top_p", &self.top_p, "a number above 0 and at most 1");
        }
        if !(0.0..=1.0).contains(&self.min_p) {
            return wrong("min_p", &self.min_p, "a number from 0 to 1");
        }
        if self.max_tokens == 0 {
            return wrong("max_tokens", &0, "at least 1");
        }
        if self.stop_strings.iter().any(String::is_empty) {
            return wrong("stop_strings", &"an empty text", "texts of at least one character");
        }
        let mut lists = vec![("stop_tokens", &self.stop_tokens)];
        if let Some(thinking) = &self.thinking {
            if thinking.max_tokens == 0 {
                return wrong("thinking.max_tokens", &0, "at least 1");
            }
            for (field, list) in
                [("thinking.inserted", &thinking.inserted), ("thinking.end_marker", &thinking.end_marker)]
            {
                if list.is_empty() {
                    return wrong(field, &"empty", "at least one token");
                }
                lists.push((field, list));
            }
        }
        for (field, list) in lists {
            if let Some(token) = list.iter().find(|token| **token as usize >= vocabulary) {
                return wrong(field, token, &format!("tokens below the vocabulary's {vocabulary}"));
            }
        }
        if let Some(guard) = &self.repetition {
            if guard.ngram == 0 {
                return wrong("repetition.ngram", &0, "at least 1");
            }
            if guard.times < 2 {
                return wrong("repetition.times", &guard.times, "at least 2");
            }
        }
        Ok(())
    }
}
