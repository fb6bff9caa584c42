//! `metrics.jsonl`: one line for each step, evaluation and supervised step, flushed when it is written.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::now;
use crate::learner::metrics::{EvalMetrics, SftMetrics, StepMetrics};

/// A line, by its `kind`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// A supervised step of the warm start.
    Sft(SftMetrics),
    /// A step.
    Step(Box<StepMetrics>),
    /// An evaluation.
    Eval(Box<EvalMetrics>),
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    entry: &'a Entry,
    /// When it was written, in seconds since 1970.
    time: f64,
}

/// The file.
#[derive(Debug)]
pub struct MetricsLog {
    path: PathBuf,
    file: File,
}

impl MetricsLog {
    /// Opens the file anew, or behind the last line of the step that is `resumed`. What was written after that step,
    /// or half-written, is cut off; the entries before are returned.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn open(path: &Path, resumed: Option<u64>) -> io::Result<(Self, Vec<Entry>)> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(resumed.is_none());
        let mut file = options.open(path)?;
        let mut kept = Vec::new();
        let mut n_bytes = 0;
        let mut reader = BufReader::new(&mut file);
        let mut line = String::new();
        while let Some(last) = resumed {
            line.clear();
            // A line that is no text, or no entry, is where a killed process left off.
            let Ok(n) = reader.read_line(&mut line) else { break };
            let Ok(entry) = serde_json::from_str::<Entry>(&line) else { break };
            if !line.ends_with('\n') || entry.step().is_some_and(|step| step > last) {
                break;
            }
            kept.push(entry);
            n_bytes += n as u64;
        }
        file.set_len(n_bytes)?;
        file.seek(SeekFrom::End(0))?;
        Ok((Self { path: path.to_owned(), file }, kept))
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a line, all at once.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_vec(&Line { entry, time: now() })?;
        line.push(b'\n');
        self.file.write_all(&line)
    }
}

impl Entry {
    /// The step that it is of; the warm start comes before all steps.
    fn step(&self) -> Option<u64> {
        match self {
            Self::Sft(_) => None,
            Self::Step(metrics) => Some(metrics.step),
            Self::Eval(metrics) => Some(metrics.step),
        }
    }
}
