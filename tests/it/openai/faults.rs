//! What goes wrong on the way: no room, no time, no model, a caller that leaves, a server that stops.

use std::time::Duration;

use gavel::serving::{Limits, Served};
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::chatter::{self, BREAKS, PANICS};
use super::{CHAT, COMPLETIONS, ask, chattering, error, events, serve, stream, until_idle};
use crate::server::{Options, Reply, Server};

/// A request that says very much.
fn endless() -> serde_json::Value {
    json!({"prompt": "abc", "max_tokens": 1_000_000, "stream": true})
}

#[tokio::test]
async fn who_leaves_is_not_answered_any_further() {
    let server = chattering().await;
    let mut reply =
        server.request(Method::POST, COMPLETIONS).body(endless().to_string()).send().await.unwrap();
    assert!(reply.chunk().await.unwrap().unwrap().starts_with(b"data: {"));
    let served = server.app.model.as_ref().unwrap();
    assert_eq!(served.occupancy(), (1, 0));
    drop(reply);
    until_idle(&server).await;
    // One that waits for the whole answer and has no more patience.
    let body = json!({"prompt": "abc", "max_tokens": 1_000_000, "n": 4});
    let request = server.request(Method::POST, COMPLETIONS).body(body.to_string());
    let sent = tokio::spawn(request.send());
    while served.occupancy() != (4, 0) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    sent.abort();
    until_idle(&server).await;
}

