//! The engine of remote servers, on servers that are scripted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gavel::rollout::{
    Group, Prompt, RemoteEngine, RemoteSettings, RolloutEngine, RolloutError, SampleRequest, Sampled,
    WeightSync, Wire,
};
use graders::Task;
use policy::decode::{RepetitionGuard, Sampling, ThinkingBudget};
use policy::tokenizer::Tokenizer;
use serde_json::{Value, json};

use super::{Act, Fake, nobody, settings};

/// Four special tokens, then a token for each letter: `a` is 4.
pub(super) fn tokenizer() -> Arc<Tokenizer> {
    Arc::new(Tokenizer::small(&[], "abcdefgh.", None).unwrap())
}

const END: u32 = 2;

pub(super) fn remote(urls: &[&str]) -> RemoteSettings {
    RemoteSettings {
        servers: settings(urls),
        model: None,
        wire: Wire::Completions,
        prompt_as_text: false,
        sync: WeightSync::None,
        segment_tokens: 0,
        extra: serde_json::Map::new(),
    }
}

pub(super) fn prompts(n: usize) -> Vec<Prompt> {
    let prompt =
        |i: usize| Prompt { task: Arc::new(Task::default()), tokens: vec![1, 4 + (i % 8) as u32].into() };
    (0..n).map(prompt).collect()
}

pub(super) fn sampling() -> Sampling {
    Sampling { max_tokens: 8, stop_tokens: vec![END], ..Sampling::default() }
}

pub(super) fn models() -> Act {
    Act::Json(json!({ "object": "list", "data": [{ "id": "m", "max_model_len": 64 }] }))
}

/// The reply of a server that gives token ids.
pub(super) fn reply(tokens: &[u32], finish: &str) -> Value {
    let logprobs: Vec<f64> = tokens.iter().map(|token| -0.01 * f64::from(*token)).collect();
    json!({ "choices": [{
        "text": "not read", "finish_reason": finish, "token_ids": tokens,
        "logprobs": { "tokens": vec!["?"; tokens.len()], "token_logprobs": logprobs },
    }] })
}

/// What a server with answers for `/v1/completions` does.
fn completing(answer: impl Fn(&Value) -> Act + Send + Sync + 'static) -> Fake {
    Fake::new(move |_, seen| if seen.path == "/v1/models" { models() } else { answer(&seen.body) })
}

pub(super) fn sample(
    engine: &mut RemoteEngine,
    request: &SampleRequest<'_>,
) -> (Result<Sampled, RolloutError>, Vec<Group>) {
    let mut groups = Vec::new();
    let sampled = engine.sample(request, &mut |group| groups.push(group));
    groups.sort_by_key(|group| group.index);
    (sampled, groups)
}

/// One rollout of what a server answers; or why there is none.
fn one(answer: Value) -> Result<gavel::rollout::Rollout, String> {
    let fake = completing(move |_| Act::Json(answer.clone()));
    let mut engine = RemoteEngine::connect(remote(&[&fake.url]), tokenizer()).unwrap();
    let (prompts, sampling) = (prompts(1), sampling());
    let (sampled, mut groups) = sample(&mut engine, &SampleRequest::new(&prompts, 1, &sampling, 0));
    sampled.map_err(|error| error.to_string())?;
    Ok(groups.remove(0).rollouts.remove(0))
}

