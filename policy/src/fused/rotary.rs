//! Rotary positions (Su et al. 2021, equation 34, in the halves layout of the published checkpoints).

use super::simd::vectorised;
use crate::config::ModelConfig;

/// Cosines and sines of each position's angles.
#[derive(Debug, Default)]
pub(super) struct Rotary {
    /// `[positions, D]`: half cosines, half sines.
    table: Vec<f32>,
    frequencies: Vec<f64>,
}

impl Rotary {
    /// Makes sure that there are so many positions.
    pub(super) fn prepare(&mut self, config: &ModelConfig, positions: usize) {
        let frequencies = config.rope_frequencies();
        if self.frequencies != frequencies {
            self.table.clear();
            self.frequencies = frequencies;
        }
        let width = 2 * self.frequencies.len();
        for position in self.table.len() / width..positions {
            let angles = self.frequencies.iter().map(|frequency| position as f64 * frequency);
            self.table.extend(angles.clone().map(|angle| angle.cos() as f32));
            self.table.extend(angles.map(|angle| angle.sin() as f32));
        }
    }

    /// Turns the heads of one row.
    pub(super) fn turn(&self, heads: &mut [f32], position: usize) {
        let width = 2 * self.frequencies.len();
        let (cos, sin) = self.table[position * width..][..width].split_at(width / 2);
        rotate(heads, cos, sin, 1.0);
    }

    /// Turns them back.
    pub(super) fn turn_back(&self, heads: &mut [f32], position: usize) {
        let width = 2 * self.frequencies.len();
        let (cos, sin) = self.table[position * width..][..width].split_at(width / 2);
        rotate(heads, cos, sin, -1.0);
    }
}

vectorised! {
    fn rotate(heads: &mut [f32], cos: &[f32], sin: &[f32], sign: f32) {
        let half = cos.len();
        for head in heads.chunks_exact_mut(2 * half) {
            let (a, b) = head.split_at_mut(half);
            for (((a, b), cos), sin) in a.iter_mut().zip(b).zip(cos).zip(sin) {
                let sin = sin * sign;
                (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
            }
        }
    }
}
