//! One rollout: the requests that it takes, and what is put between them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use graders::Completion;
use policy::decode::{Sampling, ThinkingBudget};
use policy::tokenizer::Tokenizer;
use serde_json::{Map, Value};

use super::reading::{Expected, Finish, Said, read_chat, read_completion};
use super::sync::{Served, Weights};
use super::{RemoteSettings, WeightSync, Wire, loop_end, short};
use crate::remote::openai::{
    CHAT, COMPLETIONS, ChatReply, ChatRequest, CompletionReply, CompletionRequest, Prompt as WirePrompt,
    SamplingFields,
};
use crate::remote::{Client, RemoteError, RemoteErrorKind};
use crate::rollout::{Prompt, Rollout};

/// One rollout that is asked for.
pub(super) struct Asked {
    pub(super) client: Client,
    pub(super) settings: Arc<RemoteSettings>,
    pub(super) tokenizer: Arc<Tokenizer>,
    pub(super) weights: Arc<Weights>,
    pub(super) sampling: Arc<Sampling>,
    pub(super) prompt: Prompt,
    pub(super) seed: u64,
    /// What there is already.
    pub(super) begun: Written,
    /// Whether no further request is to be sent.
    pub(super) interrupted: Arc<AtomicBool>,
}

/// Why a rollout did not come.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) message: String,
    /// Every other request would fail alike.
    pub(super) is_final: bool,
    /// It says something about the servers and nothing about this request.
    pub(super) is_the_servers: bool,
}

impl From<RemoteError> for Fault {
    fn from(error: RemoteError) -> Self {
        use RemoteErrorKind as Kind;
        Self {
            // A key that is wrong, a path or model that is not there.
            is_final: matches!(error.kind, Kind::Settings | Kind::Redirect)
                || matches!(error.status, Some(401 | 403 | 404 | 405 | 501)),
            is_the_servers: matches!(
                error.kind,
                Kind::Connection | Kind::Resting | Kind::Deadline | Kind::Server
            ),
            message: error.to_string(),
        }
    }
}

impl From<String> for Fault {
    fn from(message: String) -> Self {
        Self { message, is_final: false, is_the_servers: false }
    }
}

/// What there is of a completion.
#[derive(Clone, Debug, Default)]
pub(super) struct Written {
    tokens: Vec<u32>,
    logprobs: Vec<f32>,
    sampled: Vec<bool>,
    versions: Vec<u64>,
}

impl Asked {
    /// Draws it, to its end or until it is interrupted between two requests.
    pub(super) async fn rollout(&self) -> Result<Rollout, Fault> {
        let mut written = self.begun.clone();
        let most = self.sampling.max_tokens;
        loop {
            let n = written.tokens.len();
            if n >= most {
                return self.finish(written, Finish::Length, None);
            }
            let mut part = most - n;
            if self.settings.segment_tokens > 0 {
                part = part.min(self.settings.segment_tokens);
            }
            if let Some(budget) = self.sampling.thinking.as_ref().filter(|budget| written.thinks(budget)) {
                let left = budget.max_tokens.saturating_sub(n);
                if left == 0 {
                    self.end_thought(budget, &mut written);
                    continue;
                }
                part = part.min(left);
            }
            if self.interrupted.load(Ordering::Relaxed) {
                return self.unfinished(written);
            }
            let said = self.draw(&written.tokens, part).await?;
            // A server whose context is full says so with fewer tokens.
            let cut = said.finish == Finish::Length && said.tokens.len() < part;
            written.append(&said);
            if self.cut_at_stop(&mut written)? || said.finish == Finish::Stop {
                let text = said.text.filter(|_| said.tokens.len() == written.tokens.len());
                return self.finish(written, Finish::Stop, text);
            }
            if let Some(end) = loop_end(&written.tokens, &self.sampling) {
                // A loop ends where it would have been noticed: what was drawn until then does not depend on the rest.
                written.truncate(end);
                return self.finish(written, Finish::Repetition, None);
            }
            if cut {
                return self.finish(written, Finish::Length, None);
            }
        }
    }

