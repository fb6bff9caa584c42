//! System calls on open descriptors: reading, writing, seeking and closing.

use super::clock::{BYTE_FUEL, SPAN_FUEL};
use super::descriptors::{APPEND, Descriptor, Target, rights};
use super::errno::{Errno, Fault};
use super::memory::{Memory, Span};
use super::{Stop, World};

/// The most `iovec`s of one call, as in POSIX.
const MAX_SPANS: u32 = 1024;

impl World {
    pub(super) fn fd_read(
        &mut self,
        memory: &mut Memory<'_>,
        fd: u32,
        (spans, n_spans): (u32, u32),
        n_read: u32,
    ) -> Result<(), Fault> {
        let descriptor = self.descriptors.get(fd)?;
        descriptor.may(rights::READ)?;
        let (target, position) = (descriptor.target, descriptor.position);
        let spans = self.spans(memory, spans, n_spans)?;
        memory.store_u32(n_read, 0)?;
        let total = self.read_spans(memory, target, position, &spans)?;
        self.descriptors.get_mut(fd)?.position = position.saturating_add(total);
        memory.store_u32(n_read, total as u32)
    }

    pub(super) fn fd_pread(
        &mut self,
        memory: &mut Memory<'_>,
        fd: u32,
        (spans, n_spans): (u32, u32),
        offset: u64,
        n_read: u32,
    ) -> Result<(), Fault> {
        let descriptor = self.descriptors.get(fd)?;
        descriptor.may(rights::READ)?;
        let target = descriptor.target;
        require_position(target)?;
        let spans = self.spans(memory, spans, n_spans)?;
        memory.store_u32(n_read, 0)?;
        let total = self.read_spans(memory, target, offset, &spans)?;
        memory.store_u32(n_read, total as u32)
    }

    pub(super) fn fd_write(
        &mut self,
        memory: &mut Memory<'_>,
        fd: u32,
        (spans, n_spans): (u32, u32),
        n_written: u32,
    ) -> Result<(), Fault> {
        let descriptor = self.descriptors.get(fd)?;
        descriptor.may(rights::WRITE)?;
        let (target, mut position) = (descriptor.target, descriptor.position);
        if let Target::File(inode) = target
            && descriptor.flags & APPEND != 0
        {
            position = self.files.status(inode)?.size;
        }
        let spans = self.spans(memory, spans, n_spans)?;
        memory.store_u32(n_written, 0)?;
        let total = self.write_spans(memory, target, position, &spans)?;
        self.descriptors.get_mut(fd)?.position = position.saturating_add(total);
        memory.store_u32(n_written, total as u32)
    }

    pub(super) fn fd_pwrite(
        &mut self,
        memory: &mut Memory<'_>,
        fd: u32,
        (spans, n_spans): (u32, u32),
        offset: u64,
        n_written: u32,
    ) -> Result<(), Fault> {
        let descriptor = self.descriptors.get(fd)?;
        descriptor.may(rights::WRITE)?;
        let target = descriptor.target;
        require_position(target)?;
        let spans = self.spans(memory, spans, n_spans)?;
        memory.store_u32(n_written, 0)?;
        let total = self.write_spans(memory, target, offset, &spans)?;
        memory.store_u32(n_written, total as u32)
    }

    pub(super) fn fd_seek(
        &mut self,
        memory: &mut Memory<'_>,
        fd: u32,
        offset: i64,
        whence: u32,
        position: u32,
    ) -> Result<(), Fault> {
        let descriptor = self.descriptors.get(fd)?;
        let size = match descriptor.target {
            Target::Input => self.stdin.len() as u64,
            Target::File(inode) => self.files.status(inode)?.size,
            Target::Null | Target::Random => return memory.store_u64(position, 0),
            Target::Output | Target::Error | Target::Channel => return Err(Errno::IllegalSeek.into()),
            Target::Folder(_) => return Err(Errno::BadDescriptor.into()),
        };
        let from = match whence {
            0 => 0,
            1 => descriptor.position,
            2 => size,
            _ => return Err(Errno::Invalid.into()),
        };
        let to = i128::from(from) + i128::from(offset);
        if to < 0 {
            return Err(Errno::Invalid.into());
        }
        let to = i64::try_from(to).map_err(|_| Errno::Overflow)? as u64;
        memory.store_u64(position, to)?;
        self.descriptors.get_mut(fd)?.position = to;
        Ok(())
    }

    pub(super) fn fd_tell(&mut self, memory: &mut Memory<'_>, fd: u32, position: u32) -> Result<(), Fault> {
        self.fd_seek(memory, fd, 0, 1, position)
    }

    pub(super) fn fd_close(&mut self, fd: u32) -> Result<(), Fault> {
        let descriptor = self.descriptors.remove(fd)?;
        self.closed(&descriptor);
        Ok(())
    }

    pub(super) fn fd_renumber(&mut self, from: u32, to: u32) -> Result<(), Fault> {
        if let Some(descriptor) = self.descriptors.renumber(from, to)? {
            self.closed(&descriptor);
        }
        Ok(())
    }

    /// For calls about a file's storage that have nothing to do when there is none.
    pub(super) fn fd_check(&mut self, fd: u32) -> Result<(), Fault> {
        self.descriptors.get(fd)?;
        Ok(())
    }

