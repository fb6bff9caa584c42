//! Groups: pages of a run's groups, and one group whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use graders::{Completion, ComponentReward, GradeError, Reason, Reward, RewardError, Task, Verdict};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as ValueError, StrDeserializer};

use super::Store;
use super::database::{Arg, Record};
use super::error::StoreError;
use super::name::Name;
use super::row::{ErrorBody, NO_STEP};
use super::types::{
    DEFAULT_PAGE, GroupId, GroupQuery, GroupSummary, MAX_PAGE, Page, RubricRecord, ScoredCompletion,
    ScoredGroup, StoredGroup,
};

impl Store {
    /// A page of a run's groups, in the order they came.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such run, [`StoreError::Unavailable`] when the database fails.
    pub async fn groups(
        &self,
        run: &Name,
        query: GroupQuery,
    ) -> Result<Page<GroupSummary, GroupId>, StoreError> {
        let run = self.run_id(run).await?;
        let limit = query.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE) as usize;
        let after = Arg::Integer(query.after.map_or(0, |group| group.0));
        let fetched = Arg::Integer(limit as i64 + 1);
        let records = match query.step {
            None => {
                let sql = "select g.group_id, g.caller_id, g.step, g.created_at, r.hash, r.name, g.n_completions, \
                           g.n_rewarded, g.reward_mean, g.reward_m2, g.reward_min, g.reward_max \
                           from \"group\" as g join rubric as r on r.rubric_id = g.rubric_id \
                           where g.run_id = $1 and g.group_id > $2 order by g.group_id limit $3";
                self.database.read("list groups", sql, &[Arg::Integer(run.0), after, fetched]).await?
            }
            Some(step) => {
                let sql = "select g.group_id, g.caller_id, g.step, g.created_at, r.hash, r.name, g.n_completions, \
                           g.n_rewarded, g.reward_mean, g.reward_m2, g.reward_min, g.reward_max \
                           from \"group\" as g join rubric as r on r.rubric_id = g.rubric_id \
                           where g.run_id = $1 and g.group_id > $2 and g.step = $4 order by g.group_id limit $3";
                let step = Arg::Integer(i64::try_from(step).unwrap_or(i64::MAX));
                self.database.read("list groups", sql, &[Arg::Integer(run.0), after, fetched, step]).await?
            }
        };
        let items = records.iter().take(limit).map(summary).collect::<Result<Vec<_>, _>>()?;
        let next = if records.len() > limit { items.last().map(|group| group.id) } else { None };
        Ok(Page { items, next })
    }

    /// One group, whole.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or [`StoreError::Unavailable`] when the database fails.
    pub async fn group(&self, id: GroupId) -> Result<StoredGroup, StoreError> {
        let action = "read a group";
        let key = [Arg::Integer(id.0)];
        let sql = "select g.group_id, g.created_at, run.name, g.step, g.caller_id, task.body, r.hash, r.name, r.body, \
                   g.reference_hash, g.grader_versions \
                   from \"group\" as g join run on run.run_id = g.run_id join task on task.task_id = g.task_id \
                   join rubric as r on r.rubric_id = g.rubric_id \
                   where g.group_id = $1 and run.deleted_at is null";
        let record = self.database.read_one(action, sql, &key).await?;
        let record = record.ok_or_else(|| StoreError::NotFound { what: "group", name: id.to_string() })?;

        let sql = "select c.completion_id, p.name, p.weight, p.score, p.reason, p.error, p.detail \
                   from completion as c join component as p on p.completion_id = c.completion_id \
                   where c.group_id = $1 order by c.position, p.position";
        let mut names = Names::default();
        let mut components: BTreeMap<i64, Vec<ComponentReward>> = BTreeMap::new();
        for record in self.database.read(action, sql, &key).await? {
            components.entry(record.integer(0)?).or_default().push(component(&record, &mut names)?);
        }

        let sql = "select completion_id, reward, advantage, error, n_tokens, finish_reason, caller_id, text \
                   from completion where group_id = $1 order by position";
        let records = self.database.read(action, sql, &key).await?;
        let completions = records
            .iter()
            .map(|record| completion(record, components.remove(&record.integer(0)?).unwrap_or_default()))
            .collect::<Result<Vec<_>, _>>()?;
        stored_group(&record, completions)
    }
}

