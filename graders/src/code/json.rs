//! Reading JSON without losing a digit: a number stays as it was written.
//!
//! Strict (RFC 8259), bounded in depth, and an object that names a key twice is refused. It gives no value a
//! meaning; what tests mean by theirs is said in `literal.rs`.

use std::collections::BTreeSet;

use sandboxes::Value as Plain;
use serde_json::{Map, Value, json};

/// The deepest nesting that is read, the same as for requests.
const MAX_DEPTH: usize = 128;

/// From here on a 64-bit float does not tell whole numbers apart.
pub(super) const INEXACT_FROM: f64 = 9_007_199_254_740_992.0;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    /// As it was written.
    Number(String),
    Text(String),
    List(Vec<Json>),
    /// In the order of the text; keys are unique.
    Object(Vec<(String, Json)>),
}

/// Why a text is not JSON, and at which byte.
#[derive(Debug)]
pub(super) struct Malformed {
    pub(super) at: usize,
    pub(super) message: &'static str,
}

impl Json {
    pub(super) fn read(text: &str) -> Result<Self, Malformed> {
        let mut reader = Reader { text, at: 0, depth: 0 };
        let value = reader.value()?;
        reader.skip_blanks();
        if reader.at < text.len() { Err(reader.fault("expected the end")) } else { Ok(value) }
    }

    /// The same for the readers of tasks; a number that `Value` cannot hold exactly is written as the tagged
    /// forms of `literal.rs` do it.
    pub(super) fn into_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(truth) => Value::Bool(truth),
            Self::Number(text) => tagged_number(&text),
            Self::Text(text) => Value::String(text),
            Self::List(items) => Value::Array(items.into_iter().map(Self::into_value).collect()),
            Self::Object(fields) => {
                let fields: Map<_, _> =
                    fields.into_iter().map(|(key, value)| (key, value.into_value())).collect();
                Value::Object(fields)
            }
        }
    }

    /// The same as plain data; `None` if it holds a number beyond the range of a 64-bit float.
    pub(super) fn into_plain(self) -> Option<Plain> {
        Some(match self {
            Self::Null => Plain::Null,
            Self::Bool(truth) => Plain::Bool(truth),
            Self::Number(text) if is_whole(&text) => {
                Plain::Int(if text == "-0" { "0".to_owned() } else { text })
            }
            Self::Number(text) => Plain::Float(text.parse().ok().filter(|number: &f64| number.is_finite())?),
            Self::Text(text) => Plain::Text(text),
            Self::List(items) => Plain::List(items.into_iter().map(Self::into_plain).collect::<Option<_>>()?),
            Self::Object(fields) => {
                let fields =
                    fields.into_iter().map(|(key, value)| Some((Plain::Text(key), value.into_plain()?)));
                Plain::Map(fields.collect::<Option<_>>()?)
            }
        })
    }
}

fn is_whole(number: &str) -> bool {
    !number.contains(['.', 'e', 'E'])
}

