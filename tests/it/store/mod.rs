//! The store: one suite, run on SQLite and on PostgreSQL.

mod cases;
mod postgres;
mod samples;
mod sqlite;

use gavel::store::Store;

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
}
