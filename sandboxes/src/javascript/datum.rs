//! The values that pass between instances and the host, and their text: JSON, in which everything that JSON lacks is an
//! object with a field `t`. `wire.js` is the other end.
//!
//! The text of a program's instance is read here without trust and written anew before another instance reads it.

use std::fmt::Write as _;

/// Levels of nesting of values; the guest has the same limit.
const DEPTH_MAX: usize = 1000;
/// Levels of nesting of text: an object takes two.
const TEXT_DEPTH_MAX: usize = 2 * DEPTH_MAX + 2;

/// A value of JavaScript, as far as it can leave its instance.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Datum {
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    /// Decimal digits, with `-` before a negative one.
    BigInt(String),
    Text(String),
    /// Code units of a string that is not well-formed.
    Units(Vec<u16>),
    /// A hole in an array.
    Hole,
    List(Vec<Datum>),
    Object(Vec<(Datum, Datum)>),
    Map(Vec<(Datum, Datum)>),
    Set(Vec<Datum>),
    Numbers {
        kind: String,
        items: Vec<Datum>,
    },
    /// Milliseconds since 1970.
    Date(f64),
    RegExp {
        source: String,
        flags: String,
    },
    Error {
        class: String,
        name: String,
        message: String,
        fields: Vec<(Datum, Datum)>,
    },
    /// A function, class or instance that stays where it is: whose it is, its number, what it is and its name.
    Reference {
        owner: Owner,
        number: u32,
        kind: ReferenceKind,
        name: String,
    },
    /// Anything else, by the name of its type.
    Opaque(String),
}

/// Which instance a reference leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The program's.
    Program,
    /// That of the tests.
    Tests,
}

/// What a reference leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReferenceKind {
    Function,
    Class,
    Instance,
}

