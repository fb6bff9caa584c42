//! Answers by idempotency key: who repeats a request gets the first answer, and nothing is done twice.
//!
//! A client that lost its connection cannot know whether the server was done; with a key it may send again. The first
//! request of a key does the work, the others wait for it. What is kept lives in memory, is bounded in bytes and in
//! age, and belongs to the caller whose API key it was.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::auth::Caller;
use super::problem::Problem;

/// The request's header.
pub const KEY_HEADER: &str = "idempotency-key";
/// The header of an answer that was given before.
pub const REPLAYED_HEADER: &str = "idempotency-replayed";
/// The longest key, in characters.
const MAX_KEY_CHARS: usize = 255;
/// What an entry takes besides its key and answer, in bytes, about.
const ENTRY_BYTES: usize = 512;
/// Bodies up to this size are hashed on the async thread; larger ones would hold it up for too long.
const INLINE_BODY_BYTES: usize = 1 << 16;

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct AnswerLimits {
    /// Bytes of all answers together; the oldest go first.
    pub max_bytes: usize,
    /// How long an answer is kept after it was given.
    pub kept_for: Duration,
}

impl Default for AnswerLimits {
    fn default() -> Self {
        Self { max_bytes: 64 << 20, kept_for: Duration::from_mins(30) }
    }
}

/// What a key is for: the same key on another path is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// `POST /v1/grade`.
    Grade,
    /// `POST /v1/jobs`.
    Jobs,
}

impl Scope {
    const fn name(self) -> &'static str {
        match self {
            Self::Grade => "grade",
            Self::Jobs => "jobs",
        }
    }
}

/// A key, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    caller: Caller,
    scope: Scope,
    text: String,
}

impl Key {
    /// The key that a request names, if it names one.
    ///
    /// # Errors
    /// 400 where it is none.
    pub fn read(headers: &HeaderMap, caller: Caller, scope: Scope) -> Result<Option<Self>, Problem> {
        let mut values = headers.get_all(KEY_HEADER).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let text = value.to_str().ok().map(str::trim).filter(|text| !text.is_empty());
        match text {
            Some(text) if text.len() <= MAX_KEY_CHARS && values.next().is_none() => {
                Ok(Some(Self { caller, scope, text: text.to_owned() }))
            }
            _ => Err(Problem::bad_request(format!(
                "the header {KEY_HEADER} is one text of 1 to {MAX_KEY_CHARS} visible ASCII characters, such as a UUID"
            ))),
        }
    }
}

/// What tells one body from another.
pub type Print = [u8; 32];

/// The print of a body.
///
/// # Errors
/// 500 when the thread that does it dies.
pub async fn print(body: &Bytes) -> Result<Print, Problem> {
    if body.len() <= INLINE_BODY_BYTES {
        return Ok(Sha256::digest(body).into());
    }
    let body = body.clone();
    let hashing = tokio::task::spawn_blocking(move || Sha256::digest(&body).into());
    hashing.await.map_err(|_| Problem::internal())
}

/// How far a key's first request is.
#[derive(Clone, Debug)]
enum Stage {
    Working,
    Answered(Bytes),
}

#[derive(Debug)]
struct Entry {
    print: Print,
    /// Tells it from an earlier entry of the same key.
    serial: u64,
    stage: watch::Receiver<Stage>,
    /// When it was answered and what it takes, once it was.
    kept: Option<(Instant, usize)>,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<Key, Entry>,
    /// The answered ones, the oldest first. Some may be gone.
    answered: VecDeque<(Key, u64)>,
    n_bytes: usize,
    serial: u64,
}

/// The answers.
#[derive(Debug)]
pub struct Answers {
    limits: AnswerLimits,
    state: Mutex<State>,
}

/// What a request is to its key.
#[derive(Debug)]
pub enum Claim {
    /// The first: do the work.
    First(Claimed),
    /// A repetition: wait for the answer.
    Repeated(Waiting),
}

