//! A tiny model of the native engine, made here, behind the OpenAI wire.

use std::time::Duration;

use gavel::serving::{self, Limits, ModelSettings};
use policy::tokenizer::Tokenizer;
use policy::{ModelConfig, Packed, Policy, Sizes};
use serde_json::{Value, json};

use super::{CHAT, COMPLETIONS, ask, joined, refused, serve, stream, told};
use crate::server::{Options, Server};

const ALPHABET: &str = "abcdefghijklmnopqrstuvwxyz0123456789 .,:;!?é😀";
const TEMPLATE: &str = "{% for m in messages %}{{ m.role }}: {{ m.content }};{% endfor %}\
    {% if add_generation_prompt %}assistant: {% endif %}";

fn policy(tokenizer: &Tokenizer) -> Policy {
    let sizes = Sizes {
        hidden_size: 32,
        intermediate_size: 64,
        n_layers: 2,
        n_heads: 2,
        n_kv_heads: 1,
        initializer_range: 0.4,
        ..Sizes::default()
    };
    let mut config = ModelConfig::from_sizes(&sizes, tokenizer.vocabulary()).unwrap();
    tokenizer.describe(&mut config);
    Policy::random(config, 7, &candle_core::Device::Cpu).unwrap()
}

/// A server with a tiny model of a folder, and the model.
async fn serving() -> (Server, Policy, Tokenizer) {
    let folder = tempfile::tempdir().unwrap();
    let tokenizer = Tokenizer::characters(ALPHABET, Some(TEMPLATE)).unwrap();
    let policy = policy(&tokenizer);
    policy.save(folder.path()).unwrap();
    tokenizer.save(folder.path()).unwrap();
    let settings = ModelSettings {
        source: folder.path().display().to_string(),
        name: "tiny".to_owned(),
        device: "cpu".to_owned(),
        n_gpu_layers: None,
        max_batch: 8,
        context: None,
        default_context: 32_768,
        cache_tokens: None,
        limits: Limits::default(),
    };
    let load = move || serving::load(&settings).map_err(|error| error.to_string());
    let server = serve(Limits::default(), load, Options::default()).await;
    drop(folder);
    (server, policy, tokenizer)
}

#[tokio::test]
async fn the_same_seed_says_the_same_whatever_else_runs() {
    let (server, ..) = serving().await;
    let row = |i: usize| {
        let (temperature, top_p) = ([1.0, 0.0, 0.7, 1.5][i % 4], [1.0, 0.9][i % 2]);
        let (top_k, min_p) = ([-1, 20, 5][i % 3], [0.0, 0.05][i / 2 % 2]);
        json!({
            "prompt": format!("what is {i}"), "max_tokens": 10 + 3 * i, "seed": i, "n": 1 + i % 3,
            "temperature": temperature, "top_p": top_p, "top_k": top_k, "min_p": min_p,
            "return_token_ids": true, "logprobs": i % 4, "ignore_eos": i.is_multiple_of(5),
        })
    };
    let mut alone = Vec::new();
    for i in 0..16 {
        alone.push(ask(&server, COMPLETIONS, &row(i)).await["choices"].clone());
    }
    // Sixteen at once, of different sampling, and once more in another order and in pieces.
    let together = futures_util::future::join_all((0..16).map(|i| {
        let server = &server;
        async move { ask(server, COMPLETIONS, &row(i)).await["choices"].clone() }
    }));
    assert_eq!(together.await, alone);
    let pieces = futures_util::future::join_all((0..16).rev().map(|i| {
        let server = &server;
        async move { (i, joined(&stream(server, COMPLETIONS, &row(i)).await, 1 + i % 3)) }
    }));
    for (i, said) in pieces.await {
        assert_eq!(said, told(&json!({"choices": alone[i]})), "{i}");
    }
    // The first of several is what it is alone, and different seeds say different things.
    let one = ask(&server, COMPLETIONS, &json!({"prompt": "a", "seed": 5, "max_tokens": 30})).await;
    let many = ask(&server, COMPLETIONS, &json!({"prompt": "a", "seed": 5, "max_tokens": 30, "n": 3})).await;
    assert_eq!(told(&one)[0], told(&many)[0]);
    assert_ne!(told(&many)[0], told(&many)[1]);
    let none = json!({"prompt": "a", "max_tokens": 40});
    assert_ne!(told(&ask(&server, COMPLETIONS, &none).await), told(&ask(&server, COMPLETIONS, &none).await));
}

