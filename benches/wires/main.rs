//! The wires of trainers beside the servers they were made for, each pair in one run: requests a second, median and
//! 99th percentile at 64 concurrent clients.
//!
//! `cargo bench --bench wires`; `-- --test` for a run too short to measure anything. `benches/wires/install.sh`
//! installs the peers; one that is not there is left out.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    // The harness is shared with the tests, which use all of it and wait for its processes.
    clippy::zombie_processes,
    dead_code,
    clippy::unchecked_time_subtraction,
    unreachable_pub,
    missing_docs
)]

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hdrhistogram::Histogram;
use http::{StatusCode, Uri};
use serde_json::{Value, json};

#[path = "../../tests/it/running.rs"]
#[expect(dead_code, reason = "what only the tests of sudden ends use")]
mod running;

use running::{Client, Running};

const CLIENTS: usize = 64;
const START_TIME: Duration = Duration::from_secs(60);

/// A wire and who else answers it.
struct Wire {
    name: &'static str,
    /// Gavel's path, with what routes it.
    path: &'static str,
    /// A request's body; the number makes it a new one, so that no cache answers.
    body: fn(u64) -> Value,
    /// Whether the answer is what a right completion gets.
    is_right: fn(&Value) -> bool,
    peer: Option<Reference>,
}

/// The server that the wire was made for.
struct Reference {
    name: &'static str,
    /// Its virtual environment, below the cache folder.
    environment: &'static str,
    script: &'static str,
    path: &'static str,
}

fn wires() -> Vec<Wire> {
    vec![
        Wire {
            name: "OpenRLHF /get_reward",
            path: "/get_reward?rubric=math&on_infra_failure=0",
            body: |n| json!({"query": [format!("What is {n}+1?{}", solution(n))], "prompts": [format!("What is {n}+1?")], "labels": [(n + 1).to_string()]}),
            is_right: |reply| reply["rewards"] == json!([1.0]),
            peer: Some(Reference {
                name: "serve_rm's server with Math-Verify",
                environment: "venv-bench",
                script: "openrlhf_server.py",
                path: "/get_reward",
            }),
        },
        Wire {
            name: "slime --rm-url",
            path: "/rm?rubric=math&on_infra_failure=0",
            body: |n| json!({"prompt": format!("What is {n}+1?"), "response": solution(n), "label": (n + 1).to_string()}),
            is_right: |reply| *reply == json!(1.0),
            peer: None,
        },
        Wire {
            name: "NeMo-Gym /verify",
            path: "/verify?rubric=math",
            body: |n| {
                json!({
                    "question": format!("What is {n}+1?"), "expected_answer": (n + 1).to_string(),
                    "responses_create_params": {"input": [{"role": "user", "content": format!("What is {n}+1?")}]},
                    "response": {
                        "id": format!("resp_{n}"), "created_at": 0.0, "model": "m", "object": "response",
                        "parallel_tool_calls": false, "tool_choice": "none", "tools": [],
                        "output": [{
                            "id": format!("msg_{n}"), "type": "message", "role": "assistant", "status": "completed",
                            "content": [{"type": "output_text", "text": solution(n), "annotations": []}],
                        }],
                    },
                })
            },
            is_right: |reply| reply["reward"] == json!(1.0),
            peer: Some(Reference {
                name: "math_with_judge of nemo-gym 0.7.0, without the judge",
                environment: "venv-clients/nemo_gym",
                script: "nemo_gym_server.py",
                path: "/verify",
            }),
        },
        Wire {
            name: "SandboxFusion /run_code",
            path: "/run_code",
            body: |n| json!({"code": format!("print(int(input()) + {n})"), "stdin": "1\n", "language": "python", "run_timeout": 10}),
            is_right: |reply| reply["status"] == json!("Success"),
            peer: Some(Reference {
                name: "a process and a folder for each, as SandboxFusion does",
                environment: "venv-bench",
                script: "fusion_server.py",
                path: "/run_code",
            }),
        },
    ]
}

/// A completion of about a kilobyte whose answer is n + 1.
fn solution(n: u64) -> String {
    format!("{}The sum is \\boxed{{{}}}.", "Let me think about it step by step. ".repeat(28), n + 1)
}

struct Plan {
    rounds: usize,
    slice: Duration,
}

struct Measured {
    per_second: f64,
    latency: Histogram<u64>,
}

