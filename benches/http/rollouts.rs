//! What is sent: batches of completions, the same for every server and for the library.

use std::sync::Arc;

use bytes::Bytes;
use graders::{Completion, Prompt, Task};
use serde_json::{Value, json};

use crate::running::Chance;

/// Completions of a group, where the batch is large enough.
const GROUP: usize = 8;
/// Length of a completion's thought, in bytes: some 250 tokens.
const THOUGHT_BYTES: usize = 1024;
/// Stands in a body where each request puts its own number, so that every group kept can be told apart.
const SERIAL: &str = "serial-000000000000";

/// One request.
#[derive(Clone)]
pub struct Batch {
    pub groups: Vec<(Task, Arc<[Completion]>)>,
    pub n_completions: usize,
    body: Vec<u8>,
    serials: Vec<usize>,
}

impl Batch {
    /// A request of `n` completions, some right and some wrong.
    pub fn new(n: usize, rubric: &Value, run: Option<&str>) -> Self {
        Self::with_thoughts(n, rubric, run, THOUGHT_BYTES)
    }

    /// The same with thoughts of another length.
    pub fn with_thoughts(n: usize, rubric: &Value, run: Option<&str>, thought_bytes: usize) -> Self {
        let mut chance = Chance(n as u64);
        let groups: Vec<(Task, Arc<[Completion]>)> = (0..n.div_ceil(GROUP))
            .map(|index| {
                let size = GROUP.min(n - index * GROUP);
                let answer = chance.between(10, 100);
                let completions = (0..size).map(|_| completion(&mut chance, answer, thought_bytes)).collect();
                let task = Task {
                    prompt: Some(Prompt::Text(format!("What is {answer} plus nothing?"))),
                    reference: Some(Value::from(answer.to_string())),
                    ..Task::default()
                };
                (task, completions)
            })
            .collect();
        let wire: Vec<Value> = groups
            .iter()
            .enumerate()
            .map(|(index, (task, completions))| {
                json!({"id": format!("{SERIAL}-{index}"), "task": task, "completions": completions})
            })
            .collect();
        let mut request = json!({"rubric": rubric, "groups": wire});
        if let Some(run) = run {
            request["run"] = Value::from(run);
        }
        let body = request.to_string();
        let serials = body.match_indices(SERIAL).map(|(at, _)| at + SERIAL.len() - 12).collect();
        Self { groups, n_completions: n, body: body.into_bytes(), serials }
    }

    /// The body of the request with this number.
    pub fn body(&self, serial: u64) -> Bytes {
        let mut body = self.body.clone();
        let digits = format!("{serial:012}");
        for &at in &self.serials {
            body[at..at + 12].copy_from_slice(digits.as_bytes());
        }
        body.into()
    }

    /// The ids of the groups of the request with this number.
    pub fn ids(&self, serial: u64) -> impl Iterator<Item = String> {
        (0..self.groups.len()).map(move |index| format!("serial-{serial:012}-{index}"))
    }
}

fn completion(chance: &mut Chance, answer: u64, thought_bytes: usize) -> Completion {
    const WORDS: [&str; 12] =
        ["so", "the sum", "is", "then", "twice", "half of", "x", "y", "=", "$\\frac{1}{2}$", "\n", "we get"];
    let mut text = String::with_capacity(thought_bytes + 64);
    text.push_str("<think>\n");
    while text.len() < thought_bytes {
        text.push_str(WORDS[chance.between(0, WORDS.len() as u64) as usize]);
        text.push(' ');
    }
    let said = answer + u64::from(chance.between(0, 2) == 0);
    text.push_str(&format!("\n</think>\n<answer>\n{said}\n</answer>"));
    Completion {
        n_tokens: Some(text.len() as u32 / 4),
        finish_reason: Some("stop".to_owned()),
        ..Completion::new(text)
    }
}
