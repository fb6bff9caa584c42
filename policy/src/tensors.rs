//! Reading and writing `.safetensors` files, one tensor at a time.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use candle_core::{DType, Tensor, Var};
use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use crate::error::{PolicyError, Result};

/// The longest header that is believed; the format's own limit.
const MAX_HEADER: u64 = 100_000_000;

/// How many numbers are turned into bytes at a time.
const AT_ONCE: usize = 1 << 16;

/// An open file: what it holds is known, no number has been read.
#[derive(Debug)]
pub struct TensorFile {
    path: PathBuf,
    file: File,
    metadata: Metadata,
    /// Where the numbers begin.
    start: u64,
}

impl TensorFile {
    /// Reads the header.
    ///
    /// # Errors
    /// When the file cannot be read, its header is none, or it is shorter or longer than the header says.
    pub fn open(path: &Path) -> Result<Self> {
        let io = |error| PolicyError::file(path, error);
        let damaged = |message: String| PolicyError::damaged(path, message);
        let mut file = File::open(path).map_err(io)?;
        let size = file.metadata().map_err(io)?.len();
        let mut length = [0; 8];
        if size < 8 {
            return Err(damaged(format!("the file has {size} bytes; that is no safetensors file")));
        }
        file.read_exact(&mut length).map_err(io)?;
        let length = u64::from_le_bytes(length);
        if length > MAX_HEADER || length > size - 8 {
            return Err(damaged(format!(
                "its header is said to be {length} bytes long and the file has {size}; it is truncated or no \
                 safetensors file"
            )));
        }
        let mut header = vec![0; length as usize];
        file.read_exact(&mut header).map_err(io)?;
        let metadata: Metadata = serde_json::from_slice(&header)
            .map_err(|error| damaged(format!("its header is wrong: {error}")))?;
        // Reading JSON alone does not check that tensors lie end to end and are as large as their shapes.
        let tensors = metadata.offset_keys().into_iter().filter_map(|name| {
            let info = metadata.info(&name)?;
            let info =
                TensorInfo { dtype: info.dtype, shape: info.shape.clone(), data_offsets: info.data_offsets };
            Some((name, info))
        });
        let metadata = Metadata::new(metadata.metadata().clone(), tensors.collect())
            .map_err(|error| damaged(format!("its header is wrong: {error}")))?;
        let expected = 8 + length + metadata.data_len() as u64;
        if expected != size {
            return Err(damaged(format!(
                "the file has {size} bytes and its header describes {expected}; it is truncated or damaged"
            )));
        }
        Ok(Self { path: path.to_owned(), file, metadata, start: 8 + length })
    }

    /// The names of its tensors, as they lie in the file.
    pub fn names(&self) -> Vec<String> {
        self.metadata.offset_keys()
    }

    /// Whether it has a tensor.
    pub fn has(&self, name: &str) -> bool {
        self.metadata.info(name).is_some()
    }

    /// Reads one tensor, turned into 32-bit floats.
    ///
    /// # Errors
    /// When there is no such tensor, it has another shape than expected, is not of floats, or holds a number that is
    /// not finite.
    pub fn read(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let damaged = |message: String| PolicyError::damaged(&self.path, message);
        let Some(info) = self.metadata.info(name) else {
            return Err(damaged(format!("there is no tensor `{name}`")));
        };
        if info.shape != shape {
            return Err(damaged(format!(
                "`{name}` has the shape {:?} and the model needs {shape:?}",
                info.shape
            )));
        }
        let (start, end) = info.data_offsets;
        let mut values = Vec::with_capacity(shape.iter().product());
        let dtype = info.dtype;
        let width = match dtype {
            Dtype::F32 => 4,
            Dtype::BF16 | Dtype::F16 => 2,
            other => {
                return Err(damaged(format!(
                    "`{name}` is of the type {other:?}; this program reads F32, BF16 and F16"
                )));
            }
        };
        self.file
            .seek(SeekFrom::Start(self.start + start as u64))
            .map_err(|error| PolicyError::file(&self.path, error))?;
        let mut buffer = vec![0; (AT_ONCE * width).min(end - start)];
        let mut left = end - start;
        while left > 0 {
            let part = &mut buffer[..left.min(AT_ONCE * width)];
            self.file.read_exact(part).map_err(|error| PolicyError::file(&self.path, error))?;
            left -= part.len();
            match dtype {
                Dtype::F32 => {
                    values.extend(part.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)));
                }
                Dtype::BF16 => values
                    .extend(part.as_chunks::<2>().0.iter().map(|bytes| bf16::from_le_bytes(*bytes).to_f32())),
                _ => values
                    .extend(part.as_chunks::<2>().0.iter().map(|bytes| f16::from_le_bytes(*bytes).to_f32())),
            }
        }
        if let Some(place) = values.iter().position(|value| !value.is_finite()) {
            return Err(damaged(format!("`{name}` holds {} at place {place}", values[place])));
        }
        Ok(values)
    }
}

