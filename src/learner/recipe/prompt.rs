//! `[tasks.prompt]`: how a task becomes what the model reads.

use serde::{Deserialize, Serialize};

use super::fault::Checks;

/// Where the task's own prompt goes in a template.
const PLACE: &str = "{prompt}";

/// How a task becomes what the model reads: a plain text, or a chat that the model's own template sets.
///
/// With nothing given, a task's prompt goes through the model's chat template, or stands alone when it has none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PromptRecipe {
    /// A plain text with `{prompt}` in it; no chat template is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The system's message before the chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// The user's message, with `{prompt}` in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What the completion is begun with, such as `<think>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefill: Option<String>,
}

impl PromptRecipe {
    /// Whether the model's chat template must be there.
    pub fn needs_chat(&self) -> bool {
        self.system.is_some() || self.user.is_some()
    }

    /// The plain text for a task's prompt, where a plain text is asked for.
    pub fn plain(&self, prompt: &str) -> Option<String> {
        self.text.as_ref().map(|text| text.replace(PLACE, prompt))
    }

    /// The user's message for a task's prompt.
    pub fn user_message(&self, prompt: &str) -> String {
        self.user.as_ref().map_or_else(|| prompt.to_owned(), |text| text.replace(PLACE, prompt))
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        for (field, template) in [("text", &self.text), ("user", &self.user)] {
            if template.as_ref().is_some_and(|template| !template.contains(PLACE)) {
                checks.fault(field, "has no `{prompt}` in it, so every task would look the same");
            }
        }
        if self.text.is_some() && self.needs_chat() {
            checks.fault("text", "is a plain text; `system` and `user` are of a chat: give one or the other");
        }
    }
}
