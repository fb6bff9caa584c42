//! The real numbers for which a relation in one variable holds.
//!
//! Both sides are read as one fraction of polynomials in the variable and in radicals of it (`|g|` is
//! `√(g²)`). Radicals are eliminated one by one: for even degree `n` the sign of `A + B·ⁿ√g` follows from
//! the signs of `A`, `B` and `Aⁿ - Bⁿg`, for odd `n` it is that of `Aⁿ + Bⁿg`. What remains are polynomials
//! with rational coefficients, whose roots are isolated, or of degree one or two with constant
//! coefficients. A relation holds only where both sides have a real value.

use std::cmp::Ordering;

use dashu::rational::RBig;

use super::super::exact;
use super::super::expr::{Expr, Function, Relation};
use super::super::multinomial::Multinomial;
use super::super::polynomial::{Polynomial, Root, rational_sign};
use super::super::ring::{Domain, Fraction, Ring};
use super::number::{Judge, Number};
use super::step::{RealSet, Step};

/// The most radicals that are eliminated.
const MAX_RADICALS: usize = 4;

/// Where a relation holds.
#[derive(Clone, Debug)]
pub(super) struct Holds {
    pub(super) set: RealSet,
    /// Whether it is an equation that has solutions beyond the reals.
    pub(super) complex: bool,
}

/// The values of `variable` for which the relation holds.
pub(super) fn holds(
    left: &Expr,
    relation: Relation,
    right: &Expr,
    variable: &str,
    judge: &mut Judge<'_>,
) -> Option<Holds> {
    let (left, right) = (without_bars(left), without_bars(right));
    if left.any(&is_imaginary) || right.any(&is_imaginary) {
        return None;
    }
    let mut ring = Ring::default();
    let difference = ring.difference(&left, &right)?;
    if ring.radicals.len() > MAX_RADICALS {
        return None;
    }
    let domain = std::mem::take(&mut ring.domain);
    let mut solver = Solver { ring, variable, judge, complex: false };
    let signs = match relation {
        Relation::Equal | Relation::NotEqual => solver.signs(&difference.numerator)?,
        _ => solver.signs_of(&difference)?,
    };
    let mut set = match relation {
        Relation::Equal => signs.map(Ordering::is_eq),
        Relation::NotEqual => signs.map(Ordering::is_ne),
        Relation::Less => signs.map(Ordering::is_lt),
        Relation::LessOrEqual => signs.map(Ordering::is_le),
        Relation::Greater => signs.map(Ordering::is_gt),
        Relation::GreaterOrEqual => signs.map(Ordering::is_ge),
        Relation::Named(..) => return None,
    };
    let complex = solver.complex && relation == Relation::Equal;
    for condition in &domain {
        let allowed = match condition {
            Domain::NotZero(polynomial) => solver.signs(polynomial)?.map(Ordering::is_ne),
            Domain::NotNegative(fraction) => solver.signs_of(fraction)?.map(Ordering::is_ge),
        };
        set = set.and(&allowed, solver.judge)?;
    }
    Some(Holds { set, complex })
}

/// The same with absolute values, maxima and minima as square roots.
fn without_bars(expr: &Expr) -> Expr {
    let all = |parts: &[Expr]| parts.iter().map(without_bars).collect::<Vec<_>>();
    match expr {
        Expr::Sum(parts) => Expr::Sum(all(parts)),
        Expr::Product(parts) => Expr::Product(all(parts)),
        Expr::Power(base, exponent) => {
            Expr::Power(Box::new(without_bars(base)), Box::new(without_bars(exponent)))
        }
        Expr::Root(degree, inner) => Expr::Root(*degree, Box::new(without_bars(inner))),
        Expr::Call(function, arguments) => {
            let arguments = all(arguments);
            match (function, arguments.as_slice()) {
                (Function::Abs, [inner]) => magnitude(inner.clone()),
                (Function::Max | Function::Min, [a, b]) => {
                    let distance = magnitude(Expr::sum(vec![a.clone(), b.clone().negated()]));
                    let distance = if *function == Function::Max { distance } else { distance.negated() };
                    let half = Expr::Number(RBig::from_parts(1.into(), 2_u8.into()));
                    Expr::product(vec![half, Expr::sum(vec![a.clone(), b.clone(), distance])])
                }
                _ => Expr::Call(*function, arguments),
            }
        }
        other => other.clone(),
    }
}

/// Whether a number is no real one by the look of it.
fn is_imaginary(part: &Expr) -> bool {
    let negative = |inner: &Expr| exact::value(inner).is_some_and(|value| rational_sign(&value).is_lt());
    match part {
        Expr::Imaginary => true,
        Expr::Root(degree, inner) => degree.is_multiple_of(2) && negative(inner),
        Expr::Power(base, exponent) => {
            let even = |exponent: RBig| exponent.denominator() % 2_u8 == 0;
            exact::value(exponent).is_some_and(even) && negative(base)
        }
        _ => false,
    }
}

