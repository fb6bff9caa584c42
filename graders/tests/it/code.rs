//! `code`: extraction, aggregation and comparison, with a sandbox that follows a script.

mod calls;
mod reports;
mod script;
mod shapes;

use std::time::Duration;

use graders::{Completion, ErrorKind, Task};
use serde_json::{Value, json};

use self::script::{PROGRAM, refusal, run, tests};
use crate::grading::{grade, refused};
use crate::vectors::reward_values;

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

    assert_eq!(kind("unsupported"), ErrorKind::InvalidTask);

    let c = tests(&json!({"language": "c", "cases": [{"stdout": "1"}]}));
    let error = run(&grader, &c, "```c\n1\n```").0.unwrap_err();
    assert_eq!(error.kind, ErrorKind::SandboxUnavailable);
    assert!(error.message.contains("python"), "{error}");
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
        let (verdict, seen) = run(&json!({"type": "code"}), &one_case("x", "x"), text);
        assert_eq!(seen.ran.first().map(|(source, _)| source.as_str()), expected, "{text:?}");
        assert_eq!(
            verdict.unwrap().reason.name(),
            if expected.is_some() { "tests_passed" } else { "no_code" }
        );
    }
}

#[test]
fn what_is_taken_for_a_program_can_be_set() {
    let two = "```python\na\n```\nor\n```py\nb\n```\n```\nc\n```";
    let prose = "Sure, here it is.\nimport math\n\ndef f(x):\n    return x\n\nf(1)\n\nThat should do it.\n";
    for (settings, text, expected, step) in [
        (json!({}), two, Some("b\n"), "fenced"),
        (json!({"blocks": "first"}), two, Some("a\n"), "fenced"),
        (json!({"blocks": "join"}), two, Some("a\n\nb\n"), "fenced"),
        (json!({}), "```\na\n```", Some("a\n"), "unmarked_fence"),
        (json!({}), "```{.python}\na\n```", Some("a\n"), "fenced"),
        (json!({}), "```python:main.py\na\n```", Some("a\n"), "fenced"),
        (json!({}), "```pypy3\na\n```", Some("a\n"), "fenced"),
        (json!({}), "```python\na", None, "unclosed_fence"),
        (json!({"unclosed": "take"}), "```python\na", Some("a"), "unclosed_fence"),
        (json!({"unclosed": "take"}), "<think>\n```python\na", None, "empty"),
        (json!({"unclosed": "take"}), "```json\na", None, "other_language"),
        (json!({}), "```json\n{}\n```", None, "other_language"),
        (json!({}), "```python\n\n```", None, "empty_fence"),
        (json!({}), "print(1)", None, "no_fence"),
        (json!({"unfenced": "whole_text"}), "print(1)", Some("print(1)"), "whole_text"),
        (json!({"unfenced": "whole_text"}), "```json\n{}\n```", None, "other_language"),
        (json!({"unfenced": "whole_text"}), "  ", None, "empty"),
        (
            json!({"unfenced": "heuristic"}),
            prose,
            Some("import math\n\ndef f(x):\n    return x\n\nf(1)\n"),
            "heuristic",
        ),
        (
            json!({"unfenced": "heuristic"}),
            "Solution\nn, m = map(int, input().split())\nfor i in range(n):\n    print(i)\n",
            Some("n, m = map(int, input().split())\nfor i in range(n):\n    print(i)\n"),
            "heuristic",
        ),
        (json!({"unfenced": "heuristic"}), "I would import the module and be done.", None, "no_fence"),
        (json!({"unfenced": "heuristic"}), "from what I can tell this is hard.", None, "no_fence"),
    ] {
        let mut grader = json!({"type": "code"});
        grader.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        let (verdict, seen) = run(&grader, &one_case("x", "x"), text);
        assert_eq!(seen.ran.first().map(|(source, _)| source.as_str()), expected, "{settings} {text:?}");
        let detail = verdict.unwrap().detail;
        let found = if expected.is_some() { &detail["extraction"] } else { &detail["found"] };
        assert_eq!(found, step, "{settings} {text:?}");
    }
}

