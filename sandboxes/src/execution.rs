//! What came of a run.

use std::time::Duration;

use crate::program::File;
use crate::value::Value;

/// How a run ended. Each is the program's own doing, never the sandbox's, except for [`Ending::TimedOut`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It returned or exited with this code. An exception that nobody caught is code 1, with the guest's
    /// traceback in standard error.
    Exited {
        /// The exit code.
        code: i32,
    },
    /// The compiler refused it, or it took the compiler more than it may.
    CompileError {
        /// What the compiler said, cut to a bounded length.
        message: String,
    },
    /// It used up its reference time.
    OutOfFuel,
    /// It outlived the wall limit. This is a fault of the host and never a verdict.
    TimedOut,
    /// It asked for more memory than allowed, and died of the refusal.
    OutOfMemory,
    /// It wrote more output or files than allowed.
    OutputLimit,
    /// It imported a module that the guest does not have, and died of it.
    MissingModule {
        /// The module's name.
        name: String,
    },
    /// It does not define the function that was to be called.
    NoEntryPoint {
        /// The name asked for.
        name: String,
    },
    /// The function returned something that is not plain data.
    InvalidResult {
        /// What it was.
        message: String,
    },
    /// It did something the machine cannot do, such as dividing by zero in wasm or exhausting the stack.
    Trapped {
        /// The trap's name.
        message: String,
    },
}

impl Ending {
    /// The stable snake_case name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Exited { .. } => "exited",
            Self::CompileError { .. } => "compile_error",
            Self::OutOfFuel => "out_of_fuel",
            Self::TimedOut => "timed_out",
            Self::OutOfMemory => "out_of_memory",
            Self::OutputLimit => "output_limit",
            Self::MissingModule { .. } => "missing_module",
            Self::NoEntryPoint { .. } => "no_entry_point",
            Self::InvalidResult { .. } => "invalid_result",
            Self::Trapped { .. } => "trapped",
        }
    }
}

/// What a called function left behind.
#[derive(Clone, Debug, PartialEq)]
pub struct Returned {
    /// What it returned.
    pub value: Value,
    /// The positional arguments after the call: a function may have changed them in place.
    pub arguments: Vec<Value>,
}

/// The outcome of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Execution {
    /// How the run ended.
    pub ending: Ending,
    /// Standard output, at most `Limits::output_bytes` long.
    pub stdout: Vec<u8>,
    /// Standard error, at most `Limits::output_bytes` long; what exceeds it is left out.
    pub stderr: Vec<u8>,
    /// What the called function returned, where there was a call and it came back.
    pub returned: Option<Returned>,
    /// The files that stand in the program's folder at the end and that it wrote or was given, by path.
    pub files: Vec<File>,
    /// Fuel the run used: about one unit for each instruction of the virtual machine.
    pub fuel_used: u64,
    /// The same as reference time, the unit of `Limits::time`.
    pub time: Duration,
    /// The most linear memory it held beyond what its interpreter starts with, in bytes.
    pub memory_bytes: u64,
    /// Time on the wall clock from start to end.
    pub wall: Duration,
}

impl Execution {
    /// An execution that ended so, without output, files or use of resources.
    pub const fn ended(ending: Ending) -> Self {
        Self {
            ending,
            stdout: Vec::new(),
            stderr: Vec::new(),
            returned: None,
            files: Vec::new(),
            fuel_used: 0,
            time: Duration::ZERO,
            memory_bytes: 0,
            wall: Duration::ZERO,
        }
    }
}
