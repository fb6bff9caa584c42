//! An engine that says what it was told to, for tests of everything around an engine.

use graders::Completion;

use super::{Group, Prompt, Rollout, RolloutEngine, RolloutError, SampleCost, SampleRequest, Sampled};

type Script = Box<dyn FnMut(&Prompt, usize) -> Rollout + Send>;

/// Answers from a function of the prompt and the rollout's index.
pub struct ScriptedEngine {
    script: Script,
    version: u64,
}

impl ScriptedEngine {
    /// An engine that says what `script` says.
    pub fn new(script: impl FnMut(&Prompt, usize) -> Rollout + Send + 'static) -> Self {
        Self { script: Box::new(script), version: 0 }
    }

    /// A rollout of these tokens, all sampled with probability 1.
    pub fn rollout(tokens: Vec<u32>, completion: Completion) -> Rollout {
        let n = tokens.len();
        Rollout {
            tokens,
            logprobs: vec![0.0; n],
            sampled: vec![true; n],
            policy_versions: vec![0; n],
            seed: 0,
            completion,
        }
    }
}

impl std::fmt::Debug for ScriptedEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScriptedEngine").field("version", &self.version).finish_non_exhaustive()
    }
}

impl RolloutEngine for ScriptedEngine {
    fn sample(
        &mut self,
        request: &SampleRequest<'_>,
        on_group: &mut dyn FnMut(Group),
    ) -> Result<Sampled, RolloutError> {
        let mut cost = SampleCost::default();
        for (index, prompt) in request.prompts.iter().enumerate() {
            let rollouts: Vec<Rollout> = (0..request.group_size)
                .map(|i| {
                    let mut rollout = (self.script)(prompt, i);
                    rollout.policy_versions.fill(self.version);
                    rollout
                })
                .collect();
            cost.n_tokens += rollouts.iter().map(|rollout| rollout.tokens.len()).sum::<usize>();
            on_group(Group { index, prompt: prompt.clone(), rollouts });
        }
        Ok(Sampled { cost, unfinished: Vec::new() })
    }

    fn sync(&mut self, _: &policy::Policy, version: u64) -> Result<(), RolloutError> {
        self.version = version;
        Ok(())
    }
}
