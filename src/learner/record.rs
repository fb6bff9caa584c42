//! What a run writes down while it goes: a line of JSON and a chart's point for each step, and all of it in memory
//! for the summary.

mod events;
mod history;
mod log;

pub use self::events::EventFile;
pub use self::history::History;
pub use self::log::{Entry, MetricsLog};

use super::error::{LearnerError, Result};
use super::folder::RunFolder;
use super::metrics::{EvalMetrics, SftMetrics, StepMetrics};
use super::recipe::RunRecipe;

/// Writes each number to all places that were asked for.
#[derive(Debug)]
pub struct Recorder {
    log: Option<MetricsLog>,
    events: Option<EventFile>,
    history: History,
}

impl Recorder {
    /// Opens the records of a run. With `resumed`, the step that it goes on from, what was written after it is taken
    /// back; without, the records begin anew.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn open(folder: &RunFolder, run: &RunRecipe, resumed: Option<u64>) -> Result<Self> {
        let path = folder.metrics_path();
        let mut history = History::default();
        let log = if run.jsonl {
            let (log, kept) =
                MetricsLog::open(&path, resumed).map_err(|error| LearnerError::file(&path, error))?;
            for entry in kept {
                history.add(entry);
            }
            Some(log)
        } else {
            None
        };
        let path = folder.events_path();
        let events = if run.tensorboard {
            Some(EventFile::create(&path, resumed).map_err(|error| LearnerError::file(&path, error))?)
        } else {
            None
        };
        Ok(Self { log, events, history })
    }

    /// All that was recorded, from the run's beginning where `metrics.jsonl` is kept.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Records a supervised step.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn on_sft(&mut self, metrics: &SftMetrics) -> Result<()> {
        self.add(Entry::Sft(*metrics), metrics.step, &metrics.scalars())
    }

    /// Records a step.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn on_step(&mut self, metrics: &StepMetrics) -> Result<()> {
        self.add(Entry::Step(Box::new(metrics.clone())), metrics.step, &metrics.scalars())
    }

    /// Records an evaluation.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn on_eval(&mut self, metrics: &EvalMetrics) -> Result<()> {
        self.add(Entry::Eval(Box::new(metrics.clone())), metrics.step, &metrics.scalars())
    }

    fn add(&mut self, entry: Entry, step: u64, scalars: &[(String, f64)]) -> Result<()> {
        if let Some(log) = &mut self.log {
            log.write(&entry).map_err(|error| LearnerError::file(log.path(), error))?;
        }
        if let Some(events) = &mut self.events {
            events.write(step, scalars).map_err(|error| LearnerError::file(events.path(), error))?;
        }
        self.history.add(entry);
        Ok(())
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0.0, |elapsed| elapsed.as_secs_f64())
}

#[cfg(test)]
mod tests;
