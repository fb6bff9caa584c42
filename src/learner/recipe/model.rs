//! `[model]`: what is trained.

use serde::{Deserialize, Serialize};

use super::fault::Checks;

/// What is trained: a model that is there, or a tiny one made on the spot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelRecipe {
    /// A folder with `config.json`, weights and tokenizer, or a name on the hub.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The hub's branch, tag or commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// What the layers compute in.
    pub dtype: Dtype,
    /// A model with random weights instead of one that is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tiny: Option<TinyModel>,
    /// Trains an adapter and leaves the model as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lora: Option<LoraRecipe>,
}

/// Where the model comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ModelSource<'a> {
    /// A folder or a name on the hub.
    There {
        /// The folder or the name.
        path: &'a str,
        /// The hub's branch, tag or commit.
        revision: Option<&'a str>,
    },
    /// Made on the spot.
    Tiny(&'a TinyModel),
}

/// What the layers compute in while training. Weights, logits and log-probabilities are f32 in either case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// Four bytes.
    #[default]
    F32,
    /// Two bytes, with the range of f32.
    Bf16,
}

/// A decoder with random weights and a tokenizer made of `tokens` and `characters`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TinyModel {
    /// The architecture.
    pub family: Family,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Width inside the feed-forward part.
    pub intermediate: usize,
    /// Number of layers.
    pub layers: usize,
    /// Heads of queries.
    pub heads: usize,
    /// Heads of keys and values; divides `heads`.
    pub kv_heads: usize,
    /// The longest sequence, prompt and completion together.
    pub max_positions: usize,
    /// The base of the rotary angles.
    pub rope_theta: f64,
    /// Whether the output matrix is the embedding.
    pub tie_embeddings: bool,
    /// Texts that are one token each.
    pub tokens: Vec<String>,
    /// Characters that are one token each.
    pub characters: String,
}

/// An architecture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Llama.
    Llama,
    /// Qwen2 and Qwen2.5.
    #[default]
    Qwen2,
    /// Qwen3.
    Qwen3,
}

/// A low-rank adapter beside linear layers (Hu et al. 2021, arXiv:2106.09685).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoraRecipe {
    /// The rank of the change.
    pub rank: usize,
    /// The change is multiplied with `alpha / rank`.
    pub alpha: f64,
    /// The layers that get one.
    pub targets: Vec<LoraTarget>,
}

/// A linear layer by its name in checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum LoraTarget {
    QProj,
    KProj,
    VProj,
    OProj,
    GateProj,
    UpProj,
    DownProj,
}

impl LoraTarget {
    /// All of them: what the adapter is on by default ("LoRA without regret", Thinking Machines 2025).
    pub const ALL: [Self; 7] =
        [Self::QProj, Self::KProj, Self::VProj, Self::OProj, Self::GateProj, Self::UpProj, Self::DownProj];

    /// The name in checkpoints, such as `q_proj`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::QProj => "q_proj",
            Self::KProj => "k_proj",
            Self::VProj => "v_proj",
            Self::OProj => "o_proj",
            Self::GateProj => "gate_proj",
            Self::UpProj => "up_proj",
            Self::DownProj => "down_proj",
        }
    }
}

impl Default for TinyModel {
    fn default() -> Self {
        Self {
            family: Family::default(),
            hidden: 128,
            intermediate: 384,
            layers: 4,
            heads: 4,
            kv_heads: 4,
            max_positions: 512,
            rope_theta: 10_000.0,
            tie_embeddings: true,
            tokens: ["<think>", "</think>", "<answer>", "</answer>"].map(str::to_owned).to_vec(),
            // The line break and every printable character of ASCII.
            characters: std::iter::once('\n').chain(' '..='~').collect(),
        }
    }
}

impl Default for LoraRecipe {
    fn default() -> Self {
        Self { rank: 16, alpha: 32.0, targets: LoraTarget::ALL.to_vec() }
    }
}

/// The widest a tiny model may be: beyond it, it is not tiny.
const MAX_TINY: usize = 1 << 16;

impl ModelRecipe {
    /// Where the model comes from; `None` only before the recipe was checked.
    pub fn source(&self) -> Option<ModelSource<'_>> {
        match (&self.path, &self.tiny) {
            (Some(path), _) => Some(ModelSource::There { path, revision: self.revision.as_deref() }),
            (None, Some(tiny)) => Some(ModelSource::Tiny(tiny)),
            (None, None) => None,
        }
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        match (&self.path, &self.tiny) {
            (Some(_), Some(_)) => checks.fault("tiny", "there is a `path` too; a run trains one model"),
            (None, None) => {
                checks.fault("path", "is missing; name a folder, or describe a model in [model.tiny]");
            }
            (Some(path), None) if path.trim().is_empty() => checks.fault("path", "is empty"),
            _ => {}
        }
        if self.path.is_none() && self.revision.is_some() {
            checks.fault("revision", "is of no use without `path`");
        }
        if let Some(tiny) = &self.tiny {
            tiny.check(&mut checks.section("tiny"));
        }
        if let Some(lora) = &self.lora {
            let mut checks = checks.section("lora");
            checks.count("rank", lora.rank);
            checks.positive("alpha", lora.alpha);
            if lora.targets.is_empty() {
                checks.fault("targets", "is empty, so nothing would be trained");
            }
        }
    }
}

impl TinyModel {
    fn check(&self, checks: &mut Checks) {
        let sizes = [
            ("hidden", self.hidden),
            ("intermediate", self.intermediate),
            ("layers", self.layers),
            ("heads", self.heads),
            ("kv_heads", self.kv_heads),
            ("max_positions", self.max_positions),
        ];
        for (field, size) in sizes {
            checks.must((1..=MAX_TINY).contains(&size), field, size, "from 1 to 65536");
        }
        if self.heads > 0
            && (!self.hidden.is_multiple_of(self.heads) || !(self.hidden / self.heads).is_multiple_of(2))
        {
            let message = format!(
                "{} heads cannot share a width of {}; a head's part is a whole even number",
                self.heads, self.hidden
            );
            checks.fault("heads", message);
        }
        if self.kv_heads > 0 && !self.heads.is_multiple_of(self.kv_heads) {
            checks
                .fault("kv_heads", format!("is {}; it must divide the {} heads", self.kv_heads, self.heads));
        }
        checks.positive("rope_theta", self.rope_theta);
        if self.tokens.iter().any(String::is_empty) {
            checks.fault("tokens", "has an empty text");
        }
        if self.tokens.is_empty() && self.characters.is_empty() {
            checks.fault("characters", "is empty, and so is `tokens`; the model would have nothing to say");
        }
    }
}
