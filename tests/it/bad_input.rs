//! Everything a caller can get wrong, in tables: `testdata/requests.toml` over HTTP, `testdata/lines.toml` for
//! the lines of a file. Each gets the right status, the place of the fault and what to do about it.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::StreamExt;
use gavel::server::decode;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::server::{Reply, Server};

const GOOD: &str = r#"{"rubric": "json", "groups": [{"completions": ["1"]}]}"#;
/// Requests under way at one time; enough to mix good and bad, few enough for the bombs.
const AT_ONCE: usize = 4;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    request: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    #[serde(default = "post")]
    method: String,
    #[serde(default = "grade")]
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    with: Option<String>,
    group: Option<String>,
    rubric: Option<String>,
    grader: Option<String>,
    task: Option<String>,
    generate: Option<String>,
    raw: Option<String>,
    status: u16,
    /// Absent where there is no place in a JSON body to point at.
    at: Option<Vec<String>>,
    #[serde(default)]
    says: String,
}

fn post() -> String {
    "POST".to_owned()
}

fn grade() -> String {
    "/v1/grade".to_owned()
}

impl Row {
    fn body(&self) -> Vec<u8> {
        if let Some(name) = &self.generate {
            return generate(name);
        }
        let rubric_of = |grader: &str| format!(r#"{{"components": [{{"name": "a", "grader": {grader}}}]}}"#);
        let text = match self {
            Self { body: Some(body), .. } => body.clone(),
            Self { with: Some(with), .. } => {
                format!(r#"{{"rubric": "json", {with}, "groups": [{{"completions": ["1"]}}]}}"#)
            }
            Self { group: Some(group), .. } => format!(r#"{{"rubric": "json", "groups": [{group}]}}"#),
            Self { task: Some(task), grader: Some(grader), .. } => {
                let rubric = rubric_of(grader);
                format!(r#"{{"rubric": {rubric}, "groups": [{{"task": {task}, "completions": ["1"]}}]}}"#)
            }
            Self { rubric: Some(rubric), .. } => with_rubric(rubric),
            Self { grader: Some(grader), .. } => with_rubric(&rubric_of(grader)),
            _ => String::new(),
        };
        text.into_bytes()
    }

    fn is_bulky(&self) -> bool {
        self.generate
            .as_deref()
            .is_some_and(|name| name.starts_with("hundred_megabytes") || name.ends_with("_bomb"))
    }

    async fn fault(&self, server: &Server) -> Option<String> {
        if let Some(name) = &self.raw {
            return self.raw_fault(&server.raw(&raw(name)).await);
        }
        let method: Method = self.method.parse().unwrap();
        let has_body = matches!(method, Method::POST | Method::PUT) && !self.path.ends_with("json");
        let mut request = server.request(method, &self.path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let reply = Reply::to(if has_body { request.body(self.body()) } else { request }).await;
        let wrong =
            |what: &str| Some(format!("{}: {what}: {} {}", self.name, reply.status, shown(&reply.text())));
        if reply.status != self.status {
            return wrong(&format!("expected {}", self.status));
        }
        if reply.header("content-type") != "application/problem+json" {
            return wrong("not a problem document");
        }
        if reply.header("x-request-id").is_empty() {
            return wrong("no request id");
        }
        if self.status == 405 && reply.header("allow").is_empty() {
            return wrong("it does not say what is allowed");
        }
        if reply.body.len() > 300_000 {
            return wrong("the reply is as large as the request");
        }
        let problem = reply.json();
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        if let Some(expected) = &self.at {
            let found: Vec<&str> = errors.iter().map(|fault| fault["pointer"].as_str().unwrap()).collect();
            if found != *expected {
                return wrong(&format!("expected the places {expected:?}"));
            }
        }
        let says = |text: &Value| text.as_str().is_some_and(|text| text.contains(&self.says));
        if !says(&problem["detail"]) || !errors.iter().all(|fault| says(&fault["message"])) {
            return wrong(&format!("it does not say {:?}", self.says));
        }
        if problem["status"] != self.status || !problem["title"].is_string() || !problem["type"].is_string() {
            return wrong("the problem document lacks a part");
        }
        let rust = ["struct ", " u64", " f64", "usize", "untagged", "RawValue", "variant of"];
        if let Some(word) = rust.iter().find(|word| problem["detail"].as_str().unwrap().contains(**word)) {
            return wrong(&format!("it speaks Rust: {word}"));
        }
        None
    }

    fn raw_fault(&self, answer: &str) -> Option<String> {
        let status = answer.split(' ').nth(1).unwrap_or("none");
        (status != self.status.to_string())
            .then(|| format!("{}: expected {}: {:?}", self.name, self.status, shown(answer)))
    }
}

fn with_rubric(rubric: &str) -> String {
    format!(r#"{{"rubric": {rubric}, "groups": [{{"task": {{"reference": "1"}}, "completions": ["1"]}}]}}"#)
}

fn shown(text: &str) -> String {
    text.chars().take(600).collect()
}

const MEGABYTE: usize = 1 << 20;

/// A body that is too large or too odd to stand in the table.
fn generate(name: &str) -> Vec<u8> {
    let good = || GOOD.as_bytes().to_vec();
    let group = |group: &str| format!(r#"{{"rubric": "json", "groups": [{group}]}}"#).into_bytes();
    let task = |task: &str| group(&format!(r#"{{"task": {task}, "completions": ["1"]}}"#));
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let long = |n: usize| "a".repeat(n);
    let cut = |mut bytes: Vec<u8>| {
        bytes.truncate(bytes.len() / 2);
        bytes
    };
    match name {
        "good" => good(),
        "byte_order_mark" => [b"\xef\xbb\xbf".to_vec(), good()].concat(),
        "utf_16" => GOOD.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        "not_utf_8" => [
            br#"{"rubric": "json", "groups": [{"completions": [""#.to_vec(),
            vec![0xff, 0xfe],
            br#""]}]}"#.to_vec(),
        ]
        .concat(),
        "zeros" => vec![0; 1000],
        "deep_body" => nested(100_000).into_bytes(),
        "deep_group" => task(&format!(r#"{{"metadata": {{"a": {}}}}}"#, nested(100_000))),
        "deep_rubric" => {
            format!(r#"{{"rubric": {}, "groups": [{{"completions": ["1"]}}]}}"#, nested(100_000)).into_bytes()
        }
        "hundred_megabytes" => group(&format!(r#"{{"completions": ["{}"]}}"#, long(100 * MEGABYTE))),
        "hundred_megabytes_of_space" => vec![b' '; 100 * MEGABYTE],
        "million_groups" => group(&vec![r#"{"completions":[""]}"#; 1_000_000].join(",")),
        "million_zeros" => group(&vec!["0"; 1_000_000].join(",")),
        "many_groups" => group(&vec![r#"{"completions": ["1"]}"#; 4097].join(",")),
        "many_completions" => group(&format!(r#"{{"completions": [{}]}}"#, vec![r#""1""#; 4097].join(","))),
        "long_text" => group(&format!(r#"{{"completions": ["{}"]}}"#, long(MEGABYTE + 1))),
        "long_text_object" => group(&format!(r#"{{"completions": [{{"text": "{}"}}]}}"#, long(MEGABYTE + 1))),
        "large_rubric" => {
            with_rubric(&format!(r#"{{"description": "{}"}}"#, long(2 * MEGABYTE))).into_bytes()
        }
        "long_rubric_name" => with_rubric(&format!(r#""{}""#, long(MEGABYTE - 10))).into_bytes(),
        "long_field" => format!(r#"{{"{}": 1}}"#, long(MEGABYTE)).into_bytes(),
        "long_grader_name" => {
            let name = long(MEGABYTE - 100);
            with_rubric(&format!(r#"{{"components": [{{"name": "a", "grader": {{"type": "{name}"}}}}]}}"#))
                .into_bytes()
        }
        "long_run_name" => {
            format!(r#"{{"rubric": "json", "run": "{}", "groups": [{{"completions": ["1"]}}]}}"#, long(300))
                .into_bytes()
        }
        "long_group_id" => group(&format!(r#"{{"id": "{}", "completions": ["1"]}}"#, long(300))),
        "long_completion_id" => {
            group(&format!(r#"{{"completions": [{{"id": "{}", "text": "1"}}]}}"#, long(300)))
        }
        "deep_pattern" => pattern(&format!("{}a{}", "(".repeat(10_000), ")".repeat(10_000))),
        "long_pattern" => pattern(&long(MEGABYTE / 2)),
        "growing_schema" => {
            let mut definitions = json!({"d0": {"type": "string"}});
            for i in 1..40 {
                let before = json!({"$ref": format!("#/$defs/d{}", i - 1)});
                definitions[format!("d{i}")] = json!({"anyOf": [before, before]});
            }
            task(&json!({"schema": {"$defs": definitions, "$ref": "#/$defs/d39"}}).to_string())
        }
        "deep_schema" => {
            let (open, close) = (r#"{"items":"#.repeat(90), "}".repeat(90));
            task(&format!(r#"{{"schema": {open}{{}}{close}}}"#))
        }
        "long_program" => {
            json!({"language": "python", "source": long(4 * MEGABYTE + 1)}).to_string().into_bytes()
        }
        "many_programs" => json!({"programs": vec![json!({"language": "python", "source": ""}); 65]})
            .to_string()
            .into_bytes(),
        "long_file_name" => {
            json!({"language": "python", "source": "", "fetch_files": [long(300), long(2000)]})
                .to_string()
                .into_bytes()
        }
        "gzip" => gzip(&good()),
        "gzip_cut" => cut(gzip(&good())),
        "gzip_bomb" => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            (0..1024).for_each(|_| encoder.write_all(&vec![b' '; MEGABYTE]).unwrap());
            encoder.finish().unwrap()
        }
        "zstd" => zstd::encode_all(GOOD.as_bytes(), 3).unwrap(),
        "zstd_cut" => cut(zstd::encode_all(GOOD.as_bytes(), 3).unwrap()),
        "zstd_bomb" => {
            let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
            (0..1024).for_each(|_| encoder.write_all(&vec![b' '; MEGABYTE]).unwrap());
            encoder.finish().unwrap()
        }
        other => panic!("nobody makes a body called {other}"),
    }
}

fn pattern(pattern: &str) -> Vec<u8> {
    with_rubric(
        &json!({"components": [{"name": "a", "grader": {"type": "regex", "pattern": pattern}}]}).to_string(),
    )
    .into_bytes()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Bytes that are no HTTP, or not quite.
fn raw(name: &str) -> Vec<u8> {
    let head = |headers: &str| format!("POST /v1/grade HTTP/1.1\r\nhost: gavel\r\n{headers}\r\n");
    let text = match name {
        "huge_header" => head(&format!("x-large: {}\r\n", "a".repeat(MEGABYTE))),
        "many_headers" => head(&"x-many: 1\r\n".repeat(2000)),
        "garbage" => "\u{1}\u{2}\u{3} hello\r\n\r\n".to_owned(),
        "nameless_header" => head(": value\r\n"),
        "bad_length" => head("content-length: many\r\n"),
        "two_lengths" => head("content-length: 1\r\ncontent-length: 2\r\n"),
        "bad_chunk" => format!("{}zz\r\n{GOOD}\r\n", head("transfer-encoding: chunked\r\n")),
        "short_body" => format!("{}{GOOD}", head("content-length: 1000\r\n")),
        "long_path" => format!("GET /{} HTTP/1.1\r\nhost: gavel\r\n\r\n", "a".repeat(100_000)),
        other => panic!("nobody makes bytes called {other}"),
    };
    text.into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bad_request_is_told_what_is_wrong() {
    let table: Table = toml::from_str(include_str!("../../testdata/requests.toml")).unwrap();
    assert!(table.request.len() >= 150);
    let server = Server::start().await;
    server.grade(&json!({"rubric": "json", "run": "kept", "groups": [{"completions": ["1"]}]})).await;
    // Groups need a run to point at; most rows about queries are refused before they look for one.
    let checks = AtomicUsize::new(0);
    // What is sent in bulk goes alone: on a busy machine several at once outlast the time that the server gives
    // to the rest of a body it has refused, and then the client sees a broken connection.
    let (bulky, others): (Vec<&Row>, Vec<&Row>) = table.request.iter().partition(|row| row.is_bulky());
    let check = async |row: &Row| {
        checks.fetch_add(1, Ordering::Relaxed);
        row.fault(&server).await
    };
    let mut faults = Vec::new();
    for row in bulky {
        faults.push(check(row).await);
    }
    faults.extend(futures_util::stream::iter(others).map(check).buffered(AT_ONCE).collect::<Vec<_>>().await);
    let faults: Vec<String> = faults.into_iter().flatten().collect();
    assert!(faults.is_empty(), "{} wrong answers:\n{}", faults.len(), faults.join("\n"));
    assert_eq!(checks.into_inner(), table.request.len());

    let reply = server.grade(&serde_json::from_str(GOOD).unwrap()).await;
    assert_eq!(reply["groups"][0]["rewards"][0]["reward"], 1.0);
    assert_eq!(server.app.admission.n_completions(), 0, "something still holds its permit");
    let stored = server.get("/v1/rubrics/mine").await;
    assert_eq!(stored.status, 404, "a refused rubric was stored: {}", stored.text());
    let runs = server.get("/v1/runs").await.json();
    assert_eq!(runs["runs"].as_array().unwrap().len(), 1, "a refused request left a run: {runs}");
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lines {
    line: Vec<Line>,
}

/// A line of a file, wrong.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    name: String,
    #[serde(rename = "line")]
    text: String,
    /// The group's id, where it can still be told.
    id: Option<String>,
    at: String,
    says: String,
}

#[test]
fn every_bad_line_is_told_what_is_wrong() {
    let table: Lines = toml::from_str(include_str!("../../testdata/lines.toml")).unwrap();
    let mut faults = Vec::new();
    for Line { name, text, id, at, says } in table.line {
        match decode::group(&text) {
            Ok(group) => faults.push(format!("{name}: it was read as {group:?}")),
            Err((found, fault)) => {
                if found != id || fault.pointer != at || !fault.message.contains(&says) {
                    faults.push(format!("{name}: expected {id:?} {at} {says:?}, got {found:?} {fault:?}"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_good_line_is_read() {
    let (completion, line) =
        ("a \u{1f600}", r#"{"id": "g", "completions": ["a \ud83d\ude00", {"text": "b", "n_tokens": 0}]}"#);
    let group = decode::group(line).unwrap();
    assert_eq!(group.id.as_deref(), Some("g"));
    assert_eq!(group.completions[0].text, completion);
    assert_eq!(group.completions[1].n_tokens, Some(0));
}
