//! `code`: does the program in the completion pass the task's tests?
//!
//! The program runs in the [`Sandbox`] that the caller provides, in a fresh instance for each case, and what it
//! printed or returned is compared here, outside the sandbox, so that it never sees what is expected. Tests that
//! are programs themselves run in an instance of their own. This folder knows nothing of how a guest works;
//! without one there is an error, never a score.

mod aggregate;
mod case;
mod checker;
mod clip;
mod compare;
mod decimal;
mod ending;
mod entry_point;
mod equality;
mod extract;
mod fence;
mod json;
mod limits;
mod literal;
mod module;
mod prelude;
mod run;
mod shapes;
mod tests;
mod text;
mod verdict;

use std::sync::Arc;

use sandboxes::{Language, Program, Sandbox};
use serde::Deserialize;

use self::aggregate::{Aggregate, Mode};
use self::checker::Checker;
use self::extract::{Blocks, Extract, Extracted, Unclosed, Unfenced};
use self::module::MissingModule;
use self::run::{CaseResult, Runner};
use self::tests::Tests;
use self::verdict::Judged;
use crate::completion::Completion;
use crate::config::{self, Fields};
use crate::error::{ConfigError, ErrorKind, GradeError, TaskError, TaskErrorKind};
use crate::explanation::{CaseReport, Explanation, Extraction};
use crate::grader::{GradeCompletion, Grader, Prepared, Resources};
use crate::task::Task;
use crate::thought;
use crate::verdict::{Reason, Verdict};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    /// How the results of the cases become a score; default `binary`. The modes are described at [`Mode`].
    #[serde(default)]
    mode: Mode,
    /// `binary`: the fraction of passed cases that has to be exceeded; by default all have to pass. `open_instruct`: the
    /// fraction below which the score is 0, default 0.8. Not to be given with other modes.
    threshold: Option<f64>,
    /// Which cases decide: `all` (the default) or the `hidden` ones, those without `public`.
    #[serde(default)]
    score: Deciding,
    /// Whether `binary` runs every case, for the log, also when it is lost; default false.
    #[serde(default)]
    run_all: bool,
    /// A program that dies for a module that the sandbox lacks: `score` (the default) fails it, `mask` gives it
    /// no score, and a list of names masks those modules alone.
    #[serde(default)]
    missing_module: MissingModule,
    /// Whether the detail of a failed case shows what is expected although the case is hidden; default false.
    #[serde(default)]
    reveal: bool,
    /// A completion without a code fence: `no_code` (the default), `whole_text` runs all of it, `heuristic` the
    /// part that looks like code.
    #[serde(default)]
    unfenced: Unfenced,
    /// Which of several fenced blocks are the program: `last` (the default), `first` or `join`.
    #[serde(default)]
    blocks: Blocks,
    /// A fence that never closes: `no_code` (the default) or `take`.
    #[serde(default)]
    unclosed: Unclosed,
    /// Whether only the text after the last `</think>` counts; default true.
    #[serde(default = "thought::strip_by_default")]
    strip_thinking: bool,
}

/// Which cases decide the score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Deciding {
    #[default]
    All,
    Hidden,
}

#[derive(Clone, Debug)]
struct CodeGrader {
    aggregate: Aggregate,
    deciding: Deciding,
    run_all: bool,
    missing_module: MissingModule,
    reveal: bool,
    extract: Extract,
    strip_thinking: bool,
}

pub(crate) fn build(fields: Fields) -> Result<Arc<dyn Grader>, ConfigError> {
    let spec: Spec = config::read(fields)?;
    Ok(Arc::new(CodeGrader {
        aggregate: Aggregate::new(spec.mode, spec.threshold)?,
        deciding: spec.score,
        run_all: spec.run_all,
        missing_module: spec.missing_module,
        reveal: spec.reveal,
        extract: Extract { unfenced: spec.unfenced, blocks: spec.blocks, unclosed: spec.unclosed },
        strip_thinking: spec.strip_thinking,
    }))
}

impl Grader for CodeGrader {
    fn kind(&self) -> &'static str {
        "code"
    }

    fn version(&self) -> u32 {
        2
    }

    fn prepare(&self, task: &Task, resources: &Resources) -> Result<Prepared, TaskError> {
        let tests = Tests::of(task)?;
        if self.deciding == Deciding::Hidden && tests.cases.iter().all(|case| case.is_public) {
            return Err(TaskError::new(
                TaskErrorKind::InvalidTask,
                "/tests/cases",
                "the grader's `score` is `hidden`, and every case is public",
            ));
        }
        Ok(Prepared::Completion(Box::new(Judge {
            tests,
            sandbox: resources.sandbox.clone(),
            grader: self.clone(),
        })))
    }
}

