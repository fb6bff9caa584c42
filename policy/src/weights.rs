//! The parameters of a decoder as tensors that can be trained.

use candle_core::Var;

use crate::config::{Family, ModelConfig};
use crate::error::Result;

/// A matrix, its bias, and the adapter beside it.
#[derive(Clone, Debug)]
pub struct Linear {
    /// `[out, in]`.
    pub weight: Var,
    /// `[out]`.
    pub bias: Option<Var>,
    /// What LoRA adds; where there is one it is trained and the rest is not.
    pub adapter: Option<Adapter>,
}

/// LoRA (Hu et al. 2021, section 4.1): `y += scale * b (a x)`.
#[derive(Clone, Debug)]
pub struct Adapter {
    /// `[rank, in]`.
    pub a: Var,
    /// `[out, rank]`.
    pub b: Var,
    /// alpha / rank.
    pub scale: f64,
}

/// What a parameter is, which says how it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The embedding, the head, and the weight of a [`Linear`].
    Matrix,
    /// The weight of a norm.
    Norm,
    /// The bias of a [`Linear`].
    Bias,
}

/// One layer.
#[derive(Clone, Debug)]
pub struct Layer {
    /// `[H]`: norm before the attention.
    pub input_norm: Var,
    /// `[heads * D, H]`.
    pub q: Linear,
    /// `[kv heads * D, H]`.
    pub k: Linear,
    /// `[kv heads * D, H]`.
    pub v: Linear,
    /// `[H, heads * D]`.
    pub o: Linear,
    /// `[D]`: norm of each head's query (Qwen3).
    pub q_norm: Option<Var>,
    /// `[D]`: norm of each head's key (Qwen3).
    pub k_norm: Option<Var>,
    /// `[H]`: norm before the feed-forward part.
    pub post_norm: Var,
    /// `[F, H]`.
    pub gate: Linear,
    /// `[F, H]`.
    pub up: Linear,
    /// `[H, F]`.
    pub down: Linear,
}

/// All of them.
#[derive(Clone, Debug)]
pub struct Weights {
    /// `[V, H]`.
    pub embedding: Var,
    /// From the first to the last.
    pub layers: Vec<Layer>,
    /// `[H]`.
    pub final_norm: Var,
    /// `[V, H]`; absent where the embedding serves.
    pub head: Option<Var>,
}

