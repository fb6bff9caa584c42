//! Requests as servers want them, replies as they send them.

use serde_json::json;

use super::*;

#[test]
fn what_is_not_set_is_not_sent() {
    let request = CompletionRequest {
        model: "m".to_owned(),
        prompt: Prompt::Tokens(vec![1, 2]),
        logprobs: Some(1),
        sampling: SamplingFields { seed: Some(7), return_token_ids: Some(true), ..SamplingFields::default() },
        ..CompletionRequest::default()
    };
    let expected =
        json!({ "model": "m", "prompt": [1, 2], "logprobs": 1, "seed": 7, "return_token_ids": true });
    assert_eq!(serde_json::to_value(&request).unwrap(), expected);
    let mut extra = serde_json::Map::new();
    extra.insert("structured_outputs".to_owned(), json!({ "regex": "yes|no" }));
    let request = ChatRequest {
        model: "m".to_owned(),
        messages: vec![Message::new("user", "Equal?")],
        response_format: Some(ResponseFormat::JsonSchema {
            json_schema: JsonSchemaFormat {
                name: "verdict".to_owned(),
                schema: json!({ "type": "object" }),
                strict: true,
            },
        }),
        sampling: SamplingFields { extra, ..SamplingFields::default() },
        ..ChatRequest::default()
    };
    let expected = json!({
        "model": "m",
        "messages": [{ "role": "user", "content": "Equal?" }],
        "response_format": {
            "type": "json_schema",
            "json_schema": { "name": "verdict", "schema": { "type": "object" }, "strict": true },
        },
        "structured_outputs": { "regex": "yes|no" },
    });
    assert_eq!(serde_json::to_value(&request).unwrap(), expected);
}

#[test]
fn replies_of_several_servers_are_read() {
    // Fields as vLLM, SGLang and llama.cpp have them, many of which say nothing here.
    let reply: CompletionReply = serde_json::from_value(json!({
        "id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m", "system_fingerprint": null,
        "choices": [{
            "index": 0, "text": "ab", "finish_reason": "stop", "stop_reason": null, "prompt_logprobs": null,
            "logprobs": {
                "tokens": ["token_id:5", "token_id:6"], "token_logprobs": [-0.5, null],
                "top_logprobs": [{ "token_id:5": -0.5 }, null], "text_offset": [0, 1],
            },
            "token_ids": [5, 6], "prompt_token_ids": [1],
        }],
        "usage": { "prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "prompt_tokens_details": null },
        "kv_transfer_params": null,
    }))
    .unwrap();
    let choice = &reply.choices[0];
    let logprobs = choice.logprobs.as_ref().unwrap();
    assert_eq!(logprobs.token_logprobs, [Some(-0.5), None]);
    assert_eq!(named_token(&logprobs.tokens[1]), Some(6));
    assert_eq!(choice.token_ids.as_deref(), Some(&[5, 6][..]));
    assert_eq!(reply.usage.unwrap().completion_tokens, 2);

    let reply: CompletionReply = serde_json::from_value(json!({
        "choices": [{ "text": "", "matched_stop": 2, "logprobs": { "tokens": null, "top_logprobs": null } }],
    }))
    .unwrap();
    assert_eq!(reply.choices[0].stop_reason, Some(json!(2)));

    let reply: ChatReply = serde_json::from_value(json!({
        "choices": [{
            "message": { "role": "assistant", "content": null, "reasoning_content": "hm", "tool_calls": [] },
            "logprobs": { "content": [{ "token": "Yes", "bytes": [89], "logprob": -0.1,
                                        "top_logprobs": [{ "token": "Yes", "logprob": -0.1, "bytes": [89] }] }] },
            "response_token_ids": [1, 2], "finish_reason": "length",
        }],
        "usage": null,
    }))
    .unwrap();
    let choice = &reply.choices[0];
    assert_eq!(choice.message.content, None);
    assert_eq!(choice.logprobs.as_ref().unwrap().content[0].top_logprobs[0].token, "Yes");
    assert_eq!(choice.token_ids.as_deref(), Some(&[1, 2][..]));
}

#[test]
fn only_numbers_are_token_ids() {
    for (text, id) in [("token_id:0", Some(0)), ("token_id:-1", None), ("token_id:", None), ("5", None)] {
        assert_eq!(named_token(text), id, "{text}");
    }
}
