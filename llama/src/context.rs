//! A context: sequences, their keys and values, and passes through the model.

use std::ptr::NonNull;

use llama_cpp_sys_2 as sys;

use crate::adapter::Adapter;
use crate::error::{LlamaError, Result};
use crate::log::errors_of;
use crate::model::Model;
use crate::options::{CacheType, ContextOptions, FlashAttention};

/// A token that is to be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The token.
    pub token: u32,
    /// Its position in its sequence, from 0.
    pub position: u32,
    /// Its sequence.
    pub sequence: u32,
    /// Whether its logits are wanted.
    pub logits: bool,
}

/// Sequences of a model in one store of keys and values.
pub struct Context {
    raw: NonNull<sys::llama_context>,
    model: Model,
    /// Those in force; llama.cpp has their addresses.
    adapters: Vec<(Adapter, f32)>,
    options: ContextOptions,
    vocabulary: usize,
    /// For each row of the last pass whether it has logits.
    has_logits: Vec<bool>,
    buffers: Buffers,
}

/// Arrays of a batch as llama.cpp takes them.
#[derive(Default)]
struct Buffers {
    tokens: Vec<i32>,
    positions: Vec<i32>,
    counts: Vec<i32>,
    sequences: Vec<i32>,
    pointers: Vec<*mut i32>,
    logits: Vec<i8>,
}

// SAFETY: llama.cpp's context belongs to no thread; it must not be used by two at a time, which `&mut` rules out. The
// pointers of the buffers point into the context itself and are made anew for each pass.
#[allow(unsafe_code)]
unsafe impl Send for Context {}

