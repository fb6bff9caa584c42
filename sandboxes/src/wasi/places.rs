//! System calls on paths.

use super::World;
use super::descriptors::{ALL_FLAGS, Descriptor, Target, rights};
use super::errno::{Errno, Fault};
use super::memory::Memory;
use super::names::Opening;
use super::overlay::Kind;
use super::path::GuestPath;
use super::status::filetype;

/// Flags of opening: `oflags` of preview 1.
mod open {
    pub(super) const CREATE: u32 = 1;
    pub(super) const FOLDER: u32 = 2;
    pub(super) const EXCLUSIVE: u32 = 4;
    pub(super) const TRUNCATE: u32 = 8;
}

/// Size of a listing's entry before its name.
const ENTRY_HEADER_BYTES: usize = 24;

/// A path in the guest's memory, and the descriptor of the folder where it starts.
#[derive(Clone, Copy)]
pub(super) struct PathArgument {
    fd: u32,
    address: u32,
    length: u32,
}

impl PathArgument {
    pub(super) fn new(fd: u32, address: u32, length: u32) -> Self {
        Self { fd, address, length }
    }

    fn read<'m>(&self, memory: &'m Memory<'_>) -> Result<GuestPath<'m>, Fault> {
        Ok(GuestPath::parse(memory.bytes(self.address, self.length)?)?)
    }
}

/// The numbers that say how a path is opened.
#[derive(Clone, Copy)]
pub(super) struct OpenArguments {
    pub(super) open_flags: u32,
    pub(super) rights: u64,
    pub(super) inheriting: u64,
    pub(super) flags: u32,
}

impl World {
    pub(super) fn path_open(
        &mut self,
        memory: &mut Memory<'_>,
        path: PathArgument,
        how: OpenArguments,
        opened: u32,
    ) -> Result<(), Fault> {
        let has = |flag: u32| how.open_flags & flag != 0;
        let flags = u16::try_from(how.flags).ok().filter(|flags| flags & !ALL_FLAGS == 0);
        let flags = flags.ok_or(Errno::Invalid)?;
        if how.open_flags & !0xf != 0 || has(open::CREATE) && has(open::FOLDER) {
            return Err(Errno::Invalid.into());
        }
        memory.store_u32(opened, 0)?;
        self.descriptors.require_room()?;
        let opening = Opening {
            create: has(open::CREATE),
            exclusive: has(open::EXCLUSIVE),
            truncate: has(open::TRUNCATE),
            folder: has(open::FOLDER),
            write: how.rights & rights::WRITE != 0,
        };
        let start = self.descriptors.folder(path.fd)?;
        let now = self.now();
        let inode = self.files.open(start, &path.read(memory)?, opening, now)?;
        let target = Target::of(inode, self.files.kind(inode)?);
        if let Target::File(inode) | Target::Folder(inode) = target {
            self.files.acquire(inode);
        }
        let mut descriptor = Descriptor::new(target, how.rights & rights::ALL);
        descriptor.inheriting = how.inheriting & rights::ALL;
        descriptor.flags = flags;
        let fd = self.descriptors.insert(descriptor)?;
        memory.store_u32(opened, fd)
    }

    pub(super) fn path_create_directory(
        &mut self,
        memory: &mut Memory<'_>,
        path: PathArgument,
    ) -> Result<(), Fault> {
        let start = self.descriptors.folder(path.fd)?;
        let now = self.now();
        // A slash at the end changes nothing for what is to become a folder.
        let path = GuestPath { folder_only: false, ..path.read(memory)? };
        self.files.make_folder(start, &path, now)?;
        Ok(())
    }

    pub(super) fn path_unlink_file(
        &mut self,
        memory: &mut Memory<'_>,
        path: PathArgument,
    ) -> Result<(), Fault> {
        let start = self.descriptors.folder(path.fd)?;
        let now = self.now();
        Ok(self.files.unlink(start, &path.read(memory)?, now)?)
    }

    pub(super) fn path_remove_directory(
        &mut self,
        memory: &mut Memory<'_>,
        path: PathArgument,
    ) -> Result<(), Fault> {
        let start = self.descriptors.folder(path.fd)?;
        let now = self.now();
        Ok(self.files.remove_folder(start, &path.read(memory)?, now)?)
    }

