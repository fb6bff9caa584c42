//! SandboxFusion's wire: its own tests on programs that say what is to come of them, and what verl makes of the
//! replies.

use std::sync::Arc;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::scripted::Scripted;
use crate::server::{Options, Server};

async fn start() -> Server {
    Server::with(Options { sandbox: Some(Arc::new(Scripted)), ..Options::default() }).await
}

/// The body that verl sends.
fn verl(code: &str, language: &str) -> Value {
    json!({
        "compile_timeout": 10, "run_timeout": 10, "code": code, "stdin": null, "memory_limit_MB": 1024,
        "language": language, "files": {}, "fetch_files": [],
    })
}

/// What verl makes of a reply, in its words: `_process_single_case` of its `sandbox_fusion/utils.py`.
fn verl_status(reply: &Value, expected: Option<&str>) -> &'static str {
    let failed = |result: &Value| result["status"] == "Finished" && result["return_code"] != 0;
    let (compile, run) = (&reply["compile_result"], &reply["run_result"]);
    match reply["status"].as_str().unwrap() {
        "SandboxError" => "sandbox_error",
        "Failed" if !compile.is_null() && (compile["status"] == "Error" || failed(compile)) => {
            "compile_error"
        }
        "Failed" if run["status"] == "TimeLimitExceeded" => "timeout",
        "Failed" if failed(run) => "runtime_error",
        "Success" if run["status"] == "Finished" => {
            let printed = run["stdout"].as_str().unwrap().trim_end_matches('\n');
            if expected.is_none_or(|expected| expected.trim_end_matches('\n') == printed) {
                "success"
            } else {
                "wrong_answer"
            }
        }
        _ => "unknown",
    }
}

#[tokio::test]
async fn verl_reads_each_ending_as_what_it_is() {
    let server = start().await;
    let rows = [
        ("python", "print 42", Some("42"), "success"),
        ("python", "print 42\nprint", Some("42"), "success"),
        ("python", "print 41", Some("42"), "wrong_answer"),
        ("python", "print 42 ", Some("42"), "wrong_answer"),
        ("python", "print 42", None, "success"),
        ("python", "error Traceback\nexit 1", None, "runtime_error"),
        ("python", "fuel", Some("42"), "timeout"),
        ("python", "memory", Some("42"), "runtime_error"),
        ("python", "flood", Some("42"), "runtime_error"),
        ("python", "trap", Some("42"), "runtime_error"),
        ("python", "missing numpy", Some("42"), "runtime_error"),
        ("cpp", "print 42", Some("42"), "success"),
        ("cpp", "compile_error", Some("42"), "compile_error"),
        ("cpp", "exit 1", Some("42"), "runtime_error"),
        ("python", "broken", Some("42"), "sandbox_error"),
        ("python", "wall", Some("42"), "sandbox_error"),
        ("nodejs", "print 42", Some("42"), "sandbox_error"),
        ("lean", "print 42", Some("42"), "sandbox_error"),
    ];
    for (language, code, expected, status) in rows {
        let reply = server.post("/run_code", &verl(code, language)).await;
        assert_eq!(reply.status, StatusCode::OK, "{language} {code}: {}", reply.text());
        let reply = reply.json();
        assert_eq!(verl_status(&reply, expected), status, "{language} {code}: {reply}");
        let keys: Vec<&str> = reply.as_object().unwrap().keys().map(String::as_str).collect();
        let all = ["compile_result", "executor_pod_name", "files", "message", "run_result", "status"];
        assert_eq!(keys, all, "{reply}");
        assert_eq!(reply["message"] != "", status == "sandbox_error", "{reply}");
    }
}

