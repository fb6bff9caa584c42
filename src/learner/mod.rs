//! The learner: from a recipe to a policy that was trained by verifiable rewards, and what surrounds that.
//!
//! `recipe.rs` says what a run is; `train.rs` is the loop, and reads from top to bottom as the algorithm does;
//! `formulas/` has advantages, losses and corrections as functions of plain numbers; `hooks.rs` is what the loop tells
//! while it runs, in the words of `metrics.rs`; `record.rs` writes that down, `plot.rs` and `summary.rs` say what came
//! of it; `folder.rs` and `checkpoint.rs` are the run on disk. Nothing here prints, serves or stores: the command line
//! does.

pub mod checkpoint;
mod collect;
mod completion;
pub mod error;
pub mod evaluate;
pub mod folder;
pub mod formulas;
pub mod hooks;
mod learner;
pub mod metrics;
pub mod micro_batch;
mod model;
pub mod plot;
mod prompts;
pub mod recipe;
pub mod record;
pub mod score;
pub mod step;
mod summary_of_step;
pub mod summary;
pub mod supply;
pub mod train;
pub mod update;
mod warm_start;

pub use self::error::LearnerError;
