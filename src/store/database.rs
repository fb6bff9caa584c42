//! The two databases behind one door: which statement runs on which pool, and how a row is read.
//!
//! SQLite and PostgreSQL understand the same SQL for everything but the bulk insert, so a statement is written
//! once, with `$1` for its first argument, and tested on both. What differs is in `sqlite.rs` and
//! `postgres.rs`.

use serde::de::DeserializeOwned;
use sqlx::postgres::{PgArguments, PgPool, PgRow};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Postgres, Row, Sqlite};

use super::error::StoreError;
use super::sqlite::SqliteDatabase;
use super::types::Timestamp;

/// An open database.
#[derive(Debug)]
pub(super) enum Database {
    Sqlite(SqliteDatabase),
    Postgres(PgPool),
}

/// An argument of a statement.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arg<'a> {
    Integer(i64),
    Real(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// A row of an answer, read by position.
pub(super) enum Record {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// Binds and runs on the one or the other: the two drivers share names but no types.
macro_rules! on_pool {
    ($self:ident, $sqlite_pool:ident, $sql:ident, $args:ident, $method:ident) => {
        match $self {
            Database::Sqlite(database) => bind_sqlite(sqlx::query($sql), $args)
                .$method(&database.$sqlite_pool)
                .await
                .map(OnEither::Sqlite),
            Database::Postgres(pool) => {
                bind_postgres(sqlx::query($sql), $args).$method(pool).await.map(OnEither::Postgres)
            }
        }
    };
}

enum OnEither<S, P> {
    Sqlite(S),
    Postgres(P),
}

impl Database {
    /// What it is and where, without a password.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Sqlite(database) => match &database.path {
                Some(path) => format!("sqlite:{}", path.display()),
                None => "sqlite::memory:".to_owned(),
            },
            Self::Postgres(pool) => {
                let options = pool.connect_options();
                let database = options.get_database().unwrap_or_default();
                format!("postgres://{}:{}/{database}", options.get_host(), options.get_port())
            }
        }
    }

    /// The rows a reading statement answers. `action` completes "the store could not …".
    pub(super) async fn read(
        &self,
        action: &'static str,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<Vec<Record>, StoreError> {
        rows(action, on_pool!(self, read, sql, args, fetch_all))
    }

    /// The first row a reading statement answers.
    pub(super) async fn read_one(
        &self,
        action: &'static str,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<Option<Record>, StoreError> {
        Ok(self.read(action, sql, args).await?.into_iter().next())
    }

    /// The rows a writing statement answers, by `returning`. Durable when this returns.
    pub(super) async fn write(
        &self,
        action: &'static str,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<Vec<Record>, StoreError> {
        rows(action, on_pool!(self, write, sql, args, fetch_all))
    }

    /// How many rows a writing statement changed. Durable when this returns.
    pub(super) async fn execute(
        &self,
        action: &'static str,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<u64, StoreError> {
        match on_pool!(self, write, sql, args, execute) {
            Ok(OnEither::Sqlite(result)) => Ok(result.rows_affected()),
            Ok(OnEither::Postgres(result)) => Ok(result.rows_affected()),
            Err(source) => Err(StoreError::unavailable(action, source)),
        }
    }

    /// Closes every connection; SQLite then folds its log into the file.
    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite(database) => database.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

fn rows(
    action: &'static str,
    answer: Result<OnEither<Vec<SqliteRow>, Vec<PgRow>>, sqlx::Error>,
) -> Result<Vec<Record>, StoreError> {
    match answer {
        Ok(OnEither::Sqlite(rows)) => Ok(rows.into_iter().map(Record::Sqlite).collect()),
        Ok(OnEither::Postgres(rows)) => Ok(rows.into_iter().map(Record::Postgres).collect()),
        Err(source) => Err(StoreError::unavailable(action, source)),
    }
}

fn bind_sqlite<'q>(
    mut query: Query<'q, Sqlite, SqliteArguments>,
    args: &'q [Arg<'_>],
) -> Query<'q, Sqlite, SqliteArguments> {
    for arg in args {
        query = match *arg {
            Arg::Integer(value) => query.bind(value),
            Arg::Real(value) => query.bind(value),
            Arg::Text(value) => query.bind(value),
            Arg::Bytes(value) => query.bind(value),
        };
    }
    query
}

