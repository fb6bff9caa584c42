//! PostgreSQL: opening a pool and the bulk insert.
//!
//! A commit is as durable as the server's `synchronous_commit` makes it, which is `on` unless someone turned it
//! off. Several Gavel servers may share one database. Keys are taken from sequences before a transaction
//! commits, so with several servers a group may appear with a smaller key than one already seen.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::str::FromStr;
use std::time::Duration;

use sqlx::Row;
use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};

use super::batch::{self, Keys, UPSERT_RUN};
use super::error::StoreError;
use super::location::redacted;
use super::migrations::{self, Dialect};
use super::row::{CompletionRow, ComponentRow, GroupRow};
use super::types::{GroupId, Timestamp};

/// Connections of one server: one writes, the others read.
const MAX_CONNECTIONS: u32 = 8;
/// How long a statement waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// The most rows of one insert, and the most text in it: the server takes a message of at most 1 GiB.
const MAX_ROWS: usize = 8192;
/// See [`MAX_ROWS`].
const MAX_INSERT_BYTES: usize = 32 << 20;

/// Connects and brings the schema up to date. Servers that start together take turns at that.
pub(super) async fn open(address: &str) -> Result<PgPool, StoreError> {
    let shown = redacted(address);
    let options = PgConnectOptions::from_str(address).map_err(|_| StoreError::Address {
        // Not the parser's own words: they may quote the password.
        address: shown.clone(),
        message: "expected postgres://user:password@host:5432/database?sslmode=verify-full".to_owned(),
    })?;
    let pool = PgPoolOptions::new()
        .max_connections(MAX_CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options.application_name("gavel"))
        .await
        .map_err(|error| cannot_open(shown.clone(), error))?;
    migrations::migrator(Dialect::Postgres)
        .run(&pool)
        .await
        .map_err(|error| migrations::explain(shown, error))?;
    Ok(pool)
}

const NOT_TRUSTED: &str = "the server's certificate was not accepted; see sslmode and sslrootcert";

fn cannot_open(address: String, error: sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(DatabaseError::code);
    let message = match (code.as_deref(), &error) {
        (Some("3D000"), _) => "there is no such database; make it with createdb",
        (Some("28P01" | "28000"), _) => "the server refused the user or the password",
        (_, sqlx::Error::Tls(_)) => NOT_TRUSTED,
        // How rustls reports a certificate it does not accept.
        (_, sqlx::Error::Io(error)) if error.kind() == ErrorKind::InvalidData => NOT_TRUSTED,
        (_, sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut) => "the server cannot be reached",
        _ => "the server did not let us in",
    };
    StoreError::Open { address, message: message.to_owned(), source: Some(error.into()) }
}

/// Inserts the groups in one transaction, which is durable when this returns.
pub(super) async fn append(pool: &PgPool, groups: &[&GroupRow]) -> Result<Vec<GroupId>, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let connection = &mut *transaction;
    let now = Timestamp::now().0;
    let keys = keys(connection, groups, now).await?;
    let group_ids = take_ids(
        connection,
        "select nextval(pg_get_serial_sequence('\"group\"', 'group_id')) from generate_series(1, $1)",
        groups.len(),
    )
    .await?;
    insert_groups(connection, groups, &keys, &group_ids, now).await?;
    let completions: Vec<(i64, i64, &CompletionRow)> = group_ids
        .iter()
        .zip(groups)
        .flat_map(|(group, row)| {
            (0..).zip(&row.completions).map(move |(position, row)| (*group, position, row))
        })
        .collect();
    let completion_ids = take_ids(
        connection,
        "select nextval(pg_get_serial_sequence('completion', 'completion_id')) from generate_series(1, $1)",
        completions.len(),
    )
    .await?;
    insert_completions(connection, &completions, &completion_ids).await?;
    insert_components(connection, &completions, &completion_ids).await?;
    transaction.commit().await?;
    Ok(group_ids.into_iter().map(GroupId).collect())
}

/// Finds or makes what the rows refer to.
async fn keys<'a>(
    connection: &mut PgConnection,
    groups: &[&'a GroupRow],
    now: i64,
) -> Result<Keys<'a>, sqlx::Error> {
    let mut keys = Keys::default();

    let tasks = batch::tasks(groups);
    let hashes: Vec<&[u8]> = tasks.keys().map(|hash| hash.as_slice()).collect();
    let bodies: Vec<&str> = tasks.values().copied().collect();
    sqlx::query(
        "insert into task (hash, body) select * from unnest($1::bytea[], $2::text[]) on conflict (hash) do nothing",
    )
    .bind(&hashes)
    .bind(&bodies)
    .execute(&mut *connection)
    .await?;
    let rows = sqlx::query("select hash, task_id from task where hash = any($1)")
        .bind(&hashes)
        .fetch_all(&mut *connection)
        .await?;
    let mut known = HashMap::with_capacity(rows.len());
    for row in &rows {
        known.insert(row.try_get::<&[u8], _>(0)?, row.try_get::<i64, _>(1)?);
    }
    for hash in tasks.into_keys() {
        keys.tasks.insert(hash, *known.get(hash.as_slice()).ok_or(sqlx::Error::RowNotFound)?);
    }

    for (hash, group) in batch::rubrics(groups) {
        sqlx::query(
            "insert into rubric (hash, name, body, created_at) values ($1, $2, $3, $4) on conflict (hash) do nothing",
        )
        .bind(hash)
        .bind(group.rubric.name.as_deref())
        .bind(group.rubric.body.to_string())
        .bind(now)
        .execute(&mut *connection)
        .await?;
        let row = sqlx::query("select rubric_id from rubric where hash = $1")
            .bind(hash)
            .fetch_one(&mut *connection)
            .await?;
        keys.rubrics.insert(hash, row.try_get(0)?);
    }

    // Last, because this locks the runs' rows until the commit.
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
    Ok(keys)
}

