//! What every fuzz target checks: any text gets a verdict, the same one twice, with a finite score.

use std::sync::Arc;

use graders::{Completion, GradeError, GroupView, Prepared, Reason, Resources, Task, Verdict, build_grader};
#[doc(hidden)]
pub use libfuzzer_sys;
use sandboxes::{Ending, Execution, Language, Limits, Program, Sandbox, SandboxError};

/// A fuzz target that grades its input, as text, with each of the graders for the task.
///
/// Both are JSON: a list of graders as in a rubric, and a task as in a request.
#[macro_export]
macro_rules! target {
    ($graders:literal, $task:literal) => {
        static JUDGES: std::sync::OnceLock<Vec<graders::Prepared>> = std::sync::OnceLock::new();

        $crate::libfuzzer_sys::fuzz_target!(|data: &[u8]| {
            let judges = JUDGES.get_or_init(|| $crate::prepare($graders, $task));
            judges.iter().for_each(|judge| $crate::check(judge, data));
        });
    };
}

/// Every grader of a list, ready for the task.
pub fn prepare(graders: &str, task: &str) -> Vec<Prepared> {
    let graders: Vec<serde_json::Value> = serde_json::from_str(graders).expect("a list of graders");
    let task: Task = serde_json::from_str(task).expect("a task");
    let resources = Resources { sandbox: Some(Arc::new(Echo)), ..Resources::default() };
    graders
        .iter()
        .map(|grader| {
            build_grader(grader).expect("a grader").prepare(&task, &resources).expect("a task for it")
        })
        .collect()
}

/// Grades the input twice and checks what holds for every text.
pub fn check(judge: &Prepared, data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    let n_tokens = Some(u32::try_from(text.len()).unwrap_or(u32::MAX));
    let completion = Completion { text, n_tokens, ..Completion::default() };
    let first = grade(judge, &completion);
    for verdict in &first {
        let verdict = verdict.as_ref().unwrap_or_else(|error| panic!("a text made the judge fail: {error}"));
        assert!(verdict.score.is_none_or(f64::is_finite), "{verdict:?}");
    }
    assert_eq!(first, grade(judge, &completion), "the second verdict differs");
}

fn grade(judge: &Prepared, completion: &Completion) -> Vec<Result<Verdict, GradeError>> {
    match judge {
        Prepared::Completion(judge) => vec![judge.grade(completion)],
        Prepared::Group(judge) => {
            let completions =
                [completion.clone(), Completion { n_tokens: Some(7), ..Completion::new("short") }];
            let read = [Ok(Verdict::new(1.0, Reason::Match)), Ok(Verdict::new(0.0, Reason::Mismatch))];
            judge.grade_group(&GroupView { completions: &completions, read: Some(&read) })
        }
    }
}

/// A sandbox that runs nothing and prints the program, so that extraction and comparison are reached.
struct Echo;

impl Sandbox for Echo {
    fn languages(&self) -> Vec<Language> {
        Language::ALL.to_vec()
    }

    fn run(&self, program: &Program, _stdin: &[u8], _limits: &Limits) -> Result<Execution, SandboxError> {
        Ok(Execution {
            stdout: program.source.clone().into_bytes(),
            ..Execution::ended(Ending::Exited { code: 0 })
        })
    }
}
