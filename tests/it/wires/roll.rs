//! ROLL's submit and poll, as its `RewardSystemHandler` sends them: a GET with a body among them.

use gavel::server::job_table::JobLimits;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{poison, post, post_raw, serve};
use crate::server::{Options, Reply, Server};

const URL: &str = "/roll/submit?rubric=math&on_infra_failure=-1";

fn body(response: &str, info: &Value) -> Value {
    json!({
        "priority": 1, "project_id": "p", "experiment_id": "e", "global_step": 0, "data_id": "d", "rollout_id": "r",
        "prompt": "user\nWhat is 20+22?\nassistant\n", "response": response, "reward_info": info,
        "reward_manager": [{"plugin_name": "math"}], "timeout": 300,
    })
}

async fn poll(server: &Server, id: &Value) -> Value {
    let request = server.request(Method::GET, "/roll/result");
    let reply = Reply::to(request.body(json!({"reward_request_id": id}).to_string())).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    reply.json()
}

async fn result(server: &Server, url: &str, sent: &Value) -> Value {
    let (status, reply) = post(server, url, sent).await;
    assert_eq!((status, &reply["errcode"]), (StatusCode::OK, &json!(0)), "{reply}");
    loop {
        let polled = poll(server, &reply["reward_request_id"]).await;
        if polled["errcode"] != 1 {
            return polled;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn a_sample_is_submitted_and_its_score_asked_for() {
    let server = serve(json!({})).await;
    for (said, info, score, judged) in [
        ("\\boxed{42}", json!({"ground_truth": "42"}), 1.0, 1),
        ("\\boxed{41}", json!({"ground_truth": "42", "domain": "math"}), 0.0, 1),
        ("\\boxed{42}", json!({}), -1.0, 0),
        ("\\boxed{42}", json!({"ground_truth": "\\frac{"}), -1.0, 0),
    ] {
        let reply = result(&server, URL, &body(said, &info)).await;
        assert_eq!((&reply["errcode"], &reply["reward_score"]), (&json!(0), &json!(score)), "{reply}");
        let accuracy = json!({"score": score, "debug_info": {}});
        assert_eq!(
            reply["dimention_reward_score"],
            json!({"accuracy": accuracy, "judged": {"score": judged, "debug_info": {}}})
        );
        assert!(reply["start_time"].as_str().unwrap().ends_with("+00:00"), "{reply}");
    }
}

#[tokio::test]
async fn what_may_heal_is_submitted_again_before_it_is_given_up() {
    let server = serve(json!({})).await;
    let url = URL.replace("math", "code");
    let info = json!({"case_type": "input", "test_cases": "{\"inputs\": [\"\"], \"outputs\": [\"hi\"]}"});
    let tests = json!({"tests": {"language": "python", "cases": [{"stdin": "", "stdout": "hi"}]}});
    let good = result(&server, &url, &body("```python\nprint hi\n```", &tests)).await;
    assert_eq!(good["reward_score"], json!(1.0), "{good}");
    for round in 1..=2 {
        for attempt in 1..=5 {
            let reply = result(&server, &url, &body("```python\nbroken\n```", &tests)).await;
            let expected = if attempt < 5 { Value::Null } else { json!(-1.0) };
            assert_eq!(
                (&reply["errcode"], &reply["reward_score"]),
                (&json!(0), &expected),
                "{round} {reply}"
            );
        }
    }
    // The tests are read as ROLL has them; what the scripted sandbox makes of usual imports is no matter.
    assert_eq!(result(&server, &url, &body("nothing", &info)).await["reward_score"], json!(0.0));
    let unknown = poll(&server, &json!("job_0")).await;
    assert_eq!((&unknown["errcode"], &unknown["reward_score"]), (&json!(0), &Value::Null));
}

#[tokio::test]
async fn a_sample_that_waits_is_running() {
    let jobs = JobLimits { max_jobs: 1, ..JobLimits::default() };
    let server = Server::with(Options { jobs, ..Options::default() }).await;
    let tests = json!({"tests": {"language": "python", "cases": [{"stdin": "", "stdout": "1"}]}});
    let url = URL.replace("math", "code");
    let sent = body("```python\nprint(1)\n```", &tests);
    let (_, submitted) = post(&server, &url, &sent).await;
    server.gate.until_begun(1).await;
    let id = &submitted["reward_request_id"];
    assert_eq!(poll(&server, id).await["errcode"], json!(1));
    assert_eq!(post(&server, &url, &sent).await.0, StatusCode::TOO_MANY_REQUESTS);
    let native = server.get(&format!("/v1/jobs/{}", id.as_str().unwrap())).await;
    assert_eq!(native.status, StatusCode::NOT_FOUND, "jobs of another kind are not seen");
    server.gate.open();
    while poll(&server, id).await["reward_score"] != json!(1.0) {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn its_own_header_brings_the_key() {
    let server = Server::with(Options { open: false, ..Options::default() }).await;
    let key = server.key("roll").await;
    for (name, value, status) in [
        ("xrl-authorization", format!("Bearer {key}"), StatusCode::OK),
        ("x-api-key", key.clone(), StatusCode::OK),
        ("authorization", format!("Bearer {key}"), StatusCode::OK),
        ("xrl-authorization", key, StatusCode::UNAUTHORIZED),
        ("xrl-authorization", "Bearer gavel_0".to_owned(), StatusCode::UNAUTHORIZED),
    ] {
        let sent = body("\\boxed{42}", &json!({"ground_truth": "42"}));
        let request = server.request(Method::POST, URL).header(name, value).body(sent.to_string());
        assert_eq!(Reply::to(request).await.status, status, "{name}");
    }
}

#[tokio::test]
async fn a_set_up_that_is_wrong_is_refused() {
    let server = serve(json!({})).await;
    let sent = body("1", &json!({"ground_truth": "1"}));
    for url in ["/roll/submit?rubric=math", "/roll/submit?on_infra_failure=0", &format!("{URL}&x=1")] {
        assert!(post(&server, url, &sent).await.0.is_client_error(), "{url}");
    }
    assert_eq!(post(&server, URL, &json!({})).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(server.app.jobs.n_unfetched(), 0, "nothing is left of what was refused");
}

#[tokio::test]
async fn poison_gets_a_verdict() {
    let server = serve(json!({})).await;
    for text in poison() {
        let reply = result(&server, URL, &body(&text, &json!({"ground_truth": "42"}))).await;
        assert_eq!(reply["reward_score"], json!(0.0), "{}", &text[..text.len().min(40)]);
    }
    let raw = br#"{"prompt": NaN, "response": "\ud800 \\boxed{42}", "reward_info": {"ground_truth": "42"}}"#;
    assert_eq!(post_raw(&server, URL, raw.to_vec()).await.0, StatusCode::OK);
}
