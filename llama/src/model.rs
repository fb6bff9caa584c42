//! A model: its weights, what it says of itself, and how its weights are changed.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, CString, c_char, c_void};
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use llama_cpp_sys_2 as sys;

use crate::backend;
use crate::error::{LlamaError, Result};
use crate::header::{Header, TensorInfo};
use crate::log::errors_of;
use crate::options::ModelOptions;

/// Architectures whose weights may be changed while they run. Each was tested: for a model that is made from memory
/// llama.cpp invents every tensor that its graph could use, and [`neutral`] has to know what it stands for.
const CHANGEABLE: [&str; 3] = ["llama", "qwen2", "qwen3"];

/// A model. Clones share it.
#[derive(Clone)]
pub struct Model {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) raw: NonNull<sys::llama_model>,
    /// Where the weights are, by name, of a model made from memory.
    tensors: Option<HashMap<String, Vec<Place>>>,
    /// Contexts of the model.
    pub(crate) n_contexts: AtomicUsize,
    /// llama.cpp keeps a list of a model's adapters and does not guard it.
    pub(crate) adapters: Mutex<()>,
}

/// A tensor of a running model.
#[derive(Clone, Copy)]
struct Place {
    tensor: NonNull<sys::ggml_tensor>,
    kind: u32,
    size: usize,
}

// SAFETY: a model is read only once it is loaded, but for its list of adapters, which `Inner::adapters` guards, and its
// weights, which only the one context of a changeable model changes, between its own passes.
#[allow(unsafe_code)]
unsafe impl Send for Inner {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl Sync for Inner {}

impl Drop for Inner {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // SAFETY: contexts, adapters and grammars hold a clone of the model, so none is left; it is freed once.
        unsafe { sys::llama_model_free(self.raw.as_ptr()) };
    }
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("architecture", &self.architecture()).finish_non_exhaustive()
    }
}

impl Model {
    /// Loads a GGUF file.
    ///
    /// # Errors
    /// When the file cannot be read, is broken, or is of a model that llama.cpp does not know.
    #[allow(unsafe_code)]
    pub fn load(path: &Path, options: &ModelOptions) -> Result<Self> {
        backend::start()?;
        let header = Header::read(path)?;
        let place = path.display().to_string();
        of_model(&header, &place)?;
        let name = CString::new(path.as_os_str().as_encoded_bytes())
            .map_err(|_| LlamaError::input(format!("{place}: the path has a zero byte")))?;
        let mut parameters = parameters(options);
        parameters.load_mode =
            if options.mmap { sys::LLAMA_LOAD_MODE_MMAP } else { sys::LLAMA_LOAD_MODE_NONE };
        let (raw, said) = errors_of(|| {
            // SAFETY: the name ends with a zero byte and the parameters are the defaults with fields of their types.
            unsafe { sys::llama_model_load_from_file(name.as_ptr(), parameters) }
        });
        let raw = NonNull::new(raw).ok_or(LlamaError::Load { place, message: said })?;
        Ok(Self::new(raw, None))
    }

