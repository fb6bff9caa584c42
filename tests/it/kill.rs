//! The server ends at the worst moments: what it said is kept is kept, what it took on is answered.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{StatusCode, Uri};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Row};

use crate::running::{Chance, Client, Running};

const N_KILLS: usize = 50;
/// From the start of the load to the kill, in milliseconds.
const LIFE_MS: (u64, u64) = (1, 400);
const CLIENTS: usize = 6;
const N_STOPS: usize = 5;
/// The seed of the moments; another one may be given in this variable.
const SEED: u64 = 20_260_131;
const SEED_VARIABLE: &str = "GAVEL_KILL_SEED";

/// What the clients have seen of the groups they sent.
#[derive(Default)]
struct Ledger {
    next: AtomicUsize,
    /// Groups the server said it keeps.
    acknowledged: Mutex<BTreeSet<String>>,
}

impl Ledger {
    fn acknowledged(&self) -> BTreeSet<String> {
        self.acknowledged.lock().unwrap().clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kill_9() {
    let mut chance = chance();
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("killed.db");
    let mut runs: Vec<(String, BTreeSet<String>)> = Vec::new();
    for round in 0..=N_KILLS {
        // Starting is the first check: no restart may fail.
        let server = Running::start(&store, &[]);
        let client = Client::new();
        if let Some((run, acknowledged)) = runs.last() {
            let kept = client.group_ids(&server, run).await;
            let lost: Vec<_> = acknowledged.difference(&kept).collect();
            assert!(lost.is_empty(), "round {round}: acknowledged but lost: {lost:?}");
        }
        if round == N_KILLS {
            check_all(&client, &server, &runs).await;
            server.kill();
            break;
        }
        let run = format!("kill-{round}");
        let ledger = Arc::new(Ledger::default());
        let clients = load(&server, &run, &ledger);
        tokio::time::sleep(Duration::from_millis(chance.between(LIFE_MS.0, LIFE_MS.1))).await;
        server.kill();
        for client in clients {
            client.await.unwrap();
        }
        check_integrity(&store).await;
        runs.push((run, ledger.acknowledged()));
    }
    let n: usize = runs.iter().map(|(_, acknowledged)| acknowledged.len()).sum();
    println!("{n} groups acknowledged over {N_KILLS} kills, none lost");
    assert!(n > N_KILLS, "too few groups came through for this to say anything");
}

/// Every group of every run, at the end once more, through the export too.
async fn check_all(client: &Client, server: &Running, runs: &[(String, BTreeSet<String>)]) {
    for (run, acknowledged) in runs.iter().filter(|(_, acknowledged)| !acknowledged.is_empty()) {
        let kept = client.group_ids(server, run).await;
        assert!(acknowledged.is_subset(&kept), "{run}");
        let export = client.get(&server.uri(&format!("/v1/runs/{run}/export"))).await;
        assert_eq!(export.lines().count(), kept.len(), "{run}");
        for line in export.lines() {
            // A group is kept whole or not at all.
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["completions"].as_array().map(Vec::len), Some(4), "{run}: {line}");
        }
    }
}

/// Asks SQLite whether the file is sound. It looks at a copy, so that the server is the one who repairs it.
async fn check_integrity(store: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    for ending in ["", "-wal"] {
        let with = |path: &Path| PathBuf::from(format!("{}{ending}", path.display()));
        if with(store).exists() {
            std::fs::copy(with(store), with(&copy)).unwrap();
        }
    }
    let mut connection = SqliteConnectOptions::new().filename(&copy).connect().await.unwrap();
    let row = sqlx::query("pragma integrity_check").fetch_one(&mut connection).await.unwrap();
    assert_eq!(row.get::<String, _>(0), "ok");
    connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_is_answered_before_a_stop() {
    let mut chance = chance();
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("stopped.db");
    for round in 0..N_STOPS {
        let mut server = Running::start(&store, &[]);
        let run = format!("stop-{round}");
        let ledger = Arc::new(Ledger::default());
        let clients = load(&server, &run, &ledger);
        tokio::time::sleep(Duration::from_millis(chance.between(100, 600))).await;
        // One request is certainly inside when the signal comes: more is pending than the others can send.
        let client = Client::new();
        let uri = server.uri("/v1/grade");
        let large = tokio::spawn({
            let (client, run) = (client.clone(), run.clone());
            async move { client.post(&uri, request("large", &run, 64, 2000)).await.unwrap() }
        });
        while client.metric(&server, "gavel_pending_completions").await < 64.0 {
            assert!(!large.is_finished(), "the large request is not large enough");
        }
        server.terminate();
        let (status, reply) = large.await.unwrap();
        assert_eq!(status, StatusCode::OK, "{reply:?}");
        ledger.acknowledged.lock().unwrap().insert("large".to_owned());
        let status = server.wait(Duration::from_mins(1));
        assert_eq!(status.code(), Some(0), "round {round}:\n{}", server.log());
        for client in clients {
            client.await.unwrap();
        }
        // Whatever the server took on it has stored, so all that is stored must have been answered.
        let server = Running::start(&store, &[]);
        let kept = Client::new().group_ids(&server, &run).await;
        assert_eq!(kept, ledger.acknowledged(), "round {round}: kept and acknowledged differ");
        assert!(kept.len() > 1, "round {round}: the small requests did not come through");
        server.kill();
    }
}

fn chance() -> Chance {
    let seed = std::env::var(SEED_VARIABLE).ok().map_or(SEED, |seed| seed.parse().unwrap());
    println!("the moments come from {SEED_VARIABLE}={seed}");
    Chance(seed)
}

/// Clients that send groups to be kept until the server is gone.
fn load(server: &Running, run: &str, ledger: &Arc<Ledger>) -> Vec<tokio::task::JoinHandle<()>> {
    let client = Client::new();
    (0..CLIENTS)
        .map(|_| {
            let uri = server.uri("/v1/grade");
            tokio::spawn(send_until_gone(client.clone(), uri, run.to_owned(), Arc::clone(ledger)))
        })
        .collect()
}

async fn send_until_gone(client: Client, uri: Uri, run: String, ledger: Arc<Ledger>) {
    loop {
        let id = format!("g{}", ledger.next.fetch_add(1, Ordering::Relaxed));
        let Ok((status, body)) = client.post(&uri, request(&id, &run, 4, 40)).await else {
            return;
        };
        let reply: Value = serde_json::from_slice(&body).unwrap();
        match status {
            StatusCode::OK => {
                assert_eq!(reply["stored"]["n_groups"], 1, "{reply}");
                ledger.acknowledged.lock().unwrap().insert(id);
            }
            // It stops; what it refuses it has not begun.
            StatusCode::SERVICE_UNAVAILABLE => {}
            other => panic!("{other}: {reply}"),
        }
    }
}

fn request(id: &str, run: &str, n_completions: usize, n_sentences: usize) -> Bytes {
    let thought = "two and two make four; ".repeat(n_sentences);
    let completions = vec![format!("<think>{thought}</think><answer>4</answer>"); n_completions];
    let grader = json!({"name": "repetition", "grader": {"type": "repetition"}});
    json!({
        "rubric": {"components": [grader, {"name": "accuracy", "grader": {"type": "exact"}}]},
        "run": run,
        "groups": [{"id": id, "task": {"reference": "4"}, "completions": completions}],
    })
    .to_string()
    .into()
}
