//! The beginning of a GGUF file, read here before llama.cpp sees it: a broken file is an error and not an abort.
//!
//! The layout is that of `docs/gguf.md` of ggml, version 3.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use crate::error::{LlamaError, Result};

/// The longest text or list that a file may have; more is damage.
const MAX_LENGTH: u64 = 1 << 32;
/// The most entries and tensors.
const MAX_COUNT: u64 = 1 << 24;
/// Texts of the metadata that are kept.
const KEPT: usize = 1 << 12;

/// What a file says of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Header {
    /// Texts of the metadata, but for long ones and lists.
    pub texts: BTreeMap<String, String>,
    /// The tensors, in the order of the file.
    pub tensors: Vec<TensorInfo>,
}

/// A tensor of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name, such as `blk.0.attn_q.weight`.
    pub name: String,
    /// Its shape in GGUF's order: the width of a row first.
    pub shape: Vec<u64>,
    /// The number of its type (`enum ggml_type`).
    pub kind: u32,
    /// Where its numbers begin, from the beginning of the file.
    pub offset: u64,
    /// Bytes of its numbers.
    pub size: u64,
}

impl Header {
    /// Reads a file's beginning, and checks that the file has all its tensors.
    ///
    /// # Errors
    /// When it cannot be read, is no GGUF file, or is cut off or broken.
    pub fn read(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|source| LlamaError::file(path, source))?;
        let length = file.metadata().map_err(|source| LlamaError::file(path, source))?.len();
        Self::parse(&mut BufReader::new(file), length, &path.display().to_string())
    }

    /// The same of bytes; `place` names them in errors.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn of_bytes(bytes: &[u8], place: &str) -> Result<Self> {
        Self::parse(&mut std::io::Cursor::new(bytes), bytes.len() as u64, place)
    }

    fn parse(source: &mut (impl Read + Seek), length: u64, place: &str) -> Result<Self> {
        let mut reader = Reader { source, length };
        let mut header = Self::default();
        reader
            .header(&mut header)
            .map_err(|message| LlamaError::Damaged { place: place.to_owned(), message })?;
        Ok(header)
    }
}

/// What is wrong, in a sentence.
type Read1<T> = std::result::Result<T, String>;

struct Reader<'a, R> {
    source: &'a mut R,
    length: u64,
}

