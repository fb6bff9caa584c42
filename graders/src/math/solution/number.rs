//! Real constants as end points: rational, algebraic, or any constant expression, with their order.

use std::cmp::Ordering;

use dashu::base::Sign;
use dashu::integer::IBig;
use dashu::rational::RBig;

use super::super::exact;
use super::super::expr::{Expr, Function};
use super::super::identity::{self, Fuel};
use super::super::modular::{self, Finding};
use super::super::polynomial::{Algebraic, Polynomial, Root, Work, rational_sign};

/// The most questions about the sign of a constant in one comparison.
const MAX_QUESTIONS: u32 = 200;
/// The largest magnitude whose whole part is looked for, as a power of two.
const MAX_WHOLE_BITS: usize = 24;

/// A real number.
#[derive(Clone, Debug)]
pub(super) enum Number {
    Rational(RBig),
    Algebraic(Algebraic),
    /// An expression without variables.
    Constant(Expr),
}

impl From<Root> for Number {
    fn from(root: Root) -> Self {
        match root {
            Root::Rational(x) => Self::Rational(x),
            Root::Algebraic(root) => Self::Algebraic(root),
        }
    }
}

impl Number {
    /// The number that a constant expression is.
    pub(super) fn of(expr: Expr) -> Self {
        match exact::value(&expr) {
            Some(x) => Self::Rational(x),
            None => Self::Constant(expr),
        }
    }
}

/// What decides questions about constants, and how much of it is left.
pub(super) struct Judge<'a> {
    fuel: &'a mut Fuel,
    pub(super) work: Work,
    questions: u32,
}

impl<'a> Judge<'a> {
    pub(super) fn new(fuel: &'a mut Fuel, work: Work) -> Self {
        Self { fuel, work, questions: MAX_QUESTIONS }
    }

    /// Leaves at most this many questions.
    pub(super) fn limit(&mut self, questions: u32) {
        self.questions = self.questions.min(questions);
    }

    fn ask(&mut self) -> Option<()> {
        self.questions = self.questions.checked_sub(1)?;
        Some(())
    }

    /// Whether two expressions are equal by value.
    pub(super) fn compare(&mut self, a: &Expr, b: &Expr) -> Finding {
        if a == b {
            return Finding::Equal;
        }
        if let (Some(x), Some(y)) = (exact::value(a), exact::value(b)) {
            return if x == y { Finding::Equal } else { Finding::Different };
        }
        if self.ask().is_none() {
            return Finding::Unknown;
        }
        identity::compare(a, b, self.fuel).finding
    }

    /// Whether two expressions are proportional; neither is zero.
    pub(super) fn proportional(&mut self, f: &Expr, g: &Expr) -> Finding {
        if self.ask().is_none() || !modular::varies(f) || !modular::varies(g) {
            return Finding::Unknown;
        }
        match identity::proportional(f, g, self.fuel) {
            Finding::Equal if may_bend(f, g) => Finding::Unknown,
            finding => finding,
        }
    }

    /// The sign of the quotient of two proportional expressions.
    pub(super) fn quotient_sign(&mut self, f: &Expr, g: &Expr) -> Option<Ordering> {
        self.ask()?;
        identity::quotient_sign(f, g, self.fuel).map(order)
    }

    /// The sign of a constant, if it is real and can be told.
    pub(super) fn sign(&mut self, constant: &Expr) -> Option<Ordering> {
        if let Some(x) = exact::value(constant) {
            return Some(rational_sign(&x));
        }
        if constant.any(&|part| matches!(part, Expr::Variable(_) | Expr::Infinity)) {
            return None;
        }
        self.ask()?;
        let zero = Expr::integer(0);
        let proof = modular::compare(constant, &zero);
        if proof.finding == Finding::Equal && !proof.domain {
            return Some(Ordering::Equal);
        }
        // Whether a number made with i is real is not looked into.
        if constant.any(&|part| matches!(part, Expr::Imaginary)) {
            return None;
        }
        if let Some(sign) = identity::quotient_sign(constant, &Expr::integer(1), self.fuel) {
            return Some(order(sign));
        }
        (identity::compare(constant, &zero, self.fuel).finding == Finding::Equal).then_some(Ordering::Equal)
    }

    /// The sign of the difference of two constants.
    pub(super) fn order_of(&mut self, a: &Expr, b: &Expr) -> Option<Ordering> {
        self.sign(&Expr::sum(vec![a.clone(), b.clone().negated()]))
    }

