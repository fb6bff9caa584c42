//! What a text states, in each way it can be read.

use crate::extract;

use super::calculus;
use super::exact;
use super::expr::{Binder, Expr, Value};
use super::form;
use super::lexer;
use super::parser;
use super::policy::Policy;
use super::units;
use super::words;

/// A text and what it states: its readings, the most likely first. A text that states nothing readable has
/// none.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    /// The text without the marks around it.
    pub(super) text: String,
    pub(super) values: Vec<Value>,
    /// A number with a unit of one letter, which reads as a product first.
    pub(super) quantity: Option<Value>,
}

impl Reading {
    fn new(text: &str, values: Vec<Value>) -> Self {
        Self { text: text.to_owned(), values, quantity: quantity(text) }
    }

    /// The readings of a reference, or the byte at which reading stopped.
    pub(super) fn of_reference(text: &str) -> Result<Self, usize> {
        let stated = extract::reference(text);
        let bare = bare(&stated);
        match readings(bare) {
            Ok(values) => Ok(Self::new(bare, values)),
            Err(_) if choice_letter(bare).is_some() => {
                let letter = choice_letter(bare).map(|letter| letter.to_string()).unwrap_or_default();
                Ok(Self::new(bare, vec![Value::Expr(Expr::Variable(letter.into()))]))
            }
            // A reference in words with digits among them, such as a date, is compared as it stands.
            Err(_) if words::is_wordy(bare) && bare.len() <= lexer::MAX_BYTES => {
                Ok(Self::new(bare, vec![Value::Text(bare.to_owned())]))
            }
            Err(at) => Err(at),
        }
    }

    /// The readings of an answer, of which there may be none.
    pub(super) fn of_answer(text: &str, policy: &Policy) -> Self {
        let bare = bare(text);
        let letter = policy.choice(bare).or_else(|| choice_letter(bare));
        let mut values = readings(bare).unwrap_or_default();
        if let Some(letter) = letter {
            let choice = Value::Expr(Expr::Variable(letter.to_string().into()));
            if values.is_empty() { values.push(choice) } else { values.insert(1, choice) }
        }
        Self::new(bare, values)
    }

    /// Whether this is an answer in words.
    pub(super) fn is_words(&self) -> bool {
        self.values.iter().any(|value| matches!(value, Value::Text(_)))
    }

    /// What this answer lacks that the task asks for although its value is right.
    pub(super) fn lacks(&self, reference: &Self, policy: &Policy) -> Option<&'static str> {
        let (answer, expected) = (self.values.first()?, reference.values.first()?);
        form::lacks((&reference.text, expected), (&self.text, answer), policy)
    }
}

/// The text without the marks around an answer.
pub(super) fn bare(text: &str) -> &str {
    // A form feed is white space too, but here it is the rest of `\frac`.
    let outer = |c: char| (c.is_whitespace() && c != '\u{c}') || matches!(c, '$' | '*' | '`' | '"');
    let mut rest = text;
    loop {
        let before = rest;
        rest = rest.trim_matches(outer).trim_end_matches(['.', ',', ';', '\\', ':']);
        rest = rest.trim_matches(outer);
        for (open, close) in [("\\(", "\\)"), ("\\[", "\\]")] {
            if let Some(inner) = rest.strip_prefix(open).and_then(|inner| inner.strip_suffix(close)) {
                rest = inner;
            }
        }
        if rest.len() == before.len() {
            return rest;
        }
    }
}

/// The answer that a text states, in its most likely reading: mathematics, or else words.
pub(super) fn value(text: &str) -> Result<Value, usize> {
    let bare = bare(text);
    if bare.len() > lexer::MAX_BYTES {
        return Err(lexer::MAX_BYTES);
    }
    if let Some(prose) = words::prose(bare) {
        return Ok(Value::Text(prose));
    }
    if let Some(time) = time(bare) {
        return Ok(Value::Text(time));
    }
    if bare.contains(".m") {
        return parser::read(&bare.replace("p.m", "pm").replace("a.m", "am").replace("m.", "m"));
    }
    parser::read(bare)
}

fn readings(text: &str) -> Result<Vec<Value>, usize> {
    let decimal = decimal_comma(text);
    let first = match (value(text), &decimal) {
        (Err(_), Some(decimal)) => return parser::read(decimal).map(|value| vec![value]),
        (result, _) => result?,
    };
    let set = if let Value::Text(words) = &first { words::set(words) } else { None };
    let mut readings = vec![first];
    readings.extend(set);
    readings.extend(decimal.and_then(|decimal| parser::parse(&decimal)));
    let readings =
        readings.into_iter().map(|value| with_parameters(value.map(&mut closed))).collect::<Vec<_>>();
    Ok(readings)
}

