//! `POST /v1/execute`: programs in, what they did out. No verdict and no reward: nothing is compared with anything.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use graders::{ErrorKind, GradeError};
use http::HeaderMap;
use sandboxes::{Ending, Execution, File};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::oneshot;
use utoipa::ToSchema;

use super::admission::ReadBody;
use super::grade::{CancelOnDrop, deadline, milliseconds};
use super::problem::{Fault, Problem};
use super::program::{CheckedProgram, FetchedPath, ProgramInput};
use super::{App, decode, value};
use crate::judge::{Control, Errand, Executed};

/// The most programs in one request.
const MAX_PROGRAMS: usize = 64;
/// The most bytes that the programs of one request may write together into its reply.
const MAX_REPLY_BYTES: u64 = 256 << 20;
/// Replies up to this size are written on the async thread; larger ones would hold it up for too long.
const INLINE_REPLY_BYTES: usize = 1 << 16;

/// One program, or several under `programs`.
#[derive(ToSchema)]
#[schema(as = ExecuteRequest, example = json!({"language": "python", "source": "print(input()[::-1])", "stdin": "olleh"}))]
#[serde(untagged)]
#[expect(clippy::large_enum_variant, reason = "describes the request to OpenAPI; it is never made")]
pub enum ExecuteRequest {
    /// One program.
    One(ProgramInput),
    /// Several programs.
    Several(SeveralPrograms),
}

/// Several programs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SeveralPrograms {
    /// The programs, at most 64; the reply has one result for each, in this order.
    programs: Vec<graders::Object<ProgramInput>>,
    /// Those whose turn comes later than after this many milliseconds are not run.
    #[serde(default)]
    deadline_ms: Option<u64>,
}

/// What a program did.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = Execution)]
pub struct ExecutionReply {
    /// How it ended: `exited`, `compile_error`, `out_of_fuel` (the time limit), `out_of_memory`, `output_limit`,
    /// `missing_module`, `no_entry_point`, `invalid_result` or `trapped`; null when there is an error.
    pub ending: Option<&'static str>,
    /// The exit code, where it exited.
    pub exit_code: Option<i32>,
    /// What the compiler said, which module is missing, what the function returned instead of plain data, ….
    pub message: Option<String>,
    /// Standard output; bytes that are not UTF-8 are replaced.
    pub stdout: String,
    /// Standard output in base64, when it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdout_base64: Option<String>,
    /// Standard error; bytes that are not UTF-8 are replaced.
    pub stderr: String,
    /// Standard error in base64, when it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stderr_base64: Option<String>,
    /// What the called function left behind, when it came back.
    pub returned: Option<ReturnedReply>,
    /// The files that were asked for and are there, in base64, by the paths asked for.
    pub files: BTreeMap<String, String>,
    /// Instructions of the virtual machine that were used, about.
    pub fuel_used: u64,
    /// The same as reference time, in milliseconds: equal for equal programs and inputs, on any machine.
    pub time_ms: f64,
    /// The most memory it held beyond what its interpreter starts with.
    pub memory_bytes: u64,
    /// Time on the clock, in milliseconds.
    pub wall_ms: f64,
    /// Why it was not run, for no fault of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ExecutionError>,
}

/// Why a program was not run.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExecutionError {
    /// What failed, as in a reward that is null.
    #[schema(value_type = String)]
    pub kind: ErrorKind,
    /// What happened, and what to do about it.
    pub message: String,
}

/// What a called function left behind.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Returned)]
pub struct ReturnedReply {
    /// What it returned. What JSON lacks is written as in the arguments of a call, and `{"$opaque": "<type>"}`.
    pub value: Value,
    /// The positional arguments after the call.
    pub arguments: Vec<Value>,
}

/// The reply for one program.
#[derive(Serialize, ToSchema)]
#[schema(as = ExecuteReply)]
struct OneReply {
    #[serde(flatten)]
    #[schema(inline)]
    execution: ExecutionReply,
    /// Time from the request's arrival to the reply.
    elapsed_ms: f64,
}

/// The reply for several programs.
#[derive(Serialize, ToSchema)]
#[schema(as = ExecuteSeveralReply)]
struct SeveralReply {
    /// One for each program, in the request's order.
    results: Vec<ExecutionReply>,
    /// Time from the request's arrival to the reply.
    elapsed_ms: f64,
}

