//! A model in Hugging Face's layout, run by the engine that the learner trains with.

use std::collections::BTreeSet;
use std::sync::Arc;

use policy::Policy;
use policy::chat::Message;
use policy::decode::{self, EngineLimits, Finish, Generated, Load, Queue, Request, Sampling, Source, Taken};
use policy::tokenizer::Tokenizer;

use super::source::{DEFAULT_CONTEXT, DEFAULT_CONTEXTS};
use super::{
    Ask, Card, Desk, Draw, Engine, Grammar, Loaded, ModelSettings, Next, Place, Refusal, Token, Turn, Words,
};

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
    let own = config.max_position_embeddings;
    let context = settings.context.unwrap_or(DEFAULT_CONTEXT).min(own);
    if settings.context.is_some_and(|asked| asked > own) {
        return Err(format!("the model's context has {own} tokens, --model-context asks for more"));
    }
    let cache_tokens = settings.cache_tokens.unwrap_or(context.saturating_mul(DEFAULT_CONTEXTS));
    if cache_tokens < context {
        return Err(format!(
            "--model-cache-tokens is {cache_tokens}, less than the context of {context} tokens; lower --model-context"
        ));
    }
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
        let mut feed = Feed::new(desk, limits.max_batch);
        decode::open(&policy.config, &policy.weights, *context, limits, None, &mut feed)
            .map(|_| ())
            .map_err(|error| error.to_string())
    }
}

/// Brings what the desk has to a batch that is open, and back.
pub(super) struct Feed<'a> {
    desk: &'a mut dyn Desk,
    max_batch: usize,
    /// Asks that the batch has.
    given: BTreeSet<usize>,
    /// Sequences that the desk has ended and the batch has not.
    ended: BTreeSet<(usize, usize)>,
}

impl<'a> Feed<'a> {
    pub(super) fn new(desk: &'a mut dyn Desk, max_batch: usize) -> Self {
        Self { desk, max_batch, given: BTreeSet::new(), ended: BTreeSet::new() }
    }
}

/// An ask as the batch takes it.
fn request(id: usize, ask: &Ask) -> Request {
    let draw = &ask.draw;
    let mut request = Request::new(id, Arc::clone(&ask.prompt), ask.seeds.clone(), Arc::new(sampling(draw)));
    request.n_top = draw.n_top;
    request
}

/// Stop texts are the desk's affair.
fn sampling(draw: &Draw) -> Sampling {
    Sampling {
        temperature: draw.temperature,
        top_k: draw.top_k,
        top_p: draw.top_p,
        min_p: draw.min_p,
        max_tokens: draw.max_tokens,
        stop_tokens: draw.stop_tokens.iter().chain(&draw.own_stop_tokens).copied().collect(),
        ..Sampling::default()
    }
}

impl Source for Feed<'_> {
    fn before_step(&mut self, load: Load, queue: &mut Queue) -> decode::Next {
        for (ask, index) in std::mem::take(&mut self.ended) {
            queue.cancel_sequence(ask, index);
        }
        self.given.retain(|ask| {
            let is_wanted = self.desk.is_wanted(*ask);
            if !is_wanted {
                queue.cancel(*ask);
            }
            is_wanted
        });
        // What finds no room waits at the desk, where it can still be taken back for nothing.
        let mut n = load.decoding + load.waiting;
        while n < self.max_batch && load.waiting == 0 {
            match self.desk.next(n == 0) {
                Next::Ask(id, ask) => {
                    n += ask.seeds.len();
                    self.given.insert(id);
                    queue.add(request(id, &ask));
                }
                Next::Nothing => break,
                Next::Over => return decode::Next::Finish,
            }
        }
        decode::Next::GoOn
    }

    fn on_token(&mut self, taken: &Taken<'_>) {
        let Some(id) = taken.tokens.last() else { return };
        let place = Place { ask: taken.id, index: taken.index };
        let token = Token { id: *id, logprob: taken.logprob, top: taken.top.to_vec() };
        if !self.desk.token(place, token) {
            self.ended.insert((taken.id, taken.index));
        }
    }

    fn on_finished(&mut self, generated: Generated) {
        let place = Place { ask: generated.prompt, index: generated.index };
        self.ended.remove(&(place.ask, place.index));
        match generated.finish {
            // The desk has said so, or has seen the same token.
            Finish::Cancelled | Finish::Length => {}
            Finish::Stop | Finish::Repetition => self.desk.ended(place, true),
            Finish::DeadEnd => self.desk.ended(place, false),
        }
    }

    fn on_refused(&mut self, id: usize, error: policy::PolicyError) {
        self.given.remove(&id);
        self.desk.refuse(id, error.to_string());
    }
}
