//! Decimals that round an exact value, and tolerances.

#![expect(clippy::many_single_char_names, reason = "two of everything, named as in a formula")]

use dashu::base::{Sign, UnsignedAbs};
use dashu::integer::{IBig, UBig};
use dashu::rational::RBig;

use super::compare::{Context, Outcome, UNLIKE, outcome};
use super::exact;
use super::expr::{Expr, Function};
use super::identity;
use super::modular::Finding;

/// The most decimal places that are looked at.
const MAX_PLACES: usize = 400;

/// Whether two constants that differ count as equal because one is a decimal that gives the other to enough
/// digits, or because they are within the tolerance that the task names.
pub(super) fn compare(a: &Expr, b: &Expr, cx: &mut Context<'_>) -> Outcome {
    let policy = cx.policy;
    let (x, y) = (exact::value(a), exact::value(b));
    if let Some(digits) = policy.rounding {
        let (p, q) = (x.as_ref().and_then(decimal), y.as_ref().and_then(decimal));
        let sides = match (p, q) {
            (Some(p), None) => Some((p, x.as_ref(), b)),
            (None, Some(q)) => Some((q, y.as_ref(), a)),
            _ => None,
        };
        if let Some((written, Some(value), exact)) = sides
            && written.digits >= digits
            && written.places > 0
            && within(exact, value, &RBig::from_parts(IBig::ONE, ten_to(written.places)), cx)
        {
            return outcome(Finding::Equal, "rounded");
        }
    }
    for (tolerance, relative) in [(policy.absolute_tolerance, false), (policy.relative_tolerance, true)] {
        let Some(tolerance) = tolerance.and_then(|t| RBig::try_from(t).ok()) else { continue };
        if constant(a) && constant(b) && tolerated(a, b, &tolerance, relative, cx) {
            return outcome(Finding::Equal, "tolerance");
        }
    }
    UNLIKE
}

fn constant(expr: &Expr) -> bool {
    !expr.any(&|part| matches!(part, Expr::Variable(_) | Expr::Apply(..) | Expr::Bound(_) | Expr::Imaginary))
}

/// Whether |expr - value| < bound, by a sign that is certain.
fn within(expr: &Expr, value: &RBig, bound: &RBig, cx: &mut Context<'_>) -> bool {
    if !constant(expr) {
        return false;
    }
    let difference = Expr::sum(vec![expr.clone(), Expr::Number(-value.clone())]);
    let squared = Expr::Power(Box::new(difference), Box::new(Expr::integer(2)));
    let room = Expr::sum(vec![Expr::Number(bound * bound), squared.negated()]);
    positive(&room, cx)
}

fn tolerated(a: &Expr, b: &Expr, tolerance: &RBig, relative: bool, cx: &mut Context<'_>) -> bool {
    let difference = Expr::sum(vec![a.clone(), b.clone().negated()]);
    let size = |expr: Expr| Expr::Call(Function::Abs, vec![expr]);
    // Relative to the larger of the two, so that neither side is special.
    let bound = if relative {
        let scale = Expr::Call(Function::Max, vec![size(a.clone()), size(b.clone())]);
        Expr::product(vec![Expr::Number(tolerance.clone()), scale])
    } else {
        Expr::Number(tolerance.clone())
    };
    let room = Expr::sum(vec![bound, size(difference).negated()]);
    match exact::value(&room) {
        Some(room) => room.numerator().sign() == Sign::Positive || room.is_zero(),
        None => positive(&room, cx),
    }
}

fn positive(expr: &Expr, cx: &mut Context<'_>) -> bool {
    match exact::value(expr) {
        Some(value) => value.numerator().sign() == Sign::Positive && !value.is_zero(),
        None => identity::quotient_sign(expr, &Expr::integer(1), &mut cx.fuel) == Some(Sign::Positive),
    }
}

/// How a number is written as a decimal.
struct Decimal {
    /// Significant digits, without zeros at the end.
    digits: u32,
    places: usize,
}

/// The shortest decimal of a number, if it ends.
fn decimal(value: &RBig) -> Option<Decimal> {
    let mut places = 0;
    let mut denominator = value.denominator().clone();
    let (two, five) = (UBig::from(2_u8), UBig::from(5_u8));
    let (mut twos, mut fives) = (0, 0);
    while (&denominator % &two).is_zero() && twos <= MAX_PLACES {
        denominator /= &two;
        twos += 1;
    }
    while (&denominator % &five).is_zero() && fives <= MAX_PLACES {
        denominator /= &five;
        fives += 1;
    }
    if !denominator.is_one() {
        return None;
    }
    places += twos.max(fives);
    if places > MAX_PLACES {
        return None;
    }
    let scaled = value.numerator().clone().unsigned_abs() * ten_to(places) / value.denominator();
    let digits = scaled.to_string().trim_end_matches('0').len();
    Some(Decimal { digits: u32::try_from(digits).ok()?, places })
}

fn ten_to(places: usize) -> UBig {
    UBig::from(10_u8).pow(places)
}
