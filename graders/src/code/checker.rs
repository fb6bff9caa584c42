//! A checker: the task's own program that says whether an output is right.
//!
//! It runs in an instance of its own, so that it never meets the program under test, only what that printed or
//! returned. A checker that cannot even pass the expected output is a fault of the task; one that passes it and
//! breaks on what the program gave was broken by that, and the program is wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use sandboxes::{Call, Ending, Execution, File, Language, Limits, Program, Sandbox, Value};
use serde::Deserialize;

use super::decimal::Decimal;
use super::ending;
use super::literal;
use super::tests::MAX_CASE_BYTES;
use crate::error::{ErrorKind, GradeError};

/// What a checker may use. It does less than most programs do, in reference time; one that never ends must not hold a
/// place for long.
const LIMITS: Limits = Limits {
    time: Duration::from_secs(3),
    wall: Duration::from_secs(600),
    memory_bytes: 512 << 20,
    output_bytes: 1 << 20,
    files_bytes: 64 << 20,
};

/// A program that judges outputs.
pub(super) struct Checker {
    program: Program,
    protocol: Protocol,
    entry_point: String,
}

/// How a checker is asked and how it answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Protocol {
    /// A function of the input, the output and the expected output that returns a truth value, or a score from 0
    /// to 1. For cases with `args` these are the list of arguments, the result and the expected result.
    #[default]
    Function,
    /// A program with the arguments `input.txt output.txt answer.txt` that answers by its exit code, as testlib
    /// does: 0 right; 1, 2, 4 and 8 wrong; 7 partly right, with the score as the first number it prints.
    Testlib,
    /// A program with the arguments `input.txt answer.txt output.txt` whose first printed number is the score, as
    /// in open-r1's Codeforces data.
    Score,
}

/// The checker's fields of `compare`.
pub(super) struct CheckerFields {
    pub(super) language: Option<Language>,
    pub(super) source: Option<String>,
    pub(super) protocol: Option<Protocol>,
    /// The function of the protocol `function`; default `check`.
    pub(super) entry_point: Option<String>,
    /// Text files beside the checker, such as `testlib.h`.
    pub(super) files: Option<BTreeMap<String, String>>,
}

/// What is to be checked.
pub(super) struct Question<'q> {
    /// Standard input, or the list of arguments.
    pub(super) input: Value,
    pub(super) got: Value,
    /// Absent if the task says nothing.
    pub(super) expected: Option<&'q Value>,
}

/// What came of one run of a checker.
enum Opinion {
    Score(f64),
    /// It did not answer.
    Broken(String),
}

impl CheckerFields {
    pub(super) fn first_given(&self) -> Option<&'static str> {
        [
            ("language", self.language.is_some()),
            ("source", self.source.is_some()),
            ("protocol", self.protocol.is_some()),
            ("entry_point", self.entry_point.is_some()),
            ("files", self.files.is_some()),
        ]
        .into_iter()
        .find_map(|(name, given)| given.then_some(name))
    }

    pub(super) fn checked(self) -> Result<Checker, (String, String)> {
        let wrong = |field: &str, message: &str| Err((field.to_owned(), message.to_owned()));
        let protocol = self.protocol.unwrap_or_default();
        let Some(language) = self.language else { return wrong("/language", "a checker needs its language") };
        let Some(source) = self.source.filter(|source| !source.trim().is_empty()) else {
            return wrong("/source", "a checker needs its source");
        };
        if protocol == Protocol::Function && matches!(language, Language::C | Language::Cpp) {
            return wrong(
                "/protocol",
                "functions of this language cannot be called; there are testlib and score",
            );
        }
        if protocol != Protocol::Function && self.entry_point.is_some() {
            return wrong("/entry_point", "only the protocol `function` has one");
        }
        let files = self.files.unwrap_or_default();
        if source.len() + files.values().map(String::len).sum::<usize>() > MAX_CASE_BYTES {
            return Err(("/source".to_owned(), format!("more than {MAX_CASE_BYTES} bytes with its files")));
        }
        let files = files.into_iter().map(|(path, text)| File { path, content: text.into_bytes() }).collect();
        let program = Program { language, source, args: Vec::new(), files };
        Ok(Checker { program, protocol, entry_point: self.entry_point.unwrap_or_else(|| "check".to_owned()) })
    }
}

impl Checker {
    pub(super) fn language(&self) -> Language {
        self.program.language
    }

    /// Whether it is asked about values, and not only about text.
    pub(super) fn takes_values(&self) -> bool {
        self.protocol == Protocol::Function
    }

