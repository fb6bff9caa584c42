//! Weights from a folder in the layout of Hugging Face.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use candle_core::{Device, Var};
use serde_json::{Map, Value};

use crate::config::ModelConfig;
use crate::error::{PolicyError, Result};
use crate::tensors::TensorFile;
use crate::weights::Weights;

/// The file of a model that fits into one.
pub const SINGLE: &str = "model.safetensors";
/// What says which tensor is in which file, where there are several.
pub const INDEX: &str = "model.safetensors.index.json";

/// The largest JSON file that is read.
const MAX_JSON: u64 = 64 << 20;

/// Reads all parameters of a model, turned into 32-bit floats on `device`.
///
/// # Errors
/// When a file or a tensor is missing, damaged, of the wrong shape, or not the model's.
pub fn weights(folder: &Path, config: &ModelConfig, device: &Device) -> Result<Weights> {
    let mut shards = Shards::open(folder)?;
    let mut wanted = BTreeSet::new();
    let weights = Weights::build(config, |name, shape, _| {
        wanted.insert(name.to_owned());
        let values = shards.read(name, shape)?;
        Ok(Var::from_vec(values, shape, device)?)
    })?;
    for (name, place) in &shards.places {
        if !wanted.contains(name) && !ignored(name, config) {
            return Err(PolicyError::damaged(
                &shards.files[*place].0,
                format!("the tensor `{name}` is no part of the model that {} describes", "config.json"),
            ));
        }
    }
    Ok(weights)
}

/// Tensors that some files have and no decoder needs.
fn ignored(name: &str, config: &ModelConfig) -> bool {
    // Rotary frequencies, which follow from the configuration; and a copy of the embedding.
    name.ends_with(".rotary_emb.inv_freq") || (config.tie_word_embeddings && name == "lm_head.weight")
}

/// All files of a model, and which tensor is where.
struct Shards {
    files: Vec<(PathBuf, TensorFile)>,
    places: BTreeMap<String, usize>,
    /// What to blame when a tensor is in none of them.
    listed_in: PathBuf,
}

impl Shards {
    fn open(folder: &Path) -> Result<Self> {
        let single = folder.join(SINGLE);
        let index = folder.join(INDEX);
        if single.exists() {
            let file = TensorFile::open(&single)?;
            let places = file.names().into_iter().map(|name| (name, 0)).collect();
            return Ok(Self { files: vec![(single.clone(), file)], places, listed_in: single });
        }
        if !index.exists() {
            let message = if folder.join("pytorch_model.bin").exists() {
                format!("there is no {SINGLE}; pytorch_model.bin is not read, save the model as safetensors")
            } else {
                format!("there is neither {SINGLE} nor {INDEX}")
            };
            return Err(PolicyError::damaged(folder, message));
        }
        let listing = read_json(&index)?;
        let Some(map) = listing.get("weight_map").and_then(Value::as_object) else {
            return Err(PolicyError::damaged(&index, "`weight_map` is missing"));
        };
        let mut files: Vec<(PathBuf, TensorFile)> = Vec::new();
        let mut numbers = BTreeMap::new();
        let mut places = BTreeMap::new();
        for (tensor, file) in map {
            // A name alone: an index must not reach out of its folder.
            let name = file.as_str().filter(|name| {
                !name.is_empty() && !name.contains(['/', '\\']) && *name != ".." && *name != "."
            });
            let Some(name) = name else {
                return Err(PolicyError::damaged(&index, format!("`{tensor}` is said to be in {file}")));
            };
            let number = if let Some(number) = numbers.get(name) {
                *number
            } else {
                let path = folder.join(name);
                if !path.exists() {
                    return Err(PolicyError::damaged(
                        &path,
                        format!("the file is missing; {INDEX} says that it holds `{tensor}`"),
                    ));
                }
                files.push((path.clone(), TensorFile::open(&path)?));
                numbers.insert(name.to_owned(), files.len() - 1);
                files.len() - 1
            };
            if !files[number].1.has(tensor) {
                return Err(PolicyError::damaged(
                    &files[number].0,
                    format!("there is no tensor `{tensor}`, although {INDEX} says so"),
                ));
            }
            places.insert(tensor.clone(), number);
        }
        Ok(Self { files, places, listed_in: index })
    }

    fn read(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        match self.places.get(name) {
            Some(place) => self.files[*place].1.read(name, shape),
            None => Err(PolicyError::damaged(&self.listed_in, format!("the tensor `{name}` is missing"))),
        }
    }
}

/// Reads a JSON object.
///
/// # Errors
/// When the file cannot be read, is too large, or holds something else.
pub(crate) fn read_json(path: &Path) -> Result<Map<String, Value>> {
    let text = read_text(path)?;
    serde_json::from_str(&text).map_err(|error| PolicyError::damaged(path, error.to_string()))
}

/// Reads a text of bounded size.
///
/// # Errors
/// When the file cannot be read, is too large, or is not UTF-8.
pub(crate) fn read_text(path: &Path) -> Result<String> {
    let size = std::fs::metadata(path).map_err(|error| PolicyError::file(path, error))?.len();
    if size > MAX_JSON {
        return Err(PolicyError::damaged(path, format!("{size} bytes are more than the {MAX_JSON} allowed")));
    }
    std::fs::read_to_string(path).map_err(|error| PolicyError::file(path, error))
}
