//! The peer: a reward server in FastAPI (`benches/peer/`), under uvicorn with two workers.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use http::Uri;

use crate::running::Client;

const WORKERS: &str = "2";
const START_TIME: Duration = Duration::from_secs(30);

/// The peer as a child process.
pub struct Peer {
    child: Child,
    port: u16,
}

impl Peer {
    /// Starts it and waits until it answers; `None` when it is not installed.
    pub async fn start(client: &Client) -> Option<Self> {
        let python = environment().join("bin/python");
        if !python.exists() {
            println!("the peer is not installed; `benches/peer/install.sh` does it. It is left out.\n");
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = Path::new("benches/peer");
        let child = Command::new(python)
            .args([
                "-m",
                "uvicorn",
                "app:app",
                "--workers",
                WORKERS,
                "--log-level",
                "warning",
                "--no-access-log",
            ])
            .args([
                "--loop",
                "uvloop",
                "--http",
                "httptools",
                "--host",
                "127.0.0.1",
                "--port",
                &port.to_string(),
            ])
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(folder)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let peer = Self { child, port };
        let began = Instant::now();
        while client.try_get(&peer.uri("/healthz")).await.is_err() {
            assert!(began.elapsed() < START_TIME, "the peer did not start");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Some(peer)
    }

    pub fn uri(&self, path: &str) -> Uri {
        format!("http://127.0.0.1:{}{path}", self.port).parse().unwrap()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // SIGTERM, so that it ends its workers too.
        let _ = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.pid())]).status();
        let _ = self.child.wait();
    }
}

fn environment() -> PathBuf {
    std::env::var_os("GAVEL_PEER").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/gavel/venv-bench"),
        PathBuf::from,
    )
}
