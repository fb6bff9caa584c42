//! SQLite: opening a file that one process owns, and the bulk insert.
//!
//! The file is in WAL mode with `synchronous = full`: a commit is on disk when it returns, and a process killed
//! at any moment leaves a file that opens as of the last commit. All writes go through one connection, reads
//! through a few others that never wait for it.
//!
//! A lock on `<file>.lock` keeps a second Gavel from the same file; the operating system drops it with the
//! process, however that ends. (SQLite itself would let two servers in, each of which would find the other's
//! transactions in its way.) Tools that only read, such as `sqlite3`, are free to look.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::query::Query;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool,
    SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, Row, Sqlite};

use super::batch::{self, Keys, UPSERT_RUN};
use super::error::StoreError;
use super::migrations::{self, Dialect};
use super::row::{CompletionRow, ComponentRow, GroupRow};
use super::types::{GroupId, Timestamp};

/// Connections that read. Readers do not block one another; more than the cores of a small server is waste.
const MAX_READERS: u32 = 4;
/// How long SQLite itself waits for a lock, which only a foreign process can hold.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a statement waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);
/// Pages of 8 KiB hold most completions without overflow pages.
const PAGE_BYTES: u32 = 8 << 10;
/// The log is folded into the file when it has this many pages (32 MiB): seldom enough to cost little, often
/// enough for a restart to be quick.
const CHECKPOINT_PAGES: &str = "4096";
/// Each connection keeps up to this much of the file in memory, in KiB (negative is SQLite's sign for KiB).
const CACHE_KIB: &str = "-16384";
/// The most rows of one insert; a remainder goes in powers of two, so that few statements are ever prepared.
const MAX_ROWS: usize = 64;

/// An open SQLite database.
#[derive(Debug)]
pub(super) struct SqliteDatabase {
    /// Connections for reading; in memory, the only one there is.
    pub(super) read: SqlitePool,
    /// The one connection that writes.
    pub(super) write: SqlitePool,
    /// The file; none in memory.
    pub(super) path: Option<PathBuf>,
    /// Held as long as the database is open.
    lock: std::sync::Mutex<Option<File>>,
}

impl SqliteDatabase {
    /// Opens or makes the file as its only owner and brings its schema up to date.
    pub(super) async fn open_file(path: &Path) -> Result<Self, StoreError> {
        let path = resolve(path)?;
        let lock = lock(&path)?;
        Self::open_resolved(path, Some(lock)).await
    }

    /// Opens the file beside its owner, if it has one.
    pub(super) async fn open_shared_file(path: &Path) -> Result<Self, StoreError> {
        let path = resolve(path)?;
        let lock = match lock(&path) {
            Ok(lock) => Some(lock),
            Err(StoreError::InUse { .. }) => None,
            Err(error) => return Err(error),
        };
        Self::open_resolved(path, lock).await
    }

    async fn open_resolved(path: PathBuf, lock: Option<File>) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .page_size(PAGE_BYTES)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
            .pragma("cache_size", CACHE_KIB)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let address = path.display().to_string();
        let write = pool(1).connect_with(options.clone()).await.map_err(|error| cannot_open(&path, error))?;
        migrations::migrator(Dialect::Sqlite)
            .run(&write)
            .await
            .map_err(|error| migrations::explain(address, error))?;
        let read = pool(MAX_READERS)
            .connect_with(options.pragma("query_only", "on"))
            .await
            .map_err(|error| cannot_open(&path, error))?;
        Ok(Self { read, write, path: Some(path), lock: std::sync::Mutex::new(lock) })
    }

    /// Makes a database in memory. It has one connection for everything, with which it ends.
    pub(super) async fn open_memory() -> Result<Self, StoreError> {
        let address = "sqlite::memory:".to_owned();
        let options = SqliteConnectOptions::new().in_memory(true).foreign_keys(true);
        let only =
            pool(1).min_connections(1).connect_with(options).await.map_err(|source| StoreError::Open {
                address: address.clone(),
                message: "SQLite did not make a database in memory".to_owned(),
                source: Some(source.into()),
            })?;
        migrations::migrator(Dialect::Sqlite)
            .run(&only)
            .await
            .map_err(|error| migrations::explain(address, error))?;
        Ok(Self { read: only.clone(), write: only, path: None, lock: std::sync::Mutex::new(None) })
    }

    /// Closes all connections, the last of which folds the log into the file, and lets go of the lock.
    pub(super) async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
        drop(self.lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take());
    }
}

