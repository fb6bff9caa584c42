//! Whether two expressions are equal.
//!
//! The stages, from cheap to dear: the same expression; exact rationals; discs of machine precision at a few
//! points, which refute most wrong answers; the test in prime fields, which proves most right ones; the
//! magnitudes of what no float holds; balls of 192 bits or more at several points. Each can only prove what
//! it claims, and what none of them can show is [`Finding::Unknown`]. Real values count first: `\log(xy)` and
//! `\log x + \log y` are equal where both are real.

use dashu::base::Sign;
use dashu::rational::RBig;

use super::ball::{Arithmetic, Ball, Position};
use super::compare::Outcome;
use super::exact;
use super::expr::{Expr, Function};
use super::fast::Fast;
use super::letters::{are_whole, is_complex, variables};
use super::magnitude;
use super::modular::{self, Finding};
use super::numeric::{Evaluator, literal_bits};
use super::sample::{Eye, Sample, numbers};
use super::witness::Witness;

pub(super) use super::witness::Fuel;

/// Bits for what machine precision cannot hold.
const LOW_PRECISION: usize = 64;
/// Bits for confirming at several points, and at the single one of a constant, before the literals are
/// counted.
const POINT_PRECISION: usize = 192;
const CONSTANT_PRECISION: usize = 256;
/// The most bits; expressions that need more are left undecided.
const MAX_PRECISION: usize = 4096;
/// The fewest points at which two expressions with variables must agree, and the most that are confirmed.
const MIN_POINTS: usize = 3;
const MAX_CONFIRMED: usize = 4;
/// The deepest nesting that is looked into.
const MAX_DEPTH: u32 = 256;
/// The most steps at machine precision in one comparison.
const MAX_LOOKS: u32 = 120_000;
/// Points with whole coordinates at which a difference would have shown.
const WHOLE_POINTS: usize = 6;

const fn outcome(finding: Finding, method: &'static str) -> Outcome {
    Outcome { finding, method }
}

/// Plus or minus one for an infinity, zero for what has none in it. Arithmetic with infinities is left open.
fn infinity(expr: &Expr) -> Option<i8> {
    let minus = |factor: &Expr| exact::value(factor) == Some(RBig::NEG_ONE);
    match expr {
        Expr::Infinity => Some(1),
        Expr::Product(factors) if factors.contains(&Expr::Infinity) => match factors.as_slice() {
            [factor, Expr::Infinity] | [Expr::Infinity, factor] if minus(factor) => Some(-1),
            _ => None,
        },
        // The ends of sums and integrals may be infinite.
        Expr::Bound(_) => Some(0),
        Expr::Power(base, exponent) => (infinity(base)? == 0 && infinity(exponent)? == 0).then_some(0),
        other => other.children().iter().all(|part| infinity(part) == Some(0)).then_some(0),
    }
}

/// Compares two expressions without degrees and unnamed bases.
pub(super) fn compare(a: &Expr, b: &Expr, fuel: &mut Fuel) -> Outcome {
    if a == b {
        return outcome(Finding::Equal, "identical");
    }
    match (infinity(a), infinity(b)) {
        (Some(0), Some(0)) => {}
        (Some(x), Some(y)) if x == y => return outcome(Finding::Equal, "exact"),
        (Some(x), Some(y)) if x != 0 && y != 0 => return outcome(Finding::Different, "exact"),
        (Some(x), Some(_)) if x != 0 && is_finite(b) => return outcome(Finding::Different, "exact"),
        (Some(_), Some(y)) if y != 0 && is_finite(a) => return outcome(Finding::Different, "exact"),
        _ => return outcome(Finding::Unknown, "exact"),
    }
    if let (Some(x), Some(y)) = (exact::value(a), exact::value(b)) {
        if x == y {
            return outcome(Finding::Equal, "exact");
        }
        if fuel.explain {
            fuel.witness = Some(Witness::exact(&x, &y));
        }
        return outcome(Finding::Different, "exact");
    }
    // Constants are worked out once and not at every point.
    let (Some(a), Some(b)) = (exact::folded(a, 0), exact::folded(b, 0)) else {
        return outcome(Finding::Unknown, "fuel");
    };
    let (a, b) = (&a, &b);
    if a == b {
        return outcome(Finding::Equal, "exact");
    }
    let opaque = |part: &Expr| matches!(part, Expr::Apply(..) | Expr::Bound(_));
    if !a.any(&opaque) && !b.any(&opaque) {
        return decide(a, b, fuel);
    }
    let proof = modular::compare(a, b);
    if proof.finding == Finding::Equal && !proof.domain {
        return outcome(Finding::Equal, "modular");
    }
    // What is not known is one more variable, named by its value.
    let mut sure = true;
    let (Some(a), Some(b)) = (named(a, &mut sure, 0), named(b, &mut sure, 0)) else {
        return outcome(Finding::Unknown, "modular");
    };
    let found = if a == b { outcome(Finding::Equal, "modular") } else { decide(&a, &b, fuel) };
    if found.finding == Finding::Different && !sure {
        fuel.witness = None;
        return outcome(Finding::Unknown, found.method);
    }
    found
}

