//! Checkpoints: folders of files with a state, each there whole or not at all, whenever the process is killed.
//!
//! ```text
//! checkpoints/
//!   latest                    the name of the newest, for people and scripts
//!   step-000120/
//!     state.json              step, the caller's state, each file's size and SHA-256
//!     …                       what the caller wrote
//! ```
//!
//! A checkpoint is written into a hidden folder, brought to disk and renamed. Reading verifies every file, takes the
//! newest that is whole, and says of each that it passed over why. What is stored is for the caller to say.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

const STATE: &str = "state.json";
const LATEST: &str = "latest";
const PREFIX: &str = "step-";
/// Before the names of folders that are being written or removed.
const HIDDEN: &str = ".unfinished-";
/// What a folder that is being removed is called.
const REMOVED: &str = "removed";
/// Rises when the layout changes.
const FORMAT: u32 = 1;
/// The largest `state.json`: the largest state, not the tensors, which have files of their own.
const MAX_STATE_BYTES: u64 = 1 << 30;

/// What is wrong with a checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A checkpoint is not what it was when it was written.
    #[error("the checkpoint {} is damaged: {message}", path.display())]
    Damaged {
        /// Its folder.
        path: PathBuf,
        /// What differs.
        message: String,
    },
    /// There is none.
    #[error("there is no whole checkpoint in {}{}", path.display(), told(skipped))]
    Missing {
        /// The folder that was looked through.
        path: PathBuf,
        /// Damaged ones.
        skipped: Vec<String>,
    },
    /// The caller could not write its files.
    #[error("cannot write a checkpoint: {0}")]
    Content(#[source] Box<dyn std::error::Error + Send + Sync>),
}

fn told(skipped: &[String]) -> String {
    if skipped.is_empty() { String::new() } else { format!("; {}", skipped.join("; ")) }
}

impl CheckpointError {
    fn damaged(path: &Path, message: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), message: message.into() }
    }
}

type Result<T> = std::result::Result<T, CheckpointError>;

/// Names the file an error is about.
fn at<T>(path: &Path, result: io::Result<T>) -> Result<T> {
    result.map_err(|source| CheckpointError::File { path: path.to_owned(), source })
}

/// A run's checkpoints.
#[derive(Debug)]
pub struct Checkpoints {
    folder: PathBuf,
    keep: usize,
}

/// A checkpoint that was verified.
#[derive(Debug)]
pub struct Checkpoint {
    /// Its folder, with the caller's files.
    pub folder: PathBuf,
    /// The step it was written after.
    pub step: u64,
    state: Box<RawValue>,
}

/// What a search found.
#[derive(Debug)]
pub struct Found {
    /// The newest that is whole.
    pub checkpoint: Option<Checkpoint>,
    /// Why newer ones were passed over, a sentence for each.
    pub skipped: Vec<String>,
}

/// `state.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    format: u32,
    step: u64,
    files: BTreeMap<String, FileRecord>,
    state_sha256: String,
    state: Box<RawValue>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct FileRecord {
    bytes: u64,
    sha256: String,
}

impl Checkpoints {
    /// Opens a folder of checkpoints, makes it if it is not there, and removes what a killed process left half-done.
    /// Only one process may have it open ([`RunFolder`](super::folder::RunFolder) sees to that). `keep` newest
    /// checkpoints stay; 0 keeps all.
    ///
    /// # Errors
    /// When the folder cannot be made or read.
    pub fn open(folder: &Path, keep: usize) -> Result<Self> {
        at(folder, fs::create_dir_all(folder))?;
        for entry in at(folder, fs::read_dir(folder))? {
            let entry = at(folder, entry)?;
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            let Some(name) = name.strip_prefix(HIDDEN) else { continue };
            let place = folder.join(name);
            if name != REMOVED && !place.exists() && Checkpoint::open(&path).is_ok() {
                // Killed between the removal of the one that was here and the renaming of this one.
                at(&path, fs::rename(&path, &place))?;
                continue;
            }
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            at(&path, removed)?;
        }
        sync_folder(folder)?;
        Ok(Self { folder: folder.to_owned(), keep })
    }

