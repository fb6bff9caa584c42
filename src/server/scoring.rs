//! From a group that was read to its reply: what `POST /v1/grade`, `POST /v1/regrade` and `gavel grade` share.

use std::sync::Arc;

use graders::advantage::{Estimator, GroupRewards};
use graders::{Completion, ConfigError, ErrorKind, Progress, Reward, Rubric, Task, TaskError};
use serde_json::Value;

use super::problem::Fault;
use super::types::{ComponentReply, ErrorReply, GroupInput, GroupReply, Provenance, RewardReply};
use crate::judge::{Control, Judge, Judged, Request};

/// How the groups of one request are scored.
#[derive(Clone, Debug)]
pub struct Scoring {
    /// The rubric.
    pub rubric: Arc<Rubric>,
    /// The weights in force.
    pub weights: Arc<[f64]>,
    /// Stops it early.
    pub control: Arc<Control>,
}

/// A group with what became of it.
#[derive(Clone, Debug)]
pub struct ScoredGroup {
    /// What was asked.
    pub task: Arc<Task>,
    /// What the policy wrote.
    pub completions: Arc<[Completion]>,
    /// One for each completion; `None` when the task could not be judged.
    pub rewards: Option<Vec<Reward>>,
    /// The reply.
    pub reply: GroupReply,
}

impl Scoring {
    /// Scoring by `rubric`, with the weights that `progress` puts in force.
    ///
    /// # Errors
    /// When a schedule needs a step or a metric that `progress` lacks.
    pub fn new(rubric: Arc<Rubric>, progress: &Progress, control: Arc<Control>) -> Result<Self, ConfigError> {
        let weights = rubric.weights(progress)?.into();
        Ok(Self { rubric, weights, control })
    }

    /// Scores the group at `index` of its request; `done` is called on a judging thread.
    pub fn submit(
        &self,
        judge: &Judge,
        index: usize,
        input: GroupInput,
        done: impl FnOnce(ScoredGroup) + Send + 'static,
    ) {
        let GroupInput { id, task, completions } = input;
        let task = Arc::new(task);
        let completions: Arc<[Completion]> = completions.into();
        let request = Request {
            rubric: Arc::clone(&self.rubric),
            weights: Arc::clone(&self.weights),
            task: Arc::clone(&task),
            completions: Arc::clone(&completions),
            control: Arc::clone(&self.control),
        };
        let scoring = self.clone();
        judge.submit(request, move |judged| done(scoring.scored(index, id, task, completions, judged)));
    }

    fn scored(
        &self,
        index: usize,
        id: Option<String>,
        task: Arc<Task>,
        completions: Arc<[Completion]>,
        judged: Judged,
    ) -> ScoredGroup {
        let ids = completions.iter().map(|completion| completion.id.clone());
        let (rewards, replies, error) = match judged {
            Ok(rewards) => {
                let replies = ids.zip(&rewards).map(|(id, reward)| RewardReply::new(id, reward)).collect();
                (Some(rewards), replies, None)
            }
            Err(error) => {
                let replies = ids.map(|id| self.not_judged(id, &error)).collect();
                let pointer = format!("/groups/{index}/task{}", error.pointer);
                (None, replies, Some(Fault::new(pointer, error.message)))
            }
        };
        let provenance = Some(Provenance::of(&self.rubric, &task));
        let reply = GroupReply { index, id, rewards: replies, error, provenance };
        ScoredGroup { task, completions, rewards, reply }
    }

    /// A group whose task could not even be read: nothing is judged, every component is named.
    pub fn malformed(&self, index: usize, completions: Vec<Completion>, error: &TaskError) -> ScoredGroup {
        let replies =
            completions.iter().map(|completion| self.not_judged(completion.id.clone(), error)).collect();
        let fault = Fault::new(format!("/groups/{index}/task{}", error.pointer), error.message.clone());
        let reply = GroupReply { index, id: None, rewards: replies, error: Some(fault), provenance: None };
        ScoredGroup { task: Arc::default(), completions: completions.into(), rewards: None, reply }
    }

    /// The reward of a completion whose task is at fault: null, with every component named.
    fn not_judged(&self, id: Option<String>, error: &TaskError) -> RewardReply {
        let kind = ErrorKind::InvalidTask;
        let message = format!("task{}: {}", error.pointer, error.message);
        let component = |(component, weight): (&graders::Component, &f64)| ComponentReply {
            name: component.name.to_string(),
            score: None,
            weight: *weight,
            reason: kind.name().to_owned(),
            detail: graders::Detail::new(),
        };
        let components: Vec<_> = self.rubric.components().iter().zip(&*self.weights).map(component).collect();
        let first = components.first().map(|component| component.name.clone()).unwrap_or_default();
        let error = Some(ErrorReply { component: first, kind, message });
        RewardReply { id, reward: None, advantage: None, error, components }
    }
}

/// Adds the advantages to the replies of a request's groups.
///
/// # Errors
/// When the estimator needs lengths that were not sent. The pointer's group index is that of the request.
pub fn add_advantages<'a>(
    estimator: &Estimator,
    groups: impl IntoIterator<Item = &'a mut ScoredGroup>,
) -> Result<(), Fault> {
    let mut groups: Vec<&mut ScoredGroup> =
        groups.into_iter().filter(|group| group.rewards.is_some()).collect();
    let rewards: Vec<GroupRewards> = groups.iter().map(|group| group_rewards(group)).collect();
    let advantages = estimator.advantages(&rewards).map_err(|error| {
        // The estimator counts only the groups it was given; the caller counts all of the request.
        let place = error.pointer.split('/').nth(2).and_then(|index| index.parse::<usize>().ok());
        let pointer = match place.and_then(|place| groups.get(place).map(|group| (place, group.reply.index)))
        {
            Some((place, index)) => {
                error.pointer.replacen(&format!("/groups/{place}/"), &format!("/groups/{index}/"), 1)
            }
            None => error.pointer,
        };
        Fault::new(pointer, error.message)
    })?;
    for (group, advantages) in groups.iter_mut().zip(advantages) {
        for (reward, advantage) in group.reply.rewards.iter_mut().zip(advantages) {
            reward.advantage = Some(advantage.map_or(Value::Null, Value::from));
        }
    }
    Ok(())
}

fn group_rewards(group: &ScoredGroup) -> GroupRewards {
    let replies = &group.reply.rewards;
    let n_components = replies.first().map_or(0, |reply| reply.components.len());
    GroupRewards {
        rewards: replies.iter().map(|reply| reply.reward).collect(),
        n_tokens: group.completions.iter().map(|completion| completion.n_tokens).collect(),
        components: (0..n_components)
            .map(|k| {
                let scores = replies.iter().map(|reply| reply.components[k].score).collect();
                (replies[0].components[k].weight, scores)
            })
            .collect(),
    }
}
