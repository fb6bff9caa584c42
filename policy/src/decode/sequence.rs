//! One sequence that is being decoded: its tokens, and whether it goes on.

use super::budget::BudgetWatch;
use super::distribution::Sampler;
use super::generation::{Finish, Generated};
use super::repetition::RepetitionWatch;
use super::sampling::Sampling;
use super::stop::{Decode, StopString, StopWatch};
use crate::error::{PolicyError, Result};

/// Tokens for which room is made at the start; more make room as they come.
const ROOM: usize = 1024;

/// A sequence that is being decoded.
pub(crate) struct Sequence<'a> {
    pub(crate) prompt: usize,
    pub(crate) index: usize,
    seed: u64,
    how: &'a Sampling,
    pub(crate) tokens: Vec<u32>,
    logprobs: Vec<f32>,
    sampled: Vec<bool>,
    budget: Option<BudgetWatch<'a>>,
    repetition: Option<RepetitionWatch>,
    stop: Option<StopWatch<'a>>,
    stop_string: Option<StopString>,
    pub(crate) finish: Option<Finish>,
}

impl<'a> Sequence<'a> {
    pub(crate) fn new(
        prompt: usize,
        index: usize,
        seed: u64,
        how: &'a Sampling,
        decode: Option<Decode<'a>>,
    ) -> Self {
        let room = how.max_tokens.min(ROOM);
        let strings = (!how.stop_strings.is_empty()).then_some(how.stop_strings.as_slice());
        Self {
            prompt,
            index,
            seed,
            how,
            tokens: Vec::with_capacity(room),
            logprobs: Vec::with_capacity(room),
            sampled: Vec::with_capacity(room),
            budget: how.thinking.as_ref().map(BudgetWatch::new),
            repetition: how.repetition.map(RepetitionWatch::new),
            stop: strings.zip(decode).map(|(strings, decode)| StopWatch::new(strings, decode)),
            stop_string: None,
            finish: None,
        }
    }

    /// Takes the next token, drawn from these logits or inserted.
    ///
    /// # Errors
    /// When a logit is not a number.
    pub(crate) fn advance(&mut self, logits: &[f32], sampler: &mut Sampler) -> Result<()> {
        let forced = self.budget.as_mut().and_then(BudgetWatch::forced);
        if let Some(token) = forced {
            self.push(token, 0.0, false);
        } else {
            let position = self.tokens.len();
            let choice = sampler.choose(logits, self.how, self.seed, position as u64).ok_or_else(|| {
                PolicyError::NotFinite {
                    place: format!(
                        "the logits of token {position} of sequence {} of prompt {}",
                        self.index, self.prompt
                    ),
                    value: f64::NAN,
                }
            })?;
            self.push(choice.token, choice.logprob, true);
            if self.how.stop_tokens.contains(&choice.token) {
                self.finish = Some(Finish::Stop);
            }
            if let Some(budget) = &mut self.budget {
                budget.sampled(&self.tokens);
            }
        }
        // The watches see inserted tokens too: they are part of the text.
        let string = self.stop.as_mut().and_then(|stop| stop.found(&self.tokens));
        let repeats = self.repetition.as_mut().is_some_and(|watch| watch.loops(&self.tokens));
        if self.finish.is_none() && forced.is_none() {
            if let Some(string) = string {
                self.stop_string = Some(string);
                self.finish = Some(Finish::Stop);
            } else if repeats {
                self.finish = Some(Finish::Repetition);
            }
        }
        if self.finish.is_none() && self.tokens.len() >= self.how.max_tokens {
            self.finish = Some(Finish::Length);
        }
        Ok(())
    }

    fn push(&mut self, token: u32, logprob: f32, sampled: bool) {
        self.tokens.push(token);
        self.logprobs.push(logprob);
        self.sampled.push(sampled);
    }

    /// What is handed over. `None` while it goes on.
    pub(crate) fn finished(self) -> Option<Generated> {
        Some(Generated {
            prompt: self.prompt,
            index: self.index,
            tokens: self.tokens,
            logprobs: self.logprobs,
            sampled: self.sampled,
            finish: self.finish?,
            stop_string: self.stop_string,
        })
    }
}
