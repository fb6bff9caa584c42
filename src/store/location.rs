//! Where a store is: parsing its address.

use std::path::PathBuf;

use super::error::StoreError;

/// Where a store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Location {
    /// An SQLite database in memory, gone when the store is closed.
    Memory,
    /// An SQLite file.
    File(PathBuf),
    /// A PostgreSQL database.
    Postgres(String),
}

impl Location {
    /// Reads `sqlite:path`, `sqlite::memory:`, `postgres://…` or a plain path.
    pub(super) fn parse(address: &str) -> Result<Self, StoreError> {
        let wrong = |message: &str| {
            Err(StoreError::Address { address: redacted(address), message: message.to_owned() })
        };
        if address.starts_with("postgres://") || address.starts_with("postgresql://") {
            return Ok(Self::Postgres(address.to_owned()));
        }
        let path = match address.strip_prefix("sqlite:") {
            Some(":memory:") => return Ok(Self::Memory),
            Some(path) if path.contains('?') => return wrong("an SQLite address takes no options after `?`"),
            Some(path) => path.strip_prefix("//").unwrap_or(path),
            None if address.contains("://") => {
                return wrong("expected sqlite:path, a path, or postgres://user@host/database");
            }
            None => address,
        };
        match path {
            "" => wrong("the path is empty"),
            ":memory:" => wrong("write sqlite::memory: for a database in memory"),
            path => Ok(Self::File(PathBuf::from(path))),
        }
    }
}

/// The address fit for a message: without a password.
pub(super) fn redacted(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    // Options may carry a password too, and none of them is needed to know which store is meant.
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let authority_end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(authority_end);
    match authority.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}@{host}{path}")
        }
        None => format!("{scheme}://{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let file = |path: &str| Location::File(PathBuf::from(path));
        for (address, location) in [
            ("sqlite::memory:", Location::Memory),
            ("sqlite:gavel.db", file("gavel.db")),
            ("sqlite:///var/lib/gavel.db", file("/var/lib/gavel.db")),
            ("sqlite:/var/lib/gavel.db", file("/var/lib/gavel.db")),
            ("gavel.db", file("gavel.db")),
            ("./a b/gavel?.db", file("./a b/gavel?.db")),
            ("postgres://u:p@h/d", Location::Postgres("postgres://u:p@h/d".to_owned())),
            ("postgresql:///d", Location::Postgres("postgresql:///d".to_owned())),
        ] {
            assert_eq!(Location::parse(address).unwrap(), location, "{address}");
        }
        for address in ["", "sqlite:", ":memory:", "mysql://h/d", "sqlite:a.db?mode=ro", "http://u:secret@h/"]
        {
            let error = Location::parse(address).unwrap_err();
            assert!(matches!(error, StoreError::Address { .. }), "{address}: {error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn passwords_stay_out_of_messages() {
        for (address, shown) in [
            ("postgres://u:p:q@h:1/d?password=p", "postgres://u@h:1/d"),
            ("postgres://u@h/d", "postgres://u@h/d"),
            ("postgres:///d?host=/run/p@q", "postgres:///d"),
            ("postgres://u:p@q@h", "postgres://u@h"),
            ("gavel.db", "gavel.db"),
        ] {
            assert_eq!(redacted(address), shown);
        }
    }
}
