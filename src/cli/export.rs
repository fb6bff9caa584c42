//! `gavel export`: a model, or its adapter, for llama.cpp.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use policy::gguf::Dtype;
use policy::lora;

use super::eval::model_folder;
use crate::learner::export::{Exported, export};

/// Write a policy as a GGUF file, for llama.cpp and what is built on it.
///
/// Of a run that trained an adapter it is the model with the adapter merged, or with --adapter the adapter alone.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// A run's folder (its newest checkpoint), a checkpoint, a model's or an adapter's folder, or a name on the hub.
    model: PathBuf,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// The type of the matrices: f32, f16, bf16 or q8_0 [default: f16, of an adapter f32].
    #[arg(long)]
    dtype: Option<Dtype>,
    /// The adapter alone; its base is the model that the run began with.
    #[arg(long)]
    adapter: bool,
    /// llama.cpp's name of the way in which the tokenizer cuts text, where it is not known here.
    #[arg(long, value_name = "NAME")]
    pre_tokenizer: Option<String>,
    /// What the model is called in the file.
    #[arg(long)]
    name: Option<String>,
    /// Write over a file that is there.
    #[arg(long)]
    force: bool,
}

impl Export {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        // Before anything is read: a model may take minutes.
        check(&self.to, self.force)?;
        let exported = Exported {
            folder: folder(&self.model)?,
            adapter: self.adapter,
            dtype: self.dtype.unwrap_or(if self.adapter { Dtype::F32 } else { Dtype::F16 }),
            name: self.name,
            pre_tokenizer: self.pre_tokenizer,
        };
        let bar = bar();
        export(&exported, &self.to, |done, total| {
            if let Some(bar) = &bar {
                bar.set_length(total);
                bar.set_position(done);
            }
        })?;
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        let size = self.to.metadata().map_or(0, |file| file.len());
        tell(&format!("{} has {:.1} MB of {}", self.to.display(), size as f64 / 1e6, exported.dtype));
        Ok(ExitCode::SUCCESS)
    }
}

/// The folder that a user means; what is none may be a name on the hub.
fn folder(model: &Path) -> anyhow::Result<PathBuf> {
    if model.join(lora::CONFIG).is_file() {
        return Ok(model.to_owned());
    }
    if model.exists() {
        return model_folder(model);
    }
    let name = model.to_str().context("the model's name is no UTF-8")?;
    Ok(policy::hub::find(name)?)
}

fn check(to: &Path, force: bool) -> anyhow::Result<()> {
    ensure!(!to.is_dir(), "{} is a folder; name a file", to.display());
    ensure!(force || !to.exists(), "{} is there already; --force writes over it", to.display());
    if let Some(parent) = to.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        ensure!(parent.is_dir(), "there is no folder {}", parent.display());
    }
    Ok(())
}

fn bar() -> Option<ProgressBar> {
    let bar = io::stderr().is_terminal().then(|| ProgressBar::new(0))?;
    Some(match ProgressStyle::with_template("{bar:24.cyan} {bytes} of {total_bytes}, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    })
}

#[expect(clippy::print_stderr, reason = "the command's messages")]
fn tell(message: &str) {
    eprintln!("gavel export: {message}");
}
