//! When the value that a function returned is the one expected.
//!
//! The sandbox hands over plain data of the guest's own types, so nothing here can be fooled by an object that
//! says it equals everything. A truth value is never a number, `0.0` is `-0.0`, not-a-number is only what was
//! expected to be it.

use sandboxes::{Language, Value};

use super::decimal::Tolerance;

/// How deep two values are compared; what lies deeper is different.
const MAX_DEPTH: usize = 200;

/// How a returned value is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Equality {
    /// As Python's `==`: numbers by their value, 1 is 1.0. A tuple equals a list of the same items, because JSON
    /// cannot say which one it means.
    #[default]
    Equal,
    /// The types too: 1 is not 1.0 (but in JavaScript, where they are one), a tuple no list.
    Exact,
    /// As `Equal`, and a floating-point number may be as far from the expected one as the tolerance says. Whole
    /// numbers are exact.
    Float(Tolerance),
    /// As `Equal`, but the order of the outermost list does not matter.
    AnyOrder,
}

impl Equality {
    pub(super) fn holds(self, got: &Value, expected: &Value, language: Language) -> bool {
        match self {
            Self::Equal => key(got) == key(expected),
            Self::Exact => {
                let types = if language == Language::JavaScript { Types::OneNumber } else { Types::All };
                key_of(got, types) == key_of(expected, types)
            }
            Self::Float(tolerance) => near(got, expected, tolerance, MAX_DEPTH),
            Self::AnyOrder => match (got, expected) {
                (Value::List(got) | Value::Tuple(got), Value::List(expected) | Value::Tuple(expected)) => {
                    sorted(got) == sorted(expected)
                }
                _ => key(got) == key(expected),
            },
        }
    }
}

/// Which types a key tells apart.
#[derive(Clone, Copy, PartialEq)]
enum Types {
    /// A whole number from a floating-point number, a list from a tuple.
    All,
    /// A list from a tuple.
    OneNumber,
    /// Neither.
    Few,
}

/// Two values have the same key when they are equal.
pub(super) fn key(value: &Value) -> Vec<u8> {
    key_of(value, Types::Few)
}

fn sorted(items: &[Value]) -> Vec<Vec<u8>> {
    let mut keys: Vec<_> = items.iter().map(key).collect();
    keys.sort_unstable();
    keys
}

fn key_of(value: &Value, types: Types) -> Vec<u8> {
    let mut out = Vec::new();
    write_key(value, types, MAX_DEPTH, &mut out);
    out
}

fn write_key(value: &Value, types: Types, depth: usize, out: &mut Vec<u8>) {
    let Some(depth) = depth.checked_sub(1) else {
        // A key with this mark equals no key of an expected value, which JSON keeps from being so deep.
        return out.push(b'!');
    };
    match value {
        Value::Null => out.push(b'n'),
        Value::Bool(truth) => out.extend([b'b', u8::from(*truth)]),
        Value::Int(digits) => put(b'i', digits.as_bytes(), out),
        Value::Float(number) => write_float(*number, types, out),
        Value::Complex { re, im } => {
            out.push(b'c');
            write_float(*re, Types::Few, out);
            write_float(*im, Types::Few, out);
        }
        Value::Text(text) => put(b't', text.as_bytes(), out),
        Value::Bytes(bytes) => put(b'y', bytes, out),
        Value::List(items) => write_items(b'l', items, types, depth, out),
        Value::Tuple(items) => {
            write_items(if types == Types::Few { b'l' } else { b'u' }, items, types, depth, out);
        }
        Value::Set(items) => {
            let one = |item: &Value| {
                let mut key = Vec::new();
                write_key(item, types, depth, &mut key);
                key
            };
            write_sorted(b's', items.iter().map(one).collect(), out);
        }
        Value::Map(pairs) => {
            let one = |(key, value): &(Value, Value)| {
                let mut pair = Vec::new();
                write_key(key, types, depth, &mut pair);
                write_key(value, types, depth, &mut pair);
                pair
            };
            write_sorted(b'm', pairs.iter().map(one).collect(), out);
        }
        Value::Opaque { type_name } => put(b'!', type_name.as_bytes(), out),
    }
}

fn put(mark: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(mark);
    out.extend((bytes.len() as u64).to_le_bytes());
    out.extend(bytes);
}

fn write_items(mark: u8, items: &[Value], types: Types, depth: usize, out: &mut Vec<u8>) {
    out.push(mark);
    out.extend((items.len() as u64).to_le_bytes());
    for item in items {
        write_key(item, types, depth, out);
    }
}

fn write_sorted(mark: u8, mut keys: Vec<Vec<u8>>, out: &mut Vec<u8>) {
    keys.sort_unstable();
    put(mark, &(keys.len() as u64).to_le_bytes(), out);
    for key in keys {
        out.extend(key);
    }
}

fn write_float(number: f64, types: Types, out: &mut Vec<u8>) {
    match whole_digits(number) {
        Some(digits) if types != Types::All => put(b'i', digits.as_bytes(), out),
        // There are many not-a-numbers and two zeros.
        _ if number.is_nan() => put(b'f', b"nan", out),
        _ => put(b'f', &(number + 0.0).to_le_bytes(), out),
    }
}

/// The digits of a floating-point number that is whole.
fn whole_digits(number: f64) -> Option<String> {
    (number.is_finite() && number.fract() == 0.0)
        .then(|| if number == 0.0 { "0".to_owned() } else { format!("{number:.0}") })
}

fn near(got: &Value, expected: &Value, tolerance: Tolerance, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    let all = |got: &[Value], expected: &[Value]| {
        got.len() == expected.len()
            && got.iter().zip(expected).all(|(got, expected)| near(got, expected, tolerance, depth))
    };
    match (got, expected) {
        (Value::Float(got), Value::Float(expected)) if expected.is_finite() => {
            tolerance.allows(*got, *expected)
        }
        (Value::Int(got), Value::Float(expected)) if expected.is_finite() => {
            got.parse().is_ok_and(|got| tolerance.allows(got, *expected))
        }
        (Value::Complex { re, im }, Value::Complex { re: expected_re, im: expected_im }) => {
            tolerance.allows(*re, *expected_re) && tolerance.allows(*im, *expected_im)
        }
        (Value::List(got) | Value::Tuple(got), Value::List(expected) | Value::Tuple(expected)) => {
            all(got, expected)
        }
        (Value::Map(got), Value::Map(expected)) => {
            let by_key = |pairs: &[(Value, Value)]| {
                let mut pairs: Vec<_> =
                    pairs.iter().map(|(name, value)| (key(name), value.clone())).collect();
                pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
                pairs
            };
            let (got, expected) = (by_key(got), by_key(expected));
            got.len() == expected.len()
                && got.iter().zip(&expected).all(|((name, got), (expected_name, expected))| {
                    name == expected_name && near(got, expected, tolerance, depth)
                })
        }
        _ => key(got) == key(expected),
    }
}

/// Whether something in the value is not plain data.
pub(super) fn opaque_part(value: &Value) -> Option<&str> {
    opaque_within(value, MAX_DEPTH)
}

fn opaque_within(value: &Value, depth: usize) -> Option<&str> {
    let depth = depth.checked_sub(1)?;
    match value {
        Value::Opaque { type_name } => Some(type_name),
        Value::List(items) | Value::Tuple(items) | Value::Set(items) => {
            items.iter().find_map(|item| opaque_within(item, depth))
        }
        Value::Map(pairs) => pairs
            .iter()
            .find_map(|(key, value)| opaque_within(key, depth).or_else(|| opaque_within(value, depth))),
        _ => None,
    }
}
