//! Exports: a run as lines of JSON for other programs.
//!
//! A stream reads a page of keys, then one group, pair or task after the other: whatever a run's size, no more
//! than one group is in memory. A run that grows meanwhile is exported as far as it has grown when the stream
//! gets there.
//!
//! Where the prompt is chat messages, what the policy wrote is given as messages too (a list with one
//! assistant's message), as TRL and others expect of conversations; where it is text, as text. A completion
//! without a reward could not be judged: `full` shows it with its error, the other kinds leave it out.

mod line;
mod pairs;
mod samples;

use std::collections::VecDeque;

use futures_util::stream::{self, BoxStream, StreamExt};
use graders::Task;
use serde_json::Value;

use self::line::{full, labelled};
use self::pairs::Pairs;
use self::samples::Samples;

use super::Store;
use super::database::{Arg, Record};
use super::error::StoreError;
use super::name::Name;
use super::row::NO_STEP;
use super::types::{GroupId, RunId, StoredGroup};

/// How many keys are read at once.
const PAGE: i64 = 256;

/// The most completions of one task, which are in memory together.
const MAX_PER_TASK: u32 = 256;

/// What to export.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Export {
    /// In which form.
    pub kind: ExportKind,
    /// Of which steps.
    pub steps: ExportSteps,
}

/// The form of an export.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ExportKind {
    /// A line for each group with all that is known of it.
    Full,
    /// A line for each rewarded completion: `prompt`, `completion`, `reward`, and `label`, which says whether
    /// the reward reaches `threshold` (as KTO wants it).
    Completions {
        /// The least reward of a good completion.
        threshold: f64,
    },
    /// A line for each group whose best reward is above its worst: `prompt`, `chosen`, `rejected` and their
    /// rewards (as DPO wants it). Of equal ones the first counts. A pair of equal texts is left out.
    Pairs {
        /// The least difference of the two rewards.
        min_margin: f64,
    },
    /// Rejection sampling: for each task the best of its completions that reach `threshold`, over all groups
    /// and steps; two texts that differ in white space only are one. `prompt`, `completion`, `reward`, and
    /// `messages` for a conversation.
    Sft {
        /// The least reward of a good completion.
        threshold: f64,
        /// Which of the good ones to prefer.
        pick: SftPick,
        /// The most completions of one task: 1 to 256.
        per_task: u32,
    },
}

/// Which of several good completions to prefer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SftPick {
    /// The one with the highest reward; of equal ones the shortest.
    Best,
    /// The one with the fewest bytes; of equal ones that with the highest reward.
    Shortest,
}

/// A range of steps, both ends included. With neither end, groups without a step are exported too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportSteps {
    /// The first step.
    pub from: Option<u64>,
    /// The last step.
    pub to: Option<u64>,
}

/// Lines of an export.
pub type ExportStream = BoxStream<'static, Result<Value, StoreError>>;

impl Store {
    /// The run as lines of JSON. The stream ends at its first error.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such run, [`StoreError::Invalid`] when an option cannot be right,
    /// [`StoreError::Unavailable`] when the database fails.
    pub async fn export(&self, run: &Name, export: Export) -> Result<ExportStream, StoreError> {
        let scope = Scope::new(self, run, export.steps).await?;
        Ok(match export.kind {
            ExportKind::Full => scope.into_groups().map(|group| group.map(|group| full(&group))).boxed(),
            ExportKind::Completions { threshold } => {
                let threshold = number("threshold", threshold)?;
                let lines = move |group: Result<StoredGroup, StoreError>| match group {
                    Ok(group) => stream::iter(labelled(&group, threshold)).left_stream(),
                    Err(error) => stream::iter([Err(error)]).right_stream(),
                };
                scope.into_groups().flat_map(lines).boxed()
            }
            ExportKind::Pairs { min_margin } => {
                let min_margin = number("min_margin", min_margin)?;
                read_all(Pairs { scope, min_margin, groups: VecDeque::new() })
            }
            ExportKind::Sft { threshold, pick, per_task } => {
                let threshold = number("threshold", threshold)?;
                if per_task == 0 || per_task > MAX_PER_TASK {
                    return Err(StoreError::invalid("per_task", format!("expected 1 to {MAX_PER_TASK}")));
                }
                let per_task = per_task as usize;
                let (tasks, ready) = (VecDeque::new(), VecDeque::new());
                read_all(Samples { scope, threshold, pick, per_task, tasks, ready })
            }
        })
    }

