//! The error numbers of WASI preview 1, and the ways in which a system call can end other than well.
//!
//! It never decides which error fits; that is for the call.

use super::Stop;

/// An error number as the guest sees it. Only those that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Errno {
    /// A descriptor that is not open, or not open for that.
    BadDescriptor = 8,
    /// The thing is needed by the system.
    Busy = 10,
    /// There is already something of that name.
    Exists = 20,
    /// A pointer leads out of the guest's memory.
    Fault = 21,
    /// A file larger than all the room there is.
    FileTooLarge = 22,
    /// A path that is not UTF-8.
    IllegalSequence = 25,
    /// An argument that makes no sense.
    Invalid = 28,
    /// A folder where a file is needed.
    IsFolder = 31,
    /// Too many open descriptors.
    TooManyOpen = 33,
    /// A path or a name in it is too long.
    NameTooLong = 37,
    /// No such file or folder.
    NotFound = 44,
    /// The quota of the files is used up.
    NoSpace = 51,
    /// Not a folder.
    NotFolder = 54,
    /// A folder that still has entries.
    NotEmpty = 55,
    /// No socket.
    NotSocket = 57,
    /// There is no such thing in this world.
    NotSupported = 58,
    /// A number too large for its type.
    Overflow = 61,
    /// Part of the system and not to be changed.
    NotPermitted = 63,
    /// A stream has no positions.
    IllegalSeek = 70,
    /// The descriptor lacks the right.
    NotCapable = 76,
}

/// How a system call ends when it does not succeed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The guest is told and goes on.
    Errno(Errno),
    /// The guest ends here.
    Stop(Stop),
    /// The other end of the channel failed; the guest ends here.
    Channel(wasmtime::Error),
}

impl From<Errno> for Fault {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl From<Stop> for Fault {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}
