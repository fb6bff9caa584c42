//! The interpreter, from its packages to compiled code, and from there into memory.
//!
//! The same packages, sources and compiler give the same bytes: while the snapshot is made the clock stands still
//! and random numbers are the same every time.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::written;
use crate::Limits;
use crate::guests::{InstallError, Workshop};
use crate::link::{self, INITIALIZE, STACK_POINTER};
use crate::machine::{
    Budget, Machine, MachineError, Page, Prepared, Running, Stopped, falling_sizes, fill_holes,
};
use crate::wasi::{Tree, World, WorldConfig};

/// The package of the interpreter.
const RUNTIME: &str = "eryx-runtime";

/// What is linked, in the order in which names are looked up.
const LIBRARIES: [&str; 6] = [
    "libc",
    "libwasi-emulated-getpid",
    "libwasi-emulated-mman",
    "libwasi-emulated-process-clocks",
    "libwasi-emulated-signal",
    "libpython3.14",
];

/// Stack of the interpreter's C functions, in bytes: what recursion through them takes before it traps.
const STACK_BYTES: u32 = 32 << 20;

/// The C functions that the host calls.
const EXPORTS: [&str; 9] = [
    "malloc",
    "free",
    "setenv",
    "Py_InitializeEx",
    "PyRun_SimpleStringFlags",
    "PyObject_CallNoArgs",
    "PyGC_Collect",
    "PyObject_Malloc",
    "PyObject_Free",
];

/// Where the interpreter believes itself to be installed, and its library below that.
const HOME: &str = "/usr/local";
const LIBRARY: &str = "usr/local/lib/python3.14";

/// Settings of the interpreter. Its order of sets is the same in all runs, nothing it imports is written to disk.
const SETTINGS: [(&str, &str); 5] = [
    ("PYTHONHOME", HOME),
    ("PYTHONHASHSEED", "0"),
    ("PYTHONDONTWRITEBYTECODE", "1"),
    ("PYTHONUTF8", "1"),
    ("PYTHONNOUSERSITE", "1"),
];

/// The parts of the standard library that no program in here can use.
const LEFT_OUT: [&str; 12] = [
    "componentize_py_async_support",
    "componentize_py_runtime.py",
    "componentize_py_types.py",
    "config-3.14-wasm32-wasi",
    "ctypes",
    "dill",
    "ensurepip",
    "idlelib",
    "pydoc_data",
    "ssl.py",
    "turtledemo",
    "venv",
];

/// The most bytes of the unpacked library.
const MAX_LIBRARY_BYTES: u64 = 256 << 20;

/// The scripts that prepare the interpreter, one after the other.
const BOOT: [&str; 2] = [include_str!("../../python/imports.py"), include_str!("../../python/boot.py")];

/// Our own modules, beside those of the standard library.
const MODULES: [(&str, &str); 26] = [
    ("_gavel/__init__.py", include_str!("../../python/gavel/__init__.py")),
    ("_gavel/channel.py", include_str!("../../python/gavel/channel.py")),
    ("_gavel/examination.py", include_str!("../../python/gavel/examination.py")),
    ("_gavel/nodes.py", include_str!("../../python/gavel/nodes.py")),
    ("_gavel/notation.py", include_str!("../../python/gavel/notation.py")),
    ("_gavel/plain.py", include_str!("../../python/gavel/plain.py")),
    ("_gavel/prelude.py", include_str!("../../python/gavel/prelude.py")),
    ("_gavel/program.py", include_str!("../../python/gavel/program.py")),
    ("_gavel/remote.py", include_str!("../../python/gavel/remote.py")),
    ("_gavel/service.py", include_str!("../../python/gavel/service.py")),
    ("_gavel/settle.py", include_str!("../../python/gavel/settle.py")),
    ("_gavel/system.py", include_str!("../../python/gavel/system.py")),
    ("_gavel/threads.py", include_str!("../../python/gavel/threads.py")),
    ("_gavel/wire.py", include_str!("../../python/gavel/wire.py")),
    ("_bz2.py", include_str!("../../python/shims/_bz2.py")),
    ("_lzma.py", include_str!("../../python/shims/_lzma.py")),
    ("ctypes.py", include_str!("../../python/shims/ctypes.py")),
    ("fcntl.py", include_str!("../../python/shims/fcntl.py")),
    ("grp.py", include_str!("../../python/shims/grp.py")),
    ("mmap.py", include_str!("../../python/shims/mmap.py")),
    ("pwd.py", include_str!("../../python/shims/pwd.py")),
    ("pytest.py", include_str!("../../python/shims/pytest.py")),
    ("readline.py", include_str!("../../python/shims/readline.py")),
    ("termios.py", include_str!("../../python/shims/termios.py")),
    ("resource.py", include_str!("../../python/shims/resource.py")),
    ("ssl.py", include_str!("../../python/shims/ssl.py")),
];

