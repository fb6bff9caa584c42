//! How fast completions become durable in SQLite, as a ratio against the naive way: a loop with one transaction
//! for each completion, on the same disk with the same settings.
//!
//! `cargo bench --bench store`, with `-- --test` for a run too short to measure anything.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gavel::store::{Name, RubricRecord, ScoredCompletion, ScoredGroup, Store};
use graders::{Completion, ComponentReward, Prompt, Reason, Reward, Task, Verdict};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

const CONCURRENCY: usize = 16;
const GROUP_COMPLETIONS: usize = 64;
const TEXT_BYTES: usize = 1024;

fn main() {
    let test = std::env::args().any(|arg| arg == "--test");
    let (groups_each, naive) = if test { (1, 10) } else { (128, 1000) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let ours = batched(groups_each).await;
        let naive = one_by_one(naive).await;
        println!("appended by the store  {ours:>9.0} completions/s");
        println!("one transaction each   {naive:>9.0} completions/s");
        println!("ratio                  {:>9.0}", ours / naive);
    });
}

fn text(seed: usize) -> String {
    let words = ["so", "the", "sum", "is", "then", "twice", "half", "x", "y", "="];
    let mut text = String::with_capacity(TEXT_BYTES);
    let mut state = seed;
    while text.len() < TEXT_BYTES {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(words[(state >> 33) % words.len()]);
        text.push(' ');
    }
    text
}

fn group(rubric: &Arc<RubricRecord>, number: usize) -> ScoredGroup {
    let verdict = Verdict::new(1.0, Reason::Equivalent).with("extracted", "42").with("method", "exact");
    let (accuracy, format): (Arc<str>, Arc<str>) = ("accuracy".into(), "format".into());
    let completions = (0..GROUP_COMPLETIONS).map(|position| ScoredCompletion {
        completion: Completion {
            n_tokens: Some(200),
            finish_reason: Some("stop".to_owned()),
            ..Completion::new(text(number * GROUP_COMPLETIONS + position))
        },
        reward: Reward {
            total: Ok(1.1),
            components: vec![
                ComponentReward { name: accuracy.clone(), weight: 1.0, outcome: Ok(verdict.clone()) },
                ComponentReward {
                    name: format.clone(),
                    weight: 0.1,
                    outcome: Ok(Verdict::new(1.0, Reason::WellFormed)),
                },
            ],
        },
        advantage: Some(0.5),
    });
    ScoredGroup {
        run: Name::parse("run", "bench").unwrap(),
        step: Some(number as u64 / 32),
        id: Some(number.to_string()),
        task: Task { prompt: Some(Prompt::Text(format!("question {number}"))), ..Task::with_reference("42") },
        rubric: rubric.clone(),
        reference_hash: "sha256:42".to_owned(),
        grader_versions: BTreeMap::from([("math".to_owned(), 1), ("format".to_owned(), 1)]),
        completions: completions.collect(),
    }
}

/// Completions per second of [`CONCURRENCY`] callers that append a group each, again and again.
async fn batched(groups_each: usize) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("bench.db").to_str().unwrap()).await.unwrap();
    let rubric = Arc::new(RubricRecord {
        hash: "sha256:1".to_owned(),
        name: Some("math".to_owned()),
        body: serde_json::json!({"components": []}),
    });
    let callers: Vec<Vec<ScoredGroup>> = (0..CONCURRENCY)
        .map(|caller| (0..groups_each).map(|number| group(&rubric, caller * groups_each + number)).collect())
        .collect();
    let n_completions = CONCURRENCY * groups_each * GROUP_COMPLETIONS;
    let start = Instant::now();
    let tasks: Vec<_> = callers
        .into_iter()
        .map(|groups| {
            let store = store.clone();
            tokio::spawn(async move {
                for group in groups {
                    store.append(vec![group]).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let rate = rate(n_completions, start.elapsed());
    store.close().await;
    rate
}

/// Completions per second of a loop that gives each its own transaction of three single-row inserts.
async fn one_by_one(n_completions: usize) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("naive.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    for sql in [
        "create table completion (completion_id integer primary key, reward real, n_tokens integer, text text)",
        "create table component (completion_id integer, name text, score real, weight real, reason text, detail text)",
    ] {
        sqlx::query(sql).execute(&pool).await.unwrap();
    }
    let texts: Vec<String> = (0..n_completions).map(text).collect();
    let start = Instant::now();
    for text in texts {
        let mut transaction = pool.begin().await.unwrap();
        let id = sqlx::query("insert into completion (reward, n_tokens, text) values ($1, $2, $3)")
            .bind(1.1)
            .bind(200)
            .bind(text)
            .execute(&mut *transaction)
            .await
            .unwrap()
            .last_insert_rowid();
        for (name, weight, reason, detail) in [
            ("accuracy", 1.0, "equivalent", Some(r#"{"extracted":"42","method":"exact"}"#)),
            ("format", 0.1, "well_formed", None),
        ] {
            sqlx::query(
                "insert into component (completion_id, name, score, weight, reason, detail) values ($1, $2, $3, $4, $5, $6)",
            )
            .bind(id)
            .bind(name)
            .bind(1.0)
            .bind(weight)
            .bind(reason)
            .bind(detail)
            .execute(&mut *transaction)
            .await
            .unwrap();
        }
        transaction.commit().await.unwrap();
    }
    rate(n_completions, start.elapsed())
}

fn rate(n: usize, elapsed: Duration) -> f64 {
    n as f64 / elapsed.as_secs_f64()
}
