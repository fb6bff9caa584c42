//! One sequence that is being decoded: its tokens, and whether it goes on.

use std::sync::Arc;

use super::budget::BudgetWatch;
use super::constraint::Constraint;
use super::distribution::Sampler;
use super::generation::{Finish, Generated};
use super::likeliest::likeliest;
use super::repetition::RepetitionWatch;
use super::request::{Begun, Request};
use super::sampling::Sampling;
use super::source::Taken;
use super::stop::{Decode, StopString, StopWatch};
use crate::error::{PolicyError, Result};

/// Tokens for which room is made at the start; more make room as they come.
const ROOM: usize = 1024;

/// A sequence that is being decoded.
pub(crate) struct Sequence<'a> {
    /// The place of its request.
    pub(crate) prompt: usize,
    /// What its request is called.
    pub(crate) id: usize,
    pub(crate) index: usize,
    seed: u64,
    how: Arc<Sampling>,
    tokens: Vec<u32>,
    /// How many of them the engine has seen as a part of the prompt.
    begun: usize,
    logprobs: Vec<f32>,
    sampled: Vec<bool>,
    constraint: Option<Box<dyn Constraint>>,
    n_top: usize,
    /// Tokens that were told of.
    told: usize,
    top: Vec<(u32, f32)>,
    budget: Option<BudgetWatch>,
    repetition: Option<RepetitionWatch>,
    stop: Option<StopWatch<'a>>,
    stop_string: Option<StopString>,
    pub(crate) finish: Option<Finish>,
}

impl<'a> Sequence<'a> {
    pub(crate) fn new(prompt: usize, index: usize, request: &Request, decode: Option<Decode<'a>>) -> Self {
        let how = &request.sampling;
        let room = how.max_tokens.min(ROOM);
        let strings = (!how.stop_strings.is_empty()).then(|| how.stop_strings.clone());
        let mut sequence = Self {
            prompt,
            id: request.id,
            index,
            seed: request.seeds[index],
            tokens: Vec::with_capacity(room),
            begun: 0,
            logprobs: Vec::with_capacity(room),
            sampled: Vec::with_capacity(room),
            constraint: request.constraint.as_ref().map(|constraint| constraint.fork()),
            n_top: request.n_top,
            told: 0,
            top: Vec::new(),
            budget: how.thinking.clone().map(BudgetWatch::new),
            repetition: how.repetition.map(RepetitionWatch::new),
            stop: strings.zip(decode).map(|(strings, decode)| StopWatch::new(strings, decode)),
            stop_string: None,
            finish: None,
            how: Arc::clone(how),
        };
        if let Some(begun) = &request.begun {
            sequence.replay(begun);
        }
        sequence
    }

    /// Takes over what the sequence had before, with all who watch it.
    fn replay(&mut self, begun: &Begun) {
        for ((token, logprob), sampled) in begun.tokens.iter().zip(&begun.logprobs).zip(&begun.sampled) {
            self.push(*token, *logprob, *sampled);
            if let Some(budget) = &mut self.budget {
                if *sampled {
                    budget.sampled(&self.tokens);
                } else {
                    budget.forced();
                }
            }
            if let Some(constraint) = &mut self.constraint {
                constraint.accept(*token);
            }
            self.watch(true);
        }
        self.begun = self.tokens.len();
        self.told = self.begun;
    }

    /// The most tokens that may come.
    pub(crate) fn max_tokens(&self) -> usize {
        self.how.max_tokens - self.begun
    }

    /// What has come: tokens that are no part of the engine's prompt.
    pub(crate) fn own(&self) -> &[u32] {
        &self.tokens[self.begun..]
    }

    /// Takes the next token, drawn from these logits or inserted.
    ///
    /// # Errors
    /// When a logit is not a number.
    pub(crate) fn advance(&mut self, logits: &[f32], sampler: &mut Sampler) -> Result<()> {
        let forced = self.budget.as_mut().and_then(BudgetWatch::forced);
        if let Some(token) = forced {
            self.push(token, 0.0, false);
            self.top.clear();
        } else if let Some(mut constraint) = self.constraint.take() {
            let mut masked = std::mem::take(&mut sampler.masked);
            masked.clear();
            masked.extend_from_slice(logits);
            constraint.mask(&mut masked);
            let result = if masked.iter().all(|logit| *logit == f32::NEG_INFINITY) {
                self.top.clear();
                self.finish = Some(if constraint.may_end() { Finish::Stop } else { Finish::DeadEnd });
                Ok(())
            } else {
                self.draw(&masked, sampler)
            };
            sampler.masked = masked;
            result?;
            if self.finish.is_none()
                && let Some(token) = self.tokens.last()
            {
                constraint.accept(*token);
            }
            self.constraint = Some(constraint);
        } else {
            self.draw(logits, sampler)?;
        }
        if !matches!(self.finish, Some(Finish::DeadEnd)) {
            self.watch(forced.is_some());
        }
        Ok(())
    }

    /// Draws a token from these logits.
    fn draw(&mut self, logits: &[f32], sampler: &mut Sampler) -> Result<()> {
        let position = self.tokens.len();
        let choice = sampler.choose(logits, &self.how, self.seed, position as u64).ok_or_else(|| {
            PolicyError::NotFinite {
                place: format!(
                    "the logits of token {position} of sequence {} of prompt {}",
                    self.index, self.id
                ),
                value: f64::NAN,
            }
        })?;
        if self.n_top > 0 {
            let scale = if self.how.temperature == 0.0 { 1.0 } else { 1.0 / self.how.temperature };
            likeliest(logits, scale, self.n_top, &mut self.top);
        }
        self.push(choice.token, choice.logprob, true);
        if self.how.stop_tokens.contains(&choice.token) {
            self.finish = Some(Finish::Stop);
        }
        if let Some(budget) = &mut self.budget {
            budget.sampled(&self.tokens);
        }
        Ok(())
    }

    /// Whether the text as it is now ends it. The watches see inserted tokens too: they are part of the text.
    fn watch(&mut self, forced: bool) {
        let string = self.stop.as_mut().and_then(|stop| stop.found(&self.tokens));
        let repeats = self.repetition.as_mut().is_some_and(|watch| watch.loops(&self.tokens));
        if self.finish.is_none() && !forced {
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
    }

    fn push(&mut self, token: u32, logprob: f32, sampled: bool) {
        self.tokens.push(token);
        self.logprobs.push(logprob);
        self.sampled.push(sampled);
    }

    /// The token that has come since this was last asked.
    pub(crate) fn taken(&mut self) -> Option<Taken<'_>> {
        let n = self.tokens.len();
        if self.told == n {
            return None;
        }
        self.told = n;
        Some(Taken {
            id: self.id,
            index: self.index,
            logprob: *self.logprobs.last()?,
            sampled: *self.sampled.last()?,
            tokens: &self.tokens,
            top: &self.top,
        })
    }

    /// What is handed over. `None` while it goes on.
    pub(crate) fn finished(self) -> Option<Generated> {
        Some(Generated {
            prompt: self.id,
            index: self.index,
            tokens: self.tokens,
            logprobs: self.logprobs,
            sampled: self.sampled,
            finish: self.finish?,
            stop_string: self.stop_string,
        })
    }
}
