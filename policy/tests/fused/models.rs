//! Models and batches to compare on.

use candle_core::Device;
use policy::config::Family;
use policy::fused::{self, Options};
use policy::gradients::with_slice_mut;
use policy::lora::{self, LoraConfig};
use policy::{Gradients, ModelConfig, Packed, Policy, Sizes, TokenGradients, TokenScores};

/// A small model whose widths are no round numbers.
pub(crate) fn small(family: Family, tied: bool, adapted: bool) -> Policy {
    let sizes = Sizes {
        family,
        hidden_size: 24,
        intermediate_size: 36,
        n_layers: 3,
        n_heads: 4,
        n_kv_heads: 2,
        max_position_embeddings: 400,
        tie_word_embeddings: tied,
        initializer_range: 0.25,
        ..Sizes::default()
    };
    let config = ModelConfig::from_sizes(&sizes, 301).expect("they fit");
    let mut policy = Policy::random(config, 3, &Device::Cpu).expect("room");
    if adapted {
        let lora = LoraConfig { rank: 3, alpha: 6.0, ..LoraConfig::default() };
        lora::add(&mut policy, &lora, 5).expect("it has none");
    }
    // Biases and adapters of 0 and norms of 1 would hide mistakes.
    let changed: Vec<_> = if adapted { policy.weights.named_adapters() } else { policy.weights.named() };
    for (i, (_, var)) in changed.iter().enumerate().filter(|(_, (_, var))| adapted || var.rank() == 1) {
        with_slice_mut(var, |values| {
            for (j, value) in values.iter_mut().enumerate() {
                *value += ((i * 7 + j * 3) % 11) as f32 * 0.04 - 0.2;
            }
        })
        .expect("on the CPU");
    }
    policy
}

/// Tokens that follow no pattern.
pub(crate) fn tokens(n: usize, seed: usize) -> Vec<u32> {
    (0..n).map(|i| ((i * i * 31 + i * 17 + seed * 101 + 7) % 301) as u32).collect()
}

/// Groups and single sequences, short and longer than a block of queries or of rows.
pub(crate) fn batch() -> Packed {
    let mut packed = Packed::default();
    packed.push(&tokens(5, 1), 2).expect("a sequence");
    let completions: Vec<Vec<u32>> = [7, 1, 90, 64].iter().map(|n| tokens(*n, *n)).collect();
    packed.push_group(&tokens(70, 2), completions.iter().map(Vec::as_slice)).expect("a group");
    packed.push(&tokens(150, 3), 100).expect("a sequence");
    packed.push_group(&tokens(3, 4), [&tokens(9, 5)[..], &tokens(2, 6)]).expect("a group");
    packed
}

/// A loss that no token and no entropy enters like another, and many do not enter at all.
pub(crate) fn loss(scores: &TokenScores) -> TokenGradients {
    let by = |step: usize| move |i: usize| if i % 4 == 3 { 0.0 } else { ((i * step) % 5) as f32 * 0.4 - 0.7 };
    TokenGradients {
        logprobs: (0..scores.logprobs.len()).map(by(3)).collect(),
        entropies: (0..scores.entropies.len()).map(by(2)).collect(),
    }
}

pub(crate) fn numbers(gradients: &Gradients) -> Vec<Vec<f32>> {
    let list = |tensor: &candle_core::Tensor| tensor.flatten_all()?.to_vec1();
    gradients.tensors.iter().map(list).collect::<Result<_, _>>().expect("on the CPU")
}

/// Scores and gradients of the fused pass.
pub(crate) fn run(
    policy: &Policy,
    packed: &Packed,
    options: &Options,
    loss: impl FnOnce(&TokenScores) -> TokenGradients,
) -> (TokenScores, Vec<Vec<f32>>) {
    let mut gradients = policy.zero_gradients().expect("room");
    let (config, weights) = (&policy.config, &policy.weights);
    let scores =
        fused::accumulate(config, weights, packed, 0.8, options, &mut gradients, |scores| Ok(loss(scores)))
            .expect("it fits");
    (scores, numbers(&gradients))
}

/// Asserts that each tensor differs by little of its own size.
pub(crate) fn assert_close(name: &str, a: &[Vec<f32>], b: &[Vec<f32>], tolerance: f64) {
    assert_eq!(a.len(), b.len(), "{name}");
    let norm = |x: &[f32]| x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        let difference: Vec<f32> = a.iter().zip(b).map(|(a, b)| a - b).collect();
        let (difference, size) = (norm(&difference), norm(b));
        assert!(
            difference <= tolerance * size + 1e-7,
            "{name}: tensor {i} differs by {difference} of {size}"
        );
    }
}
