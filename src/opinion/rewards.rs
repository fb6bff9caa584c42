//! A reward model behind HTTP: `{"model", "items": [{"prompt", "completion", "reference", …}]}` out,
//! `{"scores": [number or null, …]}` back.

use std::time::Duration;

use graders::{ModelError, RewardItem, RewardModel};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::batches::Batches;
use super::settings::RewardModelSettings;
use super::{failure, wait};
use crate::remote::Client;

/// A reward model behind HTTP.
#[derive(Debug)]
pub struct RemoteRewards {
    settings: RewardModelSettings,
    batches: Batches,
}

/// A batch as it is sent.
#[derive(Serialize)]
struct Sent<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    items: Vec<SentItem<'a>>,
}

#[derive(Serialize)]
struct SentItem<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<&'a graders::Prompt>,
    completion: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    metadata: &'a serde_json::Map<String, Value>,
}

impl<'a> SentItem<'a> {
    fn of(item: &'a RewardItem) -> Self {
        let RewardItem { task, completion } = item;
        Self {
            prompt: task.prompt.as_ref(),
            completion: &completion.text,
            reference: task.reference.as_ref(),
            n_tokens: completion.n_tokens,
            finish_reason: completion.finish_reason.as_deref(),
            metadata: &task.metadata,
        }
    }
}

/// What comes back.
#[derive(Deserialize)]
struct Came {
    scores: Vec<Option<f64>>,
}

impl RemoteRewards {
    /// The model that `settings` describe. Nothing is sent yet.
    ///
    /// # Errors
    /// When they cannot be used, in words.
    pub fn new(settings: &RewardModelSettings) -> Result<Self, String> {
        let client = Client::new(settings.remote()?).map_err(|error| error.to_string())?;
        let n_batches = client.capacity().max(1);
        let (path, model) = (settings.path.clone(), settings.model.clone());
        let send = move |items: Vec<RewardItem>| {
            let (client, path, model) = (client.clone(), path.clone(), model.clone());
            async move { scores(&client, &path, model.as_deref(), &items).await }
        };
        let max_wait = Duration::from_millis(settings.max_wait_ms);
        let batches = Batches::new(settings.max_batch, max_wait, n_batches, send);
        Ok(Self { settings: settings.clone(), batches })
    }
}

async fn scores(
    client: &Client,
    path: &str,
    model: Option<&str>,
    items: &[RewardItem],
) -> Result<Vec<Option<f64>>, ModelError> {
    let sent = Sent { model, items: items.iter().map(SentItem::of).collect() };
    let Came { scores } = client.post(path, &sent).await.map_err(|error| failure(&error))?;
    if scores.len() != items.len() {
        return Err(ModelError::Unreadable(format!(
            "{} scores were asked for, {} came",
            items.len(),
            scores.len()
        )));
    }
    Ok(scores)
}

impl RewardModel for RemoteRewards {
    fn revision(&self) -> String {
        let name = self.settings.model.as_deref().unwrap_or(&self.settings.path);
        match &self.settings.revision {
            Some(revision) => format!("{name}@{revision}"),
            None => name.to_owned(),
        }
    }

    fn score(&self, items: &[RewardItem]) -> Result<Vec<Option<f64>>, ModelError> {
        let answers: Vec<_> = items.iter().map(|item| self.batches.add(item.clone())).collect();
        wait(async move {
            let mut scores = Vec::with_capacity(answers.len());
            for answer in answers {
                let lost = || ModelError::Unavailable("its batch was lost".to_owned());
                scores.push(answer.await.map_err(|_| lost())??);
            }
            Ok(scores)
        })
    }
}
