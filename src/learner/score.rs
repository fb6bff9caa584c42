//! Groups in, the same groups with their rewards out: the learner's way to the judge.

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};

use graders::advantage::GroupRewards;
use graders::{Completion, Reward, Rubric, TaskError};

use crate::judge::{Control, Judge, Request};
use crate::rollout::Group;

/// A group whose completions were judged.
#[derive(Clone, Debug)]
pub struct Scored {
    /// What was sampled.
    pub group: Group,
    /// One for each rollout; or why the task cannot be judged at all.
    pub rewards: Result<Vec<Reward>, TaskError>,
}

/// Hands groups to the judge as they come and takes them back in the order of their prompts.
pub struct Scorer<'a> {
    judge: &'a Judge,
    rubric: Arc<Rubric>,
    weights: Arc<[f64]>,
    control: Arc<Control>,
    sender: mpsc::Sender<Scored>,
    receiver: mpsc::Receiver<Scored>,
    n_waiting: usize,
}

impl<'a> Scorer<'a> {
    /// A scorer with the weights in force.
    pub fn new(judge: &'a Judge, rubric: Arc<Rubric>, weights: Vec<f64>) -> Self {
        let (sender, receiver) = mpsc::channel();
        Self {
            judge,
            rubric,
            weights: weights.into(),
            control: Arc::new(Control::default()),
            sender,
            receiver,
            n_waiting: 0,
        }
    }

    /// Begins to judge a group; judging goes on while the caller samples the next.
    pub fn submit(&mut self, group: Group) {
        let completions: Arc<[Completion]> =
            group.rollouts.iter().map(|rollout| rollout.completion.clone()).collect();
        let request = Request {
            rubric: Arc::clone(&self.rubric),
            weights: Arc::clone(&self.weights),
            task: Arc::clone(&group.prompt.task),
            completions,
            control: Arc::clone(&self.control),
        };
        let sender = self.sender.clone();
        self.n_waiting += 1;
        self.judge.submit(request, move |rewards| {
            // Nobody waits any more when the run has failed.
            let _ = sender.send(Scored { group, rewards });
        });
    }

    /// Waits for all that was submitted, in the order of the prompts.
    pub fn finish(mut self) -> Vec<Scored> {
        let mut scored: Vec<Scored> =
            self.receiver.iter().take(std::mem::take(&mut self.n_waiting)).collect();
        scored.sort_by_key(|scored| scored.group.index);
        scored
    }
}

impl Drop for Scorer<'_> {
    fn drop(&mut self) {
        // What is still waiting belongs to a step that will not be taken.
        self.control.cancel();
    }
}

impl Scored {
    /// The rewards; `None` where the judge failed, which is no verdict and is not trained on.
    pub fn totals(&self) -> Vec<Option<f64>> {
        match &self.rewards {
            Ok(rewards) => rewards.iter().map(|reward| reward.total.as_ref().ok().copied()).collect(),
            Err(_) => vec![None; self.group.rollouts.len()],
        }
    }

    /// The scores of the component of this name; `None` where there is none.
    pub fn scores(&self, component: &str) -> Vec<Option<f64>> {
        let score = |reward: &Reward| {
            let part = reward.components.iter().find(|part| &*part.name == component)?;
            part.outcome.as_ref().ok().and_then(|verdict| verdict.score)
        };
        match &self.rewards {
            Ok(rewards) => rewards.iter().map(score).collect(),
            Err(_) => vec![None; self.group.rollouts.len()],
        }
    }

    /// What an advantage estimator needs to know.
    pub fn for_advantage(&self, components: &[(Arc<str>, f64)]) -> GroupRewards {
        let n_tokens = self.group.rollouts.iter().map(|rollout| u32::try_from(rollout.n_sampled()).ok());
        GroupRewards {
            rewards: self.totals(),
            n_tokens: n_tokens.collect(),
            components: components.iter().map(|(name, weight)| (*weight, self.scores(name))).collect(),
        }
    }

    /// How often each thing kept the judge from judging, by the kind of error.
    pub fn failures(&self) -> BTreeMap<String, usize> {
        let mut failures = BTreeMap::new();
        match &self.rewards {
            Ok(rewards) => {
                for error in rewards.iter().filter_map(|reward| reward.total.as_ref().err()) {
                    *failures.entry(error.kind.to_string()).or_default() += 1;
                }
            }
            Err(_) => {
                failures.insert("invalid_task".to_owned(), self.group.rollouts.len());
            }
        }
        failures
    }
}

/// The component whose score says whether an answer is right: the one called `accuracy`, else the first.
pub fn accuracy_component(rubric: &Rubric) -> Option<Arc<str>> {
    let components = rubric.components();
    let named = components.iter().find(|component| &*component.name == "accuracy");
    named.or(components.first()).map(|component| Arc::clone(&component.name))
}
