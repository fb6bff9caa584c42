//! Episodes of one turn: a task of a set is shown, one answer comes back, and it is judged.
//!
//! What the wires with tasks share. A task is a set, a split and an index; that is all that is kept of an episode
//! between two requests, so that sessions are small.

use std::sync::Arc;
use std::time::Instant;

use graders::{Completion, Progress, Prompt, Rubric, Task};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;

use super::scoring::{self, Outcome};
use crate::server::problem::Problem;
use crate::server::{App, rubrics};
use crate::tasks::{Split, TaskSet, TaskSets};

/// Which task is asked for. Fields that are not known are left alone: trainers pass on what a row of theirs holds.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Ask {
    /// The set's name, such as `arithmetic` or `arithmetic@2`.
    pub(super) set: Option<String>,
    /// The level of an environment, instead of `@2` in the name.
    pub(super) level: Option<u8>,
    /// The split; the set's first when it says nothing.
    pub(super) split: Option<String>,
    /// The task's index in the split.
    pub(super) index: Option<u64>,
    /// Instead of an index: the task at the remainder of the seed by the number of tasks, so that seeds one after
    /// the other go through all of them.
    pub(super) seed: Option<u64>,
}

/// A task that is being worked on.
#[derive(Clone, Debug)]
pub(super) struct Episode {
    /// The set.
    pub(super) set: TaskSet,
    /// The split.
    pub(super) split: Split,
    /// The index in the split.
    pub(super) index: u64,
    /// The task.
    pub(super) task: Arc<Task>,
}

/// Who speaks in a message, in the words that every wire knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Role {
    /// The one who sets the rules.
    System,
    /// The one who asks.
    User,
    /// The policy.
    Assistant,
}

impl Role {
    /// The name on the wire.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// The set called `name`, or the first of all where nobody names one: a data set before an environment.
///
/// # Errors
/// 404 where there is none.
pub(super) fn set(sets: &TaskSets, name: Option<&str>) -> Result<TaskSet, Problem> {
    let names = sets.names();
    let name = name.or(names.first().map(String::as_str)).unwrap_or_default();
    sets.get(name).ok_or_else(|| {
        Problem::not_found(format!(
            "there is no environment or data set {name:?}; there are {}, and levels of environments as `arithmetic@2`",
            names.join(", ")
        ))
    })
}

/// The split called `name`, or the first of the set's.
///
/// # Errors
/// 400 where the set has no such split.
pub(super) fn split(set: &TaskSet, name: Option<&str>) -> Result<(Split, u64), Problem> {
    let splits = set.splits();
    let found = splits.iter().find(|(split, _)| name.is_none_or(|name| name == split.name()));
    found.copied().ok_or_else(|| {
        let known: Vec<_> = splits.iter().map(|(split, _)| split.name()).collect();
        Problem::bad_request(format!(
            "{} has no split {:?}; it has {}",
            set.name(),
            name.unwrap_or_default(),
            known.join(", ")
        ))
    })
}

impl Ask {
    /// The episode that is asked for; `named` is the set that the path names. Where neither index nor seed is given
    /// the task is any.
    ///
    /// # Errors
    /// 404 for a set, 400 for a split or an index that is not there, 422 where two names of a set contradict.
    pub(super) fn begin(&self, sets: &TaskSets, named: Option<&str>) -> Result<Episode, Problem> {
        if let (Some(path), Some(body)) = (named, &self.set)
            && path != body
        {
            let message = format!("the path names the set {path:?} and the body {body:?}; name one");
            return Err(Problem::invalid_at("/set", message));
        }
        let name = named.or(self.set.as_deref());
        let set = match self.level {
            None => set(sets, name)?,
            Some(level) => {
                let plain = match name {
                    Some(name) => name.to_owned(),
                    None => set(sets, None)?.name(),
                };
                if plain.contains('@') {
                    let message = format!("{plain:?} names a level already; leave `level` out");
                    return Err(Problem::invalid_at("/level", message));
                }
                self::set(sets, Some(&format!("{plain}@{level}")))?
            }
        };
        let (split, n) = split(&set, self.split.as_deref())?;
        let index = match (self.index, self.seed) {
            (Some(index), _) => index,
            (None, Some(seed)) => seed % n.max(1),
            (None, None) => any()? % n.max(1),
        };
        Episode::at(set, split, index)
    }
}

/// Any number.
fn any() -> Result<u64, Problem> {
    getrandom::u64().map_err(|error| {
        tracing::error!(%error, "the system has no randomness to give");
        Problem::internal()
    })
}

/// A name that nobody guesses or has had before: 32 hexadecimal digits.
///
/// # Errors
/// 500 where the system has no randomness to give.
pub(super) fn new_id() -> Result<String, Problem> {
    Ok(format!("{:016x}{:016x}", any()?, any()?))
}

impl Episode {
    /// The task at a place.
    ///
    /// # Errors
    /// 400 where there is none.
    pub(super) fn at(set: TaskSet, split: Split, index: u64) -> Result<Self, Problem> {
        let task = set.task(split, index).ok_or_else(|| {
            Problem::bad_request(format!(
                "{} has {} tasks in {}, from index 0; there is none at {index}",
                set.name(),
                set.n_tasks(split),
                split.name()
            ))
        })?;
        Ok(Self { set, split, index, task })
    }

    /// What to send to the policy: who says what.
    pub(super) fn messages(&self) -> Vec<(Role, String)> {
        match &self.task.prompt {
            None => vec![(Role::User, String::new())],
            Some(Prompt::Text(text)) => vec![(Role::User, text.clone())],
            Some(Prompt::Messages(messages)) => messages.iter().map(message).collect(),
        }
    }

