//! What a JSON Schema asks for, found before it is compiled.
//!
//! A schema has to stand on its own: no reference leads out of it. Its references have to end, and its depth,
//! its patterns and the parts it has with every reference written out are bounded, so that neither the
//! compiler nor the validator can run out of stack or time. It never looks at a document.

use std::collections::HashMap;

use serde_json::Value;

use super::schema::{SchemaProblem, escaped};

/// The deepest nesting of a schema, its references followed; bounds the compiler's stack.
const MAX_DEPTH: usize = 64;
/// The most subschemas in a row that look at the same value; with the depth of documents it bounds the
/// validator's stack.
const MAX_IN_PLACE: usize = 32;
/// The most parts a schema may have when its references are written out once each.
const MAX_UNROLLED: usize = 1 << 14;
/// How often a subschema may be looked at for an `unevaluatedProperties` or `unevaluatedItems` around it; as
/// measured, with each of them nested in the next.
const UNEVALUATED_LOOKS: usize = 4;
/// The most patterns in one schema.
const MAX_PATTERNS: usize = 64;

/// The one dialect that is read.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// What the compiled schema may cost.
#[derive(Debug)]
pub(super) struct Shape {
    /// How many parts of the schema one value may be compared with.
    pub(super) unrolled: usize,
    /// Whether a part of it leads back to itself.
    pub(super) recursive: bool,
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
    /// Whether it asks for what its in-place subschemas left unevaluated.
    looks_again: bool,
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
    pub(super) fn of(schema: &Value) -> Result<Self, SchemaProblem> {
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
            Walk { graph: &graph, on_path: vec![false; graph.nodes.len()], visits: 0, recursive: false };
        let unrolled = walk.enter(0, 0)?;
        Ok(Self { unrolled, recursive: walk.recursive })
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
                ("unevaluatedProperties" | "unevaluatedItems", _) => self.nodes[index].looks_again = true,
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
    visits: usize,
    recursive: bool,
}

impl Walk<'_, '_> {
    /// The comparisons that a value costs at this subschema, those of its parts included.
    fn enter(&mut self, index: usize, depth: usize) -> Result<usize, SchemaProblem> {
        let node = &self.graph.nodes[index];
        let too_many = || {
            let message = format!("with its references written out the schema has over {MAX_UNROLLED} parts");
            Err(SchemaProblem::new(node.pointer.clone(), message))
        };
        self.visits += 1;
        if self.visits > MAX_UNROLLED {
            return too_many();
        }
        if self.on_path[index] {
            self.recursive = true;
            return Ok(node.weight);
        }
        if depth > MAX_DEPTH {
            return Err(too_deep(&node.pointer));
        }
        self.on_path[index] = true;
        let looks = if node.looks_again { UNEVALUATED_LOOKS } else { 1 };
        let mut cost = node.weight;
        for (parts, looks) in [(&node.in_place, looks), (&node.inner, 1)] {
            for part in parts {
                cost = cost.saturating_add(looks.saturating_mul(self.enter(*part, depth + 1)?));
            }
        }
        self.on_path[index] = false;
        if cost > MAX_UNROLLED { too_many() } else { Ok(cost) }
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
