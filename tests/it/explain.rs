//! Explanations: `testdata/explanations.toml` through the library, over HTTP and on the command line.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use graders::{Completion, Explanation, Prepared, Resources, Task, build_grader};
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::server::{Options, Server};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    row: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    grader: Option<String>,
    reference: Value,
    completion: String,
    reason: String,
    step: Option<String>,
    extracted: Option<String>,
    reference_latex: Option<Vec<String>>,
    answer_latex: Option<Vec<String>>,
    unread_at: Option<usize>,
    unread: Option<String>,
    decided_by: Option<String>,
    lacks: Option<String>,
    #[serde(default)]
    point: BTreeMap<String, String>,
    values: Option<[String; 2]>,
}

fn rows() -> Vec<Row> {
    let table: Table = toml::from_str(include_str!("../../testdata/explanations.toml")).unwrap();
    assert!(table.row.len() >= 15);
    table.row
}

impl Row {
    fn grader(&self) -> Value {
        self.grader
            .as_deref()
            .map_or_else(|| json!({"type": "math"}), |text| serde_json::from_str(text).unwrap())
    }

    fn explained(&self) -> Explanation {
        let grader = build_grader(&self.grader()).unwrap();
        let task = Task::with_reference(self.reference.clone());
        match grader.prepare(&task, &Resources::default()).unwrap() {
            Prepared::Completion(judge) => judge.explain(&Completion::new(self.completion.as_str())).unwrap(),
            Prepared::Group(_) => panic!("{}: a grader of groups", self.name),
        }
    }

    /// What in the explanation is not as the row says.
    fn fault(&self, found: &Explanation) -> Option<String> {
        let latex: Vec<String> = found.reference.iter().flat_map(|side| side.latex.clone()).collect();
        let extraction = found.extraction.as_ref();
        let answer = found.answer.as_ref();
        let example = found.counter_example.as_ref();
        let checks = [
            ("reason", found.verdict.reason.name() == self.reason),
            ("step", self.step.is_none() || self.step.as_ref() == extraction.map(|found| &found.step)),
            (
                "extracted",
                self.extracted.is_none() || self.extracted.as_ref() == extraction.map(|found| &found.text),
            ),
            ("reference", self.reference_latex.as_ref().is_none_or(|expected| *expected == latex)),
            (
                "answer",
                self.answer_latex.is_none() || self.answer_latex.as_ref() == answer.map(|side| &side.latex),
            ),
            ("unread_at", self.unread_at == answer.and_then(|side| side.unread_at)),
            ("unread", self.unread.as_ref() == answer.and_then(|side| side.unread.as_ref())),
            ("decided_by", self.decided_by.is_none() || self.decided_by == found.decided_by),
            ("lacks", self.lacks == found.lacks),
            (
                "values",
                self.values.as_ref().map(|[reference, answer]| (reference, answer))
                    == example.map(|found| (&found.reference, &found.answer)),
            ),
            ("point", example.is_none_or(|found| found.point == self.point)),
        ];
        let wrong: Vec<_> = checks.iter().filter(|(_, right)| !right).map(|(name, _)| *name).collect();
        (!wrong.is_empty()).then(|| format!("{}: {}: {found:#?}", self.name, wrong.join(", ")))
    }
}

