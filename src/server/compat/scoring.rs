//! Samples of any wire in, outcomes out: the one way from a trainer's request to the judge.
//!
//! A request passes three gates. What is wrong with the set-up (no rubric, no number for failures, a query that is
//! not understood) is refused with 4xx before anything is begun, because it is wrong with every request. A full or
//! stopping server answers 429 or 503 with `Retry-After`, also before anything is begun. From then on every sample
//! gets an outcome: what is wrong with one sample's label is as little a reward as a broken sandbox is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::Request;
use graders::{Completion, MAX_TEXT_BYTES, Progress, Prompt, Rubric, Task, TaskError, TaskErrorKind};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::OwnedSemaphorePermit;

use super::label::Label;
use super::settings::Wire;
use super::{lenient, transcript};
use crate::judge::Control;
use crate::server::admission::{Admitted, ReadBody};
use crate::server::gathering::Gathering;
use crate::server::grade::CancelOnDrop;
use crate::server::problem::{Fault, Problem};
use crate::server::scoring::Scoring;
use crate::server::types::{ErrorReply, GroupInput, Provenance, RewardReply};
use crate::server::{App, measure, rubrics};

/// Bodies up to this size are read on the async thread; larger ones would hold it up for too long.
const INLINE_BODY_BYTES: usize = 1 << 16;

/// What a URL may say: which rubric, which data set, and which number stands for no reward.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Route {
    /// A preset's or a stored rubric's name.
    pub(super) rubric: Option<String>,
    /// The data set that prompts are looked up in.
    pub(super) dataset: Option<String>,
    /// The number that stands for a reward that could not be given.
    pub(super) on_infra_failure: Option<f64>,
}

/// A request that was let in, with all the room it takes.
#[derive(Debug)]
pub(super) struct Inside {
    _admitted: Admitted,
    _body_room: Option<OwnedSemaphorePermit>,
    /// When it arrived.
    pub(super) started: Instant,
}

/// Lets a request in and reads its body.
///
/// # Errors
/// 429 or 503 before anything is begun; 400, 408, 413 for the body.
pub(super) async fn enter(app: &App, request: Request) -> Result<(Value, Inside), Problem> {
    let started = Instant::now();
    let body = request.into_body();
    let admitted = match app.admission.enter_with_completions() {
        Ok(admitted) => admitted,
        Err(problem) => {
            app.admission.discard(body).await;
            return Err(problem);
        }
    };
    let ReadBody { bytes, room } = app.admission.read(body).await?;
    let value = if bytes.len() <= INLINE_BODY_BYTES {
        lenient::read(&bytes)?
    } else {
        tokio::task::spawn_blocking(move || lenient::read(&bytes))
            .await
            .map_err(|_| Problem::internal())??
    };
    Ok((value, Inside { _admitted: admitted, _body_room: room, started }))
}

/// Reads the body of a request that brings nothing to be judged; no body is an empty object.
///
/// # Errors
/// As [`enter`].
pub(super) async fn said(app: &App, request: Request) -> Result<Value, Problem> {
    let body = request.into_body();
    let admitted = match app.admission.enter() {
        Ok(admitted) => admitted,
        Err(problem) => {
            app.admission.discard(body).await;
            return Err(problem);
        }
    };
    let read = app.admission.read(body).await?;
    let value = tokio::task::spawn_blocking(move || {
        // What is made of the bytes lives as long as their room is taken.
        let value =
            if read.bytes.is_empty() { Ok(Value::Object(Map::new())) } else { lenient::read(&read.bytes) };
        drop(read.room);
        value
    });
    let value = value.await.map_err(|_| Problem::internal())?;
    drop(admitted);
    value
}

/// One completion with what the trainer says of its task.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample {
    /// What the policy was asked.
    pub(super) prompt: Option<Prompt>,
    /// What the trainer knows of the right answer.
    pub(super) label: Value,
    /// What the policy wrote.
    pub(super) completion: Completion,
}

/// What became of a sample.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    /// The reward with its components, all of them on every path.
    pub(super) reply: RewardReply,
    /// What reproduces it; none where the task could not even be read.
    pub(super) provenance: Option<Provenance>,
}

impl Outcome {
    /// The reward, or `number` where there is none; that is counted and said aloud.
    pub(super) fn reward_or(&self, number: f64, wire: Wire) -> f64 {
        self.reply.reward.unwrap_or_else(|| {
            not_judged(wire, self.reply.error.as_ref());
            number
        })
    }

    /// Every component by its name, with `number` for those that gave no score, and `judged`: 1, or 0 where the reward
    /// is a number that stands for none.
    pub(super) fn numbers(&self, number: f64) -> Map<String, Value> {
        let components =
            self.reply.components.iter().map(|part| (part.name.clone(), part.score.unwrap_or(number).into()));
        let judged = u8::from(self.reply.reward.is_some());
        components.chain([("judged".to_owned(), judged.into())]).collect()
    }

