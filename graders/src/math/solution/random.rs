//! Findings about random relations against their truth at points.

#![expect(clippy::many_single_char_names, reason = "two of everything, named as in a formula")]

use dashu::rational::RBig;

use super::super::expr::{Expr, Function, Relation, Value};
use super::super::identity::Fuel;
use super::super::modular::Finding;
use super::super::polynomial::Work;
use super::number::{Judge, Number};
use super::{compare, relation};

/// A generator of small expressions in `x`, with their value in floating point where it is real.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn expr(&mut self, depth: u32) -> Expr {
        let number = |n: u64| Expr::integer(n.cast_signed() - 4);
        let inner = depth.saturating_sub(1);
        match self.below(if depth == 0 { 2 } else { 8 }) {
            0 => number(self.below(9)),
            1 => Expr::Variable("x".into()),
            2 | 3 => Expr::sum(vec![self.expr(inner), self.expr(inner)]),
            4 | 5 => Expr::product(vec![self.expr(inner), self.expr(inner)]),
            6 => match self.below(3) {
                0 => Expr::Root(2, Box::new(self.expr(inner))),
                1 => Expr::Root(3, Box::new(self.expr(inner))),
                _ => Expr::Call(Function::Abs, vec![self.expr(inner)]),
            },
            _ => Expr::Power(Box::new(self.expr(inner)), Box::new(Expr::integer(-1))),
        }
    }
}

fn float(expr: &Expr, x: f64) -> f64 {
    match expr {
        Expr::Number(n) => n.to_f64().value(),
        Expr::Variable(_) => x,
        Expr::Sum(terms) => terms.iter().map(|term| float(term, x)).sum(),
        Expr::Product(factors) => factors.iter().map(|factor| float(factor, x)).product(),
        Expr::Power(base, exponent) => {
            let (base, exponent) = (float(base, x), float(exponent, x));
            // A pole has no value.
            if base.abs() < 1e-9 && exponent < 0.0 { f64::NAN } else { base.powf(exponent) }
        }
        Expr::Root(2, inner) => float(inner, x).sqrt(),
        Expr::Root(_, inner) => float(inner, x).cbrt(),
        Expr::Call(_, inner) => float(&inner[0], x).abs(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn solutions_are_where_the_relation_holds() {
    let mut random = Random(7);
    let mut solved = 0;
    for _ in 0..600 {
        let (left, right) = (random.expr(3), random.expr(2));
        let relation = [Relation::Less, Relation::LessOrEqual, Relation::NotEqual][random.below(3) as usize];
        let fuel = &mut Fuel::full();
        let judge = &mut Judge::new(fuel, Work::new(100_000));
        let Some(holds) = relation::holds(&left, relation, &right, "x", judge) else { continue };
        solved += 1;
        for step in -40..=40 {
            let x = f64::from(step) / 7.0 + 0.01;
            let at = Number::Rational(RBig::from_parts((step * 100 + 7).into(), 700_u32.into()));
            let difference = float(&left, x) - float(&right, x);
            let expected = match relation {
                _ if difference.is_nan() => false,
                // Too near to zero for floating point.
                _ if difference.abs() < 1e-9 => continue,
                Relation::NotEqual => true,
                _ => difference < 0.0,
            };
            let found = holds.set.at(&at, &mut Judge::new(&mut Fuel::full(), Work::new(100_000)));
            assert_eq!(found, Some(expected), "{left:?} {relation:?} {right:?} at {x}");
        }
    }
    assert!(solved > 300, "{solved} of 600 were solved");
}

#[test]
fn findings_agree_with_points() {
    let mut random = Random(11);
    let chain = |left: &Expr, relation: Relation, right: &Expr| Value::Chain {
        sides: vec![left.clone(), right.clone()],
        relations: vec![relation],
    };
    let relations = [Relation::Less, Relation::LessOrEqual, Relation::NotEqual, Relation::Greater];
    let (mut equal, mut different) = (0, 0);
    for _ in 0..400 {
        let sides: [Expr; 4] = std::array::from_fn(|_| random.expr(2));
        let [p, q] = std::array::from_fn(|_| relations[random.below(4) as usize]);
        let [l, r, m, s] = &sides;
        let (a, b) = (chain(l, p, r), chain(m, q, s));
        let finding = |a: &Value, b: &Value| compare(a, b, &mut Fuel::full()).map(|found| found.finding);
        // The same, written in another way.
        let tripled = |side: &Expr| Expr::sum(vec![Expr::product(vec![Expr::integer(3), side.clone()])]);
        let again = chain(&tripled(r), p.flipped(), &tripled(l));
        assert_ne!(finding(&a, &again), Some(Finding::Different), "{a:?} {again:?}");
        let truth = |left: &Expr, relation: Relation, right: &Expr, x: f64| {
            let difference = float(left, x) - float(right, x);
            match relation {
                _ if difference.is_nan() => Some(false),
                _ if difference.abs() < 1e-9 => None,
                Relation::NotEqual => Some(true),
                Relation::Greater => Some(difference > 0.0),
                _ => Some(difference < 0.0),
            }
        };
        let mut points = (-40..=40).map(|step| f64::from(step) / 7.0 + 0.01);
        let apart = points.find(|x| {
            let (a, b) = (truth(l, p, r, *x), truth(m, q, s, *x));
            a.is_some() && b.is_some() && a != b
        });
        match finding(&a, &b) {
            Some(Finding::Equal) => {
                equal += 1;
                assert_eq!(apart, None, "{a:?} {b:?}");
            }
            Some(Finding::Different) => different += 1,
            // Where the points differ and both could be solved, that is found out.
            _ => {}
        }
    }
    assert!(equal > 3 && different > 80, "{equal} {different}");
}
