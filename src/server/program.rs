//! Programs as requests describe them, checked: what `POST /v1/execute` and `/run_code` share.
//!
//! Nothing here touches a file of the host: paths are names inside the program's own folder, and one that leads out
//! of it is refused.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use graders::Object;
use sandboxes::{Call, File, Language, Limits, MAX_SOURCE_BYTES, Program};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use utoipa::ToSchema;

use super::problem::Fault;
use super::value::{self, token};
use crate::judge::Input;

/// The longest time limit, in milliseconds of reference time.
pub const MAX_TIME_MS: u64 = 60_000;
/// The highest memory limit: what a 32-bit guest can address.
pub const MAX_MEMORY_MB: u64 = 4096;
/// The highest limit of each output stream.
pub const MAX_OUTPUT_KB: u64 = 16 << 10;
/// The highest limit of files.
pub const MAX_FILES_KB: u64 = 64 << 10;
/// The most files of a program, given or fetched.
pub const MAX_FILES: usize = 256;
/// The most arguments, and bytes of one.
const MAX_ARGS: usize = 256;
const MAX_ARG_BYTES: usize = 1 << 16;
/// The longest path, and name in it, in bytes.
const MAX_PATH_BYTES: usize = 1024;
const MAX_NAME_BYTES: usize = 255;
/// How much longer than the time limit a run may last on the clock, which is only there to protect the host.
const WALL_FACTOR: u32 = 60;
/// The least that the clock allows.
const LEAST_WALL: Duration = Duration::from_mins(1);
/// The most that the clock allows somebody who waits for the answer.
const MOST_WALL: Duration = Duration::from_mins(5);

/// A program and what it is given.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Program, example = json!({"language": "python", "source": "print(input()[::-1])", "stdin": "olleh"}))]
pub struct ProgramInput {
    /// `python`, `javascript`, `cpp` or `c`; GET /v1/languages says which of them are ready.
    #[schema(value_type = String)]
    pub language: Language,
    /// The text of the program.
    pub source: String,
    /// Standard input.
    pub stdin: Option<String>,
    /// Standard input that is not text, in base64.
    pub stdin_base64: Option<String>,
    /// Command-line arguments after the program's own name.
    #[serde(default)]
    pub args: Vec<String>,
    /// Files that are there when it starts: their content in base64, by path.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// Paths of files to send back after the run.
    #[serde(default)]
    pub fetch_files: Vec<String>,
    /// Calls a function of the program instead of running it whole.
    #[schema(value_type = Option<CallInput>)]
    pub call: Option<Object<CallInput>>,
    /// What it may use.
    #[schema(value_type = Option<LimitsInput>)]
    pub limits: Option<Object<LimitsInput>>,
    /// It is not run when its turn comes later than after this many milliseconds. For several programs this stands
    /// beside `programs`.
    pub deadline_ms: Option<u64>,
}

/// A call of a function of a program.
///
/// Arguments are JSON. What JSON lacks is an object with one key: `{"$int": "1…"}`, `{"$float": "nan"}`,
/// `{"$complex": [1.0, 2.0]}`, `{"$bytes": "<base64>"}`, `{"$tuple": […]}`, `{"$set": […]}`, `{"$map": [[key, value]]}`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Call)]
pub struct CallInput {
    /// The function, or a method of a class `Solution`.
    pub entry_point: String,
    /// Positional arguments.
    #[serde(default)]
    pub args: Vec<Json>,
    /// Arguments by name; only Python has them.
    #[serde(default)]
    pub kwargs: Map<String, Json>,
}

/// What a program may use.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = Limits)]
pub struct LimitsInput {
    /// Reference time, 1 to 60000: about what a native program would take on a common core, whatever the load.
    pub time_ms: u64,
    /// Memory beyond what the interpreter starts with, in MiB, 1 to 4096.
    pub memory_mb: u64,
    /// Standard output, and standard error, each, in KiB, 1 to 16384.
    pub output_kb: u64,
    /// Files, in KiB, 0 to 65536.
    pub files_kb: u64,
}

impl Default for LimitsInput {
    fn default() -> Self {
        Self { time_ms: 2000, memory_mb: 256, output_kb: 1024, files_kb: 16 << 10 }
    }
}

/// A program that may be run.
#[derive(Debug)]
pub struct CheckedProgram {
    /// The program.
    pub program: Program,
    /// What it is given.
    pub input: Input,
    /// What it may use.
    pub limits: Limits,
    /// The files to send back.
    pub fetch: Vec<FetchedPath>,
}

