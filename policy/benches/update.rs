//! One update of a small decoder (forward, backward, AdamW): time, tokens a second, peak memory, the share of the
//! machine's matrix throughput, growth with vocabulary, group and length; and PyTorch beside it.
//!
//! `cargo bench -p policy --bench update [part]`; a part is `step`, `groups` (as GRPO has them), `large`, `growth`, or
//! nothing for all. With `GAVEL_PYTHON` naming an interpreter that has PyTorch, the same model is trained there in
//! between. Rayon's `RAYON_NUM_THREADS` sets the threads of both.

#![allow(clippy::print_stdout, missing_docs)]

#[path = "../tests/memory/counting.rs"]
mod counting;

use std::process::Command;
use std::time::Instant;

use candle_core::Device;
use policy::config::Family;
use policy::fused::{self, Options};
use policy::{AdamW, AdamWOptions, ModelConfig, Packed, Policy, Sizes, TokenGradients, TokenScores};

/// A model and its batch.
#[derive(Clone, Copy)]
struct Shape {
    hidden: usize,
    width: usize,
    layers: usize,
    heads: usize,
    kv_heads: usize,
    vocabulary: usize,
    /// Sequences, and the tokens that each predicts; where they are ragged, the longest of a group.
    batch: usize,
    length: usize,
    ragged: bool,
    /// A prompt that every so many of the sequences share.
    prompt: usize,
    group: usize,
}

const SMALL: Shape = Shape {
    hidden: 128,
    width: 384,
    layers: 4,
    heads: 4,
    kv_heads: 2,
    vocabulary: 512,
    batch: 64,
    length: 64,
    ragged: false,
    prompt: 0,
    group: 1,
};

/// As a trainer of GRPO has it: eight completions to a prompt, of 8 to 64 tokens, 36 in the mean.
const GROUPS: Shape = Shape { ragged: true, prompt: 64, group: 8, ..SMALL };

impl Shape {
    /// Tokens that a sequence predicts.
    fn completion(&self, sequence: usize) -> usize {
        if self.ragged { self.length * (sequence % self.group + 1) / self.group } else { self.length }
    }

    /// Tokens that are fed for one sequence where its prompt is its own and it is padded to the longest.
    fn fed(&self) -> usize {
        self.length + self.prompt.saturating_sub(1)
    }
}

/// What was measured.
struct Measured {
    milliseconds: f64,
    /// Of processor time, which other programs on the machine disturb less.
    cpu: f64,
    /// Allocated at most, beyond what there was before.
    megabytes: f64,
    /// Floating-point operations of the matrix products in one step.
    flops: f64,
}

fn policy(shape: &Shape) -> Policy {
    let sizes = Sizes {
        family: Family::Qwen2,
        hidden_size: shape.hidden,
        intermediate_size: shape.width,
        n_layers: shape.layers,
        n_heads: shape.heads,
        n_kv_heads: shape.kv_heads,
        max_position_embeddings: 4096,
        tie_word_embeddings: true,
        ..Sizes::default()
    };
    let config = ModelConfig::from_sizes(&sizes, shape.vocabulary).expect("they fit");
    Policy::random(config, 1, &Device::Cpu).expect("room")
}

fn packed(shape: &Shape) -> Packed {
    let token = |i: usize| ((i * 7919 + i / 13) % shape.vocabulary) as u32;
    let tokens = |n: usize, seed: usize| (0..n).map(|i| token(i + seed * 1009)).collect::<Vec<u32>>();
    let mut packed = Packed::default();
    if shape.prompt == 0 {
        for i in 0..shape.batch {
            packed.push(&tokens(shape.length + 1, i), 1).expect("a sequence");
        }
    } else {
        for i in 0..shape.batch / shape.group {
            let completions: Vec<_> =
                (0..shape.group).map(|j| tokens(shape.completion(j), i * shape.group + j)).collect();
            packed
                .push_group(&tokens(shape.prompt, i), completions.iter().map(Vec::as_slice))
                .expect("a group");
        }
    }
    packed
}

fn mean(scores: &TokenScores) -> TokenGradients {
    let n = scores.logprobs.len();
    TokenGradients { logprobs: vec![-1.0 / n as f32; n], entropies: Vec::new() }
}

