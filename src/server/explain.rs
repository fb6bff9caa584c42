//! `POST /v1/explain`: one verdict, and how it came about.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use graders::{Completion, ErrorKind, GradeError, Grader, Task, build_grader};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;
use utoipa::ToSchema;

use super::admission::ReadBody;
use super::grade::{CancelOnDrop, deadline};
use super::problem::Problem;
use super::types::{CompletionInput, TaskInput};
use super::{App, decode};
use crate::judge::{Control, Inquiry, Unexplained};

/// A completion whose verdict is to be explained.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "grader": {"type": "math"},
    "task": {"reference": "(x+1)^2"},
    "completion": "So it is \\boxed{x^2+1}."
}))]
pub struct ExplainRequest<'a> {
    /// The grader with its settings; `math` when it says nothing.
    #[serde(default, borrow)]
    #[schema(value_type = Option<Value>)]
    pub grader: Option<&'a RawValue>,
    /// What was asked.
    #[serde(default, deserialize_with = "graders::object")]
    #[schema(value_type = TaskInput)]
    pub task: Task,
    /// What the policy wrote: a string, or an object with `text`.
    #[schema(value_type = CompletionInput)]
    pub completion: Completion,
    /// It is not judged when its turn comes later than after this many milliseconds.
    #[serde(default)]
    pub deadline_ms: Option<u64>,
}

/// A verdict and how it came about.
#[derive(Serialize, ToSchema)]
#[schema(as = Explanation)]
pub struct ExplanationReply {
    /// The verdict, the same that grading gives.
    pub verdict: VerdictReply,
    /// What was taken for the answer; null if nothing was.
    pub extraction: Option<ExtractionReply>,
    /// How each right answer of the task was read; empty for graders that read none.
    pub reference: Vec<SideReply>,
    /// How the answer was read.
    pub answer: Option<SideReply>,
    /// The method that decided, such as `identical`, `exact`, `modular` or `numeric`.
    pub decided_by: Option<String>,
    /// What a right answer lacks that the task asks for, such as `form` or `unit`.
    pub lacks: Option<String>,
    /// Where the answer differs from the first reference of which that can be shown.
    pub counter_example: Option<CounterExampleReply>,
    /// How each case of a program's tests came out, in the order in which they ran; left out for graders that run
    /// no tests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cases: Vec<CaseReply>,
    /// What a language model was asked and how it answered; left out where none was asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<AskedReply>,
}

/// One question to a language model.
#[derive(Serialize, ToSchema)]
#[schema(as = AskedReport)]
pub struct AskedReply {
    /// What it was shown.
    pub messages: Vec<AskedMessage>,
    /// How likely each allowed answer was, for each vote, in the order of `answers`.
    pub probabilities: Vec<Vec<f64>>,
    /// The answers that were allowed.
    pub answers: Vec<String>,
}

/// A message to a language model.
#[derive(Serialize, ToSchema)]
#[schema(as = AskedMessage)]
pub struct AskedMessage {
    /// Who speaks: `system` or `user`.
    pub role: String,
    /// What is said.
    pub content: String,
}

/// One case of a program's tests.
#[derive(Serialize, ToSchema)]
#[schema(as = CaseReport)]
pub struct CaseReply {
    /// Its number in the tests, from 0.
    pub case: usize,
    /// Whether the task calls it public.
    pub public: bool,
    /// Whether it passed.
    pub passed: bool,
    /// Why, as a stable name.
    pub reason: String,
    /// What the program gave, and where that may be told, what was expected.
    pub detail: Map<String, Value>,
    /// The reference time that the program used, in milliseconds.
    pub time_ms: f64,
    /// The most memory that the program held.
    pub memory_bytes: u64,
}

/// One grader's finding.
#[derive(Serialize, ToSchema)]
#[schema(as = Verdict)]
pub struct VerdictReply {
    /// The score, or null when the grader abstained.
    pub score: Option<f64>,
    /// Why, as a stable name.
    pub reason: String,
    /// What was extracted and how it was compared.
    pub detail: Map<String, Value>,
}

/// What was taken for the answer.
#[derive(Serialize, ToSchema)]
#[schema(as = Extraction)]
pub struct ExtractionReply {
    /// The step that found it, such as `boxed`.
    pub step: String,
    /// The answer as it was written.
    pub text: String,
}