/// The right to answer a key. Dropped without an answer, it leaves the key to the next.
#[derive(Debug)]
pub struct Claimed {
    answers: Arc<Answers>,
    key: Key,
    serial: u64,
    stage: watch::Sender<Stage>,
    is_settled: bool,
}

/// Somebody else is doing the work, or has done it.
#[derive(Debug)]
pub struct Waiting {
    stage: watch::Receiver<Stage>,
    scope: Scope,
}

impl Answers {
    /// Nothing yet.
    pub fn new(limits: AnswerLimits) -> Arc<Self> {
        Arc::new(Self { limits, state: Mutex::default() })
    }

    /// Takes a key for a body.
    ///
    /// # Errors
    /// 422 when the key belongs to another body.
    pub fn claim(self: &Arc<Self>, key: &Key, print: Print) -> Result<Claim, Problem> {
        let mut state = self.state();
        state.sweep(&self.limits);
        if let Some(entry) = state.entries.get(key) {
            if entry.print != print {
                return Err(Problem::key_reused());
            }
            return Ok(Claim::Repeated(Waiting { stage: entry.stage.clone(), scope: key.scope }));
        }
        state.serial += 1;
        let serial = state.serial;
        let (sender, receiver) = watch::channel(Stage::Working);
        state.entries.insert(key.clone(), Entry { print, serial, stage: receiver, kept: None });
        drop(state);
        let answers = Arc::clone(self);
        Ok(Claim::First(Claimed { answers, key: key.clone(), serial, stage: sender, is_settled: false }))
    }

    /// Forgets the answer of a key, if it is this one.
    pub fn forget(&self, key: &Key, answer: &Bytes) {
        let mut state = self.state();
        let same = |entry: &Entry| matches!(&*entry.stage.borrow(), Stage::Answered(kept) if kept == answer);
        if let Some(serial) = state.entries.get(key).filter(|entry| same(entry)).map(|entry| entry.serial) {
            state.remove(key, serial);
        }
    }

