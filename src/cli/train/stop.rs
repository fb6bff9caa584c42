//! Ctrl-C and SIGTERM: the first asks the run to end after its step, the second ends the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;

/// Whether the run is asked to end.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Stop(Arc<AtomicBool>);

/// What a shell shows for a process that ended by Ctrl-C.
const INTERRUPTED: i32 = 130;

impl Stop {
    /// Listens for signals on a thread of its own.
    pub(in crate::cli) fn on_signals() -> anyhow::Result<Self> {
        let stop = Self::default();
        let asked = stop.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot listen for signals")?;
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || runtime.block_on(asked.listen()))
            .context("cannot start a thread")?;
        Ok(stop)
    }

    /// Whether it is.
    pub(in crate::cli) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    async fn listen(self) {
        loop {
            if signal().await.is_err() {
                return;
            }
            if self.0.swap(true, Ordering::Relaxed) {
                // Asked twice; checkpoints are whole at any moment.
                std::process::exit(INTERRUPTED);
            }
            super::tell("ending after this step; once more ends at once, and loses it");
        }
    }
}

#[cfg(unix)]
async fn signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn signal() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
