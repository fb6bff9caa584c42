//! Identity testing in prime fields.
//!
//! Two expressions of variables and rational arithmetic are equal if they agree at a random point modulo a
//! large prime, but for a chance of at most degree / 2^62 at each of two primes (Schwartz 1980, Zippel 1979),
//! and a disagreement proves them different. No number is ever written out, so a power of any height costs
//! sixty multiplications. Exponents that are no numbers live in the smaller field of the chain, so there the
//! chance is at most degree / q, with its order q.
//!
//! Powers, logarithms and trigonometric functions take part through maps that respect the laws they obey (see
//! [`super::field`] and `powers`). Whatever else is not rational arithmetic is one more variable, named by
//! the function and the values of its arguments. Agreement is then still proof of equality; a disagreement
//! proves nothing.
//!
//! Laws of real numbers such as √(xy) = √x √y hold for some signs of the variables only. Where one was used,
//! the test is done once for each combination of signs, and a combination for which a side is not real is
//! passed over.

use dashu::base::{Sign, UnsignedAbs};
use dashu::integer::IBig;
use dashu::rational::RBig;

use super::affine::Fraction;
use super::exact;
use super::expr::{Binder, Bound, Expr, Function};
use super::field::{FIELDS, Field, Modulus};
use super::letters::{binds, variables};

/// What the test found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    Equal,
    Different,
    Unknown,
}

/// What the test found, and on what the finding rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Proof {
    pub(super) finding: Finding,
    /// Equal only where both sides are real: there has to be such a point.
    pub(super) domain: bool,
}

const UNKNOWN: Proof = Proof { finding: Finding::Unknown, domain: false };

/// The most variables whose signs are all combined; beyond, some combinations are left out and nothing is
/// proved where signs matter.
const MAX_SIGNED: usize = 4;

/// Compares two expressions.
pub(super) fn compare(a: &Expr, b: &Expr) -> Proof {
    let mut work = MAX_WORK;
    sides(&[a, b], &[], &mut work, &mut |point| Some((point.value(a)?, point.value(b)?)))
}

/// Compares two expressions for whole values of all their variables.
pub(super) fn compare_integers(a: &Expr, b: &Expr) -> Proof {
    let names = variables(&[a, b]);
    // Every angle π/k with k dividing half of the classes comes out exactly.
    let classes: u64 = match names.len() {
        1 => 12,
        2 => 4,
        3 | 4 => 2,
        _ => return UNKNOWN,
    };
    let mut domain = false;
    let mut work = MAX_WORK;
    for combination in 0..classes.pow(names.len() as u32) {
        let mut rest = combination;
        let known: Vec<u64> = names
            .iter()
            .map(|_| {
                let class = rest % classes;
                rest /= classes;
                class
            })
            .collect();
        let known = [(classes, known)];
        let proof = sides(&[a, b], &known, &mut work, &mut |point| Some((point.value(a)?, point.value(b)?)));
        if proof.finding != Finding::Equal {
            return UNKNOWN;
        }
        domain |= proof.domain;
    }
    Proof { finding: Finding::Equal, domain }
}

/// Whether two expressions are proportional: whether `f(x) g(y) = g(x) f(y)` at random points `x` and `y` with
/// the same signs.
pub(super) fn proportion(f: &Expr, g: &Expr) -> Proof {
    let mut zero = false;
    let mut work = MAX_WORK;
    let proof = sides(&[f, g], &[], &mut work, &mut |point| {
        point.salt = 0;
        let (fx, gx) = (point.value(f)?, point.value(g)?);
        point.salt = 1;
        let (fy, gy) = (point.value(f)?, point.value(g)?);
        zero |= [fx, gx, fy, gy].contains(&0);
        let modulus = &point.field.base.modulus;
        Some((modulus.mul(fx, gy), modulus.mul(gx, fy)))
    });
    // π and e are the same at both points, but only one of them is as good as a variable.
    if zero { UNKNOWN } else { proof }
}

/// Whether an expression takes different values at two random points. It may vary and not be seen to, if it
/// has no value there.
pub(super) fn varies(f: &Expr) -> bool {
    let [field, ..] = &FIELDS;
    let names = variables(&[f]);
    let complex = has_imaginary(f);
    let value = |salt| {
        let mut point = Point::new(field, &names, complex, &[]);
        point.salt = salt;
        point.value(f)
    };
    let (x, y) = (value(0), value(1));
    x.is_some() && y.is_some() && x != y
}

