//! The likeliest tokens of a place, for who wants to see them.

use super::elementwise::largest;

/// Puts into `top` the `n` likeliest tokens with their log-probabilities under softmax(logits * scale), the likeliest
/// first and the lowest of equals before the others.
pub(crate) fn likeliest(logits: &[f32], scale: f32, n: usize, top: &mut Vec<(u32, f32)>) {
    top.clear();
    let highest = largest(logits);
    let n = n.min(logits.len());
    if n == 0 || !highest.is_finite() {
        return;
    }
    let total: f64 = logits.iter().map(|logit| f64::from((logit - highest) * scale).exp()).sum();
    let likelier = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    let mut all: Vec<(u32, f32)> = (0..).zip(logits.iter().copied()).collect();
    if n < all.len() {
        all.select_nth_unstable_by(n - 1, likelier);
        all.truncate(n);
    }
    all.sort_unstable_by(likelier);
    let logprob = |logit: f32| (f64::from((logit - highest) * scale) - total.ln()) as f32;
    top.extend(all.into_iter().filter(|(_, l)| l.is_finite()).map(|(token, l)| (token, logprob(l))));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_come_first_and_what_is_ruled_out_never() {
        let logits = [1.0, 3.0, f32::NEG_INFINITY, 3.0, 2.0];
        let mut top = Vec::new();
        likeliest(&logits, 1.0, 3, &mut top);
        assert_eq!(top.iter().map(|(token, _)| *token).collect::<Vec<_>>(), [1, 3, 4]);
        likeliest(&logits, 0.5, 9, &mut top);
        assert_eq!(top.len(), 4);
        let sum: f64 = top.iter().map(|(_, logprob)| f64::from(*logprob).exp()).sum();
        assert!((sum - 1.0).abs() < 1e-6, "{sum}");
    }
}
