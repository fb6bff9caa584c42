//! The bound on thinking (Qwen3 report 2025, section 4.3: a thought past its budget is cut and an end inserted).

use super::sampling::ThinkingBudget;

/// Watches one sequence.
#[derive(Clone, Debug)]
pub(crate) struct BudgetWatch {
    budget: ThinkingBudget,
    /// Whether the thought has ended, by itself or by what was inserted.
    ended: bool,
    /// Tokens of `inserted` that are still to come.
    left: usize,
}

impl BudgetWatch {
    pub(crate) const fn new(budget: ThinkingBudget) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_of_the_thinking_budget() {
        let text = std::fs::read_to_string(std::path::Path::new("testdata/thinking_budget.json"))
            .expect("the vector");
        let case: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let list = |value: &serde_json::Value| -> Vec<u32> {
            value.as_array().expect("a list").iter().map(|t| t.as_u64().expect("a token") as u32).collect()
        };
        let inputs = &case["inputs"];
        let budget = ThinkingBudget {
            max_tokens: inputs["budget"].as_u64().expect("a number") as usize,
            inserted: list(&inputs["stop_tokens"]),
            end_marker: vec![inputs["close_token"].as_u64().expect("a token") as u32],
        };
        let sequences = inputs["sequences"].as_array().expect("sequences");
        for (sequence, expected) in sequences.iter().zip(case["expected"].as_array().expect("pairs")) {
            // The policy would sample this; what is inserted takes the place of all that is left of it.
            let mut watch = BudgetWatch::new(budget.clone());
            let (mut tokens, mut inserted) = (Vec::new(), false);
            for token in list(sequence) {
                tokens.push(token);
                watch.sampled(&tokens);
                while let Some(token) = watch.forced() {
                    tokens.push(token);
                    inserted = true;
                }
                if inserted {
                    break;
                }
            }
            assert_eq!(tokens, list(&expected[0]));
            assert_eq!(inserted, expected[1].as_bool().expect("a flag"));
        }
    }
}