/// Milliseconds of processor time that this process has taken; where the system does not say, 0.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
    // Ticks are hundredths of seconds on every Linux there is.
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() * 10.0
}

/// The median of some steps, after two that are not counted.
fn measure(shape: &Shape, options: &Options, iterations: usize) -> Measured {
    fused::release();
    let before = counting::begin();
    let policy = policy(shape);
    let packed = packed(shape);
    let mut gradients = policy.zero_gradients().expect("room");
    let mut adam = AdamW::new(policy.weights.trained(), AdamWOptions::default()).expect("room");
    let mut times = Vec::new();
    let mut parts = [0.0; 3];
    let mut cpu_start = 0.0;
    for i in 0..iterations + 2 {
        if i == 2 {
            cpu_start = cpu();
        }
        let start = Instant::now();
        gradients.clear().expect("on the CPU");
        let mut middle = start;
        let (config, weights) = (&policy.config, &policy.weights);
        fused::accumulate(config, weights, &packed, 1.0, options, &mut gradients, |scores| {
            middle = Instant::now();
            Ok(mean(scores))
        })
        .expect("it fits");
        let end = Instant::now();
        adam.step(&gradients, 1e-3).expect("finite");
        if i >= 2 {
            times.push(start.elapsed().as_secs_f64() * 1e3);
            parts[0] += (middle - start).as_secs_f64() * 1e3 / iterations as f64;
            parts[1] += (end - middle).as_secs_f64() * 1e3 / iterations as f64;
            parts[2] += end.elapsed().as_secs_f64() * 1e3 / iterations as f64;
        }
    }
    let cpu = (cpu() - cpu_start) / iterations as f64;
    times.sort_by(f64::total_cmp);
    println!(
        "    forward {:.1} ms, backward {:.1} ms, AdamW {:.2} ms; {cpu:.0} ms of processor time",
        parts[0], parts[1], parts[2]
    );
    let config = &policy.config;
    let (q, kv) = (config.q_dim(), config.kv_dim());
    let per_layer = shape.hidden * (2 * q + 2 * kv + 3 * shape.width);
    let matrices =
        shape.layers * per_layer * packed.n_tokens() + shape.hidden * shape.vocabulary * packed.n_scored();
    Measured {
        milliseconds: times[times.len() / 2],
        cpu,
        megabytes: (counting::peak() - before) as f64 / 1e6,
        flops: 6.0 * matrices as f64,
    }
}

/// What one large product of the crate `gemm` reaches, in operations a second with all threads, and for each second of processor time.
fn throughput() -> (f64, f64) {
    let n = 1024;
    let (a, b) = (vec![0.5_f32; n * n], vec![0.25_f32; n * n]);
    let mut c = vec![0.0_f32; n * n];
    let threads = rayon::current_num_threads();
    let mut best = f64::MAX;
    let repeats = 16;
    let cpu_start = cpu();
    for _ in 0..repeats {
        let start = Instant::now();
        let stride = n.cast_signed();
        let parallelism =
            if threads > 1 { gemm::Parallelism::Rayon(threads) } else { gemm::Parallelism::None };
        // SAFETY: three square matrices of this size.
        #[allow(unsafe_code)]
        unsafe {
            gemm::gemm(
                n,
                n,
                n,
                c.as_mut_ptr(),
                1,
                stride,
                false,
                a.as_ptr(),
                1,
                stride,
                b.as_ptr(),
                1,
                stride,
                0.0,
                1.0,
                false,
                false,
                false,
                parallelism,
            );
        }
        best = best.min(start.elapsed().as_secs_f64());
    }
    let flops = 2.0 * (n as f64).powi(3);
    (flops / best, flops * f64::from(repeats) / (cpu() - cpu_start) * 1e3)
}

