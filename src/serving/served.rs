//! A model behind a queue: loaded on its own thread, which then decodes.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::desk::{FrontDesk, Job, Message};
use super::{Ask, Card, Engine, Event, Failure, Words};

/// What bounds a served model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sequences that wait or are being decoded; more are refused.
    pub max_open: usize,
    /// The longest that a request may take, and what it gets when it asks for nothing else.
    pub max_deadline: Duration,
}

impl Default for Limits {
    /// 1024 sequences, ten minutes.
    fn default() -> Self {
        Self { max_open: 1024, max_deadline: Duration::from_mins(10) }
    }
}

/// A model that was loaded, on the thread that it stays on.
pub struct Loaded {
    /// What there is to know of it.
    pub card: Card,
    /// Its words.
    pub words: Arc<dyn Words>,
    /// What decodes.
    pub engine: Box<dyn Engine>,
}

/// What callers need of a model that is loaded.
pub struct Ready {
    /// What there is to know of it.
    pub card: Card,
    /// Its words.
    pub words: Arc<dyn Words>,
}

/// Why a model cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotReady {
    /// It is being loaded.
    Loading,
    /// It could not be loaded, or broke for good.
    Failed(String),
}

/// Why a request was not accepted. Nothing of it was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unserved {
    /// As much waits as may wait.
    Full,
    /// The model's thread has ended.
    Stopping,
}

/// A model that answers.
pub struct Served {
    name: String,
    created: u64,
    limits: Limits,
    room: Arc<Semaphore>,
    n_running: Arc<AtomicUsize>,
    messages: Sender<Message>,
    cut: Arc<AtomicBool>,
    state: Arc<OnceLock<Result<Ready, String>>>,
    broken: Arc<OnceLock<String>>,
}

impl std::fmt::Debug for Served {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Served")
            .field("name", &self.name)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// What a request hears. Dropping it ends the request's sequences.
#[derive(Debug)]
pub struct Answering {
    /// In the order in which they happen; nothing after the last sequence has ended, or after a failure.
    pub events: UnboundedReceiver<Event>,
    gone: Arc<AtomicBool>,
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Relaxed);
    }
}

