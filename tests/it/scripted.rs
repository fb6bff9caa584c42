//! A sandbox whose programs say line by line what is to come of them, so that every ending can be had.

use std::time::Duration;

use sandboxes::{
    Call, Ending, Execution, File, Language, Limits, Program, Returned, Sandbox, SandboxError, Value,
};

/// Knows Python and C++. A program is lines of: `print TEXT`, `error TEXT`, `cat`, `args`, `bytes`, `read PATH`,
/// `write PATH TEXT`, `limits`, and at the end one of `exit CODE`, `compile_error`, `fuel`, `wall`, `memory`,
/// `flood`, `missing NAME`, `trap`, `broken`.
#[derive(Debug)]
pub(crate) struct Scripted;

impl Scripted {
    fn check(program: &Program) -> Result<(), SandboxError> {
        let language = program.language;
        if Self.languages().contains(&language) {
            return Ok(());
        }
        Err(SandboxError::Unavailable { language, reason: "it is not installed".to_owned() })
    }
}

impl Sandbox for Scripted {
    fn languages(&self) -> Vec<Language> {
        vec![Language::Cpp, Language::Python]
    }

    fn run(&self, program: &Program, stdin: &[u8], limits: &Limits) -> Result<Execution, SandboxError> {
        Self::check(program)?;
        let mut done = Execution {
            files: program.files.clone(),
            fuel_used: 1000,
            time: Duration::from_micros(1500),
            memory_bytes: 4096,
            wall: Duration::from_millis(3),
            ..Execution::ended(Ending::Exited { code: 0 })
        };
        for line in program.source.lines() {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            let path = |path: &str| path.trim_start_matches('/').to_owned();
            match word {
                "print" => done.stdout.extend(format!("{rest}\n").bytes()),
                "error" => done.stderr.extend(format!("{rest}\n").bytes()),
                "cat" => done.stdout.extend(stdin),
                "args" => done.stdout.extend(program.args.join(" ").bytes()),
                "bytes" => done.stdout.extend([0xff, 0xfe]),
                "limits" => done.stdout.extend(format!("{limits:?}").bytes()),
                "read" => {
                    let file = done.files.iter().find(|file| file.path == path(rest));
                    done.stdout.extend(file.map_or(&b"none"[..], |file| &file.content));
                }
                "write" => {
                    let (name, text) = rest.split_once(' ').unwrap();
                    done.files.push(File { path: path(name), content: text.into() });
                }
                "exit" => done.ending = Ending::Exited { code: rest.parse().unwrap() },
                "compile_error" => done.ending = Ending::CompileError { message: "no ;".to_owned() },
                "fuel" => done.ending = Ending::OutOfFuel,
                "wall" => done.ending = Ending::TimedOut,
                "memory" => done.ending = Ending::OutOfMemory,
                "flood" => done.ending = Ending::OutputLimit,
                "missing" => done.ending = Ending::MissingModule { name: rest.to_owned() },
                "trap" => done.ending = Ending::Trapped { message: "unreachable".to_owned() },
                "broken" => {
                    let message = "the host is out of memory".to_owned();
                    return Err(SandboxError::Failed { language: program.language, message });
                }
                "panic" => panic!("a fault in the sandbox"),
                _ => panic!("{line:?} is no line of a script"),
            }
        }
        Ok(done)
    }

    /// Every function returns its arguments, and leaves the first one null.
    fn call(&self, program: &Program, call: &Call, limits: &Limits) -> Result<Execution, SandboxError> {
        let done = self.run(program, b"", limits)?;
        if call.entry_point == "absent" {
            let ending = Ending::NoEntryPoint { name: call.entry_point.clone() };
            return Ok(Execution { ending, ..done });
        }
        let named = call.kwargs.iter().map(|(name, value)| (Value::Text(name.clone()), value.clone()));
        let value = Value::Tuple(vec![Value::List(call.args.clone()), Value::Map(named.collect())]);
        let mut arguments = call.args.clone();
        if let Some(first) = arguments.first_mut() {
            *first = Value::Null;
        }
        Ok(Execution { returned: Some(Returned { value, arguments }), ..done })
    }
}
