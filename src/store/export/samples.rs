//! The form `sft`: rejection sampling over all of a run's groups.

use std::collections::{HashSet, VecDeque};

use graders::Prompt;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::line::{assistant, reply};
use super::{Reader, Scope, SftPick, task_of};
use crate::store::database::Arg;
use crate::store::error::StoreError;

/// How many right completions of one task are looked at for ones that differ.
const MAX_CANDIDATES: i64 = 4096;

/// Good completions of each task, one task after the other.
pub(super) struct Samples {
    pub(super) scope: Scope,
    pub(super) threshold: f64,
    pub(super) pick: SftPick,
    pub(super) per_task: usize,
    pub(super) tasks: VecDeque<i64>,
    pub(super) ready: VecDeque<Value>,
}

/// A good completion: completion, group, step, reward.
type Candidate = (i64, i64, Option<u64>, f64);

impl Reader for Samples {
    type Item = Value;

    async fn next(&mut self) -> Result<Option<Value>, StoreError> {
        while self.ready.is_empty() {
            if self.tasks.is_empty() {
                let sql = "select distinct task_id from \"group\" where run_id = $1 and task_id > $2 \
                           and step >= $3 and step <= $4 order by task_id limit $5";
                for record in self.scope.page(sql, &[]).await? {
                    self.tasks.push_back(record.integer(0)?);
                }
            }
            let Some(task) = self.tasks.pop_front() else { return Ok(None) };
            self.sample(task).await?;
        }
        Ok(self.ready.pop_front())
    }
}

impl Samples {
    /// Makes the lines of one task.
    async fn sample(&mut self, task_id: i64) -> Result<(), StoreError> {
        let candidates = self.candidates(task_id).await?;
        if candidates.is_empty() {
            return Ok(());
        }
        let task = task_of(&self.scope.store, task_id).await?;
        let mut seen = HashSet::new();
        for (completion, group, step, reward) in candidates {
            let sql = "select text from completion where completion_id = $1";
            let args = [Arg::Integer(completion)];
            let record = self.scope.store.database.read_one("export a run", sql, &args).await?;
            let missing = || StoreError::NotFound { what: "completion", name: completion.to_string() };
            let text = record.ok_or_else(missing)?.free_text(0)?;
            if !seen.insert(fingerprint(&text)) {
                continue;
            }
            let prompt = task.prompt.as_ref();
            let mut line = json!({
                "prompt": prompt,
                "completion": reply(prompt, &text),
                "reward": reward,
                "group": group,
                "step": step,
            });
            if let (Some(Prompt::Messages(messages)), Some(line)) = (prompt, line.as_object_mut()) {
                let conversation = messages.iter().cloned().chain([assistant(&text)]).collect();
                line.insert("messages".to_owned(), Value::Array(conversation));
            }
            self.ready.push_back(line);
            if self.ready.len() == self.per_task {
                break;
            }
        }
        Ok(())
    }

    /// The task's good completions, the preferred one first.
    async fn candidates(&self, task: i64) -> Result<Vec<Candidate>, StoreError> {
        let sql = match self.pick {
            SftPick::Best => {
                "select c.completion_id, g.group_id, g.step, c.reward \
                 from \"group\" as g join completion as c on c.group_id = g.group_id \
                 where g.run_id = $1 and g.task_id = $2 and g.step >= $3 and g.step <= $4 and c.reward >= $5 \
                 order by c.reward desc, c.n_bytes, c.completion_id limit $6"
            }
            SftPick::Shortest => {
                "select c.completion_id, g.group_id, g.step, c.reward \
                 from \"group\" as g join completion as c on c.group_id = g.group_id \
                 where g.run_id = $1 and g.task_id = $2 and g.step >= $3 and g.step <= $4 and c.reward >= $5 \
                 order by c.n_bytes, c.reward desc, c.completion_id limit $6"
            }
        };
        let args = [
            Arg::Integer(self.scope.run.0),
            Arg::Integer(task),
            Arg::Integer(self.scope.from),
            Arg::Integer(self.scope.to),
            Arg::Real(self.threshold),
            // One is enough when one is wanted: nothing can be a repetition of it.
            Arg::Integer(if self.per_task == 1 { 1 } else { MAX_CANDIDATES }),
        ];
        let records = self.scope.store.database.read("export a run", sql, &args).await?;
        records
            .iter()
            .map(|record| Ok((record.integer(0)?, record.integer(1)?, record.step(2)?, record.real(3)?)))
            .collect()
    }
}

/// Equal for texts that differ in white space only.
fn fingerprint(text: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    for word in text.split_whitespace() {
        hash.update(word);
        hash.update(b" ");
    }
    hash.finalize().into()
}
