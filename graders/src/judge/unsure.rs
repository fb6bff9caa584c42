//! Where rules are unsure: the closed set of findings after which a second opinion is worth its price.
//!
//! What rules have shown (`equivalent`, `different`, `wrong_form`, a number outside its tolerance) is never asked
//! again, so that a model can correct nothing that is proven.

use serde::Deserialize;

use crate::error::{ErrorKind, GradeError};
use crate::verdict::{Reason, Verdict};

/// A finding that leaves a verdict open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Unsure {
    /// Neither equality nor difference could be shown.
    Undecided,
    /// The answer is not in the notation that the rules read.
    UnparsableAnswer,
    /// The answer is no number.
    NotANumber,
    /// More than one answer was given where one was asked for.
    AmbiguousAnswer,
    /// The texts differ, which says little of what they mean.
    Mismatch,
    /// No answer stands where the rules look for one.
    NoAnswer,
    /// The rules cannot read the reference.
    InvalidReference,
}

impl Unsure {
    /// What is open where a rubric names nothing: what the rules could not read or decide.
    pub(super) fn defaults() -> Vec<Self> {
        vec![Self::Undecided, Self::UnparsableAnswer, Self::NotANumber, Self::InvalidReference]
    }

    /// What `found` leaves open; `None` when the rules are sure, or failed in another way.
    pub(super) fn of(found: &Result<Verdict, GradeError>) -> Option<Self> {
        match found {
            Ok(verdict) => match verdict.reason {
                Reason::Undecided => Some(Self::Undecided),
                Reason::UnparsableAnswer => Some(Self::UnparsableAnswer),
                Reason::NotANumber => Some(Self::NotANumber),
                Reason::AmbiguousAnswer => Some(Self::AmbiguousAnswer),
                Reason::Mismatch => Some(Self::Mismatch),
                Reason::NoAnswer => Some(Self::NoAnswer),
                _ => None,
            },
            Err(error) => (error.kind == ErrorKind::InvalidReference).then_some(Self::InvalidReference),
        }
    }

    /// The name of what the rules found.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Undecided => Reason::Undecided.name(),
            Self::UnparsableAnswer => Reason::UnparsableAnswer.name(),
            Self::NotANumber => Reason::NotANumber.name(),
            Self::AmbiguousAnswer => Reason::AmbiguousAnswer.name(),
            Self::Mismatch => Reason::Mismatch.name(),
            Self::NoAnswer => Reason::NoAnswer.name(),
            Self::InvalidReference => ErrorKind::InvalidReference.name(),
        }
    }
}
