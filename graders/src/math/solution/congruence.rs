//! Congruences as sets of residues.
//!
//! A congruence in one unknown is a set of residues to the least modulus that describes it: `2x ≡ 4 (mod
//! 6)` is `x ≡ 2 (mod 3)`, `x² ≡ 1 (mod 8)` is `x ≡ 1 (mod 2)`. Moduli up to a bound are tried residue by
//! residue; a linear congruence to a larger one is solved by the extended algorithm of Euclid.

#![expect(clippy::many_single_char_names, reason = "two of everything, named as in a formula")]

use std::collections::BTreeSet;

use dashu::base::{Sign, UnsignedAbs};
use dashu::rational::RBig;

use super::super::compare::Outcome;
use super::super::exact;
use super::super::expr::{Expr, Join, Value};
use super::super::modular::Finding;
use super::super::multinomial::Multinomial;
use super::super::ring::Ring;

/// The largest modulus whose residues are tried one by one.
const MAX_TRIED: u64 = 2_048;
/// The largest modulus.
const MAX_MODULUS: u64 = 1 << 62;
/// The highest degree of a congruence.
const MAX_DEGREE: usize = 32;

/// Residues to a modulus.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Residues {
    /// The unknown; none for a class by itself.
    name: Option<Box<str>>,
    modulus: u64,
    residues: BTreeSet<u64>,
}

const fn outcome(finding: Finding) -> Outcome {
    Outcome { finding, method: "congruence" }
}

/// Compares two values of which at least one is a congruence; `None` if one has nothing to do with them.
pub(super) fn compare(a: &Value, b: &Value) -> Option<Outcome> {
    if !is_congruence(a) || !is_congruence(b) {
        return None;
    }
    if a == b {
        return Some(outcome(Finding::Equal));
    }
    let finding = match (residues(a), residues(b)) {
        (Some(a), Some(b)) => {
            let named = a.name.is_some() && b.name.is_some() && a.name != b.name;
            match (a.residues.is_empty() && b.residues.is_empty(), named) {
                (true, _) => Finding::Unknown,
                (_, true) => Finding::Different,
                _ if (a.modulus, &a.residues) == (b.modulus, &b.residues) => Finding::Equal,
                _ => Finding::Different,
            }
        }
        _ if same_difference(a, b) == Some(true) => Finding::Equal,
        _ => Finding::Unknown,
    };
    Some(outcome(finding))
}

fn is_congruence(value: &Value) -> bool {
    match value {
        Value::Congruence { .. } => true,
        Value::List(items, _) | Value::System(items) => items.iter().all(is_congruence) && !items.is_empty(),
        _ => false,
    }
}

/// The residues that a value allows, to the least modulus.
fn residues(value: &Value) -> Option<Residues> {
    let all = |items: &[Value]| items.iter().map(residues).collect::<Option<Vec<_>>>();
    let both = |a: &BTreeSet<u64>, b: &BTreeSet<u64>| a.intersection(b).copied().collect();
    let either = |a: &BTreeSet<u64>, b: &BTreeSet<u64>| a.union(b).copied().collect();
    let found = match value {
        Value::Congruence { left, right, modulus } => {
            let modulus = exact::value(modulus)?;
            let modulus = u64::try_from(exact::integer(&modulus)?.unsigned_abs()).ok()?;
            solved(left.as_ref(), right, modulus)?
        }
        Value::System(items) => joined(all(items)?, both)?,
        Value::List(items, Join::Or) => joined(all(items)?, either)?,
        Value::List(items, _) => {
            let items = all(items)?;
            let together = joined(items.clone(), both)?;
            // Residues that exclude each other are alternatives.
            if together.residues.is_empty() { joined(items, either)? } else { together }
        }
        _ => return None,
    };
    Some(least(found))
}

fn solved(left: Option<&Expr>, right: &Expr, modulus: u64) -> Option<Residues> {
    if modulus == 0 || modulus > MAX_MODULUS {
        return None;
    }
    let mut ring = Ring::default();
    let Some(left) = left else {
        let residue = residue(&exact::value(right)?, modulus)?;
        return Some(Residues { name: None, modulus, residues: BTreeSet::from([residue]) });
    };
    let difference = ring.difference(left, right)?;
    let polynomial = difference.numerator;
    let support = polynomial.support();
    let ([index], true) = (support.as_slice(), difference.denominator.is_empty()) else { return None };
    let Expr::Variable(name) = ring.indeterminate(*index)?.clone() else { return None };
    let powers = polynomial.by_powers_of(*index);
    if powers.len() > MAX_DEGREE + 1 {
        return None;
    }
    let coefficients: Vec<u64> =
        powers.iter().map(|c| residue(&c.value()?, modulus)).collect::<Option<_>>()?;
    let product = |a: u64, b: u64| (u128::from(a) * u128::from(b) % u128::from(modulus)) as u64;
    if modulus <= MAX_TRIED {
        let zero =
            |x: &u64| coefficients.iter().rev().fold(0, |value, c| (product(value, *x) + c) % modulus) == 0;
        let residues = (0..modulus).filter(zero).collect();
        return Some(Residues { name: Some(name), modulus, residues });
    }
    let [constant, factor] = coefficients.as_slice() else { return None };
    let (divisor, inverse) = euclid(*factor, modulus);
    let reduced = modulus / divisor;
    let residues = if constant % divisor == 0 {
        let target = (reduced - constant / divisor % reduced) % reduced;
        let root = u128::from(target) * u128::from(inverse % reduced) % u128::from(reduced);
        BTreeSet::from([root as u64])
    } else {
        BTreeSet::new()
    };
    Some(Residues { name: Some(name), modulus: reduced, residues })
}

