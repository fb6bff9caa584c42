//! What the terminal shows of a run: one line that changes, or a line for each step where there is no terminal.

use std::io::{self, IsTerminal};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use crate::learner::hooks::Sample;
use crate::learner::metrics::{EvalMetrics, SftMetrics, StepMetrics};
use crate::learner::summary::{duration, number, percent};

/// Shows a run.
#[derive(Debug)]
pub(in crate::cli) struct Progress {
    /// On a terminal.
    bar: Option<ProgressBar>,
    n_steps: u64,
    /// When the first step of this process ended, and which it was: the rate from then on says how long it takes.
    first: Option<(Instant, u64)>,
}

/// Supervised steps between two lines where there is no terminal.
const SFT_LINES: u64 = 20;
/// Lines of a sample that are shown.
const SAMPLE_LINES: usize = 12;

impl Progress {
    /// For a run of so many steps, on standard error.
    pub(in crate::cli) fn new(n_steps: u64) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(n_steps);
            // indicatif leaves colours out when NO_COLOR is set.
            match ProgressStyle::with_template("{bar:24.cyan} {msg}") {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        });
        Self { bar, n_steps, first: None }
    }

    /// A line that stays.
    pub(in crate::cli) fn note(&self, message: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| super::tell(message)),
            None => super::tell(message),
        }
    }

    pub(super) fn sft(&mut self, metrics: &SftMetrics) {
        let line = format!("warm start {}: loss {:.3}", metrics.step, metrics.loss);
        match &self.bar {
            Some(bar) => bar.set_message(line),
            None if metrics.step.is_multiple_of(SFT_LINES) => super::tell(&line),
            None => {}
        }
    }

    pub(super) fn step(&mut self, metrics: &StepMetrics) {
        let (since, from) = *self.first.get_or_insert((Instant::now(), metrics.step));
        let rate = since.elapsed().as_secs_f64() / (metrics.step - from).max(1) as f64;
        let left = (metrics.step > from).then(|| rate * self.n_steps.saturating_sub(metrics.step) as f64);
        let line = step_line(metrics, self.n_steps, left);
        match &self.bar {
            Some(bar) => {
                bar.set_position(metrics.step);
                bar.set_message(line);
            }
            None => super::tell(&line),
        }
    }

    pub(super) fn eval(&self, metrics: &EvalMetrics) {
        self.note(&eval_line(metrics));
    }

    /// Shows a sample, shortened.
    pub(in crate::cli) fn sample(&self, sample: &Sample) {
        let verdict = match sample.is_right {
            Some(true) => "right",
            Some(false) => "wrong",
            None => "not judged",
        };
        let mut text = format!("sample of step {}, {verdict}:", sample.step);
        for line in sample.prompt.trim_end().lines().take(SAMPLE_LINES) {
            text.push_str("\n    > ");
            text.push_str(line);
        }
        for line in sample.completion.trim_end().lines().take(SAMPLE_LINES) {
            text.push_str("\n    ");
            text.push_str(line);
        }
        self.note(&text);
    }

    /// Takes the line away.
    pub(in crate::cli) fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn step_line(metrics: &StepMetrics, n_steps: u64, left: Option<f64>) -> String {
    let seconds = &metrics.seconds;
    let share = |part: f64| 100.0 * part / seconds.total.max(f64::MIN_POSITIVE);
    let tokens =
        metrics.sampled_tokens_per_second.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.0}"));
    let left = left.map(|left| format!(", {} left", duration(left))).unwrap_or_default();
    let accuracy =
        metrics.accuracy.map(|accuracy| format!("  right {}", percent(Some(accuracy)))).unwrap_or_default();
    format!(
        "step {}/{n_steps}  reward {}{accuracy}  loss {}  entropy {}  length {:.0}  {tokens} tok/s  {:.1} s \
         (sample {:.0} %, judge {:.0} %, update {:.0} %){left}",
        metrics.step,
        number(metrics.reward),
        metrics.loss.map_or_else(|| "no signal".to_owned(), |loss| format!("{loss:+.3}")),
        number(metrics.entropy),
        metrics.length.unwrap_or_default(),
        seconds.total,
        share(seconds.sample),
        share(seconds.judge),
        share(seconds.update),
    )
}

fn eval_line(metrics: &EvalMetrics) -> String {
    let error =
        metrics.accuracy_error.map(|error| format!(" ± {}", percent(Some(error)))).unwrap_or_default();
    let unjudged = if metrics.null_fraction > 0.0 {
        format!(", {} not judged", percent(Some(metrics.null_fraction)))
    } else {
        String::new()
    };
    format!(
        "held-out tasks after step {}: {} right{error}, reward {}, {:.0} tokens{unjudged} ({} completions in {})",
        metrics.step,
        percent(metrics.accuracy),
        number(metrics.reward),
        metrics.length.unwrap_or_default(),
        metrics.n_completions,
        duration(metrics.seconds)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learner::metrics::Seconds;

    #[test]
    fn a_step_is_a_line() {
        let metrics = StepMetrics {
            step: 12,
            reward: Some(0.53),
            accuracy: Some(0.415),
            entropy: Some(0.8),
            length: Some(31.4),
            sampled_tokens_per_second: Some(8123.4),
            seconds: Seconds { total: 2.0, sample: 1.0, judge: 0.1, update: 0.8, sync: 0.0 },
            ..StepMetrics::default()
        };
        assert_eq!(
            step_line(&metrics, 200, Some(376.0)),
            "step 12/200  reward 0.530  right 41.5 %  loss no signal  entropy 0.800  length 31  8123 tok/s  2.0 s \
             (sample 50 %, judge 5 %, update 40 %), 6 min 16 s left"
        );
        let eval =
            EvalMetrics { accuracy: Some(0.5), n_completions: 200, seconds: 1.25, ..EvalMetrics::default() };
        assert_eq!(
            eval_line(&eval),
            "held-out tasks after step 0: 50.0 % right, reward -, 0 tokens (200 completions in 1.2 s)"
        );
    }
}
