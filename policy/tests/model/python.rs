//! `transformers` and PEFT read what we write.
//!
//! These tests need Python with torch and transformers (and peft, for adapters): set `GAVEL_PYTHON` to its
//! interpreter. Without it they say so and pass.

#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::path::{Path, PathBuf};
use std::process::Command;

use candle_core::Device;
use policy::config::Family;
use policy::lora::{self, LoraConfig};
use policy::{Message, ModelConfig, Packed, Policy, SaveOptions, Sizes, Tokenizer};
use serde_json::{Value, json};
use tempfile::TempDir;

const TEMPLATE: &str = "{%- for message in messages %}\n{{- '<' + message['role'] + '>' + message.content.strip() }}\n\
                        {%- if not loop.last %}\n    {{- eos_token }}\n{% endif %}\n{%- endfor %}\n\
                        {%- if add_generation_prompt %}<a>{% endif %}\n";

pub(crate) fn python() -> Option<PathBuf> {
    let python = std::env::var_os("GAVEL_PYTHON").map(PathBuf::from);
    if python.is_none() {
        println!("skipped: GAVEL_PYTHON names no Python interpreter with torch and transformers");
    }
    python
}

fn ask(python: &Path, script: &str, arguments: &[&Path]) -> Value {
    let output = Command::new(python)
        .arg("-c")
        .arg(script)
        .args(arguments)
        .envs([("HF_HUB_OFFLINE", "1"), ("OMP_NUM_THREADS", "1")])
        .output()
        .expect("GAVEL_PYTHON can be started");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    serde_json::from_str(text.lines().last().expect("a line")).expect("JSON")
}

fn tiny(family: Family, tied: bool) -> Policy {
    let sizes = Sizes {
        family,
        hidden_size: 32,
        intermediate_size: 48,
        n_layers: 2,
        tie_word_embeddings: tied,
        initializer_range: 0.3,
        ..Sizes::default()
    };
    let config = ModelConfig::from_sizes(&sizes, 30).expect("they fit");
    Policy::random(config, 3, &Device::Cpu).expect("room")
}

const TOKENS: [u32; 7] = [1, 7, 29, 4, 4, 0, 12];

/// Log-probabilities of every token at every place but the last.
fn logprobs(policy: &Policy) -> Vec<f32> {
    let mut packed = Packed::default();
    packed.push(&TOKENS, 1).expect("a sequence");
    let (places, vocabulary) = (TOKENS.len() as u32 - 1, policy.config.vocab_size as u32);
    packed.rows = (0..places).flat_map(|place| (0..vocabulary).map(move |_| place)).collect();
    packed.targets = (0..places).flat_map(|_| 0..vocabulary).collect();
    policy.scores(&packed, 1.0).expect("it fits").logprobs
}

fn close(name: &str, ours: &[f32], theirs: &Value) {
    let theirs = theirs.as_array().expect("a list");
    assert_eq!(ours.len(), theirs.len(), "{name}");
    for (ours, theirs) in ours.iter().zip(theirs) {
        let theirs = theirs.as_f64().expect("a number");
        assert!((f64::from(*ours) - theirs).abs() < 1e-4, "{name}: {ours} and not {theirs}");
    }
}

const FORWARD: &str = "
import json, sys, torch, transformers
def forward(model):
    with torch.no_grad():
        logits = model(torch.tensor([[1, 7, 29, 4, 4, 0, 12]])).logits[0, :-1].float()
    return torch.log_softmax(logits, -1).flatten().tolist()
";

#[test]
fn transformers_reads_our_models() {
    let Some(python) = python() else { return };
    let script = format!(
        "{FORWARD}
said = []
for folder in sys.argv[1:]:
    model, info = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation='eager', output_loading_info=True)
    said.append({{'logprobs': forward(model), 'class': type(model).__name__,
        'faults': [str(key) for part in info.values() for key in part]}})
print(json.dumps(said))"
    );
    let mut cases = Vec::new();
    for (family, class) in [
        (Family::Llama, "LlamaForCausalLM"),
        (Family::Qwen2, "Qwen2ForCausalLM"),
        (Family::Qwen3, "Qwen3ForCausalLM"),
    ] {
        for (tied, shard_bytes) in [(false, 4000), (true, usize::MAX)] {
            let policy = tiny(family, tied);
            let folder = TempDir::new().expect("room");
            policy
                .save_with(folder.path(), &SaveOptions { shard_bytes, ..SaveOptions::default() })
                .expect("room");
            cases.push((class, policy, folder));
        }
    }
    // One interpreter for all: it takes longer to start than to compute.
    let folders: Vec<&Path> = cases.iter().map(|(_, _, folder)| folder.path()).collect();
    let said = ask(&python, &script, &folders);
    for ((class, policy, _), said) in cases.iter().zip(said.as_array().expect("a list")) {
        assert_eq!(said["class"], *class);
        assert_eq!(said["faults"], json!([]), "{class}");
        close(class, &logprobs(policy), &said["logprobs"]);
    }
}

