//! `/v1/tasks`: environments that make tasks.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::Response;
use graders::Task;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::extract::Path;
use super::problem::Problem;
use super::types::TaskInput;
use super::{App, decode};
use crate::tasks::{self, Environment, Place, Split};

/// The most tasks of one request.
const MAX_TASKS: u64 = 10_000;

/// An environment.
#[derive(Debug, Serialize, ToSchema)]
pub struct EnvironmentReply {
    /// Its name.
    pub name: &'static str,
    /// Rises with every change of a task.
    pub version: u32,
    /// What it asks for.
    pub description: &'static str,
    /// Its levels of difficulty, from the easiest.
    pub levels: Vec<LevelReply>,
    /// The rubric its completions are judged by.
    pub rubric: Value,
}

/// A level of difficulty.
#[derive(Debug, Serialize, ToSchema)]
pub struct LevelReply {
    /// Its number.
    pub number: u8,
    /// What makes it as hard as it is.
    pub summary: &'static str,
}

impl EnvironmentReply {
    fn new(environment: &dyn Environment) -> Self {
        let levels = environment.levels().iter();
        Self {
            name: environment.name(),
            version: environment.version(),
            description: environment.description(),
            levels: levels.map(|level| LevelReply { number: level.number, summary: level.summary }).collect(),
            rubric: environment.rubric(),
        }
    }
}

/// All environments.
#[derive(Debug, Serialize, ToSchema)]
pub struct EnvironmentList {
    /// In the order of their names.
    pub environments: Vec<EnvironmentReply>,
}

/// List the environments.
#[utoipa::path(get, path = "/v1/tasks", tag = "tasks", responses((status = 200, body = EnvironmentList)))]
pub async fn list() -> Json<EnvironmentList> {
    let environments =
        tasks::environments().iter().map(|environment| EnvironmentReply::new(*environment)).collect();
    Json(EnvironmentList { environments })
}

/// Which tasks to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(example = json!({"n": 2, "split": "train", "seed": 7, "level": 1}))]
pub struct GenerateRequest {
    /// How many, at most 10000; 1 when it says nothing.
    pub n: u64,
    /// What they are for: `train` (when it says nothing), `validation` or `test`. Splits share no problem.
    #[schema(value_type = String)]
    pub split: Split,
    /// The stream of tasks.
    pub seed: u64,
    /// The first one's index in the stream.
    pub from_index: u64,
    /// The level of difficulty; 1 when it says nothing.
    pub level: u8,
}

impl Default for GenerateRequest {
    fn default() -> Self {
        Self { n: 1, split: Split::Train, seed: 0, from_index: 0, level: 1 }
    }
}

/// The tasks.
#[derive(Debug, Serialize, ToSchema)]
pub struct GenerateReply {
    /// In the order of their indexes.
    #[schema(value_type = Vec<TaskInput>)]
    pub tasks: Vec<Task>,
    /// The rubric to judge their completions by.
    pub rubric: Value,
}

/// Make tasks of an environment: the same request always gives the same tasks.
#[utoipa::path(
    post, path = "/v1/tasks/{environment}/generate", tag = "tasks", params(("environment" = String, Path)),
    request_body = GenerateRequest,
    responses((status = 200, body = GenerateReply), (status = 404, body = Problem), (status = 422, body = Problem))
)]
pub async fn generate(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let _admitted = app.admission.enter()?;
    let body = app.admission.read_small(request.into_body()).await?;
    let environment = tasks::environment(&name).ok_or_else(|| {
        let known = tasks::environment_names().collect::<Vec<_>>().join(", ");
        Problem::not_found(format!("there is no environment {name:?}; there are {known}"))
    })?;
    // An empty body asks for the first task.
    let asked: GenerateRequest =
        if body.bytes.is_empty() { GenerateRequest::default() } else { decode::body(&body.bytes)? };
    if asked.n == 0 || asked.n > MAX_TASKS {
        return Err(Problem::invalid_at("/n", format!("1 to {MAX_TASKS} tasks at once, not {}", asked.n)));
    }
    let last = asked.from_index.checked_add(asked.n).ok_or_else(|| {
        Problem::invalid_at("/from_index", "the stream has no tasks so far out; begin earlier")
    })?;
    let make = move || -> Result<Vec<Task>, Problem> {
        (asked.from_index..last)
            .map(|index| {
                let place = Place { split: asked.split, seed: asked.seed, index, level: asked.level };
                environment.generate(&place).map_err(|error| Problem::invalid_at("/level", error.to_string()))
            })
            .collect()
    };
    // Thousands of tasks take too long for an async thread.
    let tasks = tokio::task::spawn_blocking(make).await.map_err(|_| Problem::internal())??;
    Ok(super::json(&GenerateReply { tasks, rubric: environment.rubric() }))
}
