//! Imitation before the first rollout: worked solutions of training tasks, learned token by token.

use std::time::Instant;

use policy::optimizer::AdamW;
use policy::tokenizer::Tokenizer;
use policy::{Gradients, Packed, Policy, TokenGradients};
use serde::Deserialize;

use super::error::{LearnerError, Result};
use super::hooks::Hooks;
use super::metrics::SftMetrics;
use super::prompts::Prompter;
use super::recipe::{Recipe, Schedule, SftRecipe};
use super::supply::Supply;
use crate::rollout::seed;

/// A prompt and what is to be written after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Example {
    /// Both, one after the other.
    pub tokens: Vec<u32>,
    /// Where the second begins; what is before is not learned.
    pub first: usize,
}

/// A line of a file of examples.
#[derive(Debug, Deserialize)]
struct Line {
    prompt: graders::Prompt,
    completion: String,
}

/// A place of a run's draws that meets no other.
const DRAWS_OF_ORDER: u64 = 5;

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
            let fault = |message: String| LearnerError::other(format!("{}:{}: {message}", path.display(), number + 1));
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
/// When the model fails or a number is not finite.
pub(super) fn imitate(
    policy: &Policy,
    optimizer: &mut AdamW,
    gradients: &mut Gradients,
    examples: &[Example],
    recipe: &Recipe,
    hooks: &mut dyn Hooks,
) -> Result<()> {
    let Some(sft) = &recipe.sft else { return Ok(()) };
    let peak = sft.learning_rate.or(recipe.train.learning_rate).unwrap_or_default();
    for step in 0..sft.steps {
        let clock = Instant::now();
        let chosen: Vec<&Example> = (0..sft.batch_size as u64)
            .map(|i| {
                let draw = seed(recipe.run.seed, step, DRAWS_OF_ORDER, i);
                &examples[(draw % examples.len() as u64) as usize]
            })
            .collect();
        let n_scored: usize = chosen.iter().map(|example| example.tokens.len() - example.first).sum();
        gradients.clear()?;
        let (mut loss, mut n_tokens) = (0.0, 0);
        for batch in chosen.chunk_by(within(recipe.train.micro_batch_tokens)) {
            let mut packed = Packed::default();
            for example in batch {
                packed.push(&example.tokens, example.first)?;
            }
            n_tokens += packed.n_tokens();
            policy.accumulate(&packed, 1.0, gradients, |scores| {
                loss -= scores.logprobs.iter().map(|logprob| f64::from(*logprob)).sum::<f64>();
                let each = -1.0 / n_scored as f32;
                Ok(TokenGradients { logprobs: vec![each; scores.logprobs.len()], entropies: Vec::new() })
            })?;
        }
        let learning_rate = peak * Schedule::Constant.factor(step, sft.warmup_steps, sft.steps, 1.0);
        let grad_norm = optimizer.step(gradients, learning_rate)?;
        hooks.on_sft(&SftMetrics {
            step: step + 1,
            loss: loss / n_scored as f64,
            grad_norm,
            learning_rate,
            n_tokens: n_tokens as u64,
            seconds: clock.elapsed().as_secs_f64(),
        })?;
        if hooks.should_stop() {
            return Err(LearnerError::other("stopped in the warm start; nothing was kept"));
        }
    }
    Ok(())
}

/// Whether two neighbours belong to the same micro-batch.
fn within(most_tokens: usize) -> impl FnMut(&&Example, &&Example) -> bool {
    let mut n = 0;
    move |before, after| {
        n += before.tokens.len();
        let fits = n + after.tokens.len() <= most_tokens;
        if !fits {
            n = 0;
        }
        fits
    }
}
