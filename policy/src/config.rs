//! What a model's `config.json` says.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{PolicyError, Result};

/// The largest vocabulary, width, layer count and so on that is believed; a damaged file says more.
const MAX_DIMENSION: usize = 1 << 22;

/// A family of decoders. They differ in biases, norms and names of nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Llama 2, 3 and what is built like it (Mistral without a sliding window among them).
    Llama,
    /// Qwen2 and Qwen2.5: biases on query, key and value.
    Qwen2,
    /// Qwen3: norms on each head's query and key.
    Qwen3,
}

/// How positions turn into angles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RopeScaling {
    /// As they are.
    None,
    /// All angles divided by a factor.
    Linear {
        /// The factor.
        factor: f64,
    },
    /// Llama 3.1's: slow angles divided by a factor, quick ones kept, those between mixed.
    Llama3 {
        /// What slow angles are divided by.
        factor: f64,
        /// Wavelengths longer than the original context divided by this are slow.
        low_freq_factor: f64,
        /// Wavelengths shorter than the original context divided by this are quick.
        high_freq_factor: f64,
        /// The context that the model was first trained with.
        original_max_position_embeddings: f64,
    },
}

/// The shape of a decoder.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// Its family.
    pub family: Family,
    /// V: tokens of the vocabulary.
    pub vocab_size: usize,
    /// H: width of the residual stream.
    pub hidden_size: usize,
    /// F: width inside the feed-forward part.
    pub intermediate_size: usize,
    /// L: number of layers.
    pub n_layers: usize,
    /// Heads of queries.
    pub n_heads: usize,
    /// Heads of keys and values; divides `n_heads`.
    pub n_kv_heads: usize,
    /// D: width of a head.
    pub head_dim: usize,
    /// Added to the mean square before the root in each norm.
    pub rms_norm_eps: f64,
    /// The base of the rotary angles.
    pub rope_theta: f64,
    /// How they are scaled.
    pub rope_scaling: RopeScaling,
    /// The longest sequence.
    pub max_position_embeddings: usize,
    /// Whether the output matrix is the embedding.
    pub tie_word_embeddings: bool,
    /// Whether query, key and value have biases.
    pub qkv_bias: bool,
    /// Whether the attention's output has a bias.
    pub output_bias: bool,
    /// Whether the feed-forward part has biases.
    pub mlp_bias: bool,
    /// The file as it was, to be written back with what this struct does not know.
    pub raw: Map<String, Value>,
}

