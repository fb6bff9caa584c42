//! From text to tokens and back.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::chat::{ChatTemplate, Message};
use crate::config::ModelConfig;
use crate::error::{PolicyError, Result};
use crate::load::{read_json, read_text};
use crate::save::json_file;
use crate::tensors::write_whole;

/// The tokenizer itself.
const TOKENIZER: &str = "tokenizer.json";
/// What its tokens are for.
const CONFIG: &str = "tokenizer_config.json";
/// When sampling stops.
const GENERATION: &str = "generation_config.json";
/// The chat template, where it is a file of its own.
const TEMPLATE: &str = "chat_template.jinja";

/// The longest text that is encoded, in bytes.
const MAX_TEXT: usize = 16 << 20;

/// Tokens that are not text, by the name that `tokenizer_config.json` gives them.
const SPECIAL: [&str; 4] = ["bos_token", "eos_token", "pad_token", "unk_token"];

/// A tokenizer with what belongs to it: special tokens, stop tokens, chat template.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// `tokenizer_config.json`.
    config: Map<String, Value>,
    /// `generation_config.json`.
    generation: Map<String, Value>,
    special: BTreeMap<String, String>,
    stop: Vec<u32>,
    template: Option<ChatTemplate>,
    spelling: Spelling,
}

/// How the names of tokens spell bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spelling {
    /// A letter for each byte, as GPT-2 does.
    Letters,
    /// Text with `▁` for a space, and `<0x0A>` for a byte, as SentencePiece does.
    Pieces,
    /// As the decoder says.
    Other,
}

impl Spelling {
    /// By the decoder that undoes it.
    fn of(tokenizer: &tokenizers::Tokenizer) -> Self {
        let decoder = tokenizer.get_decoder().and_then(|decoder| serde_json::to_string(decoder).ok());
        let decoder = decoder.unwrap_or_default();
        if decoder.contains(r#""ByteLevel""#) {
            Self::Letters
        } else if decoder.contains(r#""Metaspace""#) || decoder.contains('\u{2581}') {
            Self::Pieces
        } else {
            Self::Other
        }
    }
}

/// The byte of a letter of GPT-2 (`bytes_to_unicode` of its `encoder.py`): printable bytes are themselves, the others
/// follow from U+0100 in their order.
fn letter_byte(letter: char) -> Option<u8> {
    let is_printable = |byte: u8| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    match u32::from(letter) {
        code @ ..0x100 => u8::try_from(code).ok().filter(|byte| is_printable(*byte)),
        code => (0..=u8::MAX).filter(|byte| !is_printable(*byte)).nth(code as usize - 0x100),
    }
}

/// The byte of a piece such as `<0x0A>`.
fn byte_piece(name: &str) -> Option<u8> {
    let digits = name.strip_prefix("<0x")?.strip_suffix('>')?;
    if digits.len() == 2 { u8::from_str_radix(digits, 16).ok() } else { None }
}

impl Tokenizer {
    /// From a model's folder: `tokenizer.json`, and where they are there `tokenizer_config.json`,
    /// `chat_template.jinja`, `generation_config.json` and `config.json`.
    ///
    /// # Errors
    /// When a file is damaged, there is no stop token, or a stop token is not in the vocabulary.
    pub fn load(folder: &Path) -> Result<Self> {
        let path = folder.join(TOKENIZER);
        if !path.exists() {
            return Err(PolicyError::damaged(
                folder,
                "there is no tokenizer.json; `AutoTokenizer.from_pretrained(…).save_pretrained(…)` writes one",
            ));
        }
        let text = read_text(&path)?;
        let optional = |name: &str| -> Result<Map<String, Value>> {
            let path = folder.join(name);
            if path.exists() { read_json(&path) } else { Ok(Map::new()) }
        };
        let (mut config, mut generation) = (optional(CONFIG)?, optional(GENERATION)?);
        let template = folder.join(TEMPLATE);
        if template.exists() {
            config.insert("chat_template".to_owned(), read_text(&template)?.into());
        }
        let ids = |map: &Map<String, Value>| map.get("eos_token_id").is_some_and(|id| !id.is_null());
        if !ids(&generation) {
            // Before there was a file of its own it stood in the model's.
            let model = optional("config.json")?;
            if let Some(id) = model.get("eos_token_id") {
                generation.insert("eos_token_id".to_owned(), id.clone());
            }
        }
        Self::new(&text, config, generation).map_err(|error| match error {
            PolicyError::Input { message } => PolicyError::damaged(&path, message),
            other => other,
        })
    }

