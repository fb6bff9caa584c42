//! Text to tokens and back, as the model's own tokenizer does it.

use llama_cpp_sys_2 as sys;

use crate::error::{LlamaError, Result};
use crate::model::Model;

impl Model {
    /// The vocabulary; it lives as long as the model.
    #[allow(unsafe_code)]
    pub(crate) fn vocabulary(&self) -> *const sys::llama_vocab {
        // SAFETY: the model is there.
        unsafe { sys::llama_model_get_vocab(self.inner.raw.as_ptr()) }
    }

    /// How many tokens there are.
    #[allow(unsafe_code)]
    pub fn n_tokens(&self) -> usize {
        // SAFETY: the vocabulary is there.
        usize::try_from(unsafe { sys::llama_vocab_n_tokens(self.vocabulary()) }).unwrap_or_default()
    }

    /// The token that begins a text.
    #[allow(unsafe_code)]
    pub fn bos(&self) -> Option<u32> {
        // SAFETY: the vocabulary is there.
        u32::try_from(unsafe { sys::llama_vocab_bos(self.vocabulary()) }).ok()
    }

    /// The token that ends a text.
    #[allow(unsafe_code)]
    pub fn eos(&self) -> Option<u32> {
        // SAFETY: the vocabulary is there.
        u32::try_from(unsafe { sys::llama_vocab_eos(self.vocabulary()) }).ok()
    }

    /// Whether texts begin with [`bos`](Self::bos).
    #[allow(unsafe_code)]
    pub fn adds_bos(&self) -> bool {
        // SAFETY: the vocabulary is there.
        unsafe { sys::llama_vocab_get_add_bos(self.vocabulary()) }
    }

    /// Every token that ends a generation: the ends of texts, turns and messages.
    #[allow(unsafe_code)]
    pub fn stop_tokens(&self) -> Vec<u32> {
        let vocabulary = self.vocabulary();
        // SAFETY: the tokens are below the vocabulary's number.
        let ends = |token: &u32| unsafe { sys::llama_vocab_is_eog(vocabulary, token.cast_signed()) };
        (0..self.n_tokens() as u32).filter(ends).collect()
    }

    /// Text to tokens. `special`: with the tokens that the model wants around a text. `parse`: texts of special tokens
    /// become these tokens; never for text that others wrote.
    ///
    /// # Errors
    /// When the text is longer than llama.cpp can take.
    #[allow(unsafe_code)]
    pub fn tokenize(&self, text: &str, special: bool, parse: bool) -> Result<Vec<u32>> {
        let length = i32::try_from(text.len())
            .map_err(|_| LlamaError::input(format!("a text of {} bytes is too long", text.len())))?;
        let read = |tokens: &mut [i32]| {
            // SAFETY: the text has so many bytes, and at most as many tokens are written as there is room for.
            unsafe {
                sys::llama_tokenize(
                    self.vocabulary(),
                    text.as_ptr().cast(),
                    length,
                    tokens.as_mut_ptr(),
                    i32::try_from(tokens.len()).unwrap_or(i32::MAX),
                    special,
                    parse,
                )
            }
        };
        let mut tokens = vec![0; text.len() + 8];
        let mut n = read(&mut tokens);
        if n < 0 {
            tokens = vec![0; n.unsigned_abs() as usize];
            n = read(&mut tokens);
        }
        let n = usize::try_from(n).map_err(|_| LlamaError::input("the text could not be read"))?;
        tokens.truncate(n);
        Ok(tokens.into_iter().map(i32::cast_unsigned).collect())
    }

    /// The bytes of a token; of special ones none, unless `special`.
    #[allow(unsafe_code)]
    pub fn piece(&self, token: u32, special: bool) -> Vec<u8> {
        if token as usize >= self.n_tokens() {
            return Vec::new();
        }
        let read = |buffer: &mut [u8]| {
            // SAFETY: the token is in the vocabulary, and at most as many bytes are written as there is room for.
            unsafe {
                sys::llama_token_to_piece(
                    self.vocabulary(),
                    token.cast_signed(),
                    buffer.as_mut_ptr().cast(),
                    i32::try_from(buffer.len()).unwrap_or(i32::MAX),
                    0,
                    special,
                )
            }
        };
        let mut buffer = vec![0; 32];
        let mut n = read(&mut buffer);
        if n < 0 {
            buffer = vec![0; n.unsigned_abs() as usize];
            n = read(&mut buffer);
        }
        buffer.truncate(usize::try_from(n).unwrap_or_default());
        buffer
    }

    /// Tokens to text; bytes that are no UTF-8 become replacement characters.
    pub fn text(&self, tokens: &[u32], special: bool) -> String {
        let bytes: Vec<u8> = tokens.iter().flat_map(|token| self.piece(*token, special)).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