impl<R: Read + Seek> Reader<'_, R> {
    fn header(&mut self, header: &mut Header) -> Read1<()> {
        let magic: [u8; 4] = self.bytes().map_err(|_| "it is too short for a GGUF file".to_owned())?;
        if &magic != b"GGUF" {
            return Err("it is no GGUF file".to_owned());
        }
        let version = self.u32()?;
        if !(2..=3).contains(&version) {
            return Err(format!("it is GGUF of version {version}; known are 2 and 3"));
        }
        let n_tensors = self.count("tensors")?;
        let n_entries = self.count("entries")?;
        let mut alignment = 32;
        for _ in 0..n_entries {
            let key = self.text()?;
            let kind = self.u32()?;
            if key == "general.alignment" && kind == 4 {
                alignment = u64::from(self.u32()?);
                if alignment == 0 || !alignment.is_power_of_two() {
                    return Err(format!(
                        "its tensors are aligned to {alignment} bytes, which is no power of two"
                    ));
                }
            } else if kind == 8 {
                let text = self.text()?;
                if text.len() <= KEPT {
                    header.texts.insert(key, text);
                }
            } else {
                self.pass(kind, &key)?;
            }
        }
        let mut end = 0;
        for _ in 0..n_tensors {
            let tensor = self.tensor()?;
            end = end.max(tensor.offset.saturating_add(tensor.size));
            header.tensors.push(tensor);
        }
        let at = self.source.stream_position().map_err(|error| error.to_string())?;
        let data = at.next_multiple_of(alignment);
        if n_tensors > 0 && data.saturating_add(end) > self.length {
            return Err(format!(
                "it is cut off: its tensors end at byte {} and it has {}",
                data.saturating_add(end),
                self.length
            ));
        }
        for tensor in &mut header.tensors {
            tensor.offset += data;
        }
        Ok(())
    }

    fn tensor(&mut self) -> Read1<TensorInfo> {
        let name = self.text()?;
        let n = self.u32()?;
        if !(1..=4).contains(&n) {
            return Err(format!("the tensor {name} has {n} dimensions"));
        }
        let shape = (0..n).map(|_| self.u64()).collect::<Read1<Vec<u64>>>()?;
        let kind = self.u32()?;
        let offset = self.u64()?;
        let too_large = || format!("the tensor {name} is too large");
        let numbers = shape.iter().try_fold(1_u64, |all, n| all.checked_mul(*n)).ok_or_else(too_large)?;
        let (block, bytes) =
            block(kind).ok_or_else(|| format!("the tensor {name} is of the unknown type {kind}"))?;
        if numbers == 0 || !shape[0].is_multiple_of(block) {
            return Err(format!(
                "the tensor {name} of shape {shape:?} is not whole blocks of {block} numbers"
            ));
        }
        let size = (numbers / block).checked_mul(bytes).ok_or_else(too_large)?;
        Ok(TensorInfo { name, shape, kind, offset, size })
    }

    /// Passes over a value.
    fn pass(&mut self, kind: u32, key: &str) -> Read1<()> {
        match (size(kind), kind) {
            (Some(size), _) => self.skip(size),
            (None, 8) => {
                let n = self.u64()?;
                self.skip(n)
            }
            (None, 9) => {
                let inner = self.u32()?;
                let n = self.u64()?;
                if n > MAX_LENGTH {
                    return Err(format!("the list `{key}` has {n} items"));
                }
                match (size(inner), inner) {
                    (Some(size), _) => self.skip(n.saturating_mul(size)),
                    (None, 8) => (0..n).try_for_each(|_| self.pass(8, key)),
                    _ => Err(format!("the list `{key}` is of the unknown type {inner}")),
                }
            }
            _ => Err(format!("the entry `{key}` is of the unknown type {kind}")),
        }
    }

    fn skip(&mut self, n: u64) -> Read1<()> {
        let at = self.source.stream_position().map_err(|error| error.to_string())?;
        if at.saturating_add(n) > self.length {
            return Err("it is cut off in its metadata".to_owned());
        }
        let n = i64::try_from(n).map_err(|error| error.to_string())?;
        self.source.seek_relative(n).map_err(|error| error.to_string())
    }

    fn bytes<const N: usize>(&mut self) -> Read1<[u8; N]> {
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes).map_err(|_| "it is cut off in its metadata".to_owned())?;
        Ok(bytes)
    }

    fn u32(&mut self) -> Read1<u32> {
        Ok(u32::from_le_bytes(self.bytes()?))
    }

    fn u64(&mut self) -> Read1<u64> {
        Ok(u64::from_le_bytes(self.bytes()?))
    }

    fn count(&mut self, what: &str) -> Read1<u64> {
        match self.u64()? {
            n if n <= MAX_COUNT => Ok(n),
            n => Err(format!("it says that it has {n} {what}")),
        }
    }

    fn text(&mut self) -> Read1<String> {
        let n = self.u64()?;
        if n > self.length {
            return Err("it is cut off in its metadata".to_owned());
        }
        let mut bytes = vec![0; n as usize];
        self.source.read_exact(&mut bytes).map_err(|_| "it is cut off in its metadata".to_owned())?;
        String::from_utf8(bytes).map_err(|_| "a text of its metadata is no UTF-8".to_owned())
    }
}

/// Bytes of a value of metadata that is neither text nor list.
const fn size(kind: u32) -> Option<u64> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

/// Numbers of a block of a tensor's type, and bytes of it.
#[allow(unsafe_code)]
fn block(kind: u32) -> Option<(u64, u64)> {
    if kind >= llama_cpp_sys_2::GGML_TYPE_COUNT {
        return None;
    }
    // SAFETY: both look the type up in a table of `GGML_TYPE_COUNT` rows.
    let (numbers, bytes) =
        unsafe { (llama_cpp_sys_2::ggml_blck_size(kind), llama_cpp_sys_2::ggml_type_size(kind)) };
    u64::try_from(numbers).ok().filter(|n| *n > 0 && bytes > 0).map(|numbers| (numbers, bytes as u64))
}
