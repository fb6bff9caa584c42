//! `POST /v1/execute` and `GET /v1/languages`, with programs that say what is to come of them.

use std::sync::Arc;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::scripted::Scripted;
use crate::server::{Options, Server};

async fn start() -> Server {
    Server::with(Options { sandbox: Some(Arc::new(Scripted)), ..Options::default() }).await
}

async fn execute(server: &Server, body: &Value) -> Value {
    let reply = server.post("/v1/execute", body).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    reply.json()
}

fn python(source: &str) -> Value {
    json!({"language": "python", "source": source})
}

#[tokio::test]
async fn every_ending_is_told_with_status_200() {
    let server = start().await;
    let rows = [
        ("print a", "exited", json!(0), json!(null)),
        ("exit 3", "exited", json!(3), json!(null)),
        ("compile_error", "compile_error", json!(null), json!("no ;")),
        ("fuel", "out_of_fuel", json!(null), json!("its reference time was used up")),
        ("memory", "out_of_memory", json!(null), json!("it asked for more memory than allowed")),
        ("flood", "output_limit", json!(null), json!("it wrote more than allowed")),
        ("missing numpy", "missing_module", json!(null), json!("the sandbox has no module `numpy`")),
        ("trap", "trapped", json!(null), json!("unreachable")),
    ];
    for (source, ending, code, message) in rows {
        let reply = execute(&server, &python(source)).await;
        assert_eq!(reply["ending"], ending, "{source}: {reply}");
        assert_eq!(reply["exit_code"], code, "{source}: {reply}");
        assert_eq!(reply["message"], message, "{source}: {reply}");
        assert_eq!(reply.get("error"), None, "{source}: {reply}");
        assert_eq!((&reply["fuel_used"], &reply["time_ms"]), (&json!(1000), &json!(1.5)), "{reply}");
        assert_eq!((&reply["memory_bytes"], &reply["wall_ms"]), (&json!(4096), &json!(3.0)), "{reply}");
        assert!(reply["elapsed_ms"].as_f64().unwrap() >= 0.0, "{reply}");
    }
}

#[tokio::test]
async fn what_the_sandbox_failed_at_is_an_error_and_no_ending() {
    let server = start().await;
    let rows = [
        (python("broken"), "sandbox_failed", "out of memory"),
        (python("wall"), "sandbox_failed", "overloaded"),
        (python("panic"), "internal", "report"),
        (json!({"language": "javascript", "source": ""}), "sandbox_unavailable", "not installed"),
        (json!({"language": "python", "source": "", "deadline_ms": 0}), "deadline_exceeded", "deadline"),
    ];
    for (body, kind, says) in rows {
        let reply = execute(&server, &body).await;
        assert!(reply["ending"].is_null() && reply["exit_code"].is_null(), "{body}: {reply}");
        assert_eq!(reply["error"]["kind"], kind, "{body}: {reply}");
        assert!(reply["error"]["message"].as_str().unwrap().contains(says), "{body}: {reply}");
        assert_eq!(reply["stdout"], "", "every field is there: {reply}");
    }
}

#[tokio::test]
async fn input_reaches_the_program_and_output_comes_back() {
    let server = start().await;
    let reply = execute(
        &server,
        &json!({
            "language": "python", "source": "cat\nargs\nread in/a.txt\nerror oh\nwrite /out/b.txt deep\nwrite c no",
            "stdin": "in ", "args": ["x", "y "], "files": {"./in//a.txt": "aGVsbG8="},
            "fetch_files": ["/out/b.txt", "absent", "in/../in/a.txt"],
        }),
    )
    .await;
    assert_eq!(reply["stdout"], "in x y hello");
    assert_eq!(reply["stderr"], "oh\n");
    assert_eq!(reply["files"], json!({"/out/b.txt": "ZGVlcA==", "in/../in/a.txt": "aGVsbG8="}));

    let reply =
        execute(&server, &json!({"language": "python", "source": "cat", "stdin_base64": "//4="})).await;
    assert_eq!((&reply["stdout"], &reply["stdout_base64"]), (&json!("\u{fffd}\u{fffd}"), &json!("//4=")));
    assert_eq!(execute(&server, &python("print a")).await.get("stdout_base64"), None);
}