    /// Every component by its name, null for those that gave no score.
    pub(super) fn scores(&self) -> Map<String, Value> {
        self.reply.components.iter().map(|part| (part.name.clone(), part.score.into())).collect()
    }

    /// Why there is no reward, in words.
    pub(super) fn error(&self) -> Option<String> {
        self.reply.error.as_ref().map(|error| format!("{}: {}", error.kind.name(), error.message))
    }
}

/// Counts a sample without a reward on a wire whose trainer does not get to see that, and says it in the log.
pub(super) fn not_judged(wire: Wire, error: Option<&ErrorReply>) {
    let kind = error.map_or("unknown", |error| error.kind.name());
    metrics::counter!("gavel_replaced_rewards_total", "wire" => wire.name(), "kind" => kind).increment(1);
    tracing::error!(
        wire = wire.name(),
        kind,
        message = error.map_or("", |error| error.message.as_str()),
        "a completion was not judged; the trainer gets the number that was set for this, which is no reward"
    );
}

impl Route {
    /// The number that stands for a reward that could not be given, for a trainer that cannot take null.
    ///
    /// # Errors
    /// 422 when nobody said which: a number that we invent would train the model.
    pub(super) fn number(&self, app: &App, wire: Wire) -> Result<f64, Problem> {
        let number = self.on_infra_failure.or_else(|| app.wires.settings.on_infra_failure(wire));
        number.filter(|number| number.is_finite()).ok_or_else(|| {
            Problem::invalid_at(
                "",
                format!(
                    "this trainer cannot take null for a completion that could not be judged, so say which number \
                     stands for it: ?on_infra_failure=0 in the URL, or on_infra_failure under [wires] or \
                     [wires.{}] in the configuration",
                    wire.name()
                ),
            )
        })
    }

    /// Judges samples; one outcome for each, in their order. Neighbours with the same prompt and label are a group.
    ///
    /// # Errors
    /// Before anything is begun only.
    pub(super) async fn judge(
        &self,
        app: &App,
        wire: Wire,
        samples: Vec<Sample>,
        inside: &Inside,
    ) -> Result<Vec<Outcome>, Problem> {
        self.prepare(app, wire, samples, inside.started, Duration::MAX).await?.judged(app).await
    }

    /// Lets samples in and finds out how each is judged; nothing is begun yet. What is not begun `patience` after
    /// `started` is not judged.
    ///
    /// # Errors
    /// Everything for which a request is refused.
    pub(super) async fn prepare(
        &self,
        app: &App,
        wire: Wire,
        samples: Vec<Sample>,
        started: Instant,
        patience: Duration,
    ) -> Result<Batch, Problem> {
        let room = app.admission.completions(samples.len())?;
        let patience = patience.min(app.settings.max_deadline);
        let control = Arc::new(Control::until(Some(started + patience)));
        let mut groups: Vec<Group> = Vec::new();
        let mut last: Option<(Option<Prompt>, Value)> = None;
        for Sample { prompt, label, completion } in samples {
            let completion = clipped(completion);
            let key = (prompt, label);
            match groups.last_mut() {
                Some(group) if last.as_ref() == Some(&key) => group.completions.push(completion),
                _ => {
                    let (rubric, task) = self.resolve(app, wire, key.0.clone(), key.1.clone()).await?;
                    let scoring = Scoring::new(rubric, &Progress::default(), Arc::clone(&control))
                        .map_err(|error| Problem::invalid(vec![error.under("/rubric").into()]))?;
                    groups.push(Group { scoring, task, completions: vec![completion] });
                    last = Some(key);
                }
            }
        }
        Ok(Batch { groups, control, started, _room: room })
    }

    /// Whether a data set knows the prompt.
    ///
    /// # Errors
    /// 422 when there is no such data set.
    pub(super) fn knows(&self, app: &App, prompt: &str) -> Result<bool, Problem> {
        Ok(self.look_up(app, Some(&Prompt::Text(prompt.to_owned())))?.is_some())
    }

    /// Which rubric and which task a sample is judged by. The rubric is the label's, then the URL's, then the data
    /// set's, then the wire's.
    async fn resolve(
        &self,
        app: &App,
        wire: Wire,
        prompt: Option<Prompt>,
        label: Value,
    ) -> Result<(Arc<Rubric>, Result<Task, Fault>), Problem> {
        let mut label = Label::read(label);
        let found = if label.is_empty() { self.look_up(app, prompt.as_ref())? } else { None };
        let named = label.rubric.take().or_else(|| self.rubric.clone().map(Value::from));
        let named = named.or_else(|| found.as_ref().map(|(rubric, _)| rubric.clone()));
        let named = named.or_else(|| app.wires.settings.rubric(wire).cloned()).ok_or_else(|| {
            Problem::invalid_at(
                "",
                format!(
                    "nothing says which rubric judges: put ?rubric=math into the URL, `rubric` into a label that is \
                     an object, or rubric under [wires] or [wires.{}] in the configuration",
                    wire.name()
                ),
            )
        })?;
        let rubric = rubrics::resolve(app, named).await?.rubric;
        let task = match found {
            Some((_, task)) => Ok(Arc::unwrap_or_clone(task)),
            None => label.task(prompt, &rubric),
        };
        Ok((rubric, task))
    }

