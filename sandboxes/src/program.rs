//! What is run and what came of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A language a sandbox may be able to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Python 3.
    Python,
    /// C.
    C,
    /// C++.
    Cpp,
    /// JavaScript.
    JavaScript,
}

impl Language {
    /// Every language, in the order of their names.
    pub const ALL: [Self; 4] = [Self::C, Self::Cpp, Self::JavaScript, Self::Python];

    /// The name used in tasks, metrics and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::C => "c",
            Self::Cpp => "cpp",
            Self::JavaScript => "javascript",
        }
    }
}

/// A program as a model wrote it. Nothing in it is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The language of `source`.
    pub language: Language,
    /// The text of the program.
    pub source: String,
    /// Command-line arguments after the program's own name.
    pub args: Vec<String>,
}

/// How a run ended. Each is the program's own doing, never the sandbox's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It returned or exited with this code.
    Exited {
        /// The exit code.
        code: i32,
    },
    /// The compiler refused it.
    CompileError {
        /// What the compiler said, cut to a bounded length.
        message: String,
    },
    /// It used up its fuel.
    OutOfFuel,
    /// It outlived the wall limit.
    TimedOut,
    /// It asked for more memory than allowed.
    OutOfMemory,
    /// It wrote more output or files than allowed.
    OutputLimit,
    /// It imported a module that the guest does not have.
    MissingModule {
        /// The module's name.
        name: String,
    },
    /// It did something the machine cannot do, such as dividing by zero in wasm.
    Trapped {
        /// The trap's name.
        message: String,
    },
}

/// The outcome of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// How the run ended.
    pub ending: Ending,
    /// Standard output, at most `Limits::output_bytes` long.
    pub stdout: Vec<u8>,
    /// Standard error, at most `Limits::output_bytes` long.
    pub stderr: Vec<u8>,
    /// Fuel the run used.
    pub fuel_used: u64,
    /// Time on the wall clock from start to end.
    pub wall: Duration,
}
