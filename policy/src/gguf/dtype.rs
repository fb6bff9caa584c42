//! The types of numbers that a file may hold.

use std::fmt;
use std::str::FromStr;

use half::{bf16, f16};
use rayon::prelude::*;

/// Numbers of one block of `q8_0`.
const BLOCK: usize = 32;

/// Numbers that one thread turns into bytes at a time; whole blocks. Where threads split changes no byte.
const AT_ONCE: usize = 1 << 15;

/// The type of the matrices of a file. Vectors (norms, biases) are 32-bit floats in any case, as llama.cpp wants them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dtype {
    /// Four bytes, exact.
    F32,
    /// Two bytes, 11 bits of precision, up to 65504.
    F16,
    /// Two bytes, 8 bits of precision, the range of f32.
    #[default]
    Bf16,
    /// Eight bits and a scale for each 32 numbers of a row: 8.5 bits a number. Matrices whose rows are no multiple of
    /// 32 are written as `f16`.
    Q8_0,
}

impl Dtype {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::F32, Self::F16, Self::Bf16, Self::Q8_0];

    /// Its name, as llama.cpp writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Q8_0 => "q8_0",
        }
    }

    /// The number of the type in llama.cpp (`enum ggml_type`).
    pub const fn code(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q8_0 => 8,
            Self::Bf16 => 30,
        }
    }

    /// The number of a file whose matrices are of the type (`general.file_type`, `enum llama_ftype`).
    pub(super) const fn file_type(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q8_0 => 7,
            Self::Bf16 => 32,
        }
    }

    /// The type that a tensor of this shape has in a file of matrices of this type.
    #[must_use]
    pub fn of(self, shape: &[usize]) -> Self {
        match (self, shape) {
            (_, [] | [_]) => Self::F32,
            (Self::Q8_0, [.., width]) if !width.is_multiple_of(BLOCK) => Self::F16,
            _ => self,
        }
    }

    /// Bytes of so many numbers; for `q8_0` a multiple of 32.
    pub const fn size(self, n: usize) -> usize {
        match self {
            Self::F32 => 4 * n,
            Self::F16 | Self::Bf16 => 2 * n,
            Self::Q8_0 => n / BLOCK * (2 + BLOCK),
        }
    }

    /// Writes numbers over `out`, which has [`size`](Self::size) bytes.
    pub(super) fn encode(self, values: &[f32], out: &mut [u8]) {
        debug_assert_eq!(out.len(), self.size(values.len()));
        let part = |(values, out): (&[f32], &mut [u8])| match self {
            Self::F32 => {
                for (value, out) in values.iter().zip(out.as_chunks_mut::<4>().0) {
                    *out = value.to_le_bytes();
                }
            }
            Self::F16 => {
                for (value, out) in values.iter().zip(out.as_chunks_mut::<2>().0) {
                    *out = f16::from_f32(*value).to_le_bytes();
                }
            }
            Self::Bf16 => {
                for (value, out) in values.iter().zip(out.as_chunks_mut::<2>().0) {
                    *out = bf16::from_f32(*value).to_le_bytes();
                }
            }
            Self::Q8_0 => {
                for (values, out) in values.as_chunks().0.iter().zip(out.as_chunks_mut().0) {
                    *out = block(values);
                }
            }
        };
        if values.len() <= AT_ONCE {
            part((values, out));
        } else {
            values.par_chunks(AT_ONCE).zip(out.par_chunks_mut(self.size(AT_ONCE))).for_each(part);
        }
    }
}

/// A block of `q8_0`: the largest magnitude over 127 as f16, then each number over it, rounded.
fn block(values: &[f32; BLOCK]) -> [u8; 2 + BLOCK] {
    let largest = values.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    let scale = largest / 127.0;
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    let mut out = [0; 2 + BLOCK];
    out[..2].copy_from_slice(&f16::from_f32(scale).to_le_bytes());
    for (value, out) in values.iter().zip(&mut out[2..]) {
        *out = ((value * inverse).round() as i8).cast_unsigned();
    }
    out
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Dtype {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|dtype| dtype.name() == name)
            .ok_or_else(|| format!("`{name}` is none of {}", Self::ALL.map(Self::name).join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::quantized::{GgmlDType, QTensor};
    use candle_core::{Device, Tensor};

    use super::*;

    /// Numbers of many sizes, with zeros, in whole blocks.
    fn numbers(n: usize) -> Vec<f32> {
        (0..n)
            .map(|i| if i % 97 < 40 { 0.0 } else { ((i * 2_654_435_761) % 1000) as f32 * 0.003 - 1.4 })
            .collect()
    }

    #[test]
    fn bytes_are_those_of_candle() {
        for (ours, theirs) in
            [(Dtype::F16, GgmlDType::F16), (Dtype::Bf16, GgmlDType::BF16), (Dtype::Q8_0, GgmlDType::Q8_0)]
        {
            let values = numbers(3 * AT_ONCE + 64);
            let mut bytes = vec![0; ours.size(values.len())];
            ours.encode(&values, &mut bytes);
            let n = values.len() / 32;
            let tensor = Tensor::from_vec(values, (n, 32), &Device::Cpu).expect("a matrix");
            let theirs = QTensor::quantize(&tensor, theirs).expect("on the CPU");
            let theirs = theirs.data().expect("on the CPU");
            assert!(bytes == *theirs, "{ours}");
        }
    }

    #[test]
    fn names_are_read_back() {
        for dtype in Dtype::ALL {
            assert_eq!(dtype.name().parse(), Ok(dtype));
        }
        assert_eq!("q4_k".parse::<Dtype>(), Err("`q4_k` is none of f32, f16, bf16, q8_0".to_owned()));
    }

    #[test]
    fn vectors_stay_exact_and_odd_rows_are_halves() {
        for (dtype, shape, expected) in [
            (Dtype::Q8_0, &[64][..], Dtype::F32),
            (Dtype::Q8_0, &[8, 64], Dtype::Q8_0),
            (Dtype::Q8_0, &[8, 48], Dtype::F16),
            (Dtype::F16, &[8, 48], Dtype::F16),
            (Dtype::Bf16, &[48], Dtype::F32),
        ] {
            assert_eq!(dtype.of(shape), expected, "{dtype} {shape:?}");
        }
    }
}
