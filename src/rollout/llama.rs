//! llama.cpp as engine: a GGUF model on a thread of its own, kept in step with the policy.
//!
//! With adapters the base is loaded once, quantised as one likes, and each step's adapter takes the place of the last
//! one. Without them the policy is exported once, and each step's weights are written over those of the running model.

mod logits;
mod weights;

pub use self::logits::LlamaLogits;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ::llama::{CacheType, ContextOptions, FlashAttention, Level, LlamaError, ModelOptions};
use policy::Policy;
use policy::decode::{self, EngineLimits, Sampling};
use policy::gguf::Dtype;
use policy::tokenizer::Tokenizer;

use self::weights::Running;
use super::assembly::Assembly;
use super::{Decode, Group, Prompt, RolloutEngine, RolloutError, SampleRequest, Sampled};

/// How llama.cpp is set up.
#[derive(Clone, Debug)]
pub struct LlamaSettings {
    /// The base of adapters; without one the policy is exported.
    pub model: Option<PathBuf>,
    /// What an exported policy's matrices are stored in.
    pub dtype: Dtype,
    /// Layers that a GPU computes; all where none are given.
    pub gpu_layers: Option<u32>,
    /// Whether attention is computed without its matrix of scores.
    pub flash_attention: FlashAttention,
    /// What keys and values are kept in.
    pub cache: CacheType,
    /// Tokens of keys and values, for all sequences and prompts together.
    pub context_tokens: usize,
    /// Tokens of prompts that are computed at once.
    pub batch_tokens: usize,
    /// Threads that compute on the processor.
    pub threads: usize,
    /// The most sequences that are decoded at once, at most 255.
    pub max_sequences: usize,
}

impl LlamaSettings {
    fn model_options(&self) -> ModelOptions {
        ModelOptions { gpu_layers: self.gpu_layers, ..ModelOptions::default() }
    }

    fn context_options(&self) -> ContextOptions {
        // A prompt has a sequence of its own, beside those that continue it.
        let sequences = self.max_sequences.saturating_mul(2).clamp(2, ContextOptions::MAX_SEQUENCES as usize);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        ContextOptions {
            tokens: number(self.context_tokens),
            sequences: number(sequences),
            batch: number(self.batch_tokens),
            threads: number(self.threads.max(1)),
            flash_attention: self.flash_attention,
            cache: self.cache,
            unified: true,
        }
    }

    fn limits(&self) -> EngineLimits {
        EngineLimits {
            max_batch: self.max_sequences.clamp(1, ContextOptions::MAX_SEQUENCES as usize - 1),
            cache_tokens: self.context_tokens,
            prefill_tokens: self.batch_tokens,
        }
    }
}

/// How often somebody who waits for samples looks whether they are still wanted.
const LOOK: Duration = Duration::from_millis(2);

/// What the thread is asked for.
enum Job {
    Sync { policy: Box<Policy>, version: u64, reply: Sender<Result<Duration, RolloutError>> },
    Sample { asked: Box<Asked>, reply: Sender<Reply> },
}

/// A request that owns what it asks for.
struct Asked {
    prompts: Vec<Prompt>,
    group_size: usize,
    begun: Vec<Group>,
    sampling: Sampling,
    seed: u64,
    interrupted: Arc<AtomicBool>,
}

/// What the thread says while it samples.
enum Reply {
    Group(Group),
    Done(Result<Sampled, RolloutError>),
}

/// Samples with llama.cpp.
pub struct LlamaEngine {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    last_sync: Duration,
}

impl LlamaEngine {
    /// An engine without weights: they come with the first [`sync`](RolloutEngine::sync).
    ///
    /// # Errors
    /// When its thread cannot be started.
    pub fn new(settings: LlamaSettings, tokenizer: Arc<Tokenizer>) -> Result<Self, RolloutError> {
        ::llama::set_log(|level, line| match level {
            Level::Debug => tracing::trace!(target: "llama.cpp", "{line}"),
            Level::Info => tracing::debug!(target: "llama.cpp", "{line}"),
            // What fails comes back as an error too.
            Level::Warn | Level::Error => tracing::info!(target: "llama.cpp", "{line}"),
        });
        let (jobs, receiver) = channel();
        let threads = settings.threads.max(1);
        let text = Arc::clone(&tokenizer);
        let decode: Decode = Arc::new(move |tokens: &[u32]| text.decode(tokens, true).unwrap_or_default());
        let worker = Worker { settings, tokenizer, decode, running: None, version: 0 };
        let spawn = || {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let pool = pool.map_err(std::io::Error::other)?;
            std::thread::Builder::new()
                .name("llama".to_owned())
                .spawn(move || pool.install(move || worker.run(&receiver)))
        };
        let thread = spawn().map_err(|error| RolloutError::Request {
            message: format!("the thread of llama.cpp cannot be started: {error}"),
        })?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread), last_sync: Duration::ZERO })
    }

    /// How long the last [`sync`](RolloutEngine::sync) took, on the engine's thread.
    pub fn last_sync(&self) -> Duration {
        self.last_sync
    }

    fn ask(&self, job: Job) -> Result<(), RolloutError> {
        self.jobs.as_ref().and_then(|jobs| jobs.send(job).ok()).ok_or_else(gone)
    }
}

