//! `GET|PUT|DELETE /v1/rubrics[/{name}]`: rubrics by name.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::Response;
use graders::{Rubric, preset};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::extract::Path;
use super::problem::Problem;
use super::{App, decode, rubric_cache, store_problem};
use crate::store::{Name, StoreError};

/// A rubric with the name it was asked for by.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The rubric.
    pub rubric: Arc<Rubric>,
    /// Its name, when it was asked for by one.
    pub name: Option<String>,
}

/// The rubric that a request asks for: a preset, a stored one, or one written out.
///
/// # Errors
/// 422 that points into `/rubric`.
pub async fn resolve(app: &App, value: Value) -> Result<Resolved, Problem> {
    let under_rubric = |problem: Problem| problem.under("/rubric");
    let Value::String(name) = value else {
        let rubric = app.rubrics.read(value).await.map_err(under_rubric)?;
        return Ok(Resolved { rubric, name: None });
    };
    let spec = match preset::preset(&name) {
        Some(spec) => spec,
        None => stored(app, &name).await?.ok_or_else(|| {
            let presets = preset::names().join(", ");
            let message = format!(
                "there is no rubric {name:?}; the presets are {presets}, GET /v1/rubrics lists the stored ones"
            );
            Problem::invalid_at("/rubric", message)
        })?,
    };
    let rubric = app.rubrics.read(spec).await.map_err(under_rubric)?;
    Ok(Resolved { rubric, name: Some(name) })
}

async fn stored(app: &App, name: &str) -> Result<Option<Value>, Problem> {
    let Ok(name) = Name::parse("name", name) else { return Ok(None) };
    match app.store.rubric(&name).await {
        Ok(found) => Ok(Some(found.body)),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(store_problem(error)),
    }
}

/// A rubric in a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RubricEntry {
    /// The name to ask for it by.
    pub name: String,
    /// Whether it is built in; such a rubric cannot be changed.
    pub preset: bool,
    /// The rubric.
    pub rubric: Value,
    /// SHA-256 of its canonical JSON.
    pub hash: String,
}

impl RubricEntry {
    fn new(name: String, preset: bool, rubric: Value) -> Self {
        let hash = graders::content_hash(&rubric);
        Self { name, preset, rubric, hash }
    }
}

/// All rubrics by name.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RubricList {
    /// Presets first, then the stored ones by name.
    pub rubrics: Vec<RubricEntry>,
}

/// List the presets and the stored rubrics.
#[utoipa::path(get, path = "/v1/rubrics", tag = "rubrics", responses((status = 200, body = RubricList)))]
pub async fn list(State(app): State<Arc<App>>) -> Result<Json<RubricList>, Problem> {
    let presets = preset::names().into_iter().filter_map(|name| {
        preset::preset(name).map(|rubric| RubricEntry::new(name.to_owned(), true, rubric))
    });
    let mut rubrics: Vec<RubricEntry> = presets.collect();
    let stored = app.store.rubrics().await.map_err(store_problem)?;
    rubrics.extend(stored.into_iter().map(|rubric| RubricEntry::new(rubric.name, false, rubric.body)));
    Ok(Json(RubricList { rubrics }))
}

/// Read a rubric.
#[utoipa::path(
    get, path = "/v1/rubrics/{name}", tag = "rubrics", params(("name" = String, Path)),
    responses((status = 200, body = RubricEntry), (status = 404, body = Problem))
)]
pub async fn read(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Json<RubricEntry>, Problem> {
    if let Some(rubric) = preset::preset(&name) {
        return Ok(Json(RubricEntry::new(name, true, rubric)));
    }
    match stored(&app, &name).await? {
        Some(rubric) => Ok(Json(RubricEntry::new(name, false, rubric))),
        None => Err(Problem::not_found(format!("there is no rubric {name:?}; GET /v1/rubrics lists them"))),
    }
}

/// Store a rubric under a name.
///
/// The rubric is checked first; a wrong one is refused with the place of the fault and the stored one stays.
#[utoipa::path(
    put, path = "/v1/rubrics/{name}", tag = "rubrics", params(("name" = String, Path)),
    request_body(content = Value, example = json!({"components": [{"name": "accuracy", "grader": {"type": "math"}}]})),
    responses((status = 200, body = RubricEntry), (status = 409, body = Problem), (status = 422, body = Problem))
)]
pub async fn put(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Json<RubricEntry>, Problem> {
    let _admitted = app.admission.enter()?;
    let body = app.admission.read_small(request.into_body()).await?;
    if preset::preset(&name).is_some() {
        return Err(Problem::conflict(format!(
            "{name:?} is a preset and cannot be changed; choose another name"
        )));
    }
    let checked =
        Name::parse("name", name.clone()).map_err(|error| Problem::bad_request(error.to_string()))?;
    let spec: Value = decode::body(&body.bytes)?;
    rubric_cache::check(spec.clone()).await?;
    app.store.put_rubric(&checked, &spec).await.map_err(store_problem)?;
    Ok(Json(RubricEntry::new(name, false, spec)))
}

/// Delete a stored rubric. Groups that it judged keep a copy of it.
#[utoipa::path(
    delete, path = "/v1/rubrics/{name}", tag = "rubrics", params(("name" = String, Path)),
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem))
)]
pub async fn delete(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Response, Problem> {
    if preset::preset(&name).is_some() {
        return Err(Problem::conflict(format!("{name:?} is a preset and cannot be deleted")));
    }
    let missing = || Problem::not_found(format!("there is no rubric {name:?}; GET /v1/rubrics lists them"));
    let checked = Name::parse("name", name.clone()).map_err(|_| missing())?;
    match app.store.delete_rubric(&checked).await {
        Ok(()) => Ok(axum::response::IntoResponse::into_response(StatusCode::NO_CONTENT)),
        Err(StoreError::NotFound { .. }) => Err(missing()),
        Err(error) => Err(store_problem(error)),
    }
}
