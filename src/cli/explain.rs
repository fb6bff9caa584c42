//! `gavel explain`: one verdict and how it came about, for people.

use std::fmt::Write as _;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, mpsc};

use anyhow::{Context, anyhow, ensure};
use clap::Args;
use graders::{
    CaseReport, Completion, Explanation, MAX_TEXT_BYTES, Object, Resources, Side, Task, build_grader,
};
use serde_json::Value;

use super::sandbox::GuestArgs;
use crate::config::ServeSettings;
use crate::judge::{Control, Inquiry, Judge, Unexplained};

/// Explain the verdict on one completion: what was read on each side, what decided, where they differ.
///
/// The verdict is the one that `gavel grade` and POST /v1/grade give. Like them, `math` looks for an answer that
/// is marked as one, such as \boxed{2}; to compare a bare answer give
/// `--grader '{"type": "math", "extract": ["whole"]}'`.
///
/// Exit code: 0 when the answer was accepted, 1 when it was not, 2 for a usage error or when there could be no
/// verdict.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// What the model wrote; - is standard input.
    #[arg(long, short, value_name = "TEXT", allow_hyphen_values = true)]
    completion: String,
    /// A right answer; may be given again.
    #[arg(long = "reference", short, value_name = "TEXT", allow_hyphen_values = true)]
    references: Vec<String>,
    /// The grader as JSON, or @FILE.
    #[arg(long, short, value_name = "JSON", default_value = r#"{"type": "math"}"#)]
    grader: String,
    /// The task as JSON, or @FILE, for graders that need more than a reference.
    #[arg(long, value_name = "JSON")]
    task: Option<String>,
    /// Print the explanation as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    guests: GuestArgs,
    /// A TOML file as for gavel serve; its models ([judges.NAME], [reward_models.NAME]) are those that are asked.
    #[arg(long, env = "GAVEL_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Explain {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let grader = read_json("--grader", &self.grader)?;
        let grader = build_grader(&grader)
            .map_err(|error| anyhow!("--grader{}: {}", place(&error.pointer), error.message))?;
        let task = self.task()?;
        let completion = Completion::new(self.completion()?);
        let resources = Resources { sandbox: Some(self.guests.sandbox(1)), ..Resources::default() };
        let resources = ServeSettings::from_file(self.config.as_deref())?.opinions().add_to(resources)?;
        let judge = Judge::start(1, resources).context("cannot start the grading thread")?;
        let (sender, receiver) = mpsc::sync_channel(1);
        let control = Arc::new(Control::default());
        judge.explain(Inquiry { grader, task, completion, control }, move |explained| {
            let _ = sender.send(explained);
        });
        let explained = receiver.recv().context("the answer was lost, this is a bug")?;
        let explanation = explained.map_err(|error| match error {
            Unexplained::Task(error) => {
                anyhow!("the task is wrong{}: {}", place(&error.pointer), error.message)
            }
            other => other.into(),
        })?;
        let text =
            if self.json { serde_json::to_string_pretty(&explanation)? + "\n" } else { human(&explanation) };
        io::stdout().lock().write_all(text.as_bytes()).context("cannot write")?;
        Ok(if explanation.is_accepted() { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }

    fn task(&self) -> anyhow::Result<Task> {
        let mut task = match &self.task {
            Some(text) => {
                let value = read_json("--task", text)?;
                let Object(task): Object<Task> = serde_json::from_value(value)
                    .map_err(|error| anyhow!("--task: {}", graders::plain_words(&error.to_string())))?;
                task
            }
            None => Task::default(),
        };
        if !self.references.is_empty() {
            ensure!(task.reference.is_none(), "--reference: the task of --task has a reference already");
            task.reference = Some(match self.references.as_slice() {
                [only] => Value::from(only.as_str()),
                several => Value::from(several.to_vec()),
            });
        }
        Ok(task)
    }

    fn completion(&self) -> anyhow::Result<String> {
        let text = if self.completion == "-" {
            let mut text = String::new();
            let most = MAX_TEXT_BYTES as u64 + 1;
            io::stdin()
                .take(most)
                .read_to_string(&mut text)
                .context("--completion: cannot read standard input")?;
            text
        } else {
            self.completion.clone()
        };
        ensure!(text.len() <= MAX_TEXT_BYTES, "--completion: at most {MAX_TEXT_BYTES} bytes are judged");
        Ok(text)
    }
}

