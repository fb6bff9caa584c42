//! Installed guests on disk: built once, whole or not at all, and checked before they are used.
//!
//! `DIRECTORY/packages/` keeps the packages' archives; `DIRECTORY/GUEST/KEY/` holds what was built from them, with
//! a receipt of every file's hash. The key names all that the result depends on, so that another version of this
//! program, or another processor, looks for another folder instead of running code that does not fit.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{GuestState, GuestStatus, Kind, Workshop, kind, manifest};
use crate::machine::{Machine, MachineError};
use crate::package::{PackageError, Source, sha256, write_whole};
use crate::{Ending, Limits, Program};

/// The receipt's name.
const RECEIPT: &str = "receipt.json";
/// Characters of the key that name the folder.
const KEY_LENGTH: usize = 16;

/// What an installation left behind.
#[derive(Debug, Serialize, Deserialize)]
struct Receipt {
    guest: String,
    version: String,
    /// The SHA-256 of each file, by its name.
    files: BTreeMap<String, String>,
}

/// Where a guest is, or would be.
pub(super) struct Installed {
    folder: PathBuf,
}

/// What is found there.
pub(super) enum State {
    /// All files are as they were left.
    Whole {
        /// Bytes on disk.
        size_bytes: u64,
    },
    /// Nothing.
    Absent,
    /// Something else than was left.
    Damaged(String),
}