impl Datum {
    /// Reads one value that is all of the text.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut reader = Reader { text, at: 0 };
        let json = reader.value(0).ok_or("not a value of the wire")?;
        reader.space();
        if reader.at < text.len() {
            return Err("more than one value".to_owned());
        }
        Self::from_json(json, 0).ok_or_else(|| "not a value of the wire".to_owned())
    }

    /// The value as text.
    pub(super) fn write(&self) -> String {
        let mut text = String::new();
        self.write_to(&mut text);
        text
    }

    fn from_json(json: Json, depth: usize) -> Option<Self> {
        if depth > DEPTH_MAX {
            return None;
        }
        Some(match json {
            Json::Null => Self::Null,
            Json::Bool(truth) => Self::Bool(truth),
            Json::Number(number) => Self::Number(number),
            Json::Text(text) => Self::Text(text),
            Json::List(items) => Self::List(items_of(items, depth)?),
            Json::Object(fields) => Self::tagged(Fields(fields), depth)?,
        })
    }

    fn tagged(mut fields: Fields, depth: usize) -> Option<Self> {
        Some(match fields.text("t")?.as_str() {
            "u" => Self::Undefined,
            "h" => Self::Hole,
            "d" => Self::Number(match fields.text("v")?.as_str() {
                "NaN" => f64::NAN,
                "Infinity" => f64::INFINITY,
                "-Infinity" => f64::NEG_INFINITY,
                "-0" => -0.0,
                _ => return None,
            }),
            "n" => Self::BigInt(fields.text("v").filter(|text| is_integer(text))?),
            "s" => Self::Units(
                fields
                    .list("v")?
                    .into_iter()
                    .map(|unit| match unit {
                        Json::Number(unit) if unit.fract() == 0.0 && (0.0..65536.0).contains(&unit) => {
                            Some(unit as u16)
                        }
                        _ => None,
                    })
                    .collect::<Option<_>>()?,
            ),
            "o" => Self::Object(pairs_of(fields.list("v")?, depth)?),
            "m" => Self::Map(pairs_of(fields.list("v")?, depth)?),
            "S" => Self::Set(items_of(fields.list("v")?, depth)?),
            "b" => Self::Numbers { kind: fields.text("k")?, items: items_of(fields.list("v")?, depth)? },
            "D" => match Self::from_json(fields.take("v")?, depth + 1)? {
                Self::Number(time) => Self::Date(time),
                _ => return None,
            },
            "r" => Self::RegExp { source: fields.text("v")?, flags: fields.text("f")? },
            "e" => Self::Error {
                class: fields.text("k")?,
                name: fields.readable("n", depth)?,
                message: fields.readable("m", depth)?,
                fields: pairs_of(fields.list("v")?, depth)?,
            },
            "f" => Self::Reference {
                owner: if fields.text("o")? == "p" { Owner::Program } else { Owner::Tests },
                number: match fields.take("v")? {
                    Json::Number(number) if number >= 0.0 && number < f64::from(u32::MAX) => number as u32,
                    _ => return None,
                },
                kind: match fields.text("k")?.as_str() {
                    "function" => ReferenceKind::Function,
                    "class" => ReferenceKind::Class,
                    "instance" => ReferenceKind::Instance,
                    _ => return None,
                },
                name: fields.readable("n", depth)?,
            },
            "x" => Self::Opaque(fields.readable("n", depth)?),
            _ => return None,
        })
    }

    fn write_to(&self, text: &mut String) {
        match self {
            Self::Undefined => text.push_str(r#"{"t":"u"}"#),
            Self::Hole => text.push_str(r#"{"t":"h"}"#),
            Self::Null => text.push_str("null"),
            Self::Bool(truth) => text.push_str(if *truth { "true" } else { "false" }),
            Self::Number(number) => write_number(text, *number),
            Self::BigInt(digits) => {
                let _ = write!(text, r#"{{"t":"n","v":"{digits}"}}"#);
            }
            Self::Text(value) => write_text(text, value),
            Self::Units(units) => {
                text.push_str(r#"{"t":"s","v":["#);
                write_list(text, units, |text, unit| {
                    let _ = write!(text, "{unit}");
                });
                text.push_str("]}");
            }
            Self::List(items) => {
                text.push('[');
                write_list(text, items, |text, item| item.write_to(text));
                text.push(']');
            }
            Self::Object(pairs) => write_pairs(text, "o", pairs),
            Self::Map(pairs) => write_pairs(text, "m", pairs),
            Self::Set(items) => {
                text.push_str(r#"{"t":"S","v":["#);
                write_list(text, items, |text, item| item.write_to(text));
                text.push_str("]}");
            }
            Self::Numbers { kind, items } => {
                text.push_str(r#"{"t":"b","k":"#);
                write_text(text, kind);
                text.push_str(r#","v":["#);
                write_list(text, items, |text, item| item.write_to(text));
                text.push_str("]}");
            }
            Self::Date(time) => {
                text.push_str(r#"{"t":"D","v":"#);
                write_number(text, *time);
                text.push('}');
            }
            Self::RegExp { source, flags } => write_fields(text, "r", &[("v", source), ("f", flags)]),
            Self::Error { class, name, message, fields } => {
                text.push_str(r#"{"t":"e","k":"#);
                write_text(text, class);
                text.push_str(r#","n":"#);
                write_text(text, name);
                text.push_str(r#","m":"#);
                write_text(text, message);
                text.push_str(r#","v":["#);
                write_flat(text, fields);
                text.push_str("]}");
            }
            Self::Reference { owner, number, kind, name } => {
                let owner = if *owner == Owner::Program { "p" } else { "t" };
                let kind = match kind {
                    ReferenceKind::Function => "function",
                    ReferenceKind::Class => "class",
                    ReferenceKind::Instance => "instance",
                };
                let _ = write!(text, r#"{{"t":"f","o":"{owner}","v":{number},"k":"{kind}","n":"#);
                write_text(text, name);
                text.push('}');
            }
            Self::Opaque(name) => write_fields(text, "x", &[("n", name)]),
        }
    }
}

/// Whether a text is a whole number in decimal digits, without needless zeros.
fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits == "0" && text == "0" || !digits.starts_with('0'))
}

fn items_of(items: Vec<Json>, depth: usize) -> Option<Vec<Datum>> {
    items.into_iter().map(|item| Datum::from_json(item, depth + 1)).collect()
}

fn pairs_of(items: Vec<Json>, depth: usize) -> Option<Vec<(Datum, Datum)>> {
    let mut items = items_of(items, depth)?.into_iter();
    let mut pairs = Vec::with_capacity(items.len() / 2);
    while let Some(key) = items.next() {
        pairs.push((key, items.next()?));
    }
    Some(pairs)
}

fn write_number(text: &mut String, number: f64) {
    let _ = if number.is_nan() {
        write!(text, r#"{{"t":"d","v":"NaN"}}"#)
    } else if number.is_infinite() {
        write!(text, r#"{{"t":"d","v":"{}Infinity"}}"#, if number < 0.0 { "-" } else { "" })
    } else if number == 0.0 && number.is_sign_negative() {
        write!(text, r#"{{"t":"d","v":"-0"}}"#)
    } else {
        write!(text, "{number:?}")
    };
}

fn write_text(text: &mut String, value: &str) {
    text.push('"');
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            ' '..='~' => text.push(character),
            // Everything else as code units, so that the text is ASCII and its bytes are its characters.
            other => {
                let mut units = [0; 2];
                for unit in other.encode_utf16(&mut units) {
                    let _ = write!(text, "\\u{unit:04x}");
                }
            }
        }
    }
    text.push('"');
}

fn write_list<T>(text: &mut String, items: &[T], mut write: impl FnMut(&mut String, &T)) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        write(text, item);
    }
}

fn write_flat(text: &mut String, pairs: &[(Datum, Datum)]) {
    write_list(text, pairs, |text, (key, value)| {
        key.write_to(text);
        text.push(',');
        value.write_to(text);
    });
}

fn write_pairs(text: &mut String, tag: &str, pairs: &[(Datum, Datum)]) {
    let _ = write!(text, r#"{{"t":"{tag}","v":["#);
    write_flat(text, pairs);
    text.push_str("]}");
}

fn write_fields(text: &mut String, tag: &str, fields: &[(&str, &String)]) {
    let _ = write!(text, r#"{{"t":"{tag}""#);
    for (name, value) in fields {
        let _ = write!(text, r#","{name}":"#);
        write_text(text, value);
    }
    text.push('}');
}

/// A value of JSON.
enum Json {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// The fields of an object, taken one by one.
struct Fields(Vec<(String, Json)>);

impl Fields {
    fn take(&mut self, name: &str) -> Option<Json> {
        let at = self.0.iter().position(|(own, _)| own == name)?;
        Some(self.0.swap_remove(at).1)
    }

    fn text(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Json::Text(text) => Some(text),
            _ => None,
        }
    }

    fn list(&mut self, name: &str) -> Option<Vec<Json>> {
        match self.take(name)? {
            Json::List(list) => Some(list),
            _ => None,
        }
    }

    /// A text for people: one that is not well-formed is mended.
    fn readable(&mut self, name: &str, depth: usize) -> Option<String> {
        match Datum::from_json(self.take(name)?, depth + 1)? {
            Datum::Text(text) => Some(text),
            Datum::Units(units) => Some(String::from_utf16_lossy(&units)),
            _ => None,
        }
    }
}

/// Reads JSON. It nests no deeper than values do, which the JSON of others need not.
struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        self.space();
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn word(&mut self, word: &str, json: Json) -> Option<Json> {
        self.text.get(self.at..)?.starts_with(word).then(|| {
            self.at += word.len();
            json
        })
    }

    fn value(&mut self, depth: usize) -> Option<Json> {
        if depth > TEXT_DEPTH_MAX {
            return None;
        }
        self.space();
        match self.peek()? {
            b'n' => self.word("null", Json::Null),
            b't' => self.word("true", Json::Bool(true)),
            b'f' => self.word("false", Json::Bool(false)),
            b'"' => self.string().map(Json::Text),
            b'[' => {
                self.at += 1;
                let mut items = Vec::new();
                if self.eat(b']') {
                    return Some(Json::List(items));
                }
                loop {
                    items.push(self.value(depth + 1)?);
                    if self.eat(b']') {
                        return Some(Json::List(items));
                    }
                    if !self.eat(b',') {
                        return None;
                    }
                }
            }
            b'{' => {
                self.at += 1;
                let mut fields = Vec::new();
                if self.eat(b'}') {
                    return Some(Json::Object(fields));
                }
                loop {
                    self.space();
                    let name = self.string()?;
                    if !self.eat(b':') {
                        return None;
                    }
                    fields.push((name, self.value(depth + 1)?));
                    if self.eat(b'}') {
                        return Some(Json::Object(fields));
                    }
                    if !self.eat(b',') {
                        return None;
                    }
                }
            }
            _ => self.number().map(Json::Number),
        }
    }

    fn number(&mut self) -> Option<f64> {
        let rest = self.text.get(self.at..)?;
        let end =
            rest.find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E')).unwrap_or(rest.len());
        self.at += end;
        rest[..end].parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// A string; one with half a character in it is no text.
    fn string(&mut self) -> Option<String> {
        let start = self.at;
        if self.peek() != Some(b'"') {
            return None;
        }
        self.at += 1;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        serde_json::from_str(self.text.get(start..self.at)?).ok()
    }
}
