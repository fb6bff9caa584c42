//! Metrics of the grading itself. Labels are closed sets: grader types and reasons, never a caller's words.

use std::collections::BTreeMap;
use std::time::Instant;

use graders::Rubric;

use super::types::GroupReply;

/// Counts what was answered.
pub fn replies(groups: &[GroupReply], rubric: &Rubric, started: Instant) {
    let mut verdicts: BTreeMap<(&'static str, &str), u64> = BTreeMap::new();
    let mut errors: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut n_completions = 0;
    let mut n_malformed = 0;
    for group in groups {
        n_completions += group.rewards.len() as u64;
        n_malformed += u64::from(group.error.is_some());
        for reward in &group.rewards {
            if let Some(error) = &reward.error {
                *errors.entry(error.kind.name()).or_default() += 1;
            }
            for (component, reply) in rubric.components().iter().zip(&reward.components) {
                *verdicts.entry((component.grader.kind(), reply.reason.as_str())).or_default() += 1;
            }
        }
    }
    metrics::counter!("gavel_completions_total").increment(n_completions);
    metrics::counter!("gavel_groups_total").increment(groups.len() as u64);
    metrics::counter!("gavel_malformed_groups_total").increment(n_malformed);
    for ((grader, reason), n) in verdicts {
        metrics::counter!("gavel_verdicts_total", "grader" => grader, "reason" => reason.to_owned())
            .increment(n);
    }
    for (kind, n) in errors {
        metrics::counter!("gavel_unjudged_total", "kind" => kind).increment(n);
    }
    metrics::histogram!("gavel_grade_seconds").record(started.elapsed().as_secs_f64());
}
