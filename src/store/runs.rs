//! Runs and their latches.

use std::collections::BTreeSet;

use sqlx::error::DatabaseError;

use super::Store;
use super::database::{Arg, Record};
use super::error::StoreError;
use super::name::Name;
use super::row::NO_STEP;
use super::types::{DEFAULT_PAGE, MAX_PAGE, Page, RunId, RunSummary, Timestamp};

/// How many groups one transaction of a deletion takes: appends wait for it, so it is kept short.
const DELETED_GROUPS: i64 = 32;
/// How many tasks one transaction looks through for those no group needs any more.
const SWEPT_TASKS: i64 = 1000;

impl Store {
    /// A page of the runs, the newest first, after the run `after`: the `next` of the page before.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database fails.
    pub async fn runs(
        &self,
        after: Option<RunId>,
        limit: Option<u32>,
    ) -> Result<Page<RunSummary, RunId>, StoreError> {
        let limit = limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE) as usize;
        let sql = "select run_id, name, created_at, updated_at, n_groups, n_completions, n_rewarded, reward_sum, \
                   last_step from run where deleted_at is null and run_id < $1 order by run_id desc limit $2";
        let before = after.map_or(i64::MAX, |run| run.0);
        let args = [Arg::Integer(before), Arg::Integer(limit as i64 + 1)];
        let records = self.database.read("list runs", sql, &args).await?;
        let items = records.iter().take(limit).map(summary).collect::<Result<Vec<_>, _>>()?;
        let next = if records.len() > limit { items.last().map(|run| run.id) } else { None };
        Ok(Page { items, next })
    }

    /// One run.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or [`StoreError::Unavailable`] when the database fails.
    pub async fn run(&self, name: &Name) -> Result<RunSummary, StoreError> {
        let sql = "select run_id, name, created_at, updated_at, n_groups, n_completions, n_rewarded, reward_sum, \
                   last_step from run where deleted_at is null and name = $1";
        let record = self.database.read_one("read a run", sql, &[Arg::Text(name.as_str())]).await?;
        record.as_ref().map(summary).ok_or_else(|| no_run(name))?
    }

    /// Deletes a run with all its groups. From the first moment nobody sees it any more; a process killed in
    /// the midst of the work goes on with it when the store is opened again.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or [`StoreError::Unavailable`] when the database fails.
    pub async fn delete_run(&self, name: &Name) -> Result<(), StoreError> {
        let sql = "update run set deleted_at = $1 where name = $2 and deleted_at is null returning run_id";
        let args = [Arg::Integer(Timestamp::now().0), Arg::Text(name.as_str())];
        let records = self.database.write("delete a run", sql, &args).await?;
        let run = RunId(records.first().ok_or_else(|| no_run(name))?.integer(0)?);
        self.purge(run).await
    }

    /// Goes on with deletions that a killed process left.
    pub(super) async fn resume_deletions(&self) -> Result<(), StoreError> {
        let sql = "select run_id from run where deleted_at is not null order by run_id";
        for record in self.database.read("read deleted runs", sql, &[]).await? {
            self.purge(RunId(record.integer(0)?)).await?;
        }
        Ok(())
    }

    /// Removes what a deleted run holds, in short transactions of which each can be the last.
    async fn purge(&self, run: RunId) -> Result<(), StoreError> {
        let action = "delete a run's groups";
        let sql = "delete from \"group\" where group_id in \
                   (select group_id from \"group\" where run_id = $1 order by group_id limit $2)";
        let args = [Arg::Integer(run.0), Arg::Integer(DELETED_GROUPS)];
        while self.database.execute(action, sql, &args).await? > 0 {}
        self.sweep_tasks().await?;
        self.database.execute(action, "delete from run where run_id = $1", &[Arg::Integer(run.0)]).await?;
        Ok(())
    }

    /// Removes the tasks no group refers to.
    async fn sweep_tasks(&self) -> Result<(), StoreError> {
        let action = "delete unused tasks";
        let mut after = 0;
        loop {
            let sql = "select max(task_id) from (select task_id from task where task_id > $1 \
                       order by task_id limit $2) as page";
            let args = [Arg::Integer(after), Arg::Integer(SWEPT_TASKS)];
            let record = self.database.read_one(action, sql, &args).await?;
            let Some(last) = record.map(|record| record.integer_or_null(0)).transpose()?.flatten() else {
                return Ok(());
            };
            let sql = "delete from task where task_id > $1 and task_id <= $2 and not exists \
                       (select 1 from \"group\" where \"group\".task_id = task.task_id)";
            let args = [Arg::Integer(after), Arg::Integer(last)];
            match self.database.execute(action, sql, &args).await {
                // Another server has just begun to use one of them again; the rest wait for the next deletion.
                Err(StoreError::Unavailable { source, .. })
                    if source.as_database_error().is_some_and(DatabaseError::is_foreign_key_violation) => {}
                answer => drop(answer?),
            }
            after = last;
        }
    }

    /// What became true of the run and stays so. Empty for a run that is not there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database fails.
    pub async fn latches(&self, run: &Name) -> Result<BTreeSet<String>, StoreError> {
        let sql = "select latch.name from latch join run on run.run_id = latch.run_id \
                   where run.name = $1 and run.deleted_at is null";
        let records = self.database.read("read latches", sql, &[Arg::Text(run.as_str())]).await?;
        records.iter().map(|record| record.text(0)).collect()
    }

    /// Notes that `latch` became true of the run, which is made if it is not there. Returns whether that is
    /// news.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database fails.
    pub async fn set_latch(&self, run: &Name, latch: &Name) -> Result<bool, StoreError> {
        let now = Arg::Integer(Timestamp::now().0);
        let sql = "insert into run (name, created_at, updated_at) values ($1, $2, $2) \
                   on conflict (name) where deleted_at is null do nothing";
        self.database.execute("make a run", sql, &[Arg::Text(run.as_str()), now]).await?;
        let sql = "insert into latch (run_id, name, created_at) \
                   select run_id, $2, $3 from run where name = $1 and deleted_at is null \
                   on conflict (run_id, name) do nothing";
        let args = [Arg::Text(run.as_str()), Arg::Text(latch.as_str()), now];
        Ok(self.database.execute("set a latch", sql, &args).await? > 0)
    }

    /// The key of a run.
    pub(super) async fn run_id(&self, name: &Name) -> Result<RunId, StoreError> {
        let sql = "select run_id from run where name = $1 and deleted_at is null";
        let record = self.database.read_one("find a run", sql, &[Arg::Text(name.as_str())]).await?;
        Ok(RunId(record.ok_or_else(|| no_run(name))?.integer(0)?))
    }
}

fn no_run(name: &Name) -> StoreError {
    StoreError::NotFound { what: "run", name: name.to_string() }
}

fn summary(record: &Record) -> Result<RunSummary, StoreError> {
    let n_rewarded = record.count(6)?;
    let reward_sum = record.real(7)?;
    let last_step = record.integer(8)?;
    debug_assert!(last_step >= NO_STEP, "a step is below -1");
    Ok(RunSummary {
        id: RunId(record.integer(0)?),
        name: record.text(1)?,
        created_at: record.timestamp(2)?,
        updated_at: record.timestamp(3)?,
        n_groups: record.count(4)?,
        n_completions: record.count(5)?,
        n_rewarded,
        reward_mean: (n_rewarded > 0).then(|| reward_sum / n_rewarded as f64),
        last_step: record.step(8)?,
    })
}
