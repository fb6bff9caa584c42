//! What the API does when all is well, and when the server is full, stopping, or left alone by its caller.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::time::Duration;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use gavel::server::admission::Limits;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::{Options, Reply, Server};

/// A rubric of two parts that needs no tokens.
fn exact() -> Value {
    json!({"components": [
        {"name": "accuracy", "grader": {"type": "exact"}},
        {"name": "format", "grader": {"type": "format"}, "weight": 0.5},
    ]})
}

/// A rubric whose programs wait at the gate.
fn slow() -> Value {
    json!({"components": [{"name": "tests", "grader": {"type": "code"}}]})
}

fn slow_group(n: usize) -> Value {
    json!({
        "task": {"tests": {"language": "python", "cases": [{"stdout": "1"}]}},
        "completions": vec!["```python\nprint(1)\n```"; n],
    })
}

fn names(reward: &Value) -> Vec<&str> {
    reward["components"].as_array().unwrap().iter().map(|part| part["name"].as_str().unwrap()).collect()
}

fn near(value: &Value, expected: f64) -> bool {
    value.as_f64().is_some_and(|value| (value - expected).abs() < 1e-9)
}

#[tokio::test]
async fn a_group_is_graded_with_reasons() {
    let server = Server::start().await;
    let reply = server
        .grade(&json!({"rubric": exact(), "groups": [
            {"id": "q", "task": {"reference": "4"}, "completions": [
                {"id": "a", "text": "<think>2+2</think><answer>4</answer>"}, "5"]},
            {"task": {"reference": "x"}, "completions": ["x"]},
        ]}))
        .await;
    let groups = reply["groups"].as_array().unwrap();
    assert_eq!((groups.len(), &groups[0]["id"], &groups[1]["index"]), (2, &json!("q"), &json!(1)));
    let rewards = &groups[0]["rewards"];
    assert_eq!((&rewards[0]["id"], &rewards[0]["reward"]), (&json!("a"), &json!(1.5)));
    assert_eq!(rewards[0]["components"][0]["reason"], "match");
    assert_eq!(rewards[0]["components"][1]["reason"], "well_formed");
    assert_eq!(
        (&rewards[1]["reward"], &rewards[1]["components"][1]["reason"]),
        (&json!(0.0), &json!("malformed"))
    );
    assert_eq!(rewards[1]["components"][1]["weight"], 0.5);
    let provenance = &groups[0]["provenance"];
    assert_eq!(provenance["rubric_hash"].as_str().unwrap().len(), 64);
    assert_ne!(provenance["reference_hash"], groups[1]["provenance"]["reference_hash"]);
    assert!(provenance["graders"]["exact"].is_u64());
    assert!(reply["elapsed_ms"].is_f64());
    assert!(reply.get("stored").is_none());
}

#[tokio::test]
async fn curl_needs_no_content_type() {
    let server = Server::start().await;
    for kind in ["application/x-www-form-urlencoded", "text/plain", "application/json; charset=UTF-8"] {
        let body = json!({"rubric": "json", "groups": [{"completions": ["{}"]}]}).to_string();
        let request = server.request(Method::POST, "/v1/grade").header("content-type", kind).body(body);
        assert_eq!(Reply::to(request).await.status, StatusCode::OK, "{kind}");
    }
}

