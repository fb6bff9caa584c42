//! Models on disk: what is saved is read back, and what is broken is told by file and tensor.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Var};
use policy::config::Family;
use policy::lora::{self, LoraConfig};
use policy::{ModelConfig, Policy, SaveOptions, Sizes, Weights};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::tiny_models;

fn tiny(family: Family, tied: bool) -> Policy {
    let sizes = Sizes {
        family,
        hidden_size: 16,
        intermediate_size: 24,
        n_layers: 2,
        tie_word_embeddings: tied,
        ..Sizes::default()
    };
    let config = ModelConfig::from_sizes(&sizes, 20).expect("they fit");
    Policy::random(config, 3, &Device::Cpu).expect("room")
}

fn fingerprint(policy: &Policy) -> String {
    policy.fingerprint().expect("readable")
}

fn load(folder: &Path) -> policy::error::Result<Policy> {
    Policy::load(folder, &Device::Cpu)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

#[test]
fn saved_models_come_back_bit_for_bit() {
    for family in [Family::Llama, Family::Qwen2, Family::Qwen3] {
        for tied in [false, true] {
            let policy = tiny(family, tied);
            let folder = TempDir::new().expect("room");
            policy.save(folder.path()).expect("room");
            assert_eq!(names(folder.path()), ["config.json", "model.safetensors"]);
            let again = load(folder.path()).expect("it was saved");
            assert_eq!(fingerprint(&policy), fingerprint(&again), "{family:?} {tied}");
            // In several files, in the same folder: what was there before must not be read any more.
            let small = SaveOptions { shard_bytes: 4000, ..SaveOptions::default() };
            policy.save_with(folder.path(), &small).expect("room");
            let files = names(folder.path());
            assert!(files.len() > 4 && !files.contains(&"model.safetensors".to_owned()), "{files:?}");
            assert_eq!(fingerprint(&policy), fingerprint(&load(folder.path()).expect("it was saved")));
            policy.save(folder.path()).expect("room");
            assert_eq!(fingerprint(&policy), fingerprint(&load(folder.path()).expect("it was saved")));
        }
    }
}

#[test]
fn parameters_are_made_in_the_order_of_their_names() {
    for policy in [tiny(Family::Llama, true), tiny(Family::Qwen2, false), tiny(Family::Qwen3, false)] {
        let mut made = Vec::new();
        let weights = Weights::build(&policy.config, |name, shape, _| {
            made.push((name.to_owned(), shape.to_vec()));
            Ok(Var::zeros(shape, DType::F32, &Device::Cpu)?)
        });
        let named = weights.expect("room").named();
        let named: Vec<_> = named.into_iter().map(|(name, var)| (name, var.dims().to_vec())).collect();
        assert_eq!(made, named);
    }
}

#[test]
fn half_precision_is_rounded_once() {
    let policy = tiny(Family::Qwen3, false);
    let folder = TempDir::new().expect("room");
    let options = SaveOptions { dtype: DType::BF16, ..SaveOptions::default() };
    policy.save_with(folder.path(), &options).expect("room");
    let rounded = load(folder.path()).expect("it was saved");
    assert_eq!(rounded.config.raw["dtype"], "bfloat16");
    let value = |policy: &Policy| -> f32 {
        let all: Vec<f32> =
            policy.parameters()[0].flatten_all().expect("a list").to_vec1().expect("on the CPU");
        all[5]
    };
    assert_eq!(half::bf16::from_f32(value(&policy)).to_f32(), value(&rounded));
    rounded.save_with(folder.path(), &options).expect("room");
    assert_eq!(fingerprint(&rounded), fingerprint(&load(folder.path()).expect("it was saved")));
    let wrong = SaveOptions { dtype: DType::F64, ..options };
    assert!(policy.save_with(folder.path(), &wrong).is_err());
}

#[test]
fn published_files_are_written_back_as_they_were() {
    for name in tiny_models::MODELS {
        let policy = tiny_models::load(name);
        let folder = TempDir::new().expect("room");
        policy.save(folder.path()).expect("room");
        let again = load(folder.path()).expect("it was saved");
        assert_eq!(fingerprint(&policy), fingerprint(&again));
        for (field, value) in &policy.config.raw {
            assert_eq!(again.config.raw.get(field), Some(value), "{name}: {field}");
        }
    }
}

#[test]
fn adapters_come_back_bit_for_bit() {
    let base = tiny(Family::Qwen2, true);
    let mut policy = base.clone();
    let wanted =
        LoraConfig { rank: 4, alpha: 8.0, target_modules: vec!["q_proj".into(), "down_proj".into()] };
    lora::add(&mut policy, &wanted, 11).expect("it has none");
    for (name, var) in policy.weights.named_adapters() {
        assert!(name.contains("q_proj") || name.contains("down_proj"), "{name}");
        let changed = (var.as_tensor() + 0.25).expect("room");
        var.set(&changed.detach()).expect("the same shape");
    }
    assert_eq!(lora::config(&policy.weights), Some(wanted));
    let folder = TempDir::new().expect("room");
    lora::save(&policy, folder.path(), "the/base").expect("room");
    assert!(lora::save(&base, folder.path(), "the/base").is_err(), "it has none");
    let mut again = base.clone();
    lora::load(&mut again, folder.path()).expect("it was saved");
    assert_eq!(fingerprint(&policy), fingerprint(&again));

    // A saved model has its adapters in its matrices.
    let whole = TempDir::new().expect("room");
    policy.save(whole.path()).expect("room");
    let merged = load(whole.path()).expect("it was saved");
    assert_eq!(fingerprint(&merged), fingerprint(&lora::merged(&policy).expect("room")));

    let path = folder.path().join(lora::CONFIG);
    let sound: Value =
        serde_json::from_str(&std::fs::read_to_string(&path).expect("it is there")).expect("JSON");
    for (field, value, part) in [
        ("peft_type", json!("IA3"), "`peft_type`"),
        ("use_dora", json!(true), "`use_dora`"),
        ("rank_pattern", json!({ "q_proj": 2 }), "`rank_pattern`"),
        ("modules_to_save", json!(["lm_head"]), "`modules_to_save`"),
        ("bias", json!("all"), "`bias`"),
        ("r", json!(0), "`rank`"),
        ("r", json!(8), "shape"),
        ("lora_alpha", json!("much"), "`alpha`"),
        ("target_modules", json!(["q_proj"]), "no part of the adapters"),
        ("target_modules", json!(["q_proj", "v_proj", "down_proj"]), "there is no tensor"),
        ("target_modules", json!(["c_attn"]), "`c_attn`"),
        ("target_modules", json!(7), "`target_modules`"),
    ] {
        let mut broken = sound.clone();
        broken[field] = value;
        std::fs::write(&path, broken.to_string()).expect("room");
        let mut fresh = base.clone();
        let message = lora::load(&mut fresh, folder.path()).expect_err(field).to_string();
        assert!(message.contains(part), "{field}: {message}");
        assert!(fresh.weights.named_adapters().is_empty(), "{field}: not half of them");
    }
}

/// The header of a file as JSON, and the numbers.
fn take_apart(path: &Path) -> (Value, Vec<u8>) {
    let bytes = std::fs::read(path).expect("it is there");
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight")) as usize;
    (serde_json::from_slice(&bytes[8..8 + length]).expect("JSON"), bytes[8 + length..].to_vec())
}

fn put_together(path: &Path, header: &Value, numbers: &[u8]) {
    let header = header.to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(numbers);
    std::fs::write(path, bytes).expect("room");
}

#[test]
#[expect(clippy::too_many_lines, reason = "one row for each way to break a file")]
fn broken_weights_are_told_by_file_and_tensor() {
    type Break = fn(&Path, Value, Vec<u8>);
    let cases: [(&str, Break, &[&str]); 14] = [
        (
            "cut off",
            |path, _, _| {
                let bytes = std::fs::read(path).expect("it is there");
                std::fs::write(path, &bytes[..bytes.len() - 1]).expect("room");
            },
            &["truncated"],
        ),
        (
            "too long",
            |path, _, _| {
                let mut bytes = std::fs::read(path).expect("it is there");
                bytes.push(0);
                std::fs::write(path, bytes).expect("room");
            },
            &["describes"],
        ),
        ("empty", |path, _, _| std::fs::write(path, "").expect("room"), &["0 bytes"]),
        (
            "a huge header",
            |path, _, _| {
                std::fs::write(path, [u64::MAX.to_le_bytes(), [0; 8]].concat()).expect("room");
            },
            &["header"],
        ),
        (
            "a header beyond the file",
            |path, _, _| {
                std::fs::write(path, [99_999_999u64.to_le_bytes(), [0; 8]].concat()).expect("room");
            },
            &["header"],
        ),
        (
            "no JSON",
            |path, _, _| {
                std::fs::write(path, [8u64.to_le_bytes(), *b"notjson!"].concat()).expect("room");
            },
            &["header is wrong"],
        ),
        (
            "a pointer to Git LFS",
            |path, _, _| {
                std::fs::write(path, "version https://git-lfs.github.com/spec/v1\n").expect("room");
            },
            &["header"],
        ),
        (
            "another shape",
            |path, mut header, numbers| {
                header["model.norm.weight"]["shape"] = json!([4, 4]);
                put_together(path, &header, &numbers);
            },
            &["`model.norm.weight`", "[4, 4]", "[16]"],
        ),
        (
            "a shape beyond its numbers",
            |path, mut header, numbers| {
                header["model.norm.weight"]["shape"] = json!([1u64 << 40, 1u64 << 40]);
                put_together(path, &header, &numbers);
            },
            &["header is wrong"],
        ),
        (
            "overlapping tensors",
            |path, mut header, numbers| {
                header["model.norm.weight"]["data_offsets"] = json!([0, 64]);
                put_together(path, &header, &numbers);
            },
            &["header is wrong"],
        ),
        (
            "a missing tensor",
            |path, mut header, numbers| {
                let norm = header["model.norm.weight"].take();
                header.as_object_mut().expect("an object").remove("model.norm.weight");
                header["model.other"] = norm;
                put_together(path, &header, &numbers);
            },
            &["`model.norm.weight` is missing"],
        ),
        (
            "one too many",
            |path, mut header, mut numbers| {
                let end = numbers.len();
                header["model.extra"] =
                    json!({ "dtype": "F32", "shape": [1], "data_offsets": [end, end + 4] });
                numbers.extend([0; 4]);
                put_together(path, &header, &numbers);
            },
            &["`model.extra`", "no part of the model"],
        ),
        (
            "whole numbers",
            |path, mut header, numbers| {
                header["model.norm.weight"]["dtype"] = json!("I32");
                put_together(path, &header, &numbers);
            },
            &["`model.norm.weight`", "I32"],
        ),
        (
            "not a number",
            |path, header, mut numbers| {
                let place =
                    header["model.norm.weight"]["data_offsets"][0].as_u64().expect("a number") as usize;
                numbers[place + 8..place + 12].copy_from_slice(&f32::NAN.to_le_bytes());
                put_together(path, &header, &numbers);
            },
            &["`model.norm.weight`", "NaN", "place 2"],
        ),
    ];
    for (name, break_it, parts) in cases {
        let folder = TempDir::new().expect("room");
        tiny(Family::Llama, true).save(folder.path()).expect("room");
        let path = folder.path().join("model.safetensors");
        let (header, numbers) = take_apart(&path);
        break_it(&path, header, numbers);
        let message = load(folder.path()).expect_err(name).to_string();
        assert!(message.contains("model.safetensors"), "{name}: {message}");
        for part in parts {
            assert!(message.contains(part), "{name}: {message}");
        }
    }
}

#[test]
fn broken_folders_are_told_by_file() {
    type Break = fn(PathBuf);
    let cases: [(&str, Break, &[&str]); 9] = [
        (
            "no configuration",
            |at| std::fs::remove_file(at.join("config.json")).expect("there"),
            &["config.json"],
        ),
        ("no JSON", |at| std::fs::write(at.join("config.json"), "{").expect("room"), &["config.json", "EOF"]),
        (
            "an unknown family",
            |at| {
                std::fs::write(at.join("config.json"), r#"{"model_type": "mamba"}"#).expect("room");
            },
            &["config.json", "`mamba`", "qwen3"],
        ),
        (
            "a missing size",
            |at| {
                std::fs::write(at.join("config.json"), r#"{"model_type": "llama", "hidden_size": 8}"#)
                    .expect("room");
            },
            &["config.json", "missing"],
        ),
        (
            "an index that is no JSON",
            |at| {
                std::fs::write(at.join("model.safetensors.index.json"), "[").expect("room");
            },
            &["model.safetensors.index.json"],
        ),
        (
            "an index of nothing",
            |at| {
                std::fs::write(at.join("model.safetensors.index.json"), "{}").expect("room");
            },
            &["`weight_map` is missing"],
        ),
        (
            "an index that leaves the folder",
            |at| {
                let index = r#"{"weight_map": {"model.norm.weight": "../../etc/passwd"}}"#;
                std::fs::write(at.join("model.safetensors.index.json"), index).expect("room");
            },
            &["`model.norm.weight`", "../../etc/passwd"],
        ),
        (
            "a shard that is not there",
            |at| {
                let shard =
                    std::fs::read_dir(&at).expect("a folder").map(|entry| entry.expect("readable").path());
                let last = shard.filter(|path| path.extension().is_some_and(|e| e == "safetensors")).max();
                std::fs::remove_file(last.expect("several")).expect("there");
            },
            &["is missing", "index.json", "safetensors:"],
        ),
        (
            "no weights at all",
            |at| {
                std::fs::remove_file(at.join("model.safetensors.index.json")).expect("there");
            },
            &["neither model.safetensors nor"],
        ),
    ];
    for (name, break_it, parts) in cases {
        let folder = TempDir::new().expect("room");
        let small = SaveOptions { shard_bytes: 4000, ..SaveOptions::default() };
        tiny(Family::Llama, true).save_with(folder.path(), &small).expect("room");
        break_it(folder.path().to_owned());
        let message = load(folder.path()).expect_err(name).to_string();
        for part in parts {
            assert!(message.contains(part), "{name}: {message}");
        }
    }
}

#[test]
fn what_no_decoder_needs_is_passed_over() {
    let folder = TempDir::new().expect("room");
    let policy = tiny(Family::Llama, true);
    policy.save(folder.path()).expect("room");
    let path = folder.path().join("model.safetensors");
    let (mut header, mut numbers) = take_apart(&path);
    for name in ["lm_head.weight", "model.layers.0.self_attn.rotary_emb.inv_freq"] {
        let end = numbers.len();
        header[name] = json!({ "dtype": "F32", "shape": [1], "data_offsets": [end, end + 4] });
        numbers.extend([0; 4]);
    }
    put_together(&path, &header, &numbers);
    assert_eq!(fingerprint(&policy), fingerprint(&load(folder.path()).expect("they are known")));
}
