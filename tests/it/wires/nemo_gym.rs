//! NeMo-Gym's resources server: rows and responses as its agents and verifiers' `nemo_gym` task set send them.

use http::header;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{poison, post, post_raw, serve};

fn response(text: &str) -> Value {
    json!({
        "id": "resp_1", "created_at": 1.0, "model": "policy", "object": "response", "status": "completed",
        "parallel_tool_calls": true, "tool_choice": "auto", "tools": [],
        "output": [
            {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "\\boxed{0}"}]},
            {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
             "content": [{"type": "output_text", "text": text, "annotations": []}]},
        ],
        "usage": {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12},
    })
}

fn row(more: &Value, text: &str) -> Value {
    let mut row = json!({
        "responses_create_params": {"input": [{"role": "user", "content": "What is 20+22?"}]},
        "response": response(text),
    });
    merge(&mut row, more);
    row
}

fn merge(row: &mut Value, more: &Value) {
    let fields = more.as_object().unwrap().iter().map(|(name, value)| (name.clone(), value.clone()));
    row.as_object_mut().unwrap().extend(fields);
}

#[tokio::test]
async fn a_verdict_is_the_request_and_the_reward() {
    let server = serve(json!({"nemo_gym": {"rubric": "math"}})).await;
    let sent = row(&json!({"expected_answer": "\\(42\\)", "question": "20+22?", "uuid": "u"}), "\\boxed{42}");
    let (status, reply) = post(&server, "/verify", &sent).await;
    assert_eq!(status, StatusCode::OK, "{reply}");
    let mut expected = sent.clone();
    merge(
        &mut expected,
        &json!({
            "reward": 1.0, "mask_sample": false, "failure_kind": null, "failure_reason": null,
            "reward_components": {"accuracy": 1.0}, "score/accuracy": 1.0, "gavel": reply["gavel"],
        }),
    );
    assert_eq!(reply, expected);
    assert_eq!(reply["gavel"]["provenance"]["rubric_hash"].as_str().unwrap().len(), 64);
    assert_eq!(reply["gavel"]["components"][0]["name"], "accuracy");
}

