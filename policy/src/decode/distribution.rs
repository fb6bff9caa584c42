//! From logits to the distribution that is drawn from.

use super::elementwise::{exponentials, largest};
use super::random::uniform;
use super::sampling::Sampling;

/// Tokens whose probabilities are added up before the sum is looked at.
const BLOCK: usize = 64;

/// A token and the natural logarithm of its probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Choice {
    pub(crate) token: u32,
    pub(crate) logprob: f32,
}

/// Draws tokens. It keeps its buffers.
#[derive(Default)]
pub(crate) struct Sampler {
    weights: Vec<f32>,
    kept: Vec<(f32, u32)>,
    /// Room for logits that a constraint has changed.
    pub(crate) masked: Vec<f32>,
}

impl Sampler {
    /// The token at a position of the sequence with this seed. `None` when a logit is NaN or none is finite.
    ///
    /// The log-probability is that of the distribution drawn from, after temperature and cuts. At temperature 0,
    /// where that distribution is certain, it is that of the model's own distribution (temperature 1, uncut).
    pub(crate) fn choose(
        &mut self,
        logits: &[f32],
        how: &Sampling,
        seed: u64,
        position: u64,
    ) -> Option<Choice> {
        let top = largest(logits);
        if !top.is_finite() {
            return None;
        }
        let greedy = how.temperature == 0.0;
        let scale = if greedy { 1.0 } else { 1.0 / how.temperature };
        if greedy || (how.top_k == 0 && how.top_p >= 1.0 && how.min_p <= 0.0) {
            // Nothing is cut: the weights stay where they are.
            self.weights.clear();
            self.weights.extend_from_slice(logits);
            exponentials(&mut self.weights, top, scale);
            let total = sum(&self.weights);
            let token = if greedy {
                logits.iter().position(|logit| *logit == top)?
            } else {
                draw(&self.weights, uniform(seed, position) * total)?
            };
            let logprob = f64::from((logits[token] - top) * scale) - total.ln();
            return Some(Choice { token: token as u32, logprob: logprob as f32 });
        }
        self.cut(logits, top, scale, how);
        self.weights.clear();
        self.weights.extend(self.kept.iter().map(|(weight, _)| *weight));
        let total = sum(&self.weights);
        let place = draw(&self.weights, uniform(seed, position) * total)?;
        let token = self.kept[place].1;
        let logprob = f64::from((logits[token as usize] - top) * scale) - total.ln();
        Some(Choice { token, logprob: logprob as f32 })
    }

