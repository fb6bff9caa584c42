//! `choice`: which option of a multiple-choice question does the completion pick?
//!
//! An answer is an option's letter, its text, or both where they belong together. An answer that names two
//! options is ambiguous, whichever of them is right. The options' texts come from the task's
//! `metadata.choices`, a list of strings in the order of the letters; without them only letters are read.

use std::sync::{Arc, LazyLock};

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use crate::completion::Completion;
use crate::config::{self, Fields};
use crate::error::{ConfigError, GradeError, TaskError, TaskErrorKind};
use crate::extract::{Extractor, Step};
use crate::grader::{GradeCompletion, Grader, Prepared, Resources};
use crate::scores::Scores;
use crate::task::Task;
use crate::verdict::{Reason, Verdict};

/// The most options, one for each letter.
const MAX_OPTIONS: u8 = 26;
/// The longest answer that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 8192;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    /// How the answer is found. Default: `answer_tag`, `boxed`, `answer_is`, `whole`.
    #[serde(default = "default_extract")]
    extract: Extractor,
    /// How many options there are where the task does not list them. Default: 26.
    #[serde(default = "default_options")]
    options: u8,
    /// The score of a right answer. Default: 1.
    #[serde(default = "Scores::default_correct")]
    correct: f64,
    /// The score of any other. Default: 0.
    #[serde(default)]
    incorrect: f64,
}

fn default_extract() -> Extractor {
    Extractor::of(&[Step::AnswerTag, Step::Boxed, Step::AnswerIs, Step::Whole])
}

const fn default_options() -> u8 {
    MAX_OPTIONS
}

#[derive(Clone, Debug)]
struct ChoiceGrader {
    extract: Arc<Extractor>,
    options: u8,
    scores: Scores,
}

pub(crate) fn build(fields: Fields) -> Result<Arc<dyn Grader>, ConfigError> {
    let spec: Spec = config::read(fields)?;
    let scores = Scores::new(spec.correct, spec.incorrect)?;
    if !(2..=MAX_OPTIONS).contains(&spec.options) {
        return Err(ConfigError::new(
            "/options",
            format!("expected 2 to {MAX_OPTIONS}, found {}", spec.options),
        ));
    }
    Ok(Arc::new(ChoiceGrader { extract: Arc::new(spec.extract), options: spec.options, scores }))
}

impl Grader for ChoiceGrader {
    fn kind(&self) -> &'static str {
        "choice"
    }

    fn version(&self) -> u32 {
        1
    }

    fn prepare(&self, task: &Task, _resources: &Resources) -> Result<Prepared, TaskError> {
        let options = Options::of(task, self.options)?;
        let texts = task.reference_text()?.0;
        let references = texts
            .iter()
            .map(|text| match options.pick(text) {
                Pick::One(index) => Ok(index),
                Pick::Several | Pick::None => {
                    let start: String = text.chars().take(80).collect();
                    Err(TaskError::reference(format!(
                        "`{start}` names none of the {} options",
                        options.count
                    )))
                }
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Prepared::Completion(Box::new(Judge { grader: self.clone(), options, references })))
    }
}

/// Compares with one task's references.
struct Judge {
    grader: ChoiceGrader,
    options: Options,
    references: Vec<u8>,
}

impl GradeCompletion for Judge {
    fn grade(&self, completion: &Completion) -> Result<Verdict, GradeError> {
        let scores = self.grader.scores;
        let Some(found) = self.grader.extract.extract(&completion.text) else {
            return Ok(scores.wrong(Reason::NoAnswer));
        };
        let text = found.unboxed();
        let verdict = match self.options.pick(text) {
            Pick::One(index) => {
                let right = self.references.contains(&index);
                let verdict =
                    if right { scores.right(Reason::Match) } else { scores.wrong(Reason::Mismatch) };
                verdict.with("choice", letter(index).to_string())
            }
            Pick::Several => scores.wrong(Reason::AmbiguousAnswer),
            Pick::None if text.trim().is_empty() => scores.wrong(Reason::NoAnswer),
            Pick::None => scores.wrong(Reason::UnparsableAnswer),
        };
        Ok(verdict.with_excerpt("extracted", text).with("extraction", found.step.name()))
    }
}

fn letter(index: u8) -> char {
    char::from(b'A' + index)
}

/// What an answer picks.
enum Pick {
    One(u8),
    Several,
    None,
}

/// The options of one task.
struct Options {
    count: u8,
    /// The options' texts as they are compared; empty when the task lists none.
    texts: Vec<String>,
}

/// A letter at the start, with the brackets and the punctuation that set it off.
static LETTER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(\(?)([A-Za-z])(\)?[.:,)]?)(?:\s+|$)")
        .expect("the pattern is a constant, a failure is a bug")
});

