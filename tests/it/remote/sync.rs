//! New weights on their way to servers.

use std::path::Path;

use candle_core::Device;
use gavel::rollout::{Folder, RemoteEngine, RemoteSettings, RolloutEngine, SampleRequest, WeightSync};
use policy::{LoraConfig, ModelConfig, Policy, Sizes, lora};
use serde_json::{Value, json};

use super::engine::{models, prompts, remote, reply, sample, sampling, tokenizer};
use super::{Act, Fake, nobody};

fn policy(adapted: bool) -> Policy {
    let sizes = Sizes {
        hidden_size: 8,
        intermediate_size: 8,
        n_layers: 1,
        n_heads: 1,
        n_kv_heads: 1,
        ..Sizes::default()
    };
    let config = ModelConfig::from_sizes(&sizes, tokenizer().vocabulary()).unwrap();
    let mut policy = Policy::random(config, 1, &Device::Cpu).unwrap();
    if adapted {
        let config = LoraConfig { rank: 2, ..LoraConfig::default() };
        lora::add(&mut policy, &config, 1).unwrap();
    }
    policy
}

/// A server that takes what it is given when `takes` says so.
fn server(takes: impl Fn(&str, &Value) -> Act + Send + Sync + 'static) -> Fake {
    Fake::new(move |_, seen| match &*seen.path {
        "/v1/models" => models(),
        "/v1/completions" => Act::Json(reply(&[4, 2], "stop")),
        path => takes(path, &seen.body),
    })
}

fn folder(here: &Path) -> Folder {
    Folder { here: here.to_owned(), there: "/elsewhere".into() }
}

fn connect(urls: &[&str], sync: WeightSync) -> RemoteEngine {
    RemoteEngine::connect(RemoteSettings { sync, ..remote(urls) }, tokenizer()).unwrap()
}

/// The model that a request asks for, and the version that its tokens are marked with.
fn asked(engine: &mut RemoteEngine, fake: &Fake) -> (String, u64) {
    let (prompts, sampling) = (prompts(1), sampling());
    let (sampled, groups) = sample(engine, &SampleRequest::new(&prompts, 1, &sampling, 0));
    sampled.unwrap();
    let body = fake.asked("/v1/completions").pop().unwrap();
    (body["model"].as_str().unwrap().to_owned(), groups[0].rollouts[0].policy_versions[0])
}

#[test]
fn adapters_are_pushed_by_name_and_old_ones_unloaded() {
    for sglang in [false, true] {
        let place = tempfile::tempdir().unwrap();
        let here = place.path().to_owned();
        let fake = server(move |path, body| {
            let name = body["lora_name"].as_str().unwrap();
            if path.ends_with("/load_lora_adapter") {
                // The files are there, whole, when the server is told.
                let there = body["lora_path"].as_str().unwrap();
                assert_eq!(there, format!("/elsewhere/{name}"));
                assert!(
                    here.join(name).join(lora::TENSORS).exists()
                        && here.join(name).join(lora::CONFIG).exists()
                );
            }
            if sglang { Act::Json(json!({ "success": true })) } else { Act::Text(format!("Success: {name}")) }
        });
        let folder = folder(place.path());
        let sync = if sglang { WeightSync::SglangLora(folder) } else { WeightSync::VllmLora(folder) };
        let (load, unload) = if sglang {
            ("/load_lora_adapter", "/unload_lora_adapter")
        } else {
            ("/v1/load_lora_adapter", "/v1/unload_lora_adapter")
        };
        let mut engine = connect(&[&fake.url], sync);
        assert_eq!(asked(&mut engine, &fake), ("m".to_owned(), 0));
        let policy = policy(true);
        let mut names = Vec::new();
        for version in [0, 1, 2, 3] {
            engine.sync(&policy, version).unwrap();
            let (model, marked) = asked(&mut engine, &fake);
            let name = fake.asked(load).pop().unwrap()["lora_name"].as_str().unwrap().to_owned();
            assert!(name.starts_with(&format!("gavel-{version}-")), "{name}");
            assert_eq!(model, if sglang { format!("m:{name}") } else { name.clone() });
            assert_eq!(marked, version);
            names.push(name);
        }
        let unloaded: Vec<String> =
            fake.asked(unload).iter().map(|body| body["lora_name"].as_str().unwrap().to_owned()).collect();
        assert_eq!(unloaded, names[..3]);
        // The files of the newest, and of the one that was unloaded last.
        let mut left: Vec<String> = std::fs::read_dir(place.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort_unstable();
        assert_eq!(left, names[2..]);
    }
}

#[test]
fn a_refused_adapter_leaves_the_old_one_in_force() {
    let place = tempfile::tempdir().unwrap();
    let fake = server(|_, body| {
        let name = body["lora_name"].as_str().unwrap();
        let refusal = json!({ "error": { "message": "rank 2 is more than --max-lora-rank" } });
        if name.starts_with("gavel-2-") {
            Act::Status(400, Vec::new(), refusal.to_string())
        } else {
            Act::Text("Success".to_owned())
        }
    });
    let mut engine = connect(&[&fake.url], WeightSync::VllmLora(folder(place.path())));
    let policy = policy(true);
    engine.sync(&policy, 1).unwrap();
    let before = asked(&mut engine, &fake);
    let error = engine.sync(&policy, 2).unwrap_err().to_string();
    assert!(
        error.contains("--max-lora-rank") && error.contains("the old ones are still in force"),
        "{error}"
    );
    assert_eq!(asked(&mut engine, &fake), before);
    engine.sync(&policy, 3).unwrap();
    assert_eq!(asked(&mut engine, &fake).1, 3);
    // Without adapters there is nothing to push.
    assert!(engine.sync(&self::policy(false), 4).is_err());
    assert_eq!(asked(&mut engine, &fake).1, 3);
}

#[test]
fn passing_faults_of_a_push_are_tried_again() {
    let place = tempfile::tempdir().unwrap();
    let n = std::sync::atomic::AtomicUsize::new(0);
    let fake = server(move |path, _| match n.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 => Act::Status(503, Vec::new(), String::new()),
        1 => Act::Cut,
        // The one before had done it.
        2 if path.contains("/load") => {
            Act::Status(400, Vec::new(), "The lora adapter 'x' has already been loaded.".to_owned())
        }
        _ => Act::Text("Success".to_owned()),
    });
    let mut engine = connect(&[&fake.url], WeightSync::VllmLora(folder(place.path())));
    engine.sync(&policy(true), 1).unwrap();
    assert_eq!(asked(&mut engine, &fake).1, 1);
}

