//! Configuration: read once (file, then environment, then flags), checked whole, passed down.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Deserialize;

use crate::opinion::{JudgeSettings, OpinionSettings, RewardModelSettings};
use crate::server::admission;
use crate::server::compat::WiresSettings;
use crate::server::listen::Connections;
use crate::serving::{self, ModelSettings};
use crate::tasks::DataSetSettings;

/// Settings of `gavel serve` as they may be given: by flag, by environment, or in a TOML file with the same
/// names (underscores for dashes).
#[derive(Clone, Debug, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServeSettings {
    /// Address to listen on [default: 127.0.0.1:7717].
    #[arg(long, env = "GAVEL_LISTEN", value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// Where results are kept: a SQLite file, or a postgres:// URL [default: gavel.db].
    #[arg(long, env = "GAVEL_STORE", value_name = "FILE|URL")]
    pub store: Option<String>,
    /// Let everybody in on any address, without keys.
    #[arg(long, env = "GAVEL_OPEN", num_args = 0..=1, default_missing_value = "true")]
    pub open: Option<bool>,
    /// Threads that grade [default: one for each core].
    #[arg(long, env = "GAVEL_THREADS", value_name = "N")]
    pub threads: Option<usize>,
    /// The folder that guests are installed in [default: gavel/guests in the user's cache folder].
    #[arg(long, env = "GAVEL_GUESTS", value_name = "DIR")]
    pub guests: Option<PathBuf>,
    /// Programs that run at a time [default: as many as --threads].
    #[arg(long, env = "GAVEL_SANDBOX_SLOTS", value_name = "N")]
    pub sandbox_slots: Option<usize>,
    /// Requests inside at one time; more get 429 [default: 256].
    #[arg(long, env = "GAVEL_MAX_REQUESTS", value_name = "N")]
    pub max_requests: Option<usize>,
    /// Completions waiting or being graded at one time; more get 429 [default: 8192].
    #[arg(long, env = "GAVEL_MAX_COMPLETIONS", value_name = "N")]
    pub max_completions: Option<usize>,
    /// Size of one request's body after decompression, in bytes [default: 33554432].
    #[arg(long, env = "GAVEL_MAX_BODY_BYTES", value_name = "BYTES")]
    pub max_body_bytes: Option<usize>,
    /// Size of all bodies inside at one time, in bytes [default: 268435456].
    #[arg(long, env = "GAVEL_MAX_TOTAL_BODY_BYTES", value_name = "BYTES")]
    pub max_total_body_bytes: Option<usize>,
    /// Memory for verdicts that were found lately, in bytes; 0 keeps none [default: 67108864].
    #[arg(long, env = "GAVEL_CACHE_BYTES", value_name = "BYTES")]
    pub cache_bytes: Option<u64>,
    /// Connections open at one time [default: 4096].
    #[arg(long, env = "GAVEL_MAX_CONNECTIONS", value_name = "N")]
    pub max_connections: Option<usize>,
    /// Longest time a request may wait for its grades, in milliseconds [default: 120000].
    #[arg(long, env = "GAVEL_MAX_DEADLINE_MS", value_name = "MS")]
    pub max_deadline_ms: Option<u64>,
    /// A model to serve: a folder, a name on the Hugging Face hub, or a GGUF file.
    #[arg(long, env = "GAVEL_MODEL", value_name = "DIR|NAME|FILE")]
    pub model: Option<String>,
    /// What callers name the model [default: the last part of --model].
    #[arg(long, env = "GAVEL_MODEL_NAME", value_name = "NAME")]
    pub model_name: Option<String>,
    /// The device of the model, such as cpu or cuda:0; for a GGUF file see --model-gpu-layers [default: cpu].
    #[arg(long, env = "GAVEL_MODEL_DEVICE", value_name = "DEVICE")]
    pub model_device: Option<String>,
    /// Layers of a GGUF model that are computed on the GPU [default: all].
    #[arg(long, env = "GAVEL_MODEL_GPU_LAYERS", value_name = "N")]
    pub model_gpu_layers: Option<u32>,
    /// Sequences that the model decodes at a time [default: 32].
    #[arg(long, env = "GAVEL_MODEL_BATCH", value_name = "N")]
    pub model_batch: Option<usize>,
    /// Sequences of requests to the model that wait or are decoded; more get 429 [default: 1024].
    #[arg(long, env = "GAVEL_MODEL_QUEUE", value_name = "N")]
    pub model_queue: Option<usize>,
    /// Tokens of a prompt and its continuation [default: the model's context, at most 32768].
    #[arg(long, env = "GAVEL_MODEL_CONTEXT", value_name = "N")]
    pub model_context: Option<usize>,
    /// Tokens that prompts and continuations have room for together [default: four times --model-context].
    #[arg(long, env = "GAVEL_MODEL_CACHE_TOKENS", value_name = "N")]
    pub model_cache_tokens: Option<usize>,
    /// Longest time that an answer of the model may take, in milliseconds [default: 600000].
    #[arg(long, env = "GAVEL_MODEL_DEADLINE_MS", value_name = "MS")]
    pub model_deadline_ms: Option<u64>,
    /// Time between the signal to stop and the end of accepting, in milliseconds [default: 0].
    #[arg(long, env = "GAVEL_DRAIN_DELAY_MS", value_name = "MS")]
    pub drain_delay_ms: Option<u64>,
    /// Time that accepted requests get to end after the signal to stop, in milliseconds [default: 120000].
    #[arg(long, env = "GAVEL_DRAIN_TIMEOUT_MS", value_name = "MS")]
    pub drain_timeout_ms: Option<u64>,
    /// How logs are written [default: text on a terminal, json elsewhere].
    #[arg(long, env = "GAVEL_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// Where OpenTelemetry traces are sent (OTLP over HTTP), such as http://127.0.0.1:4318 [default: nowhere].
    #[arg(long, env = "GAVEL_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// How the wires of trainers are served; in the file only.
    #[arg(skip)]
    pub wires: WiresSettings,
    /// Data sets to load; in the file only.
    #[arg(skip)]
    pub datasets: Vec<DataSetSettings>,
    /// Language models that judge, by their names; in the file only.
    #[arg(skip)]
    pub judges: BTreeMap<String, JudgeSettings>,
    /// Reward models, by their names; in the file only.
    #[arg(skip)]
    pub reward_models: BTreeMap<String, RewardModelSettings>,
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// The configuration of `gavel serve`, complete and checked.
#[derive(Clone, Debug)]
pub struct ServeConfig {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Where results are kept.
    pub store: String,
    /// Let everybody in.
    pub open: bool,
    /// Threads that grade.
    pub n_threads: usize,
    /// Where guests are installed, if not at the default place.
    pub guests: Option<PathBuf>,
    /// Programs that run at a time.
    pub n_sandbox_slots: usize,
    /// What may wait.
    pub admission: admission::Limits,
    /// Memory for verdicts that were found lately, in bytes.
    pub cache_bytes: u64,
    /// Connections and their ends.
    pub connections: Connections,
    /// The longest deadline.
    pub max_deadline: Duration,
    /// The model to serve.
    pub model: Option<ModelSettings>,
    /// How logs are written.
    pub log_format: Option<LogFormat>,
    /// Where traces go.
    pub otlp_endpoint: Option<String>,
    /// How the wires of trainers are served.
    pub wires: WiresSettings,
    /// Data sets to load.
    pub datasets: Vec<DataSetSettings>,
    /// Models that graders may ask.
    pub opinions: OpinionSettings,
}

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigFault {
    /// The file cannot be read.
    #[error("cannot read the configuration {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("the configuration {} is wrong", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and what.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A value is out of range.
    #[error("--{setting} {message}")]
    Value {
        /// The setting, as its flag is called.
        setting: &'static str,
        /// What would be right.
        message: &'static str,
    },
}

