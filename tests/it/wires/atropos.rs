//! Atropos's collector: what its environments and trainers send, and what they read.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{post, post_raw, serve};
use crate::server::Server;

async fn get(server: &Server, path: &str, body: &Value) -> (StatusCode, Value) {
    let response = server.request(Method::GET, path).body(body.to_string()).send().await.unwrap();
    (response.status(), serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default())
}

async fn ok(server: &Server, path: &str) -> Value {
    let (status, reply) = get(server, path, &Value::Null).await;
    assert_eq!(status, StatusCode::OK, "{path}: {reply}");
    reply
}

fn trainer(batch_size: i64) -> Value {
    json!({
        "wandb_group": "g", "wandb_project": "p", "batch_size": batch_size, "max_token_len": 512,
        "checkpoint_dir": "/c", "save_checkpoint_interval": 5, "starting_step": 3, "num_steps": 9,
    })
}

fn environment(group_size: i64, share: &Value) -> Value {
    json!({"max_token_length": 512, "desired_name": "math", "weight": 1.0, "group_size": group_size,
        "min_batch_allocation": share})
}

fn group(mark: i64, n: usize, environment: &Value) -> Value {
    json!({"tokens": vec![vec![mark, 1]; n], "masks": vec![vec![-100, 1]; n], "scores": vec![0.5; n],
        "env_id": environment})
}

fn marks(batch: &Value) -> Vec<i64> {
    batch["batch"].as_array().unwrap().iter().map(|group| group["tokens"][0][0].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn groups_become_batches() {
    let server = serve(json!({})).await;
    assert_eq!(ok(&server, "/atropos/info").await, json!({"batch_size": -1, "max_token_len": -1}));
    assert_eq!(ok(&server, "/atropos/wandb_info").await, json!({"group": null, "project": null}));
    assert_eq!(ok(&server, "/atropos/batch").await["status"], "error");
    assert_eq!(ok(&server, "/atropos/latest_example").await["tokens"], json!([]));

    let (_, reply) = post(&server, "/atropos/register", &trainer(4)).await;
    assert!(reply["uuid"].is_number());
    assert_eq!(ok(&server, "/atropos/info").await, json!({"batch_size": 4, "max_token_len": 512}));
    let (_, reply) = post(&server, "/atropos/register-env", &environment(2, &Value::Null)).await;
    assert_eq!(reply, json!({"status": "wait for trainer to start"}));
    assert_eq!(ok(&server, "/atropos/batch").await, json!({"batch": null}));
    for (id, name) in [(0, "math_0"), (1, "math_1")] {
        let (_, reply) = post(&server, "/atropos/register-env", &environment(2, &Value::Null)).await;
        let expected = json!({
            "status": "success", "env_id": id, "wandb_name": name, "checkpoint_dir": "/c", "starting_step": 3,
            "checkpoint_interval": 5, "num_steps": 9,
        });
        assert_eq!(reply, expected);
    }

    let (_, reply) = post(&server, "/atropos/scored_data", &group(1, 2, &json!(0))).await;
    assert_eq!(reply, json!({"status": "received"}));
    let (_, reply) = post(&server, "/atropos/scored_data", &group(2, 1, &json!(0))).await;
    assert_eq!(reply, json!({"status": "buffered", "buffer_size": 1}));
    let list = json!([group(3, 1, &json!(0)), group(4, 2, &Value::Null)]);
    let (_, reply) = post(&server, "/atropos/scored_data_list", &list).await;
    assert_eq!(
        reply,
        json!({"status": "received", "groups_processed": 2, "buffered": 1, "last_buffer_size": 0})
    );
    assert_eq!(ok(&server, "/atropos/status").await, json!({"current_step": 3, "queue_size": 4}));

    let batch = ok(&server, "/atropos/batch").await;
    assert_eq!(marks(&batch), [1, 2, 3]);
    let whole = json!({
        "tokens": [[1, 1], [1, 1]], "masks": [[-100, 1], [-100, 1]], "scores": [0.5, 0.5], "advantages": null,
        "ref_logprobs": null, "messages": null, "generation_params": null, "inference_logprobs": null,
        "overrides": null, "group_overrides": null, "images": null, "env_id": 0, "distill_token_ids": null,
        "distill_logprobs": null,
    });
    assert_eq!(batch["batch"][0], whole);
    assert_eq!(ok(&server, "/atropos/latest_example").await["tokens"][0][0], 4);
    assert_eq!(ok(&server, "/atropos/batch").await, json!({"batch": null}));
    assert_eq!(ok(&server, "/atropos/status").await, json!({"current_step": 4, "queue_size": 1}));

    let (_, reply) = get(&server, "/atropos/status-env", &json!({"env_id": 1})).await;
    let expected = json!({
        "current_step": 4, "queue_size": 1, "unallocated_fraction": 1.0, "self_queue_size": 0, "max_group_size": 2,
        "env_weight": 0.5,
    });
    assert_eq!(reply, expected);
    let (_, reply) = post(&server, "/atropos/disconnect-env", &json!({"env_id": 1})).await;
    assert_eq!(reply, json!({"status": "success"}));
    let (_, reply) = post(&server, "/atropos/disconnect-env", &json!({"env_id": 7})).await;
    assert_eq!(reply["status"], "failure");
    let (status, _) = get(&server, "/atropos/status-env", &json!({"env_id": 7})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(server.get("/atropos/reset_data").await.text(), "Reset successful");
    assert_eq!(ok(&server, "/atropos/status").await, json!({"current_step": 0, "queue_size": 0}));
}

#[tokio::test]
async fn what_is_no_group_is_refused() {
    let server = serve(json!({})).await;
    post(&server, "/atropos/register", &trainer(2)).await;
    for (path, body) in [
        ("register", json!({"batch_size": 1})),
        ("register", trainer(0)),
        ("register-env", environment(0, &Value::Null)),
        ("register-env", environment(1 << 40, &Value::Null)),
        ("scored_data", json!({"tokens": [[1]], "masks": [[1]]})),
        ("scored_data", json!({"tokens": [1], "masks": [[1]], "scores": [1.0]})),
        (
            "scored_data",
            json!({"tokens": [[1]], "masks": [[1]], "scores": [1.0], "messages": [[{"role": "user"}]]}),
        ),
        ("scored_data", json!({"tokens": [[1]], "masks": [[1]], "scores": [null]})),
        ("scored_data_list", json!({})),
        ("scored_data_list", json!([1])),
    ] {
        let (status, reply) = post(&server, &format!("/atropos/{path}"), &body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{path} {body}: {reply}");
    }
    let nan = br#"{"tokens": [[1]], "masks": [[1]], "scores": [NaN]}"#.to_vec();
    assert_eq!(post_raw(&server, "/atropos/scored_data", nan).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(ok(&server, "/atropos/status").await["queue_size"], 0);
}
