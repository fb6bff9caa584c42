//! The parser's smallest parts: literals, names, brackets, fractions, radicals, functions, matrices.

use dashu::rational::RBig;

use super::exact;
use super::expr::{Expr, Function, Value};
use super::lexer::{Named, Token};
use super::parser::{MAX_ITEMS, Parser, UNNAMED_BASE, expr};

/// The largest lower index for which a binomial coefficient is written as a polynomial.
const MAX_BINOMIAL: i64 = 32;

impl Parser<'_> {
    pub(super) fn primary(&mut self) -> Option<Value> {
        let token = self.peek()?;
        self.at += 1;
        match token {
            Token::Number { value, whole } => {
                if *whole && self.mark('_') {
                    // A number in another base than ten stands for itself.
                    let digits = exact::value(value)?;
                    let base = self.subscript()?;
                    return Some(Value::Expr(Expr::Variable(format!("{digits}_{base}").into())));
                }
                Some(Value::Expr(value.clone()))
            }
            Token::Symbol(name) => self.symbol(name),
            Token::Function(named) => self.deeper(|parser| parser.application(*named)).map(Value::Expr),
            Token::Sqrt => self.deeper(Self::radical).map(Value::Expr),
            Token::Frac => self.deeper(Self::fraction).map(Value::Expr),
            Token::Binom => {
                let (n, k) = (self.argument()?, self.argument()?);
                Some(Value::Expr(binomial(n, k)))
            }
            Token::EmptySet => Some(Value::Set(Vec::new())),
            Token::Begin(environment) => self.matrix(environment),
            Token::Mark(c) => match c {
                '∞' => Some(Value::Expr(Expr::Infinity)),
                '{' => {
                    let value = self.deeper(Self::list)?;
                    self.take('}').then_some(value)
                }
                '(' | '[' | '⟨' => self.bracketed(*c),
                '⦃' => {
                    if self.take('⦄') {
                        return Some(Value::Set(Vec::new()));
                    }
                    let items = self.without_bars(|parser| parser.deeper(Self::list))?;
                    let items = match items {
                        Value::List(items, _) => items,
                        other => vec![other],
                    };
                    self.take('⦄').then_some(Value::Set(items))
                }
                '|' => {
                    self.in_bars += 1;
                    let inner = self.sum().and_then(expr);
                    self.in_bars -= 1;
                    let inner = inner?;
                    self.take('|').then(|| Value::Expr(Expr::Call(Function::Abs, vec![inner])))
                }
                '⌊' | '⌈' => {
                    let inner = expr(self.without_bars(Self::sum)?)?;
                    let (close, function) =
                        if *c == '⌊' { ('⌋', Function::Floor) } else { ('⌉', Function::Ceil) };
                    self.take(close).then(|| Value::Expr(Expr::Call(function, vec![inner])))
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn without_bars<T>(&mut self, parse: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let outer = std::mem::take(&mut self.in_bars);
        let result = parse(self);
        self.in_bars = outer;
        result
    }

    fn symbol(&mut self, name: &str) -> Option<Value> {
        let mut name = name.to_owned();
        let mut plain = true;
        while self.take('\'') {
            name.push('\'');
            plain = false;
        }
        if self.mark('_') {
            let subscript = self.subscript()?;
            name = format!("{name}_{subscript}");
            plain = false;
        }
        Some(Value::Expr(match name.as_str() {
            "π" => Expr::Pi,
            "e" if plain => Expr::Euler,
            "i" if plain => Expr::Imaginary,
            _ => Expr::Variable(name.into()),
        }))
    }

    /// The subscript after `_`, as it is written.
    fn subscript(&mut self) -> Option<String> {
        if !self.take('_') {
            return None;
        }
        let braced = self.take('{');
        let mut name = String::new();
        loop {
            match self.peek()? {
                Token::Symbol(symbol) => name.push_str(symbol),
                Token::Words(words) => name.push_str(words),
                Token::Number { value: Expr::Number(n), .. } => name.push_str(&n.to_string()),
                Token::Mark(c @ (',' | '+' | '-')) if braced => name.push(*c),
                Token::Mark('}') if braced && !name.is_empty() => {
                    self.at += 1;
                    return Some(name);
                }
                _ => return None,
            }
            self.at += 1;
            if !braced {
                return Some(name);
            }
        }
    }

    fn bracketed(&mut self, open: char) -> Option<Value> {
        let value = self.without_bars(|parser| parser.deeper(Self::list))?;
        let close = match self.peek()? {
            Token::Mark(c @ (')' | ']' | '⟩')) => *c,
            _ => return None,
        };
        self.at += 1;
        match value {
            Value::List(items, _) => {
                let (open, close) = match (open, close) {
                    ('⟨', '⟩') => ('(', ')'),
                    ('⟨', _) | (_, '⟩') => return None,
                    pair => pair,
                };
                Some(Value::Tuple { open, close, items })
            }
            other if matches!((open, close), ('(', ')') | ('[', ']')) => Some(other),
            _ => None,
        }
    }

    /// A braced group or a single token, as commands take their arguments.
    fn argument(&mut self) -> Option<Expr> {
        match self.peek()? {
            Token::Mark('{' | '(') | Token::Symbol(_) => expr(self.deeper(Self::primary)?),
            Token::Number { value, .. } => {
                self.at += 1;
                Some(value.clone())
            }
            _ => None,
        }
    }

    fn fraction(&mut self) -> Option<Expr> {
        // `\frac12` is one half: the command takes two single digits.
        let small = |token: Option<&Token>| match token {
            Some(Token::Number { value: Expr::Number(n), whole: true }) => u32::try_from(n.numerator()).ok(),
            _ => None,
        };
        if let Some(digits) = small(self.peek()).filter(|n| *n > 9) {
            self.at += 1;
            let (top, bottom) = (digits / 10, digits % 10);
            if top > 9 || bottom == 0 {
                return None;
            }
            return Some(Expr::Number(RBig::from_parts(top.into(), bottom.into())));
        }
        let top = self.argument()?;
        if small(self.peek()).is_some_and(|n| n > 9) {
            return None;
        }
        let bottom = self.argument()?;
        // d/dx and dy/dx are no fractions.
        let differential = |expr: &Expr| {
            let first = match expr {
                Expr::Product(factors) => factors.first(),
                other => Some(other),
            };
            first == Some(&Expr::Variable("d".into()))
                || matches!(first, Some(Expr::Power(base, _)) if **base == Expr::Variable("d".into()))
        };
        if differential(&top) && differential(&bottom) {
            return None;
        }
        if let (Expr::Number(top), Expr::Number(bottom)) = (&top, &bottom)
            && !bottom.is_zero()
        {
            return Some(Expr::Number(top / bottom));
        }
        Some(Expr::product(vec![top, bottom.inverse()]))
    }

    fn radical(&mut self) -> Option<Expr> {
        let mut degree = Expr::integer(2);
        if self.mark('[') {
            self.at += 1;
            degree = expr(self.without_bars(Self::sum)?)?;
            if !self.take(']') {
                return None;
            }
        }
        let inner = self.argument().or_else(|| match self.peek() {
            Some(Token::Frac | Token::Sqrt) => expr(self.deeper(Self::primary)?),
            _ => None,
        })?;
        Some(root(&degree, inner))
    }

    /// A function and its argument.
    fn application(&mut self, named: Named) -> Option<Expr> {
        let mut base = None;
        let mut exponent = None;
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
        let only = |arguments: Vec<Expr>| -> Option<Expr> {
            let [only] = <[Expr; 1]>::try_from(arguments).ok()?;
            Some(only)
        };
        if base.is_some() && named != Named::Log {
            return None;
        }
        let applied = match named {
            Named::Sqrt => root(&Expr::integer(2), only(arguments)?),
            Named::Exp => Expr::Power(Box::new(Expr::Euler), Box::new(only(arguments)?)),
            Named::Lg => Expr::Call(Function::Log, vec![Expr::integer(10), only(arguments)?]),
            Named::Log => {
                let base = base.unwrap_or_else(|| Expr::Variable(UNNAMED_BASE.into()));
                Expr::Call(Function::Log, vec![base, only(arguments)?])
            }
            Named::Plain(function) => {
                use Function as F;
                let inverse = match (function, &exponent) {
                    (_, Some(minus)) if exact::value(minus) != Some(RBig::NEG_ONE) => None,
                    (F::Sin, Some(_)) => Some(F::Arcsin),
                    (F::Cos, Some(_)) => Some(F::Arccos),
                    (F::Tan, Some(_)) => Some(F::Arctan),
                    _ => None,
                };
                let many = matches!(function, F::Min | F::Max | F::Gcd | F::Lcm);
                let arguments = if many { arguments } else { vec![only(arguments)?] };
                if let Some(inverse) = inverse {
                    return Some(Expr::Call(inverse, arguments));
                }
                Expr::Call(function, arguments)
            }
        };
        Some(match exponent {
            Some(exponent) => Expr::Power(Box::new(applied), Box::new(exponent)),
            None => applied,
        })
    }

    /// The arguments of a function: those in brackets, or the product that follows.
    fn arguments(&mut self) -> Option<Vec<Expr>> {
        let radians = Expr::degree_in_radians();
        let radian = |argument: Expr| argument.with_degree(&radians);
        if matches!(self.peek(), Some(Token::Mark('(' | '{' | '['))) {
            return match self.deeper(Self::primary)? {
                Value::Tuple { open: '(', close: ')', items } | Value::List(items, _) => {
                    items.into_iter().map(|item| expr(item).map(radian)).collect()
                }
                other => Some(vec![radian(expr(other)?)]),
            };
        }
        let negative = self.signs();
        let number = matches!(self.peek(), Some(Token::Number { .. }));
        let mut factors = vec![expr(self.power()?)?];
        while self.starts_factor()
            && !matches!(self.peek(), Some(Token::Function(_)))
            && (number || !matches!(self.peek(), Some(Token::Mark('(' | '['))))
        {
            factors.push(expr(self.power()?)?);
        }
        let argument = Expr::product(factors);
        Some(vec![radian(if negative { argument.negated() } else { argument })])
    }

    fn matrix(&mut self, environment: &str) -> Option<Value> {
        if !matches!(environment, "pmatrix" | "bmatrix" | "matrix" | "Bmatrix" | "smallmatrix") {
            return None;
        }
        let mut rows = vec![Vec::new()];
        loop {
            let cell = expr(self.without_bars(Self::sum)?)?;
            let row = rows.last_mut()?;
            row.push(cell);
            if row.len() > MAX_ITEMS || rows.len() > MAX_ITEMS {
                return None;
            }
            match self.peek()? {
                Token::Mark('&') => self.at += 1,
                Token::Row => {
                    self.at += 1;
                    if !matches!(self.peek(), Some(Token::End(_))) {
                        rows.push(Vec::new());
                    }
                }
                Token::End(_) => {}
                _ => return None,
            }
            if let Some(Token::End(end)) = self.peek() {
                self.at += 1;
                let width = rows.first().map_or(0, Vec::len);
                let even = rows.iter().all(|row| row.len() == width);
                return (even && end == environment).then_some(Value::Matrix(rows));
            }
        }
    }
}

fn root(degree: &Expr, inner: Expr) -> Expr {
    let whole = exact::value(degree).and_then(|n| u32::try_from(exact::integer(&n)?).ok());
    match whole {
        Some(n) if n > 0 => Expr::Root(n, Box::new(inner)),
        _ => Expr::Power(Box::new(inner), Box::new(degree.clone().inverse())),
    }
}

fn binomial(n: Expr, k: Expr) -> Expr {
    let lower = exact::value(&k).and_then(|k| i64::try_from(exact::integer(&k)?).ok());
    match lower {
        Some(k) if (0..=MAX_BINOMIAL).contains(&k) && exact::value(&n).is_none() => {
            let factors = (0..k).map(|j| {
                let top = Expr::sum(vec![n.clone(), Expr::integer(-j)]);
                Expr::product(vec![top, Expr::integer(j + 1).inverse()])
            });
            Expr::product(std::iter::once(Expr::integer(1)).chain(factors).collect())
        }
        _ => Expr::Call(Function::Binomial, vec![n, k]),
    }
}
