//! `language`: is the reasoning in the language asked for?
//!
//! The language-consistency reward of DeepSeek-R1 (arXiv:2501.12948, section 2.3.2): the share of words in the
//! target language. Scripts are told apart first; Latin, Cyrillic, Arabic and Devanagari text is then identified
//! passage by passage (see [`tally`]). Code, mathematics, markup, addresses and digits never count. A text with
//! too few words is not judged: the grader abstains and never guesses.
//!
//! It does not judge whether the language is good, and does not see a foreign word inside a sentence.

mod frequent;
mod identify;
mod known;
mod prose;
mod tally;
mod words;

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::completion::Completion;
use crate::config::{self, Fields};
use crate::error::{ConfigError, GradeError, TaskError, TaskErrorKind};
use crate::grader::{GradeCompletion, Grader, Prepared, Resources};
use crate::task::Task;
use crate::verdict::{Reason, Verdict};

pub(crate) use known::Language;
use tally::{Found, Tally};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    /// The target as a BCP-47 tag; only its primary subtag counts. Default: the task's `language`.
    #[serde(default)]
    language: Option<String>,
    /// `thinking` (default) judges what stands before the last `</think>`; `answer` what stands after it; `all`
    /// everything. In a text without `</think>` nothing tells the parts apart: all of it is judged, except that
    /// one that opens with `<think>` has no answer.
    #[serde(default)]
    part: Part,
    /// `words` (default) tells the languages of one script apart. `script` goes by the script alone, where French
    /// passes for English and Chinese for Japanese.
    #[serde(default)]
    method: Method,
    /// With fewer words than this the grader abstains. Default 5. A character of Chinese, Japanese or Thai is one
    /// word.
    #[serde(default = "five")]
    min_words: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Part {
    #[default]
    Thinking,
    Answer,
    All,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Method {
    Script,
    #[default]
    Words,
}

fn five() -> usize {
    5
}

#[derive(Clone, Debug)]
struct LanguageGrader {
    language: Option<Language>,
    part: Part,
    method: Method,
    min_words: usize,
}

pub(crate) fn build(fields: Fields) -> Result<Arc<dyn Grader>, ConfigError> {
    let spec: Spec = config::read(fields)?;
    let language = spec
        .language
        .map(|tag| Language::from_tag(&tag).map_err(|message| ConfigError::new("/language", message)))
        .transpose()?;
    if spec.min_words == 0 {
        return Err(ConfigError::new("/min_words", "expected at least 1: no words are in no language"));
    }
    Ok(Arc::new(LanguageGrader { language, part: spec.part, method: spec.method, min_words: spec.min_words }))
}

impl Grader for LanguageGrader {
    fn kind(&self) -> &'static str {
        "language"
    }

    fn version(&self) -> u32 {
        1
    }

    fn prepare(&self, task: &Task, _resources: &Resources) -> Result<Prepared, TaskError> {
        let target = match (self.language, &task.language) {
            (Some(language), _) => language,
            (None, Some(tag)) => Language::from_tag(tag)
                .map_err(|message| TaskError::new(TaskErrorKind::InvalidTask, "/language", message))?,
            (None, None) => {
                return Err(TaskError::missing("/language", "the target language, such as `en`,"));
            }
        };
        Ok(Prepared::Completion(Box::new(Consistency { target, grader: self.clone() })))
    }
}

/// The grader with its target known.
struct Consistency {
    target: Language,
    grader: LanguageGrader,
}

impl GradeCompletion for Consistency {
    fn grade(&self, completion: &Completion) -> Result<Verdict, GradeError> {
        let prose = prose::prose(self.grader.part.of(&completion.text));
        let words = words::words(&prose);
        let tally = match self.grader.method {
            Method::Script => tally::by_script(&words),
            Method::Words => tally::by_language(&words),
        };
        Ok(self.verdict(&tally))
    }
}

impl Consistency {
    fn verdict(&self, tally: &Tally) -> Verdict {
        let total: usize = tally.values().sum();
        let suiting: usize =
            tally.iter().filter(|(found, _)| found.suits(self.target)).map(|(_, count)| count).sum();
        let verdict = if total < self.grader.min_words.max(1) {
            Verdict::abstain(Reason::TooShort)
        } else {
            let reason = match suiting {
                0 => Reason::WrongLanguage,
                _ if suiting == total => Reason::Consistent,
                _ => Reason::MixedLanguages,
            };
            Verdict::new(suiting as f64 / total as f64, reason)
        };
        let counts: Map<String, Value> =
            tally.iter().map(|(found, count)| (found.name().to_owned(), Value::from(*count))).collect();
        verdict.with("target", self.target.tag()).with("words", total).with("languages", counts)
    }
}

impl Part {
    /// The part of `text` that is judged.
    fn of(self, text: &str) -> &str {
        match (self, text.rsplit_once("</think>")) {
            (Self::Thinking, Some((thinking, _))) => thinking,
            (Self::Answer, Some((_, answer))) => answer,
            (Self::Answer, None) if text.trim_start().starts_with("<think>") => "",
            (Self::All, _) | (Self::Thinking | Self::Answer, None) => text,
        }
    }
}

/// The language most words of `text` are in; `None` when it has no letters. However short the text is, one is
/// chosen. Code and mathematics count only where there is nothing else.
pub(crate) fn dominant(text: &str) -> Option<Language> {
    let prose = prose::prose(text);
    let words = match words::words(&prose) {
        words if words.is_empty() => words::words(text),
        words => words,
    };
    let tally = match tally::by_language(&words) {
        tally if tally.is_empty() => tally::by_script(&words),
        tally => tally,
    };
    match tally.into_iter().max_by_key(|(_, count)| *count)?.0 {
        Found::Language(language) => Some(language),
        Found::Writing(writing) => tally::guess(&words, writing),
    }
}
