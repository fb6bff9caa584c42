//! Models and adapters as GGUF, read back by candle and by the Python package `gguf`.
//!
//! That llama.cpp computes the same with them is a test of the crate that has llama.cpp.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::process::Command;

use candle_core::quantized::gguf_file::{Content, Value};
use candle_core::{Device, Tensor, Var};
use policy::config::Family;
use policy::gguf::{self, AdapterExport, Dtype, ExportOptions};
use policy::lora::{self, LoraConfig};
use policy::{ModelConfig, Policy, PolicyError, Sizes, Tokenizer};
use serde_json::{Map, json};
use tempfile::TempDir;

const FAMILIES: [Family; 3] = [Family::Llama, Family::Qwen2, Family::Qwen3];

/// Two heads of keys and values for four of queries, and a vocabulary that the tokenizer does not fill.
fn config(family: Family, tied: bool) -> Map<String, serde_json::Value> {
    let sizes = Sizes {
        family,
        hidden_size: 32,
        intermediate_size: 48,
        n_layers: 2,
        tie_word_embeddings: tied,
        ..Sizes::default()
    };
    ModelConfig::from_sizes(&sizes, 24).expect("they fit").raw
}

fn with(mut raw: Map<String, serde_json::Value>, changes: &serde_json::Value) -> ModelConfig {
    raw.extend(changes.as_object().expect("an object").clone());
    ModelConfig::from_raw(raw).expect("it is sound")
}

fn random(config: ModelConfig) -> Policy {
    let policy = Policy::random(config, 3, &Device::Cpu).expect("room");
    // Norms and biases that are all alike would hide what is mixed up.
    for (i, (_, var)) in policy.weights.named().into_iter().enumerate() {
        let n = var.elem_count();
        let wave: Vec<f32> = (0..n).map(|k| ((k * 7 + i * 13) % 31) as f32 * 0.01).collect();
        let wave = Tensor::from_vec(wave, var.shape(), &Device::Cpu).expect("its shape");
        var.set(&(var.as_detached_tensor() + wave).expect("its shape")).expect("its shape");
    }
    policy
}

fn tokenizer() -> Tokenizer {
    Tokenizer::small(&["<think>".to_owned()], "0123456789+= \né", None).expect("it is sound")
}

fn options(dtype: Dtype) -> ExportOptions {
    ExportOptions { dtype, ..ExportOptions::default() }
}

fn export(policy: &Policy, dtype: Dtype, path: &Path) -> policy::error::Result<()> {
    gguf::export(policy, &tokenizer(), &options(dtype), path, |_, _| {})
}

fn read(path: &Path) -> (Content, File) {
    let mut file = File::open(path).expect("it is there");
    (Content::read(&mut file).expect("it is sound"), file)
}

fn values(content: &Content, file: &mut File, name: &str) -> Vec<f32> {
    let tensor = content.tensor(file, name, &Device::Cpu).expect("it is there");
    let tensor = tensor.dequantize(&Device::Cpu).expect("on the CPU");
    tensor.flatten_all().expect("a list").to_vec1().expect("on the CPU")
}

fn host(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().expect("a list").to_vec1().expect("on the CPU")
}

