//! Arithmetic expressions: their text, their exact value and the steps to it.

use super::rational::Rational;

/// A binary operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
}

impl Operator {
    pub(crate) const fn symbol(self) -> char {
        match self {
            Self::Add => '+',
            Self::Subtract => '-',
            Self::Multiply => '*',
            Self::Divide => '/',
        }
    }

    const fn precedence(self) -> u8 {
        match self {
            Self::Add | Self::Subtract => 1,
            Self::Multiply | Self::Divide => 2,
        }
    }

    /// `None` for a division by zero and beyond the range of the numbers.
    pub(crate) fn apply(self, left: Rational, right: Rational) -> Option<Rational> {
        match self {
            Self::Add => left.plus(right),
            Self::Subtract => left.minus(right),
            Self::Multiply => left.times(right),
            Self::Divide => left.over(right),
        }
    }
}

/// An expression. Generators keep it to a few operators, so recursion over it is shallow.
#[derive(Clone, Debug)]
pub(crate) enum Expression {
    /// A number with the digits after the point that it is written with.
    Number(Rational, usize),
    /// Two expressions under an operator.
    Binary(Box<Self>, Operator, Box<Self>),
}

impl Expression {
    pub(crate) fn whole(number: i64) -> Self {
        Self::Number(number.into(), 0)
    }

    pub(crate) fn binary(left: Self, operator: Operator, right: Self) -> Self {
        Self::Binary(Box::new(left), operator, Box::new(right))
    }

    /// The text, with the parentheses that its structure needs.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Number(value, places) => value.fixed(*places).unwrap_or_else(|| value.to_string()),
            Self::Binary(left, operator, right) => {
                let own = operator.precedence();
                let left = if left.precedence() < own { format!("({})", left.text()) } else { left.text() };
                let right =
                    if right.precedence() <= own { format!("({})", right.text()) } else { right.text() };
                format!("{left} {} {right}", operator.symbol())
            }
        }
    }

    const fn precedence(&self) -> u8 {
        match self {
            Self::Number(..) => 3,
            Self::Binary(_, operator, _) => operator.precedence(),
        }
    }

    /// The exact value, with one line for each operation on the way to it.
    pub(crate) fn work(&self, steps: &mut Vec<String>) -> Option<Rational> {
        match self {
            Self::Number(value, _) => Some(*value),
            Self::Binary(left, operator, right) => {
                let left = left.work(steps)?;
                let right = right.work(steps)?;
                let value = operator.apply(left, right)?;
                steps.push(format!(
                    "{} {} {} = {}",
                    operand(left),
                    operator.symbol(),
                    operand(right),
                    value.decimal()
                ));
                Some(value)
            }
        }
    }

    /// A text that is the same for expressions that differ only in the order of summands and factors.
    pub(crate) fn identity(&self) -> String {
        let (mut parts, mark) = match self {
            Self::Number(value, _) => return value.to_string(),
            Self::Binary(_, Operator::Add | Operator::Subtract, _) => (Vec::new(), "sum"),
            Self::Binary(_, Operator::Multiply | Operator::Divide, _) => (Vec::new(), "product"),
        };
        self.flatten(self.precedence(), false, &mut parts);
        parts.sort_unstable();
        format!("{mark}({})", parts.join(","))
    }

    /// The operands of a chain of operators of one precedence; `inverse` ones are subtracted or divided by.
    fn flatten(&self, precedence: u8, inverse: bool, parts: &mut Vec<String>) {
        match self {
            Self::Binary(left, operator, right) if operator.precedence() == precedence => {
                left.flatten(precedence, inverse, parts);
                let inverts = matches!(operator, Operator::Subtract | Operator::Divide);
                right.flatten(precedence, inverse != inverts, parts);
            }
            other => parts.push(format!("{}{}", if inverse { '~' } else { ' ' }, other.identity())),
        }
    }
}

/// A value inside a step: in parentheses where its sign or fraction bar could be misread.
fn operand(value: Rational) -> String {
    let text = value.decimal();
    if text.contains(['/', '-']) { format!("({text})") } else { text }
}

#[cfg(test)]
mod tests {
    use super::{Expression, Operator};

    fn of(left: Expression, operator: Operator, right: Expression) -> Expression {
        Expression::binary(left, operator, right)
    }

    #[test]
    fn parentheses_stand_where_the_structure_needs_them() {
        let n = Expression::whole;
        let sum = of(n(1), Operator::Add, n(2));
        assert_eq!(of(sum.clone(), Operator::Multiply, n(3)).text(), "(1 + 2) * 3");
        assert_eq!(of(n(3), Operator::Subtract, sum.clone()).text(), "3 - (1 + 2)");
        assert_eq!(of(sum, Operator::Subtract, n(3)).text(), "1 + 2 - 3");
    }

    #[test]
    fn work_shows_each_operation() {
        let n = Expression::whole;
        let expression = of(of(n(3), Operator::Subtract, n(5)), Operator::Divide, n(3));
        let mut steps = Vec::new();
        assert_eq!(expression.work(&mut steps).unwrap().to_string(), "-2/3");
        assert_eq!(steps, ["3 - 5 = -2", "(-2) / 3 = -2/3"]);
    }

    #[test]
    fn the_order_of_summands_and_factors_makes_no_other_problem() {
        let n = Expression::whole;
        let a = of(of(n(1), Operator::Add, n(2)), Operator::Subtract, n(3));
        let b = of(n(2), Operator::Subtract, of(n(3), Operator::Subtract, n(1)));
        assert_eq!(a.identity(), b.identity());
        let c = of(n(1), Operator::Subtract, of(n(2), Operator::Add, n(3)));
        assert_ne!(a.identity(), c.identity());
    }
}
