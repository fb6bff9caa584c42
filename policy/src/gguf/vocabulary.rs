//! A tokenizer as llama.cpp's metadata.
//!
//! Three kinds of `tokenizer.json` have an equal there: byte-level BPE (`gpt2`), BPE with spaces as U+2581 and bytes
//! as a last resort (`llama`, from SentencePiece), and our own [`small`](Tokenizer::small) ones of words and
//! characters, which become tokens that llama.cpp looks for before it cuts a text.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value as Json;

use super::format::{Metadata, Value};
use super::pretokenizer;
use crate::config::ModelConfig;
use crate::error::{PolicyError, Result};
use crate::tokenizer::Tokenizer;

/// What a token is (`enum llama_token_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A piece of text.
    Normal = 1,
    /// Stands for what cannot be said.
    Unknown = 2,
    /// Is no text, such as the end of a sequence.
    Control = 3,
    /// Text that is looked for before anything else.
    UserDefined = 4,
    /// Fills a place.
    Unused = 5,
    /// One byte.
    Byte = 6,
}

/// What stands for a space in pieces of SentencePiece.
const SPACE: &str = "\u{2581}";

fn refuse(message: impl Into<String>) -> PolicyError {
    PolicyError::Unsupported { message: message.into() }
}

/// The metadata of a tokenizer for a model of `config.vocab_size` tokens; where it has fewer the rest is filled up.
///
/// # Errors
/// When llama.cpp has no equal to the tokenizer, or it has more tokens than the model.
pub(super) fn metadata(
    tokenizer: &Tokenizer,
    config: &ModelConfig,
    fallback: Option<&str>,
) -> Result<Metadata> {
    let json = tokenizer.to_json()?;
    let model = &json["model"];
    let mut tokens = tokens(&json)?;
    let mut own = Metadata::new();
    let kind = model["type"].as_str().unwrap_or_default();
    let byte_level = has(&json["pre_tokenizer"], "ByteLevel") || has(&json["decoder"], "ByteLevel");
    match kind {
        "BPE" if byte_level => {
            own.push(text("tokenizer.ggml.model", "gpt2"));
            own.push(text("tokenizer.ggml.pre", &pretokenizer::name(&json, fallback)?));
            own.push(("tokenizer.ggml.merges".to_owned(), Value::Strings(merges(model)?)));
        }
        "BPE" if model["byte_fallback"] == true => {
            own.push(text("tokenizer.ggml.model", "llama"));
            let scores = pieces(model, &mut tokens, config.vocab_size)?;
            own.push(("tokenizer.ggml.scores".to_owned(), Value::F32s(scores)));
            let prefix = prefixes_space(&json);
            own.push(("tokenizer.ggml.add_space_prefix".to_owned(), Value::Bool(prefix)));
        }
        "WordLevel" if spells(&json["pre_tokenizer"]) => {
            own.push(text("tokenizer.ggml.model", "gpt2"));
            own.push(text("tokenizer.ggml.pre", "gpt-2"));
            own.push(("tokenizer.ggml.merges".to_owned(), Value::Strings(Vec::new())));
            for (_, kind) in tokens.values_mut() {
                if *kind == Kind::Normal {
                    *kind = Kind::UserDefined;
                }
            }
        }
        _ => {
            return Err(refuse(format!(
                "llama.cpp has no equal to a tokenizer of the kind `{kind}`{}; byte-level BPE and BPE with byte \
                 fallback can be exported",
                if kind == "BPE" { " that knows no bytes" } else { "" }
            )));
        }
    }
    let unknown = model["unk_token"].as_str().and_then(|name| tokenizer.token(name));
    if let Some((_, kind)) = unknown.and_then(|id| tokens.get_mut(&id)) {
        *kind = Kind::Unknown;
    }
    let (tokens, kinds) = filled(tokens, config.vocab_size)?;
    own.push(("tokenizer.ggml.tokens".to_owned(), Value::Strings(tokens)));
    own.push(("tokenizer.ggml.token_type".to_owned(), Value::I32s(kinds)));
    own.extend(special(tokenizer, config, unknown)?);
    if let Some(template) = tokenizer.chat_template() {
        own.push(text("tokenizer.chat_template", template.source()));
    }
    Ok(own)
}

