//! A test program beside the program it tests.

use crate::execution::Execution;

/// Tests that a task's author wrote: trusted not to lie, not trusted with the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestProgram {
    /// Statements in the language of the program under test. Names that they do not define themselves are the
    /// program's: functions, classes and constants. With an assertion that fails, or any other exception, the
    /// tests have failed.
    pub source: String,
    /// The function that `check(candidate)` in the style of HumanEval is given: after `source` ran, and if it
    /// defines `check`, that is called with it.
    pub entry_point: Option<String>,
}

/// How an examination came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The tests ran to their end.
    Passed,
    /// A test failed; the tests' standard error says which.
    Failed {
        /// The last line of the traceback.
        message: String,
    },
    /// The program under test came to an end of its own before the tests did: it exited, trapped, used up a
    /// limit. How is in its execution.
    ProgramEnded,
    /// The tests are wrong in themselves: not valid code, a module that the guest lacks, an argument that is not
    /// plain data. It says nothing about the program.
    TestsBroken {
        /// What is wrong.
        message: String,
    },
}

/// Both sides of an examination.
#[derive(Clone, Debug, PartialEq)]
pub struct Examination {
    /// How it came out.
    pub outcome: Outcome,
    /// The program's side. It counts loading and all calls together.
    pub program: Execution,
    /// The tests' side.
    pub tests: Execution,
}
