//! Numbers that describe a step and can be put together from its micro-batches.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How a number of a whole is made from those of its parts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Parts are added.
    Sum(f64),
    /// The mean of all items: their sum, and how many there are (or their weight).
    Mean {
        /// Sum of item times weight.
        sum: f64,
        /// Sum of weights.
        weight: f64,
    },
    /// The largest counts.
    Max(f64),
    /// The smallest counts.
    Min(f64),
}

impl Measure {
    /// The number; `None` of a mean of nothing.
    pub fn value(self) -> Option<f64> {
        match self {
            Self::Sum(value) | Self::Max(value) | Self::Min(value) => Some(value),
            Self::Mean { sum, weight } => (weight != 0.0).then(|| sum / weight),
        }
    }

    fn joined(self, other: Self) -> Self {
        match (self, other) {
            (Self::Sum(a), Self::Sum(b)) => Self::Sum(a + b),
            (Self::Mean { sum: a, weight: v }, Self::Mean { sum: b, weight: w }) => {
                Self::Mean { sum: a + b, weight: v + w }
            }
            (Self::Max(a), Self::Max(b)) => Self::Max(a.max(b)),
            (Self::Min(a), Self::Min(b)) => Self::Min(a.min(b)),
            // One name is measured in one way; were it not, the newer is the better guess.
            (_, other) => other,
        }
    }
}

/// Named measures. Names are paths such as `loss/policy`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metrics {
    entries: BTreeMap<String, Measure>,
}

impl Metrics {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a measure to what is there under this name.
    pub fn record(&mut self, name: &str, measure: Measure) {
        match self.entries.get_mut(name) {
            Some(entry) => *entry = entry.joined(measure),
            None => {
                self.entries.insert(name.to_owned(), measure);
            }
        }
    }

    /// Adds to a sum.
    pub fn add(&mut self, name: &str, value: f64) {
        self.record(name, Measure::Sum(value));
    }

    /// Adds items to a mean: their (weighted) sum and their number (or weight).
    pub fn mean(&mut self, name: &str, sum: f64, weight: f64) {
        self.record(name, Measure::Mean { sum, weight });
    }

    /// Adds every item to a mean, each with weight 1.
    pub fn mean_of(&mut self, name: &str, items: impl IntoIterator<Item = f64>) {
        let (mut sum, mut n) = (0.0, 0_u32);
        for item in items {
            sum += item;
            n += 1;
        }
        self.mean(name, sum, f64::from(n));
    }

    /// Keeps the larger of a number and what is there.
    pub fn max(&mut self, name: &str, value: f64) {
        self.record(name, Measure::Max(value));
    }

    /// Keeps the smaller of a number and what is there.
    pub fn min(&mut self, name: &str, value: f64) {
        self.record(name, Measure::Min(value));
    }

    /// Adds all measures of another micro-batch.
    pub fn merge(&mut self, other: &Self) {
        for (name, measure) in &other.entries {
            self.record(name, *measure);
        }
    }

    /// The number under a name; `None` where nothing was measured.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.entries.get(name).and_then(|measure| measure.value())
    }

    /// All names with their numbers, in order of name; means of nothing are left out.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.entries.iter().filter_map(|(name, measure)| Some((name.as_str(), measure.value()?)))
    }

    /// Whether nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
