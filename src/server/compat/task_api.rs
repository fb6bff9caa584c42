//! Splits and tasks by number, as Open Reward Standard has them and OpenEnv after it.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::response::Response;
use http::HeaderMap;
use http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::episode::{self, Episode};
use super::lenient;
use crate::server::problem::Problem;
use crate::server::{App, json};
use crate::tasks::{Split, TaskSet};

/// The header that names an environment where the path does not.
const DEPLOYMENT: &str = "x-deployment";

/// What clients call the environment of a server that has one.
const ANY: [&str; 2] = ["env", "gavel"];

/// The environment that a request is about: that of the path, else that of the header, else the first.
#[derive(Debug)]
pub(super) struct Chosen(pub(super) TaskSet);

impl FromRequestParts<Arc<App>> for Chosen {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let parameters = RawPathParams::from_request_parts(parts, app)
            .await
            .map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
        let named = |wanted: &str| {
            parameters.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.to_owned())
        };
        let Some(name) = named("env") else { return chosen(app, None, &parts.headers).map(Self) };
        if let Some(base) = named("set")
            && base != name
        {
            return Err(Problem::not_found(format!("only {base:?} is served under this path, not {name:?}")));
        }
        chosen(app, Some(&name), &parts.headers).map(Self)
    }
}

/// The environment of a request.
///
/// # Errors
/// 404 where a name is given that is none.
pub(super) fn chosen(app: &App, name: Option<&str>, headers: &HeaderMap) -> Result<TaskSet, Problem> {
    let sets = &app.wires.sets;
    if name.is_some() {
        return episode::set(sets, name);
    }
    let deployment = headers.get(DEPLOYMENT).and_then(|name| name.to_str().ok());
    let deployment = deployment.map(|name| name.rsplit_once('/').map_or(name, |(_, name)| name));
    episode::set(sets, deployment.filter(|name| !ANY.contains(name)))
}

/// Reads a small body.
///
/// # Errors
/// 4xx for the body, 429 and 503 before.
pub(super) async fn read<T: DeserializeOwned>(app: &App, request: Request) -> Result<T, Problem> {
    let _admitted = app.admission.enter()?;
    let body = app.admission.read_small(request.into_body()).await?;
    super::fields(lenient::read(&body.bytes)?)
}

/// What names a task: it is given back to begin an episode. Nothing in it tells the answer.
pub(super) fn spec(set: &TaskSet, split: Split, index: u64) -> Value {
    json!({"set": set.name(), "split": split, "index": index})
}

/// The splits of an environment.
pub(super) async fn splits(Chosen(set): Chosen) -> Response {
    let splits = set.splits().into_iter();
    let splits: Vec<_> = splits.map(|(split, _)| json!({"name": split, "type": split})).collect();
    json(&splits)
}

#[derive(Debug, Deserialize)]
struct OfSplit {
    split: String,
}

/// How many tasks a split has.
pub(super) async fn num_tasks(
    State(app): State<Arc<App>>,
    Chosen(set): Chosen,
    request: Request,
) -> Result<Response, Problem> {
    let OfSplit { split } = read(&app, request).await?;
    let (_, n) = episode::split(&set, Some(&split))?;
    Ok(json(&json!({"num_tasks": n})))
}

#[derive(Debug, Deserialize)]
struct OfTask {
    split: String,
    index: u64,
}

/// One task.
pub(super) async fn task(
    State(app): State<Arc<App>>,
    Chosen(set): Chosen,
    request: Request,
) -> Result<Response, Problem> {
    let OfTask { split, index } = read(&app, request).await?;
    let (split, _) = episode::split(&set, Some(&split))?;
    let episode = Episode::at(set, split, index)?;
    let spec = spec(&episode.set, split, index);
    Ok(json(&json!({"task": spec, "env_name": episode.set.name()})))
}

/// All tasks of a split.
pub(super) async fn tasks(
    State(app): State<Arc<App>>,
    Chosen(set): Chosen,
    request: Request,
) -> Result<Response, Problem> {
    let OfSplit { split } = read(&app, request).await?;
    let (split, n) = episode::split(&set, Some(&split))?;
    Ok(listed(&set, split, 0..n))
}

#[derive(Debug, Deserialize)]
struct OfRange {
    split: String,
    start: Option<i64>,
    stop: Option<i64>,
}

/// The tasks of a range of indexes, which may count from the end as in Python.
pub(super) async fn task_range(
    State(app): State<Arc<App>>,
    Chosen(set): Chosen,
    request: Request,
) -> Result<Response, Problem> {
    let OfRange { split, start, stop } = read(&app, request).await?;
    let (split, n) = episode::split(&set, Some(&split))?;
    Ok(listed(&set, split, place(start, 0, n)..place(stop, n, n)))
}

/// An index as Python's slices read it, between 0 and `n`.
fn place(index: Option<i64>, default: u64, n: u64) -> u64 {
    match index {
        None => default,
        Some(index) if index < 0 => n.saturating_sub(index.unsigned_abs()),
        Some(index) => index.unsigned_abs().min(n),
    }
}

fn listed(set: &TaskSet, split: Split, range: std::ops::Range<u64>) -> Response {
    let tasks: Vec<_> = range.map(|index| spec(set, split, index)).collect();
    json(&json!({"tasks": tasks, "env_name": set.name()}))
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn ranges_are_those_of_python() {
        for (start, stop, expected) in [
            (None, None, 0..10),
            (Some(2), Some(4), 2..4),
            (Some(-3), None, 7..10),
            (None, Some(-3), 0..7),
            (Some(-30), Some(30), 0..10),
            (Some(i64::MIN), Some(i64::MAX), 0..10),
        ] {
            assert_eq!(place(start, 0, 10)..place(stop, 10, 10), expected, "{start:?} {stop:?}");
        }
    }
}
