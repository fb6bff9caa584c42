//! `gavel doctor`: what is built in, what is missing, how to get it.

use std::process::ExitCode;

use clap::Args;
use graders::{grader_types, preset};

use crate::config::DEFAULT_STORE;
use crate::store::Store;

/// Show what is built in, what is missing and how to get it.
///
/// Exit code: 0 when all that was asked for works, 1 when the store cannot be opened.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Where the server keeps its results.
    #[arg(long, env = "GAVEL_STORE", default_value = DEFAULT_STORE, value_name = "FILE|URL")]
    store: String,
}

impl Doctor {
    #[expect(clippy::print_stdout, reason = "the command's output")]
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        println!("gavel {}", env!("CARGO_PKG_VERSION"));
        println!("cores       {}", std::thread::available_parallelism().map_or(1, usize::from));
        println!("graders     {}", grader_types().collect::<Vec<_>>().join(", "));
        println!("rubrics     {}", preset::names().join(", "));
        for language in sandboxes::Language::ALL {
            println!(
                "sandbox     {}: missing; no guest for it is part of this version, `code` gives null rewards",
                language.name()
            );
        }
        let exists = !self.store.contains("://") && !std::path::Path::new(&self.store).exists();
        if exists {
            println!("store       {}: not there yet; `gavel serve` makes it", self.store);
            return Ok(ExitCode::SUCCESS);
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
                Ok(ExitCode::SUCCESS)
            }
            Err(error) => {
                println!("store       {}: {error:#}", self.store);
                Ok(ExitCode::FAILURE)
            }
        }
    }
}
