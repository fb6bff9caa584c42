//! Programs that want a reward without solving their task, honest ones that look like them, and programs near their
//! limits, in the guests that are installed. It never looks at how long anything takes.

mod near_limits;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use graders::Reason;
use sandboxes::{GuestOptions, Guests, Sandbox};

use tables::{Row, Table};

/// The vectors of the catalogue in `sandboxes/README.md`: verdict forgery, limits, escape.
const VECTORS: [(char, u32); 3] = [('A', 20), ('B', 18), ('C', 7)];

const LANGUAGES: [&str; 3] = ["cpp", "javascript", "python"];

/// The rows that are told at the end as the slowest.
const SLOWEST: usize = 5;

/// The installed guests, shared by all tests of this file. A guest that is missing fails them.
pub(crate) fn sandbox() -> &'static Arc<dyn Sandbox> {
    static SANDBOX: OnceLock<Arc<dyn Sandbox>> = OnceLock::new();
    SANDBOX.get_or_init(|| {
        let directory = Guests::default_directory().expect("a home directory");
        let slots = 2 * workers();
        Arc::new(Guests::open(&GuestOptions { directory, slots }).expect("the engine starts"))
    })
}

fn workers() -> usize {
    thread::available_parallelism().map_or(2, usize::from)
}

/// Does `work` for every item, on as many threads as there are cores.
fn for_each<T: Sync>(items: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..workers() {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(item);
                }
            });
        }
    });
}

/// What is wrong with the verdict on an attack.
fn wrong_with_attack(table: &Table, row: &Row) -> Option<String> {
    match table.grade(row, sandbox()) {
        Err(error) => Some(format!("made the judge fail: {error}")),
        Ok(verdict) if verdict.score != Some(0.0) => {
            Some(format!("was REWARDED: {:?} {}", verdict.score, verdict.reason))
        }
        Ok(verdict) if !row.reasons.iter().any(|reason| reason == verdict.reason.name()) => {
            Some(format!("got {} {:?}, not one of {:?}", verdict.reason, verdict.detail, row.reasons))
        }
        Ok(_) => None,
    }
}

/// What is wrong with the verdict on an honest program.
fn wrong_with_honest(table: &Table, row: &Row) -> Option<String> {
    match table.grade(row, sandbox()) {
        Err(error) => Some(format!("made the judge fail: {error}")),
        Ok(verdict) if verdict.score == Some(1.0) && verdict.reason == Reason::TestsPassed => None,
        Ok(verdict) => Some(format!("got {:?} {} {:?}", verdict.score, verdict.reason, verdict.detail)),
    }
}

/// Judges all rows and collects what is wrong.
fn judge_all(
    what: &str,
    table: &Table,
    rows: &[Row],
    wrong_with: impl Fn(&Table, &Row) -> Option<String> + Sync,
) -> Vec<String> {
    let wrong = Mutex::new(Vec::new());
    let times: Mutex<Vec<(Duration, &str)>> = Mutex::new(Vec::new());
    let places: Vec<usize> = (0..rows.len()).collect();
    for_each(&places, |place| {
        let row = &rows[*place];
        let start = Instant::now();
        let found = wrong_with(table, row);
        times.lock().unwrap().push((start.elapsed(), row.name.as_str()));
        if let Some(found) = found {
            let vector = row.vector.as_deref().unwrap_or("honest");
            wrong.lock().unwrap().push(format!("{what}, {vector}, {}: {found}", row.name));
        }
    });
    let mut times = times.into_inner().unwrap();
    times.sort_unstable_by(|a, b| b.cmp(a));
    println!("{what}: {} rows; the slowest:", rows.len());
    for (time, name) in times.iter().take(SLOWEST) {
        println!("  {:.1} s {name}", time.as_secs_f64());
    }
    let mut wrong = wrong.into_inner().unwrap();
    wrong.sort();
    wrong
}

/// Runs all attacks of a language, and beside them an honest program over and over, which must pass every time.
fn no_attack_is_rewarded(language: &str) {
    let table = Table::read(&format!("attacks/{language}.toml"));
    let honest = Table::read(&format!("honest/{language}.toml"));
    let (over, n_honest) = (AtomicBool::new(false), AtomicUsize::new(0));
    let wrong = thread::scope(|scope| {
        let beside = scope.spawn(|| {
            let mut wrong = Vec::new();
            for row in honest.honest.iter().cycle() {
                // At least once, however quick the attacks are.
                let found = wrong_with_honest(&honest, row);
                wrong.extend(found.map(|found| format!("beside attacks, {}: {found}", row.name)));
                n_honest.fetch_add(1, Ordering::Relaxed);
                if over.load(Ordering::Relaxed) || !wrong.is_empty() {
                    break;
                }
            }
            wrong
        });
        let mut wrong = judge_all(&format!("attacks/{language}"), &table, &table.attack, wrong_with_attack);
        over.store(true, Ordering::Relaxed);
        wrong.extend(beside.join().unwrap());
        wrong
    });
    println!("  {} honest programs ran beside them", n_honest.into_inner());
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

fn every_honest_program_passes(language: &str) {
    let table = Table::read(&format!("honest/{language}.toml"));
    let wrong = judge_all(&format!("honest/{language}"), &table, &table.honest, wrong_with_honest);
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn no_attack_in_python_is_rewarded() {
    no_attack_is_rewarded("python");
}

#[test]
fn no_attack_in_javascript_is_rewarded() {
    no_attack_is_rewarded("javascript");
}

#[test]
fn no_attack_in_cpp_is_rewarded() {
    no_attack_is_rewarded("cpp");
}

#[test]
fn every_honest_python_program_passes() {
    every_honest_program_passes("python");
}

#[test]
fn every_honest_javascript_program_passes() {
    every_honest_program_passes("javascript");
}

#[test]
fn every_honest_cpp_program_passes() {
    every_honest_program_passes("cpp");
}

#[test]
fn the_tables_cover_every_vector() {
    let mut seen = BTreeSet::new();
    let mut n_rows: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for language in LANGUAGES {
        let attacks = Table::read(&format!("attacks/{language}.toml"));
        let honest = Table::read(&format!("honest/{language}.toml"));
        attacks.check();
        honest.check();
        n_rows.insert(language, (attacks.attack.len(), honest.honest.len()));
        seen.extend(attacks.attack.into_iter().filter_map(|row| row.vector));
    }
    println!("rows of attacks and of honest programs: {n_rows:?}");
    let known: BTreeSet<String> = VECTORS
        .into_iter()
        .flat_map(|(kind, most)| (1..=most).map(move |number| format!("{kind}{number}")))
        .collect();
    assert_eq!(seen, known);
    let attacks: usize = n_rows.values().map(|(attacks, _)| attacks).sum();
    let honest: usize = n_rows.values().map(|(_, honest)| honest).sum();
    assert!(attacks >= 150 && honest >= 60, "{attacks} attacks and {honest} honest programs");
}
