//! Identity testing at points, with balls.
//!
//! Both expressions are evaluated at a fixed list of points: first at low precision, where any point at which
//! the balls lie apart proves a difference, then at a precision of 256 bits and twice the size of the
//! literals. They are called equal when they agree at the first four usable points to 5/8 of that precision. Real
//! values count first: `\log(xy)` and `\log x+\log y` are equal where both are real.

use dashu::base::Sign;
use dashu::rational::RBig;

use super::ball::{Arithmetic, Ball, Position};
use super::exact;
use super::expr::{Expr, Function};
use super::modular::Finding;

/// Bits for refuting.
pub(super) const LOW_PRECISION: usize = 64;
/// Bits for confirming, before the literals are counted.
const HIGH_PRECISION: usize = 256;
/// The most bits; expressions that need more are left undecided.
const MAX_PRECISION: usize = 4096;
/// The fewest points at which two expressions with variables must agree.
const MIN_POINTS: usize = 3;

/// The work that comparisons may still do, in units of roughly a microsecond.
#[derive(Debug)]
pub(super) struct Fuel(u32);

impl Fuel {
    /// Enough for some hundred evaluations of transcendental functions.
    pub(super) const fn full() -> Self {
        Self(60_000)
    }

    /// Takes a number of units, if there are as many.
    pub(super) fn burn(&mut self, units: u32) -> Option<()> {
        self.0 = self.0.checked_sub(units)?;
        Some(())
    }
}

/// The most points at which an agreement is confirmed at high precision.
const MAX_CONFIRMED: usize = 4;

/// A family of points: the bounds of the magnitude as fractions of 64, and the signs.
pub(super) struct Region {
    low: u64,
    high: u64,
    signs: Signs,
}

pub(super) enum Signs {
    Positive,
    Negative,
    Mixed,
}

pub(super) const REGIONS: [Region; 8] = [
    Region { low: 4, high: 60, signs: Signs::Positive },
    Region { low: 70, high: 300, signs: Signs::Positive },
    Region { low: 4, high: 60, signs: Signs::Negative },
    Region { low: 70, high: 300, signs: Signs::Mixed },
    Region { low: 70, high: 300, signs: Signs::Negative },
    Region { low: 4, high: 60, signs: Signs::Mixed },
    Region { low: 3_000, high: 300_000, signs: Signs::Positive },
    Region { low: 1_000, high: 5_000, signs: Signs::Mixed },
];

/// A number in the region, fixed by the variable's name.
pub(super) fn coordinate(region: &Region, name: &str) -> RBig {
    let mut hash = 0xcbf2_9ce4_8422_2325 ^ region.low.wrapping_mul(31) ^ region.high;
    for byte in name.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^= hash >> 29;
    hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^= hash >> 32;
    // An odd denominator keeps the points away from halves, where many functions meet.
    let steps = (region.high - region.low) * 1_000;
    let magnitude = region.low * 1_000 + hash % steps;
    let negative = match region.signs {
        Signs::Positive => false,
        Signs::Negative => true,
        Signs::Mixed => hash >> 63 == 1,
    };
    let numerator = i64::try_from(magnitude).unwrap_or(1);
    RBig::from_parts((if negative { -numerator } else { numerator }).into(), 63_997_u32.into())
}

fn has_variable(expr: &Expr) -> bool {
    expr.any(&|part| matches!(part, Expr::Variable(_)))
}

fn has_imaginary(expr: &Expr) -> bool {
    expr.any(&|part| matches!(part, Expr::Imaginary))
}

/// Functions with jumps may agree at every sampled point and differ elsewhere.
fn has_jumps(expr: &Expr) -> bool {
    expr.any(&|part| {
        matches!(part, Expr::Call(Function::Floor | Function::Ceil | Function::Min | Function::Max, _))
    })
}

fn literal_bits(expr: &Expr) -> usize {
    let own = match expr {
        Expr::Number(n) => exact::bits(n),
        Expr::Power(base, exponent) => exact::value(expr)
            .as_ref()
            .map_or_else(|| literal_bits(base) + literal_bits(exponent), exact::bits),
        _ => 0,
    };
    own + expr.children().iter().map(literal_bits).sum::<usize>()
}

/// Compares two expressions by value.
pub(super) fn compare(a: &Expr, b: &Expr, fuel: &mut Fuel) -> Finding {
    identity(fuel, a, b, &mut |evaluator| Some((evaluator.value(a)?, evaluator.value(b)?)))
}

