//! A language model in this process: the votes of a question are sequences of one prompt.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, SystemTime};

use graders::{Answer, LanguageModel, ModelError, Question, Read, Role, TokenLogprob};
use sha2::{Digest as _, Sha256};

use super::settings::JudgeSettings;
use super::{one_of, wait};
use crate::serving::{
    self, Answering, Ask, Draw, Event, Failure, Grammar, GrammarKind, Happening, ModelSettings, NotReady,
    Ready, Served, Token, Turn, Unserved, Words,
};

/// A language model in this process.
#[derive(Debug)]
pub struct LocalJudge {
    settings: JudgeSettings,
    revision: String,
    model: Arc<Served>,
}

impl LocalJudge {
    /// Loads the model that `settings` describe, from its place, and gives back when it can be asked.
    ///
    /// # Errors
    /// When it cannot be loaded, in words.
    pub(super) fn load(settings: &JudgeSettings, place: ModelSettings) -> Result<Self, String> {
        let revision = settings.revision.clone().unwrap_or_else(|| state(Path::new(&place.source)));
        let revision = format!("{}@{revision}", place.name);
        let (name, limits) = (place.name.clone(), place.limits);
        let (sender, loaded) = channel();
        let load = move || serving::load(&place).map_err(|error| error.to_string());
        let on_loaded = move |ready: Result<&Ready, &str>| {
            let _ = sender.send(ready.map(|ready| ready.card.engine.clone()).map_err(str::to_owned));
        };
        let model = Served::start(name, limits, load, on_loaded)
            .map_err(|error| format!("cannot start the model's thread: {error}"))?;
        let engine = loaded.recv().map_err(|_| "the thread that loads the model has ended".to_owned())??;
        tracing::info!(model = revision, engine, "a judge is loaded");
        Ok(Self { settings: settings.clone(), revision, model })
    }

    /// What is asked of the model.
    fn request(&self, question: &Question, ready: &Ready) -> Result<Ask, ModelError> {
        let turn = |message: &graders::Message| Turn {
            role: match message.role {
                Role::System => "system",
                Role::User => "user",
            }
            .to_owned(),
            content: message.content.clone(),
        };
        let turns: Vec<Turn> = question.messages.iter().map(turn).collect();
        let prompt = ready.words.encode_chat(&turns).map_err(|error| {
            ModelError::Unavailable(format!("the question cannot be written down: {error}"))
        })?;
        let settings = &self.settings;
        let draw = Draw { stop_tokens: ready.card.stop_tokens.clone(), ..Draw::default() };
        let draw = match question.read {
            // The probabilities are the model's own, and a vote is as good as the other.
            Read::Logprobs => {
                Draw { temperature: 0.0, max_tokens: 1, n_top: settings.top_logprobs as usize, ..draw }
            }
            Read::Verdict => Draw {
                #[expect(clippy::cast_possible_truncation, reason = "at most 10")]
                temperature: settings.temperature as f32,
                max_tokens: settings.max_tokens as usize,
                grammar: ready
                    .card
                    .takes_grammars
                    .then(|| Grammar { kind: GrammarKind::Gbnf, source: one_of(&question.answers) }),
                ..draw
            },
        };
        let (length, context) = (prompt.len(), ready.card.context);
        if length + draw.max_tokens > context {
            return Err(ModelError::Unavailable(format!(
                "the question has {length} tokens and its answer up to {}, and the model's context has room for \
                 {context}; set `context` of the judge, or a smaller `max_completion_chars` of the grader",
                draw.max_tokens
            )));
        }
        let seeds = (0..u64::from(question.n_votes)).map(|vote| question.seed.wrapping_add(vote)).collect();
        Ok(Ask { prompt: prompt.into(), seeds, draw })
    }
}

impl LanguageModel for LocalJudge {
    fn revision(&self) -> String {
        self.revision.clone()
    }

