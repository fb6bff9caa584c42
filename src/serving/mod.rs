//! A model that answers requests: its words, a queue, and one thread that decodes for everybody at once.
//!
//! The server hands over [`Ask`]s and gets [`Event`]s; it knows neither weights nor tensors. An [`Engine`] samples
//! tokens and knows neither text nor callers: what a sequence says, and when it has said enough, is decided by the
//! desk between them. What a sequence says is a function of the model, its prompt, its seed and its [`Draw`], and
//! not of what is decoded beside it.

mod ask;
mod desk;
mod engine;
#[cfg(feature = "learner")]
mod feed;
#[cfg(feature = "llama")]
mod llama;
#[cfg(feature = "learner")]
mod native;
mod served;
mod source;
mod transcript;
mod words;

pub use self::ask::{Ask, Draw, Grammar, GrammarKind, seed_of};
pub use self::desk::{Event, Failure, Finish, Happening};
pub use self::engine::{Desk, Engine, Next, Place, Token};
pub use self::served::{Answering, Limits, Loaded, NotReady, Ready, Served, Unserved};
pub use self::source::{LoadError, ModelSettings, engines, load};
pub use self::words::{Card, Refusal, Turn, Words};