fn summary(record: &Record) -> Result<GroupSummary, StoreError> {
    let n_rewarded = record.count(7)?;
    let m2 = record.real(9)?;
    Ok(GroupSummary {
        id: GroupId(record.integer(0)?),
        caller_id: record.free_text_or_null(1)?,
        step: record.step(2)?,
        created_at: record.timestamp(3)?,
        rubric_hash: record.text(4)?,
        rubric_name: record.text_or_null(5)?,
        n_completions: record.count(6)?,
        n_rewarded,
        reward_mean: record.real_or_null(8)?,
        reward_std: (n_rewarded > 0).then(|| (m2 / n_rewarded as f64).sqrt()),
        reward_min: record.real_or_null(10)?,
        reward_max: record.real_or_null(11)?,
    })
}

fn stored_group(record: &Record, completions: Vec<ScoredCompletion>) -> Result<StoredGroup, StoreError> {
    debug_assert!(record.integer(3).is_ok_and(|step| step >= NO_STEP), "a step is below -1");
    Ok(StoredGroup {
        id: GroupId(record.integer(0)?),
        created_at: record.timestamp(1)?,
        group: ScoredGroup {
            run: Name::parse("run", record.text(2)?).map_err(|error| StoreError::corrupt("run", error))?,
            step: record.step(3)?,
            id: record.free_text_or_null(4)?,
            task: record.json::<Task>("task", 5)?,
            rubric: Arc::new(RubricRecord {
                hash: record.text(6)?,
                name: record.text_or_null(7)?,
                body: record.json("rubric", 8)?,
            }),
            reference_hash: record.text(9)?,
            grader_versions: record.json("map of grader versions", 10)?,
            completions,
        },
    })
}

fn completion(record: &Record, components: Vec<ComponentReward>) -> Result<ScoredCompletion, StoreError> {
    let total = match (record.real_or_null(1)?, record.json_or_null::<ErrorBody>("reward error", 3)?) {
        (Some(total), None) => Ok(total),
        (None, Some(error)) => Err(RewardError::from(error)),
        _ => return Err(StoreError::corrupt("completion", "it has neither a reward nor an error, or both")),
    };
    let n_tokens = record.integer_or_null(4)?.map(u32::try_from).transpose();
    Ok(ScoredCompletion {
        completion: Completion {
            id: record.free_text_or_null(6)?,
            text: record.free_text(7)?,
            n_tokens: n_tokens.map_err(|error| StoreError::corrupt("number of tokens", error))?,
            finish_reason: record.free_text_or_null(5)?,
        },
        reward: Reward { total, components },
        advantage: record.real_or_null(2)?,
    })
}

fn component(record: &Record, names: &mut Names) -> Result<ComponentReward, StoreError> {
    let reason = record.text_or_null(4)?;
    let outcome = match (reason, record.json_or_null::<GradeError>("grading error", 5)?) {
        (Some(reason), None) => Ok(Verdict {
            score: record.real_or_null(3)?,
            reason: reason_named(&reason)?,
            detail: record.json_or_null("detail", 6)?.unwrap_or_default(),
        }),
        (None, Some(error)) => Err(error),
        _ => return Err(StoreError::corrupt("component", "it has neither a reason nor an error, or both")),
    };
    Ok(ComponentReward { name: names.shared(&record.text(1)?), weight: record.real(2)?, outcome })
}

fn reason_named(name: &str) -> Result<Reason, StoreError> {
    let deserializer: StrDeserializer<'_, ValueError> = name.into_deserializer();
    Reason::deserialize(deserializer).map_err(|error| StoreError::corrupt("reason", error))
}

/// A group's component names, each once in memory, as when it was scored.
#[derive(Default)]
struct Names(Vec<Arc<str>>);

impl Names {
    fn shared(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.iter().find(|known| &***known == name) {
            return known.clone();
        }
        let name: Arc<str> = name.into();
        self.0.push(name.clone());
        name
    }
}
