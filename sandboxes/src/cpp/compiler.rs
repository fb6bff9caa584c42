//! Clang and LLD as programs in the sandbox: from a source to a WebAssembly module.
//!
//! They see the source, the libraries' headers and nothing else, and work under limits of their own that are the
//! same for every program. What they refuse is the program's fault; a [`Fault`] is ours.

use std::sync::Arc;
use std::time::Duration;

use super::bounds;
use super::dialect::{Dialect, Product};
use crate::limits::Limits;
use crate::machine::{Budget, Machine, MachineError, Prepared, Stopped};
use crate::program::File;
use crate::wasi::{Tree, World, WorldConfig};

/// Fuel for compiling a program, and for linking it. A program that uses every header and instantiates much of them
/// takes about a third.
const COMPILE_FUEL: u64 = 60_000_000_000;
/// Fuel for what is compiled for all programs: our runtime, and precompiled headers.
const OWN_FUEL: u64 = 500_000_000_000;
/// Memory of the compiler beyond what it starts with, in bytes. Large programs take a tenth; large arrays are written
/// out with all their zeros, and then this is four times the largest there can be.
const MEMORY_BYTES: u64 = 1 << 30;
/// Bytes of files that the compiler may hold: the source, a precompiled header, an object or a module.
const FILES_BYTES: u64 = 384 << 20;
/// Bytes of what the compiler says that are kept while it runs.
const OUTPUT_BYTES: u64 = 256 << 10;
/// Bytes of a message to the caller.
const MESSAGE_BYTES: usize = 8 << 10;
/// Time after which the host gives up. Only a machine that is hardly running at all gets there.
const WALL: Duration = Duration::from_secs(600);

/// Where the compiler leaves its result.
const OUTPUT: &str = "/tmp/out";
/// Where the linker finds the object.
const OBJECT: &str = "/tmp/main.o";
/// Where the compiler finds a precompiled header.
const HEADER: &str = "/tmp/header.pch";

/// Where the source of that is.
const HEADER_SOURCE: &str = "/tmp/header.h";

/// Headers that were compiled ahead.
pub(super) struct Header {
    pub(super) source: String,
    pub(super) compiled: Vec<u8>,
}

/// The compiler, ready to be started.
pub(super) struct Compiler {
    machine: Arc<Machine>,
    tool: Prepared,
    tree: Arc<Tree>,
}

/// What the program did wrong in the compiler's eyes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) String);

/// What the host failed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The wall clock ran out.
    TimedOut,
    /// Anything else.
    Failed(String),
}

