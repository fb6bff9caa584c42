//! The parser's operators with a bound variable: sums, products, integrals, limits and derivatives.

use super::exact;
use super::expr::{Binder, Bound, Expr, Relation, Side};
use super::lexer::Token;
use super::parser::{Parser, expr};

/// The highest order of a derivative that is read.
const MAX_ORDER: i64 = 16;

fn bound(binder: Binder, variable: &str, body: Expr, from: Option<Expr>, to: Option<Expr>) -> Expr {
    // The letters of constants are variables where they are bound.
    let body = match variable {
        "i" => body.replaced(&Expr::Imaginary, &Expr::Variable("i".into())),
        "e" => body.replaced(&Expr::Euler, &Expr::Variable("e".into())),
        _ => body,
    };
    Expr::Bound(Box::new(Bound { binder, variable: variable.into(), body, from, to }))
}

impl Parser<'_, '_> {
    /// `\sum_{k=1}^{n}` or `\prod`, in either order of the ends.
    pub(super) fn repeated(&mut self, binder: Binder) -> Option<Expr> {
        let (mut variable, mut from, mut to) = (None, None, None);
        for _ in 0..2 {
            if variable.is_none() && self.mark('_') {
                self.at += 1;
                let (name, start) = self.start()?;
                (variable, from) = (Some(name), start);
            } else if to.is_none() && self.mark('^') {
                self.at += 1;
                let negative = self.signs();
                let end = self.end()?;
                to = Some(if negative { end.negated() } else { end });
            }
        }
        let body = expr(self.body()?)?;
        Some(bound(binder, &variable?, body, from, to))
    }

    /// The end of a range; the `_` after it begins the other end and no subscript.
    fn end(&mut self) -> Option<Expr> {
        if let (Some(Token::Symbol(name)), Some(Token::Mark('_'))) = (self.peek(), self.peek_at(1)) {
            self.at += 1;
            return Some(match *name {
                "π" => Expr::Pi,
                "e" => Expr::Euler,
                name => Expr::Variable(name.into()),
            });
        }
        self.argument()
    }

    /// What a sum or limit extends over: the product that follows.
    fn body(&mut self) -> Option<super::expr::Value> {
        let negative = self.signs();
        self.product(negative)
    }

    /// `{k=1}`, or a name alone.
    fn start(&mut self) -> Option<(Box<str>, Option<Expr>)> {
        if let Some(Token::Symbol(name)) = self.peek() {
            self.at += 1;
            return Some(((*name).into(), None));
        }
        if !self.take('{') {
            return None;
        }
        let name: Box<str> = self.name()?;
        let from = match self.peek()? {
            // `n ≥ 1` runs from 1 without end.
            Token::Relation(Relation::Equal | Relation::GreaterOrEqual) => {
                self.at += 1;
                Some(expr(self.sum()?)?)
            }
            _ => None,
        };
        self.take('}').then_some((name, from))
    }

    fn name(&mut self) -> Option<Box<str>> {
        match self.peek()? {
            Token::Symbol(name) => {
                self.at += 1;
                Some((*name).into())
            }
            _ => None,
        }
    }

    /// One or more integral signs, each with its ends, up to as many differentials.
    pub(super) fn integral(&mut self, signs: u32) -> Option<Expr> {
        let (mut from, mut to) = (None, None);
        for _ in 0..2 {
            for (mark, end) in [('_', &mut from), ('^', &mut to)] {
                if end.is_none() && self.mark(mark) {
                    self.at += 1;
                    if self.mark('{') && self.peek_at(1) == Some(&Token::Mark('}')) {
                        self.at += 2;
                        continue;
                    }
                    let negative = self.signs();
                    let value = self.end()?;
                    *end = Some(if negative { value.negated() } else { value });
                }
            }
        }
        if from.is_some() != to.is_some() {
            return None;
        }
        let outer = self.differential.take();
        self.integrals += 1;
        let body = if signs > 1 {
            self.deeper(|parser| parser.integral(signs - 1))
        } else {
            self.without_bars(Self::sum).and_then(expr)
        };
        let mut variable = self.differential.take();
        if variable.is_none() && body.is_some() {
            // `\int\int f dx dy`, `\int (f) dx`, `\int\{x\}dx`.
            variable = self.trailing_differential();
        }
        self.integrals -= 1;
        self.differential = outer;
        Some(bound(Binder::Integral, &variable?, body?, from, to))
    }