#[tokio::test]
async fn the_replies_have_the_parts_that_the_original_gives() {
    let server = start().await;
    let reply = server.post("/run_code", &json!({"code": "print 123", "language": "python"})).await.json();
    let run = json!({
        "status": "Finished", "execution_time": 0.0015, "return_code": 0, "stdout": "123\n", "stderr": "",
    });
    assert_eq!(reply["run_result"], run);
    assert_eq!((&reply["status"], &reply["compile_result"]), (&json!("Success"), &json!(null)));

    // What was printed before the limit is kept.
    let code = "print before\nerror and here\nfuel";
    let reply = server.post("/run_code", &json!({"code": code, "language": "python"})).await.json();
    let run = json!({
        "status": "TimeLimitExceeded", "execution_time": 0.0015, "return_code": null,
        "stdout": "before\n", "stderr": "and here\n",
    });
    assert_eq!(reply["run_result"], run);
    assert_eq!(reply["status"], "Failed");

    let code = "error AssertionError\nexit 1";
    let reply = server.post("/run_code", &json!({"code": code, "language": "python"})).await.json();
    assert_eq!((&reply["status"], &reply["run_result"]["status"]), (&json!("Failed"), &json!("Finished")));
    assert!(reply["run_result"]["stderr"].as_str().unwrap().contains("AssertionError"));

    let reply = server.post("/run_code", &json!({"code": "compile_error", "language": "cpp"})).await.json();
    let compiled = &reply["compile_result"];
    assert_eq!((&compiled["return_code"], &compiled["stderr"]), (&json!(1), &json!("no ;")), "{reply}");
    assert_eq!(reply["run_result"], json!(null));
    let reply = server.post("/run_code", &json!({"code": "print", "language": "cpp"})).await.json();
    assert_eq!(reply["compile_result"]["return_code"], 0);

    let reply =
        server.post("/run_code", &json!({"code": "cat", "language": "python", "stdin": "65535"})).await;
    assert_eq!(reply.json()["run_result"]["stdout"], "65535");

    let reply = server.get("/v1/ping").await;
    assert_eq!((reply.status, reply.text()), (StatusCode::OK, "\"pong\"".to_owned()));
}

#[tokio::test]
async fn files_go_in_and_come_out() {
    let server = start().await;
    let body = json!({
        "language": "python", "code": "read dir1/dir2/x\nwrite a.txt one\nwrite /mnt/b two",
        "files": {"dir1/dir2/x": "aGVs\nbG8=", "skipped": null},
        "fetch_files": ["a.txt", "/mnt/b", "./absent", "skipped"], "args": ["-v"],
    });
    let reply = server.post("/run_code", &body).await.json();
    assert_eq!(reply["run_result"]["stdout"], "hello", "{reply}");
    assert_eq!(reply["files"], json!({"a.txt": "b25l", "/mnt/b": "dHdv"}), "{reply}");
}

#[tokio::test]
async fn what_cannot_be_run_is_said_honestly() {
    let server = start().await;
    let with = |field: &str, value: Value| {
        let mut body = json!({"code": "print", "language": "python"});
        body[field] = value;
        body
    };
    let rows = [
        (with("language", json!("java")), "no sandbox for java"),
        (with("fetch_files", json!(["../../etc/passwd"])), "leads out"),
        (with("files", json!({"../x": ""})), "leads out"),
        (with("files", json!({"a": "?"})), "base64"),
        (with("files", json!({"a": "", "a/b": ""})), "in its way"),
        (with("files", json!({"a/b": "", "./a": ""})), "in its way"),
        (with("files", json!({"dir/": ""})), "not the path of a file"),
        (with("args", json!(["a\u{0}"])), "zero byte"),
        (with("code", json!("x".repeat((4 << 20) + 1))), "at most"),
    ];
    for (body, says) in rows {
        let reply = server.post("/run_code", &body).await;
        assert_eq!(reply.status, StatusCode::OK, "{says}: {}", reply.text());
        let reply = reply.json();
        assert_eq!(reply["status"], "SandboxError", "{says}: {reply}");
        assert!(reply["message"].as_str().unwrap().contains(says), "{says}: {reply}");
        assert!(reply["run_result"].is_null() && reply["compile_result"].is_null(), "{reply}");
    }
}

#[tokio::test]
async fn timeouts_are_seconds_of_reference_time() {
    let server = start().await;
    let rows = [
        (json!({}), "time: 10s", "memory_bytes: 1073741824"),
        (json!({"run_timeout": 2, "compile_timeout": 3}), "wall: 14s", "memory_bytes: 1073741824"),
        (json!({"run_timeout": 0.1, "memory_limit_MB": 256}), "time: 100ms", "memory_bytes: 268435456"),
        (json!({"run_timeout": "2.5", "memory_limit_MB": "64"}), "time: 2.5s", "memory_bytes: 67108864"),
        (json!({"run_timeout": 0, "memory_limit_MB": 0}), "time: 1ms", "memory_bytes: 1073741824"),
        (
            json!({"run_timeout": 1e300, "memory_limit_MB": 1_000_000}),
            "time: 60s",
            "memory_bytes: 4294967296",
        ),
        (json!({"run_timeout": -1, "compile_timeout": -5.5}), "time: 1ms", "memory_bytes: 1073741824"),
    ];
    for (fields, time, memory) in rows {
        let mut body = json!({"code": "limits", "language": "python"});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let reply = server.post("/run_code", &body).await.json();
        let limits = reply["run_result"]["stdout"].as_str().unwrap();
        assert!(limits.contains(time) && limits.contains(memory), "{fields}: {limits}");
    }
}

