//! The store: one suite, run on SQLite and on PostgreSQL.

mod cases;
mod postgres;
mod samples;
mod sqlite;

use gavel::store::{Store, StoreError};

use self::cases::CASES;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_passes_the_suite() {
    for (name, case) in CASES {
        println!("sqlite: {name}");
        let folder = tempfile::tempdir().unwrap();
        let store =
            Store::open(&format!("sqlite:{}", folder.path().join("gavel.db").display())).await.unwrap();
        case(store.clone()).await;
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_passes_the_suite() {
    for (name, case) in CASES {
        println!("memory: {name}");
        let store = Store::open("sqlite::memory:").await.unwrap();
        case(store.clone()).await;
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_passes_the_suite() {
    let Some(cluster) = postgres::Cluster::start() else { return };
    for (number, (name, case)) in CASES.iter().enumerate() {
        println!("postgres: {name}");
        let store = Store::open(&cluster.new_database(number)).await.unwrap();
        case(store.clone()).await;
        store.close().await;
    }
    clear_words_when_postgres_cannot_be_opened(&cluster).await;
    an_outage_is_told_from_a_mistake(&cluster).await;
}

/// Ends the cluster.
async fn an_outage_is_told_from_a_mistake(cluster: &postgres::Cluster) {
    let store = Store::open(&cluster.new_database(CASES.len() + 1)).await.unwrap();
    let sent = || vec![samples::group("r", None, "q", vec![samples::unjudged("x")])];
    store.append(sent()).await.unwrap();
    cluster.stop();
    assert!(store.append(sent()).await.unwrap_err().is_outage());
    assert!(store.ping().await.unwrap_err().is_outage());
    assert!(store.run(&samples::name("r")).await.unwrap_err().is_outage());
    store.close().await;
}

async fn clear_words_when_postgres_cannot_be_opened(cluster: &postgres::Cluster) {
    let address = cluster.new_database(CASES.len());
    let error = Store::open(&address.replace("suite_", "absent_")).await.unwrap_err();
    assert!(error.to_string().contains("createdb"), "{error}");
    let error = Store::open("postgres://u:secret@h:port/d").await.unwrap_err();
    assert!(matches!(error, StoreError::Address { .. }), "{error}");
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");

    // Two servers that start on one empty database take turns at making the schema.
    let (one, other) = tokio::join!(Store::open(&address), Store::open(&address));
    one.unwrap().close().await;
    other.unwrap().close().await;
    let pool = sqlx::PgPool::connect(&address).await.unwrap();
    sqlx::query(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
         values (9999, 'future', true, '', 0)",
    )
    .execute(&pool)
    .await
    .unwrap();
    pool.close().await;
    let error = Store::open(&address).await.unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { found: 9999, .. }), "{error}");
}