    /// How many keys' first requests are at work.
    pub fn n_working(&self) -> usize {
        self.state().entries.values().filter(|entry| entry.kept.is_none()).count()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remove(&mut self, key: &Key, serial: u64) {
        if self.entries.get(key).is_none_or(|entry| entry.serial != serial) {
            return;
        }
        if let Some((_, n_bytes)) = self.entries.remove(key).and_then(|entry| entry.kept) {
            self.n_bytes -= n_bytes;
        }
    }

    /// Drops what is too old or too much.
    fn sweep(&mut self, limits: &AnswerLimits) {
        while let Some((key, serial)) = self.answered.front() {
            let entry = self.entries.get(key).filter(|entry| entry.serial == *serial);
            let stays = entry.and_then(|entry| entry.kept).is_some_and(|(since, _)| {
                since.elapsed() < limits.kept_for && self.n_bytes <= limits.max_bytes
            });
            if stays {
                return;
            }
            if let Some((key, serial)) = self.answered.pop_front() {
                self.remove(&key, serial);
            }
        }
    }
}

impl Claimed {
    /// Gives the answer to all who wait for it now or later.
    pub fn settle(mut self, answer: Bytes) {
        let mut state = self.answers.state();
        let n_bytes = answer.len() + 2 * self.key.text.len() + ENTRY_BYTES;
        if let Some(entry) = state.entries.get_mut(&self.key).filter(|entry| entry.serial == self.serial) {
            entry.kept = Some((Instant::now(), n_bytes));
            state.n_bytes += n_bytes;
            state.answered.push_back((self.key.clone(), self.serial));
        }
        self.stage.send_replace(Stage::Answered(answer));
        state.sweep(&self.answers.limits);
        drop(state);
        self.is_settled = true;
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        if !self.is_settled {
            self.answers.state().remove(&self.key, self.serial);
        }
    }
}

impl Waiting {
    /// The first answer; none where the first request came to no answer that is kept.
    pub async fn answer(mut self) -> Option<Bytes> {
        loop {
            if let Stage::Answered(answer) = &*self.stage.borrow_and_update() {
                metrics::counter!("gavel_idempotent_replies_total", "scope" => self.scope.name())
                    .increment(1);
                return Some(answer.clone());
            }
            self.stage.changed().await.ok()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        let headers =
            [(http::HeaderName::from_static(KEY_HEADER), text.parse().unwrap())].into_iter().collect();
        Key::read(&headers, Caller::default(), Scope::Grade).unwrap().unwrap()
    }

    fn first(answers: &Arc<Answers>, text: &str) -> Claimed {
        match answers.claim(&key(text), [0; 32]).unwrap() {
            Claim::First(claimed) => claimed,
            Claim::Repeated(_) => panic!("{text} was claimed before"),
        }
    }

    fn is_kept(answers: &Arc<Answers>, text: &str) -> bool {
        matches!(answers.claim(&key(text), [0; 32]).unwrap(), Claim::Repeated(_))
    }

    #[tokio::test]
    async fn repetitions_wait_for_the_first() {
        let answers = Answers::new(AnswerLimits::default());
        let claimed = first(&answers, "a");
        let Claim::Repeated(waiting) = answers.claim(&key("a"), [0; 32]).unwrap() else { panic!() };
        assert_eq!(answers.claim(&key("a"), [1; 32]).unwrap_err().status, 422);
        let waits = tokio::spawn(waiting.answer());
        tokio::task::yield_now().await;
        claimed.settle(Bytes::from_static(b"1"));
        assert_eq!(waits.await.unwrap().unwrap(), "1");
        answers.forget(&key("a"), &Bytes::from_static(b"2"));
        assert!(is_kept(&answers, "a"));
        answers.forget(&key("a"), &Bytes::from_static(b"1"));
        drop(first(&answers, "a"));
        assert_eq!((answers.n_working(), answers.state().n_bytes), (0, 0));
    }

    #[tokio::test]
    async fn without_an_answer_the_key_is_free_again() {
        let answers = Answers::new(AnswerLimits::default());
        let claimed = first(&answers, "a");
        let Claim::Repeated(waiting) = answers.claim(&key("a"), [0; 32]).unwrap() else { panic!() };
        drop(claimed);
        assert!(waiting.answer().await.is_none());
        drop(first(&answers, "a"));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let limits = AnswerLimits { max_bytes: 3 * (ENTRY_BYTES + 100), ..AnswerLimits::default() };
        let answers = Answers::new(limits);
        for text in ["a", "b", "c", "d"] {
            first(&answers, text).settle(Bytes::from(vec![0; 90]));
        }
        assert!(["b", "c", "d"].iter().all(|text| is_kept(&answers, text)));
        drop(first(&answers, "a"));
        // An answer larger than all the room is given and not kept.
        first(&answers, "e").settle(Bytes::from(vec![0; 10_000]));
        drop(first(&answers, "e"));
        let answers = Answers::new(AnswerLimits { kept_for: Duration::ZERO, ..limits });
        first(&answers, "a").settle(Bytes::new());
        drop(first(&answers, "a"));
    }

    #[test]
    fn keys_are_short_visible_texts() {
        let read = |value: &[u8]| {
            let value = http::HeaderValue::from_bytes(value).unwrap();
            let headers = [(http::HeaderName::from_static(KEY_HEADER), value)].into_iter().collect();
            Key::read(&headers, Caller::default(), Scope::Jobs)
        };
        assert!(read(b"a").unwrap().is_some() && read(&[b'a'; 255]).is_ok());
        for value in [&b""[..], b" ", &[b'a'; 256], b"\xff"] {
            assert_eq!(read(value).unwrap_err().status, 400);
        }
    }
}
