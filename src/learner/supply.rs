//! The tasks that a run trains on, in the order in which it takes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use graders::Task;
use serde::{Deserialize, Serialize};

use super::formulas::filter::{keeps_band, keeps_unmastered};
use super::formulas::objective::Selection;
use super::recipe::{HeldOutSource, TaskRecipe, TaskSource};
use crate::tasks::{Draw, Environment, Place, Split, TaskReader};

/// Where tasks are taken from and which come next.
#[derive(Debug)]
pub struct Supply {
    tasks: Tasks,
    seed: u64,
    selection: Selection,
    state: SupplyState,
}

/// What decides the next tasks; with the recipe, all that has to be kept to go on after a stop.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SupplyState {
    /// Tasks taken so far.
    pub n_taken: u64,
    /// Pass rates of tasks that were tried: a moving mean, by the task's number.
    pub pass_rates: BTreeMap<u64, f64>,
    /// Tasks that are solved and do not come again.
    pub dropped: BTreeSet<u64>,
}

#[derive(Debug)]
enum Tasks {
    /// Made when they are taken.
    Made { environment: &'static dyn Environment, levels: Vec<u8>, split: Split, seed: u64, n: Option<u64> },
    /// All of a data set.
    Read(Vec<Arc<Task>>),
}

/// Why there are no tasks.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct SupplyError {
    /// What is wrong and what to do.
    pub message: String,
}

impl SupplyError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

/// A task with its number, which stays the same for the whole run.
pub type Numbered = (u64, Arc<Task>);

/// A task's newest pass rate counts so much in its moving mean.
const NEWEST: f64 = 0.5;
/// Draws in search of a task within the band before any task is taken.
const MAX_LOOKS: usize = 64;

impl Supply {
    /// The training tasks of a recipe and the held-out tasks that progress is measured on, `n_held_out` of them.
    ///
    /// # Errors
    /// When a data set cannot be read or has no task, or the curriculum needs a fixed number of tasks.
    pub fn open(
        recipe: &TaskRecipe,
        selection: &Selection,
        seed: u64,
        n_held_out: usize,
    ) -> Result<(Self, Vec<Arc<Task>>), SupplyError> {
        let source = recipe.source().ok_or_else(|| SupplyError::new("the recipe names no tasks"))?;
        let mut tasks = Tasks::open(source, recipe.n_tasks)?;
        let held_out = match recipe.held_out() {
            None => Vec::new(),
            Some(HeldOutSource::Source(source)) => Tasks::open(source, 0)?.first(n_held_out)?,
            Some(HeldOutSource::Fraction(fraction)) => tasks.keep_out(fraction, n_held_out)?,
        };
        let chooses =
            selection.prioritised || selection.retire_at.is_some() || selection.pass_rate_band.is_some();
        if chooses && tasks.len().is_none() {
            return Err(SupplyError::new(
                "train.objective.selection: choosing by pass rate needs tasks that come again; set tasks.n_tasks",
            ));
        }
        let supply = Self { tasks, seed, selection: *selection, state: SupplyState::default() };
        Ok((supply, held_out))
    }

    /// What has to be kept.
    pub const fn state(&self) -> &SupplyState {
        &self.state
    }

    /// Goes on where another run stopped.
    pub fn restore(&mut self, state: SupplyState) {
        self.state = state;
    }

    /// The next `n` tasks. Depends on nothing but the seed, what was taken, and the pass rates that were told.
    ///
    /// # Errors
    /// When a task cannot be made, or all are dropped.
    pub fn take(&mut self, n: usize) -> Result<Vec<Numbered>, SupplyError> {
        (0..n).map(|_| self.next()).collect()
    }

    fn next(&mut self) -> Result<Numbered, SupplyError> {
        let n_left = self.tasks.len().map(|n| n.saturating_sub(self.state.dropped.len() as u64));
        if n_left == Some(0) {
            return Err(SupplyError::new(
                "every task is solved and was dropped; add tasks, or stop here (train.objective.selection.retire_at)",
            ));
        }
        let mut number = self.place();
        for _ in 0..MAX_LOOKS {
            if self.fits(number) {
                break;
            }
            number = self.place();
        }
        // Without luck, the next one that is not dropped.
        while self.state.dropped.contains(&number) {
            number = self.place();
        }
        Ok((number, self.tasks.task(number)?))
    }