/// Capital letters that stand alone, as options do.
static ALONE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b[A-Z]\b").expect("the pattern is a constant, a failure is a bug"));

impl Options {
    fn of(task: &Task, count: u8) -> Result<Self, TaskError> {
        let invalid = |pointer: &str, message: String| {
            TaskError::new(TaskErrorKind::InvalidTask, format!("/metadata/choices{pointer}"), message)
        };
        let Some(choices) = task.metadata.get("choices") else {
            return Ok(Self { count, texts: Vec::new() });
        };
        let Value::Array(choices) = choices else {
            return Err(invalid("", "expected a list of the options' texts".to_owned()));
        };
        let count =
            u8::try_from(choices.len()).ok().filter(|n| (2..=MAX_OPTIONS).contains(n)).ok_or_else(|| {
                invalid("", format!("expected 2 to {MAX_OPTIONS} options, found {}", choices.len()))
            })?;
        let text = |(index, choice): (usize, &Value)| match choice {
            Value::String(text) => Ok(normal(text)),
            Value::Number(number) => Ok(number.to_string()),
            _ => Err(invalid(&format!("/{index}"), "expected a string or a number".to_owned())),
        };
        let texts = choices.iter().enumerate().map(text).collect::<Result<_, _>>()?;
        Ok(Self { count, texts })
    }

    /// The option of this letter.
    fn by_letter(&self, letter: &str) -> Option<u8> {
        let index = letter.bytes().next()?.to_ascii_uppercase().checked_sub(b'A')?;
        (index < self.count).then_some(index)
    }

    /// The options with this text.
    fn by_text(&self, text: &str) -> Pick {
        let mut matching = self.texts.iter().enumerate().filter(|(_, option)| *option == text);
        match (matching.next(), matching.next()) {
            (Some((index, _)), None) => u8::try_from(index).map_or(Pick::None, Pick::One),
            (Some(_), Some(_)) => Pick::Several,
            (None, _) => Pick::None,
        }
    }

    fn pick(&self, answer: &str) -> Pick {
        if answer.len() > MAX_ANSWER_BYTES {
            return Pick::None;
        }
        let answer = plain(answer);
        match self.by_text(&normal(&answer)) {
            Pick::None => {}
            found => return found,
        }
        let Some(start) = LETTER.captures(&answer) else { return self.without_letter(&answer) };
        let part = |group: usize| start.get(group).map_or("", |found| found.as_str());
        let rest = answer[part(0).len()..].trim();
        let set_off = !part(1).is_empty() || !part(3).is_empty();
        // "A dog" begins with an article and "b and c" with a variable: neither is a letter with its reason.
        if !rest.is_empty()
            && !set_off
            && (part(2) == "A" || part(2) == "I" || part(2).to_uppercase() != part(2))
        {
            return self.without_letter(&answer);
        }
        let Some(index) = self.by_letter(part(2)) else { return Pick::None };
        if rest.is_empty() {
            return Pick::One(index);
        }
        match self.by_text(&normal(rest)) {
            Pick::One(same) if same == index => Pick::One(index),
            Pick::One(_) => Pick::Several,
            _ if self.names_another(rest, index) => Pick::Several,
            _ => Pick::One(index),
        }
    }

    /// An answer that does not begin with a letter may still name two.
    fn without_letter(&self, answer: &str) -> Pick {
        let mut named = ALONE.find_iter(answer).filter_map(|found| self.by_letter(found.as_str()));
        match named.next() {
            Some(first) if named.any(|other| other != first) => Pick::Several,
            _ => Pick::None,
        }
    }

    fn names_another(&self, rest: &str, index: u8) -> bool {
        let letters = ALONE.find_iter(rest).filter_map(|found| self.by_letter(found.as_str()));
        let lower = rest.to_lowercase();
        let hedged = ["or ", "and ", "/"].iter().any(|word| lower.starts_with(word));
        hedged || letters.into_iter().any(|other| other != index)
    }
}

/// The answer without LaTeX and Markdown around it, and without a word such as "option" before it.
fn plain(answer: &str) -> String {
    let mut text = answer.to_owned();
    for command in ["\\textbf{", "\\text{", "\\mathrm{", "\\mathbf{", "\\boxed{"] {
        text = text.replace(command, "{");
    }
    let text = text.replace(['{', '}', '$', '*', '`'], " ");
    let mut text = text.trim();
    for word in ["option", "choice", "answer"] {
        if let Some(start) = text.get(..word.len())
            && start.eq_ignore_ascii_case(word)
            && text[word.len()..].starts_with([' ', ':', '('])
        {
            text = text[word.len()..].trim_start_matches([' ', ':']);
        }
    }
    text.to_owned()
}

/// A text as options are compared: without case, layout and a full stop at the end.
fn normal(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").trim_end_matches('.').to_lowercase()
}
