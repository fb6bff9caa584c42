//! Low-rank adapters beside the matrices (Hu et al. 2021): added, merged, and exchanged with PEFT.

use std::collections::BTreeSet;
use std::path::Path;

use candle_core::{DType, Var};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::{PolicyError, Result};
use crate::load::read_json;
use crate::policy::Policy;
use crate::random::uniform;
use crate::save::json_file;
use crate::tensors::{self, TensorFile};
use crate::weights::{Adapter, Weights};

/// PEFT's description of an adapter.
pub const CONFIG: &str = "adapter_config.json";
/// Its tensors.
pub const TENSORS: &str = "adapter_model.safetensors";

/// The matrices of a layer, as they are called in `target_modules`.
pub const MODULES: [&str; 7] = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

/// What adapters to add.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoraConfig {
    /// Width of the adapters.
    pub rank: usize,
    /// They are scaled by alpha / rank. At 32 the best learning rate hardly depends on the rank (Schulman et al. 2025,
    /// "LoRA Without Regret").
    pub alpha: f64,
    /// Which matrices have one, of [`MODULES`]. All by default: those of the attention alone learn less (ibid.).
    pub target_modules: Vec<String>,
}

impl Default for LoraConfig {
    fn default() -> Self {
        Self { rank: 16, alpha: 32.0, target_modules: MODULES.map(str::to_owned).to_vec() }
    }
}

impl LoraConfig {
    fn check(&self) -> std::result::Result<(), String> {
        if self.rank == 0 || self.rank > 1 << 16 {
            return Err(format!("`rank` is {}; expected 1 to 65536", self.rank));
        }
        if !self.alpha.is_finite() || self.alpha <= 0.0 {
            return Err(format!("`alpha` is {}; expected a number above 0", self.alpha));
        }
        if self.target_modules.is_empty() {
            return Err("`target_modules` is empty".to_owned());
        }
        match self.target_modules.iter().find(|name| !MODULES.contains(&name.as_str())) {
            Some(name) => {
                Err(format!("`target_modules` names `{name}`; the matrices are {}", MODULES.join(", ")))
            }
            None => Ok(()),
        }
    }

    fn targets(&self, name: &str) -> bool {
        self.target_modules.iter().any(|module| name.rsplit('.').next() == Some(module))
    }
}

/// Gives the policy adapters that change nothing yet: A uniform within 1/sqrt(in), as PEFT draws it, and B zero. From
/// here on they are what training changes.
///
/// # Errors
/// When the configuration makes no sense, the policy has adapters, or the device has no room.
pub fn add(policy: &mut Policy, lora: &LoraConfig, seed: u64) -> Result<()> {
    lora.check().map_err(PolicyError::input)?;
    let device = policy.device.clone();
    let mut stream = 0;
    attach(&mut policy.weights, lora, |_, a, b| {
        stream += 1;
        let bound = 1.0 / (a[1] as f64).sqrt();
        let values = uniform(seed, stream, a[0] * a[1], bound);
        Ok((Var::from_vec(values, &a[..], &device)?, Var::zeros(&b[..], DType::F32, &device)?))
    })
}

/// Puts an adapter beside each matrix that is asked for, by its name in PEFT and the shapes of A and B.
fn attach(
    weights: &mut Weights,
    lora: &LoraConfig,
    mut make: impl FnMut(&str, [usize; 2], [usize; 2]) -> Result<(Var, Var)>,
) -> Result<()> {
    if !weights.named_adapters().is_empty() {
        return Err(PolicyError::input("the model has adapters already; merge them first"));
    }
    let scale = lora.alpha / lora.rank as f64;
    let mut adapted = weights.clone();
    for (i, layer) in adapted.layers.iter_mut().enumerate() {
        for (name, linear) in layer.linears_mut() {
            if lora.targets(name) {
                let (out, input) = linear.weight.dims2()?;
                let name = format!("base_model.model.model.layers.{i}.{name}");
                let (a, b) = make(&name, [lora.rank, input], [out, lora.rank])?;
                linear.adapter = Some(Adapter { a, b, scale });
            }
        }
    }
    *weights = adapted;
    Ok(())
}

/// The configuration of the adapters that a policy has; nothing where it has none.
pub fn config(weights: &Weights) -> Option<LoraConfig> {
    let mut found = None;
    let mut modules = BTreeSet::new();
    for layer in &weights.layers {
        for (name, linear) in layer.linears() {
            if let Some(adapter) = &linear.adapter {
                found.get_or_insert((adapter.a.dims().first().copied()?, adapter.scale));
                modules.insert(name.rsplit('.').next().unwrap_or(name));
            }
        }
    }
    let (rank, scale) = found?;
    let target_modules = MODULES
        .iter()
        .filter(|module| modules.contains(*module))
        .map(|module| (*module).to_owned())
        .collect();
    Some(LoraConfig { rank, alpha: scale * rank as f64, target_modules })
}

