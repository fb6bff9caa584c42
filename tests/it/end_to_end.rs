//! Real input, all the way: generated word problems through the server and through the command line.

use std::process::Command;

use serde_json::{Value, json};

use crate::running::Running;

const N_TASKS: usize = 2000;
const N_COMPLETIONS: usize = 8;
/// Groups in one request.
const BATCH: usize = 50;

fn gavel(folder: &std::path::Path, args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_gavel")).args(args).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn two_thousand_word_problems_get_the_same_rewards_over_http_and_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let (n, g) = (N_TASKS.to_string(), N_COMPLETIONS.to_string());
    let text = gavel(
        folder.path(),
        &["tasks", "generate", "word_problem", "-n", &n, "--completions", &g, "--seed", "7"],
    );
    std::fs::write(folder.path().join("groups.jsonl"), &text).unwrap();
    let args = ["grade", "groups.jsonl", "--rubric", "r1-zero", "--advantage", "grpo"];
    let from_file = gavel(folder.path(), &args);

    let server = Running::start("sqlite::memory:".as_ref(), &[]);
    let client = reqwest::Client::new();
    let groups: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut over_http = Vec::new();
    for batch in groups.chunks(BATCH) {
        let body = json!({"rubric": "r1-zero", "advantage": "grpo", "groups": batch}).to_string();
        let reply = client.post(server.uri("/v1/grade").to_string()).body(body).send().await.unwrap();
        assert_eq!(reply.status(), 200);
        let reply: Value = serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap();
        over_http.extend(reply["groups"].as_array().unwrap().clone());
    }

    assert_eq!(over_http.len(), N_TASKS);
    let mut n_rewards = 0;
    let mut n_right = 0;
    for (line, mut group) in from_file.lines().zip(over_http) {
        let mut expected: Value = serde_json::from_str(line).unwrap();
        // Its place in the request and on the file are not the same.
        group["index"] = Value::Null;
        expected["index"] = Value::Null;
        assert_eq!(group, expected);
        let rewards = group["rewards"].as_array().unwrap();
        n_rewards += rewards.len();
        n_right += rewards.iter().filter(|reward| reward["components"][0]["score"] == 1.0).count();
    }
    assert_eq!(n_rewards, N_TASKS * N_COMPLETIONS);
    assert!(
        (0.3..0.7).contains(&(n_right as f64 / n_rewards as f64)),
        "{n_right} right ones are no real mix"
    );
}
