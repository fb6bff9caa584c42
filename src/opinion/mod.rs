//! Models whose opinion graders ask: language models that judge (`[judges.NAME]`), over HTTP or in this process, and
//! reward models (`[reward_models.NAME]`) over HTTP.
//!
//! What they are asked, and what becomes of their answers, is decided by the graders. A model that fails gives an
//! error, never a verdict.

mod batches;
mod judge;
mod local;
mod rewards;
mod settings;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use graders::{LanguageModel, ModelError, Resources, RewardModel};

use crate::judge::patience;
use crate::remote::{self, RemoteError, RemoteErrorKind};

pub use self::judge::RemoteJudge;
pub use self::local::LocalJudge;
pub use self::rewards::RemoteRewards;
use self::settings::Place;
pub use self::settings::{Constrain, JudgeSettings, OpinionSettings, RewardModelSettings};

/// Why models cannot be asked as the configuration says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("[{section}.{name}]: {message}")]
pub struct OpinionFault {
    /// `judges` or `reward_models`.
    pub section: &'static str,
    /// The model's name there.
    pub name: String,
    /// What is wrong.
    pub message: String,
}

impl OpinionSettings {
    /// Puts the models among what graders may use. Those of this process are loaded; to others nothing is sent yet.
    ///
    /// # Errors
    /// Names the model whose settings cannot be used, or which cannot be loaded.
    pub fn add_to(&self, resources: Resources) -> Result<Resources, OpinionFault> {
        let mut language_models: BTreeMap<String, Arc<dyn LanguageModel>> = resources.language_models;
        let mut reward_models: BTreeMap<String, Arc<dyn RewardModel>> = resources.reward_models;
        for (name, settings) in &self.judges {
            let fault = |message| OpinionFault { section: "judges", name: name.clone(), message };
            let model: Arc<dyn LanguageModel> = match settings.place().map_err(fault)? {
                Place::There(place) => Arc::new(RemoteJudge::new(settings, place).map_err(fault)?),
                Place::Here(place) => Arc::new(LocalJudge::load(settings, place).map_err(fault)?),
            };
            language_models.insert(name.clone(), model);
        }
        for (name, settings) in &self.reward_models {
            let fault = |message| OpinionFault { section: "reward_models", name: name.clone(), message };
            let model = RemoteRewards::new(settings).map_err(fault)?;
            reward_models.insert(name.clone(), Arc::new(model));
        }
        Ok(Resources { language_models, reward_models, ..resources })
    }
}

/// Waits for `work` as long as somebody waits for the verdict.
fn wait<T: Send + 'static>(
    work: impl Future<Output = Result<T, ModelError>> + Send + 'static,
) -> Result<T, ModelError> {
    let patience = patience();
    let waited = remote::block_on(async move {
        match patience {
            None => work.await,
            Some(control) => tokio::select! {
                biased;
                done = work => done,
                () = control.ended() => {
                    Err(ModelError::Unavailable("nobody waits for its answer any more".to_owned()))
                }
            },
        }
    });
    let panicked =
        || Err(ModelError::Unavailable("the call panicked, which is a fault of this program".to_owned()));
    waited.unwrap_or_else(panicked)
}

/// The grammar, in GBNF, of a text that is one of `answers`.
fn one_of(answers: &[String]) -> String {
    let quoted: Vec<String> = answers.iter().map(|answer| format!("\"{answer}\"")).collect();
    format!("root ::= {}", quoted.join(" | "))
}

/// A call that failed, as graders see it.
fn failure(error: &RemoteError) -> ModelError {
    match error.kind {
        RemoteErrorKind::Malformed | RemoteErrorKind::TooLarge => ModelError::Unreadable(error.to_string()),
        _ => ModelError::Unavailable(error.to_string()),
    }
}
