//! A language model behind an OpenAI-compatible server: one request to `/v1/chat/completions` for each vote.

use futures_util::future::try_join_all;
use graders::{Answer, LanguageModel, ModelError, Question, Read, Role, TokenLogprob};
use serde_json::{Map, Value, json};

use super::settings::{Constrain, JudgeSettings};
use super::{failure, one_of, wait};
use crate::remote::openai::{CHAT, ChatChoice, ChatReply, ChatRequest, Message, SamplingFields};
use crate::remote::{Client, Settings};

/// A language model behind an OpenAI-compatible server.
#[derive(Debug)]
pub struct RemoteJudge {
    settings: JudgeSettings,
    client: Client,
}

impl RemoteJudge {
    /// The model that `settings` describe, at its place. Nothing is sent yet.
    ///
    /// # Errors
    /// When they cannot be used, in words.
    pub(super) fn new(settings: &JudgeSettings, place: Settings) -> Result<Self, String> {
        let client = Client::new(place).map_err(|error| error.to_string())?;
        Ok(Self { settings: settings.clone(), client })
    }

    fn request(&self, question: &Question, vote: u64) -> ChatRequest {
        let settings = &self.settings;
        let role = |role: Role| match role {
            Role::System => "system",
            Role::User => "user",
        };
        let logprobs = question.read == Read::Logprobs;
        let mut extra = settings.extra.clone();
        if !logprobs {
            constrain(settings.constrain, &question.answers, &mut extra);
        }
        ChatRequest {
            model: settings.model.clone(),
            messages: question
                .messages
                .iter()
                .map(|message| Message::new(role(message.role), message.content.as_str()))
                .collect(),
            logprobs: logprobs.then_some(true),
            top_logprobs: logprobs.then_some(settings.top_logprobs),
            sampling: SamplingFields {
                max_tokens: Some(if logprobs { 1 } else { settings.max_tokens }),
                temperature: Some(if logprobs { 0.0 } else { settings.temperature }),
                seed: Some(question.seed.wrapping_add(vote)),
                extra,
                ..SamplingFields::default()
            },
            ..ChatRequest::default()
        }
    }
}

/// Holds the model to one of `answers`.
fn constrain(how: Constrain, answers: &[String], fields: &mut Map<String, Value>) {
    let (field, value) = match how {
        Constrain::None => return,
        Constrain::StructuredOutputs => ("structured_outputs", json!({"choice": answers})),
        Constrain::GuidedChoice => ("guided_choice", json!(answers)),
        Constrain::Regex => ("regex", json!(format!("({})", answers.join("|")))),
        Constrain::Grammar => ("grammar", json!(one_of(answers))),
    };
    fields.insert(field.to_owned(), value);
}

impl LanguageModel for RemoteJudge {
    fn revision(&self) -> String {
        match &self.settings.revision {
            Some(revision) => format!("{}@{revision}", self.settings.model),
            None => self.settings.model.clone(),
        }
    }

    fn ask(&self, question: &Question) -> Result<Vec<Answer>, ModelError> {
        let requests: Vec<ChatRequest> =
            (0..u64::from(question.n_votes)).map(|vote| self.request(question, vote)).collect();
        let client = self.client.clone();
        wait(async move {
            let votes = requests.iter().map(|request| async {
                let reply: ChatReply = client.post(CHAT, request).await.map_err(|error| failure(&error))?;
                answer(reply)
            });
            try_join_all(votes).await
        })
    }
}

