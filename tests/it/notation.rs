//! The table of mathematical notation through the server: one group for each form.

use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::json;

use crate::server::Server;

#[derive(Deserialize)]
struct Table {
    form: Vec<Form>,
}

#[derive(Deserialize)]
struct Form {
    name: String,
    reference: String,
    equal: Vec<String>,
    different: Vec<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_form_is_judged_over_http() {
    let server = Server::start().await;
    let text = include_str!("../../graders/testdata/math/forms.toml");
    let table: Table = toml::from_str(text).unwrap();
    let grader = json!({"type": "math", "extract": ["whole"], "policy": {"equations": "restated"}});
    let mut wrong = Vec::new();
    for form in &table.form {
        let answers: Vec<&String> = form.equal.iter().chain(&form.different).collect();
        let reply = server
            .post(
                "/v1/grade",
                &json!({
                    "rubric": {"components": [{"name": "answer", "grader": grader}]},
                    "groups": [{"task": {"reference": form.reference}, "completions": answers}],
                }),
            )
            .await;
        assert_eq!(reply.status, StatusCode::OK, "{}: {}", form.name, reply.text());
        let reply = reply.json();
        for (at, answer) in answers.iter().enumerate() {
            let found = &reply["groups"][0]["rewards"][at]["components"][0];
            let expected = if at < form.equal.len() { 1.0 } else { 0.0 };
            if found["score"] != json!(expected) {
                wrong.push(format!("{}: {} | {answer}: {found}", form.name, form.reference));
            }
        }
    }
    assert!(table.form.len() > 100);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
