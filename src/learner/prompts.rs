//! How a task becomes the tokens that the model reads.

use std::sync::Arc;

use graders::{Prompt as TaskPrompt, Task};
use policy::chat::Message;
use policy::tokenizer::Tokenizer;

use super::error::{LearnerError, Result};
use super::recipe::PromptRecipe;
use crate::rollout::Prompt;

/// Makes prompts of tasks.
#[derive(Clone)]
pub(super) struct Prompter {
    tokenizer: Arc<Tokenizer>,
    recipe: PromptRecipe,
    /// The most tokens a prompt may have so that a whole completion fits behind it.
    most_tokens: usize,
    context: usize,
}

impl Prompter {
    /// For a model with room for `context` tokens, of which `max_tokens` are the completion's.
    ///
    /// # Errors
    /// When there is no room for a prompt, or the recipe needs a chat template and there is none.
    pub(super) fn new(
        tokenizer: Arc<Tokenizer>,
        recipe: PromptRecipe,
        context: usize,
        max_tokens: usize,
    ) -> Result<Self> {
        let most_tokens = context.saturating_sub(max_tokens);
        if most_tokens == 0 {
            return Err(LearnerError::other(format!(
                "sampling.max_tokens is {max_tokens} and the model has room for {context} tokens: none is left for \
                 a prompt"
            )));
        }
        if recipe.needs_chat() && tokenizer.chat_template().is_none() {
            return Err(LearnerError::other(
                "tasks.prompt: `system` and `user` need a chat template, and the model's tokenizer has none; give a \
                 plain `text` with {prompt} in it",
            ));
        }
        Ok(Self { tokenizer, recipe, most_tokens, context })
    }

    /// The prompt of a task; `None` when it is too long for the model.
    ///
    /// # Errors
    /// When the task has no prompt, or the template refuses it.
    pub(super) fn prompt(&self, task: &Arc<Task>) -> Result<Option<Prompt>> {
        let tokens = self.encode(task.prompt.as_ref())?;
        if tokens.is_empty() {
            return Err(LearnerError::other("a task's prompt has no token"));
        }
        let fits = tokens.len() <= self.most_tokens;
        Ok(fits.then(|| Prompt { task: Arc::clone(task), tokens: tokens.into() }))
    }

    /// The text of a prompt's tokens, to be shown.
    pub(super) fn text(&self, prompt: &Prompt) -> String {
        self.tokenizer.decode(&prompt.tokens, false).unwrap_or_default()
    }

    /// The most tokens that prompt and completion may have together.
    pub(super) const fn context(&self) -> usize {
        self.context
    }

    /// The error when one prompt after the other is too long.
    pub(super) fn all_too_long(&self, n: usize) -> LearnerError {
        LearnerError::other(format!(
            "{n} prompts were longer than {} tokens, which is the model's context less sampling.max_tokens; nothing \
             is left to train on",
            self.most_tokens
        ))
    }

    fn encode(&self, prompt: Option<&TaskPrompt>) -> Result<Vec<u32>> {
        if let Some(TaskPrompt::Text(text)) = prompt {
            if let Some(plain) = self.recipe.plain(text) {
                return self.plain(&plain);
            }
            if self.tokenizer.chat_template().is_none() {
                return self.plain(text);
            }
        }
        let all = messages(&self.recipe, prompt)?;
        if self.tokenizer.chat_template().is_none() {
            return Err(LearnerError::other(
                "a task's prompt is a chat, and the model's tokenizer has no chat template",
            ));
        }
        let mut text = self.tokenizer.chat_text(&all, true)?;
        text.push_str(self.recipe.prefill.as_deref().unwrap_or_default());
        // The template writes the special tokens itself.
        Ok(self.tokenizer.encode(&text, false)?)
    }

    fn plain(&self, text: &str) -> Result<Vec<u32>> {
        let prefill = self.recipe.prefill.as_deref().unwrap_or_default();
        Ok(self.tokenizer.encode(&format!("{text}{prefill}"), true)?)
    }
}

/// A task's prompt as a conversation.
///
/// # Errors
/// When there is none, or a message is no message.
pub(super) fn messages(recipe: &PromptRecipe, prompt: Option<&TaskPrompt>) -> Result<Vec<Message>> {
    let messages = match prompt {
        None => return Err(LearnerError::other("a task has no prompt")),
        Some(TaskPrompt::Text(text)) => vec![Message::new("user", recipe.user_message(text))],
        Some(TaskPrompt::Messages(messages)) => messages
            .iter()
            .map(|message| serde_json::from_value(message.clone()))
            .collect::<std::result::Result<Vec<Message>, _>>()
            .map_err(|error| LearnerError::other(format!("a message of a task's prompt: {error}")))?,
    };
    let has_system = messages.first().is_some_and(|message| message.role == "system");
    let system = recipe.system.as_ref().filter(|_| !has_system);
    let system = system.map(|text| Message::new("system", text.clone()));
    Ok(system.into_iter().chain(messages).collect())
}
