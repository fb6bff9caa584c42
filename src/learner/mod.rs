//! The learner: from a recipe to a policy that was trained by verifiable rewards, and what surrounds that.
//!
//! `recipe.rs` says what a run is; `train.rs` is the loop; `hooks.rs` is what the loop tells while it runs, in the
//! words of `metrics.rs`; `record.rs` writes that down, `plot.rs` and `summary.rs` say what came of it; `folder.rs` and `checkpoint.rs` are the run on disk.
//! Nothing here prints, serves or stores: the command line does.

pub mod checkpoint;
pub mod error;
pub mod folder;
pub mod hooks;
pub mod metrics;
pub mod plot;
pub mod recipe;
pub mod record;
pub mod summary;
pub mod train;

pub use self::error::LearnerError;
