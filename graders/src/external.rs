//! `external`: a reward model elsewhere gives the completion a number.
//!
//! The number is multiplied, moved and clipped as set; it has to be finite. The model comes through [`Resources`];
//! what it fails at is an error and never a score.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::completion::Completion;
use crate::config::{self, Fields};
use crate::error::{ConfigError, ErrorKind, GradeError, TaskError};
use crate::grader::{GradeCompletion, Grader, Prepared, Resources};
use crate::hash::content_hash;
use crate::opinion::{ModelError, RewardItem, RewardModel};
use crate::task::Task;
use crate::verdict::{Reason, Verdict};

/// The largest number that a reward may be, so that every sum of a rubric stays finite.
const MAX_SCORE: f64 = 1e6;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    /// The name of a configured reward model.
    model: String,
    /// What its number is multiplied by. Default: 1.
    #[serde(default = "one")]
    scale: f64,
    /// What is then added. Default: 0.
    #[serde(default)]
    offset: f64,
    /// The least and the largest score.
    clip: Option<[f64; 2]>,
    /// Whether the model gets the reference. Default: true.
    #[serde(default = "yes")]
    send_reference: bool,
}

const fn one() -> f64 {
    1.0
}

const fn yes() -> bool {
    true
}

#[derive(Debug)]
struct ExternalGrader(Arc<Spec>);

pub(crate) fn build(fields: Fields) -> Result<Arc<dyn Grader>, ConfigError> {
    let spec: Spec = config::read(fields)?;
    if spec.model.is_empty() {
        return Err(ConfigError::new("/model", "expected the name of a configured reward model"));
    }
    if !spec.scale.is_finite() || spec.scale == 0.0 {
        return Err(ConfigError::new("/scale", "expected a finite number other than 0"));
    }
    if !spec.offset.is_finite() {
        return Err(ConfigError::new("/offset", "expected a finite number"));
    }
    if spec.clip.is_some_and(|[low, high]| low >= high || low < -MAX_SCORE || high > MAX_SCORE) {
        let message = format!("expected [low, high] with low below high, from -{MAX_SCORE} to {MAX_SCORE}");
        return Err(ConfigError::new("/clip", message));
    }
    Ok(Arc::new(ExternalGrader(Arc::new(spec))))
}

impl Grader for ExternalGrader {
    fn kind(&self) -> &'static str {
        "external"
    }

    fn version(&self) -> u32 {
        1
    }

    fn circumstances(&self, task: &Task, resources: &Resources) -> Option<Value> {
        let model = resources.reward_models.get(&self.0.model);
        Some(json!({
            "external": self.0.model,
            "revision": model.map(|model| model.revision()),
            "prompt": content_hash(&serde_json::to_value(&task.prompt).unwrap_or_default()),
        }))
    }

    fn prepare(&self, task: &Task, resources: &Resources) -> Result<Prepared, TaskError> {
        let reference = task.reference.clone().filter(|_| self.0.send_reference);
        // What other graders need, tests above all, is nobody else's business.
        let task = Task {
            prompt: task.prompt.clone(),
            reference,
            metadata: task.metadata.clone(),
            ..Task::default()
        };
        Ok(Prepared::Completion(Box::new(Judge {
            spec: Arc::clone(&self.0),
            model: resources.reward_models.get(&self.0.model).cloned(),
            task: Arc::new(task),
        })))
    }
}

/// Asks about one task's completions.
struct Judge {
    spec: Arc<Spec>,
    model: Option<Arc<dyn RewardModel>>,
    task: Arc<Task>,
}

impl GradeCompletion for Judge {
    fn grade(&self, completion: &Completion) -> Result<Verdict, GradeError> {
        let name = &self.spec.model;
        let model = self.model.as_ref().ok_or_else(|| {
            let message = format!(
                "no reward model `{name}` is configured; add a section [reward_models.{name}] to the configuration"
            );
            GradeError::new(ErrorKind::ExternalUnavailable, message)
        })?;
        let item = RewardItem { task: Arc::clone(&self.task), completion: completion.clone() };
        let scores = model.score(&[item]).map_err(|error| failure(name, &error))?;
        let unreadable = |message: String| {
            GradeError::new(ErrorKind::ExternalUnreadable, format!("the reward model `{name}`: {message}"))
        };
        let [score] = scores[..] else {
            return Err(unreadable(format!("1 score was asked for, {} came", scores.len())));
        };
        let Some(raw) = score else {
            let message = format!("the reward model `{name}` gave this completion no score");
            return Err(GradeError::new(ErrorKind::ExternalUnavailable, message));
        };
        let scaled = raw * self.spec.scale + self.spec.offset;
        let [low, high] = self.spec.clip.unwrap_or([-MAX_SCORE, MAX_SCORE]);
        if !raw.is_finite() || !scaled.is_finite() {
            return Err(unreadable(format!("{raw} is no score")));
        }
        // Minus zero is a zero, and reads as one.
        let score = scaled.clamp(low, high) + 0.0;
        Ok(Verdict::new(score, Reason::ExternalScore)
            .with("model", name.as_str())
            .with("revision", model.revision())
            .with("raw", raw))
    }
}

fn failure(name: &str, error: &ModelError) -> GradeError {
    let (kind, message) = match error {
        ModelError::Unavailable(message) => (ErrorKind::ExternalUnavailable, message),
        ModelError::Unreadable(message) => (ErrorKind::ExternalUnreadable, message),
    };
    GradeError::new(kind, format!("the reward model `{name}`: {message}"))
}