impl ModelConfig {
    /// Reads a folder's `config.json`.
    ///
    /// # Errors
    /// When it cannot be read, is no JSON, lacks a field, or describes a model that this decoder cannot be.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| PolicyError::file(path, error))?;
        let raw: Map<String, Value> =
            serde_json::from_str(&text).map_err(|error| PolicyError::damaged(path, error.to_string()))?;
        Self::from_raw(raw).map_err(|message| PolicyError::damaged(path, message))
    }

    /// Takes a parsed `config.json`.
    ///
    /// # Errors
    /// What is missing or not supported.
    pub fn from_raw(raw: Map<String, Value>) -> std::result::Result<Self, String> {
        let family = family(&raw)?;
        let size = |name: &str| -> std::result::Result<Option<usize>, String> {
            match raw.get(name) {
                None | Some(Value::Null) => Ok(None),
                Some(value) => match value.as_u64() {
                    Some(n) if (1..=MAX_DIMENSION as u64).contains(&n) => Ok(Some(n as usize)),
                    _ => {
                        Err(format!("`{name}` is {value}; expected a whole number from 1 to {MAX_DIMENSION}"))
                    }
                },
            }
        };
        let needed = |name: &str| size(name)?.ok_or_else(|| format!("`{name}` is missing"));
        let flag = |name: &str, default: bool| raw.get(name).and_then(Value::as_bool).unwrap_or(default);
        let hidden_size = needed("hidden_size")?;
        let n_heads = needed("num_attention_heads")?;
        let n_kv_heads = size("num_key_value_heads")?.unwrap_or(n_heads);
        let head_dim = size("head_dim")?.unwrap_or(hidden_size / n_heads);
        if n_heads % n_kv_heads != 0 {
            return Err(format!("{n_heads} attention heads cannot share {n_kv_heads} key-value heads"));
        }
        if head_dim == 0 || head_dim % 2 != 0 {
            return Err(format!("`head_dim` is {head_dim}; rotary positions need an even number"));
        }
        if flag("use_sliding_window", false)
            || (family == Family::Llama && raw.get("sliding_window").is_some_and(Value::is_u64))
        {
            return Err(
                "the model uses a sliding window of attention, which this decoder does not".to_owned()
            );
        }
        if let Some(act) = raw.get("hidden_act").and_then(Value::as_str)
            && !matches!(act, "silu" | "swish")
        {
            return Err(format!("`hidden_act` is `{act}`; this decoder has `silu`"));
        }
        // Since transformers 5 both stand in one object.
        let rope = raw.get("rope_parameters").or_else(|| raw.get("rope_scaling")).and_then(Value::as_object);
        let theta = rope.and_then(|rope| rope.get("rope_theta")).or_else(|| raw.get("rope_theta"));
        let (qkv_bias, output_bias) = match family {
            Family::Llama | Family::Qwen3 => (flag("attention_bias", false), flag("attention_bias", false)),
            Family::Qwen2 => (true, false),
        };
        Ok(Self {
            family,
            vocab_size: needed("vocab_size")?,
            hidden_size,
            intermediate_size: needed("intermediate_size")?,
            n_layers: needed("num_hidden_layers")?,
            n_heads,
            n_kv_heads,
            head_dim,
            rms_norm_eps: positive(raw.get("rms_norm_eps"), "rms_norm_eps", 1e-6)?,
            rope_theta: positive(theta, "rope_theta", 10_000.0)?,
            rope_scaling: scaling(rope)?,
            max_position_embeddings: size("max_position_embeddings")?.unwrap_or(2048),
            tie_word_embeddings: flag("tie_word_embeddings", false),
            qkv_bias,
            output_bias,
            mlp_bias: family == Family::Llama && flag("mlp_bias", false),
            raw,
        })
    }

    /// Width of the queries of all heads.
    pub const fn q_dim(&self) -> usize {
        self.n_heads * self.head_dim
    }

    /// Width of the keys, and of the values, of all heads.
    pub const fn kv_dim(&self) -> usize {
        self.n_kv_heads * self.head_dim
    }

    /// Radians per position for each pair of a head's dimensions, `[D / 2]`.
    pub fn rope_frequencies(&self) -> Vec<f64> {
        let half = self.head_dim / 2;
        (0..half)
            .map(|i| {
                let frequency = self.rope_theta.powf(-(i as f64) / half as f64);
                match self.rope_scaling {
                    RopeScaling::None => frequency,
                    RopeScaling::Linear { factor } => frequency / factor,
                    RopeScaling::Llama3 {
                        factor,
                        low_freq_factor,
                        high_freq_factor,
                        original_max_position_embeddings,
                    } => {
                        let turns = original_max_position_embeddings * frequency / std::f64::consts::TAU;
                        let quick = ((turns - low_freq_factor) / (high_freq_factor - low_freq_factor))
                            .clamp(0.0, 1.0);
                        (1.0 - quick) * frequency / factor + quick * frequency
                    }
                }
            })
            .collect()
    }
}

fn family(raw: &Map<String, Value>) -> std::result::Result<Family, String> {
    let name = raw.get("model_type").and_then(Value::as_str).unwrap_or_default();
    match name {
        "llama" | "mistral" => Ok(Family::Llama),
        "qwen2" => Ok(Family::Qwen2),
        "qwen3" => Ok(Family::Qwen3),
        "" => Err("`model_type` is missing".to_owned()),
        other => Err(format!(
            "`model_type` is `{other}`; this decoder can be `llama`, `mistral`, `qwen2` or `qwen3`"
        )),
    }
}

fn positive(value: Option<&Value>, name: &str, default: f64) -> std::result::Result<f64, String> {
    match value {
        None | Some(Value::Null) => Ok(default),
        Some(value) => value
            .as_f64()
            .filter(|number| number.is_finite() && *number > 0.0)
            .ok_or_else(|| format!("`{name}` is {value}; expected a number above 0")),
    }
}

fn scaling(rope: Option<&Map<String, Value>>) -> std::result::Result<RopeScaling, String> {
    let Some(rope) = rope else { return Ok(RopeScaling::None) };
    let kind =
        rope.get("rope_type").or_else(|| rope.get("type")).and_then(Value::as_str).unwrap_or("default");
    let number = |name: &str| -> std::result::Result<f64, String> {
        let value =
            rope.get(name).ok_or_else(|| format!("`{name}` of the `{kind}` rotary scaling is missing"))?;
        positive(Some(value), name, 0.0)
    };
    match kind {
        "default" => Ok(RopeScaling::None),
        "linear" => Ok(RopeScaling::Linear { factor: number("factor")? }),
        "llama3" => Ok(RopeScaling::Llama3 {
            factor: number("factor")?,
            low_freq_factor: number("low_freq_factor")?,
            high_freq_factor: number("high_freq_factor")?,
            original_max_position_embeddings: number("original_max_position_embeddings")?,
        }),
        other => {
            Err(format!("rotary scaling `{other}` is not supported; `default`, `linear` and `llama3` are"))
        }
    }
}
