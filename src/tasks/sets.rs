//! Task sets by name: the environments, and the data sets that a server was told to load.
//!
//! A task of a set has a split and an index, so that a trainer can go through it; a task of a data set is found by
//! its prompt too, so that a reward can be asked for by a trainer that sends no reference.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use graders::{Prompt, Task};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Columns, DataError, Environment, Place, Split, TaskReader, environment, environments};

/// How many tasks an environment offers in a split to who must know a number.
const TRAIN_TASKS: u64 = 100_000;
/// The same of the splits that are not trained on.
const HELD_OUT_TASKS: u64 = 1_000;

/// A data set that a server loads.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSetSettings {
    /// The name to ask for it by.
    pub name: String,
    /// The rubric its completions are judged by: a preset's or a stored one's name, or a rubric.
    pub rubric: Value,
    /// Which of its columns holds what; without it, lines are tasks as in `POST /v1/grade`.
    #[serde(default)]
    pub columns: Option<Columns>,
    /// JSON lines to train on.
    #[serde(default)]
    pub train: Option<PathBuf>,
    /// JSON lines for decisions while training.
    #[serde(default)]
    pub validation: Option<PathBuf>,
    /// JSON lines for the final number.
    #[serde(default)]
    pub test: Option<PathBuf>,
}

/// Tasks that were read.
#[derive(Debug)]
pub struct DataSet {
    name: String,
    rubric: Value,
    splits: Vec<(Split, Vec<Arc<Task>>)>,
    /// The tasks by their prompts; none where a prompt occurs with different right answers, so that nobody can say
    /// which is asked for.
    by_prompt: HashMap<Key, Option<Arc<Task>>>,
}

/// SHA-256 of a prompt's text.
type Key = [u8; 32];

/// A data set could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The name is taken or cannot be part of a path.
    #[error("the data set {name:?} cannot be called that: {message}")]
    Name {
        /// The name.
        name: String,
        /// What would be right.
        message: &'static str,
    },
    /// There is nothing to load.
    #[error("the data set {name:?} names no file; give it `train`, `validation` or `test`")]
    NoFile {
        /// The data set.
        name: String,
    },
    /// A file is not as it should be.
    #[error("the data set {name:?} cannot be read: {}", path.display())]
    Data {
        /// The data set.
        name: String,
        /// The file.
        path: PathBuf,
        /// Where and what.
        #[source]
        source: DataError,
    },
    /// A file holds nothing.
    #[error("the data set {name:?} has no task in {}", path.display())]
    Empty {
        /// The data set.
        name: String,
        /// The file.
        path: PathBuf,
    },
}

/// A set of tasks.
#[derive(Clone, Debug)]
pub enum TaskSet {
    /// Made, on one level or on all in turn.
    Made {
        /// Who makes them.
        environment: &'static dyn Environment,
        /// The level; none are all of them, one after the other.
        level: Option<u8>,
    },
    /// Read.
    Read(Arc<DataSet>),
}

/// All task sets.
#[derive(Debug, Default)]
pub struct TaskSets {
    read: BTreeMap<String, Arc<DataSet>>,
}

impl TaskSets {
    /// Loads data sets.
    ///
    /// # Errors
    /// Names the data set, the file and the line.
    pub fn load(settings: Vec<DataSetSettings>) -> Result<Self, LoadError> {
        let mut sets = Self::default();
        for settings in settings {
            sets.add(DataSet::load(settings)?)?;
        }
        Ok(sets)
    }

    fn add(&mut self, set: DataSet) -> Result<(), LoadError> {
        let name = set.name.clone();
        let fault = |message| Err(LoadError::Name { name: name.clone(), message });
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
            return fault("use letters, digits, `-`, `_` and `.`");
        }
        if environment(&name).is_some() || self.read.contains_key(&name) {
            return fault("the name is taken");
        }
        self.read.insert(name, Arc::new(set));
        Ok(())
    }

    /// The set called `name`: a data set, an environment such as `arithmetic`, or one level of it as `arithmetic@2`.
    pub fn get(&self, name: &str) -> Option<TaskSet> {
        if let Some(set) = self.read.get(name) {
            return Some(TaskSet::Read(Arc::clone(set)));
        }
        let (name, level) = match name.split_once('@') {
            Some((name, level)) => (name, Some(level.parse().ok()?)),
            None => (name, None),
        };
        let environment = environment(name)?;
        if level.is_some_and(|level| environment.levels().iter().all(|known| known.number != level)) {
            return None;
        }
        Some(TaskSet::Made { environment, level })
    }

    /// The names of all sets: data sets first, then environments.
    pub fn names(&self) -> Vec<String> {
        let environments = environments().iter().map(|environment| environment.name().to_owned());
        self.read.keys().cloned().chain(environments).collect()
    }

    /// The task of a data set with this prompt, and its set; `only` names the set to look in. None where the prompt
    /// is unknown or has different right answers at different places.
    pub fn find(&self, prompt: &Prompt, only: Option<&str>) -> Option<(TaskSet, Arc<Task>)> {
        let key = key(prompt)?;
        let sets = self.read.values().filter(|set| only.is_none_or(|name| name == set.name));
        let mut found = sets.filter_map(|set| Some((set, set.by_prompt.get(&key)?)));
        match (found.next(), found.next()) {
            (Some((set, Some(task))), None) => Some((TaskSet::Read(Arc::clone(set)), Arc::clone(task))),
            _ => None,
        }
    }
}