/// The address where nothing else is said.
pub const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7717);
/// The store where nothing else is said.
pub const DEFAULT_STORE: &str = "gavel.db";
const DEFAULT_MAX_REQUESTS: usize = 256;
const DEFAULT_MAX_COMPLETIONS: usize = 8192;
const DEFAULT_MAX_BODY_BYTES: usize = 32 << 20;
const DEFAULT_MAX_TOTAL_BODY_BYTES: usize = 256 << 20;
const DEFAULT_CACHE_BYTES: u64 = 64 << 20;
const DEFAULT_MAX_CONNECTIONS: usize = 4096;
const DEFAULT_MAX_DEADLINE_MS: u64 = 120_000;
const DEFAULT_DRAIN_TIMEOUT_MS: u64 = 120_000;
const DEFAULT_MODEL_BATCH: usize = 32;
const DEFAULT_MODEL_CONTEXT: usize = 32_768;
const DEFAULT_MODEL_QUEUE: usize = 1024;
const DEFAULT_MODEL_DEADLINE_MS: u64 = 600_000;
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);

impl ServeSettings {
    /// Reads the file, if one is given.
    ///
    /// # Errors
    /// Names the file, the line and the field.
    pub fn from_file(path: Option<&Path>) -> Result<Self, ConfigFault> {
        let Some(path) = path else { return Ok(Self::default()) };
        let read = |source| ConfigFault::Read { path: path.to_owned(), source };
        let text = std::fs::read_to_string(path).map_err(read)?;
        toml::from_str(&text)
            .map_err(|source| ConfigFault::Parse { path: path.to_owned(), source: Box::new(source) })
    }

