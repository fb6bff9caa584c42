//! Cases that call a function, test programs and checkers.

use graders::ErrorKind;
use serde_json::{Value, json};

use super::script::{PROGRAM, run, tests};

fn call(compare: &Value, language: &str, case: &Value) -> Value {
    let mut tests = json!({"language": language, "entry_point": "f", "cases": [case]});
    if !compare.is_null() {
        tests["compare"] = compare.clone();
    }
    tests
}

#[test]
fn what_is_returned_is_compared_as_the_tests_say() {
    let equal = json!(null);
    let exact = json!({"kind": "exact"});
    let float = json!({"kind": "float", "tol": 0.01});
    let any_order = json!({"kind": "any_order"});
    let big = |last: u8| json!({"$int": format!("12345678901234567890123456789{last}")});
    for (compare, got, expected, same) in [
        (&equal, json!(1), json!(1), true),
        (&equal, json!(1.0), json!(1), true),
        (&equal, json!(2), json!(2.0), true),
        (&equal, json!(true), json!(1), false),
        (&equal, json!(1), json!(true), false),
        (&equal, json!(0), json!(false), false),
        (&equal, json!(null), json!(0), false),
        (&equal, json!("1"), json!(1), false),
        (&equal, json!([1, 2]), json!({"$tuple": [1, 2]}), true),
        (&equal, json!({"$tuple": [1, 2]}), json!([1, 2]), true),
        (&equal, json!([{"$tuple": [1]}]), json!([[1]]), true),
        (&equal, json!([1, 2]), json!([2, 1]), false),
        (&equal, json!([1]), json!([1, 1]), false),
        (&equal, json!([[1], 2]), json!([[1, 2]]), false),
        (&equal, json!({"$set": [2, 1]}), json!({"$set": [1, 2]}), true),
        (&equal, json!([1, 2]), json!({"$set": [1, 2]}), false),
        (&equal, json!({"b": 1, "a": 2}), json!({"a": 2, "b": 1}), true),
        (&equal, json!({"a": 1}), json!({"a": 1, "b": 1}), false),
        (&equal, json!({"$dict": [[1, "a"]]}), json!({"1": "a"}), false),
        (&equal, json!({"$dict": [[1, "a"]]}), json!({"$dict": [[1, "a"]]}), true),
        (&equal, json!({"$bytes": "6162"}), json!({"$bytes": "6162"}), true),
        (&equal, json!("ab"), json!({"$bytes": "6162"}), false),
        (&equal, json!({"$complex": [1, 2]}), json!({"$complex": [1.0, 2]}), true),
        (&equal, json!({"$complex": [1, 2]}), json!({"$complex": [1, 3]}), false),
        (&equal, big(0), big(0), true),
        (&equal, big(0), big(1), false),
        (&equal, json!(9_007_199_254_740_993_u64), json!(9_007_199_254_740_992_u64), false),
        (&equal, json!({"$float": "1e22"}), json!({"$int": "10000000000000000000000"}), true),
        (&equal, json!(0.1), json!(0.1), true),
        (&equal, json!(0.3), json!(0.300_000_000_000_000_04), false),
        (&equal, json!("-0.0"), json!(0.0), true),
        (&equal, json!("-0.0"), json!(0), true),
        (&equal, json!("nan"), json!(1.0), false),
        (&equal, json!("nan"), json!({"$float": "nan"}), true),
        (&equal, json!({"$float": "inf"}), json!({"$float": "inf"}), true),
        (&equal, json!({"$float": "inf"}), json!({"$float": "-inf"}), false),
        (&exact, json!(1.0), json!(1), false),
        (&exact, json!(1), json!(1.0), false),
        (&exact, json!(1.0), json!(1.0), true),
        (&exact, json!([1]), json!([1]), true),
        (&exact, json!({"$tuple": [1]}), json!([1]), false),
        (&exact, json!({"$tuple": [1]}), json!({"$tuple": [1]}), true),
        (&exact, json!("-0.0"), json!(0.0), true),
        (&float, json!([1.005, 3]), json!([1.0, 3]), true),
        (&float, json!([1.02, 3]), json!([1.0, 3]), false),
        (&float, json!({"a": {"$tuple": [1.005]}}), json!({"a": [1.0]}), true),
        (&float, json!({"a": 1.0}), json!({"b": 1.0}), false),
        (&float, json!(1), json!(1.005), true),
        (&float, json!(1001), json!(1000), false),
        (&float, json!(1000.5), json!(1000), false),
        (&float, json!(1000.0), json!(1000), true),
        (&float, json!("nan"), json!(1.0), false),
        (&float, json!("nan"), json!({"$float": "nan"}), true),
        (&float, json!({"$float": "inf"}), json!(1.0), false),
        (&float, json!({"$complex": [1.001, 0]}), json!({"$complex": [1, 0]}), true),
        (&float, json!(true), json!(1.0), false),
        (&any_order, json!([3, 1, 1]), json!([1, 3, 1]), true),
        (&any_order, json!([3, 1, 1]), json!([1, 3, 3]), false),
        (&any_order, json!([[1, 2], [3]]), json!([[3], [1, 2]]), true),
        (&any_order, json!([[1, 2]]), json!([[2, 1]]), false),
        (&any_order, json!(1), json!(1), true),
    ] {
        let task = tests(&call(compare, "python", &json!({"args": [got], "expected": expected})));
        let (verdict, seen) = run(&json!({"type": "code"}), &task, PROGRAM);
        let verdict = verdict.unwrap();
        assert_eq!(verdict.score, Some(f64::from(same)), "{compare}: {got} and {expected}");
        assert_eq!(verdict.reason.name(), if same { "tests_passed" } else { "wrong_result" });
        assert_eq!((seen.called.len(), seen.called[0].entry_point.as_str()), (1, "f"));
    }
    // In JavaScript 1 and 1.0 are the same number.
    let task = tests(&call(&exact, "javascript", &json!({"args": [1.0], "expected": 1})));
    assert_eq!(run(&json!({"type": "code"}), &task, "```js\n1\n```").0.unwrap().score, Some(1.0));
}

