//! The guests: every language that this crate knows how to build, those of them that are installed, and the
//! [`Sandbox`] over them.

mod conclusion;
mod install;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

pub(crate) use self::conclusion::conclude;
pub use self::install::{InstallError, install};
use self::install::{Installed, State};
use crate::machine::{Machine, MachineError};
use crate::package::{Files, Manifest};
use crate::{Call, Examination, Execution, Language, Limits, Program, Sandbox, SandboxError, TestProgram};

/// The longest program, in bytes.
pub const MAX_SOURCE_BYTES: usize = 4 << 20;

/// Runs programs of its languages in instances of its own. The caller holds a slot of the machine.
pub(crate) trait Guest: Send + Sync {
    /// As [`Sandbox::run`].
    fn run(&self, program: &Program, stdin: &[u8], limits: &Limits) -> Result<Execution, SandboxError>;

    /// As [`Sandbox::call`].
    fn call(&self, program: &Program, _: &Call, _: &Limits) -> Result<Execution, SandboxError> {
        Err(SandboxError::Unsupported { language: program.language, what: "calls of functions" })
    }

    /// As [`Sandbox::examine`].
    fn examine(&self, program: &Program, _: &TestProgram, _: &Limits) -> Result<Examination, SandboxError> {
        Err(SandboxError::Unsupported { language: program.language, what: "test programs" })
    }
}

/// All that is to be known of a guest before it is installed: the seam for further languages.
pub(crate) struct Kind {
    /// Its name, also of its folder.
    pub(crate) name: &'static str,
    /// What it runs.
    pub(crate) languages: &'static [Language],
    /// Its `manifest.toml`.
    pub(crate) manifest: &'static str,
    /// Our own sources that go into it.
    pub(crate) sources: &'static [&'static str],
    /// Rises when the code that builds it builds something else from the same sources.
    pub(crate) revision: u32,
    /// Builds what a run needs into an empty folder.
    pub(crate) build: fn(&mut Workshop<'_>) -> Result<(), InstallError>,
    /// A program in each language that prints `1` and a line's end: what was built is tried with them.
    pub(crate) trials: &'static [(Language, &'static str)],
    /// Opens what was built.
    pub(crate) open: Open,
}

/// Opens a guest that is installed in a folder.
pub(crate) type Open = fn(Arc<Machine>, &Path) -> Result<Box<dyn Guest>, MachineError>;

/// What a guest is built with.
pub(crate) struct Workshop<'w> {
    /// Compiles modules, and runs what must run once.
    pub(crate) machine: &'w Arc<Machine>,
    /// The packages' files.
    pub(crate) files: &'w Files,
    /// Where the result goes. Every file in it will be in the receipt.
    pub(crate) folder: &'w Path,
    /// Says what is being done, for somebody who waits.
    pub(crate) progress: &'w mut dyn FnMut(&str),
}

/// Every guest there is.
const KINDS: &[Kind] = &[crate::cpp::KIND, crate::javascript::KIND, crate::python::KIND];

/// Where guests are and how many may run.
#[derive(Clone, Debug)]
pub struct GuestOptions {
    /// The folder they are installed in.
    pub directory: PathBuf,
    /// Runs at a time; more wait in line.
    pub slots: usize,
}

/// Whether a guest can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuestState {
    /// It can.
    Ready,
    /// It is not there, or was built for another version of this program or another processor.
    NotInstalled,
    /// Its files are not what the installation left.
    Damaged {
        /// What is wrong with them.
        message: String,
    },
}

/// What is known of one guest.
#[derive(Clone, Debug)]
pub struct GuestStatus {
    /// Its name.
    pub guest: &'static str,
    /// What it runs.
    pub languages: &'static [Language],
    /// The version of the language's implementation.
    pub version: String,
    /// The licence of what it is made of.
    pub licence: String,
    /// Whether it can be used.
    pub state: GuestState,
    /// Where it is, or would be.
    pub folder: PathBuf,
    /// Bytes on disk.
    pub size_bytes: u64,
}

/// Is told of every run.
pub type Observer = dyn Fn(Language, &Execution) + Send + Sync;

/// The installed guests as a [`Sandbox`].
pub struct Guests {
    machine: Arc<Machine>,
    cells: Vec<Cell>,
    observer: Option<Box<Observer>>,
}

/// A guest, opened when it is first needed.
struct Cell {
    kind: &'static Kind,
    installed: Installed,
    opened: OnceLock<Result<Box<dyn Guest>, String>>,
}

impl Guests {
    /// Prepares the machine. Guests are opened when they are first needed, so that none has to be installed.
    ///
    /// # Errors
    /// When the engine does not start here, for example because too little address space is allowed.
    pub fn open(options: &GuestOptions) -> Result<Self, MachineError> {
        let machine = Arc::new(Machine::new(options.slots)?);
        let cells = KINDS
            .iter()
            .map(|kind| Cell {
                kind,
                installed: Installed::new(kind, &machine, &options.directory),
                opened: OnceLock::new(),
            })
            .collect();
        Ok(Self { machine, cells, observer: None })
    }

