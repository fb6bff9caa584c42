//! `math`: does the answer equal the reference as mathematics?
//!
//! Extraction finds the answer's text, [`parser`] reads all of it or none, [`compare`] decides, [`form`] looks
//! at what the task asks beyond the value. Numbers are exact rationals; a power or factorial is never written
//! out beyond a bound, nothing is executed, and what cannot be shown either way is `undecided`.
//!
//! What a text leaves open is a policy ([`policy`]) with a default, or a convention:
//!
//! - Degrees are answered by the number and by the angle in radians.
//! - A logarithm without a base is natural or decimal, the same way on both sides.
//! - A value answers `x = value`. An equation never answers a value that solves it.
//! - A list without brackets has no order, brackets have one, sets neither order nor repetition.
//! - Words are compared without regard to case; variables never are.

mod affine;
mod ball;
mod calculus;
mod calls;
mod compare;
mod counter_example;
mod environments;
mod exact;
mod explain;
mod exponents;
mod expr;
mod factor;
mod fast;
mod field;
mod form;
mod functions;
mod identity;
mod latex;
mod layout;
mod letters;
mod lexer;
mod literals;
mod logarithms;
mod magnitude;
mod matrix;
mod modular;
mod multinomial;
mod numeric;
mod operators;
mod parser;
mod policy;
mod polynomial;
mod powers;
mod quotient;
mod reading;
mod relations;
mod ring;
mod rounding;
mod sample;
mod solution;
mod spelling;
mod statement;
mod symbols;
mod terms;
mod units;
mod witness;
mod words;

use std::sync::Arc;

use serde::Deserialize;

use crate::completion::{Completion, MAX_TEXT_BYTES};
use crate::config::{self, Fields};
use crate::error::{ConfigError, GradeError, TaskError};
use crate::explanation::Explanation;
use crate::extract::Extractor;
use crate::grader::{GradeCompletion, Grader, Prepared, Resources};
use crate::scores::Scores;
use crate::task::Task;
use crate::verdict::{Reason, Verdict};

use compare::{Context, Outcome};
use expr::Value;
use modular::Finding;
use policy::{Multiple, Policy, Undecided};
use reading::Reading;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    /// How the answer is found. Default: `answer_tag`, `final_answer`, `boxed`, `hash`, `answer_is`.
    #[serde(default = "Extractor::marked")]
    extract: Extractor,
    /// The score of a right answer. Default: 1.
    #[serde(default = "Scores::default_correct")]
    correct: f64,
    /// The score of any other. Default: 0.
    #[serde(default)]
    incorrect: f64,
    /// What is asked beyond the value, and how open notation is read.
    #[serde(default)]
    policy: Policy,
}

#[derive(Clone, Debug)]
struct MathGrader {
    extract: Arc<Extractor>,
    scores: Scores,
    policy: Arc<Policy>,
}

pub(crate) fn build(fields: Fields) -> Result<Arc<dyn Grader>, ConfigError> {
    let spec: Spec = config::read(fields)?;
    let scores = Scores::new(spec.correct, spec.incorrect)?;
    spec.policy.check()?;
    Ok(Arc::new(MathGrader { extract: Arc::new(spec.extract), scores, policy: Arc::new(spec.policy) }))
}

impl Grader for MathGrader {
    fn kind(&self) -> &'static str {
        "math"
    }

    fn version(&self) -> u32 {
        2
    }

    fn prepare(&self, task: &Task, _resources: &Resources) -> Result<Prepared, TaskError> {
        let texts = task.reference_text()?.0;
        let references = texts
            .iter()
            .map(|text| Reading::of_reference(text).map_err(|at| TaskError::reference(unreadable(text, at))))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Prepared::Completion(Box::new(Judge { grader: self.clone(), references })))
    }
}

/// Says which reference cannot be read, and from where.
fn unreadable(text: &str, at: usize) -> String {
    let excerpt = |text: &str| text.chars().take(80).collect::<String>();
    let place = match text.get(at..).filter(|rest| !rest.is_empty() && at > 0) {
        Some(rest) => format!("; reading stopped before `{}`", excerpt(rest)),
        None => String::new(),
    };
    format!("`{}` is neither mathematics this grader reads nor plain words{place}", excerpt(text))
}

/// Compares with one task's references.
struct Judge {
    grader: MathGrader,
    references: Vec<Reading>,
}

