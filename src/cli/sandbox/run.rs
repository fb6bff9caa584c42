//! `gavel sandbox run` and `gavel sandbox call`: one program, as the graders run it.

use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use clap::Args;
use sandboxes::{Call, Ending, Execution, Language, Limits, Program, Sandbox, SandboxError};
use serde_json::Value as Json;

use super::GuestArgs;
use crate::server::program::{MAX_MEMORY_MB, MAX_TIME_MS, wall};
use crate::server::value;

/// The most bytes of standard input.
const MAX_STDIN_BYTES: u64 = 256 << 20;
/// Bytes of each output stream, and of files.
const OUTPUT_BYTES: u64 = 64 << 20;
const FILES_BYTES: u64 = 64 << 20;

/// Exit codes for what is not an exit of the program: those that a shell, `timeout` and `docker run` use for the like.
const COMPILE_ERROR: u8 = 123;
const TIME_LIMIT: u8 = 124;
const SANDBOX_FAILED: u8 = 125;
const MEMORY_LIMIT: u8 = 137;
const TRAPPED: u8 = 139;
const OUTPUT_LIMIT: u8 = 153;

/// Run a program in the sandbox: `gavel sandbox run prog.py < input`.
///
/// Exit code: the program's own. When it did not exit by itself: 123 it does not compile, 124 its time was used up,
/// 137 it asked for too much memory, 139 it trapped (the stack was exhausted, for example), 153 it wrote too much; a
/// line on standard error says so. 125 when the sandbox failed or is not installed, 2 for a usage error.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Run {
    #[command(flatten)]
    program: ProgramArgs,
    /// The program's arguments, after --.
    #[arg(last = true)]
    args: Vec<String>,
}

/// Call a function of a program: `gavel sandbox call prog.py f '[1, 2]'`.
///
/// Prints what it returned as JSON. What the program prints goes to standard error. Exit codes are those of
/// `gavel sandbox run`, and 1 when the function is not there or returned something that is not plain data.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct CallFunction {
    #[command(flatten)]
    program: ProgramArgs,
    /// The function, or a method of a class Solution.
    function: String,
    /// Its positional arguments, a JSON list.
    #[arg(default_value = "[]", allow_hyphen_values = true)]
    arguments: String,
}

#[derive(Debug, Args)]
struct ProgramArgs {
    /// The program.
    #[arg(value_name = "FILE")]
    path: PathBuf,
    /// Its language [default: by the file's extension: py, js, c, cpp, cc, cxx].
    #[arg(long, value_parser = parse_language)]
    language: Option<Language>,
    /// Reference time it may use, in milliseconds.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=MAX_TIME_MS))]
    time_ms: u64,
    /// Memory it may use beyond what the interpreter starts with, in MiB.
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u64).range(1..=MAX_MEMORY_MB))]
    memory_mb: u64,
    /// Say what it used on standard error.
    #[arg(long)]
    usage: bool,
    #[command(flatten)]
    guests: GuestArgs,
}

fn parse_language(name: &str) -> Result<Language, String> {
    Language::ALL
        .into_iter()
        .find(|language| language.name() == name)
        .ok_or_else(|| format!("there are {}", Language::ALL.map(Language::name).join(", ")))
}

impl Run {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let program = Program { args: self.args, ..self.program.read()? };
        let mut stdin = Vec::new();
        if !io::stdin().is_terminal() {
            io::stdin()
                .take(MAX_STDIN_BYTES + 1)
                .read_to_end(&mut stdin)
                .context("cannot read standard input")?;
            ensure!(
                stdin.len() as u64 <= MAX_STDIN_BYTES,
                "standard input has more than {MAX_STDIN_BYTES} bytes"
            );
        }
        let sandbox = self.program.guests.sandbox(1);
        let execution = match sandbox.run(&program, &stdin, &self.program.limits()) {
            Ok(execution) => execution,
            Err(error) => return Ok(failed(&error)),
        };
        write(&mut io::stdout(), &execution.stdout)?;
        write(&mut io::stderr(), &execution.stderr)?;
        self.program.tell_usage(&execution);
        Ok(exit_code(&execution.ending))
    }
}

