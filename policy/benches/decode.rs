//! How fast sequences are sampled, as ratios against decoding written with the tensor library's operations and,
//! where `GAVEL_PYTHON` names a Python with torch and transformers, against `generate` of transformers with the same
//! weights; and which share of the machine that is.
//!
//! `cargo bench -p policy --bench decode`, with `-- --test` for a run too short to measure anything.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::many_single_char_names, missing_docs)]

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use candle_core::{D, DType, Device, Tensor, Var};
use policy::decode::{EngineLimits, Prompt, Sampling, Statistics, generate, uniform};
use policy::{Layer, Linear, ModelConfig, Weights};

const PROMPTS: usize = 8;
const GROUP: usize = 8;
const PROMPT_TOKENS: usize = 32;
const NEW_TOKENS: usize = 64;

fn main() {
    let test = std::env::args().any(|arg| arg == "--test");
    let (rounds, new_tokens) = if test { (1, 2) } else { (7, NEW_TOKENS) };
    let config = config(128, 4, 4, 2, 384, 512);
    let weights = random(&config);
    let prompts: Vec<Vec<u32>> = (0..PROMPTS)
        .map(|p| (0..PROMPT_TOKENS).map(|t| ((p * 31 + t * 7) % config.vocab_size) as u32).collect())
        .collect();
    let (mut ours, mut stock, mut last) = (Times::default(), Times::default(), Statistics::default());
    for _ in 0..rounds {
        ours.add(|| last = sample(&config, &weights, &prompts, new_tokens));
        stock.add(|| with_tensors(&config, &weights, &prompts, new_tokens).unwrap());
    }
    let total = PROMPTS * GROUP * new_tokens;
    let threads = rayon::current_num_threads();
    println!(
        "{} sequences, prompt {PROMPT_TOKENS}, {new_tokens} new tokens, {threads} threads",
        PROMPTS * GROUP
    );
    let (ours, stock) = (ours.rates(total), stock.rates(total));
    print("ours", ours, ours);
    print("candle operations", stock, ours);
    if let Some(python) = std::env::var_os("GAVEL_PYTHON") {
        let folder = tempfile::tempdir().unwrap();
        save(folder.path(), &config, &weights);
        print(
            "transformers",
            transformers(Path::new(&python), folder.path(), rounds.min(5), new_tokens),
            ours,
        );
    }
    report(&config, &last, total as f64 / ours[1]);
}

/// How long something took each time.
#[derive(Default)]
struct Times {
    wall: Vec<Duration>,
    processor: Duration,
}

impl Times {
    fn add(&mut self, f: impl FnOnce()) {
        let (clock, processor) = (Instant::now(), processor_time());
        f();
        self.processor += processor_time().saturating_sub(processor);
        self.wall.push(clock.elapsed());
    }

    /// New tokens per second (the median round) and per second of the processor's time (all rounds), which tells
    /// more where the machine has other work.
    fn rates(mut self, tokens: usize) -> [f64; 2] {
        self.wall.sort();
        let processor = self.processor.as_secs_f64() / self.wall.len() as f64;
        [tokens as f64 / self.wall[self.wall.len() / 2].as_secs_f64(), tokens as f64 / processor]
    }
}

fn print(name: &str, rates: [f64; 2], ours: [f64; 2]) {
    println!(
        "{name:<20}{:>8.0} new tokens/s, {:>8.0} per processor second   ours is {:.2} and {:.2} times as fast",
        rates[0],
        rates[1],
        ours[0] / rates[0],
        ours[1] / rates[1]
    );
}

/// The time that this process has had of the processors, where the system tells it.
fn processor_time() -> Duration {
    let Ok(text) = std::fs::read_to_string("/proc/self/stat") else { return Duration::ZERO };
    // The program's name, the second field, is in parentheses; user and system time are the 14th and 15th field, in
    // hundredths of a second.
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap_or(0)).sum();
    Duration::from_millis(ticks * 10)
}

