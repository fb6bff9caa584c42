//! Adapters in llama.cpp's layout: small enough to be written after each step of training.

use std::io::Write;
use std::path::Path;

use super::architecture;
use super::dtype::Dtype;
use super::format::{self, Described, Metadata, Value};
use super::tensors::{Entry, dealt, weight_name};
use crate::error::{PolicyError, Result};
use crate::policy::Policy;
use crate::tensors::write_whole;

/// A policy's adapters as a file of llama.cpp's, prepared once and written after each step.
#[derive(Clone, Debug)]
pub struct AdapterExport {
    entries: Vec<Entry>,
    dtype: Dtype,
    header: Vec<u8>,
    size: usize,
}

impl AdapterExport {
    /// Looks up the adapters. Their numbers are read by [`write`](Self::write), so that later changes are seen; the
    /// policy's tensors must stay the same ones, as an optimiser leaves them.
    ///
    /// # Errors
    /// When there are none, they are scaled differently, or `dtype` is `q8_0`, whose rows a narrow adapter cannot fill.
    pub fn new(policy: &Policy, dtype: Dtype) -> Result<Self> {
        if dtype == Dtype::Q8_0 {
            let message = "adapters can be written as f32, f16 or bf16, not as q8_0".to_owned();
            return Err(PolicyError::Unsupported { message });
        }
        let mut entries = Vec::new();
        let mut alpha = None;
        for (i, layer) in policy.weights.layers.iter().enumerate() {
            for (name, linear) in layer.linears() {
                let Some(adapter) = &linear.adapter else { continue };
                // llama.cpp divides by the rank of each pair again.
                let its = adapter.scale * adapter.a.dims()[0] as f64;
                if *alpha.get_or_insert(its) != its {
                    let message = "the adapters have different alphas; llama.cpp has one for all".to_owned();
                    return Err(PolicyError::Unsupported { message });
                }
                let weight = weight_name(i, name);
                entries.push(Entry::new(format!("{weight}.lora_a"), &adapter.a));
                let heads = dealt(&policy.config, name);
                entries.push(Entry::new(format!("{weight}.lora_b"), &adapter.b).in_heads(heads));
            }
        }
        let Some(alpha) = alpha else {
            return Err(PolicyError::input("the model has no adapters to be exported"));
        };
        let text = |value: &str| Value::String(value.to_owned());
        let metadata: Metadata = vec![
            ("general.architecture".to_owned(), text(architecture::name(policy.config.family))),
            ("general.type".to_owned(), text("adapter")),
            ("general.file_type".to_owned(), Value::U32(dtype.file_type())),
            ("adapter.type".to_owned(), text("lora")),
            ("adapter.lora.alpha".to_owned(), Value::F32(alpha as f32)),
        ];
        let described: Vec<Described> = entries
            .iter()
            .map(|entry| Described {
                name: entry.name(),
                shape: entry.shape(),
                dtype: dtype.of(entry.shape()),
            })
            .collect();
        let header = format::header(&metadata, &described);
        let size = described.iter().fold(header.len(), |size, tensor| size + format::padded(tensor.size()));
        Ok(Self { entries, dtype, header, size })
    }

    /// Bytes of the file.
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Puts the file, with the numbers that the adapters have now, in the place of what `out` holds. Its memory is used
    /// again where there is enough of it.
    ///
    /// # Errors
    /// When a number is not finite or too large for the type, or the device fails.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        out.reserve_exact(self.size);
        out.extend_from_slice(&self.header);
        for entry in &self.entries {
            entry.encode(self.dtype, out)?;
            format::pad(out);
        }
        Ok(())
    }
}

/// A policy's adapters as the bytes of a file.
///
/// # Errors
/// As [`AdapterExport::new`] and [`AdapterExport::write`].
pub fn adapter(policy: &Policy, dtype: Dtype) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    AdapterExport::new(policy, dtype)?.write(&mut bytes)?;
    Ok(bytes)
}

/// Writes a policy's adapters to a file, which is there whole or not at all.
///
/// # Errors
/// As [`adapter`]; when the file cannot be written.
pub fn export_adapter(policy: &Policy, dtype: Dtype, path: &Path) -> Result<()> {
    let bytes = adapter(policy, dtype)?;
    write_whole(path, |file| file.write_all(&bytes))
}
