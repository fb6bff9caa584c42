//! Whether a polynomial can be taken apart over the rational numbers.

use dashu::base::{Gcd as _, UnsignedAbs};
use dashu::integer::{IBig, UBig};
use dashu::rational::RBig;

use super::expr::Expr;
use super::multinomial::Multinomial;
use super::polynomial::{Polynomial, Work};
use super::ring::Ring;

/// The largest end coefficient of which all divisors are tried.
const MAX_COEFFICIENT: u64 = 1_000_000;
/// The steps that looking for a repeated factor may take.
const WORK: u32 = 5_000;

/// Whether a sum cannot be taken apart, as far as a common factor, a factor that repeats and rational roots
/// show it. A polynomial of degree four or more, or in several variables, may have factors that none of these
/// shows; it then counts as irreducible. What is no polynomial counts as reducible.
pub(super) fn is_irreducible(expr: &Expr) -> bool {
    let mut ring = Ring::default();
    let Some(fraction) = ring.read(expr) else { return false };
    let polynomial = fraction.numerator;
    if !fraction.denominator.is_empty() || has_common_factor(&polynomial) {
        return false;
    }
    let support = polynomial.support();
    let [index] = support.as_slice() else { return true };
    let Some(univariate) = polynomial.univariate(*index) else { return true };
    match univariate.degree() {
        0 | 1 => true,
        _ => !repeats(&univariate) && !has_rational_root(&univariate),
    }
}

/// A whole number or a variable that divides every term.
fn has_common_factor(polynomial: &Multinomial) -> bool {
    let mut content = UBig::ZERO;
    let mut shared: Option<Vec<u16>> = None;
    for (monomial, coefficient) in polynomial.terms() {
        if coefficient.is_int() {
            content = content.gcd(&coefficient.numerator().unsigned_abs());
        } else {
            content = UBig::ONE;
        }
        let exponents: Vec<u16> = monomial.clone();
        shared = Some(match shared {
            None => exponents,
            Some(known) => known.iter().zip(&exponents).map(|(a, b)| *a.min(b)).collect(),
        });
    }
    content > UBig::ONE || shared.is_some_and(|exponents| exponents.iter().any(|exponent| *exponent > 0))
}

fn repeats(polynomial: &Polynomial) -> bool {
    polynomial
        .square_free(&mut Work::new(WORK))
        .is_some_and(|square_free| square_free.degree() < polynomial.degree())
}

fn has_rational_root(polynomial: &Polynomial) -> bool {
    let coefficients = polynomial.coefficients();
    let end =
        |coefficient: Option<&IBig>| coefficient.and_then(|c| u64::try_from(c.clone().unsigned_abs()).ok());
    let (Some(low), Some(high)) = (end(coefficients.first()), end(coefficients.last())) else { return false };
    if low == 0 {
        return true;
    }
    if low > MAX_COEFFICIENT || high > MAX_COEFFICIENT {
        return false;
    }
    let (tops, bottoms) = (divisors(low), divisors(high));
    tops.iter().any(|top| {
        bottoms.iter().any(|bottom| {
            let root = RBig::from_parts(IBig::from(*top), UBig::from(*bottom));
            [root.clone(), -root].iter().any(|root| polynomial.sign_at(root).is_eq())
        })
    })
}

fn divisors(n: u64) -> Vec<u64> {
    let mut found = Vec::new();
    let mut d = 1;
    while d * d <= n {
        if n.is_multiple_of(d) {
            found.extend([d, n / d]);
        }
        d += 1;
    }
    found
}
