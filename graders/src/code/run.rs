//! One case, run and judged.

use sandboxes::{Call, Ending, Execution, Outcome, Program, Returned, Sandbox, TestProgram, Value};

use super::case::{Case, Kind};
use super::checker::Question;
use super::clip;
use super::ending;
use super::equality::opaque_part;
use super::literal;
use super::tests::Tests;
use crate::error::{ErrorKind, GradeError};
use crate::verdict::{Detail, Reason};

/// The most characters of a value that a detail shows.
const VALUE_CHARS: usize = 200;

/// A program and what it is judged by.
pub(super) struct Runner<'r> {
    pub(super) sandbox: &'r dyn Sandbox,
    pub(super) tests: &'r Tests,
    pub(super) program: &'r Program,
    /// Whether details show what hidden cases expect.
    pub(super) reveals_hidden: bool,
}

/// How a case came out.
#[derive(Clone, Debug)]
pub(super) struct CaseResult {
    /// Its number in the tests, from 0.
    pub(super) case: usize,
    pub(super) is_public: bool,
    /// From 0 to 1; passed is 1.
    pub(super) credit: f64,
    pub(super) reason: Reason,
    /// What a reader should know, fit to be shown.
    pub(super) detail: Detail,
    /// What it used.
    pub(super) time_ms: f64,
    pub(super) memory_bytes: u64,
}

/// What is said of a case while it is judged.
struct Finding {
    credit: f64,
    reason: Reason,
    detail: Detail,
}

impl Finding {
    fn new(reason: Reason) -> Self {
        let credit = f64::from(reason == Reason::TestsPassed);
        Self { credit, reason, detail: Detail::new() }
    }

    fn with(mut self, key: &str, value: impl Into<serde_json::Value>) -> Self {
        self.detail.insert(key.to_owned(), value.into());
        self
    }

    /// The program's own end, which was not in order.
    fn ended(reason: Reason, execution: &Execution) -> Self {
        let found = match &execution.ending {
            Ending::MissingModule { name } => Self::new(reason).with("module", clip::head(name)),
            Ending::NoEntryPoint { name } => Self::new(reason).with("entry_point", clip::head(name)),
            _ => Self::new(reason).with("error", clip::head(&ending::described(execution))),
        };
        if execution.stderr.is_empty() { found } else { found.with("stderr", clip::tail(&execution.stderr)) }
    }
}