#[test]
fn transformers_reads_our_tokenizers() {
    let Some(python) = python() else { return };
    let words = ["<think>".to_owned()];
    let tokenizer = Tokenizer::small(&words, "0123456789+=? \nab", Some(TEMPLATE)).expect("it is sound");
    let folder = TempDir::new().expect("room");
    tokenizer.save(folder.path()).expect("room");
    let script = "
import json, sys, transformers
t = transformers.AutoTokenizer.from_pretrained(sys.argv[1])
messages = [{'role': 'user', 'content': ' 1+1 '}, {'role': 'b', 'content': '2'}]
g = transformers.GenerationConfig.from_pretrained(sys.argv[1])
print(json.dumps({
    'ids': t('12+<think>3=?\\n a<eos>Z').input_ids, 'bare': t('ab', add_special_tokens=False).input_ids,
    'text': t.decode([1, 5, 4, 6, 14, 2]), 'clean': t.decode([1, 5, 4, 6, 14, 2], skip_special_tokens=True),
    'size': len(t), 'eos': t.eos_token_id, 'pad': t.pad_token_id, 'bos': t.bos_token_id, 'stop': g.eos_token_id,
    'chat': t.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)}))";
    let said = ask(&python, script, &[folder.path()]);
    let messages = [Message::new("user", " 1+1 "), Message::new("b", "2")];
    let ours = json!({
        "ids": tokenizer.encode("12+<think>3=?\n a<eos>Z", true).expect("short"),
        "bare": tokenizer.encode("ab", false).expect("short"),
        "text": tokenizer.decode(&[1, 5, 4, 6, 14, 2], false).expect("it decodes"),
        "clean": tokenizer.decode(&[1, 5, 4, 6, 14, 2], true).expect("it decodes"),
        "size": tokenizer.vocabulary(), "eos": 2, "pad": 0, "bos": 1, "stop": 2,
        "chat": tokenizer.chat_text(&messages, true).expect("a template"),
    });
    assert_eq!(ours, said);
}

#[test]
fn peft_and_we_read_each_other() {
    let Some(python) = python() else { return };
    let script = format!(
        "{FORWARD}
try:
    import peft
except ImportError:
    print('null')
    sys.exit()
said = []
for at in range(1, len(sys.argv), 3):
    whole, ours, theirs = sys.argv[at:at + 3]
    load = lambda: transformers.AutoModelForCausalLM.from_pretrained(whole, dtype=torch.float32)
    read = forward(peft.PeftModel.from_pretrained(load(), ours))
    model = peft.get_peft_model(load(), peft.LoraConfig(r=3, lora_alpha=5, init_lora_weights=False,
        target_modules=['q_proj', 'up_proj'], use_rslora=True, task_type='CAUSAL_LM'))
    model.save_pretrained(theirs)
    said.append({{'ours': read, 'theirs': forward(model)}})
print(json.dumps(said))"
    );
    let mut cases = Vec::new();
    for family in [Family::Llama, Family::Qwen2, Family::Qwen3] {
        let base = tiny(family, false);
        let mut policy = base.clone();
        let lora = LoraConfig { rank: 4, alpha: 8.0, ..LoraConfig::default() };
        lora::add(&mut policy, &lora, 1).expect("it has none");
        for (_, var) in policy.weights.named_adapters() {
            var.set(&(var.as_tensor() + 0.1).expect("room").detach()).expect("the same shape");
        }
        let folders: [TempDir; 3] = std::array::from_fn(|_| TempDir::new().expect("room"));
        base.save(folders[0].path()).expect("room");
        lora::save(&policy, folders[1].path(), &folders[0].path().display().to_string()).expect("room");
        cases.push((family, base, policy, folders));
    }
    let folders: Vec<&Path> =
        cases.iter().flat_map(|(.., folders)| folders.iter().map(TempDir::path)).collect();
    let said = ask(&python, &script, &folders);
    let Some(said) = said.as_array() else {
        println!("skipped: the interpreter of GAVEL_PYTHON has no peft");
        return;
    };
    for ((family, base, policy, folders), said) in cases.iter().zip(said) {
        let name = format!("{family:?}");
        close(&name, &logprobs(policy), &said["ours"]);
        let mut read = base.clone();
        lora::load(&mut read, folders[2].path()).expect("PEFT wrote it");
        close(&name, &logprobs(&read), &said["theirs"]);
    }
}
