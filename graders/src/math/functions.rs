//! The parser's named functions and their arguments.

use dashu::rational::RBig;

use super::exact;
use super::expr::{Expr, Function, Value};
use super::lexer::{Named, Token};
use super::matrix;
use super::parser::{Parser, UNNAMED_BASE, expr};
use super::terms::root;

impl Parser<'_, '_> {
    /// A function and its argument.
    pub(super) fn application(&mut self, named: Named) -> Option<Value> {
        if named == Named::Det {
            return match self.deeper(Self::primary)? {
                Value::Matrix(rows) => matrix::determinant(&rows).map(Value::Expr),
                _ => None,
            };
        }
        let (mut base, mut exponent) = (None, None);
        loop {
            if base.is_none() && self.mark('_') {
                self.at += 1;
                base = Some(self.argument()?);
            } else if exponent.is_none() && self.mark('^') {
                self.at += 1;
                let negative = self.signs();
                let raised = self.argument()?;
                exponent = Some(if negative { raised.negated() } else { raised });
            } else {
                break;
            }
        }
        let arguments = self.arguments()?;
        let applied = apply(named, base, &mut exponent, arguments)?;
        Some(Value::Expr(match exponent {
            Some(exponent) => Expr::Power(Box::new(applied), Box::new(exponent)),
            None => applied,
        }))
    }

    /// The arguments of a function: those in brackets, or the product that follows.
    fn arguments(&mut self) -> Option<Vec<Expr>> {
        let radians = Expr::degree_in_radians();
        let radian = |argument: Expr| argument.with_degree(&radians);
        if matches!(self.peek(), Some(Token::Mark('(' | '{' | '[' | '⦃'))) {
            return match self.deeper(Self::primary)? {
                Value::Tuple { open: '(', close: ')', items } | Value::List(items, _) => {
                    items.into_iter().map(|item| expr(item).map(radian)).collect()
                }
                Value::Set(items) if items.len() > 1 => {
                    items.into_iter().map(|item| expr(item).map(radian)).collect()
                }
                other => {
                    // `\sin (\pi/7)^2` squares the argument's bracket, as it is written.
                    let inner = expr(other)?;
                    Some(vec![radian(inner)])
                }
            };
        }
        let negative = self.signs();
        let number = matches!(self.peek(), Some(Token::Number { .. }));
        let mut factors = vec![expr(self.power()?)?];
        while self.differential.is_none()
            && self.starts_factor()
            && !matches!(
                self.peek(),
                Some(
                    Token::Function(_)
                        | Token::Integral(_)
                        | Token::Operator(_)
                        | Token::Limit
                        | Token::Begin(_)
                )
            )
            && !self.differential_follows()
            && (number || !matches!(self.peek(), Some(Token::Mark('(' | '[' | '|' | '⦃'))))
        {
            factors.push(expr(self.power()?)?);
        }
        let argument = Expr::product(factors);
        Some(vec![radian(if negative { argument.negated() } else { argument })])
    }

    /// Whether the `dx` of an open integral comes next.
    fn differential_follows(&mut self) -> bool {
        self.integrals > 0
            && self.peek() == Some(&Token::Symbol("d"))
            && matches!(self.peek_at(1), Some(Token::Symbol(_)))
    }
}

fn only(arguments: Vec<Expr>) -> Option<Expr> {
    let [only] = <[Expr; 1]>::try_from(arguments).ok()?;
    Some(only)
}

/// A named function of its arguments; an exponent that means the inverse function is taken.
fn apply(
    named: Named,
    base: Option<Expr>,
    exponent: &mut Option<Expr>,
    arguments: Vec<Expr>,
) -> Option<Expr> {
    if base.is_some() && !matches!(named, Named::Log | Named::Ln) {
        return None;
    }
    let function = match named {
        Named::Sqrt => return Some(root(&Expr::integer(2), only(arguments)?)),
        Named::Cbrt => return Some(root(&Expr::integer(3), only(arguments)?)),
        Named::Exp => return Some(Expr::Power(Box::new(Expr::Euler), Box::new(only(arguments)?))),
        Named::Lg => return Some(Expr::Call(Function::Log, vec![Expr::integer(10), only(arguments)?])),
        Named::Lb => return Some(Expr::Call(Function::Log, vec![Expr::integer(2), only(arguments)?])),
        Named::Ln if base.is_none() => return Some(Expr::Call(Function::Ln, arguments)),
        Named::Log | Named::Ln => {
            let base = base.unwrap_or_else(|| Expr::Variable(UNNAMED_BASE.into()));
            return Some(Expr::Call(Function::Log, vec![base, only(arguments)?]));
        }
        Named::Det => return None,
        Named::Plain(function) => function,
    };
    if let Some(minus) = exponent
        && exact::value(minus) == Some(RBig::NEG_ONE)
        && let Some(inverse) = inverse(function)
    {
        *exponent = None;
        return Some(Expr::Call(inverse, vec![only(arguments)?]));
    }
    let many = matches!(function, Function::Min | Function::Max | Function::Gcd | Function::Lcm);
    match (many, arguments.len()) {
        // The largest of one number is that number.
        (true, 1) => only(arguments),
        (true, 2..) | (false, 1) => Some(Expr::Call(function, arguments)),
        _ => None,
    }
}

/// The function that `f^{-1}` names.
const fn inverse(function: Function) -> Option<Function> {
    use Function as F;
    Some(match function {
        F::Sin => F::Arcsin,
        F::Cos => F::Arccos,
        F::Tan => F::Arctan,
        F::Cot => F::Arccot,
        F::Sec => F::Arcsec,
        F::Csc => F::Arccsc,
        F::Sinh => F::Arsinh,
        F::Cosh => F::Arcosh,
        F::Tanh => F::Artanh,
        F::Coth => F::Arcoth,
        F::Sech => F::Arsech,
        F::Csch => F::Arcsch,
        _ => return None,
    })
}
