//! slime's `--rm-url`: the body of its `remote_rm`.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{poison, post, post_raw, serve};

fn body(response: &str, label: &Value) -> Value {
    json!({"prompt": [{"role": "user", "content": "What is 20+22?"}], "response": response, "label": label})
}

#[tokio::test]
async fn the_whole_reply_is_the_reward() {
    let server = serve(json!({"slime": {"on_infra_failure": -1.0}})).await;
    for (said, label, reward, judged) in [
        ("\\boxed{42}", json!("42"), 1.0, 1),
        ("\\boxed{42}<|im_end|>", json!("42"), 1.0, 1),
        ("\\boxed{41}", json!("42"), 0.0, 1),
        ("", json!("42"), 0.0, 1),
        ("\\boxed{43}", json!(["42", "43"]), 1.0, 1),
        ("\\boxed{42}", json!("{\"reference\": 42}"), 1.0, 1),
        ("\\boxed{42}", json!(null), -1.0, 0),
        ("\\boxed{42}", json!({"a": 1}), -1.0, 0),
    ] {
        let sent = body(said, &label);
        let (status, reply) = post(&server, "/rm?rubric=math", &sent).await;
        assert_eq!((status, reply), (StatusCode::OK, json!(reward)), "{said} {label}");
        let (_, reply) = post(&server, "/rm?rubric=math&format=dict", &sent).await;
        let expected = json!({"reward": reward, "accuracy": reward, "judged": judged});
        assert_eq!(reply, expected, "{said} {label}");
    }
}

#[tokio::test]
async fn prompts_are_looked_up_where_there_is_no_label() {
    let server = serve(json!({"on_infra_failure": -1.0})).await;
    for prompt in [
        json!("What is 2+2?"),
        json!("<|im_start|>user\nWhat is 2+2?<|im_end|>\n<|im_start|>assistant\n"),
        json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 2+2?"}]),
    ] {
        let sent = json!({"prompt": prompt, "response": "\\boxed{4}", "label": null});
        assert_eq!(post(&server, "/rm", &sent).await, (StatusCode::OK, json!(1.0)), "{prompt}");
    }
}

#[tokio::test]
async fn a_set_up_that_is_wrong_is_refused() {
    let server = serve(json!({})).await;
    for (url, sent) in [
        ("/rm?rubric=math", body("2", &json!("2"))),
        ("/rm?on_infra_failure=0", body("2", &json!("2"))),
        ("/rm?on_infra_failure=0&rubric=maths", body("2", &json!("2"))),
        ("/rm?on_infra_failure=0&rubric=math&format=list", body("2", &json!("2"))),
        ("/rm?on_infra_failure=0&rubric=math", json!({"prompt": "", "label": "2"})),
    ] {
        let (status, reply) = post(&server, url, &sent).await;
        assert!(status.is_client_error(), "{url}: {reply}");
    }
}

#[tokio::test]
async fn poison_gets_a_verdict() {
    let server = serve(json!({})).await;
    let url = "/rm?rubric=math&on_infra_failure=-1";
    for text in poison() {
        let (status, reply) = post(&server, url, &body(&text, &json!("42"))).await;
        assert_eq!((status, reply), (StatusCode::OK, json!(0.0)), "{}", &text[..text.len().min(40)]);
    }
    let raw = br#"{"prompt": NaN, "response": "\udfff \\boxed{42}", "label": "42"}"#;
    assert_eq!(post_raw(&server, url, raw.to_vec()).await.1, json!(1.0));
}