#[tokio::test]
async fn groups_are_streamed_one_a_line() {
    let server = Server::start().await;
    let body = json!({"rubric": exact(), "advantage": "grpo", "run": "lines", "groups": [
        {"id": "a", "task": {"reference": "1"}, "completions": ["1", "2"]},
        {"id": "b", "completions": []},
        {"id": "c", "task": {}, "completions": ["1"]},
        {"id": "d", "task": {"reference": "2"}, "completions": ["2"]},
    ]});
    let request = server.request(Method::POST, "/v1/grade").header("accept", "application/x-ndjson");
    let reply = Reply::to(request.body(body.to_string())).await;
    assert_eq!((reply.status, reply.header("content-type")), (StatusCode::OK, "application/x-ndjson"));
    let mut lines = reply.lines();
    let end = lines.pop().unwrap();
    assert_eq!(end["stored"], json!({"run": "lines", "n_groups": 2}));
    assert!(end["elapsed_ms"].is_f64());
    lines.sort_by_key(|line| line["index"].as_u64());
    let ids: Vec<&str> = lines.iter().map(|line| line["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["a", "b", "c", "d"]);
    assert!(lines[0]["rewards"][0]["advantage"].as_f64().unwrap() > 0.0);
    assert_eq!(lines[1]["error"]["pointer"], "/groups/1/completions");
    assert_eq!(lines[2]["error"]["pointer"], "/groups/2/task/reference");
    assert_eq!(lines[2]["rewards"][0]["reward"], Value::Null);
    assert_eq!(lines[3]["rewards"][0]["reward"], 1.0);
}

#[tokio::test]
async fn a_malformed_group_fails_alone() {
    let server = Server::start().await;
    let reply = server
        .grade(&json!({"rubric": exact(), "groups": [
            {"id": "good", "task": {"reference": "1"}, "completions": ["1"]},
            {"id": "bad", "task": 5, "completions": ["1"]},
            {"id": "good", "task": {"reference": "1"}, "completions": ["1"]},
            {"id": "lacks", "task": {}, "completions": ["1", "2"]},
        ]}))
        .await;
    let groups = &reply["groups"];
    assert_eq!(groups[0]["rewards"][0]["reward"], 1.0);
    assert_eq!((&groups[1]["id"], &groups[1]["error"]["pointer"]), (&json!("bad"), &json!("/groups/1/task")));
    assert_eq!(groups[1]["rewards"], json!([]));
    assert_eq!(groups[2]["error"]["pointer"], "/groups/2/id");
    assert_eq!(groups[3]["error"]["pointer"], "/groups/3/task/reference");
    for reward in groups[3]["rewards"].as_array().unwrap() {
        assert_eq!(reward["reward"], Value::Null);
        assert_eq!(reward["error"]["kind"], "invalid_task");
        assert_eq!(names(reward), ["accuracy", "format"]);
    }
}

#[tokio::test]
async fn one_completion_that_cannot_be_judged_leaves_the_others_their_rewards() {
    let server = Server::start().await;
    let rubric = json!({"components": [
        {"name": "accuracy", "grader": {"type": "exact"}},
        {"name": "short", "grader": {"type": "length", "rule": "limit", "max": 100}},
    ]});
    let completions: Vec<Value> = (0..64)
        .map(|i| if i == 17 { json!({"text": "1"}) } else { json!({"text": "1", "n_tokens": i}) })
        .collect();
    let reply = server
        .grade(&json!({"rubric": rubric, "advantage": "grpo",
            "groups": [{"task": {"reference": "1"}, "completions": completions}]}))
        .await;
    let rewards = reply["groups"][0]["rewards"].as_array().unwrap();
    assert_eq!(rewards.iter().filter(|reward| reward["reward"].is_number()).count(), 63);
    let other = &rewards[17];
    assert_eq!((&other["reward"], &other["advantage"]), (&Value::Null, &Value::Null));
    assert_eq!(
        (&other["error"]["component"], &other["error"]["kind"]),
        (&json!("short"), &json!("missing_length"))
    );
    assert!(other["error"]["message"].as_str().unwrap().contains("n_tokens"));
    assert_eq!(other["components"][0]["score"], 1.0, "what could be judged is still said");
    assert!(rewards.iter().all(|reward| names(reward) == ["accuracy", "short"]));
}

#[tokio::test]
async fn advantages_come_in_several_kinds() {
    let server = Server::start().await;
    let groups = json!([
        {"task": {"reference": "1"}, "completions": [
            {"text": "1", "n_tokens": 1}, {"text": "2", "n_tokens": 3}]},
        {"task": {"reference": "1"}, "completions": [
            {"text": "1", "n_tokens": 1}, {"text": "1", "n_tokens": 1}]},
    ]);
    let rubric = json!({"components": [{"name": "accuracy", "grader": {"type": "exact"}}]});
    let rows = [
        (json!("dr_grpo"), [0.5, -0.5]),
        (json!({"estimator": "rloo"}), [1.0, -1.0]),
        (json!({"estimator": "grpo", "scale": "none"}), [0.5, -0.5]),
        (json!({"estimator": "grpo", "eps": 0, "ddof": 0}), [1.0, -1.0]),
        (json!("max_rl"), [1.0, -1.0]),
        (json!("kimi"), [0.5, -0.5]),
        (json!("opo"), [0.75, -0.25]),
        (json!({"estimator": "passk", "normalize": false}), [1.0, 0.0]),
        (json!("gpg"), [0.5 * 4.0 / 3.0, -0.5 * 4.0 / 3.0]),
    ];
    for (advantage, expected) in rows {
        let reply = server.grade(&json!({"rubric": rubric, "advantage": advantage, "groups": groups})).await;
        let rewards = &reply["groups"][0]["rewards"];
        for (index, expected) in expected.into_iter().enumerate() {
            assert!(near(&rewards[index]["advantage"], expected), "{advantage}: {rewards}");
        }
        assert!(near(&reply["groups"][1]["rewards"][0]["advantage"], 0.0), "{advantage}");
    }
    let reply = server.grade(&json!({"rubric": rubric, "advantage": "gdpo", "groups": groups})).await;
    assert!(reply["groups"][0]["rewards"][0]["advantage"].as_f64().unwrap() > 0.5);
}

#[tokio::test]
async fn weights_follow_the_step_and_a_latch_stays_closed() {
    let server = Server::start().await;
    let rubric = json!({"components": [
        {"name": "accuracy", "grader": {"type": "exact"}},
        {"name": "late", "grader": {"type": "format"}, "weight": {"from_step": 10, "value": 0.5}},
        {"name": "latched", "grader": {"type": "format"}, "weight": {"metric": "acc", "at_least": 0.8, "value": 0.25}},
    ]});
    let weights = async |step: u64, accuracy: f64, run: &str| -> [f64; 2] {
        let reply = server
            .grade(&json!({"rubric": rubric, "step": step, "metrics": {"acc": accuracy}, "run": run,
                "groups": [{"task": {"reference": "1"}, "completions": ["1"]}]}))
            .await;
        let parts = &reply["groups"][0]["rewards"][0]["components"];
        [1, 2].map(|index| parts[index]["weight"].as_f64().unwrap())
    };
    assert_eq!(weights(1, 0.1, "run").await, [0.0, 0.0]);
    assert_eq!(weights(10, 0.9, "run").await, [0.5, 0.25]);
    assert_eq!(weights(11, 0.1, "run").await, [0.5, 0.25], "the latch was closed by the request before");
    assert_eq!(weights(11, 0.1, "other").await, [0.5, 0.0], "another run has its own latches");
}

#[tokio::test]
async fn a_refused_request_closes_no_latch() {
    let server = Server::start().await;
    let rubric = json!({"components": [
        {"name": "a", "grader": {"type": "exact"}, "weight": {"metric": "acc", "at_least": 0.8, "value": 1}},
        {"name": "b", "grader": {"type": "exact"}, "weight": {"metric": "other", "at_least": 0.8, "value": 1}},
    ]});
    let reply = server
        .post(
            "/v1/grade",
            &json!({"rubric": rubric, "metrics": {"acc": 1.0}, "run": "r",
            "groups": [{"task": {"reference": "1"}, "completions": ["1"]}]}),
        )
        .await;
    assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(server.get("/v1/runs/r").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_deadline_that_has_passed_leaves_nulls() {
    let server = Server::start().await;
    let body = |deadline: Value| {
        let mut body =
            json!({"rubric": exact(), "groups": [{"task": {"reference": "1"}, "completions": ["1", "2"]}]});
        if !deadline.is_null() {
            body["deadline_ms"] = deadline;
        }
        body.to_string()
    };
    let post = || server.request(Method::POST, "/v1/grade");
    let by_field = Reply::to(post().body(body(json!(0)))).await;
    let by_header = Reply::to(post().header("gavel-deadline-ms", "0").body(body(Value::Null))).await;
    for reply in [by_field, by_header] {
        assert_eq!(reply.status, StatusCode::OK);
        for reward in reply.json()["groups"][0]["rewards"].as_array().unwrap() {
            assert_eq!(reward["reward"], Value::Null);
            assert_eq!(reward["error"]["kind"], "deadline_exceeded");
            assert_eq!(names(reward), ["accuracy", "format"]);
            assert_eq!(reward["components"][1]["reason"], "deadline_exceeded");
        }
    }
    let field_wins = Reply::to(post().header("gavel-deadline-ms", "0").body(body(json!(60_000)))).await;
    assert_eq!(field_wins.json()["groups"][0]["rewards"][0]["reward"], 1.0);
}

#[tokio::test]
async fn rubrics_are_kept_by_name() {
    let server = Server::start().await;
    let put = server.send(Method::PUT, "/v1/rubrics/mine", &exact()).await;
    assert_eq!(put.status, StatusCode::OK, "{}", put.text());
    let read = server.get("/v1/rubrics/mine").await.json();
    assert_eq!((&read["rubric"], &read["preset"]), (&exact(), &json!(false)));
    assert_eq!(read["hash"], put.json()["hash"]);
    let list = server.get("/v1/rubrics").await.json();
    let listed: BTreeSet<&str> =
        list["rubrics"].as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect();
    assert!(listed.is_superset(&["math", "json", "code", "mine"].into()), "{listed:?}");
    let reply = server
        .grade(&json!({"rubric": "mine", "groups": [{"task": {"reference": "1"}, "completions": ["1"]}]}))
        .await;
    assert_eq!(reply["groups"][0]["provenance"]["rubric_hash"], read["hash"]);
    let one = json!({"components": [{"name": "only", "grader": {"type": "exact"}}]});
    assert_eq!(server.send(Method::PUT, "/v1/rubrics/mine", &one).await.status, StatusCode::OK);
    let reply = server
        .grade(&json!({"rubric": "mine", "groups": [{"task": {"reference": "1"}, "completions": ["1"]}]}))
        .await;
    assert_eq!(names(&reply["groups"][0]["rewards"][0]), ["only"], "the new one is used at once");
    let delete = Reply::to(server.request(Method::DELETE, "/v1/rubrics/mine")).await;
    assert_eq!(delete.status, StatusCode::NO_CONTENT);
    assert_eq!(server.get("/v1/rubrics/mine").await.status, StatusCode::NOT_FOUND);
    assert_eq!(server.get("/v1/rubrics/math").await.json()["preset"], true);
}

/// Keeps three steps of two groups under `name`.
async fn keep_run(server: &Server, name: &str) {
    for step in 1..=3 {
        let reply = server
            .grade(&json!({"rubric": exact(), "step": step, "run": name, "advantage": "rloo", "groups": [
                {"id": format!("right-{step}"), "task": {"prompt": "1+0?", "reference": "1"},
                 "completions": [{"text": "1", "n_tokens": 5}, {"text": "2", "n_tokens": 9}]},
                {"id": format!("wrong-{step}"), "task": {"prompt": "1+1?", "reference": "2"},
                 "completions": ["3", "4"]},
            ]}))
            .await;
        assert_eq!(reply["stored"], json!({"run": name, "n_groups": 2}));
    }
}

#[tokio::test]
async fn a_run_is_kept_read_paged_and_deleted() {
    let server = Server::start().await;
    keep_run(&server, "a run").await;
    keep_run(&server, "other").await;
    let runs = server.get("/v1/runs?limit=1").await.json();
    assert_eq!(runs["runs"][0]["name"], "other", "the newest first");
    let next = runs["next"].as_str().unwrap();
    let rest = server.get(&format!("/v1/runs?limit=1&after={next}")).await.json();
    assert_eq!((&rest["runs"][0]["name"], rest.get("next")), (&json!("a run"), None));

    let run = server.get("/v1/runs/a%20run").await.json();
    let counts =
        ["n_groups", "n_completions", "n_rewarded", "last_step"].map(|key| run[key].as_u64().unwrap());
    assert_eq!(counts, [6, 12, 12, 3]);
    assert!(near(&run["reward_mean"], 0.25));

    let metrics = server.get("/v1/runs/a%20run/metrics").await.json();
    let steps = metrics["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 3);
    assert!(near(&steps[0]["metrics"]["reward/mean"], 0.25), "{metrics}");
    assert!(near(&steps[0]["metrics"]["reward/accuracy"], 0.25), "{metrics}");
    assert!(near(&steps[0]["metrics"]["zero_variance_fraction"], 0.5), "{metrics}");
    assert_eq!(
        server.get("/v1/runs/a%20run/metrics?from_step=3").await.json()["steps"].as_array().unwrap().len(),
        1
    );

    let (mut after, mut ids) = (String::new(), Vec::new());
    loop {
        let page = server.get(&format!("/v1/runs/a%20run/groups?limit=4{after}")).await.json();
        ids.extend(
            page["groups"].as_array().unwrap().iter().map(|group| group["id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(ids, ["right-1", "wrong-1", "right-2", "wrong-2", "right-3", "wrong-3"]);

    let page = server.get("/v1/runs/a%20run/groups?step=2").await.json();
    let entry = &page["groups"][0];
    assert_eq!((page["groups"].as_array().unwrap().len(), &entry["id"]), (2, &json!("right-2")));
    let key = entry["key"].as_str().unwrap();
    let group = server.get(&format!("/v1/runs/a%20run/groups/{key}")).await.json();
    assert_eq!((&group["group"]["id"], &group["rubric"]), (&json!("right-2"), &exact()));
    assert_eq!(group["group"]["completions"][1], json!({"text": "2", "n_tokens": 9}));
    assert_eq!(
        (&group["rewards"][0]["reward"], &group["rewards"][0]["advantage"]),
        (&json!(1.0), &json!(1.0))
    );
    assert_eq!(names(&group["rewards"][0]), ["accuracy", "format"]);
    let elsewhere = server.get(&format!("/v1/runs/other/groups/{key}")).await;
    assert_eq!(elsewhere.status, StatusCode::NOT_FOUND, "a group belongs to its run");

    let delete = Reply::to(server.request(Method::DELETE, "/v1/runs/a%20run")).await;
    assert_eq!(delete.status, StatusCode::NO_CONTENT);
    assert_eq!(server.get("/v1/runs/a%20run").await.status, StatusCode::NOT_FOUND);
    assert_eq!(server.get("/v1/runs/other").await.json()["n_groups"], 6);
}

#[tokio::test]
async fn a_run_is_exported_in_every_format() {
    let server = Server::start().await;
    keep_run(&server, "r").await;
    for (query, n_lines) in [
        ("", 6),
        ("?format=full&from_step=2", 4),
        ("?format=full&to_step=1", 2),
        ("?format=completions", 12),
        ("?format=completions&threshold=0.5", 12),
        ("?format=pairs", 3),
        ("?format=pairs&min_margin=2", 0),
        ("?format=sft", 1),
        // The same words three times are one example.
        ("?format=sft&per_task=3&pick=shortest", 1),
        ("?format=sft&threshold=2", 0),
    ] {
        let reply = server.get(&format!("/v1/runs/r/export{query}")).await;
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (StatusCode::OK, "application/x-ndjson"),
            "{query}"
        );
        assert_eq!(reply.lines().len(), n_lines, "{query}: {}", reply.text());
    }
    let pair = &server.get("/v1/runs/r/export?format=pairs").await.lines()[0];
    assert!(pair.get("chosen").is_some() && pair.get("rejected").is_some(), "{pair}");
}

#[tokio::test]
async fn a_run_is_judged_again() {
    let server = Server::start().await;
    keep_run(&server, "r").await;
    let rubric = json!({"components": [{"name": "always", "grader": {"type": "regex", "pattern": ""}}]});
    let first = server.post("/v1/regrade", &json!({"run": "r", "rubric": rubric, "limit": 4})).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.text());
    let first = first.json();
    assert_eq!(first["groups"].as_array().unwrap().len(), 4);
    assert_eq!(first["groups"][0]["rewards"][1], json!({"id": null, "old": 0.0, "new": 1.0}));
    assert_eq!((&first["summary"]["n_completions"], &first["summary"]["n_changed"]), (&json!(8), &json!(6)));
    assert!(near(&first["summary"]["old_mean"], 0.25) && near(&first["summary"]["new_mean"], 1.0));
    let rest = server
        .post("/v1/regrade", &json!({"run": "r", "rubric": rubric, "limit": 4, "after": first["next"]}))
        .await
        .json();
    assert_eq!((rest["groups"].as_array().unwrap().len(), rest.get("next")), (2, None));
    let lacks = server.post("/v1/regrade", &json!({"run": "r", "rubric": "json", "step": 1})).await.json();
    assert_eq!(lacks["groups"].as_array().unwrap().len(), 2);
    assert!(
        near(&server.get("/v1/runs/r").await.json()["reward_mean"], 0.25),
        "nothing in the store changed"
    );
}

#[tokio::test]
async fn probes_and_metrics_answer() {
    let server = Server::start().await;
    assert_eq!(server.get("/healthz").await.json()["status"], "ok");
    assert_eq!(server.get("/readyz").await.json()["status"], "ready");
    server.grade(&json!({"rubric": "json", "groups": [{"completions": ["{}"]}]})).await;
    let metrics = server.get("/metrics").await.text();
    for name in [
        "gavel_requests_total",
        "gavel_completions_total",
        "gavel_pending_completions",
        "gavel_grade_seconds",
    ] {
        assert!(metrics.contains(name), "{name}: {metrics}");
    }
    assert!(metrics.contains(r#"grader="json",reason="valid_json""#), "{metrics}");
    let head = Reply::to(server.request(Method::HEAD, "/healthz")).await;
    assert_eq!(head.status, StatusCode::OK);
}

#[tokio::test]
async fn request_ids_come_back() {
    let server = Server::start().await;
    let named = Reply::to(server.request(Method::GET, "/healthz").header("x-request-id", "mine-7")).await;
    assert_eq!(named.header("x-request-id"), "mine-7");
    let (one, two) = (server.get("/healthz").await, server.get("/nowhere").await);
    assert!(!one.header("x-request-id").is_empty());
    assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
}

#[tokio::test]
async fn bodies_may_be_compressed_both_ways() {
    let server = Server::start().await;
    let body = json!({"rubric": "json", "groups": [{"completions": vec!["{}"; 200]}]}).to_string();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body.as_bytes()).unwrap();
    let gzip = encoder.finish().unwrap();
    let zstd = zstd::encode_all(body.as_bytes(), 3).unwrap();
    for (encoding, bytes) in
        [("gzip", gzip.clone()), ("GZIP", gzip), ("zstd", zstd), ("identity", body.into_bytes())]
    {
        let request =
            server.request(Method::POST, "/v1/grade").header("content-encoding", encoding).body(bytes);
        let reply = Reply::to(request).await;
        assert_eq!(reply.status, StatusCode::OK, "{encoding}: {}", reply.text());
    }
    let unpack = |encoding: &str, bytes: &[u8]| -> Vec<u8> {
        if encoding == "zstd" {
            return zstd::decode_all(bytes).unwrap();
        }
        let mut plain = Vec::new();
        GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
        plain
    };
    for encoding in ["gzip", "zstd"] {
        let request = server.request(Method::GET, "/v1/rubrics").header("accept-encoding", encoding);
        let reply = Reply::to(request).await;
        assert_eq!(reply.header("content-encoding"), encoding);
        let list: Value = serde_json::from_slice(&unpack(encoding, &reply.body)).unwrap();
        assert!(list["rubrics"].is_array());
    }
}

#[tokio::test]
async fn http_2_is_spoken_with_prior_knowledge() {
    let server = Server::start().await;
    let client = Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let body = json!({"rubric": "json", "groups": [{"completions": ["{}"]}]}).to_string();
    let requests = (0..20).map(|_| client.post(server.url("/v1/grade")).body(body.clone()).send());
    for response in futures_util::future::join_all(requests).await {
        let response = response.unwrap();
        assert_eq!((response.version(), response.status()), (reqwest::Version::HTTP_2, StatusCode::OK));
    }
}

#[tokio::test]
async fn a_connection_is_kept_after_an_answer_and_after_a_refusal() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    for body in [r#"{"rubric": "json", "groups": [{"completions": ["{}"]}]}"#, "not JSON", "[]", ""] {
        let head =
            format!("POST /v1/grade HTTP/1.1\r\nhost: gavel\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        let answer = read_answer(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
    }
}

/// Reads one answer with a content-length.
async fn read_answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    loop {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).await.unwrap(), 1, "the connection was closed");
        answer.push(byte[0]);
        if answer.ends_with(b"\r\n\r\n") {
            break;
        }
    }
    let head = String::from_utf8(answer).unwrap();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    head + &String::from_utf8(body).unwrap()
}

#[tokio::test]
async fn keys_let_in_and_keep_out() {
    let server = Server::with(Options { open: false, ..Options::default() }).await;
    let key = server.key("trainer").await;
    let body = json!({"rubric": "json", "groups": [{"completions": ["{}"]}]}).to_string();
    let with = async |authorization: Option<&str>| -> Reply {
        let request = server.request(Method::POST, "/v1/grade").body(body.clone());
        Reply::to(match authorization {
            Some(text) => request.header("authorization", text),
            None => request,
        })
        .await
    };
    let bearer = format!("Bearer {key}");
    assert_eq!(with(Some(&bearer)).await.status, StatusCode::OK);
    assert_eq!(with(Some(&format!("bearer  {key}"))).await.status, StatusCode::OK);
    let unknown = format!("Bearer gavel_{}", "0".repeat(64));
    for (wrong, says) in [
        (None, "gavel keys create"),
        (Some(""), "Bearer gavel_"),
        (Some("Bearer"), "Bearer gavel_"),
        (Some("Basic dXNlcjpwYXNz"), "Bearer gavel_"),
        (Some("Bearer sk-123"), "Bearer gavel_"),
        (Some(unknown.as_str()), "not known here"),
    ] {
        let reply = with(wrong).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{wrong:?}");
        assert_eq!(reply.header("www-authenticate"), "Bearer");
        assert_eq!(reply.header("content-type"), "application/problem+json");
        assert!(reply.json()["detail"].as_str().unwrap().contains(says), "{wrong:?}: {}", reply.text());
    }
    for path in ["/v1/runs", "/v1/rubrics", "/v1/rubrics/json", "/v1/runs/r/export", "/metrics"] {
        assert_eq!(server.get(path).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    for path in ["/healthz", "/readyz", "/openapi.json", "/docs/", "/"] {
        assert_eq!(server.get(path).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn a_revoked_key_is_refused() {
    let server = Server::with(Options { open: false, ..Options::default() }).await;
    let key = server.key("leaked").await;
    let id = server.app.store.api_keys().await.unwrap()[0].id;
    server.app.store.revoke_api_key(id).await.unwrap();
    let reply = Reply::to(server.request(Method::GET, "/v1/runs").bearer_auth(key)).await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    assert!(reply.text().contains("revoked"), "{}", reply.text());
}

fn assert_full(reply: &Reply) {
    assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS, "{}", reply.text());
    assert!(reply.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(reply.json()["type"], "urn:gavel:problem:full");
}

#[tokio::test]
async fn a_full_server_says_when_to_come_again() {
    let limits = Limits { max_requests: 2, max_completions: 4, ..Options::default().limits };
    let server = Server::with(Options { limits, ..Options::default() }).await;
    let quick = json!({"rubric": "json", "groups": [{"completions": ["{}"]}]});
    let waiting =
        async |n| server.post("/v1/grade", &json!({"rubric": slow(), "groups": [slow_group(n)]})).await;
    let first = tokio::spawn({
        let request = server.request(Method::POST, "/v1/grade");
        Reply::to(request.body(json!({"rubric": slow(), "groups": [slow_group(4)]}).to_string()))
    });
    server.gate.until_begun(1).await;
    assert_full(&server.post("/v1/grade", &quick).await);
    assert_full(&waiting(5).await);
    assert_eq!(server.get("/healthz").await.status, StatusCode::OK, "probes are never refused");
    server.gate.open();
    assert_eq!(first.await.unwrap().status, StatusCode::OK);
    server.grade(&quick).await;
    let larger_than_all_room = waiting(9).await;
    assert_eq!(larger_than_all_room.status, StatusCode::OK, "alone it gets in");
    assert_eq!(server.app.admission.n_completions(), 0);
}

#[tokio::test]
async fn too_many_requests_are_refused_before_they_are_read() {
    let limits = Limits { max_requests: 1, ..Options::default().limits };
    let server = Server::with(Options { limits, ..Options::default() }).await;
    let first = tokio::spawn(Reply::to(
        server
            .request(Method::POST, "/v1/grade")
            .body(json!({"rubric": slow(), "groups": [slow_group(1)]}).to_string()),
    ));
    server.gate.until_begun(1).await;
    assert_full(&server.post("/v1/grade", &json!("not even a request")).await);
    assert_full(&server.post("/v1/regrade", &json!({})).await);
    assert_full(&server.send(Method::PUT, "/v1/rubrics/x", &json!({})).await);
    server.gate.open();
    assert_eq!(first.await.unwrap().status, StatusCode::OK);
}

#[tokio::test]
async fn a_body_that_dawdles_is_sent_away() {
    let limits = Limits { body_timeout: Duration::from_millis(50), ..Options::default().limits };
    let server = Server::with(Options { limits, ..Options::default() }).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream
        .write_all(b"POST /v1/grade HTTP/1.1\r\nhost: gavel\r\ncontent-length: 100\r\n\r\n{")
        .await
        .unwrap();
    let answer = read_answer(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("send less at once"), "{answer}");
}

#[tokio::test]
async fn who_goes_away_is_not_judged_any_further() {
    let server = Server::with(Options { n_threads: 1, ..Options::default() }).await;
    let body = json!({"rubric": slow(), "groups": [slow_group(50)]}).to_string();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!("POST /v1/grade HTTP/1.1\r\nhost: gavel\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    server.gate.until_begun(1).await;
    assert_eq!(server.app.admission.n_completions(), 50);
    drop(stream);
    while server.app.admission.n_completions() > 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    server.gate.open();
    // The one thread answers in the order of arrival, so the abandoned group is over when this is answered.
    server.grade(&json!({"rubric": "json", "groups": [{"completions": ["{}"]}]})).await;
    assert_eq!(server.gate.begun(), 1, "only the program that ran already was run");
}

#[tokio::test]
async fn a_stopping_server_finishes_what_it_accepted() {
    let mut options = Options::default();
    options.connections.drain_delay = Duration::from_mins(1);
    let mut server = Server::with(options).await;
    let first = tokio::spawn(Reply::to(
        server
            .request(Method::POST, "/v1/grade")
            .body(json!({"rubric": slow(), "groups": [slow_group(2)]}).to_string()),
    ));
    server.gate.until_begun(1).await;
    server.stop();
    while !server.app.admission.is_draining() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let refused =
        server.post("/v1/grade", &json!({"rubric": "json", "groups": [{"completions": ["{}"]}]})).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.json()["type"], "urn:gavel:problem:draining");
    assert!(!refused.header("retry-after").is_empty());
    assert_eq!(server.get("/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(server.get("/healthz").await.status, StatusCode::OK);
    server.gate.open();
    let reply = first.await.unwrap();
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.json()["groups"][0]["rewards"][0]["reward"], 1.0);
}

#[tokio::test]
async fn a_stopped_server_cuts_nobody_who_is_answered() {
    let server = Server::start().await;
    server.grade(&json!({"rubric": "json", "groups": [{"completions": ["{}"]}]})).await;
    let first = tokio::spawn(Reply::to(
        server
            .request(Method::POST, "/v1/grade")
            .body(json!({"rubric": slow(), "groups": [slow_group(2)]}).to_string()),
    ));
    server.gate.until_begun(1).await;
    let gate = server.gate.clone();
    let stopped = tokio::spawn(server.stopped());
    tokio::time::sleep(Duration::from_millis(20)).await;
    gate.open();
    assert_eq!(first.await.unwrap().status, StatusCode::OK);
    assert_eq!(stopped.await.unwrap(), 0, "no connection had to be cut");
}

#[tokio::test]
async fn components_are_named_on_every_path() {
    let server = Server::start().await;
    let rubric = json!({
        "components": [
            {"name": "a", "grader": {"type": "exact"}},
            {"name": "b", "grader": {"type": "length", "rule": "limit", "max": 9}, "weight": 0},
            {"name": "c", "grader": {"type": "length", "rule": "kimi", "correct": "a"}, "weight": 0},
        ],
        "gates": [{"component": "a", "at_least": 1}],
    });
    let paths = json!([
        {"task": {"reference": "1"}, "completions": ["1", "", "2", {"text": "1", "n_tokens": 3}]},
        {"task": {}, "completions": ["1"]},
    ]);
    let mut replies = vec![server.grade(&json!({"rubric": rubric, "groups": paths})).await];
    replies.push(server.grade(&json!({"rubric": rubric, "deadline_ms": 0, "groups": paths})).await);
    for reply in replies {
        for group in reply["groups"].as_array().unwrap() {
            for reward in group["rewards"].as_array().unwrap() {
                assert_eq!(names(reward), ["a", "b", "c"], "{reward}");
                assert!(reward["components"].as_array().unwrap().iter().all(|part| {
                    part["reason"].is_string() && part["weight"].is_number() && part.get("score").is_some()
                }));
                assert_eq!(reward["reward"].is_null(), reward.get("error").is_some(), "{reward}");
            }
        }
    }
}

/// One row of `graders/testdata`.
#[derive(serde::Deserialize)]
struct Case {
    name: String,
    grader: Value,
    #[serde(default)]
    task: Value,
    completion: Value,
    score: Option<f64>,
    reason: String,
}

#[derive(serde::Deserialize)]
struct Cases {
    #[serde(default)]
    case: Vec<Case>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_gets_the_same_verdict_over_http() {
    let server = Server::start().await;
    let folder = std::path::PathBuf::from("graders/testdata");
    let (mut wrong, mut n_rows) = (Vec::new(), 0);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let cases: Cases = toml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        for case in cases.case {
            n_rows += 1;
            let place = format!("{}: {}", path.file_name().unwrap().display(), case.name);
            let task = if case.task.is_null() { json!({}) } else { case.task };
            let reply = server
                .post(
                    "/v1/grade",
                    &json!({
                        "rubric": {"components": [{"name": "row", "grader": case.grader}]},
                        "groups": [{"task": task, "completions": [case.completion]}],
                    }),
                )
                .await;
            if reply.status != StatusCode::OK {
                wrong.push(format!("{place}: {}", reply.text()));
                continue;
            }
            let reply = reply.json();
            let found = &reply["groups"][0]["rewards"][0]["components"][0];
            let same_score = match case.score {
                Some(score) => near(&found["score"], score),
                None => found["score"].is_null(),
            };
            if !same_score || found["reason"] != case.reason {
                wrong.push(format!("{place}: expected {:?} {}, got {found}", case.score, case.reason));
            }
        }
    }
    assert!(n_rows > 50, "only {n_rows} rows");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
