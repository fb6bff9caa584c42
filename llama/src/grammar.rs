//! Grammars: which tokens may follow.

use std::ffi::CString;
use std::ptr::NonNull;

use llama_cpp_sys_2 as sys;

use crate::error::{LlamaError, Result};
use crate::log::errors_of;
use crate::model::Model;

/// The longest grammar.
const MAX_LENGTH: usize = 1 << 20;

/// A grammar and how far a text has come in it.
pub struct Grammar {
    raw: NonNull<sys::llama_sampler>,
    model: Model,
    /// A token that ends a text.
    end: u32,
    /// Tokens that end a text and of which llama.cpp does not know.
    stops: Vec<u32>,
    candidates: Vec<sys::llama_token_data>,
    /// Whether a token came that may not come.
    broken: bool,
}

// SAFETY: the state belongs to no thread, and is used through `&mut` or copied through `&`. The vocabulary that it
// reads does not change and lives as long as the model.
#[allow(unsafe_code)]
unsafe impl Send for Grammar {}

impl Drop for Grammar {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // SAFETY: it is freed once.
        unsafe { sys::llama_sampler_free(self.raw.as_ptr()) };
    }
}

impl Clone for Grammar {
    #[allow(unsafe_code)]
    fn clone(&self) -> Self {
        // SAFETY: it is there. llama.cpp allocates with `new`, which never gives null.
        let raw = unsafe { NonNull::new_unchecked(sys::llama_sampler_clone(self.raw.as_ptr())) };
        Self {
            raw,
            model: self.model.clone(),
            end: self.end,
            stops: self.stops.clone(),
            candidates: Vec::new(),
            broken: self.broken,
        }
    }
}

impl std::fmt::Debug for Grammar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grammar").field("broken", &self.broken).finish_non_exhaustive()
    }
}

impl Grammar {
    /// A grammar in GBNF whose rule `root` is the text. `stops` are tokens that end a text, beside those that the model
    /// knows of.
    ///
    /// # Errors
    /// When it cannot be read; the message has what llama.cpp said. When the model has no token that ends a text.
    #[allow(unsafe_code)]
    pub fn new(model: &Model, gbnf: &str, stops: &[u32]) -> Result<Self> {
        if gbnf.len() > MAX_LENGTH {
            return Err(LlamaError::Grammar(format!("it has {} bytes; at most {MAX_LENGTH}", gbnf.len())));
        }
        if gbnf.trim().is_empty() {
            return Err(LlamaError::Grammar("it is empty".to_owned()));
        }
        let text =
            CString::new(gbnf).map_err(|_| LlamaError::Grammar("it has a zero byte in it".to_owned()))?;
        let ends = model.stop_tokens();
        let Some(end) = ends.first().copied() else {
            let message = "the model has no token that ends a text, so no text could be told to be whole";
            return Err(LlamaError::Grammar(message.to_owned()));
        };
        let (raw, said) = errors_of(|| {
            // SAFETY: the vocabulary lives as long as the model, which is kept; both texts end with a zero byte.
            unsafe { sys::llama_sampler_init_grammar(model.vocabulary(), text.as_ptr(), c"root".as_ptr()) }
        });
        let raw = NonNull::new(raw).ok_or(LlamaError::Grammar(said))?;
        let stops = stops.iter().copied().filter(|token| !ends.contains(token)).collect();
        Ok(Self { raw, model: model.clone(), end, stops, candidates: Vec::new(), broken: false })
    }

    /// Sets to minus infinity the logits `[V]` of the tokens that may not come next. Tokens that end a text may come
    /// where the text is whole.
    pub fn mask(&mut self, logits: &mut [f32]) {
        if self.broken {
            logits.fill(f32::NEG_INFINITY);
            return;
        }
        let at_end: Vec<(usize, f32)> = if self.stops.is_empty() || !self.is_whole() {
            Vec::new()
        } else {
            let known = |token: &u32| Some((*token as usize, *logits.get(*token as usize)?));
            self.stops.iter().filter_map(known).collect()
        };
        let tokens = logits.len().min(self.model.n_tokens());
        let mut candidates = std::mem::take(&mut self.candidates);
        candidates.clear();
        candidates.extend(
            (0..)
                .zip(&logits[..tokens])
                .filter(|(_, logit)| **logit > f32::NEG_INFINITY)
                .map(|(id, logit)| sys::llama_token_data { id, logit: *logit, p: 0.0 }),
        );
        self.apply(&mut candidates);
        logits.fill(f32::NEG_INFINITY);
        for candidate in &candidates {
            if let Ok(token) = usize::try_from(candidate.id) {
                logits[token] = candidate.logit;
            }
        }
        for stop in &self.stops {
            if let Some(logit) = logits.get_mut(*stop as usize) {
                *logit = f32::NEG_INFINITY;
            }
        }
        for (token, logit) in at_end {
            logits[token] = logit;
        }
        self.candidates = candidates;
    }

    /// Whether a token may come next.
    pub fn allows(&self, token: u32) -> bool {
        if self.broken || token as usize >= self.model.n_tokens() {
            return false;
        }
        let mut candidates = [sys::llama_token_data { id: token.cast_signed(), logit: 0.0, p: 0.0 }];
        self.apply(&mut candidates);
        candidates[0].logit > f32::NEG_INFINITY
    }

    /// Sees the next token. One that may not come breaks the grammar: nothing may follow.
    #[allow(unsafe_code)]
    pub fn accept(&mut self, token: u32) {
        // llama.cpp ends the program when it is told of a token that its grammar does not allow.
        if !self.allows(token) {
            self.broken = true;
            return;
        }
        // SAFETY: the state is there and the grammar allows the token.
        unsafe { sys::llama_sampler_accept(self.raw.as_ptr(), token.cast_signed()) };
    }

    /// Whether the text may end as it is.
    pub fn is_whole(&self) -> bool {
        self.allows(self.end)
    }

    /// Sets the logits of candidates that may not come to minus infinity.
    #[allow(unsafe_code)]
    fn apply(&self, candidates: &mut [sys::llama_token_data]) {
        let mut array = sys::llama_token_data_array {
            data: candidates.as_mut_ptr(),
            size: candidates.len(),
            selected: -1,
            sorted: false,
        };
        // SAFETY: the array has as many items as it says, all of tokens of the vocabulary; a grammar writes logits
        // only. Its own state is read.
        unsafe { sys::llama_sampler_apply(self.raw.as_ptr(), &raw mut array) };
    }
}
