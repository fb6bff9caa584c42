//! The parser's largest parts: relations, measures, and the names that values have.

use dashu::rational::RBig;

use super::exact;
use super::expr::{Domain, Expr, Function, Relation, SetOperation, Unit, Value};
use super::lexer::Token;
use super::parser::{MAX_ITEMS, Parser, expr, hundredths};
use super::symbols::{APPROXIMATELY, CONGRUENT};
use super::units;

impl Parser<'_, '_> {
    /// One item: a value or a chain of relations.
    pub(super) fn item(&mut self) -> Option<Value> {
        // `x = kπ, where k ∈ ℤ`.
        if let Some(Token::Words("where" | "for" | "with" | "for all" | "for any" | "for some")) = self.peek()
            && self.at > 0
        {
            self.at += 1;
        }
        let first = self.side()?;
        match self.peek() {
            Some(Token::Element | Token::NotElement) => {
                let outside = self.peek() == Some(&Token::NotElement);
                self.at += 1;
                let set = self.side()?;
                let set = if outside {
                    Value::Combined(SetOperation::Difference, vec![Value::Domain(Domain::Reals), set])
                } else {
                    set
                };
                return match first {
                    Value::Expr(element) => Some(Value::Element(element, Box::new(set))),
                    _ => None,
                };
            }
            Some(Token::Pmod | Token::Mod) => return self.modulus(None, expr(first)?),
            Some(Token::Mark('(')) if matches!(self.peek_at(1), Some(Token::Mod)) => {
                return self.modulus(None, expr(first)?);
            }
            _ => {}
        }
        let mut sides = vec![first];
        let mut relations = Vec::new();
        while let Some(Token::Relation(relation)) = self.peek() {
            self.at += 1;
            relations.push(*relation);
            sides.push(self.side()?);
            if sides.len() > MAX_ITEMS {
                return None;
            }
        }
        if relations == [CONGRUENT] && self.modulus_follows() {
            let (right, left) = (expr(sides.pop()?)?, expr(sides.pop()?)?);
            return self.modulus(Some(left), right);
        }
        if relations.is_empty() {
            return sides.pop();
        }
        chain(sides, relations)
    }

    fn modulus_follows(&mut self) -> bool {
        match self.peek() {
            Some(Token::Pmod | Token::Mod) => true,
            Some(Token::Mark('(')) => matches!(self.peek_at(1), Some(Token::Mod)),
            _ => false,
        }
    }

    /// `\pmod{5}`, `(mod 5)`, `mod 5`, after what is known up to it.
    fn modulus(&mut self, left: Option<Expr>, right: Expr) -> Option<Value> {
        let round = self.take('(');
        self.at += 1;
        let modulus = expr(self.sum()?)?;
        (!round || self.take(')')).then_some(Value::Congruence { left, right, modulus })
    }

