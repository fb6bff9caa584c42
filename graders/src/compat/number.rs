//! Numbers as Math-Verify compares them.

use dashu::integer::{IBig, UBig};
use dashu::rational::RBig;

use super::formula;
use super::reading::Reading;
use crate::math;

/// Decimals of a float that count.
pub(super) const ROUNDING: i64 = 1_000_000;

pub(super) fn is_whole(x: &RBig) -> bool {
    *x.denominator() == UBig::ONE
}

/// Whether an equation in one name is quadratic without a real solution; the package finds no solutions of
/// such equations, and takes any two of them for the same.
pub(super) fn is_unsolvable(sides: (&Reading, &Reading)) -> bool {
    let difference = format!("({})-({})", sides.0, sides.1);
    let Some(name) = formula::only_name(&difference) else { return false };
    let at = |x: i64| math::rational(&formula::with_name(&difference, &name, x));
    let (Some(low), Some(middle), Some(high)) = (at(-1), at(0), at(1)) else { return false };
    let two = RBig::from(2);
    let a = (&high + &low) / &two - &middle;
    let b = (&high - &low) / &two;
    let fits = |x: i64| {
        let t = RBig::from(x);
        at(x).is_some_and(|value| value == &a * &t * &t + &b * &t + &middle)
    };
    fits(2) && fits(5) && &b * &b < RBig::from(4) * &a * &middle
}

/// The number with six decimals, as a whole number of millionths.
pub(super) fn rounded(x: &RBig) -> IBig {
    let scaled = x * RBig::from(ROUNDING);
    let floor = scaled.floor();
    let rest = &scaled - RBig::from(floor.clone());
    let half = RBig::from_parts(IBig::from(1), 2_u32.into());
    let odd = &floor % IBig::from(2) != IBig::from(0);
    if rest > half || (rest == half && odd) { floor + IBig::from(1) } else { floor }
}
