//! Rollouts laid out for the policy, a bounded number of tokens at a time.

use policy::{Packed, PolicyError};

use super::score::Scored;

/// Some rollouts of a step: what one forward and backward pass computes.
#[derive(Clone, Debug, Default)]
pub struct MicroBatch {
    /// The tokens; each prompt stands before its rollouts once.
    pub packed: Packed,
    /// Group and rollout of each sequence, in the order of `packed.targets`.
    pub rollouts: Vec<(usize, usize)>,
}

/// Lays out the chosen rollouts of each group in batches of at most `most_tokens` computed tokens; a rollout that is
/// longer has a batch of its own. Rollouts of a group stay together where they fit, so that their prompt is computed
/// once.
///
/// `chosen` gives group and rollout, in ascending order.
///
/// # Errors
/// When a prompt or rollout has no token.
pub fn micro_batches(
    scored: &[Scored],
    chosen: &[(usize, usize)],
    most_tokens: usize,
) -> Result<Vec<MicroBatch>, PolicyError> {
    let mut batches = Vec::new();
    let mut batch = MicroBatch::default();
    for of_group in chosen.chunk_by(|a, b| a.0 == b.0) {
        let group = &scored[of_group[0].0].group;
        let prompt = &group.prompt.tokens;
        let length = |&(_, i): &(usize, usize)| group.rollouts[i].tokens.len();
        let mut rest = of_group;
        while !rest.is_empty() {
            let room = most_tokens.saturating_sub(batch.packed.n_tokens() + prompt.len());
            let mut used = 0;
            let n_fitting = rest
                .iter()
                .take_while(|rollout| {
                    used += length(rollout);
                    used <= room
                })
                .count();
            // A whole group that would be torn apart begins a batch instead.
            let torn = n_fitting < rest.len() && !batch.rollouts.is_empty();
            if torn {
                batches.push(std::mem::take(&mut batch));
                continue;
            }
            let (now, later) = rest.split_at(n_fitting.max(1));
            let completions = now.iter().map(|&(_, i)| group.rollouts[i].tokens.as_slice());
            batch.packed.push_group(prompt, completions)?;
            batch.rollouts.extend_from_slice(now);
            rest = later;
        }
    }
    if !batch.rollouts.is_empty() {
        batches.push(batch);
    }
    Ok(batches)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use graders::{Completion, Task};

    use super::*;
    use crate::rollout::{Group, Prompt, ScriptedEngine};

    fn scored(index: usize, prompt: usize, lengths: &[usize]) -> Scored {
        let rollouts =
            lengths.iter().map(|n| ScriptedEngine::rollout(vec![1; *n], Completion::new("x"))).collect();
        let prompt = Prompt { task: Arc::new(Task::default()), tokens: vec![2; prompt].into() };
        Scored { group: Group { index, prompt, rollouts }, rewards: Ok(Vec::new()) }
    }

    #[test]
    fn every_rollout_is_in_one_batch_and_no_batch_is_too_large() {
        let groups =
            [scored(0, 3, &[4, 5, 6]), scored(1, 2, &[40]), scored(2, 3, &[1, 2]), scored(3, 1, &[9; 7])];
        let chosen: Vec<(usize, usize)> = groups
            .iter()
            .enumerate()
            .flat_map(|(g, scored)| (0..scored.group.rollouts.len()).map(move |i| (g, i)))
            .collect();
        for most in [1, 8, 20, 24, 30, 1000] {
            let batches = micro_batches(&groups, &chosen, most).expect("they have tokens");
            let all: Vec<_> = batches.iter().flat_map(|batch| batch.rollouts.clone()).collect();
            assert_eq!(all, chosen);
            for batch in &batches {
                batch.packed.check(10, 100).expect("sound");
                assert!(batch.packed.n_tokens() <= most || batch.rollouts.len() == 1);
                let n: usize =
                    batch.rollouts.iter().map(|&(g, i)| groups[g].group.rollouts[i].tokens.len()).sum();
                assert_eq!(batch.packed.n_scored(), n);
            }
        }
        assert_eq!(micro_batches(&groups, &chosen, 1000).expect("they have tokens").len(), 1);
    }
}
