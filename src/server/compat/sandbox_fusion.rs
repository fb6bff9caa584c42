//! SandboxFusion's `POST /run_code` and `GET /v1/ping`, as verl, SkyRL, tinker-cookbook and ROLL call them.
//!
//! What a program did is `Success` or `Failed`, what the sandbox failed at `SandboxError`, all with status 200. What
//! was not begun at all is 504, the one status after which verl tries again. Differences from the original: the time
//! limits are reference time, so a verdict does not depend on the load; output is not cut at 1 MiB; paths stay inside
//! the program's own folder; a program that a limit of memory or output ended has a negative return code, as one
//! that a signal killed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use graders::{ErrorKind, GradeError};
use http::StatusCode;
use sandboxes::{Ending, Execution, File, Language, Limits, MAX_SOURCE_BYTES, Program};
use serde::Serialize;
use serde_json::json;
use tokio::sync::oneshot;

use super::validation::{Fields, Refusal, detail};
use crate::judge::{Control, Errand, Executed, Input};
use crate::server::admission::ReadBody;
use crate::server::grade::CancelOnDrop;
use crate::server::problem::Problem;
use crate::server::program::{
    FetchedPath, MAX_FILES, MAX_FILES_KB, MAX_MEMORY_MB, MAX_OUTPUT_KB, MAX_TIME_MS, add, inside, wall,
};
use crate::server::{App, execute, json};

/// The languages of the original, and after them `c` and `javascript`, which only we have.
const LANGUAGES: [&str; 31] = [
    "python",
    "cpp",
    "nodejs",
    "go",
    "go_test",
    "java",
    "php",
    "csharp",
    "bash",
    "typescript",
    "sql",
    "rust",
    "cuda",
    "lua",
    "R",
    "perl",
    "D_ut",
    "ruby",
    "scala",
    "julia",
    "pytest",
    "junit",
    "kotlin_script",
    "jest",
    "verilog",
    "python_gpu",
    "lean",
    "swift",
    "racket",
    "c",
    "javascript",
];
/// Seconds, where the request says nothing.
const DEFAULT_TIMEOUT: f64 = 10.0;
/// MiB, where the request says nothing or a number that is not positive.
const DEFAULT_MEMORY_MB: u64 = 1024;
/// How long after the compile time limit a program may still begin. verl waits ten seconds longer than both limits
/// together; begun any later, nobody would be there for its result.
const PATIENCE: Duration = Duration::from_secs(5);

/// How much longer than both limits together a run may last on the clock: a little less than verl waits. Longer runs
/// would be for nobody; the reply says then that the machine is too slow, which is no verdict.
const MOST_WALL_BEYOND: Duration = Duration::from_secs(9);

