//! Other servers: one HTTP client for all that this program asks of them, and the words that OpenAI-compatible ones
//! understand.
//!
//! A [`Client`] has one or several servers that do the same. Each call goes to the one with the least to do; what
//! fails for a passing reason is tried again, elsewhere if there is an elsewhere; a server that keeps failing is left
//! alone for a while. What comes back is bounded in bytes and in time, and a reply is JSON of the expected shape or an
//! error. Callers without an async runtime use the `…_blocking` calls.
//!
//! It knows no task, reward or policy.

mod backoff;
mod breaker;
mod client;
mod endpoints;
mod error;
pub mod openai;
mod runtime;
mod settings;

pub use self::client::Client;
pub use self::error::{RemoteError, RemoteErrorKind};
pub use self::runtime::{block_on, spawn};
pub use self::settings::{BreakerSettings, Service, Settings};
