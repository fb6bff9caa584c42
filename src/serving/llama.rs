//! A model of a GGUF file, run by llama.cpp.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ::llama::{Context, ContextOptions, Model, ModelOptions};
use policy::chat::{ChatTemplate, Message};
use policy::decode::{self, Constraint, EngineLimits};

use super::feed::Feed;
use super::{Card, Desk, Engine, Grammar, GrammarKind, Loaded, ModelSettings, Refusal, Turn, Words};
use crate::rollout::LlamaLogits;

/// Tokens that are computed at once.
const BATCH_TOKENS: usize = 512;
/// The most sequences that are decoded at a time: each prompt has a sequence of its own beside them.
const MAX_BATCH: usize = ContextOptions::MAX_SEQUENCES as usize / 2;

/// Loads a GGUF file.
pub(super) fn load(settings: &ModelSettings) -> Result<Loaded, String> {
    if settings.max_batch > MAX_BATCH {
        return Err(format!(
            "llama.cpp decodes at most {MAX_BATCH} sequences at a time, and {} are asked for",
            settings.max_batch
        ));
    }
    let options = ModelOptions { gpu_layers: settings.n_gpu_layers, ..ModelOptions::default() };
    let model = Model::load(Path::new(&settings.source), &options).map_err(|error| error.to_string())?;
    let (context, cache_tokens) = settings.room(model.context_length())?;
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let options = ContextOptions {
        tokens: number(cache_tokens),
        sequences: number(2 * settings.max_batch),
        batch: number(BATCH_TOKENS),
        threads: number(threads),
        ..ContextOptions::default()
    };
    let logits = LlamaLogits::new(Context::new(&model, &options).map_err(|error| error.to_string())?);
    let stop_tokens = model.stop_tokens();
    if stop_tokens.is_empty() {
        return Err(
            "the model has no token that ends a text, so that no completion would ever end".to_owned()
        );
    }
    let card = Card {
        context: context.min(logits.tokens()),
        vocabulary: model.n_tokens(),
        stop_tokens,
        takes_grammars: true,
        engine: format!("llama.cpp, {}", model.architecture()),
    };
    let limits = EngineLimits {
        max_batch: settings.max_batch,
        cache_tokens: logits.tokens(),
        prefill_tokens: BATCH_TOKENS,
    };
    // A model without a template answers /v1/completions alone.
    let template = model.chat_template().ok().map(|source| ChatTemplate::new(&source));
    let template = template.transpose().map_err(|error| error.to_string())?;
    let words: Arc<dyn Words> = Arc::new(ModelWords { model: model.clone(), template });
    Ok(Loaded { card, words, engine: Box::new(Llama { model, logits, limits }) })
}

/// The words of a GGUF file.
struct ModelWords {
    model: Model,
    template: Option<ChatTemplate>,
}

impl Words for ModelWords {
    fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>, Refusal> {
        // As with tokenizers in Hugging Face's format, the names of special tokens become these.
        self.model.tokenize(text, special, true).map_err(|error| Refusal(error.to_string()))
    }

    fn encode_chat(&self, turns: &[Turn]) -> Result<Vec<u32>, Refusal> {
        let Some(template) = &self.template else {
            return Err(Refusal(
                "the model has no chat template; send a prompt to /v1/completions".to_owned(),
            ));
        };
        let messages: Vec<Message> =
            turns.iter().map(|turn| Message::new(turn.role.as_str(), turn.content.as_str())).collect();
        let name = |token: Option<u32>| {
            let bytes = token.map(|token| self.model.piece(token, true)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let special = BTreeMap::from([
            ("bos_token".to_owned(), name(self.model.bos())),
            ("eos_token".to_owned(), name(self.model.eos())),
        ]);
        let text = template.render(&messages, true, &special).map_err(|error| Refusal(error.to_string()))?;
        // The template has written the special tokens.
        self.encode(&text, false)
    }

    fn decode(&self, tokens: &[u32], skip_special: bool) -> String {
        self.model.text(tokens, !skip_special)
    }

    fn bytes(&self, token: u32) -> Vec<u8> {
        self.model.piece(token, true)
    }

    fn check_grammar(&self, grammar: &Grammar) -> Result<(), Refusal> {
        constraint(&self.model, grammar).map(|_| ()).map_err(Refusal)
    }
}

/// The engine.
struct Llama {
    model: Model,
    logits: LlamaLogits,
    limits: EngineLimits,
}

impl Engine for Llama {
    fn run(&mut self, desk: &mut dyn Desk) -> Result<(), String> {
        let Self { model, logits, limits } = self;
        // What a batch left behind that ended with an error.
        logits.reset();
        let constrain = |grammar: &Grammar| -> Result<Box<dyn Constraint>, String> {
            Ok(Box::new(constraint(model, grammar)?))
        };
        let mut feed = Feed::new(desk, limits.max_batch, &constrain);
        decode::open_with(logits, limits, None, &mut feed).map(|_| ()).map_err(|error| error.to_string())
    }
}

/// A grammar of llama.cpp as what may follow.
struct Rules(::llama::Grammar);

fn constraint(model: &Model, grammar: &Grammar) -> Result<Rules, String> {
    let source = match grammar.kind {
        GrammarKind::Gbnf => grammar.source.clone(),
        GrammarKind::JsonSchema => {
            let schema = serde_json::from_str(&grammar.source).map_err(|error| error.to_string())?;
            ::llama::json_schema_to_gbnf(&schema).map_err(|error| error.to_string())?
        }
    };
    ::llama::Grammar::new(model, &source, &[]).map(Rules).map_err(|error| error.to_string())
}

impl Constraint for Rules {
    fn mask(&mut self, logits: &mut [f32]) {
        self.0.mask(logits);
    }

    fn accept(&mut self, token: u32) {
        self.0.accept(token);
    }

    fn may_end(&self) -> bool {
        self.0.is_whole()
    }

    fn fork(&self) -> Box<dyn Constraint> {
        Box::new(Self(self.0.clone()))
    }
}
