//! Policy losses of whole sequences: their ratio is one number for all of a sequence's tokens.

use super::batch::Batch;
use super::terms::{Term, Terms, held};

/// The sum of `now - old` over the counted tokens of a sequence, and how many there are.
fn sum_log_ratio(batch: &Batch, old: &[f32], sequence: &super::batch::Sequence) -> (f64, usize) {
    let (mut sum, mut n) = (0.0, 0);
    for t in batch.counted(sequence) {
        sum += f64::from(batch.logprobs[t]) - f64::from(old[t]);
        n += 1;
    }
    (sum, n)
}

/// Which form of GSPO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gspo {
    /// One loss per sequence (equation 5 of the paper).
    Sequence,
    /// One loss per sequence, times its number of counted tokens (LUSPO).
    SequenceTimesLength,
    /// One loss per token whose ratio has the sequence's value and the token's gradient (GSPO-token, equation 13),
    /// for advantages that differ between tokens.
    Token,
}

/// GSPO (arXiv:2507.18071): `-min(s A, clip(s, 1 - low, 1 + high) A)` with
/// `s = exp(mean over tokens of (log p - log p_old))`. The slope by each token is `-A s / T` inside of the bounds.
pub fn gspo(batch: &Batch, old: &[f32], low: f64, high: f64, form: Gspo) -> Terms {
    let mut terms = Terms::zeros(batch.n_tokens(), form != Gspo::Token);
    for sequence in batch.sequences {
        let (sum, n) = sum_log_ratio(batch, old, sequence);
        if n == 0 {
            continue;
        }
        let (mean, inside) = held(sum / n as f64);
        let ratio = mean.exp();
        let bounded = ratio.clamp(1.0 - low, 1.0 + high);
        let of_sequence = batch.sequence_advantage(sequence);
        // What one token's log-probability moves: its share of the mean, or all of its own ratio.
        let (length, share) = match form {
            Gspo::Sequence => (1.0, 1.0 / n as f64),
            Gspo::SequenceTimesLength => (n as f64, 1.0 / n as f64),
            Gspo::Token => (1.0, 1.0),
        };
        for t in batch.counted(sequence) {
            let advantage = if form == Gspo::Token { f64::from(batch.advantages[t]) } else { of_sequence };
            let (free, clipped) = (-ratio * advantage, -bounded * advantage);
            let slope = if clipped > free { 0.0 } else { free * share * inside };
            terms.set(
                t,
                Term {
                    loss: free.max(clipped) * length,
                    slope: slope * length,
                    low: ratio < 1.0 - low && advantage < 0.0,
                    high: ratio > 1.0 + high && advantage > 0.0,
                },
            );
        }
    }
    terms
}

/// GMPO (arXiv:2507.20673): `-A exp(mean over tokens of e)`, where `e` is `log p - log p_old`, held from above by
/// `high` for a positive advantage and from below by `-low` for a negative one.
pub fn gmpo(batch: &Batch, old: &[f32], low: f64, high: f64) -> Terms {
    let mut terms = Terms::zeros(batch.n_tokens(), true);
    for sequence in batch.sequences {
        let advantage = batch.sequence_advantage(sequence);
        let mut tokens = Vec::with_capacity(sequence.len());
        let mut sum = 0.0;
        for t in batch.counted(sequence) {
            let (difference, inside) = held(f64::from(batch.logprobs[t]) - f64::from(old[t]));
            let above = advantage > 0.0 && difference > high;
            let below = advantage < 0.0 && difference < -low;
            let slope = if above || below { 0.0 } else { inside };
            sum += if above {
                high
            } else if below {
                -low
            } else {
                difference
            };
            tokens.push((t, slope, below, above));
        }
        let n = tokens.len() as f64;
        let loss = if tokens.is_empty() { 0.0 } else { -advantage * (sum / n).exp() };
        for (t, slope, low, high) in tokens {
            terms.set(t, Term { loss, slope: loss * slope / n, low, high });
        }
    }
    terms
}

/// Exponents and rates of [`vespo`] for one sign of the advantage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gamma {
    /// The exponent `k`.
    pub k: f64,
    /// The rate `lambda`.
    pub lambda: f64,
}

/// VESPO (as in TRL): `-phi A log p` with the constant `phi = w^k exp(lambda (1 - w))`,
/// `w = exp(sum over tokens of (log p - log p_old))`; one pair of `k` and `lambda` for advantages from 0, one for
/// those below.
pub fn vespo(batch: &Batch, old: &[f32], positive: Gamma, negative: Gamma) -> Terms {
    let mut terms = Terms::zeros(batch.n_tokens(), false);
    for sequence in batch.sequences {
        let log_weight = held(sum_log_ratio(batch, old, sequence).0).0;
        for t in batch.counted(sequence) {
            let advantage = f64::from(batch.advantages[t]);
            let Gamma { k, lambda } = if advantage >= 0.0 { positive } else { negative };
            let phi = (k * log_weight + lambda * (1.0 - log_weight.exp())).exp();
            let slope = -phi * advantage;
            terms.set(t, Term { loss: slope * f64::from(batch.logprobs[t]), slope, ..Term::default() });
        }
    }
    terms
}

/// Kimi k1.5 (arXiv:2501.12599): `-(A d - tau / 2 d^2)` with `d = sum over tokens of (log p - log p_old)` and
/// `A = R - baseline`.
///
/// Its gradient is the paper's equation 3. It differs from the squared loss of equation 2 by the constant `A^2` and
/// by the factor `2 tau`, so that the learning rate need not follow `tau`:
/// `(A - tau d)^2 = A^2 + 2 tau * loss`.
pub fn kimi(batch: &Batch, old: &[f32], tau: f64) -> Terms {
    let mut terms = Terms::zeros(batch.n_tokens(), true);
    for sequence in batch.sequences {
        let advantage = batch.sequence_advantage(sequence);
        let (difference, _) = sum_log_ratio(batch, old, sequence);
        let loss = -(advantage * difference - tau / 2.0 * difference * difference);
        let slope = -(advantage - tau * difference);
        for t in batch.counted(sequence) {
            terms.set(t, Term { loss, slope, ..Term::default() });
        }
    }
    terms
}
