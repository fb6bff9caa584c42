//! `gavel grade`: the same rewards as `POST /v1/grade`, from file to file.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, mpsc};

use anyhow::{Context, bail, ensure};
use clap::Args;
use graders::advantage::Estimator;
use graders::{Progress, Resources, Rubric};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::sandbox::GuestArgs;
use crate::config::ServeSettings;
use crate::judge::{Control, Judge};
use crate::server::decode::{self, ReadGroup};
use crate::server::problem::Fault;
use crate::server::scoring::{ScoredGroup, Scoring, add_advantages};
use crate::server::types::GroupReply;
use crate::tasks::Lines;

/// Grade a file of groups, one JSON object a line, without a server.
///
/// A line is a group as in a request to POST /v1/grade: {"id", "task", "completions"}. For each line the output
/// has one line, in the same order: the group's rewards as in the reply. A half-written output is resumed.
///
/// Exit code: 0 when every completion was judged, 1 when some line or completion could not be, 2 when the
/// command could not do its work.
#[derive(Debug, Args)]
pub(super) struct Grade {
    /// A preset's name, or a file with the rubric as JSON.
    #[arg(long, short)]
    rubric: String,
    /// The groups; - is standard input.
    #[arg(default_value = "-", value_name = "FILE")]
    input: PathBuf,
    /// Where rewards are written; - is standard output.
    #[arg(long, short, default_value = "-", value_name = "FILE")]
    output: PathBuf,
    /// Write the output anew instead of resuming it.
    #[arg(long)]
    overwrite: bool,
    /// The training step that schedules of weights follow.
    #[arg(long)]
    step: Option<u64>,
    /// A metric that schedules of weights look at; may be given again.
    #[arg(long = "metric", value_name = "NAME=VALUE", value_parser = metric)]
    metrics: Vec<(String, f64)>,
    /// Adds advantages: an estimator's name, or its JSON.
    #[arg(long, value_name = "ESTIMATOR")]
    advantage: Option<String>,
    /// Threads that grade [default: one for each core].
    #[arg(long, env = "GAVEL_THREADS", value_name = "N")]
    threads: Option<usize>,
    #[command(flatten)]
    guests: GuestArgs,
    /// A TOML file as for gavel serve; its models ([judges.NAME], [reward_models.NAME]) are those that are asked.
    #[arg(long, env = "GAVEL_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Programs that run at a time [default: as many as --threads].
    #[arg(long, env = "GAVEL_SANDBOX_SLOTS", value_name = "N")]
    sandbox_slots: Option<usize>,
}

/// Groups read ahead of the writer, for each thread.
const READ_AHEAD: usize = 8;
/// The longest line of an output that is read back: as long as the longest line of an input, with room for
/// what is said of it.
const MAX_OUTPUT_LINE_BYTES: u64 = 256 << 20;
/// Groups between two looks at the rate.
const MESSAGE_EVERY: u64 = 64;
/// Faulty lines that are told one by one.
const MAX_TOLD: u64 = 10;

fn metric(text: &str) -> Result<(String, f64), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    let value: f64 = value.parse().map_err(|_| format!("{value:?} is not a number"))?;
    Ok((name.to_owned(), value))
}

impl Grade {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let rubric = Arc::new(read_rubric(&self.rubric)?);
        let estimator = self.advantage.as_deref().map(read_estimator).transpose()?;
        let metrics: BTreeMap<String, f64> = self.metrics.into_iter().collect();
        let progress = Progress { step: self.step, metrics, ..Progress::default() };
        let scoring = Scoring::new(Arc::clone(&rubric), &progress, Arc::new(Control::default()))
            .map_err(|error| anyhow::anyhow!("{} (here: --step, --metric)", error.message))?;
        let n_threads =
            self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let sandbox = self.guests.sandbox(self.sandbox_slots.unwrap_or(n_threads));
        let resources = Resources { sandbox: Some(sandbox), ..Resources::default() };
        let resources = ServeSettings::from_file(self.config.as_deref())?.opinions().add_to(resources)?;
        let judge = Judge::start(n_threads, resources).context("cannot start the grading threads")?;

        let (output, done) = open_output(&self.output, self.overwrite, &rubric)?;
        let (input, bar) = open_input(&self.input)?;
        let mut run =
            Run { output: BufWriter::new(output), estimator, waiting: VecDeque::new(), bar, tally: done };
        let n_done = run.tally.n_lines;
        run.grade(input, &scoring, &judge, n_threads * READ_AHEAD)?;
        run.finish(n_done)
    }
}

/// One pass over the input.
struct Run {
    output: BufWriter<Box<dyn Write>>,
    estimator: Option<Estimator>,
    /// In the input's order, which is the output's.
    waiting: VecDeque<Waiting>,
    bar: ProgressBar,
    tally: Tally,
}

