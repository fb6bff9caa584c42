//! What stands in for the commands that train, in a build without them.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

/// Not in this build: it needs the feature `learner`.
#[derive(Debug, Args)]
pub(super) struct WithoutLearner {
    /// Whatever was asked for.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    arguments: Vec<String>,
}

impl WithoutLearner {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        drop(self.arguments);
        bail!(
            "this gavel was built without training; build it with the feature `learner`, which is on by default"
        )
    }
}
