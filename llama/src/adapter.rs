//! Low-rank adapters beside a model's weights.

use std::ffi::CString;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::Arc;

use llama_cpp_sys_2 as sys;

use crate::error::{LlamaError, Result};
use crate::header::Header;
use crate::log::errors_of;
use crate::model::Model;

/// An adapter of a model. Clones share it.
#[derive(Clone)]
pub struct Adapter {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) raw: NonNull<sys::llama_adapter_lora>,
    pub(crate) model: Model,
}

// SAFETY: an adapter is read only once it is loaded; loading and freeing change the model's list, which is guarded.
#[allow(unsafe_code)]
unsafe impl Send for Inner {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl Sync for Inner {}

impl Drop for Inner {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        let _guard = self.model.inner.adapters.lock();
        // SAFETY: a context that uses it holds a clone, so none does; the model is still there.
        unsafe { sys::llama_adapter_lora_free(self.raw.as_ptr()) };
    }
}

impl std::fmt::Debug for Adapter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Adapter").finish_non_exhaustive()
    }
}

impl Adapter {
    /// Loads an adapter for a model. The file is read whole and may be removed.
    ///
    /// # Errors
    /// When the file cannot be read, is broken or no adapter, or is one of another model.
    #[allow(unsafe_code)]
    pub fn load(model: &Model, path: &Path) -> Result<Self> {
        let place = path.display().to_string();
        let header = Header::read(path)?;
        let text = |key: &str| header.texts.get(key).map(String::as_str);
        if text("general.type") != Some("adapter") || text("adapter.type") != Some("lora") {
            let message = "it is no LoRA adapter".to_owned();
            return Err(LlamaError::Load { place, message });
        }
        let (its, the_models) = (text("general.architecture").unwrap_or_default(), model.architecture());
        if its != the_models {
            let message = format!("of the architecture {its}; the model is of {the_models}");
            return Err(LlamaError::OtherBase { place, message });
        }
        let name = CString::new(path.as_os_str().as_encoded_bytes())
            .map_err(|_| LlamaError::input(format!("{place}: the path has a zero byte")))?;
        let guard = model.inner.adapters.lock();
        let (raw, said) = errors_of(|| {
            // SAFETY: the model lives, its list of adapters is guarded, and the name ends with a zero byte.
            unsafe { sys::llama_adapter_lora_init(model.inner.raw.as_ptr(), name.as_ptr()) }
        });
        drop(guard);
        match NonNull::new(raw) {
            Some(raw) => Ok(Self { inner: Arc::new(Inner { raw, model: model.clone() }) }),
            None if said.contains("base model") => Err(LlamaError::OtherBase { place, message: said }),
            None => Err(LlamaError::Load { place, message: said }),
        }
    }
}