/// Either reply.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, clippy::large_enum_variant, reason = "describes the reply to OpenAPI")]
enum AnyReply {
    One(OneReply),
    Several(SeveralReply),
}

/// Run programs in the sandbox.
///
/// Whatever a program does is in a reply with status 200: its output, how it ended and what it used. What the
/// sandbox failed at is `error`, and then `ending` is null. The same program and input give the same reply, but for
/// `wall_ms` and `elapsed_ms`, on any machine and under any load. Nothing is kept.
#[utoipa::path(
    post, path = "/v1/execute", tag = "execution",
    request_body(content = ExecuteRequest, content_type = "application/json"),
    params(("gavel-deadline-ms" = Option<u64>, Header, description = "Programs whose turn comes later than after this many milliseconds are not run.")),
    responses((status = 200, description = "What the program did, or the programs did", body = AnyReply))
)]
pub async fn execute(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
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
    let longest = app.settings.max_deadline;
    // A body may be large: nothing for an async thread.
    let reading = tokio::task::spawn_blocking(move || Asked::read(&bytes, &parts.headers, started, longest));
    let asked = reading.await.map_err(|_| Problem::internal())??;
    let _room = app.admission.completions(asked.programs.len())?;
    let _cancel = CancelOnDrop(Arc::clone(&asked.control));
    let waiting: Vec<_> =
        asked.programs.into_iter().map(|program| submit(&app, program, &asked.control)).collect();
    let mut results = Vec::with_capacity(waiting.len());
    for result in waiting {
        results.push(result.await.map_err(|_| Problem::internal())?);
    }
    let is_large = results.iter().map(ExecutionReply::n_bytes).sum::<usize>() > INLINE_REPLY_BYTES;
    let write = move || {
        let elapsed_ms = milliseconds(started.elapsed());
        match results.pop() {
            Some(execution) if asked.is_one => super::json(&OneReply { execution, elapsed_ms }),
            last => {
                results.extend(last);
                super::json(&SeveralReply { results, elapsed_ms })
            }
        }
    };
    if is_large {
        tokio::task::spawn_blocking(write).await.map_err(|_| Problem::internal())
    } else {
        Ok(write())
    }
}

/// Hands a program to the judge. What of its result is not asked for is dropped there and then.
fn submit(app: &App, program: CheckedProgram, control: &Arc<Control>) -> oneshot::Receiver<ExecutionReply> {
    let CheckedProgram { program, input, limits, fetch } = program;
    let (sender, receiver) = oneshot::channel();
    let errand = Errand { program, input, limits, control: Arc::clone(control) };
    app.judge.execute(errand, move |executed| {
        // The caller may have left.
        let _ = sender.send(ExecutionReply::new(executed, &fetch));
    });
    receiver
}

/// A request that was read and checked.
struct Asked {
    programs: Vec<CheckedProgram>,
    /// Whether the reply is that for one program.
    is_one: bool,
    control: Arc<Control>,
}

impl Asked {
    fn read(
        bytes: &Bytes,
        headers: &HeaderMap,
        started: Instant,
        longest: Duration,
    ) -> Result<Self, Problem> {
        #[derive(Deserialize)]
        struct Form {
            programs: Option<IgnoredAny>,
        }
        let form: Option<Form> = serde_json::from_slice(bytes).ok();
        let is_several = form.is_some_and(|form| form.programs.is_some());
        let (programs, deadline_ms) = if is_several {
            let SeveralPrograms { programs, deadline_ms } = decode::body(bytes)?;
            if programs.is_empty() || programs.len() > MAX_PROGRAMS {
                let message =
                    format!("a request has 1 to {MAX_PROGRAMS} programs, this has {}", programs.len());
                return Err(Problem::invalid_at("/programs", message));
            }
            (checked_all(programs)?, deadline_ms)
        } else {
            let program: ProgramInput = decode::body(bytes)?;
            let deadline_ms = program.deadline_ms;
            (vec![program.checked().map_err(Problem::invalid)?], deadline_ms)
        };
        let most: u64 = programs.iter().map(CheckedProgram::most_reply_bytes).sum();
        if most > MAX_REPLY_BYTES {
            let message = format!(
                "these programs may write {most} bytes together, at most {MAX_REPLY_BYTES}; lower `output_kb` and \
                 `files_kb`, or send fewer at once"
            );
            return Err(Problem::invalid_at("/programs", message));
        }
        let deadline = deadline(headers, deadline_ms, started, longest)?;
        Ok(Self { programs, is_one: !is_several, control: Arc::new(Control::until(Some(deadline))) })
    }
}

