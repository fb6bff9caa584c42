//! What the rewards of a step were, in numbers.

use graders::Rubric;

use super::metrics::StepMetrics;
use super::score::Scored;

/// Means over all groups that were sampled, those that were left out among them.
pub(super) fn summarize(all: &[&Scored], rubric: &Rubric, accuracy: Option<&str>) -> StepMetrics {
    let mut metrics = StepMetrics::default();
    let mut rewards = Vec::new();
    let mut lengths = Vec::new();
    let (mut right, mut wrong) = (Vec::new(), Vec::new());
    let mut n_truncated = 0;
    for scored in all {
        let scores = accuracy.map(|name| scored.scores(name)).unwrap_or_default();
        for (i, (rollout, total)) in scored.group.rollouts.iter().zip(scored.totals()).enumerate() {
            metrics.n_completions += 1;
            n_truncated += usize::from(rollout.is_truncated());
            let length = rollout.n_sampled() as f64;
            lengths.push(length);
            if let Some(total) = total {
                rewards.push((total, length));
            }
            match scores.get(i).copied().flatten() {
                Some(score) if score >= super::formulas::filter::RIGHT => right.push(length),
                Some(_) => wrong.push(length),
                None => {}
            }
        }
    }
    let n = metrics.n_completions.max(1) as f64;
    let totals: Vec<f64> = rewards.iter().map(|(total, _)| *total).collect();
    metrics.reward = mean(&totals);
    metrics.reward_std = deviation(&totals);
    let n_scored = right.len() + wrong.len();
    metrics.accuracy = (n_scored > 0).then(|| right.len() as f64 / n_scored as f64);
    for component in rubric.components() {
        let scores: Vec<f64> =
            all.iter().flat_map(|scored| scored.scores(&component.name)).flatten().collect();
        if let Some(mean) = mean(&scores) {
            metrics.components.insert(component.name.to_string(), mean);
        }
    }
    metrics.null_fraction = (metrics.n_completions - rewards.len()) as f64 / n;
    metrics.length_correlation = correlation(&rewards);
    metrics.length = mean(&lengths);
    metrics.length_right = mean(&right);
    metrics.length_wrong = mean(&wrong);
    metrics.truncated_fraction = n_truncated as f64 / n;
    metrics
}

/// How many steps a policy that has taken `version` of them is ahead of the one that sampled a token: mean and most,
/// over the tokens that were sampled.
pub(super) fn staleness(all: &[&Scored], version: u64) -> (Option<f64>, Option<f64>) {
    let (mut sum, mut n, mut most) = (0, 0_u64, 0);
    for rollout in all.iter().flat_map(|scored| &scored.group.rollouts) {
        let tokens = rollout.policy_versions.iter().zip(&rollout.sampled).filter(|(_, sampled)| **sampled);
        for (sampled_by, _) in tokens {
            let steps = version.saturating_sub(*sampled_by);
            (sum, n, most) = (sum + steps, n + 1, most.max(steps));
        }
    }
    let some = n > 0;
    (some.then(|| sum as f64 / n as f64), some.then_some(most as f64))
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn deviation(values: &[f64]) -> Option<f64> {
    let center = mean(values)?;
    let squares: f64 = values.iter().map(|value| (value - center).powi(2)).sum();
    (values.len() > 1).then(|| (squares / (values.len() - 1) as f64).sqrt())
}

/// Pearson's; `None` where either of the two does not vary.
fn correlation(pairs: &[(f64, f64)]) -> Option<f64> {
    let (a, b): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let (mean_a, mean_b) = (mean(&a)?, mean(&b)?);
    let sum = |f: &dyn Fn(f64, f64) -> f64| pairs.iter().map(|(a, b)| f(a - mean_a, b - mean_b)).sum::<f64>();
    let spread = (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt();
    (spread > 0.0).then(|| sum(&|a, b| a * b) / spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlations() {
        assert_eq!(correlation(&[(1.0, 2.0), (2.0, 4.0), (3.0, 6.0)]), Some(1.0));
        assert_eq!(correlation(&[(1.0, 1.0), (1.0, 2.0)]), None);
        assert_eq!(correlation(&[]), None);
    }
}