/// A name for the value of an expression, and whether an expression with another name has another value.
/// None where the value rests on signs or on what is real.
pub(super) fn fingerprint(expr: &Expr) -> Option<(u64, bool)> {
    let [field, ..] = &FIELDS;
    let names = variables(&[expr]);
    let mut point = Point::new(field, &names, has_imaginary(expr), &[]);
    let value = point.value(expr)?;
    let known = !point.domain && !point.signed;
    known.then_some((value, !(point.opaque || point.pi && point.euler)))
}

pub(super) fn has_imaginary(expr: &Expr) -> bool {
    expr.any(&|part| matches!(part, Expr::Imaginary))
}

type Values<'a> = dyn FnMut(&mut Point<'_>) -> Option<(u64, u64)> + 'a;

fn sides(exprs: &[&Expr], classes: &[(u64, Vec<u64>)], work: &mut u32, values: &mut Values<'_>) -> Proof {
    let names = variables(exprs);
    let complex = exprs.iter().any(|expr| has_imaginary(expr));
    let mut domain = false;
    let mut signs = 1;
    for field in &FIELDS {
        let mut point = Point::new(field, &names, complex, classes);
        point.work = *work;
        let found = values(&mut point);
        *work = point.work;
        let Some((x, y)) = found else { return UNKNOWN };
        if point.signed {
            signs = 1_u32 << names.len().min(MAX_SIGNED);
        }
        domain |= point.domain;
        if x != y {
            // π alone, or e alone, is transcendental over the rationals and so as good as a variable; about
            // both together nothing is known.
            let unsure = point.opaque || point.domain || point.signed || (point.pi && point.euler);
            return if unsure { UNKNOWN } else { Proof { finding: Finding::Different, domain: false } };
        }
    }
    if signs > 1 && names.len() > MAX_SIGNED {
        return UNKNOWN;
    }
    let [field, ..] = &FIELDS;
    for pattern in 1..signs {
        let mut point = Point::new(field, &names, complex, classes);
        point.pattern = pattern;
        point.work = *work;
        let found = values(&mut point);
        *work = point.work;
        match found {
            Some((x, y)) if x != y => return UNKNOWN,
            None if point.exhausted() => return UNKNOWN,
            _ => {}
        }
        domain |= point.domain;
    }
    Proof { finding: Finding::Equal, domain: domain || signs > 1 }
}

/// The most elementary steps of one comparison, at all of its points together.
const MAX_WORK: u32 = 40_000;

/// The root of its magnitude as which a variable is drawn: every fractional power with a denominator that
/// divides this exists.
pub(super) const ROOT: u32 = 2_520;

/// A point at which expressions have their values in a field.
pub(super) struct Point<'a> {
    pub(super) field: &'static Field,
    names: &'a [Box<str>],
    /// Which of the variables are negative, one bit for each.
    pattern: u32,
    /// Tells the points apart.
    salt: u64,
    /// The classes of the variables, where they are whole, and modulo what.
    classes: &'a [(u64, Vec<u64>)],
    /// Variables bound around the part that is being looked at.
    scope: Vec<Box<str>>,
    /// Whether numbers need not be real, so that the laws of real powers are not applied.
    complex: bool,
    pub(super) pi: bool,
    pub(super) euler: bool,
    /// Whether something took part as an unknown that may depend on the others.
    pub(super) opaque: bool,
    /// Whether a law was used that holds where both sides are real.
    pub(super) domain: bool,
    /// Whether a variable's sign was used.
    pub(super) signed: bool,
    work: u32,
}

impl<'a> Point<'a> {
    fn new(
        field: &'static Field,
        names: &'a [Box<str>],
        complex: bool,
        classes: &'a [(u64, Vec<u64>)],
    ) -> Self {
        Self {
            field,
            names,
            pattern: 0,
            salt: 0,
            classes,
            scope: Vec::new(),
            complex,
            pi: false,
            euler: false,
            opaque: false,
            domain: false,
            signed: false,
            work: MAX_WORK,
        }
    }

    const fn exhausted(&self) -> bool {
        self.work == 0
    }

    /// Takes steps of the work that is left.
    pub(super) fn charge(&mut self, steps: u32) -> Option<()> {
        let left = self.work.checked_sub(steps);
        self.work = left.unwrap_or(0);
        left.map(|_| ())
    }

