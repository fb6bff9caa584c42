//! `gavel sandbox install`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use sandboxes::{Source, guest_names, install};

use super::GuestArgs;

/// Get a guest's packages and build it; what is there already is left as it is.
///
/// Packages come from the public registries through their own clients, `cargo` and `npm`, and are used only when
/// their SHA-256 is the pinned one.
#[derive(Debug, Args)]
pub(super) struct Install {
    /// The guests, such as python; `all` for every one.
    #[arg(required = true, value_name = "GUEST")]
    names: Vec<String>,
    /// A package's archive, for a machine without a network; may be given again. Nothing is downloaded then.
    #[arg(long = "archive", value_name = "FILE")]
    archives: Vec<PathBuf>,
    #[command(flatten)]
    guests: GuestArgs,
}

impl Install {
    #[expect(clippy::print_stderr, reason = "the command's messages")]
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let directory = self.guests.directory()?;
        let source = if self.archives.is_empty() {
            Source::Registries
        } else {
            Source::Archives(self.archives.clone())
        };
        let all = self.names.iter().any(|name| name == "all");
        let names = if all { guest_names().into_iter().map(str::to_owned).collect() } else { self.names };
        for name in &names {
            let folder = install(name, &directory, &source, &mut |step| eprintln!("{name}: {step}"))
                .map_err(|error| anyhow::Error::new(error).context(format!("{name} cannot be installed")))?;
            eprintln!("{name}: ready, in {}", folder.display());
        }
        Ok(ExitCode::SUCCESS)
    }
}
