//! A model that is being trained, and what can be done with it.

use std::collections::HashSet;
use std::path::Path;

use candle_core::{Device, TensorId, Var};
use sha2::{Digest, Sha256};

use crate::config::ModelConfig;
use crate::error::{PolicyError, Result};
use crate::fused;
use crate::gradients::Gradients;
use crate::graph;
use crate::load;
use crate::lora;
use crate::packed::{Packed, TokenGradients, TokenScores};
use crate::random;
use crate::save::{self, SaveOptions};
use crate::tensors::host;
use crate::weights::{Layer, Weights};

/// A decoder: its shape, its parameters, and where and how it is computed.
///
/// A clone shares its parameters with the original; [`frozen_copy`](Self::frozen_copy) does not.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Its shape.
    pub config: ModelConfig,
    /// Its parameters.
    pub weights: Weights,
    /// Where they are.
    pub device: Device,
    /// How forward and backward passes are computed.
    pub options: graph::Options,
}

impl Policy {
    /// With parameters drawn from a seed.
    ///
    /// # Errors
    /// When the device has no room for them.
    pub fn random(config: ModelConfig, seed: u64, device: &Device) -> Result<Self> {
        let weights = random::weights(&config, seed, device)?;
        Ok(Self::new(config, weights))
    }

    /// From a folder in the layout of Hugging Face: `config.json` and `model.safetensors`, or several files and
    /// `model.safetensors.index.json`. Files of f32, bf16 and f16 are read; parameters are 32-bit floats.
    ///
    /// # Errors
    /// When a file or a tensor is missing, damaged, of the wrong shape, or not the model's.
    pub fn load(folder: &Path, device: &Device) -> Result<Self> {
        let config = ModelConfig::read(&folder.join("config.json"))?;
        let weights = load::weights(folder, &config, device)?;
        Ok(Self::new(config, weights))
    }

    /// From what there is already.
    pub fn new(config: ModelConfig, weights: Weights) -> Self {
        let device = weights.embedding.device().clone();
        Self { config, weights, device, options: graph::Options::default() }
    }

