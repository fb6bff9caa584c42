//! The table of open descriptors.
//!
//! It knows numbers, positions and rights; it never touches a file.

use super::errno::Errno;
use super::overlay::Kind;
use super::tree::{Device, Inode};

/// The most descriptors open at a time.
const MAX_DESCRIPTORS: usize = 1024;

/// Rights of preview 1 that mean something here.
pub(super) mod rights {
    pub(in crate::wasi) const READ: u64 = 1 << 1;
    const SEEK: u64 = 1 << 2;
    const TELL: u64 = 1 << 5;
    pub(in crate::wasi) const WRITE: u64 = 1 << 6;
    const STATUS: u64 = 1 << 21;
    const POLL: u64 = 1 << 27;
    /// Of standard input.
    pub(in crate::wasi) const INPUT: u64 = READ | SEEK | TELL | STATUS | POLL;
    /// Of the other streams, which have no positions.
    pub(in crate::wasi) const OUTPUT: u64 = WRITE | STATUS | POLL;
    /// All thirty of them.
    pub(in crate::wasi) const ALL: u64 = (1 << 30) - 1;
}

/// The flag of a descriptor whose writes go to the end.
pub(super) const APPEND: u16 = 1;
/// All flags of descriptors.
pub(super) const ALL_FLAGS: u16 = 0x1f;

/// What a descriptor is open on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// Standard input.
    Input,
    /// Standard output.
    Output,
    /// Standard error.
    Error,
    /// A file.
    File(Inode),
    /// A folder.
    Folder(Inode),
    /// The device that swallows everything.
    Null,
    /// Random bytes.
    Random,
    /// The channel.
    Channel,
}

impl Target {
    /// What opening a node gives.
    pub(super) fn of(inode: Inode, kind: Kind) -> Self {
        match kind {
            Kind::File => Self::File(inode),
            Kind::Folder => Self::Folder(inode),
            Kind::Device(Device::Null) => Self::Null,
            Kind::Device(Device::Random) => Self::Random,
            Kind::Device(Device::Stdin) => Self::Input,
            Kind::Device(Device::Stdout) => Self::Output,
            Kind::Device(Device::Stderr) => Self::Error,
            Kind::Device(Device::Channel) => Self::Channel,
        }
    }
}

/// An open descriptor.
#[derive(Clone, Debug)]
pub(super) struct Descriptor {
    pub(super) target: Target,
    pub(super) position: u64,
    pub(super) flags: u16,
    pub(super) rights: u64,
    pub(super) inheriting: u64,
    /// Whether the guest finds it open at the start, as the folder `/`.
    pub(super) is_root: bool,
    /// Where a listing of the folder goes on: a cookie, and the name after which it is.
    pub(super) listed: Option<(u64, Box<str>)>,
}

impl Descriptor {
    /// A descriptor at the beginning.
    pub(super) fn new(target: Target, rights: u64) -> Self {
        Self { target, position: 0, flags: 0, rights, inheriting: rights, is_root: false, listed: None }
    }

    /// The descriptor if it has these rights.
    pub(super) fn may(&self, rights: u64) -> Result<(), Errno> {
        // A file opened only for reading cannot be written: not open for that, as POSIX has it.
        if self.rights & rights == rights { Ok(()) } else { Err(Errno::BadDescriptor) }
    }
}

/// All open descriptors.
pub(super) struct Descriptors {
    slots: Vec<Option<Descriptor>>,
}

impl Descriptors {
    /// The three standard streams, and the root as number 3.
    pub(super) fn new() -> Self {
        let mut root = Descriptor::new(Target::Folder(Inode::ROOT), rights::ALL);
        root.is_root = true;
        let slots = vec![
            Some(Descriptor::new(Target::Input, rights::INPUT)),
            Some(Descriptor::new(Target::Output, rights::OUTPUT)),
            Some(Descriptor::new(Target::Error, rights::OUTPUT)),
            Some(root),
        ];
        Self { slots }
    }

    /// The descriptor of a number.
    pub(super) fn get(&self, number: u32) -> Result<&Descriptor, Errno> {
        self.slots.get(number as usize).and_then(Option::as_ref).ok_or(Errno::BadDescriptor)
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, number: u32) -> Result<&mut Descriptor, Errno> {
        self.slots.get_mut(number as usize).and_then(Option::as_mut).ok_or(Errno::BadDescriptor)
    }

    /// The folder that a descriptor is open on.
    pub(super) fn folder(&self, number: u32) -> Result<Inode, Errno> {
        match self.get(number)?.target {
            Target::Folder(inode) => Ok(inode),
            _ => Err(Errno::NotFolder),
        }
    }

    /// Whether another one can be opened.
    pub(super) fn require_room(&self) -> Result<(), Errno> {
        let is_free = self.slots.len() < MAX_DESCRIPTORS || self.slots.iter().any(Option::is_none);
        if is_free { Ok(()) } else { Err(Errno::TooManyOpen) }
    }

    /// Opens the lowest free number.
    pub(super) fn insert(&mut self, descriptor: Descriptor) -> Result<u32, Errno> {
        self.require_room()?;
        let free = self.slots.iter().position(Option::is_none);
        let number = free.unwrap_or(self.slots.len());
        match free.and_then(|number| self.slots.get_mut(number)) {
            Some(slot) => *slot = Some(descriptor),
            None => self.slots.push(Some(descriptor)),
        }
        Ok(number as u32)
    }

    /// Closes a number; gives what was open there.
    pub(super) fn remove(&mut self, number: u32) -> Result<Descriptor, Errno> {
        self.slots.get_mut(number as usize).and_then(Option::take).ok_or(Errno::BadDescriptor)
    }

    /// Moves a descriptor to a number that is open; gives what was open there.
    pub(super) fn renumber(&mut self, from: u32, to: u32) -> Result<Option<Descriptor>, Errno> {
        self.get(from)?;
        self.get(to)?;
        if from == to {
            return Ok(None);
        }
        let moved = self.remove(from)?;
        Ok(self.slots.get_mut(to as usize).and_then(|slot| slot.replace(moved)))
    }
}