    /// Makes a model of a GGUF file's bytes, whose weights can be changed while it runs: see
    /// [`Context::set_tensor`](crate::Context::set_tensor). It can have one context. The bytes are copied.
    ///
    /// # Errors
    /// As [`load`](Self::load); when the architecture is none of `llama`, `qwen2` and `qwen3`.
    #[allow(unsafe_code)]
    pub fn changeable(bytes: &[u8], options: &ModelOptions) -> Result<Self> {
        backend::start()?;
        let place = "the model in memory".to_owned();
        let header = Header::of_bytes(bytes, &place)?;
        let architecture = of_model(&header, &place)?;
        if !CHANGEABLE.contains(&architecture.as_str()) {
            let message = format!(
                "models of the architecture {architecture} cannot be changed while they run; those of {} can",
                CHANGEABLE.join(", ")
            );
            return Err(LlamaError::Load { place, message });
        }
        let parameters = parameters(options);
        let known = header.tensors.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
        let mut filling = Filling { bytes, known, places: Vec::new(), faults: Vec::new() };
        let (raw, said) = errors_of(|| {
            let wanted = sys::gguf_init_params { no_alloc: true, ctx: std::ptr::null_mut() };
            // SAFETY: the bytes live during the call; with `no_alloc` only the metadata is copied out of them.
            let metadata = unsafe { sys::gguf_init_from_buffer(bytes.as_ptr().cast(), bytes.len(), wanted) };
            if metadata.is_null() {
                return std::ptr::null_mut();
            }
            let user: *mut Filling<'_> = &raw mut filling;
            if let (false, Some(embedding)) =
                (filling.known.contains_key(OUTPUT), filling.known.get(EMBEDDING))
            {
                describe_output(metadata, embedding);
            }
            // SAFETY: `fill` is called during this call only, on this thread, with the pointer to `filling`, which
            // nothing else uses meanwhile. The metadata is read during the call only, so it may be freed after it.
            unsafe {
                let raw = sys::llama_model_init_from_user(metadata, Some(fill), user.cast(), parameters);
                sys::gguf_free(metadata);
                raw
            }
        });
        let raw = NonNull::new(raw).ok_or(LlamaError::Load { place: place.clone(), message: said })?;
        let mut places: HashMap<String, Vec<Place>> = HashMap::new();
        for (name, tensor) in filling.places {
            places.entry(name).or_default().push(tensor);
        }
        let model = Self::new(raw, Some(places));
        if filling.faults.is_empty() {
            Ok(model)
        } else {
            Err(LlamaError::Load { place, message: filling.faults.join("; ") })
        }
    }

    fn new(raw: NonNull<sys::llama_model>, tensors: Option<HashMap<String, Vec<Place>>>) -> Self {
        let inner = Inner { raw, tensors, n_contexts: AtomicUsize::new(0), adapters: Mutex::new(()) };
        Self { inner: Arc::new(inner) }
    }

    /// Counts a new context.
    pub(crate) fn enter(&self) -> Result<()> {
        let before = self.inner.n_contexts.fetch_add(1, Ordering::SeqCst);
        if before > 0 && self.inner.tensors.is_some() {
            self.inner.n_contexts.fetch_sub(1, Ordering::SeqCst);
            return Err(LlamaError::input("a model whose weights can be changed has one context"));
        }
        Ok(())
    }

    /// A context is gone.
    pub(crate) fn exit(&self) {
        self.inner.n_contexts.fetch_sub(1, Ordering::SeqCst);
    }

    /// Writes a tensor's numbers. Only for the one context of the model, between two passes.
    #[allow(unsafe_code)]
    pub(crate) fn set_tensor(&self, name: &str, kind: u32, bytes: &[u8]) -> Result<()> {
        let Some(tensors) = &self.inner.tensors else {
            return Err(LlamaError::input("the model was loaded from a file; its weights cannot be changed"));
        };
        let places =
            tensors.get(name).ok_or_else(|| LlamaError::input(format!("there is no tensor {name}")))?;
        for place in places {
            if place.kind != kind || place.size != bytes.len() {
                return Err(LlamaError::input(format!(
                    "the tensor {name} has {} bytes of type {}; given are {} of type {kind}",
                    place.size,
                    place.kind,
                    bytes.len()
                )));
            }
            // SAFETY: the tensor lives as long as the model, and has as many bytes. The model has one context, which
            // calls this between two passes, so nothing reads the tensor now.
            unsafe {
                sys::ggml_backend_tensor_set(place.tensor.as_ptr(), bytes.as_ptr().cast(), 0, bytes.len());
            }
        }
        Ok(())
    }

    /// A text of the metadata, such as `general.name`.
    #[allow(unsafe_code)]
    pub fn metadata(&self, key: &str) -> Option<String> {
        let key = CString::new(key).ok()?;
        let model = self.inner.raw.as_ptr();
        let read = |buffer: &mut [u8]| {
            // SAFETY: the key ends with a zero byte, and at most as many bytes are written as the buffer has.
            unsafe {
                sys::llama_model_meta_val_str(model, key.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len())
            }
        };
        let length = usize::try_from(read(&mut [0; 1])).ok()?;
        let mut buffer = vec![0; length + 1];
        read(&mut buffer);
        buffer.truncate(length);
        Some(String::from_utf8_lossy(&buffer).into_owned())
    }

