//! llama.cpp as Gavel uses it: GGUF models, many sequences in one context, adapters, grammars.
//!
//! A safe face over the C library: everything that is `unsafe` is here, each piece with the reason why it is sound.
//! It knows tokens, logits and files; it samples nothing and knows no task.
//!
//! llama.cpp aborts the process on some of its own errors. What can be checked before a call is: files are read here
//! first, sequence and token numbers are compared with the context's limits, and a grammar is asked whether it allows
//! a token before it is told of it.

mod adapter;
mod backend;
mod context;
mod error;
mod grammar;
mod header;
mod log;
mod model;
mod options;
mod schema;
mod vocabulary;

pub use self::adapter::Adapter;
pub use self::backend::{instructions, supports_gpu};
pub use self::context::{Context, Row};
pub use self::error::{LlamaError, Result};
pub use self::grammar::Grammar;
pub use self::header::{Header, TensorInfo};
pub use self::log::{Level, set_log};
pub use self::model::Model;
pub use self::options::{CacheType, ContextOptions, FlashAttention, ModelOptions};
pub use self::schema::json_schema_to_gbnf;
