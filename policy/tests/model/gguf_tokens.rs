//! Tokenizers in GGUF files.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use candle_core::Device;
use candle_core::quantized::gguf_file::{Content, Value};
use policy::gguf::{self, ExportOptions};
use policy::{ModelConfig, Policy, Sizes, Tokenizer};
use serde_json::{Map, json};
use tempfile::TempDir;

type Metadata = HashMap<String, Value>;

fn exported(tokenizer: &Tokenizer, size: usize, fallback: Option<&str>) -> policy::error::Result<Metadata> {
    let sizes = Sizes { hidden_size: 8, intermediate_size: 8, n_layers: 1, n_heads: 2, ..Sizes::default() };
    let config = ModelConfig::from_sizes(&sizes, size).expect("they fit");
    let policy = Policy::random(config, 3, &Device::Cpu).expect("room");
    let folder = TempDir::new().expect("room");
    let path = folder.path().join("model.gguf");
    let pre_tokenizer = fallback.map(str::to_owned);
    let options = ExportOptions { pre_tokenizer, ..ExportOptions::default() };
    gguf::export(&policy, tokenizer, &options, &path, |_, _| {})?;
    let mut file = File::open(&path).expect("it is there");
    Ok(Content::read(&mut file).expect("it is sound").metadata)
}

fn load(tokenizer: &serde_json::Value, config: &serde_json::Value) -> Tokenizer {
    let folder = TempDir::new().expect("room");
    let write =
        |path: &Path, value: &serde_json::Value| std::fs::write(path, value.to_string()).expect("room");
    write(&folder.path().join("tokenizer.json"), tokenizer);
    write(&folder.path().join("tokenizer_config.json"), config);
    Tokenizer::load(folder.path()).expect("it is sound")
}

fn texts(metadata: &Metadata, key: &str) -> Vec<String> {
    let list = metadata[&format!("tokenizer.ggml.{key}")].to_vec().expect("a list");
    list.iter().map(|value| value.to_string().expect("a text").clone()).collect()
}

fn kinds(metadata: &Metadata) -> Vec<i32> {
    let list = metadata["tokenizer.ggml.token_type"].to_vec().expect("a list");
    list.iter().map(|value| value.to_i32().expect("a number")).collect()
}

fn id(metadata: &Metadata, name: &str) -> Option<u32> {
    metadata.get(&format!("tokenizer.ggml.{name}_token_id")).map(|value| value.to_u32().expect("a number"))
}

fn says(metadata: &Metadata, key: &str) -> Option<bool> {
    metadata.get(&format!("tokenizer.ggml.{key}")).map(|value| value.to_bool().expect("yes or no"))
}

fn text<'a>(metadata: &'a Metadata, key: &str) -> &'a str {
    metadata[key].to_string().expect("a text")
}

fn added(id: usize, content: &str, special: bool) -> serde_json::Value {
    json!({ "id": id, "content": content, "special": special, "normalized": false, "single_word": false,
        "lstrip": false, "rstrip": false })
}

#[test]
fn words_and_characters() {
    let tokenizer = Tokenizer::small(&["Add ".to_owned()], "01\né", Some("{{ messages }}")).expect("sound");
    let metadata = exported(&tokenizer, 11, None).expect("it has an equal");
    let tokens = texts(&metadata, "tokens");
    assert_eq!(
        tokens,
        ["<pad>", "<bos>", "<eos>", "<unk>", "Add ", "0", "1", "\n", "é", "[PAD9]", "[PAD10]"]
    );
    assert_eq!(kinds(&metadata), [3, 3, 3, 2, 4, 4, 4, 4, 4, 5, 5]);
    assert_eq!(text(&metadata, "tokenizer.ggml.model"), "gpt2");
    assert_eq!(text(&metadata, "tokenizer.chat_template"), "{{ messages }}");
    let ids = ["bos", "eos", "eot", "unknown", "padding"].map(|name| id(&metadata, name));
    assert_eq!(ids, [Some(1), Some(2), None, Some(3), Some(0)]);
    assert_eq!(
        (says(&metadata, "add_bos_token"), says(&metadata, "add_eos_token")),
        (Some(true), Some(false))
    );
    // A filler gives way to a token that is called as it would be.
    let taken = Tokenizer::small(&["[PAD5]".to_owned()], "", None).expect("it is sound");
    assert_eq!(texts(&exported(&taken, 6, None).expect("an equal"), "tokens")[4..], ["[PAD5]", "[PAD5]_"]);
}

const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

fn byte_level(regex: &str) -> serde_json::Value {
    let vocabulary = json!({ "a": 0, "b": 1, "Ġ": 2, "ab": 3, "Ġab": 4 });
    json!({
        "version": "1.0",
        "added_tokens": [added(5, "<|end|>", true), added(6, "<tool>", false), added(7, "<|turn|>", true)],
        "pre_tokenizer": { "type": "Sequence", "pretokenizers": [
            { "type": "Split", "pattern": { "Regex": regex }, "behavior": "Isolated", "invert": false },
            { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false } ] },
        "decoder": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false },
        "model": { "type": "BPE", "vocab": vocabulary, "merges": ["a b", "Ġ ab"] },
    })
}

