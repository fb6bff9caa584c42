//! Getting a package's archive: through the registry's own client, or from files that somebody brought.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Package, PackageError, Registry, sha256};

/// Where packages come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// The registries, through the clients that are set up on this machine: `cargo` and `npm`.
    Registries,
    /// These archives; each package is found by its hash. For machines without a network.
    Archives(Vec<PathBuf>),
}

impl Source {
    pub(super) fn get(&self, package: &Package) -> Result<Vec<u8>, PackageError> {
        match self {
            Self::Archives(paths) => given(package, paths),
            Self::Registries => match package.registry {
                Registry::Crates => from_cargo(package),
                Registry::Npm => from_npm(package),
            },
        }
    }
}

fn given(package: &Package, paths: &[PathBuf]) -> Result<Vec<u8>, PackageError> {
    for path in paths {
        let archive = std::fs::read(path).map_err(|error| PackageError::file(path, error))?;
        if sha256(&archive) == package.sha256 {
            return Ok(archive);
        }
    }
    Err(PackageError::NotGiven {
        package: format!("{} {}", package.name, package.version),
        expected: package.sha256.clone(),
    })
}

/// `cargo info` fetches the package it is asked about into Cargo's home, without what it depends on.
fn from_cargo(package: &Package) -> Result<Vec<u8>, PackageError> {
    let folder = tempfile::tempdir().map_err(|error| PackageError::file(&std::env::temp_dir(), error))?;
    let name = format!("{}@{}", package.name, package.version);
    run(package, folder.path(), "cargo", &["info", "--quiet", "--registry", "crates-io", &name])?;
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")))
        .unwrap_or_default();
    let cache = home.join("registry").join("cache");
    let registries = std::fs::read_dir(&cache).map_err(|error| PackageError::file(&cache, error))?;
    for registry in registries.flatten() {
        if let Ok(archive) = std::fs::read(registry.path().join(package.file_name())) {
            return Ok(archive);
        }
    }
    Err(PackageError::Client {
        package: name,
        command: "cargo info".to_owned(),
        message: format!("it left no {} under {}", package.file_name(), cache.display()),
    })
}

fn from_npm(package: &Package) -> Result<Vec<u8>, PackageError> {
    let folder = tempfile::tempdir().map_err(|error| PackageError::file(&std::env::temp_dir(), error))?;
    let name = format!("{}@{}", package.name, package.version);
    run(package, folder.path(), "npm", &["pack", "--silent", "--ignore-scripts", &name])?;
    let path = folder.path().join(package.file_name());
    std::fs::read(&path).map_err(|error| PackageError::file(&path, error))
}

fn run(package: &Package, folder: &Path, client: &str, arguments: &[&str]) -> Result<(), PackageError> {
    let fault = |message: String| PackageError::Client {
        package: format!("{} {}", package.name, package.version),
        command: format!("{client} {}", arguments.join(" ")),
        message,
    };
    let output = Command::new(client)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| fault(format!("{error}; install `{client}`, or give the archive by hand")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.trim().lines().rev().take(4).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>();
    Err(fault(format!("{} ({})", last.join(" / "), output.status)))
}
