//! What waits between environments and a trainer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::batching::{self, Item};
use super::group::{Group, MAX_SEQUENCES};
use crate::server::problem::Problem;
use crate::server::types::MAX_NAME_BYTES;

/// The bytes of all groups that wait: some thousand groups of sixteen answers with their log-probabilities.
const MAX_BYTES: usize = 1 << 30;
/// The groups that wait.
const MAX_GROUPS: usize = 1 << 16;
/// The groups of one environment that wait for others to be as many as it said: more never fit together.
const MAX_BUFFERED: usize = 1024;
/// The environments; those that left count too, because their numbers are not given again.
const MAX_ENVIRONMENTS: usize = 4096;
/// The batches that are made at once: each looks through the whole queue, and everybody else waits meanwhile.
const MAX_BATCHES: usize = 64;
/// No environment counts for less than this.
const MIN_WEIGHT: f64 = 0.01;
/// The longest text a trainer or an environment may register, in bytes.
const MAX_TEXT_BYTES: usize = 16 * MAX_NAME_BYTES;

/// What a trainer registers.
#[derive(Debug, Deserialize)]
pub(super) struct Trainer {
    wandb_group: String,
    wandb_project: String,
    batch_size: i64,
    max_token_len: i64,
    checkpoint_dir: String,
    save_checkpoint_interval: i64,
    starting_step: i64,
    num_steps: i64,
}

impl Trainer {
    /// Looks at what would never give a batch.
    ///
    /// # Errors
    /// 422 for a size of batches below 1, and for long texts.
    pub(super) fn check(&self) -> Result<(), Problem> {
        let texts = [&self.wandb_group, &self.wandb_project, &self.checkpoint_dir];
        if texts.iter().any(|text| text.len() > MAX_TEXT_BYTES) {
            return Err(Problem::invalid_at("", format!("a text is longer than {MAX_TEXT_BYTES} bytes")));
        }
        if self.batch_size < 1 {
            return Err(Problem::invalid_at("/batch_size", "a batch has at least one sequence"));
        }
        Ok(())
    }

    fn size(&self) -> usize {
        usize::try_from(self.batch_size).unwrap_or(usize::MAX)
    }
}

/// What an environment registers.
#[derive(Debug, Deserialize)]
pub(super) struct Environment {
    max_token_length: i64,
    desired_name: String,
    weight: f64,
    group_size: i64,
    #[serde(default)]
    min_batch_allocation: Option<f64>,
}

impl Environment {
    /// Looks at what would never come together.
    ///
    /// # Errors
    /// 422 for a size of groups that no group can have, and for a long name.
    pub(super) fn check(&self) -> Result<(), Problem> {
        if self.desired_name.len() > MAX_NAME_BYTES {
            let message = format!("a name has at most {MAX_NAME_BYTES} bytes");
            return Err(Problem::invalid_at("/desired_name", message));
        }
        if self.group_size < 1 || usize::try_from(self.group_size).is_ok_and(|n| n > MAX_SEQUENCES) {
            let message = format!("a group has 1 to {MAX_SEQUENCES} sequences, not {}", self.group_size);
            return Err(Problem::invalid_at("/group_size", message));
        }
        Ok(())
    }
}

/// An environment that registered; its number is its place.
#[derive(Debug)]
struct Registered {
    environment: Environment,
    group_size: usize,
    connected: bool,
    /// Groups that are not as large as it said, until some of them are together.
    buffer: Vec<Group>,
}

/// What became of a group.
#[derive(Clone, Copy, Debug)]
pub(super) enum Put {
    /// It waits for the trainer.
    Received,
    /// It waits for others of its environment, which have `size` sequences together.
    Buffered { size: usize },
}

impl Put {
    /// The sequences that wait for others.
    pub(super) fn buffered(self) -> Option<usize> {
        match self {
            Self::Received => None,
            Self::Buffered { size } => Some(size),
        }
    }
}

/// What waits, and for whom.
#[derive(Debug, Default)]
pub(super) struct Collector {
    trainer: Option<Trainer>,
    /// Whether the trainer has asked for a batch.
    started: bool,
    step: i64,
    environments: Vec<Registered>,
    queue: Vec<Group>,
    /// Batches that were made; the last one is taken first.
    batches: Vec<Vec<Group>>,
    latest: Option<Group>,
    /// Groups and bytes that wait, in the queue, in buffers and in batches.
    n_groups: usize,
    n_bytes: usize,
}

impl Collector {
    /// A trainer came. Only the first one's settings count; others are ranks of the same.
    pub(super) fn register(&mut self, trainer: Trainer) {
        if self.trainer.is_none() {
            self.step = trainer.starting_step;
            self.trainer = Some(trainer);
        }
    }

