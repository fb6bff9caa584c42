//! `compare`: how the tests say that results are compared.

use std::collections::BTreeMap;

use sandboxes::Language;
use serde::Deserialize;

use super::checker::{Checker, CheckerFields, Protocol};
use super::decimal::Tolerance;
use super::equality::Equality;
use super::text::{Form, TextRule};

/// How results are compared with what was expected.
#[derive(Default)]
pub(super) struct Compare {
    /// What a program printed.
    pub(super) text: TextRule,
    /// What a function returned.
    pub(super) value: Equality,
    /// Decides instead of both.
    pub(super) checker: Option<Checker>,
    kind: Option<CompareKind>,
}

/// `Compare` as tests write it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CompareFields {
    /// Default `text` for what is printed and `equal` for what is returned.
    kind: Option<CompareKind>,
    /// With `float`, both tolerances; default 0.000001.
    tol: Option<f64>,
    /// With `float`, the tolerance as it is and as a fraction of the expected number; 0 where only the other is
    /// given.
    absolute: Option<f64>,
    relative: Option<f64>,
    /// Whether ASCII letters are the same in both cases; for the kinds that compare lines or words.
    case_insensitive: Option<bool>,
    // The checker's fields, as `CheckerFields` has them.
    language: Option<Language>,
    source: Option<String>,
    protocol: Option<Protocol>,
    entry_point: Option<String>,
    files: Option<BTreeMap<String, String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CompareKind {
    Text,
    Exact,
    Tokens,
    Float,
    LinesAnyOrder,
    TokensAnyOrder,
    Json,
    Equal,
    AnyOrder,
    Checker,
}

const TOLERANCE: f64 = 1e-6;

/// What is wrong with `compare`: the pointer below it, and the message.
pub(super) type Wrong = (String, String);

fn wrong<T>(field: &str, message: impl Into<String>) -> Result<T, Wrong> {
    Err((format!("/{field}"), message.into()))
}

impl CompareFields {
    /// # Errors
    /// What is wrong, and with which field.
    pub(super) fn checked(self) -> Result<Compare, Wrong> {
        use CompareKind as K;
        let Self { kind, tol, absolute, relative, case_insensitive, .. } = self;
        let checker = CheckerFields {
            language: self.language,
            source: self.source,
            protocol: self.protocol,
            entry_point: self.entry_point,
            files: self.files,
        };
        let tolerance = match (kind, tol, absolute, relative) {
            (Some(K::Float), tol, absolute, relative) => read_tolerance(tol, absolute, relative)?,
            (_, Some(_), ..) => return wrong("tol", "only `float` has a tolerance"),
            (_, _, Some(_), _) => return wrong("absolute", "only `float` has a tolerance"),
            (_, _, _, Some(_)) => return wrong("relative", "only `float` has a tolerance"),
            _ => Tolerance { absolute: 0.0, relative: 0.0 },
        };
        let has_words = matches!(
            kind,
            None | Some(K::Text | K::Tokens | K::Float | K::LinesAnyOrder | K::TokensAnyOrder)
        );
        if case_insensitive.is_some() && !has_words {
            return wrong("case_insensitive", "only the kinds that compare lines or words can ignore case");
        }
        let form = match kind {
            None | Some(K::Text | K::Equal | K::AnyOrder | K::Checker) => Form::Lines,
            Some(K::Exact) => Form::Exact,
            Some(K::Tokens) => Form::Tokens,
            Some(K::Float) => Form::Float(tolerance),
            Some(K::LinesAnyOrder) => Form::LinesAnyOrder,
            Some(K::TokensAnyOrder) => Form::TokensAnyOrder,
            Some(K::Json) => Form::Json,
        };
        let value = match kind {
            Some(K::Exact) => Equality::Exact,
            Some(K::Float) => Equality::Float(tolerance),
            Some(K::AnyOrder) => Equality::AnyOrder,
            _ => Equality::Equal,
        };
        let checker = match kind {
            Some(K::Checker) => Some(checker.checked()?),
            _ => match checker.first_given() {
                Some(field) => return wrong(field, "only the kind `checker` has this"),
                None => None,
            },
        };
        let text = TextRule { form, case_insensitive: case_insensitive.unwrap_or(false) };
        Ok(Compare { text, value, checker, kind })
    }
}

fn read_tolerance(
    tol: Option<f64>,
    absolute: Option<f64>,
    relative: Option<f64>,
) -> Result<Tolerance, Wrong> {
    for (name, value) in [("tol", tol), ("absolute", absolute), ("relative", relative)] {
        if value.is_some_and(|value| value < 0.0) {
            return wrong(name, "expected a number that is not negative");
        }
    }
    match (tol, absolute, relative) {
        (_, None, None) => {
            let tol = tol.unwrap_or(TOLERANCE);
            Ok(Tolerance { absolute: tol, relative: tol })
        }
        (None, ..) => Ok(Tolerance { absolute: absolute.unwrap_or(0.0), relative: relative.unwrap_or(0.0) }),
        _ => wrong("tol", "give either `tol` or `absolute` and `relative`"),
    }
}

impl Compare {
    /// Why this cannot compare what a function returned.
    pub(super) fn unfit_for_values(&self) -> Option<&'static str> {
        use CompareKind as K;
        let of_text =
            matches!(self.kind, Some(K::Text | K::Tokens | K::LinesAnyOrder | K::TokensAnyOrder | K::Json));
        let checks_files = self.checker.as_ref().is_some_and(|checker| !checker.takes_values());
        match (of_text, checks_files, self.text.case_insensitive) {
            (true, ..) => Some(
                "this kind compares text, and there are cases with `args`; for those there are equal, exact, float, \
                 any_order and checker",
            ),
            (_, true, _) => {
                Some("this checker reads files; cases with `args` need one with the protocol `function`")
            }
            (_, _, true) => Some("`case_insensitive` is for text, and there are cases with `args`"),
            _ => None,
        }
    }

    /// Why this cannot compare what a program printed.
    pub(super) fn unfit_for_text(&self) -> Option<&'static str> {
        matches!(self.kind, Some(CompareKind::Equal | CompareKind::AnyOrder)).then_some(
            "this kind compares what a function returns, and there are cases with `stdin`; for those there are text, \
             exact, tokens, float, lines_any_order, tokens_any_order, json and checker",
        )
    }
}