/// Everything of ours that goes into the snapshot.
pub(super) const SOURCES: &[&str] = &sources();

const fn sources() -> [&'static str; MODULES.len() + 3] {
    let mut sources = [written::PROGRAM; MODULES.len() + 3];
    sources[MODULES.len()] = BOOT[0];
    sources[MODULES.len() + 1] = BOOT[1];
    let mut index = 0;
    while index < MODULES.len() {
        sources[index] = MODULES[index].1;
        index += 1;
    }
    sources
}

/// The files of an installation.
const CODE_FILE: &str = "python.cwasm";
const LIBRARY_FILE: &str = "library.tar.zst";
const ENTRIES_FILE: &str = "entries.json";
const WRITTEN_FILE: &str = "written.json";

/// Where the boot script leaves the addresses of all objects.
const ADDRESSES_FILE: &str = "/tmp/addresses";

/// Where the harness's functions are in the interpreter's memory.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Entries {
    /// Does a job.
    pub(super) main: u32,
    /// Does one request of tests.
    pub(super) serve: u32,
}

/// The interpreter, ready to be started.
pub(super) struct Interpreter {
    pub(super) prepared: Prepared,
    pub(super) tree: Arc<Tree>,
    pub(super) entries: Entries,
    /// Pages that nearly every program writes to.
    pub(super) written: Vec<Page>,
}

impl Interpreter {
    /// Opens what [`build`] left.
    pub(super) fn open(machine: &Machine, folder: &Path) -> Result<Self, MachineError> {
        let module = machine.load(&folder.join(CODE_FILE))?;
        let prepared = machine.prepare(&module, |_| Ok(()))?;
        let fault = |file: &str, message: String| MachineError::Load { path: folder.join(file), message };
        let read =
            |file: &str| std::fs::read(folder.join(file)).map_err(|error| fault(file, error.to_string()));
        let entries = serde_json::from_slice(&read(ENTRIES_FILE)?)
            .map_err(|error| fault(ENTRIES_FILE, error.to_string()))?;
        let written = serde_json::from_slice(&read(WRITTEN_FILE)?)
            .map_err(|error| fault(WRITTEN_FILE, error.to_string()))?;
        let library = zstd::decode_all(read(LIBRARY_FILE)?.as_slice())
            .map_err(|error| fault(LIBRARY_FILE, error.to_string()))?;
        let files = unpack(&library).map_err(|error| fault(LIBRARY_FILE, error.to_string()))?;
        let tree = Tree::new(files).map_err(|error| fault(LIBRARY_FILE, error.to_string()))?;
        Ok(Self { prepared, tree: Arc::new(tree), entries, written })
    }
}

