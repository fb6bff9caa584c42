//! The settings of the `judge` grader, read and checked.

use serde::Deserialize;

use super::calibration::Calibration;
use super::prompt::{Aspect, Matter, Template, check_question};
use super::unsure::Unsure;
use crate::config::{self, Fields};
use crate::error::ConfigError;
use crate::extract::Extractor;
use crate::opinion::Read;
use crate::scores::Scores;
use crate::thought::strip_by_default;

/// The most votes.
const MAX_VOTES: u32 = 32;
/// The most characters of a completion that a model is shown.
const MAX_CHARS: usize = 200_000;
/// As many where nothing is said: about two thousand tokens.
const DEFAULT_CHARS: usize = 8_000;
/// The levels of a scale: each is one digit.
const LEVELS: std::ops::RangeInclusive<u8> = 2..=9;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    /// The name of a configured language model.
    model: String,
    /// What is asked about the completion. Without it: does the answer equal the reference?
    question: Option<String>,
    /// Own words around the quotations, with `{{answer}}` and perhaps `{{prompt}}`, `{{reference}}`, `{{question}}`.
    template: Option<String>,
    /// The answer is a level from 1 to this, and not yes or no.
    scale: Option<u8>,
    /// What of the completion the model is shown. Default: `answer` for equivalence, else `completion`.
    show: Option<Show>,
    /// How the answer is found. Default: as for `math`.
    #[serde(default = "Extractor::marked")]
    extract: Extractor,
    /// Whether a completion is shown without its thoughts. Default: true.
    #[serde(default = "strip_by_default")]
    strip_thinking: bool,
    #[serde(default)]
    read: Read,
    /// How often the model is asked. Default: 1.
    #[serde(default = "one")]
    votes: u32,
    /// Whether everything is asked a second time in another way.
    #[serde(default)]
    check: Check,
    /// The least agreement of all votes. Default: 0, any.
    #[serde(default)]
    min_agreement: f64,
    #[serde(default)]
    on_disagreement: OnDisagreement,
    /// Default: `threshold`, or `graded` with a scale.
    score: Option<ScoreBy>,
    /// From which probability on the verdict is yes. Default: 0.5.
    #[serde(default = "half")]
    threshold: f64,
    calibration: Option<Calibration>,
    #[serde(default = "default_chars")]
    max_completion_chars: usize,
    #[serde(default)]
    when: When,
    /// The component whose verdict comes first, with `when: "unsure"`.
    rules: Option<String>,
    /// After which of its findings the model is asked.
    unsure: Option<Vec<Unsure>>,
    #[serde(default)]
    seed: u64,
    #[serde(default = "Scores::default_correct")]
    correct: f64,
    #[serde(default)]
    incorrect: f64,
}

/// What of the completion the model is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Show {
    /// The extracted answer alone, so that no reasoning persuades.
    Answer,
    /// All of it.
    Completion,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Check {
    #[default]
    None,
    /// With answer and reference in the other order.
    Swap,
    /// With the opposite question.
    Negate,
}

/// What becomes of a completion on which the votes disagree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OnDisagreement {
    /// It is not judged.
    #[default]
    Error,
    /// It scores like a wrong one.
    Incorrect,
    /// It gets no score.
    Abstain,
}

/// How the probability becomes a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ScoreBy {
    /// Right from the threshold on, else wrong.
    Threshold,
    /// In between, in proportion.
    Graded,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum When {
    #[default]
    Always,
    Unsure,
}

const fn one() -> u32 {
    1
}

const fn half() -> f64 {
    0.5
}

const fn default_chars() -> usize {
    DEFAULT_CHARS
}

/// When the model is asked after rules have found something.
#[derive(Clone, Debug)]
pub(super) struct Second {
    /// The component of the rules.
    pub(super) rules: String,
    /// The findings that leave the verdict open.
    pub(super) unsure: Vec<Unsure>,
}

/// Settings that were checked.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) model: String,
    pub(super) matter: Matter,
    pub(super) levels: Option<u8>,
    pub(super) show: Show,
    pub(super) extract: Extractor,
    pub(super) strip_thinking: bool,
    pub(super) read: Read,
    pub(super) votes: u32,
    pub(super) aspects: Vec<Aspect>,
    pub(super) min_agreement: f64,
    pub(super) on_disagreement: OnDisagreement,
    pub(super) score: ScoreBy,
    pub(super) threshold: f64,
    pub(super) calibration: Option<Calibration>,
    pub(super) max_chars: usize,
    pub(super) second: Option<Second>,
    pub(super) seed: u64,
    pub(super) correct: f64,
    pub(super) incorrect: f64,
    pub(super) scores: Scores,
}

