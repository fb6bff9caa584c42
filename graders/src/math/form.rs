//! What a task asks of an answer beyond its value: its form, its unit, its name, that it is solved.

use dashu::base::{Gcd as _, UnsignedAbs};
use dashu::rational::RBig;

use super::expr::{Expr, Unit, Value};
use super::lexer::{Token, tokens};
use super::policy::{Assignment, Equations, Form, Policy, Units};
use super::relations;
use super::statement::is_name;

/// What an equal answer lacks, in a word for the verdict's detail; `None` if nothing.
pub(super) fn lacks(
    reference: (&str, &Value),
    answer: (&str, &Value),
    policy: &Policy,
) -> Option<&'static str> {
    if policy.equations == Equations::Solved
        && relations::is_solved(reference.1)
        && relations::restates(answer.1)
    {
        return Some("unsolved");
    }
    if policy.units == Units::Required && unit(reference.1).is_some() != unit(answer.1).is_some() {
        return Some("unit");
    }
    if policy.assignment == Assignment::Required && is_named(reference.1) != is_named(answer.1) {
        return Some("name");
    }
    match &policy.form {
        None => None,
        Some(form) => (!has(form, reference.0, answer)).then_some("form"),
    }
}

fn unit(value: &Value) -> Option<&Unit> {
    match value {
        Value::Quantity(_, unit) => Some(unit),
        Value::Named(_, value) => unit(value),
        _ => None,
    }
}

fn is_named(value: &Value) -> bool {
    match value {
        Value::Named(..) => true,
        Value::Chain { sides, .. } => sides.first().is_some_and(is_name),
        _ => false,
    }
}

fn has(form: &Form, reference: &str, (text, value): (&str, &Value)) -> bool {
    let Ok(written) = tokens(text) else { return false };
    let written: Vec<&Token<'_>> = written.iter().map(|spaced| &spaced.token).collect();
    match form {
        Form::SimplifiedFraction => {
            written.iter().all(|token| !is_decimal(token)) && in_lowest_terms(&written)
        }
        Form::Decimals(places) => decimals(text) == Some(*places as usize),
        Form::Base(base) => {
            let ending = format!("_{base}");
            matches!(value, Value::Expr(Expr::Variable(name)) if name.ends_with(&ending)
                && name.starts_with(|c: char| c.is_ascii_digit() || c.is_ascii_uppercase()))
        }
        Form::Expanded => expression(value).is_some_and(is_expanded),
        Form::Factored => expression(value).is_some_and(is_factored),
        Form::Exact => tokens(reference).is_ok_and(|theirs| {
            theirs.len() == written.len() && theirs.iter().zip(&written).all(|(a, b)| a.token == **b)
        }),
    }
}

/// The expression that an answer states, without its name.
fn expression(value: &Value) -> Option<&Expr> {
    match value {
        Value::Expr(expr) | Value::Quantity(expr, _) => Some(expr),
        Value::Chain { sides, .. } if sides.first().is_some_and(is_name) => sides.last(),
        Value::Named(_, value) => expression(value),
        _ => None,
    }
}

fn is_decimal(token: &Token<'_>) -> bool {
    matches!(token, Token::Number { whole: false, .. })
}

/// Whether every fraction of two whole numbers is in lowest terms and no whole number in disguise.
fn in_lowest_terms(written: &[&Token<'_>]) -> bool {
    let whole = |at: usize| match written.get(at) {
        Some(Token::Number { value: Expr::Number(n), whole: true }) => Some(n),
        _ => None,
    };
    let mark = |at: usize, c: char| matches!(written.get(at), Some(Token::Mark(found)) if *found == c);
    let lowest = |top: &RBig, bottom: &RBig| {
        let (top, bottom) = (top.numerator().unsigned_abs(), bottom.numerator().unsigned_abs());
        !bottom.is_one() && !bottom.is_zero() && (top.is_zero() || top.gcd(&bottom).is_one())
    };
    (0..written.len()).all(|at| {
        let braced = matches!(written.get(at), Some(Token::Frac)) && mark(at + 1, '{');
        let pair = if braced {
            let negative = usize::from(mark(at + 2, '-'));
            let second = at + 5 + negative;
            if mark(at + 3 + negative, '}') && mark(second - 1, '{') {
                whole(at + 2 + negative).zip(whole(second))
            } else {
                None
            }
        } else if mark(at + 1, '/') {
            whole(at).zip(whole(at + 2))
        } else {
            None
        };
        pair.is_none_or(|(top, bottom)| lowest(top, bottom))
    })
}

/// The decimal places of a text that is one literal.
fn decimals(text: &str) -> Option<usize> {
    let text = text.trim().trim_matches('$').trim();
    let text = text.strip_prefix(['-', '+', '−']).unwrap_or(text);
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let valid = whole.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | '{' | '}'))
        && fraction.chars().all(|c| c.is_ascii_digit())
        && !digits.is_empty();
    valid.then_some(fraction.len())
}

fn has_variable(expr: &Expr) -> bool {
    expr.any(&|part| matches!(part, Expr::Variable(_)))
}

fn is_sum(expr: &Expr) -> bool {
    matches!(expr, Expr::Sum(_)) && has_variable(expr)
}

/// A sum of terms none of which multiplies or raises another sum.
fn is_expanded(expr: &Expr) -> bool {
    let terms = match expr {
        Expr::Sum(terms) => terms.as_slice(),
        single => std::slice::from_ref(single),
    };
    terms.iter().all(|term| {
        !term.any(&|part| match part {
            Expr::Product(factors) => factors.iter().any(is_sum),
            Expr::Power(base, _) => is_sum(base),
            _ => false,
        })
    })
}

/// A product whose sums cannot be taken apart, as far as common factors and rational roots tell.
fn is_factored(expr: &Expr) -> bool {
    let factors = match expr {
        Expr::Product(factors) => factors.as_slice(),
        single => std::slice::from_ref(single),
    };
    factors.iter().all(|factor| {
        let base = match factor {
            Expr::Power(base, _) => base,
            other => other,
        };
        !is_sum(base) || super::factor::is_irreducible(base)
    })
}
