//! Which sampled completions become examples: rejection-sampled fine-tuning (RFT, arXiv:2308.01825), best of n, and
//! the shortest right answer (Kimi k1.5, arXiv:2501.12599, section 2.4).

use std::collections::BTreeSet;

/// A completion that was sampled and judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate<'a> {
    /// Its task; candidates of a task stand together.
    pub task: u64,
    /// What was written.
    pub text: &'a str,
    /// How long it is, in tokens.
    pub n_tokens: usize,
    /// Whether it is right; `None` where that could not be judged.
    pub is_right: Option<bool>,
    /// Its reward; `None` where that could not be judged.
    pub reward: Option<f64>,
    /// Whether it was cut off: a text without an end is no example.
    pub is_truncated: bool,
}

/// Which of the right ones come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prefer {
    /// Those that were sampled first.
    #[default]
    First,
    /// The shortest.
    Shortest,
    /// Those with the highest reward.
    Best,
}

/// How many become examples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The most examples of a task.
    pub most_per_task: usize,
    /// Which come first.
    pub prefer: Prefer,
}

impl Default for Selection {
    fn default() -> Self {
        Self { most_per_task: 4, prefer: Prefer::First }
    }
}

/// The indices of the candidates to learn from, in ascending order: right, whole, no two alike within a task but for
/// white space and the case of letters, and at most so many of a task.
pub fn select(candidates: &[Candidate], selection: Selection) -> Vec<usize> {
    let mut selected = Vec::new();
    let mut start = 0;
    for of_task in candidates.chunk_by(|a, b| a.task == b.task) {
        let keep = |candidate: &Candidate| {
            let judged = selection.prefer != Prefer::Best || candidate.reward.is_some_and(f64::is_finite);
            judged && candidate.is_right == Some(true) && !candidate.is_truncated
        };
        let mut right: Vec<usize> = (0..of_task.len()).filter(|i| keep(&of_task[*i])).collect();
        // Sorting is stable: of equals the one that was sampled first comes first.
        match selection.prefer {
            Prefer::First => {}
            Prefer::Shortest => right.sort_by_key(|i| of_task[*i].n_tokens),
            Prefer::Best => {
                let reward = |i: &usize| of_task[*i].reward.unwrap_or(f64::NEG_INFINITY);
                right.sort_by(|a, b| reward(b).total_cmp(&reward(a)));
            }
        }
        let mut seen = BTreeSet::new();
        right.retain(|i| seen.insert(normalised(of_task[*i].text)));
        right.truncate(selection.most_per_task);
        right.sort_unstable();
        selected.extend(right.into_iter().map(|i| start + i));
        start += of_task.len();
    }
    selected
}

/// Lower case, words apart by one space: what two texts are compared by.
pub fn normalised(text: &str) -> String {
    text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_ones_are_kept_once_and_not_too_many() {
        let candidate = |task, text, n_tokens, is_right, reward| Candidate {
            task,
            text,
            n_tokens,
            is_right,
            reward,
            is_truncated: false,
        };
        let mut candidates = vec![
            candidate(1, "a  b", 9, Some(true), Some(1.0)),
            candidate(1, "A b\n", 8, Some(true), Some(1.1)),
            candidate(1, "wrong", 1, Some(false), Some(0.0)),
            candidate(1, "c", 3, Some(true), Some(0.9)),
            candidate(1, "d", 2, Some(true), None),
            candidate(1, "unknown", 2, None, None),
            candidate(2, "a b", 5, Some(true), Some(1.0)),
            candidate(3, "x", 5, Some(false), Some(0.5)),
        ];
        let with = |candidates: &[Candidate], most_per_task, prefer| {
            select(candidates, Selection { most_per_task, prefer })
        };
        assert_eq!(with(&candidates, 9, Prefer::First), [0, 3, 4, 6]);
        assert_eq!(with(&candidates, 1, Prefer::First), [0, 6]);
        assert_eq!(with(&candidates, 2, Prefer::Shortest), [3, 4, 6]);
        assert_eq!(with(&candidates, 9, Prefer::Shortest), [1, 3, 4, 6]);
        assert_eq!(with(&candidates, 1, Prefer::Best), [1, 6]);
        assert!(with(&candidates, 0, Prefer::Best).is_empty());
        candidates[0].is_truncated = true;
        assert_eq!(with(&candidates, 1, Prefer::First), [1, 6]);
        assert!(with(&[], 1, Prefer::First).is_empty());
    }
}
