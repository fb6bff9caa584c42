//! From a finished sequence to a rollout, and from rollouts to groups.

use std::sync::Arc;

use graders::Completion;
use policy::decode::{Finish, Generated};

use super::{Group, Prompt, Rollout};

/// Turns tokens into text, as the tokenizer of the policy does.
pub type Decode = Arc<dyn Fn(&[u32]) -> String + Send + Sync>;

/// A finished sequence as a rollout of the policy that had taken `version` steps.
pub(super) fn rollout(generated: Generated, decode: &Decode, version: u64) -> Rollout {
    let mut text = decode(&generated.tokens);
    if let Some(at) = generated.stop_string {
        // What comes with the stop string or after it is not the completion's.
        text.truncate(at.at);
    }
    let finish_reason = match generated.finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::Repetition => "repetition",
        Finish::DeadEnd => "dead_end",
        Finish::Cancelled => "cancelled",
    };
    let n_sampled = generated.sampled.iter().filter(|sampled| **sampled).count();
    let policy_versions = vec![version; generated.tokens.len()];
    Rollout {
        completion: Completion {
            id: None,
            text,
            n_tokens: u32::try_from(n_sampled).ok(),
            finish_reason: Some(finish_reason.to_owned()),
        },
        tokens: generated.tokens,
        logprobs: generated.logprobs,
        sampled: generated.sampled,
        policy_versions,
    }
}

/// Groups that are not whole yet.
pub(super) struct Groups<'a> {
    prompts: &'a [Prompt],
    waiting: Vec<Vec<Option<Rollout>>>,
    left: Vec<usize>,
}

impl<'a> Groups<'a> {
    pub(super) fn new(prompts: &'a [Prompt], size: usize) -> Self {
        let waiting = prompts.iter().map(|_| (0..size).map(|_| None).collect()).collect();
        Self { prompts, waiting, left: vec![size; prompts.len()] }
    }

    /// Puts a rollout into its place; the group, when it was the last one.
    pub(super) fn put(&mut self, index: usize, place: usize, rollout: Rollout) -> Option<Group> {
        self.waiting[index][place] = Some(rollout);
        self.left[index] -= 1;
        (self.left[index] == 0).then(|| Group {
            index,
            prompt: self.prompts[index].clone(),
            rollouts: std::mem::take(&mut self.waiting[index]).into_iter().flatten().collect(),
        })
    }
}
