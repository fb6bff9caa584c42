//! How the learning rate changes over a run.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// What happens after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decay {
    /// Nothing.
    #[default]
    Constant,
    /// Down along a line.
    Linear,
    /// Down along half a cosine (Loshchilov and Hutter 2017, equation 5, without restarts).
    Cosine,
}

/// A learning rate for each step: up along a line from 0 during the warm-up, then as [`Decay`] says. The steps are
/// counted as in `transformers`: with a warm-up, step 0 has the rate 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// The highest rate.
    pub rate: f64,
    /// What happens after the warm-up.
    pub decay: Decay,
    /// How many steps the warm-up takes.
    pub warmup: u64,
    /// The step at which the decay ends; the rate stays there afterwards.
    pub total: u64,
    /// What remains at the end, as a share of the highest rate.
    pub floor: f64,
}

impl Schedule {
    /// The same rate at every step.
    pub const fn constant(rate: f64) -> Self {
        Self { rate, decay: Decay::Constant, warmup: 0, total: 0, floor: 0.0 }
    }

    /// The rate of the step with this number, counted from 0.
    pub fn at(&self, step: u64) -> f64 {
        if step < self.warmup {
            return self.rate * step as f64 / self.warmup as f64;
        }
        let length = self.total.saturating_sub(self.warmup);
        let progress = if length == 0 { 1.0 } else { ((step - self.warmup) as f64 / length as f64).min(1.0) };
        let share = match self.decay {
            Decay::Constant => return self.rate,
            Decay::Linear => 1.0 - progress,
            Decay::Cosine => 0.5 * (1.0 + (PI * progress).cos()),
        };
        self.rate * (self.floor + (1.0 - self.floor) * share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_schedules() {
        let steps = [0, 5, 10, 55, 100, 1000];
        for (decay, floor, expected) in [
            (Decay::Constant, 0.0, [0.0, 0.5, 1.0, 1.0, 1.0, 1.0]),
            (Decay::Linear, 0.0, [0.0, 0.5, 1.0, 0.5, 0.0, 0.0]),
            (Decay::Cosine, 0.0, [0.0, 0.5, 1.0, 0.5, 0.0, 0.0]),
            (Decay::Cosine, 0.1, [0.0, 0.5, 1.0, 0.55, 0.1, 0.1]),
        ] {
            let schedule = Schedule { rate: 3.0, decay, warmup: 10, total: 100, floor };
            for (step, expected) in steps.into_iter().zip(expected) {
                let rate = schedule.at(step);
                assert!((rate - 3.0 * expected).abs() < 1e-12, "{decay:?}, step {step}: {rate}");
            }
        }
        assert_eq!(Schedule::constant(0.5).at(7), 0.5);
        let all_warm = Schedule { rate: 1.0, decay: Decay::Linear, warmup: 5, total: 5, floor: 0.0 };
        assert_eq!((all_warm.at(4), all_warm.at(5)), (0.8, 0.0));
    }
}