/// Milliseconds of a step and of its processor time, and megabytes that it added.
fn torch(shape: &Shape, python: &str, decoder: &str) -> Option<[f64; 3]> {
    let script = "benches/torch_update.py";
    let mut command = Command::new(python);
    command.arg(script).args(["--decoder", decoder]);
    for (name, value) in [
        ("hidden", shape.hidden),
        ("layers", shape.layers),
        ("heads", shape.heads),
        ("kv-heads", shape.kv_heads),
        ("intermediate", shape.width),
        ("vocab", shape.vocabulary),
        ("batch", shape.batch),
        ("length", shape.fed()),
        ("prompt", shape.prompt),
        ("group", shape.group),
        ("threads", rayon::current_num_threads()),
        ("rounds", 10),
    ] {
        command.arg(format!("--{name}")).arg(value.to_string());
    }
    let output = command.output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let found = serde_json::from_str::<serde_json::Value>(&text).ok().and_then(|found| {
        let number = |name: &str| found.get(name)?.as_f64();
        Some([number("total_ms")?, number("cpu_ms")?, number("peak_rss_growth_mb")?])
    });
    if found.is_none() {
        println!("    PyTorch failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    found
}

fn step(name: &str, shape: &Shape, iterations: usize) {
    println!("{name}");
    let tokens = (0..shape.batch).map(|i| shape.completion(i)).sum::<usize>() as f64;
    let (peak, peak_cpu) = throughput();
    let ours = measure(shape, &Options::default(), iterations);
    println!(
        "    {:.1} ms, {:.0} tokens scored/s, {:.0} MB allocated, {:.1} GFLOP/s of {:.1} ({:.0} %; {:.0} % of {:.1} by \
         processor time)",
        ours.milliseconds,
        tokens / ours.milliseconds * 1e3,
        ours.megabytes,
        ours.flops / ours.milliseconds / 1e6,
        peak / 1e9,
        100.0 * ours.flops / (ours.milliseconds / 1e3) / peak,
        100.0 * ours.flops / (ours.cpu / 1e3) / peak_cpu,
        peak_cpu / 1e9
    );
    let Ok(python) = std::env::var("GAVEL_PYTHON") else { return };
    // The usual model, and the leanest that eager PyTorch allows.
    for decoder in ["transformers", "plain"] {
        let Some([milliseconds, cpu, added]) = torch(shape, &python, decoder) else { return };
        let again = measure(shape, &Options::default(), iterations);
        let ours_ms = ours.milliseconds.min(again.milliseconds);
        println!(
            "    PyTorch ({decoder}) {milliseconds:.1} ms ({cpu:.0} of processor time), {:.0} tokens scored/s, {added:.0} MB \
             added; ours again {:.1} ms: {:.2} times as fast ({:.2} by processor time), {:.2} of its added memory",
            tokens / milliseconds * 1e3,
            again.milliseconds,
            milliseconds / ours_ms,
            cpu / ours.cpu.min(again.cpu),
            ours.megabytes / added
        );
    }
}

fn growth() {
    println!("vocabulary, 512 tokens");
    for vocabulary in [512, 2048, 8192, 32_768] {
        line(vocabulary, &Shape { vocabulary, batch: 8, ..SMALL });
    }
    println!("completions of 32 tokens that share a prompt of 128");
    for group in [4, 16, 64] {
        line(group, &Shape { batch: group, group, prompt: 128, length: 32, ..SMALL });
    }
    println!("length, 4,096 tokens");
    for length in [64, 256, 1024] {
        line(length, &Shape { batch: 4096 / length, length, ..SMALL });
    }
}

fn line(label: usize, shape: &Shape) {
    for checkpointing in [false, true] {
        let measured = measure(shape, &Options { checkpointing, ..Options::default() }, 3);
        println!(
            "  {label:>6}{} {:>8.1} ms {:>7.1} MB",
            if checkpointing { " checkpointing" } else { "              " },
            measured.milliseconds,
            measured.megabytes
        );
    }
}

fn main() {
    let parts: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|p| p == part);
    if wanted("step") {
        step("hidden 128, 4 layers, vocabulary 512, 64 sequences of 64", &SMALL, 10);
    }
    if wanted("groups") {
        // Eager PyTorch is fed as trainers feed it: the prompt in each sequence, all padded to the longest, logits of
        // completions alone. What is padding counts for nothing.
        step("the same model, 8 groups of 8 with a prompt of 64 and completions of 8 to 64", &GROUPS, 10);
    }
    if wanted("large") {
        let shape = Shape { hidden: 512, width: 1536, heads: 8, vocabulary: 32_768, batch: 8, ..SMALL };
        step("hidden 512, 4 layers, vocabulary 32,768, 8 sequences of 64", &shape, 3);
    }
    if wanted("growth") {
        growth();
    }
}
