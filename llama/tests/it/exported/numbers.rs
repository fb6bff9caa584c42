//! Log-probabilities of every token at every place.

use std::path::Path;

use candle_core::{Device, Tensor};
use policy::config::Family;
use policy::gguf::{self, Dtype, ExportOptions};
use policy::lora::{self, LoraConfig};
use policy::{ModelConfig, Packed, Policy, Sizes, Tokenizer};
use serde_json::json;
use tempfile::TempDir;

use super::engine::Engine;

const FAMILIES: [Family; 3] = [Family::Llama, Family::Qwen2, Family::Qwen3];
const VOCABULARY: usize = 40;

fn tokens() -> Vec<u32> {
    (0..24).map(|i| (i * 7 + i * i) % VOCABULARY as u32).collect()
}

fn config(family: Family, tied: bool, changes: serde_json::Value) -> ModelConfig {
    let sizes = Sizes {
        family,
        hidden_size: 64,
        intermediate_size: 96,
        n_layers: 3,
        tie_word_embeddings: tied,
        initializer_range: 0.12,
        ..Sizes::default()
    };
    let mut raw = ModelConfig::from_sizes(&sizes, VOCABULARY).expect("they fit").raw;
    if let serde_json::Value::Object(changes) = changes {
        raw.extend(changes);
    }
    ModelConfig::from_raw(raw).expect("it is sound")
}

/// Norms and biases that are not all alike.
fn shaken(config: ModelConfig) -> Policy {
    let policy = Policy::random(config, 5, &Device::Cpu).expect("room");
    for (i, (name, var)) in policy.weights.named().into_iter().enumerate() {
        if name.contains("norm") || name.contains("bias") {
            let n = var.elem_count();
            let wave: Vec<f32> = (0..n).map(|k| ((k * 7 + i * 13) % 31) as f32 * 0.02 - 0.3).collect();
            let wave = Tensor::from_vec(wave, var.shape(), &Device::Cpu).expect("its shape");
            var.set(&(var.as_detached_tensor() + wave).expect("its shape")).expect("its shape");
        }
    }
    policy
}

fn adapted(config: ModelConfig) -> Policy {
    let mut policy = shaken(config);
    let lora = LoraConfig { rank: 4, alpha: 6.0, ..LoraConfig::default() };
    lora::add(&mut policy, &lora, 1).expect("it has none");
    for (i, (_, var)) in policy.weights.named_adapters().into_iter().enumerate() {
        let n = var.elem_count();
        let wave: Vec<f32> = (0..n).map(|k| ((k * 5 + i * 3) % 17) as f32 * 0.012 - 0.09).collect();
        var.set(&Tensor::from_vec(wave, var.shape(), &Device::Cpu).expect("its shape")).expect("its shape");
    }
    policy
}

fn logprobs(policy: &Policy) -> Vec<f32> {
    let tokens = tokens();
    let mut packed = Packed::default();
    packed.push(&tokens, 1).expect("a sequence");
    let (places, vocabulary) = (tokens.len() as u32, VOCABULARY as u32);
    packed.rows = (0..places).flat_map(|place| (0..vocabulary).map(move |_| place)).collect();
    packed.targets = (0..places).flat_map(|_| 0..vocabulary).collect();
    policy.scores(&packed, 1.0).expect("it fits").logprobs
}

fn export(policy: &Policy, dtype: Dtype, path: &Path) {
    let tokenizer = Tokenizer::characters("0123456789abcdefghijklmnopqrstu", None).expect("it is sound");
    let options = ExportOptions { dtype, ..ExportOptions::default() };
    gguf::export(policy, &tokenizer, &options, path, |_, _| {}).expect("llama.cpp has an equal");
}

/// The largest difference of a log-probability, and how far those of the policy are spread.
fn difference(policy: &Policy, engine: &mut Engine, adapter: Option<&Path>) -> (f64, f64) {
    let theirs = engine.logits(&tokens(), adapter);
    let theirs = theirs.iter().flat_map(|row| {
        let sum = row.iter().map(|logit| f64::from(*logit).exp()).sum::<f64>().ln();
        row.iter().map(move |logit| f64::from(*logit) - sum)
    });
    let ours = logprobs(policy);
    let mean = ours.iter().map(|value| f64::from(*value)).sum::<f64>() / ours.len() as f64;
    let spread = ours.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>() / ours.len() as f64;
    let largest = ours.iter().zip(theirs).map(|(ours, theirs)| (f64::from(*ours) - theirs).abs());
    (largest.fold(0.0, f64::max), spread.sqrt())
}

/// How far log-probabilities may differ. llama.cpp multiplies in the type of the matrices: it rounds activations to
/// f16, bf16 or q8_0 as well.
const fn tolerance(dtype: Dtype) -> f64 {
    match dtype {
        Dtype::F32 => 5e-5,
        Dtype::F16 => 2e-2,
        Dtype::Bf16 => 1e-1,
        Dtype::Q8_0 => 2e-1,
    }
}

