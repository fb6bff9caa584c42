//! The parameters of a decoder as tensors that can be trained.

use candle_core::Var;

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
