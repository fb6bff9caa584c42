//! A policy's body with one number per token instead of a vocabulary: reward models and value heads.

use std::path::Path;

use candle_core::{Device, Tensor, Var};
use policy::gradients::Gradients;
use policy::tensors::{self, TensorFile, host};
use policy::{Packed, Policy, PolicyError};

use super::error::{LearnerError, Result};

/// One number out of a hidden state `[H]`: `weight . h + bias`.
#[derive(Clone, Debug)]
pub struct ScalarHead {
    /// `[1, H]`, as Hugging Face has the head of sequence classification.
    pub weight: Var,
    /// `[1]`; reward models have none, since only differences of rewards count.
    pub bias: Option<Var>,
}

/// A body with its head. The policy's output matrix has no part in it.
#[derive(Clone, Debug)]
pub struct Scorer {
    /// The body; it is trained too.
    pub body: Policy,
    /// The head.
    pub head: ScalarHead,
}

/// The gradients of a [`Scorer`].
#[derive(Debug)]
pub struct ScorerGradients {
    /// Those of the body.
    pub body: Gradients,
    /// `[H]`.
    pub weight: Vec<f64>,
    /// Of the bias.
    pub bias: f64,
}

/// The file of the head, beside the body's files.
pub const HEAD: &str = "score.safetensors";
const WEIGHT: &str = "score.weight";
const BIAS: &str = "score.bias";

impl ScalarHead {
    /// A head that gives 0 for everything: before anything is learned, no value is better than another.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn zeros(hidden_size: usize, with_bias: bool, device: &Device) -> Result<Self> {
        let zeros =
            |shape: &[usize]| Var::zeros(shape, candle_core::DType::F32, device).map_err(PolicyError::from);
        Ok(Self { weight: zeros(&[1, hidden_size])?, bias: with_bias.then(|| zeros(&[1])).transpose()? })
    }

    /// Its parameters by name.
    pub fn named(&self) -> Vec<(String, Var)> {
        let bias = self.bias.iter().map(|bias| (BIAS.to_owned(), bias.clone()));
        [(WEIGHT.to_owned(), self.weight.clone())].into_iter().chain(bias).collect()
    }

    fn numbers(&self) -> policy::error::Result<(Vec<f32>, f32)> {
        let bias = self.bias.as_ref().map(|bias| host(bias)).transpose()?;
        Ok((host(&self.weight)?, bias.map_or(0.0, |bias| bias[0])))
    }
}

/// The values of hidden states `[M, H]`.
fn values(hidden: &[f32], weight: &[f32], bias: f32) -> Vec<f32> {
    let dot = |row: &[f32]| {
        let sum: f64 = row.iter().zip(weight).map(|(h, w)| f64::from(*h) * f64::from(*w)).sum();
        (sum + f64::from(bias)) as f32
    };
    hidden.chunks_exact(weight.len()).map(dot).collect()
}

