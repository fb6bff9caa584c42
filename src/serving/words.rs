//! What a model's text is made of: tokens, special ones, and how a conversation is written down.

use super::Grammar;

/// What there is to know of a model before it is asked anything.
#[derive(Clone, Debug)]
pub struct Card {
    /// The most tokens of a prompt and its continuation together.
    pub context: usize,
    /// Tokens are below this.
    pub vocabulary: usize,
    /// Tokens that end what it says.
    pub stop_tokens: Vec<u32>,
    /// Whether text can be held to a grammar.
    pub takes_grammars: bool,
    /// What runs it, for people: the engine and the kind of file.
    pub engine: String,
}

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// `system`, `user`, `assistant` or what else the model's template knows.
    pub role: String,
    /// What was said.
    pub content: String,
}

/// Why something cannot be done with a text, in words for the one who sent it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// From text to tokens and back. Called from many threads at once.
pub trait Words: Send + Sync {
    /// Tokens of a text; with `special` those that the model wants around a prompt are added.
    ///
    /// # Errors
    /// When the text cannot be encoded.
    fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>, Refusal>;

    /// Tokens of a conversation, up to where the model's own turn begins.
    ///
    /// # Errors
    /// When the model has no template for conversations, or it objects to this one.
    fn encode_chat(&self, turns: &[Turn]) -> Result<Vec<u32>, Refusal>;

    /// The text of tokens; bytes that are no character, or not yet, are U+FFFD.
    fn decode(&self, tokens: &[u32], skip_special: bool) -> String;

    /// The bytes that a token stands for wherever it stands, special or not.
    fn bytes(&self, token: u32) -> Vec<u8>;

    /// Whether a grammar can be followed.
    ///
    /// # Errors
    /// What is wrong with it.
    fn check_grammar(&self, grammar: &Grammar) -> Result<(), Refusal>;
}
