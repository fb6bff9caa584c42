//! JSON Schema to a grammar.
//!
//! Every text of the grammar is JSON that the schema allows; not everything that the schema allows is a text of the
//! grammar: objects have the properties that are named, in their order, and there is little white space. What a grammar
//! cannot express is refused, so that a text can be trusted.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::error::{LlamaError, Result};

/// The most rules; more is a schema that grows without end.
const MAX_RULES: usize = 4096;
/// How deep schemas may be inside each other.
const MAX_DEPTH: usize = 64;
/// Whole numbers of a range that are written out one by one.
const MAX_RANGE: i64 = 1024;

/// What says nothing of which texts are allowed.
const ANNOTATIONS: [&str; 13] = [
    "$schema",
    "$id",
    "$comment",
    "$defs",
    "definitions",
    "title",
    "description",
    "default",
    "examples",
    "format",
    "deprecated",
    "readOnly",
    "writeOnly",
];

/// Rules that others refer to. A text has no escape for half of a surrogate pair, so that every parser takes it.
const BASE: &str = r#"space ::= " "?
char ::= [^"\\\x00-\x1F\x7F] | "\\" (["\\/bfnrt] | "u" ([0-9a-cA-CefEF] [0-9a-fA-F]{3} | [dD] [0-7] [0-9a-fA-F]{2}))
string ::= "\"" char* "\""
natural ::= "0" | [1-9] [0-9]{0,15}
integer ::= "-"? natural
number ::= integer ("." [0-9]{1,16})? ([eE] [-+]? [0-9]{1,2})?
boolean ::= "true" | "false"
null ::= "null"
value ::= string | number | boolean | null | array | object
array ::= "[" space (value (space "," space value)*)? space "]"
member ::= string space ":" space value
object ::= "{" space (member (space "," space member)*)? space "}"
"#;

/// A grammar in GBNF whose texts are JSON that a schema allows.
///
/// # Errors
/// What the schema asks for and no grammar here can, by its place.
pub fn json_schema_to_gbnf(schema: &Value) -> Result<String> {
    let mut writer = Writer { whole: schema, rules: Vec::new(), references: HashMap::new() };
    let root = writer.schema(schema, "", 0)?;
    let mut text = format!("root ::= {root}\n{BASE}");
    for (i, rule) in writer.rules.iter().enumerate() {
        let _ = writeln!(text, "r{i} ::= {rule}");
    }
    Ok(text)
}

struct Writer<'a> {
    whole: &'a Value,
    rules: Vec<String>,
    /// Rules of places that were referred to.
    references: HashMap<String, usize>,
}

fn refuse<T>(pointer: &str, message: impl Into<String>) -> Result<T> {
    let pointer = if pointer.is_empty() { "/".to_owned() } else { pointer.to_owned() };
    Err(LlamaError::Schema { pointer, message: message.into() })
}

