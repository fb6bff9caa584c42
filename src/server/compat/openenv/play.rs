//! What an OpenEnv environment shows: observations, schemas, and what becomes of an action.

use std::time::Instant;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::super::episode::{self, Ask, Episode};
use super::super::lenient;
use super::super::scoring::{Outcome, not_judged};
use super::super::settings::Wire;
use crate::server::App;
use crate::server::problem::Problem;

/// The longest name of an episode, in bytes, as OpenEnv has it.
const MAX_ID_BYTES: usize = 255;

/// What a caller may say to `reset`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Options {
    #[serde(flatten)]
    ask: Ask,
    episode_id: Option<String>,
    /// What an answer that could not be judged becomes.
    on_infra_failure: OnFailure,
}

impl Options {
    /// Whether any task would do.
    pub(super) fn is_any(&self) -> bool {
        self.ask.index.is_none() && self.ask.seed.is_none()
    }
}

/// What an answer that could not be judged becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum OnFailure {
    /// An error on the WebSocket: some readers of OpenEnv take null for 0. Over HTTP a null reward.
    #[default]
    Error,
    /// A null reward.
    Null,
    /// A number in place of a reward.
    Number(f64),
}

impl<'de> Deserialize<'de> for OnFailure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Null => Ok(Self::Error),
            Value::String(word) if word == "error" => Ok(Self::Error),
            Value::String(word) if word == "null" => Ok(Self::Null),
            Value::Number(number) => Ok(Self::Number(number.as_f64().unwrap_or_default())),
            _ => Err(serde::de::Error::custom("on_infra_failure is \"error\", \"null\" or a number")),
        }
    }
}

/// An action that was read.
#[derive(Debug)]
pub(super) struct Action {
    answer: String,
    /// What had to be guessed.
    note: Option<&'static str>,
}

impl Action {
    /// Reads an action. What a policy wrote is never refused: a reader of OpenEnv that finds JSON in a reply sends
    /// that in place of the action.
    pub(super) fn read(action: &RawValue) -> Self {
        #[derive(Deserialize)]
        struct Fields {
            answer: Box<RawValue>,
        }
        match lenient::read_as::<Fields>(action.get().as_bytes()) {
            Ok(Fields { answer }) => Self { answer: lenient::words(&answer), note: None },
            Err(_) => Self {
                answer: lenient::words(action),
                note: Some("the action has no field `answer`, so the whole of it was judged as the answer"),
            },
        }
    }
}

/// An episode with how far it is.
#[derive(Debug)]
pub(super) struct Play {
    episode: Episode,
    id: String,
    on_failure: OnFailure,
    /// What became of it, once it is over.
    outcome: Option<Outcome>,
    note: Option<&'static str>,
    components: Vec<String>,
}

/// Begins an episode.
///
/// # Errors
/// What is wrong with what was asked for.
pub(super) async fn begin(app: &App, set: Option<&str>, options: &Options) -> Result<Play, Problem> {
    let episode = options.ask.begin(&app.wires.sets, set)?;
    let rubric = episode.rubric(app).await?;
    let components = rubric.components().iter().map(|component| component.name.to_string()).collect();
    let id = match &options.episode_id {
        Some(id) if id.len() > MAX_ID_BYTES => {
            return Err(Problem::invalid_at("/episode_id", format!("at most {MAX_ID_BYTES} bytes")));
        }
        Some(id) => id.clone(),
        None => episode::new_id()?,
    };
    Ok(Play { episode, id, on_failure: options.on_infra_failure, outcome: None, note: None, components })
}

impl Play {
    /// Whether it is over.
    pub(super) fn is_over(&self) -> bool {
        self.outcome.is_some()
    }

    /// Judges an answer and ends the episode.
    ///
    /// # Errors
    /// Before anything is begun only; the episode goes on then.
    pub(super) async fn step(
        &mut self,
        app: &App,
        action: Action,
        started: Instant,
    ) -> Result<&mut Self, Problem> {
        let ready = self.episode.ready(app, 1).await?;
        let outcomes = ready.judge(app, vec![action.answer], started).await?;
        self.outcome = Some(outcomes.into_iter().next().ok_or_else(Problem::internal)?);
        self.note = action.note;
        Ok(self)
    }

