//! What came of a run, in words: for the terminal, and as `summary.md` beside the plot.

use std::fmt::Write as _;

use super::hooks::Sample;
use super::record::History;

/// What a summary is made of.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a> {
    /// The run's name.
    pub name: &'a str,
    /// All its numbers.
    pub history: &'a History,
    /// Samples before the first step and after the last.
    pub samples: &'a [Sample],
}

impl Summary<'_> {
    /// One line: accuracy before and after, steps, samples, tokens, time.
    pub fn line(&self) -> String {
        let history = self.history;
        let steps = history.steps.last().map_or(0, |step| step.step);
        let mut line = String::new();
        if let Some((before, after)) = history.before_and_after() {
            let _ = write!(
                line,
                "held-out accuracy {} -> {}; ",
                percent(before.accuracy),
                percent(after.accuracy)
            );
        }
        let (n_completions, n_tokens) = self.sampled();
        let seconds = history.seconds();
        let _ = write!(
            line,
            "{steps} steps, {} completions, {} tokens sampled in {}",
            grouped(n_completions),
            grouped(n_tokens),
            duration(seconds.total)
        );
        if seconds.total > 0.0 {
            let _ = write!(line, " ({})", self.split());
        }
        line
    }

    /// The file.
    pub fn markdown(&self) -> String {
        let history = self.history;
        let mut text = format!("# {}\n\n{}.\n", self.name, self.line());
        if !history.steps.is_empty() || !history.evals.is_empty() {
            text.push_str("\n![Reward and accuracy over steps](plot.svg)\n");
        }
        if !history.evals.is_empty() {
            text.push_str(
                "\n| step | accuracy | ± | reward | tokens | cut off |\n|---|---|---|---|---|---|\n",
            );
        }
        for eval in &history.evals {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} |",
                eval.step,
                percent(eval.accuracy),
                percent(eval.accuracy_error),
                number(eval.reward),
                number(eval.length),
                percent(Some(eval.truncated_fraction)),
            );
        }
        let last = self.samples.iter().map(|sample| sample.step).max();
        let first = self.samples.iter().map(|sample| sample.step).min();
        for (title, step) in [("Before", first), ("After", last.filter(|_| last != first))] {
            let samples = self.samples.iter().filter(|sample| Some(sample.step) == step);
            for (at, sample) in samples.enumerate() {
                if at == 0 {
                    let _ = write!(text, "\n## {title}: samples of step {}\n", sample.step);
                }
                let _ = write!(text, "\n{}", quoted(sample));
            }
        }
        text
    }

    fn sampled(&self) -> (u64, u64) {
        self.history.steps.iter().fold((0, 0), |(completions, tokens), step| {
            (completions + step.n_completions as u64, tokens + step.n_sampled_tokens)
        })
    }

    /// The shares of the time.
    fn split(&self) -> String {
        let seconds = self.history.seconds();
        let share = |part: f64| format!("{:.0} %", 100.0 * part / seconds.total);
        format!(
            "sampling {}, judging {}, update {}, weights to the engine {:.2} %, other {}",
            share(seconds.sample),
            share(seconds.judge),
            share(seconds.update),
            100.0 * seconds.sync / seconds.total,
            share(seconds.other())
        )
    }
}

/// A sample as a block of code: what was asked, what came, what it earned.
fn quoted(sample: &Sample) -> String {
    // A fence longer than any in the text.
    let fence = "`".repeat(3.max(1 + longest_run(&sample.prompt).max(longest_run(&sample.completion))));
    let reference = sample.reference.as_ref().map(|answer| format!(", answer {answer}")).unwrap_or_default();
    format!(
        "{fence}text\n{}\n--- ({}, reward {}{reference})\n{}\n{fence}\n",
        sample.prompt.trim_end(),
        match sample.is_right {
            Some(true) => "right",
            Some(false) => "wrong",
            None => "not judged",
        },
        number(sample.reward),
        sample.completion.trim_end()
    )
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// `87.5 %`, or a dash.
pub fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", 100.0 * share))
}

/// Three significant decimals, or a dash.
pub fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"))
}

/// `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 h 02 min`, `3 min 05 s` or `2.5 s`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learner::metrics::{EvalMetrics, Seconds, StepMetrics};

    #[test]
    fn a_run_is_told_in_a_line_and_a_page() {
        let mut history = History::default();
        for step in 1..=20 {
            let seconds = Seconds { total: 10.0, sample: 5.0, judge: 0.5, update: 4.0, sync: 0.0 };
            history.steps.push(StepMetrics {
                step,
                n_completions: 128,
                n_sampled_tokens: 12_345,
                seconds,
                ..StepMetrics::default()
            });
        }
        for (step, accuracy) in [(0, 0.305), (20, 0.94)] {
            history.evals.push(EvalMetrics { step, accuracy: Some(accuracy), ..EvalMetrics::default() });
        }
        let sample = |step, completion: &str| Sample {
            step,
            prompt: "1 + 1 =".to_owned(),
            completion: completion.to_owned(),
            reference: Some("2".to_owned()),
            reward: Some(1.0),
            is_right: Some(true),
        };
        let samples = [sample(0, "```3```"), sample(20, "2\n")];
        let summary = Summary { name: "quick", history: &history, samples: &samples };
        assert_eq!(
            summary.line(),
            "held-out accuracy 30.5 % -> 94.0 %; 20 steps, 2,560 completions, 246,900 tokens sampled in 3 min 20 s \
             (sampling 50 %, judging 5 %, update 40 %, weights to the engine 0.00 %, other 5 %)"
        );
        let page = summary.markdown();
        for text in [
            "# quick\n\nheld-out",
            "| 20 | 94.0 % | - | - | - | 0.0 % |\n",
            "## Before: samples of step 0\n\n````text\n1 + 1 =\n--- (right, reward 1.000, answer 2)\n```3```\n````\n",
            "## After: samples of step 20\n",
        ] {
            assert!(page.contains(text), "{text}\n---\n{page}");
        }
        let empty = Summary { name: "none", history: &History::default(), samples: &[] };
        assert_eq!(empty.markdown(), "# none\n\n0 steps, 0 completions, 0 tokens sampled in 0.0 s.\n");
    }

    #[test]
    fn times_read_well() {
        for (seconds, text) in
            [(2.54, "2.5 s"), (59.9, "1 min 00 s"), (185.0, "3 min 05 s"), (3725.0, "1 h 02 min")]
        {
            assert_eq!(duration(seconds), text);
        }
    }
}
