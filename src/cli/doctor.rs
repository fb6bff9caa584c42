//! `gavel doctor`: what is built in, what is missing, how to get it.

use std::process::ExitCode;

use clap::Args;
use graders::{grader_types, preset};

use super::sandbox::{Finding, GuestArgs, examine};
use crate::config::DEFAULT_STORE;
use crate::serving::engines;
use crate::store::Store;

/// Show what is built in, what is missing and how to get it.
///
/// Exit code: 0 when all that is there works, 1 when the store cannot be opened or an installed guest does not run.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Where the server keeps its results.
    #[arg(long, env = "GAVEL_STORE", default_value = DEFAULT_STORE, value_name = "FILE|URL")]
    store: String,
    #[command(flatten)]
    guests: GuestArgs,
}

impl Doctor {
    #[expect(clippy::print_stdout, reason = "the command's output")]
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        println!("gavel {}", env!("CARGO_PKG_VERSION"));
        println!("cores       {}", std::thread::available_parallelism().map_or(1, usize::from));
        println!("graders     {}", grader_types().collect::<Vec<_>>().join(", "));
        println!("rubrics     {}", preset::names().join(", "));
        println!("models      {}", engines().join(", "));
        let sandbox = examine(&self.guests);
        for Finding { text, .. } in &sandbox {
            println!("sandbox     {text}");
        }
        let is_well = sandbox.iter().all(|finding| !finding.is_fault);
        let success = if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        let exists = !self.store.contains("://") && !std::path::Path::new(&self.store).exists();
        if exists {
            println!("store       {}: not there yet; `gavel serve` makes it", self.store);
            return Ok(success);
        }
        let opened = super::block_on(async {
            let store = Store::open_beside_a_server(&self.store).await?;
            let described = store.describe();
            let pinged = store.ping().await;
            store.close().await;
            pinged?;
            Ok(described)
        });
        match opened {
            Ok(store) => {
                println!("store       {store}: answers");
                Ok(success)
            }
            Err(error) => {
                println!("store       {}: {error:#}", self.store);
                Ok(ExitCode::FAILURE)
            }
        }
    }
}
