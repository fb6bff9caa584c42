//! Shorthands for grading one completion or one group through the public interface.

use graders::{
    Completion, ErrorKind, GradeError, GroupView, Prepared, Reason, Resources, Task, Verdict, build_grader,
};
use serde_json::Value;

/// The verdict of `grader` on one completion.
pub(crate) fn grade(grader: &Value, task: &Task, completion: &Completion) -> Result<Verdict, GradeError> {
    grade_with(grader, task, completion, &Resources::default())
}

/// The verdict of `grader` on one completion, with these resources.
pub(crate) fn grade_with(
    grader: &Value,
    task: &Task,
    completion: &Completion,
    resources: &Resources,
) -> Result<Verdict, GradeError> {
    let grader = build_grader(grader).unwrap_or_else(|error| panic!("{grader}: {error}"));
    match grader.prepare(task, resources).unwrap_or_else(|error| panic!("{grader:?}: {error}")) {
        Prepared::Completion(judge) => judge.grade(completion),
        Prepared::Group(_) => panic!("{grader:?} judges groups"),
    }
}

/// The score of `grader` on a text, which must not be abstained from.
pub(crate) fn score(grader: &Value, task: &Task, text: &str) -> f64 {
    grade(grader, task, &Completion::new(text)).unwrap().score.unwrap()
}

/// The verdicts of `grader` on a group, where the component it reads found `read`.
pub(crate) fn grade_group(
    grader: &Value,
    task: &Task,
    completions: &[Completion],
    read: &[Result<Verdict, GradeError>],
) -> Vec<Result<Verdict, GradeError>> {
    let grader = build_grader(grader).unwrap_or_else(|error| panic!("{grader}: {error}"));
    assert!(grader.reads_component().is_some());
    match grader.prepare(task, &Resources::default()).unwrap() {
        Prepared::Group(judge) => judge.grade_group(&GroupView { completions, read: Some(read) }),
        Prepared::Completion(_) => panic!("{grader:?} judges completions alone"),
    }
}

/// What a component found that gave this score; `None` is an abstention.
pub(crate) fn found(score: Option<f64>) -> Verdict {
    match score {
        Some(score) => Verdict::new(score, Reason::Match),
        None => Verdict::abstain(Reason::Undecided),
    }
}

/// What a component found that could not judge.
pub(crate) fn failed() -> Result<Verdict, GradeError> {
    Err(GradeError::new(ErrorKind::SandboxFailed, "the guest broke"))
}

/// A completion of `n_tokens`.
pub(crate) fn long(n_tokens: u32) -> Completion {
    Completion { n_tokens: Some(n_tokens), ..Completion::default() }
}

/// A configuration must be refused at `pointer`.
pub(crate) fn refused(grader: &Value, pointer: &str) {
    let error = build_grader(grader).expect_err(&grader.to_string());
    assert_eq!(error.pointer, pointer, "{grader}: {error}");
}
