//! Rubrics kept under a name for later requests.

use serde_json::Value;

use super::Store;
use super::database::{Arg, Record};
use super::error::StoreError;
use super::name::Name;
use super::types::{NamedRubric, Timestamp};

/// The most named rubrics: the list is read whole.
const MAX_RUBRICS: i64 = 10_000;

impl Store {
    /// The rubric kept under `name`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or [`StoreError::Unavailable`] when the database fails.
    pub async fn rubric(&self, name: &Name) -> Result<NamedRubric, StoreError> {
        let sql = "select name, body, created_at, updated_at from stored_rubric where name = $1";
        let record = self.database.read_one("read a rubric", sql, &[Arg::Text(name.as_str())]).await?;
        record.as_ref().map(rubric).ok_or_else(|| no_rubric(name))?
    }

    /// All named rubrics, in the order of their names.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database fails.
    pub async fn rubrics(&self) -> Result<Vec<NamedRubric>, StoreError> {
        let sql = "select name, body, created_at, updated_at from stored_rubric order by name limit $1";
        let records = self.database.read("list rubrics", sql, &[Arg::Integer(MAX_RUBRICS)]).await?;
        let mut rubrics = records.iter().map(rubric).collect::<Result<Vec<_>, _>>()?;
        // PostgreSQL sorts by its locale.
        rubrics.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(rubrics)
    }

    /// Keeps a rubric under `name`, in place of the one that was there. What was already judged keeps the
    /// rubric that judged it.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when there are too many, [`StoreError::Unavailable`] when the database fails.
    pub async fn put_rubric(&self, name: &Name, body: &Value) -> Result<NamedRubric, StoreError> {
        let sql = "insert into stored_rubric (name, body, created_at, updated_at) \
                   select $1, $2, $3, $3 where (select count(*) from stored_rubric) < $4 \
                   or exists (select 1 from stored_rubric where name = $1) \
                   on conflict (name) do update set body = excluded.body, updated_at = excluded.updated_at \
                   returning name, body, created_at, updated_at";
        let body = body.to_string();
        let now = Arg::Integer(Timestamp::now().0);
        let args = [Arg::Text(name.as_str()), Arg::Text(&body), now, Arg::Integer(MAX_RUBRICS)];
        let records = self.database.write("keep a rubric", sql, &args).await?;
        let full = || StoreError::invalid("rubric", format!("there are already {MAX_RUBRICS} named rubrics"));
        rubric(records.first().ok_or_else(full)?)
    }

    /// Forgets the rubric kept under `name`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or [`StoreError::Unavailable`] when the database fails.
    pub async fn delete_rubric(&self, name: &Name) -> Result<(), StoreError> {
        let sql = "delete from stored_rubric where name = $1";
        match self.database.execute("delete a rubric", sql, &[Arg::Text(name.as_str())]).await? {
            0 => Err(no_rubric(name)),
            _ => Ok(()),
        }
    }
}

fn no_rubric(name: &Name) -> StoreError {
    StoreError::NotFound { what: "rubric", name: name.to_string() }
}

fn rubric(record: &Record) -> Result<NamedRubric, StoreError> {
    Ok(NamedRubric {
        name: record.text(0)?,
        body: record.json("rubric", 1)?,
        created_at: record.timestamp(2)?,
        updated_at: record.timestamp(3)?,
    })
}
