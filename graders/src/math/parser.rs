//! From tokens to a [`Value`]: LaTeX and plain notation.
//!
//! The whole text must be read. There is no partial parse: `4\sqrt(2)` is never 4. A text has one meaning, but
//! for the few that notation leaves open; those are its readings.

use dashu::rational::RBig;

use super::exact;
use super::expr::{Expr, Function, Join, Unit, Value};
use super::lexer::{Spaced, Token, tokens};
use super::matrix;
use super::statement::spread;
use super::symbols::CONGRUENT;

/// The deepest nesting of brackets, exponents and arguments.
const MAX_DEPTH: u32 = 96;
/// The most marks after one value that each wrap it, as in `3!!!`, and the most operators `mod` in a row.
const MAX_WRAPS: usize = 12;
/// The most items of a list, set or matrix.
pub(super) const MAX_ITEMS: usize = 64;
/// The most steps that one attempt at reading may take; an attempt that fails may be made again otherwise.
const MAX_STEPS: u32 = 60_000;

/// The name of the base of a logarithm that names none. No text can name it otherwise.
pub(super) const UNNAMED_BASE: &str = "\\log";

/// The answer that `text` states, or `None` when it cannot be read.
pub(super) fn parse(text: &str) -> Option<Value> {
    read(text).ok()
}

/// The answer that `text` states, or the byte at which reading stopped.
pub(super) fn read(text: &str) -> Result<Value, usize> {
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return Err(0);
    }
    let twofold = tokens.iter().any(|t| matches!(t.token, Token::Mark('±' | '∓')));
    let wide = tokens.iter().any(|t| t.token == Token::Wide);
    let reversed = reversed_brackets(&tokens);
    let mut furthest = 0;
    // Wide space is mere space, or else it separates items.
    // Between relations it can only separate: `x = 1 \quad x = 2`.
    let relation = |part: &[Spaced<'_>]| part.iter().any(|t| matches!(t.token, Token::Relation(_)));
    let relations = wide && tokens.split(|t| t.token == Token::Wide).all(relation);
    for separating in [relations, !relations] {
        if separating && !wide {
            break;
        }
        let mut attempt = |plus: bool| {
            let mut parser = Parser::new(&tokens, plus, separating, reversed);
            let value = parser.statement();
            furthest = furthest.max(parser.furthest);
            value
        };
        let Some(first) = attempt(true) else { continue };
        if !twofold {
            return Ok(first);
        }
        // `x = 1 ± 2` states two values, and so does every item of a list that has the sign.
        let Some(second) = attempt(false) else { continue };
        let mut items = Vec::new();
        for value in [first, second] {
            match value {
                Value::List(inner, _) | Value::Set(inner) => items.extend(inner),
                other => items.push(other),
            }
        }
        items.dedup();
        return Ok(Value::List(items, Join::Or));
    }
    Err(tokens.get(furthest).map_or(text.len(), |token| token.at))
}

/// Whether square brackets stand the French way, as in `]0, 1[`.
fn reversed_brackets(tokens: &[Spaced<'_>]) -> bool {
    let mut open = 0_u32;
    for token in tokens {
        match token.token {
            Token::Mark('[' | '(') => open += 1,
            Token::Mark(']' | ')') if open == 0 => return true,
            Token::Mark(']' | ')') => open -= 1,
            _ => {}
        }
    }
    open > 0 && matches!(tokens.last(), Some(Spaced { token: Token::Mark('['), .. }))
}

pub(super) struct Parser<'t, 'a> {
    pub(super) tokens: &'t [Spaced<'a>],
    pub(super) at: usize,
    depth: u32,
    steps: u32,
    /// The furthest token that was looked at.
    furthest: usize,
    /// Whether `±` reads as plus.
    plus: bool,
    /// Whether wide space separates items.
    separating: bool,
    /// Whether square brackets open to the left.
    pub(super) reversed: bool,
    /// Open absolute values: a bar closes the innermost.
    pub(super) in_bars: u32,
    /// Whether a colon ends an item: in a set it stands before the condition.
    pub(super) in_set: bool,
    /// Open integrals, and the variable after the `d` that ended the innermost.
    pub(super) integrals: u32,
    pub(super) differential: Option<Box<str>>,
    /// Between the bars of a determinant or in an argument that has no lists.
    pub(super) environments: u32,
}

