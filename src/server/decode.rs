//! From bytes to a request: each field read once, each fault with its place.

use std::collections::HashSet;

use graders::{Object, plain_words, pointer_of};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use super::problem::{Fault, Problem};
use super::types::{GroupInput, MAX_COMPLETIONS, MAX_GROUPS, MAX_NAME_BYTES};

/// The longest rubric, in bytes of JSON.
const MAX_PART_BYTES: usize = 1 << 20;

/// Reads a whole body, an object, as `T`.
///
/// # Errors
/// 400 when it is not JSON, 422 with the place when it is not what `T` says.
pub fn body<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Problem> {
    if bytes.is_empty() {
        return Err(Problem::not_json("", "the body is empty; send a JSON object"));
    }
    // Keeping track of the place costs as much as reading, so it is done only when a fault has to be placed.
    if let Ok(Object(value)) = serde_json::from_slice(bytes) {
        return Ok(value);
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let Object(value) = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let pointer = place(&error);
        let error = error.into_inner();
        if error.is_data() {
            Problem::invalid_at(pointer, plain_words(&error.to_string()))
        } else {
            Problem::not_json(pointer, syntax(&error, bytes))
        }
    })?;
    deserializer.end().map_err(|error| Problem::not_json("", syntax(&error, bytes)))?;
    Ok(value)
}

/// Reads a part of a body that was kept as text, at `pointer`, as a value.
///
/// # Errors
/// 422 when it is too large or cannot be held in memory as it is.
pub fn part(pointer: &str, raw: &RawValue) -> Result<Value, Problem> {
    let text = raw.get();
    if text.len() > MAX_PART_BYTES {
        let message = format!("this has {} bytes, at most {MAX_PART_BYTES} are read", text.len());
        return Err(Problem::invalid_at(pointer, message));
    }
    value(text).map_err(|fault| Problem::invalid(vec![under(pointer, fault)]))
}

/// What is wrong with text that is not JSON, and what to do about it.
fn syntax(error: &serde_json::Error, text: &[u8]) -> String {
    let message = error.to_string();
    let says = |what: &str| message.starts_with(what);
    let remedy = if text.starts_with(b"\xef\xbb\xbf") {
        "the text begins with a byte order mark; leave it out"
    } else if error.is_eof() {
        "the text ends before the JSON does; check that the whole of it was sent"
    } else if says("recursion limit") {
        "it is nested deeper than 127 levels; send flatter JSON"
    } else if says("number out of range") {
        "it is beyond what a 64-bit number holds; send it as a string, or null"
    } else if says("trailing characters") {
        "there is more after the JSON; send one value"
    } else if says("invalid unicode code point") {
        "the text is not UTF-8; encode it so"
    } else if says("control character") {
        "inside a string a line break is written \\n and a tab \\t"
    } else if message.contains("hex escape") {
        "an escape from \\ud800 to \\udfff stands alone; such characters are written in pairs, or replaced by \\ufffd"
    } else if names_no_number(error, text) {
        "NaN and Infinity are not JSON; send null, or leave the field out"
    } else {
        "check it with a JSON parser: strings and keys stand in double quotes, no comma before a closing bracket"
    };
    format!("{message}; {remedy}")
}

/// The place of an error; of nesting that is too deep the place where it begins and not where it was too much.
fn place(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let mut pointer = pointer_of(error.path());
    if error.inner().to_string().starts_with("recursion limit") {
        let last = pointer.rfind('/').map_or_else(String::new, |at| pointer[at..].to_owned());
        while !last.is_empty() && pointer.ends_with(&last) {
            pointer.truncate(pointer.len() - last.len());
        }
    }
    pointer
}

/// Whether a `NaN` or an `Infinity`, as Python writes them, stands where the error is.
fn names_no_number(error: &serde_json::Error, text: &[u8]) -> bool {
    let line = text.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    // The column is that of the first letter or, after a minus, of the one before it.
    let from = error.column().saturating_sub(2).min(line.len());
    let near = &line[from..line.len().min(from + 12)];
    ["NaN", "Infinity"].iter().any(|name| near.windows(name.len()).any(|found| found == name.as_bytes()))
}

