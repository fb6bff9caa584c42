//! The OpenAI wire: a model of this server, as clients of OpenAI send and read it.

use std::sync::Arc;
use std::time::Duration;

use gavel::serving::{Limits, Loaded, Served};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::server::{Options, Reply, Server};

mod answers;
mod chatter;
mod faults;
mod hostile;
#[cfg(feature = "llama")]
mod llama;
#[cfg(feature = "learner")]
mod native;

const COMPLETIONS: &str = "/v1/completions";
const CHAT: &str = "/v1/chat/completions";

/// A server with this model; gives back when the model is loaded.
pub(crate) async fn serve(
    limits: Limits,
    load: impl FnOnce() -> Result<Loaded, String> + Send + 'static,
    options: Options,
) -> Server {
    let served = Served::start("tiny".to_owned(), limits, load, |_| ()).unwrap();
    let server = Server::with(Options { model: Some(Arc::clone(&served)), ..options }).await;
    while served.ready().is_err() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    server
}

/// A server whose model says the prompt again and again.
async fn chattering() -> Server {
    serve(Limits::default(), || Ok(chatter::loaded(1 << 20)), Options::default()).await
}

/// Posts and expects it to go well.
async fn ask(server: &Server, path: &str, body: &Value) -> Value {
    let reply = server.post(path, body).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    reply.json()
}

/// Posts with `stream` and gives the events, which end as they should.
async fn stream(server: &Server, path: &str, body: &Value) -> Vec<Value> {
    let mut body = body.clone();
    body["stream"] = true.into();
    let reply = server.post(path, &body).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    assert_eq!(reply.header("content-type"), "text/event-stream");
    let mut events = events(&reply);
    assert_eq!(events.pop(), Some(Value::Null), "[DONE] comes last");
    events
}

/// The events of a stream; `[DONE]` is null.
fn events(reply: &Reply) -> Vec<Value> {
    let text = reply.text();
    assert!(text.ends_with("\n\n"), "{text}");
    text.split_terminator("\n\n")
        .map(|event| match event.strip_prefix("data: ").unwrap() {
            "[DONE]" => Value::Null,
            data => serde_json::from_str(data).unwrap(),
        })
        .collect()
}

/// What a stream's pieces say together: for each choice its text, tokens, and finish reason.
fn joined(events: &[Value], n: usize) -> Vec<(String, Vec<u64>, String)> {
    let mut all = vec![(String::new(), Vec::new(), String::new()); n];
    for choice in events.iter().flat_map(|event| event["choices"].as_array().unwrap()) {
        let one = &mut all[choice["index"].as_u64().unwrap() as usize];
        assert!(one.2.is_empty(), "nothing comes after the end: {choice}");
        one.0.push_str(choice["text"].as_str().or(choice["delta"]["content"].as_str()).unwrap_or_default());
        one.1.extend(choice["token_ids"].as_array().into_iter().flatten().map(|id| id.as_u64().unwrap()));
        one.2.push_str(choice["finish_reason"].as_str().unwrap_or_default());
    }
    all
}

/// The same of an answer that came whole.
fn told(reply: &Value) -> Vec<(String, Vec<u64>, String)> {
    let choices = reply["choices"].as_array().unwrap();
    choices
        .iter()
        .map(|choice| {
            let text = choice["text"].as_str().or(choice["message"]["content"].as_str()).unwrap();
            let tokens = choice["token_ids"].as_array().into_iter().flatten();
            let finish = choice["finish_reason"].as_str().unwrap();
            (text.to_owned(), tokens.map(|id| id.as_u64().unwrap()).collect(), finish.to_owned())
        })
        .collect()
}

/// Waits until nothing is open at the model.
async fn until_idle(server: &Server) {
    let served = server.app.model.as_ref().unwrap();
    while served.occupancy() != (0, 0) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Posts and gives the error: status, param, code, message.
async fn refused(server: &Server, path: &str, body: String) -> (StatusCode, String, String, String) {
    let reply = Reply::to(server.request(Method::POST, path).body(body)).await;
    error(&reply)
}

/// The error of a reply: status, param, code, message.
fn error(reply: &Reply) -> (StatusCode, String, String, String) {
    assert_eq!(reply.header("content-type"), "application/json", "{}", reply.text());
    let json = reply.json();
    let error = &json["error"];
    let text = |field: &str| error[field].as_str().unwrap_or_default().to_owned();
    assert!(!text("message").is_empty() && !text("type").is_empty(), "{json}");
    (reply.status, text("param"), text("code"), text("message"))
}