    /// An environment came; it is told to wait until the trainer has asked for a batch.
    ///
    /// # Errors
    /// 503 when there are too many.
    pub(super) fn register_environment(&mut self, environment: Environment) -> Result<Value, Problem> {
        let Some(trainer) = self.trainer.as_ref().filter(|_| self.started) else {
            return Ok(json!({"status": "wait for trainer to start"}));
        };
        if self.environments.len() == MAX_ENVIRONMENTS {
            return Err(Problem { status: 503, ..Problem::full(Duration::from_mins(1)) });
        }
        let name = &environment.desired_name;
        let namesakes = self.environments.iter().filter(|known| known.environment.desired_name == *name);
        let id = self.environments.len();
        let reply = json!({
            "status": "success", "env_id": id, "wandb_name": format!("{name}_{}", namesakes.count()),
            "checkpoint_dir": trainer.checkpoint_dir, "starting_step": self.step,
            "checkpoint_interval": trainer.save_checkpoint_interval, "num_steps": trainer.num_steps,
        });
        let group_size = usize::try_from(environment.group_size).unwrap_or(1);
        self.environments.push(Registered { environment, group_size, connected: true, buffer: Vec::new() });
        Ok(reply)
    }

    /// An environment left. Whether it was there.
    pub(super) fn disconnect(&mut self, id: i64) -> bool {
        let place = usize::try_from(id).ok();
        let found = place.and_then(|place| self.environments.get_mut(place));
        found.is_some_and(|environment| {
            environment.connected = false;
            true
        })
    }

    /// Takes groups, all of them or none.
    ///
    /// # Errors
    /// 429 when there is no room for them; nothing was taken.
    pub(super) fn put(&mut self, groups: Vec<Group>) -> Result<Vec<Put>, Problem> {
        let n_bytes: usize = groups.iter().map(|group| group.json.len()).sum();
        if self.n_groups + groups.len() > MAX_GROUPS || self.n_bytes + n_bytes > MAX_BYTES {
            metrics::counter!("gavel_refused_total", "limit" => "collector").increment(1);
            return Err(Problem::full(Duration::from_secs(1)));
        }
        Ok(groups.into_iter().map(|group| self.put_one(group)).collect())
    }

    fn put_one(&mut self, group: Group) -> Put {
        self.n_groups += 1;
        self.n_bytes += group.json.len();
        let place = group.environment.and_then(|id| usize::try_from(id).ok());
        let Some(from) = place.and_then(|place| self.environments.get_mut(place)) else {
            return self.received(group);
        };
        if group.n == from.group_size {
            return self.received(group);
        }
        from.buffer.push(group);
        let sizes: Vec<usize> = from.buffer.iter().map(|group| group.n).collect();
        let together: BTreeSet<usize> = batching::summing_to(&sizes, from.group_size).into_iter().collect();
        let buffer = std::mem::take(&mut from.buffer).into_iter().enumerate();
        let (ready, mut waiting): (Vec<_>, Vec<_>) = buffer.partition(|(place, _)| together.contains(place));
        if waiting.len() > MAX_BUFFERED {
            let (_, oldest) = waiting.remove(0);
            self.n_groups -= 1;
            self.n_bytes -= oldest.json.len();
            tracing::warn!(
                environment = ?oldest.environment,
                n_sequences = oldest.n,
                "a group was dropped: nothing came that it makes a whole group with"
            );
        }
        from.buffer = waiting.into_iter().map(|(_, group)| group).collect();
        let size = from.buffer.iter().map(|group| group.n).sum();
        for (_, group) in ready {
            self.received(group);
        }
        Put::Buffered { size }
    }

    fn received(&mut self, group: Group) -> Put {
        self.latest = Some(group.clone());
        self.queue.push(group);
        Put::Received
    }

    /// The next batch: none where no trainer has registered, an empty one where there are too few groups.
    pub(super) fn batch(&mut self) -> Option<Vec<Group>> {
        let size = self.trainer.as_ref()?.size();
        self.started = true;
        if self.batches.is_empty() {
            while self.batches.len() < MAX_BATCHES
                && let Some(batch) = self.make(size)
            {
                self.batches.push(batch);
                self.step += 1;
            }
        }
        let batch = self.batches.pop().unwrap_or_default();
        for group in &batch {
            self.n_groups -= 1;
            self.n_bytes -= group.json.len();
        }
        Some(batch)
    }

    fn make(&mut self, size: usize) -> Option<Vec<Group>> {
        let items: Vec<Item> =
            self.queue.iter().map(|group| Item { n: group.n, environment: group.environment }).collect();
        let share = |(id, known): (usize, &Registered)| {
            let share = known.environment.min_batch_allocation.filter(|_| known.connected)?;
            Some((i64::try_from(id).ok()?, share))
        };
        let shares: Vec<(i64, f64)> = self.environments.iter().enumerate().filter_map(share).collect();
        let places = batching::with_shares(&items, size, &shares)?;
        let chosen: BTreeSet<usize> = places.iter().copied().collect();
        let batch = places.iter().map(|place| self.queue[*place].clone()).collect();
        let mut place = 0;
        self.queue.retain(|_| {
            place += 1;
            !chosen.contains(&(place - 1))
        });
        Some(batch)
    }