    /// A token for each character of an alphabet, built on the spot: [`small`](Self::small) without words.
    ///
    /// # Errors
    /// As [`small`](Self::small).
    pub fn characters(alphabet: &str, chat_template: Option<&str>) -> Result<Self> {
        Self::small(&[], alphabet, chat_template)
    }

    /// A token for each word and each character of an alphabet, built on the spot. `<pad>`, `<bos>`, `<eos>` and
    /// `<unk>` are tokens 0 to 3; words, then characters follow in the order given. A text is first searched for words,
    /// from its start and the longest first; what is between them goes character by character. Every encoded prompt
    /// begins with `<bos>`; `<eos>` stops.
    ///
    /// # Errors
    /// When there is neither word nor character, one is named twice, a word is empty, or the template is no Jinja.
    pub fn small(words: &[String], alphabet: &str, chat_template: Option<&str>) -> Result<Self> {
        let names = ["<pad>", "<bos>", "<eos>", "<unk>"];
        let mut vocabulary = Map::new();
        let characters = alphabet.chars().map(String::from);
        for token in names.into_iter().map(str::to_owned).chain(words.iter().cloned()).chain(characters) {
            let id = vocabulary.len();
            if token.is_empty() {
                return Err(PolicyError::input("a token of the tokenizer is empty"));
            }
            if vocabulary.contains_key(&token) {
                return Err(PolicyError::input(format!("the tokenizer would have {token:?} twice")));
            }
            vocabulary.insert(token, id.into());
        }
        if vocabulary.len() == names.len() {
            return Err(PolicyError::input("the tokenizer has neither words nor characters"));
        }
        let added: Vec<Value> = names
            .into_iter()
            .chain(words.iter().map(String::as_str))
            .enumerate()
            .map(|(id, name)| {
                json!({
                    "id": id, "content": name, "special": id < names.len(), "normalized": false,
                    "single_word": false, "lstrip": false, "rstrip": false,
                })
            })
            .collect();
        let begin = json!({ "SpecialToken": { "id": "<bos>", "type_id": 0 } });
        let first = json!({ "Sequence": { "id": "A", "type_id": 0 } });
        let second = json!({ "Sequence": { "id": "B", "type_id": 1 } });
        let tokenizer = json!({
            "version": "1.0",
            "truncation": null,
            "padding": null,
            "added_tokens": added,
            "normalizer": null,
            "pre_tokenizer": {
                "type": "Split", "pattern": { "Regex": r"[\s\S]" }, "behavior": "Isolated", "invert": false,
            },
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [begin, first],
                "pair": [begin, first, second],
                "special_tokens": { "<bos>": { "id": "<bos>", "ids": [1], "tokens": ["<bos>"] } },
            },
            "decoder": { "type": "Fuse" },
            "model": { "type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>" },
        });
        let mut config = json!({
            "tokenizer_class": "PreTrainedTokenizerFast",
            "clean_up_tokenization_spaces": false,
            "bos_token": "<bos>",
            "eos_token": "<eos>",
            "pad_token": "<pad>",
            "unk_token": "<unk>",
        });
        if let Some(template) = chat_template {
            config["chat_template"] = template.into();
        }
        let generation = json!({ "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0 });
        let object = |value| match value {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        Self::new(&tokenizer.to_string(), object(config), object(generation))
    }

    fn new(tokenizer: &str, config: Map<String, Value>, generation: Map<String, Value>) -> Result<Self> {
        let mut inner = tokenizers::Tokenizer::from_bytes(tokenizer.as_bytes())
            .map_err(|error| PolicyError::input(format!("this is no tokenizer: {error}")))?;
        // Some files were saved in the middle of a training run and would cut or fill what they encode.
        inner.with_padding(None);
        inner
            .with_truncation(None)
            .map_err(|error| PolicyError::input(format!("this is no tokenizer: {error}")))?;
        let special: BTreeMap<String, String> = SPECIAL
            .iter()
            .filter_map(|name| {
                let token = match config.get(*name)? {
                    Value::String(token) => token.clone(),
                    Value::Object(token) => token.get("content")?.as_str()?.to_owned(),
                    _ => return None,
                };
                Some(((*name).to_owned(), token))
            })
            .collect();
        let stop = stop_tokens(&inner, &special, &generation)?;
        let template = template(&config)?.map(|source| ChatTemplate::new(&source)).transpose()?;
        let spelling = Spelling::of(&inner);
        Ok(Self { inner, config, generation, special, stop, template, spelling })
    }

    /// Writes `tokenizer.json`, `tokenizer_config.json`, `generation_config.json` and, where there is a chat template,
    /// `chat_template.jinja`, as `transformers` reads them.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder).map_err(|error| PolicyError::file(folder, error))?;
        let path = folder.join(TOKENIZER);
        let text = self
            .inner
            .to_string(true)
            .map_err(|error| PolicyError::damaged(&path, format!("it cannot be written: {error}")))?;
        write_whole(&path, |file| file.write_all(text.as_bytes()))?;
        json_file(&folder.join(CONFIG), &Value::Object(self.config.clone()))?;
        json_file(&folder.join(GENERATION), &Value::Object(self.generation.clone()))?;
        if let Some(template) = &self.template {
            let path = folder.join(TEMPLATE);
            write_whole(&path, |file| file.write_all(template.source().as_bytes()))?;
        }
        Ok(())
    }

    /// Tokens of a text. With `special` those that the tokenizer puts around a prompt are added, as `transformers`
    /// does by default; without, the text is taken as the continuation of another.
    ///
    /// # Errors
    /// When the text is too long or has a character that the tokenizer cannot say.
    pub fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>> {
        if text.len() > MAX_TEXT {
            return Err(PolicyError::input(format!(
                "the text has {} bytes; {MAX_TEXT} are allowed",
                text.len()
            )));
        }
        let encoding = self
            .inner
            .encode_fast(text, special)
            .map_err(|error| PolicyError::input(format!("the text cannot be encoded: {error}")))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of tokens. Tokens outside the vocabulary are left out, and with `skip_special` special ones as well.
    ///
    /// # Errors
    /// When the tokenizer's decoder fails.
    pub fn decode(&self, tokens: &[u32], skip_special: bool) -> Result<String> {
        self.inner
            .decode(tokens, skip_special)
            .map_err(|error| PolicyError::input(format!("the tokens cannot be decoded: {error}")))
    }

    /// The bytes that a token stands for in the middle of a text. Of a token that says it otherwise than in one of the
    /// three usual ways (GPT-2's letters for bytes, SentencePiece's `▁` and `<0x0A>`, plain text) the text that it
    /// decodes to alone; of a token outside the vocabulary nothing.
    pub fn bytes(&self, token: u32) -> Vec<u8> {
        let Some(name) = self.inner.id_to_token(token) else { return Vec::new() };
        if self.inner.get_added_tokens_decoder().contains_key(&token) {
            return name.into_bytes();
        }
        match self.spelling {
            Spelling::Letters => match name.chars().map(letter_byte).collect::<Option<Vec<u8>>>() {
                Some(bytes) => bytes,
                None => name.into_bytes(),
            },
            Spelling::Pieces => match byte_piece(&name) {
                Some(byte) => vec![byte],
                None => name.replace('\u{2581}', " ").into_bytes(),
            },
            Spelling::Other => self.decode(&[token], false).unwrap_or_default().into_bytes(),
        }
    }

    /// The tokens of a conversation through the chat template, up to where the assistant's turn begins.
    ///
    /// # Errors
    /// When there is no template or it objects to the messages.
    pub fn encode_chat(&self, messages: &[Message]) -> Result<Vec<u32>> {
        // The template has written the special tokens.
        self.encode(&self.chat_text(messages, true)?, false)
    }

    /// The text of a conversation through the chat template.
    ///
    /// # Errors
    /// When there is no template or it objects to the messages.
    pub fn chat_text(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String> {
        let Some(template) = &self.template else {
            return Err(PolicyError::input(
                "the tokenizer has no chat template; give one, or use prompts without roles",
            ));
        };
        template.render(messages, add_generation_prompt, &self.special)
    }

    /// The chat template, where there is one.
    pub const fn chat_template(&self) -> Option<&ChatTemplate> {
        self.template.as_ref()
    }

    /// Tokens that end a completion, lowest first; at least one.
    pub fn stop_tokens(&self) -> &[u32] {
        &self.stop
    }

    /// The token that a completion of ours ends with.
    pub fn eos_token(&self) -> u32 {
        let named = self.special_token("eos_token");
        named.filter(|id| self.stop.contains(id)).unwrap_or(self.stop[0])
    }

    /// The number of a token, by what it is for: `bos_token`, `eos_token`, `pad_token` or `unk_token`.
    pub fn special_token(&self, purpose: &str) -> Option<u32> {
        self.special.get(purpose).and_then(|name| self.inner.token_to_id(name))
    }

    /// The tokenizer itself, as `tokenizer.json` has it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn to_json(&self) -> Result<Value> {
        let unsaid = |error: String| PolicyError::input(format!("the tokenizer cannot be written: {error}"));
        let text = self.inner.to_string(false).map_err(|error| unsaid(error.to_string()))?;
        serde_json::from_str(&text).map_err(|error| unsaid(error.to_string()))
    }

    /// The number of a token, by its name.
    pub fn token(&self, name: &str) -> Option<u32> {
        self.inner.token_to_id(name)
    }

    /// One past the highest token: what a model's vocabulary needs to be at least.
    pub fn vocabulary(&self) -> usize {
        self.inner.get_vocab(true).values().max().map_or(0, |highest| *highest as usize + 1)
    }

    /// Writes the special tokens into a model's configuration, where `transformers` looks for them.
    pub fn describe(&self, config: &mut ModelConfig) {
        for (field, name) in
            [("bos_token_id", "bos_token"), ("eos_token_id", "eos_token"), ("pad_token_id", "pad_token")]
        {
            if let Some(id) = self.special_token(name) {
                config.raw.insert(field.to_owned(), id.into());
            }
        }
    }
}

/// The chat template of `tokenizer_config.json`: a text, or the one called `default` of several.
fn template(config: &Map<String, Value>) -> Result<Option<String>> {
    match config.get("chat_template") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(source)) => Ok(Some(source.clone())),
        Some(Value::Array(list)) => {
            let named = |name: &str| {
                list.iter().find(|entry| entry.get("name").and_then(Value::as_str) == Some(name))
            };
            let source = named("default").and_then(|entry| entry.get("template")).and_then(Value::as_str);
            match source {
                Some(source) => Ok(Some(source.to_owned())),
                None => Err(PolicyError::input("of several chat templates none is called `default`")),
            }
        }
        Some(_) => Err(PolicyError::input("`chat_template` is neither a text nor a list of them")),
    }
}

