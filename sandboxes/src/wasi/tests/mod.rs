//! A guest for tests: some memory and a world, without a machine. It says what a guest would see.

mod hostile;
mod module;
mod paths;
mod process;
mod property;
mod quota;
mod streams;

use std::sync::Arc;

use super::errno::{Errno, Fault};
use super::memory::Memory;
use super::places::{OpenArguments, PathArgument};
use super::{Stop, Tree, World, WorldConfig};
use crate::program::File;

/// Flags of opening.
pub(super) const CREATE: u32 = 1;
pub(super) const FOLDER: u32 = 2;
pub(super) const EXCLUSIVE: u32 = 4;
pub(super) const TRUNCATE: u32 = 8;

/// Rights for reading, and for reading and writing.
pub(super) const READ: u64 = 1 << 1 | 1 << 14;
pub(super) const WRITE: u64 = 1 << 6 | READ;

/// Where in the memory of the tests' guest things are.
const RESULT: u32 = 0;
const SPANS: u32 = 64;
const PATH: u32 = 1024;
const OTHER_PATH: u32 = 8192;
const BUFFER: u32 = 16_384;

/// How a system call ended if not well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    Errno(Errno),
    Stop(Stop),
    Channel(String),
}

/// A guest.
pub(super) struct Guest {
    pub(super) memory: Vec<u8>,
    pub(super) world: World,
    pub(super) fuel: u64,
}

/// What a world has unless a test says otherwise.
pub(super) fn config() -> WorldConfig {
    WorldConfig {
        args: vec!["program".to_owned()],
        stdin: b"one\ntwo\n".to_vec(),
        tree: Arc::new(tree(&[
            ("/lib/a.txt", "aaa"),
            ("/lib/deep/b.txt", "bbb"),
            ("/lib/deep/c.txt", "ccc"),
        ])),
        files: Vec::new(),
        output_bytes: 1000,
        files_bytes: 1_000_000,
        fuel_per_ms: 1_000_000,
    }
}

pub(super) fn tree(files: &[(&str, &str)]) -> Tree {
    Tree::new(files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()))).unwrap()
}

pub(super) fn file(path: &str, content: &str) -> File {
    File { path: path.to_owned(), content: content.as_bytes().to_vec() }
}

impl Guest {
    pub(super) fn new(config: WorldConfig) -> Self {
        let mut world = World::new(config).unwrap();
        let fuel = 1_000_000_000_000;
        world.started(fuel);
        Self { memory: vec![0; 1 << 20], world, fuel }
    }

    /// One with the usual world.
    pub(super) fn plain() -> Self {
        Self::new(config())
    }

