//! The bound on the work of one resolution, and the questions that the comparison engine answers.

use dashu::base::Sign;
use dashu::rational::RBig;

use super::super::expr::{Expr, Function};
use super::super::identity::{self, Fuel};
use super::super::modular::{self, Finding};
use super::tidy;

/// The most elementary steps of one resolution.
const MAX_STEPS: u32 = 8_000;
/// The share of a full comparison's fuel that the checks of one resolution do not get.
const WITHHELD: u32 = 5_000;

/// The most different arguments of functions that are told apart.
const MAX_ANGLES: usize = 64;

pub(super) struct Work {
    steps: u32,
    fuel: Fuel,
}

impl Work {
    pub(super) fn new() -> Self {
        let mut fuel = Fuel::full();
        // What is left after this is what the checks may use; with less in store they get all of it.
        let _ = fuel.burn(WITHHELD);
        Self { steps: MAX_STEPS, fuel }
    }

    /// Takes a number of steps, if there are as many.
    pub(super) fn step(&mut self, steps: usize) -> Option<()> {
        self.steps = self.steps.checked_sub(u32::try_from(steps).ok()?)?;
        Some(())
    }

    /// Whether two expressions are equal, as far as the comparison engine can tell.
    pub(super) fn compare(&mut self, a: &Expr, b: &Expr) -> Finding {
        compared(a, b, &mut self.fuel)
    }

    pub(super) fn equal(&mut self, a: &Expr, b: &Expr) -> bool {
        self.compare(a, b) == Finding::Equal
    }

    /// Whether an expression is zero, when that can be told.
    pub(super) fn is_zero(&mut self, expr: &Expr) -> Option<bool> {
        match expr {
            Expr::Number(n) => return Some(n.is_zero()),
            Expr::Pi | Expr::Euler | Expr::Imaginary | Expr::Variable(_) => return Some(false),
            Expr::Product(factors) => {
                let mut zero = false;
                for factor in factors {
                    zero |= self.is_zero(factor)?;
                }
                return Some(zero);
            }
            Expr::Power(base, exponent) if matches!(**exponent, Expr::Number(_)) => {
                return self.is_zero(base).filter(|zero| !zero);
            }
            Expr::Power(base, _) if matches!(**base, Expr::Euler) => return Some(false),
            _ => {}
        }
        self.step(20)?;
        match self.compare(expr, &tidy::zero()) {
            Finding::Equal => Some(true),
            Finding::Different => Some(false),
            Finding::Unknown => None,
        }
    }

    /// The sign of a constant that is not zero, when it can be told.
    pub(super) fn sign(&mut self, expr: &Expr) -> Option<Sign> {
        if let Expr::Number(n) = expr {
            return (!n.is_zero()).then(|| if *n > RBig::ZERO { Sign::Positive } else { Sign::Negative });
        }
        if expr.any(&|part| matches!(part, Expr::Variable(_) | Expr::Imaginary)) {
            return None;
        }
        self.step(20)?;
        identity::quotient_sign(expr, &tidy::one(), &mut self.fuel)
    }

    /// Whether a constant is positive (or a parameter is in it, which is taken to be positive).
    pub(super) fn maybe_positive(&mut self, expr: &Expr) -> bool {
        if expr.any(&|part| matches!(part, Expr::Imaginary)) {
            return false;
        }
        expr.any(&|part| matches!(part, Expr::Variable(_))) || self.sign(expr) == Some(Sign::Positive)
    }
}

/// Whether two expressions are equal, with the fuel given.
pub(super) fn compared(a: &Expr, b: &Expr, fuel: &mut Fuel) -> Finding {
    if a == b {
        return Finding::Equal;
    }
    let proof = modular::compare(a, b);
    match proof.finding {
        Finding::Equal if !proof.domain => return Finding::Equal,
        Finding::Different => return Finding::Different,
        _ => {}
    }
    let mut angles = Vec::new();
    let (x, y) = (algebraic(a, &mut angles), algebraic(b, &mut angles));
    if angles.len() <= MAX_ANGLES && modular::compare(&x, &y).finding == Finding::Equal {
        return Finding::Equal;
    }
    identity::compare(a, b, fuel).finding
}

/// The expression with the functions of each angle written by the tangent of its half, and with square roots
/// only to the first power: what is equal in this form is equal. The angles are taken for independent and so
/// nothing follows from a difference.
fn algebraic(expr: &Expr, angles: &mut Vec<Expr>) -> Expr {
    let mut all = |parts: &[Expr]| parts.iter().map(|part| algebraic(part, angles)).collect::<Vec<_>>();
    match expr {
        Expr::Sum(terms) => Expr::Sum(all(terms)),
        Expr::Product(factors) => Expr::Product(all(factors)),
        Expr::Power(base, exponent) => {
            let (inner, outer) = (algebraic(base, angles), algebraic(exponent, angles));
            let Expr::Number(n) = &**exponent else { return Expr::Power(Box::new(inner), Box::new(outer)) };
            if *n.denominator() != dashu::integer::UBig::from(2_u8) {
                return Expr::Power(Box::new(inner), Box::new(outer));
            }
            let half = RBig::from_parts(1.into(), 2_u8.into());
            let whole = Expr::Power(Box::new(inner.clone()), Box::new(Expr::Number(n - half)));
            Expr::Product(vec![whole, Expr::Root(2, Box::new(inner))])
        }
        Expr::Call(function, arguments) => {
            let [angle] = arguments.as_slice() else { return expr.clone() };
            let index = angles.iter().position(|other| other == angle).unwrap_or_else(|| {
                angles.push(angle.clone());
                angles.len() - 1
            });
            let t = tidy::variable(&format!("\\t{index}"));
            let square = tidy::pow(t.clone(), Expr::integer(2));
            let below = tidy::add2(tidy::one(), square.clone());
            let beyond = tidy::sub(tidy::one(), square);
            let twice = tidy::mul2(Expr::integer(2), t);
            match function {
                Function::Sin => tidy::div(twice, below),
                Function::Cos => tidy::div(beyond, below),
                Function::Tan => tidy::div(twice, beyond),
                Function::Cot => tidy::div(beyond, twice),
                Function::Sec => tidy::div(below, beyond),
                Function::Csc => tidy::div(below, twice),
                _ => expr.clone(),
            }
        }
        other => other.clone(),
    }
}