/// Where the time went, and the share of the machine: `seconds` of processor time were spent.
fn report(config: &ModelConfig, statistics: &Statistics, seconds: f64) {
    println!(
        "copying weights {:.2?}, prompts {:.2?}, {} steps {:.2?}, cache {} KiB",
        statistics.copying,
        statistics.prefill,
        statistics.steps,
        statistics.decoding,
        statistics.cache_bytes / 1024
    );
    let split = statistics.split;
    let parts = [
        ("matrices", split.matrices),
        ("attention", split.attention),
        ("elementwise", split.elementwise),
        ("sampling", split.sampling),
    ];
    let sum: Duration = parts.iter().map(|(_, time)| *time).sum();
    for (name, time) in parts {
        println!("  {name:<12}{:>5.1} %", 100.0 * time.as_secs_f64() / sum.as_secs_f64());
    }
    let layer =
        config.hidden_size * (2 * config.q_dim() + 2 * config.kv_dim() + 3 * config.intermediate_size);
    let per_token = 2 * (config.n_layers * layer + config.hidden_size * config.vocab_size);
    let flops = ((statistics.rows + statistics.prefill_tokens) * per_token) as f64;
    let in_products = split.matrices.as_secs_f64() / sum.as_secs_f64() * seconds;
    println!(
        "of one thread: {:.1} GFLOP/s in products and {:.1} over all; the gemm crate reaches {:.1} at this shape and \
         {:.1} at 512 x 512 x 512",
        flops / in_products / 1e9,
        flops / seconds / 1e9,
        gemm_rate(PROMPTS * GROUP, config.hidden_size, 2 * config.intermediate_size),
        gemm_rate(512, 512, 512),
    );
}

fn sample(config: &ModelConfig, weights: &Weights, prompts: &[Vec<u32>], new_tokens: usize) -> Statistics {
    let seeds: Vec<u64> = (0..(PROMPTS * GROUP) as u64).collect();
    let prompts: Vec<Prompt<'_>> =
        prompts.iter().zip(seeds.chunks(GROUP)).map(|(tokens, seeds)| Prompt { tokens, seeds }).collect();
    let sampling = Sampling { max_tokens: new_tokens, ..Sampling::default() };
    let mut got = 0;
    let statistics =
        generate(config, weights, &prompts, &sampling, &EngineLimits::default(), None, &mut |one| {
            got += one.tokens.len();
        })
        .unwrap();
    assert_eq!(got, PROMPTS * GROUP * new_tokens);
    statistics
}

fn config(
    h: usize,
    layers: usize,
    heads: usize,
    kv_heads: usize,
    wide: usize,
    vocabulary: usize,
) -> ModelConfig {
    let serde_json::Value::Object(raw) = serde_json::json!({
        "model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], "hidden_size": h,
        "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": kv_heads,
        "intermediate_size": wide, "vocab_size": vocabulary, "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "tie_word_embeddings": true, "hidden_act": "silu",
    }) else {
        unreachable!()
    };
    ModelConfig::from_raw(raw).unwrap()
}

fn random(config: &ModelConfig) -> Weights {
    let device = Device::Cpu;
    let matrix = |o: usize, i: usize| Var::randn(0.0_f32, 0.05, (o, i), &device).unwrap();
    let linear = |o: usize, i: usize, bias: bool| Linear {
        weight: matrix(o, i),
        bias: bias.then(|| Var::randn(0.0_f32, 0.05, o, &device).unwrap()),
        adapter: None,
    };
    let ones = || Var::ones(config.hidden_size, DType::F32, &device).unwrap();
    let (h, q, kv, f) = (config.hidden_size, config.q_dim(), config.kv_dim(), config.intermediate_size);
    let layer = |_| Layer {
        input_norm: ones(),
        q: linear(q, h, true),
        k: linear(kv, h, true),
        v: linear(kv, h, true),
        o: linear(h, q, false),
        q_norm: None,
        k_norm: None,
        post_norm: ones(),
        gate: linear(f, h, false),
        up: linear(f, h, false),
        down: linear(h, f, false),
    };
    Weights {
        embedding: matrix(config.vocab_size, h),
        layers: (0..config.n_layers).map(layer).collect(),
        final_norm: ones(),
        head: None,
    }
}