    /// Leaves in `kept` the weights `exp((logit - top) * scale)` of the tokens that are not cut, in the order of
    /// the tokens.
    fn cut(&mut self, logits: &[f32], top: f32, scale: f32, how: &Sampling) {
        self.weights.clear();
        self.weights.extend_from_slice(logits);
        exponentials(&mut self.weights, top, scale);
        let kept = &mut self.kept;
        kept.clear();
        // The heaviest weight is 1, so `min_p` is a bound on weights. It may be applied first: it takes the lightest
        // away, and `top_p` below still measures its share of all that `top_k` left.
        let mut whole = None;
        if how.top_k > 0 && how.top_k < logits.len() {
            kept.extend(self.weights.iter().zip(0..).map(|(weight, token)| (*weight, token)));
            let (_, last, _) = kept.select_nth_unstable_by(how.top_k - 1, |a, b| b.0.total_cmp(&a.0));
            let least = last.0;
            kept.clear();
            kept.extend(
                self.weights
                    .iter()
                    .zip(0..)
                    .filter(|(weight, _)| **weight >= least)
                    .map(|(w, token)| (*w, token)),
            );
            if how.top_p < 1.0 {
                whole = Some(kept.iter().map(|(weight, _)| f64::from(*weight)).sum::<f64>());
            }
            kept.retain(|(weight, _)| *weight >= how.min_p);
        } else {
            if how.top_p < 1.0 {
                whole = Some(sum(&self.weights));
            }
            let heavy = self.weights.iter().zip(0..).filter(|(weight, _)| **weight >= how.min_p);
            kept.extend(heavy.map(|(weight, token)| (*weight, token)));
        }
        let Some(whole) = whole else { return };
        // Heaviest first, in growing parts, until the share is reached: seldom is all of a vocabulary sorted.
        let enough = whole * f64::from(how.top_p);
        let heavier = |a: &(f32, u32), b: &(f32, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        let (mut start, mut reached, mut part) = (0, 0.0, 64);
        while start < kept.len() {
            let end = (start + part).min(kept.len());
            if end < kept.len() {
                kept[start..].select_nth_unstable_by(end - start - 1, heavier);
            }
            kept[start..end].sort_unstable_by(heavier);
            for i in start..end {
                reached += f64::from(kept[i].0);
                if reached >= enough {
                    kept.truncate(i + 1);
                    break;
                }
            }
            start = end;
            part *= 4;
        }
        kept.sort_unstable_by_key(|(_, token)| *token);
    }
}

/// The sum of weights, block by block.
fn sum(weights: &[f32]) -> f64 {
    weights.chunks(BLOCK).map(block).sum()
}

fn block(weights: &[f32]) -> f64 {
    let mut lanes = [0.0_f32; 8];
    let (chunks, rest) = weights.as_chunks::<8>();
    for chunk in chunks {
        for (lane, weight) in lanes.iter_mut().zip(chunk) {
            *lane += weight;
        }
    }
    for (lane, weight) in lanes.iter_mut().zip(rest) {
        *lane += weight;
    }
    lanes.iter().map(|lane| f64::from(*lane)).sum()
}

/// The first place where the weights, added up, go above `target`.
fn draw(weights: &[f32], target: f64) -> Option<usize> {
    let mut before = 0.0;
    for (i, chunk) in weights.chunks(BLOCK).enumerate() {
        let after = before + block(chunk);
        if after > target {
            for (j, weight) in chunk.iter().enumerate() {
                before += f64::from(*weight);
                if before > target {
                    return Some(i * BLOCK + j);
                }
            }
            // The block was added up in another order.
            return Some(i * BLOCK + chunk.iter().rposition(|weight| *weight > 0.0)?);
        }
        before = after;
    }
    // Rounding can leave the target at the very end.
    weights.iter().rposition(|weight| *weight > 0.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What should be kept, straight from the definition: probabilities in falling order, in 64-bit floats.
    fn support(logits: &[f32], how: &Sampling) -> Vec<(u32, f64)> {
        let weight = |logit: f32| (f64::from(logit) / f64::from(how.temperature)).exp();
        let mut all: Vec<(u32, f64)> = logits.iter().zip(0..).map(|(l, t)| (t, weight(*l))).collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        if how.top_k > 0 && how.top_k < all.len() {
            let least = all[how.top_k - 1].1;
            all.retain(|(_, w)| *w >= least);
        }
        let sum: f64 = all.iter().map(|(_, w)| w).sum();
        let mut before = 0.0;
        all.retain(|(_, w)| {
            let kept = before < f64::from(how.top_p) * sum;
            before += w;
            kept
        });
        let top = all[0].1;
        all.retain(|(_, w)| *w >= f64::from(how.min_p) * top);
        let sum: f64 = all.iter().map(|(_, w)| w).sum();
        for (_, w) in &mut all {
            *w = (*w / sum).ln();
        }
        all.sort_by_key(|(token, _)| *token);
        all
    }

    fn logits(n: usize) -> Vec<f32> {
        // No two are equal.
        (0..n).map(|i| (i as f32 * 2.399).sin() * 3.0 + i as f32 * 1e-4).collect()
    }

    #[test]
    fn draws_have_the_frequencies_of_the_softmax() {
        let n = 100_000_u64;
        for (how, size) in [
            (Sampling::default(), 23),
            (Sampling { temperature: 0.6, ..Sampling::default() }, 300),
            (Sampling { top_p: 0.8, temperature: 1.3, ..Sampling::default() }, 300),
            (Sampling { top_k: 9, ..Sampling::default() }, 40),
            (Sampling { min_p: 0.2, ..Sampling::default() }, 40),
            (Sampling { min_p: 0.05, top_k: 30, top_p: 0.9, ..Sampling::default() }, 300),
        ] {
            let logits = logits(size);
            let mut sampler = Sampler::default();
            let expected = support(&logits, &how);
            let mut counts = vec![0_u32; size];
            for i in 0..n {
                let choice = sampler.choose(&logits, &how, i / 50, i % 50).expect("finite logits");
                counts[choice.token as usize] += 1;
                let (_, logprob) =
                    expected.iter().find(|(token, _)| *token == choice.token).expect("a token that is kept");
                assert!((f64::from(choice.logprob) - logprob).abs() < 2e-6);
            }
            let chi: f64 = expected
                .iter()
                .map(|(token, logprob)| {
                    let expected = logprob.exp() * n as f64;
                    (f64::from(counts[*token as usize]) - expected).powi(2) / expected
                })
                .sum();
            // The normal approximation (Wilson and Hilferty 1931) of the level that one in ten thousand exceeds.
            let k = (expected.len() - 1) as f64;
            let level = k * (1.0 - 2.0 / (9.0 * k) + 3.72 * (2.0 / (9.0 * k)).sqrt()).powi(3);
            assert!(chi < level, "{how:?}: {chi} with {k} degrees of freedom");
        }
    }

    proptest! {
        #[test]
        fn what_is_kept_is_what_the_definition_keeps(
            size in 2_usize..700, temperature in 0.3_f32..3.0, top_k in 0_usize..50,
            top_p in 0.05_f32..1.0, min_p in prop_oneof![Just(0.0_f32), 0.001_f32..0.5],
        ) {
            let logits = logits(size);
            let how = Sampling { temperature, top_k, top_p, min_p, ..Sampling::default() };
            let mut sampler = Sampler::default();
            let top = largest(&logits);
            sampler.choose(&logits, &how, 1, 1).expect("finite logits");
            if top_k > 0 || top_p < 1.0 || min_p > 0.0 {
                sampler.cut(&logits, top, 1.0 / temperature, &how);
                let kept: Vec<u32> = sampler.kept.iter().map(|(_, token)| *token).collect();
                let expected: Vec<u32> = support(&logits, &how).iter().map(|(token, _)| *token).collect();
                // A sum that falls on the bound to the last digit may go either way.
                prop_assert!(kept.len().abs_diff(expected.len()) <= 1, "{kept:?} {expected:?}");
            }
        }
    }

    #[test]
    fn odd_logits() {
        let mut sampler = Sampler::default();
        let how = Sampling::default();
        let inf = f32::NEG_INFINITY;
        assert_eq!(sampler.choose(&[0.0, f32::NAN], &how, 1, 1), None);
        assert_eq!(sampler.choose(&[inf, inf], &how, 1, 1), None);
        assert_eq!(sampler.choose(&[0.0, f32::INFINITY], &how, 1, 1), None);
        assert_eq!(sampler.choose(&[], &how, 1, 1), None);
        let mut hundred = vec![inf; 100];
        hundred[77] = 3.0;
        for position in 0..100 {
            let choice = sampler.choose(&hundred, &how, 5, position).expect("one token is possible");
            assert_eq!(choice, Choice { token: 77, logprob: 0.0 });
        }
        let greedy = Sampling { temperature: 0.0, ..how };
        assert_eq!(sampler.choose(&[1.0, 4.0, 4.0], &greedy, 5, 1).expect("a token").token, 1);
        // Ties with the last of the k are kept.
        let ties = Sampling { top_k: 2, ..Sampling::default() };
        sampler.cut(&[1.0, 2.0, 2.0, 2.0, 0.0], 2.0, 1.0, &ties);
        assert_eq!(sampler.kept.len(), 3);
    }
}
