//! Connections: accepting them, serving HTTP/1.1 and HTTP/2 (prior knowledge), and letting them end well.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::App;

/// How connections are served.
#[derive(Clone, Copy, Debug)]
pub struct Connections {
    /// Connections open at one time; more wait in the system's backlog.
    pub max_connections: usize,
    /// How long a request's head may take to arrive; ends connections that are held open for nothing.
    pub header_timeout: Duration,
    /// Time between the signal to stop and the end of accepting, for load balancers to notice.
    pub drain_delay: Duration,
    /// How long accepted requests may take to end after that.
    pub drain_timeout: Duration,
}

/// Streams of one HTTP/2 connection.
const MAX_STREAMS: u32 = 256;
/// Wait after a failed accept, so that a lack of file descriptors does not become a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long results of jobs can be fetched after the last job of a stopping server ended.
const FETCH_TIME: Duration = Duration::from_secs(10);
/// How long before the end of a stopping server its model is told to say nothing more.
const CUT_TIME: Duration = Duration::from_secs(1);
/// How often a stopping server looks whether its jobs have ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Serves until `stop` resolves, then finishes what was accepted. Returns how many connections and jobs had to be cut.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    app: Arc<App>,
    connections: Connections,
    stop: impl Future<Output = ()>,
) -> usize {
    let room = Arc::new(Semaphore::new(connections.max_connections));
    let graceful = GracefulShutdown::new();
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(connections.header_timeout);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(MAX_STREAMS);
    let service = TowerToHyperService::new(router);

    let draining = Arc::clone(&app);
    let stop = async move {
        stop.await;
        draining.admission.drain();
        tokio::time::sleep(connections.drain_delay).await;
    };
    // Jobs are not tied to connections: they end, and their results are fetched, while new connections come.
    let jobs = Arc::clone(&app);
    let end_of_delay = Arc::new(OnceLock::new());
    let delay_ended = Arc::clone(&end_of_delay);
    let stop = async move {
        stop.await;
        let began = *delay_ended.get_or_init(Instant::now);
        let _ = tokio::time::timeout_at(began + connections.drain_timeout, ended(&jobs)).await;
    };
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &room) => accepted,
        };
        let Some((stream, permit)) = accepted else { continue };
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service.clone());
        let connection = graceful.watch(connection.into_owned());
        tokio::spawn(async move {
            // Broken connections are the client's affair.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended badly");
            }
            drop(permit);
        });
    }
    drop(listener);
    let open = connections.max_connections - room.available_permits();
    tracing::info!(open, "no longer accepting; finishing what was accepted");
    let until = *end_of_delay.get_or_init(Instant::now) + connections.drain_timeout;
    let shutdown = graceful.shutdown();
    tokio::pin!(shutdown);
    let mut is_over = false;
    // What the model is still saying by then is ended with an error that says why, and is not just cut off.
    if let Some(served) = &app.model {
        let before = until - CUT_TIME.min(connections.drain_timeout);
        is_over = tokio::time::timeout_at(before, &mut shutdown).await.is_ok();
        served.cut();
    }
    let n_cut = if is_over || tokio::time::timeout_at(until, shutdown).await.is_ok() {
        0
    } else {
        connections.max_connections - room.available_permits()
    };
    n_cut + app.jobs.n_open() + app.answers.n_working()
}

/// Waits until all jobs have ended, and then a moment for who has not fetched the results.
async fn ended(app: &App) {
    let mut is_over_since: Option<Instant> = None;
    loop {
        if app.jobs.n_open() + app.answers.n_working() == 0 {
            let since = *is_over_since.get_or_insert_with(Instant::now);
            if app.jobs.n_unfetched() == 0 || since.elapsed() >= FETCH_TIME {
                return;
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _peer)) => {
            // Replies are written whole; waiting for more to send would only delay them.
            let _ = stream.set_nodelay(true);
            Some((stream, permit))
        }
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// Whether nobody but this machine can reach the address.
pub fn is_loopback(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}
