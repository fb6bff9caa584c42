//! `--set key.path=value`: a field put over a recipe's.

use std::str::FromStr;

use toml::{Table, Value};

use super::fault::RecipeError;

/// Fields of which a recipe has one: setting one takes the other away.
const ALTERNATIVES: [(&str, &str); 2] = [("model.path", "model.tiny"), ("tasks.environment", "tasks.path")];

/// A field and the value it gets.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    text: String,
    field: String,
    value: Value,
}

impl FromStr for Override {
    type Err = RecipeError;

    /// Reads `key.path=value`. The value is TOML; a word that is no TOML is a text.
    fn from_str(text: &str) -> Result<Self, RecipeError> {
        let refuse =
            |message: &str| RecipeError::Override { text: text.to_owned(), message: message.to_owned() };
        let (field, given) = text
            .split_once('=')
            .ok_or_else(|| refuse("expected FIELD=VALUE, such as train.learning_rate=1e-5"))?;
        let (field, given) = (field.trim(), given.trim());
        if field.split('.').any(|name| name.trim().is_empty()) {
            return Err(refuse("the field's name is empty somewhere; expected section.field=value"));
        }
        let value = match given.parse::<Value>() {
            Ok(value) => value,
            Err(_) if !given.is_empty() && !given.starts_with(['"', '\'', '[', '{']) => Value::from(given),
            Err(_) => {
                return Err(refuse("the value is no TOML; a text may stand in quotes, a list in [ ]"));
            }
        };
        Ok(Self { text: text.to_owned(), field: field.to_owned(), value })
    }
}

impl Override {
    /// A field and its value, for flags that stand for one.
    pub fn new(field: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        Self { text: format!("{field}={value}"), field: field.to_owned(), value }
    }

    /// Puts the value over the table's, with the tables on the way made where they are missing.
    ///
    /// # Errors
    /// When something on the way is no table.
    pub(super) fn apply(&self, table: &mut Table) -> Result<(), RecipeError> {
        for (one, other) in ALTERNATIVES {
            for (set, gone) in [(one, other), (other, one)] {
                let inside = self.field.strip_prefix(set);
                if inside.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
                    take_away(table, gone);
                }
            }
        }
        let mut names: Vec<&str> = self.field.split('.').map(str::trim).collect();
        let last = names.pop().unwrap_or_default();
        let mut place = table;
        for name in names {
            let inner = place.entry(name).or_insert_with(|| Value::Table(Table::new()));
            place = inner.as_table_mut().ok_or_else(|| RecipeError::Override {
                text: self.text.clone(),
                message: format!("`{name}` is a value of its own and has no fields"),
            })?;
        }
        place.insert(last.to_owned(), self.value.clone());
        Ok(())
    }
}

fn take_away(table: &mut Table, field: &str) {
    if let Some((section, name)) = field.split_once('.')
        && let Some(section) = table.get_mut(section).and_then(Value::as_table_mut)
    {
        section.remove(name);
    }
}
