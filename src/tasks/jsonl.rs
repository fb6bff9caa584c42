//! Lines of JSONL input, bounded.
//!
//! The rules: a line ends with `\n`, and a `\r` before it belongs to the end; the last line needs none. Lines of
//! white space are counted and skipped. A UTF-8 byte order mark at the very beginning is dropped; one of UTF-16
//! or UTF-32 is an error, since such a file must be converted. Text that is not UTF-8 is an error that names
//! the line and the byte. A line above the limit is an error too; what exceeds the limit is never kept in memory.
//! After an error in one line the next call goes on with the line after it.

use std::io::{self, BufRead};

/// The longest line that is read unless the caller says otherwise: a group of 64 completions of one MiB each.
pub const DEFAULT_MAX_LINE_BYTES: usize = 64 << 20;

/// Reads lines one at a time into a buffer of its own.
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    max_line_bytes: usize,
    number: u64,
    buffer: Vec<u8>,
    /// After an error of the reader nothing more is read.
    broken: bool,
}

/// A line that is not blank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its number in the input, from 1; blank lines count.
    pub number: u64,
    /// What it holds, without the line end.
    pub text: &'a str,
}

/// A line could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The reader failed.
    #[error("line {line}: cannot read the input")]
    Read {
        /// The line that was being read.
        line: u64,
        /// What the reader said.
        #[source]
        source: io::Error,
    },
    /// The line is longer than allowed.
    #[error(
        "line {line}: longer than {max_line_bytes} bytes; one record stands on one line, so split it or raise the limit"
    )]
    TooLong {
        /// The line's number.
        line: u64,
        /// The limit.
        max_line_bytes: usize,
    },
    /// The line is not UTF-8.
    #[error("line {line}: byte {byte} is not UTF-8; convert the input to UTF-8")]
    NotUtf8 {
        /// The line's number.
        line: u64,
        /// The first byte of the line that is wrong, from 1.
        byte: usize,
    },
    /// The input starts with the mark of another encoding.
    #[error("line 1: the input is {encoding}; convert it to UTF-8")]
    WrongEncoding {
        /// The encoding its byte order mark shows.
        encoding: &'static str,
    },
}

impl LineError {
    /// The number of the line, from 1.
    pub const fn line(&self) -> u64 {
        match self {
            Self::Read { line, .. } | Self::TooLong { line, .. } | Self::NotUtf8 { line, .. } => *line,
            Self::WrongEncoding { .. } => 1,
        }
    }

    /// Whether lines may follow: an error of the reader and a wrong encoding end the input.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Read { .. } | Self::WrongEncoding { .. })
    }
}

impl<R: BufRead> Lines<R> {
    /// Reads from `reader` with the default limit.
    pub const fn new(reader: R) -> Self {
        Self { reader, max_line_bytes: DEFAULT_MAX_LINE_BYTES, number: 0, buffer: Vec::new(), broken: false }
    }

    /// With another limit on the bytes of a line, its end not counted.
    #[must_use]
    pub const fn with_max_line_bytes(mut self, max_line_bytes: usize) -> Self {
        self.max_line_bytes = max_line_bytes;
        self
    }

    /// The next line that is not blank; `None` at the end of the input.
    ///
    /// # Errors
    /// When the line cannot be read. Unless the error is final, the next call reads the line after it.
    pub fn next_line(&mut self) -> Result<Option<Line<'_>>, LineError> {
        loop {
            if self.broken || !self.fill()? {
                return Ok(None);
            }
            if self.number == 1 {
                self.drop_mark()?;
            }
            if !self.buffer.iter().all(u8::is_ascii_whitespace) {
                break;
            }
        }
        let number = self.number;
        match std::str::from_utf8(&self.buffer) {
            Ok(text) => Ok(Some(Line { number, text })),
            Err(error) => Err(LineError::NotUtf8 { line: number, byte: error.valid_up_to() + 1 }),
        }
    }

    /// Reads one line into the buffer, without its end; false at the end of the input.
    fn fill(&mut self) -> Result<bool, LineError> {
        // One very long line shall not keep its memory for the rest of the input.
        if self.buffer.capacity() > KEPT_BYTES {
            self.buffer = Vec::new();
        }
        self.buffer.clear();
        self.number += 1;
        let (mut any, mut too_long, mut ended) = (false, false, false);
        while !ended {
            let chunk = match self.reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => {
                    self.broken = true;
                    return Err(LineError::Read { line: self.number, source });
                }
            };
            if chunk.is_empty() {
                break;
            }
            any = true;
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let part = &chunk[..end.unwrap_or(chunk.len())];
            // Two bytes and a mark more than the limit may belong to the line's end and the file's beginning.
            let room = self.max_line_bytes.saturating_add(SLACK_BYTES).saturating_sub(self.buffer.len());
            too_long |= part.len() > room;
            if !too_long {
                self.buffer.extend_from_slice(part);
            }
            ended = end.is_some();
            let used = end.map_or(chunk.len(), |at| at + 1);
            self.reader.consume(used);
        }
        if ended && self.buffer.last() == Some(&b'\r') {
            self.buffer.pop();
        }
        let mark = if self.number == 1 && self.buffer.starts_with(UTF8_MARK) { UTF8_MARK.len() } else { 0 };
        if too_long || self.buffer.len() - mark > self.max_line_bytes {
            return Err(LineError::TooLong { line: self.number, max_line_bytes: self.max_line_bytes });
        }
        Ok(any)
    }

    fn drop_mark(&mut self) -> Result<(), LineError> {
        if self.buffer.starts_with(UTF8_MARK) {
            self.buffer.drain(..UTF8_MARK.len());
        }
        let other = OTHER_MARKS.iter().find(|(mark, _)| self.buffer.starts_with(mark));
        if let Some(&(_, encoding)) = other {
            self.broken = true;
            return Err(LineError::WrongEncoding { encoding });
        }
        Ok(())
    }
}

/// A byte order mark and a carriage return.
const SLACK_BYTES: usize = 4;
/// The most memory that is kept from one line to the next.
const KEPT_BYTES: usize = 1 << 20;
const UTF8_MARK: &[u8] = b"\xEF\xBB\xBF";
/// The marks of UTF-32 come first, since the little-endian one starts with that of UTF-16.
const OTHER_MARKS: [(&[u8], &str); 4] = [
    (b"\xFF\xFE\0\0", "UTF-32"),
    (b"\0\0\xFE\xFF", "UTF-32"),
    (b"\xFF\xFE", "UTF-16"),
    (b"\xFE\xFF", "UTF-16"),
];