/// The reply.
#[derive(Debug, Serialize)]
struct RunCodeReply {
    status: Status,
    message: String,
    compile_result: Option<CommandResult>,
    run_result: Option<CommandResult>,
    executor_pod_name: Option<String>,
    files: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum Status {
    Success,
    Failed,
    SandboxError,
}

#[derive(Debug, Serialize)]
struct CommandResult {
    status: CommandStatus,
    execution_time: Option<f64>,
    return_code: Option<i32>,
    stdout: Option<String>,
    stderr: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum CommandStatus {
    Finished,
    TimeLimitExceeded,
}

/// A request that was read.
struct Asked {
    language: String,
    code: String,
    stdin: Option<String>,
    args: Vec<String>,
    files: BTreeMap<String, String>,
    fetch_files: Vec<String>,
    compile_timeout: f64,
    run_timeout: f64,
    memory_limit_mb: i64,
}

/// Runs a program.
pub async fn run_code(State(app): State<Arc<App>>, request: Request) -> Response {
    let started = Instant::now();
    let body = request.into_body();
    let _admitted = match app.admission.enter_with_completions() {
        Ok(admitted) => admitted,
        Err(problem) => {
            app.admission.discard(body).await;
            return refused(&problem);
        }
    };
    let ReadBody { bytes, room: _body_room } = match app.admission.read(body).await {
        Ok(read) => read,
        Err(problem) => return refused(&problem),
    };
    // A body may be large: nothing for an async thread.
    let asked = match tokio::task::spawn_blocking(move || Asked::read(&bytes)).await {
        Ok(Ok(asked)) => asked,
        Ok(Err(refusal)) => return *refusal,
        Err(_) => return refused(&Problem::internal()),
    };
    let _room = match app.admission.completions(1) {
        Ok(room) => room,
        Err(problem) => return refused(&problem),
    };
    let patience = seconds(asked.compile_timeout) + PATIENCE;
    let control = Arc::new(Control::until(Some(started + patience.min(app.settings.max_deadline))));
    let _cancel = CancelOnDrop(Arc::clone(&control));
    match run(&app, asked, control).await {
        Ok(reply) => json(&reply),
        Err(response) => response,
    }
}

/// Says that the process runs.
pub async fn ping() -> Response {
    json(&"pong")
}

async fn run(app: &App, asked: Asked, control: Arc<Control>) -> Result<RunCodeReply, Response> {
    let (errand, fetch) = match asked.errand(control) {
        Ok(errand) => errand,
        Err(message) => return Ok(RunCodeReply::error(message)),
    };
    let language = errand.program.language;
    let (sender, receiver) = oneshot::channel();
    app.judge.execute(errand, move |executed| {
        // The caller may have left.
        let _ = sender.send(translated(executed, language, &fetch));
    });
    let internal = |_| refused(&Problem::internal());
    receiver.await.map_err(internal)?.map_err(|not_begun| {
        detail(StatusCode::GATEWAY_TIMEOUT, &json!(format!("nothing was begun: {not_begun}")))
    })
}

/// The reply, or why the program was not begun.
fn translated(executed: Executed, language: Language, fetch: &[FetchedPath]) -> Result<RunCodeReply, String> {
    match executed {
        Ok(execution) => Ok(RunCodeReply::new(&execution, language, fetch)),
        Err(GradeError { kind: ErrorKind::DeadlineExceeded | ErrorKind::Cancelled, message }) => Err(message),
        Err(error) => Ok(RunCodeReply::error(error.message)),
    }
}

/// A refusal before anything was begun. A full or stopping server is 504, after which verl tries again.
fn refused(problem: &Problem) -> Response {
    let status = match problem.status {
        429 | 503 => StatusCode::GATEWAY_TIMEOUT,
        status => StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
    };
    detail(status, &json!(problem.detail))
}

impl Asked {
    fn read(body: &Bytes) -> Result<Self, Refusal> {
        let mut fields = Fields::read(body)?;
        let asked = Self {
            compile_timeout: fields.number("compile_timeout", DEFAULT_TIMEOUT),
            run_timeout: fields.number("run_timeout", DEFAULT_TIMEOUT),
            memory_limit_mb: fields.integer("memory_limit_MB", -1),
            code: fields.text("code"),
            stdin: fields.optional_text("stdin"),
            language: fields.literal("language", &LANGUAGES),
            files: fields.texts_by_name("files"),
            fetch_files: fields.texts("fetch_files"),
            args: fields.texts("args"),
        };
        fields.refusal().map_or(Ok(asked), Err)
    }

    fn limits(&self) -> Limits {
        let time =
            seconds(self.run_timeout).clamp(Duration::from_millis(1), Duration::from_millis(MAX_TIME_MS));
        let memory_mb = u64::try_from(self.memory_limit_mb).ok().filter(|mb| *mb > 0);
        let patience = seconds(self.compile_timeout) + seconds(self.run_timeout) + MOST_WALL_BEYOND;
        Limits {
            time,
            wall: wall(time).min(patience),
            memory_bytes: memory_mb.unwrap_or(DEFAULT_MEMORY_MB).min(MAX_MEMORY_MB) << 20,
            output_bytes: MAX_OUTPUT_KB << 10,
            files_bytes: MAX_FILES_KB << 10,
        }
    }

