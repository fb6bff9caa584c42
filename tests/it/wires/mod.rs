//! The wires of trainers, as their own clients send and read them.

use std::sync::Arc;

use gavel::server::compat::{Wires, WiresSettings};
use gavel::tasks::{DataSetSettings, TaskSets};
use reqwest::{Method, StatusCode};
use sandboxes::Sandbox;
use serde_json::{Value, json};

use crate::scripted::Scripted;
use crate::server::{Options, Server};

mod atropos;
mod eval_protocol;
mod faults;
mod llama_factory;
mod nemo_gym;
mod open_instruct;
mod openenv;
mod openrlhf;
mod ors;
mod roll;
mod slime;

/// A server with these settings of `[wires]`, and the data sets of [`sets`].
async fn serve(settings: Value) -> Server {
    serve_with(settings, Arc::new(Scripted)).await
}

/// The same with another sandbox.
async fn serve_with(settings: Value, sandbox: Arc<dyn Sandbox>) -> Server {
    let settings: WiresSettings = serde_json::from_value(settings).unwrap();
    let wires = Wires { settings, sets: sets(), ..Wires::default() };
    Server::with(Options { wires, sandbox: Some(sandbox), cache_bytes: 1 << 20, ..Options::default() }).await
}

/// The data sets `sums` of two questions, `unjudged` whose task has no answer, and `writes-one` for programs.
fn sets() -> TaskSets {
    let folder = tempfile::tempdir().unwrap();
    let set = |name: &str, rubric: &str, rows: &[Value]| {
        let path = folder.path().join(name);
        std::fs::write(&path, rows.iter().map(Value::to_string).collect::<Vec<_>>().join("\n")).unwrap();
        DataSetSettings {
            name: name.to_owned(),
            rubric: rubric.into(),
            columns: None,
            train: Some(path),
            validation: None,
            test: None,
        }
    };
    let sums = [
        json!({"prompt": "What is 1+1?", "reference": "2"}),
        json!({"prompt": "What is 2+2?", "reference": "4"}),
    ];
    let one = json!({"prompt": "Print 1.", "tests": {"inputs": [""], "outputs": ["1\n"]}});
    let unjudged = json!({"prompt": "What is the weather like?"});
    TaskSets::load(vec![
        set("sums", "math", &sums),
        set("unjudged", "math", &[unjudged]),
        set("writes-one", "code", &[one]),
    ])
    .unwrap()
}

#[tokio::test]
async fn what_one_wire_asked_another_need_not_ask_again() {
    let server = serve(json!({})).await;
    let task = json!({"reference": "42"});
    let sent = json!({"rubric": "math", "groups": [{"task": task, "completions": ["\\boxed{42}"]}]});
    let (_, native) = post(&server, "/v1/grade", &sent).await;
    let kept = server.app.judge.cache().bytes();
    assert!(kept > 0);
    let sent = json!({"query": ["\\boxed{42}"], "labels": ["42"]});
    let (_, reply) = post(&server, "/get_reward?rubric=math&on_infra_failure=0", &sent).await;
    assert_eq!(reply["rewards"], json!([native["groups"][0]["rewards"][0]["reward"]]));
    assert_eq!(server.app.judge.cache().bytes(), kept, "an equal question is not kept twice");
    let metrics = String::from_utf8(server.get("/metrics").await.body).unwrap();
    assert!(metrics.contains("gavel_verdict_cache_total{result=\"hit\"}"), "{metrics}");
}

/// Texts that no server should fall over: what a policy wrote is never a reason for anything but a verdict.
fn poison() -> Vec<String> {
    vec![
        String::new(),
        "\u{0}\u{1}\u{1b}[2J\u{7f}\u{feff}".to_owned(),
        "NaN Infinity -Infinity 1e999999999".to_owned(),
        "\\boxed{".repeat(100_000),
        "[".repeat(200_000),
        "{\"a\":".repeat(50_000),
        "\\frac".repeat(100_000),
        "9".repeat(1 << 20),
        "\u{10ffff}".repeat(100_000),
        "a".repeat(10 << 20),
    ]
}

/// Sends JSON and reads JSON.
async fn post(server: &Server, path: &str, body: &Value) -> (StatusCode, Value) {
    post_raw(server, path, body.to_string().into_bytes()).await
}

/// Sends bytes as they are.
async fn post_raw(server: &Server, path: &str, body: Vec<u8>) -> (StatusCode, Value) {
    let response = server.request(Method::POST, path).body(body).send().await.unwrap();
    let status = response.status();
    (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default())
}
