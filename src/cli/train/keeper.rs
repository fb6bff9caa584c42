//! Keeps a run's judged groups in the store. A store that fails costs the run nothing but its record.

use std::sync::Arc;

use anyhow::Context;
use graders::reference_hash;
use tokio::runtime::Runtime;

use crate::learner::hooks::JudgedGroup;
use crate::learner::recipe::Recipe;
use crate::store::{MAX_APPEND_GROUPS, Name, RubricRecord, ScoredCompletion, ScoredGroup, Store};

/// An open store and what all groups of the run share.
pub(super) struct Keeper {
    runtime: Runtime,
    store: Store,
    run: Name,
    rubric: Arc<RubricRecord>,
    grader_versions: std::collections::BTreeMap<String, u32>,
    /// Groups that could not be kept.
    n_lost: usize,
}

impl Keeper {
    /// Opens the store for a recipe's run.
    pub(super) fn open(address: &str, recipe: &Recipe) -> anyhow::Result<Self> {
        let run = Name::parse("run.name", recipe.run.name.as_str())?;
        let rubric = recipe.graded_by().map_err(|(field, message)| anyhow::anyhow!("{field}: {message}"))?;
        let record = RubricRecord { hash: rubric.hash().to_owned(), name: None, body: rubric.spec().clone() };
        let components = rubric.components().iter();
        let grader_versions = components.map(|c| (c.grader.kind().to_owned(), c.grader.version())).collect();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let store = runtime.block_on(Store::open(address)).context("run.store")?;
        Ok(Self { runtime, store, run, rubric: Arc::new(record), grader_versions, n_lost: 0 })
    }

    /// Keeps a step's groups; what went wrong is told once.
    pub(super) fn keep(&mut self, step: u64, groups: &[JudgedGroup]) -> Option<String> {
        let mut told = None;
        for part in groups.chunks(MAX_APPEND_GROUPS) {
            let records = part.iter().map(|group| self.record(step, group)).collect();
            if let Err(error) = self.runtime.block_on(self.store.append(records)) {
                let is_first = self.n_lost == 0;
                self.n_lost += part.len();
                if is_first {
                    told = Some(format!("the store does not keep these groups: {error}; the run goes on"));
                }
            }
        }
        told
    }

    /// Stores what waits; says how much was lost.
    pub(super) fn close(self) -> Option<String> {
        self.runtime.block_on(self.store.close());
        (self.n_lost > 0).then(|| format!("{} groups are not in the store", self.n_lost))
    }

    fn record(&self, step: u64, group: &JudgedGroup) -> ScoredGroup {
        let completions = group.completions.iter().zip(&group.rewards).enumerate();
        ScoredGroup {
            run: self.run.clone(),
            step: Some(step),
            id: Some(group.id.clone()),
            task: (*group.task).clone(),
            rubric: Arc::clone(&self.rubric),
            reference_hash: reference_hash(&group.task),
            grader_versions: self.grader_versions.clone(),
            completions: completions
                .map(|(at, (completion, reward))| ScoredCompletion {
                    completion: completion.clone(),
                    reward: reward.clone(),
                    advantage: group.advantages.get(at).copied().flatten(),
                })
                .collect(),
        }
    }
}
