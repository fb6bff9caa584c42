//! Whose turn it is: no request waits for all of another one's work, however large a piece that comes in.
//!
//! One thread judges, programs pass the gate one by one, and the order in which they begin is looked at.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sandboxes::{Ending, Execution, Language, Limits, Program, Sandbox, SandboxError};
use serde_json::{Value, json};

use crate::server::{Options, Server};

/// Longer than a thread works for one request while others wait.
const LONGER_THAN_A_SLICE: Duration = Duration::from_millis(10);
const SMALL: &str = "small";

async fn start(n_threads: usize) -> Arc<Server> {
    Arc::new(Server::with(Options { n_threads, ..Options::default() }).await)
}

fn post(server: &Arc<Server>, path: &'static str, body: Value) -> tokio::task::JoinHandle<Value> {
    let server = Arc::clone(server);
    tokio::spawn(async move {
        let reply = server.post(path, &body).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    })
}

fn program(source: &str) -> Value {
    json!({"language": "python", "source": source})
}

/// A request to grade `n` completions of a task with as many cases each.
fn graded(n_groups: usize, n_completions: usize, n_cases: usize) -> Value {
    let text = "```python\nlarge\n```";
    let cases = vec![json!({"stdin": "", "stdout": "1"}); n_cases];
    let group = json!({
        "task": {"tests": {"language": "python", "cases": cases}},
        "completions": vec![text; n_completions],
    });
    json!({"rubric": "code", "groups": vec![group; n_groups]})
}

/// Begins a large request, then a small one, lets programs through one by one, and says as which program the
/// small one's began.
async fn place_of_the_small_one(server: &Arc<Server>, path: &'static str, large: Value, n: usize) -> usize {
    let large = post(server, path, large);
    server.gate.until_begun(1).await;
    let small = post(server, "/v1/execute", program(SMALL));
    while server.app.admission.n_completions() < 2 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    // It is admitted; until it stands in line is a moment more.
    tokio::time::sleep(LONGER_THAN_A_SLICE).await;
    for passed in 1..=n {
        tokio::time::sleep(LONGER_THAN_A_SLICE).await;
        server.gate.let_one_through();
        if passed < n {
            server.gate.until_begun(passed + 1).await;
        }
    }
    assert_eq!(small.await.unwrap()["stdout"], "1\n");
    large.await.unwrap();
    let programs = server.gate.programs();
    assert_eq!(programs.len(), n, "{programs:?}");
    programs.iter().position(|source| source == SMALL).unwrap()
}

#[tokio::test]
async fn many_programs_do_not_hold_up_one() {
    let server = start(1).await;
    let large = json!({"programs": vec![program("large"); 40]});
    let place = place_of_the_small_one(&server, "/v1/execute", large, 41).await;
    assert!(place <= 2, "it was number {place}");
}

#[tokio::test]
async fn many_groups_do_not_hold_up_one() {
    let server = start(1).await;
    let place = place_of_the_small_one(&server, "/v1/grade", graded(20, 2, 1), 41).await;
    assert!(place <= 2, "it was number {place}");
}

#[tokio::test]
async fn many_completions_do_not_hold_up_one() {
    let server = start(1).await;
    let place = place_of_the_small_one(&server, "/v1/grade", graded(1, 40, 1), 41).await;
    assert!(place <= 2, "it was number {place}");
}

#[tokio::test]
async fn many_cases_of_one_completion_do_not_hold_up_one() {
    let server = start(1).await;
    let place = place_of_the_small_one(&server, "/v1/grade", graded(1, 1, 40), 41).await;
    assert!(place <= 2, "it was number {place}");
}

#[tokio::test]
async fn several_large_requests_take_turns() {
    let server = start(1).await;
    let many = |source: &str| json!({"programs": vec![program(source); 10]});
    let requests: Vec<_> = ["a", "b", "c"].map(|name| post(&server, "/v1/execute", many(name))).into();
    while server.app.admission.n_completions() < 30 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    tokio::time::sleep(LONGER_THAN_A_SLICE).await;
    server.gate.open();
    for request in requests {
        let reply = request.await.unwrap();
        assert_eq!(reply["results"].as_array().unwrap().len(), 10);
    }
    let programs = server.gate.programs();
    // But for the first ones, which began before all were there.
    for name in ["a", "b", "c"] {
        let among = programs[3..15].iter().filter(|source| *source == name).count();
        assert!((3..=5).contains(&among), "{programs:?}");
    }
}