    /// How two numbers lie.
    pub(super) fn order(&mut self, a: &Number, b: &Number) -> Option<Ordering> {
        match (a, b) {
            (Number::Rational(a), Number::Rational(b)) => Some(a.cmp(b)),
            (Number::Algebraic(a), Number::Algebraic(b)) => a.order(b, &mut self.work),
            (Number::Rational(a), Number::Algebraic(b)) => Some(b.side(a)),
            (Number::Algebraic(a), Number::Rational(b)) => Some(a.side(b).reverse()),
            (Number::Constant(a), Number::Constant(b)) => self.order_of(a, b),
            (Number::Constant(a), Number::Rational(b)) => self.order_of(a, &Expr::Number(b.clone())),
            (Number::Rational(a), Number::Constant(b)) => self.order_of(&Expr::Number(a.clone()), b),
            (Number::Constant(a), Number::Algebraic(b)) => self.side(b, a),
            (Number::Algebraic(a), Number::Constant(b)) => self.side(a, b).map(Ordering::reverse),
        }
    }

    /// How a constant lies to an algebraic number: it is that number if it solves its polynomial and lies in
    /// its interval.
    fn side(&mut self, root: &Algebraic, constant: &Expr) -> Option<Ordering> {
        if self.order_of(constant, &Expr::Number(root.low.clone()))? != Ordering::Greater {
            return Some(Ordering::Less);
        }
        if self.order_of(constant, &Expr::Number(root.high.clone()))? != Ordering::Less {
            return Some(Ordering::Greater);
        }
        Some(match self.sign(&value(&root.polynomial, constant))? {
            Ordering::Equal => Ordering::Equal,
            sign if sign == root.polynomial.sign_at(&root.low) => Ordering::Less,
            _ => Ordering::Greater,
        })
    }

    /// The largest whole number not above this one.
    pub(super) fn floor(&mut self, number: &Number) -> Option<IBig> {
        if let Number::Rational(x) = number {
            return Some(x.floor());
        }
        let at_least = |judge: &mut Self, n: &IBig| {
            let n = Number::Rational(RBig::from(n.clone()));
            judge.order(number, &n).map(Ordering::is_ge)
        };
        let (mut low, mut high) = (IBig::NEG_ONE, IBig::ONE);
        for bits in 0.. {
            if bits > MAX_WHOLE_BITS {
                return None;
            }
            if !at_least(self, &low)? {
                low *= IBig::from(2);
            } else if at_least(self, &high)? {
                high *= IBig::from(2);
            } else {
                break;
            }
        }
        while &low + IBig::ONE < high {
            let middle = (&low + &high) >> 1;
            if at_least(self, &middle)? {
                low = middle;
            } else {
                high = middle;
            }
        }
        Some(low)
    }
}

/// The parts at which an expression bends, such as `|x - a|`. Points may all lie on one side of a bend, so
/// that two expressions with different ones are not equal because they agree at some points.
fn bends(expr: &Expr) -> Vec<&Expr> {
    fn collect<'a>(expr: &'a Expr, found: &mut Vec<&'a Expr>) {
        match expr {
            Expr::Power(base, exponent) => {
                collect(base, found);
                collect(exponent, found);
            }
            Expr::Call(Function::Abs | Function::Sign | Function::Min | Function::Max, _) => {
                if !found.contains(&expr) {
                    found.push(expr);
                }
            }
            other => other.children().iter().for_each(|part| collect(part, found)),
        }
    }
    let mut found = Vec::new();
    collect(expr, &mut found);
    found
}

/// Whether two expressions that agree at points may bend apart elsewhere.
pub(super) fn may_bend(a: &Expr, b: &Expr) -> bool {
    bends(a) != bends(b)
}

const fn order(sign: Sign) -> Ordering {
    match sign {
        Sign::Positive => Ordering::Greater,
        Sign::Negative => Ordering::Less,
    }
}

/// The value of a polynomial at an expression, by Horner's rule.
fn value(polynomial: &Polynomial, at: &Expr) -> Expr {
    let number = |c: &IBig| Expr::Number(RBig::from(c.clone()));
    let mut coefficients = polynomial.coefficients().iter().rev();
    let first = coefficients.next().map_or_else(|| Expr::integer(0), number);
    coefficients.fold(first, |so_far, coefficient| {
        let product = Expr::product(vec![so_far, at.clone()]);
        if coefficient.is_zero() { product } else { Expr::sum(vec![product, number(coefficient)]) }
    })
}
