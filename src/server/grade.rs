//! `POST /v1/grade`: groups of completions in, rewards out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use graders::Progress;
use graders::advantage::Estimator;
use http::{HeaderMap, HeaderValue, header};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tracing::Instrument;

use super::admission::{Admitted, ReadBody};
use super::answers::{self, Claim, Key, Scope};
use super::auth::Caller;
use super::decode::{self, ReadGroup};
use super::gathering::{Answer, Gathering};
use super::keeping::{self, Run};
use super::measure;
use super::problem::{Fault, Problem};
use super::rubrics;
use super::scoring::{ScoredGroup, Scoring, add_advantages};
use super::types::{GradeReply, GradeRequest, GroupReply, Stored};
use super::{App, json_bytes};
use crate::judge::Control;

/// The request's deadline may also stand here, in milliseconds; the field wins.
pub const DEADLINE_HEADER: &str = "gavel-deadline-ms";
const NDJSON: &str = "application/x-ndjson";
/// Bodies up to this size are read on the async thread; larger ones would hold it up for too long.
const INLINE_BODY_BYTES: usize = 1 << 16;

/// Grade groups of completions.
///
/// Each completion gets its reward with the reason for every component of it. A completion that the judge
/// could not judge has the reward null and an error that says why; it is never scored 0. A malformed group
/// fails alone when others of the request can be judged.
///
/// With `Accept: application/x-ndjson` each group is sent on a line of its own as soon as it is done, and a
/// last line holds `stored` and `elapsed_ms`.
#[utoipa::path(
    post, path = "/v1/grade", tag = "grading",
    request_body(content = GradeRequest<'_>, content_type = "application/json"),
    params(
        ("gavel-deadline-ms" = Option<u64>, Header, description = "Completions not begun after this many milliseconds are not judged."),
        ("idempotency-key" = Option<String>, Header, description = "At most 255 characters. Sent again with the same body it gets the first answer, and the header `idempotency-replayed`; with another body 422. Not for NDJSON."),
    ),
    responses(
        (status = 200, description = "The rewards", body = GradeReply),
        (status = 400, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Understood but invalid, with the place", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Full; nothing was begun", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Stopping; nothing was begun", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn grade(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let streamed = accepts_ndjson(&parts.headers);
    let key = Key::read(&parts.headers, Caller::of(&parts.extensions), Scope::Grade);
    if streamed && matches!(key, Ok(Some(_))) {
        app.admission.discard(body).await;
        return Err(Problem::bad_request(
            "an answer that comes line by line is not kept for an idempotency key; ask for a reply in one piece \
             (without `Accept: application/x-ndjson`)",
        ));
    }
    let arrived = Arrived::read(&app, parts.headers, body).await?;
    if let Some(key) = key? {
        return keyed(app, &key, arrived).await;
    }
    let (batch, inside) = arrived.prepare(&app, streamed).await?;
    if streamed { Ok(stream(app, batch, inside)) } else { Ok(json_bytes(whole(app, batch, inside).await?)) }
}

/// The answer to a request with an idempotency key. The work goes on when the client leaves, as it will come again.
async fn keyed(app: Arc<App>, key: &Key, arrived: Arrived) -> Result<Response, Problem> {
    let print = answers::print(&arrived.body.bytes).await?;
    loop {
        match app.answers.claim(key, print)? {
            Claim::First(claimed) => {
                let work = async move {
                    let (batch, inside) = arrived.prepare(&app, false).await?;
                    let reply = whole(app, batch, inside).await?;
                    claimed.settle(reply.clone());
                    Ok(json_bytes(reply))
                };
                return tokio::spawn(work.in_current_span()).await.map_err(|_| Problem::internal())?;
            }
            Claim::Repeated(waiting) => {
                if let Some(reply) = waiting.answer().await {
                    let replayed = [(answers::REPLAYED_HEADER, HeaderValue::from_static("true"))];
                    return Ok((replayed, json_bytes(reply)).into_response());
                }
            }
        }
    }
}

/// A request that was let in and read.
pub(super) struct Arrived {
    admitted: Admitted,
    headers: HeaderMap,
    pub(super) body: ReadBody,
    started: Instant,
}

impl Arrived {
    /// Lets a request in and reads its body.
    pub(super) async fn read(app: &App, headers: HeaderMap, body: Body) -> Result<Self, Problem> {
        let started = Instant::now();
        let admitted = match app.admission.enter_with_completions() {
            Ok(admitted) => admitted,
            Err(problem) => {
                app.admission.discard(body).await;
                return Err(problem);
            }
        };
        let body = app.admission.read(body).await?;
        Ok(Self { admitted, headers, body, started })
    }

    /// Checks everything that can be refused, and lets its completions in.
    pub(super) async fn prepare(self, app: &App, streamed: bool) -> Result<(Batch, Inside), Problem> {
        let Self { admitted, headers, body: ReadBody { bytes, room: body_room }, started } = self;
        let envelope = envelope(bytes).await?;
        let (batch, room) = prepare(app, &headers, envelope, streamed, started).await?;
        Ok((batch, Inside { _admitted: admitted, _body_room: body_room, _room: room, started }))
    }
}

/// What a request holds on to until it is answered.
pub(super) struct Inside {
    _admitted: Admitted,
    _body_room: Option<OwnedSemaphorePermit>,
    _room: OwnedSemaphorePermit,
    started: Instant,
}

/// A request that was read and checked.
pub(super) struct Batch {
    scoring: Scoring,
    estimator: Option<Estimator>,
    run: Option<Run>,
    groups: Vec<ReadGroup>,
}

impl Batch {
    /// What stops it.
    pub(super) fn control(&self) -> Arc<Control> {
        Arc::clone(&self.scoring.control)
    }
}

async fn envelope(bytes: Bytes) -> Result<Envelope, Problem> {
    if bytes.len() <= INLINE_BODY_BYTES {
        return Envelope::read(&bytes);
    }
    let reading = tokio::task::spawn_blocking(move || Envelope::read(&bytes));
    reading.await.map_err(|_| Problem::internal())?
}

/// Checks everything that can be refused, then lets the completions in; only then is anything written.
async fn prepare(
    app: &App,
    headers: &HeaderMap,
    envelope: Envelope,
    streamed: bool,
    started: Instant,
) -> Result<(Batch, OwnedSemaphorePermit), Problem> {
    let Envelope { rubric, step, metrics, advantage, run, deadline_ms, groups } = envelope;
    let deadline = deadline(headers, deadline_ms, started, app.settings.max_deadline)?;
    let faults: Vec<Fault> =
        groups.iter().filter_map(|group| group.as_ref().err().map(|(_, fault)| fault.clone())).collect();
    if faults.len() == groups.len() {
        return Err(Problem::invalid(faults));
    }
    let rubric = rubrics::resolve(app, rubric).await?;
    let estimator = advantage
        .map(|value| Estimator::from_value(&value))
        .transpose()
        .map_err(|error| Problem::invalid(vec![error.under("/advantage").into()]))?;
    if streamed && estimator.as_ref().is_some_and(Estimator::spans_groups) {
        return Err(Problem::invalid_at(
            "/advantage/estimator",
            "this estimator looks at the whole batch, so groups cannot be answered one by one; ask for a reply in \
             one piece (without `Accept: application/x-ndjson`)",
        ));
    }
    let mut progress = Progress { step, metrics, ..Progress::default() };
    let run = match run {
        Some(name) => Some(Run::open(app, &name, step, &rubric, &mut progress).await?),
        None => None,
    };
    let control = Arc::new(Control::until(Some(deadline)));
    let scoring = Scoring::new(rubric.rubric, &progress, control)
        .map_err(|error| Problem::invalid(vec![error.into()]))?;
    let n_completions = groups.iter().flatten().map(|group| group.completions.len()).sum();
    let room = app.admission.completions(n_completions)?;
    if let Some(run) = &run {
        run.close_latches(app).await?;
    }
    Ok((Batch { scoring, estimator, run, groups }, room))
}

/// The request's fields, its groups read.
struct Envelope {
    rubric: serde_json::Value,
    step: Option<u64>,
    metrics: std::collections::BTreeMap<String, f64>,
    advantage: Option<serde_json::Value>,
    run: Option<String>,
    deadline_ms: Option<u64>,
    groups: Vec<ReadGroup>,
}

impl Envelope {
    fn read(body: &[u8]) -> Result<Self, Problem> {
        let GradeRequest { rubric, step, metrics, advantage, run, deadline_ms, groups } = decode::body(body)?;
        let rubric = decode::part("/rubric", rubric)?;
        let advantage = advantage.map(|raw| decode::part("/advantage", raw)).transpose()?;
        let groups = decode::groups(&groups)?;
        Ok(Self { rubric, step, metrics, advantage, run, deadline_ms, groups })
    }
}

pub(super) fn deadline(
    headers: &HeaderMap,
    field: Option<u64>,
    started: Instant,
    longest: Duration,
) -> Result<Instant, Problem> {
    let header = match headers.get(DEADLINE_HEADER) {
        Some(value) => {
            Some(value.to_str().ok().and_then(|text| text.trim().parse::<u64>().ok()).ok_or_else(|| {
                Problem::bad_request(format!(
                    "the header {DEADLINE_HEADER} is a number of milliseconds, such as 5000"
                ))
            })?)
        }
        None => None,
    };
    let asked = field.or(header).map_or(longest, Duration::from_millis);
    Ok(started + asked.min(longest))
}

fn accepts_ndjson(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.contains(NDJSON))
}

/// Cancels what is still waiting when the one who asked has gone.
pub(super) struct CancelOnDrop(pub(super) Arc<Control>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Grades a batch: the reply as JSON.
pub(super) async fn whole(app: Arc<App>, batch: Batch, inside: Inside) -> Result<Bytes, Problem> {
    let _cancel = CancelOnDrop(Arc::clone(&batch.scoring.control));
    let (gathering, gathered) = Gathering::of(batch.groups.len());
    for (index, group) in batch.groups.into_iter().enumerate() {
        match group {
            Err((id, fault)) => gathering.put(index, Err(GroupReply::malformed(index, id, fault))),
            Ok(input) => {
                let gathering = Arc::clone(&gathering);
                batch
                    .scoring
                    .submit(&app.judge, index, input, move |scored| gathering.put(index, Ok(scored)));
            }
        }
    }
    // From here on only the judge holds it, so that the wait ends if an answer should never come.
    drop(gathering);
    let mut answers = gathered.await.map_err(|_| Problem::internal())?;
    refuse_if_nothing_was_judged(&answers)?;
    if let Some(estimator) = &batch.estimator {
        add_advantages(estimator, answers.iter_mut().filter_map(|answer| answer.as_mut().ok()))
            .map_err(|fault| Problem::invalid(vec![fault]))?;
    }
    let stored = match batch.run {
        Some(run) => Some(run.keep(&app, answers.iter().filter_map(|answer| answer.as_ref().ok())).await),
        None => None,
    };
    let groups: Vec<GroupReply> =
        answers.into_iter().map(|answer| answer.map_or_else(|reply| reply, |g| g.reply)).collect();
    measure::replies(&groups, &batch.scoring.rubric, inside.started);
    let reply = GradeReply { groups, stored, elapsed_ms: milliseconds(inside.started.elapsed()) };
    // The permits are held until the reply is bytes.
    let written = serde_json::to_vec(&reply).map_err(|error| {
        tracing::error!(%error, "a reply could not be written as JSON");
        Problem::internal()
    });
    drop(inside);
    Ok(written?.into())
}

/// 422 when no group of the request could be judged, each for a fault of its own.
fn refuse_if_nothing_was_judged(answers: &[Answer]) -> Result<(), Problem> {
    let fault = |answer: &Answer| match answer {
        Ok(scored) => scored.reply.error.clone(),
        Err(reply) => reply.error.clone(),
    };
    let faults: Vec<Fault> = answers.iter().filter_map(fault).collect();
    if faults.len() == answers.len() { Err(Problem::invalid(faults)) } else { Ok(()) }
}

/// The last line of a streamed reply.
#[derive(Serialize)]
struct StreamEnd {
    #[serde(skip_serializing_if = "Option::is_none")]
    stored: Option<Stored>,
    elapsed_ms: f64,
}

fn stream(app: Arc<App>, batch: Batch, inside: Inside) -> Response {
    let lines = async_stream::stream! {
        let inside = inside;
        let Batch { scoring, estimator, run, groups } = batch;
        let _cancel = CancelOnDrop(Arc::clone(&scoring.control));
        // Bounded by the request's own groups, whose number was checked.
        let (sender, mut receiver) = mpsc::unbounded_channel::<ScoredGroup>();
        let mut malformed = Vec::new();
        for (index, group) in groups.into_iter().enumerate() {
            match group {
                Err((id, fault)) => malformed.push(GroupReply::malformed(index, id, fault)),
                Ok(input) => {
                    let sender = sender.clone();
                    scoring.submit(&app.judge, index, input, move |scored| {
                        let _ = sender.send(scored);
                    });
                }
            }
        }
        drop(sender);
        for reply in &malformed {
            yield line(reply);
        }
        let mut kept: Option<Stored> = None;
        while let Some(mut scored) = receiver.recv().await {
            if let Some(estimator) = &estimator
                && let Err(fault) = add_advantages(estimator, [&mut scored])
            {
                scored.reply.error = Some(fault);
            }
            if let Some(run) = &run {
                keeping::add(&mut kept, run.keep(&app, [&scored]).await);
            }
            measure::replies(std::slice::from_ref(&scored.reply), &scoring.rubric, inside.started);
            yield line(&scored.reply);
        }
        yield line(&StreamEnd { stored: kept, elapsed_ms: milliseconds(inside.started.elapsed()) });
    };
    let content_type = [(header::CONTENT_TYPE, HeaderValue::from_static(NDJSON))];
    (content_type, Body::from_stream(lines)).into_response()
}

fn line<T: Serialize>(value: &T) -> Result<Vec<u8>, std::convert::Infallible> {
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    Ok(line)
}

pub(super) fn milliseconds(elapsed: Duration) -> f64 {
    // Microseconds are as fine as this number is meant.
    (elapsed.as_secs_f64() * 1e6).round() / 1e3
}