#[test]
fn groups_come_whole_with_what_the_learner_needs() {
    let fake = completing(|body| {
        let first = body["prompt"][1].as_u64().unwrap() as u32;
        Act::Json(reply(&[first, 5, END], "stop"))
    });
    let mut engine = RemoteEngine::connect(remote(&[&fake.url]), tokenizer()).unwrap();
    let (prompts, sampling) = (prompts(5), sampling());
    let (sampled, groups) = sample(&mut engine, &SampleRequest::new(&prompts, 3, &sampling, 9));
    let sampled = sampled.unwrap();
    assert_eq!((sampled.cost.n_tokens, sampled.cost.n_prompt_tokens, sampled.cost.n_failed), (45, 10, 0));
    assert_eq!(groups.len(), 5);
    for (index, group) in groups.iter().enumerate() {
        assert_eq!((group.index, group.rollouts.len()), (index, 3));
        for rollout in &group.rollouts {
            assert_eq!(rollout.tokens, [4 + index as u32, 5, END]);
            assert_eq!(rollout.logprobs[1..], [-0.05, -0.02]);
            assert_eq!(
                (rollout.sampled.as_slice(), &*rollout.policy_versions),
                (&[true; 3][..], &[0; 3][..])
            );
            let letter = "abcde".chars().nth(index).unwrap();
            assert_eq!(rollout.completion.text, format!("{letter}b"));
            assert_eq!(rollout.completion.finish_reason.as_deref(), Some("stop"));
        }
    }
    let asked = fake.asked("/v1/completions");
    let mut seeds: Vec<u64> = asked.iter().map(|body| body["seed"].as_u64().unwrap()).collect();
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!(seeds.len(), 15, "each rollout has a seed");
    assert!(seeds.iter().all(|seed| *seed < 1 << 31));
    let mut body = asked[0].clone();
    body.as_object_mut().unwrap().retain(|key, _| key != "seed" && key != "prompt");
    let expected = json!({
        "model": "m", "logprobs": 1, "n": 1, "max_tokens": 8, "temperature": 1.0, "top_p": 1.0, "top_k": 0,
        "min_p": 0.0, "stop_token_ids": [2], "skip_special_tokens": false, "return_token_ids": true,
        "return_tokens_as_token_ids": true, "repetition_penalty": 1.0,
    });
    assert_eq!(body, expected);
    // The same again gives the same seeds.
    let _ = sample(&mut engine, &SampleRequest::new(&prompts, 3, &sampling, 9));
    let mut again: Vec<u64> =
        fake.asked("/v1/completions")[15..].iter().map(|b| b["seed"].as_u64().unwrap()).collect();
    again.sort_unstable();
    assert_eq!(seeds, again);
}

#[test]
fn tokens_are_found_wherever_a_server_puts_them() {
    let named = json!({ "choices": [{ "text": "?", "finish_reason": "length",
        "logprobs": { "tokens": ["token_id:4", "token_id:5"], "token_logprobs": [-0.1, -0.2] } }] });
    let text = json!({ "choices": [{ "text": "ab", "finish_reason": "length",
        "logprobs": { "tokens": ["a", "b"], "token_logprobs": [-0.1, -0.2] } }] });
    let numbered = json!({ "choices": [{ "text": "?", "finish_reason": "length",
        "logprobs": { "content": [{ "id": 4, "token": "?", "bytes": [97], "logprob": -0.1 },
                                  { "id": 5, "token": "?", "bytes": [98], "logprob": -0.2 }] } }] });
    for answer in [named, numbered, text] {
        let rollout = one(answer).unwrap();
        assert_eq!((rollout.tokens.as_slice(), rollout.completion.text.as_str()), (&[4, 5][..], "ab"));
        assert_eq!(rollout.completion.finish_reason.as_deref(), Some("length"));
    }
    // A server that counts its stop token among the log-probabilities, by its name or by none.
    for name in ["<eos>", ""] {
        let rollout = one(json!({ "choices": [{ "text": "ab", "finish_reason": "stop",
            "logprobs": { "tokens": ["a", "b", name], "token_logprobs": [-0.1, -0.2, -0.3] } }] }));
        assert_eq!(rollout.unwrap().tokens, [4, 5, END]);
    }
}

