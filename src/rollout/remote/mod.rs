//! The engine in other processes: servers that speak OpenAI's protocol, vLLM and SGLang among them.
//!
//! Every rollout is a request of its own with a seed of its own, so that a server that fails loses single rollouts and
//! not groups. What comes back is believed only as far as it can be checked: as many log-probabilities as tokens, the
//! prompt read as the learner reads it, no more tokens than were asked for. A rollout that fails a check is dropped and
//! counted.

mod attempt;
mod reading;
mod sync;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use policy::decode::Sampling;
use policy::tokenizer::Tokenizer;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use self::attempt::{Asked, Fault, Written};
use self::sync::Weights;
use super::{Group, Rollout, RolloutEngine, RolloutError, SampleRequest, Sampled, seed};
use crate::remote::{self, Client, openai};

/// How servers are asked, and how they get the policy's weights.
#[derive(Clone, Debug)]
pub struct RemoteSettings {
    /// Which servers, and how patiently.
    pub servers: remote::Settings,
    /// The model's name in requests; `None` is the only one that they have.
    pub model: Option<String>,
    /// The path that is asked.
    pub wire: Wire,
    /// Whether prompts are sent as their text, for servers that do not take tokens.
    pub prompt_as_text: bool,
    /// How new weights reach the servers.
    pub sync: WeightSync,
    /// The most tokens that one request asks for, after which the completion is continued by another; 0 is all. An
    /// interrupt takes effect between requests.
    pub segment_tokens: usize,
    /// Fields that are put over those of each request.
    pub extra: serde_json::Map<String, serde_json::Value>,
}

/// The path that is asked for completions.
#[derive(Clone)]
pub enum Wire {
    /// `/v1/completions` with the prompt as the learner has it.
    Completions,
    /// `/v1/chat/completions` with the messages of a task, which the server's own template makes a prompt of.
    Chat(Messages),
}

/// The conversation of a task; the error says why it has none.
pub type Messages = Arc<dyn Fn(&graders::Task) -> Result<Vec<openai::Message>, String> + Send + Sync>;

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Completions => "Completions",
            Self::Chat(_) => "Chat",
        })
    }
}

/// How new weights reach the servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WeightSync {
    /// They do not: the servers keep the weights that the run began with.
    None,
    /// Adapters by name, over vLLM's `/v1/load_lora_adapter`.
    VllmLora(Folder),
    /// Adapters by name, over SGLang's `/load_lora_adapter`.
    SglangLora(Folder),
    /// The whole model, over SGLang's `/update_weights_from_disk`.
    SglangDisk(Folder),
}

/// A folder that this process writes and the servers read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Where it is for this process.
    pub here: PathBuf,
    /// Where it is for the servers.
    pub there: PathBuf,
}

/// Samples from servers.
#[derive(Debug)]
pub struct RemoteEngine {
    client: Client,
    settings: Arc<RemoteSettings>,
    tokenizer: Arc<Tokenizer>,
    weights: Arc<Weights>,
    /// The most tokens of prompt and completion, where the servers say so.
    context: Option<usize>,
}

/// Failures in a row, none of them the request's own, after which the rest is not asked for.
const HOPELESS: usize = 8;

impl RemoteEngine {
    /// Speaks to the servers: which model do they have?
    ///
    /// # Errors
    /// When none can be reached, or they do not have the model.
    pub fn connect(settings: RemoteSettings, tokenizer: Arc<Tokenizer>) -> Result<Self, RolloutError> {
        let client = Client::new(settings.servers.clone())?;
        let models: Vec<openai::Model> = match client.get_blocking::<openai::ModelList>(openai::MODELS) {
            Ok(list) => list.data,
            // Some servers do not say; a model that was named is asked for all the same.
            Err(error) if error.kind == remote::RemoteErrorKind::Refused && settings.model.is_some() => {
                Vec::new()
            }
            Err(error) => return Err(error.into()),
        };
        let names = || models.iter().map(|model| model.id.as_str()).collect::<Vec<_>>().join(", ");
        let model = match &settings.model {
            Some(name) if models.is_empty() || models.iter().any(|model| model.id == *name) => name.clone(),
            Some(name) => {
                return Err(request_error(format!(
                    "the rollout engine at {} has no model `{name}`; it has {}",
                    client.address(0),
                    names()
                )));
            }
            None => match &models[..] {
                [only] => only.id.clone(),
                [] => {
                    return Err(request_error(
                        "the rollout engine's servers name no model; name one".to_owned(),
                    ));
                }
                _ => {
                    return Err(request_error(format!(
                        "the rollout engine's servers have several models; name one of {}",
                        names()
                    )));
                }
            },
        };
        let context = models.iter().find(|found| found.id == model).and_then(|found| found.max_model_len);
        let weights = Weights::new(client.clone(), settings.sync.clone(), model);
        Ok(Self { client, settings: Arc::new(settings), tokenizer, weights: Arc::new(weights), context })
    }