    pub(super) fn path_rename(
        &mut self,
        memory: &mut Memory<'_>,
        from: PathArgument,
        to: PathArgument,
    ) -> Result<(), Fault> {
        let from = (self.descriptors.folder(from.fd)?, &from.read(memory)?);
        let to = (self.descriptors.folder(to.fd)?, &to.read(memory)?);
        let now = self.now();
        Ok(self.files.rename(from, to, now)?)
    }

    pub(super) fn path_filestat_get(
        &mut self,
        memory: &mut Memory<'_>,
        path: PathArgument,
        status: u32,
    ) -> Result<(), Fault> {
        let target = self.target(memory, path)?;
        self.store_status(memory, target, status)
    }

    pub(super) fn path_filestat_set_times(
        &mut self,
        memory: &mut Memory<'_>,
        path: PathArgument,
        accessed: u64,
        modified: u64,
        which: u32,
    ) -> Result<(), Fault> {
        let target = self.target(memory, path)?;
        self.set_times(target, accessed, modified, which)
    }

    /// There are no links, so what is there is none.
    pub(super) fn path_readlink(&mut self, memory: &mut Memory<'_>, path: PathArgument) -> Result<(), Fault> {
        self.target(memory, path)?;
        Err(Errno::Invalid.into())
    }

    pub(super) fn fd_readdir(
        &mut self,
        memory: &mut Memory<'_>,
        fd: u32,
        (buffer, length): (u32, u32),
        cookie: u64,
        used: u32,
    ) -> Result<(), Fault> {
        let folder = self.descriptors.folder(fd)?;
        memory.store_u32(used, 0)?;
        let room = memory.bytes(buffer, length)?.len();
        let mut written = 0;
        let mut at = cookie;
        let mut after = self.resume(fd, cookie)?;
        while written < room {
            let (name, inode): (Box<str>, _) = match at {
                0 => (".".into(), folder),
                1 => ("..".into(), self.files.parent(folder)?),
                _ => match self.files.next_entry(folder, after.as_deref()) {
                    Some(entry) => entry,
                    None => break,
                },
            };
            let target = Target::of(inode, self.files.kind(inode)?);
            let mut entry = Vec::with_capacity(ENTRY_HEADER_BYTES + name.len());
            entry.extend_from_slice(&(at + 1).to_le_bytes());
            entry.extend_from_slice(&inode.0.to_le_bytes());
            entry.extend_from_slice(&(name.len() as u32).to_le_bytes());
            entry.extend_from_slice(&[filetype(target), 0, 0, 0]);
            entry.extend_from_slice(name.as_bytes());
            let count = entry.len().min(room - written);
            memory.store(buffer + written as u32, &entry[..count])?;
            self.charge(count as u64)?;
            written += count;
            if count < entry.len() {
                break;
            }
            at += 1;
            if at > 2 {
                after = Some(name);
            }
        }
        self.descriptors.get_mut(fd)?.listed = after.map(|name| (at, name));
        memory.store_u32(used, written as u32)
    }

    /// The name after which a listing goes on. Where the last call ended is remembered, by name, so that files may be
    /// removed meanwhile; any other place is counted from the start.
    fn resume(&mut self, fd: u32, cookie: u64) -> Result<Option<Box<str>>, Fault> {
        let descriptor = self.descriptors.get(fd)?;
        if cookie <= 2 {
            return Ok(None);
        }
        if let Some((listed, name)) = &descriptor.listed
            && *listed == cookie
        {
            return Ok(Some(name.clone()));
        }
        let folder = self.descriptors.folder(fd)?;
        let mut after: Option<Box<str>> = None;
        for _ in 2..cookie {
            match self.files.next_entry(folder, after.as_deref()) {
                Some((name, _)) => after = Some(name),
                None => break,
            }
        }
        Ok(after)
    }

    fn target(&mut self, memory: &Memory<'_>, path: PathArgument) -> Result<Target, Fault> {
        let start = self.descriptors.folder(path.fd)?;
        let inode = self.files.find_existing(start, &path.read(memory)?)?;
        let kind: Kind = self.files.kind(inode)?;
        Ok(Target::of(inode, kind))
    }
}