/// A file to send back.
#[derive(Debug)]
pub struct FetchedPath {
    /// Its path, as it was asked for.
    pub asked: String,
    /// Its path from the root.
    pub inside: String,
}

impl CheckedProgram {
    /// The most bytes of output and files that the reply may have to hold.
    pub fn most_reply_bytes(&self) -> u64 {
        let files = if self.fetch.is_empty() { 0 } else { self.limits.files_bytes };
        2 * self.limits.output_bytes + files
    }
}

impl ProgramInput {
    /// The program, or all that is wrong with it. Pointers are relative to it.
    ///
    /// # Errors
    /// What is out of bounds, contradicts itself or cannot be decoded.
    pub fn checked(self) -> Result<CheckedProgram, Vec<Fault>> {
        let mut faults = Vec::new();
        let limits = self.limits.map(|Object(limits)| limits).unwrap_or_default().checked(&mut faults);
        if self.source.len() > MAX_SOURCE_BYTES {
            faults.push(Fault::new("/source", format!("a program has at most {MAX_SOURCE_BYTES} bytes")));
        }
        if self.args.len() > MAX_ARGS {
            faults
                .push(Fault::new("/args", format!("at most {MAX_ARGS} arguments, not {}", self.args.len())));
        }
        if let Some(index) = self.args.iter().position(|arg| arg.len() > MAX_ARG_BYTES || arg.contains('\0'))
        {
            let message = format!("an argument has at most {MAX_ARG_BYTES} bytes, none of them zero");
            faults.push(Fault::new(format!("/args/{index}"), message));
        }
        let files = files(self.files, limits.files_bytes, &mut faults);
        let fetch = fetched(self.fetch_files, &mut faults);
        let input = input(self.stdin, self.stdin_base64, self.call, &mut faults);
        if !faults.is_empty() {
            return Err(faults);
        }
        let program = Program { language: self.language, source: self.source, args: self.args, files };
        Ok(CheckedProgram { program, input, limits, fetch })
    }
}

impl LimitsInput {
    fn checked(&self, faults: &mut Vec<Fault>) -> Limits {
        let ranges = [
            ("time_ms", self.time_ms, 1, MAX_TIME_MS),
            ("memory_mb", self.memory_mb, 1, MAX_MEMORY_MB),
            ("output_kb", self.output_kb, 1, MAX_OUTPUT_KB),
            ("files_kb", self.files_kb, 0, MAX_FILES_KB),
        ];
        for (field, value, least, most) in ranges {
            if !(least..=most).contains(&value) {
                let message = format!("expected {least} to {most}, found {value}");
                faults.push(Fault::new(format!("/limits/{field}"), message));
            }
        }
        let time = Duration::from_millis(self.time_ms.min(MAX_TIME_MS));
        Limits {
            time,
            wall: wall(time),
            memory_bytes: self.memory_mb.min(MAX_MEMORY_MB) << 20,
            output_bytes: self.output_kb.min(MAX_OUTPUT_KB) << 10,
            files_bytes: self.files_kb.min(MAX_FILES_KB) << 10,
        }
    }
}

/// The time on the clock that a run with this time limit may last.
pub fn wall(time: Duration) -> Duration {
    (time * WALL_FACTOR).clamp(LEAST_WALL, MOST_WALL)
}

fn input(
    stdin: Option<String>,
    stdin_base64: Option<String>,
    call: Option<Object<CallInput>>,
    faults: &mut Vec<Fault>,
) -> Input {
    if let Some(Object(call)) = call {
        for (given, field) in [(stdin.is_some(), "/stdin"), (stdin_base64.is_some(), "/stdin_base64")] {
            if given {
                faults.push(Fault::new(
                    field,
                    "a call has arguments and no standard input; leave one of them out",
                ));
            }
        }
        return Input::Call(call.checked(faults));
    }
    match (stdin, stdin_base64) {
        (Some(_), Some(_)) => {
            faults.push(Fault::new("/stdin_base64", "there is `stdin` too; leave one of them out"));
            Input::Stdin(Vec::new())
        }
        (stdin, None) => Input::Stdin(stdin.unwrap_or_default().into_bytes()),
        (None, Some(encoded)) => Input::Stdin(BASE64.decode(encoded).unwrap_or_else(|error| {
            faults.push(Fault::new("/stdin_base64", format!("this is not base64: {error}")));
            Vec::new()
        })),
    }
}

