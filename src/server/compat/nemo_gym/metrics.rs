//! `/aggregate_metrics`: what a run's rollouts say together, under NeMo-Gym's names.
//!
//! The numbers are those of `compute_aggregate_metrics` and `compute_pass_majority_metrics` in
//! `nemo_gym/reward_profile.py` of 0.7.0, without its histograms and its confidence intervals. Masked rollouts are in
//! no mean; how many they are is said.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::table::{self, Column, ROLLOUT, Rollout, TASK};

/// The largest k of pass@k; a run of more rollouts per task says nothing of larger ones.
const MAX_K: usize = 256;

/// The reply to verify responses.
pub(super) fn aggregated(rows: &[Map<String, Value>]) -> Value {
    let is_masked = |row: &&Map<String, Value>| truthy(row.get("mask_sample"));
    let rollouts: Vec<Rollout> = rows.iter().filter(|row| !is_masked(row)).map(Rollout::new).collect();
    let coverage = coverage(rows, &rollouts);
    if rollouts.is_empty() {
        return json!({
            "group_level_metrics": [], "agent_metrics": coverage, "key_metrics": coverage,
            "perf_summary": null, "repeat_level_metrics": [],
        });
    }
    let all: Vec<&Rollout> = rollouts.iter().collect();
    let by_task = grouped(&all, |rollout| rollout.task);
    let groups: Vec<Value> = by_task.iter().map(|(task, group)| of_task(*task, group)).collect();
    let repeats = repeats(&all, by_task.len());
    let mut agent = described(&all);
    agent.extend(across_repeats(&repeats));
    agent.extend(coverage.clone());
    let mut key: Map<String, Value> =
        agent.iter().filter(|(name, _)| name.starts_with("mean/")).map(owned).collect();
    let n_repeats = rows.iter().map(|row| table::index(row, ROLLOUT)).collect::<BTreeSet<_>>().len();
    agent.insert("num_repeats".to_owned(), n_repeats.into());
    let (passed, headline) = pass_at(by_task.values());
    agent.extend(passed);
    key.extend(headline);
    key.extend(coverage);
    json!({
        "group_level_metrics": groups, "agent_metrics": agent, "key_metrics": key,
        "perf_summary": null, "repeat_level_metrics": repeats,
    })
}

/// As Python sees it.
fn truthy(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::Bool(yes)) => *yes,
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(fields)) => !fields.is_empty(),
    }
}

fn owned((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

fn grouped<'a>(rollouts: &[&'a Rollout], by: impl Fn(&Rollout) -> i64) -> BTreeMap<i64, Vec<&'a Rollout>> {
    let mut groups: BTreeMap<i64, Vec<&Rollout>> = BTreeMap::new();
    for rollout in rollouts {
        groups.entry(by(rollout)).or_default().push(rollout);
    }
    groups
}

/// How much of the run was measured; nothing where all was.
fn coverage(rows: &[Map<String, Value>], measured: &[Rollout]) -> Map<String, Value> {
    if rows.len() == measured.len() {
        return Map::new();
    }
    let tasks = rows.iter().map(|row| table::index(row, TASK)).collect::<BTreeSet<_>>().len();
    let measured_tasks = measured.iter().map(|rollout| rollout.task).collect::<BTreeSet<_>>().len();
    [
        ("coverage/measured_rollouts", measured.len()),
        ("coverage/masked_rollouts", rows.len() - measured.len()),
        ("coverage/measured_tasks", measured_tasks),
        ("coverage/fully_masked_tasks", tasks - measured_tasks),
    ]
    .into_iter()
    .map(|(name, n)| (name.to_owned(), n.into()))
    .collect()
}

/// Each of the rollouts' numbers described. A deviation is 0 where no number occurs twice; where some do, those that
/// do not have none.
fn described(rollouts: &[&Rollout]) -> Map<String, Value> {
    let columns: Vec<(&str, Column)> = table::names(rollouts)
        .into_iter()
        .filter_map(|name| Some((name, Column::of(rollouts, name)?)))
        .collect();
    let single = columns.iter().all(|(_, column)| column.len() < 2);
    let mut all = Map::new();
    for (name, column) in columns {
        let zero = (single && column.len() == rollouts.len()).then_some(0.0);
        let stats = [
            ("mean", Some(column.mean())),
            ("max", Some(column.max())),
            ("min", Some(column.min())),
            ("median", Some(column.quantile(0.5))),
            ("std", column.std().or(zero)),
        ];
        let stats = stats.into_iter().filter_map(|(stat, value)| Some((stat, value?)));
        all.extend(stats.map(|(stat, value)| (format!("{stat}/{name}"), value.into())));
    }
    all
}