impl GradeCompletion for Judge {
    fn grade(&self, completion: &Completion) -> Result<Verdict, GradeError> {
        let scores = self.grader.scores;
        if completion.text.len() > MAX_TEXT_BYTES {
            return Ok(scores.wrong(Reason::TooLarge));
        }
        let Some(found) = self.grader.extract.extract(&completion.text) else {
            return Ok(scores.wrong(Reason::NoAnswer));
        };
        let text = found.unboxed();
        let verdict = self.verdict(text);
        Ok(verdict.with_excerpt("extracted", text).with("extraction", found.step.name()))
    }

    fn explain(&self, completion: &Completion) -> Result<Explanation, GradeError> {
        self.explanation(completion)
    }
}

impl Judge {
    fn verdict(&self, text: &str) -> Verdict {
        let scores = self.grader.scores;
        if reading::bare(text).is_empty() {
            return scores.wrong(Reason::NoAnswer);
        }
        let policy = &*self.grader.policy;
        let answer = Reading::of_answer(text, policy);
        let mut reason = Reason::Different;
        let mut method = "kind";
        let mut lacks = None;
        for reference in &self.references {
            let outcome = against(reference, &answer, policy);
            match outcome.finding {
                Finding::Equal => match answer.lacks(reference, policy) {
                    None => return scores.right(Reason::Equivalent).with("method", outcome.method),
                    Some(what) => lacks = Some(what),
                },
                Finding::Unknown => (reason, method) = (Reason::Undecided, outcome.method),
                Finding::Different if reason == Reason::Different => method = outcome.method,
                Finding::Different => {}
            }
        }
        if let Some(what) = lacks {
            return scores.wrong(Reason::WrongForm).with("lacks", what);
        }
        if answer.values.is_empty() && !self.references.iter().all(Reading::is_words) {
            return scores.wrong(Reason::UnparsableAnswer);
        }
        if reason == Reason::Undecided && policy.undecided == Undecided::Abstain {
            return Verdict::abstain(reason).with("method", method);
        }
        scores.wrong(reason).with("method", method)
    }
}

/// Compares every reading of one with every reading of the other.
fn against(reference: &Reading, answer: &Reading, policy: &Policy) -> Outcome {
    let mut found = compare::UNLIKE;
    let cx = &mut Context::new(policy);
    if answer.values.is_empty() {
        return reference.values.iter().fold(found, |found, value| match value {
            Value::Text(words) => found.or(|| compare::texts(words, &answer.text, cx)),
            _ => found,
        });
    }
    if reference.is_words() || answer.is_words() {
        // What is words on one side may read as letters on the other: "the cat" and "cat".
        found = found.or(|| compare::texts(&reference.text, &answer.text, cx));
    }
    for (measured, other) in [(reference, answer), (answer, reference)] {
        // `5 m` is a length beside `5 meters`, and five times m elsewhere.
        if let (Some(quantity), Some(value @ Value::Quantity(..))) =
            (&measured.quantity, other.values.first())
        {
            found = found.or(|| compare::values(quantity, value, cx));
        }
    }
    for (at, value) in answer.values.iter().enumerate() {
        for (place, expected) in reference.values.iter().enumerate() {
            // A second reading is tried against the first of the other side, or against its own like.
            if at > 0 && place > 0 && at != place {
                continue;
            }
            found = found.or(|| compare::values(expected, value, cx));
            if let (Multiple::Any, Value::List(items, _)) = (policy.multiple, expected) {
                found = items.iter().fold(found, |found, item| found.or(|| compare::values(item, value, cx)));
            }
            if found.finding == Finding::Equal {
                return found;
            }
        }
    }
    found
}

/// The number that a text states as a whole, if it is rational: `1/2`, `x = 3`, `1,200 km`, `50\%` (which is
/// 50). The `number` grader reads its answers with it.
pub(crate) fn rational(text: &str) -> Option<dashu::rational::RBig> {
    match reading::value(text).ok()? {
        Value::Expr(value) | Value::Quantity(value, _) => exact::value(&value),
        Value::Named(_, value) => match *value {
            Value::Expr(value) | Value::Quantity(value, _) => exact::value(&value),
            _ => None,
        },
        Value::Chain { sides, relations } => match (sides.as_slice(), relations.as_slice()) {
            ([name, value], [expr::Relation::Equal]) if statement::is_name(name) => exact::value(value),
            _ => None,
        },
        _ => None,
    }
}

/// Whether two texts state the same mathematics; `None` if one of them cannot be read. What cannot be shown
/// is not the same.
pub(crate) fn equal(a: &str, b: &str) -> Option<bool> {
    let readable = |text: &str| (text.len() <= lexer::MAX_BYTES).then(|| parser::parse(text)).flatten();
    let (a, b) = (readable(a)?, readable(b)?);
    Some(compare::values(&a, &b, &mut Context::new(&Policy::default())).finding == Finding::Equal)
}
