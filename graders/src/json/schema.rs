//! A JSON Schema 2020-12 that can be applied to any document in bounded time and stack.
//!
//! The `jsonschema` crate validates; this file decides which schemas it gets to see. A schema has to stand on
//! its own (no reference leads out of it), its references have to end, and its size, depth, patterns and the
//! number of parts it unrolls to are bounded. Patterns run on the linear-time `regex` engine, so look-around
//! and back-references are refused. `format` is an annotation, as 2020-12 has it by default.

use std::collections::HashMap;

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

/// The longest schema, in bytes of JSON.
const MAX_BYTES: usize = 1 << 16;
/// The deepest nesting of a schema, its references followed; bounds the compiler's stack.
const MAX_DEPTH: usize = 64;
/// The most subschemas in a row that look at the same value; with the depth of documents it bounds the
/// validator's stack.
const MAX_IN_PLACE: usize = 32;
/// The most parts a schema may have when its references are written out once each.
const MAX_UNROLLED: usize = 1 << 14;
/// The most patterns in one schema.
const MAX_PATTERNS: usize = 64;
/// Memory one compiled pattern may take, in bytes.
const MAX_PATTERN_BYTES: usize = 1 << 20;

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// A compiled schema.
#[derive(Debug)]
pub(super) struct Schema {
    validator: Validator,
    unrolled: usize,
    recursive: bool,
}

/// What is wrong with a schema, and where in it.
#[derive(Debug)]
pub(super) struct SchemaProblem {
    pub(super) pointer: String,
    pub(super) message: String,
}

impl SchemaProblem {
    fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into() }
    }
}

impl Schema {
    pub(super) fn compile(schema: &Value) -> Result<Self, SchemaProblem> {
        let bytes = schema.to_string().len();
        if bytes > MAX_BYTES {
            return Err(SchemaProblem::new(
                "",
                format!("the schema has {bytes} bytes, at most {MAX_BYTES} are allowed"),
            ));
        }
        let shape = Shape::of(schema)?;
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_pattern_options(PatternOptions::regex().size_limit(MAX_PATTERN_BYTES))
            .should_validate_formats(false)
            .offline()
            .build(schema)
            .map_err(|error| {
                let pointer = error.instance_path().to_string();
                let is_pattern = pointer.ends_with("/pattern") || pointer.contains("/patternProperties");
                let hint =
                    if is_pattern { "; patterns have no look-around and no back-references" } else { "" };
                SchemaProblem::new(pointer, format!("{error}{hint}"))
            })?;
        Ok(Self { validator, unrolled: shape.unrolled, recursive: shape.recursive })
    }

    /// How many parts of the schema one value may be compared with.
    pub(super) const fn unrolled(&self) -> usize {
        self.unrolled
    }

    pub(super) fn is_valid(&self, document: &Value) -> bool {
        self.validator.is_valid(document)
    }

    /// Where a document breaks the schema and how. `None` for a recursive schema: only the plain question
    /// whether it is valid remembers what it has seen, and finding the place could take exponential time.
    pub(super) fn first_violation(&self, document: &Value) -> Option<(String, String)> {
        if self.recursive {
            return None;
        }
        let error = self.validator.validate(document).err()?;
        Some((error.instance_path().to_string(), error.to_string()))
    }
}

/// A key as a token of a JSON pointer.
pub(super) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// What the compiled schema may cost.
#[derive(Debug)]
struct Shape {
    unrolled: usize,
    recursive: bool,
}

/// One subschema.
#[derive(Debug, Default)]
struct Node {
    pointer: String,
    /// Subschemas applied to the same value.
    in_place: Vec<usize>,
    /// Subschemas applied to a part of the value.
    inner: Vec<usize>,
    /// Comparisons of its own: one, and one for each value of an `enum`.
    weight: usize,
}

/// Where a keyword's subschemas look and how they are written.
#[derive(Clone, Copy)]
enum Applies {
    InPlace,
    Inner,
    /// To nothing by themselves; references lead there.
    Nowhere,
}

#[derive(Clone, Copy)]
enum Written {
    One,
    List,
    Map,
}

