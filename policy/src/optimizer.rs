//! AdamW (Loshchilov and Hutter 2019, algorithm 2) with clipping by the global norm.

use candle_core::{DType, Tensor, Var};
use rayon::prelude::*;

use crate::error::{PolicyError, Result};
use crate::fused::vectorised;
use crate::gradients::{Gradients, with_slice, with_slices_mut};

/// How many numbers one task sums or steps; also the partition of the norm's sum.
const CHUNK: usize = 1 << 15;

/// What stays the same from step to step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWOptions {
    /// How much of the mean of gradients is kept.
    pub beta1: f64,
    /// How much of the mean of their squares is kept.
    pub beta2: f64,
    /// Added to the root of the corrected mean of squares.
    pub eps: f64,
    /// Taken off each parameter in a step, times the learning rate (decoupled). It holds for all parameters.
    pub weight_decay: f64,
    /// Longer gradients are shortened to this norm, taken over all parameters.
    pub max_norm: Option<f64>,
}

impl Default for AdamWOptions {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0, max_norm: Some(1.0) }
    }
}

/// The optimiser and its state: two numbers for each parameter, and the steps taken.
#[derive(Debug)]
pub struct AdamW {
    /// What stays the same.
    pub options: AdamWOptions,
    parameters: Vec<(String, Var)>,
    /// Of each parameter the running mean of its gradient, and of its square.
    moments: Vec<[Tensor; 2]>,
    steps: u64,
}

/// The names that state tensors have after their parameter's, as in PyTorch's `state_dict`.
const MOMENTS: [&str; 2] = ["exp_avg", "exp_avg_sq"];

impl AdamW {
    /// For parameters in the order of [`Weights::trained`](crate::Weights::trained).
    ///
    /// # Errors
    /// When an option is out of range or the device has no room.
    pub fn new(parameters: Vec<(String, Var)>, options: AdamWOptions) -> Result<Self> {
        let share = |value: f64| (0.0..1.0).contains(&value);
        let amount = |value: f64| value.is_finite() && value >= 0.0;
        if !share(options.beta1) || !share(options.beta2) {
            return Err(PolicyError::input("AdamW's betas must be at least 0 and below 1"));
        }
        if !amount(options.eps) || !amount(options.weight_decay) {
            return Err(PolicyError::input("AdamW's eps and weight decay must be finite and not negative"));
        }
        if options.max_norm.is_some_and(|norm| !norm.is_finite() || norm <= 0.0) {
            return Err(PolicyError::input("the largest norm of a gradient must be above 0"));
        }
        let zeros = |p: &Var| Tensor::zeros(p.shape(), DType::F32, p.device());
        let moments = parameters
            .iter()
            .map(|(_, parameter)| Ok([zeros(parameter)?, zeros(parameter)?]))
            .collect::<Result<_>>()?;
        Ok(Self { options, parameters, moments, steps: 0 })
    }

    /// How many steps were taken.
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// Changes the parameters along the gradients, which are left as they are. Returns the gradients' norm before
    /// clipping.
    ///
    /// # Errors
    /// [`PolicyError::NotFinite`] when that norm is no finite number; then nothing has changed. When the gradients
    /// do not fit the parameters, the learning rate is not finite, or the device fails.
    pub fn step(&mut self, gradients: &Gradients, rate: f64) -> Result<f64> {
        if gradients.tensors.len() != self.parameters.len() {
            return Err(PolicyError::input(format!(
                "{} gradients for {} parameters",
                gradients.tensors.len(),
                self.parameters.len()
            )));
        }
        for ((name, parameter), gradient) in self.parameters.iter().zip(&gradients.tensors) {
            if parameter.shape() != gradient.shape() {
                return Err(PolicyError::input(format!(
                    "`{name}` has the shape {:?} and its gradient {:?}",
                    parameter.dims(),
                    gradient.dims()
                )));
            }
        }
        if !rate.is_finite() {
            return Err(PolicyError::NotFinite { place: "the learning rate".to_owned(), value: rate });
        }
        let norm = norm(gradients)?;
        if !norm.is_finite() {
            return Err(PolicyError::NotFinite { place: "the gradient's norm".to_owned(), value: norm });
        }
        // As `torch.nn.utils.clip_grad_norm_`.
        let clip = self.options.max_norm.map_or(1.0, |max| (max / (norm + 1e-6)).min(1.0));
        self.steps += 1;
        let steps = i32::try_from(self.steps).unwrap_or(i32::MAX);
        let step = Step {
            clip: clip as f32,
            beta1: self.options.beta1 as f32,
            rest1: (1.0 - self.options.beta1) as f32,
            beta2: self.options.beta2 as f32,
            rest2: (1.0 - self.options.beta2) as f32,
            root_correction: (1.0 / (1.0 - self.options.beta2.powi(steps)).sqrt()) as f32,
            eps: self.options.eps as f32,
            keep: (1.0 - rate * self.options.weight_decay) as f32,
            size: (rate / (1.0 - self.options.beta1.powi(steps))) as f32,
        };
        for (((_, parameter), moments), gradient) in
            self.parameters.iter().zip(&mut self.moments).zip(&gradients.tensors)
        {
            if parameter.device().is_cpu() {
                on_cpu(parameter, moments, gradient, &step)?;
            } else {
                on_device(parameter, moments, gradient, &step)?;
            }
        }
        Ok(norm)
    }

