//! A model from nothing but its sizes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::config::{Family, ModelConfig};
use crate::error::{PolicyError, Result};

/// What [`ModelConfig::from_sizes`] needs. The default is a model that learns arithmetic on two cores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sizes {
    /// Its family.
    pub family: Family,
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
    /// The longest sequence, in tokens.
    pub max_position_embeddings: usize,
    /// Whether the output matrix is the embedding.
    pub tie_word_embeddings: bool,
    /// The base of the rotary angles.
    pub rope_theta: f64,
    /// Deviation of the matrices at the start.
    pub initializer_range: f64,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            family: Family::Qwen2,
            hidden_size: 128,
            intermediate_size: 384,
            n_layers: 4,
            n_heads: 4,
            n_kv_heads: 2,
            max_position_embeddings: 256,
            tie_word_embeddings: true,
            rope_theta: 10_000.0,
            initializer_range: 0.02,
        }
    }
}

impl ModelConfig {
    /// A configuration that `transformers` reads as well, written from nothing.
    ///
    /// # Errors
    /// When the sizes do not fit each other.
    pub fn from_sizes(sizes: &Sizes, vocab_size: usize) -> Result<Self> {
        if !sizes.hidden_size.is_multiple_of(sizes.n_heads) {
            return Err(PolicyError::Unsupported {
                message: format!(
                    "`hidden_size` {} is no multiple of `n_heads` {}",
                    sizes.hidden_size, sizes.n_heads
                ),
            });
        }
        let (model_type, architecture) = match sizes.family {
            Family::Llama => ("llama", "LlamaForCausalLM"),
            Family::Qwen2 => ("qwen2", "Qwen2ForCausalLM"),
            Family::Qwen3 => ("qwen3", "Qwen3ForCausalLM"),
        };
        let raw = json!({
            "architectures": [architecture],
            "attention_dropout": 0.0,
            "head_dim": sizes.hidden_size / sizes.n_heads,
            "hidden_act": "silu",
            "hidden_size": sizes.hidden_size,
            "initializer_range": sizes.initializer_range,
            "intermediate_size": sizes.intermediate_size,
            "max_position_embeddings": sizes.max_position_embeddings,
            "model_type": model_type,
            "num_attention_heads": sizes.n_heads,
            "num_hidden_layers": sizes.n_layers,
            "num_key_value_heads": sizes.n_kv_heads,
            "rms_norm_eps": 1e-6,
            // Where it is looked for before transformers 5, and since then.
            "rope_theta": sizes.rope_theta,
            "rope_parameters": { "rope_theta": sizes.rope_theta, "rope_type": "default" },
            "tie_word_embeddings": sizes.tie_word_embeddings,
            "use_cache": true,
            "vocab_size": vocab_size,
        });
        let raw: Map<String, Value> = match raw {
            Value::Object(raw) => raw,
            _ => Map::new(),
        };
        Self::from_raw(raw).map_err(|message| PolicyError::Unsupported { message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_become_a_configuration() {
        let config = ModelConfig::from_sizes(&Sizes::default(), 48).expect("they fit");
        assert_eq!((config.vocab_size, config.head_dim, config.n_kv_heads), (48, 32, 2));
        assert!(config.qkv_bias && config.tie_word_embeddings);
        for sizes in [
            Sizes { n_heads: 0, ..Sizes::default() },
            Sizes { n_heads: 3, ..Sizes::default() },
            Sizes { n_kv_heads: 3, ..Sizes::default() },
            Sizes { n_kv_heads: 0, ..Sizes::default() },
            Sizes { n_layers: 0, ..Sizes::default() },
            Sizes { rope_theta: -1.0, ..Sizes::default() },
            Sizes { hidden_size: 4, n_heads: 4, ..Sizes::default() },
        ] {
            assert!(ModelConfig::from_sizes(&sizes, 48).is_err(), "{sizes:?}");
        }
    }
}