impl Settings {
    pub(super) fn read(fields: Fields) -> Result<Self, ConfigError> {
        let spec: Spec = config::read(fields)?;
        if spec.model.is_empty() {
            return Err(ConfigError::new("/model", "expected the name of a configured language model"));
        }
        if spec.scale.is_some_and(|levels| !LEVELS.contains(&levels)) {
            return Err(ConfigError::new("/scale", "expected 2 to 9 levels: each is one digit"));
        }
        if spec.votes == 0 || spec.votes > MAX_VOTES {
            return Err(ConfigError::new("/votes", format!("expected 1 to {MAX_VOTES}")));
        }
        for (pointer, value) in [("/threshold", spec.threshold), ("/min_agreement", spec.min_agreement)] {
            if !(0.0..=1.0).contains(&value) {
                return Err(ConfigError::new(pointer, "expected a number from 0 to 1"));
            }
        }
        if spec.max_completion_chars == 0 || spec.max_completion_chars > MAX_CHARS {
            return Err(ConfigError::new("/max_completion_chars", format!("expected 1 to {MAX_CHARS}")));
        }
        let matter = matter(&spec)?;
        if spec.scale.is_some() && matter == Matter::Equivalence {
            return Err(ConfigError::new("/scale", "a scale needs a `question` or a `template`"));
        }
        let show = match (spec.show, &matter) {
            (Some(show), _) => show,
            (None, Matter::Equivalence) => Show::Answer,
            (None, _) => Show::Completion,
        };
        let default_score = if spec.scale.is_some() { ScoreBy::Graded } else { ScoreBy::Threshold };
        Ok(Self {
            scores: Scores::new(spec.correct, spec.incorrect)?,
            aspects: aspects(spec.check, &matter)?,
            second: second(&spec)?,
            matter,
            model: spec.model,
            levels: spec.scale,
            show,
            extract: spec.extract,
            strip_thinking: spec.strip_thinking,
            read: spec.read,
            votes: spec.votes,
            min_agreement: spec.min_agreement,
            on_disagreement: spec.on_disagreement,
            score: spec.score.unwrap_or(default_score),
            threshold: spec.threshold,
            calibration: spec.calibration,
            max_chars: spec.max_completion_chars,
            seed: spec.seed,
            correct: spec.correct,
            incorrect: spec.incorrect,
        })
    }

    /// The allowed answers: the best one first, or the levels in their order.
    pub(super) fn answers(&self) -> Vec<String> {
        match self.levels {
            None => vec!["yes".to_owned(), "no".to_owned()],
            Some(levels) => (1..=levels).map(|level| level.to_string()).collect(),
        }
    }

    /// Whether the model is shown the task's reference, and has to be.
    pub(super) fn needs_reference(&self) -> bool {
        match &self.matter {
            Matter::Equivalence => true,
            Matter::Question(_) => false,
            Matter::Template(template, _) => template.has("reference"),
        }
    }
}

fn matter(spec: &Spec) -> Result<Matter, ConfigError> {
    if let Some(question) = &spec.question {
        check_question(question)?;
    }
    match (&spec.template, &spec.question) {
        (Some(text), question) => {
            let template = Template::read(text)?;
            if template.has("question") != question.is_some() {
                let message = "a template with the place `{{question}}` needs a `question`, and only such a one";
                return Err(ConfigError::new("/template", message));
            }
            Ok(Matter::Template(template, question.clone()))
        }
        (None, Some(question)) => Ok(Matter::Question(question.clone())),
        (None, None) => Ok(Matter::Equivalence),
    }
}

fn aspects(check: Check, matter: &Matter) -> Result<Vec<Aspect>, ConfigError> {
    let second = match check {
        Check::None => return Ok(vec![Aspect::Straight]),
        Check::Swap => Aspect::Swapped,
        Check::Negate => Aspect::Negated,
    };
    if matches!(matter, Matter::Template(..)) {
        let message = "words of your own are asked in one way only; leave out `check` or the `template`";
        return Err(ConfigError::new("/check", message));
    }
    Ok(vec![Aspect::Straight, second])
}

fn second(spec: &Spec) -> Result<Option<Second>, ConfigError> {
    match (spec.when, &spec.rules, &spec.unsure) {
        (When::Always, None, None) => Ok(None),
        (When::Always, Some(_), _) => Err(ConfigError::new("/rules", "this goes with `when: \"unsure\"`")),
        (When::Always, None, Some(_)) => Err(ConfigError::new("/unsure", "this goes with `when: \"unsure\"`")),
        (When::Unsure, None, _) => {
            Err(ConfigError::new("/rules", "expected the name of the component whose verdict comes first"))
        }
        (When::Unsure, Some(rules), unsure) => {
            let unsure = unsure.clone().unwrap_or_else(Unsure::defaults);
            if unsure.is_empty() {
                return Err(ConfigError::new("/unsure", "expected at least one finding; it may be left out"));
            }
            Ok(Some(Second { rules: rules.clone(), unsure }))
        }
    }
}