/// Whether a value is certainly finite where it is one.
fn is_finite(expr: &Expr) -> bool {
    exact::value(expr).is_some()
        || (variables(&[expr]).is_empty() && look(expr, &Sample::empty(), true).is_some())
}

/// The expression with everything that only the problem defines replaced by a variable that is named by its
/// value. `sure` is cleared where two names may stand for the same.
fn named(expr: &Expr, sure: &mut bool, depth: u32) -> Option<Expr> {
    if depth > MAX_DEPTH {
        return None;
    }
    let mut all =
        |parts: &[Expr]| parts.iter().map(|part| named(part, sure, depth + 1)).collect::<Option<Vec<_>>>();
    Some(match expr {
        Expr::Apply(_, arguments) => {
            for argument in arguments {
                *sure &= modular::fingerprint(argument)?.1;
            }
            Expr::Variable(format!("\\apply{}", modular::fingerprint(expr)?.0).into())
        }
        Expr::Bound(_) => {
            *sure = false;
            Expr::Variable(format!("\\bound{}", modular::fingerprint(expr)?.0).into())
        }
        Expr::Sum(parts) => Expr::Sum(all(parts)?),
        Expr::Product(parts) => Expr::Product(all(parts)?),
        Expr::Call(function, parts) => Expr::Call(*function, all(parts)?),
        Expr::Root(degree, inner) => Expr::Root(*degree, Box::new(named(inner, sure, depth + 1)?)),
        Expr::Power(base, exponent) => {
            let base = named(base, sure, depth + 1)?;
            Expr::Power(Box::new(base), Box::new(named(exponent, sure, depth + 1)?))
        }
        other => other.clone(),
    })
}

fn look(expr: &Expr, sample: &Sample, complex: bool) -> Option<Fast> {
    let value = Eye::new(sample, complex).value(expr)?;
    (complex || value.is_real()).then_some(value)
}

/// What was seen at some points.
struct Seen {
    /// The points at which both sides have a value.
    usable: Vec<Sample>,
    apart: Option<(Sample, Fast, Fast)>,
    /// Steps that may still be taken.
    steps: u32,
}

impl Seen {
    const fn new() -> Self {
        Self { usable: Vec::new(), apart: None, steps: MAX_LOOKS }
    }

    /// Looks at more points, until one tells the two apart.
    fn look(&mut self, a: &Expr, b: &Expr, samples: Vec<Sample>, complex: bool) -> bool {
        for sample in samples {
            if self.steps == 0 {
                return false;
            }
            let mut eye = Eye::new(&sample, complex);
            let values = eye.value(a).and_then(|x| Some((x, eye.value(b)?)));
            self.steps = self.steps.saturating_sub(eye.taken());
            let Some((x, y)) = values.filter(|(x, y)| complex || (x.is_real() && y.is_real())) else {
                continue;
            };
            if x.is_apart(y) {
                self.apart = Some((sample, x, y));
                return true;
            }
            self.usable.push(sample);
        }
        false
    }
}