    /// These settings, and what they leave open from `fallback`.
    #[must_use]
    pub fn or(self, fallback: Self) -> Self {
        Self {
            listen: self.listen.or(fallback.listen),
            store: self.store.or(fallback.store),
            open: self.open.or(fallback.open),
            threads: self.threads.or(fallback.threads),
            guests: self.guests.or(fallback.guests),
            sandbox_slots: self.sandbox_slots.or(fallback.sandbox_slots),
            max_requests: self.max_requests.or(fallback.max_requests),
            max_completions: self.max_completions.or(fallback.max_completions),
            max_body_bytes: self.max_body_bytes.or(fallback.max_body_bytes),
            max_total_body_bytes: self.max_total_body_bytes.or(fallback.max_total_body_bytes),
            cache_bytes: self.cache_bytes.or(fallback.cache_bytes),
            max_connections: self.max_connections.or(fallback.max_connections),
            max_deadline_ms: self.max_deadline_ms.or(fallback.max_deadline_ms),
            model: self.model.or(fallback.model),
            model_name: self.model_name.or(fallback.model_name),
            model_device: self.model_device.or(fallback.model_device),
            model_gpu_layers: self.model_gpu_layers.or(fallback.model_gpu_layers),
            model_batch: self.model_batch.or(fallback.model_batch),
            model_queue: self.model_queue.or(fallback.model_queue),
            model_context: self.model_context.or(fallback.model_context),
            model_cache_tokens: self.model_cache_tokens.or(fallback.model_cache_tokens),
            model_deadline_ms: self.model_deadline_ms.or(fallback.model_deadline_ms),
            drain_delay_ms: self.drain_delay_ms.or(fallback.drain_delay_ms),
            drain_timeout_ms: self.drain_timeout_ms.or(fallback.drain_timeout_ms),
            log_format: self.log_format.or(fallback.log_format),
            otlp_endpoint: self.otlp_endpoint.or(fallback.otlp_endpoint),
            // Flags and the environment say nothing of these.
            wires: fallback.wires,
            datasets: fallback.datasets,
            judges: fallback.judges,
            reward_models: fallback.reward_models,
        }
    }

    /// The models that graders may ask.
    pub fn opinions(self) -> OpinionSettings {
        OpinionSettings { judges: self.judges, reward_models: self.reward_models }
    }

    /// The complete configuration.
    ///
    /// # Errors
    /// Names the setting that is out of range.
    pub fn resolve(self) -> Result<ServeConfig, ConfigFault> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let max_body_bytes = positive("max-body-bytes", self.max_body_bytes, DEFAULT_MAX_BODY_BYTES)?;
        let total =
            positive("max-total-body-bytes", self.max_total_body_bytes, DEFAULT_MAX_TOTAL_BODY_BYTES)?;
        // One body is counted in 32 bits by the admission's permits.
        if max_body_bytes > u32::MAX as usize {
            return Err(ConfigFault::Value { setting: "max-body-bytes", message: "is below 4 GiB" });
        }
        if total < max_body_bytes {
            let message = "must be at least --max-body-bytes";
            return Err(ConfigFault::Value { setting: "max-total-body-bytes", message });
        }
        let n_threads = positive("threads", self.threads, cores)?;
        let model = self.model()?;
        Ok(ServeConfig {
            listen: self.listen.unwrap_or(DEFAULT_LISTEN),
            store: self.store.unwrap_or_else(|| DEFAULT_STORE.to_owned()),
            open: self.open.unwrap_or(false),
            n_threads,
            guests: self.guests,
            n_sandbox_slots: sandbox_slots(self.sandbox_slots, n_threads)?,
            admission: admission::Limits {
                max_requests: positive("max-requests", self.max_requests, DEFAULT_MAX_REQUESTS)?,
                max_completions: positive("max-completions", self.max_completions, DEFAULT_MAX_COMPLETIONS)?,
                max_body_bytes,
                max_total_body_bytes: total,
                body_timeout: BODY_TIMEOUT,
            },
            cache_bytes: self.cache_bytes.unwrap_or(DEFAULT_CACHE_BYTES),
            connections: Connections {
                max_connections: positive("max-connections", self.max_connections, DEFAULT_MAX_CONNECTIONS)?,
                header_timeout: HEADER_TIMEOUT,
                drain_delay: Duration::from_millis(self.drain_delay_ms.unwrap_or(0)),
                drain_timeout: Duration::from_millis(
                    self.drain_timeout_ms.unwrap_or(DEFAULT_DRAIN_TIMEOUT_MS),
                ),
            },
            max_deadline: Duration::from_millis(self.max_deadline_ms.unwrap_or(DEFAULT_MAX_DEADLINE_MS)),
            model,
            log_format: self.log_format,
            otlp_endpoint: self.otlp_endpoint,
            wires: self.wires,
            datasets: self.datasets,
            opinions: OpinionSettings { judges: self.judges, reward_models: self.reward_models },
        })
    }
}

