//! What a run did, step by step. Reads what groups add up to, never completions.

use std::collections::BTreeMap;

use super::Store;
use super::database::{Arg, Record};
use super::error::StoreError;
use super::name::Name;
use super::row::NO_STEP;
use super::types::{MAX_STEPS, MetricsQuery, StepMetrics};

/// One row for a step. The second part of the variance is how far the groups' means lie from the step's.
const STEPS: &str = "\
    with total as (
        select step,
            count(*) as n_groups,
            sum(n_completions) as n_completions,
            sum(n_rewarded) as n_rewarded,
            sum(reward_mean * n_rewarded) / nullif(sum(n_rewarded), 0) as reward_mean,
            sum(case when n_rewarded > 1 then 1 else 0 end) as n_compared,
            sum(case when n_rewarded > 1 and reward_min = reward_max then 1 else 0 end) as n_equal,
            sum(n_right_counted) as n_right,
            sum(right_tokens) as right_tokens,
            sum(n_wrong_counted) as n_wrong,
            sum(wrong_tokens) as wrong_tokens
        from \"group\" where run_id = $1 and step >= $2
        group by step order by step limit $3
    )
    select total.step, n_groups, cast(total.n_completions as bigint), cast(total.n_rewarded as bigint),
        total.reward_mean,
        (select sum(g.reward_m2 + g.n_rewarded * (g.reward_mean - total.reward_mean)
                                              * (g.reward_mean - total.reward_mean))
         from \"group\" as g where g.run_id = $1 and g.step = total.step and g.n_rewarded > 0),
        cast(n_compared as bigint), cast(n_equal as bigint), cast(n_right as bigint), cast(right_tokens as bigint),
        cast(n_wrong as bigint), cast(wrong_tokens as bigint)
    from total order by total.step";

/// One row for a step's component, in the rubric's order.
const COMPONENTS: &str = "\
    select g.step, c.name, sum(c.score_sum) / nullif(sum(c.n_scored), 0), min(c.position) as place
    from \"group\" as g join group_component as c on c.group_id = g.group_id
    where g.run_id = $1 and g.step >= $2 and g.step <= $3
    group by g.step, c.name order by g.step, place, c.name";

impl Store {
    /// The run's metrics, a row for each step in rising order.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such run, [`StoreError::Unavailable`] when the database fails.
    pub async fn metrics(&self, run: &Name, query: MetricsQuery) -> Result<Vec<StepMetrics>, StoreError> {
        let action = "read metrics";
        let run = self.run_id(run).await?;
        let from = match query.from_step {
            None => NO_STEP,
            Some(step) => i64::try_from(step).unwrap_or(i64::MAX),
        };
        let limit = query.limit.unwrap_or(MAX_STEPS).clamp(1, MAX_STEPS);
        let args = [Arg::Integer(run.0), Arg::Integer(from), Arg::Integer(limit.into())];
        let records = self.database.read(action, STEPS, &args).await?;
        let Some(last) = records.last() else { return Ok(Vec::new()) };

        let args = [Arg::Integer(run.0), Arg::Integer(from), Arg::Integer(last.integer(0)?)];
        let mut components: BTreeMap<Option<u64>, Vec<(String, Option<f64>)>> = BTreeMap::new();
        for record in self.database.read(action, COMPONENTS, &args).await? {
            let mean = (record.text(1)?, record.real_or_null(2)?);
            components.entry(record.step(0)?).or_default().push(mean);
        }
        records
            .iter()
            .map(|record| {
                let step = step_metrics(record)?;
                Ok(StepMetrics { components: components.remove(&step.step).unwrap_or_default(), ..step })
            })
            .collect()
    }
}

fn step_metrics(record: &Record) -> Result<StepMetrics, StoreError> {
    let (n_completions, n_rewarded) = (record.count(2)?, record.count(3)?);
    let variance = record.real_or_null(5)?.filter(|_| n_rewarded > 0).map(|m2| m2 / n_rewarded as f64);
    Ok(StepMetrics {
        step: record.step(0)?,
        n_groups: record.count(1)?,
        n_completions,
        reward_mean: record.real_or_null(4)?,
        reward_std: variance.map(f64::sqrt),
        components: Vec::new(),
        null_fraction: ratio(n_completions.saturating_sub(n_rewarded), n_completions).unwrap_or_default(),
        zero_variance_fraction: ratio(record.count(7)?, record.count(6)?),
        right_tokens_mean: ratio(record.count(9)?, record.count(8)?),
        wrong_tokens_mean: ratio(record.count(11)?, record.count(10)?),
    })
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
