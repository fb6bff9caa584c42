//! `[run]` and `[checkpoint]`: where the run lives, what it is repeated by, what it leaves behind.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::fault::Checks;

/// Where the run lives and what it leaves behind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunRecipe {
    /// The run's name, also in the store.
    pub name: String,
    /// The run's folder.
    pub folder: PathBuf,
    /// Decides every draw: same seed, same run.
    pub seed: u64,
    /// What computes.
    pub device: DeviceChoice,
    /// Threads that compute and judge; 0 is one for each core.
    pub threads: usize,
    /// Where judged groups are kept, as `gavel serve --store` has it; nowhere without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    /// Writes TensorBoard's event files.
    pub tensorboard: bool,
    /// Writes `metrics.jsonl`.
    pub jsonl: bool,
}

/// When the run is saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckpointRecipe {
    /// Steps between two checkpoints; 0 saves at the end only.
    pub every: u64,
    /// Checkpoints that are kept, the newest; 0 keeps all.
    pub keep: usize,
}

/// What computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DeviceChoice {
    /// The first NVIDIA device if this build can use one and there is one, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// An NVIDIA device by its number.
    Cuda(usize),
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => text
                .strip_prefix("cuda:")
                .and_then(|number| number.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| format!("is `{text}`; it must be `auto`, `cpu` or `cuda:N`")),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

impl TryFrom<String> for DeviceChoice {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<DeviceChoice> for String {
    fn from(device: DeviceChoice) -> Self {
        device.to_string()
    }
}

impl Default for RunRecipe {
    fn default() -> Self {
        Self {
            name: String::new(),
            folder: PathBuf::new(),
            seed: 0,
            device: DeviceChoice::default(),
            threads: 0,
            store: None,
            tensorboard: true,
            jsonl: true,
        }
    }
}

impl Default for CheckpointRecipe {
    fn default() -> Self {
        Self { every: 20, keep: 2 }
    }
}

/// Names of runs in the store are no longer.
const MAX_NAME: usize = 200;
/// More threads than any machine has.
const MAX_THREADS: usize = 4096;

impl RunRecipe {
    pub(super) fn resolve(&mut self) {
        if self.folder.as_os_str().is_empty() {
            self.folder = PathBuf::from("runs").join(&self.name);
        }
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        let plain = |c: char| !c.is_control() && c != '/';
        if self.name.is_empty() || self.name.len() > MAX_NAME || !self.name.chars().all(plain) {
            checks.fault("name", "must be 1 to 200 bytes without slashes and control characters");
        }
        checks.must(i64::try_from(self.seed).is_ok(), "seed", self.seed, "below 2^63");
        checks.must(self.threads <= MAX_THREADS, "threads", self.threads, "at most 4096");
        if self.store.as_ref().is_some_and(|store| store.trim().is_empty()) {
            checks.fault("store", "is empty; leave it out to keep nothing");
        }
    }
}

impl CheckpointRecipe {
    /// Whether the run is saved after this step, of `steps`.
    pub fn is_due(&self, step: u64, steps: u64) -> bool {
        step == steps || (self.every > 0 && step.is_multiple_of(self.every))
    }

    #[expect(clippy::unused_self, reason = "every section has its checks; here any numbers are good")]
    pub(super) fn check(&self, _: &mut Checks) {}
}
