//! `gavel tasks`.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use graders::Task;
use serde::Serialize;

use crate::server::types::GroupInput;
use crate::tasks::{self, Place, Split, sample_completions};

/// Make tasks, and completions of them for trying things out.
#[derive(Debug, Args)]
pub(super) struct Tasks {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the environments with their levels.
    List,
    /// Print tasks, one JSON object a line; the same arguments always print the same tasks.
    Generate(Generate),
}

#[derive(Debug, Args)]
struct Generate {
    /// The environment; `gavel tasks list` shows them.
    environment: String,
    /// How many.
    #[arg(short, default_value_t = 1)]
    n: u64,
    /// What they are for; splits share no problem.
    #[arg(long, value_enum, default_value = "train")]
    split: SplitName,
    /// The stream of tasks.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The first one's index in the stream.
    #[arg(long, default_value_t = 0)]
    from_index: u64,
    /// The level of difficulty.
    #[arg(long, default_value_t = 1)]
    level: u8,
    /// Adds so many made-up completions to each, right and wrong in many forms: lines as `gavel grade` reads them.
    #[arg(long, value_name = "N", default_value_t = 0)]
    completions: usize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SplitName {
    Train,
    Validation,
    Test,
}

impl From<SplitName> for Split {
    fn from(name: SplitName) -> Self {
        match name {
            SplitName::Train => Self::Train,
            SplitName::Validation => Self::Validation,
            SplitName::Test => Self::Test,
        }
    }
}

impl Tasks {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.action {
            Action::List => list(),
            Action::Generate(generate) => generate.run()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[expect(clippy::print_stdout, reason = "the command's output")]
fn list() {
    for environment in tasks::environments() {
        println!("{} (version {}): {}", environment.name(), environment.version(), environment.description());
        for level in environment.levels() {
            println!("  level {}: {}", level.number, level.summary);
        }
    }
}

impl Generate {
    fn run(self) -> anyhow::Result<()> {
        let environment = tasks::environment(&self.environment).with_context(|| {
            let known = tasks::environment_names().collect::<Vec<_>>().join(", ");
            format!("there is no environment {:?}; there are {known}", self.environment)
        })?;
        let last = self.from_index.checked_add(self.n).context("-n: the stream has no tasks that far out")?;
        let mut output = BufWriter::new(io::stdout().lock());
        for index in self.from_index..last {
            let place = Place { split: self.split.into(), seed: self.seed, index, level: self.level };
            let task = environment.generate(&place).context("--level")?;
            if self.completions == 0 {
                write_line(&mut output, &task)?;
            } else {
                write_line(&mut output, &self.group(environment, task, index)?)?;
            }
        }
        output.flush().context("cannot write")
    }

    fn group(
        &self,
        environment: &dyn tasks::Environment,
        task: Task,
        index: u64,
    ) -> anyhow::Result<GroupInput> {
        let mut completions = sample_completions(environment, &task, self.completions, self.seed ^ index)?;
        for (number, completion) in completions.iter_mut().enumerate() {
            completion.id = Some(number.to_string());
        }
        let id =
            Some(format!("{}/{}/{}/{index}", environment.name(), Split::from(self.split).name(), self.seed));
        Ok(GroupInput { id, task, completions })
    }
}

fn write_line<T: Serialize>(output: &mut impl Write, value: &T) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *output, value).context("cannot write")?;
    output.write_all(b"\n").context("cannot write")
}