    /// Writes `config.json` and all parameters of the model itself as 32-bit floats, for [`load`](Self::load) and for
    /// `transformers`. Adapters are merged into a copy first.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        self.save_with(folder, &SaveOptions::default())
    }

    /// The same, as `options` say.
    ///
    /// # Errors
    /// When the folder cannot be written, or the type of numbers is not supported.
    pub fn save_with(&self, folder: &Path, options: &SaveOptions) -> Result<()> {
        if self.weights.named_adapters().is_empty() {
            return save::model(folder, &self.config, &self.weights, options);
        }
        save::model(folder, &self.config, &lora::merged(self)?.weights, options)
    }

    /// What training changes, in the order of [`Weights::trained`].
    pub fn parameters(&self) -> Vec<Var> {
        self.weights.trained().into_iter().map(|(_, var)| var).collect()
    }

    /// Zeros for [`accumulate`](Self::accumulate) to add to.
    ///
    /// # Errors
    /// When the device has no room for them.
    pub fn zero_gradients(&self) -> Result<Gradients> {
        Gradients::zeros(&self.parameters())
    }

    /// Log-probabilities and entropies of the scored tokens under softmax(logits / temperature).
    ///
    /// # Errors
    /// When `packed` does not fit the model, the temperature is not above 0, or the device fails.
    pub fn scores(&self, packed: &Packed, temperature: f32) -> Result<TokenScores> {
        if let Some(options) = self.fused() {
            return fused::scores(&self.config, &self.weights, packed, temperature, &options);
        }
        graph::scores(&self.config, &self.weights, packed, temperature, &self.options)
    }

    /// The same, and adds to `gradients` what `objective` makes of the scores: it gives the gradient of the loss by
    /// each log-probability and entropy.
    ///
    /// # Errors
    /// As [`scores`](Self::scores); when `objective` fails or gives gradients of another length.
    pub fn accumulate(
        &self,
        packed: &Packed,
        temperature: f32,
        gradients: &mut Gradients,
        objective: impl FnOnce(&TokenScores) -> Result<TokenGradients>,
    ) -> Result<TokenScores> {
        if let Some(options) = self.fused() {
            let (config, weights) = (&self.config, &self.weights);
            return fused::accumulate(config, weights, packed, temperature, &options, gradients, objective);
        }
        graph::accumulate(
            &self.config,
            &self.weights,
            packed,
            temperature,
            &self.options,
            gradients,
            objective,
        )
    }

    /// The last hidden states, after the final norm, at [`Packed::rows`]: `[M, H]` row by row.
    ///
    /// # Errors
    /// When `packed` does not fit the model or the device fails.
    pub fn hidden(&self, packed: &Packed) -> Result<Vec<f32>> {
        if let Some(options) = self.fused() {
            return fused::hidden(&self.config, &self.weights, packed, &options);
        }
        graph::hidden(&self.config, &self.weights, packed, &self.options)
    }

    /// Adds to `gradients` what `objective` makes of the [`hidden`](Self::hidden) states: it gives the gradient of the
    /// loss by each, `[M, H]`.
    ///
    /// # Errors
    /// As [`hidden`](Self::hidden); when `objective` fails or gives gradients of another length.
    pub fn accumulate_hidden(
        &self,
        packed: &Packed,
        gradients: &mut Gradients,
        objective: impl FnOnce(&[f32]) -> Result<Vec<f32>>,
    ) -> Result<()> {
        if let Some(options) = self.fused() {
            let (config, weights) = (&self.config, &self.weights);
            return fused::accumulate_hidden(config, weights, packed, &options, gradients, objective);
        }
        graph::accumulate_hidden(&self.config, &self.weights, packed, &self.options, gradients, objective)
    }

    /// How the path of the CPU computes, where it is the one to be taken.
    fn fused(&self) -> Option<fused::Options> {
        let options = fused::Options::default();
        let chunk = if self.options.chunk == 0 { options.chunk } else { self.options.chunk };
        let fused = self.device.is_cpu() && self.options.compute == candle_core::DType::F32;
        fused.then_some(fused::Options { chunk, checkpointing: self.options.checkpointing, ..options })
    }

    /// A copy with tensors of its own, adapters included: a reference policy.
    ///
    /// # Errors
    /// When the device has no room for it.
    pub fn frozen_copy(&self) -> Result<Self> {
        let mut copy = self.clone();
        // Of a variable `from_tensor` would give the same one again; of a detached one it makes a copy.
        copy.weights.replace(|var| Ok(Var::from_tensor(&var.as_detached_tensor())?))?;
        Ok(copy)
    }

    /// The policy as it is now, which later steps do not change: what is trained is copied, the rest is shared.
    ///
    /// # Errors
    /// When the device has no room for it.
    pub fn snapshot(&self) -> Result<Self> {
        let trained: HashSet<TensorId> = self.weights.trained().iter().map(|(_, var)| var.id()).collect();
        let mut copy = self.clone();
        copy.weights.replace(|var| {
            // Of a variable `from_tensor` would give the same one again; of a detached one it makes a copy.
            let changes = trained.contains(&var.id());
            Ok(if changes { Var::from_tensor(&var.as_detached_tensor())? } else { var.clone() })
        })?;
        Ok(copy)
    }

    /// The model without its adapters. It shares all other tensors, so under LoRA it is the reference policy for free.
    #[must_use]
    pub fn without_adapter(&self) -> Self {
        let mut base = self.clone();
        for layer in &mut base.weights.layers {
            for (_, linear) in layer.linears_mut() {
                linear.adapter = None;
            }
        }
        base
    }

    /// Takes over the parameters of a policy of the same shape: the hard refresh of a reference.
    ///
    /// # Errors
    /// When the shapes differ.
    pub fn copy_from(&self, other: &Self) -> Result<()> {
        self.each_with(other, |_, theirs| Ok(theirs.copy()?))
    }

    /// Sets each parameter to `alpha * other + (1 - alpha) * self`: the soft refresh of a reference.
    ///
    /// # Errors
    /// When the shapes differ or `alpha` is not from 0 to 1.
    pub fn mix_from(&self, other: &Self, alpha: f64) -> Result<()> {
        if !(0.0..=1.0).contains(&alpha) {
            return Err(PolicyError::input(format!("the share is {alpha}; expected 0 to 1")));
        }
        self.each_with(other, |ours, theirs| Ok(((theirs * alpha)? + (ours * (1.0 - alpha))?)?))
    }

    fn each_with(
        &self,
        other: &Self,
        mut f: impl FnMut(&candle_core::Tensor, &candle_core::Tensor) -> Result<candle_core::Tensor>,
    ) -> Result<()> {
        let (ours, theirs) = (self.weights.all(), other.weights.all());
        let same = |(a, b): (&(String, Var), &(String, Var))| a.0 == b.0 && a.1.shape() == b.1.shape();
        if ours.len() != theirs.len() || !ours.iter().zip(&theirs).all(same) {
            return Err(PolicyError::input("the two policies do not have the same parameters"));
        }
        for ((_, ours), (_, theirs)) in ours.iter().zip(&theirs) {
            ours.set(&f(&ours.as_detached_tensor(), &theirs.as_detached_tensor().to_device(&self.device)?)?)?;
        }
        Ok(())
    }

    /// SHA-256 over configuration, names, shapes and numbers of all parameters, in hexadecimal: which weights
    /// something came from. The same on every device.
    ///
    /// # Errors
    /// When the device fails.
    pub fn fingerprint(&self) -> Result<String> {
        let mut hash = Sha256::new();
        // What changes the numbers that come out, and not how a file happened to be written.
        let mut config = self.config.clone();
        config.raw.clear();
        hash.update(format!("{config:?}"));
        let mut bytes = Vec::new();
        for (name, var) in self.weights.all() {
            hash.update(format!("{name}{:?}", var.dims()));
            bytes.clear();
            bytes.extend(host(&var)?.iter().flat_map(|value| value.to_le_bytes()));
            hash.update(&bytes);
        }
        let scales = self.weights.layers.iter().flat_map(Layer::linears);
        for adapter in scales.filter_map(|(_, linear)| linear.adapter.as_ref()) {
            hash.update(adapter.scale.to_le_bytes());
        }
        Ok(format!("{:x}", hash.finalize()))
    }
}
