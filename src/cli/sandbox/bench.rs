//! `gavel sandbox bench`: from nothing to the output of the smallest program, sandboxed and native, side by side.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use sandboxes::{Guests, Language, Limits, Program, Sandbox};

use super::GuestArgs;
use super::doctor::smallest;

/// Compare a fresh sandbox with a fresh process of the native interpreter.
#[derive(Debug, Args)]
pub(super) struct Bench {
    /// Runs of each.
    #[arg(short, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    n: u64,
    #[command(flatten)]
    guests: GuestArgs,
}

const LIMITS: Limits = Limits {
    time: Duration::from_secs(10),
    wall: Duration::from_mins(1),
    memory_bytes: 256 << 20,
    output_bytes: 1 << 20,
    files_bytes: 1 << 20,
};

/// What a user would start instead. The system's own Python first: one on the path may be a slow wrapper.
const NATIVE: [(Language, &[&str]); 3] = [
    (Language::Python, &["/usr/bin/python3", "-I", "-c"]),
    (Language::Python, &["python3", "-I", "-c"]),
    (Language::JavaScript, &["node", "-e"]),
];

impl Bench {
    #[expect(clippy::print_stdout, reason = "the command's output")]
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let guests = self.guests.open()?;
        let languages = guests.languages();
        ensure!(!languages.is_empty(), "no guest is installed; `gavel sandbox list` shows which there are");
        for language in languages {
            let source = smallest(language);
            let mut fresh = Vec::new();
            let mut processes = Vec::new();
            let native = native(language);
            // Alternating, so that both see the same load; the first runs read files from disk.
            for i in 0..self.n + 5 {
                let sandboxed = timed(|| run(&guests, language, source))?;
                let process = native.map(|command| timed(|| start(command, source))).transpose()?;
                if i >= 5 {
                    fresh.push(sandboxed);
                    processes.extend(process);
                }
            }
            let name = language.name();
            println!(
                "{name}: a fresh sandbox: median {:.2} ms, p99 {:.2} ms",
                at(&mut fresh, 0.5),
                at(&mut fresh, 0.99)
            );
            if let Some([program, ..]) = native {
                let (median, last) = (at(&mut processes, 0.5), at(&mut processes, 0.99));
                println!(
                    "{name}: a process of {}: median {median:.2} ms, p99 {last:.2} ms; the sandbox is {:.1} times as fast, {:.1} at p99",
                    program,
                    median / at(&mut fresh, 0.5),
                    last / at(&mut fresh, 0.99)
                );
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn native(language: Language) -> Option<&'static [&'static str]> {
    let works = |command: &[&str]| {
        let is_there = !command[0].starts_with('/') || Path::new(command[0]).exists();
        is_there && start(command, smallest(language)).is_ok()
    };
    NATIVE.into_iter().find(|(of, command)| *of == language && works(command)).map(|(_, command)| command)
}

fn run(guests: &Guests, language: Language, source: &str) -> anyhow::Result<()> {
    let execution = guests.run(&Program::new(language, source), b"", &LIMITS)?;
    ensure!(execution.stdout == b"1\n", "{} printed {:?}", language.name(), execution.stdout);
    Ok(())
}

fn start(command: &[&str], source: &str) -> anyhow::Result<()> {
    let output = Command::new(command[0]).args(&command[1..]).arg(source).stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot start {}", command[0]))?;
    ensure!(output.stdout == b"1\n", "{} printed {:?}", command[0], output.stdout);
    Ok(())
}

/// Milliseconds on the clock.
fn timed(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let began = Instant::now();
    work()?;
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

fn at(times: &mut [f64], part: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get((times.len().saturating_sub(1) as f64 * part).round() as usize).copied().unwrap_or(f64::NAN)
}