    fn look_up(&self, app: &App, prompt: Option<&Prompt>) -> Result<Option<(Value, Arc<Task>)>, Problem> {
        let sets = &app.wires.sets;
        if let Some(name) = &self.dataset
            && sets.get(name).is_none()
        {
            return Err(Problem::invalid_at(
                "",
                format!("there is no data set {name:?}; there are {}", sets.names().join(", ")),
            ));
        }
        let Some(prompt) = prompt else { return Ok(None) };
        let only = self.dataset.as_deref();
        let found = sets.find(prompt, only).or_else(|| match prompt {
            Prompt::Text(text) => sets.find(&Prompt::Text(transcript::question(text).to_owned()), only),
            Prompt::Messages(_) => None,
        });
        Ok(found.map(|(set, task)| (set.rubric(), task)))
    }
}

/// Judges completions of one task as one group, for which there is `room`; one outcome for each, in their order.
///
/// # Errors
/// 500 only, where `rubric` needs nothing that is not there.
pub(super) async fn judge_group(
    app: &App,
    rubric: Arc<Rubric>,
    task: &Task,
    completions: Vec<Completion>,
    started: Instant,
    room: OwnedSemaphorePermit,
) -> Result<Vec<Outcome>, Problem> {
    let control = Arc::new(Control::until(Some(started + app.settings.max_deadline)));
    let scoring = Scoring::new(rubric, &Progress::default(), Arc::clone(&control))
        .map_err(|error| Problem::invalid(vec![error.under("/rubric").into()]))?;
    let completions = completions.into_iter().map(clipped).collect();
    let groups = vec![Group { scoring, task: Ok(task.clone()), completions }];
    Batch { groups, control, started, _room: room }.judged(app).await
}

/// Completions of one task, and how they are judged.
#[derive(Debug)]
struct Group {
    scoring: Scoring,
    task: Result<Task, Fault>,
    completions: Vec<Completion>,
}

/// Samples that were let in, with the room they take.
#[derive(Debug)]
pub(super) struct Batch {
    groups: Vec<Group>,
    control: Arc<Control>,
    started: Instant,
    _room: OwnedSemaphorePermit,
}

impl Batch {
    /// What stops it.
    pub(super) fn control(&self) -> Arc<Control> {
        Arc::clone(&self.control)
    }

    /// Judges the samples; one outcome for each, in their order.
    ///
    /// # Errors
    /// 500 when the judge dies.
    pub(super) async fn judged(self, app: &App) -> Result<Vec<Outcome>, Problem> {
        let Self { groups, control, started, _room } = self;
        let _cancel = CancelOnDrop(control);
        let (gathering, gathered) = Gathering::of(groups.len());
        let rubrics: Vec<Arc<Rubric>> =
            groups.iter().map(|group| Arc::clone(&group.scoring.rubric)).collect();
        for (index, Group { scoring, task, completions }) in groups.into_iter().enumerate() {
            match task {
                Ok(task) => {
                    let gathering = Arc::clone(&gathering);
                    let input = GroupInput { id: None, task, completions };
                    let done = move |scored| gathering.put(index, Ok(scored));
                    scoring.submit(&app.judge, index, input, done);
                }
                Err(Fault { pointer, message }) => {
                    let error = TaskError::new(TaskErrorKind::InvalidTask, pointer, message);
                    gathering.put(index, Ok(scoring.malformed(index, completions, &error)));
                }
            }
        }
        drop(gathering);
        let answers = gathered.await.map_err(|_| Problem::internal())?;
        let mut outcomes = Vec::new();
        for (answer, rubric) in answers.into_iter().zip(rubrics) {
            let reply = answer.map_or_else(|malformed| malformed, |scored| scored.reply);
            measure::replies(std::slice::from_ref(&reply), &rubric, started);
            let provenance = reply.provenance;
            let outcome = |reply| Outcome { reply, provenance: provenance.clone() };
            outcomes.extend(reply.rewards.into_iter().map(outcome));
        }
        Ok(outcomes)
    }
}

/// A completion that is judged: of one that is longer than that, the beginning, as if it had been cut off there.
fn clipped(mut completion: Completion) -> Completion {
    if completion.text.len() > MAX_TEXT_BYTES {
        completion.text.truncate(completion.text.floor_char_boundary(MAX_TEXT_BYTES));
        completion.finish_reason = Some("length".to_owned());
    }
    completion
}
