//! What only a file can do: be locked, be damaged, be left by a killed process.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use gavel::store::{GroupId, Store, StoreError};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

use super::samples::{completion, group, name};

/// Tells the child process of [`killed_process_loses_nothing_it_acknowledged`] which file to write.
const FILE_VARIABLE: &str = "GAVEL_TEST_KILLED_STORE";

async fn open(path: &Path) -> Result<Store, StoreError> {
    Store::open(path.to_str().unwrap()).await
}

#[tokio::test]
async fn file_belongs_to_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gavel.db");
    let first = open(&path).await.unwrap();
    // By another name of the same file, too.
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    for path in [&path, &link, &folder.path().join("./../").join(folder.path()).join("gavel.db")] {
        let error = open(path).await.unwrap_err();
        assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    }
    first.close().await;
    let again = open(&link).await.unwrap();
    again.ping().await.unwrap();
    again.close().await;
}

#[tokio::test]
async fn clear_words_when_a_file_cannot_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    let garbage = folder.path().join("garbage.db");
    std::fs::write(&garbage, vec![b'x'; 10_000]).unwrap();
    for (path, words) in [
        (folder.path().join("absent/gavel.db"), "cannot be entered"),
        (garbage, "not an SQLite database"),
        (folder.path().to_owned(), "cannot be opened"),
    ] {
        let error = open(&path).await.unwrap_err();
        assert!(matches!(error, StoreError::Open { .. }), "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn newer_schema_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gavel.db");
    open(&path).await.unwrap().close().await;
    let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(&path)).await.unwrap();
    sqlx::query(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
         values (9999, 'future', true, x'00', 0)",
    )
    .execute(&pool)
    .await
    .unwrap();
    pool.close().await;
    let error = open(&path).await.unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { found: 9999, .. }), "{error}");
    // The failed opening holds no lock.
    assert!(matches!(open(&path).await.unwrap_err(), StoreError::NewerSchema { .. }));
}

#[tokio::test]
async fn interrupted_deletion_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gavel.db");
    let store = open(&path).await.unwrap();
    let ids = store.append(vec![group("r", None, "q", vec![completion("x", 1.0, 1.0)])]).await.unwrap();
    store.close().await;
    // What a process killed after the first step of a deletion leaves.
    let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(&path)).await.unwrap();
    sqlx::query("update run set deleted_at = 1").execute(&pool).await.unwrap();
    pool.close().await;
    let store = open(&path).await.unwrap();
    assert!(matches!(store.group(ids[0]).await, Err(StoreError::NotFound { .. })));
    store.close().await;
    let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(&path)).await.unwrap();
    for table in ["run", "\"group\"", "completion", "component", "group_component", "task"] {
        let sql = sqlx::AssertSqlSafe(format!("select count(*) from {table}"));
        let n: i64 = sqlx::query_scalar(sql).fetch_one(&pool).await.unwrap();
        assert_eq!(n, 0, "{table}");
    }
}

#[tokio::test]
async fn busy_file_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gavel.db");
    let store = open(&path).await.unwrap();
    // A foreign process that holds the write lock for longer than nothing and shorter than forever.
    let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(&path)).await.unwrap();
    let held = pool.begin_with("begin immediate").await.unwrap();
    let append = tokio::spawn({
        let store = store.clone();
        async move { store.append(vec![group("r", None, "q", vec![completion("x", 1.0, 1.0)])]).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!append.is_finished());
    held.rollback().await.unwrap();
    assert_eq!(append.await.unwrap().unwrap().len(), 1);
    store.close().await;
}

#[tokio::test]
async fn one_append_does_not_fail_for_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gavel.db");
    let store = open(&path).await.unwrap();
    let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(&path)).await.unwrap();
    // A database that refuses one group, for a reason the store could not know.
    let trigger = "create trigger refuse before insert on \"group\" when new.caller_id = 'bad#' \
                   begin select raise(abort, 'refused'); end";
    sqlx::query(trigger).execute(&pool).await.unwrap();
    // While the lock is held, the appends gather into one transaction.
    let held = pool.begin_with("begin immediate").await.unwrap();
    let appends: Vec<_> = ["good 1", "good 2", "bad", "good 3"]
        .map(|prompt| {
            let (store, sent) = (store.clone(), group("r", None, prompt, vec![completion("x", 1.0, 1.0)]));
            tokio::spawn(async move { store.append(vec![sent]).await })
        })
        .into_iter()
        .collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    held.rollback().await.unwrap();
    let mut answers = Vec::new();
    for append in appends {
        answers.push(append.await.unwrap().is_ok());
    }
    assert_eq!(answers, [true, true, false, true]);
    assert_eq!(store.run(&name("r")).await.unwrap().n_groups, 3);
    store.close().await;
}

#[tokio::test]
async fn killed_process_loses_nothing_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gavel.db");
    let mut acknowledged: Vec<GroupId> = Vec::new();
    for round in 1..=3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["store::sqlite::child_appends_until_killed", "--exact", "--ignored", "--nocapture"])
            .env(FILE_VARIABLE, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ids = lines
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("stored ")?.parse::<GroupId>().ok());
        acknowledged.extend(ids.take(100));
        // SIGKILL, in the midst of the next appends.
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(acknowledged.len(), round * 100);
    }
    let store = open(&path).await.unwrap();
    for id in &acknowledged {
        let stored = store.group(*id).await.unwrap();
        assert_eq!(stored.group.completions.len(), 3);
    }
    // Nothing is there by halves.
    let run = store.run(&name("killed")).await.unwrap();
    assert_eq!(run.n_completions, run.n_groups * 3);
    assert!(run.n_groups >= 300);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child of another test, which kills it"]
async fn child_appends_until_killed() {
    let Ok(path) = std::env::var(FILE_VARIABLE) else { return };
    let store = Store::open(&path).await.unwrap();
    let mut writers = Vec::new();
    for writer in 0..4 {
        let store = store.clone();
        writers.push(tokio::spawn(async move {
            for number in 0_u64.. {
                let completions =
                    (0..3).map(|i| completion(&format!("{i}").repeat(2000), 1.0, 1.0)).collect();
                let sent = group("killed", Some(number), &format!("{writer}/{number}"), completions);
                let ids = store.append(vec![sent]).await.unwrap();
                println!("stored {}", ids[0]);
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
}
