//! What the store can fail at.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// What the store failed at. [`is_outage`](Self::is_outage) tells a database that is away from a request that
/// cannot be right.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address names no store.
    #[error("{address:?} is not the address of a store: {message}")]
    Address {
        /// The address, without a password.
        address: String,
        /// What would be right.
        message: String,
    },
    /// The database could not be opened.
    #[error("cannot open the store {address}: {message}")]
    Open {
        /// The address, without a password.
        address: String,
        /// What is in the way, and what to do about it.
        message: String,
        /// What the database or the operating system said.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// Another process has the SQLite file open.
    #[error("{} is in use by another gavel process; stop it, or point this one at another file", .path.display())]
    InUse {
        /// The database file.
        path: PathBuf,
    },
    /// The database was written by a newer Gavel.
    #[error(
        "the store {address} has schema version {found}, this program knows {known}; use the newer gavel that made it"
    )]
    NewerSchema {
        /// The address, without a password.
        address: String,
        /// The database's schema version.
        found: i64,
        /// The newest schema version this program knows.
        known: i64,
    },
    /// The schema could not be brought up to date. Nothing was changed by the migration that failed.
    #[error("cannot bring the schema of {address} up to date")]
    Migration {
        /// The address, without a password.
        address: String,
        /// What the database said.
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    /// What was to be stored or asked for cannot be right.
    #[error("{field}: {message}")]
    Invalid {
        /// What is wrong, such as `run` or `completions/3/advantage`.
        field: String,
        /// What would be right.
        message: String,
    },
    /// There is no such thing.
    #[error("there is no {what} {name:?}")]
    NotFound {
        /// The kind of thing, such as `run`.
        what: &'static str,
        /// Its name or id.
        name: String,
    },
    /// There is already such a thing.
    #[error("there is already such a {what}")]
    Conflict {
        /// The kind of thing, such as `API key`.
        what: &'static str,
    },
    /// The database did not do its work: it is away, full, busy for too long or broken.
    #[error("the store could not {action}")]
    Unavailable {
        /// What was to be done.
        action: &'static str,
        /// What the database said. Shared, because one failed transaction answers several appends.
        #[source]
        source: Arc<sqlx::Error>,
    },
    /// What was read is not what this program writes.
    #[error("the store holds a {what} that cannot be read: {message}")]
    Corrupt {
        /// The kind of thing, such as `task`.
        what: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// The store has been closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Whether the same request may succeed later.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Closed | Self::InUse { .. })
    }

    pub(super) fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), message: message.into() }
    }

    pub(super) fn unavailable(action: &'static str, source: sqlx::Error) -> Self {
        Self::Unavailable { action, source: Arc::new(source) }
    }

    #[allow(clippy::needless_pass_by_value, reason = "errors are passed as they come")]
    pub(super) fn corrupt(what: &'static str, message: impl fmt::Display) -> Self {
        Self::Corrupt { what, message: message.to_string() }
    }
}

/// Whether trying again at once may help: the database was busy, or a transaction of another process got in
/// the way.
pub(super) fn is_transient(error: &sqlx::Error) -> bool {
    let error = match error {
        sqlx::Error::Database(error) => error,
        // A row this transaction had just made sure of was deleted by another process.
        sqlx::Error::RowNotFound => return true,
        _ => return false,
    };
    if error.is_foreign_key_violation() {
        // Likewise: a run or a task was deleted before this transaction could refer to it.
        return true;
    }
    match error.code().as_deref() {
        // PostgreSQL: serialization failure, deadlock, lock not available.
        Some("40001" | "40P01" | "55P03") => true,
        // SQLite's extended codes carry the primary code in the low byte: 5 is busy, 6 is locked.
        Some(code) => code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6)) && code.len() < 5,
        None => false,
    }
}

/// Whether the fault may lie with one of the rows, so that the others of a batch can do without it.
pub(super) fn is_about_a_row(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    // PostgreSQL's classes 22 and 23: data exception and integrity violation; 54: a limit exceeded. SQLite's
    // primary codes 18 (too big), 19 (constraint) and 20 (mismatch).
    error.code().is_some_and(|code| match code.len() {
        5 => ["22", "23", "54"].iter().any(|class| code.starts_with(class)),
        _ => code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 18..=20)),
    })
}