    /// Writes a checkpoint: `fill` writes its files, in folders or not, below the path that it is given. When this
    /// returns, the checkpoint is on disk; older ones than the `keep` newest are gone.
    ///
    /// # Errors
    /// When something cannot be written; the checkpoints there were are then still there.
    pub fn write<S: Serialize, E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        &self,
        step: u64,
        state: &S,
        fill: impl FnOnce(&Path) -> std::result::Result<(), E>,
    ) -> Result<PathBuf> {
        let name = folder_name(step);
        let hidden = self.folder.join(format!("{HIDDEN}{name}"));
        if hidden.exists() {
            at(&hidden, fs::remove_dir_all(&hidden))?;
        }
        at(&hidden, fs::create_dir(&hidden))?;
        fill(&hidden).map_err(|error| CheckpointError::Content(error.into()))?;
        let state = serde_json::value::to_raw_value(state)
            .map_err(|error| CheckpointError::Content(Box::new(error)))?;
        let mut files = BTreeMap::new();
        sync(&hidden, "", &mut files)?;
        let state_sha256 = hex(&Sha256::digest(state.get()));
        let record = Record { format: FORMAT, step, files, state_sha256, state };
        let text = serde_json::to_vec(&record).map_err(|error| CheckpointError::Content(Box::new(error)))?;
        write_synced(&hidden.join(STATE), &text)?;
        sync_folder(&hidden)?;

        let path = self.folder.join(&name);
        if path.exists() {
            // A run that was resumed before this step comes by it again.
            self.remove(&path)?;
        }
        at(&path, fs::rename(&hidden, &path))?;
        sync_folder(&self.folder)?;
        let marker = self.folder.join(format!("{HIDDEN}{LATEST}"));
        write_synced(&marker, format!("{name}\n").as_bytes())?;
        at(&marker, fs::rename(&marker, self.folder.join(LATEST)))?;
        self.prune(step)?;
        sync_folder(&self.folder)?;
        Ok(path)
    }

    /// The newest checkpoint that is whole.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn newest(&self) -> Result<Found> {
        newest(&self.folder)
    }

    /// Removes all but the `keep` newest up to `step`, and what is newer than `step`: it is of a future that a
    /// resumed run does not have.
    fn prune(&self, step: u64) -> Result<()> {
        let steps = steps(&self.folder)?;
        let past: Vec<u64> = steps.iter().copied().filter(|other| *other <= step).collect();
        let too_old = if self.keep == 0 { 0 } else { past.len().saturating_sub(self.keep) };
        for gone in past[..too_old].iter().chain(steps.iter().filter(|other| **other > step)) {
            self.remove(&self.folder.join(folder_name(*gone)))?;
        }
        Ok(())
    }

    /// Removes a checkpoint: out of sight first, so that it is never seen half-removed.
    fn remove(&self, path: &Path) -> Result<()> {
        let hidden = self.folder.join(format!("{HIDDEN}{REMOVED}"));
        at(path, fs::rename(path, &hidden))?;
        // Without its state it is none any more, also when the rest is not removed in time.
        at(&hidden, fs::remove_file(hidden.join(STATE)).or_else(missing_is_fine))?;
        at(&hidden, fs::remove_dir_all(&hidden))
    }
}

/// The newest checkpoint of a folder that is whole, without changing anything there.
///
/// # Errors
/// When the folder cannot be read.
pub fn newest(folder: &Path) -> Result<Found> {
    let mut skipped = Vec::new();
    for step in steps(folder)?.into_iter().rev() {
        match Checkpoint::open(&folder.join(folder_name(step))) {
            Ok(checkpoint) => return Ok(Found { checkpoint: Some(checkpoint), skipped }),
            Err(error) => skipped.push(error.to_string()),
        }
    }
    Ok(Found { checkpoint: None, skipped })
}