#[test]
fn byte_level_bpe() {
    let config = json!({ "eos_token": "<|turn|>", "pad_token": "<|end|>" });
    let metadata = exported(&load(&byte_level(QWEN2), &config), 9, None).expect("it has an equal");
    assert_eq!(text(&metadata, "tokenizer.ggml.model"), "gpt2");
    assert_eq!(text(&metadata, "tokenizer.ggml.pre"), "qwen2");
    assert_eq!(texts(&metadata, "merges"), ["a b", "Ġ ab"]);
    let tokens = texts(&metadata, "tokens");
    assert_eq!(tokens, ["a", "b", "Ġ", "ab", "Ġab", "<|end|>", "<tool>", "<|turn|>", "[PAD8]"]);
    assert_eq!(kinds(&metadata), [1, 1, 1, 1, 1, 3, 4, 3, 5]);
    // There is no token that begins; one that is never put there stands in for it.
    let ids = ["bos", "eos", "padding", "unknown"].map(|name| id(&metadata, name));
    assert_eq!(ids, [Some(7), Some(7), Some(5), None]);
    assert_eq!(says(&metadata, "add_bos_token"), Some(false));
    assert!(!metadata.contains_key("tokenizer.chat_template"));
}

#[test]
fn sentence_piece() {
    let mut vocabulary = Map::new();
    for token in ["<unk>", "<s>", "</s>"] {
        vocabulary.insert(token.to_owned(), vocabulary.len().into());
    }
    for byte in 0..256 {
        vocabulary.insert(format!("<0x{byte:02X}>"), vocabulary.len().into());
    }
    for piece in ["\u{2581}a", "ab", "\u{2581}", "a", "b"] {
        vocabulary.insert(piece.to_owned(), vocabulary.len().into());
    }
    let tokenizer = json!({
        "version": "1.0",
        "added_tokens": [added(0, "<unk>", true), added(1, "<s>", true), added(2, "</s>", true),
            added(264, "\u{2581}x", false)],
        "normalizer": { "type": "Sequence", "normalizers": [
            { "type": "Prepend", "prepend": "\u{2581}" },
            { "type": "Replace", "pattern": { "String": " " }, "content": "\u{2581}" } ] },
        "pre_tokenizer": null,
        "post_processor": { "type": "TemplateProcessing",
            "single": [{ "SpecialToken": { "id": "<s>", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }],
            "pair": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": 1 } }],
            "special_tokens": { "<s>": { "id": "<s>", "ids": [1], "tokens": ["<s>"] } } },
        "decoder": { "type": "Sequence", "decoders": [
            { "type": "Replace", "pattern": { "String": "\u{2581}" }, "content": " " },
            { "type": "ByteFallback" }, { "type": "Fuse" },
            { "type": "Strip", "content": " ", "start": 1, "stop": 0 } ] },
        "model": { "type": "BPE", "vocab": vocabulary, "byte_fallback": true, "fuse_unk": true, "unk_token": "<unk>",
            "merges": [["\u{2581}", "a"], ["a", "b"]] },
    });
    let config = json!({ "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>" });
    let metadata = exported(&load(&tokenizer, &config), 266, None).expect("it has an equal");
    assert_eq!(text(&metadata, "tokenizer.ggml.model"), "llama");
    assert_eq!(texts(&metadata, "tokens")[262..], ["a", "b", " x", "[PAD265]"]);
    let kinds = kinds(&metadata);
    assert_eq!(kinds[..3], [2, 3, 3]);
    assert!(kinds[3..259].iter().all(|kind| *kind == 6), "bytes");
    assert_eq!(kinds[259..], [1, 1, 1, 1, 1, 4, 5]);
    let scores = metadata["tokenizer.ggml.scores"].to_vec().expect("a list");
    let score = |at: usize| scores[at].to_f32().expect("a number");
    assert_eq!((scores.len(), score(259), score(260), score(261)), (266, 0.0, -1.0, -2.0));
    let ids = ["bos", "eos", "unknown", "padding"].map(|name| id(&metadata, name));
    assert_eq!(ids, [Some(1), Some(2), Some(0), None]);
    assert_eq!(
        ["add_space_prefix", "add_bos_token", "add_eos_token"].map(|key| says(&metadata, key)),
        [Some(true), Some(true), Some(false)]
    );
    assert!(!metadata.contains_key("tokenizer.ggml.merges"));
}

#[test]
fn tokenizers_without_an_equal() {
    let config = json!({ "eos_token": "<|turn|>" });
    let unknown = load(&byte_level(r"\w+|\W"), &config);
    let error = exported(&unknown, 9, None).expect_err("it is not known").to_string();
    assert!(error.contains(r"(\w+|\W); known are qwen2"), "{error}");
    let metadata = exported(&unknown, 9, Some("default")).expect("a name was given");
    assert_eq!(text(&metadata, "tokenizer.ggml.pre"), "default");

    let mut suffixed = byte_level(QWEN2);
    suffixed["model"]["end_of_word_suffix"] = "</w>".into();
    let mut plain = byte_level(QWEN2);
    plain["pre_tokenizer"] = json!({ "type": "Whitespace" });
    plain["decoder"] = json!(null);
    for (tokenizer, expected) in [
        (load(&suffixed, &config), "`end_of_word_suffix`; llama.cpp knows none"),
        (load(&plain, &config), "no equal to a tokenizer of the kind `BPE` that knows no bytes"),
        (Tokenizer::characters("a\0", None).expect("it is sound"), "llama.cpp cannot have"),
    ] {
        let error = exported(&tokenizer, 9, None).expect_err("it is refused").to_string();
        assert!(error.contains(expected), "{error}");
    }
}
