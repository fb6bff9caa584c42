//! What comes back, whole and in pieces.

use serde_json::{Value, json};

use super::chatter::END;
use super::{CHAT, COMPLETIONS, ask, chattering, joined, stream, told};

#[tokio::test]
async fn a_completion() {
    let server = chattering().await;
    let reply = ask(&server, COMPLETIONS, &json!({"prompt": "abc", "max_tokens": 5})).await;
    assert!(reply["id"].as_str().unwrap().starts_with("cmpl-"));
    assert_eq!((&reply["object"], &reply["model"]), (&json!("text_completion"), &json!("tiny")));
    let choice = json!({
        "index": 0, "text": "abcab", "logprobs": null, "finish_reason": "length", "stop_reason": null,
    });
    assert_eq!(reply["choices"], json!([choice]));
    let usage = json!({"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8});
    assert_eq!(reply["usage"], usage);
    // Sixteen tokens where nobody says how many.
    let reply = ask(&server, COMPLETIONS, &json!({"prompt": "abc"})).await;
    assert_eq!(reply["usage"]["completion_tokens"], 16);
}

#[tokio::test]
async fn a_chat_completion() {
    let server = chattering().await;
    let messages = json!([
        {"role": "developer", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "user", "content": "c", "name": "Ada"},
        {"role": "assistant", "content": null},
    ]);
    let body =
        json!({"model": "tiny", "messages": messages, "max_completion_tokens": 40, "unknown": {"a": [1]}});
    let reply = ask(&server, CHAT, &body).await;
    assert!(reply["id"].as_str().unwrap().starts_with("chatcmpl-"));
    assert_eq!(reply["object"], "chat.completion");
    let said = "system:ab;user:c;assistant:;system:ab;us";
    let choice = json!({
        "index": 0, "message": {"role": "assistant", "content": said, "refusal": null},
        "logprobs": null, "finish_reason": "length", "stop_reason": null,
    });
    assert_eq!(reply["choices"], json!([choice]));
    assert_eq!(reply["usage"]["prompt_tokens"], 28);
}

#[tokio::test]
async fn prompts_in_every_form() {
    let server = chattering().await;
    for (prompt, n, expected) in [
        (json!("ab"), 1, &["aba"][..]),
        (json!(["ab", "c"]), 1, &["aba", "ccc"]),
        (json!([97, 98]), 1, &["aba"]),
        (json!([[97], [98, 99]]), 2, &["aaa", "aaa", "bcb", "bcb"]),
    ] {
        let body = json!({"prompt": prompt, "n": n, "max_tokens": 3});
        let reply = ask(&server, COMPLETIONS, &body).await;
        let texts: Vec<String> = told(&reply).into_iter().map(|(text, ..)| text).collect();
        assert_eq!(texts, expected, "{prompt}");
        let indices: Vec<_> =
            reply["choices"].as_array().unwrap().iter().map(|c| c["index"].clone()).collect();
        assert_eq!(indices, (0..expected.len()).map(Value::from).collect::<Vec<_>>());
        // Prompts are counted once, whatever continues them.
        let n_prompt = prompt.as_array().map_or(2, |list| match list[0] {
            Value::Number(_) => 2,
            _ => 3,
        });
        assert_eq!(reply["usage"]["prompt_tokens"], n_prompt, "{prompt}");
    }
}

#[tokio::test]
async fn a_stream_says_what_an_answer_says() {
    let server = chattering().await;
    let end = json!([97, 195, 169, 98, END]);
    let rows = [
        json!({"prompt": "aé😀b", "max_tokens": 21}),
        // Cut in the middle of a character.
        json!({"prompt": "aé😀b", "max_tokens": 5}),
        json!({"prompt": "one, two", "max_tokens": 50, "stop": ["two", "x"]}),
        json!({"prompt": "one, two", "max_tokens": 50, "stop": "tw", "include_stop_str_in_output": true}),
        json!({"prompt": "aab", "max_tokens": 5, "stop": ["aaba!"]}),
        json!({"prompt": "stop\n\nhere", "max_tokens": 40, "stop": ["\n\n\n", "ere"]}),
        json!({"prompt": end, "max_tokens": 40}),
        json!({"prompt": end, "max_tokens": 12, "ignore_eos": true}),
        json!({"prompt": "abc", "max_tokens": 40, "stop_token_ids": [99]}),
        json!({"prompt": ["ab", "cd"], "n": 3, "max_tokens": 9, "logprobs": 2, "return_token_ids": true}),
    ];
    for body in rows {
        for path in [COMPLETIONS, CHAT] {
            let mut body = body.clone();
            if path == CHAT {
                let Some(prompt) = body["prompt"].as_str().map(str::to_owned) else { continue };
                body["messages"] = json!([{"role": "user", "content": prompt}]);
            }
            let whole = ask(&server, path, &body).await;
            let told = told(&whole);
            let events = stream(&server, path, &body).await;
            assert_eq!(joined(&events, told.len()), told, "{path} {body}");
            assert!(events.iter().all(|event| event.get("usage").is_none()));
            body["stream_options"] = json!({"include_usage": true});
            let events = stream(&server, path, &body).await;
            let last = events.last().unwrap();
            assert_eq!((&last["choices"], &last["usage"]), (&json!([]), &whole["usage"]), "{path} {body}");
        }
    }
}

#[tokio::test]
async fn stops() {
    let server = chattering().await;
    for (body, text, finish, stop) in [
        (json!({"prompt": "one, two", "stop": "two"}), "one, ", "stop", json!("two")),
        (json!({"prompt": "one, two", "stop": ["o", ", t"]}), "", "stop", json!("o")),
        (json!({"prompt": "one, two", "stop": "three"}), "one, twoone, two", "length", Value::Null),
        (json!({"prompt": [97, 98, END]}), "ab", "stop", Value::Null),
        (json!({"prompt": [97, 98, 99], "stop_token_ids": [99]}), "ab", "stop", json!(99)),
        (
            json!({"prompt": [97, 98, 99], "stop_token_ids": [99], "include_stop_str_in_output": true}),
            "abc",
            "stop",
            json!(99),
        ),
    ] {
        let reply = ask(&server, COMPLETIONS, &body).await;
        let choice = &reply["choices"][0];
        assert_eq!(
            (choice["text"].as_str(), choice["finish_reason"].as_str(), &choice["stop_reason"]),
            (Some(text), Some(finish), &stop),
            "{body}"
        );
    }
    // The tokens that complete a stop text are told, and so is the model's own stop token.
    let body = json!({"prompt": "ab!", "stop": "b!", "return_token_ids": true});
    let reply = ask(&server, COMPLETIONS, &body).await;
    assert_eq!(reply["choices"][0]["token_ids"], json!([97, 98, 33]));
    let reply = ask(&server, COMPLETIONS, &json!({"prompt": [97, END], "return_token_ids": true})).await;
    assert_eq!(reply["choices"][0]["token_ids"], json!([97, END]));
    assert_eq!(reply["choices"][0]["prompt_token_ids"], json!([97, END]));
    assert_eq!(reply["usage"]["completion_tokens"], 2);
}

#[tokio::test]
async fn log_probabilities_in_both_shapes() {
    let server = chattering().await;
    let body = json!({"prompt": "xé", "max_tokens": 4, "logprobs": 2});
    let reply = ask(&server, COMPLETIONS, &body).await;
    let logprobs = &reply["choices"][0]["logprobs"];
    assert_eq!(logprobs["tokens"], json!(["x", "\u{fffd}", "\u{fffd}", "x"]));
    assert_eq!(logprobs["token_logprobs"], json!([-0.5, -0.5, -0.5, -0.5]));
    assert_eq!(logprobs["top_logprobs"][0], json!({"a": -1.0, "b": -2.0, "x": -0.5}));
    assert_eq!(logprobs["text_offset"], json!([0, 1, 1, 2]));
    let body = json!({"prompt": "xé", "max_tokens": 1, "logprobs": 0, "return_tokens_as_token_ids": true});
    let reply = ask(&server, COMPLETIONS, &body).await;
    assert_eq!(reply["choices"][0]["logprobs"]["tokens"], json!(["token_id:120"]));

    let messages = json!([{"role": "é", "content": ""}]);
    let body = json!({"messages": messages, "max_tokens": 3, "logprobs": true, "top_logprobs": 1});
    let reply = ask(&server, CHAT, &body).await;
    let content = &reply["choices"][0]["logprobs"]["content"];
    let top = json!([{"token": "a", "logprob": -1.0, "bytes": [97]}]);
    let token =
        |text: &str, byte: u8| json!({"token": text, "logprob": -0.5, "bytes": [byte], "top_logprobs": top});
    assert_eq!(content, &json!([token("\u{fffd}", 195), token("\u{fffd}", 169), token(":", 58)]));
    // In pieces each comes with its token.
    let events = stream(&server, CHAT, &body).await;
    let all: Vec<Value> = events
        .iter()
        .filter_map(|event| event["choices"][0]["logprobs"]["content"].as_array())
        .flatten()
        .cloned()
        .collect();
    assert_eq!(&json!(all), content);
}

#[tokio::test]
async fn the_models_there_are() {
    let server = chattering().await;
    let reply = server.get("/v1/models").await.json();
    let model = &reply["data"][0];
    assert_eq!(
        (&reply["object"], &model["id"], &model["object"], &model["max_model_len"]),
        (&json!("list"), &json!("tiny"), &json!("model"), &json!(1 << 20))
    );
    assert_eq!(server.get("/readyz").await.json()["model"], "tiny");
    let metrics = server.get("/metrics").await.text();
    assert!(metrics.contains("gavel_model_running 0"), "{metrics}");
}
