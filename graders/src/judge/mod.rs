//! `judge`: a language model decides whether the answer equals the reference, or answers a question of the rubric
//! about the completion. Alone, or as a second opinion where rules are unsure.
//!
//! The completion is quoted ([`quote`]), its verdict is read from the model's answer alone ([`reading`]), and what
//! states nothing is never shown to a model. The model comes through [`Resources`]; what it fails at is an error
//! and never a score.

mod calibration;
mod prompt;
mod quote;
mod reading;
mod settings;
mod unsure;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::completion::Completion;
use crate::config::Fields;
use crate::error::{ConfigError, ErrorKind, GradeError, TaskError};
use crate::explanation::{AskedReport, Explanation, Extraction, Side};
use crate::grader::{GradeCompletion, Grader, Prepared, Resources};
use crate::hash::content_hash;
use crate::opinion::{LanguageModel, ModelError, Question};
use crate::task::Task;
use crate::thought;
use crate::verdict::{Detail, Reason, Verdict};

use prompt::{Aspect, Material, Matter};
use settings::{OnDisagreement, ScoreBy, Settings, Show};
use unsure::Unsure;

/// The most characters of a task's prompt that a model is shown.
const MAX_PROMPT_CHARS: usize = 16_000;
/// The most characters of all references together.
const MAX_REFERENCE_CHARS: usize = 16_000;
/// The most characters of the answer that a detail quotes.
const MAX_EXTRACTED_CHARS: usize = 200;

/// What opens an answer and is none. Models take such texts for right answers (arXiv:2507.08794).
const OPENERS: [&str; 10] = [
    "solution",
    "answer",
    "final answer",
    "the answer",
    "thought process",
    "let's solve this problem step by step",
    "let's think step by step",
    "解",
    "かいせつ",
    "respuesta",
];

#[derive(Clone, Debug)]
struct JudgeGrader {
    settings: Arc<Settings>,
    /// The hash of what the model is told besides quotations.
    wording: Arc<str>,
}

pub(crate) fn build(fields: Fields) -> Result<Arc<dyn Grader>, ConfigError> {
    let settings = Settings::read(fields)?;
    let wording = prompt::wording(&settings.matter, &settings.aspects, settings.levels);
    Ok(Arc::new(JudgeGrader { settings: Arc::new(settings), wording: wording.into() }))
}

impl Grader for JudgeGrader {
    fn kind(&self) -> &'static str {
        "judge"
    }

    fn version(&self) -> u32 {
        1
    }

    fn reads_component(&self) -> Option<&str> {
        self.settings.second.as_ref().map(|second| second.rules.as_str())
    }

    fn judges_groups(&self) -> bool {
        false
    }

    fn circumstances(&self, task: &Task, resources: &Resources) -> Option<Value> {
        let model = resources.language_models.get(&self.settings.model);
        Some(json!({
            "judge": self.settings.model,
            "revision": model.map(|model| model.revision()),
            "wording": *self.wording,
            "prompt": prompt::prompt_text(task, MAX_PROMPT_CHARS).map(|text| content_hash(&text.into())),
        }))
    }

    fn prepare(&self, task: &Task, resources: &Resources) -> Result<Prepared, TaskError> {
        let settings = &self.settings;
        let references = if settings.needs_reference() || task.reference.is_some() {
            match task.reference_text() {
                Ok(reference) => reference.0,
                // A question can do without.
                Err(_) if !settings.needs_reference() => Vec::new(),
                Err(error) => return Err(error),
            }
        } else {
            Vec::new()
        };
        let references: Vec<String> = references.iter().map(|text| quote::plain(text)).collect();
        let n_chars: usize = references.iter().map(|text| text.chars().count()).sum();
        if n_chars > MAX_REFERENCE_CHARS {
            return Err(TaskError::reference(format!(
                "it has {n_chars} characters, and a model is shown at most {MAX_REFERENCE_CHARS}"
            )));
        }
        if settings.needs_reference() && references.iter().any(|text| text.trim().is_empty()) {
            return Err(TaskError::reference("it is blank, so that nothing can say the same"));
        }
        Ok(Prepared::Completion(Box::new(Judge {
            settings: Arc::clone(settings),
            model: resources.language_models.get(&settings.model).cloned(),
            prompt: prompt::prompt_text(task, MAX_PROMPT_CHARS),
            references,
        })))
    }
}

/// Asks about one task's completions.
struct Judge {
    settings: Arc<Settings>,
    model: Option<Arc<dyn LanguageModel>>,
    prompt: Option<String>,
    references: Vec<String>,
}

/// What the votes said.
struct Opinion {
    /// Between 0 and 1, where 1 is yes or the best level.
    value: f64,
    /// 1 where all votes agree.
    agreement: f64,
    asked: Vec<AskedReport>,
}

/// What is judged of a completion, or the verdict on what needs no model.
enum Shown {
    Text { text: String, n_left_out: usize, extraction: Option<Extraction> },
    Verdict(Verdict),
}

