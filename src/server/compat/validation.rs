//! Fields of a JSON body, read and refused in the words of FastAPI, whose clients expect them.
//!
//! What was sent is not sent back: `input` is left out.

use std::collections::BTreeMap;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// The most faults in one reply.
const MAX_FAULTS: usize = 100;
/// The longest key that is named, in characters.
const MAX_KEY: usize = 100;

/// One thing that is wrong.
#[derive(Debug, Serialize)]
struct Fault {
    #[serde(rename = "type")]
    kind: &'static str,
    loc: Vec<Value>,
    msg: String,
}

/// The answer to a body that is not as it should be.
pub(super) type Refusal = Box<Response>;

/// A body's fields, and what was wrong with those that were looked at.
#[derive(Debug)]
pub(super) struct Fields {
    fields: Map<String, Value>,
    faults: Vec<Fault>,
}

impl Fields {
    /// Reads a body.
    pub(super) fn read(body: &[u8]) -> Result<Self, Refusal> {
        let fault = |kind, loc: Vec<Value>, msg: &str| refuse(&[Fault { kind, loc, msg: msg.to_owned() }]);
        if body.is_empty() {
            return Err(fault("missing", vec!["body".into()], "Field required"));
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self { fields, faults: Vec::new() }),
            Ok(_) => Err(fault(
                "model_attributes_type",
                vec!["body".into()],
                "Input should be a valid dictionary or object to extract fields from",
            )),
            Err(error) => Err(fault(
                "json_invalid",
                vec!["body".into(), error.column().into()],
                &format!("JSON decode error: {error}"),
            )),
        }
    }

    /// The refusal, if anything was wrong.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        (!self.faults.is_empty()).then(|| refuse(&self.faults))
    }

    fn fault(&mut self, kind: &'static str, path: &[Value], msg: impl Into<String>) {
        if self.faults.len() < MAX_FAULTS {
            let loc = std::iter::once(Value::from("body")).chain(path.iter().cloned()).collect();
            self.faults.push(Fault { kind, loc, msg: msg.into() });
        }
    }

    /// A text that must be there.
    pub(super) fn text(&mut self, name: &str) -> String {
        match self.fields.remove(name) {
            Some(Value::String(text)) => return text,
            Some(_) => self.fault("string_type", &[name.into()], "Input should be a valid string"),
            None => self.fault("missing", &[name.into()], "Field required"),
        }
        String::new()
    }

    /// A text, if there is one.
    pub(super) fn optional_text(&mut self, name: &str) -> Option<String> {
        match self.fields.remove(name) {
            Some(Value::String(text)) => return Some(text),
            None | Some(Value::Null) => {}
            Some(_) => self.fault("string_type", &[name.into()], "Input should be a valid string"),
        }
        None
    }

    /// One of some texts.
    pub(super) fn literal(&mut self, name: &str, known: &[&str]) -> String {
        let text = match self.fields.remove(name) {
            Some(Value::String(text)) if known.contains(&text.as_str()) => return text,
            Some(_) => {
                let quoted: Vec<String> = known.iter().map(|known| format!("'{known}'")).collect();
                let (last, rest) =
                    quoted.split_last().map_or(("", &[][..]), |(last, rest)| (last.as_str(), rest));
                format!("Input should be {} or {last}", rest.join(", "))
            }
            None => {
                self.fault("missing", &[name.into()], "Field required");
                return String::new();
            }
        };
        self.fault("literal_error", &[name.into()], text);
        String::new()
    }

    /// A number.
    pub(super) fn number(&mut self, name: &str, default: f64) -> f64 {
        let parsed = match self.fields.remove(name) {
            None => return default,
            Some(Value::Number(number)) => number.as_f64(),
            Some(Value::String(text)) => {
                let Ok(number) = text.trim().parse() else {
                    let message = "Input should be a valid number, unable to parse string as a number";
                    self.fault("float_parsing", &[name.into()], message);
                    return default;
                };
                Some(number)
            }
            Some(_) => None,
        };
        match parsed {
            Some(number) if number.is_finite() => return number,
            Some(_) => self.fault("finite_number", &[name.into()], "Input should be a finite number"),
            None => self.fault("float_type", &[name.into()], "Input should be a valid number"),
        }
        default
    }

    /// A whole number.
    pub(super) fn integer(&mut self, name: &str, default: i64) -> i64 {
        let (kind, message) = match self.fields.remove(name) {
            None => return default,
            Some(Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
                (Some(integer), _) => return integer,
                (None, Some(float)) if float.fract() == 0.0 => return float as i64,
                _ => {
                    ("int_from_float", "Input should be a valid integer, got a number with a fractional part")
                }
            },
            Some(Value::String(text)) => match text.trim().parse() {
                Ok(integer) => return integer,
                Err(_) => {
                    ("int_parsing", "Input should be a valid integer, unable to parse string as an integer")
                }
            },
            Some(_) => ("int_type", "Input should be a valid integer"),
        };
        self.fault(kind, &[name.into()], message);
        default
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, name: &str) -> Vec<String> {
        let list = match self.fields.remove(name) {
            None => return Vec::new(),
            Some(Value::Array(list)) => list,
            Some(_) => {
                self.fault("list_type", &[name.into()], "Input should be a valid list");
                return Vec::new();
            }
        };
        let mut texts = Vec::with_capacity(list.len());
        for (index, item) in list.into_iter().enumerate() {
            match item {
                Value::String(text) => texts.push(text),
                _ => {
                    self.fault("string_type", &[name.into(), index.into()], "Input should be a valid string");
                }
            }
        }
        texts
    }

    /// Texts by name; those that are null are left out.
    pub(super) fn texts_by_name(&mut self, name: &str) -> BTreeMap<String, String> {
        let fields = match self.fields.remove(name) {
            None => return BTreeMap::new(),
            Some(Value::Object(fields)) => fields,
            Some(_) => {
                self.fault("dict_type", &[name.into()], "Input should be a valid dictionary");
                return BTreeMap::new();
            }
        };
        let mut texts = BTreeMap::new();
        for (key, value) in fields {
            match value {
                Value::String(text) => {
                    texts.insert(key, text);
                }
                Value::Null => {}
                _ => {
                    let key: String = key.chars().take(MAX_KEY).collect();
                    self.fault("string_type", &[name.into(), key.into()], "Input should be a valid string");
                }
            }
        }
        texts
    }
}

#[expect(clippy::unnecessary_box_returns, reason = "refusals travel in results, where they would be large")]
fn refuse(faults: &[Fault]) -> Refusal {
    Box::new(detail(StatusCode::UNPROCESSABLE_ENTITY, &json!(faults)))
}

/// An error reply as FastAPI shapes it.
pub(super) fn detail(status: StatusCode, detail: &Value) -> Response {
    let body = json!({"detail": detail}).to_string();
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}
