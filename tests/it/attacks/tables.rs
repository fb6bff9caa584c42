//! The tables in `graders/testdata/code/`: programs, the tests they are given, and the verdicts they must get.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use graders::{Completion, GradeError, Prepared, Resources, Task, Verdict, build_grader};
use sandboxes::{Language, Sandbox};
use serde::Deserialize;
use serde_json::{Value, json};

/// A table of programs that share tasks.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The `tests` of each task, by its name.
    tasks: BTreeMap<String, Value>,
    #[serde(default)]
    pub attack: Vec<Row>,
    #[serde(default)]
    pub honest: Vec<Row>,
}

/// One program.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    pub name: String,
    pub task: String,
    pub program: String,
    /// The kind of attack.
    pub vector: Option<String>,
    /// The reasons that the verdict on an attack may have.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// The first version of Python that understands it; only for people.
    #[serde(rename = "python")]
    _python: Option<String>,
}

/// Programs of one kind that differ by a number they read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    pub name: String,
    pub language: Language,
    pub limits: TemplateLimits,
    pub program: String,
    first: u64,
    percent: u64,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateLimits {
    pub time_ms: u64,
    pub memory_mb: u64,
}

/// How many sizes each template has.
pub const SIZES: usize = 10;

impl Template {
    pub fn sizes(&self) -> Vec<u64> {
        std::iter::successors(Some(self.first), |size| Some(size * self.percent / 100)).take(SIZES).collect()
    }
}

impl Table {
    pub fn read(path: &str) -> Self {
        read(path)
    }

    /// What the `code` grader says to a row's program.
    pub fn grade(&self, row: &Row, sandbox: &Arc<dyn Sandbox>) -> Result<Verdict, GradeError> {
        let tests = &self.tasks[&row.task];
        let task = Task { tests: Some(tests.clone()), ..Task::default() };
        let grader = build_grader(&json!({"type": "code"})).unwrap();
        let resources = Resources { sandbox: Some(Arc::clone(sandbox)), ..Resources::default() };
        let prepared =
            grader.prepare(&task, &resources).unwrap_or_else(|error| panic!("{}: {error}", row.task));
        let Prepared::Completion(judge) = prepared else {
            panic!("the code grader judges single completions")
        };
        let mark = tests["language"].as_str().unwrap();
        judge.grade(&Completion::new(format!("```{mark}\n{}\n```\n", row.program)))
    }

    /// Whether every row is about a task that there is, has a name of its own, and every task has a row.
    pub fn check(&self) {
        let rows = || self.attack.iter().chain(&self.honest);
        let names: std::collections::BTreeSet<&str> = rows().map(|row| row.name.as_str()).collect();
        assert_eq!(names.len(), rows().count(), "two rows have one name");
        for row in rows() {
            assert!(self.tasks.contains_key(&row.task), "{}: there is no task `{}`", row.name, row.task);
            assert!(!row.program.contains("```"), "{}: a fence in the program would cut it short", row.name);
        }
        for task in self.tasks.keys() {
            assert!(rows().any(|row| row.task == *task), "no row has the task `{task}`");
        }
        for row in &self.attack {
            assert!(row.vector.is_some() && !row.reasons.is_empty(), "{}: vector and reasons", row.name);
        }
    }
}

/// The templates of programs near their limits.
pub fn templates() -> Vec<Template> {
    #[derive(Deserialize)]
    struct Templates {
        template: Vec<Template>,
    }
    let Templates { template } = read("limits.toml");
    template
}

fn read<T: for<'de> Deserialize<'de>>(path: &str) -> T {
    let path = PathBuf::from("graders/testdata/code").join(path);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
