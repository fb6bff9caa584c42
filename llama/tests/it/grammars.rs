//! Text that is drawn under a grammar keeps to it.

use llama::{Context, Grammar, Model, ModelOptions, Row, json_schema_to_gbnf};
use policy::config::Family;
use policy::decode::uniform;
use policy::gguf::Dtype;
use serde_json::{Value, json};

use crate::models::{context, file, tiny};

fn model(folder: &std::path::Path) -> Model {
    let (policy, tokenizer) = tiny(Family::Qwen2, true, 9);
    let path = file(&policy, &tokenizer, Dtype::F32, folder);
    Model::load(&path, &ModelOptions::default()).unwrap()
}

/// Draws a text; `None` where it was still going on after 400 tokens.
fn draw(running: &mut Context, grammar: &Grammar, seed: u64) -> Option<String> {
    let mut grammar = grammar.clone();
    running.clear();
    let mut tokens: Vec<u32> = Vec::new();
    let mut last = 5;
    // Texts of random weights never end; what closes them is made likelier as they grow.
    for position in 0..200 {
        running.decode(&[Row { token: last, position, sequence: 0, logits: true }]).unwrap();
        let mut logits = running.logits(0).unwrap().to_vec();
        grammar.mask(&mut logits);
        if grammar.is_whole() && position > 60 {
            break;
        }
        for (token, logit) in logits.iter_mut().enumerate() {
            let piece = running.model().piece(token as u32, false);
            if position > 60 && matches!(piece.as_slice(), b"\"" | b"}" | b"]") {
                *logit += 30.0;
            }
        }
        let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if top == f32::NEG_INFINITY {
            assert!(grammar.is_whole(), "a dead end");
            break;
        }
        let weights: Vec<f64> = logits.iter().map(|l| f64::from(l - top).exp()).collect();
        let mut target = uniform(seed, u64::from(position)) * weights.iter().sum::<f64>();
        let mut chosen = 0;
        for (token, weight) in weights.iter().enumerate() {
            if *weight > 0.0 {
                chosen = token as u32;
                target -= weight;
                if target < 0.0 {
                    break;
                }
            }
        }
        assert!(grammar.allows(chosen));
        if running.model().stop_tokens().contains(&chosen) {
            return Some(running.model().text(&tokens, false));
        }
        grammar.accept(chosen);
        tokens.push(chosen);
        last = chosen;
    }
    grammar.is_whole().then(|| running.model().text(&tokens, false))
}

#[test]
fn a_grammar_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path());
    let mut running = context(&model);
    let grammar = Grammar::new(&model, "root ::= (\"yes\" | \"no\") \"!\"?", &[]).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..40 {
        seen.insert(draw(&mut running, &grammar, seed).unwrap());
    }
    assert!(seen.iter().all(|text| ["yes", "no", "yes!", "no!"].contains(&text.as_str())), "{seen:?}");
    assert!(seen.len() > 1, "{seen:?}");
    for broken in ["start ::= \"a\"", "root ::= (\"a\"", "root ::= other", ""] {
        let error = Grammar::new(&model, broken, &[]).unwrap_err().to_string();
        assert!(error.starts_with("grammar: "), "{broken}: {error}");
    }
    let mut grammar = Grammar::new(&model, "root ::= \"ab\"", &[]).unwrap();
    let wrong = model.tokenize("z", false, false).unwrap()[0];
    grammar.accept(wrong);
    let mut logits = vec![0.0; model.n_tokens()];
    grammar.mask(&mut logits);
    assert!(logits.iter().all(|logit| *logit == f32::NEG_INFINITY), "nothing follows what may not come");
    assert!(!grammar.is_whole() && !grammar.allows(u32::MAX));
}