impl From<MachineError> for Fault {
    fn from(error: MachineError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// A result of the compiler's: the product, or why there is none.
pub(super) type Compiled<T> = Result<Result<T, Refusal>, Fault>;

impl Compiler {
    pub(super) fn new(machine: Arc<Machine>, tool: Prepared, tree: Arc<Tree>) -> Self {
        Self { machine, tool, tree }
    }

    /// Compiles a program and links it.
    pub(super) fn module(
        &self,
        dialect: Dialect,
        source: &str,
        header: Option<&Header>,
    ) -> Compiled<Vec<u8>> {
        let mut files = vec![file(dialect.source_name(), source.as_bytes())];
        let header = header.map(|header| {
            // The compiler compares the header's source with what it was when it was compiled.
            files.push(file(HEADER_SOURCE, header.source.as_bytes()));
            files.push(file(HEADER, &header.compiled));
            HEADER
        });
        let args = dialect.compile_args(Product::Object, header, dialect.source_name(), OUTPUT);
        let object = match self.run(args, files, COMPILE_FUEL)? {
            Ok(object) => object,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if !bounds::has_main(&object) {
            return Ok(Err(Refusal("undefined reference to `main'".to_owned())));
        }
        self.run(dialect.link_args(source, OBJECT, OUTPUT), vec![file(OBJECT, &object)], COMPILE_FUEL)
    }

    /// Compiles a source of our own to an object, with the files beside it.
    pub(super) fn object(&self, dialect: Dialect, name: &str, beside: Vec<File>) -> Compiled<Vec<u8>> {
        self.run(dialect.compile_args(Product::Object, None, name, OUTPUT), beside, OWN_FUEL)
    }

    /// Compiles headers ahead of the programs that include them.
    pub(super) fn header(&self, dialect: Dialect, source: String) -> Compiled<Header> {
        let args = dialect.compile_args(Product::Header, None, HEADER_SOURCE, OUTPUT);
        let compiled = self.run(args, vec![file(HEADER_SOURCE, source.as_bytes())], OWN_FUEL)?;
        Ok(compiled.map(|compiled| Header { source, compiled }))
    }

    /// Runs the tool once and takes its result.
    fn run(&self, args: Vec<String>, files: Vec<File>, fuel: u64) -> Compiled<Vec<u8>> {
        // One unit of fuel counts as a nanosecond here; the number is ours and nobody sees it.
        const FUEL_PER_MS: u64 = 1_000_000;
        let limits = Limits {
            time: Duration::from_nanos(fuel),
            wall: WALL,
            memory_bytes: MEMORY_BYTES,
            output_bytes: OUTPUT_BYTES,
            files_bytes: FILES_BYTES,
        };
        let config = WorldConfig {
            args,
            stdin: Vec::new(),
            tree: Arc::clone(&self.tree),
            files,
            output_bytes: OUTPUT_BYTES,
            files_bytes: FILES_BYTES,
            fuel_per_ms: 0,
        };
        let world = World::new(config).map_err(|error| Fault::Failed(error.to_string()))?;
        let mut running =
            self.machine.start(&self.tool, world, Budget { limits, fuel_per_ms: FUEL_PER_MS })?;
        let ended = running.call::<(), ()>("_start", ());
        let (mut world, usage) = running.finish();
        let reason = match ended {
            Ok(()) | Err(Stopped::Exit(0)) => match world.file(OUTPUT) {
                Some(output) => return Ok(Ok(output.to_vec())),
                None => "the compiler left no result".to_owned(),
            },
            Err(Stopped::TimedOut) => return Err(Fault::TimedOut),
            Err(Stopped::Failed(message)) => return Err(Fault::Failed(message)),
            Err(Stopped::OutOfFuel) => "the program takes more time to compile than allowed".to_owned(),
            Err(_) if usage.memory_denied => {
                "the program takes more memory to compile than allowed".to_owned()
            }
            Err(_) if world.files_were_full() => "the compiled program is larger than allowed".to_owned(),
            Err(Stopped::Exit(_)) => String::new(),
            Err(Stopped::OutputLimit) => "the compiler says more than allowed".to_owned(),
            Err(Stopped::Trap(message)) => {
                format!("the program is too deeply nested for the compiler: {message}")
            }
        };
        Ok(Err(Refusal(message(&world.take_stderr(), &reason))))
    }
}

fn file(path: &str, content: &[u8]) -> File {
    File { path: path.to_owned(), content: content.to_vec() }
}

/// What the compiler said, cut to a bounded length, with our own reason after it.
fn message(said: &[u8], reason: &str) -> String {
    let said = without_warnings(&String::from_utf8_lossy(said));
    let end = said.floor_char_boundary(MESSAGE_BYTES);
    let mut message = said[..end].to_owned();
    if end < said.len() {
        message.push_str("\n[...]");
    }
    if !reason.is_empty() {
        if !message.is_empty() {
            message.push('\n');
        }
        message.push_str(reason);
    }
    message
}

/// The linker warns of what is as it should be: that our runtime's functions are not the library's.
fn without_warnings(said: &str) -> String {
    let mut in_warning = false;
    let mut kept = said.lines().filter(|line| {
        in_warning = line.starts_with("wasm-ld: warning") || in_warning && line.starts_with(">>>");
        !in_warning && !line.is_empty()
    });
    let first = kept.next().unwrap_or_default().to_owned();
    kept.fold(first, |text, line| text + "\n" + line)
}

#[cfg(test)]
mod tests {
    use super::{MESSAGE_BYTES, message, without_warnings};

    #[test]
    fn warnings_of_the_linker_are_left_out() {
        let said = "wasm-ld: warning: mismatch: f\n>>> defined as A\n>>> defined as B\n\nwasm-ld: error: undefined: g\n>>> here";
        assert_eq!(without_warnings(said), "wasm-ld: error: undefined: g\n>>> here");
    }

    #[test]
    fn a_message_is_cut_between_characters() {
        let said = "é".repeat(MESSAGE_BYTES);
        let message = message(format!("x{said}").as_bytes(), "why");
        assert!(message.len() <= MESSAGE_BYTES + "\n[...]\nwhy".len());
        assert!(message.ends_with("é\n[...]\nwhy"), "{message}");
    }

    #[test]
    fn a_message_needs_no_words_of_the_compiler() {
        assert_eq!(message(b"", "why"), "why");
        assert_eq!(message(b"main.c:1:1: error\n", ""), "main.c:1:1: error");
    }
}
