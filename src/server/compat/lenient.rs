//! Bodies as Python's `json` writes them, read as they were meant.
//!
//! A policy may write anything, and a trainer passes it on: half of a surrogate pair, bytes that are no UTF-8, NaN
//! beside it. Python writes all of these and calls the result JSON. A completion like that has to get a verdict, so
//! such a body is mended instead of refused: what is no character becomes U+FFFD, what is no number null.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::server::problem::Problem;

/// Reads a body.
///
/// # Errors
/// 400 where it is not JSON even then.
pub(super) fn read(body: &[u8]) -> Result<Value, Problem> {
    if let Ok(value) = serde_json::from_slice(body) {
        return Ok(value);
    }
    let text = String::from_utf8_lossy(body);
    serde_json::from_str(&mended(&text))
        .map_err(|error| Problem::not_json("", format!("{error}; send one JSON object")))
}

/// A text of JSON, or the JSON of what is no text: what a policy wrote is judged also where a parser on the way has
/// taken it for a number or an object. Numbers keep all their digits.
pub(super) fn words(json: &RawValue) -> String {
    let json = json.get();
    serde_json::from_str(json)
        .or_else(|_| serde_json::from_str(&mended(json)))
        .unwrap_or_else(|_| if json == "null" { String::new() } else { json.to_owned() })
}

/// Reads a body as `T`, which may hold parts that are not read yet.
///
/// # Errors
/// Where it is not JSON even then, or no `T`.
pub(super) fn read_as<T: DeserializeOwned>(body: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(body).or_else(|_| serde_json::from_str(&mended(&String::from_utf8_lossy(body))))
}

/// The text with lone surrogates replaced, and with null for what is no number.
fn mended(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut out: Option<String> = None;
    // Everything before this is in `out`, once there is one.
    let mut copied = 0;
    let mut at = 0;
    let mut inside = false;
    let mut replace = |from: usize, to: usize, with: &str, copied: &mut usize| {
        let out = out.get_or_insert_with(|| String::with_capacity(text.len()));
        out.push_str(&text[*copied..from]);
        out.push_str(with);
        *copied = to;
    };
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                inside = !inside;
                at += 1;
            }
            b'\\' if inside => match unit(bytes, at) {
                Some(0xD800..=0xDBFF) if matches!(unit(bytes, at + 6), Some(0xDC00..=0xDFFF)) => at += 12,
                Some(0xD800..=0xDFFF) => {
                    replace(at, at + 6, "\\ufffd", &mut copied);
                    at += 6;
                }
                _ => at += 2,
            },
            _ if inside => at += 1,
            _ => match NO_NUMBERS.iter().find(|name| bytes[at..].starts_with(name.as_bytes())) {
                Some(name) => {
                    replace(at, at + name.len(), "null", &mut copied);
                    at += name.len();
                }
                None => at += 1,
            },
        }
    }
    match out {
        Some(mut out) => {
            out.push_str(&text[copied.min(text.len())..]);
            Cow::Owned(out)
        }
        None => Cow::Borrowed(text),
    }
}

const NO_NUMBERS: [&str; 3] = ["NaN", "-Infinity", "Infinity"];

/// The UTF-16 unit of the escape at `at`, if there is one.
fn unit(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_python_writes_is_read() {
        for (body, value) in [
            (r#"{"a": "\ud83d\ude00"}"#, json!({"a": "😀"})),
            (r#"{"a": "x\ud83dy"}"#, json!({"a": "x\u{fffd}y"})),
            (r#"{"a": "\ude00\ud83d"}"#, json!({"a": "\u{fffd}\u{fffd}"})),
            (r#"{"a": "\\ud83d \" NaN", "b": NaN}"#, json!({"a": "\\ud83d \" NaN", "b": null})),
            (r#"[NaN, -Infinity, Infinity, "Infinity"]"#, json!([null, null, null, "Infinity"])),
            (r#"{"a": "\ud83d\ud83d\ude00"}"#, json!({"a": "\u{fffd}😀"})),
        ] {
            assert_eq!(read(body.as_bytes()).unwrap(), value, "{body}");
        }
        assert_eq!(read(b"{\"a\": \"\xff\"}").unwrap(), json!({"a": "\u{fffd}"}));
    }

    #[test]
    fn words_are_kept_as_they_were_written() {
        for (json, text) in [
            (r#""a\nb""#, "a\nb"),
            (r#""x\ud83d""#, "x\u{fffd}"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("1.50", "1.50"),
            ("null", ""),
            ("true", "true"),
            (r#"{"a": [1, 2]}"#, r#"{"a": [1, 2]}"#),
        ] {
            let raw: Box<RawValue> = read_as(json.as_bytes()).unwrap();
            assert_eq!(words(&raw), text, "{json}");
        }
        let raw: Box<RawValue> = read_as(b"{\"a\": NaN, \"b\": \"\xff\"}").unwrap();
        assert_eq!(words(&raw), "{\"a\": null, \"b\": \"\u{fffd}\"}");
    }

    #[test]
    fn what_is_not_json_stays_so() {
        for body in ["", "{", r#"{"a": "\ud8"#, r#""\ud83d\"#, "NaNNaN", "-Infinit"] {
            assert_eq!(read(body.as_bytes()).unwrap_err().status, 400, "{body}");
        }
    }
}