    /// The state by name, for a checkpoint. The tensors change with the next step.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        let named = self.parameters.iter().zip(&self.moments).flat_map(|((name, _), moments)| {
            MOMENTS
                .iter()
                .zip(moments)
                .map(move |(moment, tensor)| (format!("{name}.{moment}"), tensor.clone()))
        });
        named.collect()
    }

    /// Takes a state that was saved after `steps` steps; `find` gives the tensors by name.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape; then nothing has changed.
    pub fn restore(
        &mut self,
        steps: u64,
        mut find: impl FnMut(&str) -> Result<Option<Tensor>>,
    ) -> Result<()> {
        let mut moments = Vec::with_capacity(self.moments.len());
        for (name, parameter) in &self.parameters {
            let mut take = |moment: &str| -> Result<Tensor> {
                let name = format!("{name}.{moment}");
                let tensor = find(&name)?.ok_or_else(|| {
                    PolicyError::input(format!(
                        "the optimiser's state has no `{name}`; is it another model's?"
                    ))
                })?;
                if tensor.shape() != parameter.shape() {
                    return Err(PolicyError::input(format!(
                        "`{name}` of the optimiser's state has the shape {:?}; the model has {:?}",
                        tensor.dims(),
                        parameter.dims()
                    )));
                }
                // A copy of its own: steps write into it.
                Ok(tensor.to_dtype(DType::F32)?.to_device(parameter.device())?.contiguous()?.copy()?)
            };
            moments.push([take(MOMENTS[0])?, take(MOMENTS[1])?]);
        }
        (self.moments, self.steps) = (moments, steps);
        Ok(())
    }

    /// Forgets all steps.
    ///
    /// # Errors
    /// When the device fails.
    pub fn reset(&mut self) -> Result<()> {
        for tensor in self.moments.iter_mut().flatten() {
            *tensor = tensor.zeros_like()?;
        }
        self.steps = 0;
        Ok(())
    }
}

/// The norm of all gradients together, summed in 64 bits and always in the same order.
///
/// # Errors
/// When a tensor is not contiguous or the device fails.
pub fn norm(gradients: &Gradients) -> Result<f64> {
    let mut sum = 0.0;
    for tensor in &gradients.tensors {
        if tensor.device().is_cpu() {
            sum += with_slice(tensor, |values| {
                values.par_chunks(CHUNK).map(sum_of_squares).collect::<Vec<f64>>().iter().sum::<f64>()
            })?;
        } else {
            sum += tensor.to_dtype(DType::F64)?.sqr()?.sum_all()?.to_scalar::<f64>()?;
        }
    }
    Ok(sum.sqrt())
}

/// The numbers of one step.
#[derive(Clone, Copy)]
struct Step {
    /// What gradients are multiplied with.
    clip: f32,
    beta1: f32,
    rest1: f32,
    beta2: f32,
    rest2: f32,
    /// One over the root of the second moment's correction.
    root_correction: f32,
    eps: f32,
    /// What the decay leaves of a parameter.
    keep: f32,
    /// The learning rate over the first moment's correction.
    size: f32,
}