/// The same with the tensor library's operations as they come: a row for each sequence, caches that grow by `cat`.
fn with_tensors(
    config: &ModelConfig,
    weights: &Weights,
    prompts: &[Vec<u32>],
    new_tokens: usize,
) -> candle_core::Result<()> {
    let device = Device::Cpu;
    let (b, d, heads, kv) = (PROMPTS * GROUP, config.head_dim, config.n_heads, config.n_kv_heads);
    let positions = PROMPT_TOKENS + new_tokens;
    let frequencies = config.rope_frequencies();
    let angles: Vec<f32> =
        (0..positions).flat_map(|p| frequencies.iter().map(move |f| (p as f64 * f) as f32)).collect();
    let angles = Tensor::from_vec(angles, (positions, d / 2), &device)?;
    let (cosines, sines) = (angles.cos()?, angles.sin()?);
    let norm = |x: &Tensor, weight: &Tensor| -> candle_core::Result<Tensor> {
        let mean = (x.sqr()?.sum_keepdim(D::Minus1)? / x.dim(D::Minus1)? as f64)?;
        x.broadcast_div(&(mean + config.rms_norm_eps)?.sqrt()?)?.broadcast_mul(weight)
    };
    let linear = |x: &Tensor, linear: &Linear| -> candle_core::Result<Tensor> {
        let (n, t, i) = x.dims3()?;
        let y =
            x.reshape((n * t, i))?.matmul(&linear.weight.as_detached_tensor().t()?)?.reshape((n, t, ()))?;
        match &linear.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    };
    let mut cache: Vec<Option<(Tensor, Tensor)>> = vec![None; config.n_layers];
    let mut ids: Vec<u32> = (0..b).flat_map(|i| prompts[i / GROUP].iter().copied()).collect();
    let (mut t, mut at) = (PROMPT_TOKENS, 0);
    for step in 0..new_tokens {
        let mut x = weights
            .embedding
            .as_detached_tensor()
            .index_select(&Tensor::from_vec(ids, b * t, &device)?, 0)?
            .reshape((b, t, config.hidden_size))?;
        let cosine = cosines.narrow(0, at, t)?.reshape((1, 1, t, d / 2))?;
        let sine = sines.narrow(0, at, t)?.reshape((1, 1, t, d / 2))?;
        let rotate = |x: &Tensor| -> candle_core::Result<Tensor> {
            let (left, right) = (x.narrow(3, 0, d / 2)?, x.narrow(3, d / 2, d / 2)?);
            let first = (left.broadcast_mul(&cosine)? - right.broadcast_mul(&sine)?)?;
            let second = (right.broadcast_mul(&cosine)? + left.broadcast_mul(&sine)?)?;
            Tensor::cat(&[&first, &second], 3)
        };
        for (layer, cache) in weights.layers.iter().zip(&mut cache) {
            let y = norm(&x, &layer.input_norm.as_detached_tensor())?;
            let split = |y: &Tensor, heads: usize| y.reshape((b, t, heads, d))?.transpose(1, 2)?.contiguous();
            let q = rotate(&split(&linear(&y, &layer.q)?, heads)?)?;
            let k = rotate(&split(&linear(&y, &layer.k)?, kv)?)?;
            let v = split(&linear(&y, &layer.v)?, kv)?;
            let (k, v) = match &*cache {
                None => (k, v),
                Some((before_k, before_v)) => {
                    (Tensor::cat(&[before_k, &k], 2)?, Tensor::cat(&[before_v, &v], 2)?)
                }
            };
            *cache = Some((k.clone(), v.clone()));
            let (all, group) = (k.dim(2)?, heads / kv);
            let q = q.reshape((b, kv, group * t, d))?;
            let mut scores = (q.matmul(&k.t()?)? / (d as f64).sqrt())?;
            if t > 1 {
                let mask: Vec<f32> = (0..group * t * all)
                    .map(|i| if i % all > (i / all) % t { f32::NEG_INFINITY } else { 0.0 })
                    .collect();
                scores = scores.broadcast_add(&Tensor::from_vec(mask, (1, 1, group * t, all), &device)?)?;
            }
            let weights = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
            let weights = weights.broadcast_div(&weights.sum_keepdim(D::Minus1)?)?;
            let out =
                weights.matmul(&v)?.reshape((b, heads, t, d))?.transpose(1, 2)?.reshape((b, t, heads * d))?;
            x = (x + linear(&out, &layer.o)?)?;
            let y = norm(&x, &layer.post_norm.as_detached_tensor())?;
            x = (x + linear(&(linear(&y, &layer.gate)?.silu()? * linear(&y, &layer.up)?)?, &layer.down)?)?;
        }
        let y = norm(&x.narrow(1, t - 1, 1)?.contiguous()?, &weights.final_norm.as_detached_tensor())?;
        let head = weights.output().as_detached_tensor();
        let logits = y.reshape((b, ()))?.matmul(&head.t()?)?;
        let chances = logits.broadcast_sub(&logits.max_keepdim(1)?)?.exp()?;
        let chances = chances.broadcast_div(&chances.sum_keepdim(1)?)?.to_vec2::<f32>()?;
        ids = chances.iter().zip(0..).map(|(row, i)| draw(row, uniform(i, step as u64))).collect();
        at += t;
        t = 1;
    }
    Ok(())
}

