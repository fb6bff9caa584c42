//! `[sampling]`: how completions are drawn.

use serde::{Deserialize, Serialize};

use super::fault::Checks;

/// How completions are drawn while training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SamplingRecipe {
    /// G: completions of each prompt.
    pub group_size: usize,
    /// Lets groups have one completion, for estimators that compare over the whole batch.
    pub allow_single: bool,
    /// Divides the logits; log-probabilities are of this distribution too.
    pub temperature: f64,
    /// Only so many of the likeliest tokens; 0 is all.
    pub top_k: usize,
    /// Only the likeliest tokens that together have this probability; 1 is all.
    pub top_p: f64,
    /// Only tokens with this share of the likeliest one's probability; 0 is all.
    pub min_p: f64,
    /// The most tokens of a completion.
    pub max_tokens: usize,
    /// Texts that end a completion, beside the model's own end.
    pub stop: Vec<String>,
    /// Sequences decoded at a time.
    pub max_sequences: usize,
    /// Ends a thought that is too long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking: Option<ThinkingRecipe>,
    /// Ends a completion that repeats itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repetition: Option<RepetitionRecipe>,
}

/// A budget of thought: after so many tokens a text that ends the thought is put in (Qwen3, arXiv:2505.09388,
/// section 4.3), which the loss leaves out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ThinkingRecipe {
    /// Tokens of thought.
    pub max_tokens: usize,
    /// What ends a thought; where it came in time nothing is put in.
    pub end: String,
    /// What is put in.
    pub insert: String,
}

/// When a completion counts as a loop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RepetitionRecipe {
    /// So many tokens, the same again and again, are a loop; also every shorter block whose length divides it.
    pub block: usize,
    /// So many times the same block in a row end the completion.
    pub times: usize,
}

impl Default for SamplingRecipe {
    fn default() -> Self {
        Self {
            group_size: 8,
            allow_single: false,
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            max_tokens: 256,
            stop: Vec::new(),
            max_sequences: 64,
            thinking: None,
            repetition: None,
        }
    }
}

impl Default for ThinkingRecipe {
    fn default() -> Self {
        Self {
            max_tokens: 128,
            end: "</think>".to_owned(),
            insert: "\nThe time is up; this is my answer.\n</think>\n".to_owned(),
        }
    }
}

impl Default for RepetitionRecipe {
    fn default() -> Self {
        Self { block: 24, times: 4 }
    }
}

/// More completions of one prompt than a group may have.
const MAX_GROUP: usize = 4096;

impl SamplingRecipe {
    /// Whether the distribution is the model's whole one: otherwise log-probabilities of a full softmax are wrong.
    pub fn is_whole(&self) -> bool {
        self.top_k == 0 && self.top_p >= 1.0 && self.min_p <= 0.0
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        checks.must(
            (1..=MAX_GROUP).contains(&self.group_size),
            "group_size",
            self.group_size,
            "from 1 to 4096",
        );
        if self.group_size == 1 && !self.allow_single {
            checks.fault(
                "group_size",
                "is 1: alone, a completion has no others to be compared with and no advantage; it must be at least 2 \
                 (sampling.allow_single is for estimators that compare over the whole batch)",
            );
        }
        checks.positive("temperature", self.temperature);
        checks.must(self.top_p > 0.0 && self.top_p <= 1.0, "top_p", self.top_p, "above 0 and at most 1");
        checks.must((0.0..1.0).contains(&self.min_p), "min_p", self.min_p, "from 0 to below 1");
        checks.count("max_tokens", self.max_tokens);
        checks.count("max_sequences", self.max_sequences);
        if self.stop.iter().any(String::is_empty) {
            checks.fault("stop", "has an empty text, which would end every completion at once");
        }
        if let Some(thinking) = &self.thinking {
            let mut checks = checks.section("thinking");
            checks.count("max_tokens", thinking.max_tokens);
            if thinking.max_tokens >= self.max_tokens {
                checks.fault(
                    "max_tokens",
                    format!(
                        "is {}; it must be below sampling.max_tokens, which is {}",
                        thinking.max_tokens, self.max_tokens
                    ),
                );
            }
            if thinking.end.is_empty() {
                checks.fault("end", "is empty, so every thought would have ended");
            }
        }
        if let Some(repetition) = &self.repetition {
            let mut checks = checks.section("repetition");
            checks.count("block", repetition.block);
            checks.must(repetition.times >= 2, "times", repetition.times, "at least 2");
        }
    }
}