    /// Why the last answer was not judged, where the caller wants an error for that. The episode goes on then, so
    /// that the answer can be sent again.
    pub(super) fn take_failure(&mut self) -> Option<String> {
        if self.on_failure != OnFailure::Error {
            return None;
        }
        let error = self.outcome.as_ref()?.error()?;
        self.outcome = None;
        Some(error)
    }

    /// What is seen of it now: observation, reward, whether it is over, and metadata.
    pub(super) fn shown(&self) -> Value {
        let reward = self.outcome.as_ref().and_then(|outcome| match self.on_failure {
            OnFailure::Number(number) if outcome.reply.reward.is_none() => {
                not_judged(Wire::OpenEnv, outcome.reply.error.as_ref());
                Some(number)
            }
            _ => outcome.reply.reward,
        });
        let error = self.outcome.as_ref().and_then(Outcome::error);
        let components = match &self.outcome {
            Some(outcome) => outcome.scores(),
            None => self.components.iter().map(|name| (name.clone(), Value::Null)).collect::<Map<_, _>>(),
        };
        let messages = self.episode.messages().into_iter();
        let messages: Vec<_> = messages.map(|(role, text)| json!({"role": role, "content": text})).collect();
        json!({
            "observation": {"prompt": self.episode.text(), "error": error},
            "reward": reward,
            "done": self.is_over(),
            "metadata": {
                "set": self.episode.set.name(),
                "split": self.episode.split,
                "index": self.episode.index,
                "episode_id": self.id,
                "messages": messages,
                "judged": self.outcome.as_ref().map(|outcome| outcome.reply.reward.is_some()),
                "components": components,
                "note": self.note,
            },
        })
    }

    /// OpenEnv's state of it.
    pub(super) fn state(&self) -> Value {
        json!({
            "episode_id": self.id,
            "step_count": u8::from(self.is_over()),
            "set": self.episode.set.name(),
            "split": self.episode.split,
            "index": self.episode.index,
        })
    }
}

/// The schemas of actions, observations and states. The action has one required field: readers that need to make an
/// action of a plain text take that one.
pub(super) fn schema() -> Value {
    let text = |words: &str| json!({"type": "string", "description": words});
    let text_or_null = |words: &str| json!({"type": ["string", "null"], "description": words});
    json!({
        "action": {
            "title": "Answer",
            "type": "object",
            "properties": {"answer": text("The whole answer, in the form that the prompt asks for.")},
            "required": ["answer"],
        },
        "observation": {
            "title": "Question",
            "type": "object",
            "properties": {
                "prompt": text("What the policy is asked."),
                "error": text_or_null("Why the answer could not be judged."),
            },
            "required": ["prompt", "error"],
        },
        "state": {
            "title": "State",
            "type": "object",
            "properties": {
                "episode_id": text_or_null("The episode's name."),
                "step_count": {"type": "integer", "minimum": 0, "maximum": 1, "description": "Answers judged."},
                "set": text("The task set."),
                "split": text("The split of the task."),
                "index": {"type": "integer", "minimum": 0, "description": "The task's index in the split."},
            },
            "required": ["episode_id", "step_count"],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_texts_whatever_a_client_made_of_them() {
        for (action, answer, guessed) in [
            (r#"{"answer": "42"}"#, "42", false),
            (r#"{"answer": "42", "metadata": {}}"#, "42", false),
            (r#"{"answer": 123456789012345678901234567890}"#, "123456789012345678901234567890", false),
            (r#"{"answer": null}"#, "", false),
            (r#"{"answer": {"a": 1}}"#, r#"{"a": 1}"#, false),
            (r#"{"answer": "\ud800x"}"#, "\u{fffd}x", false),
            (r#"{"a": 1}"#, r#"{"a": 1}"#, true),
            (r#""42""#, "42", true),
            ("42", "42", true),
        ] {
            let read = Action::read(&RawValue::from_string(action.to_owned()).unwrap());
            assert_eq!((read.answer.as_str(), read.note.is_some()), (answer, guessed), "{action}");
        }
    }
}
