//! From tokens to a [`Value`]: LaTeX and plain notation, with one meaning for each text.
//!
//! The whole text must be read. There is no partial parse: `4\sqrt(2)` is never 4.

use dashu::rational::RBig;

use super::exact;
use super::expr::{Expr, Function, Relation, Unit, Value};
use super::lexer::{Named, Spaced, Token, tokens};
use super::units;

/// The deepest nesting of brackets, exponents and arguments.
const MAX_DEPTH: u32 = 48;
/// The most items of a list, set or matrix.
const MAX_ITEMS: usize = 64;
/// The largest lower index for which a binomial coefficient is written as a polynomial.
const MAX_BINOMIAL: i64 = 32;

/// The name of the base of a logarithm that names none. No text can name it otherwise.
pub(super) const UNNAMED_BASE: &str = "\\log";

/// The answer that `text` states, or `None` when it cannot be read.
pub(super) fn parse(text: &str) -> Option<Value> {
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return None;
    }
    let twofold = tokens.iter().any(|t| matches!(t.token, Token::Mark('±' | '∓')));
    let read = |plus: bool| {
        let mut parser = Parser { tokens: &tokens, at: 0, depth: 0, plus, in_bars: 0 };
        let value = parser.list()?;
        (parser.at == tokens.len()).then_some(value)
    };
    let first = read(true)?;
    if !twofold {
        return Some(first);
    }
    // `x = 1 ± 2` states two values, and so does every item of a list that has the sign.
    let mut items = Vec::new();
    for value in [first, read(false)?] {
        match value {
            Value::List(inner) => items.extend(inner),
            other => items.push(other),
        }
    }
    items.dedup();
    Some(Value::List(items))
}

struct Parser<'a> {
    tokens: &'a [Spaced],
    at: usize,
    depth: u32,
    /// Whether `±` reads as plus.
    plus: bool,
    /// Open absolute values: a bar closes the innermost.
    in_bars: u32,
}

fn expr(value: Value) -> Option<Expr> {
    match value {
        Value::Expr(expr) => Some(expr),
        Value::Quantity(expr, Unit::Percent) => Some(hundredths(expr)),
        _ => None,
    }
}

