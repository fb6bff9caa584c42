//! Where a function is regular and what sign it has, proved on an open interval.
//!
//! Polynomials with rational coefficients are decided by Sturm's theorem. For the rest the interval is cut
//! into pieces and the function is bounded on each in floating point, with every bound moved outwards by more
//! than the error of an operation.

use dashu::base::Sign;
use dashu::rational::RBig;

use super::super::exact;
use super::super::expr::{Expr, Function};
use super::polynomial;
use super::tidy::{add2, depends, div, mul2, number, one, pow, sub, substitute};
use super::work::Work;

/// The most pieces of an interval.
const MAX_PIECES: usize = 256;

/// An open interval; no end where it is infinite.
pub(super) struct Region<'a> {
    x: &'a str,
    low: Option<Expr>,
    high: Option<Expr>,
    /// Rational numbers not inside of the ends, equal to them where they are rational.
    outer: (Option<RBig>, Option<RBig>),
}

/// Bounds of a real number.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    low: f64,
    high: f64,
}

impl Bounds {
    /// Moved outwards, or nothing where a bound is no number.
    fn new(low: f64, high: f64) -> Option<Self> {
        let slack = |x: f64| if x.is_finite() { x.abs() * 1e-13 + 1e-300 } else { 0.0 };
        (low <= high).then(|| Self { low: low - slack(low), high: high + slack(high) })
    }

    fn times(self, other: Self) -> Option<Self> {
        let product = |a: f64, b: f64| if a == 0.0 || b == 0.0 { 0.0 } else { a * b };
        let all = [
            product(self.low, other.low),
            product(self.low, other.high),
            product(self.high, other.low),
            product(self.high, other.high),
        ];
        Self::new(
            all.iter().copied().fold(f64::INFINITY, f64::min),
            all.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        )
    }

    fn inverse(self) -> Option<Self> {
        if self.low <= 0.0 && self.high >= 0.0 { None } else { Self::new(1.0 / self.high, 1.0 / self.low) }
    }

    fn monotone(self, f: impl Fn(f64) -> f64) -> Option<Self> {
        Self::new(f(self.low), f(self.high))
    }

    fn whole_power(self, n: i32) -> Option<Self> {
        if n < 0 {
            return self.whole_power(n.checked_neg()?)?.inverse();
        }
        let (a, b) = (self.low.powi(n), self.high.powi(n));
        if n % 2 == 1 || self.low >= 0.0 {
            return Self::new(a, b);
        }
        if self.high <= 0.0 { Self::new(b, a) } else { Self::new(0.0, a.max(b)) }
    }

    fn sine(self) -> Option<Self> {
        if !self.low.is_finite()
            || !self.high.is_finite()
            || self.high - self.low > 3.0
            || self.low.abs() > 1e6
        {
            return Self::new(-1.0, 1.0);
        }
        // Between the ends, or up to 1 or down to -1 where there is a turning point.
        let (a, b) = (self.low.sin(), self.high.sin());
        let has = |turn: f64| {
            let tau = std::f64::consts::TAU;
            ((self.low - turn) / tau - 1e-9).ceil() <= (self.high - turn) / tau + 1e-9
        };
        let quarter = std::f64::consts::FRAC_PI_2;
        let low = if has(-quarter) { -1.0 } else { a.min(b) - 1e-9 };
        let high = if has(quarter) { 1.0 } else { a.max(b) + 1e-9 };
        Self::new(low, high)
    }
}

fn bounds(expr: &Expr, x: &str, at: Bounds, work: &mut Work) -> Option<Bounds> {
    work.step(1)?;
    match expr {
        Expr::Number(n) => {
            let value = n.to_f64().value();
            Bounds::new(value, value)
        }
        Expr::Pi => Bounds::new(std::f64::consts::PI, std::f64::consts::PI),
        Expr::Euler => Bounds::new(std::f64::consts::E, std::f64::consts::E),
        Expr::Variable(name) if **name == *x => Some(at),
        Expr::Sum(terms) => {
            let mut sum = Bounds { low: 0.0, high: 0.0 };
            for term in terms {
                let term = bounds(term, x, at, work)?;
                // Terms of different signs cancel, so the slack is taken before.
                sum = Bounds { low: sum.low + term.low, high: sum.high + term.high };
                let slack = 1e-15 * (sum.low.abs().min(1e300) + sum.high.abs().min(1e300));
                sum = Bounds { low: sum.low - slack, high: sum.high + slack };
            }
            Bounds::new(sum.low, sum.high)
        }
        Expr::Product(factors) => {
            factors.iter().try_fold(Bounds { low: 1.0, high: 1.0 }, |product, factor| {
                product.times(bounds(factor, x, at, work)?)
            })
        }
        Expr::Power(base, exponent) => {
            if matches!(**base, Expr::Euler) {
                return bounds(exponent, x, at, work)?.monotone(f64::exp);
            }
            let base = bounds(base, x, at, work)?;
            let value = exact::value(exponent)?;
            if let Some(n) = exact::integer(&value) {
                return base.whole_power(i32::try_from(n).ok()?);
            }
            let e = value.to_f64().value();
            (base.low >= 0.0 && e > 0.0).then(|| base.monotone(|b| b.powf(e)))?
        }
        Expr::Call(function, arguments) => {
            let [u] = arguments.as_slice() else { return None };
            let u = bounds(u, x, at, work)?;
            match function {
                Function::Sin => u.sine(),
                Function::Cos => {
                    let quarter = std::f64::consts::FRAC_PI_2;
                    Bounds::new(u.low + quarter, u.high + quarter)?.sine()
                }
                Function::Arctan => u.monotone(f64::atan),
                Function::Sinh => u.monotone(f64::sinh),
                Function::Tanh => u.monotone(f64::tanh),
                Function::Ln if u.low > 0.0 => u.monotone(f64::ln),
                _ => None,
            }
        }
        _ => None,
    }
}