    /// A value with the unit that may follow it.
    pub(super) fn measured(&mut self) -> Option<Value> {
        if let Some(words) = self.leading_words() {
            return Some(words);
        }
        if let Some(amount) = self.attempt(Self::money) {
            return Some(amount);
        }
        let mut value = self.sum()?;
        if let Some(Token::Currency(name)) = self.peek() {
            self.at += 1;
            return quantity(value, name);
        }
        if self.mark(':') && !self.in_set {
            let mut parts = vec![expr(value)?];
            while self.take(':') {
                parts.push(expr(self.sum()?)?);
                if parts.len() > MAX_ITEMS {
                    return None;
                }
            }
            value = Value::Ratio(parts);
        }
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
                // The h of `km/h` is no variable.
                Token::Symbol(letter) if name.ends_with('/') && units::is_known(letter) => {
                    name.push_str(letter);
                }
                Token::Mark('^') if !name.is_empty() => {
                    name.push('^');
                    name.push_str(&self.unit_exponent()?);
                }
                _ => break,
            }
            self.at += 1;
        }
        if name.is_empty() {
            return Some(value);
        }
        quantity(value, &name)
    }

    /// `\$5`, `-\$5`, `\$5 million`.
    fn money(&mut self) -> Option<Value> {
        let negative = self.signs();
        let Some(Token::Currency(name)) = self.peek() else { return None };
        self.at += 1;
        let mut amount = expr(self.sum()?)?;
        if let Some(Token::Words(words)) = self.peek() {
            self.at += 1;
            amount = match units::multiplier(words) {
                Some(factor) => Expr::product(vec![amount, Expr::Number(RBig::from(factor))]),
                // `\$5 dollars`, `\$5 per hour`.
                None => return quantity(Value::Expr(amount), words),
            };
        }
        quantity(Value::Expr(if negative { amount.negated() } else { amount }), name)
    }

    /// The exponent of a unit; the last of its tokens is left to be passed.
    fn unit_exponent(&mut self) -> Option<String> {
        let braced = self.peek_at(1) == Some(&Token::Mark('{'));
        let mut at = 1 + usize::from(braced);
        let negative = self.peek_at(at) == Some(&Token::Mark('-'));
        at += usize::from(negative);
        let Some(Token::Number { value: Expr::Number(n), whole: true }) = self.peek_at(at) else {
            return None;
        };
        if braced && self.peek_at(at + 1) != Some(&Token::Mark('}')) {
            return None;
        }
        self.at += at + usize::from(braced);
        Some(format!("{}{n}", if negative { "-" } else { "" }))
    }

    /// Words at the start of a side: the name of something, or an answer in words.
    fn leading_words(&mut self) -> Option<Value> {
        let start = self.at;
        let mut name = String::new();
        while let Some(Token::Words(words)) = self.peek() {
            if !name.is_empty() {
                name.push(' ');
            }
            name.push_str(words);
            self.at += 1;
        }
        if name.is_empty() {
            return None;
        }
        match self.peek() {
            Some(Token::Relation(_)) => Some(Value::Expr(Expr::Variable(name.to_lowercase().into()))),
            None
            | Some(
                Token::Separator(_)
                | Token::Mark(',' | ';' | ')' | ']' | '}' | '⦄' | '&')
                | Token::Row
                | Token::End(_),
            ) => Some(Value::Text(name)),
            _ => {
                self.at = start;
                None
            }
        }
    }
}

/// A value with a unit: words after it.
fn quantity(value: Value, name: &str) -> Option<Value> {
    if let Value::Ratio(parts) = &value {
        let half = name.to_lowercase().replace(['.', ' '], "");
        let times: Option<Vec<RBig>> = parts.iter().map(exact::value).collect();
        return match (half.as_str(), times.as_deref()) {
            ("am" | "pm", Some([hours, minutes])) => Some(Value::Text(format!("{hours}:{minutes} {half}"))),
            _ => None,
        };
    }
    let Value::Expr(mut value) = value else {
        // A point or an interval may be measured as a whole.
        return units::unit(name).map(|_| value);
    };
    let (first, rest) = name.split_once(' ').unwrap_or((name, ""));
    if let Some(factor) = units::multiplier(first) {
        value = Expr::product(vec![value, Expr::Number(RBig::from(factor))]);
        if rest.is_empty() {
            return Some(Value::Expr(value));
        }
        return Some(Value::Quantity(value, units::unit(rest)?));
    }
    if units::is_angle(name) {
        return Some(Value::Expr(match name {
            // So that 45 radians are not 45°, which is answered by 45.
            "rad" | "radian" | "radians" => {
                Expr::product(vec![value, Expr::degree_in_radians().inverse(), Expr::Degree])
            }
            _ => Expr::product(vec![value, Expr::Degree]),
        }));
    }
    Some(Value::Quantity(value, units::unit(name)?))
}

/// `n = 2, 3, 4` names each of the values.
pub(super) fn spread(items: Vec<Value>) -> Vec<Value> {
    let Some(Value::Chain { sides, relations }) = items.first() else { return items };
    let ([name, _], [Relation::Equal]) = (sides.as_slice(), relations.as_slice()) else { return items };
    let bare = |item: &Value| matches!(item, Value::Expr(value) if *value != Expr::Variable("…".into()));
    if !is_name(name) || !items.iter().skip(1).all(bare) {
        return items;
    }
    let name = name.clone();
    items
        .into_iter()
        .map(|item| match item {
            Value::Expr(value) => {
                Value::Chain { sides: vec![name.clone(), value], relations: vec![Relation::Equal] }
            }
            other => other,
        })
        .collect()
}