fn draw(chances: &[f32], target: f64) -> u32 {
    let mut sum = 0.0;
    let place = chances.iter().position(|chance| {
        sum += f64::from(*chance);
        sum > target
    });
    place.unwrap_or(chances.len() - 1) as u32
}

fn save(folder: &Path, config: &ModelConfig, weights: &Weights) {
    let tensors: HashMap<String, Tensor> =
        weights.named().into_iter().map(|(name, var)| (name, var.as_tensor().clone())).collect();
    candle_core::safetensors::save(&tensors, folder.join("model.safetensors")).unwrap();
    std::fs::write(folder.join("config.json"), serde_json::to_vec(&config.raw).unwrap()).unwrap();
}

fn transformers(python: &Path, folder: &Path, rounds: usize, new_tokens: usize) -> [f64; 2] {
    const SCRIPT: &str = r"
import sys, time, torch, transformers
folder, rounds, groups, size, prompt, new, threads = sys.argv[1], *map(int, sys.argv[2:])
torch.set_num_threads(threads)
model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
ids = torch.tensor([[(i // size * 31 + t * 7) % model.config.vocab_size for t in range(prompt)] for i in range(groups * size)])
kind = dict(max_new_tokens=new, min_new_tokens=new, do_sample=True, temperature=1.0, top_k=0, pad_token_id=0,
    attention_mask=torch.ones_like(ids))
times = []
with torch.inference_mode():
    model.generate(ids, **kind)
    processor = time.process_time()
    for _ in range(rounds):
        clock = time.perf_counter()
        out = model.generate(ids, **kind)
        times.append(time.perf_counter() - clock)
assert out.shape[1] == prompt + new
processor = (time.process_time() - processor) / rounds
print(groups * size * new / sorted(times)[len(times) // 2], groups * size * new / processor)
";
    let numbers = [rounds, PROMPTS, GROUP, PROMPT_TOKENS, new_tokens, rayon::current_num_threads()];
    let output = Command::new(python)
        .args(["-c", SCRIPT])
        .arg(folder)
        .args(numbers.map(|number| number.to_string()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut rates = text.split_whitespace().map(|rate| rate.parse().unwrap());
    std::array::from_fn(|_| rates.next().unwrap())
}

/// GFLOP/s of the gemm crate on one thread: the best round.
fn gemm_rate(m: usize, k: usize, n: usize) -> f64 {
    let a = Tensor::randn(0.0_f32, 1.0, (m, k), &Device::Cpu).unwrap();
    let b = Tensor::randn(0.0_f32, 1.0, (n, k), &Device::Cpu).unwrap().t().unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let mut best = f64::INFINITY;
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(500) {
        let clock = Instant::now();
        pool.install(|| std::hint::black_box(a.matmul(&b).unwrap()));
        best = best.min(clock.elapsed().as_secs_f64());
    }
    (2 * m * k * n) as f64 / best / 1e9
}
