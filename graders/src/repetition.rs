//! `repetition`: how much of the completion says again what it said before?
//!
//! The score is (1 − distinct / total) · `max_penalty` over the n-grams of the text, the penalty that
//! Demystifying Long Chain-of-Thought Reasoning (arXiv 2502.03373) inspired and that TRL and open-r1 give for
//! a whole completion. It looks at the whole text, the thought included, because that is where loops are.
//! Time grows with the length times its logarithm, memory with the length.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;

use crate::completion::Completion;
use crate::config::{self, Fields};
use crate::error::{ConfigError, GradeError, TaskError};
use crate::grader::{GradeCompletion, Grader, Prepared, Resources};
use crate::task::Task;
use crate::verdict::{Reason, Verdict};

/// The longest n-gram: four bigrams, whose numbers of 32 bits fit in one key of 128.
const MAX_N: u32 = 8;
/// The largest penalty that may be configured.
const MAX_PENALTY: f64 = 1e6;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    /// The length of the n-grams, 1 to 8; default 3, or 1 when the unit is `lines`.
    n: Option<u32>,
    /// The score of a text that says one thing for ever, at most 0; default −1.
    #[serde(default = "Spec::one_off")]
    max_penalty: f64,
    /// What n-grams are made of; default `words`.
    #[serde(default)]
    unit: Unit,
}

impl Spec {
    const fn one_off() -> f64 {
        -1.0
    }

    fn n(&self) -> usize {
        let by_default = if matches!(self.unit, Unit::Lines) { 1 } else { 3 };
        self.n.unwrap_or(by_default) as usize
    }
}

/// What n-grams are made of.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Unit {
    /// Stretches between white space, in lower case.
    #[default]
    Words,
    /// Unicode scalar values; for languages that write no spaces.
    Characters,
    /// Lines that are not blank, trimmed.
    Lines,
}

#[derive(Clone, Debug)]
struct RepetitionGrader {
    spec: Spec,
}

pub(crate) fn build(fields: Fields) -> Result<Arc<dyn Grader>, ConfigError> {
    let spec: Spec = config::read(fields)?;
    if spec.n.is_some_and(|n| !(1..=MAX_N).contains(&n)) {
        return Err(ConfigError::new("/n", format!("expected a whole number from 1 to {MAX_N}")));
    }
    if !(-MAX_PENALTY..=0.0).contains(&spec.max_penalty) {
        return Err(ConfigError::new("/max_penalty", format!("expected a number from -{MAX_PENALTY} to 0")));
    }
    Ok(Arc::new(RepetitionGrader { spec }))
}

impl Grader for RepetitionGrader {
    fn kind(&self) -> &'static str {
        "repetition"
    }

    fn version(&self) -> u32 {
        1
    }

    fn prepare(&self, _task: &Task, _resources: &Resources) -> Result<Prepared, TaskError> {
        Ok(Prepared::Completion(Box::new(self.clone())))
    }
}

impl GradeCompletion for RepetitionGrader {
    fn grade(&self, completion: &Completion) -> Result<Verdict, GradeError> {
        let text = &completion.text;
        let tokens = match self.spec.unit {
            Unit::Words => numbered(text.to_lowercase().split_whitespace()),
            Unit::Lines => numbered(text.lines().map(str::trim).filter(|line| !line.is_empty())),
            Unit::Characters => text.chars().map(u32::from).collect(),
        };
        let Ngrams { total, distinct } = Ngrams::of(&tokens, self.spec.n());
        let repeated = if total == 0 { 0.0 } else { 1.0 - distinct as f64 / total as f64 };
        let reason = if distinct < total { Reason::Repetitive } else { Reason::NotRepetitive };
        // Plus zero, because minus zero is a zero and should read as one.
        Ok(Verdict::new(repeated * self.spec.max_penalty + 0.0, reason)
            .with("ngrams", total)
            .with("distinct", distinct))
    }
}

/// Equal parts get equal numbers, counted from 0.
fn numbered<'a>(parts: impl Iterator<Item = &'a str>) -> Vec<u32> {
    let mut numbers = HashMap::new();
    parts
        .map(|part| {
            let next = numbers.len() as u32;
            *numbers.entry(part).or_insert(next)
        })
        .collect()
}

/// How many n-grams there are, and how many that differ.
struct Ngrams {
    total: usize,
    distinct: usize,
}

impl Ngrams {
    /// Counts by sorting whole n-grams packed into one integer each, so that no text can make a hash table
    /// slow.
    fn of(tokens: &[u32], n: usize) -> Self {
        let total = (tokens.len() + 1).saturating_sub(n);
        if total == 0 {
            return Self { total, distinct: 0 };
        }
        let bits = bits_for(tokens);
        let distinct = if bits * n <= 64 {
            let mut keys: Vec<u64> = tokens
                .windows(n)
                .map(|window| window.iter().fold(0, |key, token| key << bits | u64::from(*token)))
                .collect();
            keys.sort_unstable();
            keys.dedup();
            keys.len()
        } else if bits * n <= 128 {
            distinct_wide(total, n, bits, |start, step| tokens[start + step])
        } else {
            // Half as many bigrams say the same, and the numbers of four always fit: they stand at
            // offsets 0, 2, 4, …, the last one moved back so that an odd n ends where it should.
            let bigrams = numbered_bigrams(tokens);
            let bits = bits_for(&bigrams);
            distinct_wide(total, n.div_ceil(2), bits, |start, step| bigrams[start + (2 * step).min(n - 2)])
        };
        Self { total, distinct }
    }
}

/// Bits that hold the greatest of `tokens`.
fn bits_for(tokens: &[u32]) -> usize {
    let greatest = tokens.iter().copied().max().unwrap_or(0);
    (u32::BITS - greatest.leading_zeros()).max(1) as usize
}

/// Distinct keys among `total` keys, each packed from `width` parts of `bits` bits.
fn distinct_wide(total: usize, width: usize, bits: usize, part: impl Fn(usize, usize) -> u32) -> usize {
    let mut keys: Vec<u128> = (0..total)
        .map(|start| (0..width).fold(0, |key, step| key << bits | u128::from(part(start, step))))
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys.len()
}

/// For each place but the last, the number of the pair that begins there; equal pairs get equal numbers.
fn numbered_bigrams(tokens: &[u32]) -> Vec<u32> {
    let mut pairs: Vec<(u64, u32)> = tokens
        .windows(2)
        .zip(0..)
        .map(|(pair, place)| (u64::from(pair[0]) << 32 | u64::from(pair[1]), place))
        .collect();
    pairs.sort_unstable();
    let mut numbers = vec![0; pairs.len()];
    let mut number = 0;
    let mut previous = None;
    for (pair, place) in pairs {
        if previous.is_some_and(|previous| previous != pair) {
            number += 1;
        }
        previous = Some(pair);
        numbers[place as usize] = number;
    }
    numbers
}
