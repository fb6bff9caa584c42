//! OpenRLHF's `/get_reward`: each query exactly as its `SingleTurnAgentExecutor` sends it, one at a time.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{poison, post, post_raw, serve};

fn body(query: &str, prompt: &str, label: &Value) -> Value {
    json!({"query": [query], "prompts": [prompt], "labels": [label]})
}

#[tokio::test]
async fn rewards_are_those_of_the_label() {
    let server = serve(json!({})).await;
    let prompt = "<|im_start|>user\nWhat is 20+22?<|im_end|>\n<|im_start|>assistant\n";
    let url = "/get_reward?rubric=math&on_infra_failure=-1";
    for (said, label, reward, judged) in [
        ("\\boxed{42}<|im_end|>", json!("42"), 1.0, 1),
        ("\\boxed{42}<|im_end|>\n", json!(42), 1.0, 1),
        ("\\boxed{41}", json!("42"), 0.0, 1),
        ("", json!("42"), 0.0, 1),
        ("\\boxed{43}", json!(["42", "43"]), 1.0, 1),
        ("\\boxed{43}", json!("[\"42\", \"43\"]"), 1.0, 1),
        ("\\boxed{42}", json!("{\"reference\": \"42\"}"), 1.0, 1),
        // No label and no such question in a data set, and labels that say nothing: no reward, and no 0.
        ("\\boxed{42}", json!(null), -1.0, 0),
        ("\\boxed{42}", json!({"a": 1}), -1.0, 0),
        ("\\boxed{42}", json!("\\frac{"), -1.0, 0),
    ] {
        let sent = body(&format!("{prompt}{said}"), prompt, &label);
        let (status, reply) = post(&server, url, &sent).await;
        assert_eq!(status, StatusCode::OK, "{reply}");
        let expected = json!({
            "rewards": [reward], "scores": [reward],
            "extra_logs": {"accuracy": [if judged == 1 { reward } else { -1.0 }], "judged": [judged]},
        });
        assert_eq!(reply, expected, "{said} {label}");
    }
}

#[tokio::test]
async fn data_sets_know_the_answer_where_the_label_does_not() {
    let server = serve(json!({"openrlhf": {"on_infra_failure": -1.0}})).await;
    for (prompt, said, reward) in [
        ("What is 1+1?", "\\boxed{2}", 1.0),
        ("<|im_start|>user\nWhat is 2+2?<|im_end|>\n<|im_start|>assistant\n", "\\boxed{4}", 1.0),
        ("<|im_start|>user\nWhat is 2+2?<|im_end|>\n<|im_start|>assistant\n", "\\boxed{2}", 0.0),
    ] {
        for url in ["/get_reward", "/get_reward?dataset=sums"] {
            let sent = body(&format!("{prompt}{said}"), prompt, &Value::Null);
            let (_, reply) = post(&server, url, &sent).await;
            assert_eq!(reply["rewards"], json!([reward]), "{reply}");
        }
    }
}

#[tokio::test]
async fn a_set_up_that_is_wrong_is_refused_before_anything_is_begun() {
    let server = serve(json!({})).await;
    let sent = body("2", "", &json!("2"));
    for (url, words) in [
        ("/get_reward?rubric=math", "on_infra_failure"),
        ("/get_reward?on_infra_failure=0", "rubric"),
        ("/get_reward?on_infra_failure=0&rubric=maths", "there is no rubric"),
        ("/get_reward?on_infra_failure=NaN&rubric=math", "on_infra_failure"),
        ("/get_reward?grader=math", "unknown field"),
    ] {
        let (status, reply) = post(&server, url, &sent).await;
        assert!(status.is_client_error(), "{url}: {reply}");
        assert!(reply["detail"].as_str().unwrap().contains(words), "{url}: {reply}");
    }
    let url = "/get_reward?rubric=math&on_infra_failure=0";
    for sent in [
        json!({}),
        json!([]),
        json!({"query": []}),
        json!({"query": "x"}),
        json!({"query": ["a", "b"], "labels": ["1"]}),
    ] {
        let (status, reply) = post(&server, url, &sent).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{sent}: {reply}");
    }
}

#[tokio::test]
async fn poison_gets_a_verdict() {
    let server = serve(json!({})).await;
    let url = "/get_reward?rubric=math&on_infra_failure=-1";
    for text in poison() {
        let (status, reply) = post(&server, url, &body(&text, "", &json!("42"))).await;
        assert_eq!(
            (status, &reply["rewards"]),
            (StatusCode::OK, &json!([0.0])),
            "{}",
            &text[..text.len().min(40)]
        );
    }
    let raw = br#"{"query": ["\ud800 \\boxed{42}"], "prompts": [""], "labels": ["42"], "step": NaN}"#;
    assert_eq!(post_raw(&server, url, raw.to_vec()).await.1["rewards"], json!([1.0]));
    let raw = b"{\"query\": [\"\xff\\\\boxed{42}\"], \"labels\": [\"42\"]}";
    assert_eq!(post_raw(&server, url, raw.to_vec()).await.1["rewards"], json!([1.0]));
}