#[test]
fn what_cannot_be_right_is_dropped_and_says_why() {
    let with = |pointer: &str, value: Value| {
        let mut answer = reply(&[4, 5, END], "stop");
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = answer.pointer_mut(parent).unwrap();
        parent.as_object_mut().unwrap().insert(name.to_owned(), value);
        answer
    };
    for (answer, part) in [
        (json!({ "choices": [] }), "0 came"),
        (
            json!({ "choices": [reply(&[4], "stop")["choices"][0], reply(&[4], "stop")["choices"][0]] }),
            "2 came",
        ),
        (json!({}), "choices"),
        (
            with("/choices/0/logprobs/token_logprobs", json!([-0.1, -0.2])),
            "3 tokens came with 2 log-probabilities",
        ),
        (with("/choices/0/logprobs/token_logprobs", json!([-0.1, null, -0.2])), "has no log-probability"),
        (with("/choices/0/logprobs/token_logprobs", json!([-0.1, -9999.0, -0.2])), "is no log-probability"),
        (with("/choices/0/logprobs/token_logprobs", json!([-0.1, 0.5, -0.2])), "is no log-probability"),
        (with("/choices/0/logprobs", Value::Null), "no log-probabilities"),
        (with("/choices/0/token_ids", json!([4, 5, 99])), "another model"),
        (with("/choices/0/token_ids", json!([])), "no token"),
        (with("/choices/0/token_ids", json!([4, -5, 2])), "token_ids"),
        (reply(&[4; 9], "length"), "9 tokens came and 8 were asked for"),
        (with("/choices/0/finish_reason", json!("abort")), "`abort`"),
        (with("/choices/0/finish_reason", Value::Null), "no finish reason"),
        (with("/choices/0/prompt_token_ids", json!([1, 5])), "other tokens than were meant"),
        (with("/usage", json!({ "prompt_tokens": 3 })), "3 tokens and the learner has 2"),
        // Missing ids, and a text that does not fit.
        (with("/choices/0/token_ids", Value::Null), "log-probabilities"),
        (
            json!({ "choices": [{ "text": "ab", "finish_reason": "stop",
                "logprobs": { "tokens": ["ab"], "token_logprobs": [-0.1] } }] }),
            "is 2 tokens here where it has 1 log-probabilities",
        ),
        (
            json!({ "choices": [{ "text": "ab", "finish_reason": "stop",
                "logprobs": { "tokens": ["a", "c"], "token_logprobs": [-0.1, -0.1] } }] }),
            "its token \"c\" is \"b\" here",
        ),
    ] {
        let error = one(answer.clone()).unwrap_err();
        assert!(error.contains(part), "{answer}: {error}");
        assert!(error.starts_with("1 of 1 rollouts did not come"), "{error}");
    }
}

#[test]
fn lost_rollouts_are_counted_and_their_groups_are_smaller() {
    let fake = completing(|body| {
        // Of prompt 0 all are lost, of prompt 1 those with an odd seed.
        match (body["prompt"][1].as_u64(), body["seed"].as_u64()) {
            (Some(4), _) => Act::Status(400, Vec::new(), "no".to_owned()),
            (Some(5), Some(seed)) if seed % 2 == 1 => Act::Text("garbage".to_owned()),
            _ => Act::Json(reply(&[4, END], "stop")),
        }
    });
    let mut engine = RemoteEngine::connect(remote(&[&fake.url]), tokenizer()).unwrap();
    let (prompts, sampling) = (prompts(3), sampling());
    let (sampled, groups) = sample(&mut engine, &SampleRequest::new(&prompts, 8, &sampling, 1));
    let asked = fake.asked("/v1/completions");
    let is_odd = |body: &&Value| body["prompt"][1] == 5 && body["seed"].as_u64().unwrap() % 2 == 1;
    let n_odd = asked.iter().filter(is_odd).count();
    assert!((1..8).contains(&n_odd), "another seed for this test");
    let sizes: Vec<(usize, usize)> = groups.iter().map(|group| (group.index, group.rollouts.len())).collect();
    assert_eq!(sizes, [(1, 8 - n_odd), (2, 8)]);
    assert_eq!(sampled.unwrap().cost.n_failed, 8 + n_odd);
}

