//! The desk between callers and the engine: whose turn it is, what sequences say, and when they have said enough.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Instant;

use metrics::{Counter, Histogram};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::UnboundedSender;

use super::transcript::Transcript;
use super::{Ask, Desk, Next, Place, Token, Words};

/// What a caller hears.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Of one sequence of the request.
    Of {
        /// Which of the request's asks.
        ask: usize,
        /// Which of its seeds.
        index: usize,
        /// What happened.
        what: Happening,
    },
    /// There will be nothing more.
    Failed(Failure),
}

/// What happens to a sequence.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// A token came, and settled this text; often none, sometimes that of several tokens.
    Said {
        /// The text.
        text: String,
        /// The token.
        token: Token,
        /// Where its own text begins, in characters of the whole.
        at: usize,
    },
    /// It is over.
    Ended {
        /// Text that was held back until now.
        text: String,
        /// Why.
        finish: Finish,
    },
}

/// Why a sequence ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// A stop token of the model.
    Stop,
    /// A stop token that the caller named.
    StopToken(u32),
    /// A stop text.
    StopText(String),
    /// It has as many tokens as it may have.
    Length,
}

/// Why there is no answer, or no more of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The engine cannot begin this one; a fault of what was asked.
    Refused(String),
    /// The model failed.
    Broken(String),
    /// The server is stopping.
    Stopping,
}

/// What comes to the desk.
pub(super) enum Message {
    /// A request.
    Job(Job),
    /// Nothing is to be said any more.
    Cut,
}

/// A request that was accepted.
pub(super) struct Job {
    pub(super) asks: Vec<Ask>,
    pub(super) sink: UnboundedSender<Event>,
    /// Set when the caller has gone.
    pub(super) gone: Arc<AtomicBool>,
    /// Room in the queue, one for each sequence.
    pub(super) room: OwnedSemaphorePermit,
    pub(super) arrived: Instant,
}

/// An ask that is waiting or being answered.
struct Open {
    ask: Arc<Ask>,
    /// Its index in the request.
    number: usize,
    sink: UnboundedSender<Event>,
    gone: Arc<AtomicBool>,
    room: Option<OwnedSemaphorePermit>,
    arrived: Instant,
    has_begun: bool,
    sequences: Vec<Option<Saying>>,
}

/// A sequence that is not over.
#[derive(Default)]
struct Saying {
    transcript: Transcript,
    n_tokens: usize,
}

/// The desk of a served model. It lives on the engine's thread.
pub(super) struct FrontDesk {
    words: Arc<dyn Words>,
    messages: Receiver<Message>,
    /// Those that the engine has not been given.
    waiting: VecDeque<usize>,
    open: HashMap<usize, Open>,
    n_asks: usize,
    /// Sequences that the engine has been given.
    n_running: Arc<AtomicUsize>,
    /// Set when nothing is to be said any more.
    cut: Arc<AtomicBool>,
    is_over: bool,
    /// Tokens taken since the engine was last started.
    pub(super) n_taken: u64,
    /// Calls until it is looked who of those that wait has gone.
    n_until_sweep: usize,
    meters: Meters,
}

/// What is counted, under the model's name.
struct Meters {
    prompt: Counter,
    completion: Counter,
    stop: Counter,
    length: Counter,
    cancelled: Counter,
    first_token: Histogram,
}

impl Meters {
    fn new(model: &str) -> Self {
        let tokens = |kind: &'static str| metrics::counter!("gavel_model_tokens_total", "model" => model.to_owned(), "kind" => kind);
        let sequences = |finish: &'static str| metrics::counter!("gavel_model_sequences_total", "model" => model.to_owned(), "finish" => finish);
        Self {
            prompt: tokens("prompt"),
            completion: tokens("completion"),
            stop: sequences("stop"),
            length: sequences("length"),
            cancelled: sequences("cancelled"),
            first_token: metrics::histogram!("gavel_model_first_token_seconds", "model" => model.to_owned()),
        }
    }
}

/// How often it is looked, while there is no room for the next one, who of those that wait has gone.
const SWEEP_EVERY: usize = 256;

