//! System calls that ask and tell about what is open: types, rights, flags, sizes and times.

use super::World;
use super::clock::REALTIME_START;
use super::descriptors::{ALL_FLAGS, Target};
use super::errno::{Errno, Fault};
use super::memory::Memory;
use super::overlay::{Kind, Status, Times};
use super::tree::Device;

/// Types of files in preview 1.
mod filetype {
    pub(super) const UNKNOWN: u8 = 0;
    pub(super) const CHARACTER_DEVICE: u8 = 2;
    pub(super) const FOLDER: u8 = 3;
    pub(super) const FILE: u8 = 4;
}

/// Which times a call sets: `fstflags` of preview 1.
mod set_times {
    pub(super) const ACCESSED: u32 = 1;
    pub(super) const ACCESSED_NOW: u32 = 2;
    pub(super) const MODIFIED: u32 = 4;
    pub(super) const MODIFIED_NOW: u32 = 8;
}

/// What `filestat` tells.
struct FileStatus {
    device: u64,
    inode: u64,
    filetype: u8,
    status: Status,
}

impl FileStatus {
    /// In the layout of preview 1.
    fn encode(&self) -> [u8; 64] {
        let times = &self.status.times;
        let words = [
            self.device,
            self.inode,
            u64::from(self.filetype),
            self.status.n_links,
            self.status.size,
            times.accessed,
            times.modified,
            times.changed,
        ];
        let mut bytes = [0; 64];
        for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }
}

/// The type that a guest is told. Standard input is a file, as in `program < input`, and a device has a position, so
/// the guest's library takes none of them for a terminal.
pub(super) fn filetype(target: Target) -> u8 {
    match target {
        Target::Input | Target::File(_) => filetype::FILE,
        Target::Output | Target::Error => filetype::UNKNOWN,
        Target::Folder(_) => filetype::FOLDER,
        Target::Null | Target::Random | Target::Channel => filetype::CHARACTER_DEVICE,
    }
}

impl World {
    pub(super) fn fd_filestat_get(
        &mut self,
        memory: &mut Memory<'_>,
        fd: u32,
        status: u32,
    ) -> Result<(), Fault> {
        let target = self.descriptors.get(fd)?.target;
        self.store_status(memory, target, status)
    }

    pub(super) fn fd_filestat_set_times(
        &mut self,
        fd: u32,
        accessed: u64,
        modified: u64,
        which: u32,
    ) -> Result<(), Fault> {
        let target = self.descriptors.get(fd)?.target;
        self.set_times(target, accessed, modified, which)
    }

    pub(super) fn fd_fdstat_get(
        &mut self,
        memory: &mut Memory<'_>,
        fd: u32,
        status: u32,
    ) -> Result<(), Fault> {
        let descriptor = self.descriptors.get(fd)?;
        let mut bytes = [0; 24];
        bytes[0] = filetype(descriptor.target);
        bytes[2..4].copy_from_slice(&descriptor.flags.to_le_bytes());
        bytes[8..16].copy_from_slice(&descriptor.rights.to_le_bytes());
        bytes[16..24].copy_from_slice(&descriptor.inheriting.to_le_bytes());
        memory.store(status, &bytes)
    }

    pub(super) fn fd_fdstat_set_flags(&mut self, fd: u32, flags: u32) -> Result<(), Fault> {
        let flags = u16::try_from(flags).ok().filter(|flags| flags & !ALL_FLAGS == 0);
        self.descriptors.get_mut(fd)?.flags = flags.ok_or(Errno::Invalid)?;
        Ok(())
    }

    pub(super) fn fd_fdstat_set_rights(
        &mut self,
        fd: u32,
        rights: u64,
        inheriting: u64,
    ) -> Result<(), Fault> {
        let descriptor = self.descriptors.get_mut(fd)?;
        if rights & !descriptor.rights != 0 || inheriting & !descriptor.inheriting != 0 {
            return Err(Errno::NotCapable.into());
        }
        (descriptor.rights, descriptor.inheriting) = (rights, inheriting);
        Ok(())
    }

    pub(super) fn fd_prestat_get(
        &mut self,
        memory: &mut Memory<'_>,
        fd: u32,
        prestat: u32,
    ) -> Result<(), Fault> {
        if !self.descriptors.get(fd)?.is_root {
            return Err(Errno::BadDescriptor.into());
        }
        // A folder, whose name has one byte.
        memory.store(prestat, &[0, 0, 0, 0, 1, 0, 0, 0])
    }

    pub(super) fn fd_prestat_dir_name(
        &mut self,
        memory: &mut Memory<'_>,
        fd: u32,
        name: u32,
        length: u32,
    ) -> Result<(), Fault> {
        if !self.descriptors.get(fd)?.is_root {
            return Err(Errno::BadDescriptor.into());
        }
        if length < 1 {
            return Err(Errno::NameTooLong.into());
        }
        memory.store(name, b"/")
    }

    /// Tells the guest about a file.
    pub(super) fn store_status(
        &mut self,
        memory: &mut Memory<'_>,
        target: Target,
        address: u32,
    ) -> Result<(), Fault> {
        let stream = |size: u64| Status {
            kind: Kind::Device(Device::Null),
            size,
            n_links: 1,
            times: Times::all(REALTIME_START),
        };
        let (device, inode, status) = match target {
            Target::File(inode) | Target::Folder(inode) => (1, inode.0, self.files.status(inode)?),
            Target::Input => (2, 1, stream(self.stdin.len() as u64)),
            Target::Output => (2, 2, stream(0)),
            Target::Error => (2, 3, stream(0)),
            Target::Null => (2, 4, stream(0)),
            Target::Random => (2, 5, stream(0)),
            Target::Channel => (2, 6, stream(0)),
        };
        let status = FileStatus { device, inode, filetype: filetype(target), status };
        memory.store(address, &status.encode())
    }

    /// Sets the times of a file or folder. For a stream or a device there is nothing to do.
    pub(super) fn set_times(
        &mut self,
        target: Target,
        accessed: u64,
        modified: u64,
        which: u32,
    ) -> Result<(), Fault> {
        let both = |one: u32, other: u32| which & one != 0 && which & other != 0;
        if which & !0xf != 0
            || both(set_times::ACCESSED, set_times::ACCESSED_NOW)
            || both(set_times::MODIFIED, set_times::MODIFIED_NOW)
        {
            return Err(Errno::Invalid.into());
        }
        let (Target::File(inode) | Target::Folder(inode)) = target else { return Ok(()) };
        let now = self.now();
        let choose = |old: u64, given: u64, set: u32, set_now: u32| match which {
            which if which & set != 0 => given,
            which if which & set_now != 0 => now,
            _ => old,
        };
        let old = self.files.status(inode)?.times;
        let times = Times {
            accessed: choose(old.accessed, accessed, set_times::ACCESSED, set_times::ACCESSED_NOW),
            modified: choose(old.modified, modified, set_times::MODIFIED, set_times::MODIFIED_NOW),
            changed: now,
        };
        Ok(self.files.set_times(inode, times)?)
    }
}
