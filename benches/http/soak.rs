//! Ten times the load the server can serve, on its default limits: what is accepted must be answered in bounded
//! time and kept, the rest refused at once, and nothing may pile up.
//!
//! Times are taken from when a request is sent; how late the client itself was is told apart.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hdrhistogram::Histogram;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::task::LocalSet;

use crate::compare::{histogram, serial};
use crate::rollouts::Batch;
use crate::running::{Client, Running, Unanswered};
use crate::{cores, folder, process};

const RUN: &str = "soak";
const COMPLETIONS: usize = 8;
const THOUGHT_BYTES: usize = 4096;
/// Requests to learn the time of one alone.
const N_UNLOADED: usize = 300;
/// Time to learn what can be served.
const CAPACITY_TIME: Duration = Duration::from_secs(3);
const CAPACITY_CONNECTIONS: usize = 16;
const OVERLOAD: f64 = 10.0;
/// More than the server's default of requests inside (256), so that it has somebody to refuse.
const MAX_CONNECTIONS: usize = 512;
/// The server's defaults, from which the queue's bound follows.
const MAX_REQUESTS: usize = 256;
const MAX_PENDING_COMPLETIONS: usize = 8192;
/// How often arrivals are looked after.
const TICK: Duration = Duration::from_millis(1);
/// Growth of memory in the second half that is not called flat any more: as a factor and in bytes.
const MAX_GROWTH: f64 = 1.1;
const MAX_GROWTH_BYTES: f64 = 16e6;
/// Processor time of an idle server in a second.
const MAX_IDLE_CPU: Duration = Duration::from_millis(50);

/// What became of the requests.
#[derive(Default)]
struct Tally {
    sent: u64,
    /// Arrivals for which the client had no connection left.
    not_sent: u64,
    by_status: BTreeMap<u16, u64>,
    failed: Vec<String>,
    in_flight: usize,
    latency: Option<Histogram<u64>>,
    /// The same by the server's clock, from the request's arrival to its reply: without and with keeping.
    inside: [Option<Histogram<u64>>; 2],
    /// When each accepted request was answered.
    answered: Vec<Instant>,
    refusal: Option<Histogram<u64>>,
    /// How late the client itself was: it has a share of a busy machine, too.
    lateness: Option<Histogram<u64>>,
    /// Ids of the groups that the server said are kept.
    acknowledged: BTreeSet<String>,
}

/// A rubric that costs the server far more than a request costs the client, who shares its cores.
fn rubric() -> Value {
    let component = |n: usize| json!({"name": format!("repetition_{n}"), "grader": {"type": "repetition", "n": 1 + n % 8}, "weight": 0.1});
    let components: Vec<Value> = (0..16).map(component).collect();
    json!({"components": components})
}