impl FrontDesk {
    pub(super) fn new(
        model: &str,
        words: Arc<dyn Words>,
        messages: Receiver<Message>,
        n_running: Arc<AtomicUsize>,
        cut: Arc<AtomicBool>,
    ) -> Self {
        Self {
            words,
            messages,
            waiting: VecDeque::new(),
            open: HashMap::new(),
            n_asks: 0,
            n_running,
            cut,
            is_over: false,
            n_taken: 0,
            n_until_sweep: SWEEP_EVERY,
            meters: Meters::new(model),
        }
    }

    /// Whether nothing more will come.
    pub(super) const fn is_over(&self) -> bool {
        self.is_over
    }

    fn take(&mut self, message: Message) {
        let Message::Job(mut job) = message else { return self.stop() };
        for (number, ask) in job.asks.into_iter().enumerate() {
            let id = self.n_asks;
            self.n_asks += 1;
            let room = job.room.split(ask.seeds.len());
            let sequences = ask.seeds.iter().map(|_| Some(Saying::default())).collect();
            self.waiting.push_back(id);
            self.open.insert(
                id,
                Open {
                    ask: Arc::new(ask),
                    number,
                    sink: job.sink.clone(),
                    gone: Arc::clone(&job.gone),
                    room,
                    arrived: job.arrived,
                    has_begun: false,
                    sequences,
                },
            );
        }
    }

    /// Makes room where those that wait have gone.
    fn sweep(&mut self) {
        self.n_until_sweep = SWEEP_EVERY;
        while let Ok(message) = self.messages.try_recv() {
            self.take(message);
        }
        let open = &mut self.open;
        self.waiting.retain(|id| {
            let is_there = open.get(id).is_some_and(|open| !open.gone.load(Ordering::Relaxed));
            if !is_there {
                open.remove(id);
            }
            is_there
        });
    }

    fn stop(&mut self) {
        self.is_over = true;
        self.fail_all(&Failure::Stopping);
    }

    /// Ends all that is open, the waiting ones among them.
    pub(super) fn fail_all(&mut self, failure: &Failure) {
        self.waiting.clear();
        for (_, open) in self.open.drain() {
            let _ = open.sink.send(Event::Failed(failure.clone()));
        }
        self.n_running.store(0, Ordering::Relaxed);
    }

    /// Ends what the engine was working on; what waits goes on waiting.
    pub(super) fn fail_running(&mut self, failure: &Failure) {
        let waiting: std::collections::HashSet<usize> = self.waiting.iter().copied().collect();
        let lost: Vec<usize> = self.open.keys().copied().filter(|id| !waiting.contains(id)).collect();
        for id in lost {
            if let Some(open) = self.open.remove(&id) {
                // One ask of a request is lost, and with it the request.
                open.gone.store(true, Ordering::Relaxed);
                let _ = open.sink.send(Event::Failed(failure.clone()));
            }
        }
        self.n_running.store(0, Ordering::Relaxed);
    }

    /// A sequence is over.
    fn end(&mut self, place: Place, text: String, finish: Finish) {
        let Some(open) = self.open.get_mut(&place.ask) else { return };
        let meters = &self.meters;
        if finish == Finish::Length { &meters.length } else { &meters.stop }.increment(1);
        let what = Happening::Ended { text, finish };
        // The caller may have left.
        let _ = open.sink.send(Event::Of { ask: open.number, index: place.index, what });
        self.n_running.fetch_sub(1, Ordering::Relaxed);
        open.sequences[place.index] = None;
        // Its room is for others at once.
        drop(open.room.as_mut().and_then(|room| room.split(1)));
        if open.sequences.iter().all(Option::is_none) {
            self.open.remove(&place.ask);
        }
    }

    /// Removes an ask; its sequences, as far as they were running, are no more.
    fn close(&mut self, id: usize) {
        if let Some(open) = self.open.remove(&id) {
            let n = open.sequences.iter().flatten().count();
            self.meters.cancelled.increment(n as u64);
            self.n_running.fetch_sub(n, Ordering::Relaxed);
        }
    }
}

