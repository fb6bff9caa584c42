//! eval-protocol's `/reward`, as its remote reward function sends it, and `/evaluate`.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{poison, post, post_raw, serve};

const URL: &str = "/reward?rubric=math&on_infra_failure=-1";

fn messages(said: &str) -> Value {
    json!([{"role": "user", "content": "What is 20+22?"}, {"role": "assistant", "content": said}])
}

fn metric(score: f64, valid: bool, reason: &str) -> Value {
    json!({"score": score, "is_score_valid": valid, "success": valid, "reason": reason})
}

#[tokio::test]
async fn scores_have_metrics_and_say_whether_they_are_valid() {
    let server = serve(json!({})).await;
    for (said, truth, score) in [
        ("\\boxed{42}", json!("42"), 1.0),
        ("\\boxed{41}", json!("42"), 0.0),
        ("\\boxed{42}", json!([{"role": "assistant", "content": "42"}]), 1.0),
    ] {
        for sent in [
            json!({"messages": messages(said), "ground_truth": truth, "extra": 1}),
            json!({"messages": messages(said), "ground_truth": truth, "kwargs": {"rubric": "math"}}),
            json!({"messages": messages(said), "ground_truth": truth, "rubric": "math", "kwargs": null}),
        ] {
            let (status, reply) = post(&server, URL, &sent).await;
            assert_eq!(status, StatusCode::OK, "{reply}");
            let reason = reply["metrics"]["accuracy"]["reason"].as_str().unwrap();
            let expected = json!({
                "score": score, "is_score_valid": true, "reason": format!("accuracy: {reason}"), "error": null,
                "metrics": {"accuracy": metric(score, true, reason), "judged": metric(1.0, true, "judged")},
            });
            assert_eq!(reply, expected);
            assert_eq!(post(&server, &URL.replace("reward", "evaluate"), &sent).await.1, reply);
        }
    }
}

#[tokio::test]
async fn what_is_not_judged_says_so() {
    let server = serve(json!({})).await;
    let sent = json!({"messages": messages("\\boxed{42}"), "ground_truth": {"a": 1}});
    let (status, reply) = post(&server, URL, &sent).await;
    assert_eq!(
        (status, &reply["score"], &reply["is_score_valid"]),
        (StatusCode::OK, &json!(-1.0), &json!(false))
    );
    assert_eq!(reply["error"], reply["reason"]);
    let metrics = &reply["metrics"];
    assert_eq!(metrics["accuracy"]["success"], json!(false), "{reply}");
    assert_eq!((&metrics["judged"]["score"], &metrics["judged"]["success"]), (&json!(0.0), &json!(false)));
}

#[tokio::test]
async fn arguments_say_more_of_the_task() {
    let server = serve(json!({})).await;
    let url = "/reward?on_infra_failure=-1";
    let tests = json!({"language": "python", "cases": [{"stdin": "", "stdout": "hi"}]});
    let sent = json!({"messages": messages("```python\nprint hi\n```"), "rubric": "code", "tests": tests});
    assert_eq!(post(&server, url, &sent).await.1["score"], json!(1.0));
    let parts = json!([{"role": "assistant", "content": [{"type": "text", "text": "\\boxed{1}"}]}]);
    let sent = json!({"messages": parts, "ground_truth": "1", "rubric": "math"});
    assert_eq!(post(&server, url, &sent).await.1["score"], json!(1.0));
    for (url, sent) in [
        (url, json!({"messages": messages("1"), "ground_truth": "1"})),
        ("/reward?rubric=math", json!({"messages": messages("1"), "ground_truth": "1"})),
        (URL, json!({"messages": [{"role": "user", "content": "1"}], "ground_truth": "1"})),
        (URL, json!({"messages": [], "ground_truth": "1"})),
        (URL, json!({"ground_truth": "1"})),
    ] {
        assert_eq!(post(&server, url, &sent).await.0, StatusCode::UNPROCESSABLE_ENTITY, "{sent}");
    }
}

#[tokio::test]
async fn poison_gets_a_verdict() {
    let server = serve(json!({})).await;
    for text in poison() {
        let sent = json!({"messages": messages(&text), "ground_truth": "42"});
        let (status, reply) = post(&server, URL, &sent).await;
        assert_eq!(
            (status, &reply["score"]),
            (StatusCode::OK, &json!(0.0)),
            "{}",
            &text[..text.len().min(40)]
        );
    }
    let raw = br#"{"messages": [{"role": "assistant", "content": "\ud800 \\boxed{42}"}], "ground_truth": "42", "x": NaN}"#;
    assert_eq!(post_raw(&server, URL, raw.to_vec()).await.1["score"], json!(1.0));
}
