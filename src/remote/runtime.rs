//! Threads of our own for what is asked of other servers, so that callers need none.

use std::future::Future;
use std::sync::{OnceLock, mpsc};

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// Replies are read and parsed on these; the work is elsewhere.
const THREADS: usize = 2;

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("remote")
            .enable_all()
            .build()
            .expect("the system has room for two threads, as it had for those that are waiting for them")
    })
}

/// Starts `work` on the threads for remote calls.
pub fn spawn<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    runtime().spawn(work)
}

/// Runs `work` on the threads for remote calls and waits for it. For threads that may wait: the judge's, an engine's;
/// never call it in an async function, whose thread others need meanwhile.
///
/// `None` when the work panicked.
pub fn block_on<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Option<T> {
    let (sender, receiver) = mpsc::sync_channel(1);
    runtime().spawn(async move {
        // Nobody may be waiting any more.
        let _ = sender.send(work.await);
    });
    receiver.recv().ok()
}