    pub(super) fn not_a_socket(&mut self, fd: u32) -> Result<(), Fault> {
        self.descriptors.get(fd)?;
        Err(Errno::NotSocket.into())
    }

    pub(super) fn fd_allocate(&mut self, fd: u32, offset: u64, length: u64) -> Result<(), Fault> {
        let descriptor = self.descriptors.get(fd)?;
        descriptor.may(rights::WRITE)?;
        let Target::File(inode) = descriptor.target else {
            return Err(Errno::BadDescriptor.into());
        };
        if length == 0 {
            return Err(Errno::Invalid.into());
        }
        let end = offset.checked_add(length).ok_or(Errno::FileTooLarge)?;
        if end > self.files.status(inode)?.size {
            let now = self.now();
            self.files.resize(inode, end, now)?;
        }
        Ok(())
    }

    pub(super) fn fd_filestat_set_size(&mut self, fd: u32, size: u64) -> Result<(), Fault> {
        let descriptor = self.descriptors.get(fd)?;
        // Not open for writing is said like that by POSIX.
        descriptor.may(rights::WRITE).map_err(|_| Errno::Invalid)?;
        let Target::File(inode) = descriptor.target else {
            return Err(Errno::Invalid.into());
        };
        let now = self.now();
        self.files.resize(inode, size, now)?;
        Ok(())
    }

    fn closed(&mut self, descriptor: &Descriptor) {
        if let Target::File(inode) | Target::Folder(inode) = descriptor.target {
            self.files.release(inode);
        }
    }

    fn spans(&mut self, memory: &Memory<'_>, address: u32, count: u32) -> Result<Vec<Span>, Fault> {
        if count > MAX_SPANS {
            return Err(Errno::Invalid.into());
        }
        self.charge(SPAN_FUEL * u64::from(count))?;
        let spans = memory.spans(address, count)?;
        // All of them, so that nothing is read or written if one leads out of memory.
        for span in &spans {
            memory.bytes(span.address, span.length)?;
        }
        let total: u64 = spans.iter().map(|span| u64::from(span.length)).sum();
        // The answer is a number of 32 bits.
        if total > u64::from(u32::MAX) { Err(Errno::Invalid.into()) } else { Ok(spans) }
    }

    fn read_spans(
        &mut self,
        memory: &mut Memory<'_>,
        target: Target,
        position: u64,
        spans: &[Span],
    ) -> Result<u64, Fault> {
        let mut total = 0;
        for span in spans {
            let bytes = memory.bytes_mut(span.address, span.length)?;
            let at = position.saturating_add(total);
            let count = match target {
                Target::Input => {
                    let rest =
                        usize::try_from(at).ok().and_then(|at| self.stdin.get(at..)).unwrap_or_default();
                    let count = rest.len().min(bytes.len());
                    bytes[..count].copy_from_slice(&rest[..count]);
                    count
                }
                Target::File(inode) => self.files.read_at(inode, at, bytes)?,
                Target::Null => 0,
                Target::Random => {
                    self.charge(BYTE_FUEL * u64::from(span.length))?;
                    self.random.fill(bytes);
                    bytes.len()
                }
                Target::Channel => self.conversation.read(bytes)?,
                Target::Folder(_) => return Err(Errno::IsFolder.into()),
                Target::Output | Target::Error => return Err(Errno::BadDescriptor.into()),
            };
            self.charge(BYTE_FUEL * count as u64)?;
            total += count as u64;
            if count < span.length as usize {
                break;
            }
        }
        Ok(total)
    }

    fn write_spans(
        &mut self,
        memory: &Memory<'_>,
        target: Target,
        position: u64,
        spans: &[Span],
    ) -> Result<u64, Fault> {
        let mut total = 0;
        for span in spans {
            let bytes = memory.bytes(span.address, span.length)?;
            self.charge(BYTE_FUEL * u64::from(span.length))?;
            match self.write_bytes(target, position.saturating_add(total), bytes) {
                Ok(()) => total += u64::from(span.length),
                // What was written stays written.
                Err(Fault::Errno(_)) if total > 0 => break,
                Err(fault) => return Err(fault),
            }
        }
        Ok(total)
    }

    fn write_bytes(&mut self, target: Target, position: u64, bytes: &[u8]) -> Result<(), Fault> {
        match target {
            Target::Output => {
                let room = self.output_bytes.saturating_sub(self.stdout.len());
                self.stdout.extend_from_slice(&bytes[..bytes.len().min(room)]);
                if bytes.len() > room {
                    return Err(Stop::OutputLimit.into());
                }
            }
            Target::Error => {
                let room = self.output_bytes.saturating_sub(self.stderr.len());
                self.stderr.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
            Target::File(inode) => {
                let now = self.now();
                self.files.write_at(inode, position, bytes, now)?;
            }
            Target::Null | Target::Random => {}
            Target::Channel => self.conversation.write(bytes)?,
            Target::Input => return Err(Errno::BadDescriptor.into()),
            Target::Folder(_) => return Err(Errno::IsFolder.into()),
        }
        Ok(())
    }
}

/// Only a file can be read and written at any place.
fn require_position(target: Target) -> Result<(), Errno> {
    match target {
        Target::Input | Target::File(_) | Target::Null | Target::Random => Ok(()),
        Target::Folder(_) => Err(Errno::IsFolder),
        Target::Output | Target::Error | Target::Channel => Err(Errno::IllegalSeek),
    }
}
