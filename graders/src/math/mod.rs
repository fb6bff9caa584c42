//! `math`: does the answer equal the reference as mathematics?
//!
//! Extraction finds the answer's text, [`parser`] reads all of it or none, [`compare`] decides. Numbers are
//! exact rationals; a rounded decimal never equals an irrational number. Nothing is solved, simplified or
//! executed, a power or factorial is never written out beyond a bound, and what cannot be shown either way is
//! `undecided` and scores like a wrong answer.
//!
//! Conventions that a text leaves open, decided once for all:
//!
//! - `50\%` is answered by `50`, `0.5` and `50%`.
//! - A unit on one side only is dropped; units on both sides must measure the same and are converted.
//! - Degrees are answered by the number and by the angle in radians.
//! - A logarithm without a base is natural or decimal, the same way on both sides.
//! - A value answers `x = value`. An equation never answers a value that solves it.
//! - A list without brackets has no order, brackets have one, sets neither order nor repetition.
//! - Words are compared without regard to case; variables never are.

mod affine;
mod ball;
mod calls;
mod compare;
mod exact;
mod exponents;
mod expr;
mod fast;
mod field;
mod identity;
mod letters;
mod lexer;
mod logarithms;
mod magnitude;
mod modular;
mod numeric;
mod parser;
mod policy;
mod powers;
mod sample;
mod terms;
mod units;
mod witness;

use std::sync::Arc;

use serde::Deserialize;

use crate::completion::Completion;
use crate::config::{self, Fields};
use crate::error::{ConfigError, GradeError, TaskError};
use crate::extract::Extractor;
use crate::grader::{GradeCompletion, Grader, Prepared, Resources};
use crate::scores::Scores;
use crate::task::Task;
use crate::verdict::{Reason, Verdict};

use expr::Value;
use identity::Fuel;
use modular::Finding;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    /// How the answer is found. Default: `answer_tag`, `boxed`, `hash`, `answer_is`.
    #[serde(default = "Extractor::marked")]
    extract: Extractor,
    /// The score of a right answer. Default: 1.
    #[serde(default = "Scores::default_correct")]
    correct: f64,
    /// The score of any other. Default: 0.
    #[serde(default)]
    incorrect: f64,
}

#[derive(Clone, Debug)]
struct MathGrader {
    extract: Arc<Extractor>,
    scores: Scores,
}

pub(crate) fn build(fields: Fields) -> Result<Arc<dyn Grader>, ConfigError> {
    let spec: Spec = config::read(fields)?;
    let scores = Scores::new(spec.correct, spec.incorrect)?;
    Ok(Arc::new(MathGrader { extract: Arc::new(spec.extract), scores }))
}

impl Grader for MathGrader {
    fn kind(&self) -> &'static str {
        "math"
    }

    fn version(&self) -> u32 {
        1
    }

    fn prepare(&self, task: &Task, _resources: &Resources) -> Result<Prepared, TaskError> {
        let texts = task.reference_text()?.0;
        let references = texts
            .iter()
            .map(|text| {
                read(text).ok_or_else(|| {
                    TaskError::reference(format!(
                        "`{}` is neither mathematics this grader reads nor plain words",
                        text.chars().take(80).collect::<String>()
                    ))
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Prepared::Completion(Box::new(Judge { grader: self.clone(), references })))
    }
}

/// Compares with one task's references.
struct Judge {
    grader: MathGrader,
    references: Vec<Value>,
}

impl GradeCompletion for Judge {
    fn grade(&self, completion: &Completion) -> Result<Verdict, GradeError> {
        let scores = self.grader.scores;
        let Some(found) = self.grader.extract.extract(&completion.text) else {
            return Ok(scores.wrong(Reason::NoAnswer));
        };
        let text = found.unboxed();
        let verdict = self.verdict(text);
        Ok(verdict.with_excerpt("extracted", text).with("extraction", found.step.name()))
    }
}

impl Judge {
    fn verdict(&self, text: &str) -> Verdict {
        let scores = self.grader.scores;
        if bare(text).is_empty() {
            return scores.wrong(Reason::NoAnswer);
        }
        let wordy = |reference: &&Value| matches!(reference, Value::Text(_));
        let Some(answer) = read(text) else {
            let normal = words(text);
            let same = |reference: &Value| matches!(reference, Value::Text(text) if words(text) == normal);
            return if self.references.iter().any(same) {
                scores.right(Reason::Equivalent).with("method", "text")
            } else if self.references.iter().all(|reference| wordy(&reference)) {
                scores.wrong(Reason::Different).with("method", "text")
            } else {
                scores.wrong(Reason::UnparsableAnswer)
            };
        };
        let mut reason = Reason::Different;
        let mut method = "kind";
        for reference in &self.references {
            let outcome = compare::values(reference, &answer, &mut Fuel::full());
            match outcome.finding {
                Finding::Equal => {
                    return scores.right(Reason::Equivalent).with("method", outcome.method);
                }
                Finding::Unknown => (reason, method) = (Reason::Undecided, outcome.method),
                Finding::Different if reason == Reason::Different => method = outcome.method,
                Finding::Different => {}
            }
        }
        scores.wrong(reason).with("method", method)
    }
}

/// The text without the marks around an answer.
fn bare(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '$' | '*' | '`'))
        .trim_end_matches(['.', ',', ';'])
        .trim_matches(|c: char| c.is_whitespace() || matches!(c, '$' | '*' | '`'))
}

