//! Tests as other harnesses write them, and as a JSON text.

use sandboxes::Value as Plain;
use serde_json::{Value, json};

use super::script::{PROGRAM, refusal, run, tests};

fn score(tests_value: &Value) -> Option<f64> {
    run(&json!({"type": "code"}), &tests(tests_value), PROGRAM).0.unwrap().score
}

#[test]
fn inputs_and_outputs_are_read() {
    let streams = json!({"inputs": ["1 2\n", ["3", "4"]], "outputs": ["1 2\n", ["3", "4"]]});
    let (verdict, seen) = run(&json!({"type": "code"}), &tests(&streams), PROGRAM);
    assert_eq!(verdict.unwrap().score, Some(1.0));
    assert!(seen.ran[0].0.contains("from math import *") && seen.ran[0].0.ends_with("print(input())\n"));
    assert_eq!(score(&json!({"inputs": ["1"], "outputs": ["2"], "fn_name": null})), Some(0.0));
    let bare = json!({"inputs": ["1"], "outputs": ["1"], "usual_imports": false});
    assert_eq!(run(&json!({"type": "code"}), &tests(&bare), PROGRAM).1.ran[0].0, "print(input())\n");

    // The scripted function gives its first argument back.
    let calls =
        |inputs: Value, outputs: Value| json!({"fn_name": "f", "inputs": [inputs], "outputs": [outputs]});
    for (inputs, outputs, right) in [
        (json!("[1, 2]\n3\n"), json!("[1, 2]"), 1.0),
        (json!("[1, 2]\n3\n"), json!("3"), 0.0),
        (json!([[1, 2], 3]), json!([1, 2]), 1.0),
        (json!([5]), json!([5]), 1.0),
        (json!([[5]]), json!([5]), 1.0),
        (json!([5]), json!([[5]]), 0.0),
        (json!([{"1": 2}]), json!({"1": 2}), 1.0),
        (json!("123456789012345678901234567890"), json!("123456789012345678901234567890"), 1.0),
        (json!("123456789012345678901234567890"), json!("123456789012345678901234567891"), 0.0),
    ] {
        assert_eq!(score(&calls(inputs.clone(), outputs.clone())), Some(right), "{inputs} {outputs}");
    }
    let called =
        run(&json!({"type": "code"}), &tests(&calls(json!("{\"1\": 2}\n\"a\""), json!("1"))), PROGRAM)
            .1
            .called;
    let one = Plain::Int("1".to_owned());
    let dictionary = Plain::Map(vec![(one, Plain::Int("2".to_owned()))]);
    assert_eq!(called[0].args, [dictionary, Plain::Text("a".to_owned())]);
}

#[test]
fn other_forms_are_read() {
    let grader = json!({"type": "code"});
    let examined = |value: &Value, text: &str| run(&grader, &tests(value), text).1;

    let verl =
        json!({"assert_case": ["assert right", "assert f()"], "inputs": ["", null], "outputs": [null, null]});
    assert_eq!(examined(&verl, PROGRAM).examined.len(), 2);

    let human_eval = json!({"task_id": "HumanEval/0", "prompt": "import re\ndef f(a):\n", "canonical_solution": "x",
        "entry_point": "f", "test": "def check(candidate):\n    assert candidate(1)"});
    let seen = examined(&human_eval, "```python\ndef f(a): return a\n```");
    assert_eq!(seen.examined[0].entry_point.as_deref(), Some("f"));
    // Helpers of the prompt are the tests' own.
    assert!(seen.examined[0].source.starts_with("import re\n\ndef check"));

    let mbpp = json!({"task_id": 2, "text": "…", "code": "…", "test_setup_code": "x = 1", "test_imports": ["import math"],
        "test_list": ["assert a", "assert b"], "challenge_test_list": ["assert c"]});
    let sources: Vec<_> = examined(&mbpp, PROGRAM).examined.into_iter().map(|tests| tests.source).collect();
    assert_eq!(
        sources,
        ["assert a", "assert b", "assert c"].map(|test| format!("import math\nx = 1\n{test}"))
    );

    assert_eq!(
        score(
            &json!({"language": "python", "test_cases": [{"input": "a", "output": "a\n", "type": "stdin_stdout"}]})
        ),
        Some(1.0)
    );
    assert_eq!(
        score(&json!({"test_cases": [{"input": "a", "output": "b", "testtype": "stdin", "weight": 2}]})),
        Some(0.0)
    );
    assert_eq!(
        score(
            &json!({"fn_name": "f", "test_cases": [{"input": "[1]", "output": "[1]", "testtype": "functional"}]})
        ),
        Some(1.0)
    );
    let given = json!({"test_cases": [{"input": [1], "output": 1, "type": "function_call", "fn_name": "g"}]});
    assert_eq!(examined(&given, PROGRAM).called[0].entry_point, "g");
}