/// An expression with its sums, limits and the like in closed form where they have one. A family of
/// antiderivatives stays as it is: whether a function belongs to it is seen by its derivative.
fn closed(expr: Expr) -> Expr {
    match expr {
        Expr::Bound(bound) if bound.binder == Binder::Integral && bound.from.is_none() => Expr::Bound(bound),
        other if other.any(&|part| matches!(part, Expr::Bound(_))) => calculus::resolve(other),
        other => other,
    }
}

/// `kπ, k ∈ ℤ` with a name of our own for the parameter, which has none that matters.
fn with_parameters(value: Value) -> Value {
    let Value::List(items, join) = value else { return value };
    let names: Vec<Box<str>> = items
        .iter()
        .filter_map(|item| match item {
            Value::Element(Expr::Variable(name), set) if matches!(**set, Value::Domain(_)) => {
                Some(name.clone())
            }
            _ => None,
        })
        .collect();
    if names.len() >= items.len() {
        return Value::List(items, join);
    }
    let mut rename = |expr: Expr| {
        names.iter().enumerate().fold(expr, |expr, (at, name)| {
            expr.with_variable(name, &Expr::Variable(format!("\\parameter {at}").into()))
        })
    };
    Value::List(items.into_iter().map(|item| item.map(&mut rename)).collect(), join)
}

/// `5 m` as a length. Only a number, a blank and one letter that names a unit can be one.
fn quantity(text: &str) -> Option<Value> {
    let (number, letter) = text.rsplit_once([' ', '~'])?;
    if !matches!(letter, "m" | "g" | "s" | "h" | "L" | "N" | "J" | "W" | "V" | "K") {
        return None;
    }
    match parser::parse(number.trim().trim_end_matches('\\'))? {
        Value::Expr(value) => {
            exact::value(&value)?;
            Some(Value::Quantity(value, units::unit(letter)?))
        }
        _ => None,
    }
}

/// A time of day whose minutes begin with a zero, which no ratio does: `12:05`, `7:00 pm`.
fn time(text: &str) -> Option<String> {
    let (hours, rest) = text.split_once(':')?;
    let (minutes, half) = rest.split_at_checked(2)?;
    let digits = |text: &str| !text.is_empty() && text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit());
    let half = half.trim().trim_start_matches('~');
    let half = half.strip_prefix("\\text{").and_then(|inner| inner.strip_suffix('}')).unwrap_or(half);
    let half = half.trim().to_lowercase().replace('.', "");
    let known = matches!(half.as_str(), "" | "am" | "pm");
    (digits(hours) && digits(minutes) && minutes.starts_with('0') && known)
        .then(|| format!("{}:{minutes} {half}", hours.trim_start_matches('0')).trim_end().to_owned())
}

/// A number with a decimal comma, with a point instead. `1,5` stays a list: two answers are likelier than a
/// decimal with one place.
fn decimal_comma(text: &str) -> Option<String> {
    let unsigned = text.strip_prefix(['-', '−']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once(',').or_else(|| unsigned.split_once("{,}"))?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let likely = whole == "0" || (fraction.len() >= 2 && fraction.len() != 3);
    (digits(whole) && digits(fraction) && likely).then(|| text.replace("{,}", ".").replace(',', "."))
}

/// The letter of a choice that is named with its text: `C. x = 42`, `(B) 5`.
fn choice_letter(text: &str) -> Option<char> {
    let inner = text.strip_prefix("\\text{").map_or(text, |rest| rest);
    let inner = inner.trim_start_matches(['(', '{', ' ']);
    let mut chars = inner.chars();
    let letter = chars.next().filter(char::is_ascii_uppercase)?;
    let rest = chars.as_str();
    let mark = rest.trim_start_matches('}').chars().next().filter(|c| matches!(c, '.' | ')' | ':'))?;
    let after = rest.trim_start_matches('}').strip_prefix(mark)?;
    // Another letter with a mark would be a second choice.
    let second = after.as_bytes().windows(2).any(|pair| match pair {
        [letter, mark] => letter.is_ascii_uppercase() && matches!(mark, b'.' | b')' | b':'),
        _ => false,
    });
    let listed = after.contains(" or ") || after.contains(" and ");
    (!second && !listed && after.starts_with([' ', '}', '\\', '$'])).then_some(letter)
}