impl Served {
    /// Starts the thread, which loads the model and then decodes. `on_loaded` is called on it, once.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(
        name: String,
        limits: Limits,
        load: impl FnOnce() -> Result<Loaded, String> + Send + 'static,
        on_loaded: impl FnOnce(Result<&Ready, &str>) + Send + 'static,
    ) -> std::io::Result<Arc<Self>> {
        let (messages, receiver) = channel();
        let served = Self {
            name,
            created: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            limits,
            room: Arc::new(Semaphore::new(limits.max_open)),
            n_running: Arc::default(),
            messages,
            cut: Arc::default(),
            state: Arc::default(),
            broken: Arc::default(),
        };
        let name = served.name.clone();
        let (state, broken) = (Arc::clone(&served.state), Arc::clone(&served.broken));
        let (n_running, cut) = (Arc::clone(&served.n_running), Arc::clone(&served.cut));
        std::thread::Builder::new().name("model".to_owned()).spawn(move || {
            let loaded = std::panic::catch_unwind(AssertUnwindSafe(load))
                .unwrap_or_else(|_| Err("loading the model panicked; this is a fault of ours".to_owned()));
            let (ready, engine) = match loaded {
                Ok(Loaded { card, words, engine }) => (Ok(Ready { card, words }), Some(engine)),
                Err(message) => (Err(message), None),
            };
            let words = ready.as_ref().ok().map(|ready| Arc::clone(&ready.words));
            let ready = state.get_or_init(|| ready);
            on_loaded(ready.as_ref().map_err(String::as_str));
            if let (Some(engine), Some(words)) = (engine, words) {
                decode(engine, FrontDesk::new(&name, words, receiver, n_running, cut), &name, &broken);
            } else {
                turn_away(&receiver);
            }
        })?;
        Ok(Arc::new(served))
    }

    /// What callers name it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When it was started, in seconds since 1970.
    pub const fn created(&self) -> u64 {
        self.created
    }

    /// Its limits.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The model, if it can be asked.
    ///
    /// # Errors
    /// Why not.
    pub fn ready(&self) -> Result<&Ready, NotReady> {
        if let Some(message) = self.broken.get() {
            return Err(NotReady::Failed(message.clone()));
        }
        match self.state.get() {
            None => Err(NotReady::Loading),
            Some(Ok(ready)) => Ok(ready),
            Some(Err(message)) => Err(NotReady::Failed(message.clone())),
        }
    }

    /// Sequences that are being decoded, and those that wait.
    pub fn occupancy(&self) -> (usize, usize) {
        let n_open = self.limits.max_open.saturating_sub(self.room.available_permits());
        let n_running = self.n_running.load(Ordering::Relaxed).min(n_open);
        (n_running, n_open - n_running)
    }

    /// Whether there is room for a sequence at all; asked before a body is read.
    pub fn has_room(&self) -> bool {
        self.room.available_permits() > 0
    }

    /// Accepts a request. Its asks are to be sound: tokens in the vocabulary, prompts within the context together
    /// with what may follow, at most [`Limits::max_open`] sequences.
    ///
    /// # Errors
    /// When it is full or ending; nothing was begun.
    pub fn submit(&self, asks: Vec<Ask>) -> Result<Answering, Unserved> {
        let n: usize = asks.iter().map(|ask| ask.seeds.len()).sum();
        let n = u32::try_from(n).map_err(|_| Unserved::Full)?;
        let room = Arc::clone(&self.room).try_acquire_many_owned(n).map_err(|_| Unserved::Full)?;
        let (sink, events) = unbounded_channel();
        let gone = Arc::new(AtomicBool::new(false));
        let job = Job { asks, sink, gone: Arc::clone(&gone), room, arrived: Instant::now() };
        self.messages.send(Message::Job(job)).map_err(|_| Unserved::Stopping)?;
        Ok(Answering { events, gone })
    }

    /// Ends all that is open with [`Failure::Stopping`], and the thread.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
        // Wakes it where it waits for work.
        let _ = self.messages.send(Message::Cut);
    }
}

/// A model that fails so often in a row without having said a word is not asked again.
const MAX_IN_VAIN: usize = 3;

/// Decodes until there is nothing more to do.
fn decode(mut engine: Box<dyn Engine>, mut desk: FrontDesk, name: &str, broken: &OnceLock<String>) {
    let mut n_in_vain = 0;
    loop {
        desk.n_taken = 0;
        let run = std::panic::catch_unwind(AssertUnwindSafe(|| engine.run(&mut desk)));
        let message = match run {
            Ok(Ok(())) if desk.is_over() => return,
            Ok(Ok(())) => "the engine stopped by itself; this is a fault of ours".to_owned(),
            Ok(Err(message)) => message,
            Err(_) => "the engine panicked; this is a fault of ours".to_owned(),
        };
        tracing::error!(model = name, error = message, "the model failed");
        metrics::counter!("gavel_model_failures_total", "model" => name.to_owned()).increment(1);
        let failure = Failure::Broken(message.clone());
        n_in_vain = if desk.n_taken == 0 { n_in_vain + 1 } else { 0 };
        if n_in_vain == MAX_IN_VAIN {
            let _ = broken.set(message);
            desk.fail_all(&failure);
            return;
        }
        desk.fail_running(&failure);
    }
}

/// Answers what came while a model was being loaded that could not be.
fn turn_away(messages: &Receiver<Message>) {
    while let Ok(message) = messages.try_recv() {
        if let Message::Job(job) = message {
            let _ = job.sink.send(Event::Failed(Failure::Broken("the model could not be loaded".to_owned())));
        }
    }
}