    /// The score of an answer, from 0 to 1, and if the answer broke the checker, how.
    ///
    /// # Errors
    /// When the sandbox failed, or the checker did by itself.
    pub(super) fn score(
        &self,
        sandbox: &dyn Sandbox,
        question: Question<'_>,
    ) -> Result<(f64, Option<String>), GradeError> {
        let broken = |how: &str| {
            Err(GradeError::new(
                ErrorKind::InvalidTask,
                format!("the checker of the tests does not work: {how}"),
            ))
        };
        let Question { input, got, expected } = question;
        match self.opinion(sandbox, input.clone(), got, expected)? {
            Opinion::Score(score) => Ok((score, None)),
            Opinion::Broken(how) => match expected {
                None => broken(&how),
                Some(expected) => match self.opinion(sandbox, input, expected.clone(), Some(expected))? {
                    Opinion::Score(score) if score >= 1.0 => Ok((0.0, Some(how))),
                    Opinion::Score(_) => broken("it refuses the expected output"),
                    Opinion::Broken(how) => broken(&how),
                },
            },
        }
    }

    fn opinion(
        &self,
        sandbox: &dyn Sandbox,
        input: Value,
        got: Value,
        expected: Option<&Value>,
    ) -> Result<Opinion, GradeError> {
        let expected = expected.cloned();
        let execution = match self.protocol {
            Protocol::Function => {
                let args = vec![input, got, expected.unwrap_or(Value::Null)];
                let call = Call { entry_point: self.entry_point.clone(), args, kwargs: Vec::new() };
                sandbox.call(&self.program, &call, &LIMITS)
            }
            Protocol::Testlib | Protocol::Score => {
                let names = match self.protocol {
                    Protocol::Testlib => ["input.txt", "output.txt", "answer.txt"],
                    _ => ["input.txt", "answer.txt", "output.txt"],
                };
                let mut program = self.program.clone();
                program.args = names.map(str::to_owned).to_vec();
                let files = [("input.txt", Some(input)), ("output.txt", Some(got)), ("answer.txt", expected)];
                program.files.extend(files.into_iter().map(|(path, content)| File {
                    path: path.to_owned(),
                    content: match content {
                        Some(Value::Text(text)) => text.into_bytes(),
                        Some(Value::Bytes(bytes)) => bytes,
                        _ => Vec::new(),
                    },
                }));
                sandbox.run(&program, b"", &LIMITS)
            }
        };
        let execution = execution.map_err(|error| ending::grade_error(&error))?;
        ending::refuse_timeout(&execution)?;
        Ok(match self.protocol {
            Protocol::Function => returned(&execution),
            Protocol::Testlib => exited(&execution),
            Protocol::Score => printed(&execution),
        })
    }
}

/// The score that a function returned.
fn returned(execution: &Execution) -> Opinion {
    let score = match (&execution.ending, &execution.returned) {
        (Ending::Exited { code: 0 }, Some(returned)) => match &returned.value {
            Value::Bool(right) => Some(f64::from(*right)),
            Value::Int(digits) => digits.parse().ok(),
            Value::Float(score) => Some(*score),
            other => {
                let found = literal::written(other, 50);
                return Opinion::Broken(format!(
                    "it returned {found}, expected a truth value or a number from 0 to 1"
                ));
            }
        },
        _ => return Opinion::Broken(ending::described(execution)),
    };
    scored(score)
}

/// The score that an exit code says.
fn exited(execution: &Execution) -> Opinion {
    match execution.ending {
        Ending::Exited { code: 0 } => Opinion::Score(1.0),
        Ending::Exited { code: 1 | 2 | 4 | 8 } => Opinion::Score(0.0),
        Ending::Exited { code: 7 } => {
            scored(first_number(&execution.stderr).or_else(|| first_number(&execution.stdout)))
        }
        _ => Opinion::Broken(ending::described(execution)),
    }
}

/// The score that was printed.
fn printed(execution: &Execution) -> Opinion {
    match execution.ending {
        Ending::Exited { code: 0 } => scored(first_number(&execution.stdout)),
        _ => Opinion::Broken(ending::described(execution)),
    }
}

fn scored(score: Option<f64>) -> Opinion {
    match score {
        Some(score) if (0.0..=1.0).contains(&score) => Opinion::Score(score),
        Some(score) => Opinion::Broken(format!("its score is {score}, expected 0 to 1")),
        None => Opinion::Broken("it printed no score".to_owned()),
    }
}

fn first_number(output: &[u8]) -> Option<f64> {
    let text = String::from_utf8_lossy(output);
    text.split_ascii_whitespace().find_map(Decimal::read).map(|number| number.nearest())
}