    /// The same as one text: the question alone where there is nothing else, otherwise every message under the name
    /// of who says it.
    pub(super) fn text(&self) -> String {
        let messages = self.messages();
        if let [(Role::User, text)] = messages.as_slice() {
            return text.clone();
        }
        let parts = messages.iter().map(|(role, text)| format!("[{}]\n{text}", role.name()));
        parts.collect::<Vec<_>>().join("\n")
    }

    /// What it is judged by.
    ///
    /// # Errors
    /// 422 where the set's rubric is not there or needs a training step, 503 without the store.
    pub(super) async fn rubric(&self, app: &App) -> Result<Arc<Rubric>, Problem> {
        let rubric = rubrics::resolve(app, self.set.rubric()).await?.rubric;
        rubric
            .weights(&Progress::default())
            .map_err(|error| Problem::invalid(vec![error.under("/rubric").into()]))?;
        Ok(rubric)
    }

    /// Makes ready to judge `n` answers as one group: all that can be refused is refused here.
    ///
    /// # Errors
    /// As [`rubric`](Self::rubric); 429 when full.
    pub(super) async fn ready(&self, app: &App, n: usize) -> Result<Ready, Problem> {
        let rubric = self.rubric(app).await?;
        let room = app.admission.completions(n)?;
        Ok(Ready { rubric, task: Arc::clone(&self.task), room })
    }
}

/// A group that can be judged.
#[derive(Debug)]
pub(super) struct Ready {
    rubric: Arc<Rubric>,
    task: Arc<Task>,
    room: OwnedSemaphorePermit,
}

impl Ready {
    /// Judges answers as one group; one outcome for each, in their order.
    ///
    /// # Errors
    /// 500 only.
    pub(super) async fn judge(
        self,
        app: &App,
        answers: Vec<String>,
        started: Instant,
    ) -> Result<Vec<Outcome>, Problem> {
        let completions = answers.into_iter().map(Completion::new).collect();
        scoring::judge_group(app, self.rubric, &self.task, completions, started, self.room).await
    }
}

/// What a set asks for, in a sentence.
pub(super) fn description(set: &TaskSet) -> String {
    match set {
        TaskSet::Made { environment, .. } => environment.description().to_owned(),
        TaskSet::Read(_) => format!("The data set {}.", set.name()),
    }
}

/// A chat message: who says it and its text, without images.
fn message(message: &Value) -> (Role, String) {
    let role = match message["role"].as_str() {
        Some("system" | "developer") => Role::System,
        Some("assistant") => Role::Assistant,
        _ => Role::User,
    };
    (role, words(&message["content"]))
}

/// The text of a message's content: a string, or parts of which some are text.
fn words(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(text_of).collect(),
        _ => String::new(),
    }
}

/// The text of a part of a message.
pub(super) fn text_of(part: &Value) -> &str {
    part["text"].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn begin(ask: Value, named: Option<&str>) -> Result<(String, &'static str, u64), u16> {
        let ask: Ask = serde_json::from_value(ask).unwrap();
        ask.begin(&TaskSets::default(), named)
            .map(|episode| (episode.set.name(), episode.split.name(), episode.index))
            .map_err(|problem| problem.status)
    }

    #[test]
    fn episodes_are_where_they_are_asked_for() {
        let arithmetic = Some("arithmetic");
        let level = |index| Ok(("arithmetic@2".to_owned(), "train", index));
        for (ask, named, expected) in [
            (json!({"index": 3}), Some("arithmetic@2"), level(3)),
            (json!({"index": 3, "seed": 5}), Some("arithmetic@2"), level(3)),
            (json!({"index": 3, "level": 2}), arithmetic, level(3)),
            (json!({"index": 3, "set": "arithmetic", "level": 2, "row": 1}), None, level(3)),
            (json!({"seed": 100_007}), Some("arithmetic@2"), level(7)),
            (json!({"seed": 1001, "split": "test"}), arithmetic, Ok(("arithmetic".to_owned(), "test", 1))),
            (json!({}), Some("sums"), Err(404)),
            (json!({"level": 99}), arithmetic, Err(404)),
            (json!({"level": 2}), Some("arithmetic@2"), Err(422)),
            (json!({"set": "countdown"}), arithmetic, Err(422)),
            (json!({"split": "dev"}), arithmetic, Err(400)),
            (json!({"index": 100_000}), arithmetic, Err(400)),
        ] {
            assert_eq!(begin(ask.clone(), named), expected, "{ask}");
        }
        assert!(
            begin(json!({}), arithmetic).is_ok_and(|(_, split, index)| split == "train" && index < 100_000)
        );
        assert_ne!(new_id().unwrap(), new_id().unwrap());
    }

    #[test]
    fn prompts_are_messages_and_one_text() {
        let episode = |prompt: Value| Episode {
            set: TaskSets::default().get("arithmetic").unwrap(),
            split: Split::Train,
            index: 0,
            task: Arc::new(serde_json::from_value(json!({"prompt": prompt})).unwrap()),
        };
        for (prompt, text, roles) in [
            (json!("1+1?"), "1+1?", vec!["user"]),
            (json!([{"role": "user", "content": "1+1?"}]), "1+1?", vec!["user"]),
            (
                json!([
                    {"role": "developer", "content": "Be brief."},
                    {"role": "user", "content": [{"type": "text", "text": "1+1?"}, {"type": "image"}]},
                ]),
                "[system]\nBe brief.\n[user]\n1+1?",
                vec!["system", "user"],
            ),
        ] {
            let episode = episode(prompt);
            assert_eq!(episode.text(), text);
            assert_eq!(episode.messages().iter().map(|(role, _)| role.name()).collect::<Vec<_>>(), roles);
        }
    }
}
