//! Texts as tokens: what carries over, and what does not.

use std::path::Path;

use candle_core::Device;
use policy::gguf::{self, ExportOptions};
use policy::{ModelConfig, Policy, Sizes, Tokenizer};
use tempfile::TempDir;

use super::engine::Engine;

fn load(tokenizer: &Tokenizer, path: &Path) -> Engine {
    let sizes = Sizes { hidden_size: 32, intermediate_size: 32, n_layers: 1, ..Sizes::default() };
    let config = ModelConfig::from_sizes(&sizes, tokenizer.vocabulary() + 5).expect("they fit");
    let policy = Policy::random(config, 3, &Device::Cpu).expect("room");
    gguf::export(&policy, tokenizer, &ExportOptions::default(), path, |_, _| {}).expect("an equal");
    Engine::load(path)
}

#[test]
fn words_and_characters() {
    let words = ["<think>", "Add ", "The answer is ", "is"].map(str::to_owned);
    let alphabet: String = std::iter::once('\n').chain(' '..='~').chain("é漢".chars()).collect();
    let tokenizer = Tokenizer::small(&words, &alphabet, None).expect("it is sound");
    let folder = TempDir::new().expect("room");
    let engine = load(&tokenizer, &folder.path().join("model.gguf"));
    for text in [
        "",
        "Add 12 and 3.\n<think>1 + 2</think>The answer is 15<eos>",
        "  two  spaces \n\n 漢é'll <0x0A> \u{20}",
        "this is it<pad><bos>",
        "don't 1234567",
    ] {
        for special in [false, true] {
            let ours = tokenizer.encode(text, special).expect("short");
            let theirs = engine.tokenize(text, special);
            assert_eq!(ours, theirs, "{text:?}");
            let decoded = tokenizer.decode(&ours, false).expect("it decodes");
            assert_eq!(engine.detokenize(&theirs), decoded.as_bytes(), "{text:?}");
        }
    }
    // What has no token is <unk> here and left out there.
    assert_eq!(tokenizer.encode("aßb", false).expect("short").len(), 3);
    assert_eq!(engine.tokenize("aßb", false).len(), 2);
    assert!(engine.ends(tokenizer.eos_token()) && !engine.ends(1) && !engine.ends(10));
}