/// A pointer as a message shows it.
fn place(pointer: &str) -> String {
    if pointer.is_empty() { String::new() } else { format!(" at {pointer}") }
}

/// JSON given as it is, or in a file.
fn read_json(flag: &str, text: &str) -> anyhow::Result<Value> {
    let text = match text.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(Path::new(path))
            .with_context(|| format!("{flag}: cannot read the file {path}"))?,
        None => text.to_owned(),
    };
    serde_json::from_str(&text).with_context(|| format!("{flag} is not JSON"))
}

/// The explanation as aligned lines.
fn human(explanation: &Explanation) -> String {
    let Explanation {
        verdict,
        extraction,
        reference,
        answer,
        decided_by,
        lacks,
        counter_example,
        cases,
        asked,
    } = explanation;
    let mut out = String::new();
    let mut row = |name: &str, text: &str| {
        let _ = writeln!(out, "{name:<12}{}", printable(text));
    };
    let score = verdict.score.map_or_else(|| "no score".to_owned(), |score| format!("score {score}"));
    row("verdict", &format!("{} ({score})", verdict.reason));
    if let Some(method) = decided_by {
        row("decided by", method);
    }
    if let Some(lacks) = lacks {
        row("lacks", lacks);
    }
    match extraction {
        Some(found) => row("extracted", &format!("{} (by {})", found.text, found.step)),
        None if verdict.detail.is_empty() => row("extracted", "nothing"),
        None => {}
    }
    for side in reference {
        show("reference", side, &mut row);
    }
    if let Some(side) = answer {
        show("answer", side, &mut row);
    }
    if let Some(found) = counter_example {
        let point: Vec<String> =
            found.point.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        row(
            "differs",
            &if point.is_empty() { "in value".to_owned() } else { format!("at {}", point.join(", ")) },
        );
        // Constants differ wherever one is.
        row("  reference", &format!("= {}", found.reference));
        row("  answer", &format!("= {}", found.answer));
    }
    let told = ["method", "lacks", "extracted", "extraction", "decided_by"];
    for (key, value) in verdict.detail.iter().filter(|(key, _)| !told.contains(&key.as_str())) {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        row(key, &text);
    }
    for case in cases {
        row(&format!("case {}", case.case), &case_line(case));
    }
    for question in asked {
        for message in &question.messages {
            for (place, line) in message.content.lines().enumerate() {
                row(if place == 0 { "asked" } else { "" }, line);
            }
        }
        for vote in &question.probabilities {
            let said = question.answers.iter().zip(vote).map(|(answer, p)| format!("{answer} {p:.4}"));
            row("  answered", &said.collect::<Vec<_>>().join(", "));
        }
    }
    out
}

/// One case of a program's tests on one line.
fn case_line(case: &CaseReport) -> String {
    let CaseReport { public, reason, detail, time_ms, memory_bytes, .. } = case;
    let side = if *public { "public" } else { "hidden" };
    let mut line = format!("{reason} ({side}, {time_ms:.1} ms, {} KiB)", memory_bytes >> 10);
    for (key, value) in detail {
        let _ = write!(line, "; {key} {value}");
    }
    line
}

fn show(name: &str, side: &Side, row: &mut impl FnMut(&str, &str)) {
    row(name, &side.text);
    for (place, latex) in side.latex.iter().enumerate() {
        row(if place == 0 { "  read as" } else { "  or as" }, latex);
    }
    if let Some(at) = side.unread_at {
        match &side.unread {
            Some(rest) => row("  not read", &format!("{rest} (from byte {at})")),
            None => row("  not read", "the end is missing"),
        }
    }
}

/// Text of a model on one line, without what a terminal would obey.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect()
}