fn pool(max_connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

/// The file's real path, so that two names of one file meet at one lock.
fn resolve(path: &Path) -> Result<PathBuf, StoreError> {
    if let Ok(path) = path.canonicalize() {
        return Ok(path);
    }
    let open_error = |message: String, source: std::io::Error| StoreError::Open {
        address: path.display().to_string(),
        message,
        source: Some(source.into()),
    };
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let real = folder
        .canonicalize()
        .map_err(|source| open_error(format!("the folder {} cannot be entered", folder.display()), source))?;
    match path.file_name() {
        Some(name) => Ok(real.join(name)),
        None => Err(StoreError::Address {
            address: path.display().to_string(),
            message: "the path names no file".to_owned(),
        }),
    }
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let mut lock_path = path.as_os_str().to_owned();
    lock_path.push(".lock");
    let open_error = |message: &str, source: std::io::Error| StoreError::Open {
        address: path.display().to_string(),
        message: message.to_owned(),
        source: Some(source.into()),
    };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock_path)
        .map_err(|error| open_error("its folder is not writable", error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => {
            Err(open_error("its file system has no file locks; SQLite needs one that has", error))
        }
    }
}

fn cannot_open(path: &Path, error: sqlx::Error) -> StoreError {
    let code =
        error.as_database_error().and_then(DatabaseError::code).and_then(|code| code.parse::<u32>().ok());
    let message = match code.map(|code| code & 0xff) {
        Some(8) => "the file is not writable",
        Some(14) => "the file cannot be opened or made; check that it and its folder are writable",
        Some(26) => "the file is not an SQLite database",
        Some(11) => "the file is damaged; restore it from a copy",
        _ => "SQLite did not open it",
    };
    StoreError::Open {
        address: path.display().to_string(),
        message: message.to_owned(),
        source: Some(error.into()),
    }
}

/// Inserts the groups in one transaction, which is durable when this returns.
pub(super) async fn append(
    database: &SqliteDatabase,
    groups: &[&GroupRow],
) -> Result<Vec<GroupId>, sqlx::Error> {
    // Immediate: the write lock is taken at once, so that what is read here stays true until the commit.
    let mut transaction = database.write.begin_with("begin immediate").await?;
    let connection = &mut *transaction;
    let now = Timestamp::now().0;
    let keys = keys(connection, groups, now).await?;
    let first_group = next_id(connection, "group").await?;
    let first_completion = next_id(connection, "completion").await?;

    insert_groups(connection, groups, &keys, first_group, now).await?;
    let completions: Vec<(i64, i64, &CompletionRow)> = (first_group..)
        .zip(groups)
        .flat_map(|(group, row)| {
            (0..).zip(&row.completions).map(move |(position, row)| (group, position, row))
        })
        .collect();
    insert_completions(connection, &completions, first_completion).await?;
    insert_components(connection, &completions, first_completion).await?;
    transaction.commit().await?;
    Ok((first_group..).take(groups.len()).map(GroupId).collect())
}

/// Finds or makes what the rows refer to.
async fn keys<'a>(
    connection: &mut SqliteConnection,
    groups: &[&'a GroupRow],
    now: i64,
) -> Result<Keys<'a>, sqlx::Error> {
    let mut keys = Keys::default();
    for (name, delta) in batch::run_deltas(groups) {
        let row = sqlx::query(UPSERT_RUN)
            .bind(name)
            .bind(now)
            .bind(delta.n_groups)
            .bind(delta.n_completions)
            .bind(delta.n_rewarded)
            .bind(delta.reward_sum)
            .bind(delta.last_step)
            .fetch_one(&mut *connection)
            .await?;
        keys.runs.insert(name, row.try_get(0)?);
    }
    for (hash, body) in batch::tasks(groups) {
        let known = sqlx::query("select task_id from task where hash = $1")
            .bind(hash.as_slice())
            .fetch_optional(&mut *connection)
            .await?;
        let row = match known {
            Some(row) => row,
            None => {
                sqlx::query("insert into task (hash, body) values ($1, $2) returning task_id")
                    .bind(hash.as_slice())
                    .bind(body)
                    .fetch_one(&mut *connection)
                    .await?
            }
        };
        keys.tasks.insert(hash, row.try_get(0)?);
    }
    for (hash, group) in batch::rubrics(groups) {
        let known = sqlx::query("select rubric_id from rubric where hash = $1")
            .bind(hash)
            .fetch_optional(&mut *connection)
            .await?;
        let row = match known {
            Some(row) => row,
            None => {
                sqlx::query(
                    "insert into rubric (hash, name, body, created_at) values ($1, $2, $3, $4) returning rubric_id",
                )
                .bind(hash)
                .bind(group.rubric.name.as_deref())
                .bind(group.rubric.body.to_string())
                .bind(now)
                .fetch_one(&mut *connection)
                .await?
            }
        };
        keys.rubrics.insert(hash, row.try_get(0)?);
    }
    Ok(keys)
}

/// The next key of a table; no other connection can take it before this transaction ends.
async fn next_id(connection: &mut SqliteConnection, table: &str) -> Result<i64, sqlx::Error> {
    let row = sqlx::query("select seq from sqlite_sequence where name = $1")
        .bind(table)
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|row| row.try_get::<i64, _>(0)).transpose()?.unwrap_or(0) + 1)
}

