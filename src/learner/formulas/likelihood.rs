//! Policy losses of the log-probability itself, without a ratio.

use super::terms::Term;

/// REINFORCE, `-A log p` (also the loss of GPG, arXiv:2504.02546).
pub fn reinforce(now: f32, advantage: f64) -> Term {
    Term { loss: -advantage * f64::from(now), slope: -advantage, ..Term::default() }
}

/// DRO, `-(A log p - beta / 2 (log p - log p_old)^2)` (arXiv:2405.19107, by token as in verl).
pub fn dro(now: f32, old: f32, advantage: f64, beta: f64) -> Term {
    let difference = f64::from(now) - f64::from(old);
    Term {
        loss: -(advantage * f64::from(now) - beta / 2.0 * difference * difference),
        slope: -(advantage - beta * difference),
        ..Term::default()
    }
}
