//! `regex`: does the completion match a pattern?
//!
//! The pattern runs on a linear-time engine, so that no pattern and no text can make it hang.

use std::sync::Arc;

use regex::Regex;
use serde::Deserialize;

use crate::completion::Completion;
use crate::config::{self, Fields};
use crate::error::{ConfigError, GradeError, TaskError};
use crate::grader::{GradeCompletion, Grader, Prepared, Resources};
use crate::task::Task;
use crate::verdict::{Reason, Verdict};

/// Memory a compiled pattern may take, in bytes; bounds patterns such as `a{9999}{9999}`.
const MAX_PATTERN_BYTES: usize = 1 << 20;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    /// The pattern, in the syntax of the `regex` crate.
    pattern: String,
    /// Whether the whole text has to match and not only a part of it.
    #[serde(default)]
    full: bool,
}

#[derive(Clone, Debug)]
struct RegexGrader {
    pattern: Arc<Regex>,
}

pub(crate) fn build(fields: Fields) -> Result<Arc<dyn Grader>, ConfigError> {
    let spec: Spec = config::read(fields)?;
    let source = if spec.full { format!(r"\A(?:{})\z", spec.pattern) } else { spec.pattern };
    let pattern = regex::RegexBuilder::new(&source)
        .size_limit(MAX_PATTERN_BYTES)
        .build()
        .map_err(|error| ConfigError::new("/pattern", error.to_string()))?;
    Ok(Arc::new(RegexGrader { pattern: Arc::new(pattern) }))
}

impl Grader for RegexGrader {
    fn kind(&self) -> &'static str {
        "regex"
    }

    fn version(&self) -> u32 {
        1
    }

    fn prepare(&self, _task: &Task, _resources: &Resources) -> Result<Prepared, TaskError> {
        Ok(Prepared::Completion(Box::new(self.clone())))
    }
}

impl GradeCompletion for RegexGrader {
    fn grade(&self, completion: &Completion) -> Result<Verdict, GradeError> {
        Ok(match self.pattern.find(&completion.text) {
            Some(found) => Verdict::new(1.0, Reason::PatternMatched).with_excerpt("matched", found.as_str()),
            None => Verdict::new(0.0, Reason::PatternNotMatched),
        })
    }
}
