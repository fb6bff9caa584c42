//! `code`: extraction, aggregation and comparison, with a sandbox that follows a script.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use graders::{Completion, ErrorKind, GradeError, Resources, Task, Verdict, build_grader};
use sandboxes::{Ending, Execution, Language, Limits, Program, Sandbox, SandboxError};
use serde_json::{Value, json};

use crate::grading::{grade, grade_with, refused};
use crate::vectors::reward_values;

/// Ends as the standard input says; otherwise prints it back. Remembers what it was given to run.
#[derive(Default)]
struct Scripted {
    ran: Mutex<Vec<(String, Limits)>>,
}

impl Sandbox for Scripted {
    fn languages(&self) -> Vec<Language> {
        vec![Language::Python, Language::Cpp]
    }

    fn run(&self, program: &Program, stdin: &[u8], limits: &Limits) -> Result<Execution, SandboxError> {
        self.ran.lock().unwrap().push((program.source.clone(), *limits));
        let language = program.language;
        let ending = match stdin {
            b"exit 3" => Ending::Exited { code: 3 },
            b"compile" => Ending::CompileError { message: "expected `;`".to_owned() },
            b"fuel" => Ending::OutOfFuel,
            b"wall" => Ending::TimedOut,
            b"memory" => Ending::OutOfMemory,
            b"output" => Ending::OutputLimit,
            b"import" => Ending::MissingModule { name: "torch".to_owned() },
            b"trap" => Ending::Trapped { message: "unreachable".to_owned() },
            b"broken" => return Err(SandboxError::Failed { language, message: "no memory".to_owned() }),
            b"absent" => return Err(SandboxError::Unavailable { language, reason: "not built".to_owned() }),
            _ => Ending::Exited { code: 0 },
        };
        Ok(Execution { stdout: stdin.to_vec(), stderr: b"!".to_vec(), ..Execution::ended(ending) })
    }
}

fn tests(tests: &Value) -> Task {
    Task { tests: Some(tests.clone()), ..Task::default() }
}

/// Runs a task's tests on a program; also gives what the sandbox was given.
fn run(grader: &Value, task: &Task, text: &str) -> (Result<Verdict, GradeError>, Vec<(String, Limits)>) {
    let sandbox = Arc::new(Scripted::default());
    let resources = Resources { sandbox: Some(sandbox.clone()) };
    let verdict = grade_with(grader, task, &Completion::new(text), &resources);
    let ran = sandbox.ran.lock().unwrap().clone();
    (verdict, ran)
}

const PROGRAM: &str = "```python\nprint(input())\n```";

fn one_case(stdin: &str, stdout: &str) -> Task {
    tests(&json!({"language": "python", "cases": [{"stdin": stdin, "stdout": stdout}]}))
}

#[test]
fn aggregation_vectors() {
    for case in reward_values("code") {
        let mut grader = json!({"type": "code", "mode": case["mode"]});
        if let Some(threshold) = case.get("threshold") {
            grader["threshold"] = threshold.clone();
        }
        let compile_error = case["compile_error"].as_bool().unwrap();
        let mut cases: Vec<Value> = case["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|passes| {
                let stdin = if compile_error { "compile" } else { "same" };
                json!({"stdin": stdin, "stdout": if passes.as_bool().unwrap() { "same" } else { "other" }})
            })
            .collect();
        if cases.is_empty() {
            cases.push(json!({"stdout": "x"}));
        }
        let text = if case["no_code"].as_bool().unwrap() { "I cannot." } else { PROGRAM };
        let (verdict, _) = run(&grader, &tests(&json!({"language": "python", "cases": cases})), text);
        let score = verdict.unwrap().score.unwrap();
        assert!((score - case["expected"].as_f64().unwrap()).abs() < 1e-9, "{score}: {case}");
    }
}

#[test]
fn every_ending_has_its_reason() {
    for (stdin, reason) in [
        ("fine", "tests_passed"),
        ("exit 3", "runtime_error"),
        ("compile", "compile_error"),
        ("fuel", "time_limit"),
        ("memory", "memory_limit"),
        ("output", "output_limit"),
        ("import", "missing_module"),
        ("trap", "runtime_error"),
    ] {
        // What was printed is right every time, and only a clean exit makes it count.
        let (verdict, _) = run(&json!({"type": "code"}), &one_case(stdin, stdin), PROGRAM);
        let verdict = verdict.unwrap();
        assert_eq!(verdict.reason.name(), reason);
        assert_eq!(verdict.score, Some(f64::from(reason == "tests_passed")), "{stdin}");
    }
}

