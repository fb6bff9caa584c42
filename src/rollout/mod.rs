//! Rollouts: groups of completions that a policy sampled for tasks.
//!
//! An engine samples; it knows no reward. What it gives back says of every token which policy sampled it and with
//! what log-probability, so that a learner can correct for a policy that has moved on.

mod assembly;
#[cfg(feature = "llama")]
mod llama;
mod native;
mod remote;
mod scripted;

#[cfg(feature = "llama")]
pub use self::llama::{LlamaEngine, LlamaLogits, LlamaSettings};
pub use self::native::NativeEngine;
pub use self::remote::{Folder, Messages, RemoteEngine, RemoteSettings, WeightSync, Wire};
pub use self::scripted::ScriptedEngine;

use std::sync::Arc;

use graders::{Completion, Task};

/// A task as the policy sees it.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// What is asked.
    pub task: Arc<Task>,
    /// The same as the policy's tokens.
    pub tokens: Arc<[u32]>,
}

/// Turns tokens into text, as the tokenizer of the policy does.
pub type Decode = Arc<dyn Fn(&[u32]) -> String + Send + Sync>;

/// One completion with what the learner needs to know of its tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rollout {
    /// `[T]`: with the stop token, where there was one.
    pub tokens: Vec<u32>,
    /// `[T]`: log-probability under the distribution that was sampled from; 0 for tokens that were inserted.
    pub logprobs: Vec<f32>,
    /// `[T]`: whether the policy sampled the token; a token that was inserted is not trained on.
    pub sampled: Vec<bool>,
    /// `[T]`: which policy sampled each token: how many steps it had taken.
    pub policy_versions: Vec<u64>,
    /// What its draws follow from.
    pub seed: u64,
    /// The text, as it is judged. Without a finish reason it is not finished.
    pub completion: Completion,
}

impl Rollout {
    /// Whether nothing more comes.
    pub fn is_finished(&self) -> bool {
        self.completion.finish_reason.is_some()
    }

    /// How many of its tokens the policy sampled.
    pub fn n_sampled(&self) -> usize {
        self.sampled.iter().filter(|sampled| **sampled).count()
    }

    /// Whether it was cut off.
    pub fn is_truncated(&self) -> bool {
        self.completion.finish_reason.as_deref() == Some("length")
    }
}

/// The rollouts of one prompt; only these are compared with each other.
#[derive(Clone, Debug)]
pub struct Group {
    /// The prompt's index among those that were asked for.
    pub index: usize,
    /// What was asked.
    pub prompt: Prompt,
    /// In the order of their seeds.
    pub rollouts: Vec<Rollout>,
}

/// How completions are sampled.
#[derive(Clone)]
pub struct SampleRequest<'a> {
    /// Each gets a group.
    pub prompts: &'a [Prompt],
    /// G: rollouts of a group.
    pub group_size: usize,
    /// What an earlier call left unfinished, by the index of its prompt: it goes on where it stopped, with the
    /// weights that are now in force.
    pub begun: &'a [Group],
    /// Distribution and limits.
    pub sampling: &'a policy::decode::Sampling,
    /// Decides every draw: the same seed and policy give the same tokens.
    pub seed: u64,
    /// Asked between steps: `true` ends the call with what is there.
    pub interrupt: Option<&'a (dyn Fn() -> bool + Sync)>,
}

impl std::fmt::Debug for SampleRequest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SampleRequest")
            .field("prompts", &self.prompts.len())
            .field("group_size", &self.group_size)
            .field("begun", &self.begun.len())
            .field("sampling", self.sampling)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

impl<'a> SampleRequest<'a> {
    /// New groups, to their ends.
    pub const fn new(
        prompts: &'a [Prompt],
        group_size: usize,
        sampling: &'a policy::decode::Sampling,
        seed: u64,
    ) -> Self {
        Self { prompts, group_size, begun: &[], sampling, seed, interrupt: None }
    }
}

/// What a call gave beside whole groups.
#[derive(Clone, Debug, Default)]
pub struct Sampled {
    /// What it took.
    pub cost: SampleCost,
    /// Groups with rollouts that were interrupted, or that had no turn yet.
    pub unfinished: Vec<Group>,
}

/// What sampling took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SampleCost {
    /// Tokens of prompts that were computed; a prompt counts once for its group.
    pub n_prompt_tokens: usize,
    /// Tokens that were sampled or inserted.
    pub n_tokens: usize,
    /// Steps of the batch.
    pub n_steps: usize,
    /// Rollouts that were asked for and that the engine could not give; their groups are smaller or not there.
    pub n_failed: usize,
}

/// Why an engine gave no rollouts.
#[derive(Debug, thiserror::Error)]
pub enum RolloutError {
    /// The model failed.
    #[error(transparent)]
    Policy(#[from] policy::PolicyError),
    /// Servers could not be asked.
    #[error(transparent)]
    Remote(#[from] crate::remote::RemoteError),
    /// Servers gave nothing that could be used, or nothing that more requests would change.
    #[error("{n_lost} of {n_asked} rollouts did not come; the first because: {message}")]
    Lost {
        /// Rollouts that did not come.
        n_lost: usize,
        /// Rollouts that were asked for.
        n_asked: usize,
        /// What happened to the first of them.
        message: String,
    },
    /// llama.cpp failed.
    #[cfg(feature = "llama")]
    #[error(transparent)]
    Llama(#[from] ::llama::LlamaError),
    /// The engine was asked for what it does not have.
    #[error("{message}")]
    Request {
        /// What was wrong and what to do.
        message: String,
    },
}

/// Samples groups of completions.
pub trait RolloutEngine: Send {
    /// Samples a group for every prompt. `on_group` is called as soon as a group is whole, so that it can be judged
    /// while others are being sampled; the groups come in any order. An engine that lost some of a group's rollouts
    /// hands over the others and counts the lost ones; a group that lost all of them is not handed over.
    ///
    /// # Errors
    /// When a prompt does not fit or the model fails. Groups handed over before that are whole.
    fn sample(
        &mut self,
        request: &SampleRequest<'_>,
        on_group: &mut dyn FnMut(Group),
    ) -> Result<Sampled, RolloutError>;

    /// Takes over the policy's new weights; `version` counts the steps it has taken.
    ///
    /// # Errors
    /// When the engine could not take them; it then still has the old ones.
    fn sync(&mut self, policy: &policy::Policy, version: u64) -> Result<(), RolloutError>;
}

/// A seed for one rollout, from the run's, the step's and its own place.
pub fn seed(run: u64, step: u64, prompt: u64, rollout: u64) -> u64 {
    // SplitMix64 (Steele, Lea and Flood 2014) over each part in turn: parts that differ in one bit give seeds that
    // have nothing in common. The run's is mixed twice, or run 1 at step 0 would be run 0 at step 1.
    [step, prompt, rollout].into_iter().fold(mix(mix(run)), |state, part| mix(state ^ mix(part)))
}

const fn mix(state: u64) -> u64 {
    let z = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_do_not_meet() {
        let mut seeds = std::collections::BTreeSet::new();
        for run in 0..4 {
            for step in 0..8 {
                for prompt in 0..16 {
                    for rollout in 0..16 {
                        assert!(seeds.insert(seed(run, step, prompt, rollout)));
                    }
                }
            }
        }
    }
}
