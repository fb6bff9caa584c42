//! Policy losses of the ratio of a token's probability now to what it was, with bounds on the ratio.

use super::terms::{Term, log_ratio};

/// PPO's clipped surrogate, `-min(r A, clip(r, 1 - low, 1 + high) A)` (arXiv:1707.06347; separate bounds:
/// DAPO, arXiv:2503.14476). With `dual`, the loss of a negative advantage is at most `-dual A` (arXiv:1912.09729;
/// verl's `clip_ratio_c`, TRL's `delta`). The slope is `-A r` inside of the bounds and 0 outside.
///
/// `low` and `high` in the result say that the ratio is beyond the bound in the direction of the advantage.
pub fn ppo(now: f32, old: f32, advantage: f64, low: f64, high: f64, dual: Option<f64>) -> Term {
    let (difference, inside) = log_ratio(now, old);
    let ratio = difference.exp();
    let free = -ratio * advantage;
    let clipped = -ratio.clamp(1.0 - low, 1.0 + high) * advantage;
    let mut term = Term {
        loss: free,
        slope: free * inside,
        low: ratio < 1.0 - low && advantage < 0.0,
        high: ratio > 1.0 + high && advantage > 0.0,
    };
    if clipped > free {
        (term.loss, term.slope) = (clipped, 0.0);
    }
    if let Some(dual) = dual
        && advantage < 0.0
        && term.loss > -dual * advantage
    {
        (term.loss, term.slope) = (-dual * advantage, 0.0);
    }
    term
}

/// CISPO, `-clip(r, lower, upper) A log p` with a constant weight (MiniMax-M1, arXiv:2506.13585): every token keeps a
/// gradient. The bounds are those of the ratio itself (TRL); verl and slime write them as distances from 1.
pub fn cispo(now: f32, old: f32, advantage: f64, upper: f64, lower: Option<f64>) -> Term {
    let ratio = log_ratio(now, old).0.exp();
    let weight = ratio.min(upper).max(lower.unwrap_or(0.0));
    let slope = -weight * advantage;
    Term {
        loss: slope * f64::from(now),
        slope,
        low: lower.is_some_and(|lower| ratio < lower),
        high: ratio > upper,
    }
}

/// SAPO, `-A (4 / tau) sigmoid(tau (r - 1))` with one `tau` for positive advantages and one for the others
/// (arXiv:2511.20347): a bound without an edge.
pub fn sapo(now: f32, old: f32, advantage: f64, tau_positive: f64, tau_negative: f64) -> Term {
    let (difference, inside) = log_ratio(now, old);
    let ratio = difference.exp();
    let tau = if advantage > 0.0 { tau_positive } else { tau_negative };
    let gate = sigmoid(tau * (ratio - 1.0));
    Term {
        loss: -advantage * 4.0 / tau * gate,
        slope: -advantage * 4.0 * gate * (1.0 - gate) * ratio * inside,
        ..Term::default()
    }
}

/// `1 / (1 + exp(-x))` without overflow.
pub fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

/// `log sigmoid(x)` without overflow.
pub fn log_sigmoid(x: f64) -> f64 {
    x.min(0.0) - (-x.abs()).exp().ln_1p()
}