/// A JSON value as a literal of the grammar.
fn literal(value: &Value) -> String {
    let mut text = String::from("\"");
    for c in value.to_string().chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

impl Writer<'_> {
    /// Adds a rule and gives its name.
    fn rule(&mut self, text: String, pointer: &str) -> Result<String> {
        if self.rules.len() >= MAX_RULES {
            return refuse(pointer, "the schema is too large");
        }
        self.rules.push(text);
        Ok(format!("r{}", self.rules.len() - 1))
    }

    /// The name of a rule for a schema.
    fn schema(&mut self, schema: &Value, pointer: &str, depth: usize) -> Result<String> {
        if depth > MAX_DEPTH {
            return refuse(pointer, "schemas are too deep inside each other");
        }
        let schema = match schema {
            Value::Bool(true) => return Ok("value".to_owned()),
            Value::Object(schema) => schema,
            _ => return refuse(pointer, "a schema is an object or `true`"),
        };
        let said: Vec<&str> =
            schema.keys().map(String::as_str).filter(|key| !ANNOTATIONS.contains(key)).collect();
        let only = |keys: &[&str]| match said.iter().find(|key| !keys.contains(key)) {
            None => Ok(()),
            Some(key) => refuse(pointer, format!("`{key}` is not supported here")),
        };
        if let Some(target) = schema.get("$ref") {
            only(&["$ref"])?;
            return self.reference(target, pointer, depth);
        }
        if let Some(value) = schema.get("const") {
            only(&["const", "type"])?;
            return self.rule(literal(value), pointer);
        }
        if let Some(values) = schema.get("enum") {
            only(&["enum", "type"])?;
            let values = values.as_array().filter(|values| !values.is_empty());
            let Some(values) = values else {
                return refuse(pointer, "`enum` is a list of at least one value");
            };
            let all: Vec<String> = values.iter().map(literal).collect();
            return self.rule(all.join(" | "), pointer);
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(schemas) = schema.get(key) {
                only(&[key])?;
                return self.any(key, schemas, pointer, depth);
            }
        }
        match schema.get("type") {
            None if said.is_empty() => Ok("value".to_owned()),
            None if said.contains(&"properties") => self.typed("object", schema, &said, pointer, depth),
            None => refuse(pointer, "there is no `type`"),
            Some(Value::String(kind)) => self.typed(kind, schema, &said, pointer, depth),
            Some(Value::Array(kinds)) => {
                let mut all = Vec::new();
                for kind in kinds {
                    let Some(kind) = kind.as_str() else {
                        return refuse(pointer, "`type` is a list of names");
                    };
                    let known = keywords(kind);
                    let its: Vec<&str> = said.iter().copied().filter(|key| known.contains(key)).collect();
                    all.push(self.typed(kind, schema, &its, pointer, depth)?);
                }
                let known =
                    |key: &&&str| kinds.iter().filter_map(Value::as_str).any(|k| keywords(k).contains(key));
                if let Some(key) = said.iter().find(|key| **key != "type" && !known(key)) {
                    return refuse(pointer, format!("`{key}` is not supported here"));
                }
                if all.is_empty() {
                    refuse(pointer, "`type` is empty")
                } else {
                    self.rule(all.join(" | "), pointer)
                }
            }
            Some(_) => refuse(pointer, "`type` is a name or a list of names"),
        }
    }

    fn reference(&mut self, target: &Value, pointer: &str, depth: usize) -> Result<String> {
        let target = target.as_str().and_then(|target| target.strip_prefix('#'));
        let Some(target) = target else { return refuse(pointer, "`$ref` must begin with `#`") };
        if let Some(rule) = self.references.get(target) {
            return Ok(format!("r{rule}"));
        }
        let Some(schema) = self.whole.pointer(target) else {
            return refuse(pointer, format!("`$ref`: there is no #{target}"));
        };
        // The rule has its name before it is written, so that it may refer to itself.
        let name = self.rule(String::new(), pointer)?;
        let place = self.rules.len() - 1;
        self.references.insert(target.to_owned(), place);
        let inner = self.schema(schema, target, depth + 1)?;
        if inner == name {
            return refuse(pointer, "`$ref` refers to itself alone");
        }
        self.rules[place] = inner;
        Ok(name)
    }

    fn any(&mut self, key: &str, schemas: &Value, pointer: &str, depth: usize) -> Result<String> {
        let Some(schemas) = schemas.as_array().filter(|schemas| !schemas.is_empty()) else {
            return refuse(pointer, format!("`{key}` is a list of at least one schema"));
        };
        if key == "oneOf" {
            // Exactly one may hold: only what differs in its type is known to.
            let mut kinds: Vec<&str> =
                schemas.iter().filter_map(|schema| schema.get("type")?.as_str()).collect();
            kinds.sort_unstable();
            kinds.dedup();
            let overlap = kinds.contains(&"integer") && kinds.contains(&"number");
            if kinds.len() != schemas.len() || overlap {
                return refuse(pointer, "`oneOf` needs schemas of different types; use `anyOf`");
            }
        }
        let mut all = Vec::new();
        for (i, schema) in schemas.iter().enumerate() {
            all.push(self.schema(schema, &format!("{pointer}/{key}/{i}"), depth + 1)?);
        }
        self.rule(all.join(" | "), pointer)
    }

    fn typed(
        &mut self,
        kind: &str,
        schema: &Map<String, Value>,
        said: &[&str],
        pointer: &str,
        depth: usize,
    ) -> Result<String> {
        let known = keywords(kind);
        if let Some(key) = said.iter().find(|key| **key != "type" && !known.contains(*key)) {
            return refuse(pointer, format!("`{key}` is not supported here"));
        }
        match kind {
            "null" | "boolean" => Ok(kind.to_owned()),
            "number" => Ok("number".to_owned()),
            "integer" => self.integer(schema, pointer),
            "string" => {
                let Some(bounds) = bounds(schema, "minLength", "maxLength", pointer)? else {
                    return Ok("string".to_owned());
                };
                self.rule(format!("\"\\\"\" char{bounds} \"\\\"\""), pointer)
            }
            "array" => self.array(schema, pointer, depth),
            "object" => self.object(schema, pointer, depth),
            other => refuse(pointer, format!("there is no type `{other}`")),
        }
    }

    fn integer(&mut self, schema: &Map<String, Value>, pointer: &str) -> Result<String> {
        let bound = |key: &str, step: i64| match schema.get(key) {
            None => Ok(None),
            Some(value) => match value.as_i64().and_then(|value| value.checked_add(step)) {
                Some(value) => Ok(Some(value)),
                None => refuse(pointer, format!("`{key}` is no whole number")),
            },
        };
        let low = bound("minimum", 0)?.max(bound("exclusiveMinimum", 1)?);
        let high = match (bound("maximum", 0)?, bound("exclusiveMaximum", -1)?) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        match (low, high) {
            (None, None) => Ok("integer".to_owned()),
            (Some(0), None) => Ok("natural".to_owned()),
            (Some(1), None) => self.rule("[1-9] [0-9]{0,15}".to_owned(), pointer),
            (Some(low), Some(high))
                if low <= high && high.checked_sub(low).is_some_and(|n| n < MAX_RANGE) =>
            {
                let all: Vec<String> = (low..=high).map(|n| format!("\"{n}\"")).collect();
                self.rule(all.join(" | "), pointer)
            }
            _ => refuse(
                pointer,
                format!("a range of whole numbers has at most {MAX_RANGE}, or begins at 0 or 1"),
            ),
        }
    }

    fn array(&mut self, schema: &Map<String, Value>, pointer: &str, depth: usize) -> Result<String> {
        if let Some(first) = schema.get("prefixItems") {
            let Some(first) = first.as_array() else { return refuse(pointer, "`prefixItems` is a list") };
            if schema.keys().any(|key| key == "minItems" || key == "maxItems") {
                return refuse(pointer, "`prefixItems` with a number of items is not supported");
            }
            let mut items = Vec::new();
            for (i, item) in first.iter().enumerate() {
                items.push(self.schema(item, &format!("{pointer}/prefixItems/{i}"), depth + 1)?);
            }
            return self
                .rule(format!("\"[\" space {} space \"]\"", items.join(" space \",\" space ")), pointer);
        }
        let item = match schema.get("items") {
            None => "value".to_owned(),
            Some(items) => self.schema(items, &format!("{pointer}/items"), depth + 1)?,
        };
        let number = |key: &str| match schema.get(key) {
            None => Ok(None),
            Some(value) => match value.as_u64().filter(|n| *n <= 1 << 16) {
                Some(n) => Ok(Some(n)),
                None => refuse(pointer, format!("`{key}` is no number from 0 to 65536")),
            },
        };
        let (least, most) = (number("minItems")?.unwrap_or(0), number("maxItems")?);
        if most.is_some_and(|most| most < least) {
            return refuse(pointer, "`maxItems` is below `minItems`");
        }
        let more = format!("(space \",\" space {item})");
        let upper = |n: Option<u64>| n.map_or_else(String::new, |n| n.to_string());
        let inside = match (least, most) {
            (_, Some(0)) => String::new(),
            (0, most) => format!("({item} {more}{{0,{}}})?", upper(most.map(|n| n - 1))),
            (least, most) => format!("{item} {more}{{{},{}}}", least - 1, upper(most.map(|n| n - 1))),
        };
        self.rule(format!("\"[\" space {inside} space \"]\""), pointer)
    }

    fn object(&mut self, schema: &Map<String, Value>, pointer: &str, depth: usize) -> Result<String> {
        let none = Map::new();
        let properties = match schema.get("properties") {
            None => &none,
            Some(Value::Object(properties)) => properties,
            Some(_) => return refuse(pointer, "`properties` is an object"),
        };
        let required: Vec<&str> = match schema.get("required") {
            None => Vec::new(),
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            Some(_) => return refuse(pointer, "`required` is a list of names"),
        };
        if let Some(name) = required.iter().find(|name| !properties.contains_key(**name)) {
            return refuse(pointer, format!("`{name}` is required and not among `properties`"));
        }
        if properties.is_empty() {
            return match schema.get("additionalProperties") {
                Some(Value::Bool(false)) => self.rule("\"{\" space \"}\"".to_owned(), pointer),
                None | Some(Value::Bool(true)) => Ok("object".to_owned()),
                Some(value) => {
                    let value = self.schema(value, &format!("{pointer}/additionalProperties"), depth + 1)?;
                    let member = self.rule(format!("string space \":\" space {value}"), pointer)?;
                    let all = format!("\"{{\" space ({member} (space \",\" space {member})*)? space \"}}\"");
                    self.rule(all, pointer)
                }
            };
        }
        // From the last property to the first: what may follow when none has come yet, and when one has.
        let (mut none_yet, mut some) = ("\"\"".to_owned(), "\"\"".to_owned());
        for (name, property) in properties.iter().rev() {
            let value = self.schema(property, &format!("{pointer}/properties/{name}"), depth + 1)?;
            let name_text = literal(&Value::String(name.clone()));
            let member = self.rule(format!("{name_text} space \":\" space {value}"), pointer)?;
            let is_required = required.contains(&name.as_str());
            let (first, next) = if is_required {
                (format!("{member} {some}"), format!("space \",\" space {member} {some}"))
            } else {
                (format!("{member} {some} | {none_yet}"), format!("(space \",\" space {member})? {some}"))
            };
            none_yet = self.rule(first, pointer)?;
            some = self.rule(next, pointer)?;
        }
        self.rule(format!("\"{{\" space {none_yet} space \"}}\""), pointer)
    }
}

/// What may be said of a type.
fn keywords(kind: &str) -> &'static [&'static str] {
    match kind {
        "string" => &["minLength", "maxLength"],
        "integer" => &["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
        "array" => &["items", "prefixItems", "minItems", "maxItems"],
        "object" => &["properties", "required", "additionalProperties"],
        _ => &[],
    }
}

/// How often something may come, as the grammar writes it; `None` where nothing is said.
fn bounds(schema: &Map<String, Value>, low: &str, high: &str, pointer: &str) -> Result<Option<String>> {
    let number = |key: &str| match schema.get(key) {
        None => Ok(None),
        Some(value) => match value.as_u64().filter(|n| *n <= 1 << 12) {
            Some(n) => Ok(Some(n)),
            None => refuse(pointer, format!("`{key}` is no number from 0 to 4096")),
        },
    };
    match (number(low)?, number(high)?) {
        (None, None) => Ok(None),
        (least, Some(most)) if least.unwrap_or(0) > most => {
            refuse(pointer, format!("`{high}` is below `{low}`"))
        }
        (least, most) => {
            let most = most.map_or_else(String::new, |n| n.to_string());
            Ok(Some(format!("{{{},{most}}}", least.unwrap_or(0))))
        }
    }
}
