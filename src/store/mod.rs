//! The store: runs, their scored groups, rubrics, keys. Embedded in SQLite, or shared in PostgreSQL.
//!
//! [`Store`] is a struct of domain verbs over an enum of two databases and not a trait with two
//! implementations: both databases understand the same SQL for all but the bulk insert and the opening, so every
//! other verb exists once, and one suite of tests runs it on both. A third database would be a third variant.
//!
//! Layout, in reading order: `types.rs` what is kept; `row.rs` a group made ready for the tables; `writer.rs`
//! the queue every append goes through; `sqlite.rs` and `postgres.rs` the opening and the bulk insert, with
//! `batch.rs` what they share; `database.rs` the door all other statements go through; then the verbs, a file
//! for each noun: `runs.rs`, `groups.rs`, `metrics.rs`, `rubrics.rs`, `api_keys.rs`, `export.rs`.
//! The tables are described in `migrations/`.
//!
//! An append is durable when it returns. The store never scores anything, never changes what it was given, and
//! knows neither HTTP nor the judge.

// Lengths of what is in memory fit the signed integers of a database.
#![allow(clippy::cast_possible_wrap)]

mod api_keys;
mod batch;
mod database;
mod error;
mod export;
mod groups;
mod location;
mod metrics;
mod migrations;
mod name;
mod postgres;
mod row;
mod rubrics;
mod runs;
mod sqlite;
mod types;
mod writer;

use std::sync::Arc;

pub use self::error::StoreError;
pub use self::export::{Export, ExportKind, ExportSteps, ExportStream, SftPick};
pub use self::name::Name;
pub use self::row::MAX_GROUP_COMPLETIONS;
pub use self::types::{
    ApiKey, ApiKeyId, CompletionId, DEFAULT_PAGE, GroupId, GroupQuery, GroupSummary, KeyHash, MAX_PAGE,
    MAX_STEPS, MetricsQuery, NamedRubric, Page, RubricRecord, RunId, RunSummary, ScoredCompletion,
    ScoredGroup, StepMetrics, StoredGroup, Timestamp,
};
pub use self::writer::MAX_APPEND_GROUPS;

use self::database::Database;
use self::location::Location;
use self::row::GroupRow;
use self::sqlite::SqliteDatabase;
use self::writer::Writer;

/// An open store. Clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    database: Arc<Database>,
    writer: Arc<Writer>,
}

impl Store {
    /// Opens the store at `address`: `sqlite:path` or a plain path (made if it is not there),
    /// `sqlite::memory:`, or `postgres://user@host/database`. Brings the schema up to date and goes on with
    /// deletions that were interrupted. Needs a tokio runtime, on which its writer then lives.
    ///
    /// # Errors
    /// When the address is wrong, the database cannot be opened or is in use, or its schema is newer than
    /// this program.
    pub async fn open(address: &str) -> Result<Self, StoreError> {
        let database = match Location::parse(address)? {
            Location::Memory => Database::Sqlite(SqliteDatabase::open_memory().await?),
            Location::File(path) => Database::Sqlite(SqliteDatabase::open_file(&path).await?),
            Location::Postgres(address) => Database::Postgres(postgres::open(&address).await?),
        };
        let database = Arc::new(database);
        let store = Self { writer: Arc::new(Writer::start(database.clone())), database };
        store.resume_deletions().await?;
        Ok(store)
    }

    /// Opens the store as [`open`](Self::open) does, also while a server has it open: for the few statements of
    /// a command, which SQLite lets in between the server's transactions.
    ///
    /// # Errors
    /// As [`open`](Self::open), but never [`StoreError::InUse`].
    pub async fn open_beside_a_server(address: &str) -> Result<Self, StoreError> {
        let database = match Location::parse(address)? {
            Location::File(path) => Database::Sqlite(SqliteDatabase::open_shared_file(&path).await?),
            _ => return Self::open(address).await,
        };
        let database = Arc::new(database);
        Ok(Self { writer: Arc::new(Writer::start(database.clone())), database })
    }

    /// What the store is and where, for a log: without a password.
    pub fn describe(&self) -> String {
        self.database.describe()
    }

    /// Keeps the groups, all or none; returns when they are durably stored. Makes runs that are not there.
    ///
    /// Many concurrent calls share one transaction. A full queue makes the call wait. A caller that stops
    /// waiting does not take its groups back.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when something cannot be stored, in which case nothing is;
    /// [`StoreError::Unavailable`] when the database fails (if its connection broke during the commit, the
    /// groups may be stored all the same).
    pub async fn append(&self, groups: Vec<ScoredGroup>) -> Result<Vec<GroupId>, StoreError> {
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        if groups.len() > MAX_APPEND_GROUPS {
            return Err(StoreError::invalid(
                "groups",
                format!("at most {MAX_APPEND_GROUPS} groups at once, these are {}", groups.len()),
            ));
        }
        let rows = groups.into_iter().map(GroupRow::encode).collect::<Result<_, _>>()?;
        self.writer.append(rows).await
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.database.read("answer", "select 1", &[]).await.map(drop)
    }

    /// Stores what waits, then closes the database. Verbs called later fail.
    pub async fn close(&self) {
        self.writer.close().await;
        self.database.close().await;
    }
}
