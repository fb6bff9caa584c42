//! `format`: does the completion stand in the tags it was asked to use?
//!
//! One rule for each published reward, by name, so that a recipe can be repeated with its holes, and one
//! strict rule without them. Only the form is judged, never what stands in it. Every rule scans for fixed
//! strings, in time linear in the text.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;

use crate::completion::Completion;
use crate::config::{self, Fields};
use crate::error::{ConfigError, GradeError, TaskError};
use crate::grader::{GradeCompletion, Grader, Prepared, Resources};
use crate::task::Task;
use crate::verdict::{Reason, Verdict};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    /// The rule; default `think_answer`.
    #[serde(default)]
    style: Style,
    /// Whether the chat template itself wrote `<think>` and a line break at the end of the prompt, as
    /// R1-distilled models and Qwen3 do, so that the completion begins inside the thought; default false.
    #[serde(default)]
    assume_open_think: bool,
}

/// The rules by name.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Style {
    /// `<think>…</think><answer>…</answer>`: each tag exactly once and in this order, nothing but white space
    /// outside, neither body blank. 1 or 0.
    #[default]
    ThinkAnswer,
    /// open-r1's `format_reward`: the tags on lines of their own. Text on the line after `</answer>`, a second
    /// thought and an empty thought pass. 1 or 0.
    OpenR1,
    /// TRL's `think_format_reward`: opens with the only `<think>` and closes it. An empty thought and an empty
    /// answer pass. 1 or 0.
    TrlThink,
    /// open-r1's `tag_count_reward`: a quarter for each of four tags, line breaks included, that occurs
    /// exactly once, in whatever order.
    TagCount,
    /// open-instruct: somewhere a `</think>`, then `<answer>…</answer>` with only white space between them.
    /// 1 or 0.
    OpenInstruct,
    /// GRPO-Zero: 1 for thought and answer with one line break between them and nothing around; otherwise 0.1
    /// for a thought and 0.5 for an answer anywhere.
    GrpoZero,
}

#[derive(Clone, Debug)]
struct FormatGrader {
    spec: Arc<Spec>,
}

pub(crate) fn build(fields: Fields) -> Result<Arc<dyn Grader>, ConfigError> {
    Ok(Arc::new(FormatGrader { spec: Arc::new(config::read(fields)?) }))
}

impl Grader for FormatGrader {
    fn kind(&self) -> &'static str {
        "format"
    }

    fn version(&self) -> u32 {
        1
    }

    fn prepare(&self, _task: &Task, _resources: &Resources) -> Result<Prepared, TaskError> {
        Ok(Prepared::Completion(Box::new(self.clone())))
    }
}

impl GradeCompletion for FormatGrader {
    fn grade(&self, completion: &Completion) -> Result<Verdict, GradeError> {
        let text = if self.spec.assume_open_think {
            Cow::Owned(format!("<think>\n{}", completion.text))
        } else {
            Cow::Borrowed(completion.text.as_str())
        };
        let score = match self.spec.style {
            Style::ThinkAnswer => {
                return Ok(match think_answer(&text) {
                    Ok(()) => Verdict::new(1.0, Reason::WellFormed),
                    Err(problem) => Verdict::new(0.0, Reason::Malformed).with("problem", problem),
                });
            }
            Style::OpenR1 => f64::from(open_r1(&text)),
            Style::TrlThink => f64::from(trl_think(&text)),
            Style::TagCount => tag_count(&text),
            Style::OpenInstruct => f64::from(open_instruct(&text)),
            Style::GrpoZero => grpo_zero(&text),
        };
        let reason = if score >= 1.0 {
            Reason::WellFormed
        } else if score > 0.0 {
            Reason::PartlyFormed
        } else {
            Reason::Malformed
        };
        Ok(Verdict::new(score, reason))
    }
}

/// The strict rule; the error says which part of it the text breaks first.
fn think_answer(text: &str) -> Result<(), String> {
    let mut rest = text;
    // What stands before each tag, in order, and what that stretch must be.
    let stretches = [
        ("<think>", false, "before <think>"),
        ("</think>", true, "in the thought"),
        ("<answer>", false, "between </think> and <answer>"),
        ("</answer>", true, "in the answer"),
    ];
    for (tag, is_body, place) in stretches {
        let mut found = text.match_indices(tag);
        match (found.next(), found.next()) {
            (Some(_), None) => {}
            (None, _) => return Err(format!("there is no {tag}")),
            (Some(_), Some(_)) => return Err(format!("{tag} occurs more than once")),
        }
        let Some((before, after)) = rest.split_once(tag) else {
            return Err(format!("{tag} is out of order"));
        };
        match (is_body, before.trim().is_empty()) {
            (true, true) => return Err(format!("there is nothing {place}")),
            (false, false) => return Err(format!("there is text {place}")),
            _ => {}
        }
        rest = after;
    }
    if rest.trim().is_empty() { Ok(()) } else { Err("there is text after </answer>".to_owned()) }
}

/// open-r1: `^<think>\n.*?\n</think>\n<answer>\n.*?\n</answer>$`, where `.` takes line breaks, `^` means the
/// start of the text and `$` the end of any line.
fn open_r1(text: &str) -> bool {
    let Some(thought) = text.strip_prefix("<think>\n") else { return false };
    // The earliest middle leaves the most text for the end, so no other one has to be tried.
    let Some((_, answer)) = thought.split_once("\n</think>\n<answer>\n") else { return false };
    answer
        .match_indices("\n</answer>")
        .map(|(at, tag)| &answer[at + tag.len()..])
        .any(|after| after.is_empty() || after.starts_with('\n'))
}

/// TRL: `^<think>(?!.*<think>)(.*?)</think>.*$`, where `.` takes line breaks.
fn trl_think(text: &str) -> bool {
    text.strip_prefix("<think>").is_some_and(|rest| !rest.contains("<think>") && rest.contains("</think>"))
}

/// open-r1: a quarter for each tag that occurs exactly once.
fn tag_count(text: &str) -> f64 {
    let once = |tag: &str| text.matches(tag).take(2).count() == 1;
    let tags = ["<think>\n", "\n</think>\n", "\n<answer>\n", "\n</answer>"];
    0.25 * tags.into_iter().filter(|tag| once(tag)).count() as f64
}

/// open-instruct: `.*?</think>\s*<answer>.*?</answer>`, where `.` takes line breaks.
fn open_instruct(text: &str) -> bool {
    // The stretches of white space after different tags do not overlap, so the scan stays linear.
    text.match_indices("</think>")
        .find_map(|(at, tag)| text[at + tag.len()..].trim_start().strip_prefix("<answer>"))
        .is_some_and(|answer| answer.contains("</answer>"))
}

/// GRPO-Zero: all of `^<think>.*?</think>\n<answer>.*?</answer>$` for 1, else 0.1 and 0.5 for its two halves,
/// where `.` takes line breaks and `$` allows one at the end.
fn grpo_zero(text: &str) -> f64 {
    let inside = text.strip_suffix('\n').unwrap_or(text).strip_suffix("</answer>");
    let whole = inside
        .and_then(|inside| inside.strip_prefix("<think>"))
        .is_some_and(|inside| inside.contains("</think>\n<answer>"));
    if whole {
        return 1.0;
    }
    let closed =
        |open: &str, close: &str| text.split_once(open).is_some_and(|(_, rest)| rest.contains(close));
    let thought = if closed("<think>", "</think>") { 0.1 } else { 0.0 };
    let answer = if closed("<answer>", "</answer>") { 0.5 } else { 0.0 };
    thought + answer
}
