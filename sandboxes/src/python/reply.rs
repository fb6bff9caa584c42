//! What a called function returned, read from what its instance wrote: a JSON list in which every object is a tag.
//!
//! The program may have written it itself. Whatever it is, reading it takes time and memory in proportion to its
//! length, and depth is bounded.

use crate::{Returned, Value};

/// The deepest nesting, in JSON: a few levels of which make one of the value.
const MAX_DEPTH: usize = 320;
/// The most values.
const MAX_VALUES: usize = 5_000_000;

/// Reads the value that was returned, followed by the positional arguments.
pub(super) fn returned(bytes: &[u8]) -> Result<Returned, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not text".to_owned())?;
    let mut reader = Reader { text, at: 0, depth: 0, n_values: 0 };
    let values = match reader.value()? {
        Value::List(values) if reader.rest().is_empty() => values,
        _ => return Err("it is not a list".to_owned()),
    };
    let [value, Value::List(arguments)] =
        <[Value; 2]>::try_from(values).map_err(|_| "it is not two values")?
    else {
        return Err("its second value is not a list".to_owned());
    };
    Ok(Returned { value, arguments })
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    n_values: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if !self.rest().starts_with(token) {
            return Err(format!("it is damaged at byte {}", self.at));
        }
        self.at += token.len();
        Ok(())
    }

    fn take(&mut self, token: &str) -> bool {
        self.expect(token).is_ok()
    }

    fn value(&mut self) -> Result<Value, String> {
        self.n_values += 1;
        if self.n_values > MAX_VALUES {
            return Err(format!("it has more than {MAX_VALUES} values"));
        }
        match self.peek() {
            Some(b'[') => Ok(Value::List(self.list(Self::value)?)),
            Some(b'{') => self.tagged(),
            Some(b'"') => {
                let text = self.string()?;
                Ok(text.map_or_else(|| Value::Opaque { type_name: "str".to_owned() }, Value::Text))
            }
            Some(b'n') => self.expect("null").map(|()| Value::Null),
            Some(b't') => self.expect("true").map(|()| Value::Bool(true)),
            Some(b'f') => self.expect("false").map(|()| Value::Bool(false)),
            _ => self.number(),
        }
    }

    /// Something inside brackets, one level deeper.
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("it is nested too deeply".to_owned());
        }
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T, String>) -> Result<Vec<T>, String> {
        self.nested(|reader| {
            reader.expect("[")?;
            let mut items = Vec::new();
            if reader.take("]") {
                return Ok(items);
            }
            loop {
                items.push(item(reader)?);
                if reader.take("]") {
                    return Ok(items);
                }
                reader.expect(",")?;
            }
        })
    }

    fn tagged(&mut self) -> Result<Value, String> {
        self.nested(|reader| {
            reader.expect("{\"")?;
            let tag = reader.peek();
            reader.at += 1;
            // Every tag is one ASCII character; after any other byte this does not follow.
            reader.expect("\":")?;
            let value = match tag {
                Some(b't') => Value::Tuple(reader.list(Self::value)?),
                Some(b's') => Value::Set(reader.list(Self::value)?),
                Some(b'd') => Value::Map(reader.list(Self::pair)?),
                Some(b'b') => Value::Bytes(reader.bytes()?),
                Some(b'c') => reader.complex()?,
                Some(b'o') => Value::Opaque { type_name: reader.string()?.unwrap_or_default() },
                _ => return Err("it has an unknown tag".to_owned()),
            };
            reader.expect("}")?;
            Ok(value)
        })
    }

    fn pair(&mut self) -> Result<(Value, Value), String> {
        let [key, value] = <[Value; 2]>::try_from(self.list(Self::value)?)
            .map_err(|_| "an entry is not a pair".to_owned())?;
        Ok((key, value))
    }

    fn complex(&mut self) -> Result<Value, String> {
        match self.list(Self::number)?.as_slice() {
            [Value::Float(re), Value::Float(im)] => Ok(Value::Complex { re: *re, im: *im }),
            _ => Err("a complex number is not two floats".to_owned()),
        }
    }

    fn bytes(&mut self) -> Result<Vec<u8>, String> {
        let text = self.string()?.unwrap_or_default();
        let digits: Option<Vec<u8>> =
            text.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect();
        let digits =
            digits.filter(|digits| digits.len().is_multiple_of(2)).ok_or("bytes are not hexadecimal")?;
        Ok(digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
    }

    /// Text, or nothing if it is not Unicode.
    fn string(&mut self) -> Result<Option<String>, String> {
        let start = self.at;
        self.expect("\"")?;
        loop {
            let step = match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => 2,
                Some(_) => 1,
                None => return Err("a text does not end".to_owned()),
            };
            self.at += step;
        }
        self.at += 1;
        let token = self.text.get(start..self.at).ok_or("a text is damaged")?;
        match serde_json::from_str(token) {
            Ok(text) => Ok(Some(text)),
            // Half a surrogate pair is the one thing that Python has and Unicode has not.
            Err(_) if token.to_ascii_lowercase().contains("\\ud") => Ok(None),
            Err(_) => Err("a text is damaged".to_owned()),
        }
    }

    fn number(&mut self) -> Result<Value, String> {
        for (name, number) in
            [("NaN", f64::NAN), ("Infinity", f64::INFINITY), ("-Infinity", f64::NEG_INFINITY)]
        {
            if self.take(name) {
                return Ok(Value::Float(number));
            }
        }
        let length = self.rest().bytes().take_while(|byte| b"+-.0123456789eE".contains(byte)).count();
        let token = self.text.get(self.at..self.at + length).unwrap_or_default();
        self.at += length;
        let digits = token.strip_prefix('-').unwrap_or(token);
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            let is_plain = digits == "0" && token == "0" || !digits.starts_with('0');
            return if is_plain {
                Ok(Value::Int(token.to_owned()))
            } else {
                Err("a number is damaged".to_owned())
            };
        }
        match token.parse::<f64>() {
            Ok(number) if digits.starts_with(|first: char| first.is_ascii_digit()) => {
                Ok(Value::Float(number))
            }
            _ => Err("a number is damaged".to_owned()),
        }
    }
}
