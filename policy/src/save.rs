//! Weights to a folder, in the layout that `transformers` reads.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use candle_core::{DType, Var};
use serde_json::{Map, Value, json};

use crate::config::{Family, ModelConfig};
use crate::error::{PolicyError, Result};
use crate::load::{INDEX, SINGLE};
use crate::tensors;
use crate::weights::Weights;

/// How to write.
#[derive(Clone, Copy, Debug)]
pub struct SaveOptions {
    /// `F32` or `BF16`.
    pub dtype: DType,
    /// The most bytes of one file; a larger model is written as several.
    pub shard_bytes: usize,
}

impl Default for SaveOptions {
    fn default() -> Self {
        // What `transformers` calls 5GB.
        Self { dtype: DType::F32, shard_bytes: 5_000_000_000 }
    }
}

/// Writes `config.json` and the parameters of the model itself. Adapters are not in it: merge them first, or save
/// them with [`lora::save`](crate::lora::save).
///
/// Each file is there whole or not at all; the one that says which others there are comes last.
///
/// # Errors
/// When the folder cannot be written.
pub fn model(folder: &Path, config: &ModelConfig, weights: &Weights, options: &SaveOptions) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| PolicyError::file(folder, error))?;
    json_file(&folder.join("config.json"), &Value::Object(config_json(config, options.dtype)))?;
    let width = if options.dtype == DType::BF16 { 2 } else { 4 };
    let shards = split(weights.named(), width, options.shard_bytes);
    let (single, index) = (folder.join(SINGLE), folder.join(INDEX));
    if let [all] = &shards[..] {
        tensors::write(&single, all, options.dtype)?;
        return remove(&index);
    }
    let mut map = BTreeMap::new();
    let mut total = 0;
    for (i, shard) in shards.iter().enumerate() {
        let name = format!("model-{:05}-of-{:05}.safetensors", i + 1, shards.len());
        tensors::write(&folder.join(&name), shard, options.dtype)?;
        for (tensor, var) in shard {
            map.insert(tensor.clone(), name.clone());
            total += var.elem_count() * width;
        }
    }
    json_file(&index, &json!({ "metadata": { "total_size": total }, "weight_map": map }))?;
    remove(&single)
}

/// Parameters in order, in groups of at most `limit` bytes; one that is larger has a group of its own.
fn split(named: Vec<(String, Var)>, width: usize, limit: usize) -> Vec<Vec<(String, Var)>> {
    let mut shards = vec![Vec::new()];
    let mut size = 0;
    for (name, var) in named {
        let bytes = var.elem_count() * width;
        if size > 0 && size + bytes > limit {
            shards.push(Vec::new());
            size = 0;
        }
        size += bytes;
        if let Some(shard) = shards.last_mut() {
            shard.push((name, var));
        }
    }
    shards
}

/// `config.json`: what was read, with what must be right for this file.
fn config_json(config: &ModelConfig, dtype: DType) -> Map<String, Value> {
    let mut raw = config.raw.clone();
    let (kind, architecture) = match config.family {
        Family::Llama if raw.get("model_type").and_then(Value::as_str) == Some("mistral") => {
            ("mistral", "MistralForCausalLM")
        }
        Family::Llama => ("llama", "LlamaForCausalLM"),
        Family::Qwen2 => ("qwen2", "Qwen2ForCausalLM"),
        Family::Qwen3 => ("qwen3", "Qwen3ForCausalLM"),
    };
    let dtype = if dtype == DType::BF16 { "bfloat16" } else { "float32" };
    raw.insert("model_type".to_owned(), kind.into());
    raw.insert("architectures".to_owned(), json!([architecture]));
    raw.insert("vocab_size".to_owned(), config.vocab_size.into());
    raw.insert("tie_word_embeddings".to_owned(), config.tie_word_embeddings.into());
    raw.insert("dtype".to_owned(), dtype.into());
    // The name of it before transformers 5.
    raw.insert("torch_dtype".to_owned(), dtype.into());
    raw
}

/// Writes JSON as `transformers` does: indented by two, with a line's end.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn json_file(path: &Path, value: &Value) -> Result<()> {
    let text = format!("{value:#}\n");
    tensors::write_whole(path, |file| file.write_all(text.as_bytes()))
}

/// Removes what a model saved here earlier in another form has left.
fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(PolicyError::file(path, error)),
        _ => Ok(()),
    }
}
