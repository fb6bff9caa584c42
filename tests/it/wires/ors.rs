//! Open Reward Standard: the requests of the openreward SDK in their order, and its streams read as it reads them.

use std::time::Duration;

use futures_util::StreamExt as _;
use gavel::server::compat::Wires;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{poison, post, serve, sets};
use crate::server::{Options, Reply, Server};

/// A session as the SDK holds it: a server, a name, and the environment in the path or nowhere.
struct Session<'a> {
    server: &'a Server,
    id: String,
    path: &'a str,
}

impl<'a> Session<'a> {
    async fn create(server: &'a Server, path: &'a str, body: &Value) -> Self {
        let (id, reply) = Self::try_create(server, body).await;
        assert_eq!((reply.status, reply.json()), (StatusCode::OK, json!({"sid": id})), "{body}");
        Self { server, id, path }
    }

    async fn try_create(server: &Server, body: &Value) -> (String, Reply) {
        let opened = server.post("/create_session", &json!({})).await;
        let events = events(&opened.text());
        assert_eq!(events.len(), 2, "{}", opened.text());
        assert_eq!((events[0].0.as_str(), events[1].0.as_str()), ("task_id", "end"));
        let id = events[0].1.clone();
        let request = server.request(Method::POST, "/create").header("X-Session-ID", &id);
        let reply = Reply::to(request.body(body.to_string())).await;
        (id, reply)
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> Reply {
        let request = self.server.request(method, &format!("{}{path}", self.path));
        Reply::to(request.header("X-Session-ID", &self.id).body(body.to_string())).await
    }

    async fn get(&self, path: &str) -> Value {
        let reply = self.send(Method::GET, path, &Value::Null).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
        reply.json()
    }

    async fn call(&self, name: &str, input: Value) -> Value {
        let reply = self.send(Method::POST, "/call", &json!({"name": name, "input": input})).await;
        result(&reply)
    }
}

/// The events of a stream, without what the SDK takes off their lines.
fn events(text: &str) -> Vec<(String, String)> {
    let event = |block: &str| {
        let mut name = None;
        let mut data = Vec::new();
        for line in block.lines().filter(|line| !line.starts_with(':')) {
            let (field, value) = line.split_once(':').unwrap();
            match field {
                "event" => name = Some(value.trim_start().to_owned()),
                "data" => data.push(value.trim_start()),
                other => panic!("{other}"),
            }
        }
        name.map(|name| (name, data.join("\n")))
    };
    text.split("\n\n").filter_map(event).collect()
}

/// The result of a stream, its chunks joined.
fn result(reply: &Reply) -> Value {
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    assert_eq!(reply.header("content-type"), "text/event-stream");
    let events = events(&reply.text());
    assert_eq!(events.first().unwrap().0, "task_id");
    assert_eq!(events.last().unwrap().0, "end", "{}", reply.text());
    let joined: String = events[1..].iter().map(|(_, data)| data.as_str()).collect();
    serde_json::from_str(&joined).unwrap()
}

fn success(index: u64, reward: f64) -> Value {
    json!({"ok": true, "output": {
        "blocks": [{"type": "text", "text": "The answer was judged.", "detail": null}],
        "metadata": {
            "judged": true, "error": null, "components": {"accuracy": reward},
            "task": {"set": "sums", "split": "train", "index": index},
        },
        "reward": reward,
        "finished": true,
    }})
}

#[tokio::test]
async fn episodes_from_session_to_reward() {
    let server = serve(json!({})).await;
    for (path, body, index, prompt, tool, answer, reward) in [
        ("", json!({"split": "train", "index": 0}), 0, "What is 1+1?", "submit", "\\boxed{2}", 1.0),
        (
            "/sums",
            json!({"env_name": "sums", "split": "train", "index": 1}),
            1,
            "What is 2+2?",
            "answer",
            "\\boxed{2}",
            0.0,
        ),
        (
            "/sums",
            json!({"env_name": "sums", "task_spec": {"set": "sums", "split": "train", "index": 1}}),
            1,
            "What is 2+2?",
            "submit",
            "\\boxed{4}",
            1.0,
        ),
    ] {
        let session = Session::create(&server, path, &body).await;
        let block = json!({"type": "text", "text": prompt, "detail": null});
        assert_eq!(session.get("/prompt").await, json!([block]));
        assert_eq!(
            session.get("/messages").await,
            json!([{"role": "user", "blocks": [block], "detail": null}])
        );
        assert_eq!(session.get("/task_tools").await, session.get("/tools").await);
        let ping = Reply::to(server.request(Method::POST, "/ping").header("X-Session-ID", &session.id));
        assert_eq!(ping.await.json(), json!({"status": "ok"}));
        assert_eq!(session.call(tool, json!({"answer": answer})).await, success(index, reward));
        let again = session.call(tool, json!({"answer": answer})).await;
        assert_eq!((&again["ok"], &again["reason"]), (&json!(false), &json!("episode_finished")));
        let bare = Session { server: &server, id: session.id.clone(), path: "" };
        for (path, status) in [("/delete", 200), ("/ping", 404), ("/delete", 200), ("/delete_session", 200)] {
            let reply = bare.send(Method::POST, path, &json!({})).await;
            assert_eq!(reply.status.as_u16(), status, "{path}");
        }
        let gone =
            session.send(Method::POST, "/call", &json!({"name": "submit", "input": {"answer": ""}})).await;
        assert_eq!(gone.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn tools_are_listed_for_both_kinds_of_client() {
    let server = serve(json!({})).await;
    let tools = server.get("/sums/tools").await.json();
    assert_eq!(tools["tools"][0]["name"], "submit");
    assert_eq!(tools["tools"][0]["input_schema"]["required"], json!(["answer"]));
    assert_eq!(tools["tools"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&tools["terminal_tool"]["name"], &tools["terminal_tool"]["arg"]),
        (&json!("answer"), &json!("answer"))
    );
    assert_eq!(tools["supports_score_group"], true);
    assert_eq!(
        tools["message_block_types"],
        json!(["text", "image", "reasoning", "tool_call", "tool_result"])
    );
}

#[tokio::test]
async fn calls_that_cannot_be_have_a_reason_and_cost_nothing() {
    let server = serve(json!({})).await;
    let session = Session::create(&server, "/sums", &json!({"split": "train", "index": 0})).await;
    for (name, input, reason) in [
        ("shell", json!({"answer": "2"}), "not_found"),
        ("submit", json!({}), "input_validation"),
        ("submit", json!({"answer": null}), "input_validation"),
        ("answer", json!({"text": "2"}), "input_validation"),
    ] {
        let reply = session.call(name, input).await;
        assert_eq!((&reply["ok"], &reply["reason"]), (&json!(false), &json!(reason)), "{reply}");
        assert!(reply["error"].is_string());
    }
    let full = server.app.admission.completions(usize::MAX).unwrap();
    let call = json!({"name": "submit", "input": {"answer": "2"}});
    let refused = session.send(Method::POST, "/call", &call).await;
    assert_eq!((refused.status, refused.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "1"));
    drop(full);
    assert_eq!(session.call("submit", json!({"answer": 2})).await, success(0, 0.0));
}

#[tokio::test]
async fn what_could_not_be_judged_is_null() {
    let server = serve(json!({})).await;
    let session =
        Session::create(&server, "/unjudged", &json!({"env_name": "unjudged", "split": "train", "index": 0}))
            .await;
    let reply = session.call("submit", json!({"answer": "sunny"})).await;
    let output = &reply["output"];
    assert_eq!((&output["reward"], &output["finished"]), (&Value::Null, &json!(true)), "{reply}");
    assert_eq!(output["metadata"]["judged"], false);
    assert_eq!(output["metadata"]["components"], json!({"accuracy": null}));
    assert!(output["blocks"][0]["text"].as_str().unwrap().contains("invalid_task"), "{reply}");
}

#[tokio::test]
async fn groups_are_scored_together() {
    let server = serve(json!({})).await;
    let session =
        Session::create(&server, "/sums", &json!({"env_name": "sums", "split": "train", "index": 1})).await;
    let text = |text: &str| json!({"type": "text", "text": text, "detail": null});
    let said = |blocks: Value| json!({"messages": [{"role": "user", "blocks": [text("4")]}, {"role": "assistant", "blocks": blocks}]});
    let call = |name: &str, answer: Value| json!({"type": "tool_call", "id": "c", "name": name, "input": {"answer": answer}});
    let candidates = json!([
        said(json!([{"type": "reasoning", "text": "\\boxed{5}"}, text("It is "), text("\\boxed{4}.")])),
        said(json!([text("\\boxed{5}")])),
        said(json!([text("I hand in:"), call("submit", json!("\\boxed{4}"))])),
        said(json!([text("\\boxed{4}"), call("answer", json!(5))])),
        said(json!([text("\\boxed{4}"), call("search", json!(5))])),
        {"messages": []},
        {"messages": [{"role": "user", "blocks": [text("4")]}], "metadata": {"id": 7}},
    ]);
    let reply = session.send(Method::POST, "/score_group", &json!({"candidates": candidates})).await;
    let scores = result(&reply);
    let rewards: Vec<_> = scores["scores"].as_array().unwrap().iter().map(|score| &score["reward"]).collect();
    assert_eq!(json!(rewards), json!([1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0]));
    assert_eq!(scores["scores"][0]["metadata"]["components"], json!({"accuracy": 1.0}));
    assert_eq!(
        session.send(Method::POST, "/score_group", &json!({"candidates": []})).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    // The episode goes on.
    assert_eq!(session.call("answer", json!({"answer": "\\boxed{4}"})).await, success(1, 1.0));
    let unjudged =
        Session::create(&server, "", &json!({"env_name": "unjudged", "split": "train", "index": 0})).await;
    let reply =
        unjudged.send(Method::POST, "/score_group", &json!({"candidates": [said(json!([text("4")]))]})).await;
    assert_eq!(result(&reply)["scores"][0]["reward"], Value::Null);
}

#[tokio::test]
async fn a_call_goes_on_when_its_client_is_cut_off() {
    let wires = Wires { sets: sets(), ..Wires::default() };
    let server = Server::with(Options { wires, ..Options::default() }).await;
    let body = json!({"env_name": "writes-one", "split": "train", "index": 0});
    let session = Session::create(&server, "/writes-one", &body).await;
    let call = json!({"name": "submit", "input": {"answer": "```python\nprint(1)\n```"}});
    let request = server.request(Method::POST, "/writes-one/call").header("X-Session-ID", &session.id);
    let mut stream = request.body(call.to_string()).send().await.unwrap().bytes_stream();
    let first = stream.next().await.unwrap().unwrap();
    let task_id = events(&String::from_utf8_lossy(&first))[0].1.clone();
    drop(stream);
    server.gate.until_begun(1).await;
    // A second call meanwhile does not run.
    let again = session.call("submit", json!({"answer": "print(2)"})).await;
    assert_eq!(again["reason"], "episode_finished");
    let mut resumed = call.clone();
    resumed["task_id"] = task_id.into();
    let waiting = session.send(Method::POST, "/call", &resumed);
    let open = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        server.gate.open();
    };
    let (reply, ()) = tokio::join!(waiting, open);
    assert_eq!(result(&reply)["output"]["reward"], 1.0);
    // The result waits for who asks again.
    let reply = session.send(Method::POST, "/call", &resumed).await;
    assert_eq!(result(&reply)["output"]["reward"], 1.0);
    assert_eq!(server.gate.begun(), 1);
    let unknown =
        session.send(Method::POST, "/call", &json!({"name": "submit", "input": {}, "task_id": "x"})).await;
    assert_eq!(events(&unknown.text()), [("error".to_owned(), "unknown task_id".to_owned())]);
}

#[tokio::test]
async fn tasks_by_number() {
    let server = serve(json!({})).await;
    assert_eq!(server.get("/health").await.json(), json!({"status": "ok"}));
    assert_eq!(server.get("/version").await.json()["version"], env!("CARGO_PKG_VERSION"));
    let names = server.get("/list_environments").await.json();
    assert_eq!(
        names,
        json!([
            "sums",
            "unjudged",
            "writes-one",
            "arithmetic",
            "column_addition",
            "countdown",
            "word_problem"
        ])
    );
    assert_eq!(server.get("/splits").await.json(), json!([{"name": "train", "type": "train"}]));
    let splits = server.get("/arithmetic@2/splits").await.json();
    assert_eq!(splits.as_array().unwrap().len(), 3);
    let spec = |index: u64| json!({"set": "sums", "split": "train", "index": index});
    for (path, body, expected) in [
        ("/num_tasks", json!({"split": "train"}), json!({"num_tasks": 2})),
        ("/arithmetic/num_tasks", json!({"split": "train"}), json!({"num_tasks": 100_000})),
        ("/sums/task", json!({"split": "train", "index": 1}), json!({"task": spec(1), "env_name": "sums"})),
        ("/tasks", json!({"split": "train"}), json!({"tasks": [spec(0), spec(1)], "env_name": "sums"})),
        (
            "/task_range",
            json!({"split": "train", "start": -1}),
            json!({"tasks": [spec(1)], "env_name": "sums"}),
        ),
    ] {
        assert_eq!(post(&server, path, &body).await, (StatusCode::OK, expected), "{path}");
    }
    for (path, body, status) in [
        ("/sums/num_tasks", json!({"split": "test"}), 400),
        ("/sums/task", json!({"split": "train", "index": 2}), 400),
        ("/sums/task", json!({"split": "train", "index": -1}), 422),
        ("/nothing/tasks", json!({"split": "train"}), 404),
    ] {
        assert_eq!(post(&server, path, &body).await.0.as_u16(), status, "{path} {body}");
    }
    // A header names the environment where the path does not; some clients have to name something.
    for (deployment, found) in
        [("arithmetic", 200), ("me/arithmetic", 200), ("env", 200), ("gavel", 200), ("aritmetic", 404)]
    {
        let request = server.request(Method::POST, "/num_tasks").header("X-Deployment", deployment);
        let reply = Reply::to(request.body(r#"{"split": "train"}"#)).await;
        assert_eq!(reply.status.as_u16(), found, "{deployment}");
        if deployment.ends_with("arithmetic") {
            assert_eq!(reply.json(), json!({"num_tasks": 100_000}));
        }
    }
}

#[tokio::test]
async fn sessions_that_cannot_be_are_refused() {
    let server = serve(json!({})).await;
    for (body, status) in [
        (json!({}), 422),
        (json!({"split": "train"}), 422),
        (json!({"split": "train", "index": 0, "task_spec": {"index": 0}}), 422),
        (json!({"task_spec": {}}), 422),
        (json!({"env_name": "arithmetic", "task_spec": {"set": "sums", "index": 0}}), 422),
        (json!({"env_name": "nothing", "split": "train", "index": 0}), 404),
        (json!({"split": "dev", "index": 0}), 400),
        (json!({"split": "train", "index": 2}), 400),
        (json!({"split": "train", "index": 0, "toolset_name": "excel"}), 400),
    ] {
        let (_, reply) = Session::try_create(&server, &body).await;
        assert_eq!(reply.status.as_u16(), status, "{body}: {}", reply.text());
        assert!(reply.json()["detail"].is_string());
    }
    let session = Session::create(&server, "", &json!({"split": "train", "index": 0})).await;
    let again = session.send(Method::POST, "/create", &json!({"split": "train", "index": 0})).await;
    assert_eq!(
        (again.status, again.json()["detail"].as_str()),
        (StatusCode::BAD_REQUEST, Some("Session already exists"))
    );
    for path in ["/ping", "/create", "/call", "/delete", "/score_group"] {
        let (status, _) = post(&server, path, &json!({"split": "train", "index": 0})).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path} without X-Session-ID");
    }
}

#[tokio::test]
async fn other_paths_are_what_they_were() {
    let server = serve(json!({})).await;
    for path in ["/v1/prompt", "/v1/splits", "/v1/task_tools", "/docs/tools", "/metrics/messages", "/x/tools"]
    {
        let reply = server.get(path).await;
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(reply.header("content-type"), "application/problem+json", "{path}");
    }
    assert!(server.get("/v1/tasks").await.json()["environments"].is_array());
    assert_eq!(
        server.post("/v1/tasks", &json!({"split": "train"})).await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
    assert_eq!(server.get("/healthz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn keys_of_the_sdk_are_taken() {
    let wires = Wires { sets: sets(), ..Wires::default() };
    let server = Server::with(Options { wires, open: false, ..Options::default() }).await;
    let key = server.key("trainer").await;
    let probe = |name: &'static str, value: String| {
        Reply::to(server.request(Method::GET, "/list_environments").header(name, value))
    };
    assert_eq!(probe("X-API-Key", key.clone()).await.status, StatusCode::OK);
    assert_eq!(probe("Authorization", format!("Bearer {key}")).await.status, StatusCode::OK);
    for key in ["", "gavel_", "sk-1"] {
        assert_eq!(probe("X-API-Key", key.to_owned()).await.status, StatusCode::UNAUTHORIZED, "{key}");
    }
    assert_eq!(server.get("/health").await.status, StatusCode::OK);
}

#[tokio::test]
async fn poison_gets_a_verdict() {
    let server = serve(json!({})).await;
    for text in poison() {
        let session = Session::create(&server, "/sums", &json!({"split": "train", "index": 0})).await;
        let begin: String = text.chars().take(40).collect();
        let candidate =
            json!({"messages": [{"role": "assistant", "blocks": [{"type": "text", "text": text}]}]});
        let reply = session.send(Method::POST, "/score_group", &json!({"candidates": [candidate]})).await;
        assert_eq!(result(&reply)["scores"][0]["reward"], 0.0, "{begin}");
        let reply = session.call("submit", json!({"answer": text})).await;
        assert_eq!(reply["output"]["reward"], 0.0, "{begin}");
    }
    for raw in [
        &br#"{"name": "submit", "input": {"answer": "\ud800 \\boxed{2}", "x": NaN}}"#[..],
        b"{\"name\": \"submit\", \"input\": {\"answer\": \"\xff \\\\boxed{2}\"}}",
    ] {
        let session = Session::create(&server, "/sums", &json!({"split": "train", "index": 0})).await;
        let request = server.request(Method::POST, "/sums/call").header("X-Session-ID", &session.id);
        let reply = Reply::to(request.body(raw.to_vec())).await;
        assert_eq!(result(&reply)["output"]["reward"], 1.0);
    }
}
