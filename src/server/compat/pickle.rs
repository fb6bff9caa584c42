//! Tests as open-instruct's data sets pack them: a Python pickle, compressed, in base64.
//!
//! Only plain data is read: lists, tuples, dicts with text keys, texts, numbers, truth values and None. A pickle that
//! calls anything is refused, and nothing of it is done.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::read::ZlibDecoder;
use serde_json::{Map, Number, Value};

/// The most bytes after decompression, and the most of the texts that are built from them.
const MAX_BYTES: usize = 64 << 20;

/// Reads packed tests.
///
/// # Errors
/// What is wrong with them.
pub(super) fn unpacked(text: &str) -> Result<Value, &'static str> {
    let packed = BASE64.decode(text.trim()).map_err(|_| "neither JSON nor base64")?;
    let mut bytes = Vec::new();
    let limit = MAX_BYTES as u64 + 1;
    ZlibDecoder::new(packed.as_slice())
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|_| "neither JSON nor compressed with zlib")?;
    if bytes.len() > MAX_BYTES {
        return Err("too large after decompression");
    }
    Machine { bytes: &bytes, stack: Vec::new(), memo: Vec::new(), room: MAX_BYTES }.run()
}

/// What a pickle's instructions work on.
struct Machine<'p> {
    bytes: &'p [u8],
    stack: Vec<Item>,
    /// Texts alone: what is filled after it was noted is not needed twice in plain data.
    memo: Vec<Option<Value>>,
    room: usize,
}

enum Item {
    Mark,
    Value(Value),
}

const BROKEN: &str = "a pickle that is broken";
const NOT_PLAIN: &str = "a pickle of more than plain data; only lists, dicts, texts and numbers are read";