/// A group as it was read, or its name and what is wrong with it.
pub type ReadGroup = Result<GroupInput, (Option<String>, Fault)>;

/// Reads the groups of a request, each on its own. Faults point into the request.
///
/// # Errors
/// When there are none or too many of them.
pub fn groups(raw: &[&RawValue]) -> Result<Vec<ReadGroup>, Problem> {
    if raw.is_empty() || raw.len() > MAX_GROUPS {
        let message = format!("a request has 1 to {MAX_GROUPS} groups, this has {}", raw.len());
        return Err(Problem::invalid_at("/groups", message));
    }
    let mut ids = HashSet::new();
    Ok(raw
        .iter()
        .enumerate()
        .map(|(index, raw)| {
            let read =
                group(raw.get()).map_err(|(id, fault)| (id, under(&format!("/groups/{index}"), fault)))?;
            if let Some(id) = &read.id
                && !ids.insert(id.clone())
            {
                let fault = Fault::new(
                    format!("/groups/{index}/id"),
                    format!("the id {id:?} is taken by another group; give each its own"),
                );
                return Err((Some(id.clone()), fault));
            }
            Ok(read)
        })
        .collect())
}

/// Reads one group, as it stands in a request or on a line of a file. Faults point into the group.
///
/// # Errors
/// The group's id, where it could be read, and what is wrong.
pub fn group(text: &str) -> ReadGroup {
    let Object(group): Object<GroupInput> = value(text).map_err(|fault| (id_of(text), fault))?;
    check(&group).map_err(|fault| (group.id.clone(), fault))?;
    Ok(group)
}

/// Reads JSON text as `T`, with the place of a fault.
fn value<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    // As in `body`: the place is looked for only when there is a fault.
    if let Ok(value) = serde_json::from_str(text) {
        return Ok(value);
    }
    let message = |error: &serde_json::Error| {
        if error.is_data() { plain_words(&error.to_string()) } else { syntax(error, text.as_bytes()) }
    };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| Fault::new(place(&error), message(error.inner())))?;
    deserializer.end().map_err(|error| Fault::new("", message(&error)))?;
    Ok(value)
}

/// The id of a group that could not be read whole.
fn id_of(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct OnlyId {
        id: String,
    }
    serde_json::from_str::<OnlyId>(text).ok().map(|only| only.id).filter(|id| id.len() <= MAX_NAME_BYTES)
}

fn check(group: &GroupInput) -> Result<(), Fault> {
    if let Some(id) = &group.id {
        check_id("/id", id)?;
    }
    let n = group.completions.len();
    if n == 0 || n > MAX_COMPLETIONS {
        let message = format!("a group has 1 to {MAX_COMPLETIONS} completions, this has {n}");
        return Err(Fault::new("/completions", message));
    }
    let mut ids = HashSet::new();
    for (index, completion) in group.completions.iter().enumerate() {
        let Some(id) = &completion.id else { continue };
        let pointer = format!("/completions/{index}/id");
        check_id(&pointer, id)?;
        if !ids.insert(id) {
            return Err(Fault::new(
                pointer,
                format!("the id {id:?} is taken by another completion of the group; give each its own"),
            ));
        }
    }
    Ok(())
}

fn check_id(pointer: &str, id: &str) -> Result<(), Fault> {
    if id.len() > MAX_NAME_BYTES {
        return Err(Fault::new(
            pointer,
            format!("an id has at most {MAX_NAME_BYTES} bytes, this has {}", id.len()),
        ));
    }
    Ok(())
}

fn under(prefix: &str, fault: Fault) -> Fault {
    Fault { pointer: format!("{prefix}{}", fault.pointer), message: fault.message }
}
