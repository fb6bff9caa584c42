//! Library, Gavel and peer side by side.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gavel::judge::{Control, Judge, Request};
use graders::{Progress, Resources, Rubric};
use hdrhistogram::Histogram;
use http::{StatusCode, Uri};
use serde_json::{Value, json};

use crate::peer::Peer;
use crate::rollouts::Batch;
use crate::running::{Client, Running};
use crate::{cores, folder, process};

const BATCHES: [usize; 3] = [1, 8, 64];
const CONNECTIONS: usize = 16;
/// Targets of the project: overhead of a completion in batches of 64, and cheap completions a second.
const MAX_OVERHEAD: Duration = Duration::from_micros(100);
const MIN_COMPLETIONS_PER_S: f64 = 20_000.0;

/// How long to measure.
#[derive(Clone, Copy)]
struct Plan {
    rounds: usize,
    slice: Duration,
    n_latencies: usize,
}

/// The program's numbers for one server and one batch size.
struct Measured {
    completions_per_s: f64,
    cpu_per_completion: Duration,
    latency: Histogram<u64>,
}

/// One of the servers, as it is asked.
struct Contender<'a> {
    name: &'static str,
    uri: Uri,
    pid: u32,
    batches: &'a [Batch],
}

pub async fn run(test: bool) -> ExitCode {
    let plan = if test {
        Plan { rounds: 1, slice: Duration::from_millis(50), n_latencies: 5 }
    } else {
        Plan { rounds: 5, slice: Duration::from_secs(1), n_latencies: 200 }
    };
    let cheap = cheap();
    let math = Value::from("r1-zero");
    println!(
        "{} cores, shared by the client (one thread), the servers and whatever else runs (load average {})",
        cores(),
        process::load_average()
    );
    println!("completions of about 1 KiB in groups of 8; cheap = exact + format, math = math + format\n");

    let client = Client::new();
    let folder = folder();
    let gavel = Running::start(&folder.path().join("bench.db"), &[]);
    let peer = Peer::start(&client).await;
    let uri = gavel.uri("/v1/grade");
    let peer_uri = peer.as_ref().map(|peer| peer.uri("/v1/grade"));

    let overheads = [
        overhead("cheap", &client, &cheap, &uri, peer_uri.as_ref(), plan).await,
        overhead("math", &client, &math, &uri, None, plan).await,
    ];
    let rewards = BATCHES.map(|n| Batch::new(n, &cheap, None));
    let kept = BATCHES.map(|n| Batch::new(n, &cheap, Some("bench")));
    let mut contenders = vec![
        Contender { name: "gavel", uri: uri.clone(), pid: gavel.pid(), batches: &rewards },
        Contender { name: "gavel, kept in SQLite", uri, pid: gavel.pid(), batches: &kept },
    ];
    if let (Some(peer), Some(uri)) = (&peer, peer_uri) {
        contenders.push(Contender { name: "FastAPI, 2 workers", uri, pid: peer.pid(), batches: &rewards });
    }
    let best = throughput(&client, &contenders, plan).await;

    println!(
        "overhead below {MAX_OVERHEAD:?} a completion in batches of 64: {}",
        met(overheads.iter().all(|o| *o < MAX_OVERHEAD))
    );
    for (n, of_batch) in BATCHES.iter().zip(&best) {
        for (contender, reached) in contenders.iter().zip(of_batch).take(2) {
            let met = met(*reached >= MIN_COMPLETIONS_PER_S);
            println!("{MIN_COMPLETIONS_PER_S} completions/s in batches of {n}, {}: {met}", contender.name);
        }
    }
    ExitCode::SUCCESS
}

fn cheap() -> Value {
    json!({"components": [
        {"name": "accuracy", "grader": {"type": "exact"}, "weight": 1.0},
        {"name": "format", "grader": {"type": "format", "style": "think_answer"}, "weight": 0.1},
    ]})
}

/// Only the server, under batches of one size.
pub async fn load(size: usize, seconds: u64, run: Option<&str>) -> ExitCode {
    let folder = folder();
    let gavel = Running::start(&folder.path().join("bench.db"), &[]);
    let batches = [Batch::new(size, &cheap(), run)];
    let contender =
        Contender { name: "gavel", uri: gavel.uri("/v1/grade"), pid: gavel.pid(), batches: &batches };
    println!("the server's process is {}", gavel.pid());
    let measured = closed_loop(&Client::new(), &contender, &batches[0], Duration::from_secs(seconds)).await;
    println!(
        "{:.0} completions/s, {:.1} µs of the server's CPU for one",
        measured.completions_per_s,
        micros(measured.cpu_per_completion)
    );
    ExitCode::SUCCESS
}

fn met(yes: bool) -> &'static str {
    if yes { "met" } else { "NOT MET" }
}

