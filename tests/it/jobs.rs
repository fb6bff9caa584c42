//! Jobs, and keys that make a request safe to send again.

use std::time::Duration;

use gavel::server::job_table::JobLimits;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::{Options, Reply, Server};

/// Groups of one program each, which waits at the gate.
fn slow(n: usize) -> Value {
    let group = json!({
        "task": {"tests": {"language": "python", "cases": [{"stdout": "1"}]}},
        "completions": ["```python\nprint(1)\n```"],
    });
    json!({"rubric": "code", "groups": vec![group; n]})
}

fn quick(said: &str) -> Value {
    json!({"rubric": "math", "groups": [{"task": {"reference": "2"}, "completions": [said]}]})
}

async fn submit(server: &Server, body: &Value) -> String {
    let reply = server.post("/v1/jobs", body).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED, "{}", reply.text());
    let job = reply.json();
    assert_eq!(reply.header("location"), job["url"]);
    job["url"].as_str().unwrap().to_owned()
}

async fn ended(server: &Server, url: &str) -> Value {
    let reply = server.get(&format!("{url}?wait_s=60")).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    reply.json()
}

async fn with_key(server: &Server, path: &str, key: &str, body: &Value) -> Reply {
    let request = server.request(Method::POST, path).header("idempotency-key", key);
    Reply::to(request.body(body.to_string())).await
}

#[tokio::test]
async fn a_job_goes_on_alone_and_its_result_is_that_of_grade() {
    let server = Server::start().await;
    let url = submit(&server, &slow(2)).await;
    server.gate.until_begun(1).await;
    let reply = server.get(&url).await;
    assert_eq!(reply.header("retry-after"), "1");
    let job = reply.json();
    assert_eq!(job, json!({"id": job["id"], "status": "running", "url": url}));
    assert_eq!(server.app.admission.n_completions(), 2, "a job holds its permits");
    let request = server.request(Method::GET, &url).header("prefer", "respond-async, wait=60");
    let waiting = tokio::spawn(Reply::to(request));
    server.gate.open();
    let reply = waiting.await.unwrap();
    assert_eq!(reply.header("preference-applied"), "wait");
    let job = reply.json();
    assert_eq!(job["status"], "done");
    assert_eq!(job["result"]["groups"], server.grade(&slow(2)).await["groups"]);
    assert_eq!(server.app.admission.n_completions(), 0);
    assert_eq!(ended(&server, &url).await, job, "a result is there until its time is over");
}

#[tokio::test]
async fn what_is_behind_others_is_queued() {
    let server = Server::with(Options { n_threads: 1, ..Options::default() }).await;
    let first = submit(&server, &slow(1)).await;
    server.gate.until_begun(1).await;
    let second = submit(&server, &quick("\\boxed{2}")).await;
    let reply = server.get(&format!("{second}?wait_s=0.01")).await.json();
    // A thread that waits in the middle of its work may be stood in for.
    assert!(reply["status"] == "queued" || reply["status"] == "done", "{reply}");
    server.gate.open();
    assert_eq!(ended(&server, &first).await["status"], "done");
    assert_eq!(ended(&server, &second).await["result"]["groups"][0]["rewards"][0]["reward"], 1.0);
}

#[tokio::test]
async fn what_grade_refuses_is_no_job_and_what_fails_later_says_why() {
    let server = Server::start().await;
    for body in [json!({}), json!({"rubric": "maths", "groups": [{"task": {}, "completions": [""]}]})] {
        let (job, grade) = (server.post("/v1/jobs", &body).await, server.post("/v1/grade", &body).await);
        assert_eq!((job.status, job.json()), (grade.status, grade.json()));
    }
    let unreadable =
        json!({"rubric": "code", "groups": [{"task": {"tests": {"cases": []}}, "completions": ["2"]}]});
    let job = ended(&server, &submit(&server, &unreadable).await).await;
    assert_eq!((&job["status"], &job["problem"]["status"]), (&json!("failed"), &json!(422)), "{job}");
    for path in ["/v1/jobs/job_0", "/v1/jobs/%ff"] {
        assert!(server.get(path).await.status.is_client_error());
    }
    let url = submit(&server, &quick("2")).await;
    for wait in ["-1", "NaN", "soon"] {
        let reply = server.get(&format!("{url}?wait_s={wait}")).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{wait}");
    }
}

#[tokio::test]
async fn a_cancelled_job_is_gone_and_makes_room() {
    let server = Server::start().await;
    let url = submit(&server, &slow(3)).await;
    server.gate.until_begun(1).await;
    let waiting = tokio::spawn(Reply::to(server.request(Method::GET, &format!("{url}?wait_s=60"))));
    tokio::time::sleep(Duration::from_millis(50)).await;
    let cancelled = server.send(Method::DELETE, &url, &Value::Null).await;
    assert_eq!(cancelled.status, StatusCode::NO_CONTENT);
    assert_eq!(waiting.await.unwrap().json()["problem"]["type"], "urn:gavel:problem:gone");
    assert_eq!(server.get(&url).await.status, StatusCode::NOT_FOUND);
    while server.app.admission.n_completions() > 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    server.gate.open();
    assert_eq!(server.grade(&quick("\\boxed{2}")).await["groups"][0]["rewards"][0]["reward"], 1.0);
    assert!(server.gate.begun() <= 2, "what was not begun was not judged");
}

#[tokio::test]
async fn results_that_nobody_fetched_do_not_give_way() {
    let jobs = JobLimits { max_jobs: 2, ..JobLimits::default() };
    let server = Server::with(Options { jobs, ..Options::default() }).await;
    let [first, second] = [submit(&server, &quick("2")).await, submit(&server, &quick("3")).await];
    let refused = server.post("/v1/jobs", &quick("4")).await;
    assert_eq!((refused.status, refused.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "1"));
    assert_eq!(ended(&server, &second).await["status"], "done");
    submit(&server, &quick("4")).await;
    assert_eq!(server.get(&second).await.status, StatusCode::NOT_FOUND);
    assert_eq!(ended(&server, &first).await["status"], "done");
}