/// Writes tensors of 32-bit floats, as these or as `BF16`, in the order given. The file is there whole or not at all.
///
/// # Errors
/// When it cannot be written, or `dtype` is another type.
pub fn write(path: &Path, tensors: &[(String, Var)], dtype: DType) -> Result<()> {
    let (kind, width) = match dtype {
        DType::F32 => (Dtype::F32, 4),
        DType::BF16 => (Dtype::BF16, 2),
        other => {
            return Err(PolicyError::Unsupported {
                message: format!("weights can be written as f32 or bf16, not as {}", other.as_str()),
            });
        }
    };
    let mut end = 0;
    let infos = tensors.iter().map(|(name, tensor)| {
        let start = end;
        end += tensor.elem_count() * width;
        let info = TensorInfo { dtype: kind, shape: tensor.dims().to_vec(), data_offsets: (start, end) };
        (name.clone(), info)
    });
    // `transformers` refuses a file that does not say for which library it is.
    let about = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let metadata = Metadata::new(Some(about), infos.collect())
        .map_err(|error| PolicyError::input(format!("the tensors cannot be written: {error}")))?;
    let mut header =
        serde_json::to_vec(&metadata).map_err(|error| PolicyError::damaged(path, error.to_string()))?;
    // Numbers begin at a multiple of eight, as the format asks for.
    header.resize(header.len().next_multiple_of(8), b' ');
    write_whole(path, |file| {
        let mut out = BufWriter::with_capacity(1 << 20, file);
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        for (_, tensor) in tensors {
            let values = host(tensor).map_err(std::io::Error::other)?;
            let mut bytes = Vec::with_capacity(AT_ONCE * width);
            for part in values.chunks(AT_ONCE) {
                bytes.clear();
                if kind == Dtype::F32 {
                    bytes.extend(part.iter().flat_map(|value| value.to_le_bytes()));
                } else {
                    bytes.extend(part.iter().flat_map(|value| bf16::from_f32(*value).to_le_bytes()));
                }
                out.write_all(&bytes)?;
            }
        }
        out.flush()
    })
}

/// A tensor's numbers in the CPU's memory.
///
/// # Errors
/// When the device fails.
pub fn host(tensor: &Tensor) -> candle_core::Result<Vec<f32>> {
    tensor.flatten_all()?.to_vec1()
}

/// Writes a file beside its place, then moves it there: a reader, or a crash, sees the old one or the new one.
///
/// # Errors
/// When the folder cannot be written.
pub fn write_whole(path: &Path, content: impl FnOnce(&mut File) -> std::io::Result<()>) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let attempt = || -> std::io::Result<()> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".writing-");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // A temporary file is its owner's alone; this one stays, and whoever may see the folder may read it.
            builder.permissions(std::fs::Permissions::from_mode(0o644));
        }
        let mut file = builder.tempfile_in(folder)?;
        content(file.as_file_mut())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    attempt().map_err(|error| PolicyError::file(path, error))
}
