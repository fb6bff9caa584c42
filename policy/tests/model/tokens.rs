//! Tokenizers: built, saved, read, and broken.

use std::path::Path;

use policy::{Message, ModelConfig, Sizes, TextStream, Tokenizer};
use proptest::prelude::*;
use serde_json::{Value, json};

const ALPHABET: &str = "0123456789+-*=?<> \naé漢";

const TEMPLATE: &str = "{% for m in messages %}{{ m.role[0] }}:{{ m.content }}{{ eos_token }}{% endfor %}\
                        {% if add_generation_prompt %}a:{% endif %}";

/// Every byte a token and nothing merged: characters beyond ASCII take several tokens.
fn bytes(folder: &Path) -> Tokenizer {
    // How byte-level tokenizers spell bytes: printable ones as they are, others from U+0100 on.
    let mut next = 256;
    let mut vocabulary = serde_json::Map::new();
    for byte in 0..=255u32 {
        let printable = matches!(byte, 33..=126 | 161..=172 | 174..=255);
        let spelled = if printable { byte } else { next };
        next += u32::from(!printable);
        vocabulary.insert(char::from_u32(spelled).expect("a character").to_string(), byte.into());
    }
    vocabulary.insert("<eos>".to_owned(), 256.into());
    let tokenizer = json!({
        "version": "1.0",
        "truncation": { "max_length": 2, "strategy": "LongestFirst", "stride": 0, "direction": "Right" },
        "added_tokens": [{
            "id": 256, "content": "<eos>", "special": true, "normalized": false, "single_word": false,
            "lstrip": false, "rstrip": false,
        }],
        "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false },
        "decoder": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false },
        "model": { "type": "BPE", "vocab": vocabulary, "merges": [] },
    });
    write(folder, "tokenizer.json", &tokenizer);
    write(folder, "generation_config.json", &json!({ "eos_token_id": [256] }));
    Tokenizer::load(folder).expect("it is sound")
}

fn write(folder: &Path, name: &str, value: &Value) {
    std::fs::write(folder.join(name), value.to_string()).expect("room");
}

fn streamed(tokenizer: &Tokenizer, tokens: &[u32]) -> String {
    let mut stream = TextStream::new(tokenizer, false);
    let mut text = String::new();
    for token in tokens {
        text.push_str(&stream.push(*token).expect("it decodes"));
    }
    text + &stream.finish().expect("it decodes")
}

#[test]
fn characters_there_and_back() {
    let tokenizer = Tokenizer::characters(ALPHABET, Some(TEMPLATE)).expect("it is sound");
    let text = "12+3=?\n漢 é<eos>";
    let tokens = tokenizer.encode(text, true).expect("short");
    assert_eq!(tokens[..4], [1, 5, 6, 14], "<bos>, 1, 2, +");
    assert_eq!(tokens.last(), Some(&2), "a special token in the text is one");
    assert_eq!(tokens[1..], tokenizer.encode(text, false).expect("short"));
    assert_eq!(tokenizer.decode(&tokens[1..], false).expect("it decodes"), text);
    assert_eq!(tokenizer.decode(&tokens, true).expect("it decodes"), "12+3=?\n漢 é");
    assert_eq!(tokenizer.encode("Z", false).expect("short"), [3], "unknown");
    assert_eq!(tokenizer.stop_tokens(), [2]);
    assert_eq!(tokenizer.eos_token(), 2);
    assert_eq!(tokenizer.vocabulary(), 4 + ALPHABET.chars().count());
    let messages = [Message::new("user", "1+1")];
    assert_eq!(tokenizer.chat_text(&messages, true).expect("a template"), "u:1+1<eos>a:");
    assert_eq!(tokenizer.encode_chat(&messages).expect("a template").len(), 8);

    let folder = tempfile::tempdir().expect("room");
    tokenizer.save(folder.path()).expect("room");
    let again = Tokenizer::load(folder.path()).expect("it was saved");
    assert_eq!(again.encode(text, true).expect("short"), tokens);
    assert_eq!(again.stop_tokens(), [2]);
    assert_eq!(again.chat_template().expect("it was saved").source(), TEMPLATE);

    let mut config = ModelConfig::from_sizes(&Sizes::default(), tokenizer.vocabulary()).expect("they fit");
    tokenizer.describe(&mut config);
    assert_eq!(config.raw["eos_token_id"], 2);

    assert!(Tokenizer::characters("", None).is_err());
    assert!(Tokenizer::characters("aa", None).is_err());
    let plain = Tokenizer::characters("a", None).expect("it is sound");
    assert!(plain.encode_chat(&messages).expect_err("no template").to_string().contains("chat template"));
}