impl Desk for FrontDesk {
    fn next(&mut self, is_idle: bool) -> Next {
        loop {
            if self.is_over {
                return Next::Over;
            }
            match self.messages.try_recv() {
                Ok(message) => {
                    self.take(message);
                    continue;
                }
                Err(TryRecvError::Disconnected) => {
                    if self.waiting.is_empty() && is_idle {
                        self.is_over = true;
                        continue;
                    }
                }
                Err(TryRecvError::Empty) => {}
            }
            while let Some(id) = self.waiting.pop_front() {
                let Some(open) = self.open.get(&id) else { continue };
                if open.gone.load(Ordering::Relaxed) {
                    self.open.remove(&id);
                    continue;
                }
                self.n_running.fetch_add(open.sequences.len(), Ordering::Relaxed);
                return Next::Ask(id, Arc::clone(&open.ask));
            }
            if !is_idle {
                return Next::Nothing;
            }
            match self.messages.recv() {
                Ok(message) => self.take(message),
                Err(_) => self.is_over = true,
            }
        }
    }

    fn token(&mut self, place: Place, token: Token) -> bool {
        self.n_taken += 1;
        if self.cut.load(Ordering::Relaxed) && !self.is_over {
            self.stop();
        }
        let Some(open) = self.open.get_mut(&place.ask) else { return false };
        if open.gone.load(Ordering::Relaxed) {
            self.close(place.ask);
            return false;
        }
        if !open.has_begun {
            open.has_begun = true;
            self.meters.first_token.record(open.arrived.elapsed().as_secs_f64());
            self.meters.prompt.increment(open.ask.prompt.len() as u64);
        }
        self.meters.completion.increment(1);
        let Some(Some(saying)) = open.sequences.get_mut(place.index) else { return false };
        saying.n_tokens += 1;
        let draw = &open.ask.draw;
        let words = self.words.as_ref();
        let (skip, stops, keep) = (draw.skip_special, &draw.stop_texts, draw.keep_stop);
        let id = token.id;
        let is_own = draw.own_stop_tokens.contains(&id);
        let is_stop = is_own || draw.stop_tokens.contains(&id);
        let at = saying.transcript.n_chars();
        let (mut text, mut stopped) = (String::new(), None);
        if !is_stop || keep {
            (text, stopped) = saying.transcript.push(words, id, skip, stops, keep);
        }
        let mut last = String::new();
        let mut finish = if is_own {
            Some(Finish::StopToken(id))
        } else if is_stop {
            Some(Finish::Stop)
        } else if saying.n_tokens >= draw.max_tokens {
            Some(Finish::Length)
        } else {
            None
        };
        if finish.is_some() && stopped.is_none() {
            (last, stopped) = saying.transcript.finish(words, skip, stops, keep);
        }
        if let Some(stopped) = stopped {
            finish = Some(Finish::StopText(stops[stopped.index].clone()));
        }
        let (ask, index) = (open.number, place.index);
        let of = |what| Event::Of { ask, index, what };
        let is_heard = open.sink.send(of(Happening::Said { text, token, at })).is_ok();
        let Some(finish) = finish else {
            if !is_heard {
                open.gone.store(true, Ordering::Relaxed);
            }
            return is_heard;
        };
        self.end(place, last, finish);
        false
    }

    fn ended(&mut self, place: Place, is_whole: bool) {
        let Some(open) = self.open.get_mut(&place.ask) else { return };
        let Some(Some(saying)) = open.sequences.get_mut(place.index) else { return };
        if !is_whole {
            let message = "the grammar leads to a place where no token of this model can follow";
            return self.refuse(place.ask, message.to_owned());
        }
        let draw = &open.ask.draw;
        let (skip, stops, keep) = (draw.skip_special, &draw.stop_texts, draw.keep_stop);
        let (last, stopped) = saying.transcript.finish(self.words.as_ref(), skip, stops, keep);
        let finish = match stopped {
            Some(stopped) => Finish::StopText(stops[stopped.index].clone()),
            None => Finish::Stop,
        };
        self.end(place, last, finish);
    }

    fn is_wanted(&mut self, ask: usize) -> bool {
        self.n_until_sweep = self.n_until_sweep.saturating_sub(1);
        if self.n_until_sweep == 0 {
            self.sweep();
        }
        let Some(open) = self.open.get(&ask) else { return false };
        if open.gone.load(Ordering::Relaxed) {
            self.close(ask);
            return false;
        }
        true
    }

    fn refuse(&mut self, ask: usize, message: String) {
        if let Some(open) = self.open.get(&ask) {
            open.gone.store(true, Ordering::Relaxed);
            let _ = open.sink.send(Event::Failed(Failure::Refused(message)));
            self.close(ask);
        }
    }
}