#[tokio::test]
async fn all_threads_work_while_some_stay_in_the_middle() {
    let server = start(2).await;
    let large: Vec<_> = (0..6).map(|_| post(&server, "/v1/grade", graded(1, 1, 10))).collect();
    // Later there may be only one request left, whose cases come one after the other.
    for passed in 0..40 {
        server.gate.until_begun(passed + 2).await;
        tokio::time::sleep(Duration::from_millis(3)).await;
        assert_eq!(server.gate.begun(), passed + 2, "more run than there are threads");
        server.gate.let_one_through();
    }
    server.gate.open();
    for request in large {
        let reply = request.await.unwrap();
        assert_eq!(reply["groups"][0]["rewards"][0]["reward"], 1.0, "{reply}");
    }
    assert_eq!(server.gate.begun(), 60);
}

#[tokio::test]
async fn a_deadline_ends_a_completion_between_two_cases() {
    let server = start(1).await;
    let mut body = graded(1, 1, 40);
    body["deadline_ms"] = json!(300);
    let request = post(&server, "/v1/grade", body);
    server.gate.until_begun(1).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    server.gate.open();
    let reply = request.await.unwrap();
    let reward = &reply["groups"][0]["rewards"][0];
    assert!(reward["reward"].is_null(), "{reply}");
    assert_eq!(reward["error"]["kind"], "deadline_exceeded", "{reply}");
    assert_eq!(server.gate.begun(), 1, "a case began after the deadline");
}

#[tokio::test]
async fn who_goes_away_leaves_no_cases_behind() {
    let server = start(1).await;
    let request = post(&server, "/v1/grade", graded(1, 1, 40));
    server.gate.until_begun(1).await;
    request.abort();
    while server.app.admission.n_completions() > 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    server.gate.open();
    let reply = post(&server, "/v1/execute", program(SMALL)).await.unwrap();
    assert_eq!(reply["stdout"], "1\n");
    assert_eq!(server.gate.programs(), ["large\n", SMALL]);
}

/// Programs that take none to three milliseconds, so that some pause and others do not.
#[derive(Default)]
struct Uneven(AtomicU64);

impl Sandbox for Uneven {
    fn languages(&self) -> Vec<Language> {
        vec![Language::Python]
    }

    fn run(&self, _: &Program, _: &[u8], _: &Limits) -> Result<Execution, SandboxError> {
        let n = self.0.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis((n.wrapping_mul(0x9e37_79b9) >> 7) % 4));
        Ok(Execution { stdout: b"1\n".to_vec(), ..Execution::ended(Ending::Exited { code: 0 }) })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_requests_of_all_sizes_none_is_forgotten() {
    let sandbox = Arc::new(Uneven::default());
    let options = Options { n_threads: 4, sandbox: Some(sandbox.clone()), ..Options::default() };
    let server = Arc::new(Server::with(options).await);
    for _ in 0..3 {
        let requests: Vec<_> = (1..=40)
            .map(|i| match i % 4 {
                0 => post(&server, "/v1/grade", graded(i % 5 + 1, 2, 3)),
                1 => post(&server, "/v1/grade", graded(1, i % 7 + 1, 2)),
                2 => post(&server, "/v1/grade", graded(1, 1, i)),
                _ => post(&server, "/v1/execute", json!({"programs": vec![program("p"); i % 9 + 1]})),
            })
            .collect();
        for request in requests {
            let reply = request.await.unwrap();
            let rewards = reply["groups"].as_array().into_iter().flatten();
            let mut rewards = rewards.flat_map(|group| group["rewards"].as_array().unwrap());
            assert!(rewards.all(|reward| reward["reward"] == 1.0), "{reply}");
        }
    }
    assert_eq!(server.app.admission.n_completions(), 0);
    assert!(sandbox.0.load(Ordering::Relaxed) > 1000);
}
