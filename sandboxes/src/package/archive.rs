//! Reading named files out of a package's archive, which both registries send as a compressed tar.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read;

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};

use super::{Package, PackageError};

/// The most bytes that one file of a package may have. The compiler is the largest, with 75 MB.
const MAX_FILE_BYTES: u64 = 512 << 20;

/// The SHA-256 of some bytes, in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The files that the manifest names, by their path below the package's folder.
pub(super) fn read(package: &Package, archive: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, PackageError> {
    let unreadable = |error: std::io::Error| PackageError::Archive {
        package: package.name.clone(),
        message: error.to_string(),
    };
    let mut found = BTreeMap::new();
    let mut tar = tar::Archive::new(GzDecoder::new(archive));
    for entry in tar.entries().map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path().map_err(unreadable)?.to_string_lossy().into_owned();
        // The first folder is the package's own, with its version in the one registry and without in the other.
        let Some((_, path)) = path.split_once('/') else { continue };
        if !package.files.iter().any(|file| file == path) {
            continue;
        }
        let path = path.to_owned();
        let mut content = Vec::new();
        entry.take(MAX_FILE_BYTES).read_to_end(&mut content).map_err(unreadable)?;
        found.insert(path, content);
    }
    match package.files.iter().find(|file| !found.contains_key(*file)) {
        Some(missing) => {
            Err(PackageError::MissingFile { package: package.name.clone(), path: missing.clone() })
        }
        None => Ok(found),
    }
}
