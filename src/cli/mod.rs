//! The command line: one file for each command.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod doctor;
#[cfg(feature = "learner")]
mod eval;
mod explain;
#[cfg(feature = "learner")]
mod export;
#[cfg(feature = "learner")]
mod generate;
mod grade;
mod keys;
mod sample;
mod sandbox;
mod serve;
mod tasks;
#[cfg(feature = "learner")]
mod train;
#[cfg(not(feature = "learner"))]
mod without_learner;

#[cfg(not(feature = "learner"))]
use self::without_learner::{
    WithoutLearner as Eval, WithoutLearner as Export, WithoutLearner as Generate, WithoutLearner as Train,
};
#[cfg(feature = "learner")]
use self::{eval::Eval, export::Export, generate::Generate, train::Train};

/// Verifiable rewards for reinforcement learning on language models.
#[derive(Debug, Parser)]
#[command(name = "gavel", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the HTTP API: rollouts in, rewards out.
    Serve(Box<serve::Serve>),
    /// Grade a file of groups, one JSON object a line, without a server.
    Grade(grade::Grade),
    // Its description stands at its arguments: one here would hide the rest of it.
    Explain(explain::Explain),
    /// Make tasks, and completions of them for trying things out.
    Tasks(tasks::Tasks),
    // Its description stands at its arguments, as those of the three after it.
    Train(Train),
    Sample(Generate),
    Eval(Eval),
    Export(Export),
    /// Install, list and try the guests that run programs.
    Sandbox(sandbox::Sandbox),
    /// Make, list and revoke the keys that let callers in.
    Keys(keys::Keys),
    /// Show what is built in, what is missing and how to get it.
    Doctor(doctor::Doctor),
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// What kept the command from doing its work; the exit code is then 2.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Serve(command) => command.run(),
            Command::Grade(command) => command.run(),
            Command::Explain(command) => command.run(),
            Command::Tasks(command) => command.run(),
            Command::Train(command) => command.run(),
            Command::Sample(command) => command.run(),
            Command::Eval(command) => command.run(),
            Command::Export(command) => command.run(),
            Command::Sandbox(command) => command.run(),
            Command::Keys(command) => command.run(),
            Command::Doctor(command) => command.run(),
        }
    }
}

/// Runs async work to its end on a runtime of its own.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}
