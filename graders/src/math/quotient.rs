//! Products printed as fractions: the sign, what stands above the line and what below it.

use dashu::base::{Sign, UnsignedAbs};
use dashu::integer::{IBig, UBig};
use dashu::rational::RBig;

use super::expr::Expr;

/// The deepest nesting of products in products that is taken apart.
const MAX_DEPTH: u32 = 16;
/// The most decimal places of a number that is printed as a decimal.
const MAX_PLACES: usize = 24;
/// Fractions with more digits than this are printed as decimals where they are exact.
const MAX_FRACTION_DIGITS: usize = 4;

/// A product as a fraction.
pub(super) struct Quotient<'e> {
    pub(super) negative: bool,
    pub(super) degrees: usize,
    pub(super) top: Vec<Part<'e>>,
    pub(super) bottom: Vec<Part<'e>>,
}

pub(super) enum Part<'e> {
    Number(UBig),
    Decimal(RBig),
    Whole(&'e Expr),
    Raised(&'e Expr, RBig),
}

impl<'e> Quotient<'e> {
    pub(super) fn of(expr: &'e Expr) -> Self {
        let mut quotient = Self { negative: false, degrees: 0, top: Vec::new(), bottom: Vec::new() };
        quotient.add(expr, MAX_DEPTH);
        // What is measured in a unit comes before the unit.
        let is_unit = |part: &Part<'_>| matches!(part, Part::Whole(Expr::Variable(name)) if name.starts_with("\\unit "));
        quotient.top.sort_by_key(is_unit);
        quotient
    }

    fn add(&mut self, expr: &'e Expr, depth: u32) {
        match expr {
            Expr::Number(n) => {
                self.negative ^= n.numerator().sign() == Sign::Negative;
                if !n.denominator().is_one() && decimal(n).is_some() {
                    self.top.push(Part::Decimal(absolute(n)));
                    return;
                }
                let magnitude = n.numerator().unsigned_abs();
                if !magnitude.is_one() {
                    self.top.push(Part::Number(magnitude));
                }
                if !n.denominator().is_one() {
                    self.bottom.push(Part::Number(n.denominator().clone()));
                }
            }
            Expr::Product(factors) if depth > 0 => {
                for factor in factors {
                    self.add(factor, depth - 1);
                }
            }
            Expr::Degree => self.degrees += 1,
            Expr::Power(base, exponent) => match negative_power(base, exponent) {
                Some(n) if n.is_one() => self.bottom.push(Part::Whole(base)),
                Some(n) => self.bottom.push(Part::Raised(base, n)),
                None => self.top.push(Part::Whole(expr)),
            },
            other => self.top.push(Part::Whole(other)),
        }
    }
}

/// The positive exponent under the line, for a power that is written as a fraction. A power of ten is not.
pub(super) fn negative_power(base: &Expr, exponent: &Expr) -> Option<RBig> {
    match (base, exponent) {
        (Expr::Number(n), Expr::Number(exponent)) if n.is_int() && *exponent != RBig::NEG_ONE => None,
        (_, Expr::Number(n)) if n.numerator().sign() == Sign::Negative => Some(absolute(n)),
        _ => None,
    }
}

fn absolute(n: &RBig) -> RBig {
    RBig::from_parts(IBig::from(n.numerator().unsigned_abs()), n.denominator().clone())
}

/// The magnitude as a decimal, where it is exact, not too long, and shorter than the fraction looks.
pub(super) fn decimal(n: &RBig) -> Option<String> {
    let magnitude = n.numerator().unsigned_abs();
    let mut rest = n.denominator().clone();
    if rest.is_one() || magnitude.to_string().len() + rest.to_string().len() <= MAX_FRACTION_DIGITS {
        return None;
    }
    let mut places = 0;
    for prime in [2_u8, 5] {
        let mut count = 0;
        while (&rest % prime) == 0 {
            rest /= prime;
            count += 1;
            if count > MAX_PLACES {
                return None;
            }
        }
        places = places.max(count);
    }
    if !rest.is_one() {
        return None;
    }
    let digits = (magnitude * UBig::from(10_u8).pow(places) / n.denominator()).to_string();
    let digits = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    Some(format!("{whole}.{fraction}"))
}
