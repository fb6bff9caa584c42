//! How much arithmetic a pass is, and how much the machine can do.
//!
//! A multiplication with an addition counts as two operations. Counted are products of matrices; what is computed a
//! second time to save memory does not count, so that a share of the machine's throughput is the model's own
//! (MFU, PaLM, arXiv:2204.02311, appendix B).

use std::time::Instant;

use candle_core::{DType, Device, Tensor};

use crate::config::ModelConfig;
use crate::error::Result;
use crate::packed::Packed;

/// Side of the matrices that the machine's throughput is measured with: large enough for each core to have tiles of
/// its own, small enough to take a few milliseconds.
const SIDE: usize = 512;
/// Products of which the fastest counts.
const TRIES: usize = 5;

/// Operations of a forward pass over `packed`.
pub fn forward(config: &ModelConfig, packed: &Packed) -> f64 {
    let [hidden, inner, layers, head] =
        [config.hidden_size, config.intermediate_size, config.n_layers, config.head_dim].map(|n| n as f64);
    let [queries, keys, vocabulary] =
        [config.n_heads, config.n_kv_heads, config.vocab_size].map(|n| n as f64);
    let weights = hidden * head * (2.0 * queries + 2.0 * keys) + 3.0 * hidden * inner;
    let tokens = packed.n_tokens() as f64;
    let attention = 2.0 * queries * head * n_pairs(packed);
    2.0 * (layers * (weights * tokens + attention) + hidden * vocabulary * packed.n_scored() as f64)
}

/// Operations of a forward and a backward pass: the gradient of a product is two products.
pub fn training(config: &ModelConfig, packed: &Packed) -> f64 {
    3.0 * forward(config, packed)
}

/// Pairs of a token and one that it sees, itself among them.
fn n_pairs(packed: &Packed) -> f64 {
    let pairs = |segment: &crate::packed::Segment| {
        let (before, own) = (packed.first_position(segment) as f64, segment.len() as f64);
        own * before + own * (own + 1.0) / 2.0
    };
    packed.segments.iter().map(pairs).sum()
}

/// Operations a second that `device` reaches in a product of square matrices of 32-bit floats.
///
/// # Errors
/// When the device fails.
pub fn throughput(device: &Device) -> Result<f64> {
    let matrix = Tensor::ones((SIDE, SIDE), DType::F32, device)?;
    let mut fastest = f64::INFINITY;
    for _ in 0..TRIES {
        let begun = Instant::now();
        matrix.matmul(&matrix)?;
        device.synchronize()?;
        fastest = fastest.min(begun.elapsed().as_secs_f64());
    }
    Ok(2.0 * (SIDE as f64).powi(3) / fastest.max(f64::MIN_POSITIVE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sizes::Sizes;

    #[test]
    fn operations_are_those_counted_by_hand() {
        let mut packed = Packed::default();
        packed.push_group(&[1, 2, 3], [&[4, 5, 6][..], &[7][..]]).expect("a group");
        // Three tokens of the prompt, two and none of the completions: 6 pairs, then 2 * 3 + 3.
        assert_eq!((packed.n_tokens(), packed.n_scored()), (5, 4));
        assert_eq!(n_pairs(&packed), 15.0);
        let config = ModelConfig::from_sizes(&Sizes::default(), 10).expect("a model");
        let per_token = |n: usize| n as f64 * 2.0;
        let width = config.n_heads * config.head_dim;
        let narrow = config.n_kv_heads * config.head_dim;
        let layer = config.hidden_size * (2 * width + 2 * narrow + 3 * config.intermediate_size);
        let expected = config.n_layers as f64 * (per_token(layer) * 5.0 + per_token(2 * width) * 15.0)
            + per_token(config.hidden_size * 10) * 4.0;
        assert_eq!(forward(&config, &packed), expected);
        assert_eq!(training(&config, &packed), 3.0 * expected);
    }

    #[test]
    fn the_machine_computes_something() {
        assert!(throughput(&Device::Cpu).expect("products") > 0.0);
    }
}
