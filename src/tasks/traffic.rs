//! Completions as models write them, for tests and benches: right answers in every dress, wrong ones, cut-off
//! ones, empty ones and garbage.
//!
//! The mix follows what a policy half way through training gives: about half of it is right. Each sample
//! says whether it ought to be paid, so that a grader can be checked against it.

use graders::{Completion, Task, TaskError};

use super::countdown::Puzzle;
use super::draw::Draw;
use super::environment::Environment;
use super::numeric::NumericTask;
use super::rational::Rational;

/// A completion that was made up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The completion.
    pub completion: Completion,
    /// What kind of completion it is.
    pub dress: Dress,
    /// Whether its final answer is right and stands where the prompt asks for it, or in a box.
    pub right: bool,
}

/// A kind of completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dress {
    /// As the prompt asks.
    Tagged,
    /// A box inside the answer tag.
    BoxedInTag,
    /// A box and no tag.
    Boxed,
    /// Another way to write the same answer: trailing zeros, thousands separators, an equal fraction.
    OtherForm,
    /// Text follows the answer tag.
    TrailingText,
    /// A wrong answer in the right form.
    Wrong,
    /// The right answer among others.
    Hedged,
    /// Right up to where it was cut off.
    Truncated,
    /// Text without any answer.
    NoAnswer,
    /// Nothing.
    Empty,
    /// Repeated and random characters.
    Garbage,
}

/// The mix, in parts of 100; the first five are right.
const MIX: [(Dress, u64); 11] = [
    (Dress::Tagged, 24),
    (Dress::BoxedInTag, 6),
    (Dress::Boxed, 6),
    (Dress::OtherForm, 9),
    (Dress::TrailingText, 5),
    (Dress::Wrong, 30),
    (Dress::Hedged, 2),
    (Dress::Truncated, 8),
    (Dress::NoAnswer, 5),
    (Dress::Empty, 2),
    (Dress::Garbage, 3),
];

/// `n` completions for a task of `environment`.
///
/// # Errors
/// When the task is none of the environment's.
pub fn sample_completions(
    environment: &dyn Environment,
    task: &Task,
    n: usize,
    seed: u64,
) -> Result<Vec<Completion>, TaskError> {
    let samples = labelled_completions(environment, task, n, seed)?;
    Ok(samples.into_iter().map(|sample| sample.completion).collect())
}

/// `n` completions for a task of `environment`, each with its kind and whether it is right.
///
/// # Errors
/// When the task is none of the environment's.
pub fn labelled_completions(
    environment: &dyn Environment,
    task: &Task,
    n: usize,
    seed: u64,
) -> Result<Vec<Sample>, TaskError> {
    let source = Source::read(environment, task)?;
    let hash = graders::reference_hash(task);
    (0..n)
        .map(|index| {
            let mut draw = Draw::new(&[
                b"completion",
                hash.as_bytes(),
                &seed.to_le_bytes(),
                &(index as u64).to_le_bytes(),
            ]);
            let dress = source.possible(pick(&mut draw));
            let (text, right) = source.text(dress, &mut draw);
            let cut = dress == Dress::Truncated;
            let completion = Completion {
                id: Some(index.to_string()),
                n_tokens: Some(tokens(&text)),
                finish_reason: Some(if cut { "length" } else { "stop" }.to_owned()),
                text,
            };
            Ok(Sample { completion, dress, right })
        })
        .collect()
}

fn pick(draw: &mut Draw) -> Dress {
    let mut left = draw.below(MIX.iter().map(|(_, parts)| parts).sum());
    for (dress, parts) in MIX {
        if left < parts {
            return dress;
        }
        left -= parts;
    }
    Dress::Empty
}

/// About what a tokenizer would count; an empty completion still has its end token.
fn tokens(text: &str) -> u32 {
    1 + u32::try_from(text.len().div_ceil(4)).unwrap_or(u32::MAX - 1)
}

/// What completions are made from.
struct Source {
    working: Vec<String>,
    right: String,
    others: Vec<String>,
    wrong: Vec<String>,
    hedge: String,
    /// Whether a box may hold the answer; a box around an expression is another answer to `countdown`.
    boxes: bool,
}

impl Source {
    fn read(environment: &dyn Environment, task: &Task) -> Result<Self, TaskError> {
        let hedge = environment.hedge(task)?;
        if environment.name() == "countdown" {
            let puzzle = Puzzle::read(task)?;
            let right = puzzle.solution.clone();
            return Ok(Self {
                others: vec![format!("({right})"), right.replace(' ', ""), format!("\n{right}\n")],
                wrong: puzzle.wrong_answers(),
                working: puzzle.working,
                right,
                hedge,
                boxes: false,
            });
        }
        let numeric = NumericTask::read(task)?;
        Ok(Self {
            others: other_forms(&numeric.reference, numeric.value),
            wrong: numeric.wrong_answers(),
            working: numeric.working,
            right: numeric.reference,
            hedge,
            boxes: true,
        })
    }

    fn possible(&self, dress: Dress) -> Dress {
        match dress {
            Dress::Boxed | Dress::BoxedInTag if !self.boxes => Dress::Tagged,
            Dress::OtherForm if self.others.is_empty() => Dress::Tagged,
            dress => dress,
        }
    }