impl Machine<'_> {
    fn run(mut self) -> Result<Value, &'static str> {
        loop {
            match self.byte()? {
                // PROTO, FRAME
                0x80 => drop(self.take(1)?),
                0x95 => drop(self.take(8)?),
                b'.' => return self.pop(),
                b'(' => self.stack.push(Item::Mark),
                b'N' => self.push(Value::Null),
                0x88 => self.push(true.into()),
                0x89 => self.push(false.into()),
                b']' | b')' => self.push(Value::Array(Vec::new())),
                b'}' => self.push(Value::Object(Map::new())),
                b'K' => {
                    let number = self.byte()?;
                    self.push(number.into());
                }
                b'M' => {
                    let number = self.unsigned(2)?;
                    self.push(number.into());
                }
                b'J' => {
                    let number = self.unsigned(4)? as u32;
                    self.push(number.cast_signed().into());
                }
                0x8a => self.long()?,
                b'G' => {
                    let number = f64::from_bits(self.unsigned(8)?.swap_bytes());
                    self.push(Number::from_f64(number).map_or(Value::Null, Value::Number));
                }
                0x8c => self.text(1)?,
                b'X' => self.text(4)?,
                0x8d => self.text(8)?,
                // MEMOIZE, BINPUT, LONG_BINPUT, BINGET, LONG_BINGET
                0x94 => self.note(self.memo.len())?,
                b'q' => {
                    let place = self.unsigned(1)?;
                    self.note(place as usize)?;
                }
                b'r' => {
                    let place = self.unsigned(4)?;
                    self.note(place as usize)?;
                }
                b'h' => self.recall(1)?,
                b'j' => self.recall(4)?,
                b'a' => {
                    let value = self.pop()?;
                    self.list()?.push(value);
                }
                b'e' => {
                    let values = self.since_mark()?;
                    self.list()?.extend(values);
                }
                b's' => {
                    let (value, key) = (self.pop()?, self.pop()?);
                    self.set(vec![key, value])?;
                }
                b'u' => {
                    let values = self.since_mark()?;
                    self.set(values)?;
                }
                b't' => {
                    let values = self.since_mark()?;
                    self.push(Value::Array(values));
                }
                n @ 0x85..=0x87 => {
                    let mut values = Vec::new();
                    for _ in 0x85..=n {
                        values.insert(0, self.pop()?);
                    }
                    self.push(Value::Array(values));
                }
                _ => return Err(NOT_PLAIN),
            }
        }
    }

    fn take(&mut self, n: usize) -> Result<&[u8], &'static str> {
        let (taken, rest) = self.bytes.split_at_checked(n).ok_or(BROKEN)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, &'static str> {
        Ok(self.take(1)?[0])
    }

    /// A number of `n` bytes, the lowest first.
    fn unsigned(&mut self, n: usize) -> Result<u64, &'static str> {
        Ok(self.take(n)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn text(&mut self, width: usize) -> Result<(), &'static str> {
        let n = usize::try_from(self.unsigned(width)?).map_err(|_| BROKEN)?;
        let text = String::from_utf8_lossy(self.take(n)?).into_owned();
        self.push(text.into());
        Ok(())
    }

    /// A whole number in two's complement; one that JSON cannot hold is refused.
    fn long(&mut self) -> Result<(), &'static str> {
        let n = usize::from(self.byte()?);
        let bytes = self.take(n)?;
        if n > 8 {
            return Err("a pickle with a number beyond 64 bits");
        }
        let fill = if bytes.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 };
        let mut wide = [fill; 8];
        wide[..n].copy_from_slice(bytes);
        self.push(i64::from_le_bytes(wide).into());
        Ok(())
    }

    fn push(&mut self, value: Value) {
        self.stack.push(Item::Value(value));
    }

    fn pop(&mut self) -> Result<Value, &'static str> {
        match self.stack.pop() {
            Some(Item::Value(value)) => Ok(value),
            _ => Err(BROKEN),
        }
    }

    fn since_mark(&mut self) -> Result<Vec<Value>, &'static str> {
        let mark = self.stack.iter().rposition(|item| matches!(item, Item::Mark)).ok_or(BROKEN)?;
        let values = self.stack.split_off(mark + 1).into_iter().filter_map(|item| match item {
            Item::Value(value) => Some(value),
            Item::Mark => None,
        });
        let values = values.collect();
        self.stack.pop();
        Ok(values)
    }

    fn list(&mut self) -> Result<&mut Vec<Value>, &'static str> {
        match self.stack.last_mut() {
            Some(Item::Value(Value::Array(list))) => Ok(list),
            _ => Err(BROKEN),
        }
    }

    /// Puts keys and values, one after the other, into the dict on the stack.
    fn set(&mut self, values: Vec<Value>) -> Result<(), &'static str> {
        let Some(Item::Value(Value::Object(fields))) = self.stack.last_mut() else { return Err(BROKEN) };
        let mut values = values.into_iter();
        while let Some(key) = values.next() {
            let (Value::String(key), Some(value)) = (key, values.next()) else { return Err(NOT_PLAIN) };
            fields.insert(key, value);
        }
        Ok(())
    }

    fn note(&mut self, place: usize) -> Result<(), &'static str> {
        if place > self.memo.len() {
            return Err(BROKEN);
        }
        let noted = match self.stack.last() {
            Some(Item::Value(text @ Value::String(_))) => Some(text.clone()),
            _ => None,
        };
        if place == self.memo.len() {
            self.memo.push(noted);
        } else {
            self.memo[place] = noted;
        }
        Ok(())
    }

    fn recall(&mut self, width: usize) -> Result<(), &'static str> {
        let place = self.unsigned(width)? as usize;
        let value = self.memo.get(place).ok_or(BROKEN)?.clone().ok_or(NOT_PLAIN)?;
        let n = value.as_str().map_or(0, str::len) + 1;
        self.room = self.room.checked_sub(n).ok_or("too large after unpacking")?;
        self.push(value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// As `base64.b64encode(zlib.compress(pickle.dumps(tests, protocol)))` writes it.
    #[test]
    fn what_python_packs_is_read() {
        let tests = json!([{"input": "1\n", "output": "2\n"}, {"input": "é\n", "output": "2\n"}]);
        let values = json!([
            1,
            -1,
            300,
            70000,
            -5_000_000_000_i64,
            1.5,
            true,
            false,
            null,
            ["a"],
            ["a", "a"],
            [1, 2, 3, 4],
            [],
            {}
        ]);
        for (packed, value) in [
            (
                "eJxrYIotZNCoLWTUiGBlYGDIzCsoLSlkimACsg25Cpkj2ICM/NISkCgLWNSIq5C1tLaQTSODKYIZyD+8kquQPYMlg7U0VQ8AmQkRTg==",
                &tests,
            ),
            ("eJxrYJlqwgABsVM0aqdo9LBm5hWUlkzpYTLkmtLDll9aAuEZcU0pBUpnMPUwH17JNSWDJYO1NFUPAFOOFBk=", &tests),
            ("eJxrYJ1qwgABsVM0aqdo9LBm5hWUlkzpYTLkmtLDll9aAuEZcU0pBUpnMPUwH17JNSWDJYO1NFUPAFPMFBo=", &tests),
            (
                "eJxrYIotZNDwZvT6DwS+OoxeBYKMDF2sDHy/rv5zt//BAAYdnX4RjEA6sZCxtZApgzGDsa2QGajJm8mb2ZulpJAltpC1tpAtVQ8AxXgWKQ==",
                &values,
            ),
            (
                "eJxrYJnqxAABsVM0vBm9/gOBrw6jV4EgI0MXKwPfr6v/3O1/QFR0dPr1MCZOaZ2SwZjB2AZS7s3kzezNUjIldkrtlFQ9AImhGBY=",
                &values,
            ),
            ("eJxrYJkqzgABsVN6BBKLi1OLShTSNAw1FWxtFYymJOoBAIbICGc=", &json!(["assert f(1) == 2"])),
        ] {
            assert_eq!(&unpacked(packed).unwrap(), value);
        }
    }

    #[test]
    fn what_is_more_than_data_is_refused() {
        for packed in [
            "eJxrYJmqxAABsVN6WAvyizMrpvSwFVcWl6TmTpk8pYelpKg0dUrrlKApiXoANO4P6Q==",
            "eJxrYJnKwQABtVO8Gb2ZivUAIEEDbQ==",
            "eJxrYJkqzAABsVO6eIGUw6u3JW4X5ujM50nUAwBngAhY",
            "AAAA",
            "no base64!",
            "eJxrYInVAwAC",
            "eJxrYIlN1QMABKQBdQ==",
            "eJzLYNUDAAFzAJw=",
            "eJxrYJnKxgABsVMyGBL1ABmCAwg=",
        ] {
            assert!(unpacked(packed).is_err(), "{packed}");
        }
    }
}
