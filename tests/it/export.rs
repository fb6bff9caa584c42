//! `gavel export`, run as a user runs it.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output};

use candle_core::Device;
use candle_core::quantized::gguf_file::Content;
use policy::lora::{self, LoraConfig};
use policy::{ModelConfig, Policy, Sizes, Tokenizer};

/// A run that trains an adapter for one step.
const RECIPE: &str = r#"
[model.tiny]
family = "llama"
hidden = 32
intermediate = 32
layers = 1
heads = 2
kv_heads = 1
max_positions = 512

[model.lora]
rank = 2

[tasks]
environment = "arithmetic"

[rubric]
components = [{ name = "accuracy", grader = { type = "regex", pattern = "1" } }]

[sampling]
group_size = 2
max_tokens = 4

[train]
steps = 1
prompts_per_step = 1

[eval]
every = 0
"#;

fn gavel(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gavel"));
    command.current_dir(folder).args(arguments).output().unwrap()
}

fn done(folder: &Path, arguments: &[&str]) -> String {
    let output = gavel(folder, arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    stderr
}

fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = gavel(folder, arguments);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn read(path: &Path) -> Content {
    Content::read(&mut File::open(path).unwrap()).unwrap()
}

fn text(content: &Content, key: &str) -> String {
    content.metadata[key].to_string().unwrap().clone()
}

/// The type of a matrix.
fn kind(content: &Content) -> String {
    format!("{:?}", content.tensor_infos["blk.0.ffn_up.weight"].ggml_dtype)
}

#[test]
fn a_run_goes_out_merged_or_as_its_adapter() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::write(here.join("recipe.toml"), RECIPE).unwrap();
    done(here, &["train", "recipe.toml", "--folder", "run"]);

    let said = done(here, &["export", "run", "--to", "merged.gguf", "--name", "It"]);
    assert!(said.starts_with("gavel export: merged.gguf has ") && said.ends_with(" MB of f16\n"), "{said}");
    let merged = read(&here.join("merged.gguf"));
    assert_eq!((text(&merged, "general.name"), kind(&merged)), ("It".to_owned(), "F16".to_owned()));
    done(here, &["export", "run/checkpoints/step-000001", "--to", "q8.gguf", "--dtype", "q8_0"]);
    assert_eq!(kind(&read(&here.join("q8.gguf"))), "Q8_0");

    done(here, &["export", "run", "--adapter", "--to", "adapter.gguf"]);
    let adapter = read(&here.join("adapter.gguf"));
    assert_eq!(text(&adapter, "general.type"), "adapter");
    assert_eq!(adapter.tensor_infos.len(), 14);
    assert_eq!(format!("{:?}", adapter.tensor_infos["blk.0.attn_q.weight.lora_a"].ggml_dtype), "F32");
}

#[test]
fn folders_of_models_and_of_adapters() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let tokenizer = Tokenizer::characters("0123456789", None).unwrap();
    let sizes = Sizes { hidden_size: 32, intermediate_size: 32, n_layers: 1, ..Sizes::default() };
    let config = ModelConfig::from_sizes(&sizes, tokenizer.vocabulary()).unwrap();
    let mut policy = Policy::random(config, 1, &Device::Cpu).unwrap();
    let base = here.join("base");
    policy.save(&base).unwrap();
    tokenizer.save(&base).unwrap();
    lora::add(&mut policy, &LoraConfig::default(), 1).unwrap();
    lora::save(&policy, &here.join("adapter"), base.to_str().unwrap()).unwrap();

    done(here, &["export", "base", "--to", "base.gguf", "--dtype", "f32"]);
    done(here, &["export", "adapter", "--to", "merged.gguf", "--dtype", "f32"]);
    done(here, &["export", "adapter", "--adapter", "--to", "adapter.gguf", "--dtype", "bf16"]);
    let [base, merged, adapter] =
        ["base", "merged", "adapter"].map(|name| here.join(name).with_extension("gguf"));
    // An adapter that was just added changes nothing.
    assert_eq!(fs::read(&base).unwrap(), fs::read(&merged).unwrap());
    assert_eq!(text(&read(&adapter), "adapter.type"), "lora");

    fs::write(here.join("taken.gguf"), "mine").unwrap();
    fs::create_dir(here.join("empty")).unwrap();
    for (arguments, expected) in [
        (
            &["export", "base", "--to", "taken.gguf"][..],
            "taken.gguf is there already; --force writes over it",
        ),
        (&["export", "base", "--to", "."], ". is a folder; name a file"),
        (&["export", "base", "--to", "no/such/place.gguf"], "there is no folder no/such"),
        (&["export", "base", "--to", "a.gguf", "--dtype", "q4_k"], "`q4_k` is none of f32, f16, bf16, q8_0"),
        (&["export", "base", "--to", "a.gguf", "--adapter"], "has no adapter: its whole model was trained"),
        (&["export", "adapter", "--to", "a.gguf", "--adapter", "--dtype", "q8_0"], "not as q8_0"),
        (&["export", "empty", "--to", "a.gguf"], "there is no whole checkpoint in empty"),
        (&["export", "nothing", "--to", "a.gguf"], "`nothing` is neither a folder nor a name on the hub"),
    ] {
        let said = refused(here, arguments);
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
    assert_eq!(fs::read(here.join("taken.gguf")).unwrap(), b"mine");
    assert!(!here.join("a.gguf").exists());
    done(here, &["export", "base", "--to", "taken.gguf", "--force"]);
    assert!(read(&here.join("taken.gguf")).tensor_infos.contains_key("token_embd.weight"));
}
