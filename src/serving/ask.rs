//! What is asked of a model: a prompt, how to continue it, and how often.

use std::sync::Arc;

/// One prompt and the sequences that are to continue it.
#[derive(Clone, Debug)]
pub struct Ask {
    /// At least one token, all of them in the vocabulary.
    pub prompt: Arc<[u32]>,
    /// One sequence for each; equal seeds give equal sequences.
    pub seeds: Vec<u64>,
    /// How they continue.
    pub draw: Draw,
}

/// How tokens are chosen, and when a sequence ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Draw {
    /// What logits are divided by; 0 takes the most probable token.
    pub temperature: f32,
    /// Only the k most probable tokens; 0 keeps all.
    pub top_k: usize,
    /// Only the most probable tokens that together first reach this; 1 keeps all.
    pub top_p: f32,
    /// Only tokens at least this share as probable as the most probable one; 0 keeps all.
    pub min_p: f32,
    /// The most tokens, at least 1.
    pub max_tokens: usize,
    /// Tokens that end a sequence; their text is not part of what was said.
    pub stop_tokens: Vec<u32>,
    /// The stop tokens that the caller named, which are told as the reason.
    pub own_stop_tokens: Vec<u32>,
    /// Texts that end a sequence.
    pub stop_texts: Vec<String>,
    /// Whether the text that ended it stays at its end.
    pub keep_stop: bool,
    /// Whether special tokens are left out of the text.
    pub skip_special: bool,
    /// How many of the most probable tokens are told at each place.
    pub n_top: usize,
    /// What the text has to be.
    pub grammar: Option<Grammar>,
}

impl Default for Draw {
    /// The model's own distribution, 16 tokens, no stop.
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            max_tokens: 16,
            stop_tokens: Vec::new(),
            own_stop_tokens: Vec::new(),
            stop_texts: Vec::new(),
            keep_stop: false,
            skip_special: true,
            n_top: 0,
            grammar: None,
        }
    }
}

/// What a text has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grammar {
    /// How it is written.
    pub kind: GrammarKind,
    /// A grammar in GBNF, or a JSON Schema.
    pub source: String,
}

/// How a grammar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrammarKind {
    /// In llama.cpp's notation; the rule `root` is what the text has to be.
    Gbnf,
    /// As a JSON Schema.
    JsonSchema,
}

/// The seed of one sequence of a request, from the request's own seed and the sequence's place in it. The first one
/// of a request has the request's seed itself, so that it is the same however many come with it.
pub fn seed_of(request: u64, place: u64) -> u64 {
    if place == 0 {
        return request;
    }
    // SplitMix64 (Steele, Lea and Flood 2014) over both in turn.
    mix(mix(request) ^ mix(place))
}

const fn mix(state: u64) -> u64 {
    let z = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
