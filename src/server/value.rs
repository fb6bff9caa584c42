//! Plain data of programs as JSON, both ways.
//!
//! What JSON has is written as it is. What it lacks is an object with one key that begins with `$`, so that nothing
//! is guessed when it is read back.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sandboxes::Value;
use serde_json::{Map, Number, Value as Json, json};

use super::problem::Fault;

/// How deep data is written, as deep as a JSON parser reads.
const MAX_DEPTH: usize = 100;

/// The value as JSON.
pub fn to_json(value: &Value) -> Json {
    written(value, 0)
}

fn written(value: &Value, depth: usize) -> Json {
    if depth >= MAX_DEPTH {
        return json!({"$opaque": format!("nested deeper than {MAX_DEPTH} levels")});
    }
    let list = |items: &[Value]| -> Json {
        items.iter().map(|item| written(item, depth + 1)).collect::<Vec<_>>().into()
    };
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::from(*value),
        Value::Int(digits) => match digits.parse::<i64>() {
            Ok(small) => Json::from(small),
            Err(_) => json!({"$int": digits}),
        },
        Value::Float(float) => float_json(*float),
        Value::Complex { re, im } => json!({"$complex": [float_json(*re), float_json(*im)]}),
        Value::Text(text) => Json::from(text.as_str()),
        Value::Bytes(bytes) => json!({"$bytes": BASE64.encode(bytes)}),
        Value::List(items) => list(items),
        Value::Tuple(items) => json!({"$tuple": list(items)}),
        Value::Set(items) => json!({"$set": list(items)}),
        Value::Map(entries) => map(entries, depth),
        Value::Opaque { type_name } => json!({"$opaque": type_name}),
    }
}

fn float_json(float: f64) -> Json {
    Number::from_f64(float).map_or_else(|| json!({"$float": special_float(float)}), Json::from)
}

fn special_float(float: f64) -> &'static str {
    match float {
        f64::INFINITY => "inf",
        f64::NEG_INFINITY => "-inf",
        _ => "nan",
    }
}

/// An object where all keys are texts that mean only themselves, else a list of pairs.
fn map(entries: &[(Value, Value)], depth: usize) -> Json {
    let mut object = Map::new();
    for (key, value) in entries {
        match key {
            Value::Text(text) if !text.starts_with('$') && !object.contains_key(text) => {
                object.insert(text.clone(), written(value, depth + 1));
            }
            _ => {
                let pairs: Vec<Json> = entries
                    .iter()
                    .map(|(key, value)| json!([written(key, depth + 1), written(value, depth + 1)]))
                    .collect();
                return json!({"$map": pairs});
            }
        }
    }
    object.into()
}

/// The JSON as a value.
///
/// # Errors
/// Where an object with a key that begins with `$` is none of those that are written. The pointer is relative.
pub fn from_json(json: &Json) -> Result<Value, Fault> {
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) if number.is_f64() => Value::Float(number.as_f64().unwrap_or_default()),
        Json::Number(number) => Value::Int(number.to_string()),
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(items) => Value::List(list_from(items)?),
        Json::Object(fields) => match fields.iter().next() {
            Some((key, inside)) if fields.len() == 1 && key.starts_with('$') => special_from(key, inside)?,
            _ => Value::Map(entries_from(fields)?),
        },
    })
}

fn list_from(items: &[Json]) -> Result<Vec<Value>, Fault> {
    items
        .iter()
        .enumerate()
        .map(|(index, item)| from_json(item).map_err(|fault| under(&index.to_string(), fault)))
        .collect()
}

fn entries_from(fields: &Map<String, Json>) -> Result<Vec<(Value, Value)>, Fault> {
    fields
        .iter()
        .map(|(key, value)| {
            let value = from_json(value).map_err(|fault| under(key, fault))?;
            Ok((Value::Text(key.clone()), value))
        })
        .collect()
}