#[tokio::test]
async fn limits_are_those_asked_for() {
    let server = start().await;
    let mut body = python("limits");
    let by_default = execute(&server, &body).await["stdout"].as_str().unwrap().to_owned();
    let expected = "Limits { time: 2s, wall: 120s, memory_bytes: 268435456, output_bytes: 1048576, files_bytes: 16777216 }";
    assert_eq!(by_default, expected);
    body["limits"] = json!({"time_ms": 60000, "memory_mb": 1, "output_kb": 1, "files_kb": 0});
    let set = execute(&server, &body).await["stdout"].as_str().unwrap().to_owned();
    let expected =
        "Limits { time: 60s, wall: 300s, memory_bytes: 1048576, output_bytes: 1024, files_bytes: 0 }";
    assert_eq!(set, expected);
}

#[tokio::test]
async fn functions_are_called_with_plain_data() {
    let server = start().await;
    let mut body = python("print loaded");
    let args = json!([1, 2.0, {"$int": "123456789012345678901"}, {"$tuple": [null]}, {"a": [true]}]);
    body["call"] = json!({"entry_point": "f", "args": args, "kwargs": {"k": "v"}});
    let reply = execute(&server, &body).await;
    assert_eq!(reply["returned"]["value"], json!({"$tuple": [args, {"k": "v"}]}), "{reply}");
    assert_eq!(reply["returned"]["arguments"][0], json!(null));
    assert_eq!(reply["stdout"], "loaded\n");
    body["call"] = json!({"entry_point": "absent"});
    let reply = execute(&server, &body).await;
    assert_eq!((&reply["ending"], &reply["returned"]), (&json!("no_entry_point"), &json!(null)), "{reply}");
    assert_eq!(reply["message"], "the program does not define `absent`");
}

#[tokio::test]
async fn several_programs_are_answered_in_order() {
    let server = start().await;
    let programs: Vec<Value> = (0..64)
        .map(|i| python(&if i % 8 == 5 { "broken".to_owned() } else { format!("print {i}") }))
        .collect();
    let reply = execute(&server, &json!({"programs": programs})).await;
    let results = reply["results"].as_array().unwrap();
    assert_eq!(results.len(), 64);
    for (i, result) in results.iter().enumerate() {
        if i % 8 == 5 {
            assert_eq!(result["error"]["kind"], "sandbox_failed", "{result}");
        } else {
            assert_eq!(result["stdout"], format!("{i}\n"));
        }
    }
    let one = execute(&server, &json!({"programs": [python("print a")]})).await;
    assert_eq!(one["results"].as_array().unwrap().len(), 1, "a list stays a list: {one}");
    let late = execute(&server, &json!({"programs": [python("print a")], "deadline_ms": 0})).await;
    assert_eq!(late["results"][0]["error"]["kind"], "deadline_exceeded");
    assert_eq!(server.app.admission.n_completions(), 0, "something still holds its permit");
}

#[tokio::test]
async fn a_large_output_comes_back_whole() {
    let server = start().await;
    let stdin = "x".repeat(3 << 20);
    let reply = execute(&server, &json!({"language": "python", "source": "cat", "stdin": stdin})).await;
    assert_eq!(reply["stdout"].as_str().unwrap().len(), 3 << 20);
}

#[tokio::test]
async fn it_is_let_in_like_grading() {
    let body = python("print a");
    let server = Server::with(Options { open: false, ..Options::default() }).await;
    for path in ["/v1/execute", "/run_code"] {
        assert_eq!(server.post(path, &body).await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(server.get("/v1/languages").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(server.get("/v1/ping").await.status, StatusCode::OK);

    let server = start().await;
    server.app.admission.drain();
    let reply = server.post("/v1/execute", &body).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(reply.text().contains("draining"), "{}", reply.text());
}

#[tokio::test]
async fn languages_say_whether_they_are_ready() {
    let server = start().await;
    let list = server.get("/v1/languages").await.json();
    let found: Vec<_> = list["languages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["language"].as_str().unwrap(), entry["ready"].as_bool().unwrap()))
        .collect();
    assert_eq!(found, [("c", false), ("cpp", true), ("javascript", false), ("python", true)]);
    assert!(list["languages"][0]["how"].as_str().unwrap().contains("gavel sandbox"), "{list}");
    assert_eq!(list["languages"][1].get("how"), None);
}

#[tokio::test]
async fn runs_are_counted_by_language_and_ending() {
    let server = start().await;
    execute(&server, &python("missing numpy")).await;
    execute(&server, &json!({"language": "cpp", "source": "broken"})).await;
    let metrics = server.get("/metrics").await.text();
    for line in [
        "gavel_executions_total{language=\"python\",ending=\"missing_module\"}",
        "gavel_executions_total{language=\"cpp\",ending=\"sandbox_failed\"}",
        "gavel_execution_seconds",
        "gavel_execution_fuel",
    ] {
        assert!(metrics.contains(line), "{line} is missing in {metrics}");
    }
}
