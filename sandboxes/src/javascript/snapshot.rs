//! The interpreter, from its package to compiled code, and from there into memory.
//!
//! The same package, sources and compiler give the same bytes: while the snapshot is made the clock stands still and
//! random numbers are the same every time.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::engine::{Engine, SourceKind, Value};
use super::{host, layout};
use crate::Limits;
use crate::guests::{InstallError, Workshop};
use crate::link;
use crate::machine::{Budget, Machine, MachineError, Prepared, Running, Stopped, falling_sizes, fill_holes};
use crate::wasi::{Tree, World, WorldConfig};

const PACKAGE: &str = "quickjs-wasi";
const MODULE: &str = "quickjs.wasm";
const STACK_POINTER: &str = "__stack_pointer";

/// Stack of the engine's C functions, in bytes. A level of recursion of a plain function takes about 256: this is more
/// than Node's stack allows, and little enough for the machine's own stack, of which it takes many times as much.
const STACK_BYTES: u32 = 5 << 20;
/// What of it the engine leaves alone when it throws a `RangeError`: room for C functions that do not look how much is
/// left.
const STACK_RESERVE: u32 = 512 << 10;

/// Pairs of a file's name and its text.
macro_rules! prelude {
    ($($name:literal),* $(,)?) => {
        const PRELUDE: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../javascript/prelude/", $name)))),*];
        /// Everything of ours that goes into the snapshot.
        pub(super) const SOURCES: &[&str] =
            &[$(include_str!(concat!("../../javascript/prelude/", $name))),*];
    };
}

// In this order: each may use what those before it left.
prelude![
    "primordials.js",
    "classes.js",
    "quoting.js",
    "inspect.js",
    "layout.js",
    "format.js",
    "errors.js",
    "loop.js",
    "console.js",
    "events.js",
    "encoding.js",
    "buffer.js",
    "stdin.js",
    "process.js",
    "streams.js",
    "fs.js",
    "comparison.js",
    "util.js",
    "readline.js",
    "assert.js",
    "path.js",
    "url.js",
    "clone.js",
    "intl.js",
    "crypto.js",
    "modules.js",
    "wire.js",
    "program.js",
    "examine.js",
    "globals.js",
];

/// The files of an installation.
const CODE_FILE: &str = "javascript.cwasm";
const ENTRIES_FILE: &str = "entries.json";

