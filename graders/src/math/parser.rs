//! From tokens to a [`Value`]: LaTeX and plain notation, with one meaning for each text.
//!
//! The whole text must be read. There is no partial parse: `4\sqrt(2)` is never 4.

use dashu::rational::RBig;

use super::exact;
use super::expr::{Expr, Function, Join, Relation, SetOperation, Unit, Value};
use super::lexer::{Spaced, Token, tokens};
use super::units;

/// The deepest nesting of brackets, exponents and arguments.
const MAX_DEPTH: u32 = 48;
/// The most items of a list, set or matrix.
pub(super) const MAX_ITEMS: usize = 64;

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
            Value::List(inner, _) => items.extend(inner),
            other => items.push(other),
        }
    }
    items.dedup();
    Some(Value::List(items, Join::Comma))
}

pub(super) struct Parser<'a> {
    pub(super) tokens: &'a [Spaced],
    pub(super) at: usize,
    depth: u32,
    /// Whether `±` reads as plus.
    plus: bool,
    /// Open absolute values: a bar closes the innermost.
    pub(super) in_bars: u32,
}

/// The expression that a value is as a part of another.
pub(super) fn expr(value: Value) -> Option<Expr> {
    match value {
        Value::Expr(expr) => Some(expr),
        Value::Quantity(expr, Unit::Percent) => Some(hundredths(expr)),
        Value::Ratio(parts) => quotient(&parts),
        _ => None,
    }
}

/// What a ratio of two parts is as a number.
pub(super) fn quotient(parts: &[Expr]) -> Option<Expr> {
    match parts {
        [left, right] if exact::value(right).is_none_or(|right| !right.is_zero()) => {
            Some(Expr::product(vec![left.clone(), right.clone().inverse()]))
        }
        _ => None,
    }
}

/// What a percentage is as a number.
pub(super) fn hundredths(expr: Expr) -> Expr {
    Expr::product(vec![Expr::Number(RBig::from_parts(1.into(), 100_u8.into())), expr])
}

impl<'a> Parser<'a> {
    pub(super) fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at).map(|t| &t.token)
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Option<&'a Token> {
        self.tokens.get(self.at + ahead).map(|t| &t.token)
    }

    pub(super) fn spaced(&self) -> bool {
        self.tokens.get(self.at).is_some_and(|t| t.spaced)
    }

    pub(super) fn mark(&self, c: char) -> bool {
        self.peek() == Some(&Token::Mark(c))
    }

    pub(super) fn take(&mut self, c: char) -> bool {
        let found = self.mark(c);
        self.at += usize::from(found);
        found
    }

    pub(super) fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.depth >= MAX_DEPTH {
            return None;
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    /// Items without brackets around them.
    pub(super) fn list(&mut self) -> Option<Value> {
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
        if items.len() == 1 { items.pop() } else { Some(Value::List(items, Join::Comma)) }
    }

    /// One item: a value or a chain of relations.
    fn item(&mut self) -> Option<Value> {
        let first = self.union()?;
        if self.peek() == Some(&Token::Element) {
            self.at += 1;
            expr(first)?;
            let set = self.union()?;
            return matches!(set, Value::Tuple { .. } | Value::Set(_) | Value::Combined(..)).then_some(set);
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
        (sets && parts.len() <= MAX_ITEMS).then_some(Value::Combined(SetOperation::Union, parts))
    }

    /// A value with the unit that may follow it.
    fn measured(&mut self) -> Option<Value> {
        if let Some(Token::Words(words)) = self.peek() {
            self.at += 1;
            return Some(Value::Text(words.clone()));
        }
        if let Some(ratio) = self.ratio() {
            return Some(ratio);
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

    /// `3:4` alone.
    fn ratio(&mut self) -> Option<Value> {
        let whole = |token: Option<&Token>| match token {
            Some(Token::Number { value: Expr::Number(n), whole: true }) => Some(n.clone()),
            _ => None,
        };
        let (left, right) = (whole(self.peek())?, whole(self.peek_at(2))?);
        let ends = matches!(
            self.peek_at(3),
            None | Some(
                Token::Separator | Token::Relation(_) | Token::Mark(',' | ';' | ')' | ']' | '}' | '⦄')
            )
        );
        if self.peek_at(1) != Some(&Token::Mark(':')) || !ends {
            return None;
        }
        self.at += 3;
        Some(Value::Ratio(vec![Expr::Number(left), Expr::Number(right)]))
    }

    pub(super) fn sum(&mut self) -> Option<Value> {
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

    pub(super) fn signs(&mut self) -> bool {
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
    pub(super) fn starts_factor(&self) -> bool {
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

    pub(super) fn power(&mut self) -> Option<Value> {
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
