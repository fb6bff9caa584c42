//! Decoder language models that are being trained: their weights, log-probabilities, gradients, sampling and
//! optimiser.
//!
//! It knows tokens and tensors; it knows no task, no reward, no loss. What a loss wants is handed in as the gradient
//! of the loss with respect to each token's log-probability, so that the formulas of reinforcement learning stay
//! functions of plain numbers.
//!
//! Letters in comments: N packed tokens, M scored tokens, H hidden width, F width of the feed-forward part, V
//! vocabulary, D width of a head, L layers.

pub mod chat;
pub mod config;
pub mod decode;
pub mod device;
pub mod error;
pub mod flops;
pub mod fused;
pub mod gguf;
pub mod gradients;
pub mod graph;
pub mod hub;
pub mod load;
pub mod lora;
pub mod optimizer;
pub mod packed;
mod policy;
pub mod random;
pub mod save;
pub mod schedule;
pub mod sizes;
pub mod stream;
pub mod tensors;
pub mod tokenizer;
pub mod weights;

pub use self::chat::{ChatTemplate, Message};
pub use self::config::ModelConfig;
pub use self::error::PolicyError;
pub use self::gradients::Gradients;
pub use self::lora::LoraConfig;
pub use self::optimizer::{AdamW, AdamWOptions};
pub use self::packed::{Packed, Segment, TokenGradients, TokenScores};
pub use self::policy::Policy;
pub use self::save::SaveOptions;
pub use self::schedule::{Decay, Schedule};
pub use self::sizes::Sizes;
pub use self::stream::TextStream;
pub use self::tokenizer::Tokenizer;
pub use self::weights::{Adapter, Layer, Linear, Weights};
