//! How a byte-level tokenizer cuts text before it merges bytes, by llama.cpp's name for it.

use serde_json::Value;

use crate::error::{PolicyError, Result};

/// The expression of GPT-2, which `tokenizers` has built in.
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
/// Llama 3's.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Qwen2's: every digit alone.
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// That of Mistral's Tekken.
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Steps, whether a word that is a token is taken whole before any merge, and llama.cpp's name.
const KNOWN: [(&[&str], Option<bool>, &str); 6] = [
    (&[QWEN2], Some(false), "qwen2"),
    (&[LLAMA3], Some(true), "llama-bpe"),
    (&[LLAMA3], Some(false), "smaug-bpe"),
    (&[TEKKEN], None, "tekken"),
    (&[GPT2], Some(false), "gpt-2"),
    (&[r"\p{N}", GPT2], Some(false), "smollm"),
];

/// The name that llama.cpp has for a `tokenizer.json`'s way of cutting. `fallback` stands in for one that it is not
/// known for.
///
/// # Errors
/// When the way is not known and there is no `fallback`.
pub(super) fn name(tokenizer: &Value, fallback: Option<&str>) -> Result<String> {
    let mut steps = Vec::new();
    let known = collect(&tokenizer["pre_tokenizer"], &mut steps);
    let whole = tokenizer["model"]["ignore_merges"].as_bool().unwrap_or(false);
    let found = KNOWN.iter().find(|(expected, takes_whole, _)| {
        known && takes_whole.is_none_or(|takes| takes == whole) && steps.iter().eq(expected.iter())
    });
    match (found, fallback) {
        (Some((.., name)), _) => Ok((*name).to_owned()),
        (None, Some(name)) => Ok(name.to_owned()),
        (None, None) => {
            let names: Vec<&str> = KNOWN.iter().map(|(.., name)| *name).collect();
            let message = format!(
                "the tokenizer cuts text in a way that has no name here ({}); known are {}. Name the one of \
                 llama.cpp that is meant: engines that are given tokens do not use it",
                if steps.is_empty() { "no expression".to_owned() } else { steps.join(", then ") },
                names.join(", ")
            );
            Err(PolicyError::Unsupported { message })
        }
    }
}

/// Appends the expressions of a pre-tokenizer in their order; false where there is more to it than these.
fn collect(step: &Value, steps: &mut Vec<String>) -> bool {
    let flag = |name: &str, default: bool| step[name].as_bool().unwrap_or(default);
    match step["type"].as_str() {
        Some("Sequence") => {
            let inner = step["pretokenizers"].as_array();
            inner.is_some_and(|inner| inner.iter().all(|step| collect(step, steps)))
        }
        Some("Split") => {
            let regex = step["pattern"]["Regex"].as_str();
            steps.extend(regex.map(str::to_owned));
            let isolated = step["behavior"] == "Isolated" && !flag("invert", false);
            // The other way to say the same: what matches is what stays.
            let inverted = step["behavior"] == "Removed" && flag("invert", false);
            regex.is_some() && (isolated || inverted)
        }
        Some("Digits") => {
            steps.push(if flag("individual_digits", false) { r"\p{N}" } else { r"\p{N}+" }.to_owned());
            true
        }
        Some("ByteLevel") => {
            if flag("use_regex", true) {
                steps.push(GPT2.to_owned());
            }
            !flag("add_prefix_space", true)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn split(regex: &str) -> Value {
        json!({ "type": "Sequence", "pretokenizers": [
            { "type": "Split", "pattern": { "Regex": regex }, "behavior": "Isolated", "invert": false },
            { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false },
        ] })
    }

    #[test]
    fn known_ways_have_names() {
        let bytes = json!({ "type": "ByteLevel", "add_prefix_space": false, "use_regex": true });
        let digits = json!({ "type": "Digits", "individual_digits": true });
        let both = json!({ "type": "Sequence", "pretokenizers": [digits, bytes] });
        for (pre_tokenizer, whole, expected) in [
            (split(QWEN2), false, "qwen2"),
            (split(LLAMA3), true, "llama-bpe"),
            (split(LLAMA3), false, "smaug-bpe"),
            (split(TEKKEN), true, "tekken"),
            (bytes, false, "gpt-2"),
            (both, false, "smollm"),
        ] {
            let tokenizer =
                json!({ "pre_tokenizer": pre_tokenizer, "model": { "type": "BPE", "ignore_merges": whole } });
            assert_eq!(name(&tokenizer, None).expect("it is known"), expected);
        }
    }

    #[test]
    fn others_are_errors_or_what_is_asked_for() {
        let prefixed = json!({ "type": "ByteLevel", "add_prefix_space": true, "use_regex": true });
        for pre_tokenizer in [split(r"\w+"), prefixed, Value::Null] {
            let tokenizer = json!({ "pre_tokenizer": pre_tokenizer, "model": { "type": "BPE" } });
            let error = name(&tokenizer, None).expect_err("it is not known").to_string();
            assert!(error.contains("known are qwen2, llama-bpe"), "{error}");
            assert_eq!(name(&tokenizer, Some("default")).expect("a name"), "default");
        }
    }
}