/// Whether `f` and `g` are proportional: whether `f(x) g(x0) = g(x) f(x0)` at every point `x`, with a point
/// `x0` where neither is zero.
pub(super) fn proportional(f: &Expr, g: &Expr, fuel: &mut Fuel) -> Finding {
    let base = |precision: usize, fuel: &mut Fuel| {
        REGIONS.iter().find_map(|region| {
            let mut evaluator = Evaluator { arithmetic: &mut Arithmetic::new(precision), region, fuel };
            let (f, g) = (evaluator.value(f)?, evaluator.value(g)?);
            (f.sign().is_some() && g.sign().is_some()).then_some((f, g))
        })
    };
    let mut at = None;
    identity(fuel, f, g, &mut |evaluator| {
        let precision = evaluator.arithmetic.precision();
        if at.as_ref().is_none_or(|(known, _)| *known != precision) {
            at = Some((precision, base(precision, evaluator.fuel)?));
        }
        let (_, (f0, g0)) = at.as_ref()?;
        let (fx, gx) = (evaluator.value(f)?, evaluator.value(g)?);
        Some((evaluator.arithmetic.mul(&fx, g0)?, evaluator.arithmetic.mul(&gx, f0)?))
    })
}

/// The sign of the quotient of two expressions, where it can be told.
pub(super) fn quotient_sign(f: &Expr, g: &Expr, fuel: &mut Fuel) -> Option<Sign> {
    REGIONS.iter().find_map(|region| {
        let mut evaluator = Evaluator { arithmetic: &mut Arithmetic::new(LOW_PRECISION), region, fuel };
        let (f, g) = (evaluator.value(f)?, evaluator.value(g)?);
        Some(f.sign()? * g.sign()?)
    })
}

type Sides<'a> = dyn FnMut(&mut Evaluator<'_>) -> Option<(Ball, Ball)> + 'a;

fn identity(fuel: &mut Fuel, a: &Expr, b: &Expr, sides: &mut Sides<'_>) -> Finding {
    let variables = has_variable(a) || has_variable(b);
    let regions = if variables { &REGIONS[..] } else { &REGIONS[..1] };
    let complex = has_imaginary(a) || has_imaginary(b);
    let precision = HIGH_PRECISION + 2 * (literal_bits(a) + literal_bits(b));
    let jumps = variables && (has_jumps(a) || has_jumps(b));
    let needed = if variables { MIN_POINTS } else { 1 };
    // Real points decide alone; complex ones only where there are too few of them.
    let passes: &[bool] = if complex { &[true] } else { &[false, true] };
    for &complex in passes {
        let mut usable = Vec::with_capacity(regions.len());
        let mut low = Arithmetic::new(LOW_PRECISION);
        for region in regions {
            let mut evaluator = Evaluator { arithmetic: &mut low, region, fuel };
            let Some((x, y)) = sides(&mut evaluator) else { continue };
            let usable_here = complex || (x.is_real() && y.is_real());
            if !usable_here {
                continue;
            }
            if evaluator.arithmetic.position(&x, &y) == Position::Apart {
                return Finding::Different;
            }
            usable.push(region);
        }
        if usable.len() < needed {
            continue;
        }
        if jumps || precision > MAX_PRECISION {
            return Finding::Unknown;
        }
        let mut high = Arithmetic::new(precision);
        for region in usable.into_iter().take(MAX_CONFIRMED) {
            let mut evaluator = Evaluator { arithmetic: &mut high, region, fuel };
            let Some((x, y)) = sides(&mut evaluator) else { return Finding::Unknown };
            match evaluator.arithmetic.position(&x, &y) {
                Position::Together => {}
                Position::Apart => return Finding::Different,
                Position::Unclear => return Finding::Unknown,
            }
        }
        return Finding::Equal;
    }
    Finding::Unknown
}

/// Evaluates at a point of its region.
pub(super) struct Evaluator<'a> {
    pub(super) arithmetic: &'a mut Arithmetic,
    pub(super) region: &'a Region,
    pub(super) fuel: &'a mut Fuel,
}