    fn ask(&self, question: &Question) -> Result<Vec<Answer>, ModelError> {
        let ready = self.model.ready().map_err(|state| {
            ModelError::Unavailable(match state {
                NotReady::Loading => "the model is being loaded".to_owned(),
                NotReady::Failed(message) => message,
            })
        })?;
        let ask = self.request(question, ready)?;
        let (model, words) = (Arc::clone(&self.model), Arc::clone(&ready.words));
        let (n_votes, deadline) = (ask.seeds.len(), self.settings.deadline());
        wait(async move {
            let answered = async {
                let answering = submit(&model, ask).await?;
                answers(answering, n_votes, words.as_ref()).await
            };
            tokio::time::timeout(deadline, answered).await.unwrap_or_else(|_| {
                let message = format!("no answer within {} ms (`deadline_ms`)", deadline.as_millis());
                Err(ModelError::Unavailable(message))
            })
        })
    }
}

/// How long one waits where there is no room in the queue.
const PAUSE: Duration = Duration::from_millis(5);

/// Puts a question into the model's queue, as soon as there is room.
async fn submit(model: &Served, ask: Ask) -> Result<Answering, ModelError> {
    loop {
        match model.submit(vec![ask.clone()]) {
            Ok(answering) => return Ok(answering),
            Err(Unserved::Full) => tokio::time::sleep(PAUSE).await,
            Err(Unserved::Stopping) => return Err(ModelError::Unavailable("the model has ended".to_owned())),
        }
    }
}

/// What the sequences of a question said.
async fn answers(
    mut answering: Answering,
    n_votes: usize,
    words: &dyn Words,
) -> Result<Vec<Answer>, ModelError> {
    let mut answers = vec![Answer::default(); n_votes];
    let mut n_open = n_votes;
    while n_open > 0 {
        match answering.events.recv().await {
            Some(Event::Of { index, what: Happening::Said { text, token, .. }, .. }) => {
                let answer = &mut answers[index];
                if answer.first_token.is_empty() {
                    answer.first_token = likely(&token, words);
                }
                answer.text.push_str(&text);
            }
            Some(Event::Of { index, what: Happening::Ended { text, .. }, .. }) => {
                answers[index].text.push_str(&text);
                n_open -= 1;
            }
            Some(Event::Failed(Failure::Refused(message) | Failure::Broken(message))) => {
                return Err(ModelError::Unavailable(message));
            }
            Some(Event::Failed(Failure::Stopping)) | None => {
                return Err(ModelError::Unavailable("the model has ended".to_owned()));
            }
        }
    }
    Ok(answers)
}

/// The likeliest tokens where `token` was drawn, and that one.
fn likely(token: &Token, words: &dyn Words) -> Vec<TokenLogprob> {
    let drawn = (token.id, token.logprob);
    let beside = (!token.top.iter().any(|(id, _)| *id == token.id)).then_some(drawn);
    let named = |(id, logprob): (u32, f32)| TokenLogprob {
        token: String::from_utf8_lossy(&words.bytes(id)).into_owned(),
        logprob: f64::from(logprob),
    };
    token.top.iter().copied().chain(beside).map(named).collect()
}

/// What tells one state of a model's files from the next: their names, lengths and times. Of a model that is no file
/// here (a name on the hub) there is nothing to tell.
fn state(source: &Path) -> String {
    let mut files: Vec<(PathBuf, Metadata)> = match std::fs::read_dir(source) {
        Ok(entries) => {
            entries.flatten().filter_map(|entry| Some((entry.path(), entry.metadata().ok()?))).collect()
        }
        Err(_) => {
            std::fs::metadata(source).map(|metadata| (source.to_owned(), metadata)).into_iter().collect()
        }
    };
    if files.is_empty() {
        return "hub".to_owned();
    }
    files.sort_by(|a, b| a.0.cmp(&b.0));
    let mut hash = Sha256::new();
    for (path, metadata) in files {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        let changed = metadata.modified().ok().and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        hash.update(metadata.len().to_le_bytes());
        hash.update(changed.unwrap_or_default().as_nanos().to_le_bytes());
    }
    let mut hex = format!("{:x}", hash.finalize());
    hex.truncate(12);
    hex
}
