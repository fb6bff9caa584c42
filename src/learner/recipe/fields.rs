//! From a table to a recipe with every fault of reading; the names of all fields.

use serde_path_to_error::Segment;
use toml::{Table, Value};

use super::Recipe;
use super::fault::Fault;

/// Faults after which reading gives up: it is another kind of file.
const MAX_FAULTS: usize = 50;
/// A key no field has.
const PROBE: &str = "?";

/// Reads a table. What cannot be read is told and taken out, and the rest read again, so that one reading tells
/// of all faults.
pub(super) fn read(mut table: Table) -> (Recipe, Vec<Fault>) {
    let mut faults = Vec::new();
    loop {
        let error = match attempt(table.clone()) {
            Ok(recipe) => return (*recipe, faults),
            Err(error) => error,
        };
        let removed = remove(&mut table, &error.path);
        faults.push(error.fault());
        if !removed || faults.len() >= MAX_FAULTS {
            return (Recipe::default(), faults);
        }
    }
}

/// Why a table is no recipe.
struct Refusal {
    path: Vec<String>,
    message: String,
}

fn attempt(table: Table) -> Result<Box<Recipe>, Refusal> {
    serde_path_to_error::deserialize(Value::Table(table)).map(Box::new).map_err(|error| {
        // Up to the first list: a list is right or wrong as a whole.
        let path = error.path().iter().map_while(|segment| match segment {
            Segment::Map { key } => Some(key.clone()),
            _ => None,
        });
        let path = path.collect();
        let text = error.into_inner().to_string();
        Refusal { path, message: text.lines().next().unwrap_or_default().trim_end().to_owned() }
    })
}

impl Refusal {
    /// The names that would have been known where an unknown one stood.
    fn known(&self) -> Option<Vec<&str>> {
        let rest = self
            .message
            .strip_prefix("unknown field `")
            .or_else(|| self.message.strip_prefix("unknown variant `"))?;
        // `unknown field `a`, expected one of `b`, `c``: every second piece between backticks is a name.
        Some(rest.split('`').skip(2).step_by(2).collect())
    }

    fn fault(&self) -> Fault {
        let field = self.path.join(".");
        let message = match self.known() {
            None => self.message.clone(),
            Some(known) => {
                let is_field = self.message.starts_with("unknown field");
                let given = self.message.split('`').nth(1).unwrap_or_default();
                let what = if is_field {
                    "is no field of a recipe".to_owned()
                } else {
                    format!("cannot be `{given}`")
                };
                match (nearest(given, &known), elsewhere(given).filter(|_| is_field)) {
                    (Some(near), _) => format!("{what}; did you mean `{near}`?"),
                    (None, Some(place)) => format!("{what}; did you mean `{place}`?"),
                    (None, None) => format!("{what}; there are {}", quoted(&known)),
                }
            }
        };
        Fault { field, message }
    }
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The known name that `given` is most likely a slip of, if one is near.
pub(super) fn nearest<'a>(given: &str, known: &[&'a str]) -> Option<&'a str> {
    let initials = |name: &str| name.split('_').filter_map(|word| word.chars().next()).collect::<String>();
    let given = given.to_lowercase().replace('-', "_");
    let by_distance = known
        .iter()
        .map(|name| (strsim::osa_distance(&given, name), *name))
        .min()
        .filter(|(distance, _)| *distance <= (given.chars().count() / 3).max(1))
        .map(|(_, name)| name);
    by_distance
        .or_else(|| known.iter().copied().find(|name| name.contains('_') && initials(name) == given))
        .or_else(|| known.iter().copied().find(|name| given.len() > 3 && name.ends_with(&given)))
}

/// The field of this name in another section.
fn elsewhere(given: &str) -> Option<String> {
    all().into_iter().find(|field| field.rsplit('.').next() == Some(given))
}

/// Takes out what stands at `path`; whether there was something.
fn remove(table: &mut Table, path: &[String]) -> bool {
    match path {
        [] => false,
        [name] => table.remove(name).is_some(),
        [name, rest @ ..] => {
            table.get_mut(name).and_then(Value::as_table_mut).is_some_and(|inner| remove(inner, rest))
        }
    }
}

/// Every field by its dotted name. Found by asking: a key that no field has is refused with the names there are.
pub(super) fn all() -> Vec<String> {
    fn below(path: &[String], found: &mut Vec<String>) -> bool {
        let mut value = Table::from_iter([(PROBE.to_owned(), Value::Integer(0))]);
        for name in path.iter().rev() {
            value = Table::from_iter([(name.clone(), Value::Table(value))]);
        }
        let Err(refusal) = attempt(value) else { return false };
        let Some(names) = refusal.known().filter(|_| refusal.message.starts_with("unknown field `?`")) else {
            return false;
        };
        for name in names {
            let inner: Vec<String> = path.iter().cloned().chain([name.to_owned()]).collect();
            if !below(&inner, found) {
                found.push(inner.join("."));
            }
        }
        true
    }
    let mut found = Vec::new();
    below(&[], &mut found);
    found
}

/// Where two recipes differ: the field, and `was …, is …`.
pub(super) fn differences(before: &Recipe, after: &Recipe) -> Vec<Fault> {
    let table = |recipe: &Recipe| recipe.resolved_toml().parse::<Table>().unwrap_or_default();
    let mut found = Vec::new();
    compare("", &Value::Table(table(before)), &Value::Table(table(after)), &mut found);
    found
}

fn compare(field: &str, before: &Value, after: &Value, found: &mut Vec<Fault>) {
    if let (Value::Table(before), Value::Table(after)) = (before, after) {
        let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for name in names {
            let inner = if field.is_empty() { name.clone() } else { format!("{field}.{name}") };
            match (before.get(name), after.get(name)) {
                (Some(before), Some(after)) => compare(&inner, before, after, found),
                (Some(before), None) => {
                    found.push(Fault { field: inner, message: format!("was {before}, is not given") });
                }
                (None, Some(after)) => {
                    found.push(Fault { field: inner, message: format!("was not given, is {after}") });
                }
                (None, None) => {}
            }
        }
    } else if before != after {
        found.push(Fault { field: field.to_owned(), message: format!("was {before}, is {after}") });
    }
}