#[tokio::test]
async fn malformed_bodies_are_refused_as_fastapi_does() {
    let server = start().await;
    let rows = [
        ("", "missing", json!(["body"])),
        ("{", "json_invalid", json!(["body", 1])),
        ("[]", "model_attributes_type", json!(["body"])),
        (r#"{"language": "python"}"#, "missing", json!(["body", "code"])),
        (r#"{"code": 1, "language": "python"}"#, "string_type", json!(["body", "code"])),
        (r#"{"code": "", "language": "cobol"}"#, "literal_error", json!(["body", "language"])),
        (r#"{"code": "", "language": 3}"#, "literal_error", json!(["body", "language"])),
        (r#"{"code": "", "language": "python", "stdin": 5}"#, "string_type", json!(["body", "stdin"])),
        (
            r#"{"code": "", "language": "python", "run_timeout": "soon"}"#,
            "float_parsing",
            json!(["body", "run_timeout"]),
        ),
        (
            r#"{"code": "", "language": "python", "run_timeout": null}"#,
            "float_type",
            json!(["body", "run_timeout"]),
        ),
        (
            r#"{"code": "", "language": "python", "memory_limit_MB": 1.5}"#,
            "int_from_float",
            json!(["body", "memory_limit_MB"]),
        ),
        (
            r#"{"code": "", "language": "python", "memory_limit_MB": "x"}"#,
            "int_parsing",
            json!(["body", "memory_limit_MB"]),
        ),
        (r#"{"code": "", "language": "python", "files": []}"#, "dict_type", json!(["body", "files"])),
        (
            r#"{"code": "", "language": "python", "files": {"a": 1}}"#,
            "string_type",
            json!(["body", "files", "a"]),
        ),
        (
            r#"{"code": "", "language": "python", "fetch_files": "a"}"#,
            "list_type",
            json!(["body", "fetch_files"]),
        ),
        (
            r#"{"code": "", "language": "python", "fetch_files": ["a", 2]}"#,
            "string_type",
            json!(["body", "fetch_files", 1]),
        ),
        (r#"{"code": "", "language": "python", "args": {}}"#, "list_type", json!(["body", "args"])),
    ];
    for (body, kind, loc) in rows {
        let request = server.request(reqwest::Method::POST, "/run_code").body(body);
        let reply = crate::server::Reply::to(request).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {}", reply.text());
        let reply = reply.json();
        let first = &reply["detail"][0];
        assert_eq!((&first["type"], &first["loc"]), (&json!(kind), &loc), "{body}: {reply}");
        assert!(!first["msg"].as_str().unwrap().is_empty());
    }
    let reply = server.post("/run_code", &json!({})).await.json();
    assert_eq!(reply["detail"].as_array().unwrap().len(), 2, "all faults are told: {reply}");
    let extra = json!({"code": "print", "language": "python", "expected_stdout": "1"});
    assert_eq!(server.post("/run_code", &extra).await.json()["status"], "Success", "more fields do no harm");
}

#[tokio::test]
async fn what_was_not_begun_is_504_and_tried_again_by_verl() {
    let mut options = Options::default();
    options.limits.max_completions = 1;
    let server = Arc::new(Server::with(options).await);
    let body = verl("first", "python");
    let first = {
        let (server, body) = (Arc::clone(&server), body.clone());
        tokio::spawn(async move { server.post("/run_code", &body).await })
    };
    server.gate.until_begun(1).await;
    let full = server.post("/run_code", &body).await;
    assert_eq!(full.status, StatusCode::GATEWAY_TIMEOUT, "{}", full.text());
    assert!(full.json()["detail"].as_str().unwrap().contains("nothing"), "{}", full.text());
    server.gate.open();
    assert_eq!(first.await.unwrap().json()["run_result"]["stdout"], "1\n");
    server.app.admission.drain();
    assert_eq!(server.post("/run_code", &body).await.status, StatusCode::GATEWAY_TIMEOUT);
}