/// A rational number near a constant, on the side asked for, and that is proved.
fn near(value: &Expr, below: bool, work: &mut Work) -> Option<RBig> {
    if let Some(exact) = exact::value(value) {
        return Some(exact);
    }
    let middle = bounds(value, "", Bounds { low: 0.0, high: 0.0 }, work)?.low;
    if middle.abs() > 1e6 {
        return None;
    }
    let shift = if below { -1 } else { 1 };
    let near = RBig::from((middle * 1e9).round() as i64 + shift) / RBig::from(1_000_000_000);
    let distance = sub(value.clone(), Expr::Number(near.clone()));
    let wanted = if below { Sign::Positive } else { Sign::Negative };
    (work.sign(&distance)? == wanted).then_some(near)
}

impl<'a> Region<'a> {
    /// Between two constants; an end is absent where it is infinite.
    pub(super) fn new(x: &'a str, low: Option<Expr>, high: Option<Expr>, work: &mut Work) -> Option<Self> {
        let mut outer = |end: &Option<Expr>, below: bool| match end {
            Some(end) => near(end, below, work).map(Some),
            None => Some(None),
        };
        let outer = (outer(&low, true)?, outer(&high, false)?);
        Some(Self { x, low, high, outer })
    }

    /// Whether the function is analytic everywhere between the ends.
    pub(super) fn regular(&self, f: &Expr, work: &mut Work) -> bool {
        if work.step(5).is_none() {
            return false;
        }
        if !depends(f, self.x) {
            return true;
        }
        match f {
            Expr::Variable(_) => true,
            Expr::Sum(parts) | Expr::Product(parts) => parts.iter().all(|part| self.regular(part, work)),
            Expr::Power(base, exponent) => {
                if !self.regular(base, work) || !self.regular(exponent, work) {
                    return false;
                }
                if depends(exponent, self.x) {
                    return matches!(**base, Expr::Euler) || self.sign(base, work) == Some(Sign::Positive);
                }
                match exact::value(exponent) {
                    Some(n) if n.is_int() && n >= RBig::ZERO => true,
                    Some(n) if n.is_int() => self.sign(base, work).is_some(),
                    _ => self.sign(base, work) == Some(Sign::Positive),
                }
            }
            Expr::Call(function, arguments) => {
                let [u] = arguments.as_slice() else { return false };
                self.regular(u, work) && self.defined(*function, u, work)
            }
            _ => false,
        }
    }

    fn defined(&self, function: Function, u: &Expr, work: &mut Work) -> bool {
        use Function as F;
        let called = |function: F| Expr::Call(function, vec![u.clone()]);
        match function {
            F::Sin | F::Cos | F::Arctan | F::Sinh | F::Cosh | F::Tanh | F::Sech | F::Arsinh => true,
            F::Tan | F::Sec => self.sign(&called(F::Cos), work).is_some(),
            F::Cot | F::Csc => self.sign(&called(F::Sin), work).is_some(),
            F::Ln => match u {
                Expr::Call(F::Abs, inner) => {
                    inner.first().is_some_and(|inner| self.sign(inner, work).is_some())
                }
                other => self.sign(other, work) == Some(Sign::Positive),
            },
            F::Abs => self.sign(u, work).is_some(),
            F::Arcsin | F::Arccos => {
                let square = pow(u.clone(), Expr::integer(2));
                let rest = super::tidy::tidy(&sub(one(), square));
                self.sign(&rest, work) == Some(Sign::Positive)
            }
            _ => false,
        }
    }

    /// The sign on all of the open interval, where it can be proved.
    pub(super) fn sign(&self, f: &Expr, work: &mut Work) -> Option<Sign> {
        work.step(5)?;
        if !depends(f, self.x) {
            return work.sign(f);
        }
        match f {
            Expr::Product(factors) => {
                let mut sign = Sign::Positive;
                for factor in factors {
                    sign *= self.sign(factor, work)?;
                }
                return Some(sign);
            }
            Expr::Power(base, _) if matches!(**base, Expr::Euler) => return Some(Sign::Positive),
            Expr::Power(base, exponent) => {
                let sign = self.sign(base, work)?;
                let value = exact::value(exponent);
                return match value.as_ref().and_then(exact::integer) {
                    Some(n) if (n % 2_u8) == 0_u8 => Some(Sign::Positive),
                    Some(_) => Some(sign),
                    None => (sign == Sign::Positive).then_some(sign),
                };
            }
            Expr::Call(Function::Abs, arguments) => {
                return self.sign(arguments.first()?, work).map(|_| Sign::Positive);
            }
            Expr::Call(Function::Cosh | Function::Sech, _) => return Some(Sign::Positive),
            Expr::Call(function @ (Function::Sin | Function::Cos), arguments) => {
                let found = self.sine(arguments.first()?, *function == Function::Cos, work);
                if found.is_some() {
                    return found;
                }
            }
            _ => {}
        }
        if let Some(found) = self.polynomial(f, work) {
            return Some(found);
        }
        self.by_pieces(f, work)
    }

