//! The loss of a value head.

use super::batch::Denominators;
use super::invalid::{Invalid, Result, aligned};

/// PPO's clipped value loss, `0.5 max((v - R)^2, (clip(v, old - c, old + c) - R)^2)`, as a mean over the counted
/// tokens of the whole step, and its gradient by each value. Without a clip it is half of the squared error.
///
/// # Errors
/// When arrays differ in length, or a value is not finite.
pub fn value_loss(
    values: &[f32],
    old_values: &[f32],
    returns: &[f32],
    mask: &[bool],
    clip: Option<f64>,
    denominators: &Denominators,
) -> Result<(f64, Vec<f32>)> {
    let arrays = [("values", values), ("old_values", old_values), ("returns", returns)];
    for (name, array) in arrays {
        aligned(name, array.len(), mask.len())?;
        if let Some(index) = (0..mask.len()).find(|t| mask[*t] && !array[*t].is_finite()) {
            let value = f64::from(array[index]);
            return Err(Invalid::NotFinite { place: name.to_owned(), index, value });
        }
    }
    let n = denominators.n_tokens.max(1) as f64;
    let (mut loss, mut gradient) = (0.0, vec![0.0; mask.len()]);
    for t in (0..mask.len()).filter(|t| mask[*t]) {
        let (value, old, target) = (f64::from(values[t]), f64::from(old_values[t]), f64::from(returns[t]));
        let error = value - target;
        let (mut square, mut slope) = (error * error, error);
        if let Some(clip) = clip {
            let held = value.clamp(old - clip, old + clip) - target;
            if held * held > square {
                // Beyond the clip, the held value does not move with the value.
                let moves = (value - old).abs() <= clip;
                (square, slope) = (held * held, if moves { held } else { 0.0 });
            }
        }
        loss += 0.5 * square / n;
        gradient[t] = (slope / n) as f32;
    }
    Ok((loss, gradient))
}