/// What HTTP adds to a completion in batches of 64, one request at a time: the median time of a request less
/// that of the library on the same groups, in turns.
async fn overhead(
    name: &str,
    client: &Client,
    rubric: &Value,
    uri: &Uri,
    peer: Option<&Uri>,
    plan: Plan,
) -> Duration {
    let batch = Batch::new(64, rubric, None);
    let rubric = Arc::new(Rubric::from_value(rubric).unwrap());
    let weights: Arc<[f64]> = rubric.weights(&Progress::default()).unwrap().into();
    let resources = Resources::default();
    let judge = Judge::start(cores(), Resources::default()).unwrap();
    let [mut library, mut judged, mut http, mut peer_http] = [const { Vec::new() }; 4];
    for index in 0..plan.n_latencies + 5 {
        let began = Instant::now();
        for (task, completions) in &batch.groups {
            let prepared = rubric.prepare(task, &resources).unwrap();
            std::hint::black_box(prepared.score(completions, &weights));
        }
        let alone = began.elapsed();
        let began = Instant::now();
        through_judge(&judge, &rubric, &weights, &batch);
        let together = began.elapsed();
        let ours = time_of_request(client, uri, &batch).await;
        let theirs = match peer {
            Some(uri) => Some(time_of_request(client, uri, &batch).await),
            None => None,
        };
        // The first few open connections and warm caches.
        if index >= 5 {
            library.push(alone);
            judged.push(together);
            http.push(ours);
            peer_http.extend(theirs);
        }
    }
    let [library, judged, http] = [library, judged, http].map(median);
    let overhead = http.saturating_sub(library) / 64;
    println!(
        "{name}: batches of 64, one at a time, median of {} in turns, for one completion",
        plan.n_latencies
    );
    println!("  library, one thread    {:>8.2} µs", micros(library) / 64.0);
    println!("  library, judge         {:>8.2} µs", micros(judged) / 64.0);
    println!("  gavel over HTTP        {:>8.2} µs", micros(http) / 64.0);
    println!("  overhead over library  {:>8.2} µs", micros(overhead));
    if !peer_http.is_empty() {
        let peer = median(peer_http);
        let ratio = peer.as_secs_f64() / http.as_secs_f64();
        println!("  FastAPI over HTTP      {:>8.2} µs = {ratio:.1} × gavel", micros(peer) / 64.0);
    }
    println!();
    overhead
}

fn through_judge(judge: &Judge, rubric: &Arc<Rubric>, weights: &Arc<[f64]>, batch: &Batch) {
    let (sender, receiver) = std::sync::mpsc::channel();
    let control = Arc::new(Control::until(None));
    for (task, completions) in &batch.groups {
        let request = Request {
            rubric: Arc::clone(rubric),
            weights: Arc::clone(weights),
            task: Arc::new(task.clone()),
            completions: Arc::clone(completions),
            control: Arc::clone(&control),
        };
        let sender = sender.clone();
        judge.submit(request, move |judged| sender.send(judged.is_ok()).unwrap());
    }
    drop(sender);
    assert!(receiver.iter().all(|judged| judged));
}

async fn time_of_request(client: &Client, uri: &Uri, batch: &Batch) -> Duration {
    let body = batch.body(serial());
    let began = Instant::now();
    let (status, reply) = client.post(uri, body).await.unwrap();
    let elapsed = began.elapsed();
    assert_eq!(status, StatusCode::OK, "{reply:?}");
    elapsed
}

/// Prints completions a second for each batch size and contender; returns them.
async fn throughput(client: &Client, contenders: &[Contender<'_>], plan: Plan) -> Vec<Vec<f64>> {
    println!(
        "{CONNECTIONS} connections of one pool, each with one request at a time; medians of {} rounds in turns",
        plan.rounds
    );
    println!(
        "batch  server                 completions/s  × FastAPI   p50 ms   p99 ms  server CPU, µs a completion"
    );
    let mut reached = Vec::new();
    for (index, n) in BATCHES.iter().enumerate() {
        let mut rounds: Vec<Vec<Measured>> = contenders.iter().map(|_| Vec::new()).collect();
        for _ in 0..plan.rounds {
            for (contender, measured) in contenders.iter().zip(&mut rounds) {
                measured.push(closed_loop(client, contender, &contender.batches[index], plan.slice).await);
            }
        }
        let rates: Vec<f64> = rounds.iter().map(|of| median_of(of, |m| m.completions_per_s)).collect();
        for ((contender, measured), rate) in contenders.iter().zip(&rounds).zip(&rates) {
            let quantile = |q: f64| median_of(measured, |m| m.latency.value_at_quantile(q) as f64 / 1e3);
            let cpu = median_of(measured, |m| micros(m.cpu_per_completion));
            let ratio = rates.get(2).map_or_else(|| "-".to_owned(), |peer| format!("{:.1}", rate / peer));
            println!(
                "{n:>5}  {:<22} {rate:>13.0} {ratio:>10} {:>8.2} {:>8.2} {cpu:>8.1}",
                contender.name,
                quantile(0.5),
                quantile(0.99),
            );
        }
        reached.push(rates);
    }
    println!();
    reached
}

async fn closed_loop(client: &Client, contender: &Contender<'_>, batch: &Batch, slice: Duration) -> Measured {
    let cpu_before = process::cpu(contender.pid);
    let began = Instant::now();
    let tasks: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (client, uri, batch) = (client.clone(), contender.uri.clone(), batch.clone());
            tokio::spawn(async move {
                let mut latency = histogram();
                while began.elapsed() < slice {
                    let elapsed = time_of_request(&client, &uri, &batch).await;
                    latency.saturating_record(elapsed.as_micros() as u64);
                }
                latency
            })
        })
        .collect();
    let mut latency = histogram();
    for task in tasks {
        latency.add(task.await.unwrap()).unwrap();
    }
    let n = latency.len() * batch.n_completions as u64;
    Measured {
        completions_per_s: n as f64 / began.elapsed().as_secs_f64(),
        cpu_per_completion: process::cpu(contender.pid).saturating_sub(cpu_before).div_f64(n as f64),
        latency,
    }
}

/// Microseconds up to a minute, to three digits.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).unwrap()
}

/// Numbers the requests of this process.
pub fn serial() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn median_of(measured: &[Measured], of: impl Fn(&Measured) -> f64) -> f64 {
    let mut values: Vec<f64> = measured.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