    /// Puts the end of the thought.
    fn end_thought(&self, budget: &ThinkingBudget, written: &mut Written) {
        let room = self.sampling.max_tokens - written.tokens.len();
        let version = written.versions.last().copied().unwrap_or_default();
        for token in budget.inserted.iter().take(room) {
            written.tokens.push(*token);
            written.logprobs.push(0.0);
            written.sampled.push(false);
            written.versions.push(version);
        }
    }

    /// Whether a stop string is complete; tokens after the one that completes the first are left out. Servers look for
    /// them too, but not across two requests.
    fn cut_at_stop(&self, written: &mut Written) -> Result<bool, Fault> {
        let stops = &self.sampling.stop_strings;
        if stops.is_empty() {
            return Ok(false);
        }
        let stopped = |n: usize| -> Result<bool, String> {
            let text =
                self.tokenizer.decode(&written.tokens[..n], true).map_err(|error| error.to_string())?;
            Ok(stops.iter().any(|stop| text.contains(stop.as_str())))
        };
        let (mut without, mut with) = (0, written.tokens.len());
        if !stopped(with)? {
            return Ok(false);
        }
        while without + 1 < with {
            let middle = usize::midpoint(without, with);
            if stopped(middle)? {
                with = middle;
            } else {
                without = middle;
            }
        }
        written.truncate(with);
        Ok(true)
    }

    /// Continues the prompt and what stands behind it already.
    async fn draw(&self, behind: &[u32], max_tokens: usize) -> Result<Said, Fault> {
        // A sync while the request is under way leaves its tokens marked with the older version.
        let served = self.weights.served();
        let sampling = self.fields(max_tokens, behind.len() as u64);
        let prompt: Vec<u32> = self.prompt.tokens.iter().chain(behind).copied().collect();
        let expected = Expected {
            tokenizer: &self.tokenizer,
            sampling: &self.sampling,
            prompt: &prompt,
            max_tokens,
            version: served.version,
        };
        let said = match &self.settings.wire {
            Wire::Completions => {
                let reply = self.complete(&served, &prompt, sampling).await?;
                read_completion(reply, &expected)?
            }
            Wire::Chat(messages) => {
                let request = ChatRequest {
                    model: served.model.clone(),
                    messages: messages(&self.prompt.task)?,
                    logprobs: Some(true),
                    top_logprobs: Some(1),
                    sampling,
                    ..ChatRequest::default()
                };
                let reply: ChatReply = self.client.post(CHAT, &once(&request)?).await?;
                read_chat(reply, &expected)?
            }
        };
        Ok(said)
    }

    async fn complete(
        &self,
        served: &Served,
        prompt: &[u32],
        sampling: SamplingFields,
    ) -> Result<CompletionReply, Fault> {
        let as_text = self.settings.prompt_as_text;
        let prompt = if as_text {
            let text = self.tokenizer.decode(prompt, false).map_err(|error| error.to_string())?;
            WirePrompt::Text(text)
        } else {
            WirePrompt::Tokens(prompt.to_vec())
        };
        let request = CompletionRequest {
            model: served.model.clone(),
            prompt,
            // Some servers take 0 for none.
            logprobs: Some(1),
            // The text has its special tokens already.
            add_special_tokens: as_text.then_some(false),
            sampling,
        };
        Ok(self.client.post(COMPLETIONS, &once(&request)?).await?)
    }