impl Runner<'_> {
    /// Runs one case.
    ///
    /// # Errors
    /// When the sandbox failed or the tests are broken, which says nothing about the program.
    pub(super) fn case(&self, number: usize, case: &Case) -> Result<CaseResult, GradeError> {
        let shows_expected = case.is_public || self.reveals_hidden;
        let (execution, found) = match &case.kind {
            Kind::Stream { stdin, expected } => {
                let execution = self
                    .sandbox
                    .run(self.program, stdin.as_bytes(), &self.tests.limits)
                    .map_err(|error| ending::grade_error(&error))?;
                ending::refuse_timeout(&execution)?;
                let found = self.printed(&execution, stdin, expected, shows_expected)?;
                (execution, found)
            }
            Kind::Call { call, argument, expected } => {
                let execution = self
                    .sandbox
                    .call(self.program, call, &self.tests.limits)
                    .map_err(|error| ending::grade_error(&error))?;
                ending::refuse_timeout(&execution)?;
                let found = self.returned(&execution, call, *argument, expected, shows_expected)?;
                (execution, found)
            }
            Kind::Examination(tests) => self.examined(tests, shows_expected)?,
        };
        Ok(CaseResult {
            case: number,
            is_public: case.is_public,
            credit: found.credit,
            reason: found.reason,
            detail: found.detail,
            time_ms: execution.time.as_secs_f64() * 1000.0,
            memory_bytes: execution.memory_bytes,
        })
    }

    fn printed(
        &self,
        execution: &Execution,
        stdin: &str,
        expected: &[Value],
        shows_expected: bool,
    ) -> Result<Finding, GradeError> {
        if let Some(reason) = ending::failure(&execution.ending) {
            let found = Finding::ended(reason, execution);
            let got = String::from_utf8_lossy(clipped(&execution.stdout));
            return Ok(if got.is_empty() { found } else { found.with("got", clip::head(&got)) });
        }
        let Ok(output) = std::str::from_utf8(&execution.stdout) else {
            let got = clip::head(&String::from_utf8_lossy(clipped(&execution.stdout)));
            return Ok(Finding::new(Reason::WrongResult)
                .with("error", "the output is not UTF-8")
                .with("got", got));
        };
        if let Some(found) =
            self.checked(Value::Text(stdin.to_owned()), Value::Text(output.to_owned()), expected)?
        {
            return Ok(if found.credit < 1.0 { found.with("got", clip::head(output)) } else { found });
        }
        let rule = self.tests.compare.text;
        let texts = || {
            expected.iter().filter_map(|expected| match expected {
                Value::Text(text) => Some(text.as_str()),
                _ => None,
            })
        };
        if texts().any(|expected| rule.holds(&execution.stdout, expected)) {
            return Ok(Finding::new(Reason::TestsPassed));
        }
        let found = Finding::new(Reason::WrongResult);
        let expected = texts().next().unwrap_or("");
        let (found, got, expected) = match rule.first_difference(output, expected) {
            Some(difference) => {
                let (got, expected) = clip::around_difference(difference.got, difference.expected);
                (found.with("line", difference.line), got, expected)
            }
            None => (found, clip::head(output), clip::head(expected)),
        };
        let found = found.with("got", got);
        Ok(if shows_expected { found.with("expected", expected) } else { found })
    }

    fn returned(
        &self,
        execution: &Execution,
        call: &Call,
        argument: Option<usize>,
        expected: &[Value],
        shows_expected: bool,
    ) -> Result<Finding, GradeError> {
        if let Some(reason) = ending::failure(&execution.ending) {
            return Ok(Finding::ended(reason, execution));
        }
        let Some(Returned { value, arguments }) = &execution.returned else {
            return Ok(
                Finding::new(Reason::RuntimeError).with("error", "the program exited before it returned")
            );
        };
        let got = match argument {
            None => Some(value),
            Some(index) => arguments.get(index),
        };
        let Some(got) = got else {
            return Ok(
                Finding::new(Reason::InvalidResult).with("error", "the argument is not there after the call")
            );
        };
        if let Some(type_name) = opaque_part(got) {
            let error = clip::head(&format!("{type_name} is not plain data"));
            return Ok(Finding::new(Reason::InvalidResult).with("error", error));
        }
        if let Some(found) = self.checked(Value::List(call.args.clone()), got.clone(), expected)? {
            return Ok(if found.credit < 1.0 {
                found.with("got", literal::written(got, VALUE_CHARS))
            } else {
                found
            });
        }
        let rule = self.tests.compare.value;
        if expected.iter().any(|expected| rule.holds(got, expected, self.tests.language)) {
            return Ok(Finding::new(Reason::TestsPassed));
        }
        let found = Finding::new(Reason::WrongResult).with("got", literal::written(got, VALUE_CHARS));
        Ok(match expected.first() {
            Some(expected) if shows_expected => {
                found.with("expected", literal::written(expected, VALUE_CHARS))
            }
            _ => found,
        })
    }

    /// What the checker says; `None` if the tests have none.
    fn checked(&self, input: Value, got: Value, expected: &[Value]) -> Result<Option<Finding>, GradeError> {
        let Some(checker) = &self.tests.compare.checker else { return Ok(None) };
        let (score, broken) =
            checker.score(self.sandbox, Question { input, got, expected: expected.first() })?;
        let found = Finding::new(if score >= 1.0 { Reason::TestsPassed } else { Reason::WrongResult });
        let found = Finding { credit: score, ..found };
        Ok(Some(match broken {
            Some(_) => found.with("checker", "broke on this output, though not on the expected one"),
            None if score > 0.0 && score < 1.0 => found.with("credit", score),
            None => found,
        }))
    }

    fn examined(
        &self,
        tests: &TestProgram,
        shows_expected: bool,
    ) -> Result<(Execution, Finding), GradeError> {
        let with_setup = TestProgram {
            source: match self.tests.setup.as_str() {
                "" => tests.source.clone(),
                setup => format!("{setup}\n{}", tests.source),
            },
            entry_point: tests.entry_point.clone(),
        };
        let examination = self
            .sandbox
            .examine(self.program, &with_setup, &self.tests.limits)
            .map_err(|error| ending::grade_error(&error))?;
        ending::refuse_timeout(&examination.program)?;
        ending::refuse_timeout(&examination.tests)?;
        let program = examination.program;
        let found = match examination.outcome {
            Outcome::Passed => Finding::new(Reason::TestsPassed),
            Outcome::Failed { message } => {
                // The message may have several lines, of which the name of the exception is in the first.
                let name = exception_name(&message)
                    .or_else(|| {
                        String::from_utf8_lossy(&examination.tests.stderr)
                            .lines()
                            .rev()
                            .find_map(exception_name)
                    })
                    .unwrap_or_default();
                // Another exception than that of an assertion came out of the program, or out of what the tests
                // did with its result.
                let failed_assertion = name.is_empty() || name.ends_with("AssertionError");
                let reason = if failed_assertion { Reason::WrongResult } else { Reason::RuntimeError };
                // The message of an assertion may say what was expected, and so may its source.
                let found = Finding::new(reason)
                    .with("error", clip::head(if shows_expected { &message } else { &name }));
                let found =
                    if shows_expected { found.with("test", clip::head(tests.source.trim())) } else { found };
                if program.stderr.is_empty() {
                    found
                } else {
                    found.with("stderr", clip::tail(&program.stderr))
                }
            }
            Outcome::ProgramEnded => match ending::failure(&program.ending) {
                Some(reason) => Finding::ended(reason, &program),
                None => Finding::new(Reason::RuntimeError)
                    .with("error", "the program exited before its tests ended"),
            },
            Outcome::TestsBroken { message } => {
                return Err(GradeError::new(
                    ErrorKind::InvalidTask,
                    format!("the test program is wrong in itself: {}", clip::head(&message)),
                ));
            }
        };
        Ok((program, found))
    }
}

/// The name before the colon of an exception's line.
fn exception_name(line: &str) -> Option<String> {
    let name = line.split(':').next()?;
    let letters = |part: &str| {
        part.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    // JavaScript writes `AssertionError [ERR_ASSERTION]: …`.
    let name = name.split(" [").next()?;
    (name.len() <= 100 && name.split('.').all(letters)).then(|| name.to_owned())
}

/// As much output as an excerpt may show, so that the rest is not decoded for nothing.
fn clipped(output: &[u8]) -> &[u8] {
    &output[..output.len().min(1024)]
}