/// llama.cpp's name of a parameter.
fn renamed(name: &str) -> String {
    let mut name = name.replace("model.layers.", "blk.");
    for (theirs, ours) in [
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("self_attn.q_norm", "attn_q_norm"),
        ("self_attn.k_norm", "attn_k_norm"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"),
        ("model.embed_tokens", "token_embd"),
        ("model.norm", "output_norm"),
        ("lm_head", "output"),
    ] {
        name = name.replace(theirs, ours);
    }
    name
}

/// The numbers of a parameter as llama.cpp has them: row 2 i + s of a head is row s D/2 + i.
fn arranged(config: &ModelConfig, name: &str, tensor: &Tensor) -> Vec<f32> {
    let values = host(tensor);
    let turned = name.contains("q_proj") || name.contains("k_proj");
    if config.family != Family::Llama || !turned || name.contains("lora_A") {
        return values;
    }
    let (n_rows, size) = (tensor.dims()[0], config.head_dim);
    let width = values.len() / n_rows;
    (0..n_rows)
        .flat_map(|row| {
            let (head, within) = (row / size, row % size);
            let source = head * size + (within % 2) * size / 2 + within / 2;
            values[source * width..(source + 1) * width].to_vec()
        })
        .collect()
}

/// How far numbers may be from those they were written from.
fn bound(dtype: Dtype, block: &[f32], value: f32) -> f32 {
    match dtype {
        Dtype::F32 => 0.0,
        Dtype::F16 => value.abs() / 2048.0 + 1e-7,
        Dtype::Bf16 => value.abs() / 256.0,
        Dtype::Q8_0 => block.iter().fold(0.0f32, |a, b| a.max(b.abs())) / 127.0 * 0.51 + value.abs() / 2048.0,
    }
}

fn close(dtype: Dtype, name: &str, got: &[f32], want: &[f32]) {
    assert_eq!(got.len(), want.len(), "{name}");
    for (got, want) in got.chunks(32).zip(want.chunks(32)) {
        for (g, w) in got.iter().zip(want) {
            assert!((g - w).abs() <= bound(dtype, want, *w), "{name} as {dtype}: {g} and not {w}");
        }
    }
}

#[test]
fn every_parameter_is_read_back() {
    let folder = TempDir::new().expect("room");
    let path = folder.path().join("model.gguf");
    for (family, tied) in FAMILIES.into_iter().flat_map(|family| [(family, true), (family, false)]) {
        let policy = random(ModelConfig::from_raw(config(family, tied)).expect("it is sound"));
        for dtype in Dtype::ALL {
            export(&policy, dtype, &path).expect("room");
            let (content, mut file) = read(&path);
            let mut names = BTreeSet::new();
            for (name, var) in policy.weights.named() {
                let theirs = renamed(&name);
                let info = content.tensor_infos.get(&theirs).expect("it is there");
                assert_eq!(info.shape.dims(), var.dims(), "{theirs}");
                let kept = dtype.of(var.dims());
                let got = values(&content, &mut file, &theirs);
                close(kept, &theirs, &got, &arranged(&policy.config, &name, &var));
                names.insert(theirs);
            }
            let all: BTreeSet<String> = content.tensor_infos.keys().cloned().collect();
            assert_eq!(all, names, "{family:?}: nothing else is there");
        }
    }
}

#[test]
fn the_shape_is_in_the_metadata() {
    let folder = TempDir::new().expect("room");
    let path = folder.path().join("model.gguf");
    let raw = config(Family::Qwen3, true);
    let config = with(
        raw,
        &json!({ "head_dim": 16, "rms_norm_eps": 1e-5, "rope_parameters": {
        "rope_theta": 5e5, "rope_type": "linear", "factor": 4.0 } }),
    );
    let mut heard = Vec::new();
    let name = Some("a name".to_owned());
    let options = ExportOptions { dtype: Dtype::Q8_0, name, ..ExportOptions::default() };
    gguf::export(&random(config), &tokenizer(), &options, &path, |done, total| heard.push((done, total)))
        .expect("room");
    let size = path.metadata().expect("it is there").len();
    assert!(heard.is_sorted() && heard.len() > 3, "{heard:?}");
    assert_eq!(heard.last(), Some(&(size, size)), "progress ends with the file");
    let (content, _) = read(&path);
    let metadata = content.metadata;
    for (key, want) in [
        ("context_length", 256),
        ("embedding_length", 32),
        ("block_count", 2),
        ("feed_forward_length", 48),
        ("attention.head_count", 4),
        ("attention.head_count_kv", 2),
        ("attention.key_length", 16),
        ("attention.value_length", 16),
        ("rope.dimension_count", 16),
        ("vocab_size", 24),
    ] {
        let value = metadata[&format!("qwen3.{key}")].to_u32().expect("a number");
        assert_eq!(value, want, "{key}");
    }
    for (key, want) in
        [("attention.layer_norm_rms_epsilon", 1e-5), ("rope.freq_base", 5e5), ("rope.scaling.factor", 4.0)]
    {
        assert_eq!(metadata[&format!("qwen3.{key}")].to_f32().expect("a number"), want, "{key}");
    }
    for (key, want) in
        [("general.architecture", "qwen3"), ("general.name", "a name"), ("qwen3.rope.scaling.type", "linear")]
    {
        assert_eq!(metadata[key].to_string().expect("a text"), want, "{key}");
    }
    assert_eq!(metadata["general.file_type"].to_u32().expect("a number"), 7);
}

#[test]
fn rotary_factors_and_biases_of_llama() {
    let folder = TempDir::new().expect("room");
    let path = folder.path().join("model.gguf");
    let scaling = json!({ "rope_theta": 500_000.0, "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 64 });
    let changes = json!({ "attention_bias": true, "mlp_bias": true, "rope_parameters": scaling });
    let policy = random(with(config(Family::Llama, false), &changes));
    export(&policy, Dtype::F32, &path).expect("room");
    let (content, mut file) = read(&path);
    // Quick angles are kept, slow ones are divided by the factor.
    let factors = values(&content, &mut file, "rope_freqs.weight");
    assert_eq!((factors.len(), factors[0], factors[3]), (4, 1.0, 8.0));
    for (name, var) in policy.weights.named() {
        let got = values(&content, &mut file, &renamed(&name));
        close(Dtype::F32, &name, &got, &arranged(&policy.config, &name, &var));
    }
    assert_eq!(content.tensor_infos.len(), policy.weights.named().len() + 1);
}

/// A policy with adapters that change something.
fn adapted(family: Family, modules: &[&str]) -> Policy {
    let mut policy = random(ModelConfig::from_raw(config(family, false)).expect("it is sound"));
    let target_modules = modules.iter().map(|module| (*module).to_owned()).collect();
    lora::add(&mut policy, &LoraConfig { rank: 4, alpha: 6.0, target_modules }, 1).expect("it has none");
    for (i, (_, var)) in policy.weights.named_adapters().into_iter().enumerate() {
        let wave: Vec<f32> = (0..var.elem_count()).map(|k| ((k * 5 + i) % 17) as f32 * 0.01 - 0.07).collect();
        var.set(&Tensor::from_vec(wave, var.shape(), &Device::Cpu).expect("its shape")).expect("its shape");
    }
    policy
}

#[test]
fn adapters_alone_and_merged() {
    let folder = TempDir::new().expect("room");
    let path = folder.path().join("it.gguf");
    for family in FAMILIES {
        let policy = adapted(family, &lora::MODULES);
        for dtype in [Dtype::F32, Dtype::F16, Dtype::Bf16] {
            gguf::export_adapter(&policy, dtype, &path).expect("room");
            let (content, mut file) = read(&path);
            assert_eq!(content.metadata["general.type"].to_string().expect("a text"), "adapter");
            assert_eq!(content.metadata["adapter.type"].to_string().expect("a text"), "lora");
            assert_eq!(content.metadata["adapter.lora.alpha"].to_f32().expect("a number"), 6.0);
            let adapters = policy.weights.named_adapters();
            assert_eq!(content.tensor_infos.len(), adapters.len());
            for (name, var) in adapters {
                let theirs = renamed(name.trim_start_matches("base_model.model."))
                    .replace(".lora_A.weight", ".weight.lora_a")
                    .replace(".lora_B.weight", ".weight.lora_b");
                let info = content.tensor_infos.get(&theirs).expect("it is there");
                assert_eq!(info.shape.dims(), var.dims(), "{theirs}");
                let got = values(&content, &mut file, &theirs);
                close(dtype, &theirs, &got, &arranged(&policy.config, &name, &var));
            }
        }
        export(&policy, Dtype::F32, &path).expect("room");
        let (content, mut file) = read(&path);
        for (name, var) in lora::merged(&policy).expect("room").weights.named() {
            let got = values(&content, &mut file, &renamed(&name));
            close(Dtype::F32, &name, &got, &arranged(&policy.config, &name, &var));
        }
    }
}

#[test]
fn an_adapter_is_written_again_after_a_step() {
    let policy = adapted(Family::Llama, &["q_proj", "down_proj"]);
    let export = AdapterExport::new(&policy, Dtype::F32).expect("it has adapters");
    let mut bytes = Vec::new();
    export.write(&mut bytes).expect("room");
    assert_eq!((bytes.len(), &bytes), (export.size(), &gguf::adapter(&policy, Dtype::F32).expect("room")));
    let before = bytes.clone();
    for (_, var) in policy.weights.named_adapters() {
        var.set(&(var.as_detached_tensor() * 2.0).expect("room")).expect("its shape");
    }
    export.write(&mut bytes).expect("room");
    assert_ne!(bytes, before);
    assert_eq!(bytes, gguf::adapter(&policy, Dtype::F32).expect("room"));
}

#[test]
fn entries_follow_the_parameters() {
    let policy = random(ModelConfig::from_raw(config(Family::Qwen2, true)).expect("it is sound"));
    let entries = gguf::tensors(&policy);
    let entry = entries.iter().find(|entry| entry.name() == "blk.1.attn_k.weight").expect("it is there");
    assert_eq!((entry.shape(), entry.size(Dtype::F16)), (&[16, 32][..], 1024));
    let first = entry.with_values(<[f32]>::to_vec).expect("on the CPU");
    let var: &Var = &policy.weights.layers[1].k.weight;
    var.set(&(var.as_detached_tensor() + 1.0).expect("room")).expect("its shape");
    entry
        .with_values(|values| assert!(values.iter().zip(&first).all(|(now, was)| *now == was + 1.0)))
        .expect("on the CPU");
}

#[test]
fn what_cannot_be_exported_leaves_no_file() {
    let folder = TempDir::new().expect("room");
    let path = folder.path().join("model.gguf");
    let plain = |family| ModelConfig::from_raw(config(family, true)).expect("it is sound");
    let spoilt = |value: f32| {
        let policy = random(plain(Family::Llama));
        let weight = &policy.weights.layers[0].o.weight;
        weight.set(&Tensor::full(value, weight.shape(), &Device::Cpu).expect("room")).expect("its shape");
        policy
    };
    let llama3 = json!({ "rope_parameters": { "rope_theta": 1e4, "rope_type": "llama3", "factor": 8.0,
        "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64 } });
    for (policy, dtype, expected) in [
        (spoilt(f32::NAN), Dtype::F32, "`blk.0.attn_output.weight` holds NaN"),
        (spoilt(f32::INFINITY), Dtype::Bf16, "`blk.0.attn_output.weight` holds inf"),
        (spoilt(1e5), Dtype::F16, "which is too large for f16; bf16 has room"),
        (
            random(with(config(Family::Qwen2, true), &json!({ "head_dim": 16 }))),
            Dtype::F32,
            "wants them alike",
        ),
        (
            random(with(config(Family::Qwen3, true), &json!({ "attention_bias": true }))),
            Dtype::F32,
            "no bias",
        ),
        (random(with(config(Family::Qwen3, true), &llama3)), Dtype::F32, "no rotary scaling `llama3`"),
        (
            random(with(config(Family::Qwen3, true), &json!({ "vocab_size": 19 }))),
            Dtype::F32,
            "do not belong",
        ),
    ] {
        let error = export(&policy, dtype, &path).expect_err("it is refused").to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).expect("it is there").count(), 0, "{expected}");
    }
    let policy = random(plain(Family::Llama));
    let error = gguf::export_adapter(&policy, Dtype::F32, &path).expect_err("it has none");
    assert!(error.to_string().contains("no adapters"), "{error}");
    let error =
        AdapterExport::new(&adapted(Family::Llama, &["q_proj"]), Dtype::Q8_0).expect_err("too narrow");
    assert!(matches!(error, PolicyError::Unsupported { .. }), "{error}");
    let nowhere = folder.path().join("nowhere").join("model.gguf");
    let error = export(&policy, Dtype::F32, &nowhere).expect_err("there is no such folder").to_string();
    assert!(error.contains("nowhere"), "{error}");
}

#[test]
fn the_python_package_reads_them() {
    let Some(python) = crate::python::python() else { return };
    let script = "
import json, sys
try:
    import gguf
    from gguf.quants import dequantize
except ImportError:
    print('null')
    sys.exit()
said = []
for path in sys.argv[1:]:
    reader = gguf.GGUFReader(path)
    said.append({'tensors': {t.name: [t.tensor_type.name, [int(n) for n in t.shape][::-1],
            dequantize(t.data, t.tensor_type).flatten().tolist()] for t in reader.tensors},
        'fields': {name: field.contents() for name, field in reader.fields.items()}})
print(json.dumps(said))";
    let folder = TempDir::new().expect("room");
    let policy = adapted(Family::Llama, &["q_proj", "up_proj"]);
    let paths: Vec<_> = ["f32", "f16", "bf16", "q8_0", "lora"].map(|name| folder.path().join(name)).into();
    for (dtype, path) in Dtype::ALL.into_iter().zip(&paths) {
        export(&policy.without_adapter(), dtype, path).expect("room");
    }
    gguf::export_adapter(&policy, Dtype::F32, &paths[4]).expect("room");
    let output = Command::new(&python).arg("-c").arg(script).args(&paths).output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let Some(said) = said.as_array() else {
        println!("skipped: the interpreter of GAVEL_PYTHON has no gguf");
        return;
    };
    for (said, path) in said.iter().zip(&paths) {
        let (content, mut file) = read(path);
        let tensors = said["tensors"].as_object().expect("an object");
        assert_eq!(tensors.len(), content.tensor_infos.len());
        for (name, theirs) in tensors {
            let info = &content.tensor_infos[name];
            assert_eq!(theirs[0], format!("{:?}", info.ggml_dtype).to_uppercase(), "{name}");
            assert_eq!(theirs[1], json!(info.shape.dims()), "{name}");
            let ours = values(&content, &mut file, name);
            let theirs = theirs[2].as_array().expect("a list");
            let same = |(ours, theirs): (&f32, &serde_json::Value)| {
                theirs.as_f64().is_some_and(|theirs| (f64::from(*ours) - theirs).abs() <= 1e-6)
            };
            assert!(ours.len() == theirs.len() && ours.iter().zip(theirs).all(same), "{name}");
        }
        for (key, value) in &content.metadata {
            let theirs = &said["fields"][key];
            match value {
                Value::String(text) => assert_eq!(theirs, text, "{key}"),
                Value::U32(number) => assert_eq!(theirs, number, "{key}"),
                Value::Array(values) => {
                    assert_eq!(theirs.as_array().map(Vec::len), Some(values.len()), "{key}");
                }
                _ => assert!(!theirs.is_null(), "{key}"),
            }
        }
    }
}
