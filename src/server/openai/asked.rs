//! A request from its first byte to its place in the model's queue; what both wires share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::Request;
use http::HeaderMap;
use tokio::sync::OwnedSemaphorePermit;

use super::refusal::Refusal;
use super::sampling::SharedFields;
use crate::server::App;
use crate::server::admission::{Admitted, ReadBody};
use crate::server::grade::deadline;
use crate::server::problem::Problem;
use crate::serving::{Answering, Ask, Draw, NotReady, Ready, Served, Unserved, seed_of};

/// A request that is to be answered.
pub(super) struct Asked {
    /// One for each prompt.
    pub(super) asks: Vec<Ask>,
    /// Sequences for each of them.
    pub(super) n: usize,
    /// What of the answer is shown.
    pub(super) show: Show,
}

/// What of an answer is shown, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Show {
    /// In pieces.
    pub(super) stream: bool,
    /// Whether a stream tells how many tokens there were.
    pub(super) usage: bool,
    /// Log-probabilities.
    pub(super) logprobs: bool,
    /// Tokens of prompt and answer.
    pub(super) token_ids: bool,
    /// Tokens in log-probabilities by their number.
    pub(super) as_token_ids: bool,
}

impl Show {
    pub(super) fn new(shared: &SharedFields, logprobs: bool) -> Self {
        Self {
            stream: shared.stream.unwrap_or(false),
            usage: shared.wants_usage(),
            logprobs,
            token_ids: shared.return_token_ids.unwrap_or(false),
            as_token_ids: shared.return_tokens_as_token_ids.unwrap_or(false),
        }
    }
}

/// A request that is being answered, with all the room it takes.
pub(super) struct Inside {
    pub(super) answering: Answering,
    pub(super) served: Arc<Served>,
    /// Tokens of each prompt.
    pub(super) prompts: Vec<Arc<[u32]>>,
    pub(super) n: usize,
    pub(super) show: Show,
    pub(super) started: Instant,
    pub(super) deadline: Instant,
    _admitted: Admitted,
    _body_room: Option<OwnedSemaphorePermit>,
}

impl Inside {
    /// The failure when its time is over.
    pub(super) fn too_late(&self) -> Refusal {
        Refusal::too_late(self.deadline.duration_since(self.started).as_millis())
    }

    /// Sequences of the whole request.
    pub(super) fn n_choices(&self) -> usize {
        self.prompts.len() * self.n
    }
}

/// The model that this server serves.
///
/// # Errors
/// 404 where there is none.
pub(super) fn model(app: &App) -> Result<&Arc<Served>, Refusal> {
    app.model.as_ref().ok_or_else(|| {
        Refusal::no_model(
            "this server serves no model; start it with `gavel serve --model <folder, name or file>`",
        )
    })
}

/// The model as it can be asked.
///
/// # Errors
/// 503 while it is being loaded, and when it is broken.
pub(super) fn ready(served: &Served) -> Result<&Ready, Refusal> {
    served.ready().map_err(|state| match state {
        NotReady::Loading => Refusal::loading(),
        NotReady::Failed(message) => Refusal::broken(message),
    })
}

