//! A tiny model of a GGUF file, made here, behind the OpenAI wire.

use gavel::serving::{self, Limits, ModelSettings};
use policy::gguf::{Dtype, ExportOptions, export};
use policy::tokenizer::Tokenizer;
use policy::{ModelConfig, Packed, Policy, Sizes};
use serde_json::{Value, json};

use super::{CHAT, COMPLETIONS, ask, error, joined, refused, serve, stream, told};
use crate::server::{Options, Server};

const TEMPLATE: &str = "{% for m in messages %}{{ m.role }}: {{ m.content }};{% endfor %}assistant: ";

fn settings(source: String) -> ModelSettings {
    ModelSettings {
        source,
        name: "tiny".to_owned(),
        device: "cpu".to_owned(),
        n_gpu_layers: None,
        max_batch: 8,
        context: None,
        default_context: 32_768,
        cache_tokens: None,
        limits: Limits::default(),
    }
}

/// A server with a tiny model of a file, and the model.
async fn serving(template: Option<&str>) -> (Server, Policy) {
    let folder = tempfile::tempdir().unwrap();
    let characters: String = std::iter::once('\n').chain(' '..='~').collect();
    let tokenizer = Tokenizer::characters(&characters, template).unwrap();
    let sizes = Sizes {
        hidden_size: 64,
        intermediate_size: 96,
        n_layers: 2,
        n_heads: 4,
        n_kv_heads: 2,
        initializer_range: 0.12,
        ..Sizes::default()
    };
    let mut config = ModelConfig::from_sizes(&sizes, tokenizer.vocabulary()).unwrap();
    tokenizer.describe(&mut config);
    let policy = Policy::random(config, 11, &candle_core::Device::Cpu).unwrap();
    let path = folder.path().join("tiny.gguf");
    let options = ExportOptions { dtype: Dtype::F32, ..ExportOptions::default() };
    export(&policy, &tokenizer, &options, &path, |_, _| {}).unwrap();
    let settings = settings(path.display().to_string());
    let load = move || serving::load(&settings).map_err(|error| error.to_string());
    let server = serve(Limits::default(), load, Options::default()).await;
    drop(folder);
    (server, policy)
}

#[tokio::test]
async fn a_gguf_model_answers() {
    let (server, policy) = serving(Some(TEMPLATE)).await;
    let body = json!({
        "prompt": "What is 2 + 2?", "max_tokens": 40, "seed": 3, "logprobs": 2, "return_token_ids": true, "n": 3,
    });
    let reply = ask(&server, COMPLETIONS, &body).await;
    assert_eq!(joined(&stream(&server, COMPLETIONS, &body).await, 3), told(&reply));
    for choice in reply["choices"].as_array().unwrap() {
        let ids = |field: &str| -> Vec<u32> {
            choice[field].as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
        };
        let mut packed = Packed::default();
        packed.push_group(&ids("prompt_token_ids"), [&ids("token_ids")[..]]).unwrap();
        let own = policy.scores(&packed, 1.0).unwrap().logprobs;
        let theirs = choice["logprobs"]["token_logprobs"].as_array().unwrap();
        for (own, theirs) in own.iter().zip(theirs) {
            assert!((f64::from(*own) - theirs.as_f64().unwrap()).abs() < 5e-2, "{own} {theirs}");
        }
    }
    let messages = json!([{"role": "user", "content": "hi"}]);
    let reply =
        ask(&server, CHAT, &json!({"messages": messages, "max_tokens": 9, "return_token_ids": true})).await;
    let body = json!({"prompt": reply["prompt_token_ids"], "max_tokens": 1});
    ask(&server, COMPLETIONS, &body).await;
}

#[tokio::test]
async fn text_is_held_to_a_grammar() {
    let (server, _) = serving(None).await;
    for seed in 0..4 {
        let body =
            json!({"prompt": "a", "seed": seed, "max_tokens": 60, "guided_choice": ["yes", "no \"way\"\n"]});
        let (text, _, finish) = told(&ask(&server, COMPLETIONS, &body).await).remove(0);
        assert!(["yes", "no \"way\"\n"].contains(&text.as_str()) && finish == "stop", "{text} {finish}");
        let schema = json!({
            "type": "object", "properties": {"verdict": {"enum": ["right", "wrong"]}}, "required": ["verdict"],
            "additionalProperties": false,
        });
        let format = json!({"type": "json_schema", "json_schema": {"name": "verdict", "schema": schema}});
        let body = json!({"prompt": "a", "seed": seed, "max_tokens": 200, "response_format": format});
        let (text, _, finish) = told(&ask(&server, COMPLETIONS, &body).await).remove(0);
        if finish == "stop" {
            let value: Value = serde_json::from_str(&text).unwrap();
            assert!(value["verdict"] == "right" || value["verdict"] == "wrong", "{text}");
        }
        let body = json!({"prompt": "a", "seed": seed, "max_tokens": 60, "grammar": "root ::= [0-9] [0-9]"});
        let (text, ..) = told(&ask(&server, COMPLETIONS, &body).await).remove(0);
        assert!(text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit()), "{text}");
    }
    for (field, value) in
        [("grammar", json!("root ::= nowhere")), ("guided_json", json!({"type": "nothing"}))]
    {
        let body = json!({"prompt": "a", field: value}).to_string();
        let (_, param, code, _) = refused(&server, COMPLETIONS, body).await;
        assert_eq!((param.as_str(), code.as_str()), (field, "invalid_value"));
    }
    // Without a template there is no conversation.
    let reply = server.post(CHAT, &json!({"messages": [{"role": "user", "content": "hi"}]})).await;
    assert!(error(&reply).3.contains("/v1/completions"));
}

#[test]
fn files_that_are_no_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.gguf");
    std::fs::write(&path, b"GGUF and then nothing").unwrap();
    for source in [path.display().to_string(), "/nowhere/model.gguf".to_owned()] {
        let Err(error) = serving::load(&settings(source.clone())) else { panic!("{source} is no model") };
        assert!(error.to_string().contains(&source), "{error}");
    }
}
