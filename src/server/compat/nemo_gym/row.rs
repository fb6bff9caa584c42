//! A row of a NeMo-Gym data set with the response that the policy gave: a sample.
//!
//! Every environment of NeMo-Gym has its own fields. What is read is what their rows have in common: `expected_answer`
//! and its other names, unit tests, `IFEval`'s instructions. A row that was made for Gavel has `task` and `rubric`.

use graders::{Completion, Prompt};
use serde_json::{Map, Value, json};

use crate::server::compat::label;
use crate::server::compat::scoring::Sample;
use crate::tasks::TaskSets;

/// The names of the right answer, the most telling first.
const ANSWERS: [&str; 5] = ["expected_answer", "ground_truth", "reference", "label", "answer"];

/// A row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a>(&'a Map<String, Value>);

impl<'a> Row<'a> {
    /// The row that a request is.
    pub(super) fn new(fields: &'a Map<String, Value>) -> Self {
        Self(fields)
    }

    /// The sample, and whether there is a response at all. `dataset` names the only set that prompts are looked up in.
    pub(super) fn sample(self, sets: &TaskSets, dataset: Option<&str>) -> (Sample, bool) {
        let completion = self.0.get("response").and_then(said);
        let answered = completion.is_some();
        let sample = Sample {
            prompt: self.prompt(sets, dataset),
            label: self.label(),
            completion: completion.unwrap_or_default(),
        };
        (sample, answered)
    }

    /// What the policy was asked. `question` is that without what was said about the form of the answer, so that it
    /// may be the prompt that a data set knows.
    fn prompt(self, sets: &TaskSets, dataset: Option<&str>) -> Option<Prompt> {
        let own = self.own_task().and_then(|task| task.get("prompt"));
        let own = own.and_then(|prompt| serde_json::from_value(prompt.clone()).ok());
        if own.is_some() {
            return own;
        }
        let question = self.0.get("question").and_then(Value::as_str);
        let question = question.map(|text| Prompt::Text(text.to_owned()));
        let input = self.0.get("responses_create_params").and_then(|params| params.get("input"));
        let asked = input.and_then(asked);
        match (question, asked) {
            (Some(question), Some(_)) if sets.find(&question, dataset).is_some() => Some(question),
            (question, asked) => asked.or(question),
        }
    }

    /// What the row says of the right answer, with its rubric.
    fn label(self) -> Value {
        let answer = self.answer();
        let Some(rubric) = self.rubric() else { return answer };
        match answer {
            Value::Object(mut fields) if label::is_task(&fields) => {
                fields.entry("rubric").or_insert(rubric);
                fields.into()
            }
            Value::Null => json!({"rubric": rubric}),
            answer => json!({"rubric": rubric, "label": answer}),
        }
    }

    fn answer(self) -> Value {
        if let Some(task) = self.own_task() {
            let fields = task.iter().filter(|(name, _)| *name != "prompt");
            return fields.map(|(name, value)| (name.clone(), value.clone())).collect();
        }
        if let Some(tests) = self.field("unit_tests") {
            return json!({"tests": tests});
        }
        if let Some(instructions) = self.instructions() {
            return json!({"instructions": instructions});
        }
        ANSWERS.into_iter().find_map(|name| self.field(name)).cloned().unwrap_or_default()
    }

    /// A task in Gavel's own words. Rows of others have a `task` too, which is a name or something else.
    fn own_task(self) -> Option<&'a Map<String, Value>> {
        let task = self.0.get("task")?.as_object()?;
        (!task.is_empty() && task.keys().all(|key| key == "prompt" || label::is_field(key))).then_some(task)
    }

    /// The rubric that the row names: a name or a rubric. What cannot be either belongs to somebody else.
    fn rubric(self) -> Option<Value> {
        let rubric = self.0.get("rubric")?;
        let is_name = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
        let fits = rubric.as_str().is_some_and(is_name) || rubric.get("components").is_some();
        fits.then(|| rubric.clone())
    }

    /// `IFEval`'s instructions, their arguments without those that are null.
    fn instructions(self) -> Option<Vec<Value>> {
        let ids = self.field("instruction_id_list")?.as_array()?;
        let arguments = self.field("kwargs").and_then(Value::as_array);
        let instruction = |(index, id)| {
            let given = arguments.and_then(|all| all.get(index)).and_then(Value::as_object);
            let given = given.into_iter().flatten().filter(|(_, value)| !value.is_null());
            let given: Map<String, Value> =
                given.map(|(name, value)| (name.clone(), value.clone())).collect();
            json!({"id": id, "kwargs": given})
        };
        Some(ids.iter().enumerate().map(instruction).collect())
    }

    /// A field of the row itself, or of what it keeps for its verifier.
    fn field(self, name: &str) -> Option<&'a Value> {
        let of = |fields: &'a Map<String, Value>| fields.get(name).filter(|value| !value.is_null());
        of(self.0).or_else(|| of(self.0.get("verifier_metadata")?.as_object()?))
    }
}

