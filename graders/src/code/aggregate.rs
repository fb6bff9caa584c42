//! From the results of the cases to one score.

use serde::Deserialize;

use crate::error::ConfigError;

/// How the results of the cases become a score. No code at all and code that does not compile score 0, except
/// where a mode says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mode {
    /// 1 when more than the threshold of the cases passed, else 0; by default only when all passed. Stops at
    /// the first failure that decides.
    #[default]
    Binary,
    /// The fraction of cases that passed, where a checker may pass a case in part. It invites hard-coding the
    /// easy ones.
    Fraction,
    /// The same, each case by its `weight`.
    Weighted,
    /// open-r1's weighted Codeforces reward: 1 when all passed plus 0.1 times the fraction; −1 without code,
    /// −0.1 when it does not compile.
    OpenR1CfWeighted,
    /// open-instruct's: the fraction that passed, and 0 when it is below the threshold.
    OpenInstruct,
}

/// The threshold that only the whole exceeds.
const ALL: f64 = 1.0 - f64::EPSILON;

#[derive(Clone, Copy, Debug)]
pub(super) struct Aggregate {
    mode: Mode,
    threshold: f64,
}

/// A case that counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) weight: f64,
    /// From 0, failed or not run, to 1, passed.
    pub(super) credit: f64,
}

impl Aggregate {
    pub(super) fn new(mode: Mode, threshold: Option<f64>) -> Result<Self, ConfigError> {
        let by_default = match mode {
            Mode::Binary => ALL,
            Mode::OpenInstruct => 0.8,
            _ if threshold.is_some() => {
                return Err(ConfigError::new(
                    "/threshold",
                    "only `binary` and `open_instruct` have a threshold",
                ));
            }
            _ => 0.0,
        };
        let threshold = threshold.unwrap_or(by_default);
        // A binary threshold of 1 could never be exceeded.
        let highest = if mode == Mode::Binary { threshold < 1.0 } else { threshold <= 1.0 };
        if !(highest && threshold >= 0.0) {
            return Err(ConfigError::new(
                "/threshold",
                "expected a fraction from 0 to 1, below 1 for `binary`",
            ));
        }
        Ok(Self { mode, threshold })
    }

    pub(super) const fn no_code(self) -> f64 {
        match self.mode {
            Mode::OpenR1CfWeighted => -1.0,
            _ => 0.0,
        }
    }

    pub(super) const fn compile_error(self) -> f64 {
        match self.mode {
            Mode::OpenR1CfWeighted => -0.1,
            _ => 0.0,
        }
    }

    /// Whether so many failures among so many cases decide for 0, so that no further case has to run.
    pub(super) fn is_lost(self, failed: usize, cases: usize) -> bool {
        let best = cases.saturating_sub(failed) as f64 / cases as f64;
        self.mode == Mode::Binary && best <= self.threshold
    }

    /// The score of a program that compiled, by all cases that count, of which there is at least one.
    pub(super) fn score(self, cases: &[Counted]) -> f64 {
        let total = cases.len() as f64;
        let passed = cases.iter().filter(|case| case.credit >= 1.0).count() as f64 / total;
        let fraction = cases.iter().map(|case| case.credit).sum::<f64>() / total;
        match self.mode {
            Mode::Binary => f64::from(passed > self.threshold),
            Mode::Weighted => {
                let earned: f64 = cases.iter().map(|case| case.weight * case.credit).sum();
                earned / cases.iter().map(|case| case.weight).sum::<f64>()
            }
            Mode::OpenR1CfWeighted => f64::from(passed >= 1.0) + 0.1 * fraction,
            Mode::OpenInstruct if fraction < self.threshold => 0.0,
            Mode::Fraction | Mode::OpenInstruct => fraction,
        }
    }
}
