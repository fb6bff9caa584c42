//! open-instruct's `/test_program` and `/test_program_stdio`, with the Python that is installed.

use std::sync::Arc;

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{poison, post, serve, serve_with};
use crate::attacks;

fn body(program: &str, tests: &Value) -> Value {
    json!({"program": program, "tests": tests, "max_execution_time": 0.1})
}

#[tokio::test]
async fn each_assertion_is_judged_alone() {
    let server = serve_with(json!({}), Arc::clone(attacks::sandbox())).await;
    let tests = json!(["assert add(1, 2) == 3", "assert add(-1, 1) == 0", "assert add(0, 0) == 1"]);
    for (program, results) in [
        ("def add(a, b): return a + b", json!([1, 1, 0])),
        ("def add(a, b): return 0", json!([0, 1, 0])),
        ("def add(a, b):\n    while a < 0: pass\n    return a + b", json!([1, 0, 0])),
        ("def add(a, b): return a +", json!([0, 0, 0])),
        ("import sys\ndef add(a, b): return 3\nsys.exit(0)", json!([0, 0, 0])),
        ("", json!([0, 0, 0])),
        ("s = '''\n```\n'''\ndef add(a, b): return a + b", json!([1, 1, 0])),
    ] {
        for tests in [tests.clone(), json!(tests.to_string())] {
            let (status, reply) = post(&server, "/test_program", &body(program, &tests)).await;
            assert_eq!((status, &reply["results"]), (StatusCode::OK, &results), "{program}: {reply}");
            let runtimes = reply["runtimes"].as_array().unwrap().iter().map(|time| time.as_f64().unwrap());
            let passed = results.as_array().unwrap().iter().map(|result| result == &json!(1));
            assert!(runtimes.zip(passed).all(|(time, passed)| if passed {
                time > 0.0
            } else {
                time == -1.0
            }));
        }
    }
    for tests in [json!([]), json!(""), json!(null)] {
        let (status, reply) = post(&server, "/test_program", &body("x = 1", &tests)).await;
        assert_eq!((status, reply), (StatusCode::OK, json!({"results": [], "runtimes": []})));
    }
}

#[tokio::test]
async fn output_is_compared() {
    let server = serve_with(json!({}), Arc::clone(attacks::sandbox())).await;
    let program = "import sys\nfor line in sys.stdin.read().splitlines():\n    print(int(line.strip()) + 1)";
    let tests = json!([
        {"input": "1\n", "output": "2\n"},
        {"input": "100\n", "output": "101"},
        {"input": "1\n", "output": "2.0"},
        {"input": "1\n2", "output": ["2", "3"]},
        {"input": "x\n", "output": "2"},
        {"input": "1\n", "output": "3"},
    ]);
    let (_, reply) = post(&server, "/test_program_stdio", &body(program, &tests)).await;
    assert_eq!(reply["results"], json!([1, 1, 1, 1, 0, 0]), "{reply}");
    // The same as data sets pack it: base64 of zlib of a pickle.
    let packed = json!("eJxrYJlqzAABsVM0aqdo9LBm5hWUlkzpYTLkmtLDll9aAuEZcU0pBUpnMGUwZ7D0MFkCual6ADTuEuI=");
    let (_, reply) = post(&server, "/test_program_stdio", &body(program, &packed)).await;
    assert_eq!(reply["results"], json!([1, 0]), "{reply}");
}

#[tokio::test]
async fn what_is_not_judged_is_the_number() {
    for (url, number) in
        [("/test_program_stdio", json!(0.0)), ("/test_program_stdio?on_infra_failure=0.5", json!(0.5))]
    {
        // The scripted sandbox fails on every line of Python that it does not know.
        let server = serve(json!({})).await;
        let tests = json!([{"input": "", "output": ""}, {"input": "", "output": ""}]);
        let (status, reply) = post(&server, url, &body("broken", &tests)).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(reply, json!({"results": [number, number], "runtimes": [0.0, 0.0]}));
    }
    let server = serve(json!({})).await;
    for (url, sent) in [
        ("/test_program", json!({"tests": []})),
        ("/test_program", body("", &json!({}))),
        ("/test_program", body("", &json!("x"))),
        ("/test_program", body("", &json!(vec!["assert True"; 5000]))),
        ("/test_program?on_infra_failure=x", body("", &json!([]))),
        ("/test_program?on_infra_failure=NaN", body("", &json!([]))),
    ] {
        assert!(post(&server, url, &sent).await.0.is_client_error(), "{url}");
    }
    // Tests that are none are a fault of the sample's data, not of the request.
    let (status, reply) = post(&server, "/test_program", &body("x = 1", &json!([1, null]))).await;
    assert_eq!((status, &reply["results"]), (StatusCode::OK, &json!([0.0, 0.0])));
}

#[tokio::test]
async fn poison_gets_a_verdict() {
    let server = serve_with(json!({}), Arc::clone(attacks::sandbox())).await;
    for text in poison() {
        for (url, test) in [
            ("/test_program", json!("assert f() == 1")),
            ("/test_program_stdio", json!({"input": "", "output": "no such output"})),
        ] {
            let (status, reply) = post(&server, url, &body(&text, &json!([test]))).await;
            assert_eq!(
                (status, &reply["results"]),
                (StatusCode::OK, &json!([0])),
                "{url} {}",
                &text[..text.len().min(40)]
            );
        }
    }
}
