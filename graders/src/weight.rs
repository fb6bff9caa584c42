//! A component's weight: a number, or a schedule that turns the training step or a metric into one.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use crate::config;
use crate::error::ConfigError;

/// The largest weight, in absolute value.
const MAX_WEIGHT: f64 = 1e6;

/// A weight, possibly scheduled.
#[derive(Clone, Debug, PartialEq)]
pub enum Weight {
    /// The same at every step.
    Constant(f64),
    /// 0 before `from_step`, `value` from then on (Kimi k1.5, arXiv:2501.12599, section 2.3.3).
    Step {
        /// The first step with the weight.
        from_step: u64,
        /// The weight.
        value: f64,
    },
    /// 0 up to `from_step`, `value` from `to_step` on, linear between.
    Ramp {
        /// The last step without the weight.
        from_step: u64,
        /// The first step with the whole weight.
        to_step: u64,
        /// The weight at the end.
        value: f64,
    },
    /// `value` while a metric of the caller is high enough, else 0.
    OnMetric {
        /// The metric's name in the request.
        metric: String,
        /// The least value that switches the weight on.
        at_least: f64,
        /// Whether it stays on once it was.
        latch: bool,
        /// The weight.
        value: f64,
    },
}

/// Where training stands, as the caller says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// The optimiser step.
    pub step: Option<u64>,
    /// Metrics that schedules look at.
    pub metrics: BTreeMap<String, f64>,
    /// Names of components whose latch is already closed.
    pub latched: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepSpec {
    from_step: u64,
    #[serde(default)]
    to_step: Option<u64>,
    value: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricSpec {
    metric: String,
    at_least: f64,
    #[serde(default = "latched_by_default")]
    latch: bool,
    value: f64,
}

const fn latched_by_default() -> bool {
    true
}

impl Weight {
    /// Reads a weight: a number, `{from_step, value}`, `{from_step, to_step, value}` or
    /// `{metric, at_least, value, latch?}` (latched unless it says `false`).
    ///
    /// # Errors
    /// Points at the field that is wrong.
    pub fn from_value(value: &Value) -> Result<Self, ConfigError> {
        let weight = match value {
            Value::Number(number) => Self::Constant(number.as_f64().unwrap_or(f64::NAN)),
            Value::Object(fields) if fields.contains_key("metric") => {
                let MetricSpec { metric, at_least, latch, value } = config::read(fields.clone())?;
                Self::OnMetric { metric, at_least, latch, value }
            }
            Value::Object(fields) => match config::read(fields.clone())? {
                StepSpec { from_step, to_step: None, value } => Self::Step { from_step, value },
                StepSpec { from_step, to_step: Some(to_step), value } if to_step > from_step => {
                    Self::Ramp { from_step, to_step, value }
                }
                StepSpec { .. } => {
                    return Err(ConfigError::new("/to_step", "expected a step after `from_step`"));
                }
            },
            _ => {
                return Err(ConfigError::new(
                    "",
                    "expected a number, {from_step, value}, {from_step, to_step, value} or {metric, at_least, value}",
                ));
            }
        };
        let (Self::Constant(value)
        | Self::Step { value, .. }
        | Self::Ramp { value, .. }
        | Self::OnMetric { value, .. }) = &weight;
        if value.abs() <= MAX_WEIGHT {
            Ok(weight)
        } else {
            Err(ConfigError::new("", format!("a weight lies between -{MAX_WEIGHT} and {MAX_WEIGHT}")))
        }
    }

    /// The weight now, for the component called `component`.
    ///
    /// # Errors
    /// When the schedule needs a step or a metric that the caller did not send.
    pub fn at(&self, component: &str, progress: &Progress) -> Result<f64, ConfigError> {
        let step = || {
            progress.step.ok_or_else(|| {
                ConfigError::new(
                    "/step",
                    format!("the weight of `{component}` follows the step: send `step`"),
                )
            })
        };
        Ok(match self {
            Self::Constant(value) => *value,
            Self::Step { from_step, value } => {
                if step()? >= *from_step {
                    *value
                } else {
                    0.0
                }
            }
            Self::Ramp { from_step, to_step, value } => {
                let done = step()?.saturating_sub(*from_step) as f64 / (to_step - from_step) as f64;
                value * done.min(1.0)
            }
            Self::OnMetric { latch, value, .. } => {
                if (*latch && progress.latched.contains(component)) || self.reached(component, progress)? {
                    *value
                } else {
                    0.0
                }
            }
        })
    }

    /// Whether this is a latch that the caller's metric closes now.
    pub(crate) fn closes_latch(&self, component: &str, progress: &Progress) -> bool {
        matches!(self, Self::OnMetric { latch: true, .. })
            && !progress.latched.contains(component)
            && self.reached(component, progress).unwrap_or(false)
    }

    fn reached(&self, component: &str, progress: &Progress) -> Result<bool, ConfigError> {
        let Self::OnMetric { metric, at_least, .. } = self else { return Ok(false) };
        progress.metrics.get(metric).map(|now| now >= at_least).ok_or_else(|| {
            ConfigError::new(
                "/metrics",
                format!("the weight of `{component}` follows the metric `{metric}`: send it in `metrics`"),
            )
        })
    }
}
