//! `gavel sample`: completions of a checkpoint.

use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, anyhow, ensure};
use clap::Args;

use super::eval::model_folder;
use super::train::recipe_of;
use crate::learner::recipe::{DeviceChoice, Recipe, SamplingRecipe};
use crate::learner::train::{Asked, generate};

/// Print completions of a policy.
///
/// Prompts are arguments, or lines of standard input.
#[derive(Debug, Args)]
pub(super) struct Generate {
    /// A run's folder (its newest checkpoint), a checkpoint, or any model's folder.
    model: PathBuf,
    /// The prompts.
    prompts: Vec<String>,
    /// Completions of each prompt.
    #[arg(short, default_value_t = 1)]
    n: usize,
    /// Divides the logits; 0 takes the likeliest token.
    #[arg(long, default_value_t = 1.0)]
    temperature: f64,
    /// Only so many of the likeliest tokens; 0 is all.
    #[arg(long, default_value_t = 0)]
    top_k: usize,
    /// Only the likeliest tokens that together have this probability; 1 is all.
    #[arg(long, default_value_t = 1.0)]
    top_p: f64,
    /// Only tokens with this share of the likeliest one's probability; 0 is all.
    #[arg(long, default_value_t = 0.0)]
    min_p: f64,
    /// The most tokens of a completion [default: as the run's recipe says, or 256].
    #[arg(long, value_name = "N")]
    max_tokens: Option<usize>,
    /// A text that ends a completion; may be given again [default: as the run's recipe says].
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
    /// Give the prompts to the model as they are, without its chat template and the run's own.
    #[arg(long)]
    raw: bool,
    /// Decides every draw.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// What computes: auto, cpu or cuda:N.
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    device: String,
}

impl Generate {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let device: DeviceChoice = self.device.parse().map_err(|message| anyhow!("--device {message}"))?;
        let recipe = recipe_of(&self.model).map(|path| Recipe::read(&path, &[])).transpose()?;
        let mut prompts = self.prompts.clone();
        if prompts.is_empty() {
            ensure!(!io::stdin().is_terminal(), "give a prompt, or lines of them on standard input");
            prompts =
                io::stdin().lock().lines().collect::<Result<_, _>>().context("cannot read standard input")?;
        }
        let prompt = recipe.as_ref().map(|recipe| &recipe.tasks.prompt).filter(|_| !self.raw);
        if let Some(prompt) = prompt {
            for text in &mut prompts {
                *text = prompt.plain(text).unwrap_or_else(|| prompt.user_message(text));
            }
        }
        let chat = !self.raw && prompt.is_none_or(|prompt| prompt.text.is_none());
        let asked = Asked {
            model: model_folder(&self.model)?,
            device,
            prompts,
            chat,
            n: self.n,
            sampling: self.sampling(recipe.as_ref())?,
            seed: self.seed,
        };
        generate(&asked, &mut |number, text| print(&asked.prompts, number, text))?;
        Ok(ExitCode::SUCCESS)
    }

    fn sampling(&self, recipe: Option<&Recipe>) -> anyhow::Result<SamplingRecipe> {
        ensure!(self.temperature.is_finite() && self.temperature >= 0.0, "--temperature must be 0 or above");
        ensure!(self.top_p > 0.0 && self.top_p <= 1.0, "--top-p must be above 0 and at most 1");
        ensure!((0.0..1.0).contains(&self.min_p), "--min-p must be from 0 to below 1");
        ensure!(self.n >= 1, "-n must be at least 1");
        ensure!(self.max_tokens != Some(0), "--max-tokens must be at least 1");
        let mut sampling = recipe.map(|recipe| recipe.sampling.clone()).unwrap_or_default();
        sampling.temperature = self.temperature;
        sampling.top_k = self.top_k;
        sampling.top_p = self.top_p;
        sampling.min_p = self.min_p;
        sampling.max_tokens = self.max_tokens.unwrap_or(sampling.max_tokens);
        if !self.stop.is_empty() {
            sampling.stop.clone_from(&self.stop);
        }
        Ok(sampling)
    }
}

#[expect(clippy::print_stdout, reason = "the command's output")]
fn print(prompts: &[String], number: usize, text: &str) {
    if prompts.len() > 1 {
        println!("> {}", prompts.get(number).map_or("", String::as_str));
    }
    println!("{}", text.trim_end());
}