    /// Whether the laws of real powers must not be applied here.
    pub(super) fn strict(&self) -> bool {
        self.complex || !self.scope.is_empty()
    }

    pub(super) const fn base(&self) -> &'static Modulus {
        &self.field.base.modulus
    }

    pub(super) const fn exponents(&self) -> &'static Modulus {
        &self.field.exponent.modulus
    }

    pub(super) fn rational_in(modulus: &Modulus, x: &RBig) -> Option<u64> {
        let top = modulus.residue(x.numerator().unsigned_abs() % modulus.order);
        let top = if x.numerator().sign() == Sign::Negative { modulus.negative(top) } else { top };
        if x.is_int() {
            return Some(top);
        }
        Some(modulus.mul(top, modulus.inverse(modulus.residue(x.denominator() % modulus.order))?))
    }

    pub(super) fn fraction_in(modulus: &Modulus, x: Fraction) -> Option<u64> {
        let top = modulus.signed(x.top);
        if x.is_integer() {
            return Some(top);
        }
        Some(modulus.mul(top, modulus.inverse(modulus.signed(x.bottom))?))
    }

    /// A fixed pseudo-random element for a name: splitmix64 over the words, which mixes well enough for an
    /// identity test against text that was not written for it.
    pub(super) fn named(modulus: &Modulus, tag: u64, words: &[u64]) -> u64 {
        let mut state = 0x6a76_656c_6d61_7468 ^ tag.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for word in std::iter::once(&modulus.order).chain(words) {
            state = (state ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
            state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            state ^= state >> 31;
        }
        (state % modulus.order).max(1)
    }

    /// An element that stands for something of which no law is known.
    pub(super) fn unknown(&mut self, tag: u64, words: &[u64]) -> u64 {
        self.opaque = true;
        Self::named(self.base(), tag, words)
    }

    /// A number for a name.
    pub(super) fn tag(&self, name: &str) -> u64 {
        let words: Vec<u64> = std::iter::once(self.salt).chain(name.chars().map(u64::from)).collect();
        Self::named(self.base(), 5, &words)
    }

    /// The depth of the operator that binds the variable, if one does.
    fn binding(&self, name: &str) -> Option<u64> {
        self.scope.iter().rposition(|bound| **bound == *name).map(|at| at as u64)
    }

    /// The 2520th root of the variable's magnitude, and whether it is negative; none for a bound variable.
    pub(super) fn variable(&mut self, name: &str) -> Option<(u64, bool)> {
        if self.binding(name).is_some() {
            return None;
        }
        let at = self.names.iter().position(|known| **known == *name).unwrap_or(usize::MAX);
        Some((self.tag(name), at < 32 && self.pattern >> at & 1 == 1))
    }

    /// Whether an operator around the part that is being looked at binds the variable.
    pub(super) fn is_bound(&self, name: &str) -> bool {
        self.binding(name).is_some()
    }

    /// The class of a whole variable, with the modulus of the classes.
    pub(super) fn class(&self, name: &str) -> Option<(u64, u64)> {
        let (modulus, classes) = self.classes.first()?;
        let at = self.names.iter().position(|known| **known == *name)?;
        self.binding(name).is_none().then_some((*classes.get(at)?, *modulus))
    }

    pub(super) fn class_modulus(&self) -> u64 {
        self.classes.first().map_or(1, |(modulus, _)| *modulus)
    }

    /// The value in the base.
    pub(super) fn value(&mut self, expr: &Expr) -> Option<u64> {
        self.charge(1)?;
        let modulus = self.base();
        Some(match expr {
            Expr::Number(n) => Self::rational_in(modulus, n)?,
            Expr::Pi => {
                self.pi = true;
                Self::named(modulus, 1, &[])
            }
            Expr::Euler => {
                self.euler = true;
                self.field.generator
            }
            Expr::Imaginary => self.field.base.imaginary,
            Expr::Infinity => return None,
            Expr::Degree => self.unknown(4, &[]),
            Expr::Variable(name) => match self.variable(name) {
                Some((root, negative)) => {
                    let magnitude = modulus.pow(root, u64::from(ROOT));
                    if negative { modulus.negative(magnitude) } else { magnitude }
                }
                None => Self::named(modulus, 6, &[self.binding(name)?]),
            },
            Expr::Sum(terms) => {
                let mut sum = 0;
                for term in terms {
                    let term = self.value(term)?;
                    sum = modulus.add(sum, term);
                }
                sum
            }
            Expr::Product(_) | Expr::Power(..) | Expr::Root(..) => self.monomial(expr)?,
            Expr::Call(function, arguments) => self.call(*function, arguments)?,
            Expr::Apply(name, arguments) => {
                let mut words: Vec<u64> = name.chars().map(u64::from).collect();
                for argument in arguments {
                    words.push(self.value(argument)?);
                }
                self.unknown(11, &words)
            }
            Expr::Bound(bound) => self.bound(bound)?,
        })
    }

    /// An operator is named by what it does to which body between which ends.
    fn bound(&mut self, bound: &Bound) -> Option<u64> {
        let (kind, detail) = match bound.binder {
            Binder::Sum => (0, 0),
            Binder::Product => (1, 0),
            Binder::Integral => (2, 0),
            Binder::Limit(side) => (3, side as u64),
            Binder::Derivative(order) => (4, u64::from(order)),
        };
        let mut words = vec![kind, detail];
        for end in [&bound.from, &bound.to] {
            match end {
                // An infinite end has no value in a field.
                Some(Expr::Infinity) => words.push(1),
                Some(Expr::Product(factors)) if matches!(factors.as_slice(), [Expr::Number(n), Expr::Infinity] if *n == RBig::NEG_ONE) =>
                {
                    words.push(2);
                }
                Some(end) => words.extend([3, self.value(end)?]),
                None => words.push(4),
            }
        }
        if binds(bound) {
            self.scope.push(bound.variable.clone());
            let body = self.value(&bound.body);
            self.scope.pop();
            words.push(body?);
        } else {
            words.extend([self.tag(&bound.variable), self.value(&bound.body)?]);
        }
        Some(self.unknown(12, &words))
    }

    /// The value in the field of exponents. What has no value there of its own is named by that in the base.
    pub(super) fn exponent(&mut self, expr: &Expr) -> Option<u64> {
        self.charge(1)?;
        let modulus = self.exponents();
        Some(match expr {
            Expr::Number(n) => Self::rational_in(modulus, n)?,
            Expr::Pi => Self::named(modulus, 1, &[]),
            Expr::Imaginary => self.field.exponent.imaginary,
            Expr::Variable(name) => match self.binding(name) {
                None => Self::named(modulus, 7, &[self.tag(name)]),
                Some(at) => Self::named(modulus, 6, &[at]),
            },
            Expr::Sum(terms) => {
                let mut sum = 0;
                for term in terms {
                    let term = self.exponent(term)?;
                    sum = modulus.add(sum, term);
                }
                sum
            }
            Expr::Product(factors) => {
                let mut product = modulus.one;
                for factor in factors {
                    let factor = self.exponent(factor)?;
                    product = modulus.mul(product, factor);
                }
                product
            }
            Expr::Power(base, exponent) => match exact::value(exponent) {
                Some(whole) if whole.is_int() => {
                    let base = self.exponent(base)?;
                    integer_power(modulus, base, whole.numerator())?
                }
                _ => self.foreign(expr)?,
            },
            Expr::Call(function @ (Function::Ln | Function::Log), arguments) => {
                self.ln_call(true, *function, arguments)?
            }
            _ => self.foreign(expr)?,
        })
    }

    fn foreign(&mut self, expr: &Expr) -> Option<u64> {
        if let Some(exact) = exact::value(expr) {
            return Self::rational_in(self.exponents(), &exact);
        }
        if let Expr::Root(2, inner) = expr
            && let Expr::Number(n) = &**inner
            && let Some((_, root)) = self.field.exponent.roots.iter().find(|(p, _)| RBig::from(*p) == *n)
        {
            return Some(*root);
        }
        let value = self.value(expr)?;
        Some(Self::named(self.exponents(), 8, &[value]))
    }
}

/// A whole power in a prime field. By Fermat's little theorem the exponent counts modulo the order less one.
pub(super) fn integer_power(modulus: &Modulus, base: u64, exponent: &IBig) -> Option<u64> {
    if base == 0 {
        return (exponent.sign() == Sign::Positive && !exponent.is_zero()).then_some(0);
    }
    let reduced = exponent.unsigned_abs() % (modulus.order - 1);
    let raised = modulus.pow(base, reduced);
    if exponent.sign() == Sign::Negative { modulus.inverse(raised) } else { Some(raised) }
}
