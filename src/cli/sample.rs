//! The sample that `gavel serve --sample` grades: what a newcomer sees first.

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use sandboxes::Language;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::server::types::GradeReply;

/// A group of three: right in another form, wrong, and without an answer.
fn request() -> Value {
    json!({
        "rubric": "r1-zero",
        "advantage": "grpo",
        "groups": [{
            "id": "q1",
            "task": {"prompt": "What is 3/4 - 1/4?", "reference": "\\frac{1}{2}"},
            "completions": [
                {"id": "a", "text": "<think>3/4 - 1/4 = 2/4</think>\n<answer>\\boxed{0.5}</answer>"},
                {"id": "b", "text": "<think>3/4 - 1/4 = 2/8</think>\n<answer>\\boxed{1/4}</answer>"},
                {"id": "c", "text": "I am not sure."}
            ]
        }]
    })
}

/// A program for a task with tests: right, and wrong in the second of them.
fn code_request() -> Value {
    let fenced = |code: &str| format!("```python\n{code}\n```");
    json!({
        "rubric": "code",
        "groups": [{
            "id": "code",
            "task": {
                "prompt": "Read a number and print its square.",
                "tests": {"language": "python", "cases": [{"stdin": "3", "stdout": "9"}, {"stdin": "-4", "stdout": "16"}]}
            },
            "completions": [
                {"id": "right", "text": fenced("print(int(input()) ** 2)")},
                {"id": "wrong", "text": fenced("print(int(input()) * 3)")}
            ]
        }]
    })
}

/// Sends the sample through the whole service and prints the command that does the same, and the reply.
///
/// # Errors
/// When the reply is not the one that a sound server gives.
#[expect(clippy::print_stdout, reason = "the command's output")]
pub(super) async fn show(router: Router, address: SocketAddr, languages: &[Language]) -> anyhow::Result<()> {
    show_one(router.clone(), address, &request()).await?;
    if languages.contains(&Language::Python) {
        show_one(router, address, &code_request()).await?;
    } else {
        println!("Code is judged too, once `gavel sandbox install python` has installed an interpreter.\n");
    }
    println!("Serving on http://{address} (dashboard), http://{address}/docs (the API). Ctrl-C stops.");
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the command's output")]
async fn show_one(router: Router, address: SocketAddr, body: &Value) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(body)?;
    println!("$ curl http://{address}/v1/grade -H 'Content-Type: application/json' -d '{text}'\n");
    let request = Request::post("/v1/grade")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(serde_json::to_vec(body)?))?;
    let response = router.oneshot(request).await.context("the sample was not answered")?;
    let status = response.status();
    let bytes = response.into_body().collect().await.context("the sample's answer broke off")?.to_bytes();
    if status == StatusCode::UNAUTHORIZED {
        println!(
            "The server wants a key: add -H 'Authorization: Bearer <key>' (`gavel keys create <name>` makes one).\n"
        );
    } else {
        ensure!(status == StatusCode::OK, "the sample was answered with {status}");
        let reply: GradeReply =
            serde_json::from_slice(&bytes).context("the sample's answer cannot be read")?;
        println!("{}\n", serde_json::to_string_pretty(&reply)?);
    }
    Ok(())
}
