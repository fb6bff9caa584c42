//! One gradient for each trained parameter, and access to the numbers of tensors.

use std::sync::Mutex;

use candle_core::{CpuStorage, InplaceOp1, Layout, Storage, Tensor, Var};

use crate::error::{PolicyError, Result};

/// The sum of the gradients since it was made or [cleared](Self::clear), in the order of
/// [`Weights::trained`](crate::Weights::trained).
#[derive(Debug)]
pub struct Gradients {
    /// The shape and device of each parameter, in 32-bit floats.
    pub tensors: Vec<Tensor>,
}

impl Gradients {
    /// Zeros for these parameters.
    ///
    /// # Errors
    /// When the device has no room for them.
    pub fn zeros(parameters: &[Var]) -> Result<Self> {
        let tensors = parameters
            .iter()
            .map(|p| Tensor::zeros(p.shape(), candle_core::DType::F32, p.device()))
            .collect::<candle_core::Result<_>>()?;
        Ok(Self { tensors })
    }

    /// Sets all to zero.
    ///
    /// # Errors
    /// When the device fails.
    pub fn clear(&mut self) -> Result<()> {
        for tensor in &mut self.tensors {
            if tensor.device().is_cpu() {
                with_slice_mut(tensor, |values| values.fill(0.0))?;
            } else {
                *tensor = tensor.zeros_like()?;
            }
        }
        Ok(())
    }
}

/// Lends the numbers of a contiguous tensor of 32-bit floats on the CPU.
///
/// # Errors
/// When it is on another device, of another type, or not contiguous.
pub fn with_slice<R>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> R) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else {
        return Err(PolicyError::input("the tensor is not in the CPU's memory"));
    };
    let values = storage.as_slice::<f32>()?;
    let Some((start, end)) = layout.contiguous_offsets() else {
        return Err(PolicyError::input("the tensor is not contiguous"));
    };
    Ok(f(&values[start..end]))
}

/// Lends them to be written. All tensors that share the storage see the change.
///
/// # Errors
/// As [`with_slice`].
pub fn with_slice_mut<R>(tensor: &Tensor, f: impl FnOnce(&mut [f32]) -> R) -> Result<R> {
    // The operation is handed over by reference, so what it makes is left in a cell.
    struct Write<F, R>(Mutex<(Option<F>, Option<R>)>);
    impl<F: FnOnce(&mut [f32]) -> R, R> InplaceOp1 for Write<F, R> {
        fn name(&self) -> &'static str {
            "write"
        }
        fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
            let CpuStorage::F32(values) = storage else {
                candle_core::bail!("the tensor is not of 32-bit floats");
            };
            let Some((start, end)) = layout.contiguous_offsets() else {
                candle_core::bail!("the tensor is not contiguous");
            };
            let mut cell =
                self.0.lock().map_err(|_| candle_core::Error::Msg("a write panicked".to_owned()))?;
            if let Some(f) = cell.0.take() {
                cell.1 = Some(f(&mut values[start..end]));
            }
            Ok(())
        }
    }
    let write = Write(Mutex::new((Some(f), None)));
    tensor.inplace_op1(&write)?;
    let (_, result) = write.0.into_inner().map_err(|_| PolicyError::input("a write panicked"))?;
    result.ok_or_else(|| PolicyError::input("the tensor is not in the CPU's memory"))
}

/// Lends the numbers of several tensors to be written at once. No two may share a storage.
///
/// # Errors
/// As [`with_slice`].
pub fn with_slices_mut<R>(tensors: &[Tensor], f: impl FnOnce(Vec<&mut [f32]>) -> R) -> Result<R> {
    // Each tensor is borrowed inside of the borrow of the one before it.
    fn borrow(
        tensors: &[Tensor],
        borrowed: Vec<&mut [f32]>,
        f: &mut dyn FnMut(Vec<&mut [f32]>),
    ) -> Result<()> {
        let Some((first, rest)) = tensors.split_first() else {
            f(borrowed);
            return Ok(());
        };
        with_slice_mut(first, |values| {
            let mut borrowed: Vec<&mut [f32]> = borrowed;
            borrowed.push(values);
            borrow(rest, borrowed, f)
        })?
    }
    let mut f = Some(f);
    let mut result = None;
    borrow(tensors, Vec::with_capacity(tensors.len()), &mut |slices| {
        if let Some(f) = f.take() {
            result = Some(f(slices));
        }
    })?;
    result.ok_or_else(|| PolicyError::input("the tensors were not lent"))
}
