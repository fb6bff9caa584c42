//! The set of real numbers that a condition on one variable describes.

use super::super::expr::{Domain, Expr, Relation};
use super::condition::Condition;
use super::number::{Judge, Number};
use super::relation;
use super::step::{RealSet, Step};

use dashu::rational::RBig;

/// What a condition on one variable allows.
#[derive(Clone, Debug)]
pub(super) struct Solution {
    pub(super) set: RealSet,
    /// Whether only the whole numbers of the set count.
    pub(super) whole: bool,
    /// Whether an equation has solutions that are not real and that nothing excludes.
    pub(super) complex: bool,
}

/// Solves conditions on one variable.
pub(super) struct Solver<'a, 'b> {
    pub(super) variable: &'a str,
    pub(super) judge: &'a mut Judge<'b>,
    /// The least natural number: 0 or 1.
    pub(super) least: i64,
}

impl Solver<'_, '_> {
    /// The values of the variable for which the condition holds.
    pub(super) fn solve(&mut self, condition: &Condition) -> Option<Solution> {
        match condition {
            Condition::Relation { left, relation, right } => {
                let holds = relation::holds(left, *relation, right, self.variable, self.judge)?;
                Some(Solution { set: holds.set, whole: false, complex: holds.complex })
            }
            Condition::Within(Expr::Variable(name), domain) if **name == *self.variable => {
                let set = match domain {
                    Domain::Reals => {
                        return Some(Solution { set: Step::constant(true), whole: false, complex: false });
                    }
                    Domain::Integers => Step::constant(true),
                    Domain::Naturals => {
                        let least = Number::Rational(RBig::from(self.least));
                        Step::new(false, vec![(least, true, true)])
                    }
                    _ => return None,
                };
                Some(Solution { set, whole: true, complex: false })
            }
            Condition::Within(..) => None,
            Condition::All(items) => self.all(items),
            Condition::Any(items) => self.union(items),
            Condition::Not(inner) => {
                let inner = self.solve(inner)?;
                let set = inner.set.map(|inside| !inside);
                (!inner.whole).then_some(Solution { set, whole: false, complex: false })
            }
            Condition::Listed(items, and) => {
                let all = self.all(items)?;
                if all.set.only() == Some(false) && alternatives(items, *and) {
                    self.union(items)
                } else {
                    Some(all)
                }
            }
        }
    }

    fn all(&mut self, items: &[Condition]) -> Option<Solution> {
        let mut all = Solution { set: Step::constant(true), whole: false, complex: !items.is_empty() };
        for item in items {
            let next = self.solve(item)?;
            all.set = all.set.and(&next.set, self.judge)?;
            all.whole |= next.whole;
            all.complex &= next.complex;
        }
        if all.whole && all.set.is_bounded() {
            all.set = all.set.whole_points(self.judge)?;
            all.whole = false;
        }
        Some(all)
    }

    fn union(&mut self, items: &[Condition]) -> Option<Solution> {
        let mut any = Solution { set: Step::constant(false), whole: false, complex: false };
        for (index, item) in items.iter().enumerate() {
            let next = self.solve(item)?;
            let whole = next.whole;
            if index > 0 && whole != any.whole {
                return None;
            }
            any.whole = whole;
            any.set = any.set.or(&next.set, self.judge)?;
            any.complex |= next.complex;
        }
        Some(any)
    }

    /// Whether two solutions are the same set; `None` if that cannot be told.
    pub(super) fn same(&mut self, a: &Solution, b: &Solution) -> Option<bool> {
        let apart = a.set.combined(&b.set, self.judge, |a, b| a != b)?;
        match (a.whole, b.whole) {
            (false, false) => Some(apart.only() == Some(false)),
            (true, true) => apart.has_whole(self.judge).map(|differ| !differ),
            // Whole numbers without bounds are no union of points and intervals.
            _ => Some(false),
        }
    }
}

/// Whether a list that cannot hold as a whole may mean any of its items: `x = 1 and x = 2` are the two
/// solutions, `x < 1 and x > 2` is impossible, and a comma leaves it open.
pub(super) fn alternatives(items: &[Condition], and: bool) -> bool {
    let equation = |item: &Condition| matches!(item, Condition::Relation { relation: Relation::Equal, .. });
    !and || items.iter().all(equation)
}
