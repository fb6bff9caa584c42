//! Programs near their limits: what they end as is the same on an idle and on a drowned machine.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use sandboxes::{Ending, Limits, Program};

use super::tables::{SIZES, Template, templates};
use super::{for_each, sandbox};

/// Threads that do nothing but use the processor, beside the second round.
const BUSY: usize = 16;
/// The sizes that are run unless `GAVEL_ALL_SIZES` is set: all 500 programs take minutes on a drowned machine.
const USUAL_SIZES: [usize; 3] = [2, 5, 8];

/// All that must be the same.
#[derive(Clone, Debug, PartialEq)]
struct Outcome {
    ending: Ending,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    fuel_used: u64,
    memory_bytes: u64,
}

fn outcome(template: &Template, size: u64) -> Outcome {
    let limits = Limits {
        time: Duration::from_millis(template.limits.time_ms),
        // A drowned machine is what this is about: the wall clock must not decide.
        wall: Duration::from_secs(3600),
        memory_bytes: template.limits.memory_mb << 20,
        output_bytes: 1 << 20,
        files_bytes: 16 << 20,
    };
    let program = Program::new(template.language, template.program.as_str());
    let execution = sandbox()
        .run(&program, format!("{size}\n").as_bytes(), &limits)
        .unwrap_or_else(|error| panic!("{}: {error}", template.name));
    Outcome {
        ending: execution.ending,
        stdout: execution.stdout,
        stderr: execution.stderr,
        fuel_used: execution.fuel_used,
        memory_bytes: execution.memory_bytes,
    }
}

/// The outcome of every program of these sizes, in the order of the table.
fn outcomes(templates: &[Template], places: &[usize]) -> Vec<Outcome> {
    let jobs: Vec<(&Template, u64, Mutex<Option<Outcome>>)> = templates
        .iter()
        .flat_map(|template| places.iter().map(move |place| (template, template.sizes()[*place])))
        .map(|(template, size)| (template, size, Mutex::new(None)))
        .collect();
    for_each(&jobs, |(template, size, found)| *found.lock().unwrap() = Some(outcome(template, *size)));
    jobs.into_iter().map(|(_, _, found)| found.into_inner().unwrap().unwrap()).collect()
}

/// Does `work` beside threads that want every core for themselves.
fn drowned<T>(work: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..BUSY {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let result = work();
        over.store(true, Ordering::Relaxed);
        result
    })
}

/// Which of the ten sizes are run.
fn places() -> Vec<usize> {
    match std::env::var_os("GAVEL_ALL_SIZES") {
        Some(_) => (0..SIZES).collect(),
        None => USUAL_SIZES.to_vec(),
    }
}

#[test]
fn verdicts_near_limits_are_the_same_idle_and_drowned() {
    let (templates, places) = (templates(), places());
    let places = places.as_slice();
    let idle = outcomes(&templates, places);
    let busy = drowned(|| outcomes(&templates, places));
    let mut wrong = Vec::new();
    for (index, (idle, busy)) in idle.iter().zip(&busy).enumerate() {
        let (template, place) = (&templates[index / places.len()], places[index % places.len()]);
        if idle != busy {
            wrong.push(format!(
                "{} of size {}: {:?} with {} fuel idle, {:?} with {} fuel drowned",
                template.name,
                template.sizes()[place],
                idle.ending,
                idle.fuel_used,
                busy.ending,
                busy.fuel_used
            ));
        }
    }
    for (template, idle) in templates.iter().zip(idle.chunks(places.len())) {
        let within = idle.iter().filter(|outcome| outcome.ending == Ending::Exited { code: 0 }).count();
        println!("{}: {within} of {} within the limits", template.name, places.len());
    }
    // Templates none or all of whose programs are within the limits would prove nothing.
    assert_eq!(templates.len() * SIZES, 500);
    if places.len() == SIZES {
        let one_sided: Vec<&str> = templates
            .iter()
            .zip(idle.chunks(SIZES))
            .filter(|(_, found)| {
                let within =
                    found.iter().filter(|outcome| outcome.ending == Ending::Exited { code: 0 }).count();
                within == 0 || within == SIZES
            })
            .map(|(template, _)| template.name.as_str())
            .collect();
        assert!(one_sided.is_empty(), "all on one side of their limits: {one_sided:?}");
    }
    assert!(wrong.is_empty(), "{} programs:\n{}", wrong.len(), wrong.join("\n"));
}
