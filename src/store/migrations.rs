//! The schema's migrations, embedded in the program.

use sqlx::SqlSafeStr;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

use super::error::StoreError;

/// One row for each file, its two twins side by side. (`sqlx::migrate!` would read the folders, at the price of
/// building both drivers a second time for its procedural macros; a test compares this list with the folders.)
const MIGRATIONS: &[(i64, &str, &str, &str)] = &[(
    1,
    "store",
    include_str!("../../migrations/sqlite/0001_store.sql"),
    include_str!("../../migrations/postgres/0001_store.sql"),
)];

/// Which twin.
#[derive(Clone, Copy)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

/// The migrations of one dialect.
pub(super) fn migrator(dialect: Dialect) -> Migrator {
    let migration = |&(version, name, sqlite, postgres): &(i64, &'static str, &'static str, &'static str)| {
        let sql = match dialect {
            Dialect::Sqlite => sqlite,
            Dialect::Postgres => postgres,
        };
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(MIGRATIONS.iter().map(migration).collect())
}

/// What went wrong, in the operator's words. `address` has no password in it.
pub(super) fn explain(address: String, error: MigrateError) -> StoreError {
    let known = MIGRATIONS.iter().map(|row| row.0).max().unwrap_or_default();
    match error {
        MigrateError::VersionMissing(found) if found > known => {
            StoreError::NewerSchema { address, found, known }
        }
        source => StoreError::Migration { address, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_embedded() {
        for (folder, column) in [("sqlite", 2), ("postgres", 3)] {
            let folder = std::path::Path::new("migrations").join(folder);
            let mut found: Vec<_> = std::fs::read_dir(&folder)
                .unwrap()
                .map(|entry| {
                    let entry = entry.unwrap();
                    let name = entry.file_name().into_string().unwrap();
                    (name, std::fs::read_to_string(entry.path()).unwrap())
                })
                .collect();
            found.sort();
            let embedded: Vec<_> = MIGRATIONS
                .iter()
                .map(|row| {
                    let sql = if column == 2 { row.2 } else { row.3 };
                    (format!("{:04}_{}.sql", row.0, row.1), sql.to_owned())
                })
                .collect();
            assert_eq!(found, embedded);
        }
    }
}