/// The greatest common divisor of `a` and `m`, and a number whose product with `a` is that modulo `m`.
fn euclid(a: u64, m: u64) -> (u64, u64) {
    let (mut r, mut next) = (i128::from(a), i128::from(m));
    let (mut s, mut following) = (1_i128, 0_i128);
    while next != 0 {
        let quotient = r / next;
        (r, next) = (next, r - quotient * next);
        (s, following) = (following, s - quotient * following);
    }
    (r as u64, s.rem_euclid(i128::from(m)) as u64)
}

/// A whole number modulo `modulus`. A fraction has none: what it means for it to be one is left open.
fn residue(x: &RBig, modulus: u64) -> Option<u64> {
    let top = exact::integer(x)?.unsigned_abs() % modulus;
    Some(if x.numerator().sign() == Sign::Negative { (modulus - top) % modulus } else { top })
}

/// How two sets of residues are joined.
type Meet = fn(&BTreeSet<u64>, &BTreeSet<u64>) -> BTreeSet<u64>;

/// Several sets of residues of one unknown as one, to their least common modulus.
fn joined(items: Vec<Residues>, join: Meet) -> Option<Residues> {
    let mut items = items.into_iter();
    let mut so_far = items.next()?;
    for item in items {
        if item.name != so_far.name {
            return None;
        }
        let modulus = so_far.modulus / euclid(so_far.modulus, item.modulus).0;
        let modulus = modulus.checked_mul(item.modulus).filter(|m| *m <= MAX_TRIED)?;
        let lifted = |set: &Residues| -> BTreeSet<u64> {
            (0..modulus).filter(|r| set.residues.contains(&(r % set.modulus))).collect()
        };
        so_far.residues = join(&lifted(&so_far), &lifted(&item));
        so_far.modulus = modulus;
    }
    Some(so_far)
}

/// The same to the least modulus.
fn least(mut set: Residues) -> Residues {
    if set.modulus > MAX_TRIED {
        return set;
    }
    let mut prime = 2;
    while prime <= set.modulus {
        let smaller = set.modulus / prime;
        let periodic = set.modulus.is_multiple_of(prime)
            && set.residues.iter().all(|r| set.residues.contains(&((r + smaller) % set.modulus)));
        if periodic {
            set.residues = set.residues.iter().map(|r| r % smaller).collect();
            set.modulus = smaller;
        } else {
            prime += 1;
        }
    }
    set
}

/// Whether two congruences with the same modulus have differences that are congruent up to sign.
fn same_difference(a: &Value, b: &Value) -> Option<bool> {
    let (
        Value::Congruence { left: Some(l), right: r, modulus: m },
        Value::Congruence { left: Some(s), right: t, modulus: n },
    ) = (a, b)
    else {
        return None;
    };
    let (m, n) = (exact::value(m)?, exact::value(n)?);
    let modulus =
        u64::try_from(exact::integer(&m)?.unsigned_abs()).ok().filter(|m| (1..=MAX_MODULUS).contains(m))?;
    if m != n {
        return None;
    }
    let mut ring = Ring::default();
    let (f, g) = (ring.difference(l, r)?, ring.difference(s, t)?);
    let vanishes = |f: &Multinomial, g: &Multinomial| {
        let sum = f.plus(g)?;
        Some(sum.terms().all(|(_, c)| residue(c, modulus) == Some(0)))
    };
    // A fraction among the coefficients has no meaning for some values of the variables.
    let whole = |f: &Multinomial| f.terms().all(|(_, c)| c.is_int());
    let plain = [&f, &g].iter().all(|x| x.denominator.is_empty() && whole(&x.numerator));
    if !plain || !ring.is_pure(&f.numerator) || !ring.is_pure(&g.numerator) {
        return None;
    }
    Some(vanishes(&f.numerator, &g.numerator)? || vanishes(&f.numerator, &g.numerator.negated())?)
}
