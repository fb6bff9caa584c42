//! A model's shape as llama.cpp's metadata.

use super::dtype::Dtype;
use super::format::{Metadata, Value};
use crate::config::{Family, ModelConfig, RopeScaling};
use crate::error::{PolicyError, Result};

/// The most layers of llama.cpp (`LLAMA_MAX_LAYERS`).
const MAX_LAYERS: usize = 512;

/// llama.cpp's name of a family.
pub(super) const fn name(family: Family) -> &'static str {
    match family {
        Family::Llama => "llama",
        Family::Qwen2 => "qwen2",
        Family::Qwen3 => "qwen3",
    }
}

/// What llama.cpp's graph of the family has no place for.
fn check(config: &ModelConfig) -> Result<()> {
    let family = name(config.family);
    let refuse = |message: String| Err(PolicyError::Unsupported { message });
    if config.n_layers > MAX_LAYERS {
        return refuse(format!(
            "the model has {} layers; llama.cpp has room for {MAX_LAYERS}",
            config.n_layers
        ));
    }
    if config.family == Family::Qwen2 && config.q_dim() != config.hidden_size {
        return refuse(format!(
            "the heads are {} wide together and the model {}; llama.cpp's `qwen2` wants them alike",
            config.q_dim(),
            config.hidden_size
        ));
    }
    if config.output_bias && config.family != Family::Llama {
        return refuse(format!("llama.cpp's `{family}` has no bias at the attention's output"));
    }
    if config.family != Family::Llama && matches!(config.rope_scaling, RopeScaling::Llama3 { .. }) {
        return refuse(format!("llama.cpp's `{family}` has no rotary scaling `llama3`"));
    }
    Ok(())
}

/// The metadata of a model.
///
/// # Errors
/// When llama.cpp's graph of the family is not this model.
pub(super) fn metadata(config: &ModelConfig, dtype: Dtype, title: Option<&str>) -> Result<Metadata> {
    check(config)?;
    let family = name(config.family);
    let text = |value: &str| Value::String(value.to_owned());
    let mut metadata = vec![
        ("general.architecture".to_owned(), text(family)),
        ("general.type".to_owned(), text("model")),
        ("general.file_type".to_owned(), Value::U32(dtype.file_type())),
    ];
    if dtype == Dtype::Q8_0 {
        metadata.push(("general.quantization_version".to_owned(), Value::U32(2)));
    }
    // llama.cpp takes a model of such a name for another one and looks for tokens that this one need not have.
    let misleading = |title: &&str| {
        let title = title.to_lowercase();
        ["phi-3", "phi3", "modern-bert"].iter().any(|name| title.contains(name))
    };
    metadata.extend(
        title.filter(|title| !misleading(title)).map(|title| ("general.name".to_owned(), text(title))),
    );
    let mut own = |key: &str, value: Value| metadata.push((format!("{family}.{key}"), value));
    let mut size = |key: &str, value: usize| own(key, Value::U32(value as u32));
    size("context_length", config.max_position_embeddings);
    size("embedding_length", config.hidden_size);
    size("block_count", config.n_layers);
    size("feed_forward_length", config.intermediate_size);
    size("attention.head_count", config.n_heads);
    size("attention.head_count_kv", config.n_kv_heads);
    size("attention.key_length", config.head_dim);
    size("attention.value_length", config.head_dim);
    size("rope.dimension_count", config.head_dim);
    size("vocab_size", config.vocab_size);
    own("attention.layer_norm_rms_epsilon", Value::F32(config.rms_norm_eps as f32));
    own("rope.freq_base", Value::F32(config.rope_theta as f32));
    if let RopeScaling::Linear { factor } = config.rope_scaling {
        own("rope.scaling.type", text("linear"));
        own("rope.scaling.factor", Value::F32(factor as f32));
    }
    Ok(metadata)
}