    fn check(&self, request: &SampleRequest<'_>) -> Result<(), RolloutError> {
        request.sampling.check(self.tokenizer.vocabulary())?;
        let in_parts = request.sampling.thinking.is_some()
            || self.settings.segment_tokens > 0
            || request
                .begun
                .iter()
                .flat_map(|group| &group.rollouts)
                .any(|rollout| !rollout.tokens.is_empty());
        let continues = matches!(self.settings.wire, Wire::Completions) && !self.settings.prompt_as_text;
        if in_parts && !continues {
            return Err(request_error(
                "a completion that is continued (after a thought that was cut short, an interrupt, a segment) needs a \
                 server that takes prompts as tokens: use the wire `completions` with prompts as tokens"
                    .to_owned(),
            ));
        }
        let longest = request.prompts.iter().map(|prompt| prompt.tokens.len()).max().unwrap_or(0);
        let needed = longest + request.sampling.max_tokens;
        match self.context {
            Some(context) if needed > context => Err(request_error(format!(
                "a prompt of {longest} tokens and a completion of {} need room for {needed}, and the servers have \
                 room for {context}: start them with a longer --max-model-len, or lower sampling.max_tokens",
                request.sampling.max_tokens
            ))),
            _ => Ok(()),
        }
    }

    /// Starts the requests of each rollout that is not finished; they come back in any order.
    fn start(&self, request: &SampleRequest<'_>, coming: &[Coming]) -> (Tasks, mpsc::Receiver<Arrival>) {
        let (sender, receiver) = mpsc::channel();
        // Queueing here and not at the servers: what waits here has not begun, so its clock stands.
        let permits = Arc::new(Semaphore::new(self.client.capacity().max(1)));
        let sampling = Arc::new(request.sampling.clone());
        let mut tasks = Tasks { handles: Vec::new(), interrupted: Arc::default() };
        for (p, (prompt, group)) in request.prompts.iter().zip(coming).enumerate() {
            for (i, rollout) in group.rollouts.iter().enumerate() {
                if rollout.as_ref().is_some_and(Rollout::is_finished) {
                    continue;
                }
                let asked = Asked {
                    client: self.client.clone(),
                    settings: Arc::clone(&self.settings),
                    tokenizer: Arc::clone(&self.tokenizer),
                    weights: Arc::clone(&self.weights),
                    sampling: Arc::clone(&sampling),
                    prompt: prompt.clone(),
                    seed: rollout
                        .as_ref()
                        .map_or_else(|| seed(request.seed, 0, p as u64, i as u64), |rollout| rollout.seed),
                    begun: rollout.as_ref().map(Written::of).unwrap_or_default(),
                    interrupted: Arc::clone(&tasks.interrupted),
                };
                let (permits, sender) = (Arc::clone(&permits), sender.clone());
                tasks.handles.push(remote::spawn(async move {
                    let Ok(_permit) = permits.acquire().await else { return };
                    let result = asked.rollout().await;
                    // Nobody waits any more when the sample was given up.
                    let _ = sender.send(Arrival { prompt: p, place: i, result });
                }));
            }
        }
        (tasks, receiver)
    }
}

/// A rollout that came back, or did not.
struct Arrival {
    prompt: usize,
    place: usize,
    result: Result<Rollout, Fault>,
}

/// Requests that end with their caller.
struct Tasks {
    handles: Vec<JoinHandle<()>>,
    interrupted: Arc<AtomicBool>,
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.handles.iter().for_each(JoinHandle::abort);
    }
}

/// A group that is on its way.
struct Coming {
    rollouts: Vec<Option<Rollout>>,
    n_left: usize,
}

impl Coming {
    /// A group of `size`, with what an earlier call left of it.
    fn new(size: usize, begun: Option<&Group>) -> Self {
        let mut rollouts: Vec<Option<Rollout>> =
            begun.map(|group| group.rollouts.iter().cloned().map(Some).collect()).unwrap_or_default();
        rollouts.resize(size.max(rollouts.len()), None);
        let n_left =
            rollouts.iter().filter(|rollout| !rollout.as_ref().is_some_and(Rollout::is_finished)).count();
        Self { rollouts, n_left }
    }
}

/// What a call has gathered.
struct Gathering<'a, 'b> {
    request: &'a SampleRequest<'a>,
    on_group: &'b mut dyn FnMut(Group),
    sampled: Sampled,
}