impl ServeSettings {
    /// The model to serve.
    fn model(&self) -> Result<Option<ModelSettings>, ConfigFault> {
        let Some(source) = self.model.clone() else { return Ok(None) };
        if source.is_empty() {
            return Err(ConfigFault::Value {
                setting: "model",
                message: "is empty; leave it out to serve none",
            });
        }
        let last = source.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let own_name = last.strip_suffix(".gguf").unwrap_or(last).to_owned();
        let name = self.model_name.clone().unwrap_or(own_name);
        if name.is_empty() || name.len() > MAX_MODEL_NAME || name.chars().any(char::is_control) {
            return Err(ConfigFault::Value {
                setting: "model-name",
                message: "must have 1 to 256 characters",
            });
        }
        let within = |setting, value: Option<usize>| match value {
            Some(n) if n == 0 || n > MAX_MODEL_TOKENS => {
                Err(ConfigFault::Value { setting, message: "must be 1 to 2^30" })
            }
            value => Ok(value),
        };
        let deadline = self.model_deadline_ms.unwrap_or(DEFAULT_MODEL_DEADLINE_MS);
        let max_open = positive("model-queue", self.model_queue, DEFAULT_MODEL_QUEUE)?;
        if max_open > MAX_MODEL_QUEUE {
            return Err(ConfigFault::Value { setting: "model-queue", message: "must be at most 1048576" });
        }
        Ok(Some(ModelSettings {
            source,
            name,
            device: self.model_device.clone().unwrap_or_else(|| "cpu".to_owned()),
            n_gpu_layers: self.model_gpu_layers,
            max_batch: within("model-batch", self.model_batch)?.unwrap_or(DEFAULT_MODEL_BATCH),
            context: within("model-context", self.model_context)?,
            default_context: DEFAULT_MODEL_CONTEXT,
            cache_tokens: within("model-cache-tokens", self.model_cache_tokens)?,
            limits: serving::Limits { max_open, max_deadline: Duration::from_millis(deadline) },
        }))
    }
}

/// The longest name of a model, in bytes.
const MAX_MODEL_NAME: usize = 256;
/// More tokens than any model's context.
const MAX_MODEL_TOKENS: usize = 1 << 30;
/// The most sequences that may wait for a model.
const MAX_MODEL_QUEUE: usize = 1 << 20;

/// The most threads, connections or requests that make sense on any machine.
const MAX_COUNT: usize = 1 << 40;

/// The most programs at a time: each reserves address space, of which there is not without end.
const MAX_SANDBOX_SLOTS: usize = 1024;

fn sandbox_slots(value: Option<usize>, n_threads: usize) -> Result<usize, ConfigFault> {
    match value {
        None => Ok(n_threads.min(MAX_SANDBOX_SLOTS)),
        Some(n) if (1..=MAX_SANDBOX_SLOTS).contains(&n) => Ok(n),
        Some(_) => Err(ConfigFault::Value { setting: "sandbox-slots", message: "must be 1 to 1024" }),
    }
}

fn positive(setting: &'static str, value: Option<usize>, default: usize) -> Result<usize, ConfigFault> {
    let value = value.unwrap_or(default);
    if value == 0 || value > MAX_COUNT {
        return Err(ConfigFault::Value { setting, message: "must be at least 1 and not absurdly large" });
    }
    Ok(value)
}