impl Evaluator<'_> {
    fn charge(&mut self, units: usize) -> Option<()> {
        let limbs = self.arithmetic.precision() / 64 + 1;
        self.fuel.burn(u32::try_from(units * limbs).ok()?)
    }

    pub(super) fn value(&mut self, expr: &Expr) -> Option<Ball> {
        self.charge(1)?;
        match expr {
            Expr::Number(n) => self.arithmetic.rational(n),
            Expr::Pi => self.arithmetic.pi(),
            Expr::Euler => {
                let one = self.arithmetic.integer(1)?;
                self.transcendental(|arithmetic| arithmetic.exp(&one))
            }
            Expr::Imaginary => Some(self.arithmetic.imaginary()),
            Expr::Infinity | Expr::Degree | Expr::Apply(..) | Expr::Bound(_) => None,
            Expr::Variable(name) => self.arithmetic.rational(&coordinate(self.region, name)),
            Expr::Sum(terms) => {
                let mut sum = self.arithmetic.integer(0)?;
                for term in terms {
                    let term = self.value(term)?;
                    sum = self.arithmetic.add(&sum, &term)?;
                }
                Some(sum)
            }
            Expr::Product(factors) => {
                let mut product = self.arithmetic.integer(1)?;
                for factor in factors {
                    let factor = self.value(factor)?;
                    product = self.arithmetic.mul(&product, &factor)?;
                }
                Some(product)
            }
            Expr::Power(base, exponent) => self.power(base, exponent),
            Expr::Root(degree, inner) => {
                let inner = self.value(inner)?;
                self.transcendental(|arithmetic| arithmetic.root(&inner, *degree))
            }
            Expr::Call(function, arguments) => {
                if let Some(exact) = exact::value_of_call(*function, arguments) {
                    return self.arithmetic.rational(&exact);
                }
                let arguments: Vec<Ball> =
                    arguments.iter().map(|argument| self.value(argument)).collect::<Option<_>>()?;
                self.call(*function, &arguments)
            }
        }
    }

    fn transcendental<T>(&mut self, compute: impl FnOnce(&mut Arithmetic) -> Option<T>) -> Option<T> {
        self.charge(40)?;
        compute(self.arithmetic)
    }

    fn power(&mut self, base: &Expr, exponent: &Expr) -> Option<Ball> {
        if let Some(exponent) = exact::value(exponent) {
            let degree = u32::try_from(exponent.denominator()).ok()?;
            let mut base = self.value(base)?;
            self.charge(20)?;
            if degree != 1 {
                base = self.transcendental(|arithmetic| arithmetic.root(&base, degree))?;
            }
            return self.arithmetic.powi(&base, exponent.numerator());
        }
        let exponent = self.value(exponent)?;
        if matches!(base, Expr::Euler) {
            return self.transcendental(|arithmetic| arithmetic.exp(&exponent));
        }
        let base = self.value(base)?;
        self.charge(40)?;
        self.transcendental(|arithmetic| arithmetic.pow(&base, &exponent))
    }

    fn call(&mut self, function: Function, arguments: &[Ball]) -> Option<Ball> {
        self.transcendental(|arithmetic| match (function, arguments) {
            (Function::Sin, [x]) => Some(arithmetic.sin_cos(x)?.0),
            (Function::Cos, [x]) => Some(arithmetic.sin_cos(x)?.1),
            (Function::Tan, [x]) => {
                let (sin, cos) = arithmetic.sin_cos(x)?;
                arithmetic.div(&sin, &cos)
            }
            (Function::Cot, [x]) => {
                let (sin, cos) = arithmetic.sin_cos(x)?;
                arithmetic.div(&cos, &sin)
            }
            (Function::Sec, [x]) => {
                let cos = arithmetic.sin_cos(x)?.1;
                arithmetic.inverse(&cos)
            }
            (Function::Csc, [x]) => {
                let sin = arithmetic.sin_cos(x)?.0;
                arithmetic.inverse(&sin)
            }
            (Function::Arcsin, [x]) => arithmetic.arcsin(x),
            (Function::Arccos, [x]) => arithmetic.arccos(x),
            (Function::Arctan, [x]) => arithmetic.arctan(x),
            (Function::Sinh | Function::Cosh | Function::Tanh, [x]) => {
                let (plus, minus) = (arithmetic.exp(x)?, arithmetic.exp(&x.negated())?);
                let half = arithmetic.rational(&RBig::from_parts(1.into(), 2_u8.into()))?;
                let sinh = arithmetic.mul(&arithmetic.sub(&plus, &minus)?, &half)?;
                let cosh = arithmetic.mul(&arithmetic.add(&plus, &minus)?, &half)?;
                match function {
                    Function::Sinh => Some(sinh),
                    Function::Cosh => Some(cosh),
                    _ => arithmetic.div(&sinh, &cosh),
                }
            }
            (Function::Ln, [x]) => arithmetic.ln(x),
            (Function::Log, [base, x]) => {
                let (top, bottom) = (arithmetic.ln(x)?, arithmetic.ln(base)?);
                arithmetic.div(&top, &bottom)
            }
            (Function::Abs, [x]) => arithmetic.abs(x),
            (Function::Floor, [x]) => arithmetic.floor(x),
            (Function::Ceil, [x]) => Some(arithmetic.floor(&x.negated())?.negated()),
            (Function::Max, [first, rest @ ..]) => {
                rest.iter().try_fold(first.clone(), |best, next| arithmetic.max(&best, next))
            }
            (Function::Min, [first, rest @ ..]) => {
                let mut best = first.negated();
                for next in rest {
                    best = arithmetic.max(&best, &next.negated())?;
                }
                Some(best.negated())
            }
            _ => None,
        })
    }
}