    /// The group that came last.
    pub(super) fn latest(&self) -> Option<Group> {
        self.latest.clone()
    }

    pub(super) fn wandb_info(&self) -> Value {
        let trainer = self.trainer.as_ref();
        json!({
            "group": trainer.map(|trainer| &trainer.wandb_group),
            "project": trainer.map(|trainer| &trainer.wandb_project),
        })
    }

    pub(super) fn info(&self) -> Value {
        let trainer = self.trainer.as_ref();
        json!({
            "batch_size": trainer.map_or(-1, |trainer| trainer.batch_size),
            "max_token_len": trainer.map_or(-1, |trainer| trainer.max_token_len),
        })
    }

    pub(super) fn status(&self) -> Value {
        json!({"current_step": self.step, "queue_size": self.queue.len()})
    }

    /// What an environment has to know to be neither too fast nor too slow; none where it never registered.
    pub(super) fn environment_status(&mut self, id: i64) -> Option<Value> {
        let place = usize::try_from(id).ok()?;
        let asked = self.environments.get(place)?;
        let weight =
            |known: &Registered| known.environment.max_token_length as f64 * known.environment.weight;
        let connected = || self.environments.iter().filter(|known| known.connected);
        let total: f64 = connected().map(|known| weight(known).max(0.0)).sum();
        let share = if total > 0.0 { (weight(asked) / total).max(MIN_WEIGHT) } else { MIN_WEIGHT };
        let allocated: f64 = connected().filter_map(|known| known.environment.min_batch_allocation).sum();

        let largest = self.queue.iter().map(|group| group.n).max().unwrap_or(0).max(1);
        let mut waiting: BTreeMap<Option<i64>, usize> = BTreeMap::new();
        let mut group_size = asked.group_size;
        for group in &self.queue {
            *waiting.entry(group.environment).or_default() += group.n;
            if group.environment == Some(id) {
                group_size = group_size.max(group.n);
            }
        }
        let own = waiting.remove(&Some(id)).unwrap_or(0);
        let batch_size = self.trainer.as_ref().map_or(0.0, |trainer| trainer.batch_size as f64);
        let promised = |environment: &Option<i64>| {
            let known = environment.and_then(|id| self.environments.get(usize::try_from(id).ok()?));
            let share = known.filter(|known| known.connected)?.environment.min_batch_allocation?;
            Some((batch_size * share) as usize)
        };
        let of_others = |(environment, n): (&Option<i64>, &usize)| {
            (n.div_ceil(largest) * largest).saturating_sub(promised(environment).unwrap_or(0))
        };
        let others: usize = if largest > 1 { waiting.iter().map(of_others).sum() } else { 0 };
        let status = json!({
            "current_step": self.step, "queue_size": (own + others) / group_size,
            "unallocated_fraction": 1.0 - allocated.min(1.0), "self_queue_size": own / group_size,
            "max_group_size": largest, "env_weight": share,
        });
        self.environments[place].group_size = group_size;
        Some(status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(n: usize, environment: Option<i64>) -> Group {
        Group { json: "{}".into(), n, environment }
    }

    fn collector(batch_size: i64) -> Collector {
        let mut collector = Collector::default();
        let trainer = json!({
            "wandb_group": "", "wandb_project": "", "batch_size": batch_size, "max_token_len": 1,
            "checkpoint_dir": "", "save_checkpoint_interval": 1, "starting_step": 0, "num_steps": 1,
        });
        collector.register(serde_json::from_value(trainer).unwrap());
        collector
    }

    #[test]
    fn a_full_collector_takes_no_more() {
        let mut collector = collector(4);
        assert_eq!(collector.put(vec![group(1, None); MAX_GROUPS]).unwrap().len(), MAX_GROUPS);
        assert_eq!(collector.put(vec![group(1, None)]).unwrap_err().status, 429);
        assert_eq!(collector.batch().unwrap().len(), 4);
        collector.put(vec![group(1, None); 4]).unwrap();
        assert_eq!(collector.put(vec![group(1, None)]).unwrap_err().status, 429);
        assert_eq!(collector.n_bytes, 2 * MAX_GROUPS);
    }

    #[test]
    fn groups_that_never_fit_together_do_not_pile_up() {
        let mut collector = collector(4);
        collector.batch();
        let environment = json!({"max_token_length": 1, "desired_name": "", "weight": 1.0, "group_size": 2});
        collector.register_environment(serde_json::from_value(environment).unwrap()).unwrap();
        for _ in 0..MAX_BUFFERED + 10 {
            collector.put(vec![group(3, Some(0))]).unwrap();
        }
        assert_eq!((collector.n_groups, collector.n_bytes), (MAX_BUFFERED, 2 * MAX_BUFFERED));
        collector.put(vec![group(2, Some(0))]).unwrap();
        assert_eq!(collector.queue.len(), 1);
    }
}
