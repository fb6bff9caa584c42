//! Keeping scored groups under a run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use graders::Progress;

use super::App;
use super::problem::Problem;
use super::rubrics::Resolved;
use super::scoring::ScoredGroup;
use super::types::Stored;
use crate::store::{self, Name, RubricRecord};

/// The run that a request's groups are kept under.
#[derive(Clone, Debug)]
pub struct Run {
    name: Name,
    step: Option<u64>,
    rubric: Arc<RubricRecord>,
    grader_versions: BTreeMap<String, u32>,
    /// Names of the components whose latch closes with this request.
    closing: Vec<Name>,
}

impl Run {
    /// Checks the run's name and brings its latches into `progress`, those that close now among them.
    ///
    /// # Errors
    /// 422 for the name or the step, 503 when the store is away.
    pub async fn open(
        app: &App,
        name: &str,
        step: Option<u64>,
        rubric: &Resolved,
        progress: &mut Progress,
    ) -> Result<Self, Problem> {
        let name =
            Name::parse("run", name).map_err(|error| Problem::invalid_at("/run", error.to_string()))?;
        if step.is_some_and(|step| i64::try_from(step).is_err()) {
            return Err(Problem::invalid_at("/step", format!("a step that is kept is at most {}", i64::MAX)));
        }
        let mut closing = Vec::new();
        if rubric.rubric.has_latches() {
            let latched: BTreeSet<String> = app.store.latches(&name).await.map_err(super::store_problem)?;
            progress.latched = latched;
            for latch in rubric.rubric.closing_latches(progress) {
                closing.push(Name::parse("component", latch.as_str()).map_err(super::store_problem)?);
                progress.latched.insert(latch);
            }
        }
        let record = RubricRecord {
            hash: rubric.rubric.hash().to_owned(),
            name: rubric.name.clone(),
            body: rubric.rubric.spec().clone(),
        };
        let versions = rubric.rubric.components().iter();
        let grader_versions = versions.map(|c| (c.grader.kind().to_owned(), c.grader.version())).collect();
        Ok(Self { name, step, rubric: Arc::new(record), grader_versions, closing })
    }

    /// Remembers the latches that close with this request, once it is sure to be judged.
    ///
    /// # Errors
    /// 503 when the store is away.
    pub async fn close_latches(&self, app: &App) -> Result<(), Problem> {
        for latch in &self.closing {
            app.store.set_latch(&self.name, latch).await.map_err(super::store_problem)?;
        }
        Ok(())
    }

    /// Keeps groups; when this returns they are durable, or the reply says why not. A store that fails costs
    /// no rewards.
    pub async fn keep(&self, app: &App, groups: impl IntoIterator<Item = &ScoredGroup>) -> Stored {
        let groups: Vec<store::ScoredGroup> =
            groups.into_iter().filter_map(|group| self.record(group)).collect();
        let run = self.name.to_string();
        if groups.is_empty() {
            return Stored { run, n_groups: 0, error: None };
        }
        let n = groups.len();
        match app.store.append(groups).await {
            Ok(ids) => Stored { run, n_groups: ids.len(), error: None },
            Err(error) => {
                tracing::error!(%run, n_groups = n, error = &error as &dyn std::error::Error, "groups were not kept");
                metrics::counter!("gavel_store_failures_total").increment(1);
                let message = format!("{error}; the rewards stand but these groups were not kept");
                Stored { run, n_groups: 0, error: Some(message) }
            }
        }
    }

    fn record(&self, group: &ScoredGroup) -> Option<store::ScoredGroup> {
        let rewards = group.rewards.as_ref()?;
        let reply = &group.reply;
        let completions = group
            .completions
            .iter()
            .zip(rewards)
            .zip(&reply.rewards)
            .map(|((completion, reward), answer)| store::ScoredCompletion {
                completion: completion.clone(),
                reward: reward.clone(),
                advantage: answer.advantage.as_ref().and_then(serde_json::Value::as_f64),
            })
            .collect();
        Some(store::ScoredGroup {
            run: self.name.clone(),
            step: self.step,
            id: reply.id.clone(),
            task: (*group.task).clone(),
            rubric: Arc::clone(&self.rubric),
            reference_hash: reply.provenance.as_ref().map(|p| p.reference_hash.clone()).unwrap_or_default(),
            grader_versions: self.grader_versions.clone(),
            completions,
        })
    }
}

/// Adds up what became of a run's groups.
pub fn add(total: &mut Option<Stored>, more: Stored) {
    match total {
        None => *total = Some(more),
        Some(total) => {
            total.n_groups += more.n_groups;
            total.error = total.error.take().or(more.error);
        }
    }
}
