//! How the losses of tokens become one number.

use serde::{Deserialize, Serialize};

use super::batch::{Batch, Denominators};
use super::invalid::{Invalid, Result};

/// The weight `W` of each counted token in `loss = sum of W * loss of the token`.
///
/// With `B` sequences, `T` counted tokens in the token's sequence and `N` in the whole step; see [`Denominators`] for
/// what is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    /// `1 / (T B)`: sequences weigh the same, so tokens of long ones weigh less (GRPO, arXiv:2402.03300).
    #[serde(alias = "seq-mean-token-mean")]
    SeqMeanTokenMean,
    /// `1 / N`: tokens weigh the same (DAPO, arXiv:2503.14476; verl's default).
    #[default]
    #[serde(alias = "token-mean")]
    TokenMean,
    /// `1 / B` (REINFORCE, RLOO).
    #[serde(alias = "seq-mean-token-sum")]
    SeqMeanTokenSum,
    /// `1 / (B L)` with a constant `L`, the most tokens a completion may have (Dr. GRPO, arXiv:2503.20783).
    #[serde(alias = "seq-mean-token-sum-norm")]
    SeqMeanTokenSumNorm,
    /// `1 / (tokens of the token's group * groups)`: prompts weigh the same (ScaleRL, arXiv:2510.13786).
    #[serde(alias = "prompt-mean")]
    PromptMean,
    /// `1`.
    #[serde(alias = "token-sum")]
    TokenSum,
}

impl Aggregation {
    /// The weights of a micro-batch's tokens, `[M]`; 0 where the mask is false. `length` is the constant `L`; without
    /// one it is the length of the longest sequence of the step.
    ///
    /// # Errors
    /// When the batch was not counted in `denominators`.
    pub fn weights(
        self,
        batch: &Batch,
        denominators: &Denominators,
        length: Option<u32>,
    ) -> Result<Vec<f64>> {
        let mut weights = vec![0.0; batch.n_tokens()];
        let n_sequences = denominators.n_sequences as f64;
        let longest = length.map_or(denominators.max_length as f64, f64::from);
        for sequence in batch.sequences {
            let n = batch.counted(sequence).count();
            if n == 0 {
                continue;
            }
            let of_group = denominators.group_tokens.get(sequence.group).copied().unwrap_or(0);
            if of_group < n || denominators.n_tokens < of_group {
                let message = format!(
                    "group {} has {of_group} tokens there and a sequence of it has {n}: count every micro-batch \
                     before the first is computed",
                    sequence.group
                );
                return Err(Invalid::shape("denominators", message));
            }
            let weight = match self {
                Self::SeqMeanTokenMean => 1.0 / (n as f64 * n_sequences),
                Self::TokenMean => 1.0 / denominators.n_tokens as f64,
                Self::SeqMeanTokenSum => 1.0 / n_sequences,
                Self::SeqMeanTokenSumNorm => 1.0 / (n_sequences * longest),
                Self::PromptMean => 1.0 / (of_group as f64 * denominators.n_groups as f64),
                Self::TokenSum => 1.0,
            };
            for t in batch.counted(sequence) {
                weights[t] = weight;
            }
        }
        Ok(weights)
    }
}
