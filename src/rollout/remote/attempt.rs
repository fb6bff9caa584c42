//! One rollout: the requests that it takes, and what is put between them.

use std::sync::Arc;

use graders::Completion;
use policy::decode::{Sampling, ThinkingBudget};
use policy::tokenizer::Tokenizer;
use serde_json::{Map, Value};

use super::reading::{Expected, Finish, Said, read_chat, read_completion};
use super::sync::{Served, Weights};
use super::{RemoteSettings, Sync, Wire, loop_end, short};
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
#[derive(Default)]
struct Written {
    tokens: Vec<u32>,
    logprobs: Vec<f32>,
    sampled: Vec<bool>,
    versions: Vec<u64>,
}

impl Asked {
    /// Draws it.
    pub(super) async fn rollout(&self) -> Result<Rollout, Fault> {
        let mut written = Written::default();
        let thinking = self.sampling.thinking.as_ref();
        if let Some(budget) = thinking.filter(|budget| budget.max_tokens < self.sampling.max_tokens) {
            let said = self.draw(&[], budget.max_tokens, 0).await?;
            let over = said.finish == Finish::Length;
            written.append(&said);
            if !over {
                return self.finish(written, said);
            }
            self.end_thought(budget, &mut written);
        }
        let left = self.sampling.max_tokens - written.tokens.len();
        if left == 0 {
            return self.finish(written, Said { finish: Finish::Length, ..Said::default() });
        }
        let said = self.draw(&written.tokens, left, u64::from(thinking.is_some())).await?;
        written.append(&said);
        self.finish(written, said)
    }

    /// Puts the end of the thought where the budget is used up and it has not ended by itself.
    fn end_thought(&self, budget: &ThinkingBudget, written: &mut Written) {
        let ends = written.tokens.windows(budget.end_marker.len()).any(|part| part == budget.end_marker);
        if ends {
            return;
        }
        let room = self.sampling.max_tokens - written.tokens.len();
        let version = written.versions.last().copied().unwrap_or_default();
        for token in budget.inserted.iter().take(room) {
            written.tokens.push(*token);
            written.logprobs.push(0.0);
            written.sampled.push(false);
            written.versions.push(version);
        }
    }

    /// Continues the prompt and what stands behind it already.
    async fn draw(&self, behind: &[u32], max_tokens: usize, part: u64) -> Result<Said, Fault> {
        // A sync while the request is under way leaves its tokens marked with the older version.
        let served = self.weights.served();
        let sampling = self.fields(max_tokens, part);
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
                let reply: ChatReply = self.client.post(CHAT, &request).await?;
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
        Ok(self.client.post(COMPLETIONS, &request).await?)
    }

    /// Everything is said, since servers have defaults of their own, often those of the model's publisher.
    fn fields(&self, max_tokens: usize, part: u64) -> SamplingFields {
        let sampling = &self.sampling;
        let all =
            if matches!(self.settings.sync, Sync::SglangLora(_) | Sync::SglangDisk(_)) { -1 } else { 0 };
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
            seed: Some(short(crate::rollout::seed(self.seed, part, 0, 0))),
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

    /// A rollout of what was written; `last` is how it ended.
    fn finish(&self, mut written: Written, last: Said) -> Result<Rollout, Fault> {
        let mut finish = last.finish;
        if let Some(end) = loop_end(&written.tokens, &self.sampling)
            && (end < written.tokens.len() || finish == Finish::Length)
        {
            // A loop ends where it would have been noticed: what was drawn until then does not depend on the rest.
            written.truncate(end);
            finish = Finish::Repetition;
        }
        let mut text = match last.text {
            Some(text) if finish != Finish::Repetition && written.tokens.len() == last.tokens.len() => text,
            _ => self.tokenizer.decode(&written.tokens, true).map_err(|error| error.to_string())?,
        };
        if finish == Finish::Stop {
            let stops = self.sampling.stop_strings.iter().filter_map(|stop| text.find(stop.as_str()));
            if let Some(at) = stops.min() {
                text.truncate(at);
            }
        }
        let n_sampled = written.sampled.iter().filter(|sampled| **sampled).count();
        Ok(Rollout {
            completion: Completion {
                id: None,
                text,
                n_tokens: u32::try_from(n_sampled).ok(),
                finish_reason: Some(finish.name().to_owned()),
            },
            tokens: written.tokens,
            logprobs: written.logprobs,
            sampled: written.sampled,
            policy_versions: written.versions,
        })
    }
}

impl Written {
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

/// The number as it was written: 0.7 and not the nearest 32-bit float's digits.
fn decimal(value: f32) -> f64 {
    value.to_string().parse().unwrap_or_else(|_| f64::from(value))
}
