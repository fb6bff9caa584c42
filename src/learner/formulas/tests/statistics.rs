//! The estimators of a divergence, by chance: their bias and spread are those of the golden table.

use serde_json::json;

use super::golden::section;
use crate::learner::formulas::kl::Kl;

/// A sequence of numbers that looks random (SplitMix64), as pairs of a normal distribution.
struct Normal(u64);

impl Normal {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn pair(&mut self) -> [f64; 2] {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        let angle = std::f64::consts::TAU * self.uniform();
        [radius * angle.cos(), radius * angle.sin()]
    }
}

#[test]
fn the_spread_of_divergence_estimators_is_as_published() {
    const N: usize = 1_000_000;
    let table = section("kl_estimator_table");
    for row in table[0]["expected"].as_array().unwrap() {
        let (mu, truth) = (row["mu"].as_f64().unwrap(), row["true_kl"].as_f64().unwrap());
        for form in ["k1", "k2", "k3"] {
            let kl: Kl = serde_json::from_value(json!({ "form": form })).unwrap();
            let mut normal = Normal(17);
            let (mut sum, mut squares, mut fourths) = (0.0, 0.0, 0.0);
            for _ in 0..N / 2 {
                for x in normal.pair() {
                    // Up to the constant they share, log-densities of N(0, 1) and N(mu, 1).
                    let (now, reference) = (-x * x / 2.0, -(x - mu).powi(2) / 2.0);
                    let estimate = kl.term(now as f32, reference as f32, 0.0).loss / truth;
                    sum += estimate;
                    squares += estimate * estimate;
                    fourths += (estimate - 1.0).powi(4);
                }
            }
            let n = N as f64;
            let (mean, spread) = (sum / n, (squares / n - (sum / n).powi(2)).sqrt());
            let expected = |name: &str| row[form][name].as_f64().unwrap();
            let (bias, std) = (expected("bias_over_true"), expected("std_over_true"));
            let error_of_mean = std / n.sqrt();
            assert!((mean - 1.0 - bias).abs() < 4.0 * error_of_mean, "{form} mu {mu}: bias {}", mean - 1.0);
            let error_of_std = (fourths / n - std.powi(4)).max(0.0).sqrt() / (2.0 * std * n.sqrt());
            assert!((spread - std).abs() < 4.0 * error_of_std, "{form} mu {mu}: spread {spread}, not {std}");
        }
    }
}