fn gone() -> RolloutError {
    RolloutError::Request { message: "the thread of llama.cpp has ended; this is a fault of ours".to_owned() }
}

impl std::fmt::Debug for LlamaEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LlamaEngine").field("last_sync", &self.last_sync).finish_non_exhaustive()
    }
}

impl Drop for LlamaEngine {
    fn drop(&mut self) {
        // Without anyone to ask it, the thread ends.
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl RolloutEngine for LlamaEngine {
    fn sample(
        &mut self,
        request: &SampleRequest<'_>,
        on_group: &mut dyn FnMut(Group),
    ) -> Result<Sampled, RolloutError> {
        let (reply, replies) = channel();
        let asked = Asked {
            prompts: request.prompts.to_vec(),
            group_size: request.group_size,
            begun: request.begun.to_vec(),
            sampling: request.sampling.clone(),
            seed: request.seed,
            interrupted: Arc::default(),
        };
        let interrupted = Arc::clone(&asked.interrupted);
        self.ask(Job::Sample { asked: Box::new(asked), reply })?;
        loop {
            match replies.recv_timeout(LOOK) {
                Ok(Reply::Group(group)) => on_group(group),
                Ok(Reply::Done(result)) => return result,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(gone()),
            }
            if request.interrupt.is_some_and(|interrupt| interrupt()) {
                interrupted.store(true, Ordering::Relaxed);
            }
        }
    }

    fn sync(&mut self, policy: &Policy, version: u64) -> Result<(), RolloutError> {
        let (reply, replies) = channel();
        self.ask(Job::Sync { policy: Box::new(policy.clone()), version, reply })?;
        self.last_sync = replies.recv().map_err(|_| gone())??;
        tracing::debug!(version, seconds = self.last_sync.as_secs_f64(), "weights handed to llama.cpp");
        Ok(())
    }
}

/// The engine's thread.
struct Worker {
    settings: LlamaSettings,
    tokenizer: Arc<Tokenizer>,
    decode: Decode,
    running: Option<Running>,
    version: u64,
}

impl Worker {
    fn run(mut self, jobs: &Receiver<Job>) {
        // Whoever asked may be gone; then nobody misses the answer.
        while let Ok(job) = jobs.recv() {
            match job {
                Job::Sync { policy, version, reply } => {
                    let clock = Instant::now();
                    let result = self.sync(&policy, version);
                    let _ = reply.send(result.map(|()| clock.elapsed()));
                }
                Job::Sample { asked, reply } => {
                    let result = self.sample(&asked, &reply);
                    let _ = reply.send(Reply::Done(result));
                }
            }
        }
    }

    fn sync(&mut self, policy: &Policy, version: u64) -> Result<(), RolloutError> {
        match &mut self.running {
            None => self.running = Some(Running::open(&self.settings, policy, &self.tokenizer)?),
            Some(running) => {
                if let Err(error) = running.update(policy) {
                    // Half of a change is no policy: without adapters the next sync begins anew.
                    if !running.is_whole() {
                        self.running = None;
                    }
                    return Err(error);
                }
            }
        }
        self.version = version;
        Ok(())
    }

    fn sample(&mut self, asked: &Asked, reply: &Sender<Reply>) -> Result<Sampled, RolloutError> {
        let Some(running) = &mut self.running else {
            return Err(RolloutError::Request { message: "the engine has no weights yet".to_owned() });
        };
        let logits = running.logits();
        logits.reset();
        let room = logits.tokens();
        for (i, prompt) in asked.prompts.iter().enumerate() {
            let needed = prompt.tokens.len() + asked.sampling.max_tokens;
            if needed > room {
                let n = prompt.tokens.len();
                return Err(RolloutError::Request {
                    message: format!(
                        "engine.llama.context_tokens: prompt {i} of {n} tokens and completions of at most {} need {needed}; \
                         the context has {room}",
                        asked.sampling.max_tokens
                    ),
                });
            }
        }
        let interrupt = || asked.interrupted.load(Ordering::Relaxed);
        let request = SampleRequest {
            begun: &asked.begun,
            interrupt: Some(&interrupt),
            ..SampleRequest::new(&asked.prompts, asked.group_size, &asked.sampling, asked.seed)
        };
        let text = |tokens: &[u32]| (self.decode)(tokens);
        let stops = (!asked.sampling.stop_strings.is_empty()).then_some(&text as decode::Decode<'_>);
        let mut hand_over = |group| {
            let _ = reply.send(Reply::Group(group));
        };
        let mut assembly = Assembly::new(&request, self.version, &self.decode, &mut hand_over);
        let statistics = decode::open_with(logits, &self.settings.limits(), stops, &mut assembly)?;
        assembly.finish(&statistics)
    }
}

/// llama.cpp's error as one of the crate that decodes.
fn engine_error(error: &LlamaError) -> policy::PolicyError {
    policy::PolicyError::engine(error.to_string())
}
