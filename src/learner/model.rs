//! The policy and its tokenizer: made from a recipe, found in a checkpoint, written to one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use policy::optimizer::AdamW;
use policy::tokenizer::Tokenizer;
use policy::{LoraConfig, ModelConfig, Policy, Sizes, lora};

use super::error::{LearnerError, Result};
use super::recipe::{DeviceChoice, Dtype, Family, ModelSource, Recipe, TinyModel};

/// What a run trains.
pub(super) struct Opened {
    /// The model, with adapters where the recipe wants them.
    pub(super) policy: Policy,
    /// Its tokenizer.
    pub(super) tokenizer: Tokenizer,
}

/// The device of a recipe.
pub(super) fn device(choice: &DeviceChoice) -> Result<Device> {
    Ok(policy::device::parse(&choice.to_string())?)
}

/// The model that a run begins with. `seed` decides random weights.
pub(super) fn open(recipe: &Recipe, device: &Device, seed: u64) -> Result<Opened> {
    let mut opened = base(recipe, device, seed)?;
    if let Some(adapter) = &recipe.model.lora {
        let config = LoraConfig {
            rank: adapter.rank,
            alpha: adapter.alpha,
            target_modules: adapter.targets.iter().map(|target| target.name().to_owned()).collect(),
        };
        lora::add(&mut opened.policy, &config, seed)?;
    }
    compute(recipe, &mut opened.policy);
    Ok(opened)
}

/// How the passes are computed.
fn compute(recipe: &Recipe, policy: &mut Policy) {
    policy.options.checkpointing = recipe.train.gradient_checkpointing;
    policy.options.compute = match recipe.model.dtype {
        Dtype::F32 => DType::F32,
        Dtype::Bf16 => DType::BF16,
    };
}

fn base(recipe: &Recipe, device: &Device, seed: u64) -> Result<Opened> {
    match recipe.model.source() {
        Some(ModelSource::There { path, revision }) => {
            let name = revision.map_or_else(|| path.to_owned(), |revision| format!("{path}@{revision}"));
            folder(&policy::hub::find(&name)?, device)
        }
        Some(ModelSource::Tiny(tiny)) => {
            let tokenizer = Tokenizer::small(&tiny.tokens, &tiny.characters, None)?;
            let mut config = ModelConfig::from_sizes(&sizes(tiny), tokenizer.vocabulary())?;
            tokenizer.describe(&mut config);
            Ok(Opened { policy: Policy::random(config, seed, device)?, tokenizer })
        }
        None => Err(LearnerError::other("the recipe names no model")),
    }
}

/// The model of a folder in Hugging Face's layout.
pub(super) fn folder(folder: &Path, device: &Device) -> Result<Opened> {
    let policy = Policy::load(folder, device)?;
    let tokenizer = Tokenizer::load(folder)?;
    let (has, needs) = (policy.config.vocab_size, tokenizer.vocabulary());
    if needs > has {
        return Err(LearnerError::other(format!(
            "{}: the tokenizer has {needs} tokens and the model {has}; they do not belong together",
            folder.display()
        )));
    }
    Ok(Opened { policy, tokenizer })
}

fn sizes(tiny: &TinyModel) -> Sizes {
    Sizes {
        family: match tiny.family {
            Family::Llama => policy::config::Family::Llama,
            Family::Qwen2 => policy::config::Family::Qwen2,
            Family::Qwen3 => policy::config::Family::Qwen3,
        },
        hidden_size: tiny.hidden,
        intermediate_size: tiny.intermediate,
        n_layers: tiny.layers,
        n_heads: tiny.heads,
        n_kv_heads: tiny.kv_heads,
        max_position_embeddings: tiny.max_positions,
        tie_word_embeddings: tiny.tie_embeddings,
        rope_theta: tiny.rope_theta,
        ..Sizes::default()
    }
}

/// Folders of a checkpoint.
const MODEL: &str = "model";
const ADAPTER: &str = "adapter";
const REFERENCE: &str = "reference";

/// The model's own folder, of a checkpoint's or of a model's.
pub(super) fn of_checkpoint(folder: &Path) -> PathBuf {
    let inside = folder.join(MODEL);
    if inside.is_dir() { inside } else { folder.to_owned() }
}

/// The adapter's folder of a checkpoint, where it has one.
pub(super) fn adapter_of_checkpoint(folder: &Path) -> Option<PathBuf> {
    Some(folder.join(ADAPTER)).filter(|inside| inside.is_dir())
}

/// Writes the policy: the model, or of adapters these alone. Always in 32-bit floats, which is what goes on exactly.
pub(super) fn save(recipe: &Recipe, policy: &Policy, tokenizer: &Tokenizer, checkpoint: &Path) -> Result<()> {
    let model = checkpoint.join(MODEL);
    if recipe.model.lora.is_some() {
        let base = recipe.model.path.as_deref().unwrap_or("tiny");
        lora::save(policy, &checkpoint.join(ADAPTER), base)?;
        // What is in the adapter is in the merged model too, which everything else can read.
        lora::merged(policy)?.save(&model)?;
    } else {
        policy.save(&model)?;
    }
    tokenizer.save(&model)?;
    Ok(())
}

/// The policy of a checkpoint.
pub(super) fn resume(recipe: &Recipe, checkpoint: &Path, device: &Device, seed: u64) -> Result<Opened> {
    let mut opened = if recipe.model.lora.is_some() {
        let mut opened = base(recipe, device, seed)?;
        lora::load(&mut opened.policy, &checkpoint.join(ADAPTER))?;
        opened
    } else {
        folder(&checkpoint.join(MODEL), device)?
    };
    compute(recipe, &mut opened.policy);
    Ok(opened)
}

/// Writes a reference policy that has moved.
pub(super) fn save_reference(reference: &Policy, checkpoint: &Path) -> Result<()> {
    let folder = checkpoint.join(REFERENCE);
    if reference.weights.named_adapters().is_empty() {
        reference.save(&folder)?;
    } else {
        lora::save(reference, &folder, "reference")?;
    }
    Ok(())
}

/// The reference policy of a checkpoint; `policy` has its shape.
pub(super) fn load_reference(policy: &Policy, checkpoint: &Path) -> Result<Policy> {
    let folder = checkpoint.join(REFERENCE);
    if policy.weights.named_adapters().is_empty() {
        return Ok(Policy::load(&folder, &policy.device)?);
    }
    let mut reference = policy.without_adapter();
    lora::load(&mut reference, &folder)?;
    Ok(reference)
}

/// The optimiser's file in a checkpoint.
const OPTIMIZER: &str = "optimizer.safetensors";

/// Writes what the optimiser remembers.
pub(super) fn save_optimizer(optimizer: &AdamW, checkpoint: &Path) -> Result<()> {
    let state: HashMap<String, Tensor> = optimizer.state().into_iter().collect();
    candle_core::safetensors::save(&state, checkpoint.join(OPTIMIZER)).map_err(policy::PolicyError::from)?;
    Ok(())
}

/// Takes it back.
pub(super) fn load_optimizer(
    optimizer: &mut AdamW,
    steps: u64,
    checkpoint: &Path,
    device: &Device,
) -> Result<()> {
    let state = candle_core::safetensors::load(checkpoint.join(OPTIMIZER), device)
        .map_err(policy::PolicyError::from)?;
    optimizer.restore(steps, |name| Ok(state.get(name).cloned()))?;
    Ok(())
}