impl Installed {
    pub(super) fn new(kind: &Kind, machine: &Machine, directory: &Path) -> Self {
        let mut parts = vec![kind.manifest, env!("CARGO_PKG_VERSION")];
        parts.extend(kind.sources);
        let revision = kind.revision.to_string();
        let fingerprint = machine.fingerprint();
        parts.extend([revision.as_str(), fingerprint.as_str()]);
        let hashes: String = parts.iter().map(|part| sha256(part.as_bytes())).collect();
        let key = sha256(hashes.as_bytes());
        Self { folder: directory.join(kind.name).join(&key[..KEY_LENGTH]) }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether there is an installation, damaged or not.
    pub(super) fn is_there(&self) -> bool {
        self.folder.join(RECEIPT).exists()
    }

    /// Compares every file with the receipt.
    pub(super) fn check(&self) -> State {
        let receipt = match fs::read(self.folder.join(RECEIPT)) {
            Ok(receipt) => receipt,
            Err(error) if error.kind() == ErrorKind::NotFound => return State::Absent,
            Err(error) => return State::Damaged(format!("{RECEIPT}: {error}")),
        };
        let receipt: Receipt = match serde_json::from_slice(&receipt) {
            Ok(receipt) => receipt,
            Err(error) => return State::Damaged(format!("{RECEIPT}: {error}")),
        };
        let mut size_bytes = 0;
        for (name, expected) in &receipt.files {
            match fs::read(self.folder.join(name)) {
                Ok(content) if sha256(&content) == *expected => size_bytes += content.len() as u64,
                Ok(_) => return State::Damaged(format!("{name} was changed")),
                Err(error) => return State::Damaged(format!("{name}: {error}")),
            }
        }
        State::Whole { size_bytes }
    }

    pub(super) fn status(&self, kind: &Kind) -> GuestStatus {
        let (state, size_bytes) = match self.check() {
            State::Whole { size_bytes } => (GuestState::Ready, size_bytes),
            State::Absent => (GuestState::NotInstalled, 0),
            State::Damaged(message) => (GuestState::Damaged { message }, 0),
        };
        let (version, licence) = match manifest(kind) {
            Ok(manifest) => (manifest.version, manifest.licence),
            Err(error) => (error.to_string(), String::new()),
        };
        GuestStatus {
            guest: kind.name,
            languages: kind.languages,
            version,
            licence,
            state,
            folder: self.folder.clone(),
            size_bytes,
        }
    }
}

/// Builds a guest from its packages. What is there already and whole is left as it is.
///
/// # Errors
/// When there is no guest of that name, when a package cannot be got or is not the pinned one, and when the
/// result cannot be built or written.
pub fn install(
    guest: &str,
    directory: &Path,
    source: &Source,
    progress: &mut dyn FnMut(&str),
) -> Result<PathBuf, InstallError> {
    let kind = kind(guest).ok_or_else(|| InstallError::UnknownGuest {
        guest: guest.to_owned(),
        known: super::guest_names().join(", "),
    })?;
    let machine = Arc::new(Machine::for_building()?);
    let installed = Installed::new(kind, &machine, directory);
    let parent = directory.join(kind.name);
    create_private(&parent)?;
    // Two installations at once would build the same twice; the second waits and finds it done.
    let lock_path = parent.join(".lock");
    let lock = fs::File::create(&lock_path).map_err(|error| PackageError::file(&lock_path, error))?;
    lock.lock().map_err(|error| PackageError::file(&lock_path, error))?;
    if matches!(installed.check(), State::Whole { .. }) {
        return Ok(installed.folder);
    }
    let manifest = manifest(kind)?;
    let files = manifest.obtain(&directory.join("packages"), source, progress)?;
    let building = tempfile::Builder::new()
        .prefix(".building-")
        .tempdir_in(&parent)
        .map_err(|error| PackageError::file(&parent, error))?;
    (kind.build)(&mut Workshop { machine: &machine, files: &files, folder: building.path(), progress })?;
    (progress)("trying it");
    attempt(kind, &machine, building.path())?;
    let receipt =
        Receipt { guest: kind.name.to_owned(), version: manifest.version, files: hashes(building.path())? };
    let text = serde_json::to_string_pretty(&receipt)
        .map_err(|error| InstallError::Build { message: error.to_string() })?;
    write_whole(&building.path().join(RECEIPT), text.as_bytes())?;
    if installed.folder.exists() {
        // A damaged one: it is moved away first, because a folder in use cannot be replaced in one step.
        fs::remove_dir_all(&installed.folder).map_err(|e| PackageError::file(&installed.folder, e))?;
    }
    fs::rename(building.path(), &installed.folder).map_err(|e| PackageError::file(&installed.folder, e))?;
    Ok(installed.folder)
}

/// Runs the trial programs: a guest that cannot run them must not judge anybody's.
fn attempt(kind: &Kind, machine: &Arc<Machine>, folder: &Path) -> Result<(), InstallError> {
    let guest = (kind.open)(Arc::clone(machine), folder)?;
    let limits = Limits {
        time: Duration::from_secs(10),
        wall: Duration::from_secs(600),
        memory_bytes: 256 << 20,
        output_bytes: 1 << 16,
        files_bytes: 1 << 20,
    };
    for (language, source) in kind.trials {
        let fault = |what: String| InstallError::Build {
            message: format!("the trial program in {} {what}", language.name()),
        };
        let execution = guest
            .run(&Program::new(*language, *source), b"", &limits)
            .map_err(|error| fault(format!("failed: {error}")))?;
        if execution.ending != (Ending::Exited { code: 0 }) || execution.stdout != b"1\n" {
            let said = String::from_utf8_lossy(&execution.stderr);
            return Err(fault(format!("ended with {:?}: {said}", execution.ending)));
        }
    }
    Ok(())
}

/// Compiled code is run as it is, so nobody else may write where it lies.
fn create_private(folder: &Path) -> Result<(), PackageError> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| PackageError::file(folder, error))
}

fn hashes(folder: &Path) -> Result<BTreeMap<String, String>, PackageError> {
    let fault = |error| PackageError::file(folder, error);
    let mut hashes = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let content = fs::read(entry.path()).map_err(|error| PackageError::file(&entry.path(), error))?;
        hashes.insert(entry.file_name().to_string_lossy().into_owned(), sha256(&content));
    }
    Ok(hashes)
}

/// Why a guest could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// There is no such guest.
    #[error("there is no guest `{guest}`; there are: {known}")]
    UnknownGuest {
        /// The name asked for.
        guest: String,
        /// The names there are.
        known: String,
    },
    /// A package could not be got or read.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The machine failed.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// What was built does not work.
    #[error("the guest cannot be built: {message}")]
    Build {
        /// Why.
        message: String,
    },
}
