//! Who asks for sequences while others are decoded, and hears of them.

use super::generation::Generated;
use super::request::Request;
use crate::error::PolicyError;

/// Feeds an open batch and hears what becomes of it. Everything is called on the thread that runs the batch, between
/// two steps: what takes long keeps the batch waiting.
pub trait Source {
    /// Asked before every step; puts into `queue` what has come up. When `load` says that there is nothing to do, this
    /// is the place to wait for the next request; a batch that is told to go on with nothing to do asks again at once.
    fn before_step(&mut self, load: Load, queue: &mut Queue) -> Next;

    /// A sequence has got its next token.
    fn on_token(&mut self, taken: &Taken<'_>) {
        let _ = taken;
    }

    /// A sequence has ended, or was cancelled.
    fn on_finished(&mut self, generated: Generated);

    /// A request cannot be done; none of its sequences was begun.
    fn on_refused(&mut self, id: usize, error: PolicyError);
}

/// Whether more is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// There may be more requests.
    GoOn,
    /// There are no more requests; the batch ends when all sequences have.
    Finish,
}

/// How much there is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Sequences that are being decoded.
    pub decoding: usize,
    /// Sequences that wait for room.
    pub waiting: usize,
}

impl Load {
    /// Whether there is nothing to do.
    pub const fn is_idle(self) -> bool {
        self.decoding == 0 && self.waiting == 0
    }
}

/// What has come up since the last step.
#[derive(Debug, Default)]
pub struct Queue {
    pub(crate) requests: Vec<Request>,
    pub(crate) cancelled: Vec<Cancelled>,
}

/// What is to end without being finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cancelled {
    All,
    Request(usize),
    Sequence(usize, usize),
}

impl Cancelled {
    pub(crate) fn covers(self, id: usize, index: usize) -> bool {
        match self {
            Self::All => true,
            Self::Request(request) => request == id,
            Self::Sequence(request, sequence) => (request, sequence) == (id, index),
        }
    }
}

impl Queue {
    /// Adds a request behind those that wait.
    pub fn add(&mut self, request: Request) {
        self.requests.push(request);
    }

    /// Ends all sequences of a request that was added before this step. They are handed over as they are, with
    /// [`Finish::Cancelled`](super::Finish::Cancelled).
    pub fn cancel(&mut self, id: usize) {
        self.cancelled.push(Cancelled::Request(id));
    }

    /// Ends one of them, by the index of its seed.
    pub fn cancel_sequence(&mut self, id: usize, index: usize) {
        self.cancelled.push(Cancelled::Sequence(id, index));
    }

    /// Ends all sequences there are.
    pub fn cancel_all(&mut self) {
        self.cancelled.push(Cancelled::All);
    }
}

/// A token that a sequence has got.
#[derive(Clone, Copy, Debug)]
pub struct Taken<'a> {
    /// The request.
    pub id: usize,
    /// Which of its seeds.
    pub index: usize,
    /// All of the sequence's tokens; the new one is the last.
    pub tokens: &'a [u32],
    /// As in [`Generated::logprobs`].
    pub logprob: f32,
    /// False where the token was inserted and not drawn.
    pub sampled: bool,
    /// The likeliest tokens at this place with their log-probabilities after the temperature and before any cut, the
    /// likeliest first, as many as the request wants; none where the token was inserted.
    pub top: &'a [(u32, f32)],
}
