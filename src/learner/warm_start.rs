//! Imitation before the first rollout: worked solutions of training tasks, learned token by token.

use policy::optimizer::AdamW;
use policy::tokenizer::Tokenizer;
use policy::{Gradients, Policy};
use serde::Deserialize;

use super::error::{LearnerError, Result};
use super::example::{Batches, Example};
use super::hooks::Hooks;
use super::prompts::Prompter;
use super::recipe::{Recipe, Schedule, SftRecipe};
use super::sft::{self, SftSettings};
use super::supply::Supply;

/// A line of a file of examples.
#[derive(Debug, Deserialize)]
struct Line {
    prompt: graders::Prompt,
    completion: String,
}

/// The examples of a recipe: tasks of the training split with their environment's own solution, or a file's lines.
///
/// # Errors
/// When there are none, or a line is no example.
pub(super) fn examples(
    recipe: &SftRecipe,
    supply: &Supply,
    prompter: &Prompter,
    tokenizer: &Tokenizer,
) -> Result<Vec<Example>> {
    let mut examples = Vec::new();
    if let Some(path) = &recipe.path {
        let text = std::fs::read_to_string(path).map_err(|error| LearnerError::file(path, error))?;
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let fault = |message: String| {
                LearnerError::other(format!("{}:{}: {message}", path.display(), number + 1))
            };
            let line: Line = serde_json::from_str(line).map_err(|error| fault(error.to_string()))?;
            let task = graders::Task { prompt: Some(line.prompt), ..graders::Task::default() };
            examples.extend(example(&task.into(), &line.completion, prompter, tokenizer)?);
            if examples.len() == recipe.examples {
                break;
            }
        }
    } else {
        for number in 0..recipe.examples as u64 {
            let task = supply.task(number)?;
            let solution = supply.oracle(&task).ok_or_else(|| {
                LearnerError::other("sft.path: a data set has no worked solutions; give a file of examples")
            })?;
            examples.extend(example(&task, &solution, prompter, tokenizer)?);
        }
    }
    if examples.is_empty() {
        return Err(LearnerError::other("sft: there is no example that fits into the model's context"));
    }
    Ok(examples)
}

fn example(
    task: &std::sync::Arc<graders::Task>,
    completion: &str,
    prompter: &Prompter,
    tokenizer: &Tokenizer,
) -> Result<Option<Example>> {
    let Some(prompt) = prompter.prompt(task)? else { return Ok(None) };
    let mut tokens = prompt.tokens.to_vec();
    let first = tokens.len();
    tokens.extend(tokenizer.encode(completion, false)?);
    tokens.push(tokenizer.eos_token());
    Ok((tokens.len() <= prompter.context()).then_some(Example { tokens, first }))
}

/// Takes the recipe's supervised steps: the mean negative log-probability of a batch's completion tokens.
///
/// # Errors
/// When the model fails, a number is not finite, or the run was told to stop.
pub(super) fn imitate(
    policy: &Policy,
    optimizer: &mut AdamW,
    gradients: &mut Gradients,
    examples: &[Example],
    recipe: &Recipe,
    hooks: &mut dyn Hooks,
) -> Result<()> {
    let Some(warm) = &recipe.sft else { return Ok(()) };
    let peak = warm.learning_rate.or(recipe.train.learning_rate).unwrap_or_default();
    let batches = Batches {
        steps: warm.steps,
        batch_size: warm.batch_size,
        micro_batch_tokens: recipe.train.micro_batch_tokens,
        seed: recipe.run.seed,
    };
    let settings = SftSettings { batches, by_confidence: false };
    let rate = |step| peak * Schedule::Constant.factor(step, warm.warmup_steps, warm.steps, 1.0);
    sft::imitate(policy, optimizer, gradients, examples, &settings, rate, |metrics| {
        hooks.on_sft(metrics)?;
        if hooks.should_stop() {
            return Err(LearnerError::other("stopped in the warm start; nothing was kept"));
        }
        Ok(true)
    })?;
    Ok(())
}