fn magnitude(of: Expr) -> Expr {
    match exact::value(&of) {
        Some(value) if rational_sign(&value).is_lt() => Expr::Number(-value),
        Some(value) => Expr::Number(value),
        None => Expr::Root(2, Box::new(Expr::Power(Box::new(of), Box::new(Expr::integer(2))))),
    }
}

type Signs = Step<Ordering>;

struct Solver<'a, 'b> {
    ring: Ring,
    variable: &'a str,
    judge: &'a mut Judge<'b>,
    /// Whether some polynomial has roots that are not real.
    complex: bool,
}

impl Solver<'_, '_> {
    /// The sign of a fraction, where it has one.
    fn signs_of(&mut self, fraction: &Fraction) -> Option<Signs> {
        let odd: Vec<_> = fraction.denominator.iter().map(|(factor, n)| (factor.clone(), n % 2)).collect();
        let denominator = self.ring.multiplied(&odd)?;
        let product = self.ring.times(&fraction.numerator, &denominator)?;
        self.signs(&product)
    }

    /// The sign of a polynomial in the variable and the radicals.
    fn signs(&mut self, polynomial: &Multinomial) -> Option<Signs> {
        let last = self.ring.radicals.iter().rev().find(|radical| polynomial.has(radical.index));
        let Some(radical) = last.cloned() else { return self.plain_signs(polynomial) };
        let n = radical.degree as usize;
        let bottom = self.ring.multiplied(&radical.radicand.denominator)?;
        let top = radical.radicand.numerator;
        // Whole powers of the radical are powers of its radicand; a square of the denominator changes no
        // sign.
        let powers = polynomial.by_powers_of(radical.index);
        let whole = powers.len().saturating_sub(1) / n;
        let scale = whole + whole % 2;
        let mut reduced = vec![Multinomial::default(); n];
        for (exponent, coefficient) in powers.iter().enumerate().filter(|(_, c)| !c.is_zero()) {
            let (times, place) = (exponent / n, reduced.get_mut(exponent % n)?);
            let factors = [
                (top.clone(), u16::try_from(times).ok()?),
                (bottom.clone(), u16::try_from(scale - times).ok()?),
            ];
            let factor = self.ring.multiplied(&factors)?;
            *place = place.plus(&self.ring.times(coefficient, &factor)?)?;
        }
        let mut with = reduced.iter().enumerate().skip(1).filter(|(_, c)| !c.is_zero());
        let Some((power, b)) = with.next() else { return self.signs(reduced.first()?) };
        if with.next().is_some() {
            return None;
        }
        let a = reduced.first()?;
        // T = Aⁿ ∓ Bⁿ g^power, times an even power of the denominator of g.
        let (n, power) = (u16::try_from(n).ok()?, u16::try_from(power).ok()?);
        let even = n % 2 == 0;
        let clear = power + power % 2;
        let left = [(a.clone(), n), (bottom.clone(), clear)];
        let right = [(b.clone(), n), (top, power), (bottom, clear - power)];
        let (left, right) = (self.ring.multiplied(&left)?, self.ring.multiplied(&right)?);
        let test = left.plus(&if even { right.negated() } else { right })?;
        let test = self.signs(&test)?;
        if !even {
            return Some(test);
        }
        let (a, b) = (self.signs(a)?, self.signs(b)?);
        let both = a.combined(&b, self.judge, |a, b| (a, b))?;
        both.combined(&test, self.judge, |(a, b), test| match (a, b) {
            (a, Ordering::Equal) => a,
            // The radical is zero exactly where its radicand is.
            (Ordering::Equal, b) => {
                if test.is_eq() {
                    Ordering::Equal
                } else {
                    b
                }
            }
            (a, b) if a == b => a,
            (a, b) => match test {
                Ordering::Greater => a,
                Ordering::Less => b,
                Ordering::Equal => Ordering::Equal,
            },
        })
    }

    /// The sign of a polynomial in the variable and in constants.
    fn plain_signs(&mut self, polynomial: &Multinomial) -> Option<Signs> {
        let index = self.ring.index_of(self.variable);
        if let Some(polynomial) = polynomial.univariate(index.unwrap_or(usize::MAX)) {
            return self.rational_signs(&polynomial);
        }
        // Every other indeterminate has to be a constant.
        for other in polynomial.support().into_iter().filter(|other| Some(*other) != index) {
            if self.ring.indeterminate(other)?.any(&|part| matches!(part, Expr::Variable(_))) {
                return None;
            }
        }
        let powers = match index {
            Some(index) => polynomial.by_powers_of(index),
            None => vec![polynomial.clone()],
        };
        let mut coefficients = Vec::with_capacity(powers.len());
        for power in &powers {
            coefficients.push(self.ring.expr(power)?);
        }
        let present: Vec<usize> =
            powers.iter().enumerate().filter(|(_, c)| !c.is_zero()).map(|(n, _)| n).collect();
        let lead = self.judge.sign(coefficients.last()?)?;
        if lead.is_eq() {
            return None;
        }
        match (coefficients.as_slice(), present.as_slice()) {
            ([_], _) => Some(Step::constant(lead)),
            ([.., a], [n] | [0, n]) => {
                let zero = Expr::integer(0);
                let c = coefficients.first().filter(|_| present.len() == 2).unwrap_or(&zero);
                self.power_signs(a, c, u32::try_from(*n).ok()?, lead)
            }
            ([c, b, a], _) => self.quadratic_signs(a, b, c, lead),
            _ => None,
        }
    }

