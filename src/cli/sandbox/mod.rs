//! `gavel sandbox`: the guests that run programs.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use sandboxes::Guests;

use crate::guests::InstalledGuests;

mod bench;
mod doctor;
mod install;
mod list;
mod run;

pub(super) use doctor::{Finding, examine};

/// Install, list and try the guests that run programs.
#[derive(Debug, Args)]
pub(super) struct Sandbox {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Get a guest's packages and build it; what is there already is left as it is.
    Install(install::Install),
    /// List the guests: languages, versions, whether they are ready, sizes, licences.
    List(list::List),
    // Their descriptions stand at their arguments: one here would hide the rest of them.
    Run(run::Run),
    Call(run::CallFunction),
    /// Compare a fresh sandbox with a fresh process of the native interpreter.
    Bench(bench::Bench),
    /// Say of each guest, and of this machine, what keeps programs from running and what to do about it.
    Doctor(doctor::Doctor),
}

/// Where guests are.
#[derive(Debug, Args)]
pub(super) struct GuestArgs {
    /// The folder that guests are installed in [default: gavel/guests in the user's cache folder].
    #[arg(long, env = "GAVEL_GUESTS", value_name = "DIR")]
    guests: Option<PathBuf>,
}

impl GuestArgs {
    /// A sandbox for `n_slots` programs at a time; nothing is opened yet.
    pub(super) fn sandbox(&self, n_slots: usize) -> Arc<InstalledGuests> {
        InstalledGuests::new(self.guests.clone(), n_slots)
    }

    fn directory(&self) -> anyhow::Result<PathBuf> {
        let directory = self.guests.clone().or_else(Guests::default_directory);
        directory.context("there is no home folder to keep guests in; name one with --guests or GAVEL_GUESTS")
    }

    fn open(&self) -> anyhow::Result<Arc<Guests>> {
        self.sandbox(1).guests().map_err(|message| anyhow!(message))
    }
}

impl Sandbox {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.action {
            Action::Install(command) => command.run(),
            Action::List(command) => command.run(),
            Action::Run(command) => command.run(),
            Action::Call(command) => command.run(),
            Action::Bench(command) => command.run(),
            Action::Doctor(command) => command.run(),
        }
    }
}
