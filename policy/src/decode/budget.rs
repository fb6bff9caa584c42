//! The bound on thinking (Qwen3 report 2025, section 4.3: a thought past its budget is cut and an end inserted).

use super::sampling::ThinkingBudget;

/// Watches one sequence.
#[derive(Clone, Debug)]
pub(crate) struct BudgetWatch<'a> {
    budget: &'a ThinkingBudget,
    /// Whether the thought has ended, by itself or by what was inserted.
    ended: bool,
    /// Tokens of `inserted` that are still to come.
    left: usize,
}

impl<'a> BudgetWatch<'a> {
    pub(crate) const fn new(budget: &'a ThinkingBudget) -> Self {
        Self { budget, ended: false, left: 0 }
    }

    /// Sees a sequence whose last token was sampled.
    pub(crate) fn sampled(&mut self, tokens: &[u32]) {
        if self.ended {
            return;
        }
        if tokens.ends_with(&self.budget.end_marker) {
            self.ended = true;
        } else if tokens.len() >= self.budget.max_tokens {
            self.ended = true;
            self.left = self.budget.inserted.len();
        }
    }

    /// The token that has to come next, if one has to.
    pub(crate) fn forced(&mut self) -> Option<u32> {
        let place = self.budget.inserted.len() - self.left;
        let token = *self.budget.inserted.get(place)?;
        self.left -= 1;
        Some(token)
    }
}
