//! What a batch is asked for, and whether it can be done.

use std::sync::Arc;

use super::constraint::Constraint;
use super::generation::EngineLimits;
use super::sampling::Sampling;
use crate::error::{PolicyError, Result};

/// A prompt for a batch that is open: one sequence for each seed.
pub struct Request {
    /// Comes back with everything that is said of it. Requests that are in the batch at the same time have different
    /// ones.
    pub id: usize,
    /// At least one token.
    pub tokens: Arc<[u32]>,
    /// One sequence for each; equal seeds give equal sequences.
    pub seeds: Vec<u64>,
    /// How its tokens are chosen.
    pub sampling: Arc<Sampling>,
    /// What may follow; each sequence gets a fork of it.
    pub constraint: Option<Box<dyn Constraint>>,
    /// How many of the likeliest tokens are told with each token.
    pub n_top: usize,
    /// What the one sequence of this request has already; it goes on from there. `max_tokens` counts it.
    pub begun: Option<Begun>,
}

/// A sequence that was cancelled and goes on. With the same weights it goes on as if nothing had happened, up to the
/// rounding of keys and values that are computed again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Begun {
    /// What it has, as in [`Generated::tokens`](super::Generated::tokens).
    pub tokens: Vec<u32>,
    /// For each token, as it was told.
    pub logprobs: Vec<f32>,
    /// For each token, whether it was drawn.
    pub sampled: Vec<bool>,
}

impl Request {
    /// A request without a constraint.
    pub fn new(id: usize, tokens: Arc<[u32]>, seeds: Vec<u64>, sampling: Arc<Sampling>) -> Self {
        Self { id, tokens, seeds, sampling, constraint: None, n_top: 0, begun: None }
    }
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request").field("id", &self.id).field("seeds", &self.seeds).finish_non_exhaustive()
    }
}

/// What an engine can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// V.
    pub vocabulary: usize,
    /// The most tokens of a prompt and what follows it, by the model.
    pub positions: usize,
    /// The most tokens that all prompts and sequences together have room for.
    pub cache_tokens: usize,
    /// Room is given in multiples of so many tokens, for a prompt and for each sequence.
    pub page: usize,
}

impl Bounds {
    /// Checks one prompt with its sampling. `decodes`: whether tokens can be turned into text.
    ///
    /// # Errors
    /// The field or prompt, and what it has to be.
    pub fn check(&self, request: &Request, decodes: bool) -> Result<()> {
        self.check_sampling(&request.sampling, decodes)?;
        if request.constraint.is_some() && request.sampling.thinking.is_some() {
            return Err(PolicyError::input(
                "a constraint and `thinking` cannot go together: what is inserted need not keep to the constraint",
            ));
        }
        if let Some(begun) = &request.begun {
            let n = begun.tokens.len();
            if begun.logprobs.len() != n || begun.sampled.len() != n || request.seeds.len() != 1 {
                return Err(PolicyError::input(format!(
                    "what was begun of request {} has {n} tokens, {} log-probabilities and {} flags for {} seeds; \
                     expected equal numbers and one seed",
                    request.id,
                    begun.logprobs.len(),
                    begun.sampled.len(),
                    request.seeds.len()
                )));
            }
            if n >= request.sampling.max_tokens {
                return Err(PolicyError::input(format!(
                    "what was begun of request {} has {n} tokens, and `max_tokens` is {}: it is over",
                    request.id, request.sampling.max_tokens
                )));
            }
            self.check_tokens(request.id, &begun.tokens)?;
        }
        self.check_prompt(request.id, &request.tokens, request.sampling.max_tokens)
    }

    pub(crate) fn check_sampling(&self, sampling: &Sampling, decodes: bool) -> Result<()> {
        sampling.check(self.vocabulary)?;
        if !sampling.stop_strings.is_empty() && !decodes {
            return Err(PolicyError::input("`stop_strings` need a tokenizer that turns tokens into text"));
        }
        Ok(())
    }

    pub(crate) fn check_prompt(&self, id: usize, tokens: &[u32], max_tokens: usize) -> Result<()> {
        let n = tokens.len();
        if n == 0 {
            return Err(PolicyError::input(format!("prompt {id} has no token")));
        }
        self.check_tokens(id, tokens)?;
        if n.saturating_add(max_tokens) > self.positions {
            return Err(PolicyError::input(format!(
                "prompt {id} has {n} tokens and `max_tokens` is {max_tokens}, together more than the model's \
                 context of {}",
                self.positions
            )));
        }
        let needed = n.next_multiple_of(self.page) + max_tokens.next_multiple_of(self.page);
        if needed > self.cache_tokens.next_multiple_of(self.page) {
            return Err(PolicyError::input(format!(
                "`cache_tokens` is {}; prompt {id} of {n} tokens and `max_tokens` of {max_tokens} need {needed}",
                self.cache_tokens
            )));
        }
        Ok(())
    }

    fn check_tokens(&self, id: usize, tokens: &[u32]) -> Result<()> {
        match tokens.iter().find(|token| **token as usize >= self.vocabulary) {
            None => Ok(()),
            Some(token) => Err(PolicyError::input(format!(
                "prompt {id} has the token {token}, which is not in the vocabulary of {}; is this the model's \
                 own tokenizer?",
                self.vocabulary
            ))),
        }
    }
}

impl EngineLimits {
    pub(crate) fn check(&self) -> Result<()> {
        for (field, value) in [
            ("max_batch", self.max_batch),
            ("cache_tokens", self.cache_tokens),
            ("prefill_tokens", self.prefill_tokens),
        ] {
            if value == 0 {
                return Err(PolicyError::input(format!("`{field}` is 0; expected at least 1")));
            }
        }
        Ok(())
    }
}
