//! Gradients against finite differences, and ways of computing that must give the same.

use candle_core::Device;
use policy::config::Family;
use policy::gradients::with_slice_mut;
use policy::lora::{self, LoraConfig};
use policy::{Gradients, ModelConfig, Packed, Policy, Sizes, TokenGradients, TokenScores};

use crate::Way;

fn tiny(family: Family, tied: bool) -> Policy {
    let sizes = Sizes {
        family,
        hidden_size: 8,
        intermediate_size: 12,
        n_layers: 2,
        n_heads: 4,
        n_kv_heads: 2,
        max_position_embeddings: 16,
        tie_word_embeddings: tied,
        initializer_range: 0.5,
        ..Sizes::default()
    };
    let config = ModelConfig::from_sizes(&sizes, 11).expect("they fit");
    let policy = Policy::random(config, 7, &Device::Cpu).expect("room");
    // Biases of 0 and norms of 1 would hide mistakes.
    for (i, var) in policy.parameters().iter().enumerate() {
        if var.rank() == 1 {
            with_slice_mut(var, |values| {
                for (j, value) in values.iter_mut().enumerate() {
                    *value += ((i * 7 + j * 3) % 5) as f32 * 0.1 - 0.2;
                }
            })
            .expect("on the CPU");
        }
    }
    policy
}

fn adapted(mut policy: Policy) -> Policy {
    lora::add(&mut policy, &LoraConfig { rank: 3, alpha: 6.0, ..LoraConfig::default() }, 5)
        .expect("it has none");
    for (i, (_, var)) in policy.weights.named_adapters().iter().enumerate() {
        with_slice_mut(var, |values| {
            for (j, value) in values.iter_mut().enumerate() {
                *value += ((i * 5 + j * 3) % 7) as f32 * 0.1 - 0.3;
            }
        })
        .expect("on the CPU");
    }
    policy
}

fn batch() -> Packed {
    let mut packed = Packed::default();
    packed.push_group(&[1, 5, 3], [&[4, 2, 9, 2][..], &[7], &[8, 10]]).expect("a group");
    packed.push(&[2, 6, 6, 1, 0], 2).expect("a sequence");
    packed
}

/// A loss that no token and no entropy enters like another.
fn weights(scores: &TokenScores) -> TokenGradients {
    let by = |step: usize| move |i: usize| ((i * step) % 5) as f32 * 0.4 - 0.7;
    TokenGradients {
        logprobs: (0..scores.logprobs.len()).map(by(3)).collect(),
        entropies: (0..scores.entropies.len()).map(by(2)).collect(),
    }
}

fn loss(way: Way, policy: &Policy, packed: &Packed, temperature: f32) -> f64 {
    let scores = way.scores(policy, packed, temperature).expect("it fits");
    let by = weights(&scores);
    let sum = |values: &[f32], by: &[f32]| -> f64 {
        values.iter().zip(by).map(|(value, by)| f64::from(*value) * f64::from(*by)).sum()
    };
    sum(&scores.logprobs, &by.logprobs) + sum(&scores.entropies, &by.entropies)
}

fn numbers(gradients: &Gradients) -> Vec<Vec<f32>> {
    let list = |tensor: &candle_core::Tensor| tensor.flatten_all()?.to_vec1();
    gradients.tensors.iter().map(list).collect::<Result<_, _>>().expect("on the CPU")
}

fn gradient(way: Way, policy: &Policy, packed: &Packed, temperature: f32) -> Vec<Vec<f32>> {
    let mut gradients = policy.zero_gradients().expect("room");
    way.accumulate(policy, packed, temperature, &mut gradients, |scores| Ok(weights(scores)))
        .expect("it fits");
    numbers(&gradients)
}

/// Moves every parameter along its gradient, and some numbers of each alone, and asks whether the loss follows.
fn agree(name: &str, policy: &Policy, found: &[Vec<f32>], value: impl Fn() -> f64) {
    for ((parameter, var), found) in policy.weights.trained().iter().zip(found) {
        let norm = found.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        assert!(norm > 0.0, "{name}, {parameter}: no gradient");
        let step = 1e-2 / norm.max(1.0);
        let shift = |by: f64| {
            with_slice_mut(var, |values| {
                for (value, g) in values.iter_mut().zip(found) {
                    *value = (f64::from(*value) + by * f64::from(*g) / norm) as f32;
                }
            })
            .expect("on the CPU");
        };
        let before: Vec<f32> = var.flatten_all().expect("a list").to_vec1().expect("on the CPU");
        shift(step);
        let above = value();
        shift(-2.0 * step);
        let below = value();
        with_slice_mut(var, |values| values.copy_from_slice(&before)).expect("on the CPU");
        let slope = (above - below) / (2.0 * step);
        assert!(
            (slope - norm).abs() < 5e-3 * norm + 2e-3,
            "{name}, {parameter}: slope {slope}, gradient {norm}"
        );
    }
}