/// What both expressions have in them.
struct Traits {
    names: Vec<Box<str>>,
    complex: bool,
    /// Functions that jump may agree at every sampled point and differ elsewhere.
    jumps: bool,
    /// Functions that are put together from pieces.
    pieces: bool,
}

fn traits(a: &Expr, b: &Expr) -> Traits {
    use Function as F;
    let either = |test: &dyn Fn(&Expr) -> bool| a.any(test) || b.any(test);
    let names = variables(&[a, b]);
    let parts = |part: &Expr| matches!(part, Expr::Call(F::Re | F::Im | F::Arg | F::Conjugate, _));
    let complex = either(&|part| matches!(part, Expr::Imaginary))
        || (either(&parts) && names.iter().any(|name| is_complex(name)));
    let jump = |part: &Expr| {
        matches!(part, Expr::Call(F::Floor | F::Ceil | F::Sign | F::Modulo | F::Arg | F::Gcd | F::Lcm, _))
    };
    let piece = |part: &Expr| match part {
        Expr::Call(F::Abs | F::Min | F::Max | F::Arcsin | F::Arccos | F::Arctan, _) | Expr::Root(..) => true,
        Expr::Power(_, exponent) => exact::value(exponent).is_some_and(|exponent| !exponent.is_int()),
        _ => false,
    };
    let jumps = !names.is_empty() && either(&jump);
    let pieces = !names.is_empty() && either(&piece);
    Traits { names, complex, jumps, pieces }
}

fn decide(a: &Expr, b: &Expr, fuel: &mut Fuel) -> Outcome {
    let traits = traits(a, b);
    let names = &traits.names;
    let mut later = Sample::real(names);
    let first: Vec<Sample> = later.drain(..later.len().min(2)).collect();
    let mut seen = Seen::new();
    let size = exact::size(a).saturating_add(exact::size(b));
    if fuel.burn(1 + size / 8).is_none() {
        return outcome(Finding::Unknown, "fuel");
    }
    seen.look(a, b, first, traits.complex);
    if seen.apart.is_none() {
        if fuel.burn(size.saturating_mul(3)).is_none() {
            return outcome(Finding::Unknown, "fuel");
        }
        let proof = modular::compare(a, b);
        match proof.finding {
            Finding::Equal if !proof.domain => return outcome(Finding::Equal, "modular"),
            Finding::Different => {
                if fuel.explain {
                    seen.look(a, b, later, traits.complex);
                    if let Some(apart) = seen.apart {
                        fuel.saw(apart);
                    }
                }
                return outcome(Finding::Different, "modular");
            }
            Finding::Equal => {
                seen.look(a, b, later, traits.complex);
                if !names.is_empty() && seen.apart.is_none() {
                    seen.look(a, b, Sample::signed(names), traits.complex);
                }
                if seen.apart.is_none() && !seen.usable.is_empty() {
                    return outcome(Finding::Equal, "modular");
                }
            }
            Finding::Unknown => {
                seen.look(a, b, later, traits.complex);
            }
        }
    }
    if seen.apart.is_none() && names.is_empty() && seen.usable.is_empty() && magnitude::differ(a, b) {
        return outcome(Finding::Different, "magnitude");
    }
    // For whole n there are more identities: cos(nπ) = (-1)^n.
    if (seen.apart.is_some() || seen.usable.is_empty()) && are_whole(names) {
        let mut whole = Seen::new();
        whole.look(a, b, Sample::whole(names), traits.complex);
        if whole.apart.is_none() {
            let proof = modular::compare_integers(a, b);
            if proof.finding == Finding::Equal && (!proof.domain || !whole.usable.is_empty()) {
                return outcome(Finding::Equal, "integers");
            }
            // Nothing is known against it where it counts.
            if whole.usable.len() >= WHOLE_POINTS {
                return outcome(Finding::Unknown, "integers");
            }
        } else if seen.apart.is_none() {
            seen.apart = whole.apart;
        }
    }
    if let Some(apart) = seen.apart.take() {
        fuel.saw(apart);
        return outcome(Finding::Different, "numeric");
    }
    outcome(confirm(a, b, &traits, seen, fuel), "numeric")
}

