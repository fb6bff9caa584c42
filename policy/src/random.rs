//! Parameters from nothing but a seed.

use candle_core::{Device, Var};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::config::ModelConfig;
use crate::error::Result;
use crate::weights::{Kind, Weights};

/// Where `config.json` does not say how wide: the default of all three families in `transformers`.
const INITIALIZER_RANGE: f64 = 0.02;

/// Matrices normal with deviation `initializer_range`, norms 1, biases 0: what `transformers` begins with. The same
/// seed gives the same numbers on every device.
///
/// # Errors
/// When the device has no room for them.
pub fn weights(config: &ModelConfig, seed: u64, device: &Device) -> Result<Weights> {
    let deviation = config
        .raw
        .get("initializer_range")
        .and_then(serde_json::Value::as_f64)
        .filter(|range| range.is_finite() && *range >= 0.0)
        .unwrap_or(INITIALIZER_RANGE);
    let mut stream = 0;
    Weights::build(config, |_, shape, kind| {
        stream += 1;
        let count = shape.iter().product();
        let values = match kind {
            Kind::Matrix => normal(seed, stream, count, deviation),
            Kind::Norm => vec![1.0; count],
            Kind::Bias => vec![0.0; count],
        };
        Ok(Var::from_vec(values, shape, device)?)
    })
}

/// Numbers between `-bound` and `bound`, from stream `stream` of a seed.
pub(crate) fn uniform(seed: u64, stream: u64, count: usize, bound: f64) -> Vec<f32> {
    let mut rng = generator(seed, stream);
    (0..count).map(|_| ((rng.random::<f64>() * 2.0 - 1.0) * bound) as f32).collect()
}

/// Normal numbers of mean 0 (Box and Muller 1958), from stream `stream` of a seed.
fn normal(seed: u64, stream: u64, count: usize, deviation: f64) -> Vec<f32> {
    let mut rng = generator(seed, stream);
    let mut values = Vec::with_capacity(count + 1);
    while values.len() < count {
        // From the open end: the logarithm of 0 has no place here.
        let radius = deviation * (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * rng.random::<f64>()).sin_cos();
        values.push((radius * cosine) as f32);
        values.push((radius * sine) as f32);
    }
    values.truncate(count);
    values
}

/// Each parameter has a stream of its own, so that its numbers do not depend on those made before it.
fn generator(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}
