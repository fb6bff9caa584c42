//! Losses of supervised training and of pairs in which one completion is preferred to another.

use super::clip::{log_sigmoid, sigmoid};
use super::invalid::{Invalid, Result, aligned, positive};

/// A loss and its derivatives by what the chosen and the rejected completion score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairLoss {
    /// The loss, to be minimised.
    pub loss: f64,
    /// By the chosen one's score, or by each of its tokens' log-probabilities.
    pub by_chosen: f64,
    /// By the rejected one's.
    pub by_rejected: f64,
    /// The argument of the sigmoid; above 0 where the chosen one is preferred.
    pub margin: f64,
}

/// Bradley-Terry's loss of two rewards, `-log sigmoid(chosen - rejected)`.
///
/// # Errors
/// When a reward is not finite.
pub fn bradley_terry(chosen: f64, rejected: f64) -> Result<PairLoss> {
    logistic(chosen - rejected, 1.0, 1.0)
}

/// What two policies say of a pair: sums of log-probabilities over the counted tokens, and how many those are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// The policy's, of the chosen completion.
    pub chosen: f64,
    /// The policy's, of the rejected one.
    pub rejected: f64,
    /// The reference's, of the chosen one.
    pub reference_chosen: f64,
    /// The reference's, of the rejected one.
    pub reference_rejected: f64,
    /// Tokens of the chosen one.
    pub n_chosen: usize,
    /// Tokens of the rejected one.
    pub n_rejected: usize,
}

/// A loss of pairs. Each gives the gradient by the log-probability of every token of the chosen and of the rejected
/// completion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PairKind {
    /// `-log sigmoid(beta (log-ratio chosen - log-ratio rejected))` (DPO, arXiv:2305.18290).
    Dpo {
        /// How hard the pair is pulled apart; 0.1.
        beta: f64,
    },
    /// DPO with each log-ratio divided by its own length (Tulu 3, arXiv:2411.15124).
    NormalisedDpo {
        /// 5 in Tulu 3.
        beta: f64,
    },
    /// `-log sigmoid(beta (mean log p chosen - mean log p rejected) - gamma)` (SimPO, arXiv:2405.14734).
    Simpo {
        /// 2 to 2.5.
        beta: f64,
        /// The margin; 0.3 to 0.55 times `beta`.
        gamma: f64,
    },
    /// DPO plus `alpha` times the mean negative log-probability of the chosen one (arXiv:2404.19733).
    DpoNll {
        /// As in DPO.
        beta: f64,
        /// The weight of the second term; 1.
        alpha: f64,
    },
}

impl PairKind {
    /// The loss of a pair.
    ///
    /// # Errors
    /// When a completion has no token, a parameter is not above 0, or a number is not finite.
    pub fn loss(&self, pair: &Pair) -> Result<PairLoss> {
        if pair.n_chosen == 0 || pair.n_rejected == 0 {
            return Err(Invalid::shape("pair", "a completion has no counted token"));
        }
        let (n_chosen, n_rejected) = (pair.n_chosen as f64, pair.n_rejected as f64);
        let chosen = pair.chosen - pair.reference_chosen;
        let rejected = pair.rejected - pair.reference_rejected;
        match *self {
            Self::Dpo { beta } => {
                positive("beta", beta)?;
                logistic(beta * (chosen - rejected), beta, beta)
            }
            Self::NormalisedDpo { beta } => {
                positive("beta", beta)?;
                logistic(
                    beta * (chosen / n_chosen - rejected / n_rejected),
                    beta / n_chosen,
                    beta / n_rejected,
                )
            }
            Self::Simpo { beta, gamma } => {
                positive("beta", beta)?;
                let margin = beta * (pair.chosen / n_chosen - pair.rejected / n_rejected) - gamma;
                logistic(margin, beta / n_chosen, beta / n_rejected)
            }
            Self::DpoNll { beta, alpha } => {
                let mut loss = Self::Dpo { beta }.loss(pair)?;
                loss.loss -= alpha * pair.chosen / n_chosen;
                loss.by_chosen -= alpha / n_chosen;
                Ok(loss)
            }
        }
    }
}

/// `-log sigmoid(margin)`, where the margin moves by these with the two scores.
fn logistic(margin: f64, by_chosen: f64, by_rejected: f64) -> Result<PairLoss> {
    if !margin.is_finite() {
        return Err(Invalid::NotFinite { place: "margin of the pair".to_owned(), index: 0, value: margin });
    }
    let pull = sigmoid(-margin);
    Ok(PairLoss {
        loss: -log_sigmoid(margin),
        by_chosen: -pull * by_chosen,
        by_rejected: pull * by_rejected,
        margin,
    })
}

/// Supervised training on the tokens in the mask: the mean of `-log p` over `n_tokens` of the whole step, and its
/// gradient by each log-probability. With `by_confidence`, each token weighs as much as the policy believes in it,
/// as a constant (DFT, arXiv:2508.05629).
///
/// # Errors
/// When arrays differ in length, or a log-probability is not finite.
pub fn supervised(
    logprobs: &[f32],
    mask: &[bool],
    n_tokens: usize,
    by_confidence: bool,
) -> Result<(f64, Vec<f32>)> {
    aligned("logprobs", logprobs.len(), mask.len())?;
    let n = n_tokens.max(1) as f64;
    let (mut loss, mut gradient) = (0.0, vec![0.0; mask.len()]);
    for index in (0..mask.len()).filter(|t| mask[*t]) {
        let logprob = f64::from(logprobs[index]);
        if !logprob.is_finite() {
            return Err(Invalid::NotFinite { place: "logprobs".to_owned(), index, value: logprob });
        }
        let weight = if by_confidence { logprob.min(0.0).exp() } else { 1.0 };
        loss -= weight * logprob / n;
        gradient[index] = (-weight / n) as f32;
    }
    Ok((loss, gradient))
}