fn tagged_number(text: &str) -> Value {
    if is_whole(text) {
        let small = text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<u64>().map(Value::from));
        return small.unwrap_or_else(|_| json!({"$int": text}));
    }
    match text.parse::<f64>() {
        Ok(number) if number.abs() < INEXACT_FROM => Value::from(number),
        _ => json!({"$float": text}),
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn fault(&self, message: &'static str) -> Malformed {
        Malformed { at: self.at, message }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_while(&mut self, accepts: impl Fn(u8) -> bool) -> usize {
        let start = self.at;
        while self.peek().is_some_and(&accepts) {
            self.at += 1;
        }
        self.at - start
    }

    fn skip_blanks(&mut self) {
        self.skip_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    }

    /// Takes `byte` if it comes next, after any blanks.
    fn takes(&mut self, byte: u8) -> bool {
        self.skip_blanks();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self) -> Result<Json, Malformed> {
        self.skip_blanks();
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::list),
            Some(b'"') => self.text().map(Json::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'n') => self.word("null", Json::Null),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            _ => Err(self.fault("expected a value")),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Json, Malformed>) -> Result<Json, Malformed> {
        if self.depth == MAX_DEPTH {
            return Err(self.fault("nested too deeply"));
        }
        self.depth += 1;
        self.at += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn list(&mut self) -> Result<Json, Malformed> {
        let mut items = Vec::new();
        if self.takes(b']') {
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value()?);
            if self.takes(b']') {
                return Ok(Json::List(items));
            }
            if !self.takes(b',') {
                return Err(self.fault("expected `,` or `]`"));
            }
        }
    }

    fn object(&mut self) -> Result<Json, Malformed> {
        let mut fields = Vec::new();
        let mut keys = BTreeSet::new();
        if self.takes(b'}') {
            return Ok(Json::Object(fields));
        }
        loop {
            self.skip_blanks();
            let key = self.text()?;
            if !keys.insert(key.clone()) {
                return Err(self.fault("this key stands twice in one object"));
            }
            if !self.takes(b':') {
                return Err(self.fault("expected `:`"));
            }
            fields.push((key, self.value()?));
            if self.takes(b'}') {
                return Ok(Json::Object(fields));
            }
            if !self.takes(b',') {
                return Err(self.fault("expected `,` or `}`"));
            }
        }
    }

    fn text(&mut self) -> Result<String, Malformed> {
        if self.peek() != Some(b'"') {
            return Err(self.fault("expected a string"));
        }
        let start = self.at;
        self.at += 1;
        loop {
            self.skip_while(|byte| !matches!(byte, b'"' | b'\\'));
            match self.peek() {
                Some(b'"') => break,
                // What follows a backslash ends no string; the escape itself is checked below. It may be a
                // character of several bytes, which none of the bytes looked for is part of.
                Some(_) => self.at += 2,
                None => return Err(self.fault("the string does not end")),
            }
        }
        self.at += 1;
        serde_json::from_str(&self.text[start..self.at])
            .map_err(|_| Malformed { at: start, message: "the string is not one of JSON" })
    }

    fn number(&mut self) -> Result<Json, Malformed> {
        let start = self.at;
        let digit = |byte: u8| byte.is_ascii_digit();
        self.at += usize::from(self.peek() == Some(b'-'));
        let leading_zero = self.peek() == Some(b'0');
        let whole = self.skip_while(digit);
        if whole == 0 || (leading_zero && whole > 1) {
            return Err(self.fault("expected a number as JSON writes it"));
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.skip_while(digit) == 0 {
                return Err(self.fault("expected digits"));
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            if self.skip_while(digit) == 0 {
                return Err(self.fault("expected digits"));
            }
        }
        Ok(Json::Number(self.text[start..self.at].to_owned()))
    }

    fn word(&mut self, word: &str, value: Json) -> Result<Json, Malformed> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.fault("expected a value"));
        }
        self.at += word.len();
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_what_they_are() {
        for (text, value) in [
            ("1", Some(json!(1))),
            (" [1, -0.5e3,\t\"\\u00e9\\\"\"] ", Some(json!([1, -500.0, "é\""]))),
            (
                "{\"a\": {\"b\": null}, \"c\": [true, false]}",
                Some(json!({"a": {"b": null}, "c": [true, false]})),
            ),
            ("18446744073709551615", Some(json!(u64::MAX))),
            ("18446744073709551616", Some(json!({"$int": "18446744073709551616"}))),
            ("-9223372036854775809", Some(json!({"$int": "-9223372036854775809"}))),
            ("1e22", Some(json!({"$float": "1e22"}))),
            ("[]", Some(json!([]))),
            ("{}", Some(json!({}))),
            ("", None),
            ("01", None),
            ("1.", None),
            (".5", None),
            ("+1", None),
            ("1e", None),
            ("-", None),
            ("NaN", None),
            ("nul", None),
            ("[1,]", None),
            ("[1", None),
            ("{\"a\":1,}", None),
            ("{\"a\":1,\"a\":1}", None),
            ("{a:1}", None),
            ("\"", None),
            ("\"\\", None),
            ("\"\\é\"", None),
            ("\"\\ud800\"", None),
            ("\"\n\"", None),
            ("1 2", None),
            ("１", None),
        ] {
            assert_eq!(Json::read(text).ok().map(Json::into_value), value, "{text}");
        }
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Json::read(&nested(128)).is_ok());
        assert_eq!(Json::read(&nested(129)).unwrap_err().message, "nested too deeply");
        assert!(Json::read(&"[".repeat(100_000)).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[\\[\\]{}:,\"\\\\0-9eE.+a-u é-]{0,40}") {
            let ours = Json::read(&text).ok().map(Json::into_value);
            let theirs: Option<Value> = serde_json::from_str(&text).ok();
            // The tagged numbers and the keys that stand twice are ours alone.
            if let Some(ours) = ours && !ours.to_string().contains('$') {
                proptest::prop_assert_eq!(Some(ours), theirs);
            }
        }
    }
}