/// Builds the snapshot.
pub(super) fn build(workshop: &mut Workshop<'_>) -> Result<(), InstallError> {
    let files = library(workshop)?;
    (workshop.progress)("linking the interpreter");
    let wasm = linked(workshop)?;
    (workshop.progress)("compiling the interpreter");
    let module = workshop.machine.module(&wasm)?;
    (workshop.progress)("importing its library");
    let tree = Tree::new(files.clone()).map_err(build_error)?;
    let prepared = workshop.machine.prepare(&module, |_| Ok(()))?;
    let (memory, stack_pointer, entries) = boot(workshop.machine, &prepared, Arc::new(tree))?;
    let wasm = link::bake(&wasm, &memory, stack_pointer).map_err(build_error)?;
    (workshop.progress)("compiling the snapshot");
    let code = workshop.machine.compile(&wasm)?;
    let entries = serde_json::to_vec(&entries).map_err(build_error)?;
    let nothing = serde_json::to_vec::<[Page]>(&[]).map_err(build_error)?;
    let library = zstd::encode_all(pack(files).map_err(build_error)?.as_slice(), 9).map_err(build_error)?;
    let files =
        [(CODE_FILE, code), (ENTRIES_FILE, entries), (LIBRARY_FILE, library), (WRITTEN_FILE, nothing)];
    for (name, content) in files {
        crate::package::write_whole(&workshop.folder.join(name), &content)?;
    }
    (workshop.progress)("watching what it writes to");
    let interpreter = Interpreter::open(workshop.machine, workshop.folder)?;
    let written = written::watch(workshop.machine, &interpreter, &memory)?;
    let written = serde_json::to_vec(&written).map_err(build_error)?;
    crate::package::write_whole(&workshop.folder.join(WRITTEN_FILE), &written)?;
    Ok(())
}

fn build_error(error: impl std::error::Error) -> InstallError {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        message = format!("{message}: {cause}");
        source = cause.source();
    }
    InstallError::Build { message }
}

fn linked(workshop: &Workshop<'_>) -> Result<Vec<u8>, InstallError> {
    let mut libraries = Vec::new();
    for name in LIBRARIES {
        let compressed = workshop.files.get(RUNTIME, &format!("libs/{name}.so.zst"))?;
        libraries.push((name, zstd::decode_all(compressed).map_err(build_error)?));
    }
    let inputs: Vec<(&str, &[u8])> =
        libraries.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
    link::link(&inputs, STACK_BYTES, &EXPORTS).map_err(build_error)
}

/// The standard library and our modules, by their paths.
fn library(workshop: &Workshop<'_>) -> Result<BTreeMap<String, Vec<u8>>, InstallError> {
    let compressed = workshop.files.get("eryx", "python-stdlib.tar.zst")?;
    let archive = zstd::decode_all(compressed).map_err(build_error)?;
    let mut files = BTreeMap::new();
    for (path, content) in unpack(&archive).map_err(build_error)? {
        let Some((_, path)) = path.split_once('/') else { continue };
        let top = path.split('/').next().unwrap_or(path);
        if !LEFT_OUT.contains(&top) {
            files.insert(format!("{LIBRARY}/{path}"), content);
        }
    }
    for (path, text) in MODULES {
        files.insert(format!("{LIBRARY}/{path}"), text.as_bytes().to_vec());
    }
    Ok(files)
}

/// The files of a tar archive.
fn unpack(archive: &[u8]) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in tar::Archive::new(archive.take(MAX_LIBRARY_BYTES)).entries()? {
        let mut entry = entry?;
        if entry.header().entry_type().is_file() {
            let path = entry.path()?.to_string_lossy().into_owned();
            let mut content = Vec::new();
            entry.read_to_end(&mut content)?;
            files.push((path, content));
        }
    }
    Ok(files)
}

fn pack(files: BTreeMap<String, Vec<u8>>) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, content.as_slice())?;
    }
    archive.into_inner()
}

