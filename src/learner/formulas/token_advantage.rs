//! Advantages that differ between the tokens of a completion, or that need more than the rewards of its group.

use graders::advantage::{GroupRewards, group_normalised};

use super::batch::Sequence;
use super::clip::sigmoid;
use super::invalid::{Invalid, Result, aligned};

/// Added to a variance before its root is divided by (as in verl).
const WHITENING_EPS: f64 = 1e-8;

fn counted<'a>(sequence: &Sequence, mask: &'a [bool]) -> impl DoubleEndedIterator<Item = usize> + use<'a> {
    (sequence.start..sequence.end).filter(move |t| mask[*t])
}

/// Brings the counted values to mean 0 and sample variance 1, over all tokens together, and others to 0. Values that
/// are all equal, or one alone, become exactly 0.
pub fn whiten(values: &mut [f64], mask: &[bool]) {
    let tokens: Vec<f64> = values.iter().zip(mask).filter_map(|(v, m)| m.then_some(*v)).collect();
    let n = tokens.len() as f64;
    let mean = tokens.iter().sum::<f64>() / n.max(1.0);
    let equal = tokens.iter().all(|value| *value == tokens[0]);
    let squares: f64 = tokens.iter().map(|value| (value - mean).powi(2)).sum();
    let scale = if equal { 0.0 } else { 1.0 / (squares / (n - 1.0) + WHITENING_EPS).sqrt() };
    for (value, counted) in values.iter_mut().zip(mask) {
        *value = if *counted { (*value - mean) * scale } else { 0.0 };
    }
}

/// The reward of each token, `[M]`: what the token's penalty takes off, and at the last counted token of a sequence
/// the sequence's reward. A sequence without a reward has none anywhere.
///
/// # Errors
/// When there is not one reward per sequence, or one penalty per token.
pub fn token_rewards(
    sequences: &[Sequence],
    mask: &[bool],
    rewards: &[Option<f64>],
    penalties: Option<&[f64]>,
) -> Result<Vec<f64>> {
    aligned("rewards", rewards.len(), sequences.len())?;
    if let Some(penalties) = penalties {
        aligned("penalties", penalties.len(), mask.len())?;
    }
    let mut tokens = vec![0.0; mask.len()];
    for (sequence, reward) in sequences.iter().zip(rewards) {
        let Some(reward) = reward else { continue };
        for t in counted(sequence, mask) {
            tokens[t] -= penalties.map_or(0.0, |penalties| penalties[t]);
        }
        if let Some(last) = counted(sequence, mask).next_back() {
            tokens[last] += reward;
        }
    }
    Ok(tokens)
}

/// The discounted sum of a token's reward and those of the counted tokens after it; 0 where the mask is false.
pub fn returns(sequences: &[Sequence], mask: &[bool], token_rewards: &[f64], gamma: f64) -> Vec<f64> {
    let mut returns = vec![0.0; mask.len()];
    for sequence in sequences {
        let mut later = 0.0;
        for t in counted(sequence, mask).rev() {
            later = token_rewards[t] + gamma * later;
            returns[t] = later;
        }
    }
    returns
}

/// REINFORCE++ (arXiv:2501.03262): returns, whitened over all counted tokens of the step.
pub fn reinforce_plus_plus(
    sequences: &[Sequence],
    mask: &[bool],
    token_rewards: &[f64],
    gamma: f64,
) -> Vec<f64> {
    let mut advantages = returns(sequences, mask, token_rewards, gamma);
    whiten(&mut advantages, mask);
    advantages
}

/// An advantage per sequence, spread to its counted tokens and whitened over all of the step: the last part of
/// REINFORCE++ with the group's mean as a baseline, and of GDPO as verl has it. Long sequences weigh more in the
/// statistics, and a group without spread gets what the whitening's mean leaves.
///
/// # Errors
/// When there is not one advantage per sequence.
pub fn spread_and_whitened(sequences: &[Sequence], mask: &[bool], advantages: &[f64]) -> Result<Vec<f64>> {
    aligned("advantages of sequences", advantages.len(), sequences.len())?;
    let mut tokens = vec![0.0; mask.len()];
    for (sequence, advantage) in sequences.iter().zip(advantages) {
        counted(sequence, mask).for_each(|t| tokens[t] = *advantage);
    }
    whiten(&mut tokens, mask);
    Ok(tokens)
}

