//! Limits, by the expansion of the function on each side of the point.

use dashu::base::Sign;
use dashu::rational::RBig;

use super::super::exact;
use super::super::expr::{Bound, Expr, Function, Side};
use super::series::{Leading, Ring, Series, reciprocal_factorials};
use super::tidy::{
    call1, depends, div, exp, improper, inv, ln, mul2, neg, number, one, pow, sub, tidy, variable, zero,
};
use super::work::Work;

/// The numbers of terms that are tried.
const LENGTHS: [usize; 2] = [6, 14];
/// The largest common denominator of fractional powers.
const MAX_SCALE: u32 = 12;

/// What a limit node stands for.
pub(super) fn resolve(side: Side, bound: &Bound, work: &mut Work) -> Option<Expr> {
    limit(&tidy(&bound.body), &bound.variable, bound.to.as_ref()?, side, work)
}

/// The limit of a real function, which may be an infinity.
pub(super) fn limit(body: &Expr, x: &str, to: &Expr, side: Side, work: &mut Work) -> Option<Expr> {
    let to = tidy(to);
    if improper(body) || depends(&to, x) || body.any(&|part| matches!(part, Expr::Imaginary)) {
        return None;
    }
    if !depends(body, x) {
        return Some(body.clone());
    }
    match (&to, infinite(&to)) {
        (_, Some(sign)) => from(body, x, &Approach::Infinity(sign), work),
        (to, None) if improper(to) => None,
        (to, None) => {
            let above = |work: &mut Work| from(body, x, &Approach::Above(to.clone()), work);
            let below = |work: &mut Work| from(body, x, &Approach::Below(to.clone()), work);
            match side {
                Side::Above => above(work),
                Side::Below => below(work),
                Side::Both => {
                    let (a, b) = (above(work)?, below(work)?);
                    let same = a == b || (!improper(&a) && !improper(&b) && work.equal(&a, &b));
                    same.then_some(a)
                }
            }
        }
    }
}

/// The sign of an infinity.
pub(super) fn infinite(expr: &Expr) -> Option<Sign> {
    match expr {
        Expr::Infinity => Some(Sign::Positive),
        Expr::Product(factors) => match factors.as_slice() {
            [Expr::Number(n), Expr::Infinity] if !n.is_zero() => {
                Some(if *n > RBig::ZERO { Sign::Positive } else { Sign::Negative })
            }
            _ => None,
        },
        _ => None,
    }
}

enum Approach {
    Infinity(Sign),
    Above(Expr),
    Below(Expr),
}

fn from(body: &Expr, x: &str, approach: &Approach, work: &mut Work) -> Option<Expr> {
    let scale = scale(body, x)?;
    LENGTHS.iter().find_map(|&length| {
        let mut expansion = Expansion { ring: Ring { length, work }, x, approach, scale };
        let series = expansion.series(body)?;
        outcome(&mut expansion.ring, &series)
    })
}

/// What a series goes to.
fn outcome(ring: &mut Ring<'_>, series: &Series) -> Option<Expr> {
    let infinity = |sign: Sign| {
        if sign == Sign::Positive { Expr::Infinity } else { Expr::Infinity.negated() }
    };
    if !series.polar.is_empty() {
        if ring.direction(&series.polar)? == Sign::Negative {
            return Some(zero());
        }
        let normal = ring.normal(series)?;
        let (j, c) = normal.terms.first()?.first()?;
        let sign = ring.work.sign(c)?;
        return Some(infinity(if j % 2 == 0 { sign } else { -sign }));
    }
    let normal = ring.normal(series)?;
    if normal.low > 0 {
        return Some(zero());
    }
    let (j, c) = normal.terms.first()?.first()?;
    if normal.low == 0 && *j <= 0 {
        return Some(if *j == 0 { c.clone() } else { zero() });
    }
    let sign = ring.work.sign(c)?;
    Some(infinity(if j % 2 == 0 { sign } else { -sign }))
}

/// The common denominator of the fractional powers that the expansion will meet.
fn scale(expr: &Expr, x: &str) -> Option<u32> {
    use dashu::base::Gcd as _;
    fn collect(expr: &Expr, x: &str, found: &mut Vec<u32>) {
        if !depends(expr, x) {
            return;
        }
        match expr {
            Expr::Root(n, inner) => {
                found.push(*n);
                collect(inner, x, found);
            }
            Expr::Power(base, exponent) => {
                if let Some(n) = exact::value(exponent).and_then(|e| u32::try_from(e.denominator()).ok()) {
                    found.push(n);
                }
                collect(base, x, found);
                collect(exponent, x, found);
            }
            Expr::Call(function, arguments) => {
                use Function as F;
                if matches!(function, F::Arcsin | F::Arccos | F::Arcosh | F::Factorial | F::Binomial) {
                    found.push(2);
                }
                for argument in arguments {
                    collect(argument, x, found);
                }
            }
            other => other.children().iter().for_each(|part| collect(part, x, found)),
        }
    }
    let mut found = Vec::new();
    collect(expr, x, &mut found);
    let mut scale = 1_u32;
    for n in found {
        scale = scale / scale.gcd(n) * n;
        if n == 0 || scale > MAX_SCALE {
            return None;
        }
    }
    Some(scale)
}