pub async fn run(seconds: u64) -> ExitCode {
    let client = Client::new();
    let folder = folder();
    let server = Running::start(&folder.path().join("soak.db"), &[]);
    let batches =
        [None, Some(RUN)].map(|run| Batch::with_thoughts(COMPLETIONS, &rubric(), run, THOUGHT_BYTES));
    println!(
        "{} cores, shared by the client (one thread), the server and whatever else runs (load average {})",
        cores(),
        process::load_average()
    );
    println!("requests of {COMPLETIONS} completions of 4 KiB; every second one is kept in SQLite\n");

    let tally = Rc::new(RefCell::new(Tally::default()));
    let local = LocalSet::new();
    let holds = local
        .run_until(async {
            let unloaded = one_at_a_time(&client, &server, &batches, &tally).await;
            let capacity = capacity(&client, &server, &batches, &tally).await;
            *tally.borrow_mut() = Tally { acknowledged: tally.take().acknowledged, ..Tally::default() };
            let (memory, elapsed) = overload(
                &client,
                &server,
                &batches,
                &tally,
                capacity * OVERLOAD,
                Duration::from_secs(seconds),
            )
            .await;
            println!("unloaded: p50 {:.1} ms, p99 {:.1} ms", millis(&unloaded, 0.5), millis(&unloaded, 0.99));
            println!("capacity: {capacity:.0} requests/s, 16 connections");
            let mut holds = answers(&tally.borrow(), &unloaded, capacity, elapsed);
            holds &= is_flat(&memory);
            holds &= is_idle(&client, &server).await;
            let acknowledged = tally.take().acknowledged;
            holds & all_kept(&client, &server, &acknowledged).await
        })
        .await;
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The time of a request when there is no other.
async fn one_at_a_time(
    client: &Client,
    server: &Running,
    batches: &[Batch; 2],
    tally: &Rc<RefCell<Tally>>,
) -> Histogram<u64> {
    for index in 0..N_UNLOADED {
        send(client, server, &batches[index % 2], tally).await;
    }
    tally.borrow_mut().latency.take().unwrap()
}

/// Requests a second when a few clients send one after the other.
async fn capacity(
    client: &Client,
    server: &Running,
    batches: &[Batch; 2],
    tally: &Rc<RefCell<Tally>>,
) -> f64 {
    let began = Instant::now();
    let clients = (0..CAPACITY_CONNECTIONS).map(|number| async move {
        let mut n = 0;
        while began.elapsed() < CAPACITY_TIME {
            send(client, server, &batches[(number + n) % 2], tally).await;
            n += 1;
        }
        n
    });
    let n: usize = futures_util::future::join_all(clients).await.into_iter().sum();
    n as f64 / began.elapsed().as_secs_f64()
}

/// Arrivals at a fixed rate, whatever has become of those before. Returns the memory, once a second, and the
/// time until the last answer.
async fn overload(
    client: &Client,
    server: &Running,
    batches: &[Batch; 2],
    tally: &Rc<RefCell<Tally>>,
    per_second: f64,
    time: Duration,
) -> (Vec<u64>, Duration) {
    println!(
        "overload: {per_second:.0} requests/s for {} s over up to {MAX_CONNECTIONS} connections",
        time.as_secs()
    );
    println!("  time   memory   accepted    refused");
    let began = Instant::now();
    let mut arrivals = 0_u64;
    let mut memory = Vec::new();
    let mut ticks = tokio::time::interval(TICK);
    while began.elapsed() < time {
        ticks.tick().await;
        let due = (began.elapsed().as_secs_f64() * per_second) as u64;
        while arrivals < due {
            let at = began + Duration::from_secs_f64(arrivals as f64 / per_second);
            arrivals += 1;
            if tally.borrow().in_flight >= MAX_CONNECTIONS {
                tally.borrow_mut().not_sent += 1;
                continue;
            }
            let batch = batches[arrivals as usize % 2].clone();
            let (client, tally) = (client.clone(), Rc::clone(tally));
            let uri = server.uri("/v1/grade");
            tally.borrow_mut().in_flight += 1;
            tokio::task::spawn_local(async move {
                let late = at.elapsed().as_micros() as u64;
                tally.borrow_mut().lateness.get_or_insert_with(histogram).saturating_record(late);
                send_to(&client, &uri, &batch, &tally).await;
                tally.borrow_mut().in_flight -= 1;
            });
        }
        if began.elapsed().as_secs() as usize >= memory.len() {
            memory.push(process::rss_bytes(server.pid()));
            if memory.len() % 5 == 1 {
                let tally = tally.borrow();
                let count = |status: u16| tally.by_status.get(&status).copied().unwrap_or_default();
                println!(
                    "{:>4} s {:>5} MB {:>10} {:>10}",
                    memory.len() - 1,
                    memory.last().unwrap() / 1_000_000,
                    count(200),
                    count(429)
                );
            }
        }
    }
    while tally.borrow().in_flight > 0 {
        ticks.tick().await;
    }
    (memory, began.elapsed())
}

async fn send(client: &Client, server: &Running, batch: &Batch, tally: &RefCell<Tally>) {
    send_to(client, &server.uri("/v1/grade"), batch, tally).await;
}

async fn send_to(client: &Client, uri: &http::Uri, batch: &Batch, tally: &RefCell<Tally>) {
    let serial = serial();
    let at = Instant::now();
    let answer = client.post(uri, batch.body(serial)).await;
    tally.borrow_mut().count(answer, batch.ids(serial), at.elapsed());
}

impl Tally {
    fn count(
        &mut self,
        answer: Result<(StatusCode, Bytes), Unanswered>,
        ids: impl Iterator<Item = String>,
        elapsed: Duration,
    ) {
        self.sent += 1;
        let (status, body) = match answer {
            Ok(answer) => answer,
            Err(error) => return self.failed.push(error.to_string()),
        };
        *self.by_status.entry(status.as_u16()).or_default() += 1;
        let micros = elapsed.as_micros() as u64;
        if status == StatusCode::OK {
            self.latency.get_or_insert_with(histogram).saturating_record(micros);
            self.answered.push(Instant::now());
            let reply: Value = serde_json::from_slice(&body).unwrap();
            let kept = usize::from(!reply["stored"].is_null());
            let inside = reply["elapsed_ms"].as_f64().unwrap_or_default() * 1e3;
            self.inside[kept].get_or_insert_with(histogram).saturating_record(inside as u64);
            if reply["stored"]["n_groups"].as_u64().is_some_and(|n| n > 0) {
                self.acknowledged.extend(ids);
            } else if !reply["stored"].is_null() {
                self.failed.push(reply["stored"].to_string());
            }
        } else {
            self.refusal.get_or_insert_with(histogram).saturating_record(micros);
        }
    }
}

/// Everything was answered, with 200, 429 or 503, and what was accepted in bounded time.
fn answers(tally: &Tally, unloaded: &Histogram<u64>, capacity: f64, elapsed: Duration) -> bool {
    let count = |status: u16| tally.by_status.get(&status).copied().unwrap_or_default();
    let (accepted, refused) = (count(200), count(429) + count(503));
    let percent = |n: u64| 100.0 * n as f64 / tally.sent as f64;
    println!(
        "\nsent {} ({:.1} × capacity; for {} arrivals the client had no connection): accepted {accepted} \
         ({:.1} %), refused {refused} ({:.1} %)",
        tally.sent,
        tally.sent as f64 / elapsed.as_secs_f64() / capacity,
        tally.not_sent,
        percent(accepted),
        percent(refused)
    );
    let all = accepted + refused == tally.sent && tally.failed.is_empty();
    verdict("every request was answered with 200, 429 or 503", all);
    for failure in tally.failed.iter().take(3) {
        println!("  {failure}");
    }
    let (Some(latency), Some(refusal)) = (&tally.latency, &tally.refusal) else {
        verdict("some were accepted and some refused", false);
        return false;
    };
    let goodput = accepted as f64 / elapsed.as_secs_f64();
    println!("done {goodput:.0} requests/s = {:.0} % of capacity", 100.0 * goodput / capacity);
    println!("refusals: p50 {:.1} ms, p99 {:.1} ms", millis(refusal, 0.5), millis(refusal, 0.99));
    if let Some(late) = &tally.lateness {
        println!("the client was late by p50 {:.1} ms, p99 {:.1} ms", millis(late, 0.5), millis(late, 0.99));
    }
    // Whoever is let in finds at most a full house before him, and first come is first served: he waits at most as
    // long as the house takes to empty. The machine does other things too, so that is the longest it ever took.
    let house = MAX_REQUESTS.min(MAX_PENDING_COMPLETIONS / COMPLETIONS);
    let longest = tally.answered.windows(house).map(|answers| answers[house - 1] - answers[0]).max();
    let queue_ms = longest.unwrap_or_default().as_secs_f64() * 1e3;
    let bound = 2.0 * millis(unloaded, 0.99) + queue_ms;
    println!(
        "queue bound = the longest time that {house} answers in a row (all that may be inside) took = {queue_ms:.0} ms; \
         on average {:.0} ms",
        house as f64 / goodput * 1e3
    );
    println!("accepted: p50 {:.0} ms, p99 {:.0} ms", millis(latency, 0.5), millis(latency, 0.99));
    for (name, inside) in ["graded", "graded and kept"].iter().zip(tally.inside.iter().flatten()) {
        println!(
            "  by the server's clock, {name}: p50 {:.0} ms, p99 {:.0} ms",
            millis(inside, 0.5),
            millis(inside, 0.99)
        );
    }
    let text = format!("accepted p99 is at most 2 × unloaded p99 + queue bound = {bound:.0} ms");
    let in_time = millis(latency, 0.99) <= bound;
    verdict(&text, in_time);
    all && in_time
}

fn is_flat(memory: &[u64]) -> bool {
    let half = memory.len() / 2;
    let most = |part: &[u64]| part.iter().copied().max().unwrap_or_default() as f64;
    let (first, second) = (most(&memory[..half.max(1)]), most(&memory[half..]));
    let flat = second <= first * MAX_GROWTH + MAX_GROWTH_BYTES;
    let text = format!(
        "memory is flat: at most {:.0} MB in the first half, {:.0} MB in the second",
        first / 1e6,
        second / 1e6
    );
    verdict(&text, flat);
    flat
}

async fn is_idle(client: &Client, server: &Running) -> bool {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = process::cpu(server.pid());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let cpu = process::cpu(server.pid()).saturating_sub(before);
    let pending = client.metric(server, "gavel_pending_completions").await;
    let idle = cpu <= MAX_IDLE_CPU && pending == 0.0;
    let text = format!(
        "idle a second later: {} ms of processor time a second, {pending} completions pending",
        cpu.as_millis()
    );
    verdict(&text, idle);
    idle
}

async fn all_kept(client: &Client, server: &Running, acknowledged: &BTreeSet<String>) -> bool {
    let kept = client.group_ids(server, RUN).await;
    let lost = acknowledged.difference(&kept).count();
    let unknown = kept.difference(acknowledged).count();
    let text = format!(
        "{} groups were acknowledged as kept: {lost} of them missing, {unknown} more in the store",
        acknowledged.len()
    );
    let all = lost == 0 && unknown == 0 && !acknowledged.is_empty();
    verdict(&text, all);
    all
}

fn verdict(text: &str, holds: bool) {
    println!("{} {text}", if holds { "holds: " } else { "BROKEN:" });
}

fn millis(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1e3
}