    /// The next number, whatever it is.
    fn place(&mut self) -> u64 {
        let taken = self.state.n_taken;
        self.state.n_taken += 1;
        match self.tasks.len() {
            None => taken,
            // Every round has an order of its own, in which each comes once.
            Some(n) => shuffled(self.seed, taken / n, taken % n, n),
        }
    }

    fn fits(&self, number: u64) -> bool {
        if self.state.dropped.contains(&number) {
            return false;
        }
        let Some(rate) = self.state.pass_rates.get(&number).copied() else { return true };
        if self.selection.pass_rate_band.is_some_and(|(low, high)| !keeps_band(rate, low, high)) {
            return false;
        }
        if !self.selection.prioritised {
            return true;
        }
        // Taken with probability 1 - s, so that in the long run it comes in proportion to that.
        let mut draw =
            Draw::new(&[b"prioritised", &self.seed.to_le_bytes(), &self.state.n_taken.to_le_bytes()]);
        (draw.below(1 << 20) as f64) < (1.0 - rate) * f64::from(1 << 20)
    }

    /// Tells how many of a task's completions were right, from 0 to 1.
    pub fn tell(&mut self, number: u64, pass_rate: f64) {
        // Of an endless stream no task comes again.
        if self.tasks.len().is_none() || !pass_rate.is_finite() {
            return;
        }
        let rate = self.state.pass_rates.entry(number).or_insert(pass_rate);
        *rate += NEWEST * (pass_rate - *rate);
        if self.selection.retire_at.is_some_and(|limit| !keeps_unmastered(*rate, limit)) {
            self.state.dropped.insert(number);
        }
    }

    /// A worked solution of a task, where its environment can give one.
    pub fn oracle(&self, task: &Task) -> Option<String> {
        match &self.tasks {
            Tasks::Made { environment, .. } => environment.oracle(task).ok(),
            Tasks::Read(_) => None,
        }
    }

    /// The task of this number, without taking it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn task(&self, number: u64) -> Result<Arc<Task>, SupplyError> {
        self.tasks.task(number)
    }
}

impl Tasks {
    fn open(source: TaskSource<'_>, n: usize) -> Result<Self, SupplyError> {
        match source {
            TaskSource::Environment { environment, levels, split, seed } => Ok(Self::Made {
                environment,
                levels: levels.to_vec(),
                split,
                seed,
                n: (n > 0).then_some(n as u64),
            }),
            TaskSource::DataSet { path, columns } => {
                let fault =
                    |error: &dyn std::fmt::Display| SupplyError::new(format!("{}: {error}", path.display()));
                let mut reader = TaskReader::open(path).map_err(|error| fault(&error))?;
                if let Some(columns) = columns {
                    reader = reader.with_columns(columns.clone());
                }
                let most = if n == 0 { usize::MAX } else { n };
                let tasks: Vec<Arc<Task>> = reader
                    .take(most)
                    .map(|task| task.map(Arc::new))
                    .collect::<Result<_, _>>()
                    .map_err(|error| fault(&error))?;
                if tasks.is_empty() {
                    return Err(SupplyError::new(format!("{}: there is no task in it", path.display())));
                }
                Ok(Self::Read(tasks))
            }
        }
    }

    fn len(&self) -> Option<u64> {
        match self {
            Self::Made { n, .. } => *n,
            Self::Read(tasks) => Some(tasks.len() as u64),
        }
    }

    fn task(&self, number: u64) -> Result<Arc<Task>, SupplyError> {
        match self {
            Self::Made { environment, levels, split, seed, .. } => {
                // Levels in turn, so that every step has its share of each.
                let level = levels.get((number % levels.len().max(1) as u64) as usize).copied().unwrap_or(1);
                let place = Place { split: *split, seed: *seed, index: number, level };
                environment
                    .generate(&place)
                    .map(Arc::new)
                    .map_err(|error| SupplyError::new(format!("tasks.levels: {error}")))
            }
            Self::Read(tasks) => {
                let task = tasks.get(usize::try_from(number).unwrap_or(usize::MAX));
                task.cloned().ok_or_else(|| SupplyError::new(format!("the data set has no task {number}")))
            }
        }
    }