fn of_task(task: i64, rollouts: &[&Rollout]) -> Value {
    let mut infos: Vec<(i64, Value)> =
        rollouts.iter().map(|rollout| (rollout.index, info(rollout))).collect();
    infos.sort_by_key(|(index, _)| *index);
    let infos: Vec<Value> = infos.into_iter().map(|(_, info)| info).collect();
    let mut group = described(rollouts);
    let more = json!({
        TASK: task, "sample": {"agent_ref": {"name": "agent"}}, "num_rollouts": rollouts.len(),
        "expected_num_rollouts": rollouts.len(), "missing_num_rollouts": 0,
        "reward_profile_completion_pct": 100.0, "rollout_infos": infos,
    });
    group.extend(more.as_object().into_iter().flatten().map(owned));
    group.into()
}

fn info(rollout: &Rollout) -> Value {
    let id = format!("{}:{}", rollout.task, rollout.index);
    let mut info: Map<String, Value> =
        rollout.numbers.iter().map(|(name, value)| (name.clone(), (*value).into())).collect();
    info.insert("rollout_id".to_owned(), id.into());
    info.insert(TASK.to_owned(), rollout.task.into());
    info.insert(ROLLOUT.to_owned(), rollout.index.into());
    info.into()
}

/// One entry for each time that the tasks were gone through, where that was more than once.
fn repeats(rollouts: &[&Rollout], n_tasks: usize) -> Vec<Map<String, Value>> {
    let by_index = grouped(rollouts, |rollout| rollout.index);
    if by_index.len() < 2 {
        return Vec::new();
    }
    by_index.into_iter().map(|(index, group)| of_repeat(index, &group, n_tasks)).collect()
}

fn of_repeat(index: i64, rollouts: &[&Rollout], n_tasks: usize) -> Map<String, Value> {
    let n_here = rollouts.iter().map(|rollout| rollout.task).collect::<BTreeSet<_>>().len();
    let mut entry = Map::new();
    entry.insert(ROLLOUT.to_owned(), index.into());
    entry.insert("sample_count".to_owned(), n_here.into());
    entry.insert("missing_count".to_owned(), (n_tasks - n_here).into());
    for name in table::names(rollouts) {
        let Some(column) = Column::of(rollouts, name) else { continue };
        let std = column.std().unwrap_or(0.0);
        let stats = [
            ("mean", column.mean()),
            ("median", column.quantile(0.5)),
            ("std", std),
            ("sem", std / (column.len() as f64).sqrt()),
            ("min", column.min()),
            ("max", column.max()),
            ("p25", column.quantile(0.25)),
            ("p75", column.quantile(0.75)),
        ];
        entry.extend(stats.map(|(stat, value)| (format!("{stat}/{name}"), value.into())));
    }
    entry
}

/// How the means of the repeats spread.
fn across_repeats(repeats: &[Map<String, Value>]) -> Map<String, Value> {
    let names: BTreeSet<&String> =
        repeats.iter().flat_map(Map::keys).filter(|name| name.starts_with("mean/")).collect();
    let mut all = Map::new();
    for name in names {
        let means = repeats.iter().filter_map(|repeat| repeat.get(name)?.as_f64()).collect();
        let Some(column) = Column::new(means) else { continue };
        let std = column.std().unwrap_or(0.0);
        let stats = [
            ("mean", column.mean()),
            ("median", column.quantile(0.5)),
            ("std", std),
            ("min", column.min()),
            ("max", column.max()),
            ("se", std / (column.len() as f64).sqrt()),
        ];
        all.extend(stats.map(|(stat, value)| (format!("{stat}_across_repeats/{name}"), value.into())));
    }
    all
}

/// `pass@k` and `pass@1[avg-of-k]` of the rewards in percent, and those of the largest k.
fn pass_at<'a>(
    tasks: impl Iterator<Item = &'a Vec<&'a Rollout>>,
) -> (Map<String, Value>, Map<String, Value>) {
    let rewards = |rollouts: &Vec<&Rollout>| -> Vec<f64> {
        rollouts.iter().filter_map(|rollout| rollout.numbers.get("reward").copied()).collect()
    };
    let tasks: Vec<Vec<f64>> = tasks.map(rewards).filter(|rewards| !rewards.is_empty()).collect();
    let n_most = tasks.iter().map(Vec::len).max().unwrap_or(0).min(MAX_K);
    let run = |index: usize| {
        mean(tasks.iter().filter_map(|rewards| rewards.get(index)).copied()).map(|mean| 100.0 * mean)
    };
    let runs: Vec<f64> = (0..n_most).filter_map(run).collect();
    let (mut all, mut headline) = (Map::new(), Map::new());
    for k in 1..=n_most {
        let passed = mean(tasks.iter().filter(|rewards| rewards.len() >= k).map(|rewards| pass(rewards, k)));
        let average = mean(tasks.iter().filter_map(|rewards| mean(rewards.iter().take(k).copied())));
        let values =
            [(format!("pass@{k}/accuracy"), passed), (format!("pass@1[avg-of-{k}]/accuracy"), average)];
        for (name, value) in values {
            let Some(value) = value else { continue };
            if k == n_most {
                headline.insert(name.clone(), (100.0 * value).into());
            }
            all.insert(name, (100.0 * value).into());
        }
        let column = Column::new(runs.iter().take(k).copied().collect());
        let Some((std, n)) = column.and_then(|column| Some((column.std()?, column.len()))) else { continue };
        all.insert(format!("pass@1[avg-of-{k}]/accuracy/std_dev_across_runs"), std.into());
        all.insert(
            format!("pass@1[avg-of-{k}]/accuracy/std_err_across_runs"),
            (std / (n as f64).sqrt()).into(),
        );
    }
    (all, headline)
}