    /// The program to run, or why it cannot be.
    fn errand(self, control: Arc<Control>) -> Result<(Errand, Vec<FetchedPath>), String> {
        let language = language(&self.language).ok_or_else(|| {
            format!("there is no sandbox for {}; there is one for python, cpp, c and nodejs", self.language)
        })?;
        if self.code.len() > MAX_SOURCE_BYTES {
            return Err(format!("a program has at most {MAX_SOURCE_BYTES} bytes"));
        }
        if self.files.len().max(self.fetch_files.len()).max(self.args.len()) > MAX_FILES {
            return Err(format!("at most {MAX_FILES} files, files to fetch and arguments"));
        }
        let limits = self.limits();
        let files = files(self.files, limits.files_bytes)?;
        let fetch = self
            .fetch_files
            .into_iter()
            .map(|asked| match inside(&asked) {
                Ok(inside) => Ok(FetchedPath { asked, inside }),
                Err(message) => Err(format!("fetch_files: {message}")),
            })
            .collect::<Result<_, _>>()?;
        if self.args.iter().any(|arg| arg.contains('\0')) {
            return Err("args: an argument has no zero byte".to_owned());
        }
        let program = Program { language, source: self.code, args: self.args, files };
        let input = Input::Stdin(self.stdin.unwrap_or_default().into_bytes());
        Ok((Errand { program, input, limits, control }, fetch))
    }
}

fn language(name: &str) -> Option<Language> {
    match name {
        "python" => Some(Language::Python),
        "cpp" => Some(Language::Cpp),
        "c" => Some(Language::C),
        "nodejs" | "javascript" => Some(Language::JavaScript),
        _ => None,
    }
}

/// Seconds as they may be written; none are negative, and a day is as good as any longer time.
fn seconds(seconds: f64) -> Duration {
    const DAY: f64 = 86_400.0;
    Duration::from_secs_f64(seconds.clamp(0.0, DAY))
}

fn files(given: BTreeMap<String, String>, most_bytes: u64) -> Result<Vec<File>, String> {
    let mut files = BTreeMap::new();
    let mut n_bytes = 0;
    for (path, encoded) in given {
        let shown: String = path.chars().take(100).collect();
        let about = |message: String| format!("files: {shown:?}: {message}");
        let encoded: String = encoded.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let content = BASE64.decode(encoded).map_err(|error| about(format!("not base64: {error}")))?;
        n_bytes += content.len() as u64;
        add(&mut files, inside(&path).map_err(about)?, content).map_err(about)?;
    }
    if n_bytes > most_bytes {
        return Err(format!("files: {n_bytes} bytes, at most {most_bytes}"));
    }
    Ok(files.into_iter().map(|(path, content)| File { path, content }).collect())
}

impl RunCodeReply {
    fn error(message: String) -> Self {
        Self {
            status: Status::SandboxError,
            message,
            compile_result: None,
            run_result: None,
            executor_pod_name: None,
            files: BTreeMap::new(),
        }
    }

    fn new(execution: &Execution, language: Language, fetch: &[FetchedPath]) -> Self {
        let is_compiled = matches!(language, Language::C | Language::Cpp);
        let (compile_result, run_result) = match &execution.ending {
            Ending::CompileError { message } if is_compiled => {
                (Some(CommandResult::compiled(1, message)), None)
            }
            _ => (is_compiled.then(|| CommandResult::compiled(0, "")), Some(CommandResult::run(execution))),
        };
        let results = [&compile_result, &run_result];
        let succeeded = results.into_iter().flatten().all(CommandResult::succeeded);
        Self {
            status: if succeeded { Status::Success } else { Status::Failed },
            message: String::new(),
            compile_result,
            run_result,
            executor_pod_name: None,
            files: execute::fetched(&execution.files, fetch),
        }
    }
}

impl CommandResult {
    fn compiled(return_code: i32, stderr: &str) -> Self {
        Self {
            status: CommandStatus::Finished,
            // Programs that were compiled before are not compiled again, so there is no time to tell.
            execution_time: None,
            return_code: Some(return_code),
            stdout: Some(String::new()),
            stderr: Some(stderr.to_owned()),
        }
    }

    fn run(execution: &Execution) -> Self {
        let mut stderr = String::from_utf8_lossy(&execution.stderr).into_owned();
        let return_code = match &execution.ending {
            Ending::Exited { code } => Some(*code),
            Ending::OutOfFuel | Ending::TimedOut => None,
            // As after SIGKILL, SIGXFSZ and SIGSEGV.
            Ending::OutOfMemory => Some(-9),
            Ending::OutputLimit => Some(-25),
            Ending::Trapped { .. } => Some(-11),
            Ending::MissingModule { .. }
            | Ending::CompileError { .. }
            | Ending::NoEntryPoint { .. }
            | Ending::InvalidResult { .. } => Some(1),
        };
        let has_traceback = matches!(execution.ending, Ending::MissingModule { .. }) && !stderr.is_empty();
        if return_code.is_some()
            && !has_traceback
            && let Some(message) = execute::message(&execution.ending)
        {
            if !stderr.is_empty() && !stderr.ends_with('\n') {
                stderr.push('\n');
            }
            stderr.push_str(&message);
        }
        let status = match return_code {
            Some(_) => CommandStatus::Finished,
            None => CommandStatus::TimeLimitExceeded,
        };
        Self {
            status,
            execution_time: Some(execution.time.as_secs_f64()),
            return_code,
            stdout: Some(String::from_utf8_lossy(&execution.stdout).into_owned()),
            stderr: Some(stderr),
        }
    }

    fn succeeded(&self) -> bool {
        self.status == CommandStatus::Finished && self.return_code == Some(0)
    }
}
