//! Admission: what may wait, in requests, in bytes and in completions.
//!
//! Everything that waits holds permits from its first byte to its last; when there are none left the answer is
//! 429 at once. So the queue never grows and memory is bounded by configuration, not by load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::problem::Problem;

/// Limits on what is inside the server at one time.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Requests being read, graded or answered.
    pub max_requests: usize,
    /// Completions waiting or being graded.
    pub max_completions: usize,
    /// Bytes of one body, decompressed.
    pub max_body_bytes: usize,
    /// Bytes of all bodies together, decompressed.
    pub max_total_body_bytes: usize,
    /// Time a body may take to arrive.
    pub body_timeout: Duration,
}

/// Counts what is inside and says when that is enough.
#[derive(Debug)]
pub struct Admission {
    limits: Limits,
    requests: Arc<Semaphore>,
    body_bytes: Arc<Semaphore>,
    completions: Arc<Semaphore>,
    draining: AtomicBool,
}

/// A request that was let in. Dropping it makes room.
#[derive(Debug)]
pub struct Admitted {
    _request: OwnedSemaphorePermit,
}

/// A body that was read, with the room it takes.
#[derive(Debug)]
pub struct ReadBody {
    /// The bytes, decompressed.
    pub bytes: Bytes,
    /// The room. What is made of the bytes is about as large, so this is held until that is gone too.
    pub room: Option<OwnedSemaphorePermit>,
}

/// The size of a body that is parsed on an async thread: a rubric of the largest size and its envelope.
const SMALL_BODY_BYTES: usize = (1 << 20) + (1 << 16);
/// How much of a refused body is read and thrown away so that the client gets to read the answer.
const DISCARD_FACTOR: usize = 8;
/// How long that may take.
const DISCARD_TIME: Duration = Duration::from_secs(10);

impl Admission {
    /// An empty house.
    pub fn new(limits: Limits) -> Self {
        let semaphore = |permits: usize| Arc::new(Semaphore::new(permits.clamp(1, Semaphore::MAX_PERMITS)));
        Self {
            limits,
            requests: semaphore(limits.max_requests),
            body_bytes: semaphore(
                limits.max_total_body_bytes.max(limits.max_body_bytes).min(u32::MAX as usize),
            ),
            completions: semaphore(limits.max_completions),
            draining: AtomicBool::new(false),
        }
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// From now on nothing is let in.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether nothing is let in any more.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Completions waiting or being graded.
    pub fn n_completions(&self) -> usize {
        self.limits.max_completions.saturating_sub(self.completions.available_permits())
    }

    /// Lets a request in, or says why not.
    ///
    /// # Errors
    /// 503 when draining, 429 when full.
    pub fn enter(&self) -> Result<Admitted, Problem> {
        if self.is_draining() {
            return Err(Problem::draining());
        }
        match Arc::clone(&self.requests).try_acquire_owned() {
            Ok(permit) => Ok(Admitted { _request: permit }),
            Err(_) => Err(Self::full("requests")),
        }
    }

    /// Lets a request in that brings completions, or says why not. How many is not known before it is read; where
    /// there is no room for a single one it need not be read.
    ///
    /// # Errors
    /// 503 when draining, 429 when full.
    pub fn enter_with_completions(&self) -> Result<Admitted, Problem> {
        let admitted = self.enter()?;
        if self.completions.available_permits() == 0 {
            return Err(Self::full("completions"));
        }
        Ok(admitted)
    }

    /// Lets `n` completions wait for grading. A request larger than all the room there is gets in when
    /// nothing else is inside.
    ///
    /// # Errors
    /// 429 when full.
    pub fn completions(&self, n: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let n = n.clamp(1, self.limits.max_completions.max(1)) as u32;
        Arc::clone(&self.completions).try_acquire_many_owned(n).map_err(|_| Self::full("completions"))
    }

    /// Room for `n` bytes of a body, or of a message.
    ///
    /// # Errors
    /// 429 when full.
    pub fn bytes(&self, n: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let n = u32::try_from(n).map_err(|_| Self::full("bytes"))?;
        Arc::clone(&self.body_bytes).try_acquire_many_owned(n).map_err(|_| Self::full("bytes"))
    }

    /// Reads a body whole, within the limits.
    ///
    /// # Errors
    /// 413 when it is too large, 408 when it is too slow, 429 when there is no room for it, 400 when the
    /// client broke off or its compression is corrupt.
    pub async fn read(&self, body: Body) -> Result<ReadBody, Problem> {
        self.read_up_to(self.limits.max_body_bytes, body).await
    }

    /// Reads a body that has no reason to be large, so that it may be parsed on an async thread.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn read_small(&self, body: Body) -> Result<ReadBody, Problem> {
        self.read_up_to(self.limits.max_body_bytes.min(SMALL_BODY_BYTES), body).await
    }

    async fn read_up_to(&self, max_bytes: usize, mut body: Body) -> Result<ReadBody, Problem> {
        let limit = self.limits.body_timeout;
        match timeout(limit, self.read_frames(max_bytes, &mut body)).await {
            Ok(Ok(read)) => Ok(read),
            Ok(Err(problem)) => {
                self.discard(body).await;
                Err(problem)
            }
            Err(_) => Err(Problem::too_slow(format!(
                "the body took longer than {} s; send less at once",
                limit.as_secs()
            ))),
        }
    }

    async fn read_frames(&self, max_bytes: usize, body: &mut Body) -> Result<ReadBody, Problem> {
        let mut bytes = BytesMut::new();
        let mut room: Option<OwnedSemaphorePermit> = None;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                Problem::bad_request(format!(
                    "the body broke off: {error}; check that it is whole and compressed as Content-Encoding says"
                ))
            })?;
            let Ok(data) = frame.into_data() else { continue };
            if bytes.len() + data.len() > max_bytes {
                return Err(Problem::too_large(max_bytes));
            }
            let more = self.bytes(data.len())?;
            match &mut room {
                Some(room) => room.merge(more),
                None => room = Some(more),
            }
            bytes.extend_from_slice(&data);
        }
        Ok(ReadBody { bytes: bytes.freeze(), room })
    }

    /// Reads the rest of a refused body and throws it away: a client that is still sending would otherwise
    /// see a reset connection and not the reason.
    pub async fn discard(&self, mut body: Body) {
        let most = self.limits.max_body_bytes.saturating_mul(DISCARD_FACTOR);
        let discard = async {
            let mut discarded = 0;
            while let Some(Ok(frame)) = body.frame().await {
                discarded += frame.data_ref().map_or(0, Bytes::len);
                if discarded > most {
                    return;
                }
            }
        };
        let _ = timeout(DISCARD_TIME, discard).await;
    }

    fn full(what: &'static str) -> Problem {
        metrics::counter!("gavel_refused_total", "limit" => what).increment(1);
        Problem::full(Duration::from_secs(1))
    }
}