#[tokio::test]
async fn a_stopping_server_ends_its_jobs_and_gives_the_results() {
    let mut server = Server::start().await;
    let url = submit(&server, &slow(1)).await;
    server.gate.until_begun(1).await;
    server.stop();
    while !server.app.admission.is_draining() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(server.post("/v1/jobs", &quick("2")).await.status, StatusCode::SERVICE_UNAVAILABLE);
    // Every poll is a connection of its own.
    let poll = || {
        let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
        Reply::to(client.get(server.url(&url)))
    };
    assert_eq!(poll().await.json()["status"], "running");
    server.gate.open();
    while poll().await.json()["status"] != "done" {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(server.stopped().await, 0);
}

#[tokio::test]
async fn jobs_and_keys_belong_to_their_caller() {
    let server = Server::with(Options { open: false, ..Options::default() }).await;
    let (ours, theirs) = (server.key("ours").await, server.key("theirs").await);
    let post = |path: &str, caller: &str, said: &str| {
        let request = server.request(Method::POST, path).bearer_auth(caller).header("idempotency-key", "k");
        Reply::to(request.body(quick(said).to_string()))
    };
    let url = post("/v1/jobs", &ours, "2").await.header("location").to_owned();
    for (caller, status) in [(&ours, StatusCode::OK), (&theirs, StatusCode::NOT_FOUND)] {
        let reply = Reply::to(server.request(Method::GET, &url).bearer_auth(caller)).await;
        assert_eq!(reply.status, status);
    }
    assert_eq!(post("/v1/jobs", &ours, "3").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(post("/v1/jobs", &theirs, "3").await.status, StatusCode::ACCEPTED);
    assert_eq!(post("/v1/grade", &ours, "3").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_repeated_key_gets_the_first_answer() {
    let server = Server::start().await;
    let body = slow(1);
    let repeat = async {
        server.gate.until_begun(1).await;
        let open = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            server.gate.open();
        };
        tokio::join!(with_key(&server, "/v1/grade", "k1", &body), open).0
    };
    let (first, second) = tokio::join!(with_key(&server, "/v1/grade", "k1", &body), repeat);
    assert_eq!((first.status, first.header("idempotency-replayed")), (StatusCode::OK, ""));
    assert_eq!((second.status, second.header("idempotency-replayed")), (StatusCode::OK, "true"));
    assert_eq!(first.body, second.body);
    assert_eq!(with_key(&server, "/v1/grade", "k1", &slow(1)).await.body, first.body);
    assert_eq!(server.gate.begun(), 1);
    let other = with_key(&server, "/v1/grade", "k1", &slow(2)).await;
    assert_eq!(other.json()["type"], "urn:gavel:problem:key_reused");
    assert!(server.app.metrics.render().contains("gavel_idempotent_replies_total{scope=\"grade\"}"));
}

#[tokio::test]
async fn a_client_that_lost_its_connection_loses_nothing() {
    let server = Server::start().await;
    let request = server.request(Method::POST, "/v1/grade").header("idempotency-key", "k");
    let lost = request.body(slow(1).to_string()).timeout(Duration::from_millis(300)).send().await;
    assert!(lost.unwrap_err().is_timeout());
    assert_eq!(server.gate.begun(), 1);
    server.gate.open();
    let again = with_key(&server, "/v1/grade", "k", &slow(1)).await;
    assert_eq!(again.json()["groups"][0]["rewards"][0]["reward"], 1.0);
    assert_eq!((again.header("idempotency-replayed"), server.gate.begun()), ("true", 1));
}

#[tokio::test]
async fn only_whole_answers_are_kept() {
    let server = Server::start().await;
    let unreadable =
        json!({"rubric": "code", "groups": [{"task": {"tests": {"cases": []}}, "completions": ["2"]}]});
    for body in [json!({}), unreadable] {
        assert_eq!(with_key(&server, "/v1/grade", "k", &body).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let reply = with_key(&server, "/v1/grade", "k", &quick("2")).await;
    assert_eq!((reply.status, reply.header("idempotency-replayed")), (StatusCode::OK, ""));
    for key in ["", &"k".repeat(256)] {
        assert_eq!(with_key(&server, "/v1/grade", key, &quick("2")).await.status, StatusCode::BAD_REQUEST);
    }
    let streamed = server.request(Method::POST, "/v1/grade").header("idempotency-key", "s");
    let streamed = streamed.header("accept", "application/x-ndjson").body(quick("2").to_string());
    assert_eq!(Reply::to(streamed).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_repeated_key_names_the_same_job_as_long_as_it_is_there() {
    let server = Server::start().await;
    let first = with_key(&server, "/v1/jobs", "k", &slow(1)).await;
    let second = with_key(&server, "/v1/jobs", "k", &slow(1)).await;
    assert_eq!((second.status, second.header("idempotency-replayed")), (StatusCode::ACCEPTED, "true"));
    assert_eq!(first.json()["id"], second.json()["id"]);
    let url = first.json()["url"].as_str().unwrap().to_owned();
    server.send(Method::DELETE, &url, &Value::Null).await;
    let third = with_key(&server, "/v1/jobs", "k", &slow(1)).await;
    assert_eq!((third.status, third.header("idempotency-replayed")), (StatusCode::ACCEPTED, ""));
    assert_ne!(first.json()["id"], third.json()["id"]);
    server.gate.open();
    assert_eq!(ended(&server, third.header("location")).await["status"], "done");
}
