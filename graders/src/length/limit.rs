//! `limit`: 1 up to a length, 0 beyond.

use std::sync::Arc;

use serde::Deserialize;

use super::{Unit, positive, read_checked};
use crate::completion::Completion;
use crate::config::Fields;
use crate::error::{ConfigError, GradeError, TaskError};
use crate::grader::{GradeCompletion, Grader, Prepared, Resources};
use crate::task::Task;
use crate::verdict::{Reason, Verdict};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    /// The greatest length that passes.
    max: u32,
    /// What the length is counted in; default `tokens`.
    #[serde(default)]
    unit: Unit,
}

#[derive(Clone, Debug)]
struct Limit {
    spec: Spec,
}

pub(super) fn build(fields: Fields) -> Result<Arc<dyn Grader>, ConfigError> {
    Ok(Arc::new(Limit { spec: read_checked(fields, |spec: &Spec| positive("/max", spec.max))? }))
}

impl Grader for Limit {
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

impl GradeCompletion for Limit {
    fn grade(&self, completion: &Completion) -> Result<Verdict, GradeError> {
        let length = self.spec.unit.length_of(completion)?;
        let fits = length <= f64::from(self.spec.max);
        Ok(Verdict::binary(fits, Reason::WithinLength, Reason::OverLength).with("length", length as u64))
    }
}