#[test]
fn text_under_a_schema_is_json_that_the_schema_allows() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path());
    let mut running = context(&model);
    let is_short = |value: &Value| value.as_str().is_some_and(|s| (1..=5).contains(&s.chars().count()));
    type Check<'a> = &'a dyn Fn(&Value) -> bool;
    let rows: Vec<(Value, Check<'_>)> = vec![
        (json!({ "type": "integer", "minimum": 1, "maximum": 12 }), &|v| {
            v.as_i64().is_some_and(|n| (1..=12).contains(&n))
        }),
        (json!({ "enum": ["a\"b", 3, null, { "x": [] }] }), &|v| {
            [json!("a\"b"), json!(3), json!(null), json!({ "x": [] })].contains(v)
        }),
        (json!({ "type": "string", "minLength": 1, "maxLength": 5 }), &is_short),
        (json!({ "type": ["boolean", "null"] }), &|v| v.is_boolean() || v.is_null()),
        (json!({ "type": "array", "items": { "type": "boolean" }, "minItems": 2, "maxItems": 3 }), &|v| {
            v.as_array().is_some_and(|a| (2..=3).contains(&a.len()) && a.iter().all(Value::is_boolean))
        }),
        (
            json!({
                "type": "object",
                "properties": {
                    "verdict": { "enum": ["yes", "no"] },
                    "why": { "type": "string", "maxLength": 8 },
                    "score": { "type": "integer", "minimum": 0, "maximum": 9 }
                },
                "required": ["verdict", "score"],
                "additionalProperties": false
            }),
            &|v| {
                v["verdict"].is_string() && v["score"].is_i64() && v.as_object().is_some_and(|o| o.len() <= 3)
            },
        ),
        (json!({ "type": "object", "properties": { "a": { "const": 1 }, "b": { "const": 2 } } }), &|v| {
            v.as_object().is_some_and(|o| o.iter().all(|(k, v)| (k == "a") == (*v == json!(1))))
        }),
        (json!({ "anyOf": [{ "type": "number" }, { "type": "null" }] }), &|v| v.is_number() || v.is_null()),
        (
            json!({
                "$ref": "#/$defs/tree",
                "$defs": { "tree": { "type": "array", "items": { "$ref": "#/$defs/tree" }, "maxItems": 2 } }
            }),
            &Value::is_array,
        ),
    ];
    for (schema, check) in rows {
        let gbnf = json_schema_to_gbnf(&schema).unwrap();
        let grammar = Grammar::new(&model, &gbnf, &[]).unwrap_or_else(|error| panic!("{error}\n{gbnf}"));
        let mut whole = 0;
        for seed in 0..12 {
            let Some(text) = draw(&mut running, &grammar, seed) else { continue };
            whole += 1;
            let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert!(check(&value), "{schema}: {text}");
        }
        assert!(whole > 6, "{schema}: {whole} texts came to an end");
    }
}

#[test]
fn a_schema_that_no_grammar_can_keep_is_refused() {
    for (schema, place) in [
        (json!(false), "/"),
        (json!({ "type": "string", "pattern": "a+" }), "`pattern`"),
        (json!({ "type": "array", "uniqueItems": true }), "`uniqueItems`"),
        (
            json!({ "type": "object", "properties": { "a": { "type": "text" } } }),
            "/properties/a: there is no type `text`",
        ),
        (json!({ "allOf": [] }), "`type`"),
        (json!({ "$ref": "#/$defs/none" }), "there is no #/$defs/none"),
        (json!({ "$ref": "http://x" }), "`$ref`"),
        (json!({ "type": "integer", "minimum": -5 }), "range"),
        (json!({ "oneOf": [{ "type": "integer" }, { "type": "number" }] }), "different types"),
        (json!({ "type": "object", "required": ["b"], "properties": { "a": true } }), "`b` is required"),
        (json!({ "type": "string", "enum": [] }), "`enum`"),
    ] {
        let error = json_schema_to_gbnf(&schema).unwrap_err().to_string();
        assert!(error.contains(place), "{schema}: {error}");
    }
    let mut deep = json!({ "type": "null" });
    for _ in 0..100 {
        deep = json!({ "type": "array", "items": deep });
    }
    assert!(json_schema_to_gbnf(&deep).is_err());
}