/// The expression that a value is as a part of another.
pub(super) fn expr(value: Value) -> Option<Expr> {
    match value {
        Value::Expr(expr) => Some(expr),
        Value::Quantity(expr, Unit::Percent) => Some(hundredths(expr)),
        Value::Ratio(parts) => quotient(&parts),
        // Braces that are drawn may be mere brackets.
        Value::Set(items) => {
            let [only] = <[Value; 1]>::try_from(items).ok()?;
            expr(only)
        }
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

impl<'t, 'a> Parser<'t, 'a> {
    fn new(tokens: &'t [Spaced<'a>], plus: bool, separating: bool, reversed: bool) -> Self {
        Self {
            tokens,
            at: 0,
            depth: 0,
            steps: 0,
            furthest: 0,
            plus,
            separating,
            reversed,
            in_bars: 0,
            in_set: false,
            integrals: 0,
            differential: None,
            environments: 0,
        }
    }

    fn skip_wide(&mut self) {
        while !self.separating && matches!(self.tokens.get(self.at), Some(Spaced { token: Token::Wide, .. }))
        {
            self.at += 1;
        }
    }

    pub(super) fn peek(&mut self) -> Option<&'t Token<'a>> {
        self.skip_wide();
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return None;
        }
        self.furthest = self.furthest.max(self.at);
        self.tokens.get(self.at).map(|t| &t.token)
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Option<&'t Token<'a>> {
        self.tokens.get(self.at + ahead).map(|t| &t.token)
    }

    pub(super) fn previous(&self) -> Option<&'t Token<'a>> {
        self.tokens.get(self.at.checked_sub(1)?).map(|t| &t.token)
    }

    pub(super) fn spaced(&self) -> bool {
        self.tokens.get(self.at).is_some_and(|t| t.spaced)
    }

    pub(super) fn mark(&mut self, c: char) -> bool {
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

    /// Reads from here by `parse`, or goes back.
    pub(super) fn attempt<T>(&mut self, parse: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let (at, depth, bars) = (self.at, self.depth, self.in_bars);
        let result = parse(self);
        if result.is_none() {
            (self.at, self.depth, self.in_bars) = (at, depth, bars);
        }
        result
    }

    /// All of the text.
    fn statement(&mut self) -> Option<Value> {
        // What follows an implication is what is stated.
        let mut depth = 0_usize;
        for (at, spaced) in self.tokens.iter().enumerate() {
            match spaced.token {
                Token::Mark('{') => depth += 1,
                Token::Mark('}') => depth = depth.saturating_sub(1),
                Token::Implies if depth == 0 => self.at = at + 1,
                _ => {}
            }
        }
        let value = self.list()?;
        self.peek();
        (self.at == self.tokens.len()).then_some(value)
    }

    /// Items without brackets around them.
    pub(super) fn list(&mut self) -> Option<Value> {
        self.items(None)
    }

    /// A list that starts with this item, or with one to be read.
    pub(super) fn items(&mut self, first: Option<Value>) -> Option<Value> {
        // Groups that a semicolon or the word "or" divides, each with its items.
        let mut groups: Vec<Vec<Value>> = vec![vec![match first {
            Some(first) => first,
            None => self.item()?,
        }]];
        let (mut semicolon, mut or, mut and, mut count) = (false, false, false, 1);
        loop {
            let (mut separated, mut group) = (false, false);
            loop {
                match self.peek() {
                    Some(Token::Mark(',') | Token::Wide) => {}
                    Some(Token::Mark(';')) => (semicolon, group) = (true, true),
                    Some(Token::Separator(Join::Or)) => (or, group) = (true, true),
                    Some(Token::Separator(_)) => and = true,
                    Some(Token::Row) if self.environments == 0 => (semicolon, group) = (true, true),
                    _ => break,
                }
                self.at += 1;
                separated = true;
            }
            // `5, where k is an integer` and a comma at the end separate nothing.
            if !separated || self.peek().is_none() {
                break;
            }
            count += 1;
            if count > MAX_ITEMS {
                return None;
            }
            let item = self.item()?;
            match groups.last_mut() {
                Some(last) if !group => last.push(item),
                _ => groups.push(vec![item]),
            }
        }
        let join = if or {
            Join::Or
        } else if and {
            Join::And
        } else {
            Join::Comma
        };
        let several = groups.iter().any(|group| group.len() > 1);
        // `21, 16 or 11` are three values, `x=1, y=2 or x=3, y=4` two pairs.
        let named = groups.iter().flatten().all(|item| matches!(item, Value::Chain { .. }));
        if groups.len() > 1 && several && (semicolon || (or && named)) {
            let groups = groups.into_iter().map(|mut items| {
                if items.len() == 1 {
                    items.pop()
                } else {
                    Some(Value::Tuple { open: '(', close: ')', items })
                }
            });
            return Some(Value::List(groups.collect::<Option<_>>()?, Join::Or));
        }
        let mut items: Vec<Value> = groups.into_iter().flatten().collect();
        if items.len() == 1 { items.pop() } else { Some(Value::List(spread(items), join)) }
    }

    /// Values joined by set operators.
    pub(super) fn side(&mut self) -> Option<Value> {
        let mut value = self.measured()?;
        let mut operands = 1;
        while let Some(Token::SetOperator(operation)) = self.peek() {
            self.at += 1;
            operands += 1;
            if operands > MAX_ITEMS {
                return None;
            }
            let operand = |value: Value| match value {
                Value::Expr(expr @ (Expr::Variable(_) | Expr::Apply(..))) => Some(Value::Expr(expr)),
                set @ (Value::Tuple { .. }
                | Value::Set(_)
                | Value::Combined(..)
                | Value::Domain(_)
                | Value::Builder { .. }) => Some(set),
                _ => None,
            };
            let (left, right) = (operand(value)?, operand(self.measured()?)?);
            value = match left {
                Value::Combined(same, mut parts) if same == *operation => {
                    parts.push(right);
                    if parts.len() > MAX_ITEMS {
                        return None;
                    }
                    Value::Combined(same, parts)
                }
                left => Value::Combined(*operation, vec![left, right]),
            };
        }
        Some(value)
    }

    pub(super) fn sum(&mut self) -> Option<Value> {
        self.deeper(|parser| {
            let mut value = parser.signed()?;
            let mut terms = Vec::new();
            while let Some(Token::Mark('+' | '-' | '±' | '∓')) = parser.peek() {
                if parser.differential.is_some() {
                    break;
                }
                let next = parser.signed()?;
                match (value, next) {
                    (Value::Expr(left), Value::Expr(right)) => {
                        if terms.is_empty() {
                            terms.push(left);
                        }
                        terms.push(right);
                        value = Value::Expr(Expr::integer(0));
                    }
                    (left, right) if terms.is_empty() => value = matrix::add(left, right)?,
                    _ => return None,
                }
            }
            Some(if terms.is_empty() { value } else { Value::Expr(Expr::sum(terms)) })
        })
    }

    /// A product with any signs before it. The signs belong to its first factor, as `-7 mod 3` shows.
    fn signed(&mut self) -> Option<Value> {
        let negative = self.signs();
        self.product(negative)
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

    pub(super) fn product(&mut self, negative: bool) -> Option<Value> {
        let mut value = self.power()?;
        if negative {
            value = matrix::negated(value)?;
        }
        let mut wraps = 0;
        loop {
            if self.differential.is_some() {
                return Some(value);
            }
            let operator = match self.peek() {
                Some(Token::Mark('*')) => '*',
                Some(Token::Mark('/')) => '/',
                Some(Token::Mod) => 'm',
                Some(Token::Mark('(')) if matches!(self.peek_at(1), Some(Token::Mod)) => return Some(value),
                _ if self.starts_factor() => ' ',
                _ => return Some(value),
            };
            if operator == 'm' && self.in_congruence() {
                return Some(value);
            }
            self.at += usize::from(operator != ' ');
            let negative = operator != ' ' && self.signs();
            let factor = self.power()?;
            let factor = if negative { matrix::negated(factor)? } else { factor };
            if let (' ', Value::Expr(Expr::Variable(name)), Value::Tuple { .. }) = (operator, &value, &factor)
                && name.starts_with(|c: char| c.is_ascii_uppercase())
            {
                // `P(2, -3)` is a point with a name.
                value = Value::Named(Box::new(value), Box::new(factor));
                continue;
            }
            if operator == 'm' {
                wraps += 1;
                if wraps > MAX_WRAPS {
                    return None;
                }
            }
            value = match operator {
                '/' => matrix::times(value, Value::Expr(expr(factor)?.inverse()))?,
                'm' => Value::Expr(Expr::Call(Function::Modulo, vec![expr(value)?, expr(factor)?])),
                _ => matrix::times(value, factor)?,
            };
        }
    }

    /// Whether `mod` here ends a congruence and is no operator: after `≡`.
    fn in_congruence(&self) -> bool {
        self.tokens
            .get(..self.at)
            .unwrap_or_default()
            .iter()
            .rev()
            .any(|t| t.token == Token::Relation(CONGRUENT))
    }

    /// Whether a factor may follow without an operator.
    pub(super) fn starts_factor(&mut self) -> bool {
        match self.peek() {
            Some(
                Token::Symbol(_)
                | Token::Bold(_)
                | Token::Accent(_)
                | Token::Function(_)
                | Token::Frac
                | Token::Binom
                | Token::Sqrt
                | Token::Operator(_)
                | Token::Integral(_)
                | Token::Limit
                | Token::Begin(_)
                | Token::Mark('(' | '{' | '⌊' | '⌈' | '⦃'),
            ) => true,
            Some(Token::Mark('[')) => !self.reversed,
            Some(Token::Mark('|')) => self.in_bars == 0,
            // `x2` is twice x; after a number or a bracket a number would have no one meaning.
            Some(Token::Number { .. }) => {
                matches!(self.previous(), Some(Token::Symbol(_)))
                    || (matches!(self.previous(), Some(Token::Mark('!'))))
            }
            _ => false,
        }
    }

    pub(super) fn power(&mut self) -> Option<Value> {
        self.deeper(|parser| {
            parser.peek();
            let start = parser.at;
            let mut value = parser.primary()?;
            if let (Some(Token::Number { value: whole, whole: true }), true) =
                (parser.tokens.get(start).map(|t| &t.token), parser.at == start + 1)
                && let Some(fraction) = parser.mixed_fraction()
            {
                value = Value::Expr(Expr::sum(vec![whole.clone(), fraction]));
            }
            for _ in 0..=MAX_WRAPS {
                value = match parser.peek() {
                    Some(Token::Mark('!')) => {
                        parser.at += 1;
                        let function =
                            if parser.take('!') { Function::DoubleFactorial } else { Function::Factorial };
                        Value::Expr(Expr::Call(function, vec![expr(value)?]))
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
                        parser.raised(value)?
                    }
                    Some(Token::Choose) => {
                        parser.at += 1;
                        let lower = parser.power()?;
                        Value::Expr(super::terms::binomial(expr(value)?, expr(lower)?))
                    }
                    _ => return Some(value),
                };
            }
            None
        })
    }

    /// What `^` and the exponent that follows make of a base.
    fn raised(&mut self, value: Value) -> Option<Value> {
        if self.degree_sign() {
            return Some(Value::Expr(Expr::product(vec![expr(value)?, Expr::Degree])));
        }
        if self.prime_marks() {
            // `x^{\prime}` and `f^\prime(x)`.
            return match value {
                Value::Expr(Expr::Variable(name)) => {
                    Some(Value::Expr(Expr::Variable(format!("{name}'").into())))
                }
                _ => None,
            };
        }
        let empty = self.mark('{') && self.peek_at(1) == Some(&Token::Mark('}'));
        if empty {
            self.at += 2;
            return Some(value);
        }
        if let Value::Matrix(rows) = value {
            return matrix::power(&rows, self);
        }
        let negative = self.signs();
        // The 2 of `x^2_1` is no number to the base of one.
        let exponent = match (self.peek(), self.peek_at(1)) {
            (Some(Token::Number { value, .. }), Some(Token::Mark('_'))) => {
                self.at += 1;
                value.clone()
            }
            _ => expr(self.power()?)?,
        };
        let exponent = if negative { exponent.negated() } else { exponent };
        let mut base = expr(value)?;
        // `x^2_1` is `x_1^2`.
        if self.mark('_')
            && let Expr::Variable(name) = &base
            && !name.contains('_')
        {
            base = self.subscripted(&name.clone())?;
        }
        Some(Value::Expr(Expr::Power(Box::new(base), Box::new(exponent))))
    }

    fn degree_sign(&mut self) -> bool {
        self.marked_exponent('°') == 1
    }

    fn prime_marks(&mut self) -> bool {
        self.marked_exponent('\'') > 0
    }

    /// How many marks of one kind are the whole exponent; passes them.
    pub(super) fn marked_exponent(&mut self, mark: char) -> usize {
        let braced = self.mark('{');
        let first = usize::from(braced);
        let count =
            (first..self.tokens.len()).take_while(|at| self.peek_at(*at) == Some(&Token::Mark(mark))).count();
        let closed = !braced || self.peek_at(first + count) == Some(&Token::Mark('}'));
        if count == 0 || !closed {
            return 0;
        }
        self.at += count + 2 * first;
        count
    }

    /// The fraction of a mixed number, after its whole part.
    fn mixed_fraction(&mut self) -> Option<Expr> {
        let start = self.at;
        let fraction = match self.peek() {
            Some(Token::Frac) => self.attempt(|parser| parser.primary().and_then(expr)),
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
        let fraction = fraction.as_ref().and_then(exact::value).filter(|value| {
            *value < RBig::ONE
                && self.tokens.get(start..self.at).unwrap_or_default().iter().all(|t| {
                    matches!(t.token, Token::Frac | Token::Number { .. } | Token::Mark('{' | '}' | '/'))
                })
        });
        if fraction.is_none() {
            self.at = start;
        }
        fraction.map(Expr::Number)
    }
}