#[test]
fn output_is_compared_as_the_tests_say() {
    let text = json!({"kind": "text"});
    let exact = json!({"kind": "exact"});
    let tokens = json!({"kind": "tokens"});
    let float = json!({"kind": "float", "tol": 0.01});
    let absolute = json!({"kind": "float", "absolute": 0.5});
    let relative = json!({"kind": "float", "relative": 0.5});
    let lines = json!({"kind": "lines_any_order"});
    let words = json!({"kind": "tokens_any_order"});
    let any_case = json!({"kind": "tokens", "case_insensitive": true});
    let any_case_lines = json!({"kind": "lines_any_order", "case_insensitive": true});
    let document = json!({"kind": "json"});
    for (compare, output, expected, same) in [
        (&text, "1 2  \r\n3\n\n\n", "1 2\n3", true),
        (&text, "1\t", "1", true),
        (&text, "1  2", "1 2", false),
        (&text, " 1", "1", false),
        (&text, "1\n\n2", "1\n2", false),
        (&text, "", "\n", true),
        (&text, "1", "1\n2", false),
        (&text, "YES", "yes", false),
        // Nothing but `\n` ends a line, nothing but blanks is stripped, and nothing is printed in vain.
        (&text, "1\u{2028}2", "1\n2", false),
        (&text, "1\u{b}2", "1\n2", false),
        (&text, "1\u{c}", "1", false),
        (&text, "1\u{a0}", "1", false),
        (&text, "1\u{85}", "1", false),
        (&text, "1\r2", "1\n2", false),
        (&text, "1\r\r\n", "1\n", false),
        (&text, "1\u{0}", "1", false),
        (&text, "bytes", "\u{fffd}", false),
        (&exact, "1\n", "1\n", true),
        (&exact, "1", "1\n", false),
        (&tokens, "1\n 2\r\n", "1 2", true),
        (&tokens, "12", "1 2", false),
        (&tokens, "1\u{a0}2", "1 2", false),
        (&tokens, "2 1", "1 2", false),
        (&tokens, "1 2 3", "1 2", false),
        (&any_case, "yEs 1", "YES 1", true),
        (&any_case, "ſ", "s", false),
        (&float, "1.005 x", "1.0 x\n", true),
        (&float, "1.02", "1.0", false),
        (&float, "1009", "1000.0", true),
        (&float, "1009", "1e3", true),
        // A whole number is exact, in whatever form it is printed.
        (&float, "1009", "1000", false),
        (&float, "1000.0", "1000", true),
        (&float, "1e3", "1000", true),
        (&float, "1000.0001", "1000", false),
        (&float, "1000000008", "1000000007", false),
        (&float, "１", "1", false),
        (&float, "1_0.0", "10.0", false),
        (&float, "nan", "1.0", false),
        (&float, "nan", "nan", true),
        (&float, "NaN", "nan", false),
        (&float, "inf", "1.0", false),
        (&float, "1e400", "1e308", false),
        (&float, "inf", "1e400", false),
        (&float, "1 1", "1", false),
        (&float, "x", "y", false),
        (&absolute, "100.5", "100.0", true),
        (&absolute, "100.6", "100.0", false),
        (&relative, "149.0", "100.0", true),
        (&relative, "0.1", "0.0", false),
        (&lines, "b\na \n", "a\nb", true),
        (&lines, "a\na\nb", "a\nb\nb", false),
        (&lines, "a b", "b a", false),
        (&any_case_lines, "B\na", "A\nb", true),
        (&words, "3 1\n2", "1 2 3", true),
        (&words, "3 1 1", "1 3 3", false),
        (&document, "{\"b\": [1.0], \"a\": 10e0}\n", "{\"a\":10,\"b\":[1]}", true),
        (&document, "123456789012345678901234567891", "123456789012345678901234567890", false),
        (&document, "[1,2]", "[2,1]", false),
        (&document, "[1", "[1]", false),
        (&document, "1 1", "1", false),
        (&document, "true", "1", false),
        (&document, "{\"$int\": \"1\"}", "1", false),
        (&document, "{\"a\":1,\"a\":1}", "{\"a\":1}", false),
        (&document, "NaN", "null", false),
    ] {
        let task = tests(
            &json!({"language": "python", "compare": compare, "cases": [{"stdin": output, "stdout": expected}]}),
        );
        let verdict = run(&json!({"type": "code"}), &task, PROGRAM).0.unwrap();
        assert_eq!(verdict.score, Some(f64::from(same)), "{compare}: {output:?} and {expected:?}");
    }
}

