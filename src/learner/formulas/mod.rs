//! What a step of reinforcement learning computes: advantages, losses, penalties and corrections.
//!
//! They work on plain slices of numbers and know no tensor, no device, no clock and no chance. [`objective`] puts them
//! together; [`advantage`] comes before it and [`controller`] between steps.

pub mod advantage;
pub mod aggregation;
pub mod batch;
pub mod budget;
pub mod clip;
pub mod controller;
pub mod covariance;
pub mod critic;
pub mod divergence;
pub mod entropy;
pub mod filter;
pub mod invalid;
pub mod kl;
pub mod likelihood;
pub mod loss;
pub mod metrics;
pub mod mismatch;
pub mod objective;
pub mod preference;
pub mod preset;
pub mod sequence;
pub mod terms;
pub mod token_advantage;

#[cfg(test)]
mod tests;
