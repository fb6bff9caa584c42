//! open-instruct's code server: `/test_program` and `/test_program_stdio`.
//!
//! A program and its tests in, 0 or 1 for each test out, with the seconds it took. A client that meets any failure
//! scores 0, whatever it is told, so there is nothing better than to try a failing sandbox again, and to answer with
//! the number that was set for that, or with 0 as the client would. Read in
//! `open_instruct/ground_truth_utils.py` and `code_utils/` (November 2025).
//!
//! Differences from the original: every test has an instance of its own in which the time limit is reference time; a
//! test meets the program from outside, so `sys.exit(0)` passes nothing; there is no list of forbidden words; the
//! numbers of standard output may be laid out in any way.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::Response;
use graders::{Completion, ErrorKind, Explanation, GradeError, Grader, MAX_TEXT_BYTES, Task, build_grader};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use super::pickle;
use super::scoring::{Route, enter, not_judged};
use super::settings::Wire;
use crate::judge::{Control, Inquiry, Unexplained};
use crate::server::extract::Query;
use crate::server::grade::CancelOnDrop;
use crate::server::problem::Problem;
use crate::server::program::MAX_TIME_MS;
use crate::server::types::ErrorReply;
use crate::server::{App, json as reply_json};

const WIRE: Wire = Wire::OpenInstruct;
/// The most tests of a request, and of one part of it: a grader takes no more.
const MAX_TESTS: usize = 4096;
const PART: usize = 512;
/// How often a part is tried when the sandbox fails.
const TRIES: usize = 2;

/// The request.
#[derive(Debug, Deserialize)]
struct Asked {
    program: String,
    tests: Value,
    /// Seconds for each test.
    #[serde(default = "default_time")]
    max_execution_time: f64,
}

fn default_time() -> f64 {
    1.0
}

/// The reply.
#[derive(Debug, Default, Serialize)]
struct Answer {
    /// 1 where a test passed.
    results: Vec<Value>,
    /// Seconds of reference time; -1 where it did not.
    runtimes: Vec<f64>,
}

/// What a test is.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// Statements that must not raise.
    Asserts,
    /// Input and output.
    Streams,
}

/// Runs assertions.
pub(super) async fn asserts(
    app: State<Arc<App>>,
    route: Query<Route>,
    request: Request,
) -> Result<Response, Problem> {
    test(app, route, request, Form::Asserts).await
}

/// Compares output.
pub(super) async fn streams(
    app: State<Arc<App>>,
    route: Query<Route>,
    request: Request,
) -> Result<Response, Problem> {
    test(app, route, request, Form::Streams).await
}

async fn test(
    State(app): State<Arc<App>>,
    Query(route): Query<Route>,
    request: Request,
    form: Form,
) -> Result<Response, Problem> {
    let number = match route.on_infra_failure.or_else(|| app.wires.settings.on_infra_failure(WIRE)) {
        Some(_) => route.number(&app, WIRE)?,
        None => 0.0,
    };
    let (body, inside) = enter(&app, request).await?;
    let Asked { program, tests, max_execution_time } = super::fields(body)?;
    let tests = tokio::task::spawn_blocking(move || listed(tests)).await.map_err(|_| Problem::internal())?;
    let tests = tests.map_err(|message| Problem::invalid_at("/tests", message))?;
    if tests.len() > MAX_TESTS {
        return Err(Problem::invalid_at(
            "/tests",
            format!("at most {MAX_TESTS} tests, these are {}", tests.len()),
        ));
    }
    let _room = app.admission.completions(1)?;
    let control = Arc::new(Control::until(Some(
        inside.started + patience(max_execution_time).min(app.settings.max_deadline),
    )));
    let _cancel = CancelOnDrop(Arc::clone(&control));
    if program.len() > MAX_TEXT_BYTES {
        // Longer than any program that is run: the policy's affair.
        return Ok(reply_json(&Answer::default().with_failed(tests.len())));
    }
    let grader = grader()?;
    let completion = Completion::new(fenced(&program));
    let mut answer = Answer::default();
    for part in tests.chunks(PART) {
        let task = Task { tests: Some(form.tests(part, max_execution_time)), ..Task::default() };
        match explained(&app, &grader, &task, &completion, &control).await? {
            Ok(explanation) => answer.add(part.len(), &explanation),
            Err(error) => {
                not_judged(WIRE, Some(&error));
                answer.results.extend(vec![Value::from(number); part.len()]);
                answer.runtimes.extend(vec![0.0; part.len()]);
            }
        }
    }
    Ok(reply_json(&answer))
}

/// How long the client waits.
fn patience(max_execution_time: f64) -> Duration {
    Duration::from_secs_f64((max_execution_time * 10.0).clamp(30.0, 300.0))
}

fn grader() -> Result<Arc<dyn Grader>, Problem> {
    let spec = json!({"type": "code", "strip_thinking": false, "run_all": true});
    build_grader(&spec).map_err(|error| Problem::invalid(vec![error.into()]))
}