fn on_cpu(parameter: &Var, moments: &[Tensor; 2], gradient: &Tensor, step: &Step) -> Result<()> {
    let tensors = [parameter.as_tensor().clone(), moments[0].clone(), moments[1].clone()];
    with_slices_mut(&tensors, |mut slices| {
        with_slice(gradient, |gradient| {
            let mut slices = slices.iter_mut().map(|slice| slice.par_chunks_mut(CHUNK));
            let (Some(parameter), Some(first), Some(second)) = (slices.next(), slices.next(), slices.next())
            else {
                return;
            };
            parameter.zip(first).zip(second).zip(gradient.par_chunks(CHUNK)).for_each(
                |(((parameter, first), second), gradient)| adamw(parameter, first, second, gradient, step),
            );
        })
    })?
}

fn on_device(parameter: &Var, moments: &mut [Tensor; 2], gradient: &Tensor, step: &Step) -> Result<()> {
    let f = f64::from;
    let gradient = (gradient.to_dtype(DType::F32)? * f(step.clip))?;
    let first = ((&moments[0] * f(step.beta1))? + (&gradient * f(step.rest1))?)?;
    let second = ((&moments[1] * f(step.beta2))? + (gradient.sqr()? * f(step.rest2))?)?;
    let below = ((second.sqrt()? * f(step.root_correction))? + f(step.eps))?;
    let moved = ((parameter.as_detached_tensor() * f(step.keep))? - ((&first / below)? * f(step.size))?)?;
    parameter.set(&moved)?;
    *moments = [first, second];
    Ok(())
}

