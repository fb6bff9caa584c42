//! The engine on servers that are none of a test's making: a model of our own behind `/v1/completions`, and a whole
//! run whose adapters reach a server by their files.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use candle_core::Device;
use gavel::judge::Judge;
use gavel::learner::error::Result as LearnerResult;
use gavel::learner::folder::RunFolder;
use gavel::learner::hooks::Hooks;
use gavel::learner::metrics::StepMetrics;
use gavel::learner::recipe::{Override, Recipe};
use gavel::learner::train::{Job, train};
use gavel::rollout::{
    Group, NativeEngine, Prompt, RemoteEngine, RemoteSettings, RolloutEngine, SampleRequest, Wire,
};
use gavel::serving::{self, Limits, ModelSettings};
use graders::{Resources, Task};
use policy::decode::{EngineLimits, Sampling};
use policy::tokenizer::Tokenizer;
use policy::{ModelConfig, Policy, Sizes, lora};
use serde_json::{Value, json};

use super::engine::remote;
use super::{Act, Fake};
use crate::server::{Options, Server};

const TEMPLATE: &str = "{% for m in messages %}{{ m.role }}: {{ m.content }};{% endfor %}\
    {% if add_generation_prompt %}assistant: {% endif %}";

/// A tiny model in a folder.
fn model(folder: &Path) -> (Policy, Arc<Tokenizer>) {
    let alphabet: String = std::iter::once('\n').chain(' '..='~').collect();
    let tokenizer = Tokenizer::characters(&alphabet, Some(TEMPLATE)).unwrap();
    let sizes = Sizes {
        hidden_size: 16,
        intermediate_size: 32,
        n_layers: 2,
        n_heads: 2,
        n_kv_heads: 1,
        max_position_embeddings: 512,
        initializer_range: 0.3,
        ..Sizes::default()
    };
    let mut config = ModelConfig::from_sizes(&sizes, tokenizer.vocabulary()).unwrap();
    tokenizer.describe(&mut config);
    let policy = Policy::random(config, 7, &Device::Cpu).unwrap();
    policy.save(folder).unwrap();
    tokenizer.save(folder).unwrap();
    (policy, Arc::new(tokenizer))
}

fn native(policy: &Policy, tokenizer: &Arc<Tokenizer>) -> NativeEngine {
    let text = Arc::clone(tokenizer);
    let decode = Arc::new(move |tokens: &[u32]| text.decode(tokens, true).unwrap());
    NativeEngine::new(policy, decode, EngineLimits::default())
}

fn sample(engine: &mut dyn RolloutEngine, request: &SampleRequest<'_>) -> Vec<Group> {
    let mut groups = Vec::new();
    let sampled = engine.sample(request, &mut |group| groups.push(group)).unwrap();
    assert_eq!(sampled.cost.n_failed, 0);
    groups.sort_by_key(|group| group.index);
    groups
}