async fn insert_groups(
    connection: &mut SqliteConnection,
    groups: &[&GroupRow],
    keys: &Keys<'_>,
    first_id: i64,
    now: i64,
) -> Result<(), sqlx::Error> {
    let mut rows = Vec::with_capacity(groups.len());
    for (id, group) in (first_id..).zip(groups) {
        rows.push((id, *group, keys.of(group)?));
    }
    let into = "insert into \"group\" (group_id, run_id, step, task_id, rubric_id, created_at, n_completions, \
                n_rewarded, reward_mean, reward_m2, reward_min, reward_max, n_right_counted, right_tokens, \
                n_wrong_counted, wrong_tokens, reference_hash, grader_versions, caller_id)";
    insert(connection, into, 19, &rows, |query, (id, group, (run, task, rubric))| {
        let stats = &group.stats;
        query
            .bind(*id)
            .bind(*run)
            .bind(group.step)
            .bind(*task)
            .bind(*rubric)
            .bind(now)
            .bind(group.completions.len() as i64)
            .bind(stats.n_rewarded)
            .bind(stats.reward_mean)
            .bind(stats.reward_m2)
            .bind(stats.reward_min)
            .bind(stats.reward_max)
            .bind(stats.n_right_counted)
            .bind(stats.right_tokens)
            .bind(stats.n_wrong_counted)
            .bind(stats.wrong_tokens)
            .bind(group.reference_hash.as_str())
            .bind(group.grader_versions.as_str())
            .bind(group.caller_id.as_deref())
    })
    .await?;

    let components: Vec<_> = (first_id..)
        .zip(groups)
        .flat_map(|(id, group)| {
            (0_i64..).zip(&group.components).map(move |(position, row)| (id, position, row))
        })
        .collect();
    let into = "insert into group_component (group_id, position, name, n_scored, score_sum)";
    insert(connection, into, 5, &components, |query, (id, position, row)| {
        query.bind(*id).bind(*position).bind(&*row.name).bind(row.n_scored).bind(row.score_sum)
    })
    .await
}

async fn insert_completions(
    connection: &mut SqliteConnection,
    completions: &[(i64, i64, &CompletionRow)],
    first_id: i64,
) -> Result<(), sqlx::Error> {
    let rows: Vec<_> = (first_id..).zip(completions).collect();
    let into = "insert into completion (completion_id, group_id, position, n_bytes, n_tokens, reward, advantage, \
                error, finish_reason, caller_id, text)";
    insert(connection, into, 11, &rows, |query, (id, (group, position, row))| {
        query
            .bind(*id)
            .bind(*group)
            .bind(*position)
            .bind(row.text.len() as i64)
            .bind(row.n_tokens.map(i64::from))
            .bind(row.reward)
            .bind(row.advantage)
            .bind(row.error.as_deref())
            .bind(row.finish_reason.as_deref())
            .bind(row.caller_id.as_deref())
            .bind(row.text.as_str())
    })
    .await
}

async fn insert_components(
    connection: &mut SqliteConnection,
    completions: &[(i64, i64, &CompletionRow)],
    first_id: i64,
) -> Result<(), sqlx::Error> {
    let rows: Vec<(i64, i64, &ComponentRow)> = (first_id..)
        .zip(completions)
        .flat_map(|(id, (_, _, completion))| {
            (0..).zip(&completion.components).map(move |(position, row)| (id, position, row))
        })
        .collect();
    let into = "insert into component (completion_id, position, name, weight, score, reason, error, detail)";
    insert(connection, into, 8, &rows, |query, (id, position, row)| {
        query
            .bind(*id)
            .bind(*position)
            .bind(row.name.clone())
            .bind(row.weight)
            .bind(row.score)
            .bind(row.reason)
            .bind(row.error.as_deref())
            .bind(row.detail.as_deref())
    })
    .await
}

type Insert<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Inserts `rows` of `n_columns` each, many to a statement: one by one, the way to the connection's thread and
/// back would cost more than the insert.
async fn insert<T>(
    connection: &mut SqliteConnection,
    into: &str,
    n_columns: usize,
    rows: &[T],
    bind: impl Fn(Insert<'static>, &T) -> Insert<'static>,
) -> Result<(), sqlx::Error> {
    let mut rest = rows;
    let mut n_rows = MAX_ROWS;
    while !rest.is_empty() {
        while n_rows > rest.len() {
            n_rows /= 2;
        }
        let (now, later) = rest.split_at(n_rows);
        let row = format!("({})", vec!["?"; n_columns].join(","));
        let sql: Arc<str> = format!("{into} values {}", vec![row; n_rows].join(",")).into();
        // Safe: column names and question marks, nothing that came from outside.
        let query = now.iter().fold(sqlx::query(AssertSqlSafe(sql)), &bind);
        query.execute(&mut *connection).await?;
        rest = later;
    }
    Ok(())
}