impl GradeCompletion for Judge {
    fn grade(&self, completion: &Completion) -> Result<Verdict, GradeError> {
        self.decide(completion, None).map(|explanation| explanation.verdict)
    }

    fn grade_after(
        &self,
        completion: &Completion,
        read: Option<&Result<Verdict, GradeError>>,
    ) -> Result<Verdict, GradeError> {
        let (Some(second), Some(found)) = (&self.settings.second, read) else {
            return self.grade(completion);
        };
        match (Unsure::of(found).filter(|open| second.unsure.contains(open)), found) {
            (Some(open), _) => self.decide(completion, Some(open)).map(|explanation| explanation.verdict),
            (None, Ok(verdict)) => Ok(verdict.clone().with("decided_by", "rules")),
            (None, Err(error)) => Err(GradeError::new(
                ErrorKind::DependencyFailed,
                format!("`{}` could not judge it: {error}", second.rules),
            )),
        }
    }

    /// As a second opinion it is explained as though the rules were unsure.
    fn explain(&self, completion: &Completion) -> Result<Explanation, GradeError> {
        self.decide(completion, None)
    }
}

impl Judge {
    fn decide(&self, completion: &Completion, open: Option<Unsure>) -> Result<Explanation, GradeError> {
        let (text, n_left_out, extraction) = match self.shown(completion) {
            Shown::Verdict(verdict) => return Ok(Explanation::of(Self::told(verdict, open))),
            Shown::Text { text, n_left_out, extraction } => (text, n_left_out, extraction),
        };
        let material = Material {
            prompt: self.prompt.clone(),
            references: self.references.clone(),
            answer: text,
            n_left_out,
        };
        let opinion = self.ask(&material)?;
        let mut verdict = self.verdict(&opinion)?;
        if let Some(found) = &extraction {
            let excerpt: String = found.text.chars().take(MAX_EXTRACTED_CHARS).collect();
            verdict = verdict.with("extracted", excerpt).with("extraction", found.step.as_str());
        }
        let mut explanation = Explanation::of(Self::told(verdict, open));
        explanation.extraction = extraction;
        explanation.reference =
            self.references.iter().map(|text| Side::new(text, Vec::new(), None)).collect();
        explanation.decided_by = Some("judge".to_owned());
        explanation.asked = opinion.asked;
        Ok(explanation)
    }

    /// The verdict with who decided, and what the rules said where they were asked before.
    fn told(verdict: Verdict, open: Option<Unsure>) -> Verdict {
        let verdict = verdict.with("decided_by", "judge");
        match open {
            Some(open) => verdict.with("rules", open.name()),
            None => verdict,
        }
    }

    fn shown(&self, completion: &Completion) -> Shown {
        let settings = &self.settings;
        let (text, extraction) = match settings.show {
            Show::Answer => {
                let Some(found) = settings.extract.extract(&completion.text) else {
                    return Shown::Verdict(settings.scores.wrong(Reason::NoAnswer));
                };
                let text = quote::plain(found.unboxed());
                let extraction = Extraction::new(found.step.name(), found.unboxed());
                (text, Some(extraction))
            }
            Show::Completion if settings.strip_thinking => {
                (quote::plain(thought::answer_part(&completion.text)), None)
            }
            Show::Completion => (quote::plain(&completion.text), None),
        };
        let text = text.trim_matches(['\n', ' ']).to_owned();
        if !self.states_something(&text) {
            return Shown::Verdict(settings.scores.wrong(Reason::NoAnswer));
        }
        let n_chars = text.chars().count();
        let n_left_out = n_chars.saturating_sub(settings.max_chars);
        if n_left_out > 0 && settings.show == Show::Answer {
            // The end of an answer is not the answer.
            return Shown::Verdict(settings.scores.wrong(Reason::TooLarge).with("n_chars", n_chars));
        }
        let text = text.chars().skip(n_left_out).collect();
        Shown::Text { text, n_left_out, extraction }
    }

    /// Whether a text has a word, a number or a symbol that is an answer, and is not a mere opening of one.
    fn states_something(&self, text: &str) -> bool {
        if self.references.iter().any(|reference| reference.trim() == text.trim()) {
            return !text.trim().is_empty();
        }
        if !text.chars().any(|c| c.is_alphanumeric() || matches!(c, '∞' | '∅')) {
            return false;
        }
        let is_edge = |c: char| !c.is_alphanumeric();
        let words = text.trim_matches(is_edge).to_lowercase().replace('’', "'");
        self.settings.matter != Matter::Equivalence || !OPENERS.contains(&words.as_str())
    }