/// Compares at high precision at points where nothing was seen to differ.
fn confirm(a: &Expr, b: &Expr, traits: &Traits, mut seen: Seen, fuel: &mut Fuel) -> Finding {
    let names = &traits.names;
    if !names.is_empty() {
        seen.look(a, b, Sample::signed(names), traits.complex);
    }
    if traits.pieces && seen.apart.is_none() {
        let mut written = Vec::new();
        if !numbers(a, &mut written) || !numbers(b, &mut written) {
            return Finding::Unknown;
        }
        let Some(samples) = Sample::scaled(names, &written) else { return Finding::Unknown };
        seen.look(a, b, samples, traits.complex);
        if seen.steps == 0 && seen.apart.is_none() {
            return Finding::Unknown;
        }
    }
    if let Some(apart) = seen.apart.take() {
        fuel.saw(apart);
        return Finding::Different;
    }
    Pair { a, b, fuel, traits }.at_points(seen, traits.complex)
}

/// Two expressions under comparison with balls.
struct Pair<'e, 'a> {
    a: &'e Expr,
    b: &'e Expr,
    fuel: &'a mut Fuel,
    traits: &'a Traits,
}

impl Pair<'_, '_> {
    fn balls(&mut self, arithmetic: &mut Arithmetic, sample: &Sample, complex: bool) -> Option<(Ball, Ball)> {
        let mut evaluator = Evaluator { arithmetic, sample, complex, fuel: self.fuel, kept: Vec::new() };
        Some((evaluator.value(self.a)?, evaluator.value(self.b)?))
    }

    /// Whether they agree with high precision where they agreed with low.
    fn at_points(&mut self, mut seen: Seen, complex: bool) -> Finding {
        let names = &self.traits.names;
        let needed = if names.is_empty() { 1 } else { MIN_POINTS };
        if seen.usable.len() < needed {
            // What no float holds may still be in reach of balls.
            seen.usable.clear();
            let mut low = Arithmetic::new(LOW_PRECISION);
            for sample in Sample::real(names) {
                let Some((x, y)) = self.balls(&mut low, &sample, complex) else { continue };
                if low.position(&x, &y) == Position::Apart {
                    return self.differ(&sample, &x, &y);
                }
                seen.usable.push(sample);
            }
        }
        if seen.usable.len() < needed {
            if complex {
                return Finding::Unknown;
            }
            // No real point decides, so that complex ones may.
            let mut other = Seen::new();
            if other.look(self.a, self.b, Sample::real(names), true)
                && let Some(apart) = other.apart.take()
            {
                self.fuel.saw(apart);
                return Finding::Different;
            }
            return self.at_points(other, true);
        }
        let literals = 2 * (literal_bits(self.a) + literal_bits(self.b));
        let precision = literals + if names.is_empty() { CONSTANT_PRECISION } else { POINT_PRECISION };
        if self.traits.jumps || precision > MAX_PRECISION {
            return Finding::Unknown;
        }
        let mut high = Arithmetic::new(precision);
        // The points are spread over what was looked at.
        let step = (seen.usable.len() / MAX_CONFIRMED).max(1);
        for sample in seen.usable.into_iter().step_by(step).take(MAX_CONFIRMED) {
            let Some((x, y)) = self.balls(&mut high, &sample, complex) else { return Finding::Unknown };
            match high.position(&x, &y) {
                Position::Together => {}
                Position::Apart => return self.differ(&sample, &x, &y),
                Position::Unclear => return Finding::Unknown,
            }
        }
        Finding::Equal
    }

    fn differ(&mut self, sample: &Sample, x: &Ball, y: &Ball) -> Finding {
        if self.fuel.explain {
            // As many digits as it takes to tell them apart.
            let text = |digits| (Arithmetic::text(x, digits), Arithmetic::text(y, digits));
            let values = [6, 15, 40].map(text).into_iter().find(|(x, y)| x != y).unwrap_or_else(|| text(100));
            self.fuel.witness = Some(Witness { point: sample.named(), values });
        }
        Finding::Different
    }
}