    /// The text, and whether it is right.
    fn text(&self, dress: Dress, draw: &mut Draw) -> (String, bool) {
        let right = self.right.as_str();
        let thought = self.thought(self.working.len(), right, draw);
        let tagged = |answer: &str| format!("<think>\n{thought}\n</think>\n<answer>{answer}</answer>");
        match dress {
            Dress::Tagged => (tagged(right), true),
            Dress::BoxedInTag => (tagged(&format!("\\boxed{{{right}}}")), true),
            Dress::Boxed => {
                let text = format!("<think>\n{thought}\n</think>\nThe answer is $\\boxed{{{right}}}$.");
                (text, true)
            }
            Dress::OtherForm => (tagged(draw.pick::<String>(&self.others)), true),
            Dress::TrailingText => {
                let tail = draw.pick(&["\n\nI hope this helps!", " That is the result.", "\n\nDone.\n"]);
                (format!("{}{tail}", tagged(right)), true)
            }
            Dress::Wrong => {
                let answer = draw.pick(&self.wrong);
                let thought = self.thought(self.working.len().saturating_sub(1), answer, draw);
                (format!("<think>\n{thought}\n</think>\n<answer>{answer}</answer>"), false)
            }
            Dress::Hedged => (self.hedge.clone(), false),
            Dress::Truncated => {
                let whole = format!("<think>\n{thought}");
                let keep = whole.len() * draw.between(30, 95) as usize / 100;
                let end = (0..=keep).rev().find(|at| whole.is_char_boundary(*at)).unwrap_or(0);
                (whole[..end].to_owned(), false)
            }
            Dress::NoAnswer => {
                let text = format!("<think>\n{thought}\n</think>\nI am not sure which of these it is.");
                (text, false)
            }
            Dress::Empty => (String::new(), false),
            Dress::Garbage => (garbage(draw), false),
        }
    }

    /// A thought with the first `kept` steps, remarks between them, and the answer it arrives at.
    fn thought(&self, kept: usize, answer: &str, draw: &mut Draw) -> String {
        let mut lines = vec![(*draw.pick(OPENINGS)).to_owned()];
        for step in self.working.iter().take(kept) {
            if draw.chance(2, 5) {
                lines.push((*draw.pick(REMARKS)).to_owned());
            }
            lines.push(step.clone());
        }
        for _ in 0..draw.below(4) {
            lines.push((*draw.pick(CHECKS)).to_owned());
        }
        lines.push(format!("So I get {answer}."));
        lines.join("\n")
    }
}

/// Other ways to write a number that are equal to it.
fn other_forms(reference: &str, value: Rational) -> Vec<String> {
    let mut forms = Vec::new();
    if value.is_whole() {
        forms.push(format!("{reference}.0"));
        forms.push(format!("\\frac{{{}}}{{2}}", value.times(2.into()).unwrap_or(value)));
        let digits = reference.trim_start_matches('-');
        if digits.len() > 3 {
            forms.push(format!("{}{}", &reference[..reference.len() - digits.len()], grouped(digits)));
        }
    } else if reference.contains('.') {
        forms.push(format!("{reference}0"));
        forms.push(value.to_string());
    } else if let Some((numerator, denominator)) = reference.split_once('/') {
        let sign = if numerator.starts_with('-') { "-" } else { "" };
        forms.push(format!("{sign}\\frac{{{}}}{{{denominator}}}", numerator.trim_start_matches('-')));
        forms.push(format!("{sign}\\dfrac{{{}}}{{{denominator}}}", numerator.trim_start_matches('-')));
    }
    forms
}

/// Digits with a comma before each group of three.
fn grouped(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn garbage(draw: &mut Draw) -> String {
    match draw.below(4) {
        0 => "the the the ".repeat(draw.between(20, 400) as usize),
        1 => (0..draw.between(10, 600)).map(|_| *draw.pick(GARBAGE)).collect(),
        2 => "<think>".repeat(draw.between(2, 60) as usize),
        _ => "{\"answer\": [[[".repeat(draw.between(2, 40) as usize),
    }
}

const OPENINGS: &[&str] = &[
    "Let me work through this step by step.",
    "First I write down what is given.",
    "Okay, let me see what is asked.",
    "We need to find one number here, so let me go slowly.",
    "Let me set this up carefully before I compute anything.",
];
const REMARKS: &[&str] = &[
    "Next I need one more quantity.",
    "Now the second part.",
    "That leaves the following.",
    "I should not mix this up with the other number in the text.",
    "Going on from there:",
];
const CHECKS: &[&str] = &[
    "Wait, let me check that again. Reading the question once more, it asks for exactly this.",
    "Let me verify by going backwards. That agrees with what was given.",
    "Hmm, is there anything I have missed? I do not think so.",
    "I double-check the units, and they fit.",
    "Another way to look at it leads to the same place, so I am fairly confident.",
];
const GARBAGE: &[char] = &[
    'a', 'q', '7', ' ', '\n', '\\', '{', '$', '#', 'é', '漢', '🙂', '\u{200b}', '<', '>', '-', '\u{202e}',
    '0',
];