    fn rational_signs(&mut self, polynomial: &Polynomial) -> Option<Signs> {
        if polynomial.is_zero() {
            return Some(Step::constant(Ordering::Equal));
        }
        let roots = polynomial.roots(&mut self.judge.work)?;
        if polynomial.degree() > roots.len() {
            self.complex |= polynomial.square_free(&mut self.judge.work)?.degree() > roots.len();
        }
        let end = |root: &Root, upper: bool| match root {
            Root::Rational(x) => x.clone(),
            Root::Algebraic(root) => {
                if upper {
                    root.high.clone()
                } else {
                    root.low.clone()
                }
            }
        };
        // A rational number in each gap; the isolating intervals have no point in common.
        let first = roots.first().map_or(RBig::ZERO, |root| end(root, false) - RBig::ONE);
        let after: Vec<RBig> = roots
            .iter()
            .enumerate()
            .map(|(at, root)| match roots.get(at + 1) {
                Some(next) => (end(root, true) + end(next, false)) / RBig::from(2),
                None => end(root, true) + RBig::ONE,
            })
            .collect();
        let points = roots
            .into_iter()
            .zip(after)
            .map(|(root, after)| (Number::from(root), Ordering::Equal, polynomial.sign_at(&after)));
        let first = polynomial.sign_at(&first);
        Some(Step::new(first, points.collect()))
    }

    /// The sign of `a xⁿ + c`.
    fn power_signs(&mut self, a: &Expr, c: &Expr, n: u32, lead: Ordering) -> Option<Signs> {
        let value = Expr::product(vec![Expr::integer(-1), c.clone(), a.clone().inverse()]);
        let sign = self.judge.sign(&value)?;
        let before = if n.is_multiple_of(2) { lead } else { lead.reverse() };
        if sign.is_eq() {
            let zero = Number::Rational(RBig::ZERO);
            return Some(Step::new(before, vec![(zero, Ordering::Equal, lead)]));
        }
        let root = if n == 1 { value } else { Expr::Root(n, Box::new(value)) };
        if !n.is_multiple_of(2) {
            self.complex |= n > 1;
            return Some(Step::new(before, vec![(Number::of(root), Ordering::Equal, lead)]));
        }
        self.complex |= sign.is_lt() || n > 2;
        if sign.is_lt() {
            return Some(Step::constant(lead));
        }
        let points = vec![
            (Number::of(root.clone().negated()), Ordering::Equal, lead.reverse()),
            (Number::of(root), Ordering::Equal, lead),
        ];
        Some(Step::new(lead, points))
    }

    /// The sign of `a x² + b x + c`.
    fn quadratic_signs(&mut self, a: &Expr, b: &Expr, c: &Expr, lead: Ordering) -> Option<Signs> {
        let square = Expr::Power(Box::new(b.clone()), Box::new(Expr::integer(2)));
        let product = Expr::product(vec![Expr::integer(-4), a.clone(), c.clone()]);
        let discriminant = Expr::sum(vec![square, product]);
        let root = |radical: Option<Expr>| {
            let half = Expr::Number(RBig::from_parts(1.into(), 2_u8.into()));
            let top = Expr::sum(std::iter::once(b.clone().negated()).chain(radical).collect());
            Number::of(Expr::product(vec![half, top, a.clone().inverse()]))
        };
        let radical = Expr::Root(2, Box::new(discriminant.clone()));
        match self.judge.sign(&discriminant)? {
            Ordering::Less => {
                self.complex = true;
                Some(Step::constant(lead))
            }
            Ordering::Equal => Some(Step::new(lead, vec![(root(None), Ordering::Equal, lead)])),
            Ordering::Greater => {
                let (mut low, mut high) = (root(Some(radical.clone().negated())), root(Some(radical)));
                if lead.is_lt() {
                    std::mem::swap(&mut low, &mut high);
                }
                let points = vec![(low, Ordering::Equal, lead.reverse()), (high, Ordering::Equal, lead)];
                Some(Step::new(lead, points))
            }
        }
    }
}