fn bind_postgres<'q>(
    mut query: Query<'q, Postgres, PgArguments>,
    args: &'q [Arg<'_>],
) -> Query<'q, Postgres, PgArguments> {
    for arg in args {
        query = match *arg {
            Arg::Integer(value) => query.bind(value),
            Arg::Real(value) => query.bind(value),
            Arg::Text(value) => query.bind(value),
            Arg::Bytes(value) => query.bind(value),
        };
    }
    query
}

/// Reads a column of either kind of row; a wrong type means a statement and its reader disagree.
macro_rules! column {
    ($record:expr, $index:expr, $type:ty) => {
        match $record {
            Record::Sqlite(row) => row.try_get::<$type, _>($index),
            Record::Postgres(row) => row.try_get::<$type, _>($index),
        }
        .map_err(|error| StoreError::corrupt("row", error))
    };
}

impl Record {
    pub(super) fn integer(&self, index: usize) -> Result<i64, StoreError> {
        column!(self, index, i64)
    }

    pub(super) fn integer_or_null(&self, index: usize) -> Result<Option<i64>, StoreError> {
        column!(self, index, Option<i64>)
    }

    /// A count or a size: an integer that is never negative.
    pub(super) fn count(&self, index: usize) -> Result<u64, StoreError> {
        u64::try_from(self.integer(index)?).map_err(|error| StoreError::corrupt("count", error))
    }

    pub(super) fn real(&self, index: usize) -> Result<f64, StoreError> {
        column!(self, index, f64)
    }

    pub(super) fn real_or_null(&self, index: usize) -> Result<Option<f64>, StoreError> {
        column!(self, index, Option<f64>)
    }

    pub(super) fn text(&self, index: usize) -> Result<String, StoreError> {
        column!(self, index, String)
    }

    pub(super) fn text_or_null(&self, index: usize) -> Result<Option<String>, StoreError> {
        column!(self, index, Option<String>)
    }

    pub(super) fn bytes(&self, index: usize) -> Result<Vec<u8>, StoreError> {
        column!(self, index, Vec<u8>)
    }

    /// Free text: text in SQLite, its bytes in PostgreSQL, which cannot hold NUL in text. Both drivers give
    /// the bytes of either.
    pub(super) fn free_text(&self, index: usize) -> Result<String, StoreError> {
        String::from_utf8(self.bytes(index)?).map_err(|error| StoreError::corrupt("text", error))
    }

    pub(super) fn free_text_or_null(&self, index: usize) -> Result<Option<String>, StoreError> {
        let bytes = column!(self, index, Option<Vec<u8>>)?;
        bytes.map(|b| String::from_utf8(b).map_err(|error| StoreError::corrupt("text", error))).transpose()
    }

    /// JSON text; `what` names what it holds.
    pub(super) fn json<T: DeserializeOwned>(
        &self,
        what: &'static str,
        index: usize,
    ) -> Result<T, StoreError> {
        serde_json::from_str(&self.text(index)?).map_err(|error| StoreError::corrupt(what, error))
    }

    pub(super) fn json_or_null<T: DeserializeOwned>(
        &self,
        what: &'static str,
        index: usize,
    ) -> Result<Option<T>, StoreError> {
        let text = self.text_or_null(index)?;
        text.map(|text| serde_json::from_str(&text).map_err(|error| StoreError::corrupt(what, error)))
            .transpose()
    }

    pub(super) fn timestamp(&self, index: usize) -> Result<Timestamp, StoreError> {
        self.integer(index).map(Timestamp)
    }

    pub(super) fn timestamp_or_null(&self, index: usize) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.integer_or_null(index)?.map(Timestamp))
    }

    /// A step, of which -1 stands for none.
    pub(super) fn step(&self, index: usize) -> Result<Option<u64>, StoreError> {
        Ok(u64::try_from(self.integer(index)?).ok())
    }
}
