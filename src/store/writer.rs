//! The writer: one task through which every append goes.
//!
//! While one transaction is being made durable, other appends gather; the next transaction takes all of them,
//! up to [`MAX_BATCH_GROUPS`] or [`MAX_BATCH_BYTES`]. So a lone append waits for one fsync and nothing else,
//! and a thousand concurrent ones share a few. Nothing waits for a timer.
//!
//! The queue is bounded by bytes and by calls: an append that finds it full waits before it takes a place,
//! which is how a slow disk slows the server down rather than filling its memory.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::database::Database;
use super::error::{StoreError, is_about_a_row, is_transient};
use super::row::GroupRow;
use super::types::GroupId;
use super::{postgres, sqlite};

/// The most groups that share a transaction, unless one append brings more. Beyond some dozens a larger batch
/// no longer helps: the fsync is paid for, and the first append of the batch waits for the last.
const MAX_BATCH_GROUPS: usize = 64;
/// The most bytes that share a transaction, likewise.
const MAX_BATCH_BYTES: usize = 16 << 20;
/// The most groups of one append, which is one transaction.
pub const MAX_APPEND_GROUPS: usize = 4096;
/// The most appends that wait.
const MAX_QUEUED_APPENDS: usize = 1024;
/// The most memory that waiting appends take. A single larger one is let through alone.
const MAX_QUEUED_KIB: u32 = 256 << 10;
/// How often a transaction is tried that met a busy database.
const MAX_ATTEMPTS: u32 = 8;
/// The first wait between two tries; each later one is twice as long, so that all take about a second.
const FIRST_BACKOFF: Duration = Duration::from_millis(8);

/// Completes "the store could not …".
const APPEND: &str = "append groups";

/// The handle to the writer.
#[derive(Debug)]
pub(super) struct Writer {
    queue: std::sync::Mutex<Option<mpsc::Sender<Job>>>,
    room: Arc<Semaphore>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// One append: all its groups or none.
#[derive(Debug)]
struct Job {
    groups: Vec<GroupRow>,
    n_bytes: usize,
    reply: oneshot::Sender<Result<Vec<GroupId>, StoreError>>,
    /// Its share of the memory for waiting appends, given back with the job.
    _room: OwnedSemaphorePermit,
}

impl Writer {
    /// Starts the writer's task on the current runtime.
    pub(super) fn start(database: Arc<Database>) -> Self {
        let (sender, receiver) = mpsc::channel(MAX_QUEUED_APPENDS);
        let task = tokio::spawn(write_all(database, receiver));
        Self {
            queue: std::sync::Mutex::new(Some(sender)),
            room: Arc::new(Semaphore::new(MAX_QUEUED_KIB as usize)),
            task: Mutex::new(Some(task)),
        }
    }

    /// Appends the groups in one transaction; returns when it is durable. Dropping the future once the groups
    /// wait in the queue does not take them back.
    pub(super) async fn append(&self, groups: Vec<GroupRow>) -> Result<Vec<GroupId>, StoreError> {
        let queue = self.lock_queue().clone().ok_or(StoreError::Closed)?;
        let n_bytes = groups.iter().map(|group| group.n_bytes).sum::<usize>();
        let share = u32::try_from(n_bytes >> 10).unwrap_or(u32::MAX).clamp(1, MAX_QUEUED_KIB);
        let room = self.room.clone().acquire_many_owned(share).await.map_err(|_| StoreError::Closed)?;
        let (reply, answer) = oneshot::channel();
        queue.send(Job { groups, n_bytes, reply, _room: room }).await.map_err(|_| StoreError::Closed)?;
        // The queue's sender must not outlive the send, or `close` would wait for this very call.
        drop(queue);
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Takes no more appends and returns when those in the queue are answered.
    pub(super) async fn close(&self) {
        drop(self.lock_queue().take());
        if let Some(task) = self.task.lock().await.take() {
            // A panic in the writer has been answered to its callers as `Closed`; there is nothing to add.
            let _ = task.await;
        }
    }

    fn lock_queue(&self) -> std::sync::MutexGuard<'_, Option<mpsc::Sender<Job>>> {
        self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

async fn write_all(database: Arc<Database>, mut queue: mpsc::Receiver<Job>) {
    while let Some(first) = queue.recv().await {
        let batch = gather(first, &mut queue);
        write_batch(&database, batch).await;
    }
}

/// What waits, beginning with `first`, up to the bounds of a batch.
fn gather(first: Job, queue: &mut mpsc::Receiver<Job>) -> Vec<Job> {
    let (mut n_groups, mut n_bytes) = (first.groups.len(), first.n_bytes);
    let mut batch = vec![first];
    while n_groups < MAX_BATCH_GROUPS
        && n_bytes < MAX_BATCH_BYTES
        && let Ok(job) = queue.try_recv()
    {
        n_groups += job.groups.len();
        n_bytes += job.n_bytes;
        batch.push(job);
    }
    batch
}

async fn write_batch(database: &Database, batch: Vec<Job>) {
    let groups: Vec<&GroupRow> = batch.iter().flat_map(|job| &job.groups).collect();
    match write_with_retries(database, &groups).await {
        Ok(ids) => {
            let mut ids = ids.into_iter();
            for job in batch {
                let own = ids.by_ref().take(job.groups.len()).collect();
                // The caller may have left; the groups are stored all the same.
                let _ = job.reply.send(Ok(own));
            }
        }
        Err(error) if batch.len() > 1 && is_about_a_row(&error) => {
            // One append must not fail for another's fault: each gets a transaction of its own.
            for job in batch {
                let groups: Vec<&GroupRow> = job.groups.iter().collect();
                let answer = write_with_retries(database, &groups).await;
                let _ = job.reply.send(answer.map_err(|source| StoreError::unavailable(APPEND, source)));
            }
        }
        Err(source) => {
            let source = Arc::new(source);
            for job in batch {
                let error = StoreError::Unavailable { action: APPEND, source: source.clone() };
                let _ = job.reply.send(Err(error));
            }
        }
    }
}

async fn write_with_retries(database: &Database, groups: &[&GroupRow]) -> Result<Vec<GroupId>, sqlx::Error> {
    let mut backoff = FIRST_BACKOFF;
    for _ in 1..MAX_ATTEMPTS {
        match write_once(database, groups).await {
            Err(error) if is_transient(&error) => tokio::time::sleep(backoff).await,
            answer => return answer,
        }
        backoff *= 2;
    }
    write_once(database, groups).await
}

async fn write_once(database: &Database, groups: &[&GroupRow]) -> Result<Vec<GroupId>, sqlx::Error> {
    match database {
        Database::Sqlite(database) => sqlite::append(database, groups).await,
        Database::Postgres(pool) => postgres::append(pool, groups).await,
    }
}