fn checked_all(programs: Vec<graders::Object<ProgramInput>>) -> Result<Vec<CheckedProgram>, Problem> {
    let mut faults = Vec::new();
    let mut checked = Vec::with_capacity(programs.len());
    for (index, graders::Object(program)) in programs.into_iter().enumerate() {
        if program.deadline_ms.is_some() {
            let message = "one deadline for all of them stands beside `programs`";
            faults.push(Fault::new(format!("/programs/{index}/deadline_ms"), message));
        }
        match program.checked() {
            Ok(program) => checked.push(program),
            Err(wrong) => faults.extend(wrong.into_iter().map(|Fault { pointer, message }| Fault {
                pointer: format!("/programs/{index}{pointer}"),
                message,
            })),
        }
    }
    if faults.is_empty() { Ok(checked) } else { Err(Problem::invalid(faults)) }
}

impl ExecutionReply {
    fn new(executed: Executed, fetch: &[FetchedPath]) -> Self {
        match executed {
            Ok(execution) => Self::of(execution, fetch),
            Err(GradeError { kind, message }) => {
                Self { error: Some(ExecutionError { kind, message }), ..Self::default() }
            }
        }
    }

    fn of(execution: Execution, fetch: &[FetchedPath]) -> Self {
        let Execution { ending, stdout, stderr, returned, files, fuel_used, time, memory_bytes, wall } =
            execution;
        let (stdout, stdout_base64) = text(stdout);
        let (stderr, stderr_base64) = text(stderr);
        let (exit_code, message) = match &ending {
            Ending::Exited { code } => (Some(*code), None),
            other => (None, message(other)),
        };
        Self {
            ending: Some(ending.name()),
            exit_code,
            message,
            stdout,
            stdout_base64,
            stderr,
            stderr_base64,
            returned: returned.map(|returned| ReturnedReply {
                value: value::to_json(&returned.value),
                arguments: returned.arguments.iter().map(value::to_json).collect(),
            }),
            files: fetched(&files, fetch),
            fuel_used,
            time_ms: milliseconds(time),
            memory_bytes,
            wall_ms: milliseconds(wall),
            error: None,
        }
    }

    /// About how long it is as JSON.
    fn n_bytes(&self) -> usize {
        let encoded = [&self.stdout_base64, &self.stderr_base64];
        let encoded: usize = encoded.into_iter().flatten().map(String::len).sum();
        let files: usize = self.files.values().map(String::len).sum();
        // Data that was returned is bounded by the guest; it is only guessed at.
        let returned = if self.returned.is_some() { INLINE_REPLY_BYTES / 8 } else { 0 };
        self.stdout.len() + self.stderr.len() + encoded + files + returned
    }
}

/// What there is to say about an ending besides its name.
pub(super) fn message(ending: &Ending) -> Option<String> {
    Some(match ending {
        Ending::CompileError { message }
        | Ending::InvalidResult { message }
        | Ending::Trapped { message } => message.clone(),
        Ending::MissingModule { name } => format!("the sandbox has no module `{name}`"),
        Ending::NoEntryPoint { name } => format!("the program does not define `{name}`"),
        Ending::OutOfFuel => "its reference time was used up".to_owned(),
        Ending::OutOfMemory => "it asked for more memory than allowed".to_owned(),
        Ending::OutputLimit => "it wrote more than allowed".to_owned(),
        Ending::Exited { .. } | Ending::TimedOut => return None,
    })
}

/// The bytes as text, and in base64 where that loses some.
fn text(bytes: Vec<u8>) -> (String, Option<String>) {
    match String::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let bytes = error.as_bytes();
            (String::from_utf8_lossy(bytes).into_owned(), Some(BASE64.encode(bytes)))
        }
    }
}

/// The files asked for that are there, in base64, by the paths asked for.
pub(super) fn fetched(files: &[File], fetch: &[FetchedPath]) -> BTreeMap<String, String> {
    let found = |path: &FetchedPath| {
        let file = files.iter().find(|file| inside_path(&file.path) == path.inside)?;
        Some((path.asked.clone(), BASE64.encode(&file.content)))
    };
    fetch.iter().filter_map(found).collect()
}

/// The path of a file that a program left, as requests write it.
fn inside_path(path: &str) -> &str {
    path.trim_start_matches("./").trim_start_matches('/')
}