#[test]
fn every_verdict_is_explained() {
    let faults: Vec<String> = rows().iter().filter_map(|row| row.fault(&row.explained())).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_verdict_is_the_one_that_grading_gives() {
    for row in rows() {
        let grader = build_grader(&row.grader()).unwrap();
        let task = Task::with_reference(row.reference.clone());
        let Ok(Prepared::Completion(judge)) = grader.prepare(&task, &Resources::default()) else {
            panic!("{}: not prepared", row.name);
        };
        let completion = Completion::new(row.completion.as_str());
        assert_eq!(
            judge.explain(&completion).unwrap().verdict,
            judge.grade(&completion).unwrap(),
            "{}",
            row.name
        );
    }
}

#[test]
fn nothing_hangs() {
    let texts = [
        "9^{9^{9^{9}}}".to_owned(),
        "((10!)!)!".to_owned(),
        "(x-1)^{6000} = 7".to_owned(),
        "x^{1/999999937} > 2^{2^{100}}".to_owned(),
        "\\sin(10^{300}x)".to_owned(),
        "\\tan(\\pi/2)".to_owned(),
        "0.5e99999999999999999999".to_owned(),
        "1e2000".to_owned(),
        "i^{i^{i^{i}}}".to_owned(),
        vec!["x^{400}"; 500].join("+"),
        format!("{} < 3", vec!["x^{400}"; 500].join("+")),
        vec!["x_{1}"; 800].join("+"),
        "{".repeat(40) + "x" + &"}".repeat(40),
        format!("{}x{}", "\\frac{1}{1+".repeat(20), "}".repeat(20)),
        format!("{}x{}", "2^{".repeat(20), "}".repeat(20)),
        format!("\\{{{}\\}}", vec!["1"; 60].join(",")),
        "[0, 10^{400}] \\cup (\\frac{1}{3}, \\infty)".to_owned(),
        "7".repeat(8000),
        "\u{1f600}\u{0}".to_owned(),
    ];
    let grader = build_grader(&json!({"type": "math", "extract": ["whole"]})).unwrap();
    for reference in &texts {
        let Ok(Prepared::Completion(judge)) =
            grader.prepare(&Task::with_reference(reference.as_str()), &Resources::default())
        else {
            continue;
        };
        for text in &texts {
            let began = Instant::now();
            let explanation = judge.explain(&Completion::new(text.as_str())).unwrap();
            let took = began.elapsed();
            assert!(took < Duration::from_secs(20), "{reference:.60} | {text:.60}: {took:?}");
            let length = serde_json::to_string(&explanation).unwrap().len();
            assert!(length < 100_000, "{reference:.60} | {text:.60}: {length} bytes");
        }
    }
}

#[tokio::test]
async fn the_server_says_what_the_library_says() {
    let server = Server::start().await;
    for row in rows() {
        let mut body =
            json!({"task": {"reference": row.reference.clone()}, "completion": row.completion.clone()});
        if row.grader.is_some() {
            body["grader"] = row.grader();
        }
        let reply = server.post("/v1/explain", &body).await;
        assert_eq!(reply.status, StatusCode::OK, "{}: {}", row.name, reply.text());
        assert_eq!(reply.json(), serde_json::to_value(row.explained()).unwrap(), "{}", row.name);
    }
    let metrics = server.get("/metrics").await.text();
    assert!(metrics.contains("gavel_explanations_total{grader=\"math\"}"), "{metrics}");
    assert_eq!(server.app.admission.n_completions(), 0, "something still holds its permit");
}

#[tokio::test]
async fn it_is_let_in_like_grading() {
    let body = json!({"task": {"reference": "1"}, "completion": "\\boxed{1}"});
    let server = Server::with(Options { open: false, ..Options::default() }).await;
    assert_eq!(server.post("/v1/explain", &body).await.status, StatusCode::UNAUTHORIZED);

    let server = Server::start().await;
    let late = json!({"task": {"reference": "1"}, "completion": "\\boxed{1}", "deadline_ms": 0});
    let reply = server.post("/v1/explain", &late).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(reply.text().contains("deadline"), "{}", reply.text());
    server.app.admission.drain();
    let reply = server.post("/v1/explain", &body).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(reply.text().contains("draining"), "{}", reply.text());
}

/// Runs `gavel explain` as a user does.
fn explain(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gavel"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GAVEL_")) {
        command.env_remove(name);
    }
    let pipes = command.arg("explain").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = pipes.stderr(Stdio::piped()).spawn().unwrap();
    // A command that does not read its input may be gone before it is written.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn the_command_shows_it_to_people_and_programs() {
    let output = explain(&["--reference", "(x+1)^2", "--completion", "\\boxed{x^2+1}"], "");
    assert_eq!(output.status.code(), Some(1));
    let expected = "verdict     different (score 0)\n\
        decided by  numeric\n\
        extracted   x^2+1 (by boxed)\n\
        reference   (x+1)^2\n  \
        read as   (x + 1)^{2}\n\
        answer      x^2+1\n  \
        read as   x^{2} + 1\n\
        differs     at x = 2\n  \
        reference = 9\n  \
        answer    = 5\n";
    assert_eq!(stdout(&output), expected);

    let output = explain(&["-r", "2", "-r", "3", "-c", "-", "--json"], "\\boxed{3}");
    assert_eq!(output.status.code(), Some(0));
    let explanation: Explanation = serde_json::from_slice(&output.stdout).unwrap();
    assert!(explanation.is_accepted());
    assert_eq!(explanation.reference.len(), 2);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("grader.json");
    std::fs::write(&path, r#"{"type": "math", "extract": ["whole"]}"#).unwrap();
    let output = explain(&["-r", "-2", "-c", "-2", "-g", &format!("@{}", path.display())], "");
    assert_eq!(output.status.code(), Some(0), "{output:?}");

    let output = explain(&["-r", "1", "-c", "\\boxed{\u{1b}[2J1}"], "");
    assert!(!stdout(&output).contains('\u{1b}'), "{:?}", stdout(&output));

    let task = r#"{"schema": {"type": "object"}}"#;
    let output = explain(&["-g", r#"{"type": "json"}"#, "--task", task, "-c", "[]"], "");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(stdout(&output).contains("schema_violation"), "{}", stdout(&output));
}

#[test]
fn the_help_says_what_the_exit_codes_mean() {
    let output = explain(&["--help"], "");
    assert!(stdout(&output).contains("Exit code: 0 when"), "{}", stdout(&output));
}

#[test]
fn wrong_arguments_are_named() {
    for (arguments, word) in [
        (vec!["-r", "1"], "--completion"),
        (vec!["-c", "1"], "/reference"),
        (vec!["-c", "1", "-r", "\\frac{1"], "/reference"),
        (vec!["-c", "1", "-r", "1", "-g", "math"], "not JSON"),
        (vec!["-c", "1", "-r", "1", "-g", r#"{"type": "maths"}"#], "/type"),
        (vec!["-c", "1", "-r", "1", "-g", "@absent.json"], "absent.json"),
        (vec!["-c", "1", "--task", r#"{"references": 1}"#], "references"),
        (vec!["-c", "1", "--task", r#"{"reference": 1}"#, "-r", "1"], "--task"),
        (vec!["-c", "1", "-g", r#"{"type": "length", "rule": "kimi", "correct": "a"}"#], "group"),
    ] {
        let output = explain(&arguments, "");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains(word), "{arguments:?}: {word} is missing in {told}");
    }
}