/// A chain of relations, or what it states otherwise.
fn chain(mut sides: Vec<Value>, mut relations: Vec<Relation>) -> Option<Value> {
    // `\frac{\sqrt 3}{3} ≈ 0.577` states the exact value, `x ≈ 0.577` the decimal.
    if relations.last() == Some(&APPROXIMATELY)
        && (sides.len() > 2 || !matches!(sides.first(), Some(Value::Expr(value)) if has_variable(value)))
        && matches!(sides.last(), Some(Value::Expr(value)) if exact::value(value).is_some())
    {
        sides.pop();
        relations.pop();
        if relations.is_empty() {
            return sides.pop();
        }
    }
    if relations == [Relation::Equal] || relations == [APPROXIMATELY] {
        let [left, right] = <[Value; 2]>::try_from(sides).ok()?;
        return match (left, right) {
            (Value::Expr(left), Value::Expr(right)) => {
                Some(Value::Chain { sides: vec![left, right], relations })
            }
            (name @ (Value::Expr(_) | Value::Ratio(_) | Value::Tuple { .. } | Value::Set(_)), value) => {
                named(name, value, relations)
            }
            // `{1, 2} = A`.
            (value, Value::Expr(name)) if is_name(&name) => named(Value::Expr(name), value, relations),
            (left, right) => {
                Some(Value::Chain { sides: vec![with_unit(left)?, with_unit(right)?], relations })
            }
        };
    }
    let sides: Vec<Expr> = sides.into_iter().map(with_unit).collect::<Option<_>>()?;
    Some(Value::Chain { sides, relations })
}

/// A name for something that is no expression.
fn named(name: Value, value: Value, relations: Vec<Relation>) -> Option<Value> {
    if let (Value::Expr(left), Value::Quantity(..)) = (&name, &value)
        && !is_name(left)
    {
        return Some(Value::Chain { sides: vec![left.clone(), with_unit(value)?], relations });
    }
    Some(Value::Named(Box::new(name), Box::new(value)))
}

/// A side of a chain, in which a unit is one more factor.
fn with_unit(value: Value) -> Option<Expr> {
    match value {
        Value::Quantity(value, unit) => Some(match unit {
            Unit::Percent => hundredths(value),
            Unit::Known { dimension, factor } => Expr::product(vec![
                value,
                Expr::Number(factor),
                Expr::Variable(format!("\\unit {dimension}").into()),
            ]),
            Unit::Named(name) => Expr::product(vec![value, Expr::Variable(format!("\\unit {name}").into())]),
        }),
        other => expr(other),
    }
}

fn has_variable(expr: &Expr) -> bool {
    expr.any(&|part| matches!(part, Expr::Variable(_) | Expr::Apply(..)))
}

/// Whether an expression may name what stands on the other side: `x`, `f(x)`, `AB/CD`.
pub(super) fn is_name(expr: &Expr) -> bool {
    match expr {
        Expr::Variable(_) | Expr::Apply(..) => true,
        Expr::Call(Function::Abs, parts) => matches!(parts.as_slice(), [Expr::Variable(_)]),
        Expr::Product(factors) => match factors.as_slice() {
            [Expr::Variable(f), Expr::Variable(_)] => {
                matches!(
                    &**f,
                    "P" | "p" | "q" | "Q" | "E" | "R" | "y" | "u" | "T" | "S" | "r" | "A" | "V" | "C"
                )
            }
            _ => is_quotient_of_names(factors),
        },
        _ => false,
    }
}

/// `AB/CD`, of segments or of what has an index; `y/x` is an expression.
fn is_quotient_of_names(factors: &[Expr]) -> bool {
    let segment = |expr: &Expr| matches!(expr, Expr::Variable(name) if name.chars().count() > 1 || name.starts_with(char::is_uppercase));
    match factors {
        [top, Expr::Power(bottom, minus)] => segment(top) && segment(bottom) && **minus == Expr::integer(-1),
        _ => false,
    }
}