/// The program in a fence that nothing in it can close.
fn fenced(program: &str) -> String {
    let longest = program.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let mut text = String::with_capacity(program.len() + 2 * fence.len() + 16);
    let _ = write!(text, "{fence}python\n{program}\n{fence}");
    text
}

/// The tests as a list: they may be packed in a text.
fn listed(tests: Value) -> Result<Vec<Value>, &'static str> {
    let tests = match tests {
        Value::String(text) if text.is_empty() => Value::Null,
        Value::String(text) => match serde_json::from_str(&text) {
            Ok(tests) => tests,
            Err(_) => pickle::unpacked(&text)?,
        },
        tests => tests,
    };
    match tests {
        Value::Null => Ok(Vec::new()),
        Value::Array(tests) => Ok(tests),
        _ => Err("expected a list of tests"),
    }
}

impl Form {
    fn tests(self, tests: &[Value], max_execution_time: f64) -> Value {
        let time_ms = (max_execution_time * 1000.0).clamp(1.0, MAX_TIME_MS as f64) as u64;
        let limits = json!({"time_ms": time_ms});
        match self {
            Self::Asserts => {
                let cases: Vec<_> = tests.iter().map(|test| json!({"program": test})).collect();
                json!({"language": "python", "cases": cases, "limits": limits})
            }
            Self::Streams => {
                let cases: Vec<_> = tests.iter().map(Self::stream).collect();
                let compare = json!({"kind": "float", "absolute": 0.0, "relative": 0.0});
                json!({
                    "language": "python", "cases": cases, "limits": limits, "compare": compare, "usual_imports": true,
                })
            }
        }
    }

    fn stream(test: &Value) -> Value {
        let known: Map<String, Value> = [("stdin", "input"), ("stdout", "output")]
            .into_iter()
            .filter_map(|(ours, theirs)| Some((ours.to_owned(), lines(test.get(theirs)?))))
            .collect();
        known.into()
    }
}

/// A text; a list is its lines.
fn lines(value: &Value) -> Value {
    match value {
        Value::Array(lines) => {
            lines.iter().map(|line| line.as_str().unwrap_or_default()).collect::<Vec<_>>().join("\n").into()
        }
        value => value.clone(),
    }
}

/// How the tests came out, or what failed.
async fn explained(
    app: &App,
    grader: &Arc<dyn Grader>,
    task: &Task,
    completion: &Completion,
    control: &Arc<Control>,
) -> Result<Result<Explanation, ErrorReply>, Problem> {
    let mut tries = 0;
    loop {
        tries += 1;
        let (sender, receiver) = oneshot::channel();
        let inquiry = Inquiry {
            grader: Arc::clone(grader),
            task: task.clone(),
            completion: completion.clone(),
            control: Arc::clone(control),
        };
        app.judge.explain(inquiry, move |explained| {
            // The caller may have left.
            let _ = sender.send(explained);
        });
        let (kind, message) = match receiver.await.map_err(|_| Problem::internal())? {
            Ok(explanation) => return Ok(Ok(explanation)),
            Err(Unexplained::Judge(GradeError { kind: ErrorKind::SandboxFailed, .. })) if tries < TRIES => {
                continue;
            }
            Err(Unexplained::Judge(GradeError { kind, message })) => (kind, message),
            Err(Unexplained::Task(error)) => {
                (ErrorKind::InvalidTask, format!("tests{}: {}", error.pointer, error.message))
            }
            Err(Unexplained::Group) => (ErrorKind::Internal, String::new()),
        };
        return Ok(Err(ErrorReply { component: "tests".to_owned(), kind, message }));
    }
}

impl Answer {
    fn with_failed(mut self, n: usize) -> Self {
        self.results.extend(vec![Value::from(0); n]);
        self.runtimes.extend(vec![-1.0; n]);
        self
    }

    /// Adds the results of `n` tests. Those that did not run, because the program cannot be read, are failed.
    fn add(&mut self, n: usize, explanation: &Explanation) {
        let first = self.results.len();
        *self = std::mem::take(self).with_failed(n);
        for case in explanation.cases.iter().filter(|case| case.passed && case.case < n) {
            self.results[first + case.case] = 1.into();
            self.runtimes[first + case.case] = case.time_ms / 1000.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_program_closes_its_fence() {
        assert_eq!(fenced("x"), "```python\nx\n```");
        assert_eq!(fenced("'''\n````\n'''"), "`````python\n'''\n````\n'''\n`````");
    }

    #[test]
    fn tests_are_a_list_in_whatever_it_is_packed() {
        let list = vec![json!("assert True")];
        for tests in [json!(["assert True"]), json!("[\"assert True\"]")] {
            assert_eq!(listed(tests).unwrap(), list);
        }
        for tests in [json!(null), json!(""), json!([])] {
            assert!(listed(tests).unwrap().is_empty());
        }
        assert!(listed(json!({})).is_err() && listed(json!("x")).is_err());
    }
}
