//! What a running model computes, and what changing it does.

use llama::{Adapter, Context, Model, ModelOptions};
use policy::config::Family;
use policy::gguf::{AdapterExport, Dtype, export_adapter, tensors};
use policy::{LoraConfig, lora};

use crate::models::{
    FAMILIES, context, engine_logprobs, farthest, file, learner_logprobs, options, rows_to_the_end, text,
    tiny,
};

/// `enum ggml_type`.
const F32: u32 = 0;

/// Moves every weight a little, as a step does.
fn step(policy: &policy::Policy) {
    for (i, var) in policy.parameters().into_iter().enumerate() {
        let n = var.elem_count();
        let change: Vec<f32> = (0..n).map(|k| ((k + i) as f32 * 1.7).sin() * 0.05).collect();
        let change = candle_core::Tensor::from_vec(change, var.dims(), var.device()).unwrap();
        var.set(&(var.as_tensor() + change).unwrap()).unwrap();
    }
}

#[test]
fn logits_are_the_learners() {
    let folder = tempfile::tempdir().unwrap();
    for family in FAMILIES {
        for tied in [false, true] {
            let (policy, tokenizer) = tiny(family, tied, 3);
            let path = file(&policy, &tokenizer, Dtype::F32, folder.path());
            let model = Model::load(&path, &ModelOptions::default()).unwrap();
            let found = engine_logprobs(&mut context(&model), &text(40));
            let expected = learner_logprobs(&policy, &text(40));
            assert!(expected.iter().any(|l| *l < -5.0), "the test has something to see");
            let worst = farthest(&found, &expected);
            assert!(worst < 1e-3, "{family:?} {tied}: {worst}");
        }
    }
}

#[test]
fn weights_change_in_a_running_model() {
    let folder = tempfile::tempdir().unwrap();
    for family in FAMILIES {
        for (tied, dtype, kind) in [
            (false, Dtype::F32, F32),
            (true, Dtype::F32, F32),
            (true, Dtype::Bf16, 30),
            (false, Dtype::Q8_0, 8),
        ] {
            let (policy, tokenizer) = tiny(family, tied, 4);
            let path = file(&policy, &tokenizer, dtype, folder.path());
            let whole = ModelOptions { repack: false, mmap: false, ..ModelOptions::default() };
            let of_file = |path: &std::path::Path| {
                engine_logprobs(&mut context(&Model::load(path, &whole).unwrap()), &text(40))
            };
            let before = of_file(&path);
            let model = Model::changeable(&std::fs::read(&path).unwrap(), &ModelOptions::default()).unwrap();
            let mut running = context(&model);
            let worst = farthest(&engine_logprobs(&mut running, &text(40)), &before);
            assert!(worst < 1e-5, "{family:?} {tied} {dtype:?}: as loaded from the file: {worst}");
            assert!(Context::new(&model, &options()).is_err(), "a second context could see half a change");

            step(&policy);
            let mut bytes = Vec::new();
            for entry in tensors(&policy) {
                bytes.clear();
                entry.encode(dtype, &mut bytes).unwrap();
                let kind = if entry.shape().len() > 1 { kind } else { F32 };
                running.set_tensor(entry.name(), kind, &bytes).unwrap();
            }
            let changed = engine_logprobs(&mut running, &text(40));
            let path = file(&policy, &tokenizer, dtype, folder.path());
            let worst = farthest(&changed, &of_file(&path));
            assert!(worst < 1e-5, "{family:?} {tied} {dtype:?}: as loaded anew: {worst}");
            assert!(farthest(&changed, &before) > 0.05, "the step is seen");
            if dtype == Dtype::F32 {
                let worst = farthest(&changed, &learner_logprobs(&policy, &text(40)));
                assert!(worst < 1e-3, "{family:?} {tied}: {worst}");
            }
        }
    }
}

#[test]
fn adapters_are_swapped() {
    let folder = tempfile::tempdir().unwrap();
    for family in FAMILIES {
        let (mut policy, tokenizer) = tiny(family, true, 5);
        let path = file(&policy, &tokenizer, Dtype::F32, folder.path());
        let model = Model::load(&path, &ModelOptions::default()).unwrap();
        let mut running = context(&model);
        let base = engine_logprobs(&mut running, &text(40));
        let config = LoraConfig {
            rank: 4,
            alpha: 8.0,
            target_modules: ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
                .map(str::to_owned)
                .to_vec(),
        };
        lora::add(&mut policy, &config, 1).unwrap();
        let export = AdapterExport::new(&policy, Dtype::F32).unwrap();
        let at = folder.path().join("adapter.gguf");
        let mut last = base.clone();
        let mut bytes = Vec::new();
        for _ in 0..5 {
            step(&policy);
            bytes.clear();
            export.write(&mut bytes).unwrap();
            std::fs::write(&at, &bytes).unwrap();
            let adapter = Adapter::load(&model, &at).unwrap();
            running.set_adapters(&[(adapter, 1.0)]).unwrap();
            let found = engine_logprobs(&mut running, &text(40));
            let worst = farthest(&found, &learner_logprobs(&policy, &text(40)));
            assert!(worst < 1e-3, "{family:?}: {worst}");
            assert!(farthest(&found, &last) > 1e-2, "each step is seen");
            last = found;
        }
        running.set_adapters(&[]).unwrap();
        assert_eq!(engine_logprobs(&mut running, &text(40)), base, "the base is as it was");
    }
}

