//! Requests that cannot be: each is an error of OpenAI's shape that names the field.

use gavel::serving::Limits;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{CHAT, COMPLETIONS, chatter, error, refused, serve, until_idle};
use crate::server::{Options, Reply};

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "rows of data")]
async fn each_field_that_cannot_be_is_named() {
    let server = serve(Limits::default(), || Ok(chatter::loaded(1000)), Options::default()).await;
    let user = json!([{"role": "user", "content": "a"}]);
    let rows: &[(&str, Value)] = &[
        ("n", json!(0)),
        ("n", json!(100_000_000)),
        ("n", json!(-1)),
        ("n", json!(1.5)),
        ("n", json!("2")),
        ("n", json!([1])),
        ("max_tokens", json!(0)),
        ("max_tokens", json!(-5)),
        ("max_tokens", json!(u64::MAX)),
        ("max_tokens", json!("many")),
        ("temperature", json!(-0.1)),
        ("temperature", json!(1e300)),
        ("temperature", json!("hot")),
        ("temperature", json!({})),
        ("top_p", json!(0)),
        ("top_p", json!(1.01)),
        ("top_k", json!(-2)),
        ("top_k", json!(0.5)),
        ("min_p", json!(2)),
        ("seed", json!("x")),
        ("seed", json!(1e30)),
        ("stop", json!("")),
        ("stop", json!([1])),
        ("stop", json!({"a": 1})),
        ("stop", json!(vec!["a"; 17])),
        ("stop", json!("a".repeat(2000))),
        ("stop_token_ids[0]", json!([-1])),
        ("stop_token_ids", json!([4000])),
        ("stop_token_ids", json!(vec![1; 100])),
        ("stream", json!("yes")),
        ("stream_options", json!(7)),
        ("stream_options.include_usage", json!({"include_usage": 1})),
        ("frequency_penalty", json!(0.5)),
        ("presence_penalty", json!(1)),
        ("repetition_penalty", json!(1.1)),
        ("logit_bias", json!({"5": 100})),
        ("min_tokens", json!(3)),
        ("guided_regex", json!("a+")),
        ("guided_grammar", json!("root ::= \"a\"")),
        ("grammar", json!(5)),
        ("guided_choice", json!([])),
        ("guided_json", json!("{")),
        ("response_format", json!({"type": "json_object"})),
        ("response_format.type", json!({"type": "xml"})),
        ("response_format.type", json!([])),
        ("response_format.json_schema.schema", json!({"type": "json_schema"})),
        ("model", json!("gpt-4")),
        ("model", json!(4)),
    ];
    let only_completions = [
        ("prompt", json!("")),
        ("prompt", json!([])),
        ("prompt", json!([[]])),
        ("prompt", json!([1, "a"])),
        ("prompt", json!(null)),
        ("prompt", json!(7)),
        ("prompt", json!({"text": "a"})),
        ("prompt", json!([259])),
        ("prompt[0]", json!([-1])),
        ("prompt", json!([1_000_000_000_000_u64])),
        ("prompt[1]", json!([1, 1.5])),
        ("prompt", json!("a".repeat(1000))),
        ("prompt", json!("a".repeat(3_000_000))),
        ("logprobs", json!(21)),
        ("logprobs", json!(true)),
        ("best_of", json!(2)),
        ("echo", json!(true)),
        ("suffix", json!("x")),
    ];
    let only_chat = [
        ("messages", json!([])),
        ("messages", json!("hello")),
        ("messages", json!([{"role": "clown", "content": "a"}])),
        ("messages[0].role", json!([{"role": "", "content": "a"}])),
        ("messages[0].role", json!([{"role": 1, "content": "a"}])),
        ("messages[0]", json!([{"content": "a"}])),
        ("messages[0].content", json!([{"role": "user", "content": 5}])),
        (
            "messages[0].content[0]",
            json!([{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]),
        ),
        ("messages[1].tool_calls", json!([{"role": "user"}, {"role": "assistant", "tool_calls": [{}]}])),
        ("messages", json!([{"role": "user", "content": "a".repeat(2000)}])),
        ("logprobs", json!(3)),
        ("top_logprobs", json!(5)),
        ("max_completion_tokens", json!(0)),
        ("tools", json!([{"type": "function"}])),
        ("continue_final_message", json!(true)),
        ("add_generation_prompt", json!(false)),
        ("chat_template", json!("x")),
        ("modalities", json!(["audio"])),
    ];
    let base = |path: &str| if path == CHAT { json!({"messages": user}) } else { json!({"prompt": "a"}) };
    let both = [COMPLETIONS, CHAT].map(|path| rows.iter().map(move |(field, value)| (path, *field, value)));
    let all = both
        .into_iter()
        .flatten()
        .chain(only_completions.iter().map(|(field, value)| (COMPLETIONS, *field, value)))
        .chain(only_chat.iter().map(|(field, value)| (CHAT, *field, value)));
    let mut wrong = Vec::new();
    for (path, param, value) in all {
        let mut body = base(path);
        let field = param.split(['.', '[']).next().unwrap();
        body[field] = value.clone();
        let reply = Reply::to(server.request(Method::POST, path).body(body.to_string())).await;
        if reply.status == StatusCode::OK {
            wrong.push(format!("{path} {param}: answered"));
            continue;
        }
        let (status, named, code, message) = error(&reply);
        let shown: String = value.to_string().chars().take(60).collect();
        let expected =
            if code == "model_not_found" { StatusCode::NOT_FOUND } else { StatusCode::BAD_REQUEST };
        if (status, named.as_str()) != (expected, param) || message.len() > 2500 || code.is_empty() {
            wrong.push(format!("{path} {param} {shown}: {status} {named} {code} {message}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    until_idle(&server).await;
}

#[tokio::test]
async fn bodies_that_are_no_request() {
    let server = serve(Limits::default(), || Ok(chatter::loaded(1000)), Options::default()).await;
    let deep = format!("{{\"prompt\": {}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_unknown =
        format!("{{\"prompt\": \"a\", \"x\": {}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let rows = [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "\"prompt\"".to_owned(),
        "{\"prompt\": \"a\"".to_owned(),
        "{\"prompt\": \"a\"} {}".to_owned(),
        "{\"prompt\": \"a\", \"n\": 1, \"n\": 2}".to_owned(),
        "{\"prompt\": \"a\", \"temperature\": NaN}".to_owned(),
        "{\"prompt\": \"\\ud800\"}".to_owned(),
        deep,
    ];
    for body in rows {
        for path in [COMPLETIONS, CHAT] {
            let (status, ..) = refused(&server, path, body.clone()).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{path} {}", &body[..body.len().min(60)]);
        }
    }
    // What is not known is passed over, however deep it is.
    let request = server.request(Method::POST, COMPLETIONS).body(deep_unknown);
    assert_eq!(Reply::to(request).await.status, StatusCode::OK);
    let options = Options::default();
    let limits = crate::server::Options::default().limits;
    let small = gavel::server::admission::Limits { max_body_bytes: 1000, ..limits };
    let server =
        serve(Limits::default(), || Ok(chatter::loaded(1000)), Options { limits: small, ..options }).await;
    let body = json!({"prompt": "a".repeat(2000)}).to_string();
    assert_eq!(refused(&server, COMPLETIONS, body).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}
