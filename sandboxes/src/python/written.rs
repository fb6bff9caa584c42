//! The pages of the snapshot that nearly every program writes to, found by watching a few.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::job::Job;
use super::session::{Input, Session};
use super::snapshot::Interpreter;
use crate::guests::InstallError;
use crate::machine::{Budget, Machine, Page, Stopped, joined, note_written, pages_of};
use crate::{Limits, Program, TestProgram};

/// What the watched programs may use.
const LIMITS: Limits = Limits {
    time: Duration::from_secs(60),
    wall: Duration::from_secs(600),
    memory_bytes: 256 << 20,
    output_bytes: 1 << 20,
    files_bytes: 1 << 20,
};

/// A program as they are written to solve problems.
pub(super) const PROGRAM: &str = r#"
import sys
from collections import defaultdict


class Counter:
    def __init__(self):
        self.seen = defaultdict(int)

    def add(self, word):
        self.seen[word] += 1


def total(numbers):
    return sum(n * n for n in numbers)


def main():
    n = int(input())
    numbers = list(map(int, sys.stdin.readline().split()))
    counter = Counter()
    for number in sorted(numbers):
        counter.add(str(number))
    try:
        counter.seen.pop("absent")
    except KeyError as error:
        counter.add(f"{error}")
    print(n, total(numbers), len(counter.seen))


if __name__ == "__main__":
    main()
"#;

const INPUT: &[u8] = b"3\n1 2 3\n";

/// The pages that the watched programs write to, and what lies between them. `image` is what the memory of an instance starts with.
pub(super) fn watch(
    machine: &Arc<Machine>,
    interpreter: &Interpreter,
    image: &[u8],
) -> Result<Vec<Page>, InstallError> {
    let program = Program::new(crate::Language::Python, PROGRAM);
    let tests = TestProgram { source: "assert total([2]) == 4".to_owned(), entry_point: None };
    let mut pages = BTreeSet::new();
    for job in [Job::run(&program), Job::load(&program, &tests)] {
        let budget = Budget { limits: LIMITS, fuel_per_ms: super::FUEL_PER_MS };
        let input = Input { stdin: INPUT, files: &[] };
        let broken = |error: &dyn std::fmt::Display| InstallError::Build { message: error.to_string() };
        let mut session =
            Session::start(machine, interpreter, input, budget, job).map_err(|error| broken(&error))?;
        match session.enter(interpreter.entries.main) {
            Ok(true) | Err(Stopped::Exit(0)) => {}
            ended => return Err(broken(&format!("a watched program ended so: {ended:?}"))),
        }
        note_written(image, session.memory(), &mut pages);
    }
    Ok(pages_of(&joined(&pages), image))
}
