//! `math_compat`: what published graders of mathematical answers would have said.
//!
//! For matching a published number, never for training: these rules have known holes, which are reproduced
//! with the rest. Each mode must be named, none is a default. What is reproduced is behaviour, of these
//! packages:
//!
//! | mode | package | file |
//! |---|---|---|
//! | `gsm8k_strict`, `gsm8k_flexible` | verl 0.9.1, as since 0.5.0 | `verl/utils/reward_score/gsm8k.py` |
//! | `math_dapo`, `math_dapo_strict_box` | verl 0.9.1 | `verl/utils/reward_score/math_dapo.py` |
//! | `math_dapo_minerva` | verl 0.5.0 to 0.8.0 | the same |
//! | `hendrycks_math` | verl 0.9.1 | `verl/utils/reward_score/math_reward.py` |
//! | `math_verify` | math-verify 0.9.0 | `parser.py`, `grader.py`; latex2sympy2-extended 1.11.0 |
//!
//! All but the last agree with the package on every text. Math-Verify calls a computer algebra system; its
//! pipeline is reproduced and its comparison approximated.

mod environment;
mod formula;
mod gsm8k;
mod hendrycks_math;
mod math_dapo;
mod math_verify;
mod normal;
mod number;
mod pattern;
mod python;
mod reading;
mod syntax;

use std::sync::Arc;

use serde::Deserialize;

use crate::completion::Completion;
use crate::config::{self, Fields};
use crate::error::{ConfigError, GradeError, TaskError};
use crate::grader::{GradeCompletion, Grader, Prepared, Resources};
use crate::task::Task;
use crate::verdict::{Reason, Verdict};

/// The grader that is reproduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    /// verl's GSM8K: the number after the last `#### `, compared as text.
    Gsm8kStrict,
    /// The last number of the text, compared as text.
    Gsm8kFlexible,
    /// verl 0.9's DAPO: the last `Answer:` line, or else the last box, normalised as Minerva did.
    MathDapo,
    /// verl 0.5's to 0.8's DAPO: the last `Answer:` line only.
    MathDapoMinerva,
    /// DAPO with `strict_box_verify`: the last box of the last 100 characters, compared as it is.
    MathDapoStrictBox,
    /// Hendrycks' MATH: the last box, equal after `strip_string`.
    HendrycksMath,
    /// Hugging Face's Math-Verify: `verify(parse(reference), parse(completion))`.
    MathVerify,
}

impl Mode {
    /// What a wrong answer scores with the peer.
    const fn incorrect(self) -> f64 {
        match self {
            Self::MathDapo | Self::MathDapoMinerva | Self::MathDapoStrictBox => -1.0,
            Self::Gsm8kStrict | Self::Gsm8kFlexible | Self::HendrycksMath | Self::MathVerify => 0.0,
        }
    }
}

/// What a peer says of one completion.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scored {
    pub(crate) correct: bool,
    /// What the peer took for the answer; `None` when it found none.
    pub(crate) extracted: Option<String>,
    /// The score as the peer returns it.
    pub(crate) score: f64,
}

/// The verdict of the grader that `mode` names.
pub(crate) fn score(mode: Mode, reference: &str, completion: &str) -> Scored {
    let (correct, extracted) = match mode {
        Mode::Gsm8kStrict => gsm8k::strict(reference, completion),
        Mode::Gsm8kFlexible => gsm8k::flexible(reference, completion),
        Mode::MathDapo => math_dapo::with_box(reference, completion),
        Mode::MathDapoMinerva => math_dapo::minerva(reference, completion),
        Mode::MathDapoStrictBox => math_dapo::strict_box(reference, completion),
        Mode::HendrycksMath => hendrycks_math::score(reference, completion),
        Mode::MathVerify => math_verify::score(reference, completion),
    };
    Scored { correct, extracted, score: if correct { 1.0 } else { mode.incorrect() } }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    /// The grader that is reproduced. There is no default.
    mode: Mode,
}

#[derive(Debug)]
struct CompatGrader(Spec);

pub(crate) fn build(fields: Fields) -> Result<Arc<dyn Grader>, ConfigError> {
    Ok(Arc::new(CompatGrader(config::read(fields)?)))
}

impl Grader for CompatGrader {
    fn kind(&self) -> &'static str {
        "math_compat"
    }

    fn version(&self) -> u32 {
        1
    }

    fn prepare(&self, task: &Task, _resources: &Resources) -> Result<Prepared, TaskError> {
        let references = task.reference_text()?.0;
        Ok(Prepared::Completion(Box::new(Judge { mode: self.0.mode, references })))
    }
}

/// Compares with one task's references; the peers know only one, here any of several is right.
struct Judge {
    mode: Mode,
    references: Vec<String>,
}

impl GradeCompletion for Judge {
    fn grade(&self, completion: &Completion) -> Result<Verdict, GradeError> {
        let mut last = Scored { correct: false, extracted: None, score: self.mode.incorrect() };
        for reference in &self.references {
            last = score(self.mode, reference, &completion.text);
            if last.correct {
                break;
            }
        }
        let reason = match (last.correct, &last.extracted) {
            (true, _) => Reason::Equivalent,
            (false, Some(_)) => Reason::Different,
            (false, None) => Reason::NoAnswer,
        };
        let verdict = Verdict::new(last.score, reason);
        Ok(match last.extracted {
            Some(text) => verdict.with_excerpt("extracted", &text),
            None => verdict,
        })
    }
}

/// The start of a text up to the brace that closes one opened before it.
fn closed(content: &str) -> Option<&str> {
    let mut depth = 1_usize;
    for (at, c) in content.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(&content[..at]);
        }
    }
    None
}