impl Scorer {
    /// A body with a head that gives 0.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn new(body: Policy, with_bias: bool) -> Result<Self> {
        let head = ScalarHead::zeros(body.config.hidden_size, with_bias, &body.device)?;
        Ok(Self { body, head })
    }

    /// What training changes: the body's trained parameters, then the head's. For an optimiser. An output matrix of
    /// its own is among them; it has no gradient, so only weight decay would move it.
    pub fn trained(&self) -> Vec<(String, Var)> {
        let mut trained = self.body.weights.trained();
        trained.extend(self.head.named());
        trained
    }

    /// Zeros for [`accumulate`](Self::accumulate) to add to.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn zero_gradients(&self) -> Result<ScorerGradients> {
        let weight = vec![0.0; self.body.config.hidden_size];
        Ok(ScorerGradients { body: self.body.zero_gradients()?, weight, bias: 0.0 })
    }

    /// The values at [`Packed::rows`], `[M]`.
    ///
    /// # Errors
    /// When `packed` does not fit the model or the device fails.
    pub fn values(&self, packed: &Packed) -> Result<Vec<f32>> {
        let (weight, bias) = self.head.numbers()?;
        Ok(values(&self.body.hidden(packed)?, &weight, bias))
    }

    /// Adds to `gradients` what `objective` makes of the [`values`](Self::values): it gives the gradient of the loss by
    /// each.
    ///
    /// # Errors
    /// As [`values`](Self::values); when `objective` fails or gives gradients of another length.
    pub fn accumulate(
        &self,
        packed: &Packed,
        gradients: &mut ScorerGradients,
        objective: impl FnOnce(&[f32]) -> policy::error::Result<Vec<f32>>,
    ) -> Result<()> {
        let (weight, bias) = self.head.numbers()?;
        let ScorerGradients { body, weight: by_weight, bias: by_bias } = gradients;
        self.body.accumulate_hidden(packed, body, |hidden| {
            let by_value = objective(&values(hidden, &weight, bias))?;
            if by_value.len() * weight.len() != hidden.len() {
                return Err(PolicyError::input(format!(
                    "the objective gave {} gradients for {} values",
                    by_value.len(),
                    hidden.len() / weight.len()
                )));
            }
            for (row, gradient) in hidden.chunks_exact(weight.len()).zip(&by_value) {
                let gradient = f64::from(*gradient);
                by_weight.iter_mut().zip(row).for_each(|(sum, h)| *sum += gradient * f64::from(*h));
                *by_bias += gradient;
            }
            Ok(by_value.iter().flat_map(|gradient| weight.iter().map(move |w| gradient * w)).collect())
        })?;
        Ok(())
    }

    /// The gradients in the order of [`trained`](Self::trained), for an optimiser.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn all_gradients(&self, gradients: &ScorerGradients) -> Result<Gradients> {
        let tensor = |values: Vec<f32>, var: &Var| {
            Tensor::from_vec(values, var.shape(), &self.body.device).map_err(PolicyError::from)
        };
        let mut tensors = gradients.body.tensors.clone();
        tensors.push(tensor(gradients.weight.iter().map(|g| *g as f32).collect(), &self.head.weight)?);
        if let Some(bias) = &self.head.bias {
            tensors.push(tensor(vec![gradients.bias as f32], bias)?);
        }
        Ok(Gradients { tensors })
    }

    /// Writes the body as [`Policy::save`] does, and the head beside it as [`HEAD`], with the names that Hugging Face
    /// gives it in sequence classification.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        self.body.save(folder)?;
        Ok(tensors::write(&folder.join(HEAD), &self.head.named(), candle_core::DType::F32)?)
    }

    /// From a folder that [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// When a file is missing, damaged, or does not fit the others.
    pub fn load(folder: &Path, device: &Device) -> Result<Self> {
        let body = Policy::load(folder, device)?;
        let path = folder.join(HEAD);
        if !path.is_file() {
            return Err(LearnerError::other(format!(
                "{}: there is no such file; a model without a head gives no rewards or values",
                path.display()
            )));
        }
        let mut file = TensorFile::open(&path)?;
        let mut read = |name: &str, shape: &[usize]| -> policy::error::Result<Var> {
            Ok(Var::from_vec(file.read(name, shape)?, shape, device)?)
        };
        let weight = read(WEIGHT, &[1, body.config.hidden_size])?;
        let bias = if TensorFile::open(&path)?.has(BIAS) { Some(read(BIAS, &[1])?) } else { None };
        Ok(Self { body, head: ScalarHead { weight, bias } })
    }
}

impl ScorerGradients {
    /// Sets all to zero.
    ///
    /// # Errors
    /// When the device fails.
    pub fn clear(&mut self) -> Result<()> {
        self.body.clear()?;
        self.weight.fill(0.0);
        self.bias = 0.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{bits, difference, differences, scorer};
    use super::*;

    fn packed() -> Packed {
        let mut packed = Packed::default();
        packed.push_group(&[1, 2, 3], [&[4, 5, 6][..], &[7, 8]]).expect("sound");
        packed.push(&[9, 8, 7, 6], 2).expect("sound");
        packed
    }

    #[test]
    fn gradients_of_body_and_head_are_slopes() {
        let (scorer, packed) = (scorer(12, 3, true), packed());
        // Half of the squares' sum, so that the gradient by a value is the value.
        let loss = || {
            let values = scorer.values(&packed).expect("it fits");
            values.iter().map(|value| 0.5 * f64::from(*value).powi(2)).sum::<f64>()
        };
        let mut gradients = scorer.zero_gradients().expect("room");
        scorer.accumulate(&packed, &mut gradients, |values| Ok(values.to_vec())).expect("it fits");
        differences(&scorer.body, &gradients.body, loss);
        for place in [0, 7] {
            difference(&scorer.head.weight, place, gradients.weight[place], &loss);
        }
        difference(scorer.head.bias.as_ref().expect("it has one"), 0, gradients.bias, &loss);
        let all = scorer.all_gradients(&gradients).expect("room");
        let shapes: Vec<_> = all.tensors.iter().map(|tensor| tensor.dims().to_vec()).collect();
        assert_eq!(shapes, scorer.trained().iter().map(|(_, var)| var.dims().to_vec()).collect::<Vec<_>>());
        assert!(scorer.accumulate(&packed, &mut gradients, |_| Ok(vec![1.0])).is_err(), "of another length");
        gradients.clear().expect("on the CPU");
        assert!(gradients.weight.iter().all(|g| *g == 0.0) && gradients.bias == 0.0);
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        for with_bias in [false, true] {
            let scorer = scorer(12, 3, with_bias);
            let folder = tempfile::tempdir().expect("there is room");
            scorer.save(folder.path()).expect("it can be written");
            let read = Scorer::load(folder.path(), &Device::Cpu).expect("it was written so");
            assert_eq!(bits(&scorer.body), bits(&read.body));
            let packed = packed();
            assert_eq!(scorer.values(&packed).expect("it fits"), read.values(&packed).expect("it fits"));
            assert_eq!(read.head.bias.is_some(), with_bias);
            std::fs::remove_file(folder.path().join(HEAD)).expect("it is there");
            assert!(Scorer::load(folder.path(), &Device::Cpu).is_err());
        }
    }
}
