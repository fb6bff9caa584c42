//! A run's folder: `run.toml`, `metrics.jsonl`, `checkpoints/`, events, plot and summary; one process at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::error::{LearnerError, Result};
use super::recipe::Recipe;

/// A run's folder, held by this process until it is dropped.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// Open for its lock.
    _lock: File,
}

impl RunFolder {
    /// Makes the folder if it is not there, and holds it.
    ///
    /// # Errors
    /// When it cannot be made, or another process holds it.
    pub fn open(path: &Path) -> Result<Self> {
        std::fs::create_dir_all(path).map_err(|error| LearnerError::file(path, error))?;
        let lock_path = path.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(|error| LearnerError::file(&lock_path, error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                Err(LearnerError::other(format!("another process is training in {}", path.display())))
            }
            Err(TryLockError::Error(error)) => Err(LearnerError::file(&lock_path, error)),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The resolved recipe.
    pub fn recipe_path(&self) -> PathBuf {
        self.path.join("run.toml")
    }

    /// One line for each step and each evaluation.
    pub fn metrics_path(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// TensorBoard's event files.
    pub fn events_path(&self) -> PathBuf {
        self.path.join("events")
    }

    /// The checkpoints.
    pub fn checkpoints_path(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// Reward and accuracy over steps.
    pub fn plot_path(&self) -> PathBuf {
        self.path.join("plot.svg")
    }

    /// What came of it.
    pub fn summary_path(&self) -> PathBuf {
        self.path.join("summary.md")
    }

    /// Whether a run was begun here.
    pub fn has_run(&self) -> bool {
        self.recipe_path().is_file()
    }

    /// Writes the resolved recipe.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_recipe(&self, recipe: &Recipe) -> Result<()> {
        replace(&self.recipe_path(), recipe.resolved_toml().as_bytes())
    }

    /// Reads the recipe the run was begun with.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read_recipe(&self) -> Result<Recipe> {
        Ok(Recipe::read(&self.recipe_path(), &[])?)
    }
}

/// Writes a file so that it is there whole or as it was.
///
/// # Errors
/// When it cannot be written.
pub fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let context = |error| LearnerError::file(path, error);
    let beside = path.with_extension("writing");
    let mut file = File::create(&beside).map_err(context)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(context)?;
    std::fs::rename(&beside, path).map_err(context)
}