#[test]
fn what_the_sandbox_failed_at_is_never_a_score() {
    let grader = json!({"type": "code"});
    let kind = |stdin| run(&grader, &one_case(stdin, ""), PROGRAM).0.unwrap_err().kind;
    assert_eq!(kind("broken"), ErrorKind::SandboxFailed);
    assert_eq!(kind("wall"), ErrorKind::SandboxFailed, "how busy the machine is decides no verdict");
    assert_eq!(kind("absent"), ErrorKind::SandboxUnavailable);

    let error = grade(&grader, &one_case("", ""), &Completion::new(PROGRAM)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::SandboxUnavailable);
    assert!(error.message.contains("sandbox"), "{error}");

    let javascript = tests(&json!({"language": "javascript", "cases": [{"stdout": "1"}]}));
    let error = run(&grader, &javascript, "```js\n1\n```").0.unwrap_err();
    assert_eq!(error.kind, ErrorKind::SandboxUnavailable);
    assert!(error.message.contains("python"), "{error}");
}

#[test]
fn cases_that_call_into_the_program_are_not_judged_yet() {
    for case in [json!({"args": [1], "expected": 2}), json!({"assert": "assert f(1) == 2"})] {
        let task = tests(&json!({"language": "python", "entry_point": "f", "cases": [{"stdout": ""}, case]}));
        let (verdict, ran) = run(&json!({"type": "code"}), &task, PROGRAM);
        let error = verdict.unwrap_err();
        assert_eq!(error.kind, ErrorKind::SandboxUnavailable);
        assert!(error.message.contains("case 1"), "{error}");
        assert!(ran.is_empty());
    }
}

#[test]
fn no_code_is_a_verdict_even_without_a_sandbox() {
    let verdict = grade(&json!({"type": "code"}), &one_case("", ""), &Completion::new("no idea")).unwrap();
    assert_eq!((verdict.score, verdict.reason.name()), (Some(0.0), "no_code"));
}

#[test]
fn programs_are_found_where_they_stand() {
    for (text, expected) in [
        ("```python\na\n```", Some("a\n")),
        ("```py\na\n```\n```Python3 title=x\nb\n```", Some("b\n")),
        // A fence of another language is not taken, whatever its place.
        ("```python\na\n```\n```json\n{}\n```", Some("a\n")),
        ("```json\n{}\n```", None),
        ("```\na\n```", Some("a\n")),
        ("```python\na\n```\n```\nits output\n```", Some("a\n")),
        // Only closed fences, and a longer fence holds a shorter one.
        ("```python\na\n```\n```python\nb\n", Some("a\n")),
        ("```python\na\n", None),
        ("````python\n```\n````", Some("```\n")),
        ("~~~python\na\n```\n~~~", Some("a\n```\n")),
        ("1. so:\n   ```python\n   if a:\n     b\n   ```", Some("if a:\n  b\n")),
        ("```python\r\na\r\n```\r\n", Some("a\r\n")),
        ("```python\n\n```", None),
        ("text ```python\na\n```", None),
        ("<think>```python\na\n```</think> done", None),
        ("<think>\n```python\na\n```\n</think>\n```python\nb\n```", Some("b\n")),
        ("<think>\n```python\na\n```\n", None),
        ("", None),
    ] {
        let (verdict, ran) = run(&json!({"type": "code"}), &one_case("x", "x"), text);
        assert_eq!(ran.first().map(|(source, _)| source.as_str()), expected, "{text:?}");
        assert_eq!(
            verdict.unwrap().reason.name(),
            if expected.is_some() { "tests_passed" } else { "no_code" }
        );
    }
    let whole = json!({"type": "code", "unfenced": "whole_text"});
    for (text, expected) in [("print(1)", Some("print(1)")), ("```json\n{}\n```", None), ("  ", None)] {
        let (_, ran) = run(&whole, &one_case("x", "x"), text);
        assert_eq!(ran.first().map(|(source, _)| source.as_str()), expected, "{text:?}");
    }
}

#[test]
fn output_is_compared_as_the_tests_say() {
    let text = json!({"kind": "text"});
    let exact = json!({"kind": "exact"});
    let float = json!({"kind": "float", "tol": 0.01});
    for (compare, output, expected, same) in [
        (&text, "1 2  \r\n3\n\n\n", "1 2\n3", true),
        (&text, "1  2", "1 2", false),
        (&text, " 1", "1", false),
        (&text, "1\n\n2", "1\n2", false),
        (&text, "", "\n", true),
        (&exact, "1\n", "1\n", true),
        (&exact, "1", "1\n", false),
        (&float, "1.005 x", "1 x\n", true),
        (&float, "1.02", "1", false),
        (&float, "1009", "1000", true),
        (&float, "nan", "1", false),
        (&float, "inf", "1", false),
        (&float, "1 1", "1", false),
        (&float, "x", "y", false),
    ] {
        let task = tests(
            &json!({"language": "python", "compare": compare, "cases": [{"stdin": output, "stdout": expected}]}),
        );
        let verdict = run(&json!({"type": "code"}), &task, PROGRAM).0.unwrap();
        assert_eq!(verdict.score, Some(f64::from(same)), "{compare}: {output:?} and {expected:?}");
    }
}

