//! What a task may ask of an answer beyond its value, each with a default.

use serde::Deserialize;

use crate::error::ConfigError;

use super::words;

/// How a percentage compares with a bare number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Percent {
    /// `50%` is answered by `50`, by `0.5` and by `50%`.
    #[default]
    Either,
    /// `50%` is 0.5 and nothing else.
    Fraction,
    /// `50%` is answered by `50`; against a fraction it differs.
    Points,
}

/// What units do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Units {
    /// A unit on one side only is dropped; units on both sides must measure the same and are converted.
    #[default]
    Compatible,
    /// The answer needs a unit where the reference has one, and none where it has none.
    Required,
    /// Units are not looked at.
    Ignored,
}

/// Whether a list without brackets keeps its order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Order {
    #[default]
    Free,
    Kept,
}

/// What a reference that lists several answers asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Multiple {
    /// All of them.
    #[default]
    All,
    /// Any one of them.
    Any,
}

/// Whether the name in `x = 5` counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Assignment {
    /// `5` answers `x = 5` and the other way round; two names must be the same.
    #[default]
    Optional,
    /// The answer names what the reference names.
    Required,
    /// Names are not compared: `y = 5` answers `x = 5`.
    Ignored,
}

/// Whether an equation may stand for its solution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Equations {
    /// Where the reference is solved (`x = 9`), the answer must be.
    #[default]
    Solved,
    /// `30 - 2x = 12` answers `x = 9`.
    Restated,
}

/// The form an answer must have, apart from its value.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Form {
    /// A fraction in lowest terms, or a whole number.
    SimplifiedFraction,
    /// A product of factors that cannot be taken apart over the rationals.
    Factored,
    /// A sum of monomials, each once.
    Expanded,
    /// A decimal with exactly this many places.
    Decimals(u32),
    /// Digits in this base, as `101_2`.
    Base(u32),
    /// The reference's own form, apart from layout.
    Exact,
}

/// Whether the case of letters in words counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Case {
    #[default]
    Ignored,
    Kept,
}

/// What becomes of an answer that can be shown neither equal nor different.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Undecided {
    /// It scores like a wrong one.
    #[default]
    Incorrect,
    /// The grader abstains, so that another may judge.
    Abstain,
}

/// The policies of one grader.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Policy {
    pub(super) percent: Percent,
    pub(super) units: Units,
    pub(super) order: Order,
    pub(super) multiple: Multiple,
    pub(super) assignment: Assignment,
    pub(super) equations: Equations,
    pub(super) form: Option<Form>,
    pub(super) case: Case,
    /// A decimal of at least this many significant digits equals the exact value of which it is the rounding;
    /// `null` for never.
    pub(super) rounding: Option<u32>,
    /// The largest difference that counts as none; `null` for none at all.
    pub(super) absolute_tolerance: Option<f64>,
    /// The largest difference in parts of the reference; `null` for none at all.
    pub(super) relative_tolerance: Option<f64>,
    /// What an answer scores that can be shown neither equal nor different.
    pub(super) undecided: Undecided,
    /// The texts of the choices in order, so that the letter and the text of one answer each other.
    pub(super) choices: Vec<String>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            percent: Percent::default(),
            units: Units::default(),
            order: Order::default(),
            multiple: Multiple::default(),
            assignment: Assignment::default(),
            equations: Equations::default(),
            form: None,
            case: Case::default(),
            rounding: Some(8),
            absolute_tolerance: None,
            relative_tolerance: None,
            undecided: Undecided::default(),
            choices: Vec::new(),
        }
    }
}

impl Policy {
    /// Refuses what means nothing.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (name, tolerance) in
            [("absolute_tolerance", self.absolute_tolerance), ("relative_tolerance", self.relative_tolerance)]
        {
            if tolerance.is_some_and(|t| !(t.is_finite() && t >= 0.0)) {
                return Err(ConfigError::new(
                    format!("/policy/{name}"),
                    "expected a finite number that is not negative".to_owned(),
                ));
            }
        }
        if self.rounding.is_some_and(|digits| digits < 3) {
            return Err(ConfigError::new(
                "/policy/rounding".to_owned(),
                "expected at least 3 digits: with fewer, wrong answers are taken for rounded ones".to_owned(),
            ));
        }
        if self.choices.len() > 26 {
            return Err(ConfigError::new(
                "/policy/choices".to_owned(),
                format!("expected at most 26 choices, found {}", self.choices.len()),
            ));
        }
        Ok(())
    }

    /// The letter of the choice that has this text.
    pub(super) fn choice(&self, text: &str) -> Option<char> {
        let normal = words::normal(text, self.keeps_case());
        let same = |choice: &String| words::normal(choice, self.keeps_case()) == normal;
        let at = self.choices.iter().position(same)?;
        u8::try_from(at).ok().map(|at| char::from(b'A' + at))
    }

    /// Whether the case of letters in words counts.
    pub(super) fn keeps_case(&self) -> bool {
        self.case == Case::Kept
    }
}