async fn take_ids(
    connection: &mut PgConnection,
    sql: &'static str,
    n: usize,
) -> Result<Vec<i64>, sqlx::Error> {
    let mut ids: Vec<i64> = sqlx::query_scalar(sql).bind(n as i64).fetch_all(connection).await?;
    // The sequence only promises distinct numbers; within one append they rise.
    ids.sort_unstable();
    Ok(ids)
}

async fn insert_groups(
    connection: &mut PgConnection,
    groups: &[&GroupRow],
    keys: &Keys<'_>,
    ids: &[i64],
    now: i64,
) -> Result<(), sqlx::Error> {
    for (id, group) in ids.iter().zip(groups) {
        let (run, task, rubric) = keys.of(group)?;
        let stats = &group.stats;
        sqlx::query(
            "insert into \"group\" (group_id, run_id, step, task_id, rubric_id, created_at, n_completions, \
             n_rewarded, reward_mean, reward_m2, reward_min, reward_max, n_right_counted, right_tokens, \
             n_wrong_counted, wrong_tokens, reference_hash, grader_versions, caller_id) values \
             ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
        )
        .bind(id)
        .bind(run)
        .bind(group.step)
        .bind(task)
        .bind(rubric)
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
        .bind(group.caller_id.as_deref().map(str::as_bytes))
        .execute(&mut *connection)
        .await?;
    }
    let rows: Vec<_> = ids
        .iter()
        .zip(groups)
        .flat_map(|(id, group)| {
            (0_i64..).zip(&group.components).map(move |(position, row)| (*id, position, row))
        })
        .collect();
    for rows in rows.chunks(MAX_ROWS) {
        sqlx::query(
            "insert into group_component (group_id, position, name, n_scored, score_sum) \
             select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::double precision[])",
        )
        .bind(column(rows, |row| row.0))
        .bind(column(rows, |row| row.1))
        .bind(column(rows, |row| &*row.2.name))
        .bind(column(rows, |row| row.2.n_scored))
        .bind(column(rows, |row| row.2.score_sum))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

async fn insert_completions(
    connection: &mut PgConnection,
    completions: &[(i64, i64, &CompletionRow)],
    ids: &[i64],
) -> Result<(), sqlx::Error> {
    let rows: Vec<_> =
        ids.iter().zip(completions).map(|(id, (group, at, row))| (*id, *group, *at, *row)).collect();
    for rows in chunks(&rows, |row| row.3.text.len()) {
        sqlx::query(
            "insert into completion (completion_id, group_id, position, n_bytes, n_tokens, reward, advantage, \
             error, finish_reason, caller_id, text) select * from unnest($1::bigint[], $2::bigint[], \
             $3::bigint[], $4::bigint[], $5::bigint[], $6::double precision[], $7::double precision[], \
             $8::text[], $9::bytea[], $10::bytea[], $11::bytea[])",
        )
        .bind(column(rows, |row| row.0))
        .bind(column(rows, |row| row.1))
        .bind(column(rows, |row| row.2))
        .bind(column(rows, |row| row.3.text.len() as i64))
        .bind(column(rows, |row| row.3.n_tokens.map(i64::from)))
        .bind(column(rows, |row| row.3.reward))
        .bind(column(rows, |row| row.3.advantage))
        .bind(column(rows, |row| row.3.error.as_deref()))
        .bind(column(rows, |row| row.3.finish_reason.as_deref().map(str::as_bytes)))
        .bind(column(rows, |row| row.3.caller_id.as_deref().map(str::as_bytes)))
        .bind(column(rows, |row| row.3.text.as_bytes()))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

async fn insert_components(
    connection: &mut PgConnection,
    completions: &[(i64, i64, &CompletionRow)],
    ids: &[i64],
) -> Result<(), sqlx::Error> {
    let rows: Vec<(i64, i64, &ComponentRow)> = ids
        .iter()
        .zip(completions)
        .flat_map(|(id, (_, _, completion))| {
            (0..).zip(&completion.components).map(move |(position, row)| (*id, position, row))
        })
        .collect();
    for rows in chunks(&rows, |row| row.2.detail.as_ref().map_or(0, String::len)) {
        sqlx::query(
            "insert into component (completion_id, position, name, weight, score, reason, error, detail) \
             select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::double precision[], \
             $5::double precision[], $6::text[], $7::text[], $8::text[])",
        )
        .bind(column(rows, |row| row.0))
        .bind(column(rows, |row| row.1))
        .bind(column(rows, |row| &*row.2.name))
        .bind(column(rows, |row| row.2.weight))
        .bind(column(rows, |row| row.2.score))
        .bind(column(rows, |row| row.2.reason))
        .bind(column(rows, |row| row.2.error.as_deref()))
        .bind(column(rows, |row| row.2.detail.as_deref()))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// One column of the rows: PostgreSQL takes a bulk insert as an array for each column.
fn column<'a, R, T>(rows: &'a [R], value: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

/// Cuts `rows` into pieces of at most [`MAX_ROWS`] rows and about [`MAX_INSERT_BYTES`].
fn chunks<R>(rows: &[R], n_bytes: impl Fn(&R) -> usize) -> Vec<&[R]> {
    let mut chunks = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (index, row) in rows.iter().enumerate() {
        if index > start && (index - start == MAX_ROWS || bytes + n_bytes(row) > MAX_INSERT_BYTES) {
            chunks.extend(rows.get(start..index));
            (start, bytes) = (index, 0);
        }
        bytes += n_bytes(row);
    }
    chunks.extend(rows.get(start..).filter(|rest| !rest.is_empty()));
    chunks
}
