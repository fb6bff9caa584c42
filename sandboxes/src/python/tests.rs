//! Programs, calls and examinations as rows of tables, in the installed guest.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use serde::Deserialize;

use super::reply;
use crate::{
    Call, Ending, Execution, GuestOptions, Guests, Language, Limits, Outcome, Program, Returned, Sandbox,
    TestProgram, Value,
};

const LIMITS: Limits = Limits {
    time: Duration::from_secs(4),
    // A drowned machine is no reason to fail.
    wall: Duration::from_hours(1),
    memory_bytes: 256 << 20,
    output_bytes: 1 << 20,
    files_bytes: 16 << 20,
};

/// For what never ends: enough to get going, and soon over.
const SHORT: Duration = Duration::from_millis(80);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Runs {
    run: Vec<Run>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    name: String,
    program: String,
    #[serde(default)]
    stdin: String,
    stdout: Option<String>,
    ending: String,
    /// What standard error ends with.
    stderr: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Calls {
    call: Vec<CallRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CallRow {
    name: String,
    program: String,
    entry_point: String,
    args: String,
    kwargs: Option<String>,
    returned: Option<String>,
    ending: String,
    stdout: Option<String>,
    stderr: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Examinations {
    examine: Vec<Examine>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Examine {
    name: String,
    program: String,
    tests: String,
    entry_point: Option<String>,
    outcome: String,
    stdout: Option<String>,
}

fn guests() -> &'static Guests {
    static GUESTS: OnceLock<Guests> = OnceLock::new();
    GUESTS.get_or_init(|| {
        let directory: PathBuf = Guests::default_directory().expect("there is a folder for guests");
        Guests::open(&GuestOptions { directory, slots: 2 }).unwrap()
    })
}

/// The limits of a row that is expected to end so.
fn limits(expected: &str) -> Limits {
    if ["out_of_fuel", "OutOfFuel"].iter().any(|end| expected.contains(end)) {
        Limits { time: SHORT, ..LIMITS }
    } else {
        LIMITS
    }
}

/// An ending in the words of the tables: what kind it is, and what is known of it.
fn words(execution: &Execution) -> String {
    match &execution.ending {
        Ending::Exited { code } => format!("exited {code}"),
        Ending::CompileError { message } => format!("compile_error {message}"),
        Ending::OutOfFuel => "out_of_fuel".to_owned(),
        Ending::TimedOut => "timed_out".to_owned(),
        Ending::OutOfMemory => "out_of_memory".to_owned(),
        Ending::OutputLimit => "output_limit".to_owned(),
        Ending::MissingModule { name } => format!("missing_module {name}"),
        Ending::NoEntryPoint { name } => format!("no_entry_point {name}"),
        Ending::InvalidResult { message } => format!("invalid_result {message}"),
        Ending::Trapped { message } => format!("trapped {message}"),
    }
}

/// Whether an ending is of the expected kind and says what is expected.
fn agrees(actual: &str, expected: &str) -> bool {
    let (kind, text) = expected.split_once(' ').unwrap_or((expected, ""));
    let (actual_kind, actual_text) = actual.split_once(' ').unwrap_or((actual, ""));
    match kind {
        "exited" | "missing_module" | "no_entry_point" => actual == expected,
        _ => kind == actual_kind && actual_text.contains(text),
    }
}

fn check(fault: &mut Vec<String>, execution: &Execution, row: &Expected<'_>) {
    let said = String::from_utf8_lossy(&execution.stderr);
    let wrote = String::from_utf8_lossy(&execution.stdout);
    let ending = words(execution);
    if !agrees(&ending, row.ending) {
        fault.push(format!("{}: {ending}, expected {}\n{wrote}\n{said}", row.name, row.ending));
    }
    if row.stdout.is_some_and(|stdout| stdout != wrote) {
        fault.push(format!("{}: {wrote:?} written, expected {:?}\n{said}", row.name, row.stdout));
    }
    if row.stderr.is_some_and(|stderr| {
        !said.trim_end().ends_with(stderr)
            && !said.trim_end().lines().last().is_some_and(|last| last.starts_with(stderr))
    }) {
        fault.push(format!("{}: said {said:?}, expected {:?}", row.name, row.stderr));
    }
}

struct Expected<'a> {
    name: &'a str,
    ending: &'a str,
    stdout: Option<&'a str>,
    stderr: Option<&'a str>,
}

/// The values of a table's JSON list.
fn values(json: &str) -> Vec<Value> {
    reply::returned(format!("[null,{json}]").as_bytes()).unwrap().arguments
}

#[test]
fn programs_run_as_their_rows_say() {
    let rows: Runs = toml::from_str(include_str!("../../testdata/python_run.toml")).unwrap();
    assert!(rows.run.len() >= 120);
    let mut faults = Vec::new();
    for row in &rows.run {
        let program = Program::new(Language::Python, &row.program);
        let execution = guests().run(&program, row.stdin.as_bytes(), &limits(&row.ending)).unwrap();
        let expected = Expected {
            name: &row.name,
            ending: &row.ending,
            stdout: row.stdout.as_deref(),
            stderr: row.stderr.as_deref(),
        };
        check(&mut faults, &execution, &expected);
    }
    assert!(faults.is_empty(), "{} rows:\n{}", faults.len(), faults.join("\n---\n"));
}

#[test]
fn functions_return_what_their_rows_say() {
    let rows: Calls = toml::from_str(include_str!("../../testdata/python_call.toml")).unwrap();
    assert!(rows.call.len() >= 40);
    let mut faults = Vec::new();
    for row in &rows.call {
        let kwargs = values(row.kwargs.as_deref().unwrap_or("[]"));
        let kwargs = kwargs.into_iter().map(|pair| match pair {
            Value::List(pair) => match <[Value; 2]>::try_from(pair) {
                Ok([Value::Text(name), value]) => (name, value),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        });
        let call =
            Call { entry_point: row.entry_point.clone(), args: values(&row.args), kwargs: kwargs.collect() };
        let program = Program::new(Language::Python, &row.program);
        let execution = guests().call(&program, &call, &limits(&row.ending)).unwrap();
        let expected = Expected {
            name: &row.name,
            ending: &row.ending,
            stdout: row.stdout.as_deref(),
            stderr: row.stderr.as_deref(),
        };
        check(&mut faults, &execution, &expected);
        let returned: Option<Returned> = row
            .returned
            .as_ref()
            .map(|json| reply::returned(json.replace(", ", ",").replace(": ", ":").as_bytes()).unwrap());
        if execution.returned != returned {
            let said = String::from_utf8_lossy(&execution.stderr);
            faults.push(format!("{}: {:?}, expected {returned:?}\n{said}", row.name, execution.returned));
        }
    }
    assert!(faults.is_empty(), "{} rows:\n{}", faults.len(), faults.join("\n---\n"));
}

#[test]
fn examinations_come_out_as_their_rows_say() {
    let rows: Examinations = toml::from_str(include_str!("../../testdata/python_examine.toml")).unwrap();
    assert!(rows.examine.len() >= 30);
    let mut faults = Vec::new();
    for row in &rows.examine {
        let program = Program::new(Language::Python, &row.program);
        let tests = TestProgram { source: row.tests.clone(), entry_point: row.entry_point.clone() };
        let examination = guests().examine(&program, &tests, &limits(&row.outcome)).unwrap();
        let (kind, text) = match &examination.outcome {
            Outcome::Passed => ("passed", String::new()),
            Outcome::Failed { message } => ("failed", message.clone()),
            Outcome::ProgramEnded => ("program_ended", words(&examination.program)),
            Outcome::TestsBroken { message } => ("broken", message.clone()),
        };
        let (expected_kind, expected_text) = row.outcome.split_once(' ').unwrap_or((&row.outcome, ""));
        let stdout = String::from_utf8_lossy(&examination.program.stdout);
        if kind != expected_kind
            || !text.contains(expected_text)
            || row.stdout.as_ref().is_some_and(|expected| *expected != stdout)
        {
            faults.push(format!(
                "{}: {kind} {text}, expected {}\nprogram: {} {stdout} {}\ntests: {} {}",
                row.name,
                row.outcome,
                words(&examination.program),
                String::from_utf8_lossy(&examination.program.stderr),
                words(&examination.tests),
                String::from_utf8_lossy(&examination.tests.stderr)
            ));
        }
    }
    assert!(faults.is_empty(), "{} rows:\n{}", faults.len(), faults.join("\n---\n"));
}