/// GDPO's advantage per completion before the last normalisation (arXiv:2601.05242): each component's scores
/// normalised in the group, summed by weight; `None` where there is no reward.
pub fn gdpo_sums(groups: &[GroupRewards], ddof: usize, eps: f64) -> Vec<Option<f64>> {
    groups.iter().flat_map(|group| group_normalised(group, ddof, eps)).collect()
}

/// Advantages and what a value head should have said.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimated {
    /// `[M]`, not whitened.
    pub advantages: Vec<f64>,
    /// `[M]`: advantage plus value.
    pub returns: Vec<f64>,
}

/// Generalised advantage estimation (arXiv:1506.02438). Tokens outside of the mask are stepped over; the value after
/// the last token is 0. Lambda 0 gives the one-step error, lambda 1 with gamma 1 the return minus the value.
///
/// # Errors
/// When there is not one reward and one value per token.
pub fn gae(
    sequences: &[Sequence],
    mask: &[bool],
    token_rewards: &[f64],
    values: &[f64],
    gamma: f64,
    lambda: f64,
) -> Result<Estimated> {
    aligned("token rewards", token_rewards.len(), mask.len())?;
    aligned("values", values.len(), mask.len())?;
    let mut estimated = Estimated { advantages: vec![0.0; mask.len()], returns: vec![0.0; mask.len()] };
    for sequence in sequences {
        let (mut next_value, mut later) = (0.0, 0.0);
        for t in counted(sequence, mask).rev() {
            later = token_rewards[t] + gamma * next_value - values[t] + gamma * lambda * later;
            next_value = values[t];
            estimated.advantages[t] = later;
            estimated.returns[t] = later + values[t];
        }
    }
    Ok(estimated)
}

/// A judged step of a completion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JudgedStep {
    /// The step's last token, counted from the completion's first.
    pub end: usize,
    /// The step's reward.
    pub reward: f64,
}

/// Process supervision (arXiv:2402.03300, section 4.1.3), for one group: the rewards of all steps are normalised
/// together, and a token's advantage is the sum of those of the steps that end at or after it. Which standard
/// deviation the paper takes is not said; most take `ddof` 0. `lengths` are those of the completions.
///
/// # Errors
/// When a step ends past its completion, or there is not one length per completion.
pub fn process_supervision(
    steps: &[Vec<JudgedStep>],
    lengths: &[usize],
    ddof: usize,
) -> Result<Vec<Vec<f64>>> {
    aligned("lengths", lengths.len(), steps.len())?;
    let rewards: Vec<f64> = steps.iter().flatten().map(|step| step.reward).collect();
    let n = rewards.len();
    let mean = rewards.iter().sum::<f64>() / n.max(1) as f64;
    let squares: f64 = rewards.iter().map(|reward| (reward - mean).powi(2)).sum();
    let silent = n <= ddof || rewards.iter().all(|reward| *reward == rewards[0]);
    let scale = if silent { 0.0 } else { 1.0 / (squares / (n - ddof) as f64).sqrt() };
    let of = |(i, (steps, length)): (usize, (&Vec<JudgedStep>, &usize))| {
        let mut advantages = vec![0.0; *length];
        for step in steps {
            let Some(tokens) = advantages.get_mut(..=step.end) else {
                let message = format!("a step of completion {i} ends at token {} of {length}", step.end);
                return Err(Invalid::shape("steps", message));
            };
            for token in tokens {
                *token += (step.reward - mean) * scale;
            }
        }
        Ok(advantages)
    };
    steps.iter().zip(lengths).enumerate().map(of).collect()
}

/// ReMax (arXiv:2310.10505): the reward minus that of the answer sampled at temperature 0 to the same prompt; 0 where
/// either is missing.
pub fn remax(reward: Option<f64>, greedy: Option<f64>) -> f64 {
    reward.zip(greedy).map_or(0.0, |(reward, greedy)| reward - greedy)
}

/// A reward measured against that of a baseline answer: `sigmoid(reward - baseline)` (CGPO, arXiv:2409.20370).
pub fn calibrated(reward: f64, baseline: f64) -> f64 {
    sigmoid(reward - baseline)
}

/// CRPG, the policy gradient of CGPO (arXiv:2409.20370, equations 8 to 12): a completion's calibrated reward if all
/// judges pass it, else 0; shrunk to nothing as `log p - log p_ref` of the whole completion grows to `kl_max`.
pub fn crpg_reward(calibrated: f64, passes: bool, log_ratio: f64, kl_max: f64) -> f64 {
    let constrained = if passes { calibrated } else { 0.0 };
    (1.0 - log_ratio / kl_max).max(0.0) * constrained
}
