//! Runs `testdata/math/forms.toml`: notation by notation, both ways round.

use graders::{Completion, Prepared, Resources, Task, build_grader};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    form: Vec<Form>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    name: String,
    reference: String,
    equal: Vec<String>,
    different: Vec<String>,
}

/// Whether the answer is accepted, and why.
fn verdict(reference: &str, answer: &str) -> (bool, String) {
    // The answer stands as it is, and an unsolved equation is an equation.
    let config = json!({"type": "math", "extract": ["whole"], "policy": {"equations": "restated"}});
    let grader = build_grader(&config).unwrap();
    match grader.prepare(&Task::with_reference(reference), &Resources::default()) {
        Ok(Prepared::Completion(judge)) => {
            let verdict = judge.grade(&Completion::new(answer)).unwrap();
            (verdict.score == Some(1.0), format!("{} {:?}", verdict.reason, verdict.detail.get("method")))
        }
        Ok(Prepared::Group(_)) => panic!("not a grader of groups"),
        Err(error) => (false, error.to_string()),
    }
}

#[test]
fn every_form_is_read() {
    let table: Table = toml::from_str(include_str!("../../testdata/math/forms.toml")).unwrap();
    let mut wrong = Vec::new();
    for form in &table.form {
        let equal = form.equal.iter().map(|answer| (answer, true));
        let different = form.different.iter().map(|answer| (answer, false));
        for (answer, expected) in equal.chain(different) {
            for (reference, answer) in [(&form.reference, answer), (answer, &form.reference)] {
                let (accepted, why) = verdict(reference, answer);
                if accepted != expected {
                    let what = if expected { "missed" } else { "accepted" };
                    wrong.push(format!("{}: {what} {reference} | {answer} ({why})", form.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}