/// The checkpoint that `path` means: itself one, or a run's folder or a folder of checkpoints, of which the newest
/// that is whole.
///
/// # Errors
/// When there is none.
pub fn find(path: &Path) -> Result<Checkpoint> {
    if path.join(STATE).is_file() {
        return Checkpoint::open(path);
    }
    let inside = path.join("checkpoints");
    let folder = if inside.is_dir() { inside } else { path.to_owned() };
    let found = newest(&folder)?;
    found.checkpoint.ok_or(CheckpointError::Missing { path: folder, skipped: found.skipped })
}

impl Checkpoint {
    /// Opens and verifies a checkpoint.
    ///
    /// # Errors
    /// When a file is missing, is another one than was written, or is there without having been written.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(STATE);
        let file = File::open(&path).map_err(|error| {
            CheckpointError::damaged(folder, format!("{STATE} cannot be opened ({error})"))
        })?;
        let mut text = String::new();
        file.take(MAX_STATE_BYTES)
            .read_to_string(&mut text)
            .map_err(|error| CheckpointError::damaged(folder, format!("{STATE} cannot be read ({error})")))?;
        let record: Record = serde_json::from_str(&text)
            .map_err(|error| CheckpointError::damaged(folder, format!("{STATE} cannot be read ({error})")))?;
        if record.format != FORMAT {
            let message = format!("it has format {}, this program reads {FORMAT}", record.format);
            return Err(CheckpointError::damaged(folder, message));
        }
        if hex(&Sha256::digest(record.state.get())) != record.state_sha256 {
            return Err(CheckpointError::damaged(folder, format!("{STATE} was changed")));
        }
        for (name, expected) in &record.files {
            match describe(&folder.join(name)) {
                Ok(found) if found == *expected => {}
                Ok(found) if found.bytes != expected.bytes => {
                    let message = format!("{name} has {} bytes instead of {}", found.bytes, expected.bytes);
                    return Err(CheckpointError::damaged(folder, message));
                }
                Ok(_) => return Err(CheckpointError::damaged(folder, format!("{name} was changed"))),
                Err(error) => {
                    return Err(CheckpointError::damaged(folder, format!("{name} cannot be read ({error})")));
                }
            }
        }
        Ok(Self { folder: folder.to_owned(), step: record.step, state: record.state })
    }

    /// The caller's state.
    ///
    /// # Errors
    /// When it is not of this type.
    pub fn state<S: DeserializeOwned>(&self) -> Result<S> {
        serde_json::from_str(self.state.get()).map_err(|error| {
            CheckpointError::damaged(&self.folder, format!("its state cannot be read: {error}"))
        })
    }
}

fn missing_is_fine(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

fn folder_name(step: u64) -> String {
    format!("{PREFIX}{step:06}")
}

/// The steps that have a folder, rising.
fn steps(folder: &Path) -> Result<Vec<u64>> {
    let mut steps = Vec::new();
    for entry in at(folder, fs::read_dir(folder))? {
        let name = at(folder, entry)?.file_name();
        let step = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        steps.extend(step.and_then(|step| step.parse::<u64>().ok()));
    }
    steps.sort_unstable();
    Ok(steps)
}

/// Brings every file below `folder` to disk and describes it by its path below the checkpoint.
fn sync(folder: &Path, prefix: &str, files: &mut BTreeMap<String, FileRecord>) -> Result<()> {
    for entry in at(folder, fs::read_dir(folder))? {
        let entry = at(folder, entry)?;
        let path = entry.path();
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if path.is_dir() {
            sync(&path, &format!("{name}/"), files)?;
        } else {
            at(&path, File::open(&path).and_then(|file| file.sync_all()))?;
            files.insert(name, at(&path, describe(&path))?);
        }
    }
    sync_folder(folder)
}

fn describe(path: &Path) -> io::Result<FileRecord> {
    let mut hasher = Sha256::new();
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return Ok(FileRecord { bytes, sha256: hex(&hasher.finalize()) });
        }
        bytes += n as u64;
        hasher.update(&buffer[..n]);
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn write_synced(path: &Path, content: &[u8]) -> Result<()> {
    at(path, File::create(path).and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all())))
}

fn sync_folder(folder: &Path) -> Result<()> {
    at(folder, File::open(folder).and_then(|file| file.sync_all()))
}

#[cfg(test)]
mod tests;