    fn ask(&self, material: &Material) -> Result<Opinion, GradeError> {
        let settings = &self.settings;
        let model = self.model.as_ref().ok_or_else(|| {
            let message = format!(
                "no language model `{0}` is configured; add a section [judges.{0}] to the configuration",
                settings.model
            );
            GradeError::new(ErrorKind::JudgeUnavailable, message)
        })?;
        let mut values = Vec::new();
        let mut asked = Vec::new();
        for (place, &aspect) in settings.aspects.iter().enumerate() {
            let question = Question {
                messages: prompt::messages(&settings.matter, aspect, settings.levels, material),
                answers: settings.answers(),
                read: settings.read,
                n_votes: settings.votes,
                seed: settings.seed.wrapping_add(place as u64 * u64::from(settings.votes)),
            };
            let answers = model.ask(&question).map_err(|error| failure(&settings.model, &error))?;
            if answers.len() != settings.votes as usize {
                let message = format!("{} votes were asked for, {} came", settings.votes, answers.len());
                return Err(unreadable(&settings.model, &message));
            }
            let votes = answers
                .iter()
                .map(|answer| reading::probabilities(&question, answer))
                .collect::<Result<Vec<_>, _>>()
                .map_err(|message| unreadable(&settings.model, &message))?;
            values.extend(votes.iter().map(|vote| self.value(vote, aspect)));
            asked.push(AskedReport {
                messages: question.messages,
                probabilities: votes,
                answers: question.answers,
            });
        }
        let value = values.iter().sum::<f64>() / values.len() as f64;
        Ok(Opinion { value, agreement: self.agreement(&values, value), asked })
    }

    /// What one vote says in favour, from 0 to 1.
    fn value(&self, vote: &[f64], aspect: Aspect) -> f64 {
        let value = match self.settings.levels {
            None => vote[0],
            Some(levels) => {
                let sum: f64 = vote.iter().enumerate().map(|(level, p)| level as f64 * p).sum();
                sum / f64::from(levels - 1)
            }
        };
        let value = value.clamp(0.0, 1.0);
        if aspect == Aspect::Negated { 1.0 - value } else { value }
    }

    /// 1 when all votes agree: the share of the majority of verdicts, else 1 less what lies between the votes.
    fn agreement(&self, values: &[f64], mean: f64) -> f64 {
        if self.settings.levels.is_none() && self.settings.read == crate::opinion::Read::Verdict {
            return mean.max(1.0 - mean);
        }
        let largest = values.iter().copied().fold(f64::MIN, f64::max);
        let smallest = values.iter().copied().fold(f64::MAX, f64::min);
        1.0 - (largest - smallest)
    }

    fn verdict(&self, opinion: &Opinion) -> Result<Verdict, GradeError> {
        let settings = &self.settings;
        let Opinion { value, agreement, .. } = *opinion;
        let revision = self.model.as_ref().map(|model| model.revision()).unwrap_or_default();
        let mut detail = Detail::new();
        detail.insert("model".to_owned(), settings.model.as_str().into());
        detail.insert("revision".to_owned(), revision.into());
        detail.insert("probability".to_owned(), value.into());
        if opinion.asked.len() > 1 || settings.votes > 1 {
            detail.insert("agreement".to_owned(), agreement.into());
        }
        // What rounding does to equal votes is no disagreement.
        if agreement + 1e-9 < settings.min_agreement {
            let verdict = match settings.on_disagreement {
                OnDisagreement::Error => {
                    let message = format!(
                        "the votes of `{}` agree by {agreement:.3}, and `min_agreement` is {}",
                        settings.model, settings.min_agreement
                    );
                    return Err(GradeError::new(ErrorKind::JudgeInconsistent, message));
                }
                OnDisagreement::Incorrect => settings.scores.wrong(Reason::JudgesDisagree),
                OnDisagreement::Abstain => Verdict::abstain(Reason::JudgesDisagree),
            };
            return Ok(Verdict { detail, ..verdict });
        }
        let calibrated = match &settings.calibration {
            Some(table) => {
                let calibrated = table.at(value);
                detail.insert("calibrated".to_owned(), calibrated.into());
                calibrated
            }
            None => value,
        };
        let verdict = match settings.score {
            ScoreBy::Graded => {
                let score = settings.incorrect + calibrated * (settings.correct - settings.incorrect);
                Verdict::new(score, Reason::JudgedScore)
            }
            ScoreBy::Threshold => {
                let (yes, no) = if settings.matter == Matter::Equivalence {
                    (Reason::JudgedEquivalent, Reason::JudgedDifferent)
                } else {
                    (Reason::JudgedYes, Reason::JudgedNo)
                };
                if calibrated >= settings.threshold {
                    settings.scores.right(yes)
                } else {
                    settings.scores.wrong(no)
                }
            }
        };
        Ok(Verdict { detail, ..verdict })
    }
}

fn failure(model: &str, error: &ModelError) -> GradeError {
    match error {
        ModelError::Unavailable(message) => {
            GradeError::new(ErrorKind::JudgeUnavailable, format!("the judge `{model}`: {message}"))
        }
        ModelError::Unreadable(message) => unreadable(model, message),
    }
}

fn unreadable(model: &str, message: &str) -> GradeError {
    GradeError::new(ErrorKind::JudgeUnreadable, format!("the judge `{model}`: {message}"))
}
