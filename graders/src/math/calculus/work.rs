//! The bound on the work of one resolution, and the questions that the comparison engine answers.

use dashu::base::Sign;
use dashu::rational::RBig;

use super::super::expr::Expr;
use super::super::modular::{self, Finding};
use super::super::numeric::{self, Fuel};
use super::tidy;

/// The most elementary steps of one resolution.
const MAX_STEPS: u32 = 60_000;
/// The share of a full comparison's fuel that the checks of one resolution do not get.
const WITHHELD: u32 = 30_000;

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
        numeric::quotient_sign(expr, &tidy::one(), &mut self.fuel)
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
    match modular::compare(a, b) {
        Finding::Unknown => numeric::compare(a, b, fuel),
        decided => decided,
    }
}
