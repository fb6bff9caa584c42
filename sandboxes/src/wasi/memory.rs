//! The linear memory of the guest during one system call.
//!
//! Every address comes from the guest and is a number like any other: it is checked against the memory's end before
//! it is used, and sums are made in 64 bits, where 32-bit addresses and lengths cannot wrap around.

use std::ops::Range;

use super::errno::{Errno, Fault};

/// Linear memory, borrowed from the store.
pub(super) struct Memory<'m>(&'m mut [u8]);

/// One `iovec` of a reading or writing call: where, and how many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) address: u32,
    pub(super) length: u32,
}

/// Size of an `iovec` in bytes.
const SPAN_BYTES: u64 = 8;

impl<'m> Memory<'m> {
    pub(super) fn new(bytes: &'m mut [u8]) -> Self {
        Self(bytes)
    }

    fn range(&self, address: u64, length: u64) -> Result<Range<usize>, Fault> {
        let end = address.checked_add(length).ok_or(Errno::Fault)?;
        if end > self.0.len() as u64 {
            return Err(Errno::Fault.into());
        }
        Ok(address as usize..end as usize)
    }

    /// The bytes from `address` on.
    pub(super) fn bytes(&self, address: u32, length: u32) -> Result<&[u8], Fault> {
        let range = self.range(u64::from(address), u64::from(length))?;
        self.0.get(range).ok_or(Fault::Errno(Errno::Fault))
    }

    /// The same, to be written.
    pub(super) fn bytes_mut(&mut self, address: u32, length: u32) -> Result<&mut [u8], Fault> {
        let range = self.range(u64::from(address), u64::from(length))?;
        self.0.get_mut(range).ok_or(Fault::Errno(Errno::Fault))
    }

    /// Stores `bytes` at `address`.
    pub(super) fn store(&mut self, address: u32, bytes: &[u8]) -> Result<(), Fault> {
        let range = self.range(u64::from(address), bytes.len() as u64)?;
        self.0.get_mut(range).ok_or(Errno::Fault)?.copy_from_slice(bytes);
        Ok(())
    }

    /// Stores a 32-bit number.
    pub(super) fn store_u32(&mut self, address: u32, value: u32) -> Result<(), Fault> {
        self.store(address, &value.to_le_bytes())
    }

    /// Stores a 64-bit number.
    pub(super) fn store_u64(&mut self, address: u32, value: u64) -> Result<(), Fault> {
        self.store(address, &value.to_le_bytes())
    }

    /// Stores the offset of each string in the list at `offsets`, and the strings themselves, each with a zero byte
    /// after it, one after the other from `buffer` on.
    pub(super) fn store_strings(
        &mut self,
        offsets: u32,
        buffer: u32,
        strings: &[String],
    ) -> Result<(), Fault> {
        let mut slot = u64::from(offsets);
        let mut at = u64::from(buffer);
        for string in strings {
            let offset = u32::try_from(slot).map_err(|_| Errno::Fault)?;
            let address = u32::try_from(at).map_err(|_| Errno::Fault)?;
            self.store_u32(offset, address)?;
            self.store(address, string.as_bytes())?;
            at += string.len() as u64 + 1;
            let last = u32::try_from(at - 1).map_err(|_| Errno::Fault)?;
            self.store(last, &[0])?;
            slot += 4;
        }
        Ok(())
    }

    /// The spans in the list of `count` at `address`.
    pub(super) fn spans(&self, address: u32, count: u32) -> Result<Vec<Span>, Fault> {
        let range = self.range(u64::from(address), u64::from(count) * SPAN_BYTES)?;
        let list = self.0.get(range).ok_or(Errno::Fault)?;
        let number = |bytes: &[u8]| bytes.try_into().map(u32::from_le_bytes).unwrap_or_default();
        Ok(list
            .chunks_exact(SPAN_BYTES as usize)
            .map(|pair| {
                let (address, length) = pair.split_at(4);
                Span { address: number(address), length: number(length) }
            })
            .collect())
    }
}