#[test]
fn hostile_output_is_compared_and_cut() {
    let fill = |part: &str| part.repeat((1 << 16) / part.len());
    for kind in ["text", "exact", "tokens", "float", "lines_any_order", "tokens_any_order", "json"] {
        for output in [
            fill("["),
            fill("9"),
            format!("0.{}", fill("9")),
            fill("1e9 "),
            fill("{\"a\":"),
            fill("\\"),
            format!("\"{}", fill("\\u0000")),
            fill("\n"),
            fill(" \r"),
            fill("\u{10ffff}"),
            "1e999999999".to_owned(),
            format!("1e{}", fill("9")),
        ] {
            let task = tests(
                &json!({"language": "python", "compare": {"kind": kind}, "limits": {"output_kb": 2048},
                "cases": [{"stdin": output, "stdout": "1.5"}]}),
            );
            let verdict = run(&json!({"type": "code"}), &task, PROGRAM).0.unwrap();
            assert_eq!(verdict.reason.name(), "wrong_result", "{kind}");
            assert!(Value::Object(verdict.detail).to_string().len() < 10_000, "{kind}");
        }
    }
}

#[test]
fn any_of_several_outputs_is_right() {
    let task = |stdin: &str| {
        tests(&json!({"language": "python", "cases": [{"stdin": stdin, "expected_any": ["a", "b"]}]}))
    };
    let score = |stdin| run(&json!({"type": "code"}), &task(stdin), PROGRAM).0.unwrap().score;
    assert_eq!((score("a"), score("b\n"), score("c")), (Some(1.0), Some(1.0), Some(0.0)));
}

#[test]
fn a_lost_binary_stops_and_a_fraction_goes_on() {
    let task = tests(&json!({"language": "python", "cases": [
        {"stdin": "a", "stdout": "b"}, {"stdin": "a", "stdout": "a"}, {"stdin": "a", "stdout": "a", "weight": 6}]}));
    let (verdict, seen) = run(&json!({"type": "code"}), &task, PROGRAM);
    assert_eq!((verdict.unwrap().score, seen.ran.len()), (Some(0.0), 1));
    let (verdict, seen) = run(&json!({"type": "code", "mode": "weighted"}), &task, PROGRAM);
    assert_eq!((verdict.unwrap().score, seen.ran.len()), (Some(0.875), 3));
    let lenient = json!({"type": "code", "threshold": 0.5});
    assert_eq!(run(&lenient, &task, PROGRAM).0.unwrap().score, Some(1.0));
}

#[test]
fn limits_reach_the_sandbox() {
    let task = tests(
        &json!({"language": "cpp", "cases": [{"stdout": ""}], "limits": {"time_ms": 500, "memory_mb": 64}}),
    );
    let (_, seen) = run(&json!({"type": "code"}), &task, "```c++\nint main() {}\n```");
    let (_, limits) = &seen.ran[0];
    assert_eq!((limits.time, limits.memory_bytes), (Duration::from_millis(500), 64 << 20));
    assert_eq!(limits.wall, Duration::from_secs(60));
}

#[test]
fn the_output_limit_grows_with_what_is_expected() {
    let limits = |tests_value: &Value| {
        let (_, seen) = run(&json!({"type": "code"}), &tests(tests_value), PROGRAM);
        seen.ran[0].1.output_bytes
    };
    let long = "a".repeat(3 << 19);
    assert_eq!(limits(&json!({"language": "python", "cases": [{"stdout": "1"}]})), 1 << 20);
    assert_eq!(limits(&json!({"language": "python", "cases": [{"stdout": long}]})), 3 << 20);
    let small = json!({"language": "python", "cases": [{"stdout": "1"}], "limits": {"output_kb": 4}});
    assert_eq!(limits(&small), 4096);
}

