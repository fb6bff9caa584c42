//! The numbers of a set of rollouts, column by column, and what is said of a column.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// Which task a rollout is of.
pub(super) const TASK: &str = "_ng_task_index";
/// Which of a task's rollouts it is.
pub(super) const ROLLOUT: &str = "_ng_rollout_index";

/// A rollout with what can be measured of it.
#[derive(Debug)]
pub(super) struct Rollout {
    pub(super) task: i64,
    pub(super) index: i64,
    /// Its numbers by their names.
    pub(super) numbers: BTreeMap<String, f64>,
}

impl Rollout {
    /// The rollout that a verify response is: all its numbers and those of its response's `usage`. Names that begin
    /// with `_` are NeMo-Gym's own, and whether it is masked is no measurement.
    pub(super) fn new(row: &Map<String, Value>) -> Self {
        let usage = row.get("response").and_then(|response| response["usage"].as_object());
        let fields = row.iter().chain(usage.into_iter().flatten());
        let fields = fields.filter(|(name, _)| !name.starts_with('_') && *name != "mask_sample");
        let numbers = fields.filter_map(|(name, value)| Some((name.clone(), number(value)?))).collect();
        Self { task: index(row, TASK), index: index(row, ROLLOUT), numbers }
    }
}

/// A place in a run; 0 where the row does not say.
pub(super) fn index(row: &Map<String, Value>, name: &str) -> i64 {
    row.get(name).and_then(Value::as_i64).unwrap_or(0)
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(yes) => Some(f64::from(u8::from(*yes))),
        value => value.as_f64().filter(|number| number.is_finite()),
    }
}

/// The names of all numbers that any of the rollouts has.
pub(super) fn names<'a>(rollouts: &[&'a Rollout]) -> BTreeSet<&'a str> {
    rollouts.iter().flat_map(|rollout| rollout.numbers.keys().map(String::as_str)).collect()
}

/// The numbers that rollouts have under one name, sorted.
#[derive(Debug)]
pub(super) struct Column(Vec<f64>);

impl Column {
    /// The column `name`, if any of them has it.
    pub(super) fn of(rollouts: &[&Rollout], name: &str) -> Option<Self> {
        Self::new(rollouts.iter().filter_map(|rollout| rollout.numbers.get(name).copied()).collect())
    }

    /// A column of these numbers; none of none.
    pub(super) fn new(mut numbers: Vec<f64>) -> Option<Self> {
        numbers.sort_by(f64::total_cmp);
        (!numbers.is_empty()).then_some(Self(numbers))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len() as f64
    }

    pub(super) fn min(&self) -> f64 {
        self.0[0]
    }

    pub(super) fn max(&self) -> f64 {
        self.0[self.0.len() - 1]
    }

    /// The standard deviation of a sample; none of a single number.
    pub(super) fn std(&self) -> Option<f64> {
        let more = self.0.len().checked_sub(1).filter(|more| *more > 0)?;
        let mean = self.mean();
        let squares: f64 = self.0.iter().map(|number| (number - mean).powi(2)).sum();
        Some((squares / more as f64).sqrt())
    }

    /// The number below which the share `q` of them lies, between neighbours on a straight line.
    pub(super) fn quantile(&self, q: f64) -> f64 {
        let at = q * (self.0.len() - 1) as f64;
        let below = self.0[at.floor() as usize];
        let above = self.0[at.ceil() as usize];
        below + (above - below) * at.fract()
    }
}
