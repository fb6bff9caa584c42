//! `soft_overlong`: a penalty that grows towards the length at which sampling is cut off (DAPO, arXiv
//! 2503.14476, equation 13).
//!
//! 0 up to `l_max − l_cache`, then falling in a straight line to −1 at `l_max`, and −1 beyond. verl's
//! `penalty_factor` multiplies it.

use std::sync::Arc;

use serde::Deserialize;

use super::{Unit, positive, read_checked, score_field, scored};
use crate::completion::Completion;
use crate::config::Fields;
use crate::error::{ConfigError, GradeError, TaskError};
use crate::grader::{GradeCompletion, Grader, Prepared, Resources};
use crate::task::Task;
use crate::verdict::Verdict;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    /// The length from which the whole penalty is due; the paper's is 20,480.
    l_max: u32,
    /// How long before `l_max` the penalty begins; the paper's is 4,096.
    l_cache: u32,
    /// What the penalty is multiplied by; default 1.
    #[serde(default = "Spec::whole")]
    penalty_factor: f64,
    /// What the length is counted in; default `tokens`.
    #[serde(default)]
    unit: Unit,
}

impl Spec {
    const fn whole() -> f64 {
        1.0
    }

    fn check(&self) -> Result<(), ConfigError> {
        positive("/l_max", self.l_max)?;
        positive("/l_cache", self.l_cache)?;
        if self.l_cache > self.l_max {
            return Err(ConfigError::new("/l_cache", "expected at most `l_max`"));
        }
        score_field("/penalty_factor", self.penalty_factor)?;
        if self.penalty_factor < 0.0 {
            return Err(ConfigError::new("/penalty_factor", "expected a number that is not negative"));
        }
        Ok(())
    }
}

#[derive(Clone, Debug)]
struct SoftOverlong {
    spec: Spec,
}

pub(super) fn build(fields: Fields) -> Result<Arc<dyn Grader>, ConfigError> {
    Ok(Arc::new(SoftOverlong { spec: read_checked(fields, Spec::check)? }))
}

impl Grader for SoftOverlong {
    fn kind(&self) -> &'static str {
        "length"
    }

    fn version(&self) -> u32 {
        1
    }

    fn prepare(&self, _task: &Task, _resources: &Resources) -> Result<Prepared, TaskError> {
        Ok(Prepared::Completion(Box::new(self.clone())))
    }
}

impl GradeCompletion for SoftOverlong {
    fn grade(&self, completion: &Completion) -> Result<Verdict, GradeError> {
        let length = self.spec.unit.length_of(completion)?;
        let (l_max, l_cache) = (f64::from(self.spec.l_max), f64::from(self.spec.l_cache));
        let penalty = (((l_max - l_cache) - length) / l_cache).clamp(-1.0, 0.0);
        Ok(scored(penalty * self.spec.penalty_factor, length))
    }
}