/// A text and how it was read.
#[derive(Serialize, ToSchema)]
#[schema(as = Side)]
pub struct SideReply {
    /// The text without the marks around it.
    pub text: String,
    /// Its readings as LaTeX, the most likely first; empty if it could not be read.
    pub latex: Vec<String>,
    /// Where reading it as mathematics stopped, as a byte of the text; null if all of it was read.
    pub unread_at: Option<usize>,
    /// What stands there.
    pub unread: Option<String>,
}

/// A point at which the two sides differ.
#[derive(Serialize, ToSchema)]
#[schema(as = CounterExample)]
pub struct CounterExampleReply {
    /// The value of each variable, as a decimal; empty for constants.
    pub point: BTreeMap<String, String>,
    /// The reference's value there: a number, or for relations and sets `true` or `false`.
    pub reference: String,
    /// The answer's value there.
    pub answer: String,
}

/// Explain the verdict on one completion.
///
/// What was taken for the answer, how each side was read (printed back as LaTeX), which method decided and,
/// where the two differ, a point at which they do. The verdict is the one that grading gives. Nothing is kept.
#[utoipa::path(
    post, path = "/v1/explain", tag = "grading",
    request_body(content = ExplainRequest<'_>, content_type = "application/json"),
    params(("gavel-deadline-ms" = Option<u64>, Header, description = "It is not judged when its turn comes later than after this many milliseconds.")),
    responses((status = 200, description = "The explanation", body = ExplanationReply))
)]
pub async fn explain(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let _admitted = match app.admission.enter_with_completions() {
        Ok(admitted) => admitted,
        Err(problem) => {
            app.admission.discard(body).await;
            return Err(problem);
        }
    };
    let ReadBody { bytes, room: _body_room } = app.admission.read(body).await?;
    // A body may be large and a grader may have to compile its pattern: nothing for an async thread.
    let longest = app.settings.max_deadline;
    let reading = tokio::task::spawn_blocking(move || read(&bytes, &parts.headers, started, longest));
    let inquiry = reading.await.map_err(|_| Problem::internal())??;
    let _room = app.admission.completions(1)?;
    let _cancel = CancelOnDrop(Arc::clone(&inquiry.control));
    let kind = inquiry.grader.kind();
    let (sender, receiver) = oneshot::channel();
    app.judge.explain(inquiry, move |explained| {
        // The caller may have left.
        let _ = sender.send(explained);
    });
    let explained = receiver.await.map_err(|_| Problem::internal())?;
    let explanation = explained.map_err(problem)?;
    metrics::counter!("gavel_explanations_total", "grader" => kind).increment(1);
    Ok(super::json(&explanation))
}

fn read(
    bytes: &Bytes,
    headers: &HeaderMap,
    started: Instant,
    longest: std::time::Duration,
) -> Result<Inquiry, Problem> {
    let ExplainRequest { grader, task, completion, deadline_ms } = decode::body(bytes)?;
    let grader = match grader {
        Some(raw) => decode::part("/grader", raw)?,
        None => json!({"type": "math"}),
    };
    let grader: Arc<dyn Grader> =
        build_grader(&grader).map_err(|error| Problem::invalid(vec![error.under("/grader").into()]))?;
    let deadline = deadline(headers, deadline_ms, started, longest)?;
    Ok(Inquiry { grader, task, completion, control: Arc::new(Control::until(Some(deadline))) })
}

fn problem(error: Unexplained) -> Problem {
    match error {
        Unexplained::Task(error) => Problem::invalid_at(format!("/task{}", error.pointer), error.message),
        Unexplained::Group => Problem::invalid_at("/grader", error.to_string()),
        Unexplained::Judge(GradeError { kind, message }) => match kind {
            ErrorKind::MissingLength => Problem::invalid_at("/completion/n_tokens", message),
            ErrorKind::InvalidTask | ErrorKind::InvalidReference => Problem::invalid_at("/task", message),
            ErrorKind::Internal => Problem::internal(),
            kind => Problem::unjudged(format!("{kind}: {message}")),
        },
    }
}