/// What a percentage is as a number.
pub(super) fn hundredths(expr: Expr) -> Expr {
    Expr::product(vec![Expr::Number(RBig::from_parts(1.into(), 100_u8.into())), expr])
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at).map(|t| &t.token)
    }

    fn peek_at(&self, ahead: usize) -> Option<&'a Token> {
        self.tokens.get(self.at + ahead).map(|t| &t.token)
    }

    fn spaced(&self) -> bool {
        self.tokens.get(self.at).is_some_and(|t| t.spaced)
    }

    fn mark(&self, c: char) -> bool {
        self.peek() == Some(&Token::Mark(c))
    }

    fn take(&mut self, c: char) -> bool {
        let found = self.mark(c);
        self.at += usize::from(found);
        found
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.depth >= MAX_DEPTH {
            return None;
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    /// Items without brackets around them.
    fn list(&mut self) -> Option<Value> {
        let mut items = vec![self.item()?];
        loop {
            let mut separated = false;
            while matches!(self.peek(), Some(Token::Separator | Token::Mark(',' | ';'))) {
                self.at += 1;
                separated = true;
            }
            if !separated {
                break;
            }
            if items.len() >= MAX_ITEMS {
                return None;
            }
            items.push(self.item()?);
        }
        if items.len() == 1 { items.pop() } else { Some(Value::List(items)) }
    }

    /// One item: a value or a chain of relations.
    fn item(&mut self) -> Option<Value> {
        let first = self.union()?;
        if self.peek() == Some(&Token::Element) {
            self.at += 1;
            expr(first)?;
            let set = self.union()?;
            return matches!(set, Value::Tuple { .. } | Value::Set(_) | Value::Union(_)).then_some(set);
        }
        let mut sides = vec![first];
        let mut relations = Vec::new();
        while let Some(Token::Relation(relation)) = self.peek() {
            self.at += 1;
            relations.push(*relation);
            sides.push(self.union()?);
            if sides.len() > MAX_ITEMS {
                return None;
            }
        }
        if relations.is_empty() {
            return sides.pop();
        }
        // A name for something that is no expression: the thing itself is the answer.
        if relations == [Relation::Equal]
            && !matches!(sides.get(1), Some(Value::Expr(_)))
            && matches!(sides.first(), Some(Value::Expr(_) | Value::Tuple { .. }))
        {
            let named = match sides.first() {
                Some(Value::Expr(name)) => is_name(name),
                _ => true,
            };
            return if named { sides.pop() } else { None };
        }
        let sides: Vec<Expr> = sides.into_iter().map(expr).collect::<Option<_>>()?;
        Some(Value::Chain { sides, relations })
    }

    fn union(&mut self) -> Option<Value> {
        let first = self.measured()?;
        if self.peek() != Some(&Token::Cup) {
            return Some(first);
        }
        let mut parts = vec![first];
        while self.peek() == Some(&Token::Cup) {
            self.at += 1;
            parts.push(self.measured()?);
        }
        let sets = parts.iter().all(|part| matches!(part, Value::Tuple { .. } | Value::Set(_)));
        (sets && parts.len() <= MAX_ITEMS).then_some(Value::Union(parts))
    }

    /// A value with the unit that may follow it.
    fn measured(&mut self) -> Option<Value> {
        if let Some(Token::Words(words)) = self.peek() {
            self.at += 1;
            return Some(Value::Text(words.clone()));
        }
        let value = self.sum()?;
        let mut name = String::new();
        while let Some(token) = self.peek() {
            match token {
                Token::Words(words) => {
                    if !name.is_empty() && !name.ends_with('/') {
                        name.push(' ');
                    }
                    name.push_str(words);
                }
                Token::Mark('/') if !name.is_empty() => name.push('/'),
                Token::Mark('^') if !name.is_empty() => {
                    let braced = self.peek_at(1) == Some(&Token::Mark('{'));
                    let at = 1 + usize::from(braced);
                    let Some(Token::Number { value: Expr::Number(n), whole: true }) = self.peek_at(at) else {
                        return None;
                    };
                    if braced && self.peek_at(at + 1) != Some(&Token::Mark('}')) {
                        return None;
                    }
                    name.push('^');
                    name.push_str(&n.to_string());
                    self.at += at + usize::from(braced);
                }
                _ => break,
            }
            self.at += 1;
        }
        if name.is_empty() {
            return Some(value);
        }
        let Value::Expr(mut value) = value else { return None };
        let (first, rest) = name.split_once(' ').unwrap_or((name.as_str(), ""));
        if let Some(factor) = units::multiplier(first) {
            value = Expr::product(vec![value, Expr::Number(RBig::from(factor))]);
            if rest.is_empty() {
                return Some(Value::Expr(value));
            }
            return Some(Value::Quantity(value, units::unit(rest)?));
        }
        Some(Value::Quantity(value, units::unit(&name)?))
    }

    fn sum(&mut self) -> Option<Value> {
        self.deeper(|parser| {
            let first = parser.signed()?;
            if !matches!(parser.peek(), Some(Token::Mark('+' | '-' | '±' | '∓'))) {
                return Some(first);
            }
            let mut terms = vec![expr(first)?];
            while let Some(Token::Mark('+' | '-' | '±' | '∓')) = parser.peek() {
                terms.push(expr(parser.signed()?)?);
            }
            Some(Value::Expr(Expr::sum(terms)))
        })
    }

    /// A product with any signs before it.
    fn signed(&mut self) -> Option<Value> {
        let negative = self.signs();
        let value = self.product()?;
        if !negative {
            return Some(value);
        }
        Some(match value {
            Value::Expr(expr) => Value::Expr(expr.negated()),
            Value::Quantity(expr, unit) => Value::Quantity(expr.negated(), unit),
            _ => return None,
        })
    }

    fn signs(&mut self) -> bool {
        let mut negative = false;
        loop {
            match self.peek() {
                Some(Token::Mark('-')) => negative = !negative,
                Some(Token::Mark('±')) => negative ^= !self.plus,
                Some(Token::Mark('∓')) => negative ^= self.plus,
                Some(Token::Mark('+')) => {}
                _ => return negative,
            }
            self.at += 1;
        }
    }

    fn product(&mut self) -> Option<Value> {
        let first = self.power()?;
        let mut factors = Vec::new();
        let mut first = Some(first);
        loop {
            let divide = match self.peek() {
                Some(Token::Mark('*')) => Some(false),
                Some(Token::Mark('/' | ':')) => Some(true),
                _ => None,
            };
            let factor = if let Some(divide) = divide {
                self.at += 1;
                let negative = self.signs();
                let factor = expr(self.power()?)?;
                let factor = if negative { factor.negated() } else { factor };
                if divide { factor.inverse() } else { factor }
            } else if self.starts_factor() {
                expr(self.power()?)?
            } else {
                break;
            };
            if let Some(first) = first.take() {
                factors.push(expr(first)?);
            }
            factors.push(factor);
        }
        match first {
            Some(alone) => Some(alone),
            None => Some(Value::Expr(Expr::product(factors))),
        }
    }

    /// Whether a factor may follow without an operator. A number may not: `x2` has no one meaning.
    fn starts_factor(&self) -> bool {
        match self.peek() {
            Some(
                Token::Symbol(_)
                | Token::Function(_)
                | Token::Frac
                | Token::Binom
                | Token::Sqrt
                | Token::Mark('(' | '{' | '[' | '⌊' | '⌈'),
            ) => true,
            Some(Token::Mark('|')) => self.in_bars == 0,
            _ => false,
        }
    }

    fn power(&mut self) -> Option<Value> {
        self.deeper(|parser| {
            let start = parser.at;
            let mut value = parser.primary()?;
            if let (Some(Token::Number { value: whole, whole: true }), true) =
                (parser.tokens.get(start).map(|t| &t.token), parser.at == start + 1)
                && let Some(fraction) = parser.mixed_fraction()
            {
                return Some(Value::Expr(Expr::sum(vec![whole.clone(), fraction])));
            }
            loop {
                value = match parser.peek() {
                    Some(Token::Mark('!')) if parser.peek_at(1) != Some(&Token::Mark('!')) => {
                        parser.at += 1;
                        Value::Expr(Expr::Call(Function::Factorial, vec![expr(value)?]))
                    }
                    Some(Token::Mark('%')) => {
                        parser.at += 1;
                        let Value::Expr(value) = value else { return None };
                        Value::Quantity(value, Unit::Percent)
                    }
                    Some(Token::Mark('°')) => {
                        parser.at += 1;
                        Value::Expr(Expr::product(vec![expr(value)?, Expr::Degree]))
                    }
                    Some(Token::Mark('^')) => {
                        parser.at += 1;
                        let base = expr(value)?;
                        if parser.degree_sign() {
                            Value::Expr(Expr::product(vec![base, Expr::Degree]))
                        } else {
                            let negative = parser.signs();
                            let exponent = expr(parser.power()?)?;
                            let exponent = if negative { exponent.negated() } else { exponent };
                            Value::Expr(Expr::Power(Box::new(base), Box::new(exponent)))
                        }
                    }
                    _ => return Some(value),
                };
            }
        })
    }

    fn degree_sign(&mut self) -> bool {
        let plain = self.mark('°');
        let braced = self.mark('{')
            && self.peek_at(1) == Some(&Token::Mark('°'))
            && self.peek_at(2) == Some(&Token::Mark('}'));
        self.at += if plain {
            1
        } else if braced {
            3
        } else {
            0
        };
        plain || braced
    }

    /// The fraction of a mixed number, after its whole part.
    fn mixed_fraction(&mut self) -> Option<Expr> {
        let start = self.at;
        let fraction = match self.peek() {
            Some(Token::Frac) => self.primary().and_then(expr),
            // `1 1/2`, with white space, which keeps `11/2` apart.
            Some(Token::Number { value: Expr::Number(top), whole: true }) if self.spaced() => {
                match (self.peek_at(1), self.peek_at(2)) {
                    (
                        Some(Token::Mark('/')),
                        Some(Token::Number { value: Expr::Number(bottom), whole: true }),
                    ) if !bottom.is_zero() => {
                        self.at += 3;
                        Some(Expr::Number(top / bottom))
                    }
                    _ => None,
                }
            }
            _ => None,
        };
        // Only digits make a mixed number: in `2\frac{x}{3}` the parts are multiplied.
        let fraction =
            fraction.as_ref().and_then(exact::value).filter(|_| {
                self.tokens.get(start..self.at).unwrap_or_default().iter().all(|t| {
                    matches!(t.token, Token::Frac | Token::Number { .. } | Token::Mark('{' | '}' | '/'))
                })
            });
        if fraction.is_none() {
            self.at = start;
        }
        fraction.map(Expr::Number)
    }

    fn primary(&mut self) -> Option<Value> {
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
                        Value::List(items) => items,
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
            Value::List(items) => {
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
                Value::Tuple { open: '(', close: ')', items } | Value::List(items) => {
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

/// Whether an expression may name what stands on the other side: `x`, or `f(x)`.
pub(super) fn is_name(expr: &Expr) -> bool {
    match expr {
        Expr::Variable(_) => true,
        Expr::Product(factors) => {
            matches!(factors.as_slice(), [Expr::Variable(f), Expr::Variable(_)]
                if matches!(&**f, "f" | "g" | "h" | "F" | "G" | "H" | "P" | "p" | "q" | "Q"))
        }
        _ => false,
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
