//! Faults behind every wire that judges in one request: what the trainer sees is what docs/plug-in/README.md says, and
//! it is never a 0 that nobody set.

use std::sync::Arc;
use std::time::Duration;

use gavel::server::compat::Wires;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{post, sets};
use crate::scripted::Scripted;
use crate::server::{Options, Server};

/// What a wire is sent, and what it says of a completion that was not judged.
struct Row {
    path: &'static str,
    sent: Value,
    not_judged: fn(&Value) -> bool,
}

/// Each wire with a completion to judge by `rubric` and its right answer or tests.
fn rows(text: &str, rubric: &str, label: &Value) -> Vec<Row> {
    let message = json!({
        "id": "m", "type": "message", "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    });
    let response = json!({
        "id": "r", "created_at": 1.0, "model": "m", "object": "response", "parallel_tool_calls": true,
        "tool_choice": "auto", "tools": [], "output": [message],
    });
    let row = json!({
        "responses_create_params": {"input": [{"role": "user", "content": "?"}]}, "response": response,
        "label": label, "rubric": rubric,
    });
    let messages = json!([{"role": "user", "content": "?"}, {"role": "assistant", "content": text}]);
    vec![
        Row {
            path: "/get_reward",
            sent: json!({"query": [text], "labels": [label]}),
            not_judged: |reply| {
                reply["rewards"] == json!([-7.0]) && reply["extra_logs"]["judged"] == json!([0])
            },
        },
        Row {
            path: "/rm",
            sent: json!({"prompt": "?", "response": text, "label": label}),
            not_judged: |reply| *reply == json!(-7.0),
        },
        Row {
            path: "/reward",
            sent: json!({"messages": messages, "ground_truth": label}),
            not_judged: |reply| reply["is_score_valid"] == json!(false) && reply["score"] == json!(-7.0),
        },
        Row {
            path: "/verify",
            sent: row.clone(),
            not_judged: |reply| reply["mask_sample"] == json!(true) && reply["failure_kind"].is_string(),
        },
        Row {
            path: "/verifiers/verify",
            sent: row,
            not_judged: |reply| reply["reward"].is_null() && reply.get("reward").is_some(),
        },
        Row {
            path: "/v1/grade",
            sent: json!({"rubric": rubric, "groups": [{"task": label, "completions": [text]}]}),
            not_judged: |reply| {
                let reward = &reply["groups"][0]["rewards"][0];
                reward["reward"].is_null() && reward["error"].is_object()
            },
        },
    ]
}

async fn all_say_so(server: &Server, rows: Vec<Row>, rubric: &str) {
    for Row { path, sent, not_judged } in rows {
        let query = match path {
            "/v1/grade" => String::new(),
            "/verifiers/verify" => format!("?rubric={rubric}"),
            _ => format!("?rubric={rubric}&on_infra_failure=-7"),
        };
        let (status, reply) = post(server, &format!("{path}{query}"), &sent).await;
        assert_eq!(status, StatusCode::OK, "{path}: {reply}");
        assert!(not_judged(&reply), "{path}: {reply}");
    }
}

#[tokio::test]
async fn a_sandbox_that_fails_is_no_verdict() {
    let wires = Wires { sets: sets(), ..Wires::default() };
    let server =
        Server::with(Options { wires, sandbox: Some(Arc::new(Scripted)), ..Options::default() }).await;
    let label = json!({"tests": {"inputs": ["1\n"], "outputs": ["1\n"]}});
    for fault in ["broken", "wall"] {
        all_say_so(&server, rows(&format!("```python\n{fault}\n```"), "code", &label), "code").await;
    }
    // A language that is not installed.
    let label = json!({"tests": {"inputs": ["1\n"], "outputs": ["1\n"], "language": "javascript"}});
    all_say_so(&server, rows("```javascript\nprint 1\n```", "code", &label), "code").await;
}

#[tokio::test]
async fn a_deadline_that_passed_is_no_verdict() {
    let wires = Wires { sets: sets(), ..Wires::default() };
    let options = Options { wires, max_deadline: Duration::ZERO, ..Options::default() };
    let server = Server::with(options).await;
    all_say_so(&server, rows("\\boxed{42}", "math", &json!({"reference": "42"})), "math").await;
}

#[tokio::test]
async fn a_reference_that_cannot_be_read_is_no_verdict() {
    let server = Server::with(Options::default()).await;
    all_say_so(&server, rows("\\boxed{42}", "math", &json!({"reference": "\\frac{"})), "math").await;
}

#[tokio::test]
async fn a_judge_that_cannot_be_reached_is_no_verdict() {
    let label = json!({"reference": "42"});
    for (grader, settings, kind) in [
        (json!({"type": "judge", "model": "m"}), crate::opinions::nowhere(), "judge_unavailable"),
        (json!({"type": "judge", "model": "absent"}), crate::opinions::nowhere(), "judge_unavailable"),
        (json!({"type": "external", "model": "r"}), crate::opinions::nowhere(), "external_unavailable"),
    ] {
        let wires = Wires { sets: sets(), ..Wires::default() };
        let server = Server::with(Options { wires, opinions: settings, ..Options::default() }).await;
        let rubric = json!({"components": [{"name": "a", "grader": grader}]});
        let kept = server.send(reqwest::Method::PUT, "/v1/rubrics/asked", &rubric).await;
        assert!(kept.status.is_success(), "{}", kept.text());
        all_say_so(&server, rows("\\boxed{42}", "asked", &label), "asked").await;
        let sent = json!({"rubric": "asked", "groups": [{"task": label, "completions": ["\\boxed{42}"]}]});
        let reply = server.grade(&sent).await;
        assert_eq!(reply["groups"][0]["rewards"][0]["error"]["kind"], kind, "{reply}");
    }
}

#[tokio::test]
async fn a_store_that_is_gone_costs_no_reward() {
    let server = Server::with(Options::default()).await;
    server.app.store.close().await;
    let label = json!({"reference": "42"});
    let (_, reply) = post(
        &server,
        "/rm?rubric=math&on_infra_failure=-7",
        &json!({"response": "\\boxed{42}", "label": label}),
    )
    .await;
    assert_eq!(reply, json!(1.0));
    let sent =
        json!({"rubric": "math", "run": "r", "groups": [{"task": label, "completions": ["\\boxed{42}"]}]});
    let (status, reply) = post(&server, "/v1/grade", &sent).await;
    assert_eq!(
        (status, &reply["groups"][0]["rewards"][0]["reward"]),
        (StatusCode::OK, &json!(1.0)),
        "{reply}"
    );
    assert!(reply["stored"]["n_groups"] == json!(0) && reply["stored"]["error"].is_string(), "{reply}");
}
