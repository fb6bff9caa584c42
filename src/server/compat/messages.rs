//! Chat messages as trainers send them: what the assistant said last, and what it was asked.

use graders::{Completion, Prompt};
use serde_json::Value;

/// The content of a message as one text: a text, or parts of which those that are text count.
pub(super) fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part.as_str().or_else(|| part.get("text")?.as_str()))
            .collect::<Vec<_>>()
            .concat(),
        _ => String::new(),
    }
}

/// The last message, if it is the assistant's, and those before it.
pub(super) fn last_said(mut messages: Vec<Value>) -> Option<(Option<Prompt>, Completion)> {
    let last = messages.pop_if(|message| message["role"] == "assistant")?;
    let completion = Completion::new(text(&last["content"]));
    Some(((!messages.is_empty()).then_some(Prompt::Messages(messages)), completion))
}