    /// The run's groups, whole, in the order they came. The stream ends at its first error.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such run, [`StoreError::Unavailable`] when the database fails.
    pub async fn whole_groups(
        &self,
        run: &Name,
        steps: ExportSteps,
    ) -> Result<BoxStream<'static, Result<StoredGroup, StoreError>>, StoreError> {
        Ok(Scope::new(self, run, steps).await?.into_groups())
    }
}

fn number(field: &str, value: f64) -> Result<f64, StoreError> {
    if value.is_nan() { Err(StoreError::invalid(field, "expected a number")) } else { Ok(value) }
}

/// What an export reads, one item after the other.
trait Reader: Send + 'static {
    type Item: Send + 'static;

    /// The next item; `None` at the end.
    fn next(&mut self) -> impl Future<Output = Result<Option<Self::Item>, StoreError>> + Send;
}

fn read_all<R: Reader>(reader: R) -> BoxStream<'static, Result<R::Item, StoreError>> {
    stream::try_unfold(reader, |mut reader| async move {
        let item = reader.next().await?;
        Ok(item.map(|item| (item, reader)))
    })
    .boxed()
}

/// Which rows an export reads, and how far it is.
struct Scope {
    store: Store,
    run: RunId,
    from: i64,
    to: i64,
    /// The last key of the page that was read; `None` when there is no further page.
    after: Option<i64>,
}

impl Scope {
    async fn new(store: &Store, run: &Name, steps: ExportSteps) -> Result<Self, StoreError> {
        let bound = |step: u64| i64::try_from(step).unwrap_or(i64::MAX);
        let from = match (steps.from, steps.to) {
            (Some(from), _) => bound(from),
            (None, Some(_)) => 0,
            (None, None) => NO_STEP,
        };
        let run = store.run_id(run).await?;
        Ok(Self { store: store.clone(), run, from, to: steps.to.map_or(i64::MAX, bound), after: Some(0) })
    }

    /// The next page of rows whose first column is a key; `$1` to `$5` are run, key, first step, last step and
    /// page length.
    async fn page(&mut self, sql: &'static str, more: &[Arg<'_>]) -> Result<Vec<Record>, StoreError> {
        let Some(after) = self.after else { return Ok(Vec::new()) };
        let mut args = vec![
            Arg::Integer(self.run.0),
            Arg::Integer(after),
            Arg::Integer(self.from),
            Arg::Integer(self.to),
            Arg::Integer(PAGE),
        ];
        args.extend_from_slice(more);
        let records = self.store.database.read("export a run", sql, &args).await?;
        self.after = records.last().map(|record| record.integer(0)).transpose()?;
        Ok(records)
    }

    fn into_groups(self) -> BoxStream<'static, Result<StoredGroup, StoreError>> {
        read_all(Groups { scope: self, ids: VecDeque::new() })
    }
}

/// Whole groups, one after the other.
struct Groups {
    scope: Scope,
    ids: VecDeque<GroupId>,
}

impl Reader for Groups {
    type Item = StoredGroup;

    async fn next(&mut self) -> Result<Option<StoredGroup>, StoreError> {
        if self.ids.is_empty() {
            let sql = "select group_id from \"group\" where run_id = $1 and group_id > $2 \
                       and step >= $3 and step <= $4 order by group_id limit $5";
            for record in self.scope.page(sql, &[]).await? {
                self.ids.push_back(GroupId(record.integer(0)?));
            }
        }
        match self.ids.pop_front() {
            None => Ok(None),
            Some(id) => self.scope.store.group(id).await.map(Some),
        }
    }
}

/// The task with this key.
async fn task_of(store: &Store, task: i64) -> Result<Task, StoreError> {
    let sql = "select body from task where task_id = $1";
    let record = store.database.read_one("export a run", sql, &[Arg::Integer(task)]).await?;
    record.ok_or_else(|| StoreError::NotFound { what: "task", name: task.to_string() })?.json("task", 0)
}