#[tokio::test]
async fn log_probabilities_are_those_of_the_policy() {
    let (server, policy, tokenizer) = serving().await;
    for temperature in [1.0_f32, 0.6] {
        let body = json!({
            "prompt": "hello, world", "max_tokens": 40, "seed": 3, "n": 4, "logprobs": 5, "temperature": temperature,
            "return_token_ids": true,
        });
        let reply = ask(&server, COMPLETIONS, &body).await;
        for choice in reply["choices"].as_array().unwrap() {
            let ids = |field: &str| -> Vec<u32> {
                choice[field].as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
            };
            let (prompt, tokens) = (ids("prompt_token_ids"), ids("token_ids"));
            assert_eq!(prompt, tokenizer.encode("hello, world", true).unwrap());
            let logprobs = choice["logprobs"]["token_logprobs"].as_array().unwrap();
            assert_eq!(logprobs.len(), tokens.len());
            assert_eq!(choice["text"], tokenizer.decode(&tokens, true).unwrap());
            let own = scores(&policy, &prompt, &tokens, temperature);
            for (i, (theirs, own)) in logprobs.iter().zip(&own).enumerate() {
                let theirs = theirs.as_f64().unwrap();
                assert!((theirs - f64::from(*own)).abs() < 1e-4, "{temperature} {i}: {theirs} {own}");
            }
            let sum: f64 = logprobs.iter().map(|logprob| logprob.as_f64().unwrap()).sum();
            let own: f64 = own.iter().map(|logprob| f64::from(*logprob)).sum();
            assert!((sum - own).abs() < 1e-3, "{sum} {own}");
            // What was drawn is among the most probable ones with the same number, or less probable than they are.
            for (token, top) in logprobs.iter().zip(choice["logprobs"]["top_logprobs"].as_array().unwrap()) {
                let top: Vec<f64> = top.as_object().unwrap().values().map(|v| v.as_f64().unwrap()).collect();
                assert!(top.len() >= 5 && top.len() <= 6, "{top:?}");
                let least = top.iter().copied().fold(f64::INFINITY, f64::min);
                let drawn = token.as_f64().unwrap();
                assert!(top.iter().any(|one| (one - drawn).abs() < 1e-4) && least <= drawn + 1e-4);
                assert!(top.iter().map(|logprob| logprob.exp()).sum::<f64>() < 1.0 + 1e-5);
            }
        }
    }
}

/// The policy's own log-probabilities of a continuation.
fn scores(policy: &Policy, prompt: &[u32], tokens: &[u32], temperature: f32) -> Vec<f32> {
    let mut packed = Packed::default();
    packed.push_group(prompt, [tokens]).unwrap();
    policy.scores(&packed, temperature).unwrap().logprobs
}

#[tokio::test]
async fn a_conversation_goes_through_the_template() {
    let (server, _, tokenizer) = serving().await;
    let body = json!({
        "messages": [{"role": "user", "content": "hi é"}], "max_tokens": 20, "seed": 1, "return_token_ids": true,
    });
    let reply = ask(&server, CHAT, &body).await;
    let prompt = tokenizer.encode("user: hi é;assistant: ", false).unwrap();
    assert_eq!(reply["prompt_token_ids"], json!(prompt));
    // The same prompt as tokens says the same.
    let same = json!({"prompt": prompt, "max_tokens": 20, "seed": 1, "return_token_ids": true});
    assert_eq!(told(&reply), told(&ask(&server, COMPLETIONS, &same).await));
    // Without a word on their number, tokens fill the context.
    let body = json!({"messages": [{"role": "user", "content": "hi"}], "ignore_eos": true});
    let reply = ask(&server, CHAT, &body).await;
    assert_eq!(reply["usage"]["total_tokens"], 256);
    assert_eq!(reply["choices"][0]["finish_reason"], "length");
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_leaves_others_alone() {
    let (server, ..) = serving().await;
    let long = json!({"prompt": "a".repeat(300), "max_tokens": 1}).to_string();
    let (_, param, code, _) = refused(&server, COMPLETIONS, long).await;
    assert_eq!((param.as_str(), code.as_str()), ("prompt", "context_length_exceeded"));
    let long = json!({"prompt": "a", "max_tokens": 255}).to_string();
    assert_eq!(refused(&server, COMPLETIONS, long).await.2, "context_length_exceeded");
    let full = json!({"prompt": "a", "max_tokens": 254, "ignore_eos": true, "n": 16});
    let reply = ask(&server, COMPLETIONS, &full).await;
    assert_eq!(reply["usage"]["completion_tokens"], 254 * 16);
    let (_, param, code, message) = refused(
        &server,
        COMPLETIONS,
        json!({"prompt": "a", "response_format": {"type": "json_object"}}).to_string(),
    )
    .await;
    assert_eq!((param.as_str(), code.as_str()), ("response_format", "unsupported_parameter"));
    assert!(message.contains("GGUF"), "{message}");
}

#[tokio::test]
async fn who_leaves_makes_room() {
    let (server, ..) = serving().await;
    let body = json!({"prompt": "a", "max_tokens": 250, "ignore_eos": true, "n": 64});
    let sent = tokio::spawn(server.request(reqwest::Method::POST, COMPLETIONS).body(body.to_string()).send());
    let served = server.app.model.as_ref().unwrap();
    while served.occupancy().0 == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    sent.abort();
    super::until_idle(&server).await;
    let reply: Value =
        ask(&server, COMPLETIONS, &json!({"prompt": "a", "max_tokens": 3, "ignore_eos": true})).await;
    assert_eq!(reply["usage"]["completion_tokens"], 3);
}
