//! `/v1/runs`: what was kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::{Path, Query, page_size};
use super::problem::Problem;
use super::types::{GroupInput, RewardReply};
use super::{App, store_problem};
use crate::store::{
    Export, ExportKind, ExportSteps, GroupId, GroupQuery, GroupSummary, MAX_PAGE, MAX_STEPS, MetricsQuery,
    Name, RunSummary, SftPick, StepMetrics, StoredGroup,
};

/// A run.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RunReply {
    /// Its name.
    pub name: String,
    /// When its first group came (RFC 3339).
    pub created_at: String,
    /// When its last group came.
    pub updated_at: String,
    /// How many groups it has.
    pub n_groups: u64,
    /// How many completions they have.
    pub n_completions: u64,
    /// How many of those have a reward.
    pub n_rewarded: u64,
    /// The mean of those rewards.
    pub reward_mean: Option<f64>,
    /// The highest step seen.
    pub last_step: Option<u64>,
}

impl From<RunSummary> for RunReply {
    fn from(run: RunSummary) -> Self {
        Self {
            name: run.name,
            created_at: run.created_at.to_string(),
            updated_at: run.updated_at.to_string(),
            n_groups: run.n_groups,
            n_completions: run.n_completions,
            n_rewarded: run.n_rewarded,
            reward_mean: run.reward_mean,
            last_step: run.last_step,
        }
    }
}

/// A page of runs.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RunList {
    /// The newest first.
    pub runs: Vec<RunReply>,
    /// Send it as `after` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// The `next` of the page before.
    after: Option<String>,
    /// How many, at most 1000.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// Which groups.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct GroupsQuery {
    /// Only this step's.
    step: Option<u64>,
    /// The `next` of the page before.
    after: Option<String>,
    /// How many, at most 1000.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

fn cursor<T: std::str::FromStr>(after: Option<String>) -> Result<Option<T>, Problem> {
    let wrong = |text: &str| {
        Problem::bad_request(format!(
            "after={text:?} is not the `next` of a page; send that, or leave it out for the first page"
        ))
    };
    after.map(|text| text.parse().map_err(|_| wrong(&text))).transpose()
}

fn run_name(name: &str) -> Result<Name, Problem> {
    Name::parse("run", name).map_err(|error| Problem::bad_request(error.to_string()))
}

/// List the runs.
#[utoipa::path(get, path = "/v1/runs", tag = "runs", params(PageQuery), responses((status = 200, body = RunList)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Query(query): Query<PageQuery>,
) -> Result<Json<RunList>, Problem> {
    let page = app
        .store
        .runs(cursor(query.after)?, page_size(query.limit, MAX_PAGE)?)
        .await
        .map_err(store_problem)?;
    let next = page.next.map(|run| run.to_string());
    Ok(Json(RunList { runs: page.items.into_iter().map(RunReply::from).collect(), next }))
}

/// Read a run.
#[utoipa::path(
    get, path = "/v1/runs/{run}", tag = "runs", params(("run" = String, Path)),
    responses((status = 200, body = RunReply), (status = 404, body = Problem))
)]
pub async fn read(State(app): State<Arc<App>>, Path(run): Path<String>) -> Result<Json<RunReply>, Problem> {
    let summary = app.store.run(&run_name(&run)?).await.map_err(store_problem)?;
    Ok(Json(summary.into()))
}

/// Delete a run with all its groups.
#[utoipa::path(
    delete, path = "/v1/runs/{run}", tag = "runs", params(("run" = String, Path)),
    responses((status = 204), (status = 404, body = Problem))
)]
pub async fn delete(State(app): State<Arc<App>>, Path(run): Path<String>) -> Result<StatusCode, Problem> {
    app.store.delete_run(&run_name(&run)?).await.map_err(store_problem)?;
    Ok(StatusCode::NO_CONTENT)
}

/// A run's metrics, step by step.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MetricsReply {
    /// In the order of the steps; groups that came without a step are gathered under null.
    pub steps: Vec<StepReply>,
}

/// The metrics of one step, under the names trainers log them by.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StepReply {
    /// The step.
    pub step: Option<u64>,
    /// How many groups.
    pub n_groups: u64,
    /// How many completions.
    pub n_completions: u64,
    /// `reward/mean`, `reward/std`, `reward/<component>` (mean score), `null_fraction`,
    /// `zero_variance_fraction`, `n_tokens/right` and `n_tokens/wrong` (means); null where there is no value.
    pub metrics: BTreeMap<String, Option<f64>>,
}

impl From<StepMetrics> for StepReply {
    fn from(step: StepMetrics) -> Self {
        let fixed = [
            ("reward/mean", step.reward_mean),
            ("reward/std", step.reward_std),
            ("null_fraction", Some(step.null_fraction)),
            ("zero_variance_fraction", step.zero_variance_fraction),
            ("n_tokens/right", step.right_tokens_mean),
            ("n_tokens/wrong", step.wrong_tokens_mean),
        ];
        let components = step.components.into_iter().map(|(name, mean)| (format!("reward/{name}"), mean));
        // A component called `mean` must not hide the mean.
        let metrics =
            components.chain(fixed.map(|(name, value)| (name.to_owned(), value))).collect::<BTreeMap<_, _>>();
        Self { step: step.step, n_groups: step.n_groups, n_completions: step.n_completions, metrics }
    }
}

