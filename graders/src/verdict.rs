//! A verdict: one grader's finding on one completion.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What was extracted and how it was compared, for people and logs.
pub type Detail = Map<String, Value>;

/// One grader's finding on one completion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// A finite number, or `None` when the grader abstains: there was nothing to judge, and a guess would
    /// teach. An abstention adds nothing to the reward and is left out of the group's statistics.
    pub score: Option<f64>,
    /// Why.
    pub reason: Reason,
    /// What was extracted and how it was compared.
    pub detail: Detail,
}

impl Verdict {
    /// A verdict without detail.
    pub fn new(score: f64, reason: Reason) -> Self {
        debug_assert!(score.is_finite(), "a grader gave the score {score}");
        Self { score: Some(score), reason, detail: Detail::new() }
    }

    /// 1 when `right`, else 0, with the reason that goes with it.
    pub fn binary(right: bool, if_right: Reason, if_wrong: Reason) -> Self {
        if right { Self::new(1.0, if_right) } else { Self::new(0.0, if_wrong) }
    }

    /// The grader found nothing to judge.
    pub fn abstain(reason: Reason) -> Self {
        Self { score: None, reason, detail: Detail::new() }
    }

    /// The same verdict with one more field of detail.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.detail.insert(key.to_owned(), value.into());
        self
    }

    /// The same verdict with a piece of model output as detail, cut to a length fit for a log.
    #[must_use]
    pub fn with_excerpt(self, key: &str, text: &str) -> Self {
        self.with(key, excerpt(text))
    }
}

/// The most characters of model output that a detail quotes.
const EXCERPT_CHARS: usize = 200;

fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// Why a verdict is what it is: a closed set with stable names, which are also metric labels.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Reason {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $variant,)+
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable snake_case name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

reasons! {
    /// The answer equals the reference.
    Equivalent = "equivalent",
    /// The answer differs from the reference.
    Different = "different",
    /// Neither equality nor difference could be shown within the budget of work.
    Undecided = "undecided",
    /// The answer has the right value, but not the form, unit or name that the task asks for.
    WrongForm = "wrong_form",
    /// No answer was found where the protocol says it stands.
    NoAnswer = "no_answer",
    /// An answer was found but it is not in the expected notation.
    UnparsableAnswer = "unparsable_answer",
    /// The text equals the reference.
    Match = "match",
    /// The text differs from the reference.
    Mismatch = "mismatch",
    /// More than one answer was given where one was asked for.
    AmbiguousAnswer = "ambiguous_answer",
    /// The number is within the tolerance.
    WithinTolerance = "within_tolerance",
    /// The number is outside the tolerance.
    OutsideTolerance = "outside_tolerance",
    /// What was found is not a number.
    NotANumber = "not_a_number",
    /// The pattern matches.
    PatternMatched = "pattern_matched",
    /// The pattern does not match.
    PatternNotMatched = "pattern_not_matched",
    /// The text is not JSON.
    InvalidJson = "invalid_json",
    /// The JSON does not conform to the schema.
    SchemaViolation = "schema_violation",
    /// The JSON conforms to what was asked.
    ValidJson = "valid_json",
    /// Some of the reference's fields are missing or differ.
    FieldsDiffer = "fields_differ",
    /// The text has the asked form.
    WellFormed = "well_formed",
    /// The text has part of the asked form.
    PartlyFormed = "partly_formed",
    /// The text does not have the asked form.
    Malformed = "malformed",
    /// Every instruction was followed.
    Followed = "followed",
    /// Some instructions were followed.
    PartlyFollowed = "partly_followed",
    /// No instruction was followed.
    NotFollowed = "not_followed",
    /// Every word is in the target language.
    Consistent = "consistent",
    /// Some words are in another language.
    MixedLanguages = "mixed_languages",
    /// No word is in the target language.
    WrongLanguage = "wrong_language",
    /// There is too little text to tell.
    TooShort = "too_short",
    /// The length is within the limit.
    WithinLength = "within_length",
    /// The length is over the limit.
    OverLength = "over_length",
    /// The score follows from the length by the configured rule.
    LengthScored = "length_scored",
    /// The component whose verdict this one needs abstained.
    DependencyAbstained = "dependency_abstained",
    /// The text does not repeat itself.
    NotRepetitive = "not_repetitive",
    /// The text repeats itself.
    Repetitive = "repetitive",
    /// Every test passed.
    TestsPassed = "tests_passed",
    /// A test gave another result than expected.
    WrongResult = "wrong_result",
    /// No code was found.
    NoCode = "no_code",
    /// The code does not compile.
    CompileError = "compile_error",
    /// The program failed while running.
    RuntimeError = "runtime_error",
    /// The program used up its fuel or time.
    TimeLimit = "time_limit",
    /// The program used up its memory.
    MemoryLimit = "memory_limit",
    /// The program wrote more than allowed.
    OutputLimit = "output_limit",
    /// The program imported a module the sandbox does not have.
    MissingModule = "missing_module",
    /// The program does not define the function that the tests call.
    NoEntryPoint = "no_entry_point",
    /// The function returned something that is not plain data, such as an object of a class of its own.
    InvalidResult = "invalid_result",
    /// The expression is not allowed by the task's rules.
    RuleBroken = "rule_broken",
    /// The grader does not judge inputs of this size.
    TooLarge = "too_large",
    /// A language model finds the answer equivalent to the reference.
    JudgedEquivalent = "judged_equivalent",
    /// A language model finds the answer different from the reference.
    JudgedDifferent = "judged_different",
    /// A language model answers the question about the completion with yes.
    JudgedYes = "judged_yes",
    /// A language model answers the question about the completion with no.
    JudgedNo = "judged_no",
    /// The score follows from what a language model answered.
    JudgedScore = "judged_score",
    /// The verdicts of a language model disagree more than is allowed.
    JudgesDisagree = "judges_disagree",
    /// The score is a reward model's.
    ExternalScore = "external_score",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
