//! What the recipe says of sampling, in the engine's terms.

use policy::decode::{RepetitionGuard, Sampling, ThinkingBudget};
use policy::tokenizer::Tokenizer;

use super::eval::EvalRecipe;
use super::sampling::SamplingRecipe;
use crate::learner::error::Result;

impl SamplingRecipe {
    /// For a model with this tokenizer.
    ///
    /// # Errors
    /// When the tokenizer cannot say a text of the thinking budget.
    pub fn sampling(&self, tokenizer: &Tokenizer) -> Result<Sampling> {
        let thinking = match &self.thinking {
            None => None,
            Some(thinking) => Some(ThinkingBudget {
                max_tokens: thinking.max_tokens,
                inserted: tokenizer.encode(&thinking.insert, false)?,
                end_marker: tokenizer.encode(&thinking.end, false)?,
            }),
        };
        Ok(Sampling {
            temperature: self.temperature as f32,
            top_k: self.top_k,
            top_p: self.top_p as f32,
            min_p: self.min_p as f32,
            max_tokens: self.max_tokens,
            stop_tokens: tokenizer.stop_tokens().to_vec(),
            stop_strings: self.stop.clone(),
            thinking,
            repetition: self
                .repetition
                .as_ref()
                .map(|guard| RepetitionGuard { ngram: guard.block, times: guard.times }),
        })
    }
}

impl EvalRecipe {
    /// As in training, but for what the section says.
    pub fn sampling(&self, training: &Sampling) -> Sampling {
        Sampling {
            temperature: self.temperature as f32,
            top_k: 0,
            top_p: self.top_p as f32,
            min_p: 0.0,
            max_tokens: self.max_tokens.unwrap_or(training.max_tokens),
            ..training.clone()
        }
    }
}