/// Which steps.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StepsQuery {
    /// From this step on.
    from_step: Option<u64>,
    /// How many, at most 10000.
    #[param(minimum = 1, maximum = 10000)]
    limit: Option<u32>,
}

/// Read a run's metrics, step by step.
#[utoipa::path(
    get, path = "/v1/runs/{run}/metrics", tag = "runs", params(("run" = String, Path), StepsQuery),
    responses((status = 200, body = MetricsReply), (status = 404, body = Problem))
)]
pub async fn metrics(
    State(app): State<Arc<App>>,
    Path(run): Path<String>,
    Query(query): Query<StepsQuery>,
) -> Result<Json<MetricsReply>, Problem> {
    let query = MetricsQuery { from_step: query.from_step, limit: page_size(query.limit, MAX_STEPS)? };
    let steps = app.store.metrics(&run_name(&run)?, query).await.map_err(store_problem)?;
    Ok(Json(MetricsReply { steps: steps.into_iter().map(StepReply::from).collect() }))
}

/// A page of groups.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GroupList {
    /// In the order they came.
    pub groups: Vec<GroupEntry>,
    /// Send it as `after` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A group in a list: all but its texts.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GroupEntry {
    /// Its key in the store.
    pub key: String,
    /// The caller's name for it.
    pub id: Option<String>,
    /// The step.
    pub step: Option<u64>,
    /// When it was kept (RFC 3339).
    pub created_at: String,
    /// SHA-256 of the rubric that judged it.
    pub rubric_hash: String,
    /// What the rubric was called.
    pub rubric: Option<String>,
    /// How many completions it has.
    pub n_completions: u64,
    /// How many of them have a reward.
    pub n_rewarded: u64,
    /// The mean reward.
    pub reward_mean: Option<f64>,
    /// The rewards' standard deviation.
    pub reward_std: Option<f64>,
    /// The least reward.
    pub reward_min: Option<f64>,
    /// The greatest reward.
    pub reward_max: Option<f64>,
}

impl From<GroupSummary> for GroupEntry {
    fn from(group: GroupSummary) -> Self {
        Self {
            key: group.id.to_string(),
            id: group.caller_id,
            step: group.step,
            created_at: group.created_at.to_string(),
            rubric_hash: group.rubric_hash,
            rubric: group.rubric_name,
            n_completions: group.n_completions,
            n_rewarded: group.n_rewarded,
            reward_mean: group.reward_mean,
            reward_std: group.reward_std,
            reward_min: group.reward_min,
            reward_max: group.reward_max,
        }
    }
}

/// List a run's groups.
#[utoipa::path(
    get, path = "/v1/runs/{run}/groups", tag = "runs", params(("run" = String, Path), GroupsQuery),
    responses((status = 200, body = GroupList), (status = 404, body = Problem))
)]
pub async fn groups(
    State(app): State<Arc<App>>,
    Path(run): Path<String>,
    Query(query): Query<GroupsQuery>,
) -> Result<Json<GroupList>, Problem> {
    let after = cursor::<GroupId>(query.after)?;
    let query = GroupQuery { step: query.step, after, limit: page_size(query.limit, MAX_PAGE)? };
    let page = app.store.groups(&run_name(&run)?, query).await.map_err(store_problem)?;
    let next = page.next.map(|group| group.to_string());
    Ok(Json(GroupList { groups: page.items.into_iter().map(GroupEntry::from).collect(), next }))
}

/// A kept group, whole.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct KeptGroup {
    /// Its key in the store.
    pub key: String,
    /// When it was kept (RFC 3339).
    pub created_at: String,
    /// The step.
    pub step: Option<u64>,
    /// The rubric that judged it.
    pub rubric: serde_json::Value,
    /// The group as it was sent.
    pub group: GroupInput,
    /// What its completions earned.
    pub rewards: Vec<RewardReply>,
}

impl From<StoredGroup> for KeptGroup {
    fn from(stored: StoredGroup) -> Self {
        let group = stored.group;
        let rewards = group
            .completions
            .iter()
            .map(|scored| RewardReply {
                advantage: scored.advantage.map(serde_json::Value::from),
                ..RewardReply::new(scored.completion.id.clone(), &scored.reward)
            })
            .collect();
        let completions = group.completions.into_iter().map(|scored| scored.completion).collect();
        Self {
            key: stored.id.to_string(),
            created_at: stored.created_at.to_string(),
            step: group.step,
            rubric: group.rubric.body.clone(),
            group: GroupInput { id: group.id, task: group.task, completions },
            rewards,
        }
    }
}