#[test]
fn public_and_hidden_lists_are_read() {
    let sides = |value: &Value| {
        let verdict = run(&json!({"type": "code"}), &tests(value), PROGRAM).0.unwrap();
        (verdict.score, verdict.detail["public"]["cases"].clone(), verdict.detail["hidden"]["cases"].clone())
    };
    let live = json!({"public_test_cases": "[{\"input\": \"a\", \"output\": \"a\", \"testtype\": \"stdin\"}]",
        "private_test_cases": [{"input": "b", "output": "b", "testtype": "stdin"}, {"input": "c", "output": "c"}],
        "metadata": "{}"});
    assert_eq!(sides(&live), (Some(1.0), json!(1), json!(2)));
    let call = json!({"public_test_cases": [{"input": "[1]\n2", "output": "[1]", "testtype": "functional"}],
        "metadata": {"func_name": "f"}});
    assert_eq!(run(&json!({"type": "code"}), &tests(&call), PROGRAM).1.called[0].entry_point, "f");
    let contest = json!({"public_tests": {"input": ["a"], "output": ["a"]}, "private_tests": {"input": [], "output": []},
        "generated_tests": {"input": ["b", "c"], "output": ["b", "x"]}});
    assert_eq!(sides(&contest), (Some(0.0), json!(1), json!(2)));
}

#[test]
fn faults_are_shown_where_they_stand_in_other_forms() {
    let grader = json!({"type": "code"});
    for (tests, pointer) in [
        (json!({"inputs": ["1"], "outputs": []}), "/tests/outputs"),
        (json!({"inputs": "1", "outputs": []}), "/tests/inputs"),
        (json!({"inputs": [], "outputs": []}), "/tests/inputs"),
        (json!({"inputs": [1], "outputs": ["1"]}), "/tests/inputs/0"),
        (json!({"inputs": ["1"], "outputs": [[1]]}), "/tests/outputs/0"),
        (json!({"inputs": ["1"], "outputs": ["1"], "extra": 1}), "/tests/extra"),
        (json!({"inputs": ["[1"], "outputs": ["1"], "fn_name": "f"}), "/tests/inputs/0"),
        (json!({"inputs": ["1"], "outputs": ["x"], "fn_name": "f"}), "/tests/outputs/0"),
        (json!({"inputs": [[1]], "outputs": [1e300], "fn_name": "f"}), "/tests/outputs/0"),
        (json!({"inputs": [[1e300]], "outputs": [1], "fn_name": "f"}), "/tests/inputs/0"),
        (json!({"inputs": ["1"], "outputs": ["1"], "fn_name": "f()"}), "/tests/fn_name"),
        (json!({"inputs": ["1"], "outputs": ["1"], "language": "cpp", "fn_name": "f"}), "/tests/inputs/0"),
        (json!({"inputs": ["1"], "assert_case": ["assert f()"]}), "/tests/inputs"),
        (json!({"assert_case": ["assert f()", 1]}), "/tests/assert_case/1"),
        (json!({"test": 1, "entry_point": "f"}), "/tests/test"),
        (json!({"test": "def check(c): pass"}), "/tests/entry_point"),
        (json!({"test": "def check(c): pass", "entry_point": "f", "extra": 1}), "/tests/extra"),
        (json!({"test_list": ["assert a", ""]}), "/tests/test_list/1"),
        (json!({"test_list": ["assert a"], "test_imports": [1]}), "/tests/test_imports/0"),
        (json!({"test_cases": [{"input": "1"}]}), "/tests/test_cases/0"),
        (json!({"test_cases": [{"input": "1", "output": "1", "extra": 1}]}), "/tests/test_cases/0/extra"),
        (json!({"test_cases": [{"input": "1", "output": "1", "type": "x"}]}), "/tests/test_cases/0/type"),
        (json!({"test_cases": [{"input": "1", "output": "1", "weight": 0}]}), "/tests/test_cases/0/weight"),
        (json!({"test_cases": [{"input": "1", "output": "1", "type": "functional"}]}), "/tests/fn_name"),
        (json!({"public_test_cases": "eJx="}), "/tests/public_test_cases"),
        (json!({"private_test_cases": [{"input": 1, "output": "1"}]}), "/tests/private_test_cases/0/input"),
        (json!({"public_test_cases": [], "metadata": 1}), "/tests/metadata"),
        (json!({"public_test_cases": []}), "/tests/public_test_cases"),
        (json!({"public_tests": {"input": ["1"], "output": []}}), "/tests/public_tests/output"),
        (json!({"generated_tests": {"input": ["1"], "output": [1]}}), "/tests/generated_tests/output/0"),
        (json!({"public_tests": []}), "/tests/public_tests"),
    ] {
        let error = refusal(&grader, &tests);
        assert_eq!(error.pointer, pointer, "{error}: {tests}");
    }
}

#[test]
fn tests_may_be_a_json_text_in_which_numbers_keep_their_digits() {
    assert_eq!(score(&json!("{\"inputs\": [\"1\"], \"outputs\": [\"1\"]}")), Some(1.0));
    let text = |expected: &str| {
        json!(format!(
            "{{\"language\": \"python\", \"entry_point\": \"f\", \"cases\": [{{\"args\": [36893488147419103233], \
             \"expected\": {expected}}}]}}"
        ))
    };
    assert_eq!(score(&text("36893488147419103233")), Some(1.0));
    assert_eq!(score(&text("36893488147419103232")), Some(0.0));
    assert_eq!(score(&text("3.6893488147419103232e19")), Some(0.0));
}
