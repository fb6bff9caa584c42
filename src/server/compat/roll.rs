//! ROLL's remote reward system: a task is submitted, and its result asked for every two seconds.
//!
//! Its client cannot be told that there is no reward, but it can be told to begin again: `errcode` 0 without a
//! `reward_score` ends the polling, and the sample is submitted anew, five times in all, after which it is 0. So what
//! the sandbox failed at is answered without a score the first four times, and with the number that was set for that
//! at the last. Read in `roll/pipeline/rlvr/rewards/remote_reward_system_worker.py`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::response::Response;
use graders::{Completion, ErrorKind, Prompt};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::label;
use super::scoring::{Batch, Outcome, Route, Sample, enter};
use super::settings::Wire;
use crate::server::auth::Caller;
use crate::server::extract::Query;
use crate::server::job_table::{Kind, Status};
use crate::server::json as reply_json;
use crate::server::problem::Problem;
use crate::server::{App, json_bytes};

const WIRE: Wire = Wire::Roll;
/// How often the client submits a sample before it gives it up.
const ROUNDS: u32 = 5;
/// How many samples' failures are remembered, and for how long.
const MAX_FAILED: usize = 1 << 16;
const FAILED_FOR: Duration = Duration::from_mins(30);

/// The request. What else it says (priority, project, …) is for the client's own books.
#[derive(Debug, Deserialize)]
struct Asked {
    #[serde(default)]
    prompt: Value,
    response: String,
    /// The right answer: `ground_truth`, or `test_cases`, or fields of a task.
    #[serde(default)]
    reward_info: Option<Map<String, Value>>,
    /// Seconds after which nobody asks any more.
    #[serde(default)]
    timeout: Option<f64>,
}

/// The reply to a submission.
#[derive(Debug, Serialize)]
struct Submitted<'a> {
    errcode: i32,
    errmsg: &'static str,
    reward_request_id: &'a str,
}

/// How often a sample was not judged.
#[derive(Debug, Default)]
pub struct Failures {
    counts: Mutex<HashMap<[u8; 32], (u32, Instant)>>,
}

impl Failures {
    /// Counts a failure of a sample; whether the client will submit it again.
    fn comes_again(&self, sample: [u8; 32]) -> bool {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MAX_FAILED {
            counts.retain(|_, (_, since)| since.elapsed() < FAILED_FOR);
            if counts.len() >= MAX_FAILED {
                counts.clear();
            }
        }
        let (count, since) = counts.entry(sample).or_insert((0, Instant::now()));
        if since.elapsed() >= FAILED_FOR {
            *count = 0;
        }
        (*count, *since) = (*count + 1, Instant::now());
        if *count < ROUNDS {
            return true;
        }
        counts.remove(&sample);
        false
    }
}

/// Takes a sample.
pub(super) async fn submit(
    State(app): State<Arc<App>>,
    Query(route): Query<Route>,
    request: Request,
) -> Result<Response, Problem> {
    let number = route.number(&app, WIRE)?;
    let caller = Caller::of(request.extensions());
    let (body, inside) = enter(&app, request).await?;
    let place = app.jobs.place(Kind::Roll, caller)?;
    let print = Sha256::digest(body.to_string()).into();
    let Asked { prompt, response, reward_info, timeout } = super::fields(body)?;
    let patience = timeout.and_then(|s| Duration::try_from_secs_f64(s).ok()).unwrap_or(Duration::MAX);
    let sample = Sample {
        prompt: serde_json::from_value::<Prompt>(prompt).ok(),
        label: known(reward_info.unwrap_or_default()),
        completion: Completion::new(response),
    };
    let batch = route.prepare(&app, WIRE, vec![sample], inside.started, patience).await?;
    let control = batch.control();
    let work = {
        let app = Arc::clone(&app);
        async move {
            let reply = judged(&app, batch, print, number).await?;
            drop(inside);
            serde_json::to_vec(&reply).map(Into::into).map_err(|_| Problem::internal())
        }
    };
    let job = place.start(control, work);
    Ok(reply_json(&Submitted { errcode: 0, errmsg: "", reward_request_id: job.id() }))
}

async fn judged(app: &App, batch: Batch, print: [u8; 32], number: f64) -> Result<Value, Problem> {
    let begun = Timestamp::now();
    let outcomes = batch.judged(app).await?;
    let outcome = outcomes.first().ok_or_else(Problem::internal)?;
    let errmsg = outcome.reply.error.as_ref().map_or("", |error| error.message.as_str());
    let may_heal = outcome.reply.error.as_ref().is_some_and(|error| heals(error.kind));
    let reward_score = if may_heal && app.wires.roll.comes_again(print) {
        None
    } else {
        Some(outcome.reward_or(number, WIRE))
    };
    let dimentions = dimentions(outcome, number);
    Ok(json!({
        "errcode": 0,
        "errmsg": errmsg,
        "reward_score": reward_score,
        "dimention_reward_score": dimentions,
        "start_time": iso(begun),
        "end_time": iso(Timestamp::now()),
    }))
}

/// Each component with its score, and `judged`.
fn dimentions(outcome: &Outcome, number: f64) -> Map<String, Value> {
    let scores = outcome.numbers(number).into_iter();
    scores.map(|(name, score)| (name, json!({"score": score, "debug_info": {}}))).collect()
}

/// Whether another try may go better: what is wrong with the label stays wrong.
fn heals(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::SandboxUnavailable
            | ErrorKind::SandboxFailed
            | ErrorKind::DeadlineExceeded
            | ErrorKind::JudgeUnavailable
            | ErrorKind::JudgeUnreadable
            | ErrorKind::ExternalUnavailable
            | ErrorKind::ExternalUnreadable
    )
}

fn iso(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()
}

/// What a label may say, of what ROLL passes on from its data set.
fn known(mut info: Map<String, Value>) -> Value {
    if let Some(tests) = info.remove("test_cases") {
        info.entry("tests").or_insert(tests);
    }
    info.retain(|name, value| label::FIELDS.contains(&name.as_str()) && !value.is_null());
    if info.is_empty() { Value::Null } else { info.into() }
}

/// The request of a poll: a GET with a body.
#[derive(Debug, Deserialize)]
struct Poll {
    reward_request_id: String,
}

/// Tells how far a sample is.
pub(super) async fn result(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let caller = Caller::of(request.extensions());
    let read = app.admission.read_small(request.into_body()).await?;
    let Poll { reward_request_id } = super::fields(super::lenient::read(&read.bytes)?)?;
    let Some(job) = app.jobs.get(Kind::Roll, caller, &reward_request_id) else {
        return Ok(reply_json(&no_score(
            "this request is not known here, or its time is over; submit the sample again",
        )));
    };
    match job.status() {
        Status::Queued | Status::Running => Ok(reply_json(&json!({"errcode": 1, "errmsg": "running"}))),
        Status::Ended(outcome) => {
            job.fetched();
            match outcome {
                Ok(reply) => Ok(json_bytes(reply)),
                Err(problem) => Ok(reply_json(&no_score(&problem.detail))),
            }
        }
    }
}

/// Has the client submit the sample again.
fn no_score(message: &str) -> Value {
    json!({"errcode": 0, "errmsg": message, "reward_score": null, "dimention_reward_score": {}})
}
