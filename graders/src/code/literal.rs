//! The values that tests write: JSON, and tagged forms for what JSON lacks.
//!
//! | written | is |
//! |---|---|
//! | `{"$int": "123456789012345678901234567890"}` | a whole number that other JSON readers would round |
//! | `{"$float": "inf"}`, `"-inf"`, `"nan"`, `"1e300"`, `{"$float": 1}` | a floating-point number |
//! | `{"$complex": [1, -0.5]}` | a complex number |
//! | `{"$bytes": "00ff"}` | bytes, in hexadecimal |
//! | `{"$tuple": […]}`, `{"$set": […]}` | a tuple, a set |
//! | `{"$dict": [[key, value], …]}` | a dictionary whose keys are not all strings, or begin with `$` |
//!
//! A plain object is a dictionary with strings as keys: `{"1": 2}` has the key `"1"` and never 1.
//! A number without fraction and exponent is a whole number, any other a floating-point number.

use sandboxes::{Language, Value};
use serde_json::{Map, Number, Value as Json};

use super::equality::key;
use super::json::INEXACT_FROM;

/// What cannot be read, and where in the value.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) pointer: String,
    pub(super) message: String,
}

fn unreadable(message: impl Into<String>) -> Unreadable {
    Unreadable { pointer: String::new(), message: message.into() }
}

/// A value for a program in this language.
pub(super) fn read(json: &Json, language: Language) -> Result<Value, Unreadable> {
    match json {
        Json::Null => Ok(Value::Null),
        Json::Bool(truth) => Ok(Value::Bool(*truth)),
        Json::Number(written) => number(written),
        Json::String(text) => Ok(Value::Text(text.clone())),
        Json::Array(items) => list(items, language).map(Value::List),
        Json::Object(fields) => {
            if let Some((name, content)) = tag(fields) {
                return tagged(name, content, language).map_err(|error| under(error, name));
            }
            let field = |(key, value): (&String, &Json)| {
                let value = read(value, language).map_err(|error| under(error, key))?;
                Ok((Value::Text(key.clone()), value))
            };
            Ok(Value::Map(fields.iter().map(field).collect::<Result<_, _>>()?))
        }
    }
}

fn under(error: Unreadable, segment: &str) -> Unreadable {
    let segment = segment.replace('~', "~0").replace('/', "~1");
    Unreadable { pointer: format!("/{segment}{}", error.pointer), message: error.message }
}

fn number(written: &Number) -> Result<Value, Unreadable> {
    if written.is_i64() || written.is_u64() {
        return Ok(Value::Int(written.to_string()));
    }
    match written.as_f64() {
        Some(number) if number.abs() < INEXACT_FROM => Ok(Value::Float(number)),
        _ => Err(unreadable(
            "a number of this size may have lost digits on its way here; write {\"$int\": \"…\"} or \
             {\"$float\": \"…\"}, or give the tests as a JSON text",
        )),
    }
}

fn list(items: &[Json], language: Language) -> Result<Vec<Value>, Unreadable> {
    let item = |(index, item): (usize, &Json)| {
        read(item, language).map_err(|error| under(error, &index.to_string()))
    };
    items.iter().enumerate().map(item).collect()
}

/// The tag of an object that has only one key, which begins with `$`.
fn tag(fields: &Map<String, Json>) -> Option<(&str, &Json)> {
    let mut fields = fields.iter();
    let (name, content) = fields.next().filter(|(name, _)| name.starts_with('$'))?;
    fields.next().is_none().then_some((name, content))
}

fn tagged(name: &str, content: &Json, language: Language) -> Result<Value, Unreadable> {
    let lacks = |what: &str| Err(unreadable(format!("{} has no {what}", language.name())));
    let items = || match content {
        Json::Array(items) => list(items, language),
        _ => Err(unreadable("expected a list")),
    };
    match name {
        "$int" => int(content),
        "$float" => float(content).map(Value::Float),
        "$tuple" if language != Language::Python => lacks("tuples"),
        "$complex" if language != Language::Python => lacks("complex numbers"),
        "$tuple" => items().map(Value::Tuple),
        "$set" => items().and_then(distinct).map(Value::Set),
        "$bytes" => content
            .as_str()
            .and_then(bytes)
            .map(Value::Bytes)
            .ok_or_else(|| unreadable("expected bytes in hexadecimal, two digits each")),
        "$complex" => match content.as_array().map(Vec::as_slice) {
            Some([re, im]) => Ok(Value::Complex { re: float(re)?, im: float(im)? }),
            _ => Err(unreadable("expected the real and the imaginary part")),
        },
        "$dict" => {
            let pairs = items()?.into_iter().map(|pair| match pair {
                Value::List(pair) => <[Value; 2]>::try_from(pair).ok().map(Into::into),
                _ => None,
            });
            let pairs: Option<Vec<(Value, Value)>> = pairs.collect();
            let pairs = pairs.ok_or_else(|| unreadable("expected a list of pairs of a key and a value"))?;
            distinct(pairs.iter().map(|(key, _)| key.clone()).collect())?;
            Ok(Value::Map(pairs))
        }
        _ => Err(unreadable(
            "unknown tag; there are $int, $float, $complex, $bytes, $tuple, $set and $dict, and a dictionary with \
             such a key is written {\"$dict\": [[key, value]]}",
        )),
    }
}

