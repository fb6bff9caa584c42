//! OpenEnv: the messages of its `EnvClient`, and its routes over HTTP.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use gavel::server::compat::Wires;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::{poison, post, post_raw, serve, sets};
use crate::server::{Options, Server};

/// A connection.
struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    async fn connect(server: &Server, base: &str) -> Self {
        Self(connect_async(format!("ws://{}{base}/ws", server.address)).await.unwrap().0)
    }

    async fn send(&mut self, message: &str) {
        self.0.send(Message::text(message)).await.unwrap();
    }

    /// The next message that is one; none when the server closes.
    async fn read(&mut self) -> Option<Value> {
        loop {
            match self.0.next().await?.ok()? {
                Message::Text(text) => return Some(serde_json::from_str(&text).unwrap()),
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }

    async fn ask(&mut self, message: Value) -> Value {
        self.send(&message.to_string()).await;
        self.read().await.expect("an answer")
    }

    async fn reset(&mut self, data: Value) -> Value {
        self.ask(json!({"type": "reset", "data": data})).await
    }

    async fn step(&mut self, answer: &str) -> Value {
        self.ask(json!({"type": "step", "data": {"answer": answer}})).await
    }
}

fn observation(index: u64, id: &str, prompt: &str, reward: Option<f64>) -> Value {
    json!({
        "observation": {"prompt": prompt, "error": null},
        "reward": reward,
        "done": reward.is_some(),
        "metadata": {
            "set": "sums", "split": "train", "index": index, "episode_id": id,
            "messages": [{"role": "user", "content": prompt}],
            "judged": reward.map(|_| true), "components": {"accuracy": reward}, "note": null,
        },
    })
}

#[tokio::test]
async fn episodes_over_the_socket() {
    let server = serve(json!({})).await;
    for base in ["/openenv/sums", "/openenv"] {
        let mut client = Client::connect(&server, base).await;
        assert_eq!(
            client.ask(json!({"type": "state"})).await,
            json!({"type": "state", "data": {"episode_id": null, "step_count": 0}})
        );
        for (index, prompt, answer, reward) in [
            (1, "What is 2+2?", "It is \\boxed{4}.", 1.0),
            (0, "What is 1+1?", "It is \\boxed{4}.", 0.0),
            (3, "What is 2+2?", "", 0.0),
        ] {
            let options = if index < 2 { json!({"index": index}) } else { json!({"seed": index}) };
            let mut data = options.clone();
            data["episode_id"] = "e1".into();
            data["row"] = "of a data set".into();
            let shown = client.reset(data).await;
            let expected = observation(index % 2, "e1", prompt, None);
            assert_eq!(shown, json!({"type": "observation", "data": expected}));
            let shown = client.step(answer).await;
            let expected = observation(index % 2, "e1", prompt, Some(reward));
            assert_eq!(shown, json!({"type": "observation", "data": expected}));
            let state = json!({
                "episode_id": "e1", "step_count": 1, "set": "sums", "split": "train", "index": index % 2,
            });
            assert_eq!(client.ask(json!({"type": "state"})).await, json!({"type": "state", "data": state}));
            let again = client.step(answer).await;
            assert_eq!(again["data"]["code"], "EXECUTION_ERROR", "{again}");
        }
        client.send(r#"{"type": "close"}"#).await;
        assert_eq!(client.read().await, None);
    }
    // Each of a level of an environment, which the path or the options name.
    for (base, mut data) in [
        ("/openenv/arithmetic@2", json!({"seed": 7})),
        ("/openenv/arithmetic", json!({"seed": 7, "level": 2})),
        ("/openenv", json!({"seed": 7, "set": "arithmetic@2"})),
    ] {
        let mut client = Client::connect(&server, base).await;
        data["episode_id"] = "e".into();
        let shown = client.reset(data).await;
        assert_eq!(shown["data"]["metadata"]["set"], "arithmetic@2");
        let one =
            post(&server, "/openenv/arithmetic@2/reset", &json!({"index": 7, "episode_id": "e"})).await.1;
        assert_eq!(shown["data"], one);
    }
}

#[tokio::test]
async fn what_is_not_understood_is_answered_and_the_session_goes_on() {
    let server = serve(json!({})).await;
    let mut client = Client::connect(&server, "/openenv/sums").await;
    for (message, code) in [
        ("{", "INVALID_JSON"),
        ("[1]", "VALIDATION_ERROR"),
        ("3", "VALIDATION_ERROR"),
        ("{}", "UNKNOWN_TYPE"),
        (r#"{"type": "jump"}"#, "UNKNOWN_TYPE"),
        (r#"{"type": "step", "data": {"answer": "2"}}"#, "EXECUTION_ERROR"),
        (r#"{"type": "reset", "data": {"index": 2}}"#, "VALIDATION_ERROR"),
        (r#"{"type": "reset", "data": {"index": "one"}}"#, "VALIDATION_ERROR"),
        (r#"{"type": "reset", "data": {"split": "test"}}"#, "VALIDATION_ERROR"),
        (r#"{"type": "reset", "data": {"set": "arithmetic"}}"#, "VALIDATION_ERROR"),
        (r#"{"type": "reset", "data": {"on_infra_failure": "zero"}}"#, "VALIDATION_ERROR"),
        (r#"{"type": "reset", "data": 1}"#, "VALIDATION_ERROR"),
    ] {
        client.send(message).await;
        let answer = client.read().await.unwrap();
        assert_eq!((&answer["type"], &answer["data"]["code"]), (&json!("error"), &json!(code)), "{message}");
        assert!(!answer["data"]["message"].as_str().unwrap().is_empty(), "{message}");
    }
    let answer =
        client.ask(json!({"type": "mcp", "data": {"jsonrpc": "2.0", "id": 7, "method": "tools/list"}})).await;
    assert_eq!(
        (&answer["type"], &answer["data"]["id"], &answer["data"]["error"]["code"]),
        (&json!("mcp"), &json!(7), &json!(-32601))
    );
    assert_eq!(client.ask(json!({"type": "reset"})).await["type"], "observation");
    let step = client.ask(json!({"type": "step"})).await;
    assert_eq!(step["data"]["code"], "VALIDATION_ERROR");
    assert!(connect_async(format!("ws://{}/openenv/nothing/ws", server.address)).await.is_err());
    assert_eq!(server.get("/openenv/sums/ws").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn what_could_not_be_judged_is_no_reward() {
    let server = serve(json!({})).await;
    let mut client = Client::connect(&server, "/openenv/unjudged").await;
    // Readers that take null for 0 get an error, unless they ask for null. The episode goes on.
    client.reset(json!({"index": 0})).await;
    for _ in 0..2 {
        let answer = client.step("sunny").await;
        assert_eq!((&answer["type"], &answer["data"]["code"]), (&json!("error"), &json!("EXECUTION_ERROR")));
        assert!(answer["data"]["message"].as_str().unwrap().contains("invalid_task"), "{answer}");
    }
    for (wish, reward) in [(json!("null"), Value::Null), (json!(-1.5), json!(-1.5))] {
        client.reset(json!({"index": 0, "on_infra_failure": wish})).await;
        let answer = client.step("sunny").await;
        assert_eq!(answer["type"], "observation");
        let data = &answer["data"];
        assert_eq!((&data["reward"], &data["done"]), (&reward, &json!(true)));
        assert!(data["observation"]["error"].as_str().unwrap().contains("invalid_task"), "{answer}");
        assert_eq!(data["metadata"]["judged"], false);
        assert_eq!(data["metadata"]["components"], json!({"accuracy": null}));
    }
    let body = json!({"action": {"answer": "sunny"}, "index": 0});
    let (status, reply) = post(&server, "/openenv/unjudged/step", &body).await;
    assert_eq!((status, &reply["reward"], &reply["done"]), (StatusCode::OK, &Value::Null, &json!(true)));
}

#[tokio::test]
async fn a_full_server_says_so_before_anything_is_begun() {
    let server = serve(json!({})).await;
    let mut client = Client::connect(&server, "/openenv/sums").await;
    client.reset(json!({"index": 0})).await;
    let all = server.app.admission.completions(usize::MAX).unwrap();
    let answer = client.step("2").await;
    assert_eq!(answer["data"]["code"], "CAPACITY_REACHED", "{answer}");
    assert_eq!(answer["data"]["retry_after_s"], 1);
    let body = json!({"action": {"answer": "2"}, "index": 0});
    assert_eq!(post(&server, "/openenv/sums/step", &body).await.0, StatusCode::TOO_MANY_REQUESTS);
    drop(all);
    assert_eq!(client.step("\\boxed{2}").await["data"]["reward"], 1.0);
}

#[tokio::test]
async fn pings_are_answered_while_an_answer_is_judged() {
    let wires = Wires { sets: sets(), ..Wires::default() };
    let server = Server::with(Options { wires, ..Options::default() }).await;
    let mut client = Client::connect(&server, "/openenv/writes-one").await;
    client.reset(json!({"index": 0})).await;
    client.send(r#"{"type": "step", "data": {"answer": "```python\nprint(1)\n```"}}"#).await;
    server.gate.until_begun(1).await;
    client.0.send(Message::Ping("are you there".into())).await.unwrap();
    let pong = client.0.next().await.unwrap().unwrap();
    assert_eq!(pong, Message::Pong("are you there".into()));
    // What is sent in the meantime waits.
    client.send(r#"{"type": "state"}"#).await;
    server.gate.open();
    assert_eq!(client.read().await.unwrap()["data"]["reward"], 1.0);
    assert_eq!(client.read().await.unwrap()["data"]["step_count"], 1);
    // Who leaves in the middle ends what was begun, and nobody else notices.
    let mut other = Client::connect(&server, "/openenv/writes-one").await;
    other.reset(json!({"index": 0})).await;
    other.send(r#"{"type": "step", "data": {"answer": "```python\nprint(1)\n```"}}"#).await;
    drop(other);
    while server.app.admission.n_completions() > 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(client.ask(json!({"type": "state"})).await["data"]["step_count"], 1);
}

#[tokio::test]
async fn routes_over_http() {
    let server = serve(json!({})).await;
    let (status, shown) = post(&server, "/openenv/sums/reset", &json!({"index": 1, "episode_id": "e"})).await;
    assert_eq!((status, shown), (StatusCode::OK, observation(1, "e", "What is 2+2?", None)));
    let body = json!({"action": {"answer": "\\boxed{4}"}, "index": 1, "episode_id": "e", "timeout_s": 5});
    let (status, shown) = post(&server, "/openenv/sums/step", &body).await;
    assert_eq!((status, shown), (StatusCode::OK, observation(1, "e", "What is 2+2?", Some(1.0))));
    let any = post_raw(&server, "/openenv/sums/reset", Vec::new()).await;
    assert_eq!((any.0, &any.1["metadata"]["set"]), (StatusCode::OK, &json!("sums")));
    for (path, body, status) in [
        ("/openenv/sums/step", json!({"action": {"answer": "4"}}), 422),
        ("/openenv/sums/step", json!({"index": 1}), 422),
        ("/openenv/sums/reset", json!({"index": 2}), 400),
        ("/openenv/nothing/reset", json!({}), 404),
        ("/openenv/sums/arithmetic/num_tasks", json!({"split": "train"}), 404),
        ("/openenv/sums/sums/num_tasks", json!({"split": "test"}), 400),
    ] {
        let (found, reply) = post(&server, path, &body).await;
        assert_eq!(found.as_u16(), status, "{path} {body}: {reply}");
    }
    let schema = server.get("/openenv/sums/schema").await.json();
    assert_eq!(schema["action"]["required"], json!(["answer"]));
    assert!(schema["observation"].is_object() && schema["state"].is_object());
    assert_eq!(server.get("/openenv/sums/health").await.json(), json!({"status": "healthy"}));
    assert_eq!(server.get("/openenv/arithmetic@2/metadata").await.json()["name"], "arithmetic@2");
    assert_eq!(server.get("/openenv/sums/state").await.json(), json!({"episode_id": null, "step_count": 0}));
    assert_eq!(server.get("/openenv/sums/list_environments").await.json(), json!(["sums"]));
    assert_eq!(
        server.get("/openenv/sums/sums/splits").await.json(),
        json!([{"name": "train", "type": "train"}])
    );
    assert_eq!(
        post(&server, "/openenv/arithmetic/num_tasks", &json!({"split": "test"})).await.1,
        json!({"num_tasks": 1000})
    );
    assert_eq!(
        post(&server, "/openenv/sums/task", &json!({"split": "train", "index": 1})).await.1,
        json!({"task": {"set": "sums", "split": "train", "index": 1}, "env_name": "sums"})
    );
}

#[tokio::test]
async fn keys_are_asked_for() {
    let wires = Wires { sets: sets(), ..Wires::default() };
    let server = Server::with(Options { wires, open: false, ..Options::default() }).await;
    let key = server.key("trainer").await;
    let url = format!("ws://{}/openenv/sums/ws", server.address);
    assert!(connect_async(&url).await.is_err());
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
    let mut client = Client(connect_async(request).await.unwrap().0);
    assert_eq!(client.reset(json!({"index": 0})).await["type"], "observation");
}

#[tokio::test]
async fn poison_gets_a_verdict() {
    let server = serve(json!({})).await;
    let mut client = Client::connect(&server, "/openenv/sums").await;
    for text in poison() {
        client.reset(json!({"index": 0})).await;
        let shown = client.step(&text).await;
        let begin: String = text.chars().take(40).collect();
        assert_eq!(shown["data"]["reward"], 0.0, "{begin}");
        let body = json!({"action": {"answer": text}, "index": 0});
        let (status, reply) = post(&server, "/openenv/sums/step", &body).await;
        assert_eq!((status, &reply["reward"]), (StatusCode::OK, &json!(0.0)), "{begin}");
    }
    for (action, reward) in [
        (r#"{"answer": "\ud800 \\boxed{2}"}"#, 1.0),
        (r#"{"answer": "\\boxed{2}", "metadata": {"x": NaN}}"#, 1.0),
        // What a reader of JSON made of a reply.
        (r#"{"answer": 2}"#, 0.0),
        (r#"{"x": 1}"#, 0.0),
        (r#""\\boxed{2}""#, 1.0),
        ("[2]", 0.0),
    ] {
        client.reset(json!({"index": 0})).await;
        client.send(&format!(r#"{{"type": "step", "data": {action}}}"#)).await;
        assert_eq!(client.read().await.unwrap()["data"]["reward"], reward, "{action}");
    }
    // Larger than a body may be: the session ends, the server does not.
    client.reset(json!({"index": 0})).await;
    let large = format!(r#"{{"type": "step", "data": {{"answer": "{}"}}}}"#, "a".repeat(40 << 20));
    let _ = client.0.send(Message::text(large)).await;
    assert_eq!(client.read().await, None);
    assert_eq!(server.get("/health").await.json(), json!({"status": "ok"}));
}
