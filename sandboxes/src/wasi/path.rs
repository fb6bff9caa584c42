//! Paths, as they are written.
//!
//! Nothing here looks into a folder. A path of the guest is taken apart and followed name by name in the overlay;
//! a path given by the host is normalised here, once.

use super::errno::Errno;

/// The most bytes a path may have.
pub(super) const MAX_PATH_BYTES: usize = 4096;
/// The most bytes a name in a path may have.
const MAX_NAME_BYTES: usize = 255;

/// Why a file given to a world, or to a tree, cannot be placed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PathError {
    /// It would be outside the root.
    #[error("the path {path:?} leads out of the program's folder")]
    Escapes {
        /// As it was given.
        path: String,
    },
    /// It names no file.
    #[error("the path {path:?} is not the path of a file")]
    NoFile {
        /// As it was given.
        path: String,
    },
    /// It or one of its names is too long.
    #[error("the path {path:?}… is too long")]
    TooLong {
        /// Its beginning.
        path: String,
    },
    /// There is something else at this place, or a file in the way.
    #[error("the path {path:?} is already taken")]
    Taken {
        /// As it was given.
        path: String,
    },
}

/// The names of a path given by the host, from the root on, without `.` and `..`.
pub(super) fn inside(path: &str) -> Result<Vec<&str>, PathError> {
    let too_long = |part: &str| PathError::TooLong { path: part.chars().take(40).collect() };
    if path.len() > MAX_PATH_BYTES {
        return Err(too_long(path));
    }
    if path.contains('\0') || path.ends_with('/') {
        return Err(PathError::NoFile { path: path.to_owned() });
    }
    let mut names = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop().ok_or_else(|| PathError::Escapes { path: path.to_owned() })?;
            }
            name if name.len() > MAX_NAME_BYTES => return Err(too_long(name)),
            name => names.push(name),
        }
    }
    if names.is_empty() || path.ends_with("/.") || path.ends_with("/..") {
        return Err(PathError::NoFile { path: path.to_owned() });
    }
    Ok(names)
}

/// A path of the guest, checked as text.
pub(super) struct GuestPath<'p> {
    /// Whether it starts at the root.
    pub(super) absolute: bool,
    /// Whether only a folder will do, for it ends in `/`.
    pub(super) folder_only: bool,
    /// Its names, `.` and `..` among them.
    pub(super) names: Vec<&'p str>,
}

impl<'p> GuestPath<'p> {
    /// Reads a path.
    pub(super) fn parse(bytes: &'p [u8]) -> Result<Self, Errno> {
        if bytes.is_empty() {
            return Err(Errno::NotFound);
        }
        if bytes.len() > MAX_PATH_BYTES {
            return Err(Errno::NameTooLong);
        }
        let text = str::from_utf8(bytes).map_err(|_| Errno::IllegalSequence)?;
        if text.contains('\0') {
            return Err(Errno::Invalid);
        }
        let names: Vec<&str> = text.split('/').filter(|name| !name.is_empty()).collect();
        if names.iter().any(|name| name.len() > MAX_NAME_BYTES) {
            return Err(Errno::NameTooLong);
        }
        Ok(Self { absolute: text.starts_with('/'), folder_only: text.ends_with('/'), names })
    }
}