    /// All of the metadata but for lists.
    #[allow(unsafe_code)]
    pub fn all_metadata(&self) -> BTreeMap<String, String> {
        let model = self.inner.raw.as_ptr();
        // SAFETY: the model is there; keys are read into a buffer of the length that is told.
        let key = |i: i32| unsafe {
            let mut buffer = [0_u8; 256];
            let n = sys::llama_model_meta_key_by_index(model, i, buffer.as_mut_ptr().cast(), buffer.len());
            (n >= 0).then(|| CStr::from_ptr(buffer.as_ptr().cast::<c_char>()).to_string_lossy().into_owned())
        };
        // SAFETY: the model is there.
        let n = unsafe { sys::llama_model_meta_count(model) };
        (0..n).filter_map(|i| key(i).and_then(|key| Some((key.clone(), self.metadata(&key)?)))).collect()
    }

    /// The architecture, such as `qwen2`.
    pub fn architecture(&self) -> String {
        self.metadata("general.architecture").unwrap_or_default()
    }

    /// What the model calls itself.
    pub fn name(&self) -> Option<String> {
        self.metadata("general.name")
    }

    /// The chat template, in Jinja.
    ///
    /// # Errors
    /// When the model has none.
    pub fn chat_template(&self) -> Result<String> {
        self.metadata("tokenizer.chat_template").ok_or_else(|| {
            LlamaError::input(
                "the model has no chat template (`tokenizer.chat_template`); give prompts as plain text",
            )
        })
    }

    /// The longest sequence that the model was trained for.
    #[allow(unsafe_code)]
    pub fn context_length(&self) -> usize {
        // SAFETY: the model is there.
        usize::try_from(unsafe { sys::llama_model_n_ctx_train(self.inner.raw.as_ptr()) }).unwrap_or_default()
    }

    /// Bytes of its weights.
    #[allow(unsafe_code)]
    pub fn size(&self) -> u64 {
        // SAFETY: the model is there.
        unsafe { sys::llama_model_size(self.inner.raw.as_ptr()) }
    }

    /// How many weights it has.
    #[allow(unsafe_code)]
    pub fn n_parameters(&self) -> u64 {
        // SAFETY: the model is there.
        unsafe { sys::llama_model_n_params(self.inner.raw.as_ptr()) }
    }

    /// Whether its weights can be changed while it runs.
    pub fn is_changeable(&self) -> bool {
        self.inner.tensors.is_some()
    }
}

/// The architecture of a file, which is not of something else than a model.
fn of_model(header: &Header, place: &str) -> Result<String> {
    let refuse = |message: String| LlamaError::Load { place: place.to_owned(), message };
    match header.texts.get("general.type").map(String::as_str) {
        None | Some("model") => {}
        Some(other) => return Err(refuse(format!("it is of the type `{other}` and no model"))),
    }
    header
        .texts
        .get("general.architecture")
        .cloned()
        .ok_or_else(|| refuse("it has no `general.architecture`".to_owned()))
}

#[allow(unsafe_code)]
fn parameters(options: &ModelOptions) -> sys::llama_model_params {
    // SAFETY: it returns constants.
    let mut parameters = unsafe { sys::llama_model_default_params() };
    parameters.n_gpu_layers = options.gpu_layers.map_or(-1, |n| i32::try_from(n).unwrap_or(i32::MAX));
    parameters.use_extra_bufts = options.repack;
    parameters
}

/// The output matrix, and what stands for it in a file without one.
const OUTPUT: &str = "output.weight";
const EMBEDDING: &str = "token_embd.weight";