/// `gavel serve --model` on this folder.
async fn serve(folder: &Path) -> Server {
    let settings = ModelSettings {
        source: folder.display().to_string(),
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
    crate::openai::serve(Limits::default(), load, Options::default()).await
}

#[tokio::test]
async fn our_own_server_says_what_the_native_engine_says() {
    let folder = tempfile::tempdir().unwrap();
    let (policy, tokenizer) = model(folder.path());
    let server = serve(folder.path()).await;
    let url = server.url("");
    let check = move || {
        let task =
            |text: &str| Task { prompt: Some(graders::Prompt::Text(text.to_owned())), ..Task::default() };
        let prompts: Vec<Prompt> = ["what is 1 + 1?", "say b", "c"]
            .iter()
            .map(|text| {
                let messages = [policy::chat::Message::new("user", *text)];
                Prompt {
                    task: Arc::new(task(text)),
                    tokens: tokenizer.encode_chat(&messages).unwrap().into(),
                }
            })
            .collect();
        let messages = Arc::new(|task: &Task| match &task.prompt {
            Some(graders::Prompt::Text(text)) => {
                Ok(vec![gavel::remote::openai::Message::new("user", text.clone())])
            }
            _ => Err("no text".to_owned()),
        });
        for (wire, prompt_as_text) in
            [(Wire::Completions, false), (Wire::Completions, true), (Wire::Chat(messages), false)]
        {
            let settings = RemoteSettings { wire, prompt_as_text, ..remote(&[&url]) };
            let mut engine = RemoteEngine::connect(settings, Arc::clone(&tokenizer)).unwrap();
            let greedy = Sampling {
                temperature: 0.0,
                max_tokens: 24,
                stop_tokens: tokenizer.stop_tokens().to_vec(),
                ..Sampling::default()
            };
            let request = SampleRequest::new(&prompts, 2, &greedy, 0);
            let theirs = sample(&mut engine, &request);
            let ours = sample(&mut native(&policy, &tokenizer), &request);
            for (theirs, ours) in theirs.iter().zip(&ours) {
                for (one, other) in theirs.rollouts.iter().zip(&ours.rollouts) {
                    assert_eq!((&one.tokens, &one.completion), (&other.tokens, &other.completion));
                    for (a, b) in one.logprobs.iter().zip(&other.logprobs) {
                        assert!((a - b).abs() < 1e-4, "{a} {b}");
                    }
                }
            }
            // Drawn ones differ with their seeds, and are the same the next time.
            let drawn = Sampling { temperature: 0.8, top_p: 0.95, ..greedy };
            let request = SampleRequest::new(&prompts, 4, &drawn, 5);
            let first = sample(&mut engine, &request);
            assert_ne!(first[0].rollouts[0].tokens, first[0].rollouts[1].tokens);
            let again = sample(&mut engine, &request);
            assert!(first.iter().zip(&again).all(|(a, b)| a.rollouts == b.rollouts));
        }
    };
    tokio::task::spawn_blocking(check).await.unwrap();
}

/// What a run told.
#[derive(Default)]
struct Told(Vec<StepMetrics>);

impl Hooks for Told {
    fn on_step(&mut self, metrics: &StepMetrics) -> LearnerResult<()> {
        self.0.push(metrics.clone());
        Ok(())
    }
}

const RECIPE: &str = r#"
[tasks]
environment = "arithmetic"

[rubric]
components = [{ name = "accuracy", grader = { type = "regex", pattern = "1" } }]

[sampling]
group_size = 4
max_tokens = 24

[train]
steps = 4
prompts_per_step = 3
learning_rate = 1e-2
warmup_steps = 1

[eval]
every = 0
n_tasks = 0

[engine]
kind = "remote"
"#;

fn run(sets: &[String]) -> LearnerResult<Vec<StepMetrics>> {
    let overrides: Vec<Override> = sets.iter().map(|set| set.parse().unwrap()).collect();
    let recipe = Recipe::parse(RECIPE, "the test's recipe", "remote", &overrides).unwrap();
    let place = tempfile::tempdir().unwrap();
    let folder = RunFolder::open(place.path())?;
    let judge = Judge::start(2, Resources::default()).unwrap();
    let mut told = Told::default();
    train(Job { recipe: &recipe, folder: &folder, resume: None, judge: &judge }, &mut told)?;
    Ok(told.0)
}

/// A run against `gavel serve`, which keeps the weights that the run began with: it trains, and says how stale its
/// tokens are.
#[tokio::test]
async fn a_run_against_our_own_server_counts_how_stale_it_gets() {
    let folder = tempfile::tempdir().unwrap();
    model(folder.path());
    let server = serve(folder.path()).await;
    let sets = [
        format!("model.path={:?}", folder.path().display().to_string()),
        format!("engine.remote.urls=[{:?}]", server.url("")),
        "engine.remote.logprobs=sampled".to_owned(),
    ];
    let steps = tokio::task::spawn_blocking(move || run(&sets)).await.unwrap().unwrap();
    for (i, step) in steps.iter().enumerate() {
        assert_eq!((step.staleness_mean, step.staleness_max), (Some(i as f64), Some(i as f64)));
        assert_eq!((step.n_completions, step.n_failed), (4 * step.n_groups_sampled, 0));
    }
    assert_eq!(steps.len(), 4);
}

/// As vLLM does it: adapters by name, from files in a folder.
struct Adapters {
    base: Policy,
    tokenizer: Arc<Tokenizer>,
    loaded: Mutex<BTreeMap<String, Policy>>,
}

impl Adapters {
    fn answer(&self, path: &str, body: &Value) -> Act {
        let name = body["lora_name"].as_str().unwrap_or_default().to_owned();
        match path {
            "/v1/models" => Act::Json(json!({ "data": [{ "id": "base" }] })),
            "/v1/load_lora_adapter" => {
                let mut policy = self.base.clone();
                lora::load(&mut policy, Path::new(body["lora_path"].as_str().unwrap())).unwrap();
                self.loaded.lock().unwrap().insert(name, policy);
                Act::Text("Success".to_owned())
            }
            "/v1/unload_lora_adapter" => {
                self.loaded.lock().unwrap().remove(&name);
                Act::Text("Success".to_owned())
            }
            _ => {
                let model = body["model"].as_str().unwrap();
                let Some(policy) = self.loaded.lock().unwrap().get(model).cloned() else {
                    return Act::Status(404, Vec::new(), format!("there is no {model}"));
                };
                Act::Json(self.complete(&policy, body))
            }
        }
    }

    fn complete(&self, policy: &Policy, body: &Value) -> Value {
        let prompt: Vec<u32> = serde_json::from_value(body["prompt"].clone()).unwrap();
        let prompts = [Prompt { task: Arc::new(Task::default()), tokens: prompt.clone().into() }];
        let sampling = Sampling {
            max_tokens: body["max_tokens"].as_u64().unwrap() as usize,
            stop_tokens: serde_json::from_value(body["stop_token_ids"].clone()).unwrap(),
            ..Sampling::default()
        };
        let request = SampleRequest::new(&prompts, 1, &sampling, body["seed"].as_u64().unwrap());
        let rollout = sample(&mut native(policy, &self.tokenizer), &request).remove(0).rollouts.remove(0);
        json!({ "choices": [{
            "text": rollout.completion.text,
            "finish_reason": rollout.completion.finish_reason,
            "token_ids": rollout.tokens,
            "prompt_token_ids": prompt,
            "logprobs": { "tokens": [], "token_logprobs": rollout.logprobs },
        }] })
    }
}

/// A whole run over the wires of vLLM: what the server samples from is what the learner has, at every step.
#[test]
fn a_run_that_pushes_adapters_stays_on_policy() {
    let (folder, shared) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (base, tokenizer) = model(folder.path());
    let server = Arc::new(Adapters { base, tokenizer, loaded: Mutex::default() });
    let fake = Fake::new({
        let server = Arc::clone(&server);
        move |_, seen| server.answer(&seen.path, &seen.body)
    });
    let sets = [
        format!("model.path={:?}", folder.path().display().to_string()),
        "model.lora={rank=4, alpha=16}".to_owned(),
        format!("engine.remote.urls=[{:?}]", fake.url),
        "engine.remote.sync=vllm_lora".to_owned(),
        format!("engine.remote.shared_folder={:?}", shared.path().display().to_string()),
    ];
    let steps = run(&sets).unwrap();
    assert_eq!(steps.len(), 4);
    for step in &steps {
        assert_eq!((step.staleness_max, step.n_failed), (Some(0.0), 0));
        // Adapters go through files of 32-bit floats, so both sample from the same numbers.
        let k3 = step.objective.get("mismatch/k3");
        assert!(k3.is_none_or(|k3| k3.abs() < 1e-6), "{:?}", step.objective);
    }
    assert!(steps.iter().any(|step| step.grad_norm.is_some_and(|norm| norm > 0.0)), "it learned");
    // Version 0 and one for each step; only the newest is left.
    assert_eq!(fake.asked("/v1/load_lora_adapter").len(), 5);
    assert_eq!(server.loaded.lock().unwrap().len(), 1);
}