fn keyword(name: &str) -> Option<(Applies, Written)> {
    Some(match name {
        "allOf" | "anyOf" | "oneOf" => (Applies::InPlace, Written::List),
        "not" | "if" | "then" | "else" => (Applies::InPlace, Written::One),
        "dependentSchemas" => (Applies::InPlace, Written::Map),
        "items"
        | "additionalProperties"
        | "contains"
        | "propertyNames"
        | "unevaluatedItems"
        | "unevaluatedProperties" => (Applies::Inner, Written::One),
        "prefixItems" => (Applies::Inner, Written::List),
        "properties" | "patternProperties" => (Applies::Inner, Written::Map),
        "$defs" | "definitions" => (Applies::Nowhere, Written::Map),
        _ => return None,
    })
}

/// The subschemas of a document and how they lead to each other.
struct Graph<'s> {
    root: &'s Value,
    nodes: Vec<Node>,
    by_pointer: HashMap<String, usize>,
    by_anchor: HashMap<String, usize>,
    /// References still to be followed: from which node, to where.
    references: Vec<(usize, &'s str, String)>,
    patterns: usize,
}

impl Shape {
    fn of(schema: &Value) -> Result<Self, SchemaProblem> {
        let mut graph = Graph {
            root: schema,
            nodes: Vec::new(),
            by_pointer: HashMap::new(),
            by_anchor: HashMap::new(),
            references: Vec::new(),
            patterns: 0,
        };
        graph.add(schema, String::new(), 0)?;
        graph.follow_references()?;
        if graph.patterns > MAX_PATTERNS {
            let message = format!("{} patterns, at most {MAX_PATTERNS} are allowed", graph.patterns);
            return Err(SchemaProblem::new("", message));
        }
        graph.check_in_place()?;
        let mut walk =
            Walk { graph: &graph, on_path: vec![false; graph.nodes.len()], unrolled: 0, recursive: false };
        walk.enter(0, 0)?;
        Ok(Self { unrolled: walk.unrolled, recursive: walk.recursive })
    }
}

impl<'s> Graph<'s> {
    /// Adds `schema` and what is written inside it.
    fn add(&mut self, schema: &'s Value, pointer: String, depth: usize) -> Result<usize, SchemaProblem> {
        if let Some(known) = self.by_pointer.get(&pointer) {
            return Ok(*known);
        }
        if depth > MAX_DEPTH {
            return Err(too_deep(&pointer));
        }
        let index = self.nodes.len();
        self.by_pointer.insert(pointer.clone(), index);
        self.nodes.push(Node { pointer: pointer.clone(), weight: 1, ..Node::default() });
        let keywords = match schema {
            Value::Bool(_) => return Ok(index),
            Value::Object(keywords) => keywords,
            _ => return Err(SchemaProblem::new(pointer, "expected a schema: an object, true or false")),
        };
        for (name, value) in keywords {
            let place = format!("{pointer}/{}", escaped(name));
            match (name.as_str(), value) {
                ("$schema", Value::String(dialect)) if dialect.trim_end_matches('#') != DIALECT => {
                    let message =
                        format!("only draft 2020-12 is supported: leave `$schema` out or name {DIALECT}");
                    return Err(SchemaProblem::new(place, message));
                }
                ("$id", _) if depth > 0 => {
                    let message = "an `$id` inside a schema is not supported; use `$defs` and `$anchor`";
                    return Err(SchemaProblem::new(place, message));
                }
                ("$ref" | "$dynamicRef", Value::String(target)) => {
                    self.references.push((index, target, place.clone()));
                }
                ("$anchor" | "$dynamicAnchor", Value::String(anchor)) => {
                    self.by_anchor.insert(anchor.clone(), index);
                }
                ("pattern", _) => self.patterns += 1,
                ("enum", Value::Array(values)) => self.nodes[index].weight += values.len(),
                _ => {}
            }
            if let (Value::Object(patterns), "patternProperties") = (value, name.as_str()) {
                self.patterns += patterns.len();
            }
            let Some((applies, written)) = keyword(name) else { continue };
            for (place, part) in parts(value, written, &place) {
                let part = self.add(part, place, depth + 1)?;
                match applies {
                    Applies::InPlace => self.nodes[index].in_place.push(part),
                    Applies::Inner => self.nodes[index].inner.push(part),
                    Applies::Nowhere => {}
                }
            }
        }
        Ok(index)
    }