/// Lets a request in, has it read by `read` and puts it into the model's queue.
///
/// # Errors
/// 404 without a model; 429 and 503 before anything is begun; 400 and the like for the body.
pub(super) async fn enter(
    app: &App,
    request: Request,
    read: impl FnOnce(&[u8], &Served, &Ready) -> Result<Asked, Refusal> + Send + 'static,
) -> Result<Inside, Refusal> {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let let_in = || -> Result<(Arc<Served>, Admitted), Refusal> {
        let served = model(app)?;
        ready(served)?;
        let admitted = app.admission.enter()?;
        // What finds no place in the queue need not be read.
        if !served.has_room() {
            return Err(full());
        }
        Ok((Arc::clone(served), admitted))
    };
    let (served, admitted) = match let_in() {
        Ok(inside) => inside,
        Err(refusal) => {
            app.admission.discard(body).await;
            return Err(refusal);
        }
    };
    let deadline = until(&parts.headers, started, served.limits().max_deadline)?;
    let ReadBody { bytes, room } = app.admission.read(body).await?;
    // A long prompt takes its time to become tokens: nothing for an async thread.
    let reader = Arc::clone(&served);
    let reading = tokio::task::spawn_blocking(move || read(&bytes, &reader, ready(&reader)?));
    let Asked { asks, n, show } = reading.await.map_err(|_| Problem::internal())??;
    let prompts = asks.iter().map(|ask| Arc::clone(&ask.prompt)).collect();
    let answering = served.submit(asks).map_err(|why| match why {
        Unserved::Full => full(),
        Unserved::Stopping => Refusal::from(Problem::draining()),
    })?;
    Ok(Inside {
        answering,
        served,
        prompts,
        n,
        show,
        started,
        deadline,
        _admitted: admitted,
        _body_room: room,
    })
}

fn until(headers: &HeaderMap, started: Instant, longest: Duration) -> Result<Instant, Refusal> {
    Ok(deadline(headers, None, started, longest)?)
}

fn full() -> Refusal {
    metrics::counter!("gavel_refused_total", "limit" => "model").increment(1);
    Problem::full(Duration::from_secs(1)).into()
}

/// Checks the name of the model that a request wants. A request that names none gets the one there is.
pub(super) fn check_name(shared: &SharedFields, served: &Served) -> Result<(), Refusal> {
    match shared.model.as_deref() {
        None => Ok(()),
        Some(name) if name == served.name() => Ok(()),
        Some(_) => Err(Refusal::no_model(format!(
            "there is no model of this name here; there is `{}` (GET /v1/models)",
            served.name()
        ))),
    }
}

/// Prompts as tokens and how to continue them, as asks. `explicit` is the field that said how many tokens, `field`
/// the one that the prompts come from.
///
/// # Errors
/// A prompt that does not fit the context, more sequences than may wait.
pub(super) fn asks(
    prompts: Vec<Vec<u32>>,
    (draw, explicit): (Draw, Option<&'static str>),
    shared: &SharedFields,
    served: &Served,
    ready: &Ready,
    field: &str,
) -> Result<Vec<Ask>, Refusal> {
    let n = shared.n()?;
    let most = served.limits().max_open;
    if prompts.len().saturating_mul(n) > most {
        let message = format!(
            "{} prompts with {n} sequences each are more than the {most} sequences that may be open at a time",
            prompts.len()
        );
        return Err(Refusal::value("n", message));
    }
    let seed = match shared.seed {
        Some(seed) => seed.cast_unsigned(),
        None => fresh_seed(),
    };
    let context = ready.card.context;
    let mut asks = Vec::with_capacity(prompts.len());
    for (p, prompt) in prompts.into_iter().enumerate() {
        let length = prompt.len();
        let room = context.saturating_sub(length);
        let mut draw = draw.clone();
        if room == 0 || (explicit.is_some() && draw.max_tokens > room) {
            let asked = if explicit.is_some() { draw.max_tokens } else { 1 };
            return Err(Refusal::too_long(
                field,
                format!(
                    "the model's context has {context} tokens; the prompt has {length} and at least {asked} are \
                     asked for"
                ),
            ));
        }
        draw.max_tokens = draw.max_tokens.min(room);
        let seeds = (0..n).map(|i| seed_of(seed, (p * n + i) as u64)).collect();
        asks.push(Ask { prompt: prompt.into(), seeds, draw });
    }
    Ok(asks)
}

/// A seed that nobody has chosen.
fn fresh_seed() -> u64 {
    // Without randomness from the system the answers would all be alike, but answers they would be.
    getrandom::u64().unwrap_or_default()
}

/// The id of an answer.
pub(super) fn id(prefix: &str) -> String {
    let (high, low) = (fresh_seed(), fresh_seed());
    format!("{prefix}-{high:016x}{low:016x}")
}