impl Drop for Context {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // SAFETY: it is freed once, before its adapters and its model.
        unsafe { sys::llama_free(self.raw.as_ptr()) };
        self.model.exit();
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Context {
    /// A context of a model.
    ///
    /// # Errors
    /// When the options are none, there is no memory for it, or the model is changeable and has one.
    #[allow(unsafe_code)]
    pub fn new(model: &Model, options: &ContextOptions) -> Result<Self> {
        let limit = ContextOptions::MAX_SEQUENCES;
        if !(1..=limit).contains(&options.sequences) {
            let n = options.sequences;
            return Err(LlamaError::input(format!("{n} sequences; a context has from 1 to {limit}")));
        }
        for (field, value) in
            [("tokens", options.tokens), ("batch", options.batch), ("threads", options.threads)]
        {
            if !(1..=1 << 30).contains(&value) {
                return Err(LlamaError::input(format!("`{field}` is {value}; expected from 1 to 2^30")));
            }
        }
        if options.cache == CacheType::Q8_0 && options.flash_attention == FlashAttention::Off {
            return Err(LlamaError::input("keys and values in q8_0 need flash attention, which is off"));
        }
        // SAFETY: it returns constants.
        let mut parameters = unsafe { sys::llama_context_default_params() };
        // A step has a row for each sequence, whatever the batch of prompts is.
        let batch = options.batch.max(options.sequences);
        parameters.n_ctx = options.tokens;
        parameters.n_batch = batch;
        parameters.n_ubatch = batch;
        parameters.n_seq_max = options.sequences;
        parameters.n_outputs_max = batch.min(options.sequences.max(64));
        parameters.n_threads = options.threads.cast_signed();
        parameters.n_threads_batch = options.threads.cast_signed();
        parameters.flash_attn_type = match options.flash_attention {
            FlashAttention::Auto => sys::LLAMA_FLASH_ATTN_TYPE_AUTO,
            FlashAttention::On => sys::LLAMA_FLASH_ATTN_TYPE_ENABLED,
            FlashAttention::Off => sys::LLAMA_FLASH_ATTN_TYPE_DISABLED,
        };
        let cache = match options.cache {
            CacheType::F32 => sys::GGML_TYPE_F32,
            CacheType::F16 => sys::GGML_TYPE_F16,
            CacheType::Q8_0 => sys::GGML_TYPE_Q8_0,
        };
        (parameters.type_k, parameters.type_v) = (cache, cache);
        parameters.kv_unified = options.unified;
        parameters.no_perf = true;
        model.enter()?;
        let (raw, said) = errors_of(|| {
            // SAFETY: the model lives as long as the context, which holds it.
            unsafe { sys::llama_init_from_model(model.inner.raw.as_ptr(), parameters) }
        });
        let Some(raw) = NonNull::new(raw) else {
            model.exit();
            let (tokens, sequences) = (options.tokens, options.sequences);
            return Err(LlamaError::Context { tokens, sequences, message: said });
        };
        Ok(Self {
            raw,
            vocabulary: model.n_tokens(),
            model: model.clone(),
            adapters: Vec::new(),
            options: ContextOptions { batch, ..options.clone() },
            has_logits: Vec::new(),
            buffers: Buffers::default(),
        })
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// How it was set up; `batch` is at least `sequences`.
    pub fn options(&self) -> &ContextOptions {
        &self.options
    }

    /// Tokens of keys and values that there is room for, all sequences together.
    #[allow(unsafe_code)]
    pub fn tokens(&self) -> usize {
        // SAFETY: the context is there.
        unsafe { sys::llama_n_ctx(self.raw.as_ptr()) as usize }
    }

    /// The most rows of a pass whose logits can be asked for.
    pub fn max_logits(&self) -> usize {
        self.options.batch.min(self.options.sequences.max(64)) as usize
    }

    /// Computes rows, at most [`ContextOptions::batch`]. Rows of one sequence are in the order of their positions and
    /// follow what the sequence has.
    ///
    /// # Errors
    /// When a row cannot be, there is no room, or llama.cpp fails; nothing was computed then.
    #[allow(unsafe_code)]
    pub fn decode(&mut self, rows: &[Row]) -> Result<()> {
        self.has_logits.clear();
        self.check(rows)?;
        if rows.is_empty() {
            return Ok(());
        }
        let Buffers { tokens, positions, counts, sequences, pointers, logits } = &mut self.buffers;
        tokens.clear();
        positions.clear();
        counts.clear();
        sequences.clear();
        pointers.clear();
        logits.clear();
        for row in rows {
            tokens.push(row.token.cast_signed());
            positions.push(row.position.cast_signed());
            counts.push(1);
            sequences.push(row.sequence.cast_signed());
            logits.push(i8::from(row.logits));
        }
        pointers.extend(sequences.iter_mut().map(std::ptr::from_mut));
        let batch = sys::llama_batch {
            n_tokens: i32::try_from(rows.len()).unwrap_or(i32::MAX),
            token: tokens.as_mut_ptr(),
            embd: std::ptr::null_mut(),
            pos: positions.as_mut_ptr(),
            n_seq_id: counts.as_mut_ptr(),
            seq_id: pointers.as_mut_ptr(),
            logits: logits.as_mut_ptr(),
        };
        let (code, said) = errors_of(|| {
            // SAFETY: each array has `n_tokens` items that live during the call; tokens, positions and sequences are
            // within the limits of model and context, which was checked.
            unsafe {
                let code = sys::llama_decode(self.raw.as_ptr(), batch);
                sys::llama_synchronize(self.raw.as_ptr());
                code
            }
        });
        match code {
            0 => {
                self.has_logits.extend(rows.iter().map(|row| row.logits));
                Ok(())
            }
            1 => Err(LlamaError::Full { tokens: self.options.tokens, more: rows.len() }),
            code => Err(LlamaError::Decode { code, message: said }),
        }
    }

    fn check(&self, rows: &[Row]) -> Result<()> {
        let limit = self.options.batch as usize;
        if rows.len() > limit {
            return Err(LlamaError::input(format!(
                "{} rows; at most {limit} are computed at once",
                rows.len()
            )));
        }
        let wanted = rows.iter().filter(|row| row.logits).count();
        if wanted > self.max_logits() {
            let most = self.max_logits();
            return Err(LlamaError::input(format!("logits of {wanted} rows; at most {most} at once")));
        }
        for row in rows {
            if row.token as usize >= self.vocabulary {
                let (token, n) = (row.token, self.vocabulary);
                return Err(LlamaError::input(format!("the token {token} is not in the vocabulary of {n}")));
            }
            if row.sequence >= self.options.sequences {
                let (sequence, n) = (row.sequence, self.options.sequences);
                return Err(LlamaError::input(format!("there is no sequence {sequence}; there are {n}")));
            }
            if row.position >= 1 << 30 {
                return Err(LlamaError::input(format!("the position {} is too large", row.position)));
            }
        }
        Ok(())
    }

    /// The logits `[V]` of a row of the last pass; `None` where they were not asked for.
    #[allow(unsafe_code)]
    pub fn logits(&self, row: usize) -> Option<&[f32]> {
        if !*self.has_logits.get(row)? {
            return None;
        }
        // SAFETY: the row was in the last pass and its logits were asked for, so they are there until the next pass,
        // which needs `&mut self`.
        unsafe {
            let logits = sys::llama_get_logits_ith(self.raw.as_ptr(), i32::try_from(row).ok()?);
            (!logits.is_null()).then(|| std::slice::from_raw_parts(logits, self.vocabulary))
        }
    }

    /// Lets the sequence `to`, which is empty, continue what `from` has. In a unified context nothing is copied.
    ///
    /// # Errors
    /// When there is no such sequence.
    pub fn copy_sequence(&mut self, from: u32, to: u32) -> Result<()> {
        self.sequence(from)?;
        self.sequence(to)?;
        self.copy(from, to);
        Ok(())
    }

    #[allow(unsafe_code)]
    fn copy(&mut self, from: u32, to: u32) {
        // SAFETY: both sequences are below the context's number.
        unsafe {
            let memory = sys::llama_get_memory(self.raw.as_ptr());
            sys::llama_memory_seq_cp(memory, from.cast_signed(), to.cast_signed(), -1, -1);
        }
    }

    /// Empties a sequence.
    ///
    /// # Errors
    /// When there is no such sequence.
    #[allow(unsafe_code)]
    pub fn remove_sequence(&mut self, sequence: u32) -> Result<()> {
        self.sequence(sequence)?;
        // SAFETY: the sequence is below the context's number.
        unsafe {
            let memory = sys::llama_get_memory(self.raw.as_ptr());
            sys::llama_memory_seq_rm(memory, sequence.cast_signed(), -1, -1);
        }
        Ok(())
    }

    /// Empties all sequences.
    #[allow(unsafe_code)]
    pub fn clear(&mut self) {
        // SAFETY: the context is there.
        unsafe { sys::llama_memory_clear(sys::llama_get_memory(self.raw.as_ptr()), false) };
    }

    fn sequence(&self, sequence: u32) -> Result<()> {
        let n = self.options.sequences;
        if sequence < n {
            Ok(())
        } else {
            Err(LlamaError::input(format!("there is no sequence {sequence}; there are {n}")))
        }
    }

    /// Puts adapters into force, each times its factor, in place of those that are. What sequences have was computed
    /// with the old ones.
    ///
    /// # Errors
    /// When one is of another model.
    #[allow(unsafe_code)]
    pub fn set_adapters(&mut self, adapters: &[(Adapter, f32)]) -> Result<()> {
        let same = |adapter: &Adapter| std::sync::Arc::ptr_eq(&adapter.inner.model.inner, &self.model.inner);
        if !adapters.iter().all(|(adapter, _)| same(adapter)) {
            return Err(LlamaError::input("an adapter was loaded for another model"));
        }
        let mut raw: Vec<_> = adapters.iter().map(|(adapter, _)| adapter.inner.raw.as_ptr()).collect();
        let mut scales: Vec<f32> = adapters.iter().map(|(_, scale)| *scale).collect();
        let (code, said) = errors_of(|| {
            // SAFETY: both arrays have as many items as is said. The adapters are of this model and are kept until
            // others are in force; the old ones are still there when they are replaced.
            unsafe {
                sys::llama_set_adapters_lora(
                    self.raw.as_ptr(),
                    raw.as_mut_ptr(),
                    raw.len(),
                    scales.as_mut_ptr(),
                )
            }
        });
        if code != 0 {
            return Err(LlamaError::Decode { code, message: said });
        }
        self.adapters = adapters.to_vec();
        Ok(())
    }

    /// The adapters in force.
    pub fn adapters(&self) -> &[(Adapter, f32)] {
        &self.adapters
    }

    /// Writes new numbers over a weight of a [changeable](Model::changeable) model: `bytes` of type `kind`
    /// (`enum ggml_type`), in the layout of a GGUF file. What sequences have was computed with the old ones.
    ///
    /// # Errors
    /// When the model is not changeable, or has no such tensor of this type and size.
    pub fn set_tensor(&mut self, name: &str, kind: u32, bytes: &[u8]) -> Result<()> {
        self.model.set_tensor(name, kind, bytes)
    }
}
