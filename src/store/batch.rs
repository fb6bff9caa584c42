//! What both databases prepare the same way before a batch is inserted.

use std::collections::BTreeMap;

use super::row::{GroupRow, NO_STEP};

/// What a batch adds to one run.
#[derive(Debug)]
pub(super) struct RunDelta {
    pub(super) n_groups: i64,
    pub(super) n_completions: i64,
    pub(super) n_rewarded: i64,
    pub(super) reward_sum: f64,
    pub(super) last_step: i64,
}

/// What a batch adds to each run. In the order of names, as all that a batch looks up: two processes that lock
/// the same rows lock them in the same order and cannot deadlock.
pub(super) fn run_deltas<'a>(groups: &[&'a GroupRow]) -> BTreeMap<&'a str, RunDelta> {
    let mut deltas = BTreeMap::new();
    for group in groups {
        let delta = deltas.entry(group.run.as_str()).or_insert(RunDelta {
            n_groups: 0,
            n_completions: 0,
            n_rewarded: 0,
            reward_sum: 0.0,
            last_step: NO_STEP,
        });
        delta.n_groups += 1;
        delta.n_completions += group.completions.len() as i64;
        delta.n_rewarded += group.stats.n_rewarded;
        delta.reward_sum += group.stats.reward_mean.unwrap_or_default() * group.stats.n_rewarded as f64;
        delta.last_step = delta.last_step.max(group.step);
    }
    deltas
}

/// The batch's tasks, each once, by hash.
pub(super) fn tasks<'a>(groups: &[&'a GroupRow]) -> BTreeMap<&'a [u8; 32], &'a str> {
    groups.iter().map(|group| (&group.task_hash, group.task_body.as_str())).collect()
}

/// The batch's rubrics, each once, by hash.
pub(super) fn rubrics<'a>(groups: &[&'a GroupRow]) -> BTreeMap<&'a str, &'a GroupRow> {
    // The first request's name for it is kept.
    groups.iter().rev().map(|group| (group.rubric.hash.as_str(), *group)).collect()
}

/// The keys that a batch's rows refer to.
#[derive(Debug, Default)]
pub(super) struct Keys<'a> {
    pub(super) runs: BTreeMap<&'a str, i64>,
    pub(super) tasks: BTreeMap<&'a [u8; 32], i64>,
    pub(super) rubrics: BTreeMap<&'a str, i64>,
}

impl Keys<'_> {
    /// The keys of the group's run, task and rubric.
    pub(super) fn of(&self, group: &GroupRow) -> Result<(i64, i64, i64), sqlx::Error> {
        let run = self.runs.get(group.run.as_str());
        let task = self.tasks.get(&group.task_hash);
        let rubric = self.rubrics.get(group.rubric.hash.as_str());
        match (run, task, rubric) {
            (Some(run), Some(task), Some(rubric)) => Ok((*run, *task, *rubric)),
            _ => Err(sqlx::Error::RowNotFound),
        }
    }
}

/// Makes the run, or adds to it. Arguments: name, now, groups, completions, rewarded, reward sum, last step.
pub(super) const UPSERT_RUN: &str = "\
    insert into run (name, created_at, updated_at, n_groups, n_completions, n_rewarded, reward_sum, last_step)
    values ($1, $2, $2, $3, $4, $5, $6, $7)
    on conflict (name) where deleted_at is null do update set
        updated_at = excluded.updated_at,
        n_groups = run.n_groups + excluded.n_groups,
        n_completions = run.n_completions + excluded.n_completions,
        n_rewarded = run.n_rewarded + excluded.n_rewarded,
        reward_sum = run.reward_sum + excluded.reward_sum,
        last_step = case when run.last_step > excluded.last_step then run.last_step else excluded.last_step end
    returning run_id";