/// Tells llama.cpp that there is an output matrix like the embedding: it would make one up in 32-bit floats.
#[allow(unsafe_code)]
fn describe_output(metadata: *mut sys::gguf_context, embedding: &TensorInfo) {
    // SAFETY: all fields are numbers and pointers, for which zeros are values. The type is one of the header's, so it
    // is in the tables that are asked. Only the description is copied; data is never looked for.
    unsafe {
        let mut tensor: sys::ggml_tensor = std::mem::zeroed();
        tensor.type_ = embedding.kind;
        tensor.ne = [1; 4];
        for (to, from) in tensor.ne.iter_mut().zip(&embedding.shape) {
            *to = i64::try_from(*from).unwrap_or(i64::MAX);
        }
        tensor.nb[0] = sys::ggml_type_size(embedding.kind);
        tensor.nb[1] = sys::ggml_row_size(embedding.kind, tensor.ne[0]);
        tensor.nb[2] = tensor.nb[1].saturating_mul(usize::try_from(tensor.ne[1]).unwrap_or(usize::MAX));
        tensor.nb[3] = tensor.nb[2];
        for (to, from) in tensor.name.iter_mut().zip(OUTPUT.bytes()) {
            *to = from.cast_signed();
        }
        sys::gguf_add_tensor(metadata, &raw const tensor);
    }
}

/// What a model is filled from.
struct Filling<'a> {
    bytes: &'a [u8],
    known: HashMap<&'a str, &'a TensorInfo>,
    places: Vec<(String, Place)>,
    faults: Vec<String>,
}

/// The number that a tensor is full of which the file does not have: a bias adds nothing, factors and scales change
/// nothing. `None`: it would change the model.
fn neutral(name: &str) -> Option<f32> {
    match name.rsplit('.').next() {
        Some("bias") => Some(0.0),
        Some("scale" | "input_scale") => Some(1.0),
        _ if name.starts_with("rope_") => Some(1.0),
        // A classifier in place of the output, which nothing here asks for.
        _ if name.starts_with("cls.") => Some(0.0),
        _ => None,
    }
}

/// Fills one tensor of a model that is being made.
#[allow(unsafe_code)]
unsafe extern "C" fn fill(tensor: *mut sys::ggml_tensor, user: *mut c_void) {
    // SAFETY: llama.cpp hands back the pointer that `changeable` gave it.
    let filling = unsafe { &mut *user.cast::<Filling<'_>>() };
    let Some(place) = NonNull::new(tensor) else { return };
    // SAFETY: the tensor is there, and its name ends with a zero byte.
    let (name, kind, size) = unsafe {
        let name = CStr::from_ptr((*tensor).name.as_ptr()).to_string_lossy().into_owned();
        (name, (*tensor).type_, sys::ggml_nbytes(tensor))
    };
    let mut source = name.as_str();
    if source == OUTPUT && !filling.known.contains_key(source) {
        source = EMBEDDING;
    }
    let invented: Vec<u8>;
    let bytes = if let Some(known) = filling.known.get(source) {
        // The header has checked that the file has these bytes.
        let start = usize::try_from(known.offset).unwrap_or(usize::MAX);
        let end = start.saturating_add(usize::try_from(known.size).unwrap_or(usize::MAX));
        match filling.bytes.get(start..end) {
            Some(bytes) if known.kind == kind => bytes,
            _ => {
                filling.faults.push(format!("the tensor {name} is of another type than the file says"));
                return;
            }
        }
    } else if let (Some(value), sys::GGML_TYPE_F32) = (neutral(&name), kind) {
        invented = value.to_le_bytes().repeat(size / size_of::<f32>());
        &invented
    } else {
        filling.faults.push(format!("the file has no tensor {name}"));
        return;
    };
    if bytes.len() != size {
        filling.faults.push(format!("the tensor {name} has {} bytes where {size} are needed", bytes.len()));
        return;
    }
    // SAFETY: the tensor was allocated and has `size` bytes.
    unsafe { sys::ggml_backend_tensor_set(tensor, bytes.as_ptr().cast(), 0, size) };
    let place = Place { tensor: place, kind, size };
    if source != name {
        filling.places.push((source.to_owned(), place));
    } else if filling.known.contains_key(source) {
        filling.places.push((name, place));
    }
}