#[test]
fn a_lost_binary_stops_and_a_fraction_goes_on() {
    let task = tests(&json!({"language": "python", "cases": [
        {"stdin": "a", "stdout": "b"}, {"stdin": "a", "stdout": "a"}, {"stdin": "a", "stdout": "a", "weight": 6}]}));
    let (verdict, ran) = run(&json!({"type": "code"}), &task, PROGRAM);
    assert_eq!((verdict.unwrap().score, ran.len()), (Some(0.0), 1));
    let (verdict, ran) = run(&json!({"type": "code", "mode": "weighted"}), &task, PROGRAM);
    assert_eq!((verdict.unwrap().score, ran.len()), (Some(0.875), 3));
    let lenient = json!({"type": "code", "threshold": 0.5});
    assert_eq!(run(&lenient, &task, PROGRAM).0.unwrap().score, Some(1.0));
}

#[test]
fn limits_reach_the_sandbox() {
    let task = tests(
        &json!({"language": "cpp", "cases": [{"stdout": ""}], "limits": {"time_ms": 500, "memory_mb": 64}}),
    );
    let (_, ran) = run(&json!({"type": "code"}), &task, "```c++\nint main() {}\n```");
    let (_, limits) = &ran[0];
    assert_eq!((limits.time, limits.memory_bytes), (Duration::from_millis(500), 64 << 20));
    assert_eq!(limits.wall, Duration::from_secs(60));
}

#[test]
fn wrong_tests_are_refused_where_they_are_wrong() {
    let grader = build_grader(&json!({"type": "code"})).unwrap();
    let case = json!({"stdout": "1"});
    for (tests, pointer) in [
        (json!(null), "/tests"),
        (json!([]), "/tests"),
        (json!({"language": "python"}), "/tests"),
        (json!({"language": "cobol", "cases": [case]}), "/tests/language"),
        (json!({"language": "python", "cases": []}), "/tests/cases"),
        (json!({"language": "python", "cases": vec![case.clone(); 513]}), "/tests/cases"),
        (json!({"language": "python", "cases": [case], "extra": 1}), "/tests/extra"),
        (json!({"language": "python", "cases": [case, {}]}), "/tests/cases/1"),
        (json!({"language": "python", "cases": [{"stdin": "1"}]}), "/tests/cases/0"),
        (json!({"language": "python", "cases": [{"stdout": 1}]}), "/tests/cases/0/stdout"),
        (json!({"language": "python", "cases": [{"stdout": "1", "weight": 0}]}), "/tests/cases/0/weight"),
        (json!({"language": "python", "cases": [{"stdout": "1", "args": []}]}), "/tests/entry_point"),
        (
            json!({"language": "python", "entry_point": "f", "cases": [{"stdout": "1", "args": []}]}),
            "/tests/cases/0/stdout",
        ),
        (json!({"language": "python", "cases": [{"assert": " "}]}), "/tests/cases/0/assert"),
        (
            json!({"language": "python", "cases": [case], "compare": {"kind": "text", "tol": 1}}),
            "/tests/compare/tol",
        ),
        (
            json!({"language": "python", "cases": [case], "compare": {"kind": "float", "tol": -1}}),
            "/tests/compare/tol",
        ),
        (json!({"language": "python", "cases": [case], "limits": {"time_ms": 0}}), "/tests/limits/time_ms"),
        (
            json!({"language": "python", "cases": [case], "limits": {"memory_mb": 5000}}),
            "/tests/limits/memory_mb",
        ),
    ] {
        let task: Task = serde_json::from_value(json!({"tests": tests})).unwrap();
        let Err(error) = grader.prepare(&task, &Resources::default()) else { panic!("{tests} was taken") };
        assert_eq!(error.pointer, pointer, "{error}");
    }
}

#[test]
fn wrong_configurations_are_refused_where_they_are_wrong() {
    for (grader, pointer) in [
        (json!({"type": "code", "mode": "best"}), "/mode"),
        (json!({"type": "code", "mode": "fraction", "threshold": 0.5}), "/threshold"),
        (json!({"type": "code", "threshold": 1.0}), "/threshold"),
        (json!({"type": "code", "mode": "open_instruct", "threshold": 1.1}), "/threshold"),
        (json!({"type": "code", "unfenced": true}), "/unfenced"),
    ] {
        refused(&grader, pointer);
    }
}