fn main() {
    let test = std::env::args().any(|argument| argument == "--test");
    let plan = if test {
        Plan { rounds: 1, slice: Duration::from_millis(200) }
    } else {
        Plan { rounds: 3, slice: Duration::from_secs(3) }
    };
    // One thread, so that the clients take no more than one of the cores they share with the servers.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run(&plan));
}

async fn run(plan: &Plan) {
    let folder = tempfile::tempdir_in(PathBuf::from(env!("CARGO_TARGET_TMPDIR"))).unwrap();
    let gavel = Running::start(&folder.path().join("bench.db"), &[]);
    println!(
        "{CLIENTS} concurrent clients in one thread, beside the servers; medians of {} rounds in turns\n",
        plan.rounds
    );
    println!(
        "{:<26} {:<54} {:>10} {:>9} {:>9} {:>7}",
        "wire", "server", "requests/s", "p50 ms", "p99 ms", "×"
    );
    for wire in wires() {
        let peer = match &wire.peer {
            Some(reference) => Peer::start(reference).await,
            None => None,
        };
        let ours = gavel.uri(wire.path);
        let mut rounds: [Vec<Measured>; 2] = [Vec::new(), Vec::new()];
        for _ in 0..plan.rounds {
            rounds[0].push(measure(&wire, &ours, plan.slice).await);
            if let Some(peer) = &peer {
                rounds[1].push(measure(&wire, &peer.uri, plan.slice).await);
            }
        }
        let [ours, theirs] = rounds.map(|measured| (!measured.is_empty()).then(|| medians(&measured)));
        let (rate, p50, p99) = ours.unwrap();
        let ratio = theirs.map(|(theirs, ..)| format!("{:.1}", rate / theirs)).unwrap_or_default();
        println!("{:<26} {:<54} {rate:>10.0} {p50:>9.2} {p99:>9.2} {ratio:>7}", wire.name, "gavel");
        if let (Some((rate, p50, p99)), Some(reference)) = (theirs, &wire.peer) {
            println!("{:<26} {:<54} {rate:>10.1} {p50:>9.2} {p99:>9.2}", "", reference.name);
        }
    }
}

async fn measure(wire: &Wire, uri: &Uri, slice: Duration) -> Measured {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let client = Client::new();
    let began = Instant::now();
    let (body, is_right) = (wire.body, wire.is_right);
    let tasks: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (client, uri) = (client.clone(), uri.clone());
            tokio::spawn(async move {
                let mut latency = histogram();
                while began.elapsed() < slice {
                    let sent = Bytes::from(body(NEXT.fetch_add(1, Ordering::Relaxed)).to_string());
                    let asked = Instant::now();
                    let (status, reply) = client.post(&uri, sent).await.unwrap();
                    latency.saturating_record(asked.elapsed().as_micros() as u64);
                    let reply: Value = serde_json::from_slice(&reply).unwrap();
                    assert!(status == StatusCode::OK && is_right(&reply), "{uri}: {status} {reply}");
                }
                latency
            })
        })
        .collect();
    let mut latency = histogram();
    for task in tasks {
        latency.add(task.await.unwrap()).unwrap();
    }
    Measured { per_second: latency.len() as f64 / began.elapsed().as_secs_f64(), latency }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 120_000_000, 3).unwrap()
}

/// Requests a second, and both percentiles in milliseconds.
fn medians(measured: &[Measured]) -> (f64, f64, f64) {
    let of = |value: &dyn Fn(&Measured) -> f64| {
        let mut values: Vec<f64> = measured.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let quantile = |q: f64| of(&move |m: &Measured| m.latency.value_at_quantile(q) as f64 / 1e3);
    (of(&|m| m.per_second), quantile(0.5), quantile(0.99))
}

/// A reference server as a child process.
struct Peer {
    child: Child,
    uri: Uri,
}

impl Peer {
    async fn start(reference: &Reference) -> Option<Self> {
        let cache = PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/gavel");
        let python = cache.join(reference.environment).join("bin/python");
        if !python.exists() {
            println!("({} is not installed: benches/wires/install.sh)", reference.name);
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(python)
            .arg(format!("benches/wires/{}", reference.script))
            .arg(port.to_string())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let uri = |path: &str| -> Uri { format!("http://127.0.0.1:{port}{path}").parse().unwrap() };
        let peer = Self { child, uri: uri(reference.path) };
        let (client, began) = (Client::new(), Instant::now());
        while client.try_get(&uri("/docs")).await.is_err() {
            assert!(began.elapsed() < START_TIME, "{} did not start", reference.name);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Some(peer)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // SIGTERM, so that it ends its own children too.
        let _ = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status();
        let _ = self.child.wait();
    }
}