/// The answer that a text states: mathematics, or else words.
fn read(text: &str) -> Option<Value> {
    let bare = bare(text);
    if bare.len() > lexer::MAX_BYTES {
        return None;
    }
    if let Some(prose) = prose(bare) {
        return Some(Value::Text(prose));
    }
    parser::parse(bare)
}

/// Short words that are answers rather than products of variables.
const SHORT_WORDS: [&str; 12] =
    ["yes", "no", "odd", "one", "two", "six", "ten", "red", "mon", "tue", "up", "all"];

/// The words of a text that is nothing else.
fn prose(text: &str) -> Option<String> {
    let mut plain = text.to_owned();
    for command in ["\\textbf{", "\\textit{", "\\textrm{", "\\text{", "\\mathrm{", "\\mbox{"] {
        plain = plain.replace(command, "{");
    }
    let plain = plain.replace(['{', '}', '$'], " ").replace("\\ ", " ");
    let allowed = |c: char| {
        c.is_alphabetic() || c.is_whitespace() || matches!(c, '-' | '\'' | '’' | '.' | ',' | '(' | ')')
    };
    if !plain.chars().all(allowed) {
        return None;
    }
    let mut spoken = false;
    for word in plain.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()) {
        let symbol =
            lexer::function(word).is_some() || matches!(word, "pi" | "infinity" | "inf" | "oo" | "infty");
        if symbol {
            return None;
        }
        let lower = word.to_lowercase();
        let capitals = word.chars().all(char::is_uppercase);
        let long =
            word.chars().count() > 3 || (word.chars().count() > 1 && word.starts_with(char::is_uppercase));
        spoken |= (long && !capitals) || SHORT_WORDS.contains(&lower.as_str());
    }
    spoken.then(|| words(&plain))
}

/// Words as they are compared: without case, layout, articles and punctuation at the ends.
fn words(text: &str) -> String {
    let plain = text.replace(['{', '}', '$'], " ").to_lowercase();
    let mut words: Vec<&str> = plain.split_whitespace().collect();
    while let Some("the" | "a" | "an") = words.first().copied()
        && words.len() > 1
    {
        words.remove(0);
    }
    words.join(" ").trim_matches(['.', ',', ';', '!', '(', ')']).to_owned()
}

/// The number that a text states as a whole, if it is rational: `1/2`, `x = 3`, `1,200 km`, `50\%` (which is
/// 50). The `number` grader reads its answers with it.
pub(crate) fn rational(text: &str) -> Option<dashu::rational::RBig> {
    match read(text)? {
        Value::Expr(value) | Value::Quantity(value, _) => exact::value(&value),
        Value::Chain { sides, relations } => match (sides.as_slice(), relations.as_slice()) {
            ([name, value], [expr::Relation::Equal]) if parser::is_name(name) => exact::value(value),
            _ => None,
        },
        _ => None,
    }
}
