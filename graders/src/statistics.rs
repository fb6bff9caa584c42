//! Means and standard deviations of a few numbers.

/// The mean, or `None` of nothing.
pub(crate) fn mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() { None } else { Some(values.iter().sum::<f64>() / values.len() as f64) }
}

/// The standard deviation with `ddof` degrees of freedom taken off; 0 where it is undefined, and exactly 0
/// when all values are equal, so that a group without a signal never gets one from rounding.
pub(crate) fn standard_deviation(values: &[f64], ddof: usize) -> f64 {
    let Some(mean) = mean(values) else { return 0.0 };
    if values.len() <= ddof || values.iter().all(|value| *value == values[0]) {
        return 0.0;
    }
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (values.len() - ddof) as f64).sqrt()
}

/// `(value - mean) / (std + eps)` of each value that is there; 0 where the deviation is 0.
pub(crate) fn standard_scores(values: &[Option<f64>], ddof: usize, eps: f64) -> Vec<Option<f64>> {
    let present: Vec<f64> = values.iter().flatten().copied().collect();
    let center = mean(&present).unwrap_or(0.0);
    let deviation = standard_deviation(&present, ddof);
    values
        .iter()
        .map(|value| {
            value.map(|value| if deviation == 0.0 { 0.0 } else { (value - center) / (deviation + eps) })
        })
        .collect()
}