/// What the first choice of a reply says.
fn answer(reply: ChatReply) -> Result<Answer, ModelError> {
    let Some(ChatChoice { message, logprobs, .. }) = reply.choices.into_iter().next() else {
        return Err(ModelError::Unreadable("the reply has no choices".to_owned()));
    };
    let first = logprobs.and_then(|logprobs| logprobs.content.into_iter().next());
    let first_token = first.map_or_else(Vec::new, |first| {
        let mut tokens: Vec<TokenLogprob> = first
            .top_logprobs
            .into_iter()
            .map(|likely| TokenLogprob { token: likely.token, logprob: likely.logprob })
            .collect();
        // Some servers list the token that was drawn among the likeliest ones, some beside them.
        if !tokens.iter().any(|known| known.token == first.token) {
            tokens.push(TokenLogprob { token: first.token, logprob: first.logprob });
        }
        tokens
    });
    Ok(Answer { text: message.content.unwrap_or_default(), first_token })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::opinion::settings::Place;

    fn new(settings: Value) -> Result<RemoteJudge, String> {
        let settings: JudgeSettings = serde_json::from_value(settings).unwrap();
        match settings.place()? {
            Place::There(place) => RemoteJudge::new(&settings, place),
            Place::Here(_) => Err("it is here".to_owned()),
        }
    }

    fn judge(constrain: Constrain) -> RemoteJudge {
        let settings = json!({"url": "http://127.0.0.1:9", "model": "m", "constrain": constrain,
                              "extra": {"chat_template_kwargs": {"enable_thinking": false}}});
        new(settings).unwrap()
    }

    fn question(read: Read) -> Question {
        let message = graders::Message { role: Role::System, content: "c".to_owned() };
        let answers = vec!["yes".to_owned(), "no".to_owned()];
        Question { messages: vec![message], answers, read, n_votes: 2, seed: 7 }
    }

    #[test]
    fn a_vote_is_a_request() {
        let sent =
            |constrain, read| serde_json::to_value(judge(constrain).request(&question(read), 1)).unwrap();
        let common = json!({"model": "m", "messages": [{"role": "system", "content": "c"}], "temperature": 0.0,
                            "seed": 8, "chat_template_kwargs": {"enable_thinking": false}});
        let with = |more: Value| {
            let mut all = common.clone();
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            all
        };
        assert_eq!(
            sent(Constrain::Regex, Read::Logprobs),
            with(json!({"max_tokens": 1, "logprobs": true, "top_logprobs": 20}))
        );
        for (constrain, more) in [
            (Constrain::None, json!({})),
            (Constrain::StructuredOutputs, json!({"structured_outputs": {"choice": ["yes", "no"]}})),
            (Constrain::GuidedChoice, json!({"guided_choice": ["yes", "no"]})),
            (Constrain::Regex, json!({"regex": "(yes|no)"})),
            (Constrain::Grammar, json!({"grammar": "root ::= \"yes\" | \"no\""})),
        ] {
            let mut expected = with(more);
            expected["max_tokens"] = json!(4);
            assert_eq!(sent(constrain, Read::Verdict), expected);
        }
    }

    #[test]
    fn the_token_that_was_drawn_counts_once() {
        let reply = |top: Value| {
            let token = json!({"token": "yes", "logprob": -0.1, "top_logprobs": top});
            let reply =
                json!({"choices": [{"message": {"content": "yes"}, "logprobs": {"content": [token]}}]});
            answer(serde_json::from_value(reply).unwrap()).unwrap().first_token.len()
        };
        assert_eq!(reply(json!([{"token": "yes", "logprob": -0.1}, {"token": "no", "logprob": -3.0}])), 2);
        assert_eq!(reply(json!([{"token": "no", "logprob": -3.0}])), 2);
        assert_eq!(reply(json!(null)), 1);
    }

    #[test]
    fn settings_out_of_range_are_told() {
        for (field, value, word) in [
            ("concurrency", json!(0), "concurrency"),
            ("timeout_ms", json!(0), "timeout_ms"),
            ("temperature", json!(-1.0), "temperature"),
            ("model", json!(""), "model"),
            ("url", json!("ftp://a"), "http"),
            ("extra", json!({"messages": []}), "messages"),
            ("device", json!("cpu"), "device"),
            ("gpu_layers", json!(3), "gpu_layers"),
            ("cache_tokens", json!(3), "cache_tokens"),
            ("path", json!("judge.gguf"), "url"),
        ] {
            let mut settings = json!({"url": "http://127.0.0.1:9", "model": "m"});
            settings[field] = value;
            let error = new(settings).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