fn mean(numbers: impl Iterator<Item = f64>) -> Option<f64> {
    let (n, sum) = numbers.fold((0_usize, 0.0), |(n, sum), number| (n + 1, sum + number));
    (n > 0).then(|| sum / n as f64)
}

/// The chance that one of `k` rollouts drawn from these passes (Chen et al. 2021, equation 1); where rewards are not 0
/// or 1 the best of the first `k`.
#[expect(clippy::float_cmp, reason = "rewards that are 0 or 1 are so exactly")]
fn pass(rewards: &[f64], k: usize) -> f64 {
    if rewards.iter().any(|reward| *reward != 0.0 && *reward != 1.0) {
        return rewards.iter().take(k).copied().fold(f64::NEG_INFINITY, f64::max);
    }
    let n = rewards.len();
    let n_wrong = rewards.iter().filter(|reward| **reward == 0.0).count();
    if n_wrong < k {
        return 1.0;
    }
    // C(wrong, k) / C(n, k), factor by factor so that nothing overflows.
    1.0 - (0..k).map(|i| (n_wrong - i) as f64 / (n - i) as f64).product::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(value: &Value, expected: f64) -> bool {
        value.as_f64().is_some_and(|value| (value - expected).abs() < 1e-9)
    }

    fn row(task: i64, rollout: i64, reward: f64, masked: bool) -> Map<String, Value> {
        let row = json!({TASK: task, ROLLOUT: rollout, "reward": reward, "mask_sample": masked, "solved": reward > 0.5,
            "response": {"usage": {"output_tokens": 10}}});
        row.as_object().unwrap().clone()
    }

    #[test]
    fn nothing_is_nothing() {
        let empty = json!({"group_level_metrics": [], "agent_metrics": {}, "key_metrics": {}, "perf_summary": null,
            "repeat_level_metrics": []});
        assert_eq!(aggregated(&[]), empty);
        let reply = aggregated(&[row(3, 0, 0.0, true)]);
        assert_eq!(reply["agent_metrics"]["coverage/fully_masked_tasks"], 1);
        assert!(reply["key_metrics"].get("mean/reward").is_none());
    }

    #[test]
    fn masked_rollouts_are_in_no_mean() {
        let rows =
            [row(0, 0, 1.0, false), row(0, 1, 0.0, false), row(1, 0, 1.0, false), row(1, 1, 0.0, true)];
        let reply = aggregated(&rows);
        let agent = &reply["agent_metrics"];
        assert!(
            close(&agent["mean/reward"], 2.0 / 3.0) && close(&agent["std/reward"], (1.0_f64 / 3.0).sqrt())
        );
        assert!(close(&agent["pass@1/accuracy"], 75.0) && close(&agent["pass@2/accuracy"], 100.0));
        assert!(close(&agent["pass@1[avg-of-2]/accuracy"], 75.0));
        assert_eq!(agent["coverage/masked_rollouts"], 1);
        assert_eq!(agent["num_repeats"], 2);
        assert!(agent.get("mean/mask_sample").is_none() && close(&agent["mean/output_tokens"], 10.0));
        assert!(close(&agent["mean_across_repeats/mean/reward"], 0.5));
        let groups = reply["group_level_metrics"].as_array().unwrap();
        assert_eq!((groups.len(), &groups[1]["num_rollouts"], &groups[1][TASK]), (2, &json!(1), &json!(1)));
        assert_eq!(groups[1]["std/reward"], 0.0);
        assert_eq!(reply["repeat_level_metrics"][1]["missing_count"], 1);
        assert!(close(&reply["key_metrics"]["pass@2/accuracy"], 100.0));
    }

    #[test]
    fn pass_at_k_is_the_share_of_draws() {
        for (rewards, k, expected) in [
            (&[1.0, 0.0, 0.0, 0.0][..], 2, 0.5),
            (&[1.0, 1.0, 0.0, 0.0], 2, 5.0 / 6.0),
            (&[0.0, 0.0], 2, 0.0),
            (&[0.25, 0.5, 0.75], 2, 0.5),
        ] {
            assert!((pass(rewards, k) - expected).abs() < 1e-12, "{rewards:?}");
        }
    }
}
