//! What cannot be loaded or asked for is told, and ends nothing.

use llama::{Context, ContextOptions, Model, ModelOptions, Row};
use policy::config::Family;
use policy::gguf::Dtype;

use crate::models::{context, file, options, rows, text, tiny};

#[test]
fn files_that_are_no_models_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let (policy, tokenizer) = tiny(Family::Llama, false, 1);
    let path = file(&policy, &tokenizer, Dtype::F32, folder.path());
    let whole = std::fs::read(&path).unwrap();
    let mut other = whole.clone();
    let at = other.windows(5).position(|bytes| bytes == b"llama").unwrap();
    other[at..at + 5].copy_from_slice(b"lemma");
    let mut version = whole.clone();
    version[4] = 99;
    let mut many = whole.clone();
    many[8..16].fill(0xff);
    let rows: Vec<(&str, Vec<u8>)> = vec![
        ("too short", vec![]),
        ("no GGUF file", b"PK\x03\x04 something else".to_vec()),
        ("version 99", version),
        ("tensors", many),
        ("cut off", whole[..60].to_vec()),
        ("cut off", whole[..whole.len() / 2].to_vec()),
        ("cut off", whole[..whole.len() - 70].to_vec()),
        ("lemma", other),
    ];
    let broken = folder.path().join("broken.gguf");
    for (said, bytes) in rows {
        std::fs::write(&broken, &bytes).unwrap();
        let error = Model::load(&broken, &ModelOptions::default()).unwrap_err().to_string();
        assert!(error.contains(said) && error.contains("broken.gguf"), "{said}: {error}");
        let error = Model::changeable(&bytes, &ModelOptions::default()).unwrap_err().to_string();
        assert!(error.contains(said), "{said}: {error}");
    }
    let missing = folder.path().join("none.gguf");
    let error = Model::load(&missing, &ModelOptions::default()).unwrap_err().to_string();
    assert!(error.contains("none.gguf") && error.contains("No such file"), "{error}");
}

#[test]
fn what_does_not_fit_a_context_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (policy, tokenizer) = tiny(Family::Llama, true, 1);
    let path = file(&policy, &tokenizer, Dtype::F32, folder.path());
    let model = Model::load(&path, &ModelOptions::default()).unwrap();
    for (said, options) in [
        ("sequences", ContextOptions { sequences: 0, ..options() }),
        ("sequences", ContextOptions { sequences: 257, ..options() }),
        ("tokens", ContextOptions { tokens: 0, ..options() }),
        ("batch", ContextOptions { batch: 0, ..options() }),
        ("threads", ContextOptions { threads: 0, ..options() }),
        ("flash attention", ContextOptions { cache: llama::CacheType::Q8_0, ..options() }),
    ] {
        let error = Context::new(&model, &options).unwrap_err().to_string();
        assert!(error.contains(said), "{said}: {error}");
    }
    let mut running = context(&model);
    let row = Row { token: 5, position: 0, sequence: 0, logits: false };
    for (said, rows) in [
        ("vocabulary", vec![Row { token: 99_999, ..row }]),
        ("vocabulary", vec![Row { token: u32::MAX, ..row }]),
        ("sequence 8", vec![Row { sequence: 8, ..row }]),
        ("position", vec![Row { position: u32::MAX, ..row }]),
        ("at most 256", rows(&text(257), 0)),
        ("logits of 200 rows", rows(&text(200), 0)),
        ("code", vec![Row { position: 7, ..row }, Row { position: 3, ..row }]),
    ] {
        let error = running.decode(&rows).unwrap_err().to_string();
        assert!(error.contains(said), "{said}: {error}");
        assert!(running.logits(0).is_none());
    }
    running.decode(&[row]).unwrap();
    assert!(running.logits(0).is_none() && running.logits(1).is_none());
    assert!(running.copy_sequence(0, 99).is_err() && running.remove_sequence(8).is_err());
    let error = running.set_tensor("output_norm.weight", 0, &[]).unwrap_err().to_string();
    assert!(error.contains("cannot be changed"), "{error}");
    let error = model.chat_template().unwrap_err().to_string();
    assert!(error.contains("no chat template"), "{error}");
}