/// A policy whose matrices are `weight + scale * b a`, without adapters. What has no adapter is shared with the
/// original.
///
/// # Errors
/// When the device fails.
pub fn merged(policy: &Policy) -> Result<Policy> {
    let mut merged = policy.clone();
    for layer in &mut merged.weights.layers {
        for (_, linear) in layer.linears_mut() {
            if let Some(adapter) = linear.adapter.take() {
                let low = adapter.b.as_detached_tensor().matmul(&adapter.a.as_detached_tensor())?;
                let sum = (linear.weight.as_detached_tensor() + (low * adapter.scale)?)?;
                linear.weight = Var::from_tensor(&sum)?;
            }
        }
    }
    Ok(merged)
}

/// Writes the adapters as PEFT does: [`CONFIG`] and [`TENSORS`]. `base` is the name or folder of the model that they
/// belong to.
///
/// # Errors
/// When there are none or the folder cannot be written.
pub fn save(policy: &Policy, folder: &Path, base: &str) -> Result<()> {
    let Some(lora) = config(&policy.weights) else {
        return Err(PolicyError::input("the model has no adapters to be saved"));
    };
    std::fs::create_dir_all(folder).map_err(|error| PolicyError::file(folder, error))?;
    tensors::write(&folder.join(TENSORS), &policy.weights.named_adapters(), DType::F32)?;
    let about = json!({
        "base_model_name_or_path": base,
        "bias": "none",
        "fan_in_fan_out": false,
        "inference_mode": true,
        "init_lora_weights": true,
        "lora_alpha": lora.alpha,
        "lora_dropout": 0.0,
        "modules_to_save": null,
        "peft_type": "LORA",
        "r": lora.rank,
        "target_modules": lora.target_modules,
        "task_type": "CAUSAL_LM",
        "use_dora": false,
        "use_rslora": false,
    });
    json_file(&folder.join(CONFIG), &about)
}

/// The name or folder of the model that the adapters in a folder belong to.
///
/// # Errors
/// When the folder has no description of adapters, or it names none.
pub fn base(folder: &Path) -> Result<String> {
    let path = folder.join(CONFIG);
    let base = read_json(&path)?.get("base_model_name_or_path").and_then(Value::as_str).map(str::to_owned);
    base.ok_or_else(|| PolicyError::damaged(&path, "`base_model_name_or_path` names no model"))
}

/// Reads adapters that PEFT or [`save`] wrote, and gives them to a policy that has none.
///
/// # Errors
/// When a file or a tensor is missing, damaged or of the wrong shape, or the adapters are of a kind that this model
/// cannot have.
pub fn load(policy: &mut Policy, folder: &Path) -> Result<()> {
    let path = folder.join(CONFIG);
    let raw = read_json(&path)?;
    let damaged = |message: String| PolicyError::damaged(&path, message);
    if raw.get("peft_type").and_then(Value::as_str) != Some("LORA") {
        return Err(damaged("`peft_type` is not `LORA`".to_owned()));
    }
    for field in ["use_dora", "fan_in_fan_out", "lora_bias"] {
        if raw.get(field).and_then(Value::as_bool) == Some(true) {
            return Err(damaged(format!("`{field}` is on; such adapters are not supported")));
        }
    }
    for field in ["rank_pattern", "alpha_pattern", "modules_to_save", "layers_to_transform"] {
        let empty = match raw.get(field) {
            None | Some(Value::Null) => true,
            Some(Value::Object(map)) => map.is_empty(),
            Some(Value::Array(list)) => list.is_empty(),
            Some(_) => false,
        };
        if !empty {
            return Err(damaged(format!("`{field}` is used; such adapters are not supported")));
        }
    }
    if raw.get("bias").and_then(Value::as_str).is_some_and(|bias| bias != "none") {
        return Err(damaged("`bias` is not `none`; such adapters are not supported".to_owned()));
    }
    let rank = raw.get("r").and_then(Value::as_u64).unwrap_or(0) as usize;
    let mut alpha = raw.get("lora_alpha").and_then(Value::as_f64).unwrap_or(f64::NAN);
    if raw.get("use_rslora").and_then(Value::as_bool) == Some(true) {
        // There it is alpha / sqrt(rank).
        alpha *= (rank as f64).sqrt();
    }
    let target_modules = match raw.get("target_modules") {
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
        }
        Some(Value::String(all)) if all == "all-linear" => MODULES.map(str::to_owned).to_vec(),
        _ => return Err(damaged("`target_modules` is no list of names".to_owned())),
    };
    let lora = LoraConfig { rank, alpha, target_modules };
    lora.check().map_err(damaged)?;
    let path = folder.join(TENSORS);
    let mut file = TensorFile::open(&path)?;
    let mut wanted = BTreeSet::new();
    let device = policy.device.clone();
    let mut weights = policy.weights.clone();
    attach(&mut weights, &lora, |name, a, b| {
        let mut read = |part: &str, shape: [usize; 2]| -> Result<Var> {
            let name = format!("{name}.{part}.weight");
            let values = file.read(&name, &shape)?;
            wanted.insert(name);
            Ok(Var::from_vec(values, &shape[..], &device)?)
        };
        Ok((read("lora_A", a)?, read("lora_B", b)?))
    })?;
    if let Some(name) = file.names().into_iter().find(|name| !wanted.contains(name)) {
        return Err(PolicyError::damaged(&path, format!("the tensor `{name}` is no part of the adapters")));
    }
    policy.weights = weights;
    Ok(())
}
