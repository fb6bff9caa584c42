//! The world for host functions of a guest's own: what system calls do, with values instead of addresses.
//!
//! It is for interpreters that have no use for descriptors. The bounds, the charges and the quota are the same.

use wasmtime::{Caller, Extern};

use super::clock::BYTE_FUEL;
use super::errno::{Errno, Fault};
use super::names::Opening;
use super::overlay::Kind;
use super::path::GuestPath;
use super::tree::Inode;
use super::{HasWorld, Stop, World};

/// One of the two streams out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A file of this many bytes.
    File(u64),
    /// A folder.
    Folder,
}

/// Does something in the world of the instance that called, and in its memory. The outer error ends the instance, the
/// inner one is for the guest.
pub(crate) fn enter<T: HasWorld, R>(
    caller: &mut Caller<'_, T>,
    act: impl FnOnce(&mut World, &mut [u8]) -> Result<R, Fault>,
) -> wasmtime::Result<Result<R, Errno>> {
    let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
        return Ok(Err(Errno::Fault));
    };
    let fuel = caller.get_fuel()?;
    let (bytes, data) = memory.data_and_store_mut(&mut *caller);
    let mut answer = None;
    let (result, left) = data.world().enter(fuel, |world| {
        answer = Some(act(world, bytes)?);
        Ok(())
    });
    caller.set_fuel(left)?;
    match (result, answer) {
        (Ok(()), Some(answer)) => Ok(Ok(answer)),
        (Ok(()), None) => Ok(Err(Errno::Fault)),
        (Err(Fault::Errno(errno)), _) => Ok(Err(errno)),
        (Err(Fault::Stop(stop)), _) => Err(wasmtime::Error::new(stop)),
        (Err(Fault::Channel(error)), _) => Err(error),
    }
}

impl World {
    /// How many bytes a stream has room for.
    pub(crate) fn room(&self, stream: Stream) -> usize {
        let written = match stream {
            Stream::Output => self.stdout.len(),
            Stream::Error => self.stderr.len(),
        };
        self.output_bytes.saturating_sub(written)
    }

    /// Writes to a stream.
    pub(crate) fn write_stream(&mut self, stream: Stream, bytes: &[u8]) -> Result<(), Fault> {
        self.charge_bytes(bytes.len())?;
        let fitting = &bytes[..bytes.len().min(self.room(stream))];
        match stream {
            Stream::Output => self.stdout.extend_from_slice(fitting),
            Stream::Error => self.stderr.extend_from_slice(fitting),
        }
        if stream == Stream::Output && fitting.len() < bytes.len() {
            return Err(Stop::OutputLimit.into());
        }
        Ok(())
    }

    /// Burns fuel for work on this many bytes.
    pub(crate) fn charge_bytes(&mut self, n: usize) -> Result<(), Fault> {
        self.charge(BYTE_FUEL.saturating_mul(n as u64))
    }

    /// Lets time pass.
    pub(crate) fn pause(&mut self, nanos: u64) -> Result<(), Fault> {
        Ok(self.clock.sleep(nanos)?)
    }

    /// Copies standard input from `offset` on; gives how much that was, and how much there is.
    pub(crate) fn read_stdin(&mut self, offset: usize, into: &mut [u8]) -> Result<(usize, u64), Fault> {
        let count = copy(self.stdin.get(offset..).unwrap_or_default(), into);
        self.charge_bytes(count)?;
        Ok((count, self.stdin.len() as u64))
    }

    /// Copies a file's content from `offset` on; gives how much that was, and how much there is.
    pub(crate) fn read_file(
        &mut self,
        path: &str,
        offset: usize,
        into: &mut [u8],
    ) -> Result<(usize, u64), Fault> {
        let inode = self.files.find_existing(Inode::ROOT, &GuestPath::parse(path.as_bytes())?)?;
        let content = self.files.content(inode)?;
        let total = content.len() as u64;
        let count = copy(content.get(offset..).unwrap_or_default(), into);
        self.charge_bytes(count)?;
        Ok((count, total))
    }

    /// Writes a file anew, or at its end; makes it if it is not there.
    pub(crate) fn write_file(&mut self, path: &str, bytes: &[u8], at_end: bool) -> Result<(), Fault> {
        self.charge_bytes(bytes.len())?;
        let now = self.now();
        let opening = Opening { create: true, truncate: !at_end, write: true, ..Opening::default() };
        let path = GuestPath::parse(path.as_bytes())?;
        let inode = self.files.open(Inode::ROOT, &path, opening, now)?;
        if self.files.kind(inode)? != Kind::File {
            return Ok(());
        }
        let size = self.files.status(inode)?.size;
        Ok(self.files.write_at(inode, size, bytes, now)?)
    }

    /// Removes a file.
    pub(crate) fn remove_file(&mut self, path: &str) -> Result<(), Fault> {
        let now = self.now();
        Ok(self.files.unlink(Inode::ROOT, &GuestPath::parse(path.as_bytes())?, now)?)
    }

    /// Removes an empty folder.
    pub(crate) fn remove_folder(&mut self, path: &str) -> Result<(), Fault> {
        let now = self.now();
        Ok(self.files.remove_folder(Inode::ROOT, &GuestPath::parse(path.as_bytes())?, now)?)
    }

    /// Makes a folder.
    pub(crate) fn make_folder(&mut self, path: &str) -> Result<(), Fault> {
        let now = self.now();
        self.files.make_folder(Inode::ROOT, &GuestPath::parse(path.as_bytes())?, now)?;
        Ok(())
    }

    /// What is at a path.
    pub(crate) fn entry(&mut self, path: &str) -> Result<Entry, Fault> {
        let inode = self.files.find_existing(Inode::ROOT, &GuestPath::parse(path.as_bytes())?)?;
        let status = self.files.status(inode)?;
        Ok(if status.kind == Kind::Folder { Entry::Folder } else { Entry::File(status.size) })
    }

    /// The names in a folder, each on a line of its own.
    pub(crate) fn names(&mut self, path: &str) -> Result<String, Fault> {
        let folder = self.files.find_existing(Inode::ROOT, &GuestPath::parse(path.as_bytes())?)?;
        if self.files.kind(folder)? != Kind::Folder {
            return Err(Errno::NotFolder.into());
        }
        let mut names = String::new();
        let mut after: Option<Box<str>> = None;
        while let Some((name, _)) = self.files.next_entry(folder, after.as_deref()) {
            if !names.is_empty() {
                names.push('\n');
            }
            names.push_str(&name);
            self.charge_bytes(name.len())?;
            after = Some(name);
        }
        Ok(names)
    }

    /// Says something to the other end of the channel, as one request.
    pub(crate) fn say(&mut self, request: &[u8]) -> Result<(), Fault> {
        self.charge_bytes(request.len())?;
        self.conversation.begin();
        self.conversation.write(request)
    }

    /// Copies what comes next of the reply; 0 bytes are the end.
    pub(crate) fn hear(&mut self, into: &mut [u8]) -> Result<usize, Fault> {
        let count = self.conversation.read(into)?;
        self.charge_bytes(count)?;
        Ok(count)
    }
}

fn copy(from: &[u8], into: &mut [u8]) -> usize {
    let count = from.len().min(into.len());
    into[..count].copy_from_slice(&from[..count]);
    count
}