#[test]
fn finite_differences_agree() {
    for family in [Family::Llama, Family::Qwen2, Family::Qwen3] {
        for tied in [false, true] {
            for (lora, way) in [false, true].into_iter().flat_map(|lora| Way::ALL.map(|way| (lora, way))) {
                let name = format!("{family:?}, tied {tied}, LoRA {lora}, {way:?}");
                let policy = if lora { adapted(tiny(family, tied)) } else { tiny(family, tied) };
                let packed = batch();
                let found = gradient(way, &policy, &packed, 0.7);
                agree(&name, &policy, &found, || loss(way, &policy, &packed, 0.7));
            }
        }
    }
}

#[test]
fn finite_differences_agree_for_hidden_states() {
    let by = |i: usize| ((i * 3) % 7) as f32 * 0.2 - 0.5;
    let policies = [tiny(Family::Qwen3, true), adapted(tiny(Family::Qwen2, true))];
    for (policy, way) in policies.iter().flat_map(|policy| Way::ALL.map(|way| (policy, way))) {
        let packed = batch();
        let mut gradients = policy.zero_gradients().expect("room");
        let objective = |hidden: &[f32]| Ok((0..hidden.len()).map(by).collect());
        way.accumulate_hidden(policy, &packed, &mut gradients, objective).expect("it fits");
        agree(&format!("hidden, {way:?}"), policy, &numbers(&gradients), || {
            let hidden = way.hidden(policy, &packed).expect("it fits");
            assert_eq!(hidden.len(), packed.n_scored() * policy.config.hidden_size);
            hidden.iter().enumerate().map(|(i, value)| f64::from(*value) * f64::from(by(i))).sum()
        });
    }
}

fn differ_by(a: &[Vec<f32>], b: &[Vec<f32>]) -> f32 {
    a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn checkpointing_chunks_and_padding_change_nothing() {
    let policy = tiny(Family::Qwen3, false);
    let packed = batch();
    let plain = gradient(Way::Graph, &policy, &packed, 1.0);
    let mut other = policy.clone();
    other.options.checkpointing = true;
    assert_eq!(plain, gradient(Way::Graph, &other, &packed, 1.0), "the same operations a second time");
    other.options.chunk = 2;
    for way in Way::ALL {
        assert!(differ_by(&plain, &gradient(way, &policy, &packed, 1.0)) < 1e-5, "{way:?}");
        assert!(differ_by(&plain, &gradient(way, &other, &packed, 1.0)) < 1e-5, "{way:?}");
        assert!(differ_by(&plain, &gradient(way, &policy, &packed.expanded(), 1.0)) < 1e-5, "{way:?}");
    }
}

#[test]
fn lower_precision_is_close() {
    let mut policy = tiny(Family::Qwen3, false);
    let packed = batch();
    let plain = gradient(Way::Graph, &policy, &packed, 1.0);
    policy.options.compute = candle_core::DType::BF16;
    let rough = gradient(Way::Own, &policy, &packed, 1.0);
    assert_ne!(plain, rough);
    let norm = |all: &[Vec<f32>]| all.iter().flatten().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
    let apart: Vec<Vec<f32>> =
        plain.iter().zip(&rough).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a - b).collect()).collect();
    assert!(norm(&apart) < 0.1 * norm(&plain), "{} of {}", norm(&apart), norm(&plain));
}

