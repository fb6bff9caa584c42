//! What tests of trainers share: a tiny policy, an optimiser, finite differences.

use candle_core::{Device, Tensor, Var};
use policy::gradients::with_slice;
use policy::optimizer::{AdamW, AdamWOptions};
use policy::tensors::host;
use policy::{Gradients, ModelConfig, Policy, Sizes};

use super::scalar_head::Scorer;

/// A policy of about two thousand parameters with room for 32 tokens.
///
/// Its weights are so wide that gradients stand clear of the noise of 32 bits.
pub(super) fn tiny(vocabulary: usize, seed: u64) -> Policy {
    tiny_wide(vocabulary, seed, 0.3)
}

/// The same with weights of this deviation.
pub(super) fn tiny_wide(vocabulary: usize, seed: u64, initializer_range: f64) -> Policy {
    let sizes = Sizes {
        hidden_size: 16,
        intermediate_size: 24,
        n_layers: 2,
        n_heads: 2,
        n_kv_heads: 1,
        max_position_embeddings: 32,
        initializer_range,
        ..Sizes::default()
    };
    let config = ModelConfig::from_sizes(&sizes, vocabulary).expect("the sizes fit");
    Policy::random(config, seed, &Device::Cpu).expect("it is small")
}

/// AdamW with its usual settings and a bound on the gradient.
pub(super) fn optimizer(parameters: Vec<(String, Var)>) -> AdamW {
    let options = AdamWOptions { max_norm: Some(1.0), ..AdamWOptions::default() };
    AdamW::new(parameters, options).expect("there is room")
}

/// Every bit of a policy's parameters.
pub(super) fn bits(policy: &Policy) -> Vec<u32> {
    let all = policy.weights.all();
    all.iter().flat_map(|(_, var)| host(var).expect("on the CPU")).map(f32::to_bits).collect()
}

/// Compares the gradient by the number of largest gradient, and by one more, of every trained tensor with a central
/// difference of `loss`.
pub(super) fn differences(policy: &Policy, gradients: &Gradients, loss: impl Fn() -> f64) {
    for (var, gradient) in policy.parameters().iter().zip(&gradients.tensors) {
        let gradient = host(gradient).expect("on the CPU");
        let largest = (0..gradient.len()).max_by(|a, b| gradient[*a].abs().total_cmp(&gradient[*b].abs()));
        for place in [largest.expect("it has numbers"), gradient.len() / 2] {
            difference(var, place, f64::from(gradient[place]), &loss);
        }
    }
}

/// The same for one number of one tensor.
pub(super) fn difference(var: &Var, place: usize, gradient: f64, loss: &impl Fn() -> f64) {
    const STEP: f32 = 4e-3;
    let before = with_slice(var, <[f32]>::to_vec).expect("on the CPU");
    let at = |moved: f32| {
        let mut values = before.clone();
        values[place] += moved;
        let moved = f64::from(values[place]) - f64::from(before[place]);
        set(var, values);
        (loss(), moved)
    };
    let ((high, up), (low, down)) = (at(STEP), at(-STEP));
    set(var, before);
    let slope = (high - low) / (up - down);
    let close = (slope - gradient).abs() < 2e-3 + 2e-2 * gradient.abs();
    assert!(close, "the slope is {slope}, the gradient {gradient} (shape {:?}, place {place})", var.dims());
}

fn set(var: &Var, values: Vec<f32>) {
    let tensor = Tensor::from_vec(values, var.shape(), &Device::Cpu).expect("as many as before");
    var.set(&tensor).expect("of the same shape");
}

/// A tiny body with a head that is not zero.
pub(super) fn scorer(vocabulary: usize, seed: u64, with_bias: bool) -> Scorer {
    let scorer = Scorer::new(tiny(vocabulary, seed), with_bias).expect("it is small");
    let values = (0..16_u8).map(|i| f32::from(i % 5) * 0.2 - 0.3).collect();
    set(&scorer.head.weight, values);
    if let Some(bias) = &scorer.head.bias {
        set(bias, vec![0.25]);
    }
    scorer
}
