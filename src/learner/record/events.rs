//! TensorBoard's event files: records of TFRecord's framing, each an `Event` message with scalars.
//!
//! A record is its length (u64), a checksum of those bytes, its bytes, and a checksum of them, all little-endian; a
//! checksum is a masked CRC-32C. The messages (`Event`, `Summary`, `SessionLog`) are written by hand: five fields.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::now;

/// An event file that is being written.
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// Begins a file in `folder`, which is made if it is not there. Every process of a run has a file of its own;
    /// with `resumed`, the step it goes on from, charts forget what the earlier ones have after it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(folder: &Path, resumed: Option<u64>) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let time = now();
        let process = std::process::id();
        // Readers want this in the name, and take files in the order of their names.
        let path = folder.join(format!("events.out.tfevents.{:010}.{process}.gavel", time as u64));
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        let mut events = Self { path, file };
        let mut version = event(time, 0);
        bytes_field(&mut version, FILE_VERSION, b"brain.Event:2");
        events.append(&version)?;
        if let Some(step) = resumed {
            let mut begin = event(time, step + 1);
            let mut log = Vec::new();
            varint_field(&mut log, SESSION_STATUS, SESSION_START);
            bytes_field(&mut begin, SESSION_LOG, &log);
            events.append(&begin)?;
        }
        Ok(events)
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the scalars of a step, all at once.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, step: u64, scalars: &[(String, f64)]) -> io::Result<()> {
        self.append(&scalars_event(now(), step, scalars))
    }

    fn append(&mut self, event: &[u8]) -> io::Result<()> {
        self.file.write_all(&record(event))
    }
}

// Numbers of fields in TensorFlow's `event.proto` and `summary.proto`.
const WALL_TIME: u64 = 1;
const STEP: u64 = 2;
const FILE_VERSION: u64 = 3;
const SUMMARY: u64 = 5;
const SESSION_LOG: u64 = 7;
const SUMMARY_VALUE: u64 = 1;
const VALUE_TAG: u64 = 1;
const VALUE_NUMBER: u64 = 2;
const SESSION_STATUS: u64 = 1;
const SESSION_START: u64 = 1;

// Kinds of fields on the wire.
const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const LENGTH: u64 = 2;
const FIXED_32: u64 = 5;

/// An event with its time and step, to which the rest is appended.
fn event(time: f64, step: u64) -> Vec<u8> {
    let mut event = Vec::new();
    varint(&mut event, WALL_TIME << 3 | FIXED_64);
    event.extend(time.to_le_bytes());
    varint_field(&mut event, STEP, step);
    event
}

pub(super) fn scalars_event(time: f64, step: u64, scalars: &[(String, f64)]) -> Vec<u8> {
    let mut summary = Vec::new();
    for (name, number) in scalars {
        let mut value = Vec::new();
        bytes_field(&mut value, VALUE_TAG, name.as_bytes());
        varint(&mut value, VALUE_NUMBER << 3 | FIXED_32);
        value.extend((*number as f32).to_le_bytes());
        bytes_field(&mut summary, SUMMARY_VALUE, &value);
    }
    let mut event = event(time, step);
    bytes_field(&mut event, SUMMARY, &summary);
    event
}

fn varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn varint_field(bytes: &mut Vec<u8>, field: u64, number: u64) {
    varint(bytes, field << 3 | VARINT);
    varint(bytes, number);
}

fn bytes_field(bytes: &mut Vec<u8>, field: u64, content: &[u8]) {
    varint(bytes, field << 3 | LENGTH);
    varint(bytes, content.len() as u64);
    bytes.extend_from_slice(content);
}

/// Frames a record.
pub(super) fn record(content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(content.len() + 16);
    record.extend(length);
    record.extend(masked(crc32c(&length)).to_le_bytes());
    record.extend_from_slice(content);
    record.extend(masked(crc32c(content)).to_le_bytes());
    record
}

/// Masked, so that a checksum of bytes with a checksum in them is a good one.
const fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), bit-reversed as it is used everywhere.
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| (crc >> 8) ^ TABLE[usize::from(crc as u8 ^ byte)])
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let mut crc = i as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
};