fn int(content: &Json) -> Result<Value, Unreadable> {
    let wrong = || unreadable("expected the digits of a whole number, as a string");
    match content {
        Json::Number(written) if written.is_i64() || written.is_u64() => Ok(Value::Int(written.to_string())),
        Json::String(text) => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(wrong());
            }
            Ok(Value::Int(match digits.trim_start_matches('0') {
                "" => "0".to_owned(),
                digits if text.starts_with('-') => format!("-{digits}"),
                digits => digits.to_owned(),
            }))
        }
        _ => Err(wrong()),
    }
}

/// The content of `$float`, or a part of a complex number.
fn float(content: &Json) -> Result<f64, Unreadable> {
    let found = match content {
        Json::Number(written) => written.as_f64(),
        Json::String(text) => match text.as_str() {
            "nan" => return Ok(f64::NAN),
            "inf" => return Ok(f64::INFINITY),
            "-inf" => return Ok(f64::NEG_INFINITY),
            text if text
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')) =>
            {
                text.parse().ok()
            }
            _ => None,
        },
        _ => None,
    };
    found
        .filter(|number: &f64| number.is_finite())
        .ok_or_else(|| unreadable("expected a number within the range of a 64-bit float, inf, -inf or nan"))
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

/// Members of a set and keys of a dictionary: hashable, and none twice.
fn distinct(members: Vec<Value>) -> Result<Vec<Value>, Unreadable> {
    if !members.iter().all(is_hashable) {
        return Err(unreadable(
            "a list or a dictionary can be neither in a set nor a key; a tuple is {\"$tuple\": […]}",
        ));
    }
    let mut keys: Vec<_> = members.iter().map(key).collect();
    keys.sort_unstable();
    if keys.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(unreadable("the same value stands here twice"));
    }
    Ok(members)
}

fn is_hashable(value: &Value) -> bool {
    match value {
        Value::List(_) | Value::Map(_) => false,
        Value::Tuple(items) | Value::Set(items) => items.iter().all(is_hashable),
        _ => true,
    }
}

/// The value as tests would write it, at most about `most` characters of it.
pub(super) fn written(value: &Value, most: usize) -> String {
    let mut writer = Writer { out: String::new(), left: most };
    writer.value(value);
    if writer.left == 0 {
        writer.out.push('…');
    }
    writer.out
}

/// Stops writing when nothing is left, so that neither size nor depth of the value matters.
struct Writer {
    out: String,
    left: usize,
}

impl Writer {
    fn put(&mut self, text: &str) {
        for c in text.chars().take(self.left) {
            self.out.push(c);
            self.left -= 1;
        }
    }

    fn value(&mut self, value: &Value) {
        if self.left == 0 {
            return;
        }
        match value {
            Value::Null => self.put("null"),
            Value::Bool(truth) => self.put(if *truth { "true" } else { "false" }),
            Value::Int(digits) => self.put(digits),
            Value::Float(number) => self.float(*number),
            Value::Complex { re, im } => {
                self.put("{\"$complex\": [");
                self.float(*re);
                self.put(", ");
                self.float(*im);
                self.put("]}");
            }
            Value::Text(text) => self.text(text),
            Value::Bytes(bytes) => {
                self.put("{\"$bytes\": \"");
                for byte in bytes.iter().take(self.left) {
                    self.put(&format!("{byte:02x}"));
                }
                self.put("\"}");
            }
            Value::List(items) => self.items("[", items, "]"),
            Value::Tuple(items) => self.items("{\"$tuple\": [", items, "]}"),
            Value::Set(items) => self.items("{\"$set\": [", items, "]}"),
            Value::Map(pairs) if pairs.iter().all(|(key, _)| matches!(key, Value::Text(_))) => {
                self.pairs("{", pairs, ["", ": ", ""], "}");
            }
            Value::Map(pairs) => self.pairs("{\"$dict\": [", pairs, ["[", ", ", "]"], "]}"),
            Value::Opaque { type_name } => {
                self.put("{\"$opaque\": ");
                self.text(type_name);
                self.put("}");
            }
        }
    }

