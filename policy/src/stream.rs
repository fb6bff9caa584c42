//! Text while its tokens arrive.

use crate::error::Result;
use crate::tokenizer::Tokenizer;

/// What stands for bytes that are no character, or not yet.
const REPLACEMENT: char = '\u{fffd}';

/// How many tokens are waited for before broken characters are taken as they are.
const PATIENCE: usize = 32;

/// Decodes token by token. A piece of text is given when no later token can change it: a character whose bytes are
/// spread over several tokens comes with the last of them.
#[derive(Clone, Debug)]
pub struct TextStream<'a> {
    tokenizer: &'a Tokenizer,
    skip_special: bool,
    /// The last tokens: those before `read` have been given as text and are there because a decoder may treat the
    /// first token of a text in its own way.
    window: Vec<u32>,
    read: usize,
    /// Characters of the window's text that have been given.
    given: usize,
}

impl<'a> TextStream<'a> {
    /// Nothing so far.
    pub const fn new(tokenizer: &'a Tokenizer, skip_special: bool) -> Self {
        Self { tokenizer, skip_special, window: Vec::new(), read: 0, given: 0 }
    }

    /// The text that the next token completes; often empty.
    ///
    /// # Errors
    /// When the tokenizer's decoder fails.
    pub fn push(&mut self, token: u32) -> Result<String> {
        self.window.push(token);
        let text = self.tokenizer.decode(&self.window, self.skip_special)?;
        if text.ends_with(REPLACEMENT) && self.window.len() - self.read < PATIENCE {
            return Ok(String::new());
        }
        let piece = text.chars().skip(self.given).collect();
        self.window.drain(..self.read);
        self.read = self.window.len();
        self.given = self.tokenizer.decode(&self.window, self.skip_special)?.chars().count();
        Ok(piece)
    }

    /// What has been waiting for more, with U+FFFD for bytes that are no character.
    ///
    /// # Errors
    /// When the tokenizer's decoder fails.
    pub fn finish(self) -> Result<String> {
        let text = self.tokenizer.decode(&self.window, self.skip_special)?;
        Ok(text.chars().skip(self.given).collect())
    }
}
