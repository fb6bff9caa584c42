//! The learner: from a recipe to a policy that was trained by verifiable rewards, and what surrounds that.
//!
//! `recipe.rs` says what a run is; `train.rs` is the loop, and reads from top to bottom as the algorithm does;
//! `formulas/` has advantages, losses and corrections as functions of plain numbers; `hooks.rs` is what the loop tells
//! while it runs, in the words of `metrics.rs`; `record.rs` writes that down, `plot.rs` and `summary.rs` say what came
//! of it; `folder.rs` and `checkpoint.rs` are the run on disk. Nothing here prints, serves or stores: the command line
//! does.
//!
//! Beside the loop stand trainers that share its policy, formulas and optimiser: `sft.rs` on examples (`rejection.rs`
//! chooses them), `dpo.rs` and `reward_model.rs` on pairs (`pairing.rs` makes them), `ppo.rs` with a critic.

pub mod checkpoint;
mod collect;
mod completion;
pub mod dpo;
mod engine;
pub mod error;
pub mod evaluate;
pub mod example;
pub mod export;
#[cfg(test)]
mod fixtures;
pub mod folder;
pub mod formulas;
pub mod hooks;
pub mod metrics;
pub mod micro_batch;
mod model;
mod newest;
pub mod pairing;
pub mod plot;
pub mod ppo;
mod prompts;
pub mod recipe;
pub mod record;
pub mod rejection;
pub mod reward_model;
mod rollouts;
mod running;
pub mod scalar_head;
pub mod score;
pub mod sft;
mod shared_engine;
pub mod step;
pub mod summary;
mod summary_of_step;
pub mod supply;
pub mod train;
pub mod update;
mod warm_start;

pub use self::error::LearnerError;