#[test]
fn arguments_and_what_is_judged() {
    let grader = json!({"type": "code"});
    let score =
        |case: Value| run(&grader, &tests(&call(&json!(null), "python", &case)), PROGRAM).0.unwrap().score;
    // The scripted function appends 0 to its argument.
    let in_place =
        |expected: Value| score(json!({"args": [[1]], "expected": expected, "result": {"argument": 0}}));
    assert_eq!((in_place(json!([1, 0])), in_place(json!([1]))), (Some(1.0), Some(0.0)));
    assert_eq!(score(json!({"args": [[1]], "expected_any": [[2], [1]]})), Some(1.0));
    // `null` is a value that can be expected.
    assert_eq!(score(json!({"args": [null], "expected": null})), Some(1.0));
    assert_eq!(score(json!({"args": [1], "expected": null})), Some(0.0));

    let task = tests(&json!({"language": "python", "entry_point": "Solution().solve", "cases": [
        {"args": [1], "kwargs": {"b": {"$tuple": []}}, "expected": 1}]}));
    let call = run(&grader, &task, PROGRAM).1.called.remove(0);
    assert_eq!((call.entry_point.as_str(), call.kwargs.len()), ("solve", 1));
    assert_eq!(call.kwargs[0], ("b".to_owned(), sandboxes::Value::Tuple(Vec::new())));
}

#[test]
fn every_ending_of_a_call_has_its_reason() {
    for (word, reason) in [
        ("exit 3", "runtime_error"),
        ("fuel", "time_limit"),
        ("memory", "memory_limit"),
        ("output", "output_limit"),
        ("import", "missing_module"),
        ("trap", "runtime_error"),
        ("compile", "compile_error"),
        ("entry", "no_entry_point"),
        ("result", "invalid_result"),
        ("liar", "invalid_result"),
        ("silent", "runtime_error"),
        ("fine", "tests_passed"),
    ] {
        let task = tests(&call(&json!(null), "python", &json!({"args": [word], "expected": word})));
        let verdict = run(&json!({"type": "code"}), &task, PROGRAM).0.unwrap();
        assert_eq!(verdict.reason.name(), reason, "{word}");
        assert_eq!(verdict.score, Some(f64::from(reason == "tests_passed")), "{word}");
    }
    for (word, kind) in [
        ("wall", ErrorKind::SandboxFailed),
        ("broken", ErrorKind::SandboxFailed),
        ("absent", ErrorKind::SandboxUnavailable),
        ("unsupported", ErrorKind::InvalidTask),
    ] {
        let task = tests(&call(&json!(null), "python", &json!({"args": [word], "expected": word})));
        assert_eq!(run(&json!({"type": "code"}), &task, PROGRAM).0.unwrap_err().kind, kind, "{word}");
    }
}