enum Waiting {
    Group { n_line: u64, scored: mpsc::Receiver<ScoredGroup> },
    Faulty { n_line: u64, reply: Box<GroupReply> },
}

#[derive(Default)]
struct Tally {
    n_lines: u64,
    n_completions: u64,
    n_faulty: u64,
    n_unjudged: u64,
}

impl Run {
    fn grade(
        &mut self,
        input: Box<dyn BufRead>,
        scoring: &Scoring,
        judge: &Judge,
        read_ahead: usize,
    ) -> anyhow::Result<()> {
        let n_done = self.tally.n_lines;
        let mut lines = Lines::new(input);
        let mut index = 0;
        loop {
            let (n_line, read) = match lines.next_line() {
                Ok(None) => break,
                Ok(Some(line)) if (index as u64) < n_done => (line.number, None),
                Ok(Some(line)) => (line.number, Some(decode::group(line.text))),
                Err(error) if error.is_final() => return Err(error.into()),
                Err(error) => {
                    // Where it is told, the line is named anyway.
                    let text = error.to_string();
                    let message = text.strip_prefix(&format!("line {}: ", error.line())).unwrap_or(&text);
                    (error.line(), Some(Err((None, Fault::new("", message)))))
                }
            };
            let place = index;
            index += 1;
            // The first lines may be done already.
            let Some(read) = read else { continue };
            if self.waiting.len() >= read_ahead {
                self.write_next()?;
            }
            self.waiting.push_back(Self::begin(place, n_line, read, scoring, judge));
        }
        while !self.waiting.is_empty() {
            self.write_next()?;
        }
        if (index as u64) < n_done {
            bail!(
                "the output has {n_done} lines but the input only {index}; is it another input's output? --overwrite starts anew"
            );
        }
        self.output.flush().context("cannot write the output")
    }

    fn begin(index: usize, n_line: u64, read: ReadGroup, scoring: &Scoring, judge: &Judge) -> Waiting {
        match read {
            Ok(group) => {
                let (sender, scored) = mpsc::sync_channel(1);
                scoring.submit(judge, index, group, move |group| {
                    let _ = sender.send(group);
                });
                Waiting::Group { n_line, scored }
            }
            Err((id, fault)) => {
                Waiting::Faulty { n_line, reply: Box::new(GroupReply::malformed(index, id, fault)) }
            }
        }
    }

    fn write_next(&mut self) -> anyhow::Result<()> {
        let Some(next) = self.waiting.pop_front() else { return Ok(()) };
        let (n_line, mut reply) = match next {
            Waiting::Faulty { n_line, reply } => (n_line, *reply),
            Waiting::Group { n_line, scored } => {
                let mut scored = scored.recv().context("a group was lost, this is a bug")?;
                if let Some(estimator) = &self.estimator
                    && let Err(fault) = add_advantages(estimator, [&mut scored])
                {
                    scored.reply.error = Some(fault);
                }
                (n_line, scored.reply)
            }
        };
        // On a line of its own a group has no place in a request.
        if let Some(fault) = &mut reply.error
            && let Some(rest) = fault.pointer.strip_prefix(&format!("/groups/{}", reply.index))
        {
            fault.pointer = rest.to_owned();
        }
        self.tally.count(&reply);
        if self.tally.n_lines.is_multiple_of(MESSAGE_EVERY) {
            let rate = self.tally.n_completions as f64 / self.bar.elapsed().as_secs_f64().max(1e-3);
            self.bar.set_message(format!("{rate:.0} completions/s"));
        }
        if let Some(fault) = &reply.error
            && self.tally.n_faulty <= MAX_TOLD
        {
            let place = if fault.pointer.is_empty() { String::new() } else { format!("{}: ", fault.pointer) };
            self.tell(&format!("line {n_line}: {place}{}", fault.message));
        }
        serde_json::to_writer(&mut self.output, &reply).context("cannot write the output")?;
        self.output.write_all(b"\n").context("cannot write the output")
    }

    #[expect(clippy::print_stderr, reason = "the command's messages")]
    fn tell(&self, message: &str) {
        self.bar.suspend(|| eprintln!("gavel grade: {message}"));
    }

