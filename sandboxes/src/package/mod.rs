//! Packages from public registries that guests are made of: named by a manifest, pinned by their SHA-256.
//!
//! Nothing of a package is used before its hash was compared, and only the files that the manifest names are
//! read out of it.

mod archive;
mod registry;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

pub(crate) use self::archive::sha256;
pub use self::registry::Source;

/// What a guest is made of, as its `manifest.toml` says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// The version of the language's implementation.
    pub(crate) version: String,
    /// The licence of what the packages bring, as an SPDX expression.
    pub(crate) licence: String,
    /// The packages.
    #[serde(rename = "package")]
    pub(crate) packages: Vec<Package>,
}

/// One package of a registry.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Package {
    /// Which registry.
    pub(crate) registry: Registry,
    /// Its name there.
    pub(crate) name: String,
    /// Its exact version.
    pub(crate) version: String,
    /// The hash of its archive, in hexadecimal.
    pub(crate) sha256: String,
    /// The files that are read, relative to the package's folder.
    pub(crate) files: Vec<String>,
    /// Its licence, as an SPDX expression; the guest's own combines those of its packages.
    #[serde(rename = "licence")]
    pub(crate) _licence: String,
}

/// A registry and the client that speaks to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Registry {
    /// Rust's, through `cargo`.
    #[serde(rename = "crates.io")]
    Crates,
    /// JavaScript's, through `npm`.
    #[serde(rename = "npm")]
    Npm,
}

/// The files of all packages of a manifest, by package and path.
#[derive(Debug, Default)]
pub(crate) struct Files(BTreeMap<(String, String), Vec<u8>>);

impl Files {
    /// A file that the manifest names.
    pub(crate) fn get(&self, package: &str, path: &str) -> Result<&[u8], PackageError> {
        self.0
            .get(&(package.to_owned(), path.to_owned()))
            .map(Vec::as_slice)
            .ok_or_else(|| PackageError::MissingFile { package: package.to_owned(), path: path.to_owned() })
    }
}

impl Manifest {
    /// Reads a manifest.
    pub(crate) fn parse(text: &str) -> Result<Self, PackageError> {
        toml::from_str(text).map_err(|error| PackageError::Manifest { message: error.to_string() })
    }

    /// Gets every package, from `kept` where an earlier installation left it, else from `source`, and leaves it
    /// there for the next.
    pub(crate) fn obtain(
        &self,
        kept: &Path,
        source: &Source,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Files, PackageError> {
        let mut files = Files::default();
        for package in &self.packages {
            let archive = package.archive(kept, source, progress)?;
            for (path, content) in archive::read(package, &archive)? {
                files.0.insert((package.name.clone(), path), content);
            }
        }
        Ok(files)
    }
}

impl Package {
    fn archive(
        &self,
        kept: &Path,
        source: &Source,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Vec<u8>, PackageError> {
        let path = kept.join(self.file_name());
        if let Ok(archive) = std::fs::read(&path)
            && sha256(&archive) == self.sha256
        {
            return Ok(archive);
        }
        progress(&format!("getting {} {}", self.name, self.version));
        let archive = source.get(self)?;
        let found = sha256(&archive);
        if found != self.sha256 {
            return Err(PackageError::WrongHash {
                package: format!("{} {}", self.name, self.version),
                expected: self.sha256.clone(),
                found,
            });
        }
        write_whole(&path, &archive)?;
        Ok(archive)
    }

    /// What its archive is called where it is kept.
    fn file_name(&self) -> String {
        let name = self.name.trim_start_matches('@').replace('/', "-");
        match self.registry {
            Registry::Crates => format!("{name}-{}.crate", self.version),
            Registry::Npm => format!("{name}-{}.tgz", self.version),
        }
    }
}

/// Writes a file so that it is there whole or not at all.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<(), PackageError> {
    let fault = |error| PackageError::file(path, error);
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(fault)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(fault)?;
    io::Write::write_all(&mut file, content).map_err(fault)?;
    file.as_file().sync_all().map_err(fault)?;
    file.persist(path).map_err(|error| fault(error.error))?;
    Ok(())
}

/// What goes wrong while a package is got and read.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The manifest that is built in cannot be read.
    #[error("the guest's manifest is wrong: {message}")]
    Manifest {
        /// What and where.
        message: String,
    },
    /// The registry's client is not installed, or it failed.
    #[error("{package} cannot be got with `{command}`: {message}")]
    Client {
        /// The package.
        package: String,
        /// The command that was run.
        command: String,
        /// What it said.
        message: String,
    },
    /// None of the archives that were given is this package.
    #[error("none of the given archives is {package} (SHA-256 {expected})")]
    NotGiven {
        /// The package.
        package: String,
        /// The hash of its archive.
        expected: String,
    },
    /// The archive is another one than the manifest pins.
    #[error(
        "the archive of {package} has the SHA-256 {found}, expected {expected}: it was changed or damaged"
    )]
    WrongHash {
        /// The package.
        package: String,
        /// The hash that is pinned.
        expected: String,
        /// The hash that was found.
        found: String,
    },
    /// The archive cannot be unpacked.
    #[error("the archive of {package} cannot be read: {message}")]
    Archive {
        /// The package.
        package: String,
        /// Why.
        message: String,
    },
    /// The package lacks a file.
    #[error("the package {package} has no file {path}")]
    MissingFile {
        /// The package.
        package: String,
        /// The file.
        path: String,
    },
    /// A file of this machine cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl PackageError {
    pub(crate) fn file(path: &Path, source: io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }
}