/// `eos_token_id` of the generation's configuration, and the tokenizer's own `eos_token`.
fn stop_tokens(
    tokenizer: &tokenizers::Tokenizer,
    special: &BTreeMap<String, String>,
    generation: &Map<String, Value>,
) -> Result<Vec<u32>> {
    let mut stop = BTreeSet::new();
    if let Some(name) = special.get("eos_token") {
        let Some(id) = tokenizer.token_to_id(name) else {
            return Err(PolicyError::input(format!("the stop token `{name}` is not in the vocabulary")));
        };
        stop.insert(id);
    }
    let listed: Vec<&Value> = match generation.get("eos_token_id") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one) => vec![one],
    };
    for id in listed {
        let known = id.as_u64().and_then(|id| u32::try_from(id).ok());
        let Some(known) = known.filter(|id| tokenizer.id_to_token(*id).is_some()) else {
            return Err(PolicyError::input(format!("the stop token {id} is not in the vocabulary")));
        };
        stop.insert(known);
    }
    if stop.is_empty() {
        return Err(PolicyError::input(
            "there is no stop token, so that no completion would ever end: name one as `eos_token` in \
             tokenizer_config.json or `eos_token_id` in generation_config.json",
        ));
    }
    Ok(stop.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_stand_for_bytes() {
        for (letter, byte) in [('Ġ', 0x20), ('Ċ', 0x0a), ('A', 0x41), ('é', 0xe9), ('Ā', 0x00), ('Ń', 0xad)]
        {
            assert_eq!(letter_byte(letter), Some(byte), "{letter}");
        }
        let all: BTreeSet<u8> = ('\0'..'\u{200}').filter_map(letter_byte).collect();
        assert_eq!(all.len(), 256);
        assert_eq!([' ', '\u{144}', '漢'].map(letter_byte), [None; 3]);
    }

    #[test]
    fn pieces_stand_for_bytes() {
        for (name, byte) in [("<0x0A>", Some(10)), ("<0xff>", Some(255)), ("<0x1>", None), ("0x0A", None)] {
            assert_eq!(byte_piece(name), byte, "{name}");
        }
    }

    #[test]
    fn bytes_of_a_small_tokenizer() {
        let tokenizer = Tokenizer::small(&["the ".to_owned()], "aé", None).expect("a tokenizer");
        for (token, bytes) in [(2, "<eos>"), (4, "the "), (5, "a"), (6, "é"), (7, "")] {
            assert_eq!(tokenizer.bytes(token), bytes.as_bytes(), "{token}");
        }
    }
}