impl DataSet {
    fn load(settings: DataSetSettings) -> Result<Self, LoadError> {
        let DataSetSettings { name, rubric, columns, train, validation, test } = settings;
        let files = [(Split::Train, train), (Split::Validation, validation), (Split::Test, test)];
        let mut splits = Vec::new();
        for (split, path) in files {
            let Some(path) = path else { continue };
            let fault = |source| LoadError::Data { name: name.clone(), path: path.clone(), source };
            let mut reader = TaskReader::open(&path).map_err(fault)?;
            if let Some(columns) = &columns {
                reader = reader.with_columns(columns.clone());
            }
            let tasks: Vec<Arc<Task>> =
                reader.map(|task| task.map(Arc::new)).collect::<Result<_, _>>().map_err(fault)?;
            if tasks.is_empty() {
                return Err(LoadError::Empty { name, path });
            }
            splits.push((split, tasks));
        }
        if splits.is_empty() {
            return Err(LoadError::NoFile { name });
        }
        let mut by_prompt: HashMap<Key, Option<Arc<Task>>> = HashMap::new();
        for task in splits.iter().flat_map(|(_, tasks)| tasks) {
            let Some(key) = task.prompt.as_ref().and_then(key) else { continue };
            let known = by_prompt.entry(key).or_insert_with(|| Some(Arc::clone(task)));
            if known.as_ref().is_some_and(|known| **known != **task) {
                *known = None;
            }
        }
        Ok(Self { name, rubric, splits, by_prompt })
    }
}

impl TaskSet {
    /// The name to ask for it by.
    pub fn name(&self) -> String {
        match self {
            Self::Made { environment, level: None } => environment.name().to_owned(),
            Self::Made { environment, level: Some(level) } => format!("{}@{level}", environment.name()),
            Self::Read(set) => set.name.clone(),
        }
    }

    /// The rubric its completions are judged by: a name or a rubric.
    pub fn rubric(&self) -> Value {
        match self {
            Self::Made { environment, .. } => environment.rubric(),
            Self::Read(set) => set.rubric.clone(),
        }
    }

    /// Its splits and how many tasks each has.
    pub fn splits(&self) -> Vec<(Split, u64)> {
        match self {
            Self::Made { .. } => vec![
                (Split::Train, TRAIN_TASKS),
                (Split::Validation, HELD_OUT_TASKS),
                (Split::Test, HELD_OUT_TASKS),
            ],
            Self::Read(set) => set.splits.iter().map(|(split, tasks)| (*split, tasks.len() as u64)).collect(),
        }
    }

    /// How many tasks a split has; 0 where there is no such split.
    pub fn n_tasks(&self, split: Split) -> u64 {
        self.splits().into_iter().find(|(known, _)| *known == split).map_or(0, |(_, n)| n)
    }

    /// The task at `index` of a split, if there is one.
    pub fn task(&self, split: Split, index: u64) -> Option<Arc<Task>> {
        if index >= self.n_tasks(split) {
            return None;
        }
        match self {
            Self::Made { environment, level } => {
                let levels = environment.levels();
                let (level, index) = match level {
                    Some(level) => (*level, index),
                    None => {
                        (levels[(index % levels.len() as u64) as usize].number, index / levels.len() as u64)
                    }
                };
                environment.generate(&Place { split, seed: 0, index, level }).ok().map(Arc::new)
            }
            Self::Read(set) => {
                let (_, tasks) = set.splits.iter().find(|(known, _)| *known == split)?;
                tasks.get(usize::try_from(index).ok()?).map(Arc::clone)
            }
        }
    }
}

/// Under which key a prompt is found: the whole of a text, the last message of the user.
fn key(prompt: &Prompt) -> Option<Key> {
    let text = match prompt {
        Prompt::Text(text) => text.trim(),
        Prompt::Messages(messages) => {
            let last = messages.iter().rev().find(|message| message["role"] == "user")?;
            last["content"].as_str()?.trim()
        }
    };
    (!text.is_empty()).then(|| Sha256::digest(text).into())
}
