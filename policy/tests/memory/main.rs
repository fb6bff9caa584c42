//! Peak memory of a pass. It has a program of its own because it counts every allocation.

mod counting;

use candle_core::Device;
use policy::{ModelConfig, Packed, Policy, Sizes, TokenGradients};

/// What a pass with its backward pass allocates beyond weights and gradients.
fn peak(vocabulary: usize, sequences: usize) -> usize {
    policy::fused::release();
    let sizes = Sizes {
        hidden_size: 16,
        intermediate_size: 32,
        n_layers: 1,
        n_heads: 2,
        n_kv_heads: 1,
        ..Sizes::default()
    };
    let config = ModelConfig::from_sizes(&sizes, vocabulary).expect("they fit");
    let policy = Policy::random(config, 1, &Device::Cpu).expect("room");
    let mut gradients = policy.zero_gradients().expect("room");
    let mut packed = Packed::default();
    let sequence: Vec<u32> = (0..65).collect();
    for _ in 0..sequences {
        packed.push(&sequence, 1).expect("a sequence");
    }
    let before = counting::begin();
    policy
        .accumulate(&packed, 1.0, &mut gradients, |scores| {
            Ok(TokenGradients { logprobs: vec![1.0; scores.logprobs.len()], entropies: Vec::new() })
        })
        .expect("it fits");
    counting::peak() - before
}

#[test]
fn logits_of_more_than_a_tile_are_never_there() {
    // Scratch memory of the threads and of the matrix library is there after the first.
    peak(16_384, 8);
    let (tokens, small) = (40 * 64, peak(256, 40));
    let large = peak(16_384, 40);
    let logits = 16_384 * tokens * 4;
    assert!(large < small + logits / 8, "{small} and {large} bytes where all logits take {logits}");
}