#[test]
fn test_programs_come_out_as_they_do() {
    let grader = json!({"type": "code"});
    let with = |source: &str| {
        run(&grader, &tests(&json!({"language": "python", "cases": [{"assert": source}]})), PROGRAM)
    };
    for (source, reason) in [
        ("assert right", "tests_passed"),
        ("assert wrong", "wrong_result"),
        ("quiet", "wrong_result"),
        ("lines", "wrong_result"),
        ("lines of another", "runtime_error"),
        ("raise", "runtime_error"),
        ("left", "runtime_error"),
        ("exit 3", "runtime_error"),
        ("fuel", "time_limit"),
        ("memory", "memory_limit"),
        ("output", "output_limit"),
        ("import", "missing_module"),
        ("entry", "no_entry_point"),
        ("result", "invalid_result"),
        ("compile", "compile_error"),
    ] {
        let verdict = with(source).0.unwrap();
        assert_eq!(verdict.reason.name(), reason, "{source}");
        assert_eq!(verdict.score, Some(f64::from(reason == "tests_passed")), "{source}");
    }
    for (source, kind) in [
        ("syntax", ErrorKind::InvalidTask),
        ("wall", ErrorKind::SandboxFailed),
        ("slow tests", ErrorKind::SandboxFailed),
        ("broken", ErrorKind::SandboxFailed),
        ("absent", ErrorKind::SandboxUnavailable),
        ("unsupported", ErrorKind::InvalidTask),
    ] {
        assert_eq!(with(source).0.unwrap_err().kind, kind, "{source}");
    }
}

#[test]
fn test_programs_are_put_together() {
    let grader = json!({"type": "code"});
    let with = |entry_point: Value, case: Value| {
        let mut all = json!({"language": "python", "setup": "import math", "cases": [case]});
        if !entry_point.is_null() {
            all["entry_point"] = entry_point;
        }
        let program = run(&grader, &tests(&all), PROGRAM).1.examined.remove(0);
        (program.source, program.entry_point)
    };
    let check = "def check(candidate):\n    pass";
    assert_eq!(
        with(json!(null), json!({"assert": "assert f()"})),
        ("import math\nassert f()".to_owned(), None)
    );
    assert_eq!(with(json!("f"), json!({"program": "f()"})), ("import math\nf()".to_owned(), None));
    assert_eq!(
        with(json!("f"), json!({"check": check})),
        (format!("import math\n{check}"), Some("f".to_owned()))
    );
    assert_eq!(with(json!("Solution().f"), json!({"check": check})).1.as_deref(), Some("f"));
}

fn checked(
    source: &str,
    more: &Value,
    stdin: &str,
    stdout: Option<&str>,
) -> (Result<Option<f64>, ErrorKind>, usize) {
    let mut compare = json!({"kind": "checker", "language": "python", "source": source});
    compare.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut case = json!({ "stdin": stdin });
    if let Some(stdout) = stdout {
        case["stdout"] = json!(stdout);
    }
    let task = tests(&json!({"language": "python", "compare": compare, "cases": [case]}));
    let (verdict, seen) = run(&json!({"type": "code", "mode": "fraction"}), &task, PROGRAM);
    let runs = seen.called.len() + seen.checked.len();
    (verdict.map(|verdict| verdict.score).map_err(|error| error.kind), runs)
}

