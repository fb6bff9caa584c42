//! Policy losses that drop a token once its probability has moved too far, measured as a divergence.

use super::terms::{Term, log_ratio};

/// How far a token's probability has moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Divergence {
    /// `p - p_old`: the total variation that this token contributes.
    Tv,
    /// The Kullback-Leibler divergence between "this token" and "another" under the old and the new policy.
    Kl,
}

/// Which bounds a move exceeds: going down while the advantage is not positive, going up while it is positive.
fn exceeds(now: f32, old: f32, advantage: f64, low: f64, high: f64, divergence: Divergence) -> (bool, bool) {
    let (new, before) = (f64::from(now).min(0.0).exp(), f64::from(old).min(0.0).exp());
    let up = advantage > 0.0;
    let moved = match divergence {
        Divergence::Tv if up => new - before,
        Divergence::Tv => before - new,
        Divergence::Kl if up == (new > before) => binary_kl(before, new),
        Divergence::Kl => 0.0,
    };
    (!up && moved > low, up && moved > high)
}

/// `KL(Bernoulli(p) || Bernoulli(q))`, with `q` kept away from 0 and 1.
fn binary_kl(p: f64, q: f64) -> f64 {
    const TINY: f64 = 1e-12;
    let part = |a: f64, b: f64| if a > 0.0 { a * (a / b.max(TINY)).ln() } else { 0.0 };
    part(p, q) + part(1.0 - p, 1.0 - q)
}

/// DPPO (arXiv:2602.04879): `-A min(r, cap) log p` with a constant weight, or 0 for a token whose probability moved
/// beyond `high` upwards with a positive advantage, or beyond `low` downwards with another.
pub fn dppo(
    now: f32,
    old: f32,
    advantage: f64,
    (low, high): (f64, f64),
    cap: f64,
    divergence: Divergence,
) -> Term {
    let (low, high) = exceeds(now, old, advantage, low, high, divergence);
    if low || high {
        return Term { low, high, ..Term::default() };
    }
    let slope = -advantage * log_ratio(now, old).0.exp().min(cap);
    Term { loss: slope * f64::from(now), slope, low, high }
}

/// prime-rl's default since August 2026: `-A r` with the gradient through the ratio, dropped as in [`dppo`] by total
/// variation, plus `kl (log p - log p_old)^2` of every token.
pub fn prime_rl(now: f32, old: f32, advantage: f64, low: f64, high: f64, kl: f64) -> Term {
    let (low, high) = exceeds(now, old, advantage, low, high, Divergence::Tv);
    let (difference, inside) = log_ratio(now, old);
    let gain = if low || high { 0.0 } else { -advantage * difference.exp() };
    Term {
        loss: gain + kl * difference * difference,
        slope: (gain + 2.0 * kl * difference) * inside,
        low,
        high,
    }
}
