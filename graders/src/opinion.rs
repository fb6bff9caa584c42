//! Those whose opinion graders may ask: language models and reward models.
//!
//! They are given through [`Resources`](crate::Resources), as the sandbox is. What they are asked and how their
//! answers are read is decided here, in the crate; how they are reached is not.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::completion::Completion;
use crate::task::Task;

/// A language model that answers closed questions.
pub trait LanguageModel: Send + Sync {
    /// Which model answers, down to its revision where that is known. Answers are kept under it.
    fn revision(&self) -> String;

    /// Asks once for each vote, and gives as many answers. It never reads anything from the question's messages.
    ///
    /// # Errors
    /// When the model could not be reached, or what it sent is no answer to a request.
    fn ask(&self, question: &Question) -> Result<Vec<Answer>, ModelError>;
}

/// A closed question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What the model is shown.
    pub messages: Vec<Message>,
    /// The answers that are allowed, in lower case.
    pub answers: Vec<String>,
    /// What is wanted of an answer.
    pub read: Read,
    /// How often to ask.
    pub n_votes: u32,
    /// Decides the draws of a model that draws; vote `i` has the seed `seed + i`.
    pub seed: u64,
}

/// What is wanted of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Read {
    /// How likely each token is to be the first.
    #[default]
    Logprobs,
    /// The text, which the model was held to where it can be.
    Verdict,
}

/// A message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// Who speaks in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Who sets the rules.
    System,
    /// Who asks.
    User,
}

/// What a model said to one vote.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// Its text.
    pub text: String,
    /// The tokens that are likely to be the first; empty where only the text was wanted.
    pub first_token: Vec<TokenLogprob>,
}

/// A token and the natural logarithm of its probability.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenLogprob {
    /// The token's text.
    pub token: String,
    /// At most 0.
    pub logprob: f64,
}

/// A model that gives completions numbers.
pub trait RewardModel: Send + Sync {
    /// Which model answers, down to its revision where that is known.
    fn revision(&self) -> String;

    /// A number for each item, in their order; `None` where the model has none.
    ///
    /// # Errors
    /// When the model could not be reached, or what it sent is not what it was asked for.
    fn score(&self, items: &[RewardItem]) -> Result<Vec<Option<f64>>, ModelError>;
}

/// A completion to be given a number.
#[derive(Clone, Debug)]
pub struct RewardItem {
    /// What was asked.
    pub task: Arc<Task>,
    /// What the policy wrote.
    pub completion: Completion,
}

/// Why a model gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// It could not be reached, did not answer in time, or refused.
    #[error("{0}")]
    Unavailable(String),
    /// It answered with something else than it was asked for.
    #[error("{0}")]
    Unreadable(String),
}