vectorised! {
    fn adamw(parameter: &mut [f32], first: &mut [f32], second: &mut [f32], gradient: &[f32], step: &Step) {
        for (((p, m), v), g) in parameter.iter_mut().zip(first).zip(second).zip(gradient) {
            let g = g * step.clip;
            *m = step.beta1 * *m + step.rest1 * g;
            *v = step.beta2 * *v + step.rest2 * g * g;
            *p = *p * step.keep - step.size * *m / (v.sqrt() * step.root_correction + step.eps);
        }
    }

    fn sum_of_squares(values: &[f32]) -> f64 {
        let mut lanes = [0.0_f64; 16];
        let (chunks, rest) = values.as_chunks::<16>();
        for chunk in chunks {
            for j in 0..16 {
                lanes[j] += f64::from(chunk[j]) * f64::from(chunk[j]);
            }
        }
        lanes.iter().sum::<f64>() + rest.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn list(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().expect("a list").to_vec1().expect("on the CPU")
    }

    fn gradients(values: &[f32]) -> Gradients {
        Gradients { tensors: vec![Tensor::new(values, &Device::Cpu).expect("room")] }
    }

    fn optimizer(values: &[f32], options: AdamWOptions) -> (Var, AdamW) {
        let var = Var::new(values, &Device::Cpu).expect("room");
        let adam = AdamW::new(vec![("p".to_owned(), var.clone())], options).expect("sound options");
        (var, adam)
    }

    const GRADIENTS: [[f32; 3]; 3] = [[0.1, -0.2, 0.3], [0.0, 0.4, -0.1], [3.0, -4.0, 0.0]];

    /// The rows `adamw_*` of the vectors, which were checked against `torch.optim.AdamW`.
    #[test]
    fn three_published_steps() {
        let rows = [
            (
                0.0,
                None,
                [
                    [0.490_000_001, -0.990_000_000_5, 1.990_000_000_333],
                    [0.483_299_419_406, -0.993_661_035_655, 1.985_997_814_793],
                    [0.476_742_438_257, -0.987_626_665_136, 1.982_904_113_802],
                ],
            ),
            (
                0.01,
                Some(1.0),
                [
                    [0.489_950_001, -0.989_900_000_5, 1.989_800_000_333],
                    [0.483_200_424_406, -0.993_462_045_655, 1.985_598_834_793],
                    [0.476_000_028_200, -0.989_166_143_821, 1.982_306_573_918],
                ],
            ),
        ];
        for (weight_decay, max_norm, expected) in rows {
            let options = AdamWOptions { weight_decay, max_norm, ..AdamWOptions::default() };
            let (var, mut adam) = optimizer(&[0.5, -1.0, 2.0], options);
            let (device_var, mut device) = optimizer(&[0.5, -1.0, 2.0], options);
            for ((gradient, expected), norm) in
                GRADIENTS.iter().zip(expected).zip([0.374_165_74, 0.412_310_56, 5.0])
            {
                let gradient = gradients(gradient);
                let found = adam.step(&gradient, 0.01).expect("finite");
                assert!((found - norm).abs() < 1e-7, "{found} {norm}");
                for (got, want) in list(&var).iter().zip(expected) {
                    assert!((f64::from(*got) - want).abs() < 1e-6, "{got} {want}");
                }
                // The same with the operations that other devices take.
                device.steps += 1;
                let clip = max_norm.map_or(1.0, |max| (max / (norm + 1e-6)).min(1.0)) as f32;
                let power = device.steps as i32;
                let step = Step {
                    clip,
                    beta1: 0.9,
                    rest1: 0.1,
                    beta2: 0.999,
                    rest2: 0.001,
                    root_correction: 1.0 / (1.0 - 0.999_f32.powi(power)).sqrt(),
                    eps: 1e-8,
                    keep: 1.0 - 0.01 * weight_decay as f32,
                    size: 0.01 / (1.0 - 0.9_f32.powi(power)),
                };
                on_device(&device_var, &mut device.moments[0], &gradient.tensors[0], &step).expect("room");
                for (got, want) in list(&device_var).iter().zip(expected) {
                    assert!((f64::from(*got) - want).abs() < 2e-6, "{got} {want}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_finite_changes_nothing() {
        let (var, mut adam) = optimizer(&[0.5, -1.0, 2.0], AdamWOptions::default());
        adam.step(&gradients(&GRADIENTS[0]), 0.01).expect("finite");
        let (before, state) = (list(&var), adam.state().iter().map(|(_, t)| list(t)).collect::<Vec<_>>());
        for bad in [f32::NAN, f32::INFINITY] {
            let error = adam.step(&gradients(&[0.0, bad, 0.0]), 0.01).expect_err("not finite");
            assert!(matches!(error, PolicyError::NotFinite { .. }), "{error}");
        }
        assert!(adam.step(&gradients(&GRADIENTS[0]), f64::NAN).is_err());
        assert!(adam.step(&gradients(&[1.0, 2.0]), 0.01).is_err(), "another shape");
        assert!(adam.step(&Gradients { tensors: Vec::new() }, 0.01).is_err());
        assert_eq!(before, list(&var));
        assert_eq!(state, adam.state().iter().map(|(_, t)| list(t)).collect::<Vec<_>>());
        assert_eq!(adam.steps(), 1);
        // Squares that leave the range of 32 bits are no reason.
        assert!(adam.step(&gradients(&[1e30, 0.0, 0.0]), 0.01).expect("finite") > 9e29);
    }

    #[test]
    fn a_saved_state_goes_on_as_if_nothing_had_happened() {
        let (var, mut adam) = optimizer(&[0.5, -1.0, 2.0], AdamWOptions::default());
        adam.step(&gradients(&GRADIENTS[0]), 0.01).expect("finite");
        let saved: Vec<_> = adam.state().iter().map(|(n, t)| (n.clone(), t.copy().expect("room"))).collect();
        assert_eq!(saved[1].0, "p.exp_avg_sq");
        let (other_var, mut other) = optimizer(&list(&var), AdamWOptions::default());
        let find = |name: &str| Ok(saved.iter().find(|(n, _)| n == name).map(|(_, t)| t.clone()));
        other.restore(adam.steps(), find).expect("complete");
        adam.step(&gradients(&GRADIENTS[1]), 0.01).expect("finite");
        other.step(&gradients(&GRADIENTS[1]), 0.01).expect("finite");
        assert_eq!(list(&var), list(&other_var));
        assert!(other.restore(1, |_| Ok(None)).is_err());
        adam.reset().expect("room");
        assert!(adam.state().iter().all(|(_, t)| list(t).iter().all(|x| *x == 0.0)));
        assert_eq!(adam.steps(), 0);
    }

    #[test]
    fn options_out_of_range_are_refused() {
        let sound = AdamWOptions::default();
        for options in [
            AdamWOptions { beta1: 1.0, ..sound },
            AdamWOptions { beta2: -0.1, ..sound },
            AdamWOptions { eps: f64::NAN, ..sound },
            AdamWOptions { weight_decay: -1.0, ..sound },
            AdamWOptions { max_norm: Some(0.0), ..sound },
        ] {
            assert!(AdamW::new(Vec::new(), options).is_err(), "{options:?}");
        }
    }
}
