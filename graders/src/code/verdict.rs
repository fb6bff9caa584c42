//! From the results of the cases to the verdict and its detail.

use serde_json::{Value, json};

use super::Judge;
use super::aggregate::Counted;
use super::extract::Extracted;
use super::run::CaseResult;
use crate::explanation::CaseReport;
use crate::verdict::{Reason, Verdict};

/// A verdict, and the results of all cases that ran.
pub(super) struct Judged {
    pub(super) verdict: Verdict,
    pub(super) results: Vec<CaseResult>,
}

impl Judge {
    /// The verdict that these results give, in the order in which the cases ran.
    pub(super) fn verdict(&self, extracted: &Extracted, results: &[CaseResult]) -> Verdict {
        // Where only hidden cases decide, a public one that failed is told of in its own field.
        let failure = results.iter().find(|result| result.credit < 1.0 && self.counts(result.is_public));
        let reason = failure.map_or(Reason::TestsPassed, |failure| failure.reason);
        let module = failure.and_then(|failure| failure.detail.get("module")).and_then(Value::as_str);
        let is_masked = module.is_some_and(|module| self.grader.missing_module.masks(module));
        let verdict = if is_masked {
            Verdict::abstain(reason)
        } else if results.iter().any(|result| result.reason == Reason::CompileError) {
            Verdict::new(self.grader.aggregate.compile_error(), Reason::CompileError)
        } else {
            Verdict::new(self.score(results), reason)
        };
        let passed = results.iter().filter(|result| result.credit >= 1.0).count();
        let verdict = verdict
            .with("extraction", extracted.step)
            .with("blocks", extracted.blocks)
            .with("lines", extracted.source.lines().count())
            .with("passed", passed)
            .with("ran", results.len())
            .with("cases", self.tests.cases.len());
        let mut verdict = self.with_sides(verdict, results);
        if let Some(failure) = failure {
            verdict = verdict.with("failed_case", failure.case);
            verdict.detail.extend(failure.detail.clone());
        }
        verdict
    }

    fn score(&self, results: &[CaseResult]) -> f64 {
        let counted: Vec<_> = self
            .tests
            .cases
            .iter()
            .enumerate()
            .filter(|(_, case)| self.counts(case.is_public))
            .map(|(number, case)| {
                let result = results.iter().find(|result| result.case == number);
                Counted { weight: case.weight, credit: result.map_or(0.0, |result| result.credit) }
            })
            .collect();
        self.grader.aggregate.score(&counted)
    }

    /// What the public and the hidden cases say, where there are public ones.
    fn with_sides(&self, verdict: Verdict, results: &[CaseResult]) -> Verdict {
        if !self.tests.cases.iter().any(|case| case.is_public) {
            return verdict;
        }
        let side = |public: bool| {
            let cases = self.tests.cases.iter().filter(|case| case.is_public == public).count();
            let ran = || results.iter().filter(|result| result.is_public == public);
            (cases, ran().count(), ran().filter(|result| result.credit >= 1.0).count())
        };
        let ((public, public_ran, public_passed), (hidden, hidden_ran, hidden_passed)) =
            (side(true), side(false));
        verdict
            .with("public", json!({"passed": public_passed, "ran": public_ran, "cases": public}))
            .with("hidden", json!({"passed": hidden_passed, "ran": hidden_ran, "cases": hidden}))
            .with("passes_public_only", public_passed == public && hidden_passed < hidden_ran)
    }
}

impl From<CaseResult> for CaseReport {
    fn from(result: CaseResult) -> Self {
        Self {
            case: result.case,
            public: result.is_public,
            passed: result.credit >= 1.0,
            reason: result.reason,
            detail: result.detail,
            time_ms: result.time_ms,
            memory_bytes: result.memory_bytes,
        }
    }
}
