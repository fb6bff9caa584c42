//! Which cases decide, and what the detail tells of them.

use serde_json::{Value, json};

use super::script::{PROGRAM, explained, run, tests};

fn verdict(grader: &Value, cases: &Value) -> graders::Verdict {
    run(grader, &tests(&json!({"language": "python", "cases": cases})), PROGRAM).0.unwrap()
}

#[test]
fn public_and_hidden_cases_are_told_apart() {
    let case = |passes: bool, public: bool| json!({"stdin": if passes { "a" } else { "b" }, "stdout": "a", "public": public});
    let all = json!({"type": "code"});
    let hidden = json!({"type": "code", "score": "hidden"});
    let run_all = json!({"type": "code", "run_all": true});
    for (grader, cases, score, public, hidden_side, only) in [
        (&all, json!([case(true, false), case(true, true)]), 1.0, [1, 1, 1], [1, 1, 1], false),
        // Public cases run first, wherever they stand.
        (&all, json!([case(false, false), case(true, true)]), 0.0, [1, 1, 1], [0, 1, 1], true),
        (&all, json!([case(true, false), case(false, true)]), 0.0, [0, 1, 1], [0, 0, 1], false),
        (&run_all, json!([case(true, false), case(false, true)]), 0.0, [0, 1, 1], [1, 1, 1], false),
        (
            &run_all,
            json!([case(false, false), case(true, true), case(true, true)]),
            0.0,
            [2, 2, 2],
            [0, 1, 1],
            true,
        ),
        (&hidden, json!([case(true, false), case(false, true)]), 1.0, [0, 1, 1], [1, 1, 1], false),
        (&hidden, json!([case(false, false), case(true, true)]), 0.0, [1, 1, 1], [0, 1, 1], true),
        (&all, json!([case(true, true)]), 1.0, [1, 1, 1], [0, 0, 0], false),
    ] {
        let verdict = verdict(grader, &cases);
        assert_eq!(verdict.score, Some(score), "{cases}");
        let side = |name: &str| {
            ["passed", "ran", "cases"].map(|field| verdict.detail[name][field].as_i64().unwrap())
        };
        assert_eq!((side("public"), side("hidden")), (public, hidden_side), "{cases}");
        assert_eq!(verdict.detail["passes_public_only"], only, "{cases}");
    }
    assert!(!verdict(&all, &json!([case(true, false)])).detail.contains_key("public"));
}

#[test]
fn a_failed_case_is_shown_and_a_hidden_one_not_told() {
    let grader = json!({"type": "code"});
    let reveal = json!({"type": "code", "reveal": true});
    let case = |public: bool| json!([{"stdin": "1\n2\nx", "stdout": "1\n2\nsecret", "public": public}]);
    let shown = verdict(&grader, &case(true)).detail;
    assert_eq!(
        (&shown["line"], &shown["got"], &shown["expected"]),
        (&json!(3), &json!("x"), &json!("secret"))
    );
    assert_eq!(verdict(&reveal, &case(false)).detail["expected"], "secret");
    let hidden = verdict(&grader, &case(false)).detail;
    assert_eq!(
        (&hidden["failed_case"], &hidden["line"], &hidden["got"]),
        (&json!(0), &json!(3), &json!("x"))
    );
    assert!(!Value::Object(hidden).to_string().contains("secret"));

    let call = |public: bool| {
        tests(&json!({"language": "python", "entry_point": "f",
            "cases": [{"args": [[1, "x"]], "expected": ["secret"], "public": public}]}))
    };
    let shown = run(&grader, &call(true), PROGRAM).0.unwrap().detail;
    assert_eq!((&shown["got"], &shown["expected"]), (&json!("[1, \"x\"]"), &json!("[\"secret\"]")));
    let hidden = run(&grader, &call(false), PROGRAM).0.unwrap().detail;
    assert_eq!(hidden["got"], "[1, \"x\"]");
    assert!(!Value::Object(hidden).to_string().contains("secret"));

    // The message of an assertion tells what was expected, and so does the statement.
    let shown = verdict(&grader, &json!([{"assert": "assert wrong", "public": true}])).detail;
    assert_eq!(
        (&shown["error"], &shown["test"]),
        (&json!("AssertionError: expected 42"), &json!("assert wrong"))
    );
    let hidden = verdict(&grader, &json!([{"assert": "assert wrong"}])).detail;
    assert_eq!(hidden["error"], "AssertionError");
    assert!(!Value::Object(hidden).to_string().contains("42"));
    let hidden = verdict(&grader, &json!([{"assert": "lines"}])).detail;
    assert_eq!(hidden["error"], "AssertionError");
    assert!(!Value::Object(hidden).to_string().contains("42"));
    let hidden = verdict(&grader, &json!([{"assert": "raise"}])).detail;
    assert_eq!(hidden["error"], "KeyError");
}