    /// Does a system call, as the linker does it.
    pub(super) fn call(
        &mut self,
        call: impl FnOnce(&mut World, &mut Memory<'_>) -> Result<(), Fault>,
    ) -> Result<(), End> {
        let memory = &mut Memory::new(&mut self.memory);
        let (result, left) = self.world.enter(self.fuel, |world| call(world, memory));
        assert!(left < self.fuel || self.fuel == 0, "every call costs something");
        self.fuel = left;
        result.map_err(|fault| match fault {
            Fault::Errno(errno) => End::Errno(errno),
            Fault::Stop(stop) => End::Stop(stop),
            Fault::Channel(error) => End::Channel(error.to_string()),
        })
    }

    pub(super) fn u32(&self, address: u32) -> u32 {
        u32::from_le_bytes(self.memory[address as usize..][..4].try_into().unwrap())
    }

    pub(super) fn u64(&self, address: u32) -> u64 {
        u64::from_le_bytes(self.memory[address as usize..][..8].try_into().unwrap())
    }

    pub(super) fn put(&mut self, address: u32, bytes: &[u8]) {
        self.memory[address as usize..][..bytes.len()].copy_from_slice(bytes);
    }

    pub(super) fn path(&mut self, fd: u32, path: impl AsRef<[u8]>) -> PathArgument {
        self.path_at(PATH, fd, path.as_ref())
    }

    fn path_at(&mut self, address: u32, fd: u32, path: &[u8]) -> PathArgument {
        self.put(address, path);
        PathArgument::new(fd, address, path.len() as u32)
    }

    /// One `iovec`.
    fn span(&mut self, length: u32) -> (u32, u32) {
        self.put(SPANS, &BUFFER.to_le_bytes());
        self.put(SPANS + 4, &length.to_le_bytes());
        (SPANS, 1)
    }

    pub(super) fn open_at(
        &mut self,
        fd: u32,
        path: impl AsRef<[u8]>,
        open_flags: u32,
        rights: u64,
        flags: u32,
    ) -> Result<u32, End> {
        let path = self.path(fd, path);
        let how = OpenArguments { open_flags, rights, inheriting: u64::MAX, flags };
        self.call(|world, memory| world.path_open(memory, path, how, RESULT))?;
        Ok(self.u32(RESULT))
    }

    pub(super) fn open(&mut self, path: impl AsRef<[u8]>, open_flags: u32, rights: u64) -> Result<u32, End> {
        self.open_at(3, path, open_flags, rights, 0)
    }

    pub(super) fn close(&mut self, fd: u32) -> Result<(), End> {
        self.call(|world, _| world.fd_close(fd))
    }

    pub(super) fn read(&mut self, fd: u32, length: u32) -> Result<Vec<u8>, End> {
        let spans = self.span(length);
        self.call(|world, memory| world.fd_read(memory, fd, spans, RESULT))?;
        Ok(self.memory[BUFFER as usize..][..self.u32(RESULT) as usize].to_vec())
    }

    pub(super) fn pread(&mut self, fd: u32, length: u32, offset: u64) -> Result<Vec<u8>, End> {
        let spans = self.span(length);
        self.call(|world, memory| world.fd_pread(memory, fd, spans, offset, RESULT))?;
        Ok(self.memory[BUFFER as usize..][..self.u32(RESULT) as usize].to_vec())
    }

    pub(super) fn write(&mut self, fd: u32, bytes: impl AsRef<[u8]>) -> Result<u32, End> {
        self.put(BUFFER, bytes.as_ref());
        let spans = self.span(bytes.as_ref().len() as u32);
        self.call(|world, memory| world.fd_write(memory, fd, spans, RESULT))?;
        Ok(self.u32(RESULT))
    }

    pub(super) fn pwrite(&mut self, fd: u32, bytes: impl AsRef<[u8]>, offset: u64) -> Result<u32, End> {
        self.put(BUFFER, bytes.as_ref());
        let spans = self.span(bytes.as_ref().len() as u32);
        self.call(|world, memory| world.fd_pwrite(memory, fd, spans, offset, RESULT))?;
        Ok(self.u32(RESULT))
    }

    pub(super) fn seek(&mut self, fd: u32, offset: i64, whence: u32) -> Result<u64, End> {
        self.call(|world, memory| world.fd_seek(memory, fd, offset, whence, RESULT))?;
        Ok(self.u64(RESULT))
    }

    pub(super) fn resize(&mut self, fd: u32, size: u64) -> Result<(), End> {
        self.call(|world, _| world.fd_filestat_set_size(fd, size))
    }

    /// Type and size of what is at a path.
    pub(super) fn stat_at(&mut self, fd: u32, path: impl AsRef<[u8]>) -> Result<(u8, u64), End> {
        let path = self.path(fd, path);
        self.call(|world, memory| world.path_filestat_get(memory, path, RESULT))?;
        Ok((self.memory[16], self.u64(32)))
    }

    pub(super) fn stat(&mut self, path: impl AsRef<[u8]>) -> Result<(u8, u64), End> {
        self.stat_at(3, path)
    }

    /// Type and size of what is open.
    pub(super) fn fstat(&mut self, fd: u32) -> Result<(u8, u64), End> {
        self.call(|world, memory| world.fd_filestat_get(memory, fd, RESULT))?;
        Ok((self.memory[16], self.u64(32)))
    }

    pub(super) fn mkdir(&mut self, path: impl AsRef<[u8]>) -> Result<(), End> {
        let path = self.path(3, path);
        self.call(|world, memory| world.path_create_directory(memory, path))
    }

    pub(super) fn rmdir(&mut self, path: impl AsRef<[u8]>) -> Result<(), End> {
        let path = self.path(3, path);
        self.call(|world, memory| world.path_remove_directory(memory, path))
    }

    pub(super) fn unlink(&mut self, path: impl AsRef<[u8]>) -> Result<(), End> {
        let path = self.path(3, path);
        self.call(|world, memory| world.path_unlink_file(memory, path))
    }

    pub(super) fn rename(&mut self, from: impl AsRef<[u8]>, to: impl AsRef<[u8]>) -> Result<(), End> {
        let from = self.path(3, from);
        let to = self.path_at(OTHER_PATH, 3, to.as_ref());
        self.call(|world, memory| world.path_rename(memory, from, to))
    }

    /// The names in an open folder, listed with a buffer of this size.
    pub(super) fn list_fd(&mut self, fd: u32, room: u32) -> Result<Vec<String>, End> {
        let (mut names, mut cookie) = (Vec::new(), 0);
        loop {
            self.call(|world, memory| world.fd_readdir(memory, fd, (BUFFER, room), cookie, RESULT))?;
            let used = self.u32(RESULT);
            let (mut at, end) = (BUFFER, BUFFER + used);
            let before = cookie;
            while at + 24 <= end {
                let length = self.u32(at + 16);
                if at + 24 + length > end {
                    break;
                }
                cookie = self.u64(at);
                let name = &self.memory[at as usize + 24..][..length as usize];
                names.push(String::from_utf8(name.to_vec()).unwrap());
                at += 24 + length;
            }
            if used < room {
                return Ok(names);
            }
            assert!(cookie > before, "a buffer too small for one entry");
        }
    }

    /// The names in a folder without `.` and `..`.
    pub(super) fn list(&mut self, path: impl AsRef<[u8]>) -> Result<Vec<String>, End> {
        let fd = self.open(path, FOLDER, READ)?;
        let names = self.list_fd(fd, 4096);
        self.close(fd)?;
        Ok(names?.split_off(2))
    }

    /// Makes a file with this content.
    pub(super) fn write_file(&mut self, path: impl AsRef<[u8]>, bytes: impl AsRef<[u8]>) -> Result<(), End> {
        let fd = self.open(path, CREATE | TRUNCATE, WRITE)?;
        let written = self.write(fd, bytes.as_ref());
        self.close(fd)?;
        assert_eq!(written? as usize, bytes.as_ref().len());
        Ok(())
    }

    /// The first 100 kB of a file.
    pub(super) fn read_file(&mut self, path: impl AsRef<[u8]>) -> Result<String, End> {
        let fd = self.open(path, 0, READ)?;
        let bytes = self.read(fd, 100_000);
        self.close(fd)?;
        Ok(String::from_utf8(bytes?).unwrap())
    }

    /// The sum of what is charged is what is there.
    pub(super) fn check_quota(&self) {
        assert_eq!(self.world.files.used_bytes(), self.world.files.counted_bytes());
    }
}

impl From<Errno> for End {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}