fn special_from(key: &str, inside: &Json) -> Result<Value, Fault> {
    let wrong = |expected: &str| Fault::new(format!("/{}", token(key)), format!("expected {expected}"));
    let text = |expected: &str| inside.as_str().ok_or_else(|| wrong(expected));
    let list = |expected: &str| inside.as_array().ok_or_else(|| wrong(expected));
    let items = |items: &[Json]| list_from(items).map_err(|fault| under(key, fault));
    Ok(match key {
        "$int" => {
            let digits = text("a text of decimal digits")?;
            whole_number(digits).map(Value::Int).ok_or_else(|| wrong("a text of decimal digits"))?
        }
        "$float" => Value::Float(match text("inf, -inf or nan")? {
            "inf" => f64::INFINITY,
            "-inf" => f64::NEG_INFINITY,
            "nan" => f64::NAN,
            _ => return Err(wrong("inf, -inf or nan")),
        }),
        "$bytes" => Value::Bytes(BASE64.decode(text("base64")?).map_err(|_| wrong("base64"))?),
        "$tuple" => Value::Tuple(items(list("a list")?)?),
        "$set" => Value::Set(items(list("a list")?)?),
        "$complex" => {
            let part = |at: usize| match inside.get(at).map(from_json) {
                Some(Ok(Value::Float(part))) => Some(part),
                Some(Ok(Value::Int(digits))) => digits.parse().ok(),
                _ => None,
            };
            match (part(0), part(1), inside.get(2)) {
                (Some(re), Some(im), None) => Value::Complex { re, im },
                _ => return Err(wrong("the real and the imaginary part")),
            }
        }
        "$map" => Value::Map(
            items(list("a list of pairs")?)?
                .into_iter()
                .map(|pair| match pair {
                    Value::List(pair) => <[Value; 2]>::try_from(pair).map(|[key, value]| (key, value)).ok(),
                    _ => None,
                })
                .collect::<Option<_>>()
                .ok_or_else(|| wrong("a list of pairs"))?,
        ),
        _ => {
            let known = "$int, $float, $complex, $bytes, $tuple, $set, $map";
            return Err(wrong(&format!(
                "one of {known}; a plain object whose only key begins with `$` is written as $map"
            )));
        }
    })
}

/// Decimal digits as a value has them: no plus, no leading zeros, no negative zero.
fn whole_number(text: &str) -> Option<String> {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = digits.trim_start_matches('0');
    Some(if digits.is_empty() { "0".to_owned() } else { format!("{sign}{digits}") })
}

fn under(part: &str, fault: Fault) -> Fault {
    Fault { pointer: format!("/{}{}", token(part), fault.pointer), message: fault.message }
}

/// A key as a part of a JSON pointer.
pub fn token(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use sandboxes::Value;
    use serde_json::json;

    use super::{from_json, to_json};

    #[test]
    fn what_is_written_is_read_back() {
        let text = |text: &str| Value::Text(text.to_owned());
        let int = |digits: &str| Value::Int(digits.to_owned());
        let rows = [
            (Value::Null, json!(null)),
            (Value::Bool(true), json!(true)),
            (int("-5"), json!(-5)),
            (int("123456789012345678901234567890"), json!({"$int": "123456789012345678901234567890"})),
            (Value::Float(1.0), json!(1.0)),
            (Value::Float(f64::NEG_INFINITY), json!({"$float": "-inf"})),
            (Value::Complex { re: 1.0, im: -2.5 }, json!({"$complex": [1.0, -2.5]})),
            (text("a"), json!("a")),
            (Value::Bytes(vec![0, 255]), json!({"$bytes": "AP8="})),
            (Value::List(vec![int("1"), Value::Tuple(vec![])]), json!([1, {"$tuple": []}])),
            (Value::Set(vec![text("x")]), json!({"$set": ["x"]})),
            (Value::Map(vec![(text("k"), int("1"))]), json!({"k": 1})),
            (Value::Map(vec![]), json!({})),
            (Value::Map(vec![(int("1"), Value::Null)]), json!({"$map": [[1, null]]})),
            (Value::Map(vec![(text("$int"), int("1"))]), json!({"$map": [["$int", 1]]})),
        ];
        for (value, json) in rows {
            assert_eq!(to_json(&value), json);
            assert_eq!(from_json(&json).unwrap(), value, "{json}");
        }
    }

    #[test]
    fn what_is_not_written_so_is_refused_with_its_place() {
        for (json, pointer) in [
            (json!({"$nothing": 1}), "/$nothing"),
            (json!([{"$int": "1.5"}]), "/0/$int"),
            (json!({"a/b": {"$float": "big"}}), "/a~1b/$float"),
            (json!({"$map": [[1]]}), "/$map"),
            (json!({"$complex": [1, 2, 3]}), "/$complex"),
            (json!({"$bytes": "?"}), "/$bytes"),
        ] {
            assert_eq!(from_json(&json).unwrap_err().pointer, pointer, "{json}");
        }
    }

    #[test]
    fn deep_data_is_cut_and_not_the_stack() {
        let mut value = Value::Null;
        for _ in 0..5000 {
            value = Value::List(vec![value]);
        }
        let written = to_json(&value).to_string();
        assert!(written.contains("$opaque") && written.len() < 1000, "{written}");
    }
}