/// What is told of a comparison, and whether it is as it should be. All are told before a test fails.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn tell(&mut self, holds: bool, what: String) {
        println!("{what}");
        if !holds {
            self.0.push(what);
        }
    }

    fn none(self) {
        assert!(self.0.is_empty(), "{:#?}", self.0);
    }
}

fn check(name: &str, policy: &Policy, dtypes: &[Dtype], faults: &mut Faults) {
    let folder = TempDir::new().expect("room");
    let path = folder.path().join("model.gguf");
    for dtype in dtypes {
        export(policy, *dtype, &path);
        let (largest, spread) = difference(policy, &mut Engine::load(&path), None);
        faults.tell(
            largest < tolerance(*dtype) && spread > 0.5,
            format!("{name:40} {dtype:5} {largest:.2e} of a spread of {spread:.2}"),
        );
    }
}

#[test]
fn families() {
    let mut faults = Faults::default();
    for (family, tied) in FAMILIES.into_iter().flat_map(|family| [(family, true), (family, false)]) {
        let name = format!("{family:?}, {}", if tied { "tied" } else { "with a head" });
        check(&name, &shaken(config(family, tied, json!(null))), &Dtype::ALL, &mut faults);
    }
    faults.none();
}

#[test]
fn variants() {
    let llama3 = json!({ "rope_theta": 10_000.0, "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 32 });
    let mut faults = Faults::default();
    let linear = json!({ "rope_theta": 10_000.0, "rope_type": "linear", "factor": 4.0 });
    for (family, changes) in [
        (Family::Llama, json!({ "attention_bias": true, "mlp_bias": true })),
        (Family::Llama, json!({ "rope_parameters": llama3 })),
        (Family::Llama, json!({ "head_dim": 32 })),
        (Family::Llama, json!({ "num_key_value_heads": 4 })),
        (Family::Qwen2, json!({ "rope_parameters": linear })),
        (Family::Qwen2, json!({ "rms_norm_eps": 1e-2 })),
        (Family::Qwen3, json!({ "head_dim": 32 })),
        (Family::Qwen3, json!({ "rope_theta": 1e6, "rope_parameters": null })),
    ] {
        let name = format!("{family:?} {changes}");
        check(
            &name[..name.len().min(40)],
            &shaken(config(family, false, changes)),
            &[Dtype::F32],
            &mut faults,
        );
    }
    faults.none();
}

#[test]
fn weights_in_place() {
    let mut faults = Faults::default();
    let tokenizer = Tokenizer::characters("0123456789abcdefghijklmnopqrstu", None).expect("it is sound");
    for family in FAMILIES {
        let policy = shaken(config(family, family == Family::Llama, json!(null)));
        for dtype in [Dtype::F32, Dtype::Q8_0] {
            let options = ExportOptions { dtype, ..ExportOptions::default() };
            let bytes = gguf::bytes(&policy, &tokenizer, &options).expect("llama.cpp has an equal");
            let mut engine = Engine::changeable(&bytes);
            let changed = Policy::random(policy.config.clone(), 6, &Device::Cpu).expect("room");
            let (before, _) = difference(&changed, &mut engine, None);
            for entry in gguf::tensors(&changed) {
                let mut bytes = Vec::new();
                entry.encode(dtype, &mut bytes).expect("they are finite");
                engine.set_tensor(entry.name(), dtype.of(entry.shape()).code(), &bytes);
            }
            let (after, _) = difference(&changed, &mut engine, None);
            let what = format!("{family:?}, {dtype} in place: {before:.2} before, {after:.2e} after");
            faults.tell(before > 0.5 && after < tolerance(dtype), what);
        }
    }
    faults.none();
}

#[test]
fn adapters() {
    let folder = TempDir::new().expect("room");
    let [base, merged, lora] = ["base", "merged", "lora"].map(|name| folder.path().join(name));
    let mut faults = Faults::default();
    for family in FAMILIES {
        let policy = adapted(config(family, family == Family::Qwen2, json!(null)));
        let plain = policy.without_adapter();
        for dtype in [Dtype::F32, Dtype::Q8_0] {
            export(&plain, dtype, &base);
            let mut engine = Engine::load(&base);
            for kept in [Dtype::F32, Dtype::F16] {
                gguf::export_adapter(&policy, kept, &lora).expect("it has adapters");
                let (largest, _) = difference(&policy, &mut engine, Some(&lora));
                let holds = largest < tolerance(dtype).max(tolerance(kept));
                faults.tell(holds, format!("{family:?}, {kept} adapter on {dtype}: {largest:.2e}"));
            }
            let (without, _) = difference(&policy, &mut engine, None);
            let (trace, _) = difference(&plain, &mut engine, None);
            let what =
                format!("{family:?}, adapter off {dtype}: {without:.2} from it, {trace:.2e} from the base");
            faults.tell(without > 0.5 && trace < tolerance(dtype), what);
        }
        export(&policy, Dtype::F32, &merged);
        let (largest, _) = difference(&policy, &mut Engine::load(&merged), None);
        faults.tell(largest < tolerance(Dtype::F32), format!("{family:?}, merged: {largest:.2e}"));
    }
    faults.none();
}