#[test]
fn servers_come_and_go() {
    // One is down, one fails every other time, one cuts connections now and then.
    let good = || Act::Json(reply(&[4, END], "stop"));
    let script = move |act: Act| {
        move |n: usize, seen: &super::Seen| match &*seen.path {
            "/v1/models" => models(),
            _ if n % 2 == 1 => act.clone(),
            _ => good(),
        }
    };
    let failing = Fake::new(script(Act::Status(503, Vec::new(), String::new())));
    let cutting = Fake::new(script(Act::Cut));
    let down = nobody();
    let mut settings = remote(&[&down, &failing.url, &cutting.url]);
    settings.servers.fail_fast = false;
    settings.servers.retries = 20;
    settings.servers.retry_budget = (1000.0, 1.0);
    let mut engine = RemoteEngine::connect(settings, tokenizer()).unwrap();
    let (prompts, sampling) = (prompts(8), sampling());
    let (sampled, groups) = sample(&mut engine, &SampleRequest::new(&prompts, 4, &sampling, 0));
    assert_eq!(sampled.unwrap().cost.n_failed, 0);
    assert_eq!(groups.iter().map(|group| group.rollouts.len()).sum::<usize>(), 32);
    // All are down.
    drop((failing, cutting));
    let (sampled, groups) = sample(&mut engine, &SampleRequest::new(&prompts, 4, &sampling, 0));
    let error = sampled.unwrap_err().to_string();
    assert!(groups.is_empty() && error.contains("32 of 32") && error.contains("http://"), "{error}");
}

#[test]
fn what_all_requests_would_fail_at_ends_the_sample() {
    for code in [401, 404] {
        let fake = completing(move |_| Act::Status(code, Vec::new(), "wrong".to_owned()));
        let mut settings = remote(&[&fake.url]);
        settings.servers.concurrency = 2;
        let mut engine = RemoteEngine::connect(settings, tokenizer()).unwrap();
        let (prompts, sampling) = (prompts(100), sampling());
        let (sampled, _) = sample(&mut engine, &SampleRequest::new(&prompts, 4, &sampling, 0));
        assert!(sampled.unwrap_err().to_string().contains(&code.to_string()));
        assert!(fake.asked("/v1/completions").len() < 400);
    }
}

#[test]
fn wrong_models_are_told_when_it_begins() {
    let connect = |reply: Act, model: Option<&str>| {
        let fake = Fake::new(move |_, _| reply.clone());
        let settings = RemoteSettings { model: model.map(str::to_owned), ..remote(&[&fake.url]) };
        RemoteEngine::connect(settings, tokenizer()).map(|_| ()).map_err(|error| error.to_string())
    };
    let two = || Act::Json(json!({ "data": [{ "id": "a" }, { "id": "b" }] }));
    assert!(connect(two(), None).unwrap_err().contains("name one of a, b"));
    assert!(connect(two(), Some("c")).unwrap_err().contains("has no model `c`; it has a, b"));
    assert_eq!(connect(two(), Some("b")), Ok(()));
    assert!(connect(Act::Json(json!({ "data": [] })), None).is_err());
    assert_eq!(connect(Act::Status(404, Vec::new(), String::new()), Some("m")), Ok(()));
    assert!(connect(Act::Text("hello".to_owned()), Some("m")).is_err());
    let error = RemoteEngine::connect(remote(&[&nobody()]), tokenizer()).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("is it running"), "{error}");
    // Room for 64 tokens.
    let fake = completing(|_| Act::Json(reply(&[4, END], "stop")));
    let mut engine = RemoteEngine::connect(remote(&[&fake.url]), tokenizer()).unwrap();
    let (prompts, sampling) = (prompts(1), Sampling { max_tokens: 63, ..sampling() });
    let (sampled, _) = sample(&mut engine, &SampleRequest::new(&prompts, 1, &sampling, 0));
    assert!(sampled.unwrap_err().to_string().contains("room for 64"));
}

