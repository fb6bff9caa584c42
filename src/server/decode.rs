//! From bytes to a request: each field read once, each fault with its place.

use std::collections::HashSet;

use graders::pointer_of;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::problem::{Fault, Problem};
use super::types::{GroupInput, MAX_COMPLETIONS, MAX_GROUPS, MAX_NAME_BYTES};

/// Reads a whole body as `T`.
///
/// # Errors
/// 400 when it is not JSON, 422 with the place when it is not what `T` says.
pub fn body<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Problem> {
    if bytes.is_empty() {
        return Err(Problem::not_json("the body is empty; send a JSON object"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let pointer = pointer_of(error.path());
        let error = error.into_inner();
        if error.is_data() {
            Problem::invalid_at(pointer, error.to_string())
        } else {
            Problem::not_json(format!("{error}; check that the whole body was sent and that it is UTF-8"))
        }
    })?;
    deserializer.end().map_err(|error| Problem::not_json(format!("{error}; send one JSON value")))?;
    Ok(value)
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
                    format!("the id {id:?} is taken by another group"),
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
    let group: GroupInput = value(text).map_err(|fault| (id_of(text), fault))?;
    check(&group).map_err(|fault| (group.id.clone(), fault))?;
    Ok(group)
}

/// Reads JSON text as `T`, with the place of a fault.
fn value<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| Fault::new(pointer_of(error.path()), error.into_inner().to_string()))?;
    deserializer.end().map_err(|error| Fault::new("", error.to_string()))?;
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
                format!("the id {id:?} is taken by another completion of the group"),
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