#[test]
fn the_end_of_a_program_is_described() {
    let grader = json!({"type": "code"});
    for (stdin, field, value) in [
        ("exit 3", "error", "ValueError: bad"),
        ("compile", "error", "expected `;`"),
        ("trap", "error", "unreachable"),
        ("import", "module", "torch.nn"),
        ("entry", "entry_point", "f"),
        ("bytes", "error", "the output is not UTF-8"),
    ] {
        let detail = verdict(&grader, &json!([{"stdin": stdin, "stdout": "x"}])).detail;
        assert_eq!(detail[field], value, "{stdin}");
    }
    let detail = verdict(&grader, &json!([{"stdin": "exit 3", "stdout": "x"}])).detail;
    assert!(detail["stderr"].as_str().unwrap().starts_with("Traceback"));
    for long in ["é".repeat(5000), "1\n".repeat(5000)] {
        let detail = verdict(&grader, &json!([{"stdin": long, "stdout": "x", "public": true}])).detail;
        assert!(detail["got"].as_str().unwrap().chars().count() <= 202, "{detail:?}");
    }
}

#[test]
fn a_missing_module_can_be_masked() {
    let cases = json!([{"stdin": "import", "stdout": "x"}]);
    for (setting, score) in [
        (json!("score"), Some(0.0)),
        (json!("mask"), None),
        (json!(["numpy", "torch"]), None),
        (json!(["numpy"]), Some(0.0)),
        (json!([]), Some(0.0)),
    ] {
        let verdict = verdict(&json!({"type": "code", "missing_module": setting}), &cases);
        assert_eq!((verdict.score, verdict.reason.name()), (score, "missing_module"), "{setting}");
        assert_eq!(verdict.detail["module"], "torch.nn");
    }
    // A program that was wrong before it missed the module was wrong.
    let wrong_first = json!([{"stdin": "a", "stdout": "b"}, {"stdin": "import", "stdout": "x"}]);
    let grader = json!({"type": "code", "missing_module": "mask", "run_all": true});
    assert_eq!(verdict(&grader, &wrong_first).score, Some(0.0));
}

#[test]
fn an_explanation_tells_of_every_case() {
    let grader = json!({"type": "code"});
    let task = tests(&json!({"language": "python", "cases": [
        {"stdin": "a", "stdout": "a"}, {"stdin": "b", "stdout": "c"}, {"stdin": "d", "stdout": "d", "public": true}]}));
    let explanation = explained(&grader, &task, PROGRAM);
    assert_eq!(explanation.verdict, run(&grader, &task, PROGRAM).0.unwrap());
    let extraction = explanation.extraction.unwrap();
    assert_eq!((extraction.step.as_str(), extraction.text.as_str()), ("fenced", "print(input())\n"));
    let cases: Vec<_> = explanation
        .cases
        .iter()
        .map(|case| (case.case, case.public, case.passed, case.reason.name()))
        .collect();
    assert_eq!(
        cases,
        [
            (2, true, true, "tests_passed"),
            (0, false, true, "tests_passed"),
            (1, false, false, "wrong_result")
        ]
    );
    assert_eq!(explanation.cases[2].detail["got"], "b");
    assert_eq!((explanation.cases[0].time_ms, explanation.cases[0].memory_bytes), (7.0, 9));

    // What comes after the case that decided changes nothing, not even when it cannot be judged.
    let task = tests(&json!({"language": "python", "cases": [
        {"stdin": "b", "stdout": "c"}, {"stdin": "a", "stdout": "a"}, {"stdin": "broken", "stdout": ""}]}));
    let explanation = explained(&grader, &task, PROGRAM);
    assert_eq!(explanation.verdict, run(&grader, &task, PROGRAM).0.unwrap());
    assert_eq!(explanation.cases.len(), 2);

    let nothing = explained(&grader, &task, "no idea");
    assert_eq!((nothing.cases.len(), nothing.extraction), (0, None));
}