/// What the policy wrote: the text of its messages, without reasoning and calls of tools. `None` where there is no
/// response.
fn said(response: &Value) -> Option<Completion> {
    let fields = match response {
        Value::Object(fields) => fields,
        Value::String(text) => return Some(Completion::new(text)),
        _ => return None,
    };
    let mut text = String::new();
    let output = fields.get("output").and_then(Value::as_array);
    for message in output.into_iter().flatten().filter(|item| item["type"] == "message") {
        match &message["content"] {
            Value::String(whole) => text.push_str(whole),
            Value::Array(parts) => {
                let parts = parts.iter().filter(|part| part["type"] == "output_text");
                text.extend(parts.filter_map(|part| part["text"].as_str()));
            }
            _ => {}
        }
    }
    let n_tokens = response["usage"]["output_tokens"].as_u64().and_then(|n| u32::try_from(n).ok());
    let finish_reason = match response["incomplete_details"]["reason"].as_str() {
        Some("max_output_tokens") => Some("length".to_owned()),
        Some(other) => Some(other.chars().take(64).collect()),
        None => (response["status"] == "completed").then(|| "stop".to_owned()),
    };
    Some(Completion { id: None, text, n_tokens, finish_reason })
}

/// A prompt in the form of the Responses API, its messages with plain text.
fn asked(input: &Value) -> Option<Prompt> {
    let items = match input {
        Value::String(text) => return Some(Prompt::Text(text.clone())),
        Value::Array(items) => items,
        _ => return None,
    };
    let message = |item: &Value| {
        let text = match &item["content"] {
            Value::String(text) => text.clone(),
            Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
            _ => return None,
        };
        Some(json!({"role": item["role"].as_str()?, "content": text}))
    };
    let messages: Vec<Value> = items.iter().filter_map(message).collect();
    (!messages.is_empty()).then_some(Prompt::Messages(messages))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(fields: &Value) -> (Value, Option<Value>) {
        let (sample, _) = Row::new(fields.as_object().unwrap()).sample(&TaskSets::default(), None);
        (sample.label, sample.prompt.map(|prompt| serde_json::to_value(prompt).unwrap()))
    }

    #[test]
    fn every_form_of_a_row_is_read() {
        let tests = json!({"inputs": ["1"], "outputs": ["2"], "fn_name": null});
        for (fields, label) in [
            (json!({"expected_answer": "42", "label": "no"}), json!("42")),
            (json!({"expected_answer": null, "ground_truth": 42}), json!(42)),
            (json!({"verifier_metadata": {"expected_answer": "42"}}), json!("42")),
            (json!({"verifier_metadata": {"unit_tests": tests}}), json!({"tests": tests})),
            (json!({"unit_tests": tests, "rubric": "code"}), json!({"tests": tests, "rubric": "code"})),
            (json!({"label": "{}", "rubric": "code"}), json!({"rubric": "code", "label": "{}"})),
            (json!({"rubric": "math"}), json!({"rubric": "math"})),
            (json!({"rubric": "Be kind to them.", "answer": "1"}), json!("1")),
            (
                json!({"task": {"prompt": "1?", "reference": "1"}, "rubric": "math", "answer": "2"}),
                json!({"reference": "1", "rubric": "math"}),
            ),
            (json!({"task": {"name": "x"}, "answer": "2"}), json!("2")),
            (
                json!({"instruction_id_list": ["a", "b"], "kwargs": [{"n": 1, "m": null}]}),
                json!({"instructions": [{"id": "a", "kwargs": {"n": 1}}, {"id": "b", "kwargs": {}}]}),
            ),
            (json!({}), json!(null)),
        ] {
            assert_eq!(row(&fields).0, label, "{fields}");
        }
    }

    #[test]
    fn prompts_are_messages_with_plain_text() {
        let input = json!([
            {"role": "user", "content": [{"type": "input_text", "text": "1+"}, {"type": "input_text", "text": "1?"}]},
            {"type": "function_call", "name": "f", "arguments": "{}"},
        ]);
        let asked = json!([{"role": "user", "content": "1+1?"}]);
        for (fields, prompt) in [
            (json!({"question": "q", "responses_create_params": {"input": input}}), Some(asked)),
            (json!({"question": "q", "responses_create_params": {"input": []}}), Some(json!("q"))),
            (json!({"responses_create_params": {"input": "1+1?"}}), Some(json!("1+1?"))),
            (json!({"task": {"prompt": "own"}, "question": "q"}), Some(json!("own"))),
            (json!({"responses_create_params": 1}), None),
        ] {
            assert_eq!(row(&fields).1, prompt, "{fields}");
        }
    }

    #[test]
    fn completions_are_what_messages_say() {
        let message = json!({"type": "message", "role": "assistant", "content": [
            {"type": "output_text", "text": "a"}, {"type": "refusal", "refusal": "r"},
            {"type": "output_text", "text": "b"},
        ]});
        let reasoning = json!({"type": "reasoning", "summary": [{"type": "summary_text", "text": "s"}]});
        let call = json!({"type": "function_call", "name": "f", "arguments": "{}", "call_id": "1"});
        for (response, text) in [
            (json!({"output": [reasoning, message, call, message]}), Some("abab")),
            (json!({"output": [{"type": "message", "content": "plain"}]}), Some("plain")),
            (json!({"output": [reasoning]}), Some("")),
            (json!({"output": [call]}), Some("")),
            (json!({"output": [1, null, {"type": "message"}]}), Some("")),
            (json!({}), Some("")),
            (json!("text"), Some("text")),
            (json!(null), None),
            (json!(1), None),
        ] {
            let said = said(&response);
            assert_eq!(said.as_ref().map(|said| said.text.as_str()), text, "{response}");
        }
        let cut = json!({"output": [], "usage": {"output_tokens": 7},
            "incomplete_details": {"reason": "max_output_tokens"}});
        let cut = said(&cut).unwrap();
        assert_eq!((cut.n_tokens, cut.finish_reason.as_deref()), (Some(7), Some("length")));
    }
}
