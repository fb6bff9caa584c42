//! Programs as rows of a table, in the installed guest.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde::Deserialize;

use crate::{Ending, Execution, GuestOptions, Guests, Language, Limits, Program, Sandbox};

const LIMITS: Limits = Limits {
    time: Duration::from_millis(500),
    // A drowned machine is no reason to fail.
    wall: Duration::from_hours(1),
    memory_bytes: 256 << 20,
    output_bytes: 1 << 20,
    files_bytes: 1 << 20,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    run: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    #[serde(default = "cpp")]
    language: Language,
    program: String,
    #[serde(default)]
    stdin: String,
    stdout: Option<String>,
    ending: String,
    stderr: Option<String>,
}

const fn cpp() -> Language {
    Language::Cpp
}

fn guests() -> Guests {
    let directory = Guests::default_directory().unwrap();
    Guests::open(&GuestOptions { directory, slots: 2 }).unwrap()
}

/// An ending in the words of the table.
fn words(ending: &Ending) -> String {
    match ending {
        Ending::Exited { code } => format!("exited {code}"),
        Ending::CompileError { message } => format!("compile_error {message}"),
        Ending::OutOfFuel => "out_of_fuel".to_owned(),
        Ending::OutOfMemory => "out_of_memory".to_owned(),
        Ending::OutputLimit => "output_limit".to_owned(),
        Ending::Trapped { message } => format!("trapped {message}"),
        other => format!("{other:?}"),
    }
}

/// What a row says that its run does not.
fn faults(row: &Row, execution: &Execution) -> Vec<String> {
    let stdout = String::from_utf8_lossy(&execution.stdout);
    let stderr = String::from_utf8_lossy(&execution.stderr);
    let ending = words(&execution.ending);
    let (kind, text) = row.ending.split_once(' ').unwrap_or((&row.ending, ""));
    let agrees = match kind {
        "exited" => ending == row.ending,
        _ => ending.split_once(' ').unwrap_or((&ending, "")).0 == kind && ending.contains(text),
    };
    let mut faults = Vec::new();
    if !agrees {
        faults.push(format!("{}: {ending}, expected {}\n{stdout:.200}\n{stderr:.500}", row.name, row.ending));
    }
    if row.stdout.as_deref().is_some_and(|expected| expected != stdout) {
        faults.push(format!("{}: wrote {stdout:?}, expected {:?}", row.name, row.stdout));
    }
    if row.stderr.as_deref().is_some_and(|expected| !stderr.trim_end().ends_with(expected)) {
        faults.push(format!("{}: said {stderr:?}, expected {:?}", row.name, row.stderr));
    }
    faults
}

#[test]
fn programs_end_as_the_table_says() {
    let table: Table = toml::from_str(include_str!("../../testdata/cpp.toml")).unwrap();
    assert!(table.run.len() >= 80);
    let guests = guests();
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..guests.n_slots() {
            scope.spawn(|| {
                while let Some(row) = table.run.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let program = Program::new(row.language, row.program.as_str());
                    let faults = match guests.run(&program, row.stdin.as_bytes(), &LIMITS) {
                        Ok(execution) => faults(row, &execution),
                        Err(error) => vec![format!("{}: {error}", row.name)],
                    };
                    found.lock().unwrap().extend(faults);
                }
            });
        }
    });
    let found = found.into_inner().unwrap();
    assert!(found.is_empty(), "{} of {}:\n{}", found.len(), table.run.len(), found.join("\n\n"));
}

#[test]
fn the_same_program_burns_the_same_fuel() {
    let guests = guests();
    let source = "#include <stdio.h>\nint main(void) { long s = 0; for (int i = 0; i < 1000000; i++) s += i ^ (s >> 1); printf(\"%ld\", s); }";
    let run = || guests.run(&Program::new(Language::C, source), b"", &LIMITS).unwrap();
    let (one, other) = (run(), run());
    assert_eq!((one.fuel_used, &one.stdout), (other.fuel_used, &other.stdout));
    assert_ne!(one.fuel_used, 0);
}