    fn polynomial(&self, f: &Expr, work: &mut Work) -> Option<Sign> {
        let coefficients = polynomial::coefficients(f, self.x, work)?;
        let p = polynomial::rational(&coefficients)?;
        let (low, high) = (self.outer.0.as_ref(), self.outer.1.as_ref());
        if let Some(sign) = polynomial::sign_between(&p, low, high) {
            return Some(sign);
        }
        // An end that is not rational may itself be a root, the only one between it and its neighbour.
        let mut at_ends = 0;
        for (end, outer) in [(&self.low, low), (&self.high, high)] {
            if let (Some(end), Some(outer)) = (end, outer)
                && exact::value(end).is_none()
                && work.is_zero(&substitute(f, self.x, end))?
            {
                let width = RBig::from_parts(1.into(), 100_000_000_u32.into());
                let (a, b) = (outer - &width, outer + &width);
                if polynomial::roots_between(&p, Some(&a), Some(&b))? != 1 {
                    return None;
                }
                at_ends += 1;
            }
        }
        if at_ends == 0 || polynomial::roots_between(&p, low, high)? != at_ends {
            return None;
        }
        let middle = match (low, high) {
            (Some(low), Some(high)) => (low + high) / RBig::from(2),
            _ => return None,
        };
        work.sign(&Expr::Number(polynomial::at(&p, &middle)))
    }

    /// The sine or cosine of a linear argument that stays in one half turn.
    fn sine(&self, u: &Expr, cosine: bool, work: &mut Work) -> Option<Sign> {
        let (a, _) = polynomial::linear(u, self.x, work)?;
        let (low, high) = (self.low.as_ref()?, self.high.as_ref()?);
        let shift = if cosine { mul2(number(1, 2), Expr::Pi) } else { super::tidy::zero() };
        let half_turns = |end: &Expr| div(add2(substitute(u, self.x, end), shift.clone()), Expr::Pi);
        let (mut from, mut to) = (half_turns(low), half_turns(high));
        if work.sign(&a)? == Sign::Negative {
            std::mem::swap(&mut from, &mut to);
        }
        let about = bounds(&from, "", Bounds { low: 0.0, high: 0.0 }, work)?;
        if about.low.abs() > 1e6 {
            return None;
        }
        let n = (about.low + 1e-6).floor() as i64;
        let mut at_least = |a: &Expr, b: Expr| -> Option<bool> {
            let difference = sub(a.clone(), b);
            Some(work.is_zero(&difference)? || work.sign(&difference)? == Sign::Positive)
        };
        let inside = at_least(&from, Expr::integer(n))? && at_least(&Expr::integer(n + 1), to)?;
        inside.then_some(if n % 2 == 0 { Sign::Positive } else { Sign::Negative })
    }

    /// By bounds on pieces of the closed interval.
    fn by_pieces(&self, f: &Expr, work: &mut Work) -> Option<Sign> {
        let edge = |end: &Option<RBig>, default: f64| end.as_ref().map_or(default, |x| x.to_f64().value());
        let low = edge(&self.outer.0, f64::NEG_INFINITY);
        let high = edge(&self.outer.1, f64::INFINITY);
        let mut stack = vec![(low, high)];
        let mut sign = None;
        let mut pieces = 0;
        while let Some((low, high)) = stack.pop() {
            pieces += 1;
            if pieces > MAX_PIECES {
                return None;
            }
            let found = bounds(f, self.x, Bounds::new(low, high)?, work).and_then(|value| {
                match (value.low > 0.0, value.high < 0.0) {
                    (true, _) => Some(Sign::Positive),
                    (_, true) => Some(Sign::Negative),
                    _ => None,
                }
            });
            match (found, sign) {
                (Some(found), None) => sign = Some(found),
                (Some(found), Some(known)) if found == known => {}
                (Some(_), Some(_)) => return None,
                (None, _) => {
                    let middle = match (low.is_finite(), high.is_finite()) {
                        (true, true) => f64::midpoint(low, high),
                        (true, false) => low.abs() * 2.0 + low + 1.0,
                        (false, true) => high - high.abs() * 2.0 - 1.0,
                        (false, false) => 0.0,
                    };
                    if middle <= low || middle >= high {
                        return None;
                    }
                    stack.push((low, middle));
                    stack.push((middle, high));
                }
            }
        }
        sign
    }
}