#[tokio::test]
async fn rewards_are_those_of_the_row() {
    let server = serve(json!({})).await;
    let programs = json!({"language": "cpp", "cases": [{"stdin": "7\n", "stdout": "7\n"}]});
    for (url, fields, text, reward) in [
        ("/verify?rubric=math", json!({"expected_answer": "42"}), "\\boxed{42}", 1.0),
        ("/verify?rubric=math", json!({"expected_answer": "$42$"}), "\\boxed{42}", 1.0),
        ("/verify?rubric=math", json!({"expected_answer": 42}), "\\boxed{41}", 0.0),
        ("/verify?rubric=math", json!({"expected_answer": "42"}), "", 0.0),
        ("/verify", json!({"ground_truth": "42", "rubric": "math"}), "\\boxed{42}", 1.0),
        ("/verify", json!({"label": ["41", "42"], "rubric": "math"}), "\\boxed{42}", 1.0),
        ("/verify?rubric=code", json!({"task": {"reference": "42"}, "rubric": "math"}), "\\boxed{42}", 1.0),
        (
            "/verify?rubric=code",
            json!({"verifier_metadata": {"unit_tests": programs}}),
            "```cpp\ncat\n```",
            1.0,
        ),
        ("/verify?rubric=code", json!({"unit_tests": programs, "label": "7"}), "```cpp\nprint 8\n```", 0.0),
        (
            "/verify?rubric=ifeval",
            json!({"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{"n": null}]}),
            "no comma",
            1.0,
        ),
        ("/verify", json!({"question": "What is 1+1?"}), "\\boxed{2}", 1.0),
        ("/verify?dataset=sums", json!({"question": "What is 2+2?"}), "\\boxed{2}", 0.0),
        ("/verify", json!({"responses_create_params": {"input": "What is 2+2?"}}), "\\boxed{4}", 1.0),
        ("/ng-rollout/r-1/verify?rubric=math", json!({"expected_answer": "42"}), "\\boxed{42}", 1.0),
        ("/verifiers/math/verify", json!({"expected_answer": "42"}), "\\boxed{42}", 1.0),
        ("/verifiers/verify", json!({"expected_answer": "42", "rubric": "math"}), "\\boxed{42}", 1.0),
    ] {
        let (status, reply) = post(&server, url, &row(&fields, text)).await;
        assert_eq!(status, StatusCode::OK, "{fields}: {reply}");
        assert_eq!(reply["reward"], json!(reward), "{fields} {text}: {reply}");
        assert_eq!(reply["mask_sample"], json!(false), "{fields} {text}");
    }
}

#[tokio::test]
async fn what_is_no_reward_is_masked() {
    let server = serve(json!({})).await;
    let tests = json!({"language": "cpp", "cases": [{"stdin": "1", "stdout": "1"}]});
    let broken = row(&json!({"unit_tests": tests, "rubric": "code"}), "```cpp\nbroken\n```");
    let mut silent = row(&json!({"expected_answer": "42", "rubric": "math"}), "");
    silent.as_object_mut().unwrap().remove("response");
    let unknown = row(&json!({"rubric": "math"}), "\\boxed{42}");
    for (sent, kind, terminal, components) in [
        (&broken, "verifier_error", false, json!({"tests": 0.0})),
        (&silent, "agent_run_error", false, json!({"accuracy": 0.0})),
        (&unknown, "gavel:invalid_task", true, json!({"accuracy": 0.0})),
    ] {
        let (status, reply) = post(&server, "/verify", sent).await;
        assert_eq!(status, StatusCode::OK, "{reply}");
        assert_eq!((&reply["reward"], &reply["mask_sample"]), (&json!(0.0), &json!(true)), "{reply}");
        assert_eq!((&reply["failure_kind"], &reply["_ng_failure_class"]), (&json!(kind), &json!(kind)));
        assert_eq!(reply["_ng_failure_terminal"], if terminal { json!(true) } else { Value::Null }, "{kind}");
        assert!(!reply["failure_reason"].as_str().unwrap().is_empty());
        assert_eq!(reply["instance_config"], json!({"mask_sample": true}));
        assert_eq!(reply["reward_components"].as_object().unwrap().len(), 1, "{components}");

        let (_, reply) = post(&server, "/verify?on_infra_failure=-1", sent).await;
        assert_eq!((&reply["reward"], &reply["mask_sample"]), (&json!(-1.0), &json!(true)));
        let (status, reply) = post(&server, "/verifiers/verify", sent).await;
        assert_eq!(
            (status, &reply["reward"]),
            (StatusCode::OK, &Value::Null),
            "verifiers reads null as a failure"
        );
        let (status, reply) = post(&server, "/gymnasium/step", sent).await;
        assert_eq!((status, &reply["reward"]), (StatusCode::OK, &Value::Null));
        let (_, reply) = post(&server, "/gymnasium/step?on_infra_failure=0", sent).await;
        assert_eq!(reply["reward"], json!(0.0));
    }
    // A rollout that failed and is verified again is no failure any more.
    let mut again = post(&server, "/verify", &silent).await.1;
    again["response"] = response("\\boxed{42}");
    let (_, reply) = post(&server, "/verify", &again).await;
    assert_eq!((&reply["reward"], &reply["mask_sample"]), (&json!(1.0), &json!(false)));
    assert!(reply.get("_ng_failure_class").is_none());
}

#[tokio::test]
async fn sessions_are_answered_and_not_needed() {
    let server = serve(json!({})).await;
    let seed = json!({
        "resources_session_id": "s-1", "episode_id": {"rollout_id": "r", "attempt": 0},
        "task_id": {"taskset": "t", "task_id": "1"}, "task_data": {"expected_answer": "42"},
    });
    for _ in 0..2 {
        let sent = server.request(Method::POST, "/seed_session").body(seed.to_string()).send().await.unwrap();
        assert!(sent.headers().contains_key(header::SET_COOKIE), "an environment server insists on one");
        let reply: Value = serde_json::from_slice(&sent.bytes().await.unwrap()).unwrap();
        assert_eq!(
            reply,
            json!({"resources_session_id": "s-1", "resources_tools": null, "sandbox_access": null})
        );
    }
    let plain = row(&json!({"expected_answer": "42"}), "");
    let sent = server.request(Method::POST, "/seed_session").body(plain.to_string()).send().await.unwrap();
    assert!(!sent.headers().contains_key(header::SET_COOKIE));
    assert_eq!(sent.bytes().await.unwrap(), "{}");
    let close = json!({"resources_session_id": "s-2", "episode_id": {"rollout_id": "r", "attempt": 0}});
    for _ in 0..2 {
        assert_eq!(post(&server, "/close_session", &close).await.1, json!({"resources_session_id": "s-2"}));
    }
    assert_eq!(post_raw(&server, "/close_session", Vec::new()).await, (StatusCode::OK, json!({})));
    assert_eq!(server.get("/reverify_mode").await.json(), json!("stateless"));
    let (status, _) = post(&server, "/seed_session", &json!({"resources_session_id": 1})).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn an_episode_of_gymnasium_is_one_step() {
    let server = serve(json!({})).await;
    for prefix in ["", "/gymnasium"] {
        let sent = row(&json!({"expected_answer": "42", "rubric": "math"}), "\\boxed{42}");
        let (status, reply) = post(&server, &format!("{prefix}/reset"), &sent).await;
        assert_eq!((status, reply), (StatusCode::OK, json!({"observation": null, "info": {}})));
        let (_, reply) = post(&server, &format!("{prefix}/step"), &sent).await;
        assert_eq!(
            (&reply["reward"], &reply["terminated"], &reply["truncated"], &reply["observation"]),
            (&json!(1.0), &json!(true), &json!(false), &Value::Null)
        );
        assert_eq!(reply["info"]["reward_components"], json!({"accuracy": 1.0}));
    }
}

#[tokio::test]
async fn a_set_up_that_is_wrong_is_refused() {
    let server = serve(json!({})).await;
    let sent = row(&json!({"expected_answer": "42"}), "\\boxed{42}");
    for (url, words) in [
        ("/verify", "nothing says which rubric"),
        ("/verify?rubric=maths", "there is no rubric"),
        ("/verify?rubric=math&on_infra_failure=NaN", "on_infra_failure"),
        ("/verify?grader=math", "unknown field"),
        ("/verifiers/maths/verify", "there is no rubric"),
    ] {
        let (status, reply) = post(&server, url, &sent).await;
        assert!(status.is_client_error(), "{url}: {reply}");
        assert!(reply["detail"].as_str().unwrap().contains(words), "{url}: {reply}");
    }
    for body in ["[]", "1", "\"x\""] {
        let (status, _) = post_raw(&server, "/verify?rubric=math", body.as_bytes().to_vec()).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let (status, _) = post(&server, "/aggregate_metrics", &json!({"verify_responses": [1]})).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn metrics_are_those_of_the_rollouts() {
    let server = serve(json!({})).await;
    let rollout = |task: i64, index: i64, reward: f64| json!({"_ng_task_index": task, "_ng_rollout_index": index, "reward": reward});
    let rows = [rollout(0, 0, 1.0), rollout(0, 1, 0.0), rollout(1, 0, 0.0), rollout(1, 1, 0.0)];
    let (status, reply) = post(&server, "/aggregate_metrics", &json!({"verify_responses": rows})).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(reply["key_metrics"]["mean/reward"], json!(0.25));
    assert_eq!(reply["agent_metrics"]["pass@2/accuracy"], json!(50.0));
    assert_eq!(reply["group_level_metrics"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn poison_gets_a_verdict() {
    let server = serve(json!({"nemo_gym": {"rubric": "math"}})).await;
    for text in poison() {
        let (status, reply) = post(&server, "/verify", &row(&json!({"expected_answer": "42"}), &text)).await;
        let head = &text[..text.floor_char_boundary(40)];
        assert_eq!((status, &reply["reward"]), (StatusCode::OK, &json!(0.0)), "{head}");
        assert_eq!(reply["mask_sample"], json!(false), "{head}");
    }
    let raw = br#"{"expected_answer": "42", "response": {"output": [{"type": "message", "content": [{"type":
        "output_text", "text": "\ud800 \\boxed{42}"}]}], "top_p": NaN}}"#;
    let (status, reply) = post_raw(&server, "/verify", raw.to_vec()).await;
    assert_eq!((status, &reply["reward"]), (StatusCode::OK, &json!(1.0)));
    for odd in [json!([]), json!({"output": 1}), json!({"output": [[], {"type": "message", "content": [1]}]})]
    {
        let (status, reply) =
            post(&server, "/verify", &json!({"expected_answer": "42", "response": odd})).await;
        assert_eq!(status, StatusCode::OK, "{odd}: {reply}");
    }
}
