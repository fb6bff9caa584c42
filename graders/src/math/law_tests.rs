//! Tests that laws of real numbers are proved only where they hold.

use super::tests::expr;
use super::*;

/// A small generator of pseudo-random numbers, so that the test is the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn expr(&mut self, depth: u32) -> Expr {
        let fraction = |top: i64, bottom: u64| {
            Expr::Number(dashu::rational::RBig::from_parts(top.into(), bottom.into()))
        };
        if depth == 0 {
            return match self.below(9) {
                0..=2 => expr("x"),
                3 | 4 => expr("y"),
                5 => Expr::integer(2),
                6 => Expr::integer(-3),
                7 => fraction(1, 4),
                _ => Expr::Pi,
            };
        }
        let power = |base: Expr, exponent: Expr| Expr::Power(Box::new(base), Box::new(exponent));
        let inner = self.expr(depth - 1);
        match self.below(16) {
            0..=2 => Expr::sum(vec![inner, self.expr(depth - 1)]),
            3..=5 => Expr::product(vec![inner, self.expr(depth - 1)]),
            6 => power(inner, Expr::integer(2)),
            7 => power(inner, Expr::integer(-1)),
            8 => power(inner, Expr::integer(3)),
            9 => power(
                inner,
                fraction([1, 2, 3, -1, -3][self.below(5) as usize], [2, 3, 4][self.below(3) as usize]),
            ),
            10 => Expr::Root([2, 3][self.below(2) as usize], Box::new(inner)),
            11 => Expr::Call(Function::Abs, vec![inner]),
            12 => Expr::Call(Function::Ln, vec![inner]),
            13 => power(Expr::Euler, inner),
            14 => power(inner, self.expr(depth - 1)),
            _ => {
                Expr::Call([Function::Sin, Function::Cos, Function::Tan][self.below(3) as usize], vec![inner])
            }
        }
    }

    /// Two sides of a law that holds for some arguments or for all.
    fn law(&mut self) -> (Expr, Expr) {
        let size = |dice: &mut Self| u32::try_from(dice.below(3)).unwrap();
        let power =
            |base: &Expr, exponent: &Expr| Expr::Power(Box::new(base.clone()), Box::new(exponent.clone()));
        let call = |function: Function, argument: Expr| Expr::Call(function, vec![argument]);
        let root = |degree: u32, inner: Expr| Expr::Root(degree, Box::new(inner));
        let times = |a: &Expr, b: &Expr| Expr::product(vec![a.clone(), b.clone()]);
        let depth = size(self);
        let a = self.expr(depth);
        let depth = size(self);
        let b = self.expr(depth);
        let two = Expr::integer(2);
        let half = Expr::integer(2).inverse();
        match self.below(20) {
            0 => (root(2, times(&a, &b)), times(&root(2, a), &root(2, b))),
            1 => (
                call(Function::Ln, times(&a, &b)),
                Expr::sum(vec![call(Function::Ln, a), call(Function::Ln, b)]),
            ),
            2 => (root(2, power(&a, &two)), a),
            3 => (root(2, power(&a, &two)), call(Function::Abs, a)),
            4 => (call(Function::Ln, power(&a, &two)), times(&two, &call(Function::Ln, a))),
            5 => (power(&Expr::Euler, &call(Function::Ln, a.clone())), a),
            6 => (call(Function::Ln, power(&Expr::Euler, &a)), a),
            7 => (power(&power(&a, &b), &two), power(&a, &times(&two, &b))),
            8 => (power(&power(&a, &two), &b), power(&a, &times(&two, &b))),
            9 => (power(&times(&a, &b), &half), times(&power(&a, &half), &power(&b, &half))),
            10 => (call(Function::Abs, times(&a, &b)), times(&a, &call(Function::Abs, b))),
            11 => (root(3, power(&a, &two)), power(&root(3, a), &two)),
            12 => (root(3, times(&a, &b)), times(&root(3, a), &root(3, b))),
            13 => (power(&Expr::Euler, &times(&half, &call(Function::Ln, power(&a, &two)))), a),
            14 => (times(&root(2, a.clone()), &root(2, a.clone())), call(Function::Abs, a)),
            15 => (times(&root(2, times(&a, &b)), &root(2, times(&a, &b))), times(&a, &b)),
            16 => (times(&root(2, times(&a, &b)), &root(2, a.clone())), times(&a, &root(2, b))),
            17 => (
                call(Function::Sin, Expr::sum(vec![a.clone(), b.clone()])),
                Expr::sum(vec![
                    times(&call(Function::Sin, a.clone()), &call(Function::Cos, b.clone())),
                    times(&call(Function::Cos, a), &call(Function::Sin, b)),
                ]),
            ),
            18 => (
                power(&a, &Expr::sum(vec![b.clone(), half.clone()])),
                times(&power(&a, &b), &power(&a, &half)),
            ),
            _ => (root(2, power(&a, &b)), power(&a, &times(&half, &b))),
        }
    }
}

#[test]
fn laws_are_proved_only_where_they_hold() {
    let mut dice = Dice(7);
    let (mut proved, mut refuted) = (0, 0);
    let mut found = Vec::new();
    for _ in 0..6_000 {
        let (left, right) = dice.law();
        // Inside of something else, so that a sign that was lost shows in another place.
        let (left, right) = match dice.below(4) {
            0 => (Expr::sum(vec![left, expr("x")]), Expr::sum(vec![right, expr("x")])),
            1 => (Expr::Call(Function::Abs, vec![left]), Expr::Call(Function::Abs, vec![right])),
            2 => (Expr::product(vec![left, expr("y")]), Expr::product(vec![right, expr("y")])),
            _ => (left, right),
        };
        let names = variables(&[&left, &right]);
        let mut seen = Seen::new();
        seen.look(&left, &right, Sample::real(&names), false);
        seen.look(&left, &right, Sample::signed(&names), false);
        match modular::compare(&left, &right).finding {
            Finding::Equal if seen.apart.is_some() => found.push(format!("proved: {left:?} {right:?}")),
            Finding::Different if seen.apart.is_none() && seen.usable.len() > 1 => {
                found.push(format!("refuted: {left:?} {right:?}"));
            }
            Finding::Equal => proved += 1,
            _ => refuted += u32::from(seen.apart.is_some()),
        }
    }
    assert!(found.is_empty(), "{} {:#?}", found.len(), found.iter().take(12).collect::<Vec<_>>());
    // Both happen often enough to mean something.
    assert!(proved > 1_000 && refuted > 300, "{proved} {refuted}");
}
