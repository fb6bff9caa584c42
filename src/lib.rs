//! Gavel: a verifiable-reward environment and judging server.

pub mod judge;