/// Defines the entries once, as fields and as names.
macro_rules! entries {
    ($($(#[$doc:meta])* $field:ident = $name:literal),* $(,)?) => {
        /// Functions of the prelude, by their addresses in the snapshot's memory.
        #[derive(Clone, Copy, Debug, Serialize, Deserialize)]
        pub(super) struct Entries {
            $($(#[$doc])* pub(super) $field: Value,)*
            /// The transfer buffer.
            pub(super) transfer: u32,
        }

        impl Entries {
            fn find(engine: &mut Engine<'_>, object: Value, transfer: u32) -> Result<Self, Stopped> {
                Ok(Self { $($field: engine.property(object, $name)?,)* transfer })
            }
        }
    };
}

entries! {
    begin = "begin",
    run = "run",
    ticks = "ticks",
    step = "step",
    uncaught = "uncaught",
    rejected = "rejected",
    end = "end",
    refused = "refused",
    call = "call",
    state = "state",
    outcome = "outcome",
    examine = "examine",
    verdict = "verdict",
    fail_tests = "failTests",
    refused_tests = "refusedTests",
    serve = "serve",
    served = "served",
    select_module = "selectModule",
    module_names = "moduleNames",
    seal = "seal",
}

/// The interpreter, ready to be started.
pub(super) struct Interpreter {
    pub(super) prepared: Prepared,
    pub(super) tree: std::sync::Arc<Tree>,
    pub(super) entries: Entries,
}

impl Interpreter {
    /// Opens what [`build`] left.
    pub(super) fn open(machine: &Machine, folder: &Path) -> Result<Self, MachineError> {
        let module = machine.load(&folder.join(CODE_FILE))?;
        let prepared = machine.prepare(&module, host::add_to_linker)?;
        let path = folder.join(ENTRIES_FILE);
        let fault = |message: String| MachineError::Load { path: path.clone(), message };
        let text = std::fs::read(&path).map_err(|error| fault(error.to_string()))?;
        let entries = serde_json::from_slice(&text).map_err(|error| fault(error.to_string()))?;
        let tree = empty_tree().map_err(fault)?;
        Ok(Self { prepared, tree, entries })
    }
}

/// The tree without files.
fn empty_tree() -> Result<std::sync::Arc<Tree>, String> {
    Tree::new(std::iter::empty()).map(std::sync::Arc::new).map_err(|error| error.to_string())
}

/// Builds the snapshot.
pub(super) fn build(workshop: &mut Workshop<'_>) -> Result<(), InstallError> {
    let wasm = workshop.files.get(PACKAGE, MODULE)?;
    (workshop.progress)("preparing the interpreter");
    let (baked, entries) = snapshot(workshop.machine, wasm)?;
    (workshop.progress)("compiling the snapshot");
    let code = workshop.machine.compile(&baked)?;
    let entries = serde_json::to_vec(&entries).map_err(broken)?;
    for (name, content) in [(CODE_FILE, &code), (ENTRIES_FILE, &entries)] {
        std::fs::write(workshop.folder.join(name), content)
            .map_err(|error| broken(format!("{name}: {error}")))?;
    }
    Ok(())
}

/// The module whose memory is that of an interpreter with its prelude.
pub(super) fn snapshot(machine: &Machine, wasm: &[u8]) -> Result<(Vec<u8>, Entries), InstallError> {
    let module = machine.module(wasm)?;
    let prepared = machine.prepare(&module, host::add_to_linker)?;
    let world = World::new(WorldConfig {
        args: Vec::new(),
        stdin: Vec::new(),
        tree: empty_tree().map_err(broken)?,
        files: Vec::new(),
        output_bytes: 1 << 20,
        files_bytes: 0,
        fuel_per_ms: 0,
    })
    .map_err(broken)?;
    let limits = Limits {
        time: Duration::from_mins(10),
        wall: Duration::from_mins(10),
        memory_bytes: 1 << 30,
        output_bytes: 1 << 20,
        files_bytes: 0,
    };
    let mut running = machine.start(&prepared, world, Budget { limits, fuel_per_ms: 1 << 30 })?;
    let (entries, stack_pointer) = match prepare(&mut running) {
        Ok(prepared) => prepared,
        Err(fault) => {
            let said = String::from_utf8_lossy(&running.world().take_stderr()).into_owned();
            return Err(broken(format!("{fault:?} {said}")));
        }
    };
    let baked = link::bake(wasm, running.memory(), stack_pointer).map_err(broken)?;
    Ok((baked, entries))
}

/// Starts the engine and runs the prelude.
fn prepare(running: &mut Running) -> Result<(Entries, i32), Stopped> {
    running.call::<(), ()>("_initialize", ())?;
    if running.call::<(), i32>("qjs_init", ())? != 0 {
        return Err(Stopped::Failed("the engine does not start".to_owned()));
    }
    let stack_pointer = move_stack(running)?;
    running.call::<i32, ()>("qjs_set_promise_rejection_handler", 1)?;
    let mut engine = Engine { running };
    let transfer = transfer_buffer(&mut engine)?;
    let host = host_function(&mut engine)?;
    let internal = engine.running.call::<(), u32>("qjs_new_object", ())?;
    for (name, source) in PRELUDE {
        let part = engine.evaluate(source, &format!("node:internal/{name}"), SourceKind::Script)?;
        let part = expect(&mut engine, part)?;
        let done = engine.call(part, &[internal, host, transfer.value])?;
        expect(&mut engine, done)?;
    }
    let object = engine.property(internal, "entries")?;
    let entries = Entries::find(&mut engine, object, transfer.address)?;
    register_modules(&mut engine, &entries)?;
    engine.running.call::<(), ()>("qjs_run_gc", ())?;
    fill_holes(engine.running, "wasm_malloc", "wasm_free", falling_sizes())?;
    Ok((entries, stack_pointer))
}

/// Gives the engine another stack than the one it was linked with, which is too small. It lies in the heap; the engine
/// itself looks before each call how much is left.
fn move_stack(running: &mut Running) -> Result<i32, Stopped> {
    let mut engine = Engine { running };
    let bottom = engine.allocate(STACK_BYTES as usize)?;
    let top = (bottom + STACK_BYTES) & !15;
    let running = engine.running;
    running.set_global(STACK_POINTER, top.cast_signed())?;
    let runtime = running.call::<(), u32>("qjs_get_runtime_ptr", ())?;
    running.call::<u32, ()>("JS_UpdateStackTop", runtime)?;
    running.call::<u32, ()>("qjs_set_max_stack_size", STACK_BYTES - STACK_RESERVE)?;
    Ok(top.cast_signed())
}

struct Transfer {
    value: Value,
    address: u32,
}

/// The buffer through which host and prelude exchange bytes. Its address is left where the host's functions find it.
fn transfer_buffer(engine: &mut Engine<'_>) -> Result<Transfer, Stopped> {
    let length = layout::ANSWER_BYTES + layout::TRANSFER_BYTES;
    let zeros = engine.allocate(length as usize)?;
    engine.running.write(zeros, &vec![0; length as usize])?;
    let value = engine.running.call::<(u32, u32), u32>("qjs_new_array_buffer", (zeros, length))?;
    let out = engine.allocate(4)?;
    let address = engine.running.call::<(u32, u32), u32>("qjs_get_array_buffer", (value, out))?;
    engine.running.write(layout::transfer_slot(), &address.to_le_bytes())?;
    Ok(Transfer { value, address })
}

fn host_function(engine: &mut Engine<'_>) -> Result<Value, Stopped> {
    let name = engine.allocate(4)?;
    engine.running.write(name, b"host")?;
    engine.running.call::<(u32, u32, i32), u32>("qjs_new_host_function", (name, 4, 0))
}

/// Makes the prelude's modules known to `import`: a module that was evaluated under its name is found by it.
fn register_modules(engine: &mut Engine<'_>, entries: &Entries) -> Result<(), Stopped> {
    let listed = engine.call(entries.module_names, &[])?;
    let listed = expect(engine, listed)?;
    let text = engine.text(listed, 1 << 20)?.unwrap_or_default();
    let modules: Vec<(String, Vec<String>)> =
        serde_json::from_str(&text).map_err(|error| Stopped::Failed(format!("names of modules: {error}")))?;
    for (name, exports) in modules {
        let name_value = engine.string(&name)?;
        let selected = engine.call(entries.select_module, &[name_value])?;
        expect(engine, selected)?;
        let own = format!(
            "const module = globalThis.selectedModule; export default module; export const {{ {} }} = module;",
            exports.join(", ")
        );
        let alias = format!("export * from {name:?}; export {{ default }} from {name:?};");
        for (name, source) in [(name.clone(), own), (format!("node:{name}"), alias)] {
            let evaluated = engine.evaluate(&source, &name, SourceKind::Module)?;
            expect(engine, evaluated)?;
            while engine.has_job()? {
                if let Err(thrown) = engine.run_job()? {
                    expect(engine, Err(thrown))?;
                }
            }
        }
    }
    let sealed = engine.call(entries.seal, &[])?;
    expect(engine, sealed)?;
    Ok(())
}

/// A fault of our own sources, with what was thrown.
fn expect(engine: &mut Engine<'_>, outcome: Result<Value, Value>) -> Result<Value, Stopped> {
    match outcome {
        Ok(value) => Ok(value),
        Err(thrown) => {
            let text = engine.text(thrown, 4096)?.unwrap_or_default();
            let stack = engine.property(thrown, "stack")?;
            let stack = engine.text(stack, 4096)?.unwrap_or_default();
            Err(Stopped::Failed(format!("{text}\n{stack}")))
        }
    }
}

fn broken(error: impl std::fmt::Display) -> InstallError {
    InstallError::Build { message: error.to_string() }
}
