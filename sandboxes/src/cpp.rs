//! C and C++: Clang and LLD, themselves programs in the sandbox, make a WebAssembly module of a source, and every
//! run is a fresh instance of it. Functions of these languages cannot be called from outside.
//!
//! Compiled programs are kept in memory by what they were compiled from, because a suite runs one program many
//! times. Nothing of it is written to disk.

mod bounds;
mod build;
mod compiler;
mod dialect;
mod headers;
mod kept;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use self::compiler::{Compiler, Fault, Header, Refusal};
use self::dialect::{Dialect, STACK_BYTES};
use self::headers::HeaderSet;
use self::kept::Kept;
use crate::guests::{Guest, Kind, conclude};
use crate::machine::{Budget, Machine, MachineError, Prepared, Stopped};
use crate::package::sha256;
use crate::wasi::{Tree, World, WorldConfig};
use crate::{Ending, Execution, Language, Limits, Program, SandboxError};

/// What the rest of the crate needs to know of this guest.
pub(crate) const KIND: Kind = Kind {
    name: "cpp",
    languages: &[Language::C, Language::Cpp],
    manifest: include_str!("../cpp/manifest.toml"),
    sources: build::SOURCES,
    revision: 1,
    build: build::build,
    trials: &[
        (Language::C, "#include <stdio.h>\nint main(void) { puts(\"1\"); }"),
        (Language::Cpp, "#include <iostream>\nint main() { std::cout << 1 << std::endl; }"),
    ],
    open: |machine, folder| Ok(Box::new(Cpp::open(machine, folder)?)),
};

/// Fuel that a program uses in a millisecond of reference time.
///
/// Measured against `g++ -O2` (GCC 12), in millions of units for a millisecond of the native program: ordered and
/// hashed maps 0.6, Dijkstra 2.2, a table of sums modulo a prime 5, `scanf` and `printf` 6, `std::sort` 10, `cin` and
/// `cout` 11, recursion and bits 11, a sieve 12, strings and string streams 22, a product of matrices, which the
/// native compiler does two numbers at a time, 44. The value is at the upper end: programs get the time they have
/// natively, and most of them more.
const FUEL_PER_MS: u64 = 20_000_000;
/// Bytes of native code that are kept of compiled programs.
const PROGRAMS_BYTES: usize = 256 << 20;
/// Bytes of precompiled headers that are kept. One has about 20 MB.
const HEADERS_BYTES: usize = 256 << 20;
/// What a kept refusal counts for beyond its own text, in bytes.
const ENTRY_BYTES: usize = 1 << 10;

/// The guest.
struct Cpp {
    machine: Arc<Machine>,
    compiler: Compiler,
    /// What a program sees besides its own files: nothing.
    empty: Arc<Tree>,
    headers: Kept<HeaderSet, Header>,
    programs: Kept<(Dialect, String), Result<Binary, Refusal>>,
}

/// A compiled program.
struct Binary {
    prepared: Prepared,
    /// Memory it has from the start beyond its stack, in bytes: its globals.
    globals_bytes: u64,
}

impl Cpp {
    fn open(machine: Arc<Machine>, folder: &Path) -> Result<Self, MachineError> {
        let tool = machine.prepare(&machine.load(&folder.join(build::TOOL_CODE))?, |_| Ok(()))?;
        let broken = |path: &str, message: String| MachineError::Load { path: folder.join(path), message };
        let tree = build::open_tree(folder).map_err(|message| broken(build::TREE, message))?;
        let empty = Tree::new([]).map_err(|error| broken(build::TREE, error.to_string()))?;
        let headers = Kept::new(HEADERS_BYTES);
        let all = std::fs::read(folder.join(build::ALL_HEADERS))
            .map_err(|error| broken(build::ALL_HEADERS, error.to_string()))?;
        let bytes = all.len();
        let set = HeaderSet::of(build::ALL_HEADERS_SOURCE);
        let header = Header { source: set.source(), compiled: all };
        headers.put(&set, header, bytes);
        Ok(Self {
            compiler: Compiler::new(Arc::clone(&machine), tool, tree),
            machine,
            empty: Arc::new(empty),
            headers,
            programs: Kept::new(PROGRAMS_BYTES),
        })
    }

    /// The compiled program, or why there is none.
    fn binary(&self, dialect: Dialect, source: &str) -> Result<Arc<Result<Binary, Refusal>>, Fault> {
        self.programs.get(&(dialect, sha256(source.as_bytes())), || {
            let wasm = match self.compile(dialect, source)? {
                Ok(wasm) => wasm,
                Err(refusal) => {
                    let bytes = refusal.0.len() + ENTRY_BYTES;
                    return Ok((Err(refusal), bytes));
                }
            };
            Ok(match self.load(&wasm) {
                Ok((binary, bytes)) => (Ok(binary), bytes),
                Err(refusal) => (Err(refusal), ENTRY_BYTES),
            })
        })
    }

