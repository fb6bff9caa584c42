//! The parser's smallest parts: literals, names, brackets, fractions and radicals.

use dashu::rational::RBig;

use super::exact;
use super::expr::{Expr, Function, Join, Value};
use super::lexer::Token;
use super::matrix;
use super::parser::{Parser, expr};

/// The largest upper index, in nodes, that is written as often as the lower one says.
const MAX_UPPER: u32 = 40;
/// The largest lower index for which a binomial coefficient is written as a polynomial.
const MAX_BINOMIAL: i64 = 32;

impl<'a> Parser<'_, 'a> {
    pub(super) fn primary(&mut self) -> Option<Value> {
        let token = self.peek()?;
        self.at += 1;
        match token {
            Token::Number { value, whole } => {
                if *whole && self.mark('_') {
                    // A number in another base than ten stands for itself.
                    let digits = exact::value(value)?;
                    let base = self.base()?;
                    return Some(Value::Expr(Expr::Variable(format!("{digits}_{base}").into())));
                }
                Some(Value::Expr(value.clone()))
            }
            Token::Based(digits) => {
                let base = self.base()?;
                Some(Value::Expr(Expr::Variable(format!("{digits}_{base}").into())))
            }
            Token::Symbol(name) => self.symbol(name),
            Token::Bold(name) => Some(Value::Expr(Expr::Variable(format!("\\bold {name}").into()))),
            Token::Accent(accent) => self.accented(accent),
            Token::Function(named) => self.deeper(|parser| parser.application(*named)),
            Token::Operator(binder) => self.deeper(|parser| parser.repeated(*binder)).map(Value::Expr),
            Token::Integral(signs) => self.deeper(|parser| parser.integral(*signs)).map(Value::Expr),
            Token::Limit => self.deeper(Self::limit).map(Value::Expr),
            Token::Sqrt => self.deeper(Self::radical).map(Value::Expr),
            Token::Frac => self.deeper(Self::fraction),
            Token::Binom => {
                if let Some(Token::Number { value: Expr::Number(n), whole: true }) = self.peek()
                    && let Ok(digits @ 10..=99) = i64::try_from(n.numerator())
                {
                    // `\binom52`.
                    self.at += 1;
                    return Some(Value::Expr(binomial(
                        Expr::integer(digits / 10),
                        Expr::integer(digits % 10),
                    )));
                }
                if self.mark('(') {
                    let [n, k] = <[Expr; 2]>::try_from(self.bracketed_arguments()?).ok()?;
                    return Some(Value::Expr(binomial(n, k)));
                }
                let (n, k) = (self.argument()?, self.argument()?);
                Some(Value::Expr(binomial(n, k)))
            }
            Token::EmptySet => Some(Value::Set(Vec::new())),
            Token::Domain(domain) => Some(self.domain(*domain)),
            Token::Begin(environment) => self.deeper(|parser| parser.environment(environment)),
            Token::Mark(c) => match c {
                '∞' => Some(Value::Expr(Expr::Infinity)),
                '{' => self.group(),
                '(' | '[' | '⟨' => self.bracketed(*c),
                ']' if self.reversed => self.bracketed(']'),
                '⦃' => self.set(),
                '|' | '‖' => self.bars(*c),
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

    /// What LaTeX's braces group. Two or more items in bare braces are a set that was written carelessly.
    fn group(&mut self) -> Option<Value> {
        if self.mark('}') {
            // `{}_nC_k`: nothing carries the index.
            self.at += 1;
            return if self.mark('_') { self.combinations() } else { self.deeper(Self::primary) };
        }
        let value = self.without_bars(|parser| parser.deeper(Self::list))?;
        if !self.take('}') {
            return None;
        }
        Some(match value {
            Value::List(items, Join::Comma) => Value::Set(items),
            other => other,
        })
    }

    /// `{}_nC_k` after the empty group.
    fn combinations(&mut self) -> Option<Value> {
        self.at += 1;
        let n = self.argument()?;
        let Some(Token::Symbol("C")) = self.peek() else { return None };
        self.at += 1;
        if !self.take('_') {
            return None;
        }
        let k = self.argument()?;
        Some(Value::Expr(binomial(n, k)))
    }

    fn set(&mut self) -> Option<Value> {
        if let Some(Token::Begin(_)) = self.peek() {
            // A brace before lines that belong together; it may be drawn on one side only.
            let lines = self.deeper(Self::primary)?;
            let closed = self.take('⦄');
            return Some(match lines {
                Value::List(lines, _) => Value::System(lines),
                other if closed => Value::Set(vec![other]),
                other => other,
            });
        }
        if self.take('⦄') {
            return Some(Value::Set(Vec::new()));
        }
        let bars = std::mem::replace(&mut self.in_bars, 1);
        let in_set = std::mem::replace(&mut self.in_set, true);
        let result = self.deeper(Self::set_content);
        (self.in_bars, self.in_set) = (bars, in_set);
        let result = result?;
        self.take('⦄').then_some(result)
    }

    fn set_content(&mut self) -> Option<Value> {
        let first = self.list()?;
        if !self.take('|') && !self.take(':') {
            return Some(match first {
                Value::List(items, _) => Value::Set(items),
                other => Value::Set(vec![other]),
            });
        }
        let mut conditions = match self.list()? {
            Value::List(items, Join::Comma | Join::And) => items,
            other => vec![other],
        };
        let element = match first {
            Value::Expr(element) => element,
            Value::Element(element, set) => {
                conditions.push(Value::Element(element.clone(), set));
                element
            }
            Value::Tuple { items, .. } => {
                let items: Vec<Expr> = items.into_iter().map(expr).collect::<Option<_>>()?;
                Expr::Apply("\\point".into(), items)
            }
            _ => return None,
        };
        Some(Value::Builder { element, conditions })
    }

    fn bars(&mut self, bar: char) -> Option<Value> {
        let in_set = std::mem::take(&mut self.in_set);
        self.in_bars += 1;
        let inner = self.sum();
        self.in_bars -= 1;
        self.in_set = in_set;
        let inner = inner?;
        if !self.take(bar) {
            return None;
        }
        match inner {
            Value::Matrix(rows) => matrix::determinant(&rows).map(Value::Expr),
            other => Some(Value::Expr(Expr::Call(Function::Abs, vec![expr(other)?]))),
        }
    }

    pub(super) fn without_bars<T>(&mut self, parse: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let bars = std::mem::take(&mut self.in_bars);
        let in_set = std::mem::take(&mut self.in_set);
        let result = parse(self);
        (self.in_bars, self.in_set) = (bars, in_set);
        result
    }

    fn symbol(&mut self, symbol: &'a str) -> Option<Value> {
        if symbol == "d"
            && self.integrals > 0
            && self.differential.is_none()
            && let Some(Token::Symbol(variable)) = self.peek()
        {
            self.at += 1;
            self.differential = Some((*variable).into());
            return Some(Value::Expr(Expr::integer(1)));
        }
        let mut name = symbol.to_owned();
        let mut plain = true;
        let primes = self.primes();
        if primes > 0 {
            name.push_str(&"'".repeat(primes));
            plain = false;
        }
        if self.mark('_') {
            let expr = self.subscripted(&name)?;
            return Some(Value::Expr(expr));
        }
        // `f^{-1}(x)` is the inverse function, as `sin^{-1}` is.
        let functional = matches!(symbol, "f" | "g" | "h" | "F" | "G" | "H" | "Phi" | "Gamma" | "zeta");
        if functional && self.inverse_mark() {
            name.push_str("^-1");
        }
        let braced = self.mark('{') && matches!(self.peek_at(1), Some(Token::Mark('(')));
        if functional
            && (braced || matches!(self.peek(), Some(Token::Mark('(' | '['))))
            && !self.spaced()
            && let Some(arguments) = self.attempt(Self::bracketed_arguments)
        {
            return Some(Value::Expr(Expr::Apply(name.into(), arguments)));
        }
        if symbol == "C" && self.mark('(') {
            let arguments = self.attempt(|parser| parser.bracketed_arguments().filter(|a| a.len() == 2));
            if let Some(Ok([n, k])) = arguments.map(<[Expr; 2]>::try_from) {
                return Some(Value::Expr(binomial(n, k)));
            }
        }
        Some(Value::Expr(match name.as_str() {
            "π" => Expr::Pi,
            "e" if plain => Expr::Euler,
            "i" if plain => Expr::Imaginary,
            _ => Expr::Variable(name.into()),
        }))
    }

    /// How many primes follow, also as an exponent: `f''`, `f^{\prime}`.
    fn primes(&mut self) -> usize {
        let mut count = 0;
        while self.take('\'') {
            count += 1;
        }
        let raised = self.attempt(|parser| {
            let found = if parser.take('^') { parser.marked_exponent('\'') } else { 0 };
            (found > 0).then_some(found)
        });
        count + raised.unwrap_or(0)
    }

    /// `^{-1}` before a bracket.
    fn inverse_mark(&mut self) -> bool {
        if !self.mark('^') {
            return false;
        }
        let tokens: Vec<Option<&Token<'_>>> = (1..=5).map(|ahead| self.peek_at(ahead)).collect();
        let one = |token: Option<&Token<'_>>| matches!(token, Some(Token::Number { value, .. }) if *value == Expr::integer(1));
        let found = matches!(tokens.as_slice(), [Some(Token::Mark('{')), Some(Token::Mark('-')), number, Some(Token::Mark('}')), Some(Token::Mark('('))] if one(*number));
        self.at += if found { 5 } else { 0 };
        found
    }

    /// The expressions in round or square brackets.
    fn bracketed_arguments(&mut self) -> Option<Vec<Expr>> {
        match self.deeper(Self::primary)? {
            Value::Tuple { items, .. } => items.into_iter().map(expr).collect(),
            other => Some(vec![expr(other)?]),
        }
    }

    /// A name with the subscript that follows. One in which letters count, as in `a_{n+1}`, makes it a function
    /// of them.
    pub(super) fn subscripted(&mut self, name: &str) -> Option<Expr> {
        let start = self.at;
        if let Some(written) = self.subscript() {
            let index = written.chars().all(|c| c.is_ascii_lowercase()) && written.len() == 1;
            let mut name = format!("{name}_{written}");
            while self.take('\'') {
                name.push('\'');
            }
            if !index {
                return Some(Expr::Variable(name.into()));
            }
        }
        self.at = start + 1;
        let index = self.argument()?;
        Some(Expr::Apply(format!("{name}_").into(), vec![index]))
    }

    /// The base of digits.
    fn base(&mut self) -> Option<String> {
        let written = self.subscript()?;
        let word = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
        let base = match word.iter().position(|name| *name == written) {
            Some(at) => (at + 2).to_string(),
            None => written,
        };
        base.chars().all(|c| c.is_ascii_alphanumeric()).then_some(base)
    }

    /// The subscript after `_`, as it is written, if it is a mere name.
    pub(super) fn subscript(&mut self) -> Option<String> {
        if !self.take('_') {
            return None;
        }
        let braced = self.take('{');
        let mut name = String::new();
        loop {
            match self.peek()? {
                Token::Symbol(symbol) | Token::Bold(symbol) => name.push_str(symbol),
                Token::Words(words) => name.push_str(words),
                Token::Number { value: Expr::Number(n), .. } => name.push_str(&n.to_string()),
                Token::Mark(c @ (',' | '\'')) if braced => name.push(*c),
                Token::Accent(accent) if braced => name.push_str(accent),
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

    /// `∠ABC`, `\overline{AB}`, `\vec{v}`: a name of its own.
    fn accented(&mut self, accent: &str) -> Option<Value> {
        let braced = self.take('{');
        let mut name = format!("\\{accent} ");
        let mut length = 0;
        while let Some(token) = self.peek() {
            match token {
                Token::Symbol(symbol) | Token::Bold(symbol) => name.push_str(symbol),
                Token::Number { value: Expr::Number(n), whole: true } => name.push_str(&n.to_string()),
                Token::Words(words) => name.push_str(words),
                Token::Mark('_') => {
                    name.push('_');
                    name.push_str(&self.subscript()?);
                    length += 1;
                    continue;
                }
                _ => break,
            }
            self.at += 1;
            length += 1;
            if !braced {
                break;
            }
        }
        if length == 0 || (braced && !self.take('}')) {
            return None;
        }
        // Unit vectors.
        let unit = matches!(
            name.as_str(),
            "\\hat i" | "\\hat j" | "\\hat k" | "\\vector i" | "\\vector j" | "\\vector k"
        );
        if unit {
            name = format!("\\bold {}", name.rsplit(' ').next().unwrap_or_default());
        }
        if self.mark('_') {
            name.push('_');
            name.push_str(&self.subscript()?);
        }
        Some(Value::Expr(Expr::Variable(name.into())))
    }

    /// A blackboard letter, and its half if a sign says which.
    fn domain(&mut self, domain: super::expr::Domain) -> Value {
        use super::expr::Domain as D;
        let sign = |parser: &mut Self, mark: char| {
            parser.attempt(|parser| {
                if !parser.take(mark) {
                    return None;
                }
                let braced = parser.take('{');
                let sign = match parser.peek()? {
                    Token::Mark(c @ ('+' | '-')) => *c,
                    _ => return None,
                };
                parser.at += 1;
                (!braced || parser.take('}')).then_some(sign)
            })
        };
        let half = sign(self, '^').or_else(|| sign(self, '_'));
        let zero = || Value::Expr(Expr::integer(0));
        match (half, domain) {
            (Some('+'), D::Integers) => Value::Domain(D::Naturals),
            (Some('+'), D::Reals) => {
                Value::Tuple { open: '(', close: ')', items: vec![zero(), Value::Expr(Expr::Infinity)] }
            }
            (Some('-'), D::Reals) => Value::Tuple {
                open: '(',
                close: ')',
                items: vec![Value::Expr(Expr::Infinity.negated()), zero()],
            },
            _ => Value::Domain(domain),
        }
    }

    fn bracketed(&mut self, open: char) -> Option<Value> {
        let value = self.without_bars(|parser| parser.deeper(Self::list))?;
        let close = match self.peek()? {
            Token::Mark(c @ (')' | ']' | '⟩')) => *c,
            Token::Mark('[') if self.reversed => '[',
            _ => return None,
        };
        self.at += 1;
        let (open, close) = match (open, close) {
            ('⟨', '⟩') => ('(', ')'),
            ('⟨', _) | (_, '⟩') => return None,
            (open, close) => (if open == ']' { '(' } else { open }, if close == '[' { ')' } else { close }),
        };
        match value {
            Value::List(items, Join::Comma | Join::And) => {
                let rows =
                    items.iter().all(|item| matches!(item, Value::Tuple { open: '[', close: ']', .. }));
                if open == '[' && close == ']' && rows {
                    return Some(matrix::of_tuples(&items).unwrap_or(Value::Tuple { open, close, items }));
                }
                Some(Value::Tuple { open, close, items })
            }
            other if matches!((open, close), ('(', ')') | ('[', ']')) => Some(other),
            _ => None,
        }
    }

    /// A braced group or a single token, as commands take their arguments.
    pub(super) fn argument(&mut self) -> Option<Expr> {
        match self.peek()? {
            Token::Mark('{' | '(')
            | Token::Symbol(_)
            | Token::Bold(_)
            | Token::Frac
            | Token::Accent(_)
            | Token::Sqrt => expr(self.deeper(Self::primary)?),
            Token::Mark('∞') => {
                self.at += 1;
                Some(Expr::Infinity)
            }
            Token::Number { value, .. } => {
                self.at += 1;
                Some(value.clone())
            }
            _ => None,
        }
    }

    /// One part of a fraction; the digits that a number of several leaves for the next.
    fn fraction(&mut self) -> Option<Value> {
        // `\frac12` is one half: the command takes two single digits.
        let small = |token: Option<&Token<'_>>| match token {
            Some(Token::Number { value: Expr::Number(n), whole: true }) => u32::try_from(n.numerator()).ok(),
            _ => None,
        };
        if let Some(digits) = small(self.peek()).filter(|n| *n > 9) {
            self.at += 1;
            if digits < 100 {
                let (top, bottom) = (digits / 10, digits % 10);
                if bottom == 0 {
                    return None;
                }
                return Some(Value::Expr(Expr::Number(RBig::from_parts(top.into(), bottom.into()))));
            }
            if digits < 1000 && matches!(self.previous(), Some(Token::Number { .. })) {
                // `\frac123` is one half times three.
                let (top, bottom, rest) = (digits / 100, digits / 10 % 10, digits % 10);
                if bottom == 0 {
                    return None;
                }
                return Some(Value::Expr(Expr::Number(RBig::from_parts((top * rest).into(), bottom.into()))));
            }
            return None;
        }
        if let Some(derivative) = self.attempt(Self::derivative) {
            return Some(Value::Expr(derivative));
        }
        let matrix = self.mark('{') && matches!(self.peek_at(1), Some(Token::Begin(_)));
        if matrix {
            let top = self.deeper(Self::primary)?;
            let bottom = self.argument()?;
            return matrix::times(top, Value::Expr(bottom.inverse()));
        }
        let top = self.argument()?;
        let digits = match self.tokens.get(self.at).map(|t| &t.token) {
            Some(Token::Number { value: Expr::Number(n), whole: true }) => {
                u32::try_from(n.numerator()).ok().filter(|n| *n > 9)
            }
            _ => None,
        };
        let (bottom, rest) = match digits {
            // `\frac{a}25` is a half of a, five times.
            Some(digits) if digits < 100 => {
                self.at += 1;
                (Expr::integer(i64::from(digits / 10)), Some(Expr::integer(i64::from(digits % 10))))
            }
            Some(_) => return None,
            None => (self.argument()?, None),
        };
        let quotient = match (&top, &bottom) {
            (Expr::Number(top), Expr::Number(bottom)) if !bottom.is_zero() => Expr::Number(top / bottom),
            _ => Expr::product(vec![top, bottom.inverse()]),
        };
        Some(Value::Expr(match rest {
            Some(rest) => Expr::product(vec![quotient, rest]),
            None => quotient,
        }))
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
        // `\sqrt12` is the root of 12 as people write it, of 1 as TeX reads it; only one digit is certain.
        if let Some(Token::Number { value: Expr::Number(n), whole: true }) = self.peek()
            && *n >= RBig::from(10)
            && !matches!(self.previous(), Some(Token::Mark(']')))
            && degree != Expr::integer(2)
        {
            return None;
        }
        let inner = self.argument()?;
        Some(root(&degree, inner))
    }
}

pub(super) fn root(degree: &Expr, inner: Expr) -> Expr {
    let whole = exact::value(degree).and_then(|n| u32::try_from(exact::integer(&n)?).ok());
    match whole {
        Some(n) if n > 0 => Expr::Root(n, Box::new(inner)),
        _ => Expr::Power(Box::new(inner), Box::new(degree.clone().inverse())),
    }
}

pub(super) fn binomial(n: Expr, k: Expr) -> Expr {
    let lower = exact::value(&k).and_then(|k| i64::try_from(exact::integer(&k)?).ok());
    match lower {
        Some(k)
            if (0..=MAX_BINOMIAL).contains(&k)
                && exact::size(&n) <= MAX_UPPER
                && exact::value(&n).is_none() =>
        {
            let factors = (0..k).map(|j| {
                let top = Expr::sum(vec![n.clone(), Expr::integer(-j)]);
                Expr::product(vec![top, Expr::integer(j + 1).inverse()])
            });
            Expr::product(std::iter::once(Expr::integer(1)).chain(factors).collect())
        }
        _ => Expr::Call(Function::Binomial, vec![n, k]),
    }
}