    fn trailing_differential(&mut self) -> Option<Box<str>> {
        if self.peek() != Some(&Token::Symbol("d")) {
            return None;
        }
        self.at += 1;
        self.name()
    }

    /// `\lim_{x \to a} f`.
    pub(super) fn limit(&mut self) -> Option<Expr> {
        if !self.take('_') || !self.take('{') {
            return None;
        }
        let variable = self.name()?;
        if !matches!(self.peek(), Some(Token::To | Token::Implies)) {
            return None;
        }
        self.at += 1;
        let negative = self.signs();
        // The sign of the side is an exponent without a number.
        let point = self.attempt(|parser| {
            let point = parser.primary().and_then(expr)?;
            matches!(parser.peek()?, Token::Mark('}' | '^' | '+' | '-')).then_some(point)
        });
        let (point, side) = match point {
            Some(point) => {
                let side = self.side_mark();
                if side.is_none() && !self.mark('}') {
                    return None;
                }
                (point, side)
            }
            None => (expr(self.sum()?)?, None),
        };
        let point = if negative { point.negated() } else { point };
        if !self.take('}') {
            return None;
        }
        let body = expr(self.body()?)?;
        Some(bound(Binder::Limit(side.unwrap_or(Side::Both)), &variable, body, None, Some(point)))
    }

    /// `^+`, `^{-}` or a sign alone.
    fn side_mark(&mut self) -> Option<Side> {
        self.attempt(|parser| {
            let raised = parser.take('^');
            let braced = raised && parser.take('{');
            let side = match parser.peek()? {
                Token::Mark('+') => Side::Above,
                Token::Mark('-') => Side::Below,
                _ => return None,
            };
            parser.at += 1;
            ((!braced || parser.take('}')) && parser.mark('}')).then_some(side)
        })
    }

    /// The rest of `\frac{d}{dx} f`, `\frac{d^2}{dx^2} f`, `\frac{d f}{dx}` and with `∂`, after `\frac`.
    pub(super) fn derivative(&mut self) -> Option<Expr> {
        let (differential, order) = self.open_differential()?;
        // `\frac{dy}{dx}`: the quantity stands in the numerator.
        let inside = if self.mark('}') { None } else { Some(expr(self.sum()?)?) };
        if !self.take('}') || !self.take('{') {
            return None;
        }
        if self.peek() != Some(&Token::Symbol(differential)) {
            return None;
        }
        self.at += 1;
        let variable = self.name()?;
        if self.order()? != order || !self.take('}') {
            return None;
        }
        let body = match inside {
            Some(Expr::Variable(name)) if name == variable => Expr::Variable(name),
            Some(Expr::Variable(name)) => {
                // dy/dx of a named quantity is a name itself.
                let order = if order > 1 { order.to_string() } else { String::new() };
                return Some(Expr::Variable(format!("d{order}{name}/d{variable}{order}").into()));
            }
            Some(inside) => inside,
            None => expr(self.body()?)?,
        };
        Some(bound(Binder::Derivative(order), &variable, body, None, None))
    }

    fn open_differential(&mut self) -> Option<(&'static str, u32)> {
        if !self.take('{') {
            return None;
        }
        let differential = match self.peek()? {
            Token::Symbol("d") => "d",
            Token::Symbol("partial") => "partial",
            _ => return None,
        };
        self.at += 1;
        Some((differential, self.order()?))
    }

    /// The exponent of a differential; 1 if there is none.
    fn order(&mut self) -> Option<u32> {
        if !self.take('^') {
            return Some(1);
        }
        let order = exact::value(&self.argument()?)?;
        let order = i64::try_from(exact::integer(&order)?).ok().filter(|n| (1..=MAX_ORDER).contains(n))?;
        u32::try_from(order).ok()
    }
}
