//! Gavel: a verifiable-reward judging server for reinforcement learning on language models.

pub mod tasks;