fn text(key: &str, value: &str) -> (String, Value) {
    (key.to_owned(), Value::String(value.to_owned()))
}

/// The tokens by number: those of the model, then what was added to them.
fn tokens(json: &Json) -> Result<BTreeMap<u32, (String, Kind)>> {
    let mut tokens = BTreeMap::new();
    let number = |id: &Json| id.as_u64().and_then(|id| u32::try_from(id).ok());
    let vocabulary = json["model"]["vocab"].as_object();
    let vocabulary = vocabulary.ok_or_else(|| refuse("the tokenizer has no vocabulary of texts"))?;
    for (token, id) in vocabulary {
        let id = number(id).ok_or_else(|| refuse(format!("the token {token:?} has no number")))?;
        tokens.insert(id, (token.clone(), Kind::Normal));
    }
    for added in json["added_tokens"].as_array().into_iter().flatten() {
        if let (Some(id), Some(token)) = (number(&added["id"]), added["content"].as_str()) {
            let kind = if added["special"] == true { Kind::Control } else { Kind::UserDefined };
            tokens.insert(id, (token.to_owned(), kind));
        }
    }
    Ok(tokens)
}

/// Texts and kinds of all numbers from 0, with fillers where there is no token. llama.cpp wants every text once, and
/// reads it up to its first zero byte.
fn filled(mut tokens: BTreeMap<u32, (String, Kind)>, size: usize) -> Result<(Vec<String>, Vec<i32>)> {
    if let Some((highest, _)) = tokens.last_key_value()
        && *highest as usize >= size
    {
        return Err(PolicyError::input(format!(
            "the tokenizer has a token {highest} and the model a vocabulary of {size}; they do not belong together"
        )));
    }
    let mut seen: HashSet<String> = HashSet::with_capacity(size);
    for (token, _) in tokens.values() {
        if token.is_empty() || token.contains('\0') || !seen.insert(token.clone()) {
            return Err(refuse(format!(
                "the tokenizer has the token {token:?}, which llama.cpp cannot have: a text that is empty, holds a \
                 zero byte or is there twice"
            )));
        }
    }
    let mut texts = Vec::with_capacity(size);
    let mut kinds = Vec::with_capacity(size);
    for id in 0..size as u32 {
        let (token, kind) = tokens.remove(&id).unwrap_or_else(|| {
            let mut filler = format!("[PAD{id}]");
            while !seen.insert(filler.clone()) {
                filler.push('_');
            }
            (filler, Kind::Unused)
        });
        texts.push(token);
        kinds.push(kind as i32);
    }
    Ok((texts, kinds))
}

/// The merges of a byte-level BPE, one text each.
fn merges(model: &Json) -> Result<Vec<String>> {
    for field in ["continuing_subword_prefix", "end_of_word_suffix"] {
        if model[field].as_str().is_some_and(|text| !text.is_empty()) {
            return Err(refuse(format!("the tokenizer has a `{field}`; llama.cpp knows none")));
        }
    }
    pairs(model)?
        .map(|pair| {
            let (left, right) = pair?;
            if left.contains(' ') || right.contains(' ') {
                return Err(refuse(format!(
                    "the tokenizer merges {left:?} and {right:?}, which hold spaces"
                )));
            }
            Ok(format!("{left} {right}"))
        })
        .collect()
}

/// The merges as pairs; before `tokenizers` 0.20 they were written as one text.
fn pairs(model: &Json) -> Result<impl Iterator<Item = Result<(&str, &str)>>> {
    let merges = model["merges"].as_array().ok_or_else(|| refuse("the tokenizer has no merges"))?;
    Ok(merges.iter().map(|merge| {
        let pair = match merge {
            Json::String(text) => text.split_once(' '),
            pair => pair[0].as_str().zip(pair[1].as_str()),
        };
        pair.ok_or_else(|| refuse(format!("{merge} is no merge of two texts")))
    }))
}