impl Layer {
    /// Its matrices with the names that Hugging Face gives them inside a layer.
    pub fn linears(&self) -> [(&'static str, &Linear); 7] {
        [
            ("self_attn.q_proj", &self.q),
            ("self_attn.k_proj", &self.k),
            ("self_attn.v_proj", &self.v),
            ("self_attn.o_proj", &self.o),
            ("mlp.gate_proj", &self.gate),
            ("mlp.up_proj", &self.up),
            ("mlp.down_proj", &self.down),
        ]
    }

    /// The same, to be changed.
    pub fn linears_mut(&mut self) -> [(&'static str, &mut Linear); 7] {
        [
            ("self_attn.q_proj", &mut self.q),
            ("self_attn.k_proj", &mut self.k),
            ("self_attn.v_proj", &mut self.v),
            ("self_attn.o_proj", &mut self.o),
            ("mlp.gate_proj", &mut self.gate),
            ("mlp.up_proj", &mut self.up),
            ("mlp.down_proj", &mut self.down),
        ]
    }

    /// Its norms, likewise.
    pub fn norms(&self) -> impl Iterator<Item = (&'static str, &Var)> {
        [
            ("input_layernorm", Some(&self.input_norm)),
            ("self_attn.q_norm", self.q_norm.as_ref()),
            ("self_attn.k_norm", self.k_norm.as_ref()),
            ("post_attention_layernorm", Some(&self.post_norm)),
        ]
        .into_iter()
        .filter_map(|(name, norm)| Some((name, norm?)))
    }
}

impl Weights {
    /// Asks `make` for each parameter of a model by its Hugging Face name and shape, in the order of
    /// [`named`](Self::named). No adapters.
    ///
    /// # Errors
    /// The first error of `make`.
    pub fn build(
        config: &ModelConfig,
        mut make: impl FnMut(&str, &[usize], Kind) -> Result<Var>,
    ) -> Result<Self> {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let (q, kv) = (config.q_dim(), config.kv_dim());
        let embedding = make("model.embed_tokens.weight", &[config.vocab_size, hidden], Kind::Matrix)?;
        let mut layers = Vec::with_capacity(config.n_layers);
        for i in 0..config.n_layers {
            let prefix = format!("model.layers.{i}");
            let mut norm =
                |name: &str, size: usize| make(&format!("{prefix}.{name}.weight"), &[size], Kind::Norm);
            let input_norm = norm("input_layernorm", hidden)?;
            let (q_norm, k_norm) = if config.family == Family::Qwen3 {
                let size = config.head_dim;
                (Some(norm("self_attn.q_norm", size)?), Some(norm("self_attn.k_norm", size)?))
            } else {
                (None, None)
            };
            let post_norm = norm("post_attention_layernorm", hidden)?;
            let mut linear = |name: &str, out: usize, input: usize, bias: bool| -> Result<Linear> {
                let weight = make(&format!("{prefix}.{name}.weight"), &[out, input], Kind::Matrix)?;
                let bias = if bias {
                    Some(make(&format!("{prefix}.{name}.bias"), &[out], Kind::Bias)?)
                } else {
                    None
                };
                Ok(Linear { weight, bias, adapter: None })
            };
            layers.push(Layer {
                q: linear("self_attn.q_proj", q, hidden, config.qkv_bias)?,
                k: linear("self_attn.k_proj", kv, hidden, config.qkv_bias)?,
                v: linear("self_attn.v_proj", kv, hidden, config.qkv_bias)?,
                o: linear("self_attn.o_proj", hidden, q, config.output_bias)?,
                gate: linear("mlp.gate_proj", inner, hidden, config.mlp_bias)?,
                up: linear("mlp.up_proj", inner, hidden, config.mlp_bias)?,
                down: linear("mlp.down_proj", hidden, inner, config.mlp_bias)?,
                input_norm,
                q_norm,
                k_norm,
                post_norm,
            });
        }
        let final_norm = make("model.norm.weight", &[hidden], Kind::Norm)?;
        let head = if config.tie_word_embeddings {
            None
        } else {
            Some(make("lm_head.weight", &[config.vocab_size, hidden], Kind::Matrix)?)
        };
        Ok(Self { embedding, layers, final_norm, head })
    }

    /// Every parameter of the model itself, without adapters, by its Hugging Face name. The order is fixed.
    pub fn named(&self) -> Vec<(String, Var)> {
        let mut named = vec![("model.embed_tokens.weight".to_owned(), self.embedding.clone())];
        for (i, layer) in self.layers.iter().enumerate() {
            for (name, norm) in layer.norms() {
                named.push((format!("model.layers.{i}.{name}.weight"), norm.clone()));
            }
            for (name, linear) in layer.linears() {
                named.push((format!("model.layers.{i}.{name}.weight"), linear.weight.clone()));
                if let Some(bias) = &linear.bias {
                    named.push((format!("model.layers.{i}.{name}.bias"), bias.clone()));
                }
            }
        }
        named.push(("model.norm.weight".to_owned(), self.final_norm.clone()));
        if let Some(head) = &self.head {
            named.push(("lm_head.weight".to_owned(), head.clone()));
        }
        named
    }

    /// Every parameter of the adapters, by the name PEFT gives it. The order is fixed.
    pub fn named_adapters(&self) -> Vec<(String, Var)> {
        let mut named = Vec::new();
        for (i, layer) in self.layers.iter().enumerate() {
            for (name, linear) in layer.linears() {
                if let Some(adapter) = &linear.adapter {
                    let prefix = format!("base_model.model.model.layers.{i}.{name}");
                    named.push((format!("{prefix}.lora_A.weight"), adapter.a.clone()));
                    named.push((format!("{prefix}.lora_B.weight"), adapter.b.clone()));
                }
            }
        }
        named
    }

    /// Both: [`named`](Self::named), then [`named_adapters`](Self::named_adapters).
    pub fn all(&self) -> Vec<(String, Var)> {
        let mut all = self.named();
        all.extend(self.named_adapters());
        all
    }

    /// Puts something else in the place of each parameter, adapters included.
    ///
    /// # Errors
    /// The first error of `f`.
    pub fn replace(&mut self, mut f: impl FnMut(&Var) -> Result<Var>) -> Result<()> {
        for layer in &mut self.layers {
            for norm in [&mut layer.input_norm, &mut layer.post_norm]
                .into_iter()
                .chain(&mut layer.q_norm)
                .chain(&mut layer.k_norm)
            {
                *norm = f(norm)?;
            }
            for (_, linear) in layer.linears_mut() {
                linear.weight = f(&linear.weight)?;
                if let Some(bias) = &mut linear.bias {
                    *bias = f(bias)?;
                }
                if let Some(adapter) = &mut linear.adapter {
                    adapter.a = f(&adapter.a)?;
                    adapter.b = f(&adapter.b)?;
                }
            }
        }
        for var in [&mut self.embedding, &mut self.final_norm].into_iter().chain(&mut self.head) {
            *var = f(var)?;
        }
        Ok(())
    }

    /// What training changes: the adapters where there are any, else everything.
    pub fn trained(&self) -> Vec<(String, Var)> {
        let adapters = self.named_adapters();
        if adapters.is_empty() { self.named() } else { adapters }
    }

    /// The output matrix, `[V, H]`.
    pub fn output(&self) -> &Var {
        self.head.as_ref().unwrap_or(&self.embedding)
    }
}
