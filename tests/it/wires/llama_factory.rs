//! LLaMA-Factory's `/score`: whole conversations, and nothing of the right answer.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{poison, post, serve};

fn chat(question: &str, said: &str) -> String {
    format!("<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n{said}")
}

fn body(messages: &[String]) -> Value {
    json!({"model": "model", "messages": messages})
}

#[tokio::test]
async fn prompts_are_looked_up() {
    let server = serve(json!({"llama_factory": {"on_infra_failure": -1.0}})).await;
    let few_shot =
        format!("{}<|im_end|>\n{}", chat("What is 9+9?", "18"), chat("What is 2+2?", "\\boxed{4}<|im_end|>"));
    // The policy asks itself an easier question; it is the first one that counts.
    let own_question =
        format!("{}<|im_end|>\n{}", chat("What is 2+2?", "5"), chat("What is 1+1?", "\\boxed{2}"));
    let sent = body(&[
        chat("What is 1+1?", "\\boxed{2}<|im_end|><|endoftext|>"),
        chat("What is 1+1?", "\\boxed{3}"),
        few_shot,
        own_question,
    ]);
    let (status, reply) = post(&server, "/score?dataset=sums", &sent).await;
    assert_eq!((status, &reply["scores"]), (StatusCode::OK, &json!([1.0, 0.0, 1.0, 0.0])), "{reply}");
    // No data set knows this one, and the rubric needs a reference.
    let sent = body(&[chat("What is 3+3?", "\\boxed{6}")]);
    let (status, reply) = post(&server, "/v1/score/evaluation?rubric=math", &sent).await;
    assert_eq!((status, &reply["scores"]), (StatusCode::OK, &json!([-1.0])), "{reply}");
}

#[tokio::test]
async fn rubrics_without_a_reference_need_no_data_set() {
    let rubric = json!({"components": [{"name": "format", "grader": {"type": "format"}}]});
    let server = serve(json!({"llama_factory": {"on_infra_failure": -1.0, "rubric": rubric}})).await;
    let sent =
        body(&[chat("x", "<think>1</think><answer>2</answer><|im_end|>"), chat("x", "2"), "2".to_owned()]);
    assert_eq!(post(&server, "/score", &sent).await.1["scores"], json!([1.0, 0.0, 0.0]));
}

#[tokio::test]
async fn a_set_up_that_is_wrong_is_refused() {
    let server = serve(json!({})).await;
    for (url, sent) in [
        ("/score?rubric=math", body(&["x".to_owned()])),
        ("/score?on_infra_failure=0", body(&["x".to_owned()])),
        ("/score?on_infra_failure=0&rubric=math&dataset=none", body(&["x".to_owned()])),
        ("/score?on_infra_failure=0&rubric=math", body(&[])),
        ("/score?on_infra_failure=0&rubric=math", json!({"messages": "x"})),
    ] {
        assert_eq!(post(&server, url, &sent).await.0, StatusCode::UNPROCESSABLE_ENTITY, "{url} {sent}");
    }
}

#[tokio::test]
async fn poison_gets_a_verdict() {
    let server = serve(json!({})).await;
    let url = "/score?dataset=sums&on_infra_failure=-1";
    for text in poison().into_iter().chain([chat("", "").repeat(50_000)]) {
        let (status, reply) = post(&server, url, &body(&[chat("What is 1+1?", &text)])).await;
        assert_eq!(
            (status, &reply["scores"]),
            (StatusCode::OK, &json!([0.0])),
            "{}",
            &text[..text.len().min(40)]
        );
    }
}
