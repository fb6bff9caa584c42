//! Between the values of JavaScript and the plain values that graders know.

use super::datum::Datum;
use crate::value::Value;

/// The largest whole number up to which every whole number is a float of its own.
const SAFE: f64 = 9_007_199_254_740_991.0;

/// An argument for a function; nothing when JavaScript has no such value.
pub(super) fn argument(value: &Value) -> Option<Datum> {
    Some(match value {
        Value::Null => Datum::Null,
        Value::Bool(truth) => Datum::Bool(*truth),
        Value::Int(digits) => match digits.parse::<f64>() {
            Ok(number) if number.abs() <= SAFE => Datum::Number(number),
            _ => Datum::BigInt(digits.clone()),
        },
        Value::Float(number) => Datum::Number(*number),
        Value::Text(text) => Datum::Text(text.clone()),
        Value::Bytes(bytes) => Datum::Numbers {
            kind: "Uint8Array".to_owned(),
            items: bytes.iter().map(|byte| Datum::Number(f64::from(*byte))).collect(),
        },
        Value::List(items) | Value::Tuple(items) => {
            Datum::List(items.iter().map(argument).collect::<Option<_>>()?)
        }
        Value::Set(items) => Datum::Set(items.iter().map(argument).collect::<Option<_>>()?),
        Value::Map(pairs) => {
            let all = pairs
                .iter()
                .map(|(key, value)| Some((argument(key)?, argument(value)?)))
                .collect::<Option<Vec<_>>>()?;
            if pairs.iter().all(|(key, _)| matches!(key, Value::Text(_))) {
                Datum::Object(all)
            } else {
                Datum::Map(all)
            }
        }
        Value::Complex { .. } | Value::Opaque { .. } => return None,
    })
}

/// What a function returned, as graders compare it.
pub(super) fn returned(datum: Datum) -> Value {
    match datum {
        Datum::Undefined | Datum::Null | Datum::Hole => Value::Null,
        Datum::Bool(truth) => Value::Bool(truth),
        Datum::Number(number) if number.fract() == 0.0 && number.abs() <= SAFE => {
            Value::Int(format!("{}", number as i64))
        }
        Datum::Number(number) => Value::Float(number),
        Datum::BigInt(digits) => Value::Int(digits),
        Datum::Text(text) => Value::Text(text),
        Datum::Units(_) => opaque("string with half a character"),
        Datum::List(items) | Datum::Numbers { items, .. } => {
            Value::List(items.into_iter().map(returned).collect())
        }
        Datum::Set(items) => Value::Set(items.into_iter().map(returned).collect()),
        Datum::Object(pairs) | Datum::Map(pairs) => {
            Value::Map(pairs.into_iter().map(|(key, value)| (returned(key), returned(value))).collect())
        }
        Datum::Date(_) => opaque("Date"),
        Datum::RegExp { .. } => opaque("RegExp"),
        Datum::Error { class, .. } => Value::Opaque { type_name: class },
        Datum::Reference { name, .. } | Datum::Opaque(name) => Value::Opaque { type_name: name },
    }
}

fn opaque(name: &str) -> Value {
    Value::Opaque { type_name: name.to_owned() }
}
