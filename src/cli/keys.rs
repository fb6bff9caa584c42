//! `gavel keys`.

use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};

use crate::config::DEFAULT_STORE;
use crate::server::auth::new_key;
use crate::store::{ApiKey, Name, Store};

/// Make, list and revoke the keys that let callers in.
#[derive(Debug, Args)]
pub(super) struct Keys {
    /// Where the server keeps its results.
    #[arg(long, global = true, env = "GAVEL_STORE", default_value = DEFAULT_STORE, value_name = "FILE|URL")]
    store: String,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a key and print it: it is shown this once.
    Create {
        /// What the key is for, such as the trainer's name.
        name: String,
    },
    /// List the keys, without the keys themselves.
    List,
    /// Revoke a key by the id that `list` shows; a running server refuses it within ten seconds.
    Revoke {
        /// The key's id.
        id: String,
    },
}

impl Keys {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        super::block_on(async {
            let store = Store::open_beside_a_server(&self.store).await?;
            let done = act(&store, self.action).await;
            store.close().await;
            done.map(|()| ExitCode::SUCCESS)
        })
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the command's output")]
async fn act(store: &Store, action: Action) -> anyhow::Result<()> {
    match action {
        Action::Create { name } => {
            let name = Name::parse("name", name)?;
            let (key, hash) = new_key().context("the system gave no randomness")?;
            let made = store.create_api_key(&name, &hash).await?;
            eprintln!("key {} for {name}; it is shown this once:", made.id);
            println!("{key}");
        }
        Action::List => {
            println!("{:>6}  {:<20}  {:<20}  name", "id", "created", "state");
            for key in store.api_keys().await? {
                println!(
                    "{:>6}  {:<20}  {:<20}  {}",
                    key.id.to_string(),
                    key.created_at,
                    state(&key),
                    key.name
                );
            }
        }
        Action::Revoke { id } => {
            let id = id
                .parse()
                .with_context(|| format!("{id:?} is not a key's id; `gavel keys list` shows them"))?;
            store.revoke_api_key(id).await?;
            eprintln!("revoked");
        }
    }
    Ok(())
}

fn state(key: &ApiKey) -> String {
    match (key.revoked_at, key.last_used_at) {
        (Some(when), _) => format!("revoked {when}"),
        (None, Some(when)) => format!("used {when}"),
        (None, None) => "never used".to_owned(),
    }
}