/// Read a group, whole.
#[utoipa::path(
    get, path = "/v1/runs/{run}/groups/{key}", tag = "runs", params(("run" = String, Path), ("key" = String, Path)),
    responses((status = 200, body = KeptGroup), (status = 404, body = Problem))
)]
pub async fn group(
    State(app): State<Arc<App>>,
    Path((run, key)): Path<(String, String)>,
) -> Result<Json<KeptGroup>, Problem> {
    let missing = || Problem::not_found(format!("the run {run:?} has no group {key:?}"));
    let id = key.parse::<GroupId>().map_err(|_| missing())?;
    let stored = app.store.group(id).await.map_err(store_problem)?;
    if stored.group.run.as_str() != run {
        return Err(missing());
    }
    Ok(Json(stored.into()))
}

/// What to export, and of which steps.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// `full`: a line for each group. `completions`: a line for each completion, with a label. `pairs`: the best
    /// and the worst of each group. `sft`: the right completions of each task.
    #[serde(default)]
    #[param(inline)]
    format: ExportFormat,
    /// From this step on.
    from_step: Option<u64>,
    /// Up to this step.
    to_step: Option<u64>,
    /// `completions` and `sft`: the least reward of a good completion; 1 when it says nothing.
    threshold: Option<f64>,
    /// `pairs`: the least difference of the two rewards; 0 when it says nothing.
    #[param(minimum = 0)]
    min_margin: Option<f64>,
    /// `sft`: which of several good completions to prefer.
    #[serde(default)]
    #[param(inline)]
    pick: ExportPick,
    /// `sft`: the most completions of one task; 1 when it says nothing.
    #[param(minimum = 1)]
    per_task: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ExportFormat {
    #[default]
    Full,
    Completions,
    Pairs,
    Sft,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ExportPick {
    #[default]
    Best,
    Shortest,
}

/// The reward from which a completion counts as good when nothing else is said.
const GOOD_REWARD: f64 = 1.0;

impl ExportQuery {
    fn export(&self) -> Result<Export, Problem> {
        let given = [
            (
                "threshold",
                self.threshold.is_some(),
                matches!(self.format, ExportFormat::Completions | ExportFormat::Sft),
            ),
            ("min_margin", self.min_margin.is_some(), self.format == ExportFormat::Pairs),
            ("per_task", self.per_task.is_some(), self.format == ExportFormat::Sft),
            ("pick", self.pick != ExportPick::default(), self.format == ExportFormat::Sft),
        ];
        if let Some((name, ..)) = given.iter().find(|(_, given, used)| *given && !*used) {
            return Err(Problem::bad_request(format!("{name} has no meaning for this format; leave it out")));
        }
        if self.threshold.is_some_and(|threshold| !threshold.is_finite()) {
            return Err(Problem::bad_request("threshold: expected a finite number"));
        }
        if self.min_margin.is_some_and(|margin| !(margin.is_finite() && margin >= 0.0)) {
            return Err(Problem::bad_request("min_margin: expected a number that is not negative"));
        }
        if self.per_task == Some(0) {
            return Err(Problem::bad_request("per_task: expected a whole number above 0"));
        }
        if let (Some(from), Some(to)) = (self.from_step, self.to_step)
            && from > to
        {
            return Err(Problem::bad_request(format!(
                "from_step={from} is after to_step={to}; expected it before"
            )));
        }
        let threshold = self.threshold.unwrap_or(GOOD_REWARD);
        let pick = match self.pick {
            ExportPick::Best => SftPick::Best,
            ExportPick::Shortest => SftPick::Shortest,
        };
        let kind = match self.format {
            ExportFormat::Full => ExportKind::Full,
            ExportFormat::Completions => ExportKind::Completions { threshold },
            ExportFormat::Pairs => ExportKind::Pairs { min_margin: self.min_margin.unwrap_or(0.0) },
            ExportFormat::Sft => ExportKind::Sft { threshold, pick, per_task: self.per_task.unwrap_or(1) },
        };
        Ok(Export { kind, steps: ExportSteps { from: self.from_step, to: self.to_step } })
    }
}

/// Export a run as lines of JSON.
///
/// The lines come as they are read. If the store fails on the way the connection is broken off, so that a part
/// is never taken for the whole.
#[utoipa::path(
    get, path = "/v1/runs/{run}/export", tag = "runs", params(("run" = String, Path), ExportQuery),
    responses(
        (status = 200, description = "One JSON object a line", content_type = "application/x-ndjson", body = String),
        (status = 404, body = Problem, content_type = "application/problem+json")
    )
)]
pub async fn export(
    State(app): State<Arc<App>>,
    Path(run): Path<String>,
    Query(query): Query<ExportQuery>,
) -> Result<Response, Problem> {
    let admitted = app.admission.enter()?;
    let lines = app.store.export(&run_name(&run)?, query.export()?).await.map_err(store_problem)?;
    let lines = lines.map(move |line| {
        let _inside = &admitted;
        let mut line = serde_json::to_vec(&line?).map_err(axum::BoxError::from)?;
        line.push(b'\n');
        Ok::<_, axum::BoxError>(line)
    });
    let content_type = [(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"))];
    Ok((content_type, Body::from_stream(lines)).into_response())
}
