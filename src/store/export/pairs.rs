//! The form `pairs`: best and worst of each group.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::line::reply;
use super::{Reader, Scope, task_of};
use crate::store::database::Arg;
use crate::store::error::StoreError;

/// Preference pairs, one after the other.
pub(super) struct Pairs {
    pub(super) scope: Scope,
    pub(super) min_margin: f64,
    /// Group, task, step, best and worst reward.
    pub(super) groups: VecDeque<(i64, i64, Option<u64>, f64, f64)>,
}

impl Reader for Pairs {
    type Item = Value;

    async fn next(&mut self) -> Result<Option<Value>, StoreError> {
        loop {
            if self.groups.is_empty() {
                let sql = "select group_id, task_id, step, reward_max, reward_min from \"group\" \
                           where run_id = $1 and group_id > $2 and step >= $3 and step <= $4 \
                           and reward_max > reward_min and reward_max - reward_min >= $6 \
                           order by group_id limit $5";
                for record in self.scope.page(sql, &[Arg::Real(self.min_margin)]).await? {
                    let (group, task) = (record.integer(0)?, record.integer(1)?);
                    self.groups.push_back((group, task, record.step(2)?, record.real(3)?, record.real(4)?));
                }
            }
            let Some((group, task, step, best, worst)) = self.groups.pop_front() else { return Ok(None) };
            let chosen = self.text(group, best).await?;
            let rejected = self.text(group, worst).await?;
            if chosen == rejected {
                continue;
            }
            let task = task_of(&self.scope.store, task).await?;
            let prompt = task.prompt.as_ref();
            return Ok(Some(json!({
                "prompt": prompt,
                "chosen": reply(prompt, &chosen),
                "rejected": reply(prompt, &rejected),
                "chosen_reward": best,
                "rejected_reward": worst,
                "group": group,
                "step": step,
            })));
        }
    }
}

impl Pairs {
    /// The first text of the group that earned exactly this.
    async fn text(&self, group: i64, reward: f64) -> Result<String, StoreError> {
        let sql = "select text from completion where group_id = $1 and reward = $2 order by position limit 1";
        let args = [Arg::Integer(group), Arg::Real(reward)];
        let record = self.scope.store.database.read_one("export a run", sql, &args).await?;
        record.ok_or_else(|| StoreError::NotFound { what: "group", name: group.to_string() })?.free_text(0)
    }
}