    fn finish(self, n_done: u64) -> anyhow::Result<ExitCode> {
        self.bar.finish_and_clear();
        let Tally { n_lines, n_completions, n_faulty, n_unjudged } = self.tally;
        if n_faulty > MAX_TOLD {
            self.tell(&format!("and {} more faulty lines", n_faulty - MAX_TOLD));
        }
        if n_done > 0 {
            self.tell(&format!("resumed after {n_done} lines"));
        }
        if io::stderr().is_terminal() || n_faulty + n_unjudged > 0 {
            self.tell(&format!(
                "{n_lines} groups, {n_completions} completions, {n_unjudged} of them not judged, {n_faulty} faulty lines"
            ));
        }
        Ok(if n_faulty + n_unjudged > 0 { ExitCode::from(1) } else { ExitCode::SUCCESS })
    }
}

impl Tally {
    fn count(&mut self, reply: &GroupReply) {
        self.n_lines += 1;
        self.n_completions += reply.rewards.len() as u64;
        self.n_faulty += u64::from(reply.error.is_some());
        self.n_unjudged += reply.rewards.iter().filter(|reward| reward.reward.is_none()).count() as u64;
    }
}

fn read_rubric(name: &str) -> anyhow::Result<Rubric> {
    let value = if Path::new(name).is_file() {
        let text = std::fs::read_to_string(name).with_context(|| format!("cannot read the rubric {name}"))?;
        serde_json::from_str(&text).with_context(|| format!("the rubric {name} is not JSON"))?
    } else {
        Value::from(name)
    };
    Rubric::from_value(&value).map_err(|error| match value {
        Value::String(_) => {
            anyhow::anyhow!("--rubric: {}; or give a file with the rubric as JSON", error.message)
        }
        _ => anyhow::anyhow!("the rubric {name} is wrong at {:?}: {}", error.pointer, error.message),
    })
}

fn read_estimator(text: &str) -> anyhow::Result<Estimator> {
    let value = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).context("--advantage is not JSON")?
    } else {
        Value::from(text)
    };
    let estimator = Estimator::from_value(&value)
        .map_err(|error| anyhow::anyhow!("--advantage{}: {}", error.pointer, error.message))?;
    if estimator.spans_groups() {
        bail!("--advantage: this estimator looks at a whole batch, but lines are graded one by one");
    }
    Ok(estimator)
}

/// Opens the input, with the bar that follows how much of it was read.
fn open_input(path: &Path) -> anyhow::Result<(Box<dyn BufRead>, ProgressBar)> {
    if path == Path::new("-") {
        let bar = progress_bar(None);
        return Ok((Box::new(BufReader::new(bar.wrap_read(io::stdin()))), bar));
    }
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let n_bytes = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
    let bar = progress_bar(n_bytes);
    Ok((Box::new(BufReader::with_capacity(1 << 16, bar.wrap_read(file))), bar))
}

/// Opens the output behind the last whole line it has, with the tally of those lines.
fn open_output(path: &Path, overwrite: bool, rubric: &Rubric) -> anyhow::Result<(Box<dyn Write>, Tally)> {
    if path == Path::new("-") {
        return Ok((Box::new(io::stdout()), Tally::default()));
    }
    let context = || format!("cannot write {}", path.display());
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(overwrite);
    let mut file = options.open(path).with_context(context)?;
    let (done, n_bytes) = whole_lines(&mut file, rubric)
        .with_context(|| format!("{} cannot be resumed; --overwrite replaces it", path.display()))?;
    file.set_len(n_bytes).with_context(context)?;
    file.seek(SeekFrom::End(0)).with_context(context)?;
    Ok((Box::new(file), done))
}

/// Counts the whole lines of an output and their bytes.
fn whole_lines(file: &mut File, rubric: &Rubric) -> anyhow::Result<(Tally, u64)> {
    let mut tally = Tally::default();
    let mut n_bytes = 0;
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut line = Vec::new();
    loop {
        line.clear();
        let n = reader.by_ref().take(MAX_OUTPUT_LINE_BYTES).read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            ensure!((n as u64) < MAX_OUTPUT_LINE_BYTES, "line {} is too long", tally.n_lines + 1);
            return Ok((tally, n_bytes));
        }
        let reply: GroupReply = serde_json::from_slice(&line)
            .with_context(|| format!("line {} is no output of gavel grade", tally.n_lines + 1))?;
        if let Some(provenance) = &reply.provenance {
            ensure!(provenance.rubric_hash == rubric.hash(), "it was written with another rubric");
        }
        tally.count(&reply);
        n_bytes += n as u64;
    }
}

/// A bar on a terminal, nothing in a pipe.
fn progress_bar(n_bytes: Option<u64>) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match n_bytes {
        Some(n_bytes) => {
            (ProgressBar::new(n_bytes), "{wide_bar} {percent:>3}%  {msg}  {bytes_per_sec}  {eta} left")
        }
        None => (ProgressBar::new_spinner(), "{spinner} {bytes} read  {msg}  {bytes_per_sec}  {elapsed}"),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
