//! Functions of one real variable that take finitely many values on finitely many pieces.
//!
//! A set of reals is such a function with values true and false, the sign of an expression one with three.
//! Points and pieces in between are kept apart, and a point at which nothing changes is left out, so two
//! functions are equal when they are written the same.

use std::cmp::Ordering;

use dashu::integer::IBig;
use dashu::rational::RBig;

use super::number::{Judge, Number};

/// The most points.
const MAX_POINTS: usize = 256;
/// The most whole numbers that are counted out.
const MAX_WHOLE: usize = 256;

/// A function that is constant between its points.
#[derive(Clone, Debug)]
pub(super) struct Step<T> {
    /// The value before the first point.
    first: T,
    /// In ascending order, with the values at and after each.
    points: Vec<(Number, T, T)>,
}

/// A set of reals: a finite union of points and intervals.
pub(super) type RealSet = Step<bool>;

impl<T: Copy + Eq> Step<T> {
    pub(super) fn constant(value: T) -> Self {
        Self { first: value, points: Vec::new() }
    }

    /// From points in ascending order, each with the values at it and after it.
    pub(super) fn new(first: T, points: Vec<(Number, T, T)>) -> Self {
        let mut step = Self::constant(first);
        for (number, at, after) in points {
            step.push(number, at, after);
        }
        step
    }

    fn last(&self) -> T {
        self.points.last().map_or(self.first, |(_, _, after)| *after)
    }

    fn push(&mut self, number: Number, at: T, after: T) {
        if self.last() != at || at != after {
            self.points.push((number, at, after));
        }
    }

    /// The only value, if there is only one.
    pub(super) fn only(&self) -> Option<T> {
        self.points.is_empty().then_some(self.first)
    }

    /// The value at a number.
    #[cfg(test)]
    pub(super) fn at(&self, x: &Number, judge: &mut Judge<'_>) -> Option<T> {
        let mut value = self.first;
        for (number, at, after) in &self.points {
            match judge.order(number, x)? {
                Ordering::Less => value = *after,
                Ordering::Equal => return Some(*at),
                Ordering::Greater => break,
            }
        }
        Some(value)
    }

    pub(super) fn map<U: Copy + Eq>(&self, to: impl Fn(T) -> U) -> Step<U> {
        let points = self.points.iter().map(|(number, at, after)| (number.clone(), to(*at), to(*after)));
        Step::new(to(self.first), points.collect())
    }

    /// The function made of the values of both. `None` if two points cannot be told apart or ordered.
    pub(super) fn combined<U: Copy + Eq, V: Copy + Eq>(
        &self,
        other: &Step<U>,
        judge: &mut Judge<'_>,
        with: impl Fn(T, U) -> V,
    ) -> Option<Step<V>> {
        if self.points.len() + other.points.len() > MAX_POINTS {
            return None;
        }
        let (mut left, mut right) = (self.points.iter().peekable(), other.points.iter().peekable());
        let (mut a, mut b) = (self.first, other.first);
        let mut step = Step::constant(with(a, b));
        loop {
            let order = match (left.peek(), right.peek()) {
                (None, None) => return Some(step),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((x, ..)), Some((y, ..))) => judge.order(x, y)?,
            };
            let (mut at_a, mut at_b, mut number) = (a, b, None);
            if order.is_le() {
                let (x, at, after) = left.next()?;
                (at_a, a, number) = (*at, *after, Some(x));
            }
            if order.is_ge() {
                let (y, at, after) = right.next()?;
                (at_b, b, number) = (*at, *after, number.or(Some(y)));
            }
            step.push(number?.clone(), with(at_a, at_b), with(a, b));
        }
    }
}

impl RealSet {
    pub(super) fn and(&self, other: &Self, judge: &mut Judge<'_>) -> Option<Self> {
        self.combined(other, judge, |a, b| a && b)
    }

    pub(super) fn or(&self, other: &Self, judge: &mut Judge<'_>) -> Option<Self> {
        self.combined(other, judge, |a, b| a || b)
    }

    /// Whether a whole number is in the set.
    pub(super) fn has_whole(&self, judge: &mut Judge<'_>) -> Option<bool> {
        if !self.is_bounded() {
            return Some(true);
        }
        Some(!self.whole(judge)?.is_empty())
    }

    /// The whole numbers of the set as a set; `None` if there are too many of them.
    pub(super) fn whole_points(&self, judge: &mut Judge<'_>) -> Option<Self> {
        let whole = self.whole(judge)?;
        let points = whole.into_iter().map(|n| (Number::Rational(RBig::from(n)), true, false));
        Some(Self::new(false, points.collect()))
    }

    /// Whether the set lies between two numbers.
    pub(super) fn is_bounded(&self) -> bool {
        !self.first && !self.last()
    }

    /// The whole numbers of a bounded set.
    fn whole(&self, judge: &mut Judge<'_>) -> Option<Vec<IBig>> {
        if !self.is_bounded() {
            return None;
        }
        let mut found = Vec::new();
        let mut ends = self.points.iter().skip(1);
        for (number, at, after) in &self.points {
            let end = ends.next();
            let floor = judge.floor(number)?;
            let whole = Number::Rational(RBig::from(floor.clone()));
            if *at && judge.order(number, &whole)?.is_eq() {
                found.push(floor.clone());
            }
            let Some((end, ..)) = end.filter(|_| *after) else { continue };
            let mut next = floor + IBig::ONE;
            while judge.order(&Number::Rational(RBig::from(next.clone())), end)?.is_lt() {
                if found.len() >= MAX_WHOLE {
                    return None;
                }
                found.push(next.clone());
                next += IBig::ONE;
            }
        }
        Some(found)
    }
}
