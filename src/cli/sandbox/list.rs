//! `gavel sandbox list`.

use std::process::ExitCode;

use clap::Args;
use sandboxes::{GuestState, GuestStatus, Language};
use serde_json::{Value, json};

use super::GuestArgs;

/// List the guests: languages, versions, whether they are ready, sizes, licences.
#[derive(Debug, Args)]
pub(super) struct List {
    /// Print JSON, one object for each guest.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    guests: GuestArgs,
}

impl List {
    #[expect(clippy::print_stdout, reason = "the command's output")]
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let found = self.guests.open()?.status();
        if self.json {
            let all: Vec<Value> = found.iter().map(as_json).collect();
            println!("{}", serde_json::to_string_pretty(&all)?);
            return Ok(ExitCode::SUCCESS);
        }
        let head = ["guest", "languages", "version", "state", "size", "licence"].map(str::to_owned);
        let rows: Vec<[String; 6]> = std::iter::once(head).chain(found.iter().map(row)).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; 5] = std::array::from_fn(width);
        for row in &rows {
            let cells = row.iter().zip(widths);
            let cells: Vec<String> = cells.map(|(cell, width)| format!("{cell:width$}")).collect();
            println!("{}  {}", cells.join("  "), row[5]);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A guest's state in a word, and what to do about it.
pub(super) fn state(status: &GuestStatus) -> (&'static str, Option<String>) {
    let how = || format!("`gavel sandbox install {}`", status.guest);
    match &status.state {
        GuestState::Ready => ("ready", None),
        GuestState::NotInstalled => ("not installed", Some(format!("{} installs it", how()))),
        GuestState::Damaged { message } => {
            ("damaged", Some(format!("{message}; delete {} and {}", status.folder.display(), how())))
        }
    }
}

pub(super) fn languages(languages: &[Language]) -> String {
    languages.iter().map(|language| language.name()).collect::<Vec<_>>().join(", ")
}

fn as_json(status: &GuestStatus) -> Value {
    let (state, how) = state(status);
    json!({
        "guest": status.guest,
        "languages": status.languages,
        "version": status.version,
        "state": state.replace(' ', "_"),
        "how": how,
        "size_bytes": status.size_bytes,
        "licence": status.licence,
        "folder": status.folder,
    })
}

fn row(status: &GuestStatus) -> [String; 6] {
    let size = match status.size_bytes {
        0 => "-".to_owned(),
        bytes => format!("{:.1} MB", bytes as f64 / 1e6),
    };
    [
        status.guest.to_owned(),
        languages(status.languages),
        status.version.clone(),
        state(status).0.to_owned(),
        size,
        status.licence.clone(),
    ]
}