impl Gathering<'_, '_> {
    /// A group to which nothing more comes.
    fn close(&mut self, index: usize, coming: &mut Coming) {
        let rollouts: Vec<Rollout> = std::mem::take(&mut coming.rollouts).into_iter().flatten().collect();
        if rollouts.is_empty() {
            return;
        }
        let prompt = &self.request.prompts[index];
        self.sampled.cost.n_prompt_tokens += prompt.tokens.len();
        let group = Group { index, prompt: prompt.clone(), rollouts };
        if group.rollouts.iter().all(Rollout::is_finished) {
            (self.on_group)(group);
        } else {
            self.sampled.unfinished.push(group);
        }
    }
}

/// How long the caller's interrupt may go unnoticed.
const GLANCE: Duration = Duration::from_millis(20);

impl RolloutEngine for RemoteEngine {
    fn sample(
        &mut self,
        request: &SampleRequest<'_>,
        on_group: &mut dyn FnMut(Group),
    ) -> Result<Sampled, RolloutError> {
        self.check(request)?;
        let begun = |index: usize| request.begun.iter().find(|group| group.index == index);
        let mut coming: Vec<Coming> =
            (0..request.prompts.len()).map(|index| Coming::new(request.group_size, begun(index))).collect();
        let mut gathering = Gathering { request, on_group, sampled: Sampled::default() };
        for (index, group) in coming.iter_mut().enumerate().filter(|(_, group)| group.n_left == 0) {
            gathering.close(index, group);
        }
        let (tasks, arrivals) = self.start(request, &coming);
        let n_asked = tasks.handles.len();
        let (mut n_came, mut in_a_row, mut first) = (0, 0, None::<Fault>);
        let hopeless = self.client.capacity().max(HOPELESS);
        while n_came + gathering.sampled.cost.n_failed < n_asked {
            let arrival = match arrivals.recv_timeout(GLANCE) {
                Ok(arrival) => arrival,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    if request.interrupt.is_some_and(|interrupt| interrupt()) {
                        tasks.interrupted.store(true, Ordering::Relaxed);
                    }
                    continue;
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            };
            let group = &mut coming[arrival.prompt];
            match arrival.result {
                Ok(rollout) => {
                    let before =
                        group.rollouts[arrival.place].as_ref().map_or(0, |before| before.tokens.len());
                    gathering.sampled.cost.n_tokens += rollout.tokens.len() - before;
                    group.rollouts[arrival.place] = Some(rollout);
                    (n_came, in_a_row) = (n_came + 1, 0);
                }
                Err(fault) => {
                    tracing::debug!(fault = %fault.message, "a rollout is lost");
                    metrics::counter!("gavel_rollouts_lost_total").increment(1);
                    gathering.sampled.cost.n_failed += 1;
                    group.rollouts[arrival.place] = None;
                    in_a_row += usize::from(fault.is_the_servers);
                    let ends = fault.is_final || in_a_row >= hopeless;
                    if first.is_none() || fault.is_final {
                        first = Some(fault);
                    }
                    if ends {
                        break;
                    }
                }
            }
            group.n_left -= 1;
            if group.n_left == 0 {
                gathering.close(arrival.prompt, group);
            }
        }
        drop(tasks);
        // Groups that were given up give what they have.
        for (index, group) in coming.iter_mut().enumerate().filter(|(_, group)| group.n_left > 0) {
            group.rollouts.iter_mut().for_each(|rollout| {
                rollout.take_if(|rollout| !rollout.is_finished());
            });
            gathering.close(index, group);
        }
        let mut sampled = gathering.sampled;
        let n_lost = n_asked - n_came;
        sampled.cost.n_failed = n_lost;
        let Some(first) = first else { return Ok(sampled) };
        if n_came == 0 || first.is_final {
            return Err(RolloutError::Lost { n_lost, n_asked, message: first.message });
        }
        tracing::warn!(n_lost, n_asked, fault = %first.message, "rollouts are lost; their groups are smaller");
        Ok(sampled)
    }

    fn sync(&mut self, policy: &policy::Policy, version: u64) -> Result<(), RolloutError> {
        self.weights.push(policy, version)
    }
}

fn request_error(message: String) -> RolloutError {
    RolloutError::Request { message }
}

/// The seed of a request: servers differ in how many bits they take, and all take 31.
const fn short(seed: u64) -> u64 {
    seed >> 33
}

/// Where a loop as the guard defines it is complete: how many tokens there are then.
fn loop_end(tokens: &[u32], sampling: &Sampling) -> Option<usize> {
    let guard = sampling.repetition?;
    let needed = guard.ngram.checked_mul(guard.times.checked_sub(1)?)?;
    let mut matching = 0;
    for (at, token) in tokens.iter().enumerate() {
        let same = at.checked_sub(guard.ngram).is_some_and(|before| tokens[before] == *token);
        matching = if same { matching + 1 } else { 0 };
        if needed > 0 && matching >= needed {
            return Some(at + 1);
        }
    }
    None
}