#[test]
fn wrong_tests_are_refused_where_they_are_wrong() {
    let grader = json!({"type": "code"});
    let case = json!({"stdout": "1"});
    let python = |more: Value| {
        let mut tests = json!({"language": "python", "cases": [case]});
        tests.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        tests
    };
    let compare = |compare: Value| python(json!({ "compare": compare }));
    let limits = |limits: Value| python(json!({ "limits": limits }));
    let calls = |case: Value| python(json!({"entry_point": "f", "cases": [case]}));
    for (tests, pointer) in [
        (json!(null), "/tests"),
        (json!([]), "/tests"),
        (json!("[]"), "/tests"),
        (json!("{"), "/tests"),
        (json!({"language": "python"}), "/tests"),
        (json!({"language": "cobol", "cases": [case]}), "/tests/language"),
        (json!("{\"language\": \"cobol\", \"cases\": []}"), "/tests/language"),
        (python(json!({"cases": []})), "/tests/cases"),
        (python(json!({"cases": vec![case.clone(); 513]})), "/tests/cases"),
        (python(json!({"cases": [{"stdout": "a".repeat(5 << 20)}]})), "/tests/cases/0"),
        (python(json!({"cases": vec![json!({"stdout": "a".repeat(3 << 20)}); 12]})), "/tests"),
        (python(json!({"extra": 1})), "/tests/extra"),
        (python(json!({"setup": "a".repeat(1 << 19)})), "/tests/setup"),
        (python(json!({"entry_point": "f(x)"})), "/tests/entry_point"),
        (python(json!({"entry_point": "os.f"})), "/tests/entry_point"),
        (python(json!({"cases": [case, {}]})), "/tests/cases/1"),
        (python(json!({"cases": [{"stdin": "1"}]})), "/tests/cases/0"),
        (python(json!({"cases": [{"stdout": 1}]})), "/tests/cases/0/stdout"),
        (python(json!({"cases": [{"stdout": "1", "weight": 0}]})), "/tests/cases/0/weight"),
        (python(json!({"cases": [{"stdout": "1", "public": 1}]})), "/tests/cases/0/public"),
        (python(json!({"cases": [{"stdout": "1", "expected_any": ["1"]}]})), "/tests/cases/0/expected_any"),
        (python(json!({"cases": [{"stdin": "1", "expected_any": []}]})), "/tests/cases/0/expected_any"),
        (python(json!({"cases": [{"args": [], "expected": 1}]})), "/tests/entry_point"),
        (calls(json!({"stdout": "1", "args": []})), "/tests/cases/0/stdout"),
        (calls(json!({"args": []})), "/tests/cases/0"),
        (calls(json!({"args": [1e17], "expected": 1})), "/tests/cases/0/args/0"),
        (calls(json!({"args": [], "expected": [{"$set": [[]]}]})), "/tests/cases/0/expected/0/$set"),
        (calls(json!({"args": [], "expected_any": [1, 1e300]})), "/tests/cases/0/expected_any/1"),
        (calls(json!({"args": [], "kwargs": {"a": {"$x": 1}}, "expected": 1})), "/tests/cases/0/kwargs/a/$x"),
        (
            calls(json!({"args": [1], "expected": 1, "result": {"argument": 1}})),
            "/tests/cases/0/result/argument",
        ),
        (calls(json!({"args": [1], "expected": 1, "result": 1})), "/tests/cases/0/result"),
        (python(json!({"cases": [{"assert": " "}]})), "/tests/cases/0/assert"),
        (python(json!({"cases": [{"assert": "x", "stdin": ""}]})), "/tests/cases/0/stdin"),
        (python(json!({"cases": [{"check": "def check(c): pass"}]})), "/tests/entry_point"),
        (python(json!({"language": "cpp", "cases": [{"assert": "x"}]})), "/tests/cases/0"),
        (
            python(json!({"language": "c", "entry_point": "f", "cases": [{"args": [], "expected": 1}]})),
            "/tests/cases/0",
        ),
        (
            python(
                json!({"language": "javascript", "entry_point": "f", "cases": [{"kwargs": {"a": 1}, "expected": 1}]}),
            ),
            "/tests/cases/0/kwargs",
        ),
        (python(json!({"language": "cpp", "usual_imports": true})), "/tests/usual_imports"),
        (compare(json!({"kind": "best"})), "/tests/compare/kind"),
        (compare(json!({"kind": "equal"})), "/tests/compare/kind"),
        (compare(json!({"kind": "any_order"})), "/tests/compare/kind"),
        (compare(json!({"kind": "text", "tol": 1})), "/tests/compare/tol"),
        (compare(json!({"kind": "float", "tol": -1})), "/tests/compare/tol"),
        (compare(json!({"kind": "float", "tol": 1, "absolute": 1})), "/tests/compare/tol"),
        (compare(json!({"kind": "exact", "relative": 1})), "/tests/compare/relative"),
        (compare(json!({"kind": "json", "case_insensitive": true})), "/tests/compare/case_insensitive"),
        (compare(json!({"kind": "text", "source": "x"})), "/tests/compare/source"),
        (compare(json!({"kind": "checker", "source": "x"})), "/tests/compare/language"),
        (compare(json!({"kind": "checker", "language": "python"})), "/tests/compare/source"),
        (compare(json!({"kind": "checker", "language": "perl", "source": "x"})), "/tests/compare/language"),
        (compare(json!({"kind": "checker", "language": "cpp", "source": "x"})), "/tests/compare/protocol"),
        (compare(json!([])), "/tests/compare"),
        (python(json!({"compare": {"kind": "json"}, "cases": [{"stdout": "{"}]})), "/tests/cases/0/stdout"),
        (
            python(
                json!({"compare": {"kind": "tokens"}, "entry_point": "f", "cases": [{"args": [], "expected": 1}]}),
            ),
            "/tests/compare/kind",
        ),
        (limits(json!({"time_ms": 0})), "/tests/limits/time_ms"),
        (limits(json!({"time_ms": 60001})), "/tests/limits/time_ms"),
        (limits(json!({"memory_mb": 5000})), "/tests/limits/memory_mb"),
        (limits(json!({"output_kb": 0})), "/tests/limits/output_kb"),
        (limits(json!({"output_kb": 20000})), "/tests/limits/output_kb"),
        (limits(json!({"files": 1})), "/tests/limits/files"),
        (
            python(json!({"cases": [{"stdout": "a".repeat(2000)}], "limits": {"output_kb": 1}})),
            "/tests/limits/output_kb",
        ),
    ] {
        let error = refusal(&grader, &tests);
        let shown = || tests.to_string().chars().take(200).collect::<String>();
        assert_eq!(error.pointer, pointer, "{error}: {}", shown());
    }
    let public = python(json!({"cases": [{"stdout": "1", "public": true}]}));
    assert_eq!(refusal(&json!({"type": "code", "score": "hidden"}), &public).pointer, "/tests/cases");
}

#[test]
fn wrong_configurations_are_refused_where_they_are_wrong() {
    for (grader, pointer) in [
        (json!({"type": "code", "mode": "best"}), "/mode"),
        (json!({"type": "code", "mode": "fraction", "threshold": 0.5}), "/threshold"),
        (json!({"type": "code", "threshold": 1.0}), "/threshold"),
        (json!({"type": "code", "mode": "open_instruct", "threshold": 1.1}), "/threshold"),
        (json!({"type": "code", "unfenced": true}), "/unfenced"),
        (json!({"type": "code", "blocks": "all"}), "/blocks"),
        (json!({"type": "code", "unclosed": "x"}), "/unclosed"),
        (json!({"type": "code", "score": "public"}), "/score"),
        (json!({"type": "code", "run_all": 1}), "/run_all"),
        (json!({"type": "code", "missing_module": "drop"}), "/missing_module"),
        (json!({"type": "code", "missing_module": [1]}), "/missing_module/0"),
    ] {
        refused(&grader, pointer);
    }
}
