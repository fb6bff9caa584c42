//! Models and adapters as GGUF files, for llama.cpp and what is built on it.
//!
//! Names, arrangement and metadata are those of llama.cpp: `tensors.rs` has the parameters, `architecture.rs` the
//! model's shape, `vocabulary.rs` (with `pretokenizer.rs`) the tokenizer, `adapter.rs` LoRA; `format.rs` and `dtype.rs`
//! turn all that into bytes. Tensors go to the file one by one, so a model is never held twice.

mod adapter;
mod architecture;
mod dtype;
mod format;
mod pretokenizer;
mod tensors;
mod vocabulary;

use std::io::Write;
use std::path::Path;

pub use self::adapter::{AdapterExport, adapter, export_adapter};
pub use self::dtype::Dtype;
use self::format::Described;
pub use self::tensors::{Entry, tensors};
use crate::error::Result;
use crate::policy::Policy;
use crate::tensors::write_whole;
use crate::tokenizer::Tokenizer;

/// How a model is exported.
#[derive(Clone, Debug, Default)]
pub struct ExportOptions {
    /// The type of its matrices.
    pub dtype: Dtype,
    /// What the file says it is called.
    pub name: Option<String>,
    /// llama.cpp's name for the tokenizer's way of cutting text, where we know none.
    pub pre_tokenizer: Option<String>,
}

/// Everything of a file but the numbers.
struct Prepared {
    entries: Vec<Entry>,
    header: Vec<u8>,
    size: usize,
}

fn prepare(policy: &Policy, tokenizer: &Tokenizer, options: &ExportOptions) -> Result<Prepared> {
    let mut metadata = architecture::metadata(&policy.config, options.dtype, options.name.as_deref())?;
    metadata.extend(vocabulary::metadata(tokenizer, &policy.config, options.pre_tokenizer.as_deref())?);
    let entries = tensors(policy);
    let described: Vec<Described> = entries
        .iter()
        .map(|entry| Described {
            name: entry.name(),
            shape: entry.shape(),
            dtype: options.dtype.of(entry.shape()),
        })
        .collect();
    let header = format::header(&metadata, &described);
    let size = described.iter().fold(header.len(), |size, tensor| size + format::padded(tensor.size()));
    Ok(Prepared { entries, header, size })
}

/// A model and its tokenizer, with its chat template, as the bytes of a file. Adapters are merged into the matrices.
///
/// # Errors
/// When llama.cpp's graph of the family is not this model, it has no equal to the tokenizer, or a number is not finite
/// or too large for the type.
pub fn bytes(policy: &Policy, tokenizer: &Tokenizer, options: &ExportOptions) -> Result<Vec<u8>> {
    let Prepared { entries, mut header, size } = prepare(policy, tokenizer, options)?;
    header.reserve_exact(size - header.len());
    for entry in &entries {
        entry.encode(options.dtype, &mut header)?;
        format::pad(&mut header);
    }
    Ok(header)
}

/// The same to a file, which is there whole or not at all, tensor by tensor. `progress` hears of bytes written, and of
/// how many there will be.
///
/// # Errors
/// As [`bytes`]; when the file cannot be written.
pub fn export(
    policy: &Policy,
    tokenizer: &Tokenizer,
    options: &ExportOptions,
    path: &Path,
    mut progress: impl FnMut(u64, u64),
) -> Result<()> {
    let Prepared { entries, header, size } = prepare(policy, tokenizer, options)?;
    let total = size as u64;
    // What a tensor says of itself is told as such, and not as a fault of the file.
    let mut refused = Ok(());
    let written = write_whole(path, |file| {
        file.write_all(&header)?;
        let mut done = header.len() as u64;
        let mut bytes = Vec::new();
        for entry in &entries {
            progress(done, total);
            bytes.clear();
            if let Err(error) = entry.encode(options.dtype, &mut bytes) {
                refused = Err(error);
                return Err(std::io::ErrorKind::InvalidData.into());
            }
            format::pad(&mut bytes);
            file.write_all(&bytes)?;
            done += bytes.len() as u64;
        }
        progress(done, total);
        Ok(())
    });
    refused?;
    written
}