    fn float(&mut self, number: f64) {
        if number.is_finite() {
            self.put(&format!("{number:?}"));
        } else {
            let name = if number.is_nan() {
                "nan"
            } else if number > 0.0 {
                "inf"
            } else {
                "-inf"
            };
            self.put(&format!("{{\"$float\": \"{name}\"}}"));
        }
    }

    fn text(&mut self, text: &str) {
        let head: String = text.chars().take(self.left).collect();
        self.put(&Json::from(head).to_string());
    }

    fn items(&mut self, open: &str, items: &[Value], close: &str) {
        self.put(open);
        for (index, item) in items.iter().enumerate() {
            if self.left == 0 {
                return;
            }
            if index > 0 {
                self.put(", ");
            }
            self.value(item);
        }
        self.put(close);
    }

    fn pairs(&mut self, open: &str, pairs: &[(Value, Value)], around: [&str; 3], close: &str) {
        let [before, between, after] = around;
        self.put(open);
        for (index, (key, value)) in pairs.iter().enumerate() {
            if self.left == 0 {
                return;
            }
            if index > 0 {
                self.put(", ");
            }
            self.put(before);
            self.value(key);
            self.put(between);
            self.value(value);
            self.put(after);
        }
        self.put(close);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_reads_as_it_was() {
        for json in [
            json!(null),
            json!([true, 1, -2, 1.5, "a\n", []]),
            json!({"a": {"b": [1]}}),
            json!({"$dict": [[1, "a"], [{"$tuple": [1, 2]}, {}]]}),
            json!({"$set": [1, "1"]}),
            json!({"$tuple": []}),
            json!({"$bytes": "00ff"}),
            json!({"$complex": [1.0, -0.5]}),
            json!({"$float": "inf"}),
            json!({"$float": "-inf"}),
            json!({"$a": 1, "b": 2}),
        ] {
            let value = read(&json, Language::Python).unwrap();
            let text: Json = serde_json::from_str(&written(&value, 1000)).unwrap();
            assert_eq!(read(&text, Language::Python).unwrap(), value, "{json}");
        }
        assert_eq!(
            read(&json!({"$int": "-00120"}), Language::Python).unwrap(),
            Value::Int("-120".to_owned())
        );
        assert_eq!(read(&json!({"$int": "-0"}), Language::Python).unwrap(), Value::Int("0".to_owned()));
        assert_eq!(read(&json!({"$float": 1}), Language::Python).unwrap(), Value::Float(1.0));
        assert_eq!(read(&json!({"$float": "1e300"}), Language::Python).unwrap(), Value::Float(1e300));
        assert!(
            matches!(read(&json!({"$float": "nan"}), Language::Python), Ok(Value::Float(x)) if x.is_nan())
        );
    }

    #[test]
    fn what_cannot_be_represented_is_refused_where_it_stands() {
        for (json, pointer) in [
            (json!(1e16), ""),
            (json!([0, {"a/b": [1e300]}]), "/1/a~1b/0"),
            (json!({"$float": "1e400"}), "/$float"),
            (json!({"$float": "infinity"}), "/$float"),
            (json!({"$float": null}), "/$float"),
            (json!({"$int": "1.0"}), "/$int"),
            (json!({"$int": "٣"}), "/$int"),
            (json!({"$int": 1.5}), "/$int"),
            (json!({"$set": [1, 1.0]}), "/$set"),
            (json!({"$set": [[1]]}), "/$set"),
            (json!({"$set": 1}), "/$set"),
            (json!({"$dict": [[1, 2], [1, 3]]}), "/$dict"),
            (json!({"$dict": [[{}, 2]]}), "/$dict"),
            (json!({"$dict": [1]}), "/$dict"),
            (json!({"$bytes": "0"}), "/$bytes"),
            (json!({"$bytes": "0g"}), "/$bytes"),
            (json!({"$complex": [1]}), "/$complex"),
            (json!({"$other": 1}), "/$other"),
        ] {
            assert_eq!(read(&json, Language::Python).unwrap_err().pointer, pointer, "{json}");
        }
        for json in [json!({"$tuple": []}), json!([{"$complex": [1, 2]}])] {
            assert!(read(&json, Language::JavaScript).unwrap_err().message.contains("javascript"), "{json}");
        }
    }

    #[test]
    fn writing_stops_in_time() {
        let mut deep = Value::Null;
        for _ in 0..3000 {
            deep = Value::List(vec![deep]);
        }
        assert_eq!(written(&deep, 5), "[[[[[…");
        assert_eq!(written(&Value::Text("a".repeat(100)), 5), "\"aaaa…");
        assert_eq!(written(&Value::Bytes(vec![0; 100]), 14), "{\"$bytes\": \"00…");
    }
}
