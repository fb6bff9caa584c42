//! A model, or the adapter of one, as a GGUF file.

use std::path::{Path, PathBuf};

use candle_core::Device;
use policy::gguf::{self, Dtype, ExportOptions};
use policy::lora;

use super::error::{LearnerError, Result};
use super::model::{self, Opened};

/// What is exported.
#[derive(Clone, Debug)]
pub struct Exported {
    /// A model's folder, a checkpoint's, or one with an adapter that PEFT wrote.
    pub folder: PathBuf,
    /// The adapter alone, and not the model with it.
    pub adapter: bool,
    /// The type of the matrices.
    pub dtype: Dtype,
    /// What the file says it is called.
    pub name: Option<String>,
    /// llama.cpp's name of the tokenizer's way of cutting text, where we know none.
    pub pre_tokenizer: Option<String>,
}

/// Writes the file, whole or not at all. `progress` hears of bytes written, and of how many there will be.
///
/// # Errors
/// When the model cannot be read, there is no adapter where one is asked for, llama.cpp has no equal to the model or
/// its tokenizer, or the file cannot be written.
pub fn export(exported: &Exported, to: &Path, progress: impl FnMut(u64, u64)) -> Result<()> {
    let opened = open(exported)?;
    if exported.adapter {
        gguf::export_adapter(&opened.policy, exported.dtype, to)?;
        return Ok(());
    }
    let options = ExportOptions {
        dtype: exported.dtype,
        name: exported.name.clone(),
        pre_tokenizer: exported.pre_tokenizer.clone(),
    };
    gguf::export(&opened.policy, &opened.tokenizer, &options, to, progress)?;
    Ok(())
}

fn open(exported: &Exported) -> Result<Opened> {
    let (folder, device) = (&exported.folder, &Device::Cpu);
    if folder.join(lora::CONFIG).is_file() {
        let mut opened = model::folder(&policy::hub::find(&lora::base(folder)?)?, device)?;
        lora::load(&mut opened.policy, folder)?;
        return Ok(opened);
    }
    let mut opened = model::folder(&model::of_checkpoint(folder), device)?;
    if exported.adapter {
        let Some(adapter) = model::adapter_of_checkpoint(folder) else {
            return Err(LearnerError::other(format!(
                "{} has no adapter: its whole model was trained",
                folder.display()
            )));
        };
        // The model has it merged already; only its shape is looked at.
        lora::load(&mut opened.policy, &adapter)?;
    }
    Ok(opened)
}
