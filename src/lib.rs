//! Gavel: a verifiable-reward environment and judging server for reinforcement learning on language models.
//!
//! Groups of completions come in over HTTP ([`server`]), from a file ([`cli`]) or from a rollout; all of them are
//! judged in one place ([`judge`]) by a rubric of the `graders` crate, and may be kept ([`store`]).

pub mod cli;
pub mod config;
pub mod guests;
pub mod judge;
#[cfg(feature = "learner")]
pub mod learner;
pub mod opinion;
pub mod remote;
#[cfg(feature = "learner")]
pub mod rollout;
pub mod server;
pub mod serving;
pub mod store;
pub mod tasks;
pub mod telemetry;