#[test]
fn words_come_before_characters() {
    let words = ["<think>", "</think>", "ab"].map(str::to_owned);
    let tokenizer = Tokenizer::small(&words, "abc<>/think ", None).expect("it is sound");
    let text = "<think>abca b</think><thin";
    let tokens = tokenizer.encode(text, false).expect("short");
    assert_eq!(tokens[..3], [4, 6, 9], "<think>, ab, c");
    assert_eq!(tokens.len(), 12);
    assert_eq!(tokenizer.decode(&tokens, true).expect("it decodes"), text, "words are no special tokens");
    assert_eq!(tokenizer.token("</think>"), Some(5));
    for (words, alphabet) in [(vec!["a"], "a"), (vec![""], "a"), (vec!["<eos>"], "a"), (vec!["x", "x"], "a")]
    {
        let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        assert!(Tokenizer::small(&words, alphabet, None).is_err(), "{words:?}");
    }
}

#[test]
fn characters_of_several_tokens_come_whole() {
    let folder = tempfile::tempdir().expect("room");
    let tokenizer = bytes(folder.path());
    let tokens = tokenizer.encode("a漢b", true).expect("short");
    assert_eq!(tokens.len(), 5, "not cut, whatever the file says");
    let mut stream = TextStream::new(&tokenizer, true);
    let pieces: Vec<String> = tokens.iter().map(|token| stream.push(*token).expect("it decodes")).collect();
    assert_eq!(pieces, ["a", "", "", "漢", "b"]);
    assert_eq!(streamed(&tokenizer, &tokens[..3]), "a\u{fffd}", "cut short");
    assert_eq!(streamed(&tokenizer, &[255; 100]), "\u{fffd}".repeat(100));
    assert_eq!(tokenizer.decode(&[97, 9999, 98], false).expect("it decodes"), "ab");
    assert_eq!(tokenizer.eos_token(), 256);
}

proptest! {
    #[test]
    fn streaming_gives_the_same_text(text in any::<String>(), noise in prop::collection::vec(0u32..257, 0..40)) {
        let folder = tempfile::tempdir().expect("room");
        let tokenizer = bytes(folder.path());
        let tokens = tokenizer.encode(&text, false).expect("short");
        prop_assert_eq!(streamed(&tokenizer, &tokens), text);
        let whole = tokenizer.decode(&noise, false).expect("it decodes");
        prop_assert_eq!(streamed(&tokenizer, &noise), whole);
    }
}

#[test]
fn broken_tokenizers_say_what_is_wrong() {
    let sound = tempfile::tempdir().expect("room");
    Tokenizer::characters("abc", None).expect("it is sound").save(sound.path()).expect("room");
    let long = "x".repeat(17 << 20);
    let whole = Tokenizer::load(sound.path()).expect("it was saved");
    assert!(whole.encode(&long, false).expect_err("too long").to_string().contains("bytes"));
    for (file, content, part) in [
        ("tokenizer.json", Some("{"), "no tokenizer"),
        ("tokenizer.json", Some("{}"), "no tokenizer"),
        ("tokenizer.json", None, "no tokenizer.json"),
        ("tokenizer_config.json", Some("[]"), "tokenizer_config.json"),
        ("tokenizer_config.json", Some(r#"{"eos_token": "<end>"}"#), "`<end>` is not in the vocabulary"),
        ("tokenizer_config.json", Some(r#"{"chat_template": "{% for %}"}"#), "chat template"),
        ("tokenizer_config.json", Some(r#"{"chat_template": 7}"#), "`chat_template`"),
        (
            "tokenizer_config.json",
            Some(r#"{"chat_template": [{"name": "rag", "template": ""}]}"#),
            "`default`",
        ),
        ("generation_config.json", Some(r#"{"eos_token_id": 99}"#), "stop token 99"),
        ("generation_config.json", Some(r#"{"eos_token_id": [2, "x"]}"#), "stop token \"x\""),
        ("chat_template.jinja", Some("{{"), "chat template"),
    ] {
        let folder = tempfile::tempdir().expect("room");
        whole.save(folder.path()).expect("room");
        match content {
            Some(content) => std::fs::write(folder.path().join(file), content).expect("room"),
            None => std::fs::remove_file(folder.path().join(file)).expect("it is there"),
        }
        let message = Tokenizer::load(folder.path()).expect_err(part).to_string();
        assert!(message.contains(part), "{file}: {message}");
    }
    // Nothing that stops, anywhere.
    let folder = tempfile::tempdir().expect("room");
    whole.save(folder.path()).expect("room");
    write(folder.path(), "tokenizer_config.json", &json!({}));
    write(folder.path(), "generation_config.json", &json!({}));
    let message = Tokenizer::load(folder.path()).expect_err("none").to_string();
    assert!(message.contains("no stop token") && message.contains("generation_config.json"), "{message}");
    // The model's configuration is asked last.
    write(folder.path(), "config.json", &json!({ "eos_token_id": 2 }));
    assert_eq!(Tokenizer::load(folder.path()).expect("there is one").stop_tokens(), [2]);
}