    /// Where guests are unless somebody says otherwise: `$GAVEL_GUESTS`, else `gavel/guests` in the user's cache
    /// folder.
    pub fn default_directory() -> Option<PathBuf> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        set("GAVEL_GUESTS").or_else(|| {
            let cache =
                set("XDG_CACHE_HOME").or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
            cache.map(|cache| cache.join("gavel").join("guests"))
        })
    }

    /// Has `observer` told of every run from now on.
    pub fn observe(&mut self, observer: Box<Observer>) {
        self.observer = Some(observer);
    }

    /// How many runs are inside, and how many wait for a slot.
    pub fn occupancy(&self) -> (usize, usize) {
        self.machine.slots().occupancy()
    }

    /// How many runs may be inside at a time.
    pub fn n_slots(&self) -> usize {
        self.machine.slots().n_slots()
    }

    /// What is known of every guest. It reads and compares all their files.
    pub fn status(&self) -> Vec<GuestStatus> {
        self.cells.iter().map(|cell| cell.installed.status(cell.kind)).collect()
    }

    fn guest(&self, language: Language) -> Result<&dyn Guest, SandboxError> {
        let unavailable = |reason: String| SandboxError::Unavailable { language, reason };
        let cell = self
            .cells
            .iter()
            .find(|cell| cell.kind.languages.contains(&language))
            .ok_or_else(|| unavailable("this program was built without it".to_owned()))?;
        let how = format!("`gavel sandbox install {}`", cell.kind.name);
        if cell.opened.get().is_none() && !cell.installed.is_there() {
            return Err(unavailable(format!("it is not installed; install it with {how}")));
        }
        let opened = cell.opened.get_or_init(|| match cell.installed.check() {
            State::Whole { .. } => (cell.kind.open)(Arc::clone(&self.machine), cell.installed.folder())
                .map_err(|error| error.to_string()),
            State::Absent => Err("its files are gone".to_owned()),
            State::Damaged(message) => Err(message),
        });
        match opened {
            Ok(guest) => Ok(guest.as_ref()),
            Err(message) => Err(unavailable(format!(
                "its installation in {} is damaged: {message}; install it again with {how}",
                cell.installed.folder().display()
            ))),
        }
    }

    /// The guest for a program that may be run at all.
    fn guest_for(&self, program: &Program) -> Result<Result<&dyn Guest, Execution>, SandboxError> {
        let guest = self.guest(program.language)?;
        if program.source.len() > MAX_SOURCE_BYTES {
            let message = format!("the program is longer than {MAX_SOURCE_BYTES} bytes");
            return Ok(Err(Execution::ended(crate::Ending::CompileError { message })));
        }
        Ok(Ok(guest))
    }

    fn observed(&self, language: Language, execution: &Execution) {
        if let Some(observer) = &self.observer {
            observer(language, execution);
        }
    }
}

impl Sandbox for Guests {
    fn languages(&self) -> Vec<Language> {
        let mut languages: Vec<Language> = self
            .cells
            .iter()
            .filter(|cell| cell.installed.is_there())
            .flat_map(|cell| cell.kind.languages.iter().copied())
            .collect();
        languages.sort_unstable();
        languages
    }

    fn run(&self, program: &Program, stdin: &[u8], limits: &Limits) -> Result<Execution, SandboxError> {
        let execution = match self.guest_for(program)? {
            Ok(guest) => {
                let _slot = self.machine.slot();
                guest.run(program, stdin, limits)?
            }
            Err(refused) => refused,
        };
        self.observed(program.language, &execution);
        Ok(execution)
    }

    fn call(&self, program: &Program, call: &Call, limits: &Limits) -> Result<Execution, SandboxError> {
        let execution = match self.guest_for(program)? {
            Ok(guest) => {
                let _slot = self.machine.slot();
                guest.call(program, call, limits)?
            }
            Err(refused) => refused,
        };
        self.observed(program.language, &execution);
        Ok(execution)
    }

    fn examine(
        &self,
        program: &Program,
        tests: &TestProgram,
        limits: &Limits,
    ) -> Result<Examination, SandboxError> {
        let examination = match self.guest_for(program)? {
            Ok(guest) => {
                let _slot = self.machine.slot();
                guest.examine(program, tests, limits)?
            }
            Err(refused) => Examination {
                outcome: crate::Outcome::ProgramEnded,
                tests: Execution::ended(crate::Ending::Exited { code: 0 }),
                program: refused,
            },
        };
        self.observed(program.language, &examination.program);
        Ok(examination)
    }
}

/// The kind of that name.
fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// The names of all guests.
pub fn guest_names() -> Vec<&'static str> {
    KINDS.iter().map(|kind| kind.name).collect()
}

fn manifest(kind: &Kind) -> Result<Manifest, InstallError> {
    Ok(Manifest::parse(kind.manifest)?)
}