#[test]
fn a_server_that_did_not_take_the_weights_is_not_asked() {
    let place = tempfile::tempdir().unwrap();
    let good = server(|_, _| Act::Text("Success".to_owned()));
    let bad = server(|_, body| {
        let first = body["lora_name"].as_str().unwrap().starts_with("gavel-1-");
        if first { Act::Status(400, Vec::new(), "no".to_owned()) } else { Act::Text("Success".to_owned()) }
    });
    let down = nobody();
    let mut engine = connect(&[&bad.url, &down, &good.url], WeightSync::VllmLora(folder(place.path())));
    let (prompts, sampling) = (prompts(4), sampling());
    let policy = policy(true);
    engine.sync(&policy, 1).unwrap();
    sample(&mut engine, &SampleRequest::new(&prompts, 4, &sampling, 0)).0.unwrap();
    assert_eq!((bad.asked("/v1/completions").len(), good.asked("/v1/completions").len()), (0, 16));
    engine.sync(&policy, 2).unwrap();
    sample(&mut engine, &SampleRequest::new(&prompts, 4, &sampling, 0)).0.unwrap();
    assert!(!bad.asked("/v1/completions").is_empty());
}

#[test]
fn whole_models_reach_sglang_by_a_folder() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path().to_owned();
    let fake = server(move |path, body| {
        assert_eq!(path, "/update_weights_from_disk");
        let name = body["model_path"].as_str().unwrap().strip_prefix("/elsewhere/").unwrap();
        assert!(
            here.join(name).join("model.safetensors").exists()
                && here.join(name).join("config.json").exists()
        );
        let good = body["weight_version"] != "2";
        // Older servers say so with status 200.
        Act::Json(json!({ "success": good, "message": if good { "" } else { "out of memory" } }))
    });
    let mut engine = connect(&[&fake.url], WeightSync::SglangDisk(folder(place.path())));
    for adapted in [true, false] {
        engine.sync(&policy(adapted), 1).unwrap();
        assert_eq!(asked(&mut engine, &fake), ("m".to_owned(), 1));
    }
    let error = engine.sync(&policy(false), 2).unwrap_err().to_string();
    assert!(error.contains("out of memory"), "{error}");
    assert_eq!(asked(&mut engine, &fake).1, 1);
    assert_eq!(fake.asked("/v1/completions")[0]["top_k"], -1);
}

#[test]
fn without_a_sync_tokens_keep_their_old_version() {
    let fake = server(|path, _| panic!("{path} was asked"));
    let mut engine = connect(&[&fake.url], WeightSync::None);
    for version in 0..3 {
        engine.sync(&policy(false), version).unwrap();
        assert_eq!(asked(&mut engine, &fake), ("m".to_owned(), 0));
    }
}