struct Judge {
    tests: Tests,
    sandbox: Option<Arc<dyn Sandbox>>,
    grader: CodeGrader,
}

impl GradeCompletion for Judge {
    fn grade(&self, completion: &Completion) -> Result<Verdict, GradeError> {
        match self.extracted(&completion.text) {
            Err(found) => Ok(self.no_code(found)),
            Ok(extracted) => self.judge(&extracted, false).map(|judged| judged.verdict),
        }
    }

    fn explain(&self, completion: &Completion) -> Result<Explanation, GradeError> {
        let extracted = match self.extracted(&completion.text) {
            Err(found) => return Ok(Explanation::of(self.no_code(found))),
            Ok(extracted) => extracted,
        };
        let Judged { verdict, results } = self.judge(&extracted, true)?;
        let mut explanation = Explanation::of(verdict);
        explanation.extraction = Some(Extraction::new(extracted.step, &extracted.source));
        explanation.cases = results.into_iter().map(CaseReport::from).collect();
        Ok(explanation)
    }
}

impl Judge {
    fn extracted(&self, text: &str) -> Result<Extracted, &'static str> {
        let text = if self.grader.strip_thinking { thought::answer_part(text) } else { text };
        self.grader.extract.program(text, self.tests.language)
    }

    fn no_code(&self, found: &str) -> Verdict {
        Verdict::new(self.grader.aggregate.no_code(), Reason::NoCode).with("found", found)
    }

    fn sandbox(&self) -> Result<&dyn Sandbox, GradeError> {
        let unavailable = |message: String| GradeError::new(ErrorKind::SandboxUnavailable, message);
        let sandbox = self.sandbox.as_deref().ok_or_else(|| {
            unavailable(format!(
                "running {} needs a sandbox and none is set up; give the judge one, or take the `code` grader out",
                self.tests.language.name()
            ))
        })?;
        let known = sandbox.languages();
        let checked_in = self.tests.compare.checker.as_ref().map(Checker::language);
        let mut needed = [Some(self.tests.language), checked_in].into_iter().flatten();
        if let Some(language) = needed.find(|language| !known.contains(language)) {
            let known: Vec<_> = known.into_iter().map(Language::name).collect();
            return Err(unavailable(format!(
                "the sandbox does not run {}; it runs {}",
                language.name(),
                if known.is_empty() { "nothing".to_owned() } else { known.join(", ") }
            )));
        }
        Ok(sandbox)
    }

    /// The verdict on a program. With `goes_on`, cases that decide nothing any more are run for their results,
    /// and the verdict is the same as without.
    fn judge(&self, extracted: &Extracted, goes_on: bool) -> Result<Judged, GradeError> {
        let source = self.tests.prelude.before(extracted.source.clone(), self.tests.language);
        let program = Program::new(self.tests.language, source);
        let runner = Runner {
            sandbox: self.sandbox()?,
            tests: &self.tests,
            program: &program,
            reveals_hidden: self.grader.reveal,
        };
        let counted = self.tests.cases.iter().filter(|case| self.counts(case.is_public)).count();
        let mut results: Vec<CaseResult> = Vec::with_capacity(self.tests.cases.len());
        let mut failed = 0;
        let mut decided_after = None;
        for (number, case) in self.tests.in_order() {
            let result = match runner.case(number, case) {
                // What was decided stays so, whatever becomes of the rest.
                Err(_) if decided_after.is_some() => break,
                result => result?,
            };
            let does_not_compile = result.reason == Reason::CompileError;
            failed += usize::from(result.credit < 1.0 && self.counts(case.is_public));
            results.push(result);
            if does_not_compile {
                // It is the same program in every case, so the first refusal is everyone's.
                break;
            }
            let is_lost = !self.grader.run_all && self.grader.aggregate.is_lost(failed, counted);
            if is_lost && decided_after.is_none() {
                decided_after = Some(results.len());
            }
            if is_lost && !goes_on {
                break;
            }
        }
        let deciding = &results[..decided_after.unwrap_or(results.len())];
        Ok(Judged { verdict: self.verdict(extracted, deciding), results })
    }

    fn counts(&self, is_public: bool) -> bool {
        self.grader.deciding == Deciding::All || !is_public
    }
}
