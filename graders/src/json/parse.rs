//! Reading a document that a model wrote: strict, bounded in depth and size, duplicate keys seen.

use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The deepest nesting that is read. Depth times the depth of a schema bounds the stack that validation uses.
pub(super) const MAX_DEPTH: usize = 64;

/// The most values that are read. A value takes a token at least, so the longest completions stay below it.
pub(super) const MAX_VALUES: usize = 1 << 16;

/// A document and what was learnt while reading it.
pub(super) struct Document {
    /// The value; of equal keys the last one.
    pub(super) value: Value,
    /// How many values it holds, containers included.
    pub(super) values: usize,
}

/// Why a text is no document.
pub(super) enum Problem {
    /// It is not JSON, or holds a number beyond the range of a 64-bit float.
    Syntax(String),
    /// An object names this key twice, and that is forbidden.
    DuplicateKey(String),
    /// It nests too deeply to be judged.
    TooDeep,
    /// It holds more values than are judged.
    TooMany,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(message) => f.write_str(message),
            Self::DuplicateKey(key) => write!(f, "the key `{key}` stands twice in one object"),
            Self::TooDeep => write!(f, "nested more than {MAX_DEPTH} deep"),
            Self::TooMany => write!(f, "more than {MAX_VALUES} values"),
        }
    }
}

impl Document {
    pub(super) fn parse(text: &str, forbid_duplicate_keys: bool) -> Result<Self, Problem> {
        let mut reader = Reader { forbid_duplicate_keys, depth: 0, values: 0, problem: None };
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let value = Seed(&mut reader)
            .deserialize(&mut deserializer)
            .and_then(|value| deserializer.end().map(|()| value));
        match value {
            Ok(value) => Ok(Self { value, values: reader.values }),
            Err(error) => Err(reader.problem.unwrap_or_else(|| Problem::Syntax(error.to_string()))),
        }
    }
}

struct Reader {
    forbid_duplicate_keys: bool,
    depth: usize,
    values: usize,
    problem: Option<Problem>,
}

impl Reader {
    /// Notes the problem and stops the reading with an error that nobody sees.
    fn stop<E: Error>(&mut self, problem: Problem) -> E {
        self.problem = Some(problem);
        E::custom("stopped")
    }

    fn enter<E: Error>(&mut self) -> Result<(), E> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(self.stop(Problem::TooDeep)) } else { Ok(()) }
    }
}

/// By hand and not `Value`'s own reader, which drops duplicate keys unseen.
struct Seed<'r>(&'r mut Reader);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.0.values += 1;
        if self.0.values > MAX_VALUES {
            return Err(self.0.stop(Problem::TooMany));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let reader = self.0;
        reader.enter()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Seed(reader))? {
            items.push(item);
        }
        reader.depth -= 1;
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let reader = self.0;
        reader.enter()?;
        let mut fields = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if reader.forbid_duplicate_keys && fields.contains_key(&key) {
                return Err(reader.stop(Problem::DuplicateKey(key)));
            }
            let value = map.next_value_seed(Seed(reader))?;
            fields.insert(key, value);
        }
        reader.depth -= 1;
        Ok(Value::Object(fields))
    }
}
