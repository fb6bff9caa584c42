//! `POST /v1/regrade`: a kept run under another rubric, side by side.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::response::Response;
use graders::Progress;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::oneshot;
use utoipa::ToSchema;

use super::problem::Problem;
use super::scoring::{ScoredGroup, Scoring};
use super::types::{ErrorReply, GroupInput};
use super::{App, decode, rubrics, store_problem};
use crate::judge::Control;
use crate::store::{GroupId, GroupQuery, MAX_PAGE, Name, StoredGroup};

/// A kept run to be judged again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"run": "my-run", "rubric": "r1-zero", "limit": 100}))]
pub struct RegradeRequest<'a> {
    /// The run.
    pub run: String,
    /// A preset's or stored rubric's name, or the rubric itself.
    #[serde(borrow)]
    #[schema(value_type = Value)]
    pub rubric: &'a RawValue,
    /// Only this step's groups.
    #[serde(default)]
    pub step: Option<u64>,
    /// The `next` of the reply before.
    #[serde(default)]
    pub after: Option<String>,
    /// How many groups, at most 1000; 100 when it says nothing.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// The old and the new rewards.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RegradeReply {
    /// One for each group, in the order they came.
    pub groups: Vec<RegradedGroup>,
    /// What changed over all these groups.
    pub summary: RegradeSummary,
    /// Send it as `after` to go on; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Time the request took, in milliseconds.
    pub elapsed_ms: f64,
}

/// What changed.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct RegradeSummary {
    /// How many completions were judged again.
    pub n_completions: u64,
    /// How many of them have another reward now, or one where they had none, or none where they had one.
    pub n_changed: u64,
    /// The mean of the old rewards.
    pub old_mean: Option<f64>,
    /// The mean of the new rewards.
    pub new_mean: Option<f64>,
}

/// One group, side by side.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RegradedGroup {
    /// Its key in the store.
    pub key: String,
    /// The caller's name for it.
    pub id: Option<String>,
    /// The step it was kept with, which schedules of weights follow again.
    pub step: Option<u64>,
    /// Why the new rubric cannot judge it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<super::problem::Fault>,
    /// One for each completion.
    pub rewards: Vec<RegradedReward>,
}

/// One completion's rewards, side by side.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RegradedReward {
    /// The caller's name for the completion.
    pub id: Option<String>,
    /// The reward that was kept.
    pub old: Option<f64>,
    /// The reward under the other rubric.
    pub new: Option<f64>,
    /// Why there is no new reward.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorReply>,
}

/// Judge a kept run again under another rubric.
///
/// Nothing in the store is changed; the reply sets the old rewards beside the new ones.
#[utoipa::path(
    post, path = "/v1/regrade", tag = "runs", request_body = RegradeRequest<'_>,
    responses(
        (status = 200, body = RegradeReply), (status = 404, body = Problem), (status = 422, body = Problem),
        (status = 429, body = Problem)
    )
)]
pub async fn regrade(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let started = Instant::now();
    let _admitted = app.admission.enter()?;
    let body = app.admission.read_small(request.into_body()).await?;
    let RegradeRequest { run, rubric, step, after, limit } = decode::body(&body.bytes)?;
    let name = Name::parse("run", run).map_err(|error| Problem::invalid_at("/run", error.to_string()))?;
    let after = after
        .map(|text| text.parse::<GroupId>())
        .transpose()
        .map_err(|_| Problem::invalid_at("/after", "expected the `next` of an earlier reply"))?;
    if limit.is_some_and(|limit| limit == 0 || limit > MAX_PAGE) {
        return Err(Problem::invalid_at("/limit", format!("expected 1 to {MAX_PAGE}")));
    }
    let rubric = rubrics::resolve(&app, decode::part("/rubric", rubric)?).await?.rubric;
    let latched = app.store.latches(&name).await.map_err(store_problem)?;
    let page = app.store.groups(&name, GroupQuery { step, after, limit }).await.map_err(store_problem)?;

    let mut groups = Vec::with_capacity(page.items.len());
    let mut changes = Changes::default();
    let deadline = started + app.settings.max_deadline;
    for summary in page.items {
        // One group at a time in memory, and none before there is room for it.
        let _room = app.admission.completions(summary.n_completions as usize)?;
        let stored = app.store.group(summary.id).await.map_err(store_problem)?;
        let progress = Progress { step: stored.group.step, latched: latched.clone(), ..Progress::default() };
        let control = Arc::new(Control::until(Some(deadline)));
        let scoring = Scoring::new(Arc::clone(&rubric), &progress, control)
            .map_err(|error| Problem::invalid_at("/rubric", error.message))?;
        groups.push(regrade_group(&app, &scoring, stored, &mut changes).await?);
    }
    let next = page.next.map(|group| group.to_string());
    let elapsed_ms = started.elapsed().as_secs_f64() * 1e3;
    Ok(super::json(&RegradeReply { groups, summary: changes.summary(), next, elapsed_ms }))
}

async fn regrade_group(
    app: &App,
    scoring: &Scoring,
    stored: StoredGroup,
    changes: &mut Changes,
) -> Result<RegradedGroup, Problem> {
    let group = stored.group;
    let (completions, old): (Vec<_>, Vec<Option<f64>>) =
        group.completions.into_iter().map(|scored| (scored.completion, scored.reward.total.ok())).unzip();
    let (sender, receiver) = oneshot::channel();
    let input = GroupInput { id: group.id.clone(), task: group.task, completions };
    scoring.submit(&app.judge, 0, input, move |scored| {
        let _ = sender.send(scored);
    });
    let ScoredGroup { reply, .. } = receiver.await.map_err(|_| Problem::internal())?;
    let rewards = reply
        .rewards
        .into_iter()
        .zip(old)
        .map(|(new, old)| {
            changes.add(old, new.reward);
            RegradedReward { id: new.id, old, new: new.reward, error: new.error }
        })
        .collect();
    // Here a group stands alone, not in a request.
    let error = reply.error.map(|mut fault| {
        fault.pointer = fault.pointer.trim_start_matches("/groups/0").to_owned();
        fault
    });
    Ok(RegradedGroup { key: stored.id.to_string(), id: group.id, step: group.step, error, rewards })
}

#[derive(Default)]
struct Changes {
    n_completions: u64,
    n_changed: u64,
    old: Vec<f64>,
    new: Vec<f64>,
}

impl Changes {
    fn add(&mut self, old: Option<f64>, new: Option<f64>) {
        self.n_completions += 1;
        self.n_changed += u64::from(old != new);
        self.old.extend(old);
        self.new.extend(new);
    }

    fn summary(&self) -> RegradeSummary {
        let mean =
            |values: &[f64]| (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
        RegradeSummary {
            n_completions: self.n_completions,
            n_changed: self.n_changed,
            old_mean: mean(&self.old),
            new_mean: mean(&self.new),
        }
    }
}