/// A server that goes on counting: each token is one more than the last, from `a` to `h` and again.
fn counting() -> Fake {
    completing(|body| {
        let prompt = body["prompt"].as_array().unwrap();
        let mut last = prompt.last().unwrap().as_u64().unwrap() as u32;
        let n = body["max_tokens"].as_u64().unwrap();
        let tokens: Vec<u32> = (0..n)
            .map(|_| {
                last = 4 + (last + 1 - 4) % 8;
                last
            })
            .collect();
        Act::Json(reply(&tokens, "length"))
    })
}

#[test]
fn completions_are_continued_in_segments_and_after_an_interrupt() {
    let fake = counting();
    let settings = RemoteSettings { segment_tokens: 3, ..remote(&[&fake.url]) };
    let mut engine = RemoteEngine::connect(settings, tokenizer()).unwrap();
    let (prompts, sampling) = (prompts(2), sampling());
    let mut request = SampleRequest::new(&prompts, 2, &sampling, 0);
    let (sampled, whole) = sample(&mut engine, &request);
    assert_eq!(sampled.unwrap().cost.n_tokens, 32);
    assert_eq!(whole[0].rollouts[0].completion.text, "bcdefgha");
    let mut lengths: Vec<u64> =
        fake.asked("/v1/completions").iter().map(|body| body["max_tokens"].as_u64().unwrap()).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, [2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3]);

    // Interrupted as soon as it looks: what is there comes back, and goes on to the same end.
    let stop = AtomicBool::new(true);
    let asked = || stop.load(Ordering::Relaxed);
    let slow = Fake::new({
        let url = fake.url.clone();
        move |_, seen| {
            if seen.path == "/v1/models" {
                return models();
            }
            std::thread::sleep(std::time::Duration::from_millis(60));
            let client = gavel::remote::Client::new(settings_of(&url)).unwrap();
            Act::Json(client.post_blocking(&seen.path, &seen.body).unwrap())
        }
    });
    let settings = RemoteSettings { segment_tokens: 3, ..remote(&[&slow.url]) };
    let mut engine = RemoteEngine::connect(settings, tokenizer()).unwrap();
    request.interrupt = Some(&asked);
    let (sampled, groups) = sample(&mut engine, &request);
    let left = sampled.unwrap().unfinished;
    let rollouts = |groups: &[Group]| groups.iter().map(|group| group.rollouts.len()).sum::<usize>();
    assert_eq!(rollouts(&left) + rollouts(&groups), 4);
    assert!(left.iter().flat_map(|group| &group.rollouts).any(|rollout| !rollout.is_finished()));
    stop.store(false, Ordering::Relaxed);
    request.begun = &left;
    let (sampled, rest) = sample(&mut engine, &request);
    assert!(sampled.unwrap().unfinished.is_empty());
    let mut all: Vec<Group> = groups.into_iter().chain(rest).collect();
    all.sort_by_key(|group| group.index);
    all.dedup_by_key(|group| group.index);
    for (one, other) in all.iter().zip(&whole) {
        assert_eq!(one.rollouts, other.rollouts);
    }
}

fn settings_of(url: &str) -> gavel::remote::Settings {
    settings(&[url])
}