#[test]
fn gradients_add_up() {
    let policy = tiny(Family::Llama, true);
    let packed = batch();
    for way in Way::ALL {
        let mut gradients = policy.zero_gradients().expect("room");
        for _ in 0..2 {
            way.accumulate(&policy, &packed, 1.0, &mut gradients, |s| Ok(weights(s))).expect("it fits");
        }
        let once = gradient(way, &policy, &packed, 1.0);
        let twice: Vec<Vec<f32>> = once.iter().map(|g| g.iter().map(|g| g * 2.0).collect()).collect();
        assert!(differ_by(&numbers(&gradients), &twice) < 1e-5, "{way:?}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let policy = tiny(Family::Llama, true);
    for way in Way::ALL {
        let mut packed = batch();
        for temperature in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert!(way.scores(&policy, &packed, temperature).is_err(), "{temperature}");
        }
        let mut gradients = policy.zero_gradients().expect("room");
        let short = |_: &TokenScores| Ok(TokenGradients { logprobs: vec![1.0], entropies: Vec::new() });
        assert!(way.accumulate(&policy, &packed, 1.0, &mut gradients, short).is_err(), "{way:?}");
        let mut few = Gradients { tensors: gradients.tensors[1..].to_vec() };
        assert!(way.accumulate(&policy, &packed, 1.0, &mut few, |s| Ok(weights(s))).is_err(), "{way:?}");
        packed.targets[0] = 11;
        assert!(way.scores(&policy, &packed, 1.0).is_err(), "{way:?}");
        let nothing = Packed::default();
        assert_eq!(way.scores(&policy, &nothing, 1.0).expect("nothing to do"), TokenScores::default());
        way.accumulate(&policy, &nothing, 1.0, &mut gradients, |s| Ok(weights(s))).expect("nothing to do");
    }
}

#[test]
fn adapters_begin_without_effect_and_merge() {
    let plain = tiny(Family::Qwen2, false);
    let packed = batch();
    let scores = plain.scores(&packed, 1.0).expect("it fits");
    let mut fresh = plain.clone();
    lora::add(&mut fresh, &LoraConfig::default(), 1).expect("it has none");
    assert!(lora::add(&mut fresh, &LoraConfig::default(), 1).is_err(), "it has adapters");
    assert_eq!(scores, fresh.scores(&packed, 1.0).expect("it fits"));
    assert_eq!(fresh.parameters().len(), 2 * 7 * 2);

    let adapted = adapted(plain.clone());
    let changed = adapted.scores(&packed, 1.0).expect("it fits");
    assert_ne!(scores, changed);
    assert_eq!(scores, adapted.without_adapter().scores(&packed, 1.0).expect("it fits"));
    let merged = lora::merged(&adapted).expect("room");
    assert!(merged.weights.named_adapters().is_empty());
    let merged = merged.scores(&packed, 1.0).expect("it fits");
    for (a, b) in changed.logprobs.iter().zip(&merged.logprobs) {
        assert!((a - b).abs() < 1e-4, "{a} {b}");
    }
    assert_eq!(scores, plain.scores(&packed, 1.0).expect("it fits"), "the original is as it was");

    for (wrong, part) in [
        (LoraConfig { rank: 0, ..LoraConfig::default() }, "`rank`"),
        (LoraConfig { alpha: f64::NAN, ..LoraConfig::default() }, "`alpha`"),
        (LoraConfig { target_modules: vec!["qkv".to_owned()], ..LoraConfig::default() }, "`qkv`"),
        (LoraConfig { target_modules: Vec::new(), ..LoraConfig::default() }, "empty"),
    ] {
        let message = lora::add(&mut plain.clone(), &wrong, 1).expect_err(part).to_string();
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn references_are_refreshed() {
    let policy = tiny(Family::Qwen3, true);
    let reference = policy.frozen_copy().expect("room");
    assert_eq!(policy.fingerprint().expect("readable"), reference.fingerprint().expect("readable"));
    let first = &policy.parameters()[0];
    with_slice_mut(first, |values| values[..2].copy_from_slice(&[2.0, 0.0])).expect("on the CPU");
    with_slice_mut(&reference.parameters()[0], |values| values[..2].copy_from_slice(&[1.0, 2.0]))
        .expect("on the CPU");
    assert_ne!(policy.fingerprint().expect("readable"), reference.fingerprint().expect("readable"));
    // The row `ref_model_mixup` of the vectors.
    reference.mix_from(&policy, 0.6).expect("the same shapes");
    let mixed: Vec<f32> =
        reference.parameters()[0].flatten_all().expect("a list").to_vec1().expect("on the CPU");
    assert!((mixed[0] - 1.6).abs() < 1e-6 && (mixed[1] - 0.8).abs() < 1e-6, "{:?}", &mixed[..2]);
    reference.copy_from(&policy).expect("the same shapes");
    assert_eq!(policy.fingerprint().expect("readable"), reference.fingerprint().expect("readable"));
    assert!(reference.mix_from(&policy, 1.5).is_err());
    assert!(reference.copy_from(&tiny(Family::Llama, true)).is_err());
    let again = tiny(Family::Qwen3, true);
    assert_eq!(
        tiny(Family::Qwen3, true).fingerprint().expect("readable"),
        again.fingerprint().expect("readable"),
        "the same seed"
    );
}