    fn first(&self, n: usize) -> Result<Vec<Arc<Task>>, SupplyError> {
        let most = self.len().unwrap_or(u64::MAX).min(n as u64);
        (0..most).map(|number| self.task(number)).collect()
    }

    /// Takes a share out of a data set, spread over the whole of it.
    fn keep_out(&mut self, fraction: f64, most: usize) -> Result<Vec<Arc<Task>>, SupplyError> {
        let Self::Read(tasks) = self else { return Ok(Vec::new()) };
        let n = tasks.len();
        let n_out = ((n as f64 * fraction).round() as usize).min(most).min(n.saturating_sub(1));
        if most > 0 && n_out == 0 {
            return Err(SupplyError::new(format!(
                "tasks.held_out.fraction: {fraction} of {n} tasks leaves none to measure progress on"
            )));
        }
        let out: BTreeSet<usize> = (0..n_out).map(|i| i * n / n_out.max(1)).collect();
        let (kept, taken): (Vec<_>, Vec<_>) =
            std::mem::take(tasks).into_iter().enumerate().partition(|(i, _)| !out.contains(i));
        *tasks = kept.into_iter().map(|(_, task)| task).collect();
        Ok(taken.into_iter().map(|(_, task)| task).collect())
    }
}

/// The item at `index` of round `round` in a shuffle of `n` numbers, without a list of them: a permutation by four
/// rounds of a Feistel network, walked until it is inside (Black and Rogaway 2002, cycle walking).
fn shuffled(seed: u64, round: u64, index: u64, n: u64) -> u64 {
    let bits = 64 - n.saturating_sub(1).leading_zeros();
    let half = bits.div_ceil(2).max(1);
    let mask = (1_u64 << half) - 1;
    let mut value = index;
    loop {
        let (mut left, mut right) = (value >> half, value & mask);
        for key in 0..4 {
            let mixed = crate::rollout::seed(seed, round, key, right) & mask;
            (left, right) = (right, left ^ mixed);
        }
        value = (left << half) | right;
        if value < n {
            return value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_has_every_task_once() {
        for n in [1, 2, 3, 7, 64, 1000] {
            let mut seen: Vec<u64> = (0..n).map(|i| shuffled(5, 1, i, n)).collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..n).collect::<Vec<_>>());
        }
        let order = |round| (0..100).map(|i| shuffled(5, round, i, 100)).collect::<Vec<_>>();
        assert_ne!(order(0), order(1), "rounds differ");
    }

    fn supply(selection: Selection, n_tasks: usize) -> Supply {
        let recipe =
            TaskRecipe { environment: Some("arithmetic".to_owned()), n_tasks, ..TaskRecipe::default() };
        Supply::open(&recipe, &selection, 3, 8).expect("there are tasks").0
    }

    fn prioritised() -> Selection {
        Selection { prioritised: true, ..Selection::all() }
    }

    #[test]
    fn a_supply_goes_on_where_it_stopped() {
        let mut whole = supply(prioritised(), 50);
        let mut parted = supply(prioritised(), 50);
        let tell = |supply: &mut Supply, taken: &[Numbered]| {
            for (number, _) in taken {
                supply.tell(*number, (*number % 5) as f64 / 4.0);
            }
        };
        let first = whole.take(70).expect("tasks");
        tell(&mut whole, &first);
        let second = whole.take(70).expect("tasks");
        let again = parted.take(70).expect("tasks");
        tell(&mut parted, &again);
        let mut resumed = supply(prioritised(), 50);
        let state = serde_json::to_string(parted.state()).expect("it is JSON");
        resumed.restore(serde_json::from_str(&state).expect("it was written so"));
        assert_eq!(resumed.take(70).expect("tasks"), second);
    }

    #[test]
    fn what_is_solved_comes_rarely_or_never() {
        let mut prioritised = supply(prioritised(), 20);
        let mut dropping = supply(Selection { retire_at: Some(0.9), ..Selection::all() }, 20);
        for number in 0..10 {
            prioritised.tell(number, 1.0);
            dropping.tell(number, 1.0);
        }
        for supply in [&mut prioritised, &mut dropping] {
            assert!(supply.take(100).expect("tasks").iter().all(|(number, _)| *number >= 10));
        }
        for number in 10..20 {
            dropping.tell(number, 1.0);
        }
        assert!(dropping.take(1).expect_err("none is left").message.contains("solved"));
    }
}
