//! A model in Hugging Face's layout, run by the engine that the learner trains with.

use std::sync::Arc;

use policy::Policy;
use policy::chat::Message;
use policy::decode::{self, EngineLimits};
use policy::tokenizer::Tokenizer;

use super::feed::Feed;
use super::{Card, Desk, Engine, Grammar, Loaded, ModelSettings, Refusal, Turn, Words};

/// Tokens of a prompt that are computed at once. Those who are being decoded wait meanwhile.
const PREFILL_TOKENS: usize = 256;

/// Loads a folder, or a model of the hub by its name.
pub(super) fn load(settings: &ModelSettings) -> Result<Loaded, String> {
    let said = |error: policy::PolicyError| error.to_string();
    let device = policy::device::parse(&settings.device).map_err(said)?;
    let folder = policy::hub::find(&settings.source).map_err(said)?;
    // A checkpoint has the model inside.
    let inside = folder.join("model");
    let folder = if inside.is_dir() { inside } else { folder };
    let policy = Policy::load(&folder, &device).map_err(said)?;
    let tokenizer = Tokenizer::load(&folder).map_err(said)?;
    serve(policy, tokenizer, settings)
}

/// A model that is in memory already.
fn serve(policy: Policy, tokenizer: Tokenizer, settings: &ModelSettings) -> Result<Loaded, String> {
    let config = &policy.config;
    if tokenizer.vocabulary() > config.vocab_size {
        return Err(format!(
            "the tokenizer has {} tokens and the model {}; they do not belong together",
            tokenizer.vocabulary(),
            config.vocab_size
        ));
    }
    let (context, cache_tokens) = settings.room(config.max_position_embeddings)?;
    let card = Card {
        context,
        vocabulary: config.vocab_size,
        stop_tokens: tokenizer.stop_tokens().to_vec(),
        takes_grammars: false,
        engine: format!("native, {}", policy::device::name(&policy.device)),
    };
    let limits = EngineLimits {
        max_batch: settings.max_batch,
        // A prompt and its continuation are each rounded up to whole pages.
        cache_tokens: cache_tokens.saturating_add(2 * PAGE),
        prefill_tokens: PREFILL_TOKENS,
    };
    let words: Arc<dyn Words> = Arc::new(TokenizerWords(tokenizer));
    Ok(Loaded { card, words, engine: Box::new(Native { policy, context, limits }) })
}

/// No less than what the cache is divided into.
const PAGE: usize = 256;

/// The words of a tokenizer in Hugging Face's format.
struct TokenizerWords(Tokenizer);

impl Words for TokenizerWords {
    fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>, Refusal> {
        self.0.encode(text, special).map_err(|error| Refusal(error.to_string()))
    }

    fn encode_chat(&self, turns: &[Turn]) -> Result<Vec<u32>, Refusal> {
        let messages: Vec<Message> =
            turns.iter().map(|turn| Message::new(turn.role.as_str(), turn.content.as_str())).collect();
        self.0.encode_chat(&messages).map_err(|error| Refusal(error.to_string()))
    }

    fn decode(&self, tokens: &[u32], skip_special: bool) -> String {
        self.0.decode(tokens, skip_special).unwrap_or_default()
    }

    fn bytes(&self, token: u32) -> Vec<u8> {
        self.0.bytes(token)
    }

    fn check_grammar(&self, _: &Grammar) -> Result<(), Refusal> {
        Err(Refusal("this engine follows no grammar".to_owned()))
    }
}

/// The engine.
struct Native {
    policy: Policy,
    context: usize,
    limits: EngineLimits,
}

impl Engine for Native {
    fn run(&mut self, desk: &mut dyn Desk) -> Result<(), String> {
        let Self { policy, context, limits } = self;
        let mut feed =
            Feed::new(desk, limits.max_batch, &|_| Err("this engine follows no grammar".to_owned()));
        decode::open(&policy.config, &policy.weights, *context, limits, None, &mut feed)
            .map(|_| ())
            .map_err(|error| error.to_string())
    }
}