/// Whether `f` and `g` are proportional: whether `f(x) g(x₀) = g(x) f(x₀)` at every point `x`, with a point
/// `x₀` where neither is zero.
pub(super) fn proportional(f: &Expr, g: &Expr, fuel: &mut Fuel) -> Finding {
    let (Some(f), Some(g)) = (exact::folded(f, 0), exact::folded(g, 0)) else { return Finding::Unknown };
    let (f, g) = (&f, &g);
    let proof = modular::proportion(f, g);
    if proof.finding != Finding::Unknown && !proof.domain {
        return proof.finding;
    }
    if fuel.burn(exact::size(f).saturating_add(exact::size(g)).saturating_mul(4)).is_none() {
        return Finding::Unknown;
    }
    let traits = traits(f, g);
    let mut samples = Sample::real(&traits.names);
    samples.extend(Sample::signed(&traits.names));
    let mut usable: Vec<Sample> = Vec::new();
    let mut origin: Option<(Fast, Fast)> = None;
    for sample in samples {
        let (Some(x), Some(y)) = (look(f, &sample, traits.complex), look(g, &sample, traits.complex)) else {
            continue;
        };
        match origin {
            None if x.is_apart(Fast::exact(0.0)) && y.is_apart(Fast::exact(0.0)) => {
                origin = Some((x, y));
                usable.insert(0, sample);
            }
            Some((f0, g0)) => {
                let (Some(left), Some(right)) = (x.mul(g0), y.mul(f0)) else { continue };
                if left.is_apart(right) {
                    return Finding::Different;
                }
                usable.push(sample);
            }
            None => {}
        }
    }
    let precision = POINT_PRECISION + 2 * (literal_bits(f) + literal_bits(g));
    let [origin, rest @ ..] = usable.as_slice() else { return Finding::Unknown };
    if rest.len() < MIN_POINTS {
        return Finding::Unknown;
    }
    // The factor was the same wherever signs are, and for each combination of signs the rest is proved.
    if proof.finding == Finding::Equal {
        return Finding::Equal;
    }
    if traits.jumps || precision > MAX_PRECISION {
        return Finding::Unknown;
    }
    let mut pair = Pair { a: f, b: g, fuel, traits: &traits };
    let mut high = Arithmetic::new(precision);
    let Some((f0, g0)) = pair.balls(&mut high, origin, traits.complex) else { return Finding::Unknown };
    let step = (rest.len() / MAX_CONFIRMED).max(1);
    for sample in rest.iter().step_by(step).take(MAX_CONFIRMED) {
        let Some((x, y)) = pair.balls(&mut high, sample, traits.complex) else { return Finding::Unknown };
        let (Some(left), Some(right)) = (high.mul(&x, &g0), high.mul(&y, &f0)) else {
            return Finding::Unknown;
        };
        match high.position(&left, &right) {
            Position::Together => {}
            Position::Apart => return Finding::Different,
            Position::Unclear => return Finding::Unknown,
        }
    }
    Finding::Equal
}

/// The sign of the quotient of two expressions, where it can be told.
pub(super) fn quotient_sign(f: &Expr, g: &Expr, fuel: &mut Fuel) -> Option<Sign> {
    let names = variables(&[f, g]);
    let sign = |x: f64| if x < 0.0 { Sign::Negative } else { Sign::Positive };
    let seen = Sample::real(&names).iter().find_map(|sample| {
        let (f, g) = (look(f, sample, false)?, look(g, sample, false)?);
        Some(sign(f.sign()?) * sign(g.sign()?))
    });
    seen.or_else(|| {
        let traits = traits(f, g);
        // Only a constant is worth more digits: a variable has other points.
        let high = CONSTANT_PRECISION + 2 * (literal_bits(f) + literal_bits(g));
        let precisions = [LOW_PRECISION, high.min(MAX_PRECISION)];
        precisions.iter().take(if names.is_empty() { 2 } else { 1 }).find_map(|precision| {
            let mut arithmetic = Arithmetic::new(*precision);
            let mut pair = Pair { a: f, b: g, fuel, traits: &traits };
            Sample::real(&names).iter().find_map(|sample| {
                let (f, g) = pair.balls(&mut arithmetic, sample, false)?;
                Some(f.sign()? * g.sign()?)
            })
        })
    })
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "law_tests.rs"]
mod law_tests;