struct Expansion<'a> {
    ring: Ring<'a>,
    x: &'a str,
    approach: &'a Approach,
    scale: u32,
}

impl Expansion<'_> {
    fn variable(&mut self) -> Option<Series> {
        let k = i32::try_from(self.scale).ok()?;
        let length = self.ring.length;
        let (at, sign) = match self.approach {
            Approach::Infinity(Sign::Positive) => return Some(Series::monomial(one(), -k, length)),
            Approach::Infinity(Sign::Negative) => {
                return Some(Series::monomial(Expr::integer(-1), -k, length));
            }
            Approach::Above(at) => (at, 1),
            Approach::Below(at) => (at, -1),
        };
        let at = self.ring.constant(at.clone());
        self.ring.add(&at, &Series::monomial(Expr::integer(sign), k, length))
    }

    fn series(&mut self, expr: &Expr) -> Option<Series> {
        self.ring.work.step(10)?;
        if !depends(expr, self.x) {
            return Some(self.ring.constant(tidy(expr)));
        }
        match expr {
            Expr::Variable(_) => self.variable(),
            Expr::Sum(terms) => {
                let mut sum = Series::zero();
                for term in terms {
                    let term = self.series(term)?;
                    sum = self.ring.add(&sum, &term)?;
                }
                Some(sum)
            }
            Expr::Product(factors) => {
                let mut product = self.ring.constant(one());
                for factor in factors {
                    let factor = self.series(factor)?;
                    product = self.ring.mul(&product, &factor)?;
                }
                Some(product)
            }
            Expr::Power(base, exponent) => self.power(base, exponent),
            Expr::Root(n, inner) => self.power(inner, &number(1, *n)),
            Expr::Call(function, arguments) => match (function, arguments.as_slice()) {
                (Function::Log, [base, u]) => self.series(&div(ln(u.clone()), ln(base.clone()))),
                (Function::Binomial, [n, k]) => {
                    let fact = |u: &Expr| call1(Function::Factorial, u.clone());
                    let rest = sub(n.clone(), k.clone());
                    self.series(&div(fact(n), mul2(fact(k), fact(&rest))))
                }
                (_, [u]) => {
                    let inner = self.series(u)?;
                    self.call(*function, &inner)
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn power(&mut self, base: &Expr, exponent: &Expr) -> Option<Series> {
        if !depends(exponent, self.x) {
            let base = self.series(base)?;
            return self.ring.power(&base, &tidy(exponent));
        }
        let exponent_series = self.series(exponent)?;
        if matches!(base, Expr::Euler) {
            return self.ring.exp(&exponent_series);
        }
        if !depends(base, self.x) && self.ring.work.sign(base) == Some(Sign::Negative) {
            // The powers of a negative number along whole exponents: of changing sign, with a known size.
            if !matches!(self.approach, Approach::Infinity(_)) {
                return None;
            }
            let size = self.ring.constant(ln(tidy(&neg(base.clone()))));
            let product = self.ring.mul(&exponent_series, &size)?;
            let size =
                if size.terms.is_empty() { self.ring.constant(one()) } else { self.ring.exp(&product)? };
            return self.ring.mul(&size, &Series::bounded());
        }
        let base = self.series(base)?;
        let log = self.ring.ln(&base)?;
        let product = self.ring.mul(&exponent_series, &log)?;
        self.ring.exp(&product)
    }

    fn call(&mut self, function: Function, u: &Series) -> Option<Series> {
        use Function as F;
        match function {
            F::Sin => Some(self.sin_cos(u)?.0),
            F::Cos => Some(self.sin_cos(u)?.1),
            F::Tan | F::Cot => {
                let (sin, cos) = self.sin_cos(u)?;
                let (top, bottom) = if function == F::Tan { (sin, cos) } else { (cos, sin) };
                let bottom = self.ring.inverse(&bottom)?;
                self.ring.mul(&top, &bottom)
            }
            F::Sec => {
                let cos = self.sin_cos(u)?.1;
                self.ring.inverse(&cos)
            }
            F::Csc => {
                let sin = self.sin_cos(u)?.0;
                self.ring.inverse(&sin)
            }
            F::Arctan => self.arctan(u),
            F::Arcsin => self.arcsin(u),
            F::Arccos => {
                let right = self.ring.constant(mul2(number(1, 2), Expr::Pi));
                let arcsin = self.arcsin(u)?;
                self.ring.sub(&right, &arcsin)
            }
            F::Ln => self.ring.ln(u),
            F::Abs | F::Sign => self.abs(u, function == F::Sign),
            F::Floor | F::Ceil => {
                // Within 1 of its argument.
                self.ring.add(u, &Series::bounded())
            }
            F::Factorial => self.factorial(u),
            _ => {
                let name = variable("\\u");
                let rewritten = rewritten(function, &name)?;
                self.composed(&rewritten, u)
            }
        }
    }

    /// An expression of one variable, with a series for that.
    fn composed(&mut self, expr: &Expr, u: &Series) -> Option<Series> {
        match expr {
            Expr::Variable(_) => Some(u.clone()),
            Expr::Sum(terms) => {
                let mut sum = Series::zero();
                for term in terms {
                    let term = self.composed(term, u)?;
                    sum = self.ring.add(&sum, &term)?;
                }
                Some(sum)
            }
            Expr::Product(factors) => {
                let mut product = self.ring.constant(one());
                for factor in factors {
                    let factor = self.composed(factor, u)?;
                    product = self.ring.mul(&product, &factor)?;
                }
                Some(product)
            }
            Expr::Power(base, exponent) if matches!(**base, Expr::Euler) => {
                let exponent = self.composed(exponent, u)?;
                self.ring.exp(&exponent)
            }
            Expr::Power(base, exponent) => {
                let base = self.composed(base, u)?;
                self.ring.power(&base, exponent)
            }
            Expr::Call(Function::Ln, arguments) => {
                let inner = self.composed(arguments.first()?, u)?;
                self.ring.ln(&inner)
            }
            other => Some(self.ring.constant(other.clone())),
        }
    }

    /// Whether the leading term grows without bound.
    fn diverges(&mut self, u: &Series) -> Option<bool> {
        if !u.polar.is_empty() {
            return Some(self.ring.direction(&u.polar)? == Sign::Positive);
        }
        let normal = self.ring.normal(u)?;
        Some(match normal.terms.first().and_then(|factor| factor.first()) {
            Some((j, _)) => normal.low < 0 || (normal.low == 0 && *j > 0),
            None => normal.low <= 0,
        })
    }

    fn sin_cos(&mut self, u: &Series) -> Option<(Series, Series)> {
        if self.diverges(u)? {
            return Some((Series::bounded(), Series::bounded()));
        }
        let (c, v) = self.ring.value(u)?;
        let factorials = reciprocal_factorials(self.ring.length);
        let signed = |parity: usize| -> Vec<Expr> {
            let term = |(i, f): (usize, &Expr)| match (i % 2 == parity, (i / 2) % 2) {
                (false, _) => zero(),
                (true, 0) => f.clone(),
                (true, _) => neg(f.clone()),
            };
            factorials.iter().enumerate().map(term).collect()
        };
        let (sin, cos) = (self.ring.compose(&signed(1), &v)?, self.ring.compose(&signed(0), &v)?);
        let (sin_c, cos_c) = (call1(Function::Sin, c.clone()), call1(Function::Cos, c));
        let (a, b) = (cos.scaled(&sin_c), sin.scaled(&cos_c));
        let (c, d) = (cos.scaled(&cos_c), sin.scaled(&sin_c));
        Some((self.ring.add(&a, &b)?, self.ring.sub(&c, &d)?))
    }

    /// The sign of the leading term.
    fn sign(&mut self, u: &Series) -> Option<Sign> {
        let normal = self.ring.normal(u)?;
        let (j, c) = normal.terms.first()?.first()?;
        let sign = self.ring.work.sign(c)?;
        Some(if j % 2 == 0 { sign } else { -sign })
    }

    fn abs(&mut self, u: &Series, only_sign: bool) -> Option<Series> {
        let sign = self.sign(u)?;
        Some(match (only_sign, sign) {
            (true, sign) => self.ring.constant(Expr::integer(if sign == Sign::Positive { 1 } else { -1 })),
            (false, Sign::Positive) => u.clone(),
            (false, Sign::Negative) => u.negated(),
        })
    }

    fn arctan(&mut self, u: &Series) -> Option<Series> {
        let mut odd = Vec::with_capacity(self.ring.length);
        for i in 0..self.ring.length {
            let sign = if i % 4 == 1 { 1 } else { -1 };
            odd.push(if i % 2 == 1 { number(sign, u32::try_from(i).ok()?) } else { zero() });
        }
        if self.diverges(u)? {
            let half = number(if self.sign(u)? == Sign::Positive { 1 } else { -1 }, 2);
            let right = self.ring.constant(mul2(half, Expr::Pi));
            if !u.polar.is_empty() {
                return Some(right);
            }
            let inverse = self.ring.inverse(u)?;
            let rest = self.ring.compose(&odd, &inverse)?;
            return self.ring.sub(&right, &rest);
        }
        let (c, v) = self.ring.value(u)?;
        // arctan(c + v) = arctan c + arctan(v / (1 + c² + c v)) near v = 0.
        let mut bottom = v.scaled(&c);
        let square = pow(c.clone(), Expr::integer(2));
        bottom = self
            .ring
            .add(&bottom, &Series::monomial(super::tidy::add2(one(), square), 0, self.ring.length))?;
        let inverse = self.ring.inverse(&bottom)?;
        let turned = self.ring.mul(&v, &inverse)?;
        let rest = self.ring.compose(&odd, &turned)?;
        let first = self.ring.constant(call1(Function::Arctan, c));
        self.ring.add(&first, &rest)
    }

    fn arcsin(&mut self, u: &Series) -> Option<Series> {
        let (c, v) = self.ring.value(u)?;
        let rest = sub(one(), pow(c.clone(), Expr::integer(2)));
        if self.ring.work.is_zero(&rest)? {
            // arcsin(1 - v) = π/2 - √(2v) + …, so a v of second order leaves an error of the first.
            let mut out = Series::monomial(call1(Function::Arcsin, c), 0, 1);
            out.terms.truncate(1);
            return (v.low >= 2).then_some(out);
        }
        // arcsin u = arctan(u / √(1 - u²)) for u between -1 and 1.
        if rest.any(&|part| matches!(part, Expr::Variable(_))) || !self.ring.work.maybe_positive(&rest) {
            return None;
        }
        let square = self.ring.mul(u, u)?;
        let one = self.ring.constant(one());
        let rest = self.ring.sub(&one, &square)?;
        let root = self.ring.power(&rest, &number(-1, 2))?;
        let tangent = self.ring.mul(u, &root)?;
        self.arctan(&tangent)
    }

    /// Stirling's series, for an argument that grows without bound.
    fn factorial(&mut self, u: &Series) -> Option<Series> {
        if !u.polar.is_empty() || self.sign(u)? != Sign::Positive || !self.diverges(u)? {
            return None;
        }
        let Leading { k, j, .. } = self.ring.leading(u)?;
        if k >= 0 || j != 0 {
            return None;
        }
        let name = variable("\\u");
        let odd =
            |n: i64, top: i64, bottom: u32| mul2(number(top, bottom), pow(name.clone(), Expr::integer(-n)));
        let terms = vec![
            mul2(super::tidy::add2(name.clone(), number(1, 2)), ln(name.clone())),
            neg(name.clone()),
            mul2(number(1, 2), ln(mul2(Expr::integer(2), Expr::Pi))),
            odd(1, 1, 12),
            odd(3, -1, 360),
            odd(5, 1, 1260),
        ];
        let log = self.composed(&Expr::Sum(terms), u)?;
        let log = self.ring.add(&log, &Series::error(7 * -k))?;
        self.ring.exp(&log)
    }
}

/// A hyperbolic function or its inverse by exponentials and logarithms.
pub(super) fn rewritten(function: Function, u: &Expr) -> Option<Expr> {
    use Function as F;
    let (plus, minus) = (exp(u.clone()), exp(neg(u.clone())));
    let sum = Expr::Sum(vec![plus.clone(), minus.clone()]);
    let difference = Expr::Sum(vec![plus, neg(minus)]);
    let two = || Expr::integer(2);
    let root = |shift: i64| pow(Expr::Sum(vec![pow(u.clone(), two()), Expr::integer(shift)]), number(1, 2));
    let halved_log = |top: Expr, bottom: Expr| mul2(number(1, 2), ln(div(top, bottom)));
    let shifted = |sign: i64| Expr::Sum(vec![one(), if sign > 0 { u.clone() } else { neg(u.clone()) }]);
    Some(match function {
        F::Sinh => mul2(number(1, 2), difference),
        F::Cosh => mul2(number(1, 2), sum),
        F::Tanh => div(difference, sum),
        F::Coth => div(sum, difference),
        F::Sech => mul2(two(), inv(sum)),
        F::Csch => mul2(two(), inv(difference)),
        F::Arsinh => ln(Expr::Sum(vec![u.clone(), root(1)])),
        F::Arcosh => ln(Expr::Sum(vec![u.clone(), root(-1)])),
        F::Artanh => halved_log(shifted(1), shifted(-1)),
        _ => return None,
    })
}