    /// Everything is said, since servers have defaults of their own, often those of the model's publisher.
    fn fields(&self, max_tokens: usize, place: u64) -> SamplingFields {
        let sampling = &self.sampling;
        let all = if matches!(self.settings.sync, WeightSync::SglangLora(_) | WeightSync::SglangDisk(_)) {
            -1
        } else {
            0
        };
        let top_k = if sampling.top_k == 0 { all } else { i64::try_from(sampling.top_k).unwrap_or(i64::MAX) };
        let mut extra = Map::new();
        extra.insert("repetition_penalty".to_owned(), Value::from(1.0));
        extra.extend(self.settings.extra.clone());
        SamplingFields {
            n: Some(1),
            max_tokens: u32::try_from(max_tokens).ok(),
            temperature: Some(decimal(sampling.temperature)),
            top_p: Some(decimal(sampling.top_p)),
            top_k: Some(top_k),
            min_p: Some(decimal(sampling.min_p)),
            seed: Some(short(crate::rollout::seed(self.seed, place, 0, 0))),
            stop: sampling.stop_strings.clone(),
            stop_token_ids: sampling.stop_tokens.clone(),
            // The text is made of the tokens here, or the tokens of the whole text.
            skip_special_tokens: Some(false),
            return_token_ids: Some(true),
            return_tokens_as_token_ids: Some(true),
            extra,
            ..SamplingFields::default()
        }
    }

    /// A rollout of what was written; `text` is its text, where it was not made from the tokens.
    fn finish(&self, written: Written, finish: Finish, text: Option<String>) -> Result<Rollout, Fault> {
        let mut rollout = self.unfinished(written)?;
        if let Some(text) = text {
            rollout.completion.text = text;
        }
        if finish == Finish::Stop {
            let text = &mut rollout.completion.text;
            let stops = self.sampling.stop_strings.iter().filter_map(|stop| text.find(stop.as_str()));
            if let Some(at) = stops.min() {
                text.truncate(at);
            }
        }
        rollout.completion.finish_reason = Some(finish.name().to_owned());
        Ok(rollout)
    }

    fn unfinished(&self, written: Written) -> Result<Rollout, Fault> {
        let text = self.tokenizer.decode(&written.tokens, true).map_err(|error| error.to_string())?;
        let n_sampled = written.sampled.iter().filter(|sampled| **sampled).count();
        Ok(Rollout {
            completion: Completion {
                id: None,
                text,
                n_tokens: u32::try_from(n_sampled).ok(),
                finish_reason: None,
            },
            tokens: written.tokens,
            logprobs: written.logprobs,
            sampled: written.sampled,
            policy_versions: written.versions,
            seed: self.seed,
        })
    }
}

impl Written {
    /// What an earlier call left.
    pub(super) fn of(rollout: &Rollout) -> Self {
        Self {
            tokens: rollout.tokens.clone(),
            logprobs: rollout.logprobs.clone(),
            sampled: rollout.sampled.clone(),
            versions: rollout.policy_versions.clone(),
        }
    }

    /// Whether it is still in its thought.
    fn thinks(&self, budget: &ThinkingBudget) -> bool {
        let marker = &budget.end_marker;
        self.sampled.iter().all(|sampled| *sampled)
            && !self.tokens.windows(marker.len().max(1)).any(|part| part == marker)
    }

    fn append(&mut self, said: &Said) {
        let n = said.tokens.len();
        self.tokens.extend_from_slice(&said.tokens);
        self.logprobs.extend_from_slice(&said.logprobs);
        self.sampled.resize(self.sampled.len() + n, true);
        self.versions.resize(self.versions.len() + n, said.version);
    }

    fn truncate(&mut self, n: usize) {
        self.tokens.truncate(n);
        self.logprobs.truncate(n);
        self.sampled.truncate(n);
        self.versions.truncate(n);
    }
}

/// A request whose further fields have taken the place of those of the same name.
fn once(request: &impl serde::Serialize) -> Result<Value, Fault> {
    Ok(serde_json::to_value(request).map_err(|error| error.to_string())?)
}

/// The number as it was written: 0.7 and not the nearest 32-bit float's digits.
fn decimal(value: f32) -> f64 {
    value.to_string().parse().unwrap_or_else(|_| f64::from(value))
}