impl CallInput {
    fn checked(self, faults: &mut Vec<Fault>) -> Call {
        if self.entry_point.is_empty() || self.entry_point.len() > MAX_NAME_BYTES {
            let message = format!("the name of a function, 1 to {MAX_NAME_BYTES} bytes");
            faults.push(Fault::new("/call/entry_point", message));
        }
        let mut read = |pointer: String, json: &Json| {
            value::from_json(json).unwrap_or_else(|fault| {
                faults.push(Fault::new(format!("{pointer}{}", fault.pointer), fault.message));
                sandboxes::Value::Null
            })
        };
        let args = self.args.iter().enumerate();
        let args = args.map(|(index, arg)| read(format!("/call/args/{index}"), arg)).collect();
        let kwargs = self.kwargs.iter();
        let kwargs = kwargs
            .map(|(name, arg)| (name.clone(), read(format!("/call/kwargs/{}", token(name)), arg)))
            .collect();
        Call { entry_point: self.entry_point, args, kwargs }
    }
}

fn files(given: BTreeMap<String, String>, most_bytes: u64, faults: &mut Vec<Fault>) -> Vec<File> {
    if given.len() > MAX_FILES {
        faults.push(Fault::new("/files", format!("at most {MAX_FILES} files, not {}", given.len())));
        return Vec::new();
    }
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut n_bytes = 0;
    for (path, encoded) in given {
        let place = format!("/files/{}", token(&path));
        let inside = match inside(&path) {
            Ok(inside) => inside,
            Err(message) => {
                faults.push(Fault::new(place, message));
                continue;
            }
        };
        let content = BASE64.decode(encoded).unwrap_or_else(|error| {
            faults.push(Fault::new(place.clone(), format!("the content is not base64: {error}")));
            Vec::new()
        });
        n_bytes += content.len() as u64;
        if let Err(message) = add(&mut files, inside, content) {
            faults.push(Fault::new(place, message));
        }
    }
    if n_bytes > most_bytes {
        let message = format!("the files have {n_bytes} bytes, `limits.files_kb` allows {most_bytes}");
        faults.push(Fault::new("/files", message));
    }
    files.into_iter().map(|(path, content)| File { path, content }).collect()
}

/// Adds a file, unless its path is taken: by another file, or by a folder that another file needs.
pub fn add(files: &mut BTreeMap<String, Vec<u8>>, path: String, content: Vec<u8>) -> Result<(), String> {
    let folder = format!("{path}/");
    let is_folder = files.range(folder.clone()..).next().is_some_and(|(other, _)| other.starts_with(&folder));
    let in_file = path.match_indices('/').any(|(at, _)| files.contains_key(&path[..at]));
    if is_folder || in_file || files.contains_key(&path) {
        return Err("another file stands at this path, or in its way".to_owned());
    }
    files.insert(path, content);
    Ok(())
}

fn fetched(asked: Vec<String>, faults: &mut Vec<Fault>) -> Vec<FetchedPath> {
    if asked.len() > MAX_FILES {
        faults.push(Fault::new("/fetch_files", format!("at most {MAX_FILES} files, not {}", asked.len())));
        return Vec::new();
    }
    let mut fetch = Vec::with_capacity(asked.len());
    for (index, asked) in asked.into_iter().enumerate() {
        match inside(&asked) {
            Ok(inside) => fetch.push(FetchedPath { asked, inside }),
            Err(message) => faults.push(Fault::new(format!("/fetch_files/{index}"), message)),
        }
    }
    fetch
}

/// A path inside the program's folder, which is the root of all it can see: without `.`, `..` and a leading `/`.
///
/// # Errors
/// What is wrong with it.
pub fn inside(path: &str) -> Result<String, String> {
    if path.len() > MAX_PATH_BYTES || path.split('/').any(|name| name.len() > MAX_NAME_BYTES) {
        return Err(format!("a path has at most {MAX_PATH_BYTES} bytes, a name in it {MAX_NAME_BYTES}"));
    }
    if path.contains('\0') {
        return Err("a path has no zero byte".to_owned());
    }
    let mut names = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names
                    .pop()
                    .ok_or("this path leads out of the program's folder, which has nothing around it")?;
            }
            name => names.push(name),
        }
    }
    let is_folder = names.is_empty() || path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
    if is_folder { Err("this is not the path of a file".to_owned()) } else { Ok(names.join("/")) }
}
