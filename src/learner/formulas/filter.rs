//! Which groups, prompts and completions are learned from.

use super::batch::Sequence;
use super::invalid::{Result, aligned};

/// The reward from which on a completion counts as right, where all that matters is whether it is.
pub const RIGHT: f64 = 1.0;

/// Dynamic sampling (DAPO, arXiv:2503.14476, equation 11): keep a group with some but not all completions right.
/// Completions without a reward count neither way.
pub fn keeps_mixed(rewards: &[Option<f64>]) -> bool {
    let n_judged = rewards.iter().flatten().count();
    let n_right = rewards.iter().flatten().filter(|reward| **reward >= RIGHT).count();
    0 < n_right && n_right < n_judged
}

/// Keep a group whose rewards have a sample standard deviation above `least` (slime takes 1e-6, verl and ScaleRL 0).
/// Equal rewards never pass.
pub fn keeps_spread(rewards: &[Option<f64>], least: f64) -> bool {
    let judged: Vec<f64> = rewards.iter().flatten().copied().collect();
    if judged.len() < 2 || judged.iter().all(|reward| *reward == judged[0]) {
        return false;
    }
    let mean = judged.iter().sum::<f64>() / judged.len() as f64;
    let squares: f64 = judged.iter().map(|reward| (reward - mean).powi(2)).sum();
    (squares / (judged.len() - 1) as f64).sqrt() > least
}

/// Keep a prompt that is solved sometimes: its pass rate is between the two, not at either.
pub fn keeps_band(pass_rate: f64, low: f64, high: f64) -> bool {
    pass_rate > low && pass_rate < high
}

/// Keep a prompt that was never solved in its samples ("fails best of n").
pub const fn keeps_unsolved(n_right: usize) -> bool {
    n_right == 0
}

/// No-positive-resampling (ScaleRL, arXiv:2510.13786): drop a prompt for good once its pass rate reaches `limit`.
pub fn keeps_unmastered(pass_rate: f64, limit: f64) -> bool {
    pass_rate < limit
}

/// Prioritised sampling (Kimi k1.5, arXiv:2501.12599): each prompt's probability, in proportion to 1 minus its pass
/// rate; the same for all where every one is solved.
pub fn priorities(pass_rates: &[f64]) -> Vec<f64> {
    let weights: Vec<f64> = pass_rates.iter().map(|rate| (1.0 - rate).clamp(0.0, 1.0)).collect();
    let sum: f64 = weights.iter().sum();
    if sum > 0.0 {
        weights.iter().map(|weight| weight / sum).collect()
    } else {
        vec![1.0 / pass_rates.len() as f64; pass_rates.len()]
    }
}

/// The unbiased estimate of pass@k from `n` samples of which `n_right` are right: `1 - C(n - c, k) / C(n, k)`
/// (arXiv:2107.03374). With fewer samples than `k` it is that of pass@n.
pub fn pass_at_k(n: usize, n_right: usize, k: usize) -> f64 {
    let (n_right, k) = (n_right.min(n), k.min(n));
    if n - n_right < k {
        return 1.0;
    }
    1.0 - (0..k).map(|i| (n - n_right - i) as f64 / (n - i) as f64).product::<f64>()
}

/// Takes the tokens of some sequences out of the mask: truncated completions (DAPO's overlong filtering, TRL's
/// `mask_truncated_completions`), or ones without a reward. They then count in no denominator.
///
/// # Errors
/// When there is not one flag for each sequence.
pub fn mask_out(mask: &mut [bool], sequences: &[Sequence], out: &[bool]) -> Result<()> {
    aligned("sequences to mask", out.len(), sequences.len())?;
    for (sequence, _) in sequences.iter().zip(out).filter(|(_, out)| **out) {
        aligned("mask", mask.len().max(sequence.end), mask.len())?;
        mask[sequence.start..sequence.end].fill(false);
    }
    Ok(())
}

/// Whether two texts share a run of `n` words: lower case, words apart by white space, punctuation kept (as open-r1
/// and s1 look for test items in training data).
pub fn shares_words(a: &str, b: &str, n: usize) -> bool {
    let words =
        |text: &str| -> Vec<String> { text.to_lowercase().split_whitespace().map(str::to_owned).collect() };
    let (a, b) = (words(a), words(b));
    if n == 0 {
        return false;
    }
    let runs: std::collections::HashSet<&[String]> = a.windows(n).collect();
    b.windows(n).any(|run| runs.contains(run))
}