    fn follow_references(&mut self) -> Result<(), SchemaProblem> {
        while let Some((from, target, place)) = self.references.pop() {
            let Some(fragment) = target.strip_prefix('#') else {
                let message =
                    format!("`{target}` leads out of the schema; nothing is fetched, put it under `$defs`");
                return Err(SchemaProblem::new(place, message));
            };
            let missing =
                || SchemaProblem::new(place.clone(), format!("`{target}` does not exist in this schema"));
            let fragment = percent_decoded(fragment).ok_or_else(missing)?;
            let to = if fragment.is_empty() || fragment.starts_with('/') {
                let schema = self.root.pointer(&fragment).ok_or_else(missing)?;
                // Where no keyword looks, such as `#/components/…`, a reference is what makes it a schema.
                self.add(schema, fragment, 1)?
            } else {
                *self.by_anchor.get(&fragment).ok_or_else(missing)?
            };
            self.nodes[from].in_place.push(to);
        }
        Ok(())
    }

    /// Refuses subschemas that come back to themselves without going deeper into the value, and long chains.
    fn check_in_place(&self) -> Result<(), SchemaProblem> {
        let mut heights = vec![Height::Unknown; self.nodes.len()];
        (0..self.nodes.len()).try_for_each(|node| self.in_place_height(node, &mut heights, 0).map(drop))
    }

    fn in_place_height(
        &self,
        index: usize,
        heights: &mut [Height],
        depth: usize,
    ) -> Result<usize, SchemaProblem> {
        let node = &self.nodes[index];
        match heights[index] {
            Height::Known(height) => return Ok(height),
            Height::Open => {
                let message = "this schema refers to itself without going deeper into the value";
                return Err(SchemaProblem::new(node.pointer.clone(), message));
            }
            Height::Unknown if depth > MAX_IN_PLACE => return Err(too_long(&node.pointer)),
            Height::Unknown => heights[index] = Height::Open,
        }
        let mut height = 1;
        for part in &node.in_place {
            height = height.max(1 + self.in_place_height(*part, heights, depth + 1)?);
        }
        if height > MAX_IN_PLACE {
            return Err(too_long(&node.pointer));
        }
        heights[index] = Height::Known(height);
        Ok(height)
    }
}

#[derive(Clone, Copy)]
enum Height {
    Unknown,
    /// On the path that is being walked.
    Open,
    Known(usize),
}

/// Walks the schema as if every reference were written out, stopping where it comes back to itself.
struct Walk<'g, 's> {
    graph: &'g Graph<'s>,
    on_path: Vec<bool>,
    unrolled: usize,
    recursive: bool,
}

impl Walk<'_, '_> {
    fn enter(&mut self, index: usize, depth: usize) -> Result<(), SchemaProblem> {
        let node = &self.graph.nodes[index];
        self.unrolled += node.weight;
        if self.unrolled > MAX_UNROLLED {
            let message = format!("with its references written out the schema has over {MAX_UNROLLED} parts");
            return Err(SchemaProblem::new(node.pointer.clone(), message));
        }
        if self.on_path[index] {
            self.recursive = true;
            return Ok(());
        }
        if depth > MAX_DEPTH {
            return Err(too_deep(&node.pointer));
        }
        self.on_path[index] = true;
        for part in node.in_place.iter().chain(&node.inner) {
            self.enter(*part, depth + 1)?;
        }
        self.on_path[index] = false;
        Ok(())
    }
}

fn too_deep(pointer: &str) -> SchemaProblem {
    SchemaProblem::new(pointer, format!("subschemas and references lead more than {MAX_DEPTH} deep"))
}

fn too_long(pointer: &str) -> SchemaProblem {
    SchemaProblem::new(
        pointer,
        format!("more than {MAX_IN_PLACE} subschemas in a row look at the same value"),
    )
}

/// The subschemas of a keyword's value with their pointers; wrongly written ones are the compiler's to refuse.
fn parts<'v>(value: &'v Value, written: Written, place: &str) -> Vec<(String, &'v Value)> {
    match (written, value) {
        (Written::One, part) => vec![(place.to_owned(), part)],
        (Written::List, Value::Array(items)) => {
            items.iter().enumerate().map(|(index, part)| (format!("{place}/{index}"), part)).collect()
        }
        (Written::Map, Value::Object(map)) => {
            map.iter().map(|(key, part)| (format!("{place}/{}", escaped(key)), part)).collect()
        }
        _ => Vec::new(),
    }
}

/// A URI fragment with its `%41` escapes read; `None` when it is not text.
fn percent_decoded(fragment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.as_bytes();
    while let [first, tail @ ..] = rest {
        if let (b'%', [high, low, after @ ..]) = (first, tail) {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            bytes.push(u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}
