//! The container: metadata, descriptions of tensors, then their numbers (GGUF version 3, little-endian).

use super::dtype::Dtype;

/// Numbers begin at multiples of this, which is what readers assume where a file says nothing else.
const ALIGNMENT: usize = 32;

/// What a key of the metadata says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// A number from 0.
    U32(u32),
    /// A number.
    F32(f32),
    /// Yes or no.
    Bool(bool),
    /// A text.
    String(String),
    /// Numbers.
    I32s(Vec<i32>),
    /// Numbers.
    F32s(Vec<f32>),
    /// Texts.
    Strings(Vec<String>),
}

impl Value {
    /// The number of its type in the format; of an array that of its elements.
    const fn code(&self) -> u32 {
        match self {
            Self::U32(_) => 4,
            Self::I32s(_) => 5,
            Self::F32(_) | Self::F32s(_) => 6,
            Self::Bool(_) => 7,
            Self::String(_) | Self::Strings(_) => 8,
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        const ARRAY: u32 = 9;
        let array = |out: &mut Vec<u8>, n: usize| {
            put(out, ARRAY);
            put(out, self.code());
            put_long(out, n);
        };
        match self {
            Self::I32s(values) => {
                array(out, values.len());
                out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            }
            Self::F32s(values) => {
                array(out, values.len());
                out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            }
            Self::Strings(values) => {
                array(out, values.len());
                for value in values {
                    put_text(out, value);
                }
            }
            Self::U32(value) => {
                put(out, self.code());
                put(out, *value);
            }
            Self::F32(value) => {
                put(out, self.code());
                out.extend(value.to_le_bytes());
            }
            Self::Bool(value) => {
                put(out, self.code());
                out.push(u8::from(*value));
            }
            Self::String(value) => {
                put(out, self.code());
                put_text(out, value);
            }
        }
    }
}

/// Keys and their values, in the order in which they are written.
pub(super) type Metadata = Vec<(String, Value)>;

/// One tensor of the file.
#[derive(Clone, Debug)]
pub(super) struct Described<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// Its shape, rows first.
    pub(super) shape: &'a [usize],
    /// The type of its numbers.
    pub(super) dtype: Dtype,
}

impl Described<'_> {
    /// Bytes of its numbers.
    pub(super) fn size(&self) -> usize {
        self.dtype.size(self.shape.iter().product())
    }
}

/// Everything before the numbers; they begin right behind it.
pub(super) fn header(metadata: &Metadata, tensors: &[Described]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 << 12);
    out.extend(b"GGUF");
    put(&mut out, 3);
    put_long(&mut out, tensors.len());
    put_long(&mut out, metadata.len());
    for (key, value) in metadata {
        put_text(&mut out, key);
        value.encode(&mut out);
    }
    let mut offset = 0;
    for tensor in tensors {
        put_text(&mut out, tensor.name);
        put(&mut out, tensor.shape.len() as u32);
        // The dimension that runs fastest comes first.
        for size in tensor.shape.iter().rev() {
            put_long(&mut out, *size);
        }
        put(&mut out, tensor.dtype.code());
        put_long(&mut out, offset);
        offset += padded(tensor.size());
    }
    pad(&mut out);
    out
}

/// Bytes of a tensor with what lies between it and the next.
pub(super) const fn padded(size: usize) -> usize {
    size.next_multiple_of(ALIGNMENT)
}

/// Zeros up to where the next tensor may begin.
pub(super) fn pad(out: &mut Vec<u8>) {
    out.resize(padded(out.len()), 0);
}

fn put(out: &mut Vec<u8>, value: u32) {
    out.extend(value.to_le_bytes());
}

fn put_long(out: &mut Vec<u8>, value: usize) {
    out.extend((value as u64).to_le_bytes());
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_long(out, text.len());
    out.extend(text.as_bytes());
}