#[test]
fn an_adapter_of_another_base_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (policy, tokenizer) = tiny(Family::Qwen2, true, 6);
    let path = file(&policy, &tokenizer, Dtype::F32, folder.path());
    let model = Model::load(&path, &ModelOptions::default()).unwrap();
    let config = LoraConfig { rank: 2, alpha: 2.0, target_modules: vec!["q_proj".to_owned()] };
    let (mut other, _) = tiny(Family::Llama, true, 6);
    lora::add(&mut other, &config, 1).unwrap();
    let at = folder.path().join("adapter.gguf");
    export_adapter(&other, Dtype::F32, &at).unwrap();
    let error = Adapter::load(&model, &at).unwrap_err().to_string();
    assert!(error.contains("adapter of another model") && error.contains("llama"), "{error}");
    // Of the same architecture with other sizes.
    let sizes =
        policy::Sizes { hidden_size: 32, n_heads: 2, n_kv_heads: 2, n_layers: 2, ..policy::Sizes::default() };
    let config_of_other = policy::ModelConfig::from_sizes(&sizes, 50).unwrap();
    let mut other = policy::Policy::random(config_of_other, 1, &candle_core::Device::Cpu).unwrap();
    lora::add(&mut other, &config, 1).unwrap();
    export_adapter(&other, Dtype::F32, &at).unwrap();
    let error = Adapter::load(&model, &at).unwrap_err().to_string();
    assert!(error.contains("adapter of another model") && error.contains("shape"), "{error}");
    let error = Adapter::load(&model, &path).unwrap_err().to_string();
    assert!(error.contains("no LoRA adapter"), "{error}");
}

#[test]
fn sequences_share_what_they_have_in_common() {
    let folder = tempfile::tempdir().unwrap();
    let (policy, tokenizer) = tiny(Family::Qwen3, true, 7);
    let path = file(&policy, &tokenizer, Dtype::F32, folder.path());
    let model = Model::load(&path, &ModelOptions::default()).unwrap();
    let mut running = Context::new(&model, &llama::ContextOptions { tokens: 256, ..options() }).unwrap();
    let all = text(100);
    running.decode(&rows_to_the_end(&all[..90], 0)).unwrap();
    for sequence in 1..8 {
        running.copy_sequence(0, sequence).unwrap();
    }
    // Were the cells copied, there would be no room for these.
    for i in 90..100 {
        let rows: Vec<llama::Row> = (1..8)
            .map(|sequence| llama::Row { token: all[i], position: i as u32, sequence, logits: true })
            .collect();
        running.decode(&rows).unwrap();
    }
    let last = running.logits(6).unwrap().to_vec();
    let first = running.logits(0).unwrap().to_vec();
    running.clear();
    running.decode(&rows_to_the_end(&all, 3)).unwrap();
    assert!(farthest(&last, running.logits(99).unwrap()) < 1e-4);
    assert!(farthest(&last, &first) < 1e-4);
    let error = running.decode(&rows_to_the_end(&text(200), 5)).unwrap_err().to_string();
    assert!(error.contains("no room"), "{error}");
}

#[test]
fn text_becomes_the_same_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let (policy, tokenizer) = tiny(Family::Qwen2, true, 8);
    let path = file(&policy, &tokenizer, Dtype::F32, folder.path());
    let model = Model::load(&path, &ModelOptions::default()).unwrap();
    assert_eq!(model.n_tokens(), tokenizer.vocabulary());
    assert_eq!(model.architecture(), "qwen2");
    assert_eq!(model.context_length(), 256);
    assert!(tokenizer.stop_tokens().iter().all(|token| model.stop_tokens().contains(token)));
    for words in ["12 + 7 = 19", "<think>a b</think>", "x\ny ~"] {
        let tokens = tokenizer.encode(words, false).unwrap();
        assert_eq!(model.tokenize(words, false, true).unwrap(), tokens, "{words}");
        assert_eq!(model.text(&tokens, true), words);
    }
}