#[tokio::test]
async fn a_full_queue_is_told_before_anything_is_begun() {
    let limits = Limits { max_open: 2, ..Limits::default() };
    let server = serve(limits, || Ok(chatter::loaded(1 << 20)), Options::default()).await;
    let open = server.request(Method::POST, COMPLETIONS).body(endless().to_string()).send().await.unwrap();
    for n in [2, 2] {
        let reply = server.post(COMPLETIONS, &json!({"prompt": "a", "n": n})).await;
        let (status, _, code, _) = error(&reply);
        assert_eq!((status, code.as_str()), (StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded"));
        assert_eq!(reply.header("retry-after"), "1");
    }
    // What could never be let in is wrong and not too much.
    let (status, param, ..) = error(&server.post(COMPLETIONS, &json!({"prompt": "a", "n": 3})).await);
    assert_eq!((status, param.as_str()), (StatusCode::BAD_REQUEST, "n"));
    ask(&server, COMPLETIONS, &json!({"prompt": "a", "n": 1})).await;
    drop(open);
    until_idle(&server).await;
    ask(&server, COMPLETIONS, &json!({"prompt": "a", "n": 2})).await;
}

#[tokio::test]
async fn a_deadline() {
    let server = chattering().await;
    let body = json!({"prompt": "abc", "max_tokens": 1_000_000});
    let request = server.request(Method::POST, COMPLETIONS).header("gavel-deadline-ms", "50");
    let reply = Reply::to(request.body(body.to_string())).await;
    let (status, _, code, message) = error(&reply);
    assert_eq!((status, code.as_str()), (StatusCode::GATEWAY_TIMEOUT, "deadline_exceeded"));
    assert!(message.contains("50 ms"), "{message}");
    assert_eq!(reply.header("x-should-retry"), "false");
    // In the middle of a stream it is an event, and no [DONE] comes.
    let request = server.request(Method::POST, COMPLETIONS).header("gavel-deadline-ms", "200");
    let reply = Reply::to(request.body(endless().to_string())).await;
    let events = events(&reply);
    assert_eq!(events.last().unwrap()["error"]["code"], "deadline_exceeded");
    assert!(events.iter().all(|event| !event.is_null()));
    until_idle(&server).await;
    let request = server.request(Method::POST, COMPLETIONS).header("gavel-deadline-ms", "soon");
    assert_eq!(error(&Reply::to(request.body(body.to_string())).await).0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn without_a_model() {
    let server = Server::start().await;
    assert_eq!(server.get("/v1/models").await.json(), json!({"object": "list", "data": []}));
    for path in [COMPLETIONS, CHAT] {
        let (status, param, code, message) = error(&server.post(path, &json!({"prompt": "a"})).await);
        assert_eq!(
            (status, param.as_str(), code.as_str()),
            (StatusCode::NOT_FOUND, "model", "model_not_found")
        );
        assert!(message.contains("--model"), "{message}");
    }
    assert_eq!(server.get("/readyz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_model_that_is_being_loaded_and_then_is_not() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let load = move || {
        let _ = wait.recv();
        Err("the file is damaged".to_owned())
    };
    let served = Served::start("tiny".to_owned(), Limits::default(), load, |_| ()).unwrap();
    let server = Server::with(Options { model: Some(served), ..Options::default() }).await;
    let reply = server.post(COMPLETIONS, &json!({"prompt": "a"})).await;
    let (status, _, code, _) = error(&reply);
    assert_eq!((status, code.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "model_loading"));
    assert!(!reply.header("retry-after").is_empty());
    assert_eq!(server.get("/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(server.get("/v1/models").await.json()["data"][0]["max_model_len"], json!(null));
    go.send(()).unwrap();
    loop {
        let (status, _, code, message) = error(&server.post(COMPLETIONS, &json!({"prompt": "a"})).await);
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        if code == "model_failed" {
            assert!(message.contains("the file is damaged"), "{message}");
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(server.get("/readyz").await.text().contains("damaged"));
}

#[tokio::test]
async fn a_model_that_fails() {
    let server = chattering().await;
    // It has said something, so it is tried again; who was being answered hears of it.
    let (status, _, code, message) = error(&server.post(COMPLETIONS, &json!({"prompt": [BREAKS]})).await);
    assert_eq!((status, code.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "model_failed"));
    assert!(message.contains("it broke"), "{message}");
    ask(&server, COMPLETIONS, &json!({"prompt": "a"})).await;
    // One that fails again and again without a word is not asked any more.
    for _ in 0..3 {
        ask(&server, COMPLETIONS, &json!({"prompt": "a"})).await;
        let (status, ..) = error(&server.post(COMPLETIONS, &json!({"prompt": [PANICS]})).await);
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    }
    ask(&server, COMPLETIONS, &json!({"prompt": "a"})).await;
    for _ in 0..4 {
        server.post(COMPLETIONS, &json!({"prompt": [PANICS]})).await;
    }
    let (status, _, code, _) = error(&server.post(COMPLETIONS, &json!({"prompt": "a"})).await);
    assert_eq!((status, code.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "model_failed"));
    assert_eq!(server.get("/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_stopping_server_finishes_or_says_why_not() {
    let mut server = chattering().await;
    let short = json!({"prompt": "abc", "max_tokens": 300});
    let reply = tokio::spawn(server.request(Method::POST, COMPLETIONS).body(short.to_string()).send());
    while server.app.model.as_ref().unwrap().occupancy() != (1, 0) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    server.stop();
    assert_eq!(reply.await.unwrap().unwrap().status(), StatusCode::OK);
    assert_eq!(server.stopped().await, 0);

    let mut options = Options::default();
    options.connections.drain_timeout = Duration::from_millis(1500);
    let mut server = serve(Limits::default(), || Ok(chatter::loaded(1 << 20)), options).await;
    let mut reply =
        server.request(Method::POST, COMPLETIONS).body(endless().to_string()).send().await.unwrap();
    let mut text = reply.chunk().await.unwrap().unwrap().to_vec();
    server.stop();
    while let Some(more) = reply.chunk().await.unwrap() {
        text.extend(more);
    }
    let text = String::from_utf8(text).unwrap();
    let last = text.trim_end().rsplit("\n\n").next().unwrap();
    assert!(last.contains("server_stopping"), "{last}");
    assert_eq!(server.stopped().await, 0);
}

#[tokio::test]
async fn keys_and_the_shape_of_their_absence() {
    let options = Options { open: false, ..Options::default() };
    let server = serve(Limits::default(), || Ok(chatter::loaded(1 << 20)), options).await;
    let body = json!({"prompt": "a"});
    for path in [COMPLETIONS, CHAT] {
        let (status, _, code, _) = error(&server.post(path, &body).await);
        assert_eq!((status, code.as_str()), (StatusCode::UNAUTHORIZED, "invalid_api_key"));
    }
    assert_eq!(error(&server.get("/v1/models").await).0, StatusCode::UNAUTHORIZED);
    let key = server.key("client").await;
    let request = server.request(Method::POST, COMPLETIONS).bearer_auth(&key).body(body.to_string());
    assert_eq!(Reply::to(request).await.status, StatusCode::OK);
    // What the layers around the routes say has the same shape.
    let reply = Reply::to(server.request(Method::GET, COMPLETIONS).bearer_auth(&key)).await;
    assert_eq!(error(&reply).0, StatusCode::METHOD_NOT_ALLOWED);
    let request = server.request(Method::POST, COMPLETIONS).header("content-encoding", "br");
    let reply = Reply::to(request.body("x")).await;
    assert_eq!(error(&reply).0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn many_at_once_each_get_their_own() {
    let server = chattering().await;
    let one = async |i: usize| {
        let prompt = format!("<{i}>");
        let body = json!({"prompt": prompt, "max_tokens": 3 * prompt.len(), "n": 1 + i % 3});
        let reply = ask(&server, COMPLETIONS, &body).await;
        for (text, ..) in super::told(&reply) {
            assert_eq!(text, prompt.repeat(3));
        }
        let events = stream(&server, COMPLETIONS, &body).await;
        for (text, ..) in super::joined(&events, 1 + i % 3) {
            assert_eq!(text, prompt.repeat(3));
        }
    };
    futures_util::future::join_all((0..32).map(one)).await;
}
