//! Completions of many threads in one request: what comes while others are under way, or within a moment, goes
//! together.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use graders::{ModelError, RewardItem};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::remote;

/// What one completion waits for.
type Score = Result<Option<f64>, ModelError>;

struct Waiting {
    item: RewardItem,
    tell: oneshot::Sender<Score>,
}

/// Gathers completions and sends them in batches.
pub(super) struct Batches {
    queue: OnceLock<mpsc::UnboundedSender<Waiting>>,
    start: Box<dyn Fn() -> mpsc::UnboundedSender<Waiting> + Send + Sync>,
}

impl std::fmt::Debug for Batches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batches").finish_non_exhaustive()
    }
}

impl Batches {
    /// Batches of up to `max_batch`, each sent when it is full or has waited for `max_wait`, and `n_under_way` at a
    /// time. Nothing is started before the first completion comes.
    pub(super) fn new<F>(
        max_batch: usize,
        max_wait: Duration,
        n_under_way: usize,
        send: impl Fn(Vec<RewardItem>) -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Vec<Option<f64>>, ModelError>> + Send + 'static,
    {
        let start = move || {
            let (sender, queue) = mpsc::unbounded_channel();
            remote::spawn(gather(queue, max_batch, max_wait, n_under_way, send.clone()));
            sender
        };
        Self { queue: OnceLock::new(), start: Box::new(start) }
    }

    /// Adds a completion. How many wait is bounded by who judges: each has a thread that waits for it.
    pub(super) fn add(&self, item: RewardItem) -> oneshot::Receiver<Score> {
        let (tell, told) = oneshot::channel();
        // A queue that is gone drops the sender, which its receiver sees.
        let _ = self.queue.get_or_init(&self.start).send(Waiting { item, tell });
        told
    }
}

async fn gather<F>(
    mut queue: mpsc::UnboundedReceiver<Waiting>,
    max_batch: usize,
    max_wait: Duration,
    n_under_way: usize,
    send: impl Fn(Vec<RewardItem>) -> F,
) where
    F: Future<Output = Result<Vec<Option<f64>>, ModelError>> + Send + 'static,
{
    let under_way = Arc::new(Semaphore::new(n_under_way));
    loop {
        let Ok(permit) = Arc::clone(&under_way).acquire_owned().await else { return };
        let Some(first) = queue.recv().await else { return };
        let mut batch = vec![first];
        let end = tokio::time::Instant::now() + max_wait;
        while batch.len() < max_batch {
            match tokio::time::timeout_at(end, queue.recv()).await {
                Ok(Some(next)) => batch.push(next),
                Ok(None) | Err(_) => break,
            }
        }
        // Who left is not asked about.
        batch.retain(|waiting| !waiting.tell.is_closed());
        if batch.is_empty() {
            continue;
        }
        let (items, tell): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|waiting| (waiting.item, waiting.tell)).unzip();
        let scores = send(items);
        tokio::spawn(async move {
            let scores = scores.await;
            drop(permit);
            for (at, tell) in tell.into_iter().enumerate() {
                let score = match &scores {
                    Ok(scores) => Ok(scores.get(at).copied().flatten()),
                    Err(error) => Err(error.clone()),
                };
                let _ = tell.send(score);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use graders::{Completion, Task};

    use super::*;

    #[test]
    fn what_comes_together_goes_together_and_each_gets_its_own() {
        let sizes = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&sizes);
        let send = move |items: Vec<RewardItem>| {
            seen.lock().unwrap().push(items.len());
            async move {
                let number = |item: &RewardItem| item.completion.text.parse().ok();
                Ok(items.iter().map(number).collect())
            }
        };
        // Longer than any machine needs to add ten: only a full batch goes.
        let batches = Batches::new(5, Duration::from_secs(600), 2, send);
        let task = Arc::new(Task::default());
        let text = |n: u32| if n == 3 { "none".to_owned() } else { n.to_string() };
        let told: Vec<_> = (0..10)
            .map(|n| batches.add(RewardItem { task: Arc::clone(&task), completion: Completion::new(text(n)) }))
            .collect();
        for (n, told) in told.into_iter().enumerate() {
            let expected = if n == 3 { None } else { Some(n as f64) };
            assert_eq!(told.blocking_recv().unwrap().unwrap(), expected);
        }
        assert_eq!(*sizes.lock().unwrap(), [5, 5]);
    }

    #[test]
    fn a_failure_is_everybodys() {
        let send = |_: Vec<RewardItem>| async { Err(ModelError::Unavailable("off".to_owned())) };
        let batches = Batches::new(2, Duration::ZERO, 1, send);
        let item = || RewardItem { task: Arc::default(), completion: Completion::new("") };
        for told in [batches.add(item()), batches.add(item())] {
            assert_eq!(told.blocking_recv().unwrap(), Err(ModelError::Unavailable("off".to_owned())));
        }
    }
}
