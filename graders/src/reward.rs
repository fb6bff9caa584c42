//! A reward: the total and the parts it came from. The sum never travels without its parts.

use std::sync::Arc;

use crate::error::{ErrorKind, GradeError};
use crate::verdict::Verdict;

/// What one completion earned.
#[derive(Clone, Debug, PartialEq)]
pub struct Reward {
    /// The combined reward, finite; or why there is none.
    pub total: Result<f64, RewardError>,
    /// One for each component of the rubric, in its order, whatever happened.
    pub components: Vec<ComponentReward>,
}

/// One component's part in a reward.
#[derive(Clone, Debug, PartialEq)]
pub struct ComponentReward {
    /// The component's name in the rubric.
    pub name: Arc<str>,
    /// The weight that was in force.
    pub weight: f64,
    /// The grader's verdict, or what kept it from judging.
    pub outcome: Result<Verdict, GradeError>,
}

/// Why a completion has no reward.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{component}: {kind}: {message}")]
pub struct RewardError {
    /// The component that could not judge.
    pub component: Arc<str>,
    /// What failed.
    pub kind: ErrorKind,
    /// What happened, and what to do about it.
    pub message: String,
}
