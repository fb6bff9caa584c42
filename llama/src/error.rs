//! What can go wrong with llama.cpp.

use std::path::{Path, PathBuf};

/// Why llama.cpp could not do what it was asked for. The message says what, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum LlamaError {
    /// A file could not be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is no GGUF file, or a broken one.
    #[error("{place}: {message}")]
    Damaged {
        /// The file, or what the bytes are of.
        place: String,
        /// What is wrong.
        message: String,
    },
    /// llama.cpp refused a model or adapter.
    #[error("{place}: llama.cpp cannot load it: {message}")]
    Load {
        /// The file, or what the bytes are of.
        place: String,
        /// What llama.cpp said.
        message: String,
    },
    /// An adapter of another model.
    #[error("{place}: it is an adapter of another model: {message}")]
    OtherBase {
        /// The file.
        place: String,
        /// What llama.cpp said.
        message: String,
    },
    /// The context could not be made.
    #[error("no context of {tokens} tokens for {sequences} sequences: {message}")]
    Context {
        /// Tokens of keys and values.
        tokens: u32,
        /// Sequences.
        sequences: u32,
        /// What llama.cpp said.
        message: String,
    },
    /// Keys and values have no room for more tokens.
    #[error(
        "the context of {tokens} tokens has no room for {more} more; make it larger or decode fewer sequences"
    )]
    Full {
        /// Tokens of keys and values.
        tokens: u32,
        /// Tokens that were to be computed.
        more: usize,
    },
    /// A pass failed.
    #[error("llama.cpp could not compute a batch (code {code}): {message}")]
    Decode {
        /// What `llama_decode` gave back.
        code: i32,
        /// What llama.cpp said.
        message: String,
    },
    /// Something that does not fit the model or the context.
    #[error("{0}")]
    Input(String),
    /// A grammar that cannot be read.
    #[error("grammar: {0}")]
    Grammar(String),
    /// A JSON Schema that no grammar can express.
    #[error("JSON schema: {pointer}: {message}")]
    Schema {
        /// Where, as a JSON pointer.
        pointer: String,
        /// What is not supported.
        message: String,
    },
    /// The processor lacks what llama.cpp was built for.
    #[error("this program's llama.cpp was built for {missing}, which this processor does not have")]
    Processor {
        /// The instructions.
        missing: &'static str,
    },
}

impl LlamaError {
    pub(crate) fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }

    pub(crate) fn input(message: impl Into<String>) -> Self {
        Self::Input(message.into())
    }
}

/// The result of what this crate does.
pub type Result<T> = std::result::Result<T, LlamaError>;