#[test]
fn a_checker_decides() {
    let none = json!({});
    let right = Ok(Some(1.0));
    let wrong = Ok(Some(0.0));
    let broken = Err(ErrorKind::InvalidTask);
    for (source, stdin, stdout, score, runs) in [
        ("equal", "x", Some("x"), right, 1),
        ("equal", "x", Some("y"), wrong, 1),
        ("half", "x", Some("y"), Ok(Some(0.5)), 1),
        ("half", "x", Some("x"), right, 1),
        // What breaks on this output alone was broken by it; what breaks on the expected one too is a fault of the
        // task, and so is what has nothing to be tried on.
        ("raises on x", "y", Some("z"), right, 1),
        ("raises on x", "x", Some("z"), wrong, 2),
        ("raises on x", "x", Some("x"), broken, 2),
        ("raises on x", "x", None, broken, 1),
        ("refuses all", "x", Some("z"), broken, 2),
        ("raises", "y", Some("z"), broken, 2),
        ("two", "y", Some("z"), broken, 2),
        ("text", "y", Some("z"), broken, 2),
        ("wall", "y", Some("z"), Err(ErrorKind::SandboxFailed), 1),
        // A program that failed is not checked.
        ("equal", "exit 3", Some("exit 3"), wrong, 0),
        ("equal", "bytes", Some("x"), wrong, 0),
    ] {
        assert_eq!(checked(source, &none, stdin, stdout), (score, runs), "{source}: {stdin} {stdout:?}");
    }
    let testlib = json!({"protocol": "testlib", "files": {"testlib.h": "…"}});
    for (stdin, score, runs) in [
        ("0 ok", right, 1),
        ("1 wrong answer", wrong, 1),
        ("2 presentation", wrong, 1),
        ("7 points 0.25 of 1", Ok(Some(0.25)), 1),
        // The expected output says 0.
        ("7 points", wrong, 2),
        ("3 fail", wrong, 2),
    ] {
        assert_eq!(checked("exits", &testlib, stdin, Some("0 ok")), (score, runs), "{stdin}");
    }
    assert_eq!(checked("exits", &testlib, "3", Some("3")), (broken, 2));
    let score = json!({"protocol": "score"});
    for (stdin, result, runs) in
        [("1", right, 1), ("0", wrong, 1), ("0.5 x", Ok(Some(0.5)), 1), ("x", wrong, 2)]
    {
        assert_eq!(checked("prints", &score, stdin, Some("1")), (result, runs), "{stdin}");
    }
}

#[test]
fn a_checker_gets_its_files_and_values() {
    let grader = json!({"type": "code"});
    let task = |protocol: &str| {
        tests(&json!({"language": "python", "cases": [{"stdin": "0 got", "stdout": "0 want"}],
            "compare": {"kind": "checker", "language": "cpp", "source": "exits", "protocol": protocol, "files": {"h": "H"}}}))
    };
    for (protocol, args) in [
        ("testlib", ["input.txt", "output.txt", "answer.txt"]),
        ("score", ["input.txt", "answer.txt", "output.txt"]),
    ] {
        let checker = run(&grader, &task(protocol), PROGRAM).1.checked.remove(0);
        assert_eq!(checker.args, args);
        let content =
            |path: &str| checker.files.iter().find(|file| file.path == path).unwrap().content.clone();
        assert_eq!((content("h"), content("input.txt")), (b"H".to_vec(), b"0 got".to_vec()));
        assert_eq!((content("output.txt"), content("answer.txt")), (b"0 got".to_vec(), b"0 want".to_vec()));
    }
    let with_checker = |expected: Value| {
        let compare = json!({"kind": "checker", "language": "python", "source": "equal"});
        let (verdict, seen) = run(
            &grader,
            &tests(&call(&compare, "python", &json!({"args": [[1], 2], "expected": expected}))),
            PROGRAM,
        );
        (verdict.unwrap().score, seen.called)
    };
    let (score, called) = with_checker(json!([1]));
    assert_eq!(score, Some(1.0));
    assert_eq!(called[1].args[0], sandboxes::Value::List(called[0].args.clone()));
    assert_eq!(with_checker(json!([2])).0, Some(0.0));
}