    fn compile(&self, dialect: Dialect, source: &str) -> compiler::Compiled<Vec<u8>> {
        let headers = match dialect {
            Dialect::C => None,
            Dialect::Cpp => Some(HeaderSet::of(source)).filter(|headers| !headers.is_empty()),
        };
        let header = headers.map(|headers| self.header(&headers)).transpose()?;
        self.compiler.module(dialect, source, header.as_deref())
    }

    fn header(&self, headers: &HeaderSet) -> Result<Arc<Header>, Fault> {
        self.headers.get(headers, || match self.compiler.header(Dialect::Cpp, headers.source())? {
            Ok(header) => {
                let bytes = header.compiled.len();
                Ok((header, bytes))
            }
            // The headers are the library's own: that they do not compile is no fault of the program.
            Err(refusal) => Err(Fault::Failed(refusal.0)),
        })
    }

    /// Makes native code of a module. What the machine refuses about it is in the program: assembler text, or
    /// imports and exports of other types than the system's.
    fn load(&self, wasm: &[u8]) -> Result<(Binary, usize), Refusal> {
        let shape = bounds::measure(wasm).map_err(Refusal)?;
        let refuse = |error: MachineError| Refusal(error.to_string());
        let module = self.machine.module(wasm).map_err(refuse)?;
        let has = |name: &str| module.get_export(name).is_some();
        if !has("memory") || !has("_start") {
            return Err(Refusal("the program has no beginning".to_owned()));
        }
        let bytes = module.text().len();
        let prepared = self.machine.prepare(&module, |_| Ok(())).map_err(refuse)?;
        Ok((Binary { prepared, globals_bytes: shape.memory_bytes.saturating_sub(STACK_BYTES) }, bytes))
    }
}

impl Guest for Cpp {
    fn run(&self, program: &Program, stdin: &[u8], limits: &Limits) -> Result<Execution, SandboxError> {
        let language = program.language;
        let failed = |message: String| SandboxError::Failed { language, message };
        let dialect = Dialect::of(language)
            .ok_or(SandboxError::Unsupported { language, what: "programs of this language" })?;
        let started = Instant::now();
        let compiled = match self.binary(dialect, &program.source) {
            Ok(compiled) => compiled,
            Err(Fault::TimedOut) => return Ok(Execution::ended(Ending::TimedOut)),
            Err(Fault::Failed(message)) => return Err(failed(message)),
        };
        let binary = match compiled.as_ref() {
            Ok(binary) => binary,
            Err(Refusal(message)) => {
                let ending = Ending::CompileError { message: message.clone() };
                return Ok(Execution { wall: started.elapsed(), ..Execution::ended(ending) });
            }
        };
        let Some(memory_bytes) = limits.memory_bytes.checked_sub(binary.globals_bytes) else {
            let ending = Ending::OutOfMemory;
            return Ok(Execution { memory_bytes: binary.globals_bytes, ..Execution::ended(ending) });
        };
        let mut execution = self.execute(binary, program, stdin, &Limits { memory_bytes, ..*limits })?;
        execution.memory_bytes += binary.globals_bytes;
        Ok(execution)
    }
}

impl Cpp {
    fn execute(
        &self,
        binary: &Binary,
        program: &Program,
        stdin: &[u8],
        limits: &Limits,
    ) -> Result<Execution, SandboxError> {
        let language = program.language;
        let failed = |message: String| SandboxError::Failed { language, message };
        let mut args = vec!["main".to_owned()];
        args.extend(program.args.iter().cloned());
        let world = World::new(WorldConfig {
            args,
            stdin: stdin.to_vec(),
            tree: Arc::clone(&self.empty),
            files: program.files.clone(),
            output_bytes: limits.output_bytes,
            files_bytes: limits.files_bytes,
            fuel_per_ms: FUEL_PER_MS,
        })
        .map_err(|error| failed(error.to_string()))?;
        let budget = Budget { limits: *limits, fuel_per_ms: FUEL_PER_MS };
        let mut running =
            self.machine.start(&binary.prepared, world, budget).map_err(|error| failed(error.to_string()))?;
        let ended: Result<i32, Stopped> = running.call::<(), ()>("_start", ()).map(|()| 0);
        conclude(language, ended, running)
    }
}
