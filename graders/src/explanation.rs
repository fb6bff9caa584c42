//! An explanation: a verdict, and how it came about, for people.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::opinion::Message;
use crate::verdict::{Detail, Reason, Verdict};

/// The longest text of a task or completion that is repeated, in characters.
const MAX_CHARS: usize = 4_000;
/// The longest piece of text that could not be read, in characters.
const MAX_UNREAD_CHARS: usize = 80;

/// A verdict and how it came about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The verdict, the same that grading gives.
    pub verdict: Verdict,
    /// What was taken for the answer, and by which step; `None` if nothing was, or if the grader looks for
    /// none.
    pub extraction: Option<Extraction>,
    /// How each right answer of the task was read.
    pub reference: Vec<Side>,
    /// How the answer was read.
    pub answer: Option<Side>,
    /// The method that decided, a stable name such as `identical`, `exact`, `modular` or `numeric`.
    pub decided_by: Option<String>,
    /// What a right answer lacks that the task asks for, such as `form` or `unit`.
    pub lacks: Option<String>,
    /// Where the answer differs from the first reference of which that can be shown.
    pub counter_example: Option<CounterExample>,
    /// How each case of a program's tests came out, in the order in which they ran; left out for graders that run
    /// no tests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cases: Vec<CaseReport>,
    /// What a language model was asked and how it answered; left out for graders that ask none, and where the model
    /// was not needed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<AskedReport>,
}

/// One question to a language model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AskedReport {
    /// What it was shown: the roles and the texts of the messages.
    pub messages: Vec<Message>,
    /// How likely each allowed answer was, for each vote, in the order of `answers`.
    pub probabilities: Vec<Vec<f64>>,
    /// The answers that were allowed.
    pub answers: Vec<String>,
}

/// One case of a program's tests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseReport {
    /// Its number in the tests, from 0.
    pub case: usize,
    /// Whether the task calls it public.
    pub public: bool,
    /// Whether it passed.
    pub passed: bool,
    /// Why.
    pub reason: Reason,
    /// What the program gave, and where that may be told, what was expected.
    pub detail: Detail,
    /// The reference time that the program used, in milliseconds.
    pub time_ms: f64,
    /// The most memory that the program held.
    pub memory_bytes: u64,
}

/// What was taken for the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extraction {
    /// The step that found it, such as `boxed`.
    pub step: String,
    /// The answer as it was written.
    pub text: String,
}

/// A text and how it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// The text without the marks around it.
    pub text: String,
    /// Its readings printed back as LaTeX, the most likely first; empty if it could not be read.
    pub latex: Vec<String>,
    /// Where reading it as mathematics stopped, as a byte of the text; `None` if all of it was read.
    pub unread_at: Option<usize>,
    /// What stands there.
    pub unread: Option<String>,
}

/// A point at which the two sides differ, as decimals of six significant digits, or as many as it takes to tell
/// them apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterExample {
    /// The value of each variable; empty for constants.
    pub point: BTreeMap<String, String>,
    /// The reference's value there: a number, or for relations and sets `true` or `false`.
    pub reference: String,
    /// The answer's value there.
    pub answer: String,
}

impl Explanation {
    /// What the verdict itself says.
    pub fn of(verdict: Verdict) -> Self {
        let said = |key: &str| verdict.detail.get(key).and_then(Value::as_str).map(str::to_owned);
        let extraction =
            said("extraction").zip(said("extracted")).map(|(step, text)| Extraction { step, text });
        let (decided_by, lacks) = (said("method"), said("lacks"));
        Self {
            verdict,
            extraction,
            reference: Vec::new(),
            answer: None,
            decided_by,
            lacks,
            counter_example: None,
            cases: Vec::new(),
            asked: Vec::new(),
        }
    }

    /// Whether the grader found all that it asks for, whatever score that earns.
    pub fn is_accepted(&self) -> bool {
        use Reason as R;
        matches!(
            self.verdict.reason,
            R::Equivalent
                | R::Match
                | R::WithinTolerance
                | R::PatternMatched
                | R::ValidJson
                | R::WellFormed
                | R::Followed
                | R::Consistent
                | R::WithinLength
                | R::NotRepetitive
                | R::TestsPassed
                | R::JudgedEquivalent
                | R::JudgedYes
        )
    }
}

impl Extraction {
    pub(crate) fn new(step: &str, text: &str) -> Self {
        Self { step: step.to_owned(), text: shortened(text, MAX_CHARS) }
    }
}

impl Side {
    /// A text with its readings, and the byte at which reading stopped.
    pub(crate) fn new(text: &str, latex: Vec<String>, unread_at: Option<usize>) -> Self {
        let rest = unread_at.and_then(|at| text.get(at..)).filter(|rest| !rest.is_empty());
        let unread = rest.map(|rest| shortened(rest, MAX_UNREAD_CHARS));
        Self { text: shortened(text, MAX_CHARS), latex, unread_at, unread }
    }
}

fn shortened(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