impl CallFunction {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let program = self.program.read()?;
        let arguments: Vec<Json> =
            serde_json::from_str(&self.arguments).context("the arguments are not a JSON list")?;
        let args = arguments
            .iter()
            .enumerate()
            .map(|(index, argument)| {
                value::from_json(argument)
                    .map_err(|fault| anyhow!("/{index}{}: {}", fault.pointer, fault.message))
            })
            .collect::<anyhow::Result<_>>()?;
        let call = Call { entry_point: self.function, args, kwargs: Vec::new() };
        let sandbox = self.program.guests.sandbox(1);
        let execution = match sandbox.call(&program, &call, &self.program.limits()) {
            Ok(execution) => execution,
            Err(error) => return Ok(failed(&error)),
        };
        write(&mut io::stderr(), &execution.stdout)?;
        write(&mut io::stderr(), &execution.stderr)?;
        self.program.tell_usage(&execution);
        if let Some(returned) = &execution.returned {
            write(&mut io::stdout(), format!("{}\n", value::to_json(&returned.value)).as_bytes())?;
        }
        Ok(exit_code(&execution.ending))
    }
}

impl ProgramArgs {
    fn read(&self) -> anyhow::Result<Program> {
        let language = self.language.or_else(|| by_extension(&self.path)).with_context(|| {
            format!("{} has no extension that names its language; give --language", self.path.display())
        })?;
        let source = std::fs::read_to_string(&self.path)
            .with_context(|| format!("cannot read the program {}", self.path.display()))?;
        Ok(Program::new(language, source))
    }

    fn limits(&self) -> Limits {
        let time = Duration::from_millis(self.time_ms);
        Limits {
            time,
            wall: wall(time),
            memory_bytes: self.memory_mb << 20,
            output_bytes: OUTPUT_BYTES,
            files_bytes: FILES_BYTES,
        }
    }

    #[expect(clippy::print_stderr, reason = "the command's messages")]
    fn tell_usage(&self, execution: &Execution) {
        if self.usage {
            let Execution { fuel_used, time, memory_bytes, wall, .. } = execution;
            eprintln!(
                "gavel: {:.3} ms of reference time ({fuel_used} fuel), {memory_bytes} bytes of memory, {:.3} ms on the clock",
                time.as_secs_f64() * 1e3,
                wall.as_secs_f64() * 1e3
            );
        }
    }
}

fn by_extension(path: &Path) -> Option<Language> {
    match path.extension()?.to_str()? {
        "py" => Some(Language::Python),
        "js" | "mjs" | "cjs" => Some(Language::JavaScript),
        "c" => Some(Language::C),
        "cpp" | "cc" | "cxx" => Some(Language::Cpp),
        _ => None,
    }
}

fn write(to: &mut impl Write, bytes: &[u8]) -> anyhow::Result<()> {
    match to.write_all(bytes).and_then(|()| to.flush()) {
        // Whoever reads may have seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write"),
    }
}

#[expect(clippy::print_stderr, reason = "the command's messages")]
fn failed(error: &SandboxError) -> ExitCode {
    eprintln!("gavel: {error}");
    ExitCode::from(SANDBOX_FAILED)
}

/// The exit code for an ending; says on standard error what a plain exit code does not.
#[expect(clippy::print_stderr, reason = "the command's messages")]
fn exit_code(ending: &Ending) -> ExitCode {
    let (code, says) = match ending {
        // As the system does with exit codes that do not fit.
        Ending::Exited { code } => return ExitCode::from((*code & 0xff) as u8),
        Ending::CompileError { message } => (COMPILE_ERROR, format!("it does not compile:\n{message}")),
        Ending::OutOfFuel => (TIME_LIMIT, "its time was used up; --time-ms allows more".to_owned()),
        Ending::TimedOut => {
            (SANDBOX_FAILED, "it outlived its time on the clock; the machine may be overloaded".to_owned())
        }
        Ending::OutOfMemory => {
            (MEMORY_LIMIT, "it asked for more memory than it may have; --memory-mb allows more".to_owned())
        }
        Ending::OutputLimit => (OUTPUT_LIMIT, format!("it wrote more than {OUTPUT_BYTES} bytes")),
        Ending::MissingModule { name } => (1, format!("the sandbox has no module `{name}`")),
        Ending::NoEntryPoint { name } => (1, format!("it does not define `{name}`")),
        Ending::InvalidResult { message } => (1, format!("what it returned is not plain data: {message}")),
        Ending::Trapped { message } => (TRAPPED, format!("it trapped: {message}")),
    };
    eprintln!("gavel: {says}");
    ExitCode::from(code)
}
