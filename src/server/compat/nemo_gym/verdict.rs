//! A verdict in the words of NeMo-Gym's verify response.

use graders::ErrorKind;
use serde_json::{Map, Value, json};

use super::WIRE;
use crate::server::compat::scoring::{Outcome, not_judged};

/// The longest reason of a failure, in bytes, as NeMo-Gym's own.
const MAX_REASON_BYTES: usize = 2000;

/// What became of a rollout.
#[derive(Debug)]
pub(super) struct Verdict {
    outcome: Outcome,
    failure: Option<Failure>,
}

/// Why there is no reward.
#[derive(Debug)]
struct Failure {
    /// A word of NeMo-Gym's vocabulary, or one of ours after `gavel:`.
    kind: &'static str,
    reason: String,
    /// Whether it will be the same the next time.
    terminal: bool,
}

impl Verdict {
    /// The verdict on a rollout; one whose response is missing was not `answered`, and nothing is measured by that.
    pub(super) fn new(outcome: Outcome, answered: bool) -> Self {
        let failure = if answered {
            outcome.reply.error.as_ref().map(|error| {
                let (kind, terminal) = named(error.kind);
                let mut reason = error.message.clone();
                reason.truncate(reason.floor_char_boundary(MAX_REASON_BYTES));
                Failure { kind, reason, terminal }
            })
        } else {
            let reason = "the request has no `response`: the agent gave none".to_owned();
            Some(Failure { kind: "agent_run_error", reason, terminal: false })
        };
        Self { outcome, failure }
    }

    /// Counts a rollout without a reward.
    pub(super) fn count(&self) {
        if self.failure.is_some() {
            not_judged(WIRE, self.outcome.reply.error.as_ref());
        }
    }

    /// Adds the verdict's fields; `number` is where there is no reward, or null.
    pub(super) fn write(self, reply: &mut Map<String, Value>, number: Option<f64>) {
        let Self { outcome, failure } = self;
        let masked = failure.is_some();
        let reward = if masked { number } else { outcome.reply.reward };
        let mut components = Map::new();
        for part in &outcome.reply.components {
            let score = part.score.filter(|_| !masked);
            // The components have to be numbers; the metrics of a run look at fields of the reply only.
            components.insert(part.name.clone(), score.or(number).unwrap_or(0.0).into());
            reply.insert(format!("score/{}", part.name), json!(score));
        }
        for stale in ["_ng_failure_class", "_ng_failure_judge_error", "_ng_failure_terminal"] {
            reply.remove(stale);
        }
        reply.insert("reward".to_owned(), json!(reward));
        reply.insert("mask_sample".to_owned(), masked.into());
        reply.insert("failure_kind".to_owned(), json!(failure.as_ref().map(|failure| failure.kind)));
        reply.insert("failure_reason".to_owned(), json!(failure.as_ref().map(|failure| &failure.reason)));
        reply.insert("reward_components".to_owned(), components.into());
        let more = json!({"components": outcome.reply.components, "provenance": outcome.provenance});
        reply.insert("gavel".to_owned(), more);
        let Some(failure) = failure else { return };
        // With this the collector writes the rollout to the file of failures and leaves it out of all means, also
        // where it knows nothing of `mask_sample`; it tries it again unless that is no use.
        reply.insert("_ng_failure_class".to_owned(), failure.kind.into());
        reply.insert("_ng_failure_judge_error".to_owned(), failure.reason.into());
        if failure.terminal {
            reply.insert("_ng_failure_terminal".to_owned(), true.into());
        }
        // Where NeMo-RL looked before there was a field for it.
        match reply.get_mut("instance_config") {
            Some(Value::Object(config)) => {
                config.insert("mask_sample".to_owned(), true.into());
            }
            _ => {
                reply.insert("instance_config".to_owned(), json!({"mask_sample": true}));
            }
        }
    }
}

/// NeMo-Gym's word for a failure, and whether it will be the same the next time.
fn named(kind: ErrorKind) -> (&'static str, bool) {
    match kind {
        ErrorKind::SandboxUnavailable => ("provider_unavailable", false),
        ErrorKind::SandboxFailed | ErrorKind::DependencyFailed | ErrorKind::Internal => {
            ("verifier_error", false)
        }
        ErrorKind::JudgeUnavailable
        | ErrorKind::JudgeUnreadable
        | ErrorKind::JudgeInconsistent
        | ErrorKind::ExternalUnavailable
        | ErrorKind::ExternalUnreadable => ("judge_failed", false),
        ErrorKind::Cancelled => ("cancelled", false),
        ErrorKind::DeadlineExceeded => ("gavel:deadline_exceeded", false),
        ErrorKind::InvalidReference => ("gavel:invalid_reference", true),
        ErrorKind::InvalidTask => ("gavel:invalid_task", true),
        ErrorKind::MissingLength => ("gavel:missing_length", true),
        ErrorKind::NothingToJudge => ("gavel:nothing_to_judge", true),
    }
}