/// Starts the interpreter, has it run the boot script, and gives its memory and stack pointer as they are then.
fn boot(
    machine: &Machine,
    prepared: &Prepared,
    tree: Arc<Tree>,
) -> Result<(Vec<u8>, i32, Entries), InstallError> {
    let limits = Limits {
        time: Duration::from_secs(3600),
        wall: Duration::from_secs(1800),
        memory_bytes: 1 << 30,
        output_bytes: 1 << 20,
        files_bytes: 64 << 20,
    };
    let world = World::new(WorldConfig {
        args: vec!["python3".to_owned()],
        stdin: Vec::new(),
        tree,
        files: Vec::new(),
        output_bytes: limits.output_bytes,
        files_bytes: limits.files_bytes,
        // The clock stands still.
        fuel_per_ms: 0,
    })
    .map_err(build_error)?;
    let budget = Budget { limits, fuel_per_ms: super::FUEL_PER_MS };
    let mut running = machine.start(prepared, world, budget)?;
    let booted = run_boot(&mut running);
    let stack_pointer = running.global(STACK_POINTER).unwrap_or(0);
    let mut memory = running.memory().to_vec();
    let (mut world, _) = running.finish();
    let stdout = world.take_stdout();
    let said = String::from_utf8_lossy(&world.take_stderr()).into_owned();
    match booted {
        Ok(0) => {}
        Ok(code) => {
            return Err(InstallError::Build {
                message: format!("the boot script ended with {code}: {said}"),
            });
        }
        Err(stopped) => {
            let message = format!("the boot script did not end: {stopped:?}: {said}");
            return Err(InstallError::Build { message });
        }
    }
    let entries = serde_json::from_slice(&stdout).map_err(build_error)?;
    let addresses = world.file(ADDRESSES_FILE).unwrap_or_default();
    let n_immortal = immortalize(&mut memory, addresses);
    if n_immortal == 0 {
        return Err(InstallError::Build { message: "the boot script named no objects".to_owned() });
    }
    Ok((memory, stack_pointer, entries))
}

/// Sets the reference counts of these objects, given by their addresses and those of their types, to the one that
/// CPython takes for immortal on a machine of 32 bits (PEP 683; `_Py_IMMORTAL_INITIAL_REFCNT`). Gives how many there
/// were.
///
/// An object that has died since has a link of a free list where its count was, which is an address or zero, or its
/// type is no longer where it was.
fn immortalize(memory: &mut [u8], objects: &[u8]) -> usize {
    const IMMORTAL: u32 = 5 << 28;
    const MOST_REFERENCES: u32 = 1 << 20;
    let word = |bytes: &[u8]| bytes.first_chunk::<4>().map(|word| u32::from_le_bytes(*word));
    let mut n = 0;
    for object in objects.as_chunks::<8>().0 {
        let (Some(address), Some(kind)) = (word(object), word(&object[4..])) else { continue };
        let Some(head) = memory.get_mut(address as usize..).and_then(<[u8]>::first_chunk_mut::<8>) else {
            continue;
        };
        let is_alive = word(head).is_some_and(|count| (1..MOST_REFERENCES).contains(&count));
        if is_alive && word(&head[4..]) == Some(kind) {
            head[..4].copy_from_slice(&IMMORTAL.to_le_bytes());
            n += 1;
        }
    }
    n
}

fn run_boot(running: &mut Running) -> Result<i32, Stopped> {
    running.call::<(), ()>(INITIALIZE, ())?;
    for (name, value) in SETTINGS {
        let (name, value) = (place(running, name)?, place(running, value)?);
        running.call::<(u32, u32, i32), i32>("setenv", (name, value, 1))?;
        running.call::<u32, ()>("free", name)?;
        running.call::<u32, ()>("free", value)?;
    }
    running.call::<i32, ()>("Py_InitializeEx", 0)?;
    for script in BOOT {
        let script = place(running, script)?;
        let code = running.call::<(u32, u32), i32>("PyRun_SimpleStringFlags", (script, 0))?;
        if code != 0 {
            return Ok(code);
        }
        running.call::<u32, ()>("free", script)?;
        // Objects that wait in free lists to be used again are holes too.
        running.call::<(), i32>("PyGC_Collect", ())?;
        fill_holes(running, "malloc", "free", falling_sizes())?;
        fill_holes(running, "PyObject_Malloc", "PyObject_Free", object_sizes())?;
    }
    Ok(0)
}

/// The sizes that CPython's own allocator knows (`obmalloc.h`, on a machine of 32 bits).
fn object_sizes() -> impl Iterator<Item = u32> {
    (1..=64).rev().map(|units| units * 8)
}

/// Writes a C string into the interpreter's memory.
fn place(running: &mut Running, text: &str) -> Result<u32, Stopped> {
    let address = running.call::<u32, u32>("malloc", text.len() as u32 + 1)?;
    running.write(address, text.as_bytes())?;
    running.write(address + text.len() as u32, &[0])?;
    Ok(address)
}
