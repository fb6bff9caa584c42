//! `length`: what a completion earns or loses by its length.
//!
//! `rule` names the published rule; each has its own file with its formula. The length is `n_tokens` as the
//! trainer counted it, or characters or words of the whole text when `unit` says so; a missing `n_tokens` is
//! an error and is never guessed. Rules that ask who was right read another component, named by `correct`,
//! and so judge the group together; a completion whose correctness is unknown gets no score and does not
//! touch the others'.

mod cosine;
mod kimi;
mod lcpo;
mod limit;
mod soft_overlong;

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use crate::completion::Completion;
use crate::config::{self, Fields};
use crate::error::{ConfigError, ErrorKind, GradeError};
use crate::grader::{GradeGroup, Grader, GroupView};
use crate::verdict::{Reason, Verdict};

type Build = fn(Fields) -> Result<Arc<dyn Grader>, ConfigError>;

/// Each rule by name, in the order of the names.
const RULES: &[(&str, Build)] = &[
    ("cosine", cosine::build),
    ("kimi", kimi::build),
    ("lcpo_exact", lcpo::build_exact),
    ("lcpo_max", lcpo::build_max),
    ("limit", limit::build),
    ("soft_overlong", soft_overlong::build),
];

pub(crate) fn build(mut fields: Fields) -> Result<Arc<dyn Grader>, ConfigError> {
    let known = || RULES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let name = match fields.remove("rule") {
        Some(Value::String(name)) => name,
        Some(_) => return Err(ConfigError::new("/rule", format!("expected one of {}", known()))),
        None => return Err(ConfigError::new("/rule", format!("the rule is missing; there are {}", known()))),
    };
    match RULES.iter().find(|(rule, _)| *rule == name) {
        Some((_, build)) => build(fields),
        None => Err(ConfigError::new("/rule", format!("unknown rule `{name}`; there are {}", known()))),
    }
}

/// What a length is counted in.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Unit {
    /// Tokens the policy sampled: the completion's `n_tokens`.
    #[default]
    Tokens,
    /// Unicode scalar values of the text.
    Characters,
    /// Stretches of the text between white space.
    Words,
}

impl Unit {
    fn length_of(self, completion: &Completion) -> Result<f64, GradeError> {
        let length = match self {
            Self::Tokens => {
                return completion.n_tokens.map(f64::from).ok_or_else(|| {
                    GradeError::new(
                        ErrorKind::MissingLength,
                        "the completion has no `n_tokens`; send it, or set the grader's `unit` to \
                         \"characters\" or \"words\"",
                    )
                });
            }
            Self::Characters => completion.text.chars().count(),
            Self::Words => completion.text.split_whitespace().count(),
        };
        Ok(length as f64)
    }
}

/// Who was right: the component that says so, and from which score on.
#[derive(Clone, Debug)]
struct Correctness {
    component: String,
    at_least: f64,
}

impl Correctness {
    fn new(component: String, at_least: f64) -> Result<Self, ConfigError> {
        if component.is_empty() {
            return Err(ConfigError::new(
                "/correct",
                "expected the name of the component that says who is right",
            ));
        }
        Ok(Self { component, at_least })
    }

    /// `correct_at_least` unless a configuration says otherwise: full marks, whether wrong is 0 or −1.
    const fn full_marks() -> f64 {
        1.0
    }

    /// Whether the completion at `index` is right; `None` when the component abstained on it.
    fn of(&self, group: &GroupView<'_>, index: usize) -> Result<Option<bool>, GradeError> {
        let found = group.read.and_then(|read| read.get(index)).ok_or_else(|| {
            GradeError::new(
                ErrorKind::Internal,
                format!("the results of `{}` were not handed to the length grader", self.component),
            )
        })?;
        match found {
            Ok(verdict) => Ok(verdict.score.map(|score| score >= self.at_least)),
            Err(error) => Err(GradeError::new(
                ErrorKind::DependencyFailed,
                format!("`{}` could not judge it: {error}", self.component),
            )),
        }
    }
}

/// A completion of a group as the rules see it.
#[derive(Clone, Copy, Debug)]
struct Answer {
    length: f64,
    correct: bool,
}

/// A rule that scores the answers of a group together, one score for each.
trait GroupRule: Send + Sync {
    fn scores(&self, answers: &[Answer]) -> Vec<f64>;
}

/// Applies a [`GroupRule`] to those completions of a group whose length and correctness are known.
struct GroupJudge<R> {
    rule: R,
    unit: Unit,
    correctness: Correctness,
}

impl<R: GroupRule> GradeGroup for GroupJudge<R> {
    fn grade_group(&self, group: &GroupView<'_>) -> Vec<Result<Verdict, GradeError>> {
        let answers: Vec<Result<Option<Answer>, GradeError>> = group
            .completions
            .iter()
            .enumerate()
            .map(|(index, completion)| {
                let Some(correct) = self.correctness.of(group, index)? else { return Ok(None) };
                Ok(Some(Answer { length: self.unit.length_of(completion)?, correct }))
            })
            .collect();
        let judged: Vec<Answer> = answers.iter().filter_map(|answer| answer.clone().ok().flatten()).collect();
        let mut scores = self.rule.scores(&judged).into_iter();
        answers
            .into_iter()
            .map(|answer| {
                let Some(Answer { length, correct }) = answer? else {
                    return Ok(Verdict::abstain(Reason::DependencyAbstained));
                };
                let score = scores.next().ok_or_else(|| {
                    GradeError::new(ErrorKind::Internal, "the length rule gave fewer scores than answers")
                })?;
                Ok(scored(score, length).with("correct", correct))
            })
            .collect()
    }
}

/// The verdict of a rule whose score is a function of the length.
fn scored(score: f64, length: f64) -> Verdict {
    // Minus zero is a zero, and reads as one.
    Verdict::new(score + 0.0, Reason::LengthScored).with("length", length as u64)
}

/// Reads a rule's fields, then checks them.
fn read_checked<T: serde::de::DeserializeOwned>(
    fields: Fields,
    check: impl FnOnce(&T) -> Result<(), ConfigError>,
) -> Result<T, ConfigError> {
    let spec = config::read(fields)?;
    check(&spec)?;
    Ok(spec)
}

/// The largest value that a score may be configured to; keeps every score finite and every sum sensible.
const MAX_SCORE: f64 = 1e6;

/// A field that is a score.
fn score_field(pointer: &str, value: f64) -> Result<(), ConfigError> {
    if value.abs() > MAX_SCORE {
        return Err(ConfigError::new(pointer, format!("expected a number from -{MAX_SCORE} to {MAX_SCORE}")));
    }
    Ok(())
}

/// A field that counts units of length and has to be positive.
fn positive(pointer: &str, value: u32) -> Result<(), ConfigError> {
    if value == 0 { Err(ConfigError::new(pointer, "expected a whole number above 0")) } else { Ok(()) }
}