#[test]
fn thoughts_loops_and_stops_end_as_in_the_native_engine() {
    let run = |sampling: &Sampling, segment_tokens: usize| {
        let fake = counting();
        let settings = RemoteSettings { segment_tokens, ..remote(&[&fake.url]) };
        let mut engine = RemoteEngine::connect(settings, tokenizer()).unwrap();
        let prompts = prompts(1);
        let (sampled, mut groups) = sample(&mut engine, &SampleRequest::new(&prompts, 1, sampling, 0));
        sampled.unwrap();
        groups.remove(0).rollouts.remove(0)
    };
    // The thought ends with `.`, which never comes.
    let budget = ThinkingBudget { max_tokens: 3, inserted: vec![12, 4], end_marker: vec![12] };
    let rollout = run(&Sampling { thinking: Some(budget.clone()), ..sampling() }, 0);
    assert_eq!(rollout.completion.text, "bcd.abcd");
    assert_eq!(rollout.sampled, [true, true, true, false, false, true, true, true]);
    assert_eq!((rollout.logprobs[3], rollout.completion.n_tokens), (0.0, Some(6)));
    // It comes in time.
    let ended = ThinkingBudget { end_marker: vec![6], ..budget };
    let rollout = run(&Sampling { thinking: Some(ended), ..sampling() }, 0);
    assert_eq!((rollout.completion.text.as_str(), rollout.n_sampled()), ("bcdefgha", 8));
    // A stop string across two requests.
    for segment in [0, 2, 3] {
        let stops = Sampling { stop_strings: vec!["ef".to_owned(), "h".to_owned()], ..sampling() };
        let rollout = run(&stops, segment);
        assert_eq!((rollout.completion.text.as_str(), rollout.tokens.len()), ("bcd", 5), "{segment}");
        assert_eq!(rollout.completion.finish_reason.as_deref(), Some("stop"));
        // `abcdefgh` twice.
        let guard = Some(RepetitionGuard { ngram: 8, times: 2 });
        let rollout = run(&Sampling { max_tokens: 30, repetition: guard, ..sampling() }, segment);
        assert_eq!(rollout.tokens.len(), 16);
        assert_eq!(rollout.completion.finish_reason.as_deref(), Some("repetition"));
    }
}

#[test]
fn chats_are_sent_as_messages_and_checked_against_the_prompt() {
    let fake = Fake::new(|_, seen| match &*seen.path {
        "/v1/models" => models(),
        _ => Act::Json(json!({
            "prompt_token_ids": if seen.body["messages"][0]["content"] == "a" { json!([1, 4]) } else { json!([1]) },
            "choices": [{ "message": { "content": "ab" }, "finish_reason": "stop", "token_ids": [4, 5, 2],
                "logprobs": { "content": [{ "token": "a", "logprob": -0.1 }, { "token": "b", "logprob": -0.2 },
                                          { "token": "", "logprob": -0.3 }] } }],
        })),
    });
    for (content, good) in [("a", true), ("b", false)] {
        let messages =
            Arc::new(move |_: &Task| Ok(vec![gavel::remote::openai::Message::new("user", content)]));
        let settings = RemoteSettings { wire: Wire::Chat(messages), ..remote(&[&fake.url]) };
        let mut engine = RemoteEngine::connect(settings, tokenizer()).unwrap();
        let (prompts, sampling) = (prompts(1), sampling());
        let (sampled, groups) = sample(&mut engine, &SampleRequest::new(&prompts, 1, &sampling, 0));
        assert_eq!(sampled.is_ok(), good);
        if good {
            assert_eq!(groups[0].rollouts[0].tokens, [4, 5, END]);
        }
        // Nothing can be put into a chat.
        let thinking = ThinkingBudget { max_tokens: 3, inserted: vec![12], end_marker: vec![12] };
        let sampling = Sampling { thinking: Some(thinking), ..sampling.clone() };
        assert!(sample(&mut engine, &SampleRequest::new(&prompts, 1, &sampling, 0)).0.is_err());
    }
    let body = &fake.asked("/v1/chat/completions")[0];
    assert_eq!((&body["logprobs"], &body["messages"][0]["role"]), (&json!(true), &json!("user")));
}

#[test]
fn further_fields_take_the_place_of_ours() {
    let fake = completing(|_| Act::Json(reply(&[4, END], "stop")));
    let mut settings = remote(&[&fake.url]);
    settings.extra.insert("top_k".to_owned(), json!(-1));
    settings.extra.insert("priority".to_owned(), json!(3));
    let mut engine = RemoteEngine::connect(settings, tokenizer()).unwrap();
    let (prompts, sampling) = (prompts(1), sampling());
    sample(&mut engine, &SampleRequest::new(&prompts, 1, &sampling, 0)).0.unwrap();
    let body = &fake.asked("/v1/completions")[0];
    assert_eq!((&body["top_k"], &body["priority"]), (&json!(-1), &json!(3)));
}