/// Scores of SentencePiece's pieces: there the piece with the highest score is merged first, here the first pair of
/// the list. Tokens for single bytes become such.
fn pieces(model: &Json, tokens: &mut BTreeMap<u32, (String, Kind)>, size: usize) -> Result<Vec<f32>> {
    let mut ranks: HashMap<String, usize> = HashMap::new();
    for (rank, pair) in pairs(model)?.enumerate() {
        let (left, right) = pair?;
        ranks.entry(format!("{left}{right}")).or_insert(rank);
    }
    let mut scores = vec![-(ranks.len() as f32); size];
    let mut n_bytes = 0;
    for (id, (token, kind)) in tokens.iter_mut() {
        if let (Some(score), Some(rank)) = (scores.get_mut(*id as usize), ranks.get(token)) {
            *score = -(*rank as f32);
        }
        if *kind == Kind::Normal && is_byte(token) {
            *kind = Kind::Byte;
            n_bytes += 1;
        }
        if *kind == Kind::UserDefined {
            // Such a token is compared with the text as it is.
            *token = token.replace(SPACE, " ");
        }
    }
    if n_bytes < 256 {
        return Err(refuse(format!(
            "the tokenizer has {n_bytes} of the 256 bytes that its last resort needs"
        )));
    }
    Ok(scores)
}

/// Whether a token is a byte such as `<0x0A>`.
fn is_byte(token: &str) -> bool {
    let digits = token.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
    digits.is_some_and(|digits| digits.len() == 2 && u8::from_str_radix(digits, 16).is_ok())
}

/// Whether a part of a tokenizer is, or has among its parts, one of a type.
fn has(part: &Json, kind: &str) -> bool {
    part["type"] == kind
        || ["pretokenizers", "decoders", "normalizers"]
            .iter()
            .any(|list| part[list].as_array().is_some_and(|list| list.iter().any(|part| has(part, kind))))
}

/// Whether a space is put before a text.
fn prefixes_space(json: &Json) -> bool {
    let scheme = &json["pre_tokenizer"]["prepend_scheme"];
    has(&json["normalizer"], "Prepend")
        || has(&json["pre_tokenizer"], "Metaspace") && (scheme == "always" || scheme == "first")
}

/// Whether a text goes character by character, as in [`Tokenizer::small`].
fn spells(pre_tokenizer: &Json) -> bool {
    pre_tokenizer["type"] == "Split"
        && pre_tokenizer["pattern"]["Regex"] == r"[\s\S]"
        && pre_tokenizer["behavior"] == "Isolated"
}

/// The numbers of special tokens, and whether a prompt is put between them.
fn special(tokenizer: &Tokenizer, config: &ModelConfig, unknown: Option<u32>) -> Result<Metadata> {
    let end = tokenizer.eos_token();
    // llama.cpp has a place for one more token that ends a completion; others it knows by their texts.
    let turn = tokenizer.stop_tokens().iter().copied().find(|stop| *stop != end);
    let configured = || {
        let id = config.raw.get("bos_token_id")?.as_u64()?;
        u32::try_from(id).ok().filter(|id| (*id as usize) < config.vocab_size)
    };
    // Without one llama.cpp takes token 11, whatever that is.
    let begin = tokenizer.special_token("bos_token").or_else(configured);
    let around = tokenizer.encode("", true)?;
    let adds_begin = begin.is_some() && around.first() == begin.as_ref();
    let adds_end = around.len() > usize::from(adds_begin) && around.last() == Some(&end);
    let ids = [
        ("bos", begin.or(Some(end))),
        ("eos", Some(end)),
        ("eot", turn),
        ("unknown", unknown),
        ("padding", tokenizer.special_token("pad_token")),
    ];
    let mut special: Metadata = ids
        .into_iter()
        .filter_map(|(name, id)| Some((format!("tokenizer.ggml.{name}_token_id"), Value::U32(id?))))
        .collect();
    for (name, added) in [("bos", adds_begin), ("eos", adds_end)] {
        special.push((format!("tokenizer.ggml.add_{name}_token"), Value::Bool(added)));
    }
    Ok(special)
}
