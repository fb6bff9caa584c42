//! The policy's weights in a running model.

use std::path::Path;

use ::llama::{Adapter, Context, Model, ModelOptions};
use policy::Policy;
use policy::gguf::{AdapterExport, Dtype, ExportOptions, export, tensors};
use policy::tokenizer::Tokenizer;

use super::{LlamaLogits, LlamaSettings};
use crate::rollout::RolloutError;

/// Types of tensors (`enum ggml_type`).
const fn kind(dtype: Dtype) -> u32 {
    match dtype {
        Dtype::F32 => 0,
        Dtype::F16 => 1,
        Dtype::Q8_0 => 8,
        Dtype::Bf16 => 30,
    }
}

/// A model that runs.
pub(super) struct Running {
    logits: LlamaLogits,
    model: Model,
    /// The type of its matrices, where each of them changes; otherwise adapters do.
    dtype: Option<Dtype>,
    /// Whether the last change was made as a whole.
    is_whole: bool,
    bytes: Vec<u8>,
}

impl Running {
    /// Loads or exports the model and brings it to the policy's weights.
    pub(super) fn open(
        settings: &LlamaSettings,
        policy: &Policy,
        tokenizer: &Tokenizer,
    ) -> Result<Self, RolloutError> {
        let options = settings.model_options();
        let adapts = !policy.weights.named_adapters().is_empty();
        let model = match &settings.model {
            Some(path) if adapts => Model::load(path, &options)?,
            Some(_) => {
                let message = "a file of a model is of use with adapters alone; the policy has none";
                return Err(RolloutError::Request { message: message.to_owned() });
            }
            None if adapts => {
                exported(&policy.without_adapter(), tokenizer, settings.dtype, |path| {
                    // The file is removed after this; what is mapped stays.
                    Ok(Model::load(path, &ModelOptions { mmap: false, ..options.clone() })?)
                })?
            }
            None => exported(policy, tokenizer, settings.dtype, |path| {
                let bytes = std::fs::read(path).map_err(|source| policy::PolicyError::file(path, source))?;
                Ok(Model::changeable(&bytes, &options)?)
            })?,
        };
        let (has, needs) = (model.n_tokens(), policy.config.vocab_size);
        if has != needs {
            let message = format!(
                "the GGUF model has {has} tokens and the policy {needs}; it must be a file of the model that is trained"
            );
            return Err(RolloutError::Request { message });
        }
        let context = Context::new(&model, &settings.context_options())?;
        let dtype = (!adapts).then_some(settings.dtype);
        let logits = LlamaLogits::new(context);
        let mut running = Self { logits, model, dtype, is_whole: true, bytes: Vec::new() };
        if adapts {
            running.update(policy)?;
        }
        Ok(running)
    }

    /// What computes.
    pub(super) fn logits(&mut self) -> &mut LlamaLogits {
        &mut self.logits
    }

    /// Whether it has the weights of one policy, old or new.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Takes the policy's weights over.
    pub(super) fn update(&mut self, policy: &Policy) -> Result<(), RolloutError> {
        match self.dtype {
            None => self.adapt(policy),
            Some(dtype) => {
                self.is_whole = false;
                self.overwrite(policy, dtype)?;
                self.is_whole = true;
                Ok(())
            }
        }
    }

    /// Loads the policy's adapters and puts them in place of the last ones.
    fn adapt(&mut self, policy: &Policy) -> Result<(), RolloutError> {
        self.bytes.clear();
        AdapterExport::new(policy, Dtype::F32)?.write(&mut self.bytes)?;
        let file =
            in_memory().map_err(|source| policy::PolicyError::file(Path::new("adapter.gguf"), source))?;
        let path = file.path();
        std::fs::write(path, &self.bytes).map_err(|source| policy::PolicyError::file(path, source))?;
        let adapter = Adapter::load(&self.model, path)?;
        self.logits.context().set_adapters(&[(adapter, 1.0)])?;
        Ok(())
    }

    /// Writes every tensor over the one that runs.
    fn overwrite(&mut self, policy: &Policy, dtype: Dtype) -> Result<(), RolloutError> {
        for entry in tensors(policy) {
            self.bytes.clear();
            entry.encode(dtype, &mut self.bytes)?;
            let kind = kind(dtype.of(entry.shape()));
            self.logits.context().set_tensor(entry.name(), kind, &self.bytes)?;
        }
        Ok(())
    }
}

/// A file in memory where the system has such, else on the disk.
fn in_memory() -> std::io::Result<tempfile::NamedTempFile> {
    tempfile::NamedTempFile::new_in("/dev/shm").or_else(|_| tempfile::NamedTempFile::new())
}

/// Exports a policy to a file that is there for `load` alone.
fn exported(
    policy: &Policy,
    tokenizer: &Tokenizer,
    dtype: Dtype,
    load: impl FnOnce(&Path) -> Result<Model, RolloutError>,
) -> Result<Model, RolloutError> {
    let folder = tempfile::tempdir()
        .map_err(|source| policy::PolicyError::file(Path::new("a folder for the model"), source))?;
    let path = folder.path().join("model.gguf");
    // The engine hands over tokens: how llama.cpp would cut a text does not matter.
    let pre_tokenizer = Some("default".to_owned());
    let options = ExportOptions { dtype, pre_tokenizer, ..ExportOptions::default() };
    export(policy, tokenizer, &options, &path, |_, _| {})?;
    load(&path)
}
